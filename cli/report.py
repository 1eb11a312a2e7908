"""`report`: the figures of a closed edition as they were frozen, or those of this moment, which are not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console
from cli.console import heading
from cli.opening import reading, settings_of
from cli.options import AsJson, At, Directory, EditionCode, moment, told
from cli.status import show_figures
from core.errors import UsageError

Number = Annotated[int | None, typer.Option("--number", metavar="N", help=told("report_number"), show_default=False)]
Now = Annotated[bool, typer.Option("--now", help=told("report_now"))]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help=told("report_output"))]


def report(
    edition: EditionCode = None,
    number: Number = None,
    now: Now = False,
    output: Output = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.closing import report as frozen
    from actions.closing import so_far

    if now and number is not None:
        raise UsageError("report_now_or_number")
    extension = _extension(output)
    occasion_at = moment(at)
    with reading(settings_of(directory)) as connection:
        found = so_far(connection, edition, occasion_at) if now else frozen(connection, edition, number)
    if output is not None:
        _write(found, output, extension)
    if as_json:
        console.document(found)
    elif output is not None:
        console.tell("report_written", file=output)
    else:
        _show(found)


def _extension(output: Path | None) -> str:
    """Return the format that a file's name asks for. Raises UsageError (`bad_export`) for another."""
    if output is None:
        return ""
    from actions.exports import REPORT_FORMATS

    extension = output.suffix.lower().lstrip(".")
    if extension not in REPORT_FORMATS:
        raise UsageError("bad_export", name=str(output), allowed=tuple(REPORT_FORMATS))
    return extension


def _write(found: Mapping[str, Any], output: Path, extension: str) -> None:
    from actions.exports import report_sheet

    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(report_sheet(found, extension))


def _show(found: Mapping[str, Any]) -> None:
    from datetime import date

    console.line(f"{found['title']} ({found['edition']})")
    at = console.when(found["at"])
    if found["frozen"]:
        console.tell("report_frozen", number=found["number"], at=at)
        console.line(f"SHA-256 {found['sha256']}")
        if found["reports"] > 1:
            console.tell("report_later", number=found["number"], reports=found["reports"])
    else:
        console.tell("report_not_frozen", at=at, closes=date.fromisoformat(found["closes"]))
    show_figures(found["figures"])
    if found["set_aside"]:
        rows = [(console.named("state", state), n) for state, n in found["set_aside"].items()]
        console.table(heading("set_aside"), ("state", "count"), rows, ("count",))
    for dimension, groups in found["groups"].items():
        _groups(dimension, groups)


_NUMBERS = ("total", "evaluated", "half_days", "places", "filled", "rate", "reminders", "escalations")


def _groups(dimension: str, groups: list[Mapping[str, Any]]) -> None:
    """Write the groups along one dimension: what most people look for; `--json` and files hold the rest."""
    from actions.exports import WORDS
    from documents.figures_sheet import group_name

    rows = [
        (
            group_name(dimension, group["code"], WORDS),
            sum(group["participations"].values()),
            group["participations"].get("evaluated", 0),
            group["half_days"],
            group["places"],
            group["places_filled"],
            None if group["fill_rate"] is None else console.percent(group["fill_rate"]),
            group["reminders"],
            group["escalations"],
        )
        for group in groups
    ]
    console.table(heading(f"by_{dimension}"), (dimension, *_NUMBERS), rows, _NUMBERS)
