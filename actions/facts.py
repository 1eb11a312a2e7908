"""Facts are recorded whenever they become known, in any state; what they justify is for the progress job, or a person.

A fact changes what guards read, so it bumps the participation's version and stands in its journal like any act.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from actions.apply import Applied, Request, applied, content_of, done_before, not_erased, not_too_long
from actions.change import Change
from actions.occasion import Actor, Occasion
from actions.reading import Seen, in_its_time, read
from actions.writing import write
from core.errors import Refused
from models import Fact, OfferSession, Placement, Seat, table_of
from states.decide import Pulled
from states.names import Effect, FactKind, HandoffStatus, Role, Subject, Trigger
from states.snapshot import Snapshot

FACT = table_of(Fact)


@dataclass(frozen=True, slots=True)
class HalfDay:
    """Presence on one half-day: `part` is `am` or `pm`."""

    day: date
    part: str
    present: bool


def record_preparation(connection: Connection, reference: str, done_on: date, actor: Actor, occasion: Occasion) -> bool:
    """Record that somebody did the e-learning module on a local day; False when that was known already.

    Raises NotFound, Refused (`not_yours`, `fact_in_future`), LostRace.
    """
    seen = _mine(read(connection, reference, actor), actor, occasion)
    if FactKind.PREPARATION in seen.snapshot.facts:
        return False
    _not_in_future(seen, done_on, occasion)
    facts = {**seen.snapshot.facts, FactKind.PREPARATION: done_on}
    _insert(connection, seen, FactKind.PREPARATION, [(done_on, "", "done")], actor, occasion)
    write(connection, [_change(seen, replace(seen.snapshot, facts=facts), FactKind.PREPARATION, actor, occasion)])
    return True


def record_presence(
    connection: Connection, reference: str, half_days: Sequence[HalfDay], actor: Actor, occasion: Occasion
) -> int:
    """Record presence by half-day, by the company or by IFC; return the half-days present in all.

    The latest record for a half-day counts. Raises NotFound, Refused (`not_yours`, `place_confirmed`,
    `presence_outside_dates`, `fact_in_future`), LostRace.
    """
    seen = _mine(read(connection, reference, actor), actor, occasion)
    if not seen.snapshot.placed:
        raise Refused("place_confirmed", state=seen.row.state, trigger=Trigger.RECORD_FACT)
    days = _days(connection, seen)
    for half_day in half_days:
        if half_day.day not in days:
            raise Refused("presence_outside_dates", state=seen.row.state, value=half_day.day, days=days)
        _not_in_future(seen, half_day.day, occasion)
    rows = [(each.day, each.part, "present" if each.present else "absent") for each in half_days]
    _insert(connection, seen, FactKind.PRESENCE, rows, actor, occasion)
    present = _present(connection, seen)
    facts = {**seen.snapshot.facts, FactKind.PRESENCE: max(each.day for each in half_days)}
    after = replace(seen.snapshot, facts=facts, half_days=present)
    write(connection, [_change(seen, after, FactKind.PRESENCE, actor, occasion)])
    return present


def record_note(
    connection: Connection, reference: str, text: str, actor: Actor, occasion: Occasion, key: str | None = None
) -> Applied:
    """Record what the institute in charge (or IFC) notes on the transfer; its text stands with the journal's.

    The latest counts; a `key` used before gives the first result. Raises NotFound, Refused (`not_yours`,
    `reason_given`, `handoff_accepted`, `erased`, `key_reused`), LostRace.
    """
    request = Request(Subject.PARTICIPATION, Trigger.RECORD_FACT, text, {"fact": FactKind.NOTE.value}, key)
    if before := done_before(connection, key, content_of(reference, request, actor)):
        return before
    seen = _mine(read(connection, reference, actor), actor, occasion, _IN_CHARGE_OF_TRANSFER)
    if not text.strip():
        raise Refused("reason_given", state=seen.row.state, trigger=Trigger.RECORD_FACT)
    not_too_long(text)
    if seen.snapshot.handoff not in {HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED}:
        raise Refused("handoff_accepted", state=seen.row.state, trigger=Trigger.RECORD_FACT)
    not_erased(connection, seen)  # what is noted might say who it was
    today = seen.rules.calendar.local_day(occasion.at)
    _insert(connection, seen, FactKind.NOTE, [(today, "", "done")], actor, occasion)
    after = replace(seen.snapshot, facts={**seen.snapshot.facts, FactKind.NOTE: today})
    change = _change(seen, after, FactKind.NOTE, actor, occasion, request)
    write(connection, [change])
    return applied(change)


def record_attendance(
    connection: Connection, seen: Seen, session: Row[Any], actor: Actor, occasion: Occasion, *, present: bool
) -> None:
    """Record presence at a transfer session; whoever was absent waits for another one."""
    day = seen.rules.calendar.local_day(session.starts_at)
    _insert(connection, seen, FactKind.ATTENDANCE, [(day, "", "present" if present else "absent")], actor, occasion)
    facts: dict[FactKind, date] = dict(seen.snapshot.facts)
    facts.pop(FactKind.ATTENDANCE, None)
    if present:
        after = replace(seen.snapshot, facts={**facts, FactKind.ATTENDANCE: day}, transfer_session=session.id)
    else:
        after = replace(seen.snapshot, facts=facts, transfer_session=None)
    said = {"fact": FactKind.ATTENDANCE.value, "session": session.reference, "present": present}
    request = Request(Subject.PARTICIPATION, Trigger.RECORD_FACT, data=said)
    write(connection, [_change(seen, after, FactKind.ATTENDANCE, actor, occasion, request)])


_HOST = frozenset({Role.COORDINATOR, Role.SYSTEM, Role.COMPANY, Role.TEACHER})
_IN_CHARGE_OF_TRANSFER = frozenset({Role.COORDINATOR, Role.INSTITUTE})


def _mine(seen: Seen, actor: Actor, occasion: Occasion, allowed: frozenset[Role] = _HOST) -> Seen:
    if actor.role not in seen.snapshot.relations or actor.role not in allowed:
        raise Refused("not_yours", state=seen.row.state, role=actor.role)
    in_its_time(seen, occasion)
    return seen


def _not_in_future(seen: Seen, day: date, occasion: Occasion) -> None:
    if day > seen.rules.calendar.local_day(occasion.at):
        raise Refused("fact_in_future", state=seen.row.state, value=day)


def _days(connection: Connection, seen: Seen) -> list[date]:
    """Return the local days of the confirmed place."""
    session, seat, placement = table_of(OfferSession), table_of(Seat), table_of(Placement)
    days = connection.execute(
        select(session.c.days)
        .join(seat, seat.c.session_id == session.c.id)
        .join(placement, placement.c.seat_id == seat.c.id)
        .where(placement.c.participation_id == seen.row.id, placement.c.status == "confirmed")
    ).scalar_one()
    return [date.fromisoformat(day) for day in days.split(",") if day]


def _present(connection: Connection, seen: Seen) -> int:
    """Count the half-days present, the latest record of each counting."""
    rows = connection.execute(
        select(FACT.c.happened_on, FACT.c.half_day, FACT.c.value)
        .where(FACT.c.participation_id == seen.row.id, FACT.c.kind == FactKind.PRESENCE.value)
        .order_by(FACT.c.id)
    )
    latest = {(row.happened_on, row.half_day): row.value for row in rows}
    return sum(value == "present" for value in latest.values())


def _insert(
    connection: Connection,
    seen: Seen,
    kind: FactKind,
    rows: Sequence[tuple[date, str, str]],
    actor: Actor,
    occasion: Occasion,
) -> None:
    values = [
        {
            "participation_id": seen.row.id,
            "kind": kind.value,
            "happened_on": day,
            "half_day": part,
            "value": value,
            "recorded_at": occasion.recorded_at,
            "actor_id": actor.party_id,
            "role": actor.role.value,
        }
        for day, part, value in rows
    ]
    connection.execute(insert(FACT), values)


# what a packet, or the record that comes back, lacked may be there now
_RELAY = {
    FactKind.PRESENCE: (Effect.ROUTE_AGAIN,),
    FactKind.ATTENDANCE: (Effect.CHECK_RETURN,),
    FactKind.NOTE: (Effect.CHECK_RETURN,),
}


def _change(
    seen: Seen, after: Snapshot, kind: FactKind, actor: Actor, occasion: Occasion, request: Request | None = None
) -> Change:
    state = seen.row.state
    entry = Pulled(Subject.PARTICIPATION, Trigger.RECORD_FACT, state, state, ())
    effects = (Effect.LOOK_AGAIN, *_RELAY.get(kind, ()))
    said = request or Request(Subject.PARTICIPATION, Trigger.RECORD_FACT, data={"fact": kind.value})
    content = content_of(seen.row.reference, said, actor)
    return Change(
        seen,
        after,
        actor,
        occasion,
        (entry,),
        effects=effects,
        reason=said.reason,
        data=said.data,
        key=said.key,
        key_content=content,
    )
