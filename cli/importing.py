"""`import offers|registrations|preparations FILE`: good rows go in, bad ones are told by line, column and reason."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.opening import read_file, reading, settings_of, writing
from cli.options import AsJson, At, Directory, EditionCode, moment, told
from core.clock import wall_now
from core.errors import InvalidFile
from notifications import refusals

if TYPE_CHECKING:
    from actions.imports import Report

File = Annotated[Path, typer.Argument(metavar="FILE", help=told("file"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=told("dry_run"))]

_LONG = 100  # rows from which a bar is worth watching
Progress = Callable[[int, int], None]


def offers(
    file: File,
    edition: EditionCode = None,
    dry_run: DryRun = False,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    return _import("offers", file, edition, dry_run, at, as_json, directory)


def registrations(
    file: File,
    edition: EditionCode = None,
    dry_run: DryRun = False,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    return _import("registrations", file, edition, dry_run, at, as_json, directory)


def preparations(
    file: File,
    edition: EditionCode = None,
    dry_run: DryRun = False,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    return _import("preparations", file, edition, dry_run, at, as_json, directory)


def _import(
    kind: str, file: Path, code: str | None, dry_run: bool, at: str | None, as_json: bool, directory: Path | None
) -> int:
    from actions.editions import current
    from actions.imports import FileKind, Report, import_file
    from actions.occasion import Occasion, system
    from documents.tables import MAX_BYTES, read_table

    occasion = Occasion(moment(at), wall_now())
    data = read_file(file, MAX_BYTES)
    settings, who = settings_of(directory), system("cli")
    with reading(settings) as connection:
        edition = current(connection, code)
    try:
        table = read_table(data, file.name)
        with writing(settings, keep=not dry_run) as connection, _bar() as progress:
            kind_of = FileKind(kind)
            report = import_file(connection, edition, kind_of, table, file.name, who, occasion, progress=progress)
    except InvalidFile as refused:
        report = Report(rejected=list(refused.problems))
    _tell(report, edition.code, dry_run=dry_run, as_json=as_json)
    return failures.REFUSED if report.rejected else failures.DONE


@contextmanager
def _bar() -> Iterator[Progress]:
    """Give a progress function that draws a bar on a terminal once the file turns out to be long."""
    if not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    bars: list[Any] = []

    def progress(done: int, length: int) -> None:
        if not bars and length >= _LONG:
            bars.append(typer.progressbar(length=length, file=sys.stderr))
            bars[0].render_progress()
        for bar in bars:
            bar.update(done - bar.pos)

    try:
        yield progress
    finally:
        for bar in bars:
            bar.render_finish()


def _tell(report: "Report", edition: str, *, dry_run: bool, as_json: bool) -> None:
    rejected = refusals.problems(report.rejected)
    if as_json:
        told_report = {
            "edition": edition,
            "dry_run": dry_run,
            "accepted": report.accepted,
            "unchanged": report.unchanged,
            "rejected": rejected,
        }
        console.document(told_report)
        return
    counts = {"accepted": report.accepted, "unchanged": report.unchanged, "rejected": len(rejected)}
    console.tell("imported", **counts)
    if rejected:
        show_problems(rejected)
    if dry_run:
        console.tell("dry_run")


def show_problems(problems: Sequence[Mapping[str, Any]], *, err: bool = False) -> None:
    """Write the faults of a file as a table."""
    rows = [[each["line"], each["column"], each["value"], each["reason"]] for each in problems]
    console.table("", ("line", "column", "value", "problem"), rows, ("line",), err=err)
