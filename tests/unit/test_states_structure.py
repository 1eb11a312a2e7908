"""What is true of the tables as a whole: nothing out of reach, stuck, unowed, without a deadline, unhandled, untold."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from actions.effects import EFFECTS
from core.errors import NotFound
from notifications.catalogue import CATALOGUE
from states.decide import JOINING_EFFECTS
from states.guards import GUARDS
from states.names import Effect, Guard, Kind, Role, Subject, Trigger
from states.process import CHOSEN, JUSTIFIED, START, Process
from states.tables import (
    HANDOFF,
    PARTICIPATION_PROCESSES,
    PLACEMENT,
    PROCESS_2014,
    PROCESS_2018,
    RETURN,
    process_for,
)

EDITIONS = sorted((Path(__file__).parents[2] / "editions").glob("*.toml"))
TABLES = {"2018": PROCESS_2018, "2014": PROCESS_2014, "placement": PLACEMENT, "handoff": HANDOFF, "return": RETURN}
COMPUTED = {JUSTIFIED, CHOSEN}
OPEN_STATES = [(name, state) for name, process in TABLES.items() for state in process.open_states]
FINAL_STATES = [
    (name, state) for name, process in TABLES.items() for state, spec in process.states.items() if spec.final
]

every_table = pytest.mark.parametrize("process", TABLES.values(), ids=TABLES)
every_participation_table = pytest.mark.parametrize("process", [PROCESS_2018, PROCESS_2014], ids=["2018", "2014"])


def reached_from(process: Process, start: str) -> set[str]:
    """States that ordinary acts lead to, without any correction or reinstatement."""
    reached, ahead = {start}, [start]
    while ahead:
        here = ahead.pop()
        further = {row.dest for row in process.rows if here in row.sources} - COMPUTED - reached
        reached |= further
        ahead.extend(further)
    return reached


# ------------------------------------------------------------------------------------------------------------- states
@every_table
def test_every_state_is_reachable_from_the_start_without_correction(process: Process) -> None:
    assert reached_from(process, START) - {START} == set(process.states)


@every_table
def test_every_row_joins_known_states(process: Process) -> None:
    named = {state for row in process.rows for state in (*row.sources, row.dest)}

    assert named - {START, *COMPUTED} == set(process.states)


@every_table
def test_path_is_a_chain_of_ordinary_acts(process: Process) -> None:
    steps = {(source, row.dest) for row in process.rows for source in row.sources}

    assert [pair for pair in zip((START, *process.path), process.path, strict=False) if pair not in steps] == []


@pytest.mark.parametrize(("name", "state"), OPEN_STATES)
def test_open_state_has_an_owner_who_may_do_the_act_owed(name: str, state: str) -> None:
    process = TABLES[name]
    spec = process.states[state]
    assert spec.act is not None

    rows = process.rows_from(state, spec.act) or PROCESS_2018.rows_from("transferred", spec.act)  # of the return

    pullers = {role for row in rows for role in row.roles}

    assert spec.owed_by in pullers


@pytest.mark.parametrize(("name", "state"), OPEN_STATES)
def test_open_state_leads_to_a_final_one(name: str, state: str) -> None:
    finals = {final for table, final in FINAL_STATES if table == name}

    assert reached_from(TABLES[name], state) & finals != set()


@pytest.mark.parametrize(("name", "state"), [cell for cell in OPEN_STATES if cell[0] in PARTICIPATION_PROCESSES])
def test_open_participation_may_always_be_given_up_and_lapses(name: str, state: str) -> None:
    process = TABLES[name]

    assert {t for t in (Trigger.WITHDRAW, Trigger.LAPSE) if process.rows_from(state, t)} == {
        Trigger.WITHDRAW,
        Trigger.LAPSE,
    }


@pytest.mark.parametrize(("name", "state"), [cell for cell in FINAL_STATES if cell[0] in PARTICIPATION_PROCESSES])
def test_final_participation_is_left_by_the_coordinator_alone(name: str, state: str) -> None:
    leaving = [row for row in TABLES[name].rows if state in row.sources]

    assert {(row.trigger, *row.roles) for row in leaving} - {
        (Trigger.REINSTATE, Role.COORDINATOR),
        (Trigger.CORRECT, Role.COORDINATOR),
    } == set()


def test_confirmed_seat_and_completed_relay_are_undone_only_with_their_participation() -> None:
    """Final for their own table, they are left by one trigger each, which a guard ties to the participation."""
    undone = {
        (row.trigger, bool(row.guards))
        for process, state in ((PLACEMENT, "confirmed"), (HANDOFF, "completed"), (RETURN, "completed"))
        for row in process.rows
        if state in row.sources
    }

    assert undone == {(Trigger.RELEASE, True), (Trigger.CLOSE, True)}


# -------------------------------------------------------------------------------------------------------- computed rows
@every_participation_table
def test_destination_is_computed_for_the_coordinator_s_two_acts_alone(process: Process) -> None:
    computed = {
        row.dest: (row.trigger, row.roles, row.guards, row.effects) for row in process.rows if row.dest in COMPUTED
    }

    both = ((Role.COORDINATOR,), (Guard.REASON_GIVEN,), (Effect.ALIGN, Effect.LOOK_AGAIN))
    assert computed == {JUSTIFIED: (Trigger.REINSTATE, *both), CHOSEN: (Trigger.CORRECT, *both)}


@every_participation_table
def test_correction_starts_from_every_state_and_reinstatement_from_those_off_the_path(process: Process) -> None:
    sources = {row.dest: set(row.sources) for row in process.rows if row.dest in COMPUTED}

    assert sources == {CHOSEN: set(process.states), JUSTIFIED: set(process.states) - set(process.path)}


@pytest.mark.parametrize("process", [PLACEMENT, HANDOFF, RETURN], ids=["placement", "handoff", "return"])
def test_destination_is_never_computed_for_a_seat_or_a_relay(process: Process) -> None:
    assert [row for row in process.rows if row.dest in COMPUTED] == []


@every_table
def test_one_row_answers_each_role_in_each_state(process: Process) -> None:
    """Two rows for the same cell would hide the second, unless their guards exclude each other."""
    cells = Counter((source, row.trigger, role) for row in process.rows for source in row.sources for role in row.roles)

    doubled = {cell for cell, rows in cells.items() if rows > 1}

    whoever_releases = {("confirmed", Trigger.RELEASE, role) for role in (Role.COORDINATOR, Role.SYSTEM)}
    assert doubled == (whoever_releases if process is PLACEMENT else set())  # GOES_ON and OVER


# ------------------------------------------------------------------------------------------------------------- totality
def test_every_effect_is_either_joined_or_written() -> None:
    assert JOINING_EFFECTS | set(EFFECTS) == set(Effect)
    assert [effect for effect in EFFECTS if effect in JOINING_EFFECTS] == []


def test_every_effect_of_the_tables_is_known_and_every_known_one_used() -> None:
    named = {effect for process in TABLES.values() for row in process.rows for effect in row.effects}

    assert set(Effect) - named == {Effect.VOID_HANDOFF, Effect.VOID_RETURN}  # only `ALIGN` brings them about


def test_every_guard_is_implemented_and_used() -> None:
    named = {guard for process in TABLES.values() for row in process.rows for guard in row.guards}

    assert (set(GUARDS), named) == (set(Guard), set(Guard))


def test_every_trigger_is_in_a_table_but_those_that_move_nothing() -> None:
    named = {trigger for process in TABLES.values() for trigger in process.triggers}

    assert set(Trigger) - named == {
        *(Trigger.RECORD_FACT, Trigger.SET_DATES, Trigger.INVITE, Trigger.UNINVITE, Trigger.ERASE),
        *(Trigger.RECORD_COMMENT, Trigger.ADD_DOCUMENT, Trigger.DRAW, Trigger.REPLACE),
        *(Trigger.EXTEND, Trigger.REPLAN, Trigger.MIGRATE, Trigger.TAKE_UP, Trigger.POSTPONE, Trigger.SETTLE),
    }


def test_every_role_but_the_committee_acts() -> None:
    acting = {role for process in TABLES.values() for row in process.rows for role in row.roles}

    assert acting == set(Role) - {Role.COMMITTEE}


@every_table
def test_row_names_nothing_twice(process: Process) -> None:
    lists = [part for row in process.rows for part in (row.sources, row.roles, row.guards, row.effects, row.tells)]

    assert [part for part in lists if len(set(part)) != len(part)] == []


# ------------------------------------------------------------------------------------------------------------ messages
def told_by_tables() -> set[Kind]:
    return {kind for process in TABLES.values() for row in process.rows for kind in row.tells}


def told_by_ladders(path: Path) -> set[str]:
    return {step["message"] for *_, step in rungs(path) if "message" in step}


def rungs(path: Path) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """Subject, state, rule and step, each rung of an edition's ladders, read without the application."""
    for subject, states in tomllib.loads(path.read_text(encoding="utf-8"))["deadlines"].items():
        for state, rules in states.items():
            for rule, ladder in rules.items():
                for step in ladder["steps"]:
                    yield subject, state, rule, step


def test_every_kind_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(Kind)


def test_every_message_of_the_ladders_is_a_kind() -> None:
    assert {message for path in EDITIONS for message in told_by_ladders(path)} - set(Kind) == set()


def test_every_kind_is_told_by_a_table_or_a_ladder_but_those_that_actions_tell() -> None:
    ladders = {Kind(message) for path in EDITIONS for message in told_by_ladders(path)}

    assert set(Kind) - told_by_tables() - ladders == {
        Kind.DATES_FIXED,  # by `places.set_dates`, as the next
        Kind.TRAINEE_DATES_FIXED,
        Kind.TRANSFER_INVITATION,  # by `actions.sessions`, as the next two
        Kind.TRANSFER_MOVED,
        Kind.TRANSFER_CALLED_OFF,
        Kind.SAMPLE_DRAWN,  # by `drawing.draw`
        Kind.WEBHOOK_DISABLED,  # by `jobs.webhooks`
    }


def test_every_end_of_a_participation_is_told() -> None:
    ends = {
        (row.trigger, row.dest)
        for process in (PROCESS_2018, PROCESS_2014)
        for row in process.rows
        if row.dest not in COMPUTED and process.states[row.dest].final and not row.tells
    }

    assert ends == set()


# ------------------------------------------------------------------------------------------------------------ deadlines
DEADLINED = [(name, state) for name, state in OPEN_STATES if name != "placement"]  # a later issue brings theirs


@pytest.mark.parametrize(("name", "state"), DEADLINED)
def test_open_state_has_a_deadline_rule(name: str, state: str) -> None:
    assert list(TABLES[name].states[state].rules) != []


@pytest.mark.parametrize("name", ["2018", "2014"])
def test_open_participation_always_ends_at_the_closing(name: str) -> None:
    process = TABLES[name]

    assert [state for state in process.open_states if "closing" not in process.states[state].rules] == []


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.stem)
def test_edition_has_the_ladder_of_every_rule_and_no_other(path: Path) -> None:
    process = PARTICIPATION_PROCESSES[tomllib.loads(path.read_text(encoding="utf-8"))["process"]]
    named = {
        (table.subject.value, str(state), rule)
        for table in (process, HANDOFF, RETURN)
        for state, spec in table.states.items()
        for rule in spec.rules
    }

    assert {(subject, state, rule) for subject, state, rule, _ in rungs(path)} == named


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.stem)
def test_edition_reminds_who_owes_the_act(path: Path) -> None:
    """A reminder to somebody who owes nothing is what users of such systems complain about most."""
    process = PARTICIPATION_PROCESSES[tomllib.loads(path.read_text(encoding="utf-8"))["process"]]
    tables = {"participation": process, "handoff": HANDOFF, "return": RETURN}

    wrong = [
        (state, rule, step["audience"])
        for subject, state, rule, step in rungs(path)
        if step["do"] == "remind" and step["audience"] != tables[subject].states[state].owed_by
    ]

    assert wrong == []


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.stem)
def test_edition_message_is_still_true_where_its_rule_hangs(path: Path) -> None:
    """Otherwise delivery would drop it as stale, every time, and nobody would ever be told."""
    dropped = [
        (state, rule, step["message"])
        for _, state, rule, step in rungs(path)
        if "message" in step and not CATALOGUE[Kind(step["message"])].is_true_in(state)
    ]

    assert dropped == []


def test_process_is_found_by_subject_and_version() -> None:
    found = {
        (subject, version): process_for(subject, version)
        for subject, version in (
            (Subject.PARTICIPATION, "2018"),
            (Subject.PARTICIPATION, "2014"),
            (Subject.PLACEMENT, ""),
            (Subject.HANDOFF, ""),
            (Subject.RETURN, ""),
        )
    }

    assert list(found.values()) == [PROCESS_2018, PROCESS_2014, PLACEMENT, HANDOFF, RETURN]


def test_unknown_process_is_not_found_and_says_which_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        process_for(Subject.PARTICIPATION, "2021")

    assert (caught.value.code, dict(caught.value.params)) == (
        "unknown_process",
        {"version": "2021", "known": ("2018", "2014")},
    )
