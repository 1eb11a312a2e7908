import csv
import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime

import openpyxl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from documents.packet import Note, Packet
from documents.sheets import COLUMNS, batch_csv, batch_xlsx, guarded
from notifications.words import vocabulary
from states.names import Role
from tests.support.packets import FRENCH, OFFERED_AT, bare, company, packet, teacher

# Whatever a name may hold: halves of characters have no UTF-8; U+FFFE and U+FFFF are written as Excel wants them, which
# the reader below does not undo.
nasty = st.text(
    st.one_of(st.sampled_from("=+-@|'\";\t\r\n\x00\x01\x7f\x85_x0041<r>/&"), st.characters(exclude_categories=["Cs"])),
    min_size=1,
    max_size=30,
).filter(lambda text: not set(text) & {"\ufffe", "\uffff"})

Written = str | float | date | None


def csv_rows(packets: Sequence[Packet]) -> list[list[str]]:
    text = batch_csv(packets, FRENCH).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=";", strict=True))


def xlsx_rows(packets: Sequence[Packet]) -> list[list[Written]]:
    """Read with the reader that gives every letter back."""
    book = CalamineWorkbook.from_filelike(io.BytesIO(batch_xlsx(packets, FRENCH)))
    rows: list[list[Written]] = book.get_sheet_by_index(0).to_python(skip_empty_area=False)  # type: ignore[assignment]
    return rows


def sheet(packets: Sequence[Packet]) -> openpyxl.worksheet.worksheet.Worksheet:
    return openpyxl.load_workbook(io.BytesIO(batch_xlsx(packets, FRENCH))).active


def as_csv(cell: Written) -> str:
    """Write a cell of XLSX the way the CSV does, but for the apostrophe of the guard."""
    if isinstance(cell, float):
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else cell or ""


def place(code: str) -> int:
    return [column.code for column in COLUMNS].index(code)


def nasty_packet(text: str) -> Packet:
    return packet(
        teacher=teacher(name=text, courses=text),
        company=company(offer=text),
        notes=(Note(at=OFFERED_AT, role=Role.TEACHER, text=text),),
    )


def test_a_row_says_what_the_packet_says() -> None:
    header, row = csv_rows([packet()])

    assert dict(zip(header, row, strict=True)) == {
        "Référence": "2018-2019-0001",
        "But": "transfert",
        "Tour": "1",
        "De": "IFC",
        "À": "FCC",
        "Proposé le": "2019-01-29",
        "Réponse au plus tard le": "2019-02-12",
        "Édition": "2018-2019",
        "Nom": "Benoît Lambert",
        "Courriel": "benoit.lambert@ecole-quatre-vents.example",
        "Téléphone": "'+32 4 000 00 00",
        "Fonction": "enseignant ou enseignante",
        "Réseau": "WBE",
        "Enseignement": "ordinaire",
        "Bassin": "Liège",
        "Cours": "Usinage et commandes numériques",
        "N° FASE": "90020",
        "Établissement": "Athénée royal des Quatre-Vents",
        "Entreprise": "SAFRAN",
        "Secteur": "Industrie",
        "Offre": "Usinage de précision de pièces de moteurs d’avion",
        "Lieu": "Ateliers de Herstal",
        "Commune": "Herstal",
        "Contact en entreprise": "Anouk Ransonnet",
        "Courriel du contact": "anouk.ransonnet@safran.example",
        "Premier jour": "2019-01-24",
        "Dernier jour": "2019-01-25",
        "Présences": (
            "jeudi 24 janvier 2019 (matin présence, après-midi présence)\n"
            "vendredi 25 janvier 2019 (matin présence, après-midi absence)"
        ),
        "Demi-jours de présence": "3",
        "Demi-jours prévus": "4",
        "Notes": "Le contrôle qualité occupe la moitié du temps d’usinage.",
        "Points ouverts": "L’après-midi du 25 est à rattraper ou à justifier.",
        "Documents": "convention.pdf",
    }


def test_what_is_not_known_is_left_empty() -> None:
    header, row = csv_rows([bare()])

    assert {name for name, cell in zip(header, row, strict=True) if cell} == {
        "Référence",
        "But",
        "Tour",
        "De",
        "À",
        "Proposé le",
        "Édition",
        "Nom",
        "Fonction",
        "Entreprise",
        "Secteur",
        "Offre",
        "Demi-jours de présence",
        "Demi-jours prévus",
    }


@pytest.mark.parametrize("batch", [[], [packet()], [packet(), bare(), packet()]], ids=("none", "one", "three"))
def test_csv_and_xlsx_have_equal_cells(batch: list[Packet]) -> None:
    found = [[as_csv(cell) for cell in row] for row in xlsx_rows(batch)]

    assert [[guarded(cell) for cell in row] for row in found] == csv_rows(batch)
    assert len(found) == len(batch) + 1


@given(nasty)
@example("=1+1")
@example("\t=1+1")
@example("\r=1")
@example("<r><t>x</t></r>")
@example("<r></broken></r>")
@example("_x0041_")
def test_any_text_stands_in_both_and_runs_in_neither(text: str) -> None:
    written = csv_rows([nasty_packet(text)])[1]
    shown = xlsx_rows([nasty_packet(text)])[1]
    kept = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = f" {kept}" if kept.startswith("<r>") else kept

    for code in ("name", "courses", "offer", "notes"):
        assert shown[place(code)] == kept
        assert written[place(code)] == guarded(kept)
        assert not written[place(code)].startswith(("=", "+", "-", "@", "\t", "\n", "\x00"))


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "1", "2019-03-14", "https://x.example"])
def test_text_is_text_in_the_spreadsheet(text: str) -> None:
    cell = sheet([nasty_packet(text)]).cell(2, place("name") + 1)

    assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1", "'=1"),
        ("+32 4", "'+32 4"),
        ("-", "'-"),
        ("@a", "'@a"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\x00", "'\x00"),
        ("\x85x", "'\x85x"),
        ("", ""),
        ("a=1", "a=1"),
        (" =1", " =1"),
        ("'=1", "'=1"),
        ("été", "été"),
    ],
)
def test_guard_stands_before_what_would_run(text: str, safe: str) -> None:
    assert guarded(text) == safe


def test_dates_are_dates_and_numbers_are_numbers() -> None:
    row = {code.code: cell for code, cell in zip(COLUMNS, sheet([packet()])[2], strict=True)}

    assert [row[code].value for code in ("offered_on", "answer_by", "first_day", "last_day")] == [
        datetime(2019, 1, 29),  # noqa: DTZ001 - as the reader gives a day
        datetime(2019, 2, 12),  # noqa: DTZ001 - as above
        datetime(2019, 1, 24),  # noqa: DTZ001 - as above
        datetime(2019, 1, 25),  # noqa: DTZ001 - as above
    ]
    assert row["answer_by"].number_format == "dd/mm/yyyy"
    assert [row[code].value for code in ("round", "half_days_present", "half_days_planned")] == [1, 3, 4]


def test_an_offer_late_in_the_evening_is_dated_as_in_brussels() -> None:
    late = packet(
        handoff=packet().handoff.model_copy(update={"offered_at": datetime.fromisoformat("2019-01-29T23:30Z")})
    )

    assert csv_rows([late])[1][place("offered_on")] == "2019-01-30"


def test_header_stays_in_sight_and_filters() -> None:
    made = sheet([packet(), bare()])

    assert made.title == "Relais"
    assert made.freeze_panes == "B2"
    assert made.auto_filter.ref == "A1:AG3"
    assert made.column_dimensions["I"].width == pytest.approx(26, abs=1)
    assert all(cell.font.bold for cell in made[1])


def test_csv_begins_with_the_mark_that_spreadsheets_look_for() -> None:
    assert batch_csv([], FRENCH).startswith("\ufeffRéférence;But;".encode())


def test_the_same_batch_is_the_same_bytes() -> None:
    batch = [packet(), bare()]

    assert batch_csv(batch, FRENCH) == batch_csv(batch, FRENCH)
    assert batch_xlsx(batch, FRENCH) == batch_xlsx(batch, FRENCH)
    with zipfile.ZipFile(io.BytesIO(batch_xlsx(batch, FRENCH))) as archive:
        assert b"1980-01-01" in archive.read("docProps/core.xml")  # no clock of the machine's


def test_a_text_longer_than_a_cell_is_cut_the_same_way_in_both() -> None:
    long = nasty_packet("😀" * 40_000)

    cell = csv_rows([long])[1][place("notes")]

    assert cell == "😀" * 16_000 + "…"
    assert xlsx_rows([long])[1][place("notes")] == cell


def test_every_column_has_its_heading_and_no_heading_is_left_over() -> None:
    assert vocabulary("fr").labels["packet_column"].keys() == {column.code for column in COLUMNS}
    assert len({column.code for column in COLUMNS}) == len(COLUMNS)
