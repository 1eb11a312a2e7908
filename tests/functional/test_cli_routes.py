"""`routes preview` and `routes apply`: what other routes would move, and moving it on confirmation."""

import json
from pathlib import Path

import pytest

from tests.functional.conftest import COORDINATOR, EDITION, INSTITUTE, ZOE, Call

AT = "2019-01-26T09:00"
OTHER = "other.toml"
MOVE = {"reference": ZOE, "round": 1, "status": "offered", "before": "CECAFOC", "after": "FCC"}

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
pytestmark = on_sqlite


@pytest.fixture
def other(immersed: str) -> str:
    """Write an edition file whose only difference is that FCC serves SeGEC."""
    text = EDITION.read_text(encoding="utf-8")
    head, routes, tail = text.partition('institute = "CECAFOC"')
    assert routes
    Path(OTHER).write_text(f'{head}institute = "FCC"{tail}', encoding="utf-8")
    return immersed


def test_preview_is_said_to_people_and_programs_and_writes_nothing(other: str, done: Call) -> None:
    before = done("show", ZOE, "--json").json

    text = done("routes", "preview", OTHER, "--at", AT).out
    found = done("routes", "preview", OTHER, "--at", AT, "--json").json

    assert "Relais qui changent de destination" in text
    assert ZOE in text
    assert found == {
        "edition": "2018-2019",
        "revision": 1,
        "changes": found["changes"],
        "moves": [MOVE],
        "kept": [],
        "unaffected": 0,
        "not_immersed": {"total": 0, "elsewhere": 0},
        "other_rules": 0,
    }
    assert {change.partition("[")[0] for change in found["changes"]} == {"routes"}
    assert done("show", ZOE, "--json").json == before


def test_apply_without_confirmation_only_says_how_to_confirm(other: str, done: Call) -> None:
    said = done("routes", "apply", OTHER, "--by", COORDINATOR, "--reason", "Nouvelle convention.", "--at", AT).out

    assert "Rien n’est enregistré" in said
    assert f"entrapprendre routes apply {OTHER} --by coordinator:ADRESSE --reason MOTIF --confirm 1" in said
    assert done("routes", "preview", OTHER, "--at", AT, "--json").json["revision"] == 1


def test_apply_with_the_number_moves_and_the_next_tick_offers(other: str, done: Call) -> None:
    moved = done(
        *("routes", "apply", OTHER, "--by", COORDINATOR, "--reason", "Nouvelle convention."),
        *("--at", AT, "--confirm", 1, "--json"),
    ).json
    done("tick", "--no-prefect", "--at", "2019-01-26T10:00")

    assert moved == {"edition": "2018-2019", "revision": 2, "moved": [MOVE], "following": 1}
    rounds = done("show", ZOE, "--json").json["handoffs"]
    assert [(each["status"], each["to"]) for each in rounds] == [("closed", "CECAFOC"), ("offered", "FCC")]
    assert done("journal", "verify").status == 0


@pytest.mark.parametrize(
    ("by", "options", "code"),
    [
        (COORDINATOR, ("--confirm", 2), "routes_stale"),
        (INSTITUTE, ("--confirm", 1), "wrong_role"),
        (COORDINATOR, ("--confirm", 1, "--reason", ""), "reason_given"),
    ],
)
def test_apply_is_refused_with_its_reason(
    other: str, call: Call, by: str, options: tuple[object, ...], code: str
) -> None:
    answer = call(
        "routes", "apply", OTHER, "--by", by, "--reason", "Nouvelle convention.", "--at", AT, "--json", *options
    )

    assert (answer.status, answer.refused["code"]) == (1, code)
    assert answer.refused["reason"].endswith(".")
    assert json.loads(call("routes", "preview", OTHER, "--at", AT, "--json").out)["moves"] == [MOVE]


def test_file_with_another_difference_is_refused_with_the_list(other: str, call: Call) -> None:
    text = Path(OTHER).read_text(encoding="utf-8")
    Path(OTHER).write_text(text.replace("min_half_days = 3", "min_half_days = 2"), encoding="utf-8")

    answer = call("routes", "preview", OTHER, "--at", AT, "--json")

    assert (answer.status, answer.refused["code"]) == (1, "routes_only")
    assert answer.refused["changes"] == ["immersion.min_half_days: 3 -> 2"]
