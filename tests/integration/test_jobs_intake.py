"""Files that wait in the inbox: each is taken once, told of, and moved out of the way, whatever it holds."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from documents.tables import MAX_BYTES, read_table
from jobs import intake
from jobs.leases import HELD_FOR
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import OFFERS, PEOPLE, REGISTERED_AT, World, a_world


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world with offers and nobody registered."""
    with a_world(databases, database_kind, tmp_path, worlds.only_offers) as world:
        (world.folder / "inbox").mkdir(parents=True)
        yield world


def drop(world: World, name: str, content: str | bytes) -> Path:
    path = world.folder / "inbox" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def take(world: World) -> dict[str, int]:
    return dict(intake.run(world.workshop, REGISTERED_AT).counts)


def inbox(world: World) -> set[str]:
    root = world.folder / "inbox"
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def report(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.folder / "inbox" / f"{name}.report.json").read_text(encoding="utf-8"))
    return found


def test_good_file_is_imported_and_moved_with_its_report(world: World) -> None:
    drop(world, "registrations-1.csv", PEOPLE)

    assert take(world)["imported"] == 1
    assert inbox(world) == {"done/registrations-1.csv", "done/registrations-1.csv.report.json"}
    assert report(world, "done/registrations-1.csv")["accepted"] == 4
    assert world.one("SELECT count(*) FROM participation") == 4
    assert not intake.has_work(world.folder / "inbox")


def test_files_of_one_name_keep_a_report_each(world: World) -> None:
    """The same stem with two endings, and the same name again: no report is written over."""
    bad = OFFERS.replace(";2;", ";many;")
    drop(world, "offers.csv", bad)
    drop(world, "offers.xlsx", b"PK\x03\x04 no spreadsheet")
    take(world)
    drop(world, "offers.csv", OFFERS)
    take(world)

    assert [each["column"] for each in report(world, "done/offers.csv")["rejected"]] == ["places"]
    assert report(world, "done/offers-2.csv")["unchanged"] == 3
    assert report(world, "refused/offers.xlsx")["rejected"][0]["code"] == "unreadable"


def test_report_says_in_words_what_is_wrong_and_where(world: World) -> None:
    drop(world, "offers.csv", OFFERS.replace(";2;", ";many;"))
    take(world)

    (rejected,) = report(world, "done/offers.csv")["rejected"]
    assert (rejected["line"], rejected["column"], rejected["value"]) == (2, "places", "many")
    assert rejected["reason"].endswith(".")
    assert " " in rejected["reason"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "no_header"),
        (bytes(range(256)) * 10, "not_text"),
        (b"nom;prenom\nx;y\n", "missing_columns"),
        (b"x" * (MAX_BYTES + 1), "too_large"),
    ],
    ids=["empty", "binary", "columns", "too large"],
)
def test_bad_file_is_refused_and_stops_no_other(world: World, content: bytes, code: str) -> None:
    drop(world, "offers-0.csv", content)
    drop(world, "registrations-1.csv", PEOPLE)

    assert take(world)["refused"] == 1
    assert report(world, "refused/offers-0.csv")["rejected"][0]["code"] == code
    assert world.one("SELECT count(*) FROM participation") == 4


def test_what_is_not_ours_to_import_stays(world: World) -> None:
    drop(world, "notes.csv", "a;b")
    drop(world, "offers.txt", OFFERS)
    (world.folder / "inbox" / "offers-2.csv").symlink_to(drop(world, "elsewhere/offers", OFFERS))

    assert not intake.has_work(world.folder / "inbox")
    assert take(world) == {}


def test_file_of_an_unknown_edition_is_refused(world: World) -> None:
    drop(world, "1999/offers.csv", OFFERS)

    assert take(world) == {"refused": 1}
    assert report(world, "refused/offers.csv")["rejected"][0]["code"] == "unknown_edition"


def test_import_held_by_another_is_told_and_taken_up_when_its_lease_ends(world: World) -> None:
    """A process killed amid an import leaves its lease; ticks until then must not say that nothing was due."""
    drop(world, "registrations-1.csv", PEOPLE)
    world.change(
        "INSERT INTO lease (name, holder, until) VALUES ('intake', 'dead', :u)",
        u=(world.wall() + HELD_FOR).strftime("%Y-%m-%d %H:%M:%S.%f"),
    )

    assert take(world) == {"busy": 1}
    world.wall.now += HELD_FOR + timedelta(days=1)
    assert take(world)["imported"] == 1


def test_fault_of_ours_on_one_file_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(world, "offers-0.csv", OFFERS)
    drop(world, "registrations-1.csv", PEOPLE)

    def failing(data: bytes, name: str) -> Any:
        if name == "offers-0.csv":
            raise RuntimeError(name)
        return read_table(data, name)

    monkeypatch.setattr(intake, "read_table", failing)

    assert take(world)["set_aside"] == 1
    assert report(world, "refused/offers-0.csv")["rejected"][0]["code"] == "unreadable"
    assert world.one("SELECT count(*) FROM participation") == 4
