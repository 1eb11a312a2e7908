"""The close of an edition: its figures are frozen as a numbered report, whose hash stands in the edition's own journal.

An edition closes once its last day is over and nothing of it can lapse any more. What moves somebody afterwards opens
it again (`actions.reopening`): the next closing makes another report, and the earlier one stays.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, insert, select, update

from actions.breakdown import breakdown
from actions.editions import EDITION, REVISION, EditionEntry, append
from actions.figures import Edition, edition_named, status
from actions.occasion import Actor, Occasion
from actions.reading import rules_for
from actions.writing import DEADLINE, PARTICIPATION
from core.clock import iso
from core.errors import NotFound, Refused
from models import EditionReport, SetAside, table_of
from states.edition import content_hash
from states.names import Anchor, DeadlineStatus
from states.tables import PARTICIPATION_PROCESSES

REPORT, SET_ASIDE = table_of(EditionReport), table_of(SetAside)
TRIGGER = "close"
Document = dict[str, Any]

_OPEN_STATES = sorted({state for process in PARTICIPATION_PROCESSES.values() for state in process.open_states})
_RUNNING = (DeadlineStatus.OPEN.value, DeadlineStatus.WAITING.value)
# of `status`: what is said of the report itself, and whom it names
_NOT_FROZEN = frozenset({"edition", "title", "at", "closed_at", "set_aside"})


@dataclass(frozen=True, slots=True)
class Closed:
    """What closing an edition did."""

    code: str
    number: int
    sha256: str


def over(connection: Connection, at: datetime) -> Iterator[Row[Any]]:
    """Yield (id, code, revision_id) of the editions that are not closed though their last local day is over.

    An edition in which nobody ever registered has nothing to freeze. The rules of a revision are read once a process;
    one whose revision cannot be read has its people set aside, and is not closed before somebody has mended it.
    """
    latest = select(func.max(REVISION.c.id)).where(REVISION.c.edition_id == EDITION.c.id).scalar_subquery()
    query = select(EDITION.c.id, EDITION.c.code, latest.label("revision_id"))
    open_ones = (EDITION.c.closed_at.is_(None), EDITION.c.participations_numbered > 0)
    for row in connection.execute(query.where(*open_ones).order_by(EDITION.c.id)).all():
        with suppress(ValueError):
            rules = rules_for(connection, row.revision_id)
            if rules.calendar.end_of(rules.anchors[Anchor.CLOSING]) <= at:
                yield row


def lapsing(edition_id: int) -> Select[tuple[int]]:
    """Select the ids of the participations of an edition that are still to lapse by themselves."""
    closing = (DEADLINE.c.rule == Anchor.CLOSING.value, DEADLINE.c.status.in_(_RUNNING))
    comes = exists().where(DEADLINE.c.participation_id == PARTICIPATION.c.id, *closing)
    return select(PARTICIPATION.c.id).where(
        PARTICIPATION.c.edition_id == edition_id, PARTICIPATION.c.state.in_(_OPEN_STATES), comes
    )


def hold(connection: Connection, edition_id: int) -> bool:
    """Have everybody who refers to the edition wait, and tell whether it is still to be closed.

    Whoever moved somebody before is waited for and counted; whoever does so from here on finds it closed.
    """
    mine = select(EDITION.c.closed_at).where(EDITION.c.id == edition_id)
    return connection.execute(mine.with_for_update()).scalar_one() is None


def close(connection: Connection, code: str, revision_id: int, actor: Actor, occasion: Occasion) -> Closed:
    """Freeze the figures of an edition that is held: the report, the journal's entry that names it, `closed_at`.

    Raises LostRace.
    """
    edition = edition_named(connection, code)
    last = connection.execute(
        select(REPORT).where(REPORT.c.edition_id == edition.id).order_by(REPORT.c.number.desc()).limit(1)
    ).first()
    number = last.number + 1 if last else 1
    content = canonical(figures(connection, edition, occasion.at) | {"number": number})
    made = {"edition_id": edition.id, "number": number, "at": occasion.at, "content": content}
    digest = content_hash(content)
    connection.execute(insert(REPORT).values(made | {"sha256": digest}))
    data = {"report": number, "sha256": digest}
    entry = EditionEntry(revision_id, TRIGGER, last.sha256[:12] if last else "", digest[:12], data)
    append(connection, edition.id, entry, actor, occasion)
    connection.execute(update(EDITION).where(EDITION.c.id == edition.id).values(closed_at=occasion.at))
    return Closed(edition.code, number, digest)


def figures(connection: Connection, edition: Edition, at: datetime) -> Document:
    """Return the document of a report as of now: the figures of `status`, then those of each group; nobody's name.

    `set_aside`: participations that stand open because a job failed on them, by state.
    """
    told = status(connection, edition.code, at)
    return {
        "edition": edition.code,
        "title": edition.title,
        "at": iso(at),
        "closes": edition.closes.isoformat(),
        "figures": {name: value for name, value in told.items() if name not in _NOT_FROZEN},
        "set_aside": {row.state: row.n for row in connection.execute(_left_open(edition.id))},
        "groups": breakdown(connection, edition.id),
    }


def _left_open(edition_id: int) -> Select[tuple[str, int]]:
    aside = exists().where(SET_ASIDE.c.participation_id == PARTICIPATION.c.id)
    return (
        select(PARTICIPATION.c.state, func.count().label("n"))
        .where(PARTICIPATION.c.edition_id == edition_id, PARTICIPATION.c.state.in_(_OPEN_STATES), aside)
        .group_by(PARTICIPATION.c.state)
        .order_by(PARTICIPATION.c.state)
    )


def report(connection: Connection, code: str | None, number: int | None) -> Document:
    """Return a frozen report (by default the latest of the edition that was loaded last), with its hash.

    Raises NotFound (`unknown_edition`, `no_edition`, `unknown_report`), Refused (`edition_not_closed`).
    """
    edition = edition_named(connection, code)
    known = connection.execute(select(REPORT).where(REPORT.c.edition_id == edition.id).order_by(REPORT.c.number)).all()
    if not known:
        raise Refused("edition_not_closed", edition=edition.code, closes=edition.closes)
    found = next((row for row in reversed(known) if number in {None, row.number}), None)
    if found is None:
        raise NotFound("unknown_report", value=number, edition=edition.code, allowed=[row.number for row in known])
    told: Document = json.loads(found.content)
    return {**told, "frozen": True, "sha256": found.sha256, "reports": len(known)}


def so_far(connection: Connection, code: str | None, at: datetime) -> Document:
    """Return the figures of this moment in the form of a report, which says that it is none.

    Raises NotFound (`unknown_edition`, `no_edition`).
    """
    told = figures(connection, edition_named(connection, code), at)
    return {**told, "number": None, "frozen": False, "sha256": None}


def canonical(document: Mapping[str, Any]) -> str:
    """Return a document as the bytes that its hash is taken of: keys in order, no blanks, UTF-8."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
