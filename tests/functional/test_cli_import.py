"""`import`: what goes in, what is told of what does not, and files that are no files at all."""

import errno
import os
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.functional.conftest import OFFERS, REGISTRATIONS, ZOE, Call

AT = ("--at", "2018-10-01")
sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])

BAD_ROWS = (
    "reference;entreprise;secteur;intitule;places;date_debut;date_fin;contact_nom;contact_email\n"
    "NEW-01;NEW;Industrie;Tournage;3;2019-02-30;;Anne Vos;anne.vos@new.example\n"
    "NEW-02;NEW;Industrie;Fraisage;3;14/03/2019;15/03/2019;Anne Vos;anne.vos@new.example\n"
    "NEW-02;NEW;Industrie;Fraisage;3;;;Anne Vos;anne.vos@new.example\n"
    "NEW-03;NEW;Industrie;Forage;zéro;;;Anne Vos;anne.vos@new.example\n"
    '"NEW-04";NEW;Industrie;"Sur\ndeux lignes";1;;;Anne Vos;nobody\n'
    "ACME-01;OTHER;Industrie;Usinage;2;2019-01-24;2019-01-25;Anne Vos;anne.vos@acme.example\n"
)


def test_good_rows_go_in_bad_rows_are_told(loaded: str, call: Call, done: Call) -> None:
    Path("bad.csv").write_text(BAD_ROWS)

    answer = call("import", "offers", "bad.csv", *AT, "--json")
    report = answer.json

    assert (answer.status, answer.err) == (1, "")
    assert (report["accepted"], report["unchanged"]) == (1, 0)
    assert [(each["line"], each["column"], each["value"], each["code"]) for each in report["rejected"]] == [
        (2, "date_debut", "2019-02-30", "bad_date"),
        (4, "reference", "NEW-02", "duplicate_row"),
        (5, "places", "zéro", "bad_number"),
        (6, "contact_email", "nobody", "bad_email"),
        (8, "reference", "ACME-01", "offer_conflict"),
    ]
    assert all(each["reason"].endswith(".") for each in report["rejected"])
    assert done("status", "--json").json["places"] == 6


@sqlite_only
def test_rejected_rows_are_a_table_for_a_person(loaded: str, call: Call) -> None:
    Path("bad.csv").write_text(BAD_ROWS)

    answer = call("import", "offers", "bad.csv", *AT)

    assert answer.status == 1
    assert answer.out.splitlines()[0] == "Lignes prises\u00a0: 1\u202f; déjà connues\u00a0: 0\u202f; refusées\u00a0: 5."
    assert answer.out.splitlines()[1].split() == ["Ligne", "Colonne", "Valeur", "Raison"]
    assert "    2   date_debut      2019-02-30   Ce n’est pas une date" in answer.out
    assert max(map(len, answer.out.splitlines())) <= 100


def test_dry_run_changes_nothing(loaded: str, call: Call, done: Call) -> None:
    Path("bad.csv").write_text(BAD_ROWS)

    dry = call("import", "offers", "bad.csv", *AT, "--dry-run", "--json")
    wet = call("import", "offers", "bad.csv", *AT, "--json")
    told = done("import", "offers", "offers.csv", "--dry-run")

    assert (dry.status, dry.json["dry_run"], wet.json["dry_run"]) == (1, True, False)
    assert {**dry.json, "dry_run": False} == wet.json
    assert "rien n’est enregistré" in told.out


def test_repeating_changes_nothing(loaded: str, done: Call) -> None:
    for kind in ("offers", "registrations"):
        report = done("import", kind, f"{kind}.csv", *AT, "--json").json

        assert (report["accepted"], report["rejected"]) == (0, [])
    assert done("status", "--json").json["total"] == 3


@sqlite_only
def test_preparations_in_bulk(loaded: str, call: Call, done: Call) -> None:
    Path("done.csv").write_text("Email,Date\nzoe.noel@saint-luc.example,14/09/2018\nnobody@x.example,2018-09-14\n")

    answer = call("import", "preparations", "done.csv", *AT, "--json")

    assert (answer.status, answer.json["accepted"]) == (1, 1)
    assert [(each["line"], each["code"]) for each in answer.json["rejected"]] == [(3, "unknown_person")]
    assert [fact["on"] for fact in done("show", ZOE, "--json").json["facts"]] == ["2018-09-14"]


@sqlite_only
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [";", ","])
def test_encodings_and_separators(loaded: str, done: Call, encoding: str, separator: str) -> None:
    header, row = REGISTRATIONS.splitlines()[:2]
    content = f"{header}\n{row}\n".replace("zoe.noel@", "zoe2@").replace(";", separator)
    Path("new.csv").write_bytes(content.encode(encoding))

    assert done("import", "registrations", "new.csv", *AT, "--json").json["accepted"] == 1
    assert done("show", "2018-2019-0004", "--json").json["teacher"]["name"] == "Zoé Noël"


@sqlite_only
def test_spreadsheet_and_its_rows(loaded: str, call: Call, done: Call) -> None:
    book = Workbook()
    header, first, *_ = (line.split(";") for line in OFFERS.splitlines())
    book.active.append(header)
    book.active.append(["XLS-01", *first[1:4], 4, date(2019, 3, 14), date(2019, 3, 15), *first[7:]])
    book.active.append(["XLS-02", *first[1:4], -1, None, None, *first[7:]])
    book.save("offers.xlsx")

    answer = call("import", "offers", "offers.xlsx", *AT, "--json")

    assert answer.json["accepted"] == 1
    assert [(each["line"], each["code"]) for each in answer.json["rejected"]] == [(3, "bad_number")]
    assert done("status", "--json").json["places"] == 7


def nasty_files() -> dict[str, bytes]:
    header = OFFERS.splitlines()[0]
    return {
        "empty.csv": b"",
        "header.csv": header.encode(),
        "columns.csv": b"nom;prenom\nA;B\n",
        "unknown.csv": f"{header};couleur\n".encode() + b";" * 9 + b"\n",
        "binary.csv": bytes(range(256)) * 100,
        "image.csv": b"\x89PNG\r\n\x1a\n" + os.urandom(1000),
        "utf16.csv": OFFERS.encode("utf-16"),
        "zip.xlsx": b"PK\x03\x04" + os.urandom(1000),
        "noise.csv": os.urandom(20_000_000),
        "noise-text.csv": b"a;b\n" * 4_000_000,
        "one-line.csv": b'"' + b"x" * 1_000_000,
        "quotes.csv": f'{header}\n"'.encode() + b"x" * 200_000,
    }


@sqlite_only
def test_nasty_files_are_refused_whole_with_a_reason(
    loaded: str, call: Call, done: Call, subtests: pytest.Subtests
) -> None:
    before = done("status", "--json", *AT).out
    for name, content in nasty_files().items():
        with subtests.test(name):
            Path(name).write_bytes(content)

            refused = call("import", "offers", name, *AT, "--json")
            told = call("import", "offers", name, *AT)

            assert refused.status == told.status == 1
            assert (refused.json["accepted"], refused.json["unchanged"]) == (0, 0)
            assert refused.json["rejected"][0]["reason"].endswith(".")
            assert "expected" not in told.out + told.err
    assert done("status", "--json", *AT).out == before


def missing() -> dict[str, tuple[str, int, str]]:
    return {
        "missing": ("nothing.csv", 2, "file_missing"),
        "directory": (".", 2, "file_is_directory"),
        "in a file": ("offers.csv/x.csv", 2, "file_missing"),
        "long name": ("x" * 5000, 2, "file_missing"),
        "endless": ("/dev/zero", 1, "too_large"),
        "hollow": ("/dev/null", 1, "no_header"),
    }


@sqlite_only
def test_files_that_are_none(loaded: str, call: Call, subtests: pytest.Subtests) -> None:
    for name, (path, status, code) in missing().items():
        with subtests.test(name):
            answer = call("import", "offers", path, *AT, "--json")

            assert answer.status == status
            told = answer.json
            assert (told["refused"] if "refused" in told else told["rejected"][0])["code"] == code


@sqlite_only
@pytest.mark.parametrize(("fault", "code"), [(errno.EACCES, "file_forbidden"), (errno.EIO, "file_unreadable")])
def test_file_that_cannot_be_read(
    loaded: str, call: Call, monkeypatch: pytest.MonkeyPatch, fault: int, code: str
) -> None:
    def closed(path: Path, *_: object) -> None:
        raise OSError(fault, os.strerror(fault), str(path))

    monkeypatch.setattr(Path, "open", closed)  # nothing is forbidden to root, as whom tests may run

    answer = call("import", "offers", "offers.csv", "--json")

    assert (answer.status, answer.refused["code"]) == (1, code)
    assert "offers.csv" in answer.refused["reason"]


@sqlite_only
def test_edition_must_be_known(loaded: str, call: Call) -> None:
    answer = call("import", "offers", "offers.csv", "--edition", "1999-2000", "--json")

    assert (answer.status, answer.refused["code"], answer.refused["allowed"]) == (1, "unknown_edition", ["2018-2019"])
