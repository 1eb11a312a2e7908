"""Transfer sessions: an institute groups the participations it accepted. Whom it invites: `actions.invitations`."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from actions.change import Change
from actions.editions import EDITION, Current, current, must_be_open
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION, PARTY
from actions.reading import Seen, in_its_time, read_rows, seen
from actions.writing import PARTICIPATION, write
from core.clock import BRUSSELS
from core.errors import LostRace, NotFound, Refused
from documents.invitations import is_link
from documents.visible import one_line
from models import TransferSession, table_of
from states.decide import Pulled
from states.guards import ON_THE_PATH
from states.names import FactKind, Kind, Role, State, Subject, Trigger

TRANSFER_SESSION = table_of(TransferSession)
MOST_PLACES = 10_000
_A_YEAR = timedelta(days=365)
LONGEST_PLACE = 500  # characters, of a place or a link
BEFORE_EVALUATION = (State.IMMERSED, State.TRANSFERRED)


@dataclass(frozen=True, slots=True)
class Details:
    """When (aware moments) and where a session takes place, and for how many; remote: an address in place of a room."""

    starts_at: datetime
    ends_at: datetime
    place: str
    url: str
    capacity: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A session planned, by its reference; `repeated` when the caller's key showed that it had been planned before."""

    reference: str
    repeated: bool = False


def plan(  # the parts of a request, each with its name
    connection: Connection,
    edition: Current,
    institute_id: int,
    details: Details,
    actor: Actor,
    occasion: Occasion,
    key: str | None = None,
) -> Planned:
    """Plan a session of an institute; a `key` that it used before gives the first result.

    Raises Refused (`not_yours`, `session_in_past`, `session_far_ahead`, `session_order`, `session_somewhere`,
    `session_place`, `session_link`, `session_capacity`, `key_reused`, `edition_closed`), LostRace.
    """
    _in_charge(institute_id, actor)
    content = _content(edition, details)
    if key and (before := _planned_before(connection, institute_id, key, content)):
        return before
    must_be_open(connection, edition.id)
    _possible(details, edition, occasion)
    code = connection.execute(select(ORGANISATION.c.code).where(ORGANISATION.c.id == institute_id)).scalar_one()
    ours = (TRANSFER_SESSION.c.institute_id == institute_id, TRANSFER_SESSION.c.edition_id == edition.id)
    number = connection.execute(select(func.count()).where(*ours).select_from(TRANSFER_SESSION)).scalar_one() + 1
    reference = f"{code}-{edition.code}-{number:02d}"
    kept = {"key": f"{institute_id}/{key}", "key_content": content} if key else {}
    names = {"reference": reference, "edition_id": edition.id, "institute_id": institute_id}
    values = names | kept | _columns(details)
    try:
        with connection.begin_nested():
            connection.execute(insert(TRANSFER_SESSION).values(values))
    except IntegrityError as error:  # somebody took the number, or used the key, meanwhile
        raise LostRace from error
    return Planned(reference)


def _content(edition: Current, details: Details) -> str:
    """Return what a caller's key stands for: the same moments written with another offset are the same."""
    moments = [each.astimezone(UTC).isoformat() for each in (details.starts_at, details.ends_at)]
    return sha256(repr((edition.code, *moments, *astuple(details)[2:])).encode()).hexdigest()


def _planned_before(connection: Connection, institute_id: int, key: str, content: str) -> Planned | None:
    query = select(TRANSFER_SESSION).where(TRANSFER_SESSION.c.key == f"{institute_id}/{key}")
    session = connection.execute(query).first()
    if session is None:
        return None
    if session.key_content != content:
        raise Refused("key_reused", key=key)
    return Planned(session.reference, repeated=True)


def change(connection: Connection, reference: str, details: Details, actor: Actor, occasion: Occasion) -> Sequence[str]:
    """Move a session, or change its place or capacity; those invited are told. Returns their references.

    Raises NotFound (`unknown_session`), Refused (as `plan`; `session_cancelled`, `session_begun`, `session_full`).
    """
    session = to_end(connection, reference, actor, occasion)
    if session.starts_at <= occasion.at:
        raise Refused("session_begun", value=reference, starts=session.starts_at)
    _possible(details, _edition(connection, session), occasion)
    invited = expected(connection, session.id)
    if len(invited) > details.capacity:
        raise Refused("session_full", value=reference, capacity=details.capacity, taken=len(invited))
    columns = _columns(details)
    told = any(columns[name] != getattr(session, name) for name in ("starts_at", "ends_at", "place", "url"))
    values = {**columns, "sequence": session.sequence + told}
    connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id == session.id).values(values))
    if not told:
        return ()
    moved = Pulled(Subject.PARTICIPATION, Trigger.SET_DATES, "", "", (Kind.TRANSFER_MOVED,))
    return _tell_each(connection, session, invited, moved, actor, occasion)


def cancel(connection: Connection, reference: str, reason: str, actor: Actor, occasion: Occasion) -> Sequence[str]:
    """Call a session off; those invited are told, and wait for another one. Returns their references.

    One that did not take place may be called off until its end, as long as nobody is said to have been there. Raises
    NotFound (`unknown_session`), Refused (`not_yours`, `reason_given`, `session_cancelled`, `session_over`,
    `session_held`).
    """
    session = to_end(connection, reference, actor, occasion)
    if any(person["attended"] for person in people(connection, session.id)):
        raise Refused("session_held", value=reference)
    if not reason.strip():
        raise Refused("reason_given", trigger=Trigger.CANCEL)
    invited = expected(connection, session.id)
    gone = Pulled(Subject.PARTICIPATION, Trigger.UNINVITE, "", "", (Kind.TRANSFER_CALLED_OFF,))
    told = _tell_each(connection, session, invited, gone, actor, occasion, reason)
    values = {"status": "cancelled", "sequence": session.sequence + 1}
    connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id == session.id).values(values))
    return told


def listing(connection: Connection, edition: Current, institute_id: int | None = None) -> Sequence[Row[Any]]:
    """Return an edition's sessions (all, or one institute's) by day, with how many were invited and how many came."""
    query = _counted().where(TRANSFER_SESSION.c.edition_id == edition.id)
    if institute_id is not None:
        query = query.where(TRANSFER_SESSION.c.institute_id == institute_id)
    return connection.execute(query).all()


def one(connection: Connection, reference: str, institute_id: int | None = None) -> Row[Any]:
    """Return a session (of this institute), as `listing` does. Raises NotFound (`unknown_session`)."""
    query = _counted().where(TRANSFER_SESSION.c.reference == reference)
    if institute_id is not None:
        query = query.where(TRANSFER_SESSION.c.institute_id == institute_id)
    session = connection.execute(query).first()
    if session is None:
        raise NotFound("unknown_session", value=reference)
    return session


def people(connection: Connection, session_id: int) -> Sequence[RowMapping]:
    """Return who is invited to a session, of those still under way, by reference, and whether they were there."""
    school = ORGANISATION.alias("school")
    query = (
        select(
            PARTICIPATION.c.reference,
            PARTY.c.first_name,
            PARTY.c.last_name,
            school.c.name.label("school"),
            PARTICIPATION.c.state,
            PARTICIPATION.c.attendance_on.is_not(None).label("attended"),
        )
        .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
        .outerjoin(school, school.c.id == PARTICIPATION.c.school_id)
        .where(PARTICIPATION.c.transfer_session_id == session_id, PARTICIPATION.c.state.in_(ON_THE_PATH))
    )
    return connection.execute(query.order_by(PARTICIPATION.c.reference)).mappings().all()


def _counted() -> Select[Any]:
    concerned = PARTICIPATION.c.state.in_(ON_THE_PATH)
    attended = concerned & PARTICIPATION.c.attendance_on.is_not(None)
    return (
        select(
            TRANSFER_SESSION,
            ORGANISATION.c.code.label("institute"),
            EDITION.c.code.label("edition"),
            func.count(case((concerned, 1))).label("invited"),
            func.count(case((attended, 1))).label("attended"),
        )
        .join(ORGANISATION, ORGANISATION.c.id == TRANSFER_SESSION.c.institute_id)
        .join(EDITION, EDITION.c.id == TRANSFER_SESSION.c.edition_id)
        .outerjoin(PARTICIPATION, PARTICIPATION.c.transfer_session_id == TRANSFER_SESSION.c.id)
        .group_by(TRANSFER_SESSION.c.id, ORGANISATION.c.code, EDITION.c.code)
        .order_by(TRANSFER_SESSION.c.starts_at, TRANSFER_SESSION.c.id)
    )


# ---------------------------------------------------------------------------------------------------------- one session
def _edition(connection: Connection, session: Row[Any]) -> Current:
    code = select(EDITION.c.code).where(EDITION.c.id == session.edition_id)
    return current(connection, connection.execute(code).scalar_one())


def session_of(connection: Connection, reference: str, actor: Actor) -> Row[Any]:
    """Return a session of the actor's, locked; another institute's is as unknown as one that does not exist."""
    query = select(TRANSFER_SESSION).where(TRANSFER_SESSION.c.reference == reference).with_for_update()
    session = connection.execute(query).first()
    if session is None or (actor.role is Role.INSTITUTE and session.institute_id not in actor.organisations):
        raise NotFound("unknown_session", value=reference)
    _in_charge(session.institute_id, actor)
    return session


def to_end(connection: Connection, reference: str, actor: Actor, occasion: Occasion) -> Row[Any]:
    """Return a session of the actor's that is neither cancelled nor over, locked."""
    session = session_of(connection, reference, actor)
    if session.status == "cancelled":
        raise Refused("session_cancelled", value=reference)
    if session.ends_at <= occasion.at:
        raise Refused("session_over", value=reference, ends=session.ends_at)
    return session


def _in_charge(institute_id: int, actor: Actor) -> None:
    """Only the institute itself, or IFC for it."""
    if actor.role is not Role.COORDINATOR and (
        actor.role is not Role.INSTITUTE or institute_id not in actor.organisations
    ):
        raise Refused("not_yours", role=actor.role)


def _possible(details: Details, edition: Current, occasion: Occasion) -> None:
    if details.starts_at >= details.ends_at:
        raise Refused("session_order", starts=details.starts_at, ends=details.ends_at)
    if details.starts_at <= occasion.at:
        raise Refused("session_in_past", starts=details.starts_at)
    last = max(edition.closes, occasion.at.astimezone(BRUSSELS).date() + _A_YEAR)  # further on, a year was mistyped
    if details.ends_at.astimezone(BRUSSELS).date() > last:
        raise Refused("session_far_ahead", last=last)
    if not details.place.strip() and not details.url.strip():
        raise Refused("session_somewhere")
    if max(len(details.place), len(details.url)) > LONGEST_PLACE or not one_line(details.place).isprintable():
        raise Refused("session_place", limit=LONGEST_PLACE)
    if details.url.strip() and not is_link(details.url.strip()):
        raise Refused("session_link", value=details.url)
    if not 1 <= details.capacity <= MOST_PLACES:
        raise Refused("session_capacity", value=details.capacity, most=MOST_PLACES)


def _columns(details: Details) -> dict[str, Any]:
    return {
        "starts_at": details.starts_at,
        "ends_at": details.ends_at,
        "place": one_line(details.place),
        "url": details.url.strip(),
        "capacity": details.capacity,
    }


# ------------------------------------------------------------------------------------------------------ those concerned
def expected(connection: Connection, session_id: int) -> list[int]:
    """Return who is invited to a session, of those still under way."""
    query = select(PARTICIPATION.c.id).where(
        PARTICIPATION.c.transfer_session_id == session_id, PARTICIPATION.c.state.in_(ON_THE_PATH)
    )
    return list(connection.execute(query.order_by(PARTICIPATION.c.id)).scalars())


def raise_sequence(connection: Connection, sessions: Collection[int]) -> None:
    """Have calendars take what is said next of these sessions: they pass over what is not newer than what they know."""
    raised = {"sequence": TRANSFER_SESSION.c.sequence + 1}
    connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id.in_(sessions)).values(raised))


def entered(
    stands: Seen, session: Row[Any], entry: Pulled, actor: Actor, occasion: Occasion, reason: str = ""
) -> Change:
    """Return the change that invites to a session, or takes the invitation back."""
    state = stands.row.state
    there = None if entry.trigger is Trigger.UNINVITE else session.id
    after = replace(stands.snapshot, transfer_session=there)
    pulled = (replace(entry, before=state, after=state),)
    return Change(stands, after, actor, occasion, pulled, reason=reason, data={"session": session.reference})


def _tell_each(
    connection: Connection,
    session: Row[Any],
    invited: Sequence[int],
    entry: Pulled,
    actor: Actor,
    occasion: Occasion,
    reason: str = "",
) -> Sequence[str]:
    """Write the entry for those who are still to come; return their references."""
    stands = [seen(connection, row, actor) for row in read_rows(connection, invited).values()]
    coming = [
        one for one in stands if one.row.state in BEFORE_EVALUATION and FactKind.ATTENDANCE not in one.snapshot.facts
    ]
    for one in coming:
        in_its_time(one, occasion)
    if coming:
        write(connection, [entered(one, session, entry, actor, occasion, reason) for one in coming])
    return [one.row.reference for one in coming]
