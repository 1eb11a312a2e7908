"""Examples that the tests of the lifecycle share: rules written by hand, subjects as they stand, what must always hold.

`stands` is a participation that got where it is by ordinary acts; `misaligned` says what must never be seen together.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.workdays import Calendar, days_between
from states.decide import Decision, decide
from states.names import (
    Anchor,
    Audience,
    Education,
    FactKind,
    HandoffStatus,
    Kind,
    Network,
    PlacementStatus,
    Role,
    State,
    StepAction,
    Subject,
    Trigger,
)
from states.process import START, Process
from states.rules import Route, RuleKey, Rules, Step
from states.snapshot import OF_THE_ROUND, Command, Refusal, Snapshot
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, PLACEMENT, PROCESS_2014, PROCESS_2018

BRUSSELS = ZoneInfo("Europe/Brussels")
FIRST_DAY, LAST_DAY = date(2019, 3, 14), date(2019, 3, 15)  # a Thursday and a Friday
BEFORE = datetime(2019, 1, 14, 9, tzinfo=UTC)
AFTER = datetime(2019, 3, 18, 9, tzinfo=UTC)  # the Monday after
PLACEMENT_CUTOFF, CLOSING = date(2019, 4, 5), date(2019, 6, 28)
REASON = "Appel téléphonique du 14 janvier"

CALENDAR = Calendar(frozenset(days_between(date(2019, 3, 4), date(2019, 3, 8))), BRUSSELS, time(8))

_ENDING = (Step(0, working_days=False, do=StepAction.LAPSE),)
_PLACING = (
    Step(-15, working_days=True, do=StepAction.ESCALATE, audience=Audience.COORDINATOR, message=Kind.PLACE_OVERDUE),
    Step(0, working_days=False, do=StepAction.CANCEL),
)


def ladder(remind: int, escalate: int, audience: Audience, reminder: Kind, overdue: Kind) -> tuple[Step, ...]:
    """A reminder, then an escalation to IFC, so many working days from the anchor."""
    return (
        Step(remind, working_days=True, do=StepAction.REMIND, audience=audience, message=reminder),
        Step(escalate, working_days=True, do=StepAction.ESCALATE, audience=Audience.COORDINATOR, message=overdue),
    )


_OWN_RULES: Mapping[tuple[Subject, str, str], tuple[Step, ...]] = {
    (Subject.PARTICIPATION, "registered", "approval"): (
        *ladder(5, 10, Audience.DIRECTOR, Kind.APPROVAL_REMINDER, Kind.APPROVAL_OVERDUE),
        Step(40, working_days=True, do=StepAction.LAPSE),
    ),
    (Subject.PARTICIPATION, "director_approved", "preparation"): ladder(
        -7, -3, Audience.TEACHER, Kind.PREPARATION_REMINDER, Kind.PREPARATION_OVERDUE
    ),
    (Subject.PARTICIPATION, "prepared", "observation"): ladder(
        -7, -3, Audience.COMPANY, Kind.OBSERVATION_REMINDER, Kind.OBSERVATION_OVERDUE
    ),
    (Subject.PARTICIPATION, "prepared", "presence"): ladder(
        2, 7, Audience.COMPANY, Kind.PRESENCE_REMINDER, Kind.PRESENCE_OVERDUE
    ),
    (Subject.PARTICIPATION, "observed", "presence"): ladder(
        2, 7, Audience.COMPANY, Kind.PRESENCE_REMINDER, Kind.PRESENCE_OVERDUE
    ),
    (Subject.HANDOFF, "to_route", "routing"): ladder(
        3, 8, Audience.COORDINATOR, Kind.HANDOFF_TO_ROUTE, Kind.HANDOFF_OVERDUE
    ),
    (Subject.HANDOFF, "held", "completion"): ladder(
        2, 5, Audience.COORDINATOR, Kind.HANDOFF_TO_ROUTE, Kind.HANDOFF_OVERDUE
    ),
    (Subject.HANDOFF, "offered", "acceptance"): ladder(
        5, 10, Audience.INSTITUTE, Kind.HANDOFF_REMINDER, Kind.HANDOFF_OVERDUE
    ),
    (Subject.HANDOFF, "accepted", "transfer"): ladder(
        20, 30, Audience.INSTITUTE, Kind.TRANSFER_REMINDER, Kind.TRANSFER_OVERDUE
    ),
    (Subject.RETURN, "to_route", "completion"): ladder(
        5, 10, Audience.INSTITUTE, Kind.RETURN_REMINDER, Kind.RETURN_OVERDUE
    ),
    (Subject.RETURN, "offered", "acceptance"): ladder(
        2, 3, Audience.COORDINATOR, Kind.RETURN_OVERDUE, Kind.RETURN_OVERDUE
    ),
    (Subject.RETURN, "held", "acceptance"): ladder(2, 10, Audience.COORDINATOR, Kind.RETURN_HELD, Kind.RETURN_OVERDUE),
    (Subject.RETURN, "accepted", "evaluation"): ladder(
        7, 15, Audience.TEACHER, Kind.EVALUATION_REMINDER, Kind.EVALUATION_OVERDUE
    ),
}


def _ladders() -> dict[RuleKey, tuple[Step, ...]]:
    steps = {RuleKey(*key): rungs for key, rungs in _OWN_RULES.items()}
    for process in PARTICIPATION_PROCESSES.values():
        for state, spec in process.states.items():
            for rule in {"place": _PLACING, "closing": _ENDING}:
                if rule in spec.rules:
                    steps[RuleKey(Subject.PARTICIPATION, state, rule)] = _PLACING if rule == "place" else _ENDING
    return steps


def rules(process: str = "2018", **changes: Any) -> Rules:
    """An edition's rules that owe nothing to the shipped edition files."""
    given: dict[str, Any] = {
        "edition": "2018-2019",
        "process": process,
        "calendar": CALENDAR,
        "half_days": 4,
        "min_half_days": 3,
        "anchors": {Anchor.PLACEMENT_CUTOFF: PLACEMENT_CUTOFF, Anchor.CLOSING: CLOSING},
        "ladder": _ladders(),
        "routes": (Route(Network.SEGEC, Education.ORDINAIRE, "CECAFOC", to_confirm=False),),
        "allocation": date(2018, 11, 5),
    }
    return Rules(**{**given, **changes})


RULES = {version: rules(version) for version in PARTICIPATION_PROCESSES}
PROCESSES = {"2018": PROCESS_2018, "2014": PROCESS_2014}

_PATH_FACTS = {
    State.DIRECTOR_APPROVED: FactKind.APPROVAL,
    State.PREPARED: FactKind.PREPARATION,
    State.OBSERVED: FactKind.OBSERVATION,
    State.IMMERSED: FactKind.PRESENCE,
    State.TRANSFERRED: FactKind.TRANSFER,
    State.EVALUATED: FactKind.EVALUATION,
}
_PLACED = {State.DIRECTOR_APPROVED, *list(_PATH_FACTS)[1:], State.ABSENT}
_HANDOFFS = {
    State.IMMERSED: HandoffStatus.ACCEPTED,
    State.TRANSFERRED: HandoffStatus.COMPLETED,
    State.EVALUATED: HandoffStatus.COMPLETED,
}
_RETURNS = {State.TRANSFERRED: HandoffStatus.ACCEPTED, State.EVALUATED: HandoffStatus.COMPLETED}


def stands(state: str, version: str = "2018", role: Role = Role.COORDINATOR, **changes: Any) -> Snapshot:
    """A participation in this state, reached by ordinary acts, seen by somebody who holds this role towards it.

    Who left the path did so once prepared; who was absent keeps the seat.
    """
    if state == START:
        return replace(Snapshot(relations=frozenset({role})), **changes)
    path = PROCESSES[version].path
    reached = path[1 : path.index(state) + 1] if state in path else path[1:3]
    facts = {_PATH_FACTS[State(passed)]: date(2019, 1, 10) for passed in reached}
    seat = (
        PlacementStatus.CONFIRMED
        if state in _PLACED
        else None
        if state == State.REGISTERED
        else PlacementStatus.RELEASED
    )
    example = Snapshot(
        state=state,
        placement=seat,
        handoff=_HANDOFFS.get(State(state)),
        seat_first_day=FIRST_DAY if seat else None,
        seat_last_day=LAST_DAY if seat else None,
        facts=facts,
        half_days=4 if FactKind.PRESENCE in facts else None,
        relations=frozenset({role}),
        returned=_RETURNS.get(State(state)),
    )
    return replace(example, **changes)


def ask(  # the parts of a command, each with its name
    seen: Snapshot,
    trigger: Trigger,
    *,
    process: Process | None = None,
    version: str = "2018",
    role: Role | None = None,
    at: datetime = AFTER,
    reason: str = "",
    under: Rules | None = None,
    **data: object,
) -> Decision | Refusal:
    """Ask as the one role that sees it (or as `role`), of the participation unless another process is named."""
    participation = PROCESSES[version]
    attested = {"half_days": 4} if trigger is Trigger.CONFIRM_IMMERSION else {}
    command = Command(trigger, role or next(iter(seen.relations)), at, reason, {**attested, **data})
    return decide(process or participation, participation, under or RULES[version], seen, command)


def granted(answer: Decision | Refusal) -> Decision:
    """The decision; a refusal fails the test with its code."""
    assert isinstance(answer, Decision), f"refused: {answer.code}"
    return answer


def refused(answer: Decision | Refusal) -> Refusal:
    assert isinstance(answer, Refusal), f"allowed: {answer.pulled}"
    return answer


OPEN_HANDOFF = {HandoffStatus.TO_ROUTE, HandoffStatus.HELD, HandoffStatus.OFFERED, HandoffStatus.ACCEPTED}
IN_CHARGE = {HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED}
HELD_SEAT = {PlacementStatus.PROPOSED, PlacementStatus.OFFERED, PlacementStatus.CONFIRMED}
BEFORE_IMMERSION = {State.REGISTERED, State.DIRECTOR_APPROVED, State.PREPARED, State.OBSERVED}
GIVEN_UP = {State.DECLINED, State.WITHDRAWN, State.CANCELLED, State.LAPSED}


def misaligned(seen: Snapshot) -> list[str]:
    """What stands together and never may; empty when participation, place and handoff agree."""
    transferred = seen.state in {State.TRANSFERRED, State.EVALUATED}
    used = FactKind.PRESENCE in seen.facts
    wrong = {
        "transferred without a completed handoff": transferred and seen.handoff is not HandoffStatus.COMPLETED,
        "immersed without an open handoff": seen.state == State.IMMERSED and seen.handoff not in OPEN_HANDOFF,
        "open handoff, not immersed": seen.state != State.IMMERSED and seen.handoff in OPEN_HANDOFF,
        "completed handoff before immersion": seen.state in BEFORE_IMMERSION
        and seen.handoff is HandoffStatus.COMPLETED,
        "transferred without an open return": seen.state == State.TRANSFERRED and seen.returned not in OPEN_HANDOFF,
        "open return, not transferred": seen.state != State.TRANSFERRED and seen.returned in OPEN_HANDOFF,
        "evaluated without a completed return": seen.state == State.EVALUATED
        and seen.returned is not HandoffStatus.COMPLETED,
        "invited, or met, by nobody in charge": seen.handoff not in IN_CHARGE
        and (seen.transfer_session is not None or not seen.facts.keys().isdisjoint(OF_THE_ROUND)),
        "given up, unused seat still held": seen.state in GIVEN_UP and not used and seen.placement in HELD_SEAT,
    }
    return [what for what, is_so in wrong.items() if is_so]


# ------------------------------------------------------------------------------------------- the examples themselves
EVERY_STATE = [(version, state) for version, process in PROCESSES.items() for state in process.states]


@pytest.mark.parametrize(("version", "state"), EVERY_STATE)
def test_example_of_every_state_is_aligned(version: str, state: str) -> None:
    assert misaligned(stands(state, version)) == []


@pytest.mark.parametrize(
    ("state", "changes", "what"),
    [
        ("transferred", {"handoff": HandoffStatus.CLOSED}, "transferred without a completed handoff"),
        ("transferred", {"returned": None}, "transferred without an open return"),
        ("immersed", {"returned": HandoffStatus.HELD}, "open return, not transferred"),
        ("evaluated", {"returned": HandoffStatus.CLOSED}, "evaluated without a completed return"),
        ("immersed", {"handoff": None}, "immersed without an open handoff"),
        ("prepared", {"handoff": HandoffStatus.TO_ROUTE}, "open handoff, not immersed"),
        ("prepared", {"handoff": HandoffStatus.COMPLETED}, "completed handoff before immersion"),
        ("declined", {"placement": PlacementStatus.OFFERED}, "given up, unused seat still held"),
        ("withdrawn", {"transfer_session": 1}, "invited, or met, by nobody in charge"),
        ("prepared", {"facts": {FactKind.NOTE: FIRST_DAY}}, "invited, or met, by nobody in charge"),
    ],
)
def test_misalignment_shows_when_made_by_hand(state: str, changes: dict[str, Any], what: str) -> None:
    assert what in misaligned(stands(state, **changes))


@pytest.mark.parametrize("version", PROCESSES)
def test_example_rules_hold_a_ladder_for_every_rule_of_the_tables(version: str) -> None:
    named = {
        RuleKey(process.subject, state, rule)
        for process in (PROCESSES[version], HANDOFF, PLACEMENT)
        for state, spec in process.states.items()
        for rule in spec.rules
    }

    assert named - set(RULES[version].ladder) == set()
