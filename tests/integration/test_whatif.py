"""`simulate`: what another ladder would change, beside the edition as it stands; nothing is touched, a seed repeats."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actions.editions import current
from core.errors import InvalidFile, UsageError
from simulation.foresight import foresee
from simulation.whatif import Asked, what_if
from states.edition import EditionFile, read_edition
from states.edition_settings import with_settings
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import World, a_world, moment

AT = moment("2018-09-17 12:00")
APPROVAL = "deadlines.participation.registered.approval"
MINI = read_edition(worlds.EDITION.encode(), "mini.toml")
SOONER = f"{APPROVAL}.steps[0].offset=2"


def loaded(world: World) -> EditionFile:
    with world.engine.begin() as connection:
        return EditionFile.model_validate_json(current(connection).content)


def asked(world: World, *settings: str, acting: float = 0.0, seed: int = 1) -> Asked:
    return Asked(with_settings(loaded(world), settings, "--set"), acting, seed)


def simulated(world: World, days: int, question: Asked) -> dict[str, Any]:
    return what_if(world.workshop, AT, days, question)


def test_another_ladder_is_told_beside_the_one_that_stands(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        before, mails = dump(world.engine), world.mails()

        found = simulated(world, 3, asked(world, SOONER))

        assert (dump(world.engine), world.mails()) == (before, mails)
        assert [change.partition(":")[0] for change in found["changes"]] == [f"{APPROVAL}.steps[0].offset"]
        assert "approval_reminder" not in found["before"]["mails"]["by_kind"]
        assert found["after"]["mails"]["by_kind"]["approval_reminder"] >= 1


def test_edition_as_it_stands_is_counted_as_it_is_foreseen(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.offered) as world:
        at = moment("2018-12-12 13:00")
        found = what_if(world.workshop, at, 200, asked(world))
        foreseen = foresee(world.workshop, at, 200)

        assert found["before"] == found["after"]
        assert found["before"]["endings"]["list"] == foreseen["expiries"]
        kinds = [each["kind"] for each in foreseen["messages"]]
        assert found["before"]["mails"]["by_kind"] == {kind: kinds.count(kind) for kind in sorted(set(kinds))}


@pytest.mark.parametrize("acting", [0.0, 0.6])
def test_same_seed_gives_the_same_bytes(
    databases: Databases, database_kind: Kind, tmp_path: Path, acting: float
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        question = asked(world, SOONER, acting=acting)
        first, again = (json.dumps(simulated(world, 240, question)) for _ in range(2))

        assert first == again


def test_another_seed_has_others_act(databases: Databases, tmp_path: Path) -> None:
    """Control: the seed does decide."""
    with a_world(databases, "sqlite", tmp_path, worlds.registered) as world:
        question = asked(world, acting=0.5)
        answers = {json.dumps(simulated(world, 60, replace(question, seed=seed))["before"]) for seed in range(4)}

        assert len(answers) > 1


def test_whoever_acts_is_not_ended(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.placed) as world:
        at = moment("2018-10-02 09:00")
        nobody = what_if(world.workshop, at, 280, asked(world))["before"]
        everybody = what_if(world.workshop, at, 280, asked(world, acting=1.0))["before"]

        assert nobody["acts"]["done"] == 0
        assert everybody["acts"]["refused"] == 0
        assert everybody["acts"]["done"] > 4
        assert everybody["endings"]["total"] < nobody["endings"]["total"]
        assert "path_completed" in everybody["mails"]["by_kind"]


@pytest.mark.parametrize(
    ("setting", "code", "key", "allowed"),
    [
        ("calendar.hours=1", "edition_unknown_key", "calendar.hours", "hour"),
        (f"{APPROVAL}.steps[9].offset=1", "edition_unknown_key", f"{APPROVAL}.steps[9].offset", "[0]"),
        ("nowhere.at.all=1", "edition_unknown_key", "nowhere.at.all", "calendar"),
        ('calendar.hour="25:00"', "edition_bad_value", "calendar.hour", "08:00"),
        ("calendar.hour=09:", "edition_bad_value", "calendar.hour", '"…"'),
        ("title='x'\ncode='y'", "edition_bad_value", "title", '"…"'),
        (f"{APPROVAL}.steps[0].do='shout'", "edition_bad_value", f"{APPROVAL}.steps[0].do", "remind"),
    ],
)
def test_setting_that_no_edition_has_is_refused_with_its_key(setting: str, code: str, key: str, allowed: str) -> None:

    with pytest.raises(InvalidFile) as refused:
        with_settings(MINI, [setting], "--set")

    (problem,) = refused.value.problems
    assert (problem.code, problem.column) == (code, key)
    assert allowed in problem.params["allowed"]  # type: ignore[operator]  # as the catalogue reads it


def test_setting_without_a_value_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="bad_set"):
        with_settings(MINI, ["calendar.hour"], "--set")


def test_settings_change_what_they_name_and_nothing_else() -> None:
    assert with_settings(MINI, [], "--set") == MINI
    assert with_settings(MINI, ['calendar.hour="09:30"'], "--set").calendar.hour == "09:30"
