"""Killed with -9 at every point of its work, a process loses nothing and doubles nothing: another one completes it.

In the suite each point is tried on one of the engines, in turn; `make chaos` tries each on both. A test's name says
which work, and before or after which of its steps the process died. Where a test says "without", the guard was taken
away, and what it guards against happens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import victims
from tests.chaos.victims import SCENARIOS, WITHOUT
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import Dump, comparable, differences, dump
from tests.support.worlds import World, in_turn

KILLED = -9
# Of a chain whose people got other numbers: PostgreSQL does not give a number twice, and hashes cover them.
_HASHES = ("journal.hash", "journal.previous", "participation.journal_head", "edition.journal_head")


@dataclass(frozen=True)
class Outcome:
    """What a world came to: its rows, and what left it."""

    rows: Dump
    mails: dict[str, bytes]
    files: list[str]


def outcome(world: World, scenario: str) -> Outcome:
    without = SCENARIOS[scenario].without + (_HASHES if scenario == "intake" else ())
    rows = comparable(dump(world.engine, without))
    inbox = world.folder / "inbox"
    files = sorted(str(path.relative_to(inbox)) for path in inbox.rglob("*") if path.is_file())
    seals = world.folder / "seals" / "seals.jsonl"
    files += sorted(path.name for path in (world.folder / "hooks").glob("*"))
    return Outcome(rows, world.mails(), files + (seals.read_text().splitlines() if seals.exists() else []))


@pytest.fixture(scope="module")
def undisturbed(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give what a scenario comes to, and the points it passes, when nobody is killed."""
    known: dict[tuple[str, Kind], tuple[Outcome, list[str]]] = {}

    def of(scenario: str, kind: Kind) -> tuple[Outcome, list[str]]:
        if (scenario, kind) not in known:
            with worlds.a_world(
                databases, kind, tmp_path_factory.mktemp("u"), SCENARIOS[scenario].build, own_schema=True
            ) as world:
                points = victims.points_of(world, scenario)
                known[scenario, kind] = outcome(world, scenario), points
        return known[scenario, kind]

    return of


@contextmanager
def killed(
    databases: Databases, kind: Kind, folder: Path, scenario: str, point: str, without: str = "nothing"
) -> Iterator[World]:
    """Give a world in which a process was killed at a point of a scenario, and as much later as others must wait."""
    with worlds.a_world(databases, kind, folder, SCENARIOS[scenario].build) as world:
        assert run(world, scenario, without, point) == KILLED, "the point was not reached"
        world.wall.now += SCENARIOS[scenario].wait
        yield world


def run(world: World, scenario: str, without: str = "nothing", point: str | None = None) -> int:
    url = world.engine.url.render_as_string(hide_password=False)
    return victims.run_to_its_end(victims.victim, url, world.folder, world.wall.now, scenario, without, point)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "point" in metafunc.fixturenames and "scenario" in metafunc.fixturenames:
        known = victims.all_points()
        points = [(name, point) for name in known if name != "reminders" for point in victims.chosen(known[name])]
        cases = [(*point, kind) for number, point in enumerate(points) for kind in in_turn(number)]
        names = [f"{name}: {point}-{kind}" for name, point, kind in cases]
        metafunc.parametrize(("scenario", "point", "database_kind"), cases, ids=names)


# ---------------------------------------------------------------------------------------------------------- every point
def test_process_killed_at_a_point_leaves_work_that_another_completes_to_the_same_rows(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any, scenario: str, point: str
) -> None:
    expected, _ = undisturbed(scenario, database_kind)

    with killed(databases, database_kind, tmp_path, scenario, point) as world:
        SCENARIOS[scenario].work(world.another("second"))

        found = outcome(world, scenario)
        assert differences(expected.rows, found.rows) == {}
        assert (found.mails, found.files) == (expected.mails, expected.files)
        assert list((world.folder / "mail").glob(".*")) == []
        world.assert_chains_hold()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_points_of_the_tests_are_all_there_are(scenario: str, database_kind: Kind, undisturbed: Any) -> None:
    _, points = undisturbed(scenario, database_kind)

    assert points
    assert points == victims.all_points()[scenario]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_work_done_twice_ends_as_done_once(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any, scenario: str
) -> None:
    expected, _ = undisturbed(scenario, database_kind)
    with worlds.a_world(databases, database_kind, tmp_path, SCENARIOS[scenario].build) as world:
        SCENARIOS[scenario].work(world)
        world.wall.now += SCENARIOS[scenario].wait
        SCENARIOS[scenario].work(world.another("second"))

        assert outcome(world, scenario) == expected


# ------------------------------------------------------------------------------------------------------------- controls
@pytest.mark.parametrize("words", ["before insert journal", "before update deadline", "before insert notification"])
def test_act_without_one_transaction_is_left_half_done(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any, words: str
) -> None:
    """Control: when each statement commits by itself, the row says what nothing else does."""
    expected, _ = undisturbed("withdraw", database_kind)

    with killed(databases, database_kind, tmp_path, "withdraw", words, without="one transaction") as world:
        assert world.state(worlds.BASILE) == "withdrawn"
        with pytest.raises(Exception, match=r"wrong_state|lost_race") if words.endswith("journal") else _nothing():
            SCENARIOS["withdraw"].work(world.another("second"))
        assert differences(expected.rows, outcome(world, "withdraw").rows) != {}


def test_reminder_without_one_transaction_is_never_said(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: marked as fired, said by nobody."""
    with killed(
        databases, database_kind, tmp_path, "reminders", "before insert notification", without="one transaction"
    ) as world:
        SCENARIOS["reminders"].work(world.another("second"))

        fired = world.one("SELECT count(*) FROM deadline WHERE status = 'fired'")
        said = world.one("SELECT count(*) FROM notification WHERE kind = 'approval_reminder'")
        assert (fired, said) == (4, 0)


def test_delivery_to_a_gateway_that_is_not_idempotent_doubles(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: the same kill, a gateway that only says that it knows a message again."""
    expected, _ = undisturbed("delivery", database_kind)
    with killed(databases, database_kind, tmp_path, "delivery", "after send", without="idempotent gateway") as world:
        assert run(world, "delivery", without="idempotent gateway") == 0

        assert len(world.mails()) == len(expected.mails) + 1


def test_delivery_that_settles_before_it_sends_loses(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: what was written down as accepted never left."""
    with killed(databases, database_kind, tmp_path, "delivery", "before send", without="send before settle") as world:
        assert run(world, "delivery", without="send before settle") == 0

        accepted = world.one("SELECT count(*) FROM message WHERE status = 'accepted'")
        assert (accepted, len(world.mails())) == (3, 0)


def test_delivery_whose_lease_never_ends_loses(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: what a dead process held stays held."""
    with killed(databases, database_kind, tmp_path, "delivery", "before send", without="lease that ends") as world:
        assert run(world, "delivery", without="lease that ends") == 0

        assert world.mails() == {}


def test_lease_of_a_dead_delivery_is_respected_until_it_ends(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    expected, _ = undisturbed("delivery", database_kind)

    with killed(databases, database_kind, tmp_path, "delivery", "before send") as world:
        world.wall.advance(seconds=-2)
        SCENARIOS["delivery"].work(world.another("second"))
        assert world.mails() == {}

        world.wall.advance(seconds=2)
        SCENARIOS["delivery"].work(world.another("second"))
        assert world.mails() == expected.mails


def hooks(world: World) -> list[str]:
    return sorted(path.name for path in (world.folder / "hooks").glob("*"))


def test_webhook_under_another_id_on_each_try_doubles(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: a receiver cannot tell that it has seen the event."""
    with killed(databases, database_kind, tmp_path, "webhooks", "after post", without="stable id") as world:
        assert run(world, "webhooks", without="stable id") == 0

        assert len(hooks(world)) == 2 + 1


def test_webhook_whose_lease_never_ends_is_lost(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: what a dead process held stays held."""
    with killed(databases, database_kind, tmp_path, "webhooks", "before post", without="lease that ends") as world:
        assert run(world, "webhooks", without="lease that ends") == 0

        assert hooks(world) == []


def test_intake_that_moves_before_it_commits_loses(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: the file is done with, nobody is registered."""
    with killed(
        databases, database_kind, tmp_path, "intake", "after move of the file", without="commit before move"
    ) as world:
        assert run(world, "intake", without="commit before move") == 0

        assert world.one("SELECT count(*) FROM participation") == 0


def test_seals_that_never_catch_up_leave_a_file_that_says_less(
    databases: Databases, database_kind: Kind, tmp_path: Path, undisturbed: Any
) -> None:
    """Control: the seal stands in the database only, where whoever changes the journal can change it too."""
    with killed(databases, database_kind, tmp_path, "seals", "after commit", without="catching up") as world:
        assert run(world, "seals", without="catching up") == 0

        assert outcome(world, "seals").files == []


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def test_every_guard_is_taken_away_somewhere() -> None:
    text = Path(__file__).read_text()

    assert [name for name in WITHOUT if f'without="{name}"' not in text and name != "nothing"] == []
