"""`process`: a process definition as a table, or as a diagram; no database is needed."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from cli import console
from cli.options import AsJson, told
from states.diagram import mermaid
from states.names import Subject
from states.process import Process, Row, StateSpec
from states.tables import PARTICIPATION_PROCESSES, process_for


class SubjectName(StrEnum):
    """What a process can be about, as it is typed."""

    PARTICIPATION = "participation"
    PLACEMENT = "placement"
    HANDOFF = "handoff"
    RETURN = "return"


_LATEST = next(iter(PARTICIPATION_PROCESSES))

Version = Annotated[str, typer.Option("--version", metavar="V", help=told("version"))]
SubjectOption = Annotated[SubjectName, typer.Option("--subject", help=told("subject"))]
Diagram = Annotated[bool, typer.Option("--diagram", help=told("diagram"))]


def process(
    version: Version = _LATEST,
    subject: SubjectOption = SubjectName.PARTICIPATION,
    diagram: Diagram = False,
    as_json: AsJson = False,
) -> None:
    table = process_for(Subject(subject), version)
    if diagram:
        drawn = mermaid(table)
        if as_json:
            console.document({"subject": str(table.subject), "version": table.version, "mermaid": drawn})
        else:
            console.line(drawn.rstrip("\n"))
    elif as_json:
        console.document(_document(table))
    else:
        _tell(table)


def _document(table: Process) -> dict[str, Any]:
    return {
        "subject": str(table.subject),
        "version": table.version,
        "path": _codes(table.path),
        "states": [{"state": str(state), **_spec(spec)} for state, spec in table.states.items()],
        "rows": [_row(row) for row in table.rows],
    }


def _spec(spec: StateSpec) -> dict[str, Any]:
    return {
        "owed_by": spec.owed_by and str(spec.owed_by),
        "act": spec.act and str(spec.act),
        "rules": {rule: str(anchor) for rule, anchor in spec.rules.items()},
        "final": spec.final,
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "trigger": str(row.trigger),
        "from": _codes(row.sources),
        "to": str(row.dest),
        "roles": _codes(row.roles),
        "guards": _codes(row.guards),
        "effects": _codes(row.effects),
        "tells": _codes(row.tells),
    }


def _codes(values: Iterable[str]) -> list[str]:
    return [str(value) for value in values]


# --------------------------------------------------------------------------------------------------------- for a person
def _tell(table: Process) -> None:
    columns = ("code", "state", "owed_by", "action", "deadlines")
    console.table(
        console.heading("states"), columns, [_state_cells(table, state) for state in table.states], (), ("code",)
    )
    columns = ("act", "before", "after", "who", "conditions")
    console.table(
        console.heading("rows"), columns, [_row_cells(table, row) for row in table.rows], (), ("act", "after")
    )


def _state_cells(table: Process, state: str) -> tuple[str, ...]:
    spec, subject = table.states[state], table.subject
    return (
        state,
        console.state_name(subject, state),
        console.named("role", spec.owed_by) if spec.owed_by else "",
        console.trigger_name(subject, spec.act) if spec.act else "",
        _joined(console.named("rule", rule) for rule in spec.rules),
    )


def _row_cells(table: Process, row: Row) -> tuple[str, ...]:
    return (
        row.trigger,
        "*" if set(row.sources) == set(table.states) else " ".join(row.sources),
        row.dest,
        " ".join(row.roles),
        _joined(console.named("guard", guard) for guard in row.guards),
    )


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(str(part) for part in parts)
