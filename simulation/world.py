"""What the scripted people can see: each participation, where it stands, and who would act on it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, true

from actions.effects import OFFER
from actions.facts import FACT
from actions.people import CONTACT, PARTY
from actions.places import SESSION
from actions.sessions import TRANSFER_SESSION
from actions.writing import DEADLINE, HANDOFF, PARTICIPATION, PLACEMENT
from models import Message, table_of
from models.around import AROUND, RECEIVER, RETURNED
from states.names import MessageStatus, Role

MESSAGE = table_of(Message)


@dataclass(frozen=True, slots=True)
class Standing:
    """One participation as those concerned see it. Two equal standings call for nothing new."""

    reference: str
    email: str
    state: str
    has_school: bool
    school_id: int | None
    placement: str | None
    company_id: int | None
    days: tuple[date, ...]
    handoff: str | None
    handoff_round: int
    receiver_id: int | None
    receiver: str | None
    prepared: bool
    half_days: int | None
    session: str | None
    session_ends: datetime | None
    absences: int
    attended: bool
    noted: bool
    returned: str | None
    return_round: int
    answered: bool
    drawn: bool
    seen: bool


_ABSENCES = (
    select(func.count())
    .where(FACT.c.participation_id == PARTICIPATION.c.id, FACT.c.kind == "attendance", FACT.c.value == "absent")
    .scalar_subquery()
)
_STANDINGS = (
    select(
        PARTICIPATION,
        PARTY.c.email,
        PLACEMENT.c.status.label("placement"),
        OFFER.c.company_id,
        SESSION.c.days,
        HANDOFF.c.status.label("handoff"),
        HANDOFF.c.receiver_id,
        RECEIVER.c.code.label("receiver"),
        TRANSFER_SESSION.c.reference.label("session"),
        TRANSFER_SESSION.c.ends_at.label("session_ends"),
        _ABSENCES.label("absences"),
        RETURNED.c.status.label("returned"),
    )
    .select_from(AROUND.outerjoin(TRANSFER_SESSION, TRANSFER_SESSION.c.id == PARTICIPATION.c.transfer_session_id))
    .order_by(PARTICIPATION.c.id)
)


def standings(connection: Connection) -> list[Standing]:
    """Return every participation as it stands."""
    return [_standing(row) for row in connection.execute(_STANDINGS)]


def _standing(row: Row[Any]) -> Standing:
    placed = row.placement == "confirmed"
    return Standing(
        reference=row.reference,
        email=row.email,
        state=row.state,
        has_school=row.school_id is not None,
        school_id=row.school_id,
        placement=row.placement,
        company_id=row.company_id if placed else None,
        days=tuple(date.fromisoformat(day) for day in (row.days or "").split(",") if day) if placed else (),
        handoff=row.handoff,
        handoff_round=row.handoff_round,
        receiver_id=row.receiver_id,
        receiver=row.receiver,
        prepared=row.preparation_on is not None,
        half_days=row.half_days,
        session=row.session,
        session_ends=row.session_ends,
        absences=row.absences,
        attended=row.attendance_on is not None,
        noted=row.note_on is not None,
        returned=row.returned,
        return_round=row.return_round,
        answered=row.answers_on is not None,
        drawn=row.drawn_on is not None,
        seen=row.interview_on is not None,
    )


def address_of(connection: Connection, role: Role, organisation_id: int | None) -> str:
    """Return the address of whoever answers in a role for an organisation (IFC's coordinator without one)."""
    query = (
        select(CONTACT.c.address).where(CONTACT.c.role == role.value).order_by(CONTACT.c.rank, CONTACT.c.id).limit(1)
    )
    if organisation_id is not None:
        query = query.where(CONTACT.c.organisation_id == organisation_id)
    return str(connection.execute(query).scalar_one())


def next_due(connection: Connection, after: datetime, beyond: datetime | None = None) -> datetime | None:
    """Return the next moment at which something falls due, at `after` or later.

    What is overdue counts as now; what fell due at `beyond` or before does not count at all.
    """
    probes = (
        (DEADLINE.c.due_at, DEADLINE.c.status == "open"),
        (PARTICIPATION.c.look_at, true()),
        (OFFER.c.look_at, true()),
        (HANDOFF.c.look_at, true()),
        (MESSAGE.c.send_from, MESSAGE.c.status == MessageStatus.QUEUED.value),
    )
    later = (select(func.min(due)).where(mine, due > beyond if beyond else true()) for due, mine in probes)
    moments = [moment for probe in later if (moment := connection.execute(probe).scalar()) is not None]
    return max(min(moments), after) if moments else None
