"""State x trigger x role for participations, both halves, against the contract's table written out by hand."""

from dataclasses import replace
from typing import Any

import pytest

from states.decide import Decision, decide
from states.names import FactKind, HandoffStatus, PlacementStatus, Role, State, Trigger
from states.process import START
from states.snapshot import Command, Refusal, Snapshot
from tests.unit.test_states_examples import AFTER, PROCESSES, REASON, RULES, stands

Rows = tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...]

# trigger, from, to, who: contract.md, "States and triggers"
SHARED: Rows = (
    ("register", ("-",), "registered", ("director", "coordinator", "system")),
    ("approve", ("registered",), "director_approved", ("director", "coordinator")),
    ("decline", ("registered",), "declined", ("director", "coordinator")),
    ("confirm_preparation", ("director_approved",), "prepared", ("teacher", "coordinator", "system")),
    ("confirm_transfer", ("immersed",), "transferred", ("institute", "coordinator")),
    ("evaluate", ("transferred",), "evaluated", ("teacher", "coordinator", "system")),
    (
        "reinstate",
        ("declined", "withdrawn", "cancelled", "lapsed", "absent"),
        "prepared",  # what the facts of these examples justify
        ("coordinator",),
    ),
)
CONTRACT: dict[str, Rows] = {
    "2018": (
        *SHARED,
        ("confirm_immersion", ("prepared",), "immersed", ("company", "coordinator", "system")),
        ("record_absence", ("prepared",), "absent", ("company", "coordinator")),
        (
            "withdraw",
            ("registered", "director_approved", "prepared", "immersed", "transferred"),
            "withdrawn",
            ("teacher", "director", "coordinator"),
        ),
        ("cancel", ("registered", "director_approved", "prepared"), "cancelled", ("coordinator", "system")),
        ("lapse", ("registered", "director_approved", "prepared", "immersed", "transferred"), "lapsed", ("system",)),
        (
            "correct",
            (
                *("registered", "director_approved", "prepared", "immersed", "transferred", "evaluated"),
                *("declined", "withdrawn", "cancelled", "lapsed", "absent"),
            ),
            "prepared",  # the one that this matrix names
            ("coordinator",),
        ),
    ),
    "2014": (
        *SHARED,
        ("confirm_observation", ("prepared",), "observed", ("company", "coordinator")),
        ("confirm_immersion", ("observed",), "immersed", ("company", "coordinator", "system")),
        ("record_absence", ("prepared", "observed"), "absent", ("company", "coordinator")),
        (
            "withdraw",
            ("registered", "director_approved", "prepared", "observed", "immersed", "transferred"),
            "withdrawn",
            ("teacher", "director", "coordinator"),
        ),
        ("cancel", ("registered", "director_approved", "prepared", "observed"), "cancelled", ("coordinator", "system")),
        (
            "lapse",
            ("registered", "director_approved", "prepared", "observed", "immersed", "transferred"),
            "lapsed",
            ("system",),
        ),
        (
            "correct",
            (
                *("registered", "director_approved", "prepared", "observed", "immersed", "transferred", "evaluated"),
                *("declined", "withdrawn", "cancelled", "lapsed", "absent"),
            ),
            "prepared",
            ("coordinator",),
        ),
    ),
}
STATES = {version: (START, *CONTRACT[version][-1][1]) for version in CONTRACT}
CELLS = [(version, trigger) for version in CONTRACT for trigger in Trigger]


def expected(version: str, trigger: Trigger, state: str, role: Role) -> str:
    """The destination, or the code of the refusal, as the contract has it when every guard holds."""
    rows = [row for row in CONTRACT[version] if row[0] == trigger]
    here = [row for row in rows if state in row[1]]
    if not rows:
        return "unknown_trigger"
    if not here:
        return "wrong_state"
    return next((f"-> {dest}" for _, _, dest, who in here if role in who), "wrong_role")


def favourable(version: str, trigger: Trigger, state: str, role: Role) -> Snapshot:
    """A participation in this state about which every guard of this trigger holds for this role."""
    changes: dict[str, Any] = {}
    if role is Role.COORDINATOR and trigger in {Trigger.APPROVE, Trigger.DECLINE}:
        changes = {"has_school": False}
    if role is Role.COORDINATOR and trigger is Trigger.CONFIRM_TRANSFER:
        changes = {"receiver_is_ifc": True}
    if role is Role.SYSTEM and trigger is Trigger.CANCEL:
        changes = {"placement": None}
    seen = stands(state, version, role, **changes)
    if role is Role.SYSTEM and trigger in {Trigger.CONFIRM_PREPARATION, Trigger.CONFIRM_IMMERSION}:
        full = stands("immersed", version)
        return stands(state, version, role, facts=full.facts, half_days=4)
    if role is Role.SYSTEM and trigger is Trigger.EVALUATE:  # it has nothing to say itself
        return replace(seen, facts={**seen.facts, FactKind.ANSWERS: AFTER.date()})
    return seen


def answer(version: str, trigger: Trigger, seen: Snapshot, role: Role) -> str:
    command = Command(trigger, role, AFTER, REASON, {"to": State.PREPARED, "half_days": 4})
    result = decide(PROCESSES[version], PROCESSES[version], RULES[version], seen, command)
    return result.code if isinstance(result, Refusal) else f"-> {result.pulled[0].after}"


@pytest.mark.parametrize(("version", "trigger"), CELLS)
def test_every_cell_is_what_the_contract_says(version: str, trigger: Trigger) -> None:
    cells = [(state, role) for state in STATES[version] for role in Role]

    answers = {
        (state, role): answer(version, trigger, favourable(version, trigger, state, role), role)
        for state, role in cells
    }

    assert answers == {(state, role): expected(version, trigger, state, role) for state, role in cells}


@pytest.mark.parametrize(("version", "trigger"), CELLS)
def test_every_cell_is_refused_to_who_has_no_such_relation(version: str, trigger: Trigger) -> None:
    cells = [(state, role, other) for state in STATES[version] for role in Role for other in (None, *Role)]
    others = [(state, role, other) for state, role, other in cells if other is not role]

    answers = {
        answer(version, trigger, stands(state, version, relations=frozenset({other} - {None})), role)
        for state, role, other in others
    }

    assert answers == {"not_yours"}


@pytest.mark.parametrize("version", CONTRACT)
def test_states_are_those_of_the_contract(version: str) -> None:
    assert (START, *PROCESSES[version].states) == STATES[version]


@pytest.mark.parametrize("version", CONTRACT)
def test_triggers_are_those_of_the_contract(version: str) -> None:
    assert PROCESSES[version].triggers == {row[0] for row in CONTRACT[version]}


@pytest.mark.parametrize(("version", "state"), [(v, s) for v in STATES for s in STATES[v]])
def test_refusal_names_what_this_role_may_do_here(version: str, state: str) -> None:
    """`unknown_trigger` is refused to everybody everywhere, so that every state and role shows what it may do.

    What is named is granted when it is asked for with a reason and what it needs; what is not named is refused.
    """
    process, data = PROCESSES[version], {"half_days": 4, "to": "registered"}
    for role in Role:
        for school in (True, False):
            seen = stands(state, version, role, has_school=school)
            refusal = decide(process, process, RULES[version], seen, Command(Trigger.PROPOSE, role, AFTER))
            asked = {trigger: Command(trigger, role, AFTER, REASON, data) for trigger in process.triggers}
            answers = {name: decide(process, process, RULES[version], seen, each) for name, each in asked.items()}

            granted = {trigger for trigger, result in answers.items() if isinstance(result, Decision)}
            assert not isinstance(refusal, Decision)
            assert set(refusal.allowed) == granted
            assert granted <= {row[0] for row in CONTRACT[version] if state in row[1] and role in row[3]}


def test_transferred_by_institute_that_has_not_accepted_is_refused() -> None:
    """Belonging to the institute is no relation yet: it begins when the handoff is offered to it."""
    seen = stands("immersed", role=Role.INSTITUTE, handoff=HandoffStatus.OFFERED)

    assert answer("2018", Trigger.CONFIRM_TRANSFER, seen, Role.INSTITUTE) == "handoff_accepted"


def test_cancelled_by_system_while_a_place_is_confirmed_is_refused() -> None:
    seen = stands("prepared", role=Role.SYSTEM, placement=PlacementStatus.CONFIRMED)

    assert answer("2018", Trigger.CANCEL, seen, Role.SYSTEM) == "no_place"
