"""A job that raises an alert, against the act that it chases, and against whoever sees to the item: nothing is left.

PostgreSQL only where one transaction is open beside another; SQLite has one writer at a time.
"""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import false, select, update

from actions import desk, escalations, writing
from actions.apply import Request
from actions.change import Change
from actions.occasion import Occasion
from core.errors import LostRace, Refused
from jobs import deadlines
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import at_once, decided, meanwhile, written
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, World, a_world, moment

ALERTED_AT = moment("2018-10-01 09:00")
APPROVE = Request(Subject.PARTICIPATION, Trigger.APPROVE)
postgresql_only = pytest.mark.parametrize("database_kind", ["postgresql"])


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which an alert is due: nobody has approved."""
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        yield world


@pytest.fixture
def alerted(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        world.tick(ALERTED_AT)
        yield world


def approved(world: World) -> None:
    written(world, decided(world, Role.DIRECTOR, APPROVE, ALERTED_AT))


def firing(world: World, connection: Any) -> None:
    """Fire what is due, and leave the transaction open."""
    due = select(writing.DEADLINE).where(writing.DEADLINE.c.due_at <= ALERTED_AT, writing.DEADLINE.c.step == 1)
    deadlines._fire(connection, connection.execute(due).all(), world.workshop.occasion(ALERTED_AT))


def live(world: World) -> int:
    return int(world.one("SELECT count(*) FROM desk_item WHERE participation_id = 1 AND status = 'open'"))


# ------------------------------------------------------------------------------------------------ the act it chases
@postgresql_only
def test_act_waits_for_the_alert_that_is_being_raised_and_settles_it(world: World) -> None:
    with world.engine.begin() as connection:
        firing(world, connection)
        assert not meanwhile(world, approved)  # it waits for the deadline that is being fired

    assert live(world) == 1
    approved(world)
    assert live(world) == 0
    assert_sound(world)


@postgresql_only
def test_act_that_does_not_end_the_deadline_first_leaves_the_alert_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: it is the deadline's row that makes the act wait; without it there is nothing yet to be settled."""
    monkeypatch.setattr(writing, "_END_DEADLINE", writing._END_DEADLINE.where(false()))
    with world.engine.begin() as connection:
        firing(world, connection)
        assert meanwhile(world, approved)

    assert live(world) == 1
    with pytest.raises(AssertionError):
        assert_sound(world)


@postgresql_only
def test_act_that_settles_before_it_ends_the_deadline_leaves_the_alert_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the order matters. The job commits after the desk was looked at, before the deadline is waited for."""
    job = world.engine.connect()
    job.begin()
    firing(world, job)
    write = writing._write_deadlines

    def the_other_way_round(connection: Any, changes: list[Change]) -> None:
        ended = [(change.seen.row.id, str(end.subject), end.rule) for change in changes for end in change.ended]
        escalations.settle_ended(connection, ended, ALERTED_AT)
        job.commit()
        monkeypatch.setattr(writing, "settle_ended", lambda *_: None)
        write(connection, changes)

    monkeypatch.setattr(writing, "_write_deadlines", the_other_way_round)
    approved(world)
    job.close()

    assert live(world) == 1
    with pytest.raises(AssertionError):
        assert_sound(world)


def test_alert_that_was_read_before_the_act_is_not_raised(world: World) -> None:
    with world.engine.begin() as connection:
        due = connection.execute(select(writing.DEADLINE).where(writing.DEADLINE.c.due_at <= ALERTED_AT)).all()
    approved(world)

    with world.engine.begin() as connection:
        deadlines._fire(connection, due, world.workshop.occasion(ALERTED_AT))

    assert live(world) == 0
    assert_sound(world)


def test_alert_that_was_read_before_the_act_is_raised_when_nothing_is_compared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: it is the deadline's status that says that the act came first."""
    with world.engine.begin() as connection:
        query = select(writing.DEADLINE).where(writing.DEADLINE.c.due_at <= ALERTED_AT, writing.DEADLINE.c.step == 1)
        due = connection.execute(query).all()
    approved(world)
    monkeypatch.setattr(deadlines, "_mark", lambda _c, ids, *_: set(ids))

    with world.engine.begin() as connection:
        deadlines._fire(connection, due, world.workshop.occasion(ALERTED_AT))

    assert live(world) == 1


# ------------------------------------------------------------------------------------------------- whoever sees to it
def take(world: World) -> str:
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        done = desk.settle(connection, 1, "Fait.", ifc, Occasion(ALERTED_AT, ALERTED_AT))
    return done.trigger


def test_eight_who_close_one_item_at_once_have_one_winner(alerted: World) -> None:
    outcomes = at_once(8, lambda _: take(alerted))

    assert outcomes.count("settle") == 1
    assert {type(outcome) for outcome in outcomes} <= {str, Trigger, LostRace, Refused}
    assert alerted.one("SELECT count(*) FROM journal WHERE trigger = 'settle'") == 1


@pytest.mark.parametrize("compared", [True, False])
def test_item_settled_between_reading_and_writing_is_a_lost_race(
    alerted: World, monkeypatch: pytest.MonkeyPatch, *, compared: bool
) -> None:
    """Control: what was read of an item before the act is written over it, when its status is not compared."""
    item = desk._item
    with alerted.engine.begin() as connection:
        stale = item(connection, 1)
    approved(alerted)
    monkeypatch.setattr(desk, "_item", lambda *_: stale)
    if not compared:
        blind = lambda table: SimpleNamespace(where=lambda which, *_: update(table).where(which))  # noqa: E731
        monkeypatch.setattr(desk, "update", blind)

    if compared:
        with pytest.raises(LostRace):
            take(alerted)
        assert_sound(alerted)
    else:
        take(alerted)
    assert alerted.one("SELECT status FROM desk_item WHERE id = 1") == ("settled" if compared else "done")
