"""Diagrams are drawn from the tables: every arrow, once, and nothing else."""

import re
from collections import Counter

import pytest

from states.diagram import mermaid
from states.process import CHOSEN, JUSTIFIED, START, Process
from states.tables import HANDOFF, PLACEMENT, PROCESS_2014, PROCESS_2018

TABLES = {"2018": PROCESS_2018, "2014": PROCESS_2014, "placement": PLACEMENT, "handoff": HANDOFF}
ARROW = re.compile(r"    (\S+) --> (\S+)(?: : (.+))?")
every_table = pytest.mark.parametrize("process", TABLES.values(), ids=TABLES)


def arrows(process: Process) -> list[tuple[str, str, list[str]]]:
    found = [ARROW.fullmatch(line) for line in mermaid(process).splitlines()]
    return [(m[1], m[2], (m[3] or "").split(" / ")) for m in found if m]


@every_table
def test_diagram_has_each_arrow_of_the_table_once(process: Process) -> None:
    wanted = {
        ("[*]" if source == START else str(source), str(row.dest), str(row.trigger))
        for row in process.rows
        if row.dest not in {JUSTIFIED, CHOSEN}
        for source in row.sources
    }

    drawn = Counter((source, dest, name) for source, dest, names in arrows(process) for name in names if dest != "[*]")

    assert drawn == dict.fromkeys(wanted, 1)


@every_table
def test_diagram_draws_one_line_between_two_states(process: Process) -> None:
    pairs = Counter((source, dest) for source, dest, _ in arrows(process))

    assert max(pairs.values()) == 1


@every_table
def test_diagram_ends_at_every_final_state_and_no_other(process: Process) -> None:
    ends = {source for source, dest, _ in arrows(process) if dest == "[*]"}

    assert ends == {str(state) for state, spec in process.states.items() if spec.final}


@pytest.mark.parametrize("process", [PROCESS_2018, PROCESS_2014], ids=["2018", "2014"])
def test_diagram_tells_of_computed_destinations_in_notes(process: Process) -> None:
    notes = [line.strip() for line in mermaid(process).splitlines() if line.strip().startswith("note ")]

    assert notes == [
        (
            "note right of registered : reinstate: from declined, withdrawn, cancelled, lapsed, absent"
            " to what the recorded facts justify"
        ),
        "note right of registered : correct: from any state to any state, with a reason",
    ]


def test_diagram_of_the_handoff_is_this_one() -> None:
    """The smallest one in full, so that the form itself is held."""
    lines = mermaid(HANDOFF).splitlines()

    assert lines[:4] == [
        "stateDiagram-v2",
        "    direction LR",
        "    [*] --> to_route : request",
        "    declined --> to_route : request",
    ]
    assert {len(line) - len(line.lstrip()) for line in lines[1:]} == {4}
    assert mermaid(HANDOFF).endswith("\n")


def test_diagram_of_four_steps_knows_no_observation() -> None:
    assert ("observed" in mermaid(PROCESS_2018), "observed" in mermaid(PROCESS_2014)) == (False, True)
