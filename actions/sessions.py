"""Transfer sessions: an institute groups the participations it accepted, invites, and records who was there.

Presence marks the participation `transferred`; whoever was absent waits for another session.
"""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, Select, case, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from actions.apply import Applied, Request, apply
from actions.change import Change
from actions.editions import EDITION, Current
from actions.facts import record_attendance
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION, PARTY
from actions.reading import Seen, not_before_the_last, read, read_rows, seen
from actions.writing import PARTICIPATION, write
from core.errors import LostRace, NotFound, Refused
from documents.invitations import is_link
from models import TransferSession, table_of
from states.decide import Pulled
from states.guards import ON_THE_PATH
from states.names import FactKind, HandoffStatus, Kind, Role, State, Subject, Trigger

TRANSFER_SESSION = table_of(TransferSession)
# a transfer confirmed without a session may still get one: the record that came back lacked it
_IN_CHARGE = (HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED)
_BEFORE_EVALUATION = (State.IMMERSED, State.TRANSFERRED)


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

    Raises Refused (`not_yours`, `session_in_past`, `session_order`, `session_somewhere`, `session_link`,
    `session_capacity`, `key_reused`), LostRace.
    """
    _in_charge(institute_id, actor)
    content = _content(edition, details)
    if key and (before := _planned_before(connection, institute_id, key, content)):
        return before
    _possible(details, occasion)
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

    Raises NotFound (`unknown_session`), Refused (as `plan`; `session_cancelled`, `session_over`, `session_full`).
    """
    session = _open(connection, reference, actor, occasion)
    _possible(details, occasion)
    invited = _invited(connection, session.id)
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

    Raises NotFound (`unknown_session`), Refused (`not_yours`, `reason_given`, `session_cancelled`, `session_over`).
    """
    session = _open(connection, reference, actor, occasion)
    if not reason.strip():
        raise Refused("reason_given", trigger=Trigger.CANCEL)
    invited = _invited(connection, session.id)
    gone = Pulled(Subject.PARTICIPATION, Trigger.UNINVITE, "", "", (Kind.TRANSFER_CALLED_OFF,))
    told = _tell_each(connection, session, invited, gone, actor, occasion, reason)
    values = {"status": "cancelled", "sequence": session.sequence + 1}
    connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id == session.id).values(values))
    return told


def invite(
    connection: Connection, reference: str, participations: Sequence[str], actor: Actor, occasion: Occasion
) -> Sequence[str]:
    """Invite participations that this institute accepted; return those newly invited (others were already).

    Whoever is expected at another session is called off there first: nobody waits at two.

    Raises NotFound (`unknown_session`, `unknown_reference`), Refused (`not_yours`, `handoff_accepted`, `session_full`,
    `session_cancelled`, `session_over`, `attended`), LostRace. All are invited, or none.
    """
    _lock(connection, reference, participations)
    session = _open(connection, reference, actor, occasion)
    found = [_acceptable(connection, session, each, actor, occasion) for each in dict.fromkeys(participations)]
    new = [one for one in found if one.row.transfer_session_id != session.id]
    taken = len(_invited(connection, session.id)) + len(new)
    if taken > session.capacity:
        raise Refused("session_full", value=reference, capacity=session.capacity, taken=taken)
    left = _call_off_elsewhere(connection, new, actor, occasion)
    if left:
        _raise_sequence(connection, {session.id})  # a calendar that dropped an earlier invitation takes this one
    entry = Pulled(Subject.PARTICIPATION, Trigger.INVITE, "", "", (Kind.TRANSFER_INVITATION,))
    free = [read(connection, one.row.reference, actor) if one.row.reference in left else one for one in new]
    if free:
        write(connection, [_entered(one, session, entry, actor, occasion) for one in free])
    return [one.row.reference for one in new]


def attend(
    connection: Connection, reference: str, participation: str, actor: Actor, occasion: Occasion, *, present: bool
) -> Applied | None:
    """Record who was at a session; presence confirms the transfer. Returns what that did, None for an absence.

    Raises NotFound (`unknown_session`, `unknown_reference`), Refused (`not_yours`, `not_invited`, `session_cancelled`,
    `session_to_come`, or why the transfer cannot be confirmed), LostRace.
    """
    session = _session(connection, reference, actor)
    if session.status == "cancelled":
        raise Refused("session_cancelled", value=reference)
    if occasion.at < session.starts_at:
        raise Refused("session_to_come", value=reference, starts=session.starts_at)
    stands = _theirs(read(connection, participation, actor), actor, occasion)
    if stands.row.transfer_session_id != session.id:
        raise Refused("not_invited", state=stands.row.state, value=reference)
    day = stands.rules.calendar.local_day(session.starts_at)
    if not present or stands.snapshot.facts.get(FactKind.ATTENDANCE) != day:  # told twice, it is written once
        record_attendance(connection, stands, day, actor, occasion, present=present)
    if not present or stands.row.state != State.IMMERSED:
        return None
    return apply(connection, participation, Request(Subject.PARTICIPATION, Trigger.CONFIRM_TRANSFER), actor, occasion)


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
def _session(connection: Connection, reference: str, actor: Actor) -> Row[Any]:
    """Return a session of the actor's, locked; another institute's is as unknown as one that does not exist."""
    query = select(TRANSFER_SESSION).where(TRANSFER_SESSION.c.reference == reference).with_for_update()
    session = connection.execute(query).first()
    if session is None or (actor.role is Role.INSTITUTE and session.institute_id not in actor.organisations):
        raise NotFound("unknown_session", value=reference)
    _in_charge(session.institute_id, actor)
    return session


def _open(connection: Connection, reference: str, actor: Actor, occasion: Occasion) -> Row[Any]:
    session = _session(connection, reference, actor)
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


def _possible(details: Details, occasion: Occasion) -> None:
    if details.starts_at >= details.ends_at:
        raise Refused("session_order", starts=details.starts_at, ends=details.ends_at)
    if details.starts_at <= occasion.at:
        raise Refused("session_in_past", starts=details.starts_at)
    if not details.place.strip() and not details.url.strip():
        raise Refused("session_somewhere")
    if details.url.strip() and not is_link(details.url.strip()):
        raise Refused("session_link", value=details.url)
    if details.capacity < 1:
        raise Refused("session_capacity", value=details.capacity)


def _columns(details: Details) -> dict[str, Any]:
    return {
        "starts_at": details.starts_at,
        "ends_at": details.ends_at,
        "place": details.place.strip(),
        "url": details.url.strip(),
        "capacity": details.capacity,
    }


# ------------------------------------------------------------------------------------------------------ those concerned
def _invited(connection: Connection, session_id: int) -> list[int]:
    query = select(PARTICIPATION.c.id).where(
        PARTICIPATION.c.transfer_session_id == session_id, PARTICIPATION.c.state.in_(ON_THE_PATH)
    )
    return list(connection.execute(query.order_by(PARTICIPATION.c.id)).scalars())


def _theirs(stands: Seen, actor: Actor, occasion: Occasion) -> Seen:
    if actor.role not in stands.snapshot.relations:
        raise Refused("not_yours", state=stands.row.state, role=actor.role)
    not_before_the_last(stands, occasion.at)
    return stands


def _acceptable(connection: Connection, session: Row[Any], reference: str, actor: Actor, occasion: Occasion) -> Seen:
    stands = _theirs(read(connection, reference, actor), actor, occasion)
    accepted = stands.snapshot.handoff in _IN_CHARGE and stands.row.receiver_id == session.institute_id
    if not accepted or stands.row.state not in _BEFORE_EVALUATION or stands.row.edition_id != session.edition_id:
        raise Refused("handoff_accepted", state=stands.row.state, trigger=Trigger.INVITE)
    if FactKind.ATTENDANCE in stands.snapshot.facts:
        raise Refused("attended", state=stands.row.state, trigger=Trigger.INVITE)
    return stands


def _lock(connection: Connection, reference: str, participations: Sequence[str]) -> None:
    """Lock this session and those that these people may leave for it, in one order: two moves must not deadlock."""
    theirs = select(PARTICIPATION.c.transfer_session_id).where(
        PARTICIPATION.c.reference.in_(participations), PARTICIPATION.c.transfer_session_id.is_not(None)
    )
    meant = (TRANSFER_SESSION.c.reference == reference) | TRANSFER_SESSION.c.id.in_(theirs)
    query = select(TRANSFER_SESSION.c.id).where(meant).order_by(TRANSFER_SESSION.c.id)
    connection.execute(query.with_for_update(of=TRANSFER_SESSION)).all()


def _call_off_elsewhere(
    connection: Connection, people: Sequence[Seen], actor: Actor, occasion: Occasion
) -> frozenset[str]:
    """Take back what invites these people to sessions that are still to come; return who was expected there."""
    theirs = {one.row.transfer_session_id for one in people}
    ahead = (TRANSFER_SESSION.c.id.in_(theirs), TRANSFER_SESSION.c.starts_at > occasion.at)
    sessions = {row.id: row for row in connection.execute(select(TRANSFER_SESSION).where(*ahead))}
    leaving = [one for one in people if one.row.transfer_session_id in sessions]
    if leaving:
        _raise_sequence(connection, sessions)
        entry = Pulled(Subject.PARTICIPATION, Trigger.UNINVITE, "", "", (Kind.TRANSFER_CALLED_OFF,))
        changes = [_entered(one, sessions[one.row.transfer_session_id], entry, actor, occasion) for one in leaving]
        write(connection, changes)
    return frozenset(one.row.reference for one in leaving)


def _raise_sequence(connection: Connection, sessions: Collection[int]) -> None:
    """Have calendars take what is said next of these sessions: they pass over what is not newer than what they know."""
    raised = {"sequence": TRANSFER_SESSION.c.sequence + 1}
    connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id.in_(sessions)).values(raised))


def _entered(
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
        one for one in stands if one.row.state in _BEFORE_EVALUATION and FactKind.ATTENDANCE not in one.snapshot.facts
    ]
    for one in coming:
        not_before_the_last(one, occasion.at)
    if coming:
        write(connection, [_entered(one, session, entry, actor, occasion, reason) for one in coming])
    return [one.row.reference for one in coming]
