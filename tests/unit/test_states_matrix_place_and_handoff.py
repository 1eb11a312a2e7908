"""Status x trigger x role for a seat tried and a round of the relay, both halves, against tables written by hand."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from states.decide import Decision, decide
from states.names import FactKind, HandoffStatus, PlacementStatus, Role, State, Subject, Trigger
from states.process import START, Process
from states.snapshot import Command, Refusal, Snapshot
from states.tables import HANDOFF, PLACEMENT, RETURN
from tests.unit.test_states_examples import AFTER, PROCESSES, REASON, RULES, stands

IFC_AND_SYSTEM = ("coordinator", "system")
TEACHER_AND_IFC = ("teacher", "coordinator")
THEIR_SIDE = ("teacher", "director", "coordinator", "system")
OPEN = ("to_route", "held", "offered", "accepted")


@dataclass(frozen=True)
class Expected:
    """One line: trigger, from, to, who; `state` is where the participation stands when the guards hold."""

    trigger: str
    sources: tuple[str, ...]
    dest: str
    who: tuple[str, ...]
    state: State


WAITS, IMMERSED, DONE, OVER = State.DIRECTOR_APPROVED, State.IMMERSED, State.TRANSFERRED, State.WITHDRAWN

SEATS = (
    Expected("propose", ("-", "refused", "expired", "released"), "proposed", IFC_AND_SYSTEM, WAITS),
    Expected("offer", ("proposed",), "offered", IFC_AND_SYSTEM, WAITS),
    Expected("confirm", ("proposed",), "confirmed", IFC_AND_SYSTEM, WAITS),
    Expected("confirm", ("offered",), "confirmed", TEACHER_AND_IFC, WAITS),
    Expected("refuse", ("offered",), "refused", TEACHER_AND_IFC, WAITS),
    Expected("expire", ("offered",), "expired", ("system",), WAITS),
    Expected("release", ("proposed", "offered"), "released", (*THEIR_SIDE, "company"), WAITS),
)
# who may take a confirmed seat back depends on whether the participation goes on
CONFIRMED_GOES_ON = Expected("release", ("confirmed",), "released", ("company", *IFC_AND_SYSTEM), WAITS)
CONFIRMED_OVER = Expected("release", ("confirmed",), "released", THEIR_SIDE, OVER)

ROUNDS = (
    Expected(
        "request",
        ("-", "declined", "timed_out", "closed"),
        "to_route",
        ("company", "institute", *IFC_AND_SYSTEM),
        IMMERSED,
    ),
    Expected("hold", ("to_route",), "held", IFC_AND_SYSTEM, IMMERSED),
    Expected("offer", ("to_route", "held"), "offered", IFC_AND_SYSTEM, IMMERSED),
    Expected("accept", ("offered",), "accepted", ("institute", "coordinator"), IMMERSED),
    Expected("decline", ("offered",), "declined", ("institute", "coordinator"), IMMERSED),
    Expected("time_out", ("offered",), "timed_out", ("system",), IMMERSED),
    Expected("reroute", ("offered",), "closed", ("coordinator",), IMMERSED),
    Expected("complete", ("accepted",), "completed", ("institute", "coordinator"), DONE),
    Expected("complete", ("to_route", "held", "offered"), "completed", ("coordinator",), DONE),
    Expected("close", OPEN, "closed", THEIR_SIDE, OVER),
    Expected("close", ("completed",), "closed", ("coordinator",), OVER),
)
EVALUATED = State.EVALUATED
BACK = (
    Expected("request", ("-", "closed"), "offered", ("institute", "coordinator"), DONE),
    Expected("request", ("declined",), "to_route", ("coordinator",), DONE),
    Expected("offer", ("to_route",), "offered", ("institute", "coordinator"), DONE),
    Expected("accept", ("offered", "held"), "accepted", IFC_AND_SYSTEM, DONE),
    Expected("hold", ("offered",), "held", ("system",), DONE),
    Expected("decline", ("offered", "held", "accepted"), "declined", ("coordinator",), DONE),
    Expected("complete", OPEN, "completed", (*TEACHER_AND_IFC, "system"), EVALUATED),
    Expected("close", OPEN, "closed", THEIR_SIDE, OVER),
    Expected("close", ("completed",), "closed", ("coordinator",), OVER),
)
FIELDS = {Subject.PLACEMENT: "placement", Subject.HANDOFF: "handoff", Subject.RETURN: "returned"}
TABLES: dict[Subject, tuple[Process, type[PlacementStatus] | type[HandoffStatus], tuple[Expected, ...]]] = {
    Subject.PLACEMENT: (PLACEMENT, PlacementStatus, (*SEATS, CONFIRMED_GOES_ON)),
    Subject.HANDOFF: (HANDOFF, HandoffStatus, ROUNDS),
    Subject.RETURN: (RETURN, HandoffStatus, BACK),
}
STATUSES: dict[Subject, list[str]] = {
    subject: [status for status in statuses if (subject, status) != (Subject.RETURN, HandoffStatus.TIMED_OUT)]
    for subject, (_, statuses, _) in TABLES.items()
}  # IFC answers a return, or is alerted: it is never timed out
CELLS = [(subject, trigger) for subject in TABLES for trigger in Trigger]


def standing_at(subject: Subject, status: str, state: State, role: Role) -> Snapshot:
    value: Any = None if status == START else TABLES[subject][1](status)
    # IFC accepts only what it takes itself: that guard has its own case
    return stands(state, role=role, receiver_is_ifc=role is Role.COORDINATOR, **{FIELDS[subject]: value})


def answer(subject: Subject, trigger: Trigger, seen: Snapshot, role: Role) -> str:
    if (subject, trigger, role) == (Subject.HANDOFF, Trigger.HOLD, Role.SYSTEM):
        seen = replace(seen, half_days=None)  # the system holds only what lacks something: that guard has its own case
    if (subject, trigger, role) == (Subject.RETURN, Trigger.ACCEPT, Role.SYSTEM):
        record = dict.fromkeys((FactKind.ATTENDANCE, FactKind.NOTE), AFTER.date())  # and accepts what is complete
        seen = replace(seen, transfer_session=1, facts={**seen.facts, **record})
    command = Command(trigger, role, AFTER, REASON, {"receiver": 7})
    result = decide(TABLES[subject][0], PROCESSES["2018"], RULES["2018"], seen, command)
    return result.code if isinstance(result, Refusal) else f"-> {result.pulled[0].after}"


def expected(subject: Subject, trigger: Trigger, status: str, role: Role) -> tuple[str, State]:
    """What the tables above say of a cell, and where the participation stands for it."""
    rows = [row for row in TABLES[subject][2] if row.trigger == trigger]
    here = [row for row in rows if status in row.sources]
    if not rows:
        return "unknown_trigger", IMMERSED
    if not here:
        return "wrong_state", rows[0].state
    return next(((f"-> {row.dest}", row.state) for row in here if role in row.who), ("wrong_role", here[0].state))


@pytest.mark.parametrize(("subject", "trigger"), CELLS)
def test_every_cell_is_what_the_table_says(subject: Subject, trigger: Trigger) -> None:
    cells = [(status, role) for status in (START, *STATUSES[subject]) for role in Role]
    confirmed = (PlacementStatus.CONFIRMED, Trigger.RELEASE)  # two rows on one cell: the next test
    cells = [(status, role) for status, role in cells if (status, trigger) != confirmed]
    wanted = {(status, role): expected(subject, trigger, status, role) for status, role in cells}

    answers = {
        (status, role): answer(subject, trigger, standing_at(subject, status, state, role), role)
        for (status, role), (_, state) in wanted.items()
    }

    assert answers == {cell: code for cell, (code, _) in wanted.items()}


@pytest.mark.parametrize(
    ("row", "other", "code"),
    [(CONFIRMED_GOES_ON, CONFIRMED_OVER, "over"), (CONFIRMED_OVER, CONFIRMED_GOES_ON, "goes_on")],
)
def test_confirmed_seat_is_released_by_those_whom_it_concerns(row: Expected, other: Expected, code: str) -> None:
    answers = {
        role: answer(
            Subject.PLACEMENT,
            Trigger.RELEASE,
            standing_at(Subject.PLACEMENT, "confirmed", row.state, role),
            role,
        )
        for role in Role
    }

    assert answers == {
        role: "-> released" if role in row.who else code if role in other.who else "wrong_role" for role in Role
    }


@pytest.mark.parametrize(("subject", "trigger"), CELLS)
def test_every_cell_is_refused_to_who_has_no_such_relation(subject: Subject, trigger: Trigger) -> None:
    cells = [(status, role) for status in (START, *STATUSES[subject]) for role in Role]

    answers = set()
    for status, role in cells:
        others = frozenset(Role) - {role}
        for state in (WAITS, IMMERSED, DONE, OVER):
            value: Any = None if status == START else TABLES[subject][1](status)
            seen = stands(state, relations=others, **{FIELDS[subject]: value})
            answers.add(answer(subject, trigger, seen, role))

    assert answers == {"not_yours"}


@pytest.mark.parametrize("subject", TABLES)
def test_table_knows_every_status_and_no_other(subject: Subject) -> None:
    process, _, _ = TABLES[subject]

    assert set(process.states) == set(STATUSES[subject])


@pytest.mark.parametrize("subject", TABLES)
def test_triggers_are_those_written_by_hand(subject: Subject) -> None:
    process, _, rows = TABLES[subject]

    assert process.triggers == {row.trigger for row in rows}


@pytest.mark.parametrize(("subject", "status"), [(s, x) for s in TABLES for x in (START, *STATUSES[s])])
def test_refusal_names_what_this_role_may_do_here(subject: Subject, status: str) -> None:
    """What is named is granted when it is asked for with a reason and what it needs; what is not named is refused."""
    process, _, rows = TABLES[subject]
    rows = (*rows, CONFIRMED_OVER) if subject is Subject.PLACEMENT else rows
    for role in Role:
        for state in (WAITS, IMMERSED, DONE, EVALUATED, OVER):
            seen = standing_at(subject, status, state, role)
            refusal = decide(process, PROCESSES["2018"], RULES["2018"], seen, Command(Trigger.REGISTER, role, AFTER))
            asked = {trigger: Command(trigger, role, AFTER, REASON, {"receiver": 7}) for trigger in process.triggers}
            answers = {
                name: decide(process, PROCESSES["2018"], RULES["2018"], seen, each) for name, each in asked.items()
            }

            granted = {trigger for trigger, result in answers.items() if isinstance(result, Decision)}
            assert not isinstance(refusal, Decision)
            assert set(refusal.allowed) == granted - {Trigger.REROUTE}  # that follows from other routes: no command
            assert granted <= {row.trigger for row in rows if status in row.sources and role in row.who}
