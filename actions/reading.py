"""Reading one participation, or many, into what decisions look at: one statement, whatever the number."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, and_, bindparam, func, select

from actions.occasion import Actor, Occasion
from core.errors import NotFound, Refused
from models import (
    Edition,
    EditionRevision,
    Handoff,
    Offer,
    OfferSession,
    Organisation,
    Participation,
    Placement,
    Seat,
    table_of,
)
from states.edition import rules_of
from states.names import Anchor, FactKind, HandoffStatus, OrganisationKind, PlacementStatus, Purpose, Role
from states.process import Process
from states.rules import Rules
from states.snapshot import Snapshot
from states.tables import PARTICIPATION_PROCESSES

FACT_COLUMNS: Mapping[FactKind, str] = {kind: f"{kind}_on" for kind in FactKind}

p = table_of(Participation).alias("p")
pl = table_of(Placement).alias("pl")
seat = table_of(Seat).alias("seat")
s = table_of(OfferSession).alias("s")
o = table_of(Offer).alias("o")
h = table_of(Handoff).alias("h")
b = table_of(Handoff).alias("b")
r = table_of(Organisation).alias("r")
ifc = table_of(Organisation).alias("ifc")

_SEEN = select(
    p.c.id,
    p.c.reference,
    p.c.edition_id,
    p.c.revision_id,
    p.c.definition,
    p.c.state,
    p.c.version,
    p.c.journal_seq,
    p.c.journal_head,
    p.c.journal_at,
    p.c.party_id,
    p.c.school_id,
    p.c.since,
    p.c.look_at,
    p.c.placement_attempt,
    p.c.handoff_round,
    p.c.return_round,
    p.c.half_days,
    *(p.c[column] for column in FACT_COLUMNS.values()),
    pl.c.status.label("placement"),
    s.c.first_day,
    s.c.last_day,
    o.c.id.label("offer_id"),
    o.c.company_id,
    h.c.status.label("handoff"),
    h.c.receiver_id,
    r.c.kind.label("receiver_kind"),
    ifc.c.id.label("ifc_id"),
    b.c.status.label("returned"),
    b.c.sent_back,
    p.c.transfer_session_id,
    p.c.drawn_on,
    p.c.basin,
    p.c.wished_on,
    h.c.since.label("handoff_since"),
    b.c.since.label("returned_since"),
).select_from(
    p.join(ifc, ifc.c.kind == OrganisationKind.IFC.value)
    .outerjoin(pl, and_(pl.c.participation_id == p.c.id, pl.c.attempt == p.c.placement_attempt))
    .outerjoin(seat, seat.c.id == pl.c.seat_id)
    .outerjoin(s, s.c.id == seat.c.session_id)
    .outerjoin(o, o.c.id == s.c.offer_id)
    .outerjoin(
        h,
        and_(
            h.c.participation_id == p.c.id,
            h.c.purpose == Purpose.TRANSFER.value,
            h.c.round == p.c.handoff_round,
        ),
    )
    .outerjoin(r, r.c.id == h.c.receiver_id)
    .outerjoin(
        b,
        and_(
            b.c.participation_id == p.c.id,
            b.c.purpose == Purpose.EVALUATION.value,
            b.c.round == p.c.return_round,
        ),
    )
)
_BY_ID = _SEEN.where(p.c.id == bindparam("id"))
_BY_IDS = _SEEN.where(p.c.id.in_(bindparam("ids", expanding=True)))
_BY_REFERENCE = _SEEN.where(p.c.reference == bindparam("reference"))


class Stands(NamedTuple):
    """A participation's row with its latest place, handoff and return: the columns of `_SEEN`, in the same order."""

    id: int
    reference: str
    edition_id: int
    revision_id: int
    definition: str
    state: str
    version: int
    journal_seq: int
    journal_head: str
    journal_at: datetime
    party_id: int
    school_id: int | None
    since: datetime
    look_at: datetime | None
    placement_attempt: int
    handoff_round: int
    return_round: int
    half_days: int | None
    approval_on: date | None
    preparation_on: date | None
    observation_on: date | None
    presence_on: date | None
    transfer_on: date | None
    evaluation_on: date | None
    attendance_on: date | None
    note_on: date | None
    answers_on: date | None
    interview_on: date | None
    placement: str | None
    first_day: date | None
    last_day: date | None
    offer_id: int | None
    company_id: int | None
    handoff: str | None
    receiver_id: int | None
    receiver_kind: str | None
    ifc_id: int
    returned: str | None
    sent_back: bool | None
    transfer_session_id: int | None
    drawn_on: date | None
    basin: str
    wished_on: date | None
    handoff_since: datetime | None
    returned_since: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """One participation as it stands: its row (with place and handoff joined) and the snapshot that guards read."""

    row: Stands
    snapshot: Snapshot
    rules: Rules
    process: Process


def read(connection: Connection, reference: str, actor: Actor) -> Seen:
    """Read one participation by its reference. Raises NotFound (`unknown_reference`)."""
    row = connection.execute(_BY_REFERENCE, {"reference": reference}).first()
    if row is None:
        raise NotFound("unknown_reference", reference=reference)
    return seen(connection, Stands(*row), actor)


def read_id(connection: Connection, participation_id: int, actor: Actor) -> Seen:
    """Read one participation by its id, which must exist."""
    return seen(connection, Stands(*connection.execute(_BY_ID, {"id": participation_id}).one()), actor)


def read_rows(connection: Connection, ids: Iterable[int]) -> dict[int, Stands]:
    """Read many participations' rows by id, in one statement; interpreting them is left to the caller, one by one.

    A row that holds what no row should (a date that is none, which SQLite lets in) is left out, not the others.
    """
    known = list(ids)
    try:
        return {row[0]: Stands(*row) for row in connection.execute(_BY_IDS, {"ids": known})}
    except ValueError:
        found = {}
        for participation_id in known:
            with suppress(ValueError):
                found[participation_id] = Stands(*connection.execute(_BY_ID, {"id": participation_id}).one())
        return found


def seen(connection: Connection, row: Stands, actor: Actor) -> Seen:
    """Interpret a row for an actor: rules of its revision, its process table, its facts, the actor's relations."""
    # the value of an enum is looked up by call, which a joined NULL must not reach
    snapshot = Snapshot(
        row.state,
        PlacementStatus(row.placement) if row.placement else None,
        HandoffStatus(row.handoff) if row.handoff else None,
        row.first_day,
        row.last_day,
        row.receiver_kind == OrganisationKind.IFC,
        row.school_id is not None,
        _facts(row),
        row.half_days,
        relations(row, actor),
        HandoffStatus(row.returned) if row.returned else None,
        bool(row.sent_back),
        row.transfer_session_id,
        row.drawn_on,
        row.basin,
        row.wished_on,
        row.since,
        row.handoff_since,
        row.returned_since,
    )
    return Seen(row, snapshot, rules_for(connection, row.revision_id), PARTICIPATION_PROCESSES[row.definition])


def on_latest(connection: Connection, seen: Seen) -> Seen:
    """Return a participation under the edition's latest rules, if they are for its process: whoever comes back.

    What was changed while they were away holds for them too.
    """
    revision = table_of(EditionRevision)
    mine = revision.c.edition_id == seen.row.edition_id
    edition = table_of(Edition)
    held = select(edition.c.id).where(edition.c.id == seen.row.edition_id)
    connection.execute(held.with_for_update(read=True)).all()  # whoever gives it another ladder is waited for
    latest = connection.execute(select(func.max(revision.c.id)).where(mine)).scalar_one()
    rules = rules_for(connection, latest)
    if rules.process != seen.row.definition:
        return seen
    return replace(seen, row=seen.row._replace(revision_id=latest), rules=rules)


def in_its_time(seen: Seen, occasion: Occasion) -> None:
    """Refuse an act said to be older than the participation's last entry: a story is told forwards.

    And one said to lie ahead of the clock and a year after its edition: a year mistyped, which would have everything
    refused until then. An edition may be rehearsed before its time.
    """
    at, row = occasion.at, seen.row
    if at < row.journal_at:
        raise Refused("before_last_entry", state=row.state, reference=row.reference, at=at, last=row.journal_at)
    closes = seen.rules.anchors[Anchor.CLOSING]
    if at - occasion.recorded_at > _AHEAD and seen.rules.calendar.local_day(at) > closes + _LONG_AFTER:
        raise Refused("long_after_closing", state=row.state, at=at, closes=closes)


_AHEAD = timedelta(days=1)
_LONG_AFTER = timedelta(days=365)


def relations(row: Stands, actor: Actor) -> frozenset[Role]:
    """Return the role that the actor claims, if it is theirs towards this participation."""
    return frozenset({actor.role}) if _holds(row, actor) else frozenset()


def _holds(row: Stands, actor: Actor) -> bool:
    if actor.role is Role.TEACHER:
        return actor.party_id is not None and row.party_id == actor.party_id
    if actor.role is Role.DIRECTOR:
        return row.school_id in actor.organisations
    if actor.role is Role.COMPANY:
        return row.company_id in actor.organisations
    if actor.role is Role.INSTITUTE:
        return row.receiver_id in actor.organisations
    if actor.role is Role.COORDINATOR:
        return row.ifc_id in actor.organisations
    return actor.role is Role.SYSTEM


def _facts(row: Stands) -> dict[FactKind, date]:
    known: tuple[date | None, ...] = (
        row.approval_on,
        row.preparation_on,
        row.observation_on,
        row.presence_on,
        row.transfer_on,
        row.evaluation_on,
        row.attendance_on,
        row.note_on,
        row.answers_on,
        row.interview_on,
    )
    return {kind: day for kind, day in zip(FactKind, known, strict=True) if day is not None}


# Revisions are immutable, so their rules are read once per engine.
_RULES: WeakKeyDictionary[Engine, dict[int, Rules]] = WeakKeyDictionary()


def rules_for(connection: Connection, revision_id: int) -> Rules:
    """Return the frozen rules of a revision."""
    known = _RULES.setdefault(connection.engine, {})
    if revision_id not in known:
        revision = table_of(EditionRevision)
        known[revision_id] = rules_of(
            connection.execute(select(revision.c.content).where(revision.c.id == revision_id)).scalar_one()
        )
    return known[revision_id]
