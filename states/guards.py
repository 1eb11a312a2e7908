"""The conditions of the tables, one small predicate each; the moment is the command's, no clock is read."""

from collections.abc import Callable, Mapping

from states.names import Cause, FactKind, Guard, HandoffStatus, PlacementStatus, Role, State
from states.rules import Rules
from states.snapshot import Command, Snapshot

Predicate = Callable[[Snapshot, Rules, Command], bool]

WAITING_STATES = (State.DIRECTOR_APPROVED, State.PREPARED, State.OBSERVED)
SEAT_HELD = (PlacementStatus.PROPOSED, PlacementStatus.OFFERED, PlacementStatus.CONFIRMED)
ON_THE_PATH = (State.REGISTERED, *WAITING_STATES, State.IMMERSED, State.TRANSFERRED, State.EVALUATED)


def _preparation_known(seen: Snapshot, _: Rules, asked: Command) -> bool:
    """The teacher's word is the fact; IFC may waive it with a reason; the system needs it recorded."""
    if asked.role is Role.TEACHER or FactKind.PREPARATION in seen.facts:
        return True
    return asked.role is Role.COORDINATOR and bool(asked.reason.strip())


def _first_day_begun(seen: Snapshot, rules: Rules, asked: Command) -> bool:
    return seen.first_day is not None and rules.calendar.local_day(asked.at) >= seen.first_day


def _last_day_over(seen: Snapshot, rules: Rules, asked: Command) -> bool:
    """The last day itself is enough for those who were there; the machine waits until it is over."""
    if seen.last_day is None:
        return False
    today = rules.calendar.local_day(asked.at)
    return today > seen.last_day if asked.role is Role.SYSTEM else today >= seen.last_day


def _presence_sufficient(seen: Snapshot, rules: Rules, asked: Command) -> bool:
    """Presence recorded, or attested with the act, reaches the edition's minimum: it is never supposed."""
    if seen.half_days is not None:
        return seen.half_days >= rules.min_half_days
    attested = asked.data.get("half_days")
    return isinstance(attested, int) and rules.min_half_days <= attested <= rules.half_days


def _handoff_accepted(seen: Snapshot, _: Rules, asked: Command) -> bool:
    """IFC confirms a transfer only where it took the handoff itself."""
    accepted = seen.handoff is HandoffStatus.ACCEPTED
    return accepted and (asked.role is not Role.COORDINATOR or seen.receiver_is_ifc)


def _cause_given(_: Snapshot, _r: Rules, asked: Command) -> bool:
    """A cause that says it all, or a reason in words."""
    cause = asked.data.get("cause", Cause.OTHER)
    return cause in tuple(Cause) and (cause != Cause.OTHER or bool(asked.reason.strip()))


def _packet_complete(seen: Snapshot, _: Rules, asked: Command) -> bool:
    """IFC may send an incomplete packet on, with a reason: some things are on paper only."""
    return not seen.missing or (asked.role is Role.COORDINATOR and bool(asked.reason.strip()))


def _record_complete(seen: Snapshot, _: Rules, asked: Command) -> bool:
    """IFC may take an incomplete record for granted, with a reason."""
    return not seen.record_missing or (asked.role is Role.COORDINATOR and bool(asked.reason.strip()))


def _answers_given(seen: Snapshot, rules: Rules, asked: Command) -> bool:
    """Where the edition asks nothing that must be answered, the act says it all; IFC may do without, with a reason.

    The system needs answers that are there: it has no act of its own to say.
    """
    if FactKind.ANSWERS in seen.facts:
        return True
    if not any(question.required for question in rules.questions):
        return asked.role is not Role.SYSTEM
    return asked.role is Role.COORDINATOR and bool(asked.reason.strip())


def _seen_in_person(seen: Snapshot, _: Rules, _asked: Command) -> bool:
    """Whoever is drawn into the sample is met before the evaluation counts, or replaced."""
    return seen.drawn_on is None or FactKind.INTERVIEW in seen.facts


GUARDS: Mapping[Guard, Predicate] = {
    Guard.HAS_NO_SCHOOL: lambda seen, _r, _c: not seen.has_school,
    Guard.PREPARATION_KNOWN: _preparation_known,
    Guard.PLACE_CONFIRMED: lambda seen, _r, _c: seen.placed,
    Guard.DATES_KNOWN: lambda seen, _r, _c: seen.first_day is not None and seen.last_day is not None,
    Guard.FIRST_DAY_BEGUN: _first_day_begun,
    Guard.LAST_DAY_OVER: _last_day_over,
    Guard.PRESENCE_SUFFICIENT: _presence_sufficient,
    Guard.HANDOFF_ACCEPTED: _handoff_accepted,
    Guard.RETURN_ACCEPTED: lambda seen, _r, _c: seen.returned is HandoffStatus.ACCEPTED,
    Guard.NO_PLACE: lambda seen, _r, _c: not seen.placed,
    Guard.REASON_GIVEN: lambda _s, _r, asked: bool(asked.reason.strip()),
    Guard.CAUSE_GIVEN: _cause_given,
    Guard.PACKET_COMPLETE: _packet_complete,
    Guard.PACKET_INCOMPLETE: lambda seen, _r, _c: bool(seen.missing),
    Guard.WAITS_FOR_PLACE: lambda seen, _r, _c: seen.state in WAITING_STATES and not seen.placed,
    Guard.GOES_ON: lambda seen, _r, _c: seen.state in {State.REGISTERED, *WAITING_STATES},
    Guard.OVER: lambda seen, _r, _c: seen.state not in ON_THE_PATH,
    Guard.IMMERSION_DONE: lambda seen, _r, _c: seen.state in ON_THE_PATH[-3:],
    Guard.IMMERSED: lambda seen, _r, _c: seen.state == State.IMMERSED,
    Guard.NOT_IMMERSED: lambda seen, _r, _c: seen.state != State.IMMERSED,
    Guard.TRANSFERRED: lambda seen, _r, _c: seen.state in {State.TRANSFERRED, State.EVALUATED},
    Guard.NOT_TRANSFERRED: lambda seen, _r, _c: seen.state not in {State.TRANSFERRED, State.EVALUATED},
    Guard.NOT_EVALUATED: lambda seen, _r, _c: seen.state != State.EVALUATED,
    Guard.AWAITS_EVALUATION: lambda seen, _r, _c: seen.state == State.TRANSFERRED,
    Guard.EVALUATED: lambda seen, _r, _c: seen.state == State.EVALUATED,
    Guard.RECORD_COMPLETE: _record_complete,
    Guard.RECORD_INCOMPLETE: lambda seen, _r, _c: bool(seen.record_missing),
    Guard.NOT_SENT_BACK: lambda seen, _r, _c: not seen.sent_back,
    Guard.RECEIVER_IS_IFC: lambda seen, _r, _c: seen.receiver_is_ifc,
    Guard.RECEIVER_KNOWN: lambda _s, _r, asked: asked.data.get("receiver") is not None,
    Guard.ANSWERS_GIVEN: _answers_given,
    Guard.SEEN_IN_PERSON: _seen_in_person,
}


def holds(guard: Guard, seen: Snapshot, rules: Rules, asked: Command) -> bool:
    """Tell whether a guard of a table holds."""
    return GUARDS[guard](seen, rules, asked)
