"""Routes that change while an institute accepts: it keeps what it accepted, or never had it to accept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from actions import routes, writing
from actions.apply import Applied
from actions.occasion import Occasion
from actions.routes import Rerouted
from core.errors import LostRace, Refused
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import at_once, meanwhile
from tests.integration.test_routes import TO_FCC, WHY
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, World, a_world

AT = worlds.ACCEPTED_AT
STANDS = (
    "SELECT h.status, o.code FROM handoff h LEFT JOIN organisation o ON o.id = h.receiver_id"
    " WHERE participation_id = 1 ORDER BY h.round"
)
ACCEPTED, MOVED = [("accepted", "CECAFOC")], [("closed", "CECAFOC"), ("to_route", None)]


def change(world: World) -> Rerouted:
    with world.engine.begin() as connection:
        return apply(connection)


def apply(connection: Connection) -> Rerouted:
    actor = worlds.own(connection, Role.COORDINATOR, AMELIE)
    return routes.apply(connection, TO_FCC, 2, WHY, actor, Occasion(AT, AT))


def accept(world: World) -> Applied:
    return world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, AT, subject=Subject.HANDOFF)


def stands(world: World) -> list[tuple[object, ...]]:
    return [tuple(row) for row in world.rows(STANDS)]


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.offered) as world:
        yield world


@pytest.mark.parametrize("first", [change, accept])
def test_of_a_change_and_an_acceptance_at_once_one_is_done(world: World, first: Any) -> None:
    works = (first, accept if first is change else change)

    done = at_once(2, lambda each: works[each](world))

    winner = next(each for each in done if not isinstance(each, Exception))
    loser = next(each for each in done if isinstance(each, Exception))
    assert isinstance(loser, Refused)
    if isinstance(winner, Rerouted):
        assert (stands(world), loser.code in {"lost_race", "wrong_state", "not_yours"}) == (MOVED, True)
    else:
        assert (stands(world), loser.code) == (ACCEPTED, "routes_stale")
    assert_sound(world)


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time: there is no meanwhile
def test_institute_cannot_accept_while_its_round_is_being_moved(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = _accepting_before_the_write(world, monkeypatch)

    change(world)

    assert (accepted, stands(world)) == ([False], MOVED)
    assert_sound(world)


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_unless_participations_are_locked_the_change_fails_instead_of_being_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the acceptance slips in; the versions that were read still keep it from being overwritten."""
    accepted = _accepting_before_the_write(world, monkeypatch)
    monkeypatch.setattr(routes, "_lock", lambda *_: None)

    with pytest.raises(LostRace):
        change(world)

    assert (accepted, stands(world)) == ([True], ACCEPTED)
    assert world.rows("SELECT DISTINCT revision_id FROM participation") == [(1,)]
    assert world.one("SELECT count(*) FROM edition_revision") == 1
    assert_sound(world)


def _accepting_before_the_write(world: World, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    accepted: list[bool] = []
    write = writing.write

    def late(*arguments: Any) -> None:
        if not accepted:
            accepted.append(meanwhile(world, accept))
        write(*arguments)

    monkeypatch.setattr(routes, "write", late)
    return accepted


def test_change_that_fails_on_the_way_leaves_nothing_behind(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(world.engine)
    monkeypatch.setattr(routes, "_AT_ONCE", 1)
    write, calls = writing.write, list[int]()

    def second_fails(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise LostRace
        write(*arguments)

    monkeypatch.setattr(routes, "write", second_fails)

    with pytest.raises(LostRace):
        change(world)
    assert dump(world.engine) == before
