"""Several at once on one row: one wins, the others get an answer. Threads, each with a connection of its own.

A race is brought about, not hoped for: all have read before the first one writes. SQLite lets one transaction write at
a time, so there they read in one transaction and write in the next.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest

from actions import apply as applying
from actions import reading
from actions.apply import Applied, Request, apply
from actions.change import Change
from actions.imports import FileKind
from actions.occasion import Occasion
from core.errors import LostRace, ProductError, Refused
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import at_once, blindly, decided, without_keys, written
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import AMELIE, BASILE, World, a_world

EIGHT = 8
P, H, L = Subject.PARTICIPATION, Subject.HANDOFF, Subject.PLACEMENT

# the world, who does what to Amélie, when
ATTESTED = Request(P, Trigger.CONFIRM_IMMERSION, data={"half_days": 4})
SEATED = Request(L, Trigger.PROPOSE, data={"seat": 1})
TRANSFER = Request(P, Trigger.CONFIRM_TRANSFER)
ACTS: dict[str, tuple[worlds.Build, Role, Request, datetime]] = {
    "approve": (worlds.registered, Role.DIRECTOR, Request(P, Trigger.APPROVE), worlds.APPROVED_AT),
    "withdraw": (worlds.placed, Role.TEACHER, Request(P, Trigger.WITHDRAW), worlds.PREPARED_AT),
    "propose a place": (worlds.approved, Role.COORDINATOR, SEATED, worlds.PLACED_AT),
    "confirm the immersion": (worlds.prepared, Role.COMPANY, ATTESTED, worlds.IMMERSED_AT),
    "accept the handoff": (worlds.offered, Role.INSTITUTE, Request(H, Trigger.ACCEPT), worlds.ACCEPTED_AT),
    "decline the handoff": (worlds.offered, Role.INSTITUTE, Request(H, Trigger.DECLINE, "Autre."), worlds.ACCEPTED_AT),
    "confirm the transfer": (worlds.accepted, Role.INSTITUTE, TRANSFER, worlds.TRANSFERRED_AT),
}


@pytest.fixture(params=ACTS)
def race(
    request: pytest.FixtureRequest, databases: Databases, database_kind: Kind, tmp_path: Path
) -> Iterator[tuple[World, Role, Request, datetime]]:
    """Give a world and an act that eight are about to do."""
    build, role, asked, when = ACTS[request.param]
    with a_world(databases, database_kind, tmp_path, build, own_schema=True) as world:
        yield world, role, asked, when


def met(barrier: Barrier) -> None:
    with suppress(BrokenBarrierError):
        barrier.wait(1)


# ----------------------------------------------------------------------------------------------- eight, through `apply`
def test_eight_at_once_on_one_row_have_one_winner_and_seven_answers(
    race: tuple[World, Role, Request, datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, role, asked, when = race
    entries = world.one("SELECT count(*) FROM journal")
    all_here = Barrier(EIGHT)
    read = reading.read

    def together(*arguments: Any) -> Any:
        stands = read(*arguments)
        if world.engine.dialect.name == "postgresql":  # on SQLite only one of them can have begun
            met(all_here)
        return stands

    monkeypatch.setattr(applying, "read", together)

    def act(_number: int) -> Applied:
        with world.engine.begin() as connection:
            return apply(connection, AMELIE, asked, worlds.own(connection, role, AMELIE), Occasion(when, when))

    outcomes = at_once(EIGHT, act)

    winners = [outcome for outcome in outcomes if isinstance(outcome, Applied)]
    assert (len(winners), [type(o).__name__ for o in outcomes if not isinstance(o, Applied | ProductError)]) == (1, [])
    assert {type(outcome) for outcome in outcomes} <= {Applied, LostRace, Refused}
    world.assert_chains_hold()
    written = world.rows("SELECT trigger FROM journal WHERE chain = 'participation' AND chain_id = 1 ORDER BY seq")
    assert world.one("SELECT count(*) FROM journal") - entries == len(_of_one_act(world, winners[0], written))


def _of_one_act(world: World, done: Applied, written: Sequence[Any]) -> Sequence[Any]:
    """Return the entries of an act: its own, and those of what it joined."""
    return written[done.seq - 1 :]


# ---------------------------------------------------------------------------------- eight, who have all decided already
def test_eight_decisions_on_one_reading_have_one_winner_and_seven_lost_races(
    race: tuple[World, Role, Request, datetime],
) -> None:
    world, role, asked, when = race
    changes = [decided(world, role, asked, when) for _ in range(EIGHT)]

    outcomes = at_once(EIGHT, lambda number: written(world, changes[number]))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Applied", *["LostRace"] * 7]
    world.assert_chains_hold()


def test_lost_race_writes_nothing(race: tuple[World, Role, Request, datetime]) -> None:
    world, role, asked, when = race
    changes = [decided(world, role, asked, when) for _ in range(2)]
    written(world, changes[0])
    before = dump(world.engine)

    with pytest.raises(LostRace):
        written(world, changes[1])

    assert dump(world.engine) == before


@pytest.fixture
def approving(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[tuple[World, list[Change]]]:
    """Give a world and eight approvals that were decided on one reading."""
    with a_world(databases, database_kind, tmp_path, own_schema=True) as world:
        _, role, asked, when = ACTS["approve"]
        yield world, [decided(world, role, asked, when) for _ in range(EIGHT)]


def test_without_the_version_the_losers_get_a_fault_instead_of_an_answer(
    approving: tuple[World, list[Change]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: unique keys still hold the others back, but as an error."""
    world, changes = approving
    blindly(monkeypatch)

    outcomes = at_once(EIGHT, lambda number: written(world, changes[number]))

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Applied", *["IntegrityError"] * 7]


def test_without_the_version_and_the_keys_more_than_one_wins(
    approving: tuple[World, list[Change]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: with neither guard all eight believe that they approved, and the chain is broken."""
    world, changes = approving
    blindly(monkeypatch)
    without_keys(world)

    outcomes = at_once(EIGHT, lambda number: written(world, changes[number]))

    assert [type(outcome).__name__ for outcome in outcomes] == ["Applied"] * EIGHT
    with pytest.raises(AssertionError):
        world.assert_chains_hold()


# -------------------------------------------------------------------------------------------------------------- one key
def test_same_key_at_once_on_one_row_is_done_once(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page's button pressed twice: one act; the other call hears of it, or of a race that it may try again."""
    with a_world(databases, database_kind, tmp_path) as world:
        outcomes = at_once(2, lambda _: _keyed(world, AMELIE))
        outcomes = [_keyed(world, AMELIE) if isinstance(outcome, LostRace) else outcome for outcome in outcomes]

        assert sorted(outcome.repeated for outcome in outcomes) == [False, True]


def test_same_key_at_once_on_two_rows_is_done_on_one_and_refused_on_the_other(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        both_here = Barrier(2)
        known = applying.done_before

        def together(*arguments: Any) -> Any:
            found = known(*arguments)
            if world.engine.dialect.name == "postgresql":
                met(both_here)
            return found

        monkeypatch.setattr(applying, "done_before", together)
        outcomes = at_once(2, lambda number: _keyed(world, (AMELIE, BASILE)[number]))

        assert sorted(type(outcome).__name__ for outcome in outcomes) in (
            ["Applied", "Refused"],
            ["Applied", "LostRace"],
        )


def _keyed(world: World, reference: str) -> Applied:
    return world.act(reference, Trigger.WITHDRAW, Role.TEACHER, worlds.APPROVED_AT, key="k")


# ------------------------------------------------------------------------------------------------------------- one file
def test_same_file_imported_twice_at_once_registers_everybody_once(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """Somebody runs the import by hand while the inbox job does: each person once, and no error for either."""
    with a_world(databases, database_kind, tmp_path, worlds.only_offers) as world:
        outcomes = at_once(2, lambda _: worlds.take_in(world, FileKind.REGISTRATIONS, worlds.crowd(20)))

        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert world.one("SELECT count(*) FROM participation") == 20
        world.assert_chains_hold()
