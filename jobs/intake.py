"""Files that wait in the inbox are imported, then moved aside with their report.

A file's kind is the first word of its name: `offers…`, `registrations…` or `preparations…`, `.csv` or `.xlsx`. A folder
named like an edition holds that edition's files; others go to the edition loaded last. Importing is safe to repeat, so
a file whose import was done but which was not moved yet changes nothing.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from actions.editions import current
from actions.imports import FileKind, Report, import_file
from actions.occasion import system
from core.errors import InvalidFile, Problem, ProductError
from documents.tables import MAX_BYTES, read_table
from jobs.leases import lease
from jobs.summary import Summary
from jobs.workshop import Workshop
from notifications.sentences import problem_said

JOB = "intake"
_SUFFIXES = (".csv", ".xlsx")
_ORDER = {FileKind.OFFERS: 0, FileKind.REGISTRATIONS: 1, FileKind.PREPARATIONS: 2}
_ASIDE = ("done", "refused")
_LONGEST_STEM = 50  # characters, at most four octets each: a name has 255


def waiting(inbox: Path) -> list[Path]:
    """Return the files that can be imported: offers first, then in the order of their names."""
    found = ((kind, path) for path in _files(inbox) if (kind := kind_of(path)) is not None)
    return [path for kind, path in sorted(found, key=lambda each: (_ORDER[each[0]], each[1].name))]


def _files(inbox: Path) -> Iterator[Path]:
    if not inbox.is_dir():
        return
    for path in inbox.iterdir():
        if path.is_dir() and path.name not in _ASIDE:
            yield from path.iterdir()
        else:
            yield path


def kind_of(path: Path) -> FileKind | None:
    """Return what a file holds, by its name; None when it is not ours to import."""
    if path.is_symlink() or not path.is_file() or path.suffix.lower() not in _SUFFIXES:
        return None
    return next((kind for kind in FileKind if path.name.lower().startswith(kind)), None)


def has_work(inbox: Path) -> bool:
    """Tell whether a file waits."""
    return bool(waiting(inbox))


def run(workshop: Workshop, at: datetime, limit: int = 0) -> Summary:  # noqa: ARG001 - a file is one piece
    """Import each waiting file in a transaction of its own."""
    summary = Summary(JOB)
    with lease(workshop, JOB) as held:
        for path in waiting(workshop.inbox) if held else ():
            _take(workshop, path, at, summary)
    if not held:
        summary.add(JOB, "busy")  # another process imports, or died with the lease, which then ends by itself
    return summary


def _take(workshop: Workshop, path: Path, at: datetime, summary: Summary) -> None:
    kind = kind_of(path)
    if kind is None:
        return
    code = path.parent.name if path.parent != workshop.inbox else None
    try:
        report = _imported(workshop, path, kind, code, at)
    except InvalidFile as refused:
        _set_aside(workshop, path, "refused", Report(rejected=list(refused.problems)), summary)
    except ProductError as refused:
        _set_aside(workshop, path, "refused", Report(rejected=[Problem(refused.code, params=refused.params)]), summary)
    except Exception as fault:  # noqa: BLE001 - one file must never stop the others, nor the jobs that come after
        summary.fail(path.name, type(fault).__name__)
        _set_aside(workshop, path, "refused", Report(rejected=[Problem("unreadable")]), summary)
    else:
        for outcome in ("accepted", "unchanged"):
            summary.counts[outcome] += getattr(report, outcome)
        summary.counts["rejected"] += len(report.rejected)
        _set_aside(workshop, path, "done", report, summary)


def _imported(workshop: Workshop, path: Path, kind: FileKind, code: str | None, at: datetime) -> Report:
    """Import one file in a transaction of its own. The file is read first: no file is waited for within it."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)  # one more than is allowed: its reader sees that it is too much
    table = read_table(data, path.name)
    with workshop.engine.begin() as connection:
        edition = current(connection, code)
        return import_file(connection, edition, kind, table, path.name, system(), workshop.occasion(at))


def _set_aside(workshop: Workshop, path: Path, folder: str, report: Report, summary: Summary) -> None:
    """Move a file out of the inbox; one that cannot be moved is told, and tried again by the next tick."""
    try:
        _aside(workshop, path, folder, report)
    except OSError as fault:
        summary.fail(path.name, type(fault).__name__)
    else:
        summary.add(path.name, "imported" if folder == "done" else "refused")


def _aside(workshop: Workshop, path: Path, folder: str, report: Report) -> None:
    """Move a file out of the inbox, its report beside it; an earlier file of that name is not overwritten."""
    target = workshop.inbox / folder
    target.mkdir(parents=True, exist_ok=True)
    stem = path.stem[:_LONGEST_STEM]  # leaves room for the report's name
    place, number = target / f"{stem}{path.suffix}", 1
    while place.exists():
        number += 1
        place = target / f"{stem}-{number}{path.suffix}"
    told = asdict(report) | {"rejected": [{**asdict(each), "reason": problem_said(each)} for each in report.rejected]}
    beside = place.with_name(f"{place.name}.report.json")
    beside.write_text(json.dumps(told, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
    os.replace(path, place)  # noqa: PTH105 - Path.replace says less
