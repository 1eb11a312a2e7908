"""A tick that dies between looking at people and giving them seats forgets nobody."""

from pathlib import Path
from typing import Any

import pytest

from actions import places
from jobs import progress
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import PLACED_AT, World, a_world


class Killed(BaseException):
    """Nothing catches it: what would have been written next is not."""


def dies(*_: Any, **__: Any) -> Any:
    raise Killed


def seated_or_waiting(world: World) -> list[int]:
    return [
        row[0]
        for row in world.rows(
            "SELECT p.id FROM participation p WHERE p.state = 'director_approved' AND ("
            "EXISTS (SELECT 1 FROM placement s WHERE s.participation_id = p.id AND s.status = 'confirmed')"
            " OR EXISTS (SELECT 1 FROM waiting w WHERE w.participation_id = p.id)) ORDER BY 1"
        )
    ]


def tick_that_dies(world: World, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    with monkeypatch.context() as patched:
        if where == "after looking":
            patched.setattr(progress, "_give_places", dies)
        else:
            patched.setattr(places, "give_places", dies)
        with pytest.raises(Killed):
            world.tick(PLACED_AT)


@pytest.mark.parametrize("where", ["after looking", "after planning"])
def test_tick_killed_before_the_seats_are_given_forgets_nobody(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    with a_world(databases, database_kind, tmp_path / "whole", worlds.approved) as whole:
        whole.tick(PLACED_AT)
        expected = seated_or_waiting(whole)

    with a_world(databases, database_kind, tmp_path / "killed", worlds.approved) as world:
        tick_that_dies(world, monkeypatch, where)
        world.tick(PLACED_AT)

        assert expected != []
        assert seated_or_waiting(world) == expected


def test_without_the_standing_request_they_would_be_forgotten(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the request to be looked at is taken off when it is read, as it once was."""
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        tick_that_dies(world, monkeypatch, "after looking")
        world.change("UPDATE participation SET look_at = NULL")
        world.tick(PLACED_AT)

        assert seated_or_waiting(world) == []
