"""`report`: the figures that the closing froze; before it, why there are none, and those of the moment."""

import csv
import json
import zipfile
from pathlib import Path

import pytest

from tests.functional.conftest import COORDINATOR, ZOE, Answer, Call

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
END = "2019-06-29"
WIDEST = 100


@pytest.fixture
def closed(immersed: str, done: Call) -> str:
    """Give that edition once it is over: nobody came to its end."""
    done("tick", "--no-prefect", "--at", "2019-06-28T08:00")
    done("tick", "--no-prefect", "--at", END)
    return immersed


def words(answer: Answer) -> list[str]:
    return [" ".join(line.split()) for line in answer.out.splitlines()]


@sqlite_only
def test_report_before_the_closing_is_refused_and_says_when(immersed: str, call: Call) -> None:
    said, told = call("report", "--at", "2019-02-01"), call("report", "--json")

    assert (said.status, said.out, told.refused["code"]) == (1, "", "edition_not_closed")
    assert "après le vendredi 28 juin 2019" in said.err
    assert "--now" in said.err


@sqlite_only
def test_figures_of_the_moment_say_that_they_are_not_frozen(immersed: str, done: Call) -> None:
    shown = done("report", "--now", "--at", "2019-02-01")
    told = done("report", "--now", "--json", "--at", "2019-02-01").json

    assert (told["frozen"], told["number"], told["sha256"], told["at"]) == (
        False,
        None,
        None,
        "2019-02-01T00:00:00+01:00",
    )
    assert told["figures"]["participations"]["immersed"] == 1
    assert "Chiffres du 01/02/2019 00:00, qui ne sont pas figés" in shown.out


def test_report_shows_what_the_closing_froze(closed: str, done: Call) -> None:
    status, told, shown = done("status", "--json").json, done("report", "--json").json, done("report")

    assert status["closed_at"] == told["at"] == "2019-06-29T00:00:00+02:00"
    assert (told["edition"], told["number"], told["frozen"], told["closes"]) == ("2018-2019", 1, True, "2019-06-28")
    assert {name: status[name] for name in told["figures"]} == told["figures"]
    assert words(shown)[1:3] == ["Rapport n° 1, figé le 29/06/2019 00:00.", f"SHA-256 {told['sha256']}"]
    assert "SeGEC 1 0 4 1 0 0" in words(shown)
    assert max(map(len, shown.out.splitlines())) <= WIDEST
    assert words(done("status"))[1] == "Clôturée le 29/06/2019 00:00."


@sqlite_only
def test_report_is_exported_the_same_to_csv_and_xlsx(closed: str, done: Call) -> None:
    done("report", "--output", "rapport.csv")
    answer = done("report", "--output", "out/rapport.xlsx")
    rows = list(csv.reader(Path("rapport.csv").read_text("utf-8-sig").splitlines(), delimiter=";"))

    assert rows[0] == ["Répartition", "Groupe", "Objet", "Détail", "État", "Valeur"]
    assert ["réseau", "SeGEC", "demi-jours attestés", "", "", "4"] in rows
    assert ["secteur", "Industrie", "places", "", "", "2"] in rows
    assert ["secteur", "Industrie", "taux d’occupation", "", "", "0,5"] in rows
    assert ["édition", "2018-2019", "participations", "", "classée sans suite", "3"] in rows
    assert {len(row) for row in rows} == {6}
    with zipfile.ZipFile("out/rapport.xlsx") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == len(rows)
    assert "rapport.xlsx" in answer.out


@sqlite_only
def test_second_report_and_the_first_are_both_shown(closed: str, done: Call, call: Call) -> None:
    reason = ("--reason", "Reçu sur papier.", "--data", json.dumps({"to": "evaluated"}))
    done("act", ZOE, "correct", "--by", COORDINATOR, *reason, "--at", "2019-07-02")
    done("tick", "--no-prefect", "--at", "2019-07-03")
    first, second = done("report", "--number", 1, "--json").json, done("report", "--json").json
    unknown = call("report", "--number", 3, "--json")

    assert (first["number"], second["number"], second["reports"]) == (1, 2, 2)
    assert [each["figures"]["participations"]["evaluated"] for each in (first, second)] == [0, 1]
    assert (unknown.status, unknown.refused["code"]) == (1, "unknown_report")
    assert "1 et 2" in unknown.refused["reason"]
    assert "2 rapports existent" in done("report").out
    assert done("journal", "verify", "--json").json["broken"] is None


@sqlite_only
def test_report_changed_by_hand_is_told_by_journal_verify(closed: str, call: Call) -> None:
    import sqlite3

    base = sqlite3.connect(closed.removeprefix("sqlite:///"))
    base.execute("UPDATE edition_report SET content = replace(content, 'SeGEC', 'WBE')")
    base.commit()
    base.close()
    answer = call("journal", "verify")

    assert answer.status == 1
    assert "rapport" in answer.err


@sqlite_only
def test_registrations_for_a_closed_edition_are_refused(closed: str, call: Call) -> None:
    answer = call("import", "registrations", "registrations.csv", "--at", "2019-07-02", "--json")

    assert (answer.status, answer.refused["code"]) == (1, "edition_closed")
    assert "29 juin 2019" in answer.refused["reason"]


@sqlite_only
@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        (("--now", "--number", "1"), 2, "report_now_or_number"),
        (("--output", "x.pdf"), 2, "bad_export"),
        (("--edition", "1999"), 1, "unknown_edition"),
    ],
)
def test_report_asked_wrongly_is_refused(
    loaded: str, call: Call, asked: tuple[str, ...], status: int, code: str
) -> None:
    answer = call("report", *asked, "--json")

    assert (answer.status, answer.refused["code"]) == (status, code)
