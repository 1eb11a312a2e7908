"""Tables as XLSX and CSV from the same rows, so that they cannot disagree; a batch of packets as one, a row each.

What people typed must never run as a formula in somebody else's spreadsheet. XLSX says of each cell that it is text;
CSV cannot, so `guarded` puts an apostrophe before what a spreadsheet would take for a formula.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from unicodedata import category

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from core.clock import BRUSSELS
from documents.packet import Day, Immersion, Packet, Presence
from documents.wording import Words

Cell = str | int | float | date | None
Rows = Sequence[Sequence[Cell]]  # the first one holds the headings

_LONGEST = 16_000
"""Half of what a cell of XLSX holds, which counts some characters twice; the packet itself has the whole text."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its code (the heading's, in the label group `packet_column`), width in characters and content."""

    code: str
    width: int
    value: Callable[[Packet, Words], Cell]


# fmt: off
COLUMNS = (
    Column("reference",         16, lambda p, _: p.handoff.reference),
    Column("purpose",           12, lambda p, w: w.label("purpose", p.handoff.purpose)),
    Column("round",              7, lambda p, _: p.handoff.round),
    Column("sender",            14, lambda p, _: p.handoff.sender.code),
    Column("receiver",          14, lambda p, _: p.handoff.receiver.code),
    Column("offered_on",        12, lambda p, _: p.handoff.offered_at.astimezone(BRUSSELS).date()),
    Column("answer_by",         12, lambda p, _: p.handoff.answer_by),
    Column("edition",           12, lambda p, _: p.edition.code),
    Column("name",              26, lambda p, _: p.teacher.name),
    Column("email",             34, lambda p, _: p.teacher.email),
    Column("phone",             18, lambda p, _: p.teacher.phone),
    Column("kind",              26, lambda p, w: w.label("participant_kind", p.teacher.kind)),
    Column("network",           10, lambda p, _: p.teacher.network),
    Column("education",         14, lambda p, w: _label(w, "education", p.teacher.education)),
    Column("basin",             16, lambda p, _: p.teacher.basin),
    Column("courses",           34, lambda p, _: p.teacher.courses),
    Column("school_code",       10, lambda p, _: p.school.code if p.school else None),
    Column("school",            34, lambda p, _: p.school.name if p.school else None),
    Column("company",           26, lambda p, _: p.company.name if p.company else None),
    Column("sector",            20, lambda p, _: p.company.sector if p.company else None),
    Column("offer",             40, lambda p, _: p.company.offer if p.company else None),
    Column("site",              30, lambda p, _: p.company.site if p.company else None),
    Column("municipality",      18, lambda p, _: p.company.municipality if p.company else None),
    Column("contact",           26, lambda p, _: _contact(p, "name")),
    Column("contact_email",     34, lambda p, _: _contact(p, "email")),
    Column("first_day",         12, lambda p, _: min((day.date for day in p.immersion.days), default=None)),
    Column("last_day",          12, lambda p, _: max((day.date for day in p.immersion.days), default=None)),
    Column("presence",          52, lambda p, w: _lines(_days(p.immersion, w))),
    Column("half_days_present", 12, lambda p, _: p.immersion.half_days_present),
    Column("half_days_planned", 12, lambda p, _: p.immersion.half_days_planned),
    Column("notes",             60, lambda p, _: _lines(note.text for note in p.notes)),
    Column("open_points",       60, lambda p, _: _lines(point.text for point in p.open_points)),
    Column("documents",         30, lambda p, _: _lines(document.name for document in p.documents)),
)
# fmt: on


def batch_csv(packets: Sequence[Packet], words: Words) -> bytes:
    """Return a batch as CSV."""
    return table_csv(_rows(packets, words))


def batch_xlsx(packets: Sequence[Packet], words: Words) -> bytes:
    """Return a batch as a spreadsheet."""
    return table_xlsx(_rows(packets, words), words.label("packet", "sheet"), [column.width for column in COLUMNS])


def table_csv(rows: Rows) -> bytes:
    """Return a table as CSV: `;`, UTF-8 with a byte-order mark (without it spreadsheets misread accents)."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerows([_written(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8-sig")


def table_xlsx(rows: Rows, title: str, widths: Sequence[int]) -> bytes:
    """Return a table as a spreadsheet with a header that stays in sight and dates that sort as dates.

    `title` is the sheet's; `widths` are in characters.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        # Without it the library reads the machine's clock, and the same batch would be other bytes each time.
        book.set_properties({"created": datetime(1980, 1, 1)})  # noqa: DTZ001 - the library takes no zones
        sheet = book.add_worksheet(title)
        for place, width in enumerate(widths):
            sheet.set_column(place, place, width)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, len(rows) - 1, len(widths) - 1)
        styles = {name: book.add_format(style) for name, style in _STYLES.items()}
        for number, cells in enumerate(rows):
            for place, cell in enumerate(cells):
                _write(sheet, (number, place), cell, styles)
    return out.getvalue()


_STYLES = {
    "head": {"bold": True, "text_wrap": True, "valign": "vcenter", "bottom": 1},
    "plain": {"text_wrap": True, "valign": "top"},
    "day": {"num_format": "dd/mm/yyyy", "align": "left", "valign": "top"},
}


def _write(sheet: Worksheet, place: tuple[int, int], cell: Cell, styles: Mapping[str, Format]) -> None:
    """Write a cell as what it is: the library's own guess would make numbers, links and formulas of text."""
    if isinstance(cell, date):
        sheet.write_datetime(*place, cell, styles["day"])
    elif isinstance(cell, (int, float)):
        sheet.write_number(*place, cell, styles["plain"])
    elif cell is not None:
        sheet.write_string(*place, cell, styles["plain" if place[0] else "head"])


def guarded(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: an apostrophe before `= + - @` or a control character."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) or category(text[:1] or "x") == "Cc" else text


def _rows(packets: Sequence[Packet], words: Words) -> list[list[Cell]]:
    head: list[Cell] = [words.label("packet_column", column.code) for column in COLUMNS]
    return [head, *([_cell(column.value(packet, words)) for column in COLUMNS] for packet in packets)]


def _cell(value: Cell) -> Cell:
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str | None:
    """Return what both files hold of a text: one kind of line end, no more than a cell takes, nothing if empty."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}…"
    if text.startswith("<r>"):  # XlsxWriter writes a text from <r> to </r> into the file as it is, whatever it holds
        text = f" {text}"
    return text or None


def _written(cell: Cell) -> str:
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(cell).replace(".", ",")  # as spreadsheets here read numbers
    return guarded(cell) if isinstance(cell, str) else "" if cell is None else str(cell)


def _label(words: Words, group: str, code: str | None) -> str | None:
    return None if code is None else words.label(group, code)


def _contact(packet: Packet, part: str) -> Cell:
    contact = packet.company.contact if packet.company else None
    return None if contact is None else str(getattr(contact, part))


def _lines(texts: Iterator[str]) -> str:
    return "\n".join(texts)


def _days(immersion: Immersion, words: Words) -> Iterator[str]:
    """Yield the days: with their half-days, unless none was recorded apart from the others."""
    apart = any(day.am or day.pm for day in immersion.days)
    for day in immersion.days:
        yield _presence(day, words) if apart or not immersion.half_days_present else words.day(day.date)


def _presence(day: Day, words: Words) -> str:
    halves = (
        f"{words.label('packet', half)} {_said(value, words)}" for half, value in (("am", day.am), ("pm", day.pm))
    )
    return f"{words.day(day.date)} ({', '.join(halves)})"


def _said(value: Presence | None, words: Words) -> str:
    return words.label("packet", "unrecorded") if value is None else words.label("fact_value", value)
