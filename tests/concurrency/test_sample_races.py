"""The sample, by several at once: one draw stands, and nobody is replaced by two people or drawn into two places."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from actions import drawing, sample
from actions.drawing import Drew
from actions.occasion import Occasion
from core.errors import Refused
from states.names import Role
from tests.concurrency.interleaving import at_once
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import AMELIE, World, a_world

FOUR = 4
AT = worlds.EVALUATED_AT
STANDING = "SELECT count(*) FROM sample_draw WHERE void_at IS NULL"


def drawn(world: World) -> None:
    worlds.asked(world)
    draw(world)


def draw(world: World) -> Drew:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.COORDINATOR, AMELIE)
        return drawing.draw(connection, None, who, Occasion(AT, AT))


def take_out(world: World) -> sample.Replaced:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.COORDINATOR, AMELIE)
        return sample.replace(connection, AMELIE, "Malade.", who, Occasion(AT, AT))


@pytest.fixture
def undrawn(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.asked) as world:
        yield world


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, drawn) as world:
        yield world


def test_of_several_draws_at_once_one_stands_and_the_others_are_answered(undrawn: World) -> None:
    done = at_once(FOUR, lambda _: draw(undrawn))

    assert sorted(type(each) is Drew for each in done) == [False] * 3 + [True]
    assert {each.code for each in done if isinstance(each, Refused)} <= {"lost_race", "already_drawn"}
    assert sum(isinstance(each, Refused) for each in done) == FOUR - 1
    assert undrawn.one(STANDING) == 1
    undrawn.assert_chains_hold()


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time: there is no race to lose
def test_unless_the_edition_is_held_the_others_fail_instead_of_being_answered(
    undrawn: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: both have looked before either writes; what the database refuses then reaches the caller."""
    barrier = Barrier(2)
    monkeypatch.setattr(drawing, "hold", lambda *_: None)
    monkeypatch.setattr(drawing, "append", lambda *_: barrier.wait(10))
    monkeypatch.setattr(drawing, "write", lambda *_: None)

    done = at_once(2, lambda _: draw(undrawn))

    assert [type(each) for each in done if not isinstance(each, Drew)] == [IntegrityError]


def test_of_several_replacements_at_once_one_is_done(world: World) -> None:
    done: list[Any] = at_once(FOUR, lambda _: take_out(world))

    assert sum(isinstance(each, sample.Replaced) for each in done) == 1
    assert {each.code for each in done if isinstance(each, Refused)} <= {"lost_race", "already_replaced"}
    assert sum(isinstance(each, Refused) for each in done) == FOUR - 1
    assert world.one("SELECT count(*) FROM drawn WHERE status = 'drawn'") == 2
    world.assert_chains_hold()
