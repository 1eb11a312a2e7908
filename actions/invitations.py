"""Who is invited to a transfer session, and who was there.

Presence marks the participation `transferred`; whoever was absent waits for another session.
"""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select

from actions.apply import Applied, Request, apply
from actions.facts import record_attendance
from actions.journal import JOURNAL
from actions.occasion import Actor, Occasion
from actions.reading import Seen, in_its_time, read
from actions.sessions import BEFORE_EVALUATION, TRANSFER_SESSION, entered, expected, raise_sequence, session_of, to_end
from actions.writing import PARTICIPATION, write
from core.errors import Refused
from states.decide import Pulled
from states.names import FactKind, HandoffStatus, Kind, State, Subject, Trigger

# a transfer confirmed without a session may still get one: the record that came back lacked it
_IN_CHARGE = (HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED)
_TAKEN_BY_IFC = (HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED)


def invite(
    connection: Connection, reference: str, participations: Sequence[str], actor: Actor, occasion: Occasion
) -> Sequence[str]:
    """Invite participations that this institute accepted; return those newly invited (others were already).

    Whoever is expected at another session is called off there first: nobody waits at two.

    Raises NotFound (`unknown_session`, `unknown_reference`), Refused (`not_yours`, `handoff_accepted`, `session_full`,
    `session_cancelled`, `session_over`, `attended`), LostRace. All are invited, or none.
    """
    _lock(connection, reference, participations)
    session = to_end(connection, reference, actor, occasion)
    found = [_acceptable(connection, session, each, actor, occasion) for each in dict.fromkeys(participations)]
    new = [one for one in found if one.row.transfer_session_id != session.id]
    taken = len(expected(connection, session.id)) + len(new)
    if taken > session.capacity:
        raise Refused("session_full", value=reference, capacity=session.capacity, taken=taken)
    free = _called_off_elsewhere(connection, new, actor, occasion)
    if _were_called_off(connection, free):
        raise_sequence(connection, {session.id})  # a calendar that dropped an earlier invitation takes this one
    entry = Pulled(Subject.PARTICIPATION, Trigger.INVITE, "", "", (Kind.TRANSFER_INVITATION,))
    if free:
        write(connection, [entered(one, session, entry, actor, occasion) for one in free])
    return [one.row.reference for one in new]


def attend(
    connection: Connection, reference: str, participation: str, actor: Actor, occasion: Occasion, *, present: bool
) -> Applied | None:
    """Record who was at a session; presence confirms the transfer. Returns what that did, None for an absence.

    A mistake is mended by saying it again, the other way round. Raises NotFound (`unknown_session`,
    `unknown_reference`), Refused (`not_yours`, `not_invited`, `session_cancelled`, `session_to_come`, `record_taken`,
    or why the transfer cannot be confirmed), LostRace.
    """
    session = session_of(connection, reference, actor)
    if session.status == "cancelled":
        raise Refused("session_cancelled", value=reference)
    if occasion.at < session.starts_at:
        raise Refused("session_to_come", value=reference, starts=session.starts_at)
    stands = _theirs(read(connection, participation, actor), actor, occasion)
    was_absent = _said_absent(connection, stands, session)
    if stands.row.transfer_session_id != session.id and not was_absent:
        raise Refused("not_invited", state=stands.row.state, value=reference)
    if was_absent and not present:
        return None
    if not present and stands.snapshot.returned in _TAKEN_BY_IFC:
        raise Refused("record_taken", state=stands.row.state)
    (stands,) = _called_off_elsewhere(connection, [stands], actor, occasion)
    if not present or FactKind.ATTENDANCE not in stands.snapshot.facts:  # told twice, it is written once
        record_attendance(connection, stands, session, actor, occasion, present=present)
    if not present or stands.row.state != State.IMMERSED:
        return None
    return apply(connection, participation, Request(Subject.PARTICIPATION, Trigger.CONFIRM_TRANSFER), actor, occasion)


def _theirs(stands: Seen, actor: Actor, occasion: Occasion) -> Seen:
    if actor.role not in stands.snapshot.relations:
        raise Refused("not_yours", state=stands.row.state, role=actor.role, reference=stands.row.reference)
    in_its_time(stands, occasion)
    return stands


def _acceptable(connection: Connection, session: Row[Any], reference: str, actor: Actor, occasion: Occasion) -> Seen:
    stands = _theirs(read(connection, reference, actor), actor, occasion)
    if not _may_come(stands, session) or stands.row.edition_id != session.edition_id:
        raise Refused("handoff_accepted", state=stands.row.state, trigger=Trigger.INVITE, reference=reference)
    if FactKind.ATTENDANCE in stands.snapshot.facts:
        raise Refused("attended", state=stands.row.state, trigger=Trigger.INVITE, reference=reference)
    return stands


def _may_come(stands: Seen, session: Row[Any]) -> bool:
    accepted = stands.snapshot.handoff in _IN_CHARGE and stands.row.receiver_id == session.institute_id
    return accepted and stands.row.state in BEFORE_EVALUATION


def _lock(connection: Connection, reference: str, participations: Sequence[str]) -> None:
    """Lock this session and those that these people may leave for it, in one order: two moves must not deadlock."""
    theirs = select(PARTICIPATION.c.transfer_session_id).where(
        PARTICIPATION.c.reference.in_(participations), PARTICIPATION.c.transfer_session_id.is_not(None)
    )
    meant = (TRANSFER_SESSION.c.reference == reference) | TRANSFER_SESSION.c.id.in_(theirs)
    query = select(TRANSFER_SESSION.c.id).where(meant).order_by(TRANSFER_SESSION.c.id)
    connection.execute(query.with_for_update(of=TRANSFER_SESSION)).all()


def _called_off_elsewhere(
    connection: Connection, people: Sequence[Seen], actor: Actor, occasion: Occasion
) -> Sequence[Seen]:
    """Take back what invites these people to sessions that are still to come; return how they stand then."""
    theirs = {one.row.transfer_session_id for one in people}
    ahead = (TRANSFER_SESSION.c.id.in_(theirs), TRANSFER_SESSION.c.starts_at > occasion.at)
    sessions = {row.id: row for row in connection.execute(select(TRANSFER_SESSION).where(*ahead))}
    leaving = [one for one in people if one.row.transfer_session_id in sessions]
    if not leaving:
        return people
    raise_sequence(connection, sessions)
    entry = Pulled(Subject.PARTICIPATION, Trigger.UNINVITE, "", "", (Kind.TRANSFER_CALLED_OFF,))
    changes = [entered(one, sessions[one.row.transfer_session_id], entry, actor, occasion) for one in leaving]
    write(connection, changes)
    return [read(connection, one.row.reference, actor) if one in leaving else one for one in people]


def _were_called_off(connection: Connection, people: Sequence[Seen]) -> bool:
    """Tell whether an invitation of one of these people was ever taken back."""
    entries = (JOURNAL.c.chain == "participation", JOURNAL.c.chain_id.in_([one.row.id for one in people]))
    taken_back = select(JOURNAL.c.seq).where(*entries, JOURNAL.c.trigger == Trigger.UNINVITE.value)
    return connection.execute(taken_back.limit(1)).first() is not None


def _said_absent(connection: Connection, stands: Seen, session: Row[Any]) -> bool:
    """Tell whether the last that was said of this person's presence is that they were not at this session."""
    if not _may_come(stands, session):
        return False
    entries = (JOURNAL.c.chain == "participation", JOURNAL.c.chain_id == stands.row.id)
    attendance = JOURNAL.c.data.contains(f'"fact":"{FactKind.ATTENDANCE}"')
    query = select(JOURNAL.c.data).where(*entries, JOURNAL.c.trigger == Trigger.RECORD_FACT.value, attendance)
    last = connection.execute(query.order_by(JOURNAL.c.seq.desc()).limit(1)).scalar()
    said = json.loads(last) if last else {}
    return (said.get("session"), said.get("present")) == (session.reference, False)
