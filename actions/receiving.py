"""What an institute sees of the relay: the rounds it received, and those by which it hands back for evaluation.

Every other round, and every other institute's, is not there for it. Codes and moments only: no name, no address.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Row, and_, bindparam, or_, select

from actions.editions import EDITION
from actions.owed import round_by
from actions.people import ORGANISATION
from actions.reading import rules_for
from core.clock import iso
from core.errors import NotFound, UsageError
from models import Deadline, Handoff, Participation, table_of
from states.names import HandoffStatus, Purpose, Subject, Trigger

HANDOFF, PARTICIPATION, DEADLINE = table_of(Handoff), table_of(Participation), table_of(Deadline)

Document = dict[str, Any]
Rows = Sequence[Row[Any]]

GIVE_BACK = "return"
"""What the institute calls the act that offers IFC a record again which IFC had sent back."""

# purpose, status: what the institute may do about the round, as its own API names it
_ACTS: Mapping[tuple[str, str], tuple[str, ...]] = {
    (Purpose.TRANSFER, HandoffStatus.OFFERED): (Trigger.ACCEPT, Trigger.DECLINE),
    (Purpose.TRANSFER, HandoffStatus.ACCEPTED): (Trigger.COMPLETE,),
    (Purpose.EVALUATION, HandoffStatus.TO_ROUTE): (GIVE_BACK,),
}
_SENDER, _RECEIVER = ORGANISATION.alias("sender"), ORGANISATION.alias("receiver")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rounds an institute asks for; `after` is the number that the page before ended with."""

    statuses: tuple[HandoffStatus, ...] = ()
    purpose: Purpose | None = None
    edition: str | None = None
    changed_since: datetime | None = None
    after: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Some rounds, in the order in which they were opened; `last` is where the next page begins, None at the end."""

    items: list[Document]
    last: int | None


# ---------------------------------------------------------------------------------------------------------------- many
def listing(connection: Connection, organisation_id: int, wanted: Wanted) -> Page:
    """Return a page of an institute's rounds.

    In the order of their ids, which never change: whatever happens to rounds between two pages, none is shown twice
    and none is passed over. Raises UsageError (`unknown_edition`).
    """
    conditions = _conditions(connection, wanted)
    many = wanted.limit + 1
    found: set[int] = set()
    for theirs in _theirs(organisation_id):
        ids = select(HANDOFF.c.id).where(theirs, *conditions).order_by(HANDOFF.c.id).limit(many)
        found.update(connection.execute(ids).scalars())
    page = sorted(found)[: wanted.limit]
    rows = connection.execute(_ROUNDS.where(HANDOFF.c.id.in_(page)).order_by(HANDOFF.c.id)).all()
    return Page(documents(connection, rows), page[-1] if len(found) > wanted.limit else None)


def _theirs(organisation_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return what makes a round theirs: two questions, each with an index of its own."""
    returned = and_(HANDOFF.c.sender_id == organisation_id, HANDOFF.c.purpose == _EVALUATION)
    return HANDOFF.c.receiver_id == organisation_id, returned


_EVALUATION: BindParameter[str] = bindparam("evaluation", Purpose.EVALUATION.value, literal_execute=True)
"""Written out in the statement, so that SQLite sees that the partial index answers it."""


def _conditions(connection: Connection, wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions = [HANDOFF.c.id > wanted.after]
    if wanted.statuses:
        conditions.append(HANDOFF.c.status.in_([status.value for status in wanted.statuses]))
    if wanted.purpose is not None:
        conditions.append(HANDOFF.c.purpose == wanted.purpose.value)
    if wanted.edition is not None:
        conditions.append(HANDOFF.c.edition_id == _edition(connection, wanted.edition))
    if wanted.changed_since is not None:
        conditions.append(HANDOFF.c.changed_at >= wanted.changed_since)
    return conditions


def _edition(connection: Connection, code: str) -> int:
    known = {row.code: row.id for row in connection.execute(select(EDITION.c.code, EDITION.c.id))}
    if code not in known:
        raise UsageError("unknown_edition", value=code, allowed=sorted(known))
    return int(known[code])


# ----------------------------------------------------------------------------------------------------------------- one
_ROUNDS = (
    select(
        HANDOFF,
        PARTICIPATION.c.reference,
        PARTICIPATION.c.revision_id,
        PARTICIPATION.c.handoff_round,
        PARTICIPATION.c.return_round,
        EDITION.c.code.label("edition"),
        _SENDER.c.code.label("sender"),
        _RECEIVER.c.code.label("receiver"),
    )
    .join(PARTICIPATION, PARTICIPATION.c.id == HANDOFF.c.participation_id)
    .join(EDITION, EDITION.c.id == HANDOFF.c.edition_id)
    .join(_SENDER, _SENDER.c.id == HANDOFF.c.sender_id)
    .outerjoin(_RECEIVER, _RECEIVER.c.id == HANDOFF.c.receiver_id)
)


def rounds(connection: Connection, organisation_id: int, reference: str) -> Rows:
    """Return an institute's rounds of one participation, in order: transfers first.

    Raises NotFound (`unknown_handoff`), the same whether the participation is not there or not theirs: one question
    finds neither.
    """
    query = _ROUNDS.where(PARTICIPATION.c.reference == reference, or_(*_theirs(organisation_id)))
    rows = connection.execute(query.order_by(HANDOFF.c.purpose.desc(), HANDOFF.c.round)).all()
    if not rows:
        raise NotFound("unknown_handoff")
    return rows


def acts(row: Row[Any]) -> tuple[str, ...]:
    """Return what the institute may do about a round now."""
    latest = row.handoff_round if row.purpose == Purpose.TRANSFER else row.return_round
    return _ACTS.get((row.purpose, row.status), ()) if row.round == latest else ()


def documents(connection: Connection, rows: Rows) -> list[Document]:
    """Return rounds as plain data."""
    limits = _answers(connection, rows)
    return [
        {
            "reference": row.reference,
            "edition": row.edition,
            "round": row.round,
            "purpose": row.purpose,
            "status": row.status,
            "from": row.sender,
            "to": row.receiver,
            "since": iso(row.since),
            "changed_at": iso(row.changed_at),
            "offered_at": _iso(row.offered_at),
            "answer_by": _iso(limits.get(row.id)),
            "because": row.because.split(),
            "packet_sha256": row.packet_hash or None,
            "allowed": list(acts(row)),
        }
        for row in rows
    ]


def _answers(connection: Connection, rows: Rows) -> dict[int, datetime | None]:
    """Return by when each round that is offered wants its answer, as the mails say."""
    offered = {
        row.participation_id: row
        for row in rows
        if row.status == HandoffStatus.OFFERED and row.purpose == Purpose.TRANSFER
    }
    if not offered:
        return {}
    hanging = connection.execute(_DEADLINES, {"ids": list(offered)}).all()
    found: dict[int, list[Row[Any]]] = {}
    for deadline in hanging:
        found.setdefault(deadline.participation_id, []).append(deadline)
    return {
        row.id: round_by(Subject.HANDOFF, row.status, found.get(pid, ()), rules_for(connection, row.revision_id))
        for pid, row in offered.items()
    }


_DEADLINES = select(DEADLINE).where(
    DEADLINE.c.participation_id.in_(bindparam("ids", expanding=True)),
    DEADLINE.c.subject == Subject.HANDOFF.value,
    DEADLINE.c.state == HandoffStatus.OFFERED.value,
)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
