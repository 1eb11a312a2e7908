"""Two ticks that close an edition at once, and somebody moved while it closes: one report, which leaves nobody out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actions import closing, writing
from actions.apply import Request, apply
from actions.occasion import Occasion, system
from jobs import closing as job
from jobs import deadlines
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import at_once, meanwhile
from tests.integration.test_closing import CLOSING, END, LATER, document, reports, verified
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import BASILE, World, a_world

FOUR = 4
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world whose edition is over: nothing of it is open, its figures are not frozen yet."""
    with a_world(databases, database_kind, tmp_path, worlds.evaluated) as world:
        deadlines.run(world.workshop, CLOSING)
        yield world


def close(world: World) -> dict[str, int]:
    return dict(job.run(world.workshop, END).counts)


def test_several_ticks_at_once_write_one_report(world: World) -> None:
    counts = at_once(FOUR, lambda number: close(world.another(f"worker {number}")))

    assert sum(each.get("closed", 0) for each in counts) == 1
    assert [number for number, _ in reports(world)] == [1]
    assert verified(world) is None


def found_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a process believe what it read before another closed the edition."""
    with world.engine.begin() as connection:
        stale = list(closing.over(connection, END))
    assert len(stale) == 1
    monkeypatch.setattr(closing, "over", lambda *_: stale)


@pytest.mark.parametrize("looks_again", [True, False])
def test_tick_that_found_the_edition_open_closes_it_again_only_when_it_does_not_look_again(
    world: World, monkeypatch: pytest.MonkeyPatch, *, looks_again: bool
) -> None:
    found_open(world, monkeypatch)
    if not looks_again:
        monkeypatch.setattr(closing, "hold", lambda *_: True)

    counts = [close(world), close(world.another("second"))]

    assert counts == [{"closed": 1}, {} if looks_again else {"closed": 1}]
    assert len(reports(world)) == (1 if looks_again else 2)


@on_postgresql
@pytest.mark.parametrize("held", [True, False])
def test_second_closing_waits_for_the_first_only_when_it_holds_the_edition(
    world: World, monkeypatch: pytest.MonkeyPatch, *, held: bool
) -> None:
    if not held:
        monkeypatch.setattr(closing, "hold", lambda *_: True)

    assert (closed_meanwhile(world, monkeypatch, "edition_named"), close(world)) == (not held, {} if held else CLOSED)
    assert [number for number, _ in reports(world)] == ([1] if held else [1, 2, 3])


@on_postgresql
@pytest.mark.parametrize("keyed", [True, False])
def test_report_of_the_same_number_is_stopped_by_its_key(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keyed: bool
) -> None:
    """Neither holds the edition, and both have found that no report is there."""
    with a_world(databases, database_kind, tmp_path, worlds.evaluated, own_schema=True) as world:
        deadlines.run(world.workshop, CLOSING)
        monkeypatch.setattr(closing, "hold", lambda *_: True)
        if not keyed:
            world.change("ALTER TABLE edition_report DROP CONSTRAINT uq_edition_report_edition_id_number")

        assert closed_meanwhile(world, monkeypatch, "append") is not keyed
        assert [number for number, _ in reports(world)] == ([1] if keyed else [1, 1])


CLOSED = {"closed": 1}


def closed_meanwhile(world: World, monkeypatch: pytest.MonkeyPatch, step: str) -> bool:
    """Close, and have another process close at this step of it; tell whether that one went on."""
    found_open(world, monkeypatch)
    ours, went_on = getattr(closing, step), list[bool]()

    def slowly(*given: Any) -> Any:
        if not went_on:
            monkeypatch.setattr(closing, step, ours)
            went_on.append(meanwhile(world, close))
        return ours(*given)

    monkeypatch.setattr(closing, step, slowly)
    assert close(world) == CLOSED
    return went_on[0]


def correct(world: World) -> Any:
    data = {"to": "withdrawn"}
    return world.act(BASILE, Trigger.CORRECT, Role.COORDINATOR, LATER, reason="Reçu sur papier.", data=data)


@on_postgresql
@pytest.mark.parametrize("waits", [True, False])
def test_whoever_is_moved_while_the_edition_closes_waits_or_is_left_out(
    world: World, monkeypatch: pytest.MonkeyPatch, *, waits: bool
) -> None:
    """Control: without taking part in the lock, the change is neither in the report nor opens the edition again."""
    if not waits:
        monkeypatch.setattr(writing, "reopen", lambda *_: None)
    with world.engine.begin() as connection:
        edition = next(closing.over(connection, END))
        assert closing.hold(connection, edition.id)
        occasion = world.workshop.occasion(END)
        closing.close(connection, edition.code, edition.revision_id, system(), occasion)
        went_on = meanwhile(world, correct)
    if waits:
        correct(world)

    job.run(world.workshop, LATER)

    assert went_on is not waits
    withdrawn = document(world)["figures"]["participations"]["withdrawn"]
    assert (len(reports(world)), withdrawn) == ((2, 1) if waits else (1, 0))


@on_postgresql
def test_closing_waits_for_whoever_is_being_moved_and_counts_them(world: World) -> None:
    """The other way round: the change was made first, and is not committed yet."""
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.COORDINATOR, BASILE)
        asked = Request(Subject.PARTICIPATION, Trigger.CORRECT, "Reçu sur papier.", {"to": "evaluated"})
        apply(connection, BASILE, asked, who, Occasion(END, END))
        went_on = meanwhile(world, close)
    close(world)

    assert (went_on, document(world)["figures"]["participations"]["evaluated"]) == (False, 2)
