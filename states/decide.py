"""`decide`: the one question of the product, answered purely.

Given a process table, the frozen rules, what is seen and what is asked, it returns either a `Decision`, with everything
that follows as data, or a `Refusal` that says why and what would be allowed. Same input, same answer, no I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from states.deadlines import Ended, Opened, changes
from states.guards import ON_THE_PATH, SEAT_HELD, holds
from states.machine import Attempt, pull
from states.names import (
    Anchor,
    Effect,
    FactKind,
    Guard,
    HandoffStatus,
    Kind,
    PlacementStatus,
    State,
    Subject,
    Trigger,
)
from states.process import CHOSEN, JUSTIFIED, START, Process, Row
from states.rules import Rules
from states.snapshot import OF_NO_STATE, OF_THE_ROUND, Command, Refusal, Snapshot, fact_of
from states.tables import HANDOFF, PLACEMENT, RETURN

OPEN_HANDOFF = (HandoffStatus.TO_ROUTE, HandoffStatus.HELD, HandoffStatus.OFFERED, HandoffStatus.ACCEPTED)
_COMPLETED = (HandoffStatus.COMPLETED,)
_NO_HANDOFF = (START, HandoffStatus.DECLINED, HandoffStatus.TIMED_OUT, HandoffStatus.CLOSED)

# effect -> the command it joins to another table, and the statuses in which there is something to do
_JOINED: Mapping[Effect, tuple[Process, Trigger, tuple[str, ...]]] = {
    Effect.RELEASE_PLACE: (PLACEMENT, Trigger.RELEASE, SEAT_HELD),
    Effect.REQUEST_HANDOFF: (HANDOFF, Trigger.REQUEST, _NO_HANDOFF),
    Effect.COMPLETE_HANDOFF: (HANDOFF, Trigger.COMPLETE, OPEN_HANDOFF),
    Effect.CLOSE_HANDOFF: (HANDOFF, Trigger.CLOSE, OPEN_HANDOFF),
    Effect.VOID_HANDOFF: (HANDOFF, Trigger.CLOSE, _COMPLETED),
    Effect.REQUEST_RETURN: (RETURN, Trigger.REQUEST, _NO_HANDOFF),
    Effect.COMPLETE_RETURN: (RETURN, Trigger.COMPLETE, OPEN_HANDOFF),
    Effect.CLOSE_RETURN: (RETURN, Trigger.CLOSE, OPEN_HANDOFF),
    Effect.VOID_RETURN: (RETURN, Trigger.CLOSE, _COMPLETED),
}
JOINING_EFFECTS = frozenset({*_JOINED, Effect.ALIGN, Effect.LOOK_AT_ANSWERS})


@dataclass(frozen=True, slots=True)
class Pulled:
    """One row taken: an entry of the journal. `overrode` are the guards that a correction set aside."""

    subject: Subject
    trigger: Trigger
    before: str
    after: str
    tells: tuple[Kind, ...]
    overrode: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """All that follows: rows taken in order, what is seen afterwards, deadlines ended and opened, effects to write."""

    after: Snapshot
    pulled: tuple[Pulled, ...]
    effects: tuple[Effect, ...]
    ended: tuple[Ended, ...]
    opened: tuple[Opened, ...]


def decide(
    process: Process, participation: Process, rules: Rules, seen: Snapshot, asked: Command
) -> Decision | Refusal:
    """Decide a command on the subject of `process`; `participation` is the table that the participation runs on."""
    state = seen.state_of(process.subject)
    if asked.role not in seen.relations:
        return Refusal("not_yours", state, (), {"role": asked.role})
    if asked.trigger not in process.triggers:
        return Refusal("unknown_trigger", state, possible(process, rules, seen, asked), {"trigger": asked.trigger})
    pulled: list[Pulled] = []
    effects: list[Effect] = []
    after = _pull(process, rules, seen, asked, pulled, effects)
    if isinstance(after, Refusal):
        return after
    for effect in effects:  # the list grows while it is read: joined commands have effects of their own
        if effect is Effect.ALIGN:
            effects.extend(_aligning(seen, after))
        elif effect is Effect.LOOK_AT_ANSWERS:
            effects.extend((Effect.LOOK_AGAIN,) if FactKind.ANSWERS in after.facts else ())
        elif effect is Effect.CALL_OFF_SESSION:
            after = _called_off(after, pulled)
        elif joined := _joined(effect, after):
            table, trigger = joined
            after = _pull(table, rules, after, replace(asked, trigger=trigger), pulled, effects)
            if isinstance(after, Refusal):
                return after
    ended, opened = deadline_changes(participation, rules, seen, after, asked, pulled)
    written = tuple(dict.fromkeys(e for e in effects if e not in JOINING_EFFECTS))
    return Decision(after, tuple(pulled), written, ended, opened)


def deadline_changes(
    participation: Process, rules: Rules, before: Snapshot, after: Snapshot, asked: Command, pulled: list[Pulled]
) -> tuple[tuple[Ended, ...], tuple[Opened, ...]]:
    """Return the deadlines of the participation, its handoff and its return that end and open between two snapshots."""
    acts = frozenset(step.trigger for step in pulled)
    ended: list[Ended] = []
    opened: list[Opened] = []
    for table in (participation, HANDOFF, RETURN):
        ends, opens = changes(table, rules, before, after, asked.at, acts)
        ended += ends
        opened += opens
    return tuple(ended), tuple(opened)


def _joined(effect: Effect, seen: Snapshot) -> tuple[Process, Trigger] | None:
    """Return the command on another subject that an effect joins, if there is something to do there."""
    if effect not in _JOINED:
        return None
    table, trigger, statuses = _JOINED[effect]
    return (table, trigger) if seen.state_of(table.subject) in statuses else None


def _called_off(seen: Snapshot, pulled: list[Pulled]) -> Snapshot:
    """Take back the invitation to a transfer session, if there is one: an entry of its own, which moves nothing."""
    if seen.transfer_session is None:
        return seen
    told = (Kind.TRANSFER_CALLED_OFF,)
    pulled.append(Pulled(Subject.PARTICIPATION, Trigger.UNINVITE, seen.state, seen.state, told))
    return replace(seen, transfer_session=None)


def _aligning(before: Snapshot, seen: Snapshot) -> tuple[Effect, ...]:
    """Say what brings place, handoff and return to where an ordinary entry into this state would have left them."""
    undo = (Effect.CLOSE_RETURN, Effect.VOID_RETURN)
    if seen.state == State.IMMERSED:
        return (Effect.LEAVE_WAITING_LISTS, *undo, Effect.VOID_HANDOFF, Effect.REQUEST_HANDOFF)
    if seen.state in {State.TRANSFERRED, State.EVALUATED}:
        completed = seen.handoff is HandoffStatus.COMPLETED
        relay = () if completed else (Effect.REQUEST_HANDOFF, Effect.COMPLETE_HANDOFF)
        over = seen.state == State.EVALUATED
        back = (Effect.REQUEST_RETURN, Effect.COMPLETE_RETURN) if over else (Effect.VOID_RETURN, Effect.REQUEST_RETURN)
        return (Effect.LEAVE_WAITING_LISTS, *relay, *(() if over and seen.returned in _COMPLETED else back))
    if seen.state in ON_THE_PATH:
        return (Effect.CLOSE_HANDOFF, Effect.VOID_HANDOFF, *undo)
    # a seat that was used, or lost, stays where it is
    used = before.state in ON_THE_PATH[-3:] or (before.state not in ON_THE_PATH and FactKind.PRESENCE in seen.facts)
    kept = used or seen.state == State.ABSENT
    give_up = (Effect.LEAVE_WAITING_LISTS, Effect.CLOSE_HANDOFF, Effect.CLOSE_RETURN)
    return give_up if kept else (Effect.RELEASE_PLACE, *give_up)


def _pull(
    process: Process, rules: Rules, seen: Snapshot, asked: Command, pulled: list[Pulled], effects: list[Effect]
) -> Snapshot | Refusal:
    """Take one row of a table, or refuse; append what was taken and what it entails."""
    state = seen.state_of(process.subject)
    attempt = Attempt(state, seen, rules, asked, _target(process, rules, seen, asked))
    if not pull(process, attempt) or attempt.row is None:
        return _refusal(process, rules, seen, asked, attempt)
    row = attempt.row
    overrode = _overridden(process, rules, seen, asked, attempt.state) if row.dest == CHOSEN else ()
    pulled.append(Pulled(process.subject, asked.trigger, state, attempt.state, row.tells, overrode))
    effects.extend(row.effects)
    return _moved(process, rules, seen, asked, row, attempt.state)


def _refusal(process: Process, rules: Rules, seen: Snapshot, asked: Command, attempt: Attempt) -> Refusal:
    """Say the first thing that stood in the way: the state, the role, the chosen state, or a guard."""
    state = seen.state_of(process.subject)
    allowed = possible(process, rules, seen, asked)
    params = {"trigger": asked.trigger, "role": asked.role, "subject": process.subject}
    rows = process.rows_from(state, asked.trigger)
    if not rows:
        return Refusal("wrong_state", state, allowed, {**params, **_over(rules, asked)})
    if not attempt.role_fits:
        roles = tuple(dict.fromkeys(role for row in rows for role in row.roles))
        return Refusal("wrong_role", state, allowed, {**params, "roles": roles})
    if attempt.failed is not None:
        return Refusal(attempt.failed, state, allowed, {**params, **_numbers(rules, seen)})
    states = process.state_names
    return Refusal("unknown_state", state, states, {**params, "value": asked.data.get("to", ""), "states": states})


def possible(process: Process, rules: Rules, seen: Snapshot, asked: Command) -> tuple[Trigger, ...]:
    """Return what this role could do here and now, given the reason and the data that an act may ask for.

    Nobody asks for a re-routing: it follows from a change of the edition's routes.
    """
    state = seen.state_of(process.subject)
    well_said = replace(asked, reason="-", data={"receiver": 0, "half_days": rules.min_half_days})
    triggers = (trigger for trigger in process.allowed(state, asked.role) if trigger is not Trigger.REROUTE)
    rows = (row for trigger in triggers for row in process.rows_from(state, trigger))
    open_to_them = (row for row in rows if asked.role in row.roles)
    ready = (row for row in open_to_them if all(holds(guard, seen, rules, well_said) for guard in row.guards))
    return tuple(dict.fromkeys(row.trigger for row in ready))


def _numbers(rules: Rules, seen: Snapshot) -> dict[str, object]:
    """Return what the sentence of a guard may name, where it is known."""
    known = {"first_day": seen.first_day, "last_day": seen.last_day, "recorded": seen.half_days}
    limits = {"min_half_days": rules.min_half_days, "most_half_days": rules.half_days}
    return {name: value for name, value in (known | limits).items() if value is not None}


def _over(rules: Rules, asked: Command) -> dict[str, object]:
    """Return since when the edition is over, if it is: what was possible until then is so no more."""
    closes = rules.anchors[Anchor.CLOSING]
    return {"closes": closes} if rules.calendar.local_day(asked.at) > closes else {}


def _target(process: Process, rules: Rules, seen: Snapshot, asked: Command) -> str:
    """Return the computed destination: what the coordinator names, or what the facts justify."""
    if asked.trigger is Trigger.CORRECT:
        return str(asked.data.get("to", ""))
    return justified_state(process, rules, seen) if asked.trigger is Trigger.REINSTATE else ""


def justified_state(process: Process, rules: Rules, seen: Snapshot) -> str:
    """Return the furthest state of the path that the recorded facts justify without a gap."""
    reached = process.path[0]
    for state in process.path[1:]:
        if not _justified(state, rules, seen):
            break
        reached = state
    return reached


def _justified(state: str, rules: Rules, seen: Snapshot) -> bool:
    if fact_of(state) not in seen.facts:
        return False
    if state == State.OBSERVED:
        return seen.placed
    if state == State.IMMERSED:
        return seen.placed and (seen.half_days or 0) >= rules.min_half_days
    return state not in {State.TRANSFERRED, State.EVALUATED} or seen.handoff is HandoffStatus.COMPLETED


def _overridden(process: Process, rules: Rules, seen: Snapshot, asked: Command, target: str) -> tuple[Guard, ...]:
    """Return the guards between here and the corrected state that did not hold; going back overrides none."""
    if target in process.path:
        start = process.path.index(seen.state) if seen.state in process.path else 0
        way = process.path[start + 1 : process.path.index(target) + 1]
        rows = [row for row in process.rows if row.dest in way and asked.role in row.roles]
    else:
        rows = [row for row in process.rows if row.dest == target and asked.role in row.roles]
    guards = (guard for row in rows for guard in row.guards)
    return tuple(dict.fromkeys(guard for guard in guards if not holds(guard, seen, rules, asked)))


def _moved(process: Process, rules: Rules, seen: Snapshot, asked: Command, row: Row, dest: str) -> Snapshot:
    """Return what is seen after one row was taken."""
    return _MOVES[process.subject](process, rules, seen, asked, row, dest)


def _moved_participation(
    process: Process, rules: Rules, seen: Snapshot, asked: Command, row: Row, dest: str
) -> Snapshot:
    today = rules.calendar.local_day(asked.at)
    if row.dest == CHOSEN:
        facts = _corrected_facts(process, seen, dest, today)
    elif row.dest == JUSTIFIED:
        facts = seen.facts
    else:
        fact = fact_of(dest)
        facts = seen.facts if fact is None or fact in seen.facts else {**seen.facts, fact: today}
    return replace(seen, state=dest, facts=facts, half_days=_half_days(seen, asked, facts))


def _corrected_facts(process: Process, seen: Snapshot, dest: str, today: date) -> Mapping[FactKind, date]:
    """A correction along the path says what is so: facts up to that state hold, later ones do not."""
    if dest not in process.path:
        return seen.facts
    way = (fact_of(state) for state in process.path[: process.path.index(dest) + 1])
    apart = {fact: day for fact, day in seen.facts.items() if fact in OF_NO_STATE}
    return {fact: seen.facts.get(fact, today) for fact in way if fact is not None} | apart


def _half_days(seen: Snapshot, asked: Command, facts: Mapping[FactKind, date]) -> int | None:
    if FactKind.PRESENCE not in facts:
        return None
    if seen.half_days is not None:
        return seen.half_days
    attested = asked.data.get("half_days")
    return attested if isinstance(attested, int) else None


def _moved_placement(_p: Process, _r: Rules, seen: Snapshot, _c: Command, _row: Row, dest: str) -> Snapshot:
    return replace(seen, placement=PlacementStatus(dest))


def _moved_handoff(_p: Process, _r: Rules, seen: Snapshot, _c: Command, _row: Row, dest: str) -> Snapshot:
    """A round that is closed takes with it what was attended and noted in it."""
    facts = seen.facts
    if dest == HandoffStatus.CLOSED and not OF_THE_ROUND.isdisjoint(facts):
        facts = {kind: day for kind, day in facts.items() if kind not in OF_THE_ROUND}
    return replace(seen, handoff=HandoffStatus(dest), facts=facts)


def _moved_return(_p: Process, _r: Rules, seen: Snapshot, _c: Command, row: Row, dest: str) -> Snapshot:
    new = row.trigger is Trigger.REQUEST
    sent_back = HandoffStatus.DECLINED in row.sources if new else seen.sent_back
    return replace(seen, returned=HandoffStatus(dest), sent_back=sent_back)


_MOVES: Mapping[Subject, Callable[[Process, Rules, Snapshot, Command, Row, str], Snapshot]] = {
    Subject.PARTICIPATION: _moved_participation,
    Subject.PLACEMENT: _moved_placement,
    Subject.HANDOFF: _moved_handoff,
    Subject.RETURN: _moved_return,
}
