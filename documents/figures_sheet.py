"""The report of an edition as one long table: a row for each figure, so that a spreadsheet can turn it as it likes."""

from collections.abc import Iterator, Mapping
from typing import Any

from documents.sheets import Cell, table_csv, table_xlsx
from documents.wording import Words

_COLUMNS = {"dimension": 14, "group": 26, "measure": 26, "detail": 44, "status": 34, "value": 10}
_PLAIN = ("places", "places_filled", "fill_rate", "reminders", "escalations")
# of the edition: (measure, label group of what it counts)
_COUNTED = (("participations", "state"), ("deadlines", "deadline_status"), ("messages", "message_status"))
_ROUNDS = (("handoffs", "handoff_status"), ("returns", "return_status"))

Document = Mapping[str, Any]


def report_csv(report: Document, words: Words) -> bytes:
    """Return a report as CSV."""
    return table_csv(_rows(report, words))


def report_xlsx(report: Document, words: Words) -> bytes:
    """Return a report as a spreadsheet."""
    return table_xlsx(_rows(report, words), words.label("report_column", "sheet"), list(_COLUMNS.values()))


def _rows(report: Document, words: Words) -> list[list[Cell]]:
    head: list[Cell] = [words.label("report_column", column) for column in _COLUMNS]
    edition = words.label("dimension", "edition")
    rows = [head, *([edition, report["edition"], *row] for row in _whole(report, words))]
    for dimension, groups in report["groups"].items():
        for group in groups:
            place = [words.label("dimension", dimension), group_name(dimension, group["code"], words)]
            rows += [[*place, *row] for row in _group(group, words)]
    return rows


def group_name(dimension: str, code: str, words: Words) -> str:
    """Return what a group is called: its code, which people here know it by, but for kinds of education."""
    if not code:
        return words.label("dimension", "")
    return words.label("education", code) if dimension == "education" else code


def _whole(report: Document, words: Words) -> Iterator[list[Cell]]:
    """Yield the figures of the edition: measure, detail, status, value."""
    figures = report["figures"]
    yield _row(words, "total", figures["total"])
    for measure in (*_PLAIN, "places_cancelled", "overdue"):
        yield _row(words, measure, figures[measure])
    for measure, group in _COUNTED:
        for code, n in figures[measure].items():
            yield _row(words, measure, n, status=words.label(group, code))
    for measure, group in _ROUNDS:
        for institute, counts in figures[measure].items():
            for code, n in counts.items():
                yield _row(words, measure, n, institute, words.label(group, code))
    for state, n in report["set_aside"].items():
        yield _row(words, "set_aside", n, status=words.label("state", state))


def _group(group: Document, words: Words) -> Iterator[list[Cell]]:
    """Yield the figures of one group, in the same form."""
    for state, n in group["participations"].items():
        yield _row(words, "participations", n, status=words.label("state", state))
    yield _row(words, "half_days", group["half_days"])
    for measure in _PLAIN:
        if group[measure] is not None:
            yield _row(words, measure, group[measure])
    for rule, n in group["late"].items():
        yield _row(words, "late", n, words.label("rule", rule))
    for kind, counts in group["messages"].items():
        for status, n in counts.items():
            yield _row(words, "messages", n, words.label("kind", kind), words.label("message_status", status))
    for measure, labels in _ROUNDS:
        for status, n in group[measure].items():
            yield _row(words, measure, n, status=words.label(labels, status))


def _row(words: Words, measure: str, value: float, detail: str = "", status: str = "") -> list[Cell]:
    return [words.label("measure", measure), detail, status, value]
