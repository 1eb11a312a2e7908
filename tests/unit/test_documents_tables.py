"""Whatever people's spreadsheets make of a table: read as it was meant, or refused with one clear code, and fast."""

import io
import random
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from time import process_time

import openpyxl
import pytest

from core.errors import InvalidFile
from documents.tables import MAX_BYTES, MAX_ROWS, Record, Table, normal, read_table

ROOT = Path(__file__).parents[2]


def rows(table: Table) -> list[tuple[int, tuple[str, ...]]]:
    return [(record.line, tuple(record.values.values())) for record in table.records]


def spreadsheet(*lines: Sequence[object]) -> bytes:
    book = openpyxl.Workbook()
    for line in lines:
        book.active.append(list(line))
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidFile) as caught:
        read_table(data, "table")
    assert (caught.value.name, len(caught.value.problems)) == ("table", 1)
    return caught.value.code


# ------------------------------------------------------------------------------------------------------------------ CSV
TEXT = "nom;prénom\nDupont;Éléonore\nDœuf;Zoë\n"
READ = [(2, ("Dupont", "Éléonore")), (3, ("Dœuf", "Zoë"))]


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        TEXT.replace(";", ",").encode(),
        TEXT.replace(";", "\t").encode(),
        TEXT.replace(";", "|").encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode("cp1252"),  # an old Mac's
        TEXT.rstrip().encode(),  # no last line end
        ("\n\n" + TEXT).encode()[2:],
    ],
    ids=["utf-8", "bom", "cp1252", "comma", "tab", "bar", "crlf", "cr", "no-end", "plain"],
)
def test_text_is_read_alike_in_every_encoding_and_separator(data: bytes) -> None:
    table = read_table(data, "table")

    assert (table.columns, rows(table)) == (("nom", "prenom"), READ)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('a;b\n"x\ny";1\nz;2\n', [(2, ("x y", "1")), (4, ("z", "2"))]),  # a cell over two lines: its first one counts
        ('a;b\n1;"x\r\ny\r\nz"\n2;w\n', [(2, ("1", "x y z")), (5, ("2", "w"))]),
        ("a;b\n\n1;2\n\n\n3;4\n", [(3, ("1", "2")), (6, ("3", "4"))]),  # empty lines are counted, not read
        ("a;b\n;\n1;2\n  ;  \n", [(3, ("1", "2"))]),
        ("\n\na;b\n1;2\n", [(4, ("1", "2"))]),  # empty lines before the header
        ('a;b\n"1;5";2\n', [(2, ("1;5", "2"))]),
        ('a;b\n"say ""yes""";2\n', [(2, ('say "yes"', "2"))]),
        ("a;b\n1\n1;2;3\n", [(2, ("1", "")), (3, ("1", "2"))]),  # too few cells, too many
        ("a;b\n  x \t y ; 2 \n", [(2, ("x y", "2"))]),  # blanks within and around
        ("a;b\nx\u00a0y\u2009z;2\n", [(2, ("x y z", "2"))]),  # no-break and thin spaces too
        ("a;b;\n1;2;\n", [(2, ("1", "2"))]),  # a last column without a name
        ("a\n1\n2\n", [(2, ("1",)), (3, ("2",))]),  # one column, no separator at all
        ("a,b;c,d,e\n1,2,3,4\n", [(2, ("1", "2", "3", "4"))]),  # the separator that the header holds most of
    ],
)
def test_cells_are_read_with_the_line_they_begin_on(text: str, read: list[tuple[int, tuple[str, ...]]]) -> None:
    assert rows(read_table(text.encode(), "table")) == read


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Prénom", "prenom"),
        (" ÉCOLE FASE ", "ecole_fase"),
        ("école-fase", "ecole_fase"),
        ("voeu_1", "voeu_1"),
        ("Vœu 1", "voeu_1"),  # as French writes it
        ("", ""),
        ("—", ""),
    ],
)
def test_column_name_is_read_without_case_accents_and_blanks(header: str, name: str) -> None:
    assert normal(header) == name


def test_header_alone_is_a_table_without_records() -> None:
    table = read_table(b"a;b\n", "table")

    assert (table.columns, table.records) == (("a", "b"), ())


def test_column_named_twice_stays_visible_to_the_caller() -> None:
    assert read_table("Prénom;prenom\nx;y\n".encode(), "table").columns == ("prenom", "prenom")


# ----------------------------------------------------------------------------------------------------------------- XLSX
def test_spreadsheet_cells_are_read_as_somebody_would_have_typed_them() -> None:
    data = spreadsheet(
        ("Référence", "Places", "Date", "Heure", "Collective", "FASE", "Vide"),
        ("SAFRAN-01", 4, date(2019, 3, 14), time(8, 30), True, 90020.0, None),
        (
            "STIB-01",
            2.5,
            datetime(2019, 3, 14),  # noqa: DTZ001 - as a spreadsheet has it
            None,
            False,
            "00123",
            "",
        ),
    )

    table = read_table(data, "table")

    assert table.columns == ("reference", "places", "date", "heure", "collective", "fase", "vide")
    assert rows(table) == [
        (2, ("SAFRAN-01", "4", "2019-03-14", "08:30:00", "True", "90020", "")),
        (3, ("STIB-01", "2.5", "2019-03-14", "", "False", "00123", "")),
    ]


def test_spreadsheet_line_is_its_row_also_after_empty_ones() -> None:
    data = spreadsheet((), ("a", "b"), (), ("1", "2"), (), ("3", "4"))

    assert rows(read_table(data, "table")) == [(4, ("1", "2")), (6, ("3", "4"))]


def test_spreadsheet_is_read_from_its_first_sheet_only() -> None:
    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append(["x"])
    book.create_sheet("other").append(["b"])

    assert rows(read_table(saved(book), "table")) == [(2, ("x",))]


def test_spreadsheet_formula_is_its_value_or_nothing() -> None:
    """A file that no spreadsheet has calculated yet holds no value; a formula itself never comes through as text."""
    table = read_table(spreadsheet(("a", "b"), ("x", "=1+1")), "table")

    assert rows(table) == [(2, ("x", ""))]


def test_stray_cell_far_below_does_not_count_as_rows() -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append(["1", "2"])
    book.active.cell(1_048_576, 2, " ")

    assert rows(read_table(saved(book), "table")) == [(2, ("1", "2"))]


def test_too_many_rows_in_a_spreadsheet_are_refused() -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for _ in range(MAX_ROWS + 2):
        sheet.append(["x"])

    assert refusal(saved(book)) == "too_many_rows"


def test_control_characters_in_a_spreadsheet_are_refused_as_in_text() -> None:
    """Spreadsheets may hold them in an escaped form; PostgreSQL takes no NUL in a text."""
    assert refusal(spreadsheet(("a", "b"), ("x_x0000_y", "z"))) == "not_text"


# -------------------------------------------------------------------------------------------------------------- refused
NO_TABLE = {
    "nothing": (b"", "no_header"),
    "bom-alone": (b"\xef\xbb\xbf", "no_header"),
    "blank": (b"\n\n;;\n  \n", "no_header"),
    "binary": (bytes(range(256)) * 10, "not_text"),
    "nul": (b"a;b\n1;\x00\n", "not_text"),
    "no-encoding": (b"a;b\n1;\x81\n", "not_text"),  # in neither of the two
    "pdf": (b"%PDF-1.7\n\x01\x02", "not_text"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "not_text"),  # a spreadsheet of before 2007
    "utf-16": (TEXT.encode("utf-16"), "not_text"),
    "endless-cell": (b"a;b\n" + b"x" * 200_000 + b";1\n", "unreadable"),
    "open-quote": (b'a;b\n"' + b"x;1\n" * 60_000, "unreadable"),
    "many-rows": (b"a;b\n" + b"1;2\n" * (MAX_ROWS + 1), "too_many_rows"),
    "zip-mark": (b"PK\x03\x04", "unreadable"),
    "zip-zeros": (b"PK\x03\x04" + bytes(1000), "unreadable"),
}


@pytest.mark.parametrize(("data", "code"), NO_TABLE.values(), ids=NO_TABLE)
def test_data_that_is_no_table_is_refused_with_one_code(data: bytes, code: str) -> None:
    assert refusal(data) == code


@pytest.mark.parametrize(("size", "code"), [(MAX_BYTES, "unreadable"), (MAX_BYTES + 1, "too_large")])
def test_size_is_allowed_up_to_its_limit(size: int, code: str) -> None:
    assert refusal(b"x" * size) == code


def test_as_many_rows_as_allowed_are_read() -> None:
    assert len(read_table(b"a\n" + b"1\n" * MAX_ROWS, "table").records) == MAX_ROWS


@pytest.mark.parametrize("share", range(1, 12))
def test_truncated_spreadsheet_is_refused(share: int) -> None:
    data = spreadsheet(("a", "b"), *(("x", number) for number in range(200)))

    assert refusal(data[: len(data) * share // 12]) == "unreadable"


def test_damaged_spreadsheet_is_read_or_refused_never_an_error() -> None:
    data = spreadsheet(("a", "b"), *(("x", number) for number in range(50)))
    luck = random.Random(2018)

    answers = set()
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(luck.randint(1, 30)):
            damaged[luck.randrange(4, len(damaged))] = luck.randrange(256)
        try:
            read_table(bytes(damaged), "table")
            answers.add("read")
        except InvalidFile as refused:
            answers.add(refused.code)

    assert "unreadable" in answers
    assert answers <= {"read", "unreadable", "no_header", "not_text", "too_large", "too_many_rows"}


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content", [b"hello", bytes(100_000_000), b"<workbook/>"], ids=["letter", "hundred-megabytes", "half-a-workbook"]
)
def test_archive_that_is_no_spreadsheet_is_refused(content: bytes) -> None:
    assert refusal(zipped(workbook=content)) == "unreadable"


# ------------------------------------------------------------------------------------------------ size, time and memory
@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: random.Random(1).randbytes(50_000_000), "too_large"),
        (lambda: b"nom;prenom\n" + b"x;y\n" * 12_500_000, "too_large"),
        (lambda: random.Random(1).randbytes(9_900_000), "not_text"),
        (lambda: b"PK\x03\x04" + random.Random(1).randbytes(9_900_000), "unreadable"),
    ],
    ids=["50MB-noise", "50MB-text", "10MB-noise", "10MB-zip"],
)
def test_noise_is_refused_at_once(make: Callable[[], bytes], code: str) -> None:
    data = make()
    begun = process_time()

    answer = refusal(data)

    assert (answer, process_time() - begun < 1) == (code, True)


# a child process with 320 megabytes of its own: what would not fit kills it, without any exception
CHILD = """
    import resource, sys
    sys.path.insert(0, {root!r})
    resource.setrlimit(resource.RLIMIT_AS, (320 << 20, 320 << 20))
    from core.errors import InvalidFile
    from documents.tables import read_table
    try:
        print(len(read_table(sys.stdin.buffer.read(), "table").records), "read")
    except InvalidFile as refused:
        print(refused.code)
"""


def read_by_a_child(data: bytes) -> tuple[int, str]:
    code = textwrap.dedent(CHILD).format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode().strip()


def test_stray_cell_in_the_far_corner_does_not_kill_the_process() -> None:
    """Five kilobytes that claim 17 billion cells; a formatted last column does that to an honest file."""
    book = openpyxl.Workbook()
    book.active["A1"] = "a"
    book.active.cell(1_048_576, 16_384, "x")

    status, answer = read_by_a_child(saved(book))

    assert (status, answer) in {(0, "unreadable"), (0, "too_large"), (0, "too_many_rows"), (0, "0 read")}


SHEET = "xl/worksheets/sheet1.xml"


def rewritten(**parts: bytes) -> bytes:
    """A small honest spreadsheet in which some parts are others, by name."""
    honest = zipfile.ZipFile(io.BytesIO(spreadsheet(("a",), ("zzz",))))
    return zipped(**{name: honest.read(name) for name in honest.namelist()} | parts)


def test_row_far_below_whose_cells_name_no_place_does_not_kill_the_process() -> None:
    """Three kilobytes: cells without a reference count from the row's own number, which is the last there is."""
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    row = b'<row r="1048576">' + b"<c><v>1</v></c>" * 16_000 + b"</row>"

    assert refusal(rewritten(**{SHEET: head + row + b"</sheetData></worksheet>"})) in {"too_large", "no_header"}


def test_text_that_many_cells_share_does_not_kill_the_process() -> None:
    head = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    row = b"<row>" + b'<c t="s"><v>0</v></c>' * 5_000 + b"</row>"
    shared = (
        b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="1" uniqueCount="1"><si><t>'
        + b"z" * 9_000_000
        + b"</t></si></sst>"
    )
    parts = {SHEET: head + row + b"</sheetData></worksheet>", "xl/sharedStrings.xml": shared}

    assert refusal(rewritten(**parts)) == "too_large"


def test_spreadsheet_that_unpacks_to_hundreds_of_megabytes_is_refused() -> None:
    honest = zipfile.ZipFile(io.BytesIO(spreadsheet(("a",), ("zzz",))))
    members = {name: honest.read(name) for name in honest.namelist()}
    bomb = {name: content.replace(b"zzz", b"z" * 120_000_000) for name, content in members.items()}
    data = zipped(**bomb)
    assert len(data) < MAX_BYTES

    assert read_by_a_child(data) in {(0, "unreadable"), (0, "too_large")}


def test_record_is_by_column_name() -> None:
    assert read_table(b"a;b\n1;2\n", "table").records == (Record(2, {"a": "1", "b": "2"}),)


def test_quote_in_the_wrong_place_names_its_line() -> None:
    data = 'a;b\n1;2\n3;"x"@z.be\n5;6\n'

    with pytest.raises(InvalidFile) as refused:
        read_table(data.encode(), "table")

    assert [(each.code, each.line) for each in refused.value.problems] == [("bad_quotes", 3)]


def test_marks_without_a_width_are_gone() -> None:
    """They would hide in a name, or turn it around where it is shown."""
    data = "a;b\nJo\u200b Lux;\u202eabc\u202c\n\u200b;x\n"

    assert rows(read_table(data.encode(), "table")) == [(2, ("Jo Lux", "abc")), (3, ("", "x"))]
