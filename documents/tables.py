"""Reading tables that people send: CSV or XLSX, whatever their spreadsheet made of them.

Encodings are not guessed by statistics, which corrupt French names: a BOM, else strict UTF-8, else cp1252. The
separator is the one that the header line holds most of.
"""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import InvalidFile, Problem
from core.plain import plain
from documents import spreadsheet
from documents.visible import one_line

MAX_BYTES = 10_000_000
MAX_ROWS = 50_000
MAX_UNPACKED = 100_000_000
_SEPARATORS = ";,\t|"
_ZIP = b"PK\x03\x04"
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class Record:
    """One row by column name; `line` is its first physical line (XLSX: its row)."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A header, its names normalised, and the records under it."""

    columns: tuple[str, ...]
    records: tuple[Record, ...]


def read_table(data: bytes, name: str) -> Table:
    """Read a table.

    Raises InvalidFile (`too_large`, `not_text`, `unreadable`, `bad_quotes`, `no_header`, `too_many_rows`).
    """
    if len(data) > MAX_BYTES:
        raise _refused(name, "too_large", size=len(data), limit=MAX_BYTES)
    return _table(_xlsx(data, name) if data.startswith(_ZIP) else _csv(data, name), name)


def _refused(name: str, code: str, **params: object) -> InvalidFile:
    return InvalidFile(name, [Problem(code, params=params)])


def _csv(data: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(data, name)
    header = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)  # a quote left open shows
    line = 1
    try:
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        if "limit" in str(error):  # a cell without end
            raise _refused(name, "unreadable") from error
        raise InvalidFile(name, [Problem("bad_quotes", line, params={"row": line})]) from error


def _decoded(data: bytes, name: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError as error:
            raise _refused(name, "not_text") from error
    if _CONTROL.search(text):
        raise _refused(name, "not_text")
    return text


def _xlsx(data: bytes, name: str) -> Iterator[tuple[int, list[str]]]:
    _check_archive(data, name)
    try:
        rows = spreadsheet.rows(data, MAX_ROWS + 2)
    except spreadsheet.DamagedError as error:
        raise _refused(name, "unreadable") from error
    except spreadsheet.TooMuchError as error:
        raise _refused(name, "too_large", size=len(data), limit=MAX_BYTES) from error
    for number, cells in enumerate(rows, start=1):
        if any(_CONTROL.search(cell) for cell in cells):
            raise _refused(name, "not_text")
        yield number, cells


def _check_archive(data: bytes, name: str) -> None:
    """Refuse what unpacks to too much, or is damaged, before a reader is started for it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
            if unpacked > MAX_UNPACKED:
                raise _refused(name, "too_large", size=unpacked, limit=MAX_UNPACKED)
            damaged = archive.testzip() is not None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:  # all damage does
        raise _refused(name, "unreadable") from error
    if damaged:
        raise _refused(name, "unreadable")


def _table(rows: Iterator[tuple[int, list[str]]], name: str) -> Table:
    filled = ((line, cells) for line, cells in rows if any(cell.strip() for cell in cells))
    header = next(filled, None)
    if header is None:
        raise _refused(name, "no_header")
    columns = tuple(normal(cell) for cell in header[1])
    records: list[Record] = []
    for line, cells in filled:
        if len(records) >= MAX_ROWS:
            raise _refused(name, "too_many_rows", limit=MAX_ROWS)
        records.append(Record(line, _by_name(columns, cells)))
    return Table(columns, tuple(records))


def _by_name(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    padded = [*cells, *[""] * (len(columns) - len(cells))]
    return {name: one_line(cell) for name, cell in zip(columns, padded, strict=False) if name}


def normal(name: str) -> str:
    """Return a column's name without case and accents; blanks count as underscores."""
    return re.sub(r"[^a-z0-9]+", "_", plain(name).lower()).strip("_")
