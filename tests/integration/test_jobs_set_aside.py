"""One broken participation stops nobody: it is set aside with the kind of its fault, tried on three ticks, then waits.

What is broken is planted by SQL, with a person's name in it, which must not come out anywhere.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from actions import figures, places, reading, retrying
from actions.occasion import system
from jobs import batches, deadlines, progress, tick
from jobs.summary import Line, Summary
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, World, a_world, moment

NAME = "Firmin Clapotis"  # stands nowhere in these worlds
HOUR = timedelta(hours=1)


# ------------------------------------------------------------------------------------------------- ways to break a row
def unknown_definition(world: World) -> None:
    """A process that no table knows."""
    world.change("UPDATE participation SET definition = :n WHERE reference = :r", n=NAME, r=BASILE)


def broken_revision(world: World) -> None:
    """A revision whose content is no edition; the database does not allow a reference to none."""
    world.change(
        "INSERT INTO edition_revision (edition_id, number, hash, content, loaded_at)"
        " SELECT edition_id, 99, '', :n, loaded_at FROM edition_revision",
        n=f'{{"title": "{NAME}"}}',
    )
    broken = world.one("SELECT id FROM edition_revision WHERE number = 99")
    world.change("UPDATE participation SET revision_id = :b WHERE reference = :r", b=broken, r=BASILE)
    world.change("UPDATE deadline SET revision_id = :b WHERE participation_id = 2", b=broken)


def garbage_days(world: World) -> None:
    """Days that are none, in the session of his place only."""
    world.change(
        "UPDATE session SET days = :n WHERE id = (SELECT s.session_id FROM placement p JOIN seat s ON s.id = p.seat_id"
        " WHERE p.participation_id = 2)",
        n=f"2018-12-10,{NAME}",
    )


def unknown_rule(world: World) -> None:
    """A ladder that the edition does not have."""
    world.change("UPDATE deadline SET rule = :n || rule WHERE participation_id = 2", n=NAME)


def garbage_date(world: World) -> None:
    """A date column that holds none, as SQLite lets it."""
    world.change(
        "UPDATE session SET first_day = :n, last_day = :n WHERE id ="
        " (SELECT s.session_id FROM placement p JOIN seat s ON s.id = p.seat_id WHERE p.participation_id = 2)",
        n=NAME,
    )


# what is broken, with the moments at which a tick meets it: something is due for everybody
MEETINGS: dict[str, tuple[worlds.Build, list[datetime]]] = {
    "reminders": (worlds.registered, [moment("2018-09-24 08:00")]),
    "lapses": (worlds.registered, [moment("2018-11-20 08:00")]),
    "mails of a place": (worlds.placed, [worlds.PLACED_AT + HOUR, moment("2018-11-22 08:00")]),
    "attestations": (worlds.prepared, [moment("2018-12-24 08:00")]),
    "handoffs": (worlds.immersed, [worlds.OFFERED_AT, moment("2018-12-20 08:00")]),
    "closing": (worlds.accepted, [moment("2019-07-01 08:00")]),
}
CASES = [
    (how, meeting)
    for how in (unknown_definition, broken_revision, garbage_days, unknown_rule, garbage_date)
    for meeting in MEETINGS
    if MEETINGS[meeting][0] is not worlds.registered or how not in {garbage_days, garbage_date}
]


@pytest.fixture(params=CASES, ids=[f"{how.__name__}, {meeting}" for how, meeting in CASES])
def case(request: pytest.FixtureRequest, database_kind: Kind) -> Any:
    how, meeting = request.param
    if how is garbage_date and database_kind == "postgresql":
        pytest.skip("a date is a date on PostgreSQL")
    return how, *MEETINGS[meeting]


def others(world: World) -> dict[str, Any]:
    """Return all that became of everybody but Basile."""
    mine = "participation_id <> 2"
    return {
        "states": world.rows("SELECT id, state, journal_seq FROM participation WHERE id <> 2 ORDER BY id"),
        "deadlines": world.rows(
            f"SELECT participation_id, rule, step, generation, status FROM deadline WHERE {mine} ORDER BY 1, 2, 3, 4"
        ),
        "handoffs": world.rows(f"SELECT participation_id, round, status FROM handoff WHERE {mine} ORDER BY 1, 2"),
        "told": world.rows(f"SELECT key FROM notification WHERE {mine} ORDER BY 1"),
        # settled, one way or another: what shares an envelope with Basile may be sent or withheld with him
        "unsettled": world.rows(
            "SELECT n.key, m.status FROM notification n LEFT JOIN message m ON m.id = n.message_id"
            f" WHERE n.{mine} AND coalesce(m.status, '') NOT IN ('accepted', 'cancelled') AND NOT EXISTS"
            " (SELECT 1 FROM notification b WHERE b.participation_id = 2 AND b.message_id = n.message_id) ORDER BY 1"
        ),
    }


def test_broken_participation_changes_nothing_for_the_others(
    databases: Databases, database_kind: Kind, tmp_path: Path, case: Any
) -> None:
    breaks, build, moments = case
    with a_world(databases, database_kind, tmp_path / "whole", build) as whole:
        for at in moments:
            whole.tick(at)
        expected = others(whole)

    with a_world(databases, database_kind, tmp_path / "broken", build) as world:
        breaks(world)
        told: list[Summary] = []
        for at in moments:
            told += world.tick(at)

        assert others(world) == expected
        assert NAME not in repr(told)
        assert NAME not in repr(world.rows("SELECT * FROM set_aside"))
        assert NAME not in repr(world.rows("SELECT error FROM message"))


def test_broken_participation_is_a_fault_when_read_alone(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """Control: what was planted does break, and the fault itself does hold the name."""
    with a_world(databases, database_kind, tmp_path, worlds.placed) as world:
        unknown_definition(world)
        with world.engine.begin() as connection, pytest.raises(KeyError, match=NAME):
            reading.read(connection, BASILE, system("test"))


def test_error_of_the_database_names_nobody(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Its text reaches logs and flow runs; PostgreSQL adds the values of the row to it."""
    with a_world(databases, database_kind, tmp_path) as world:
        world.change("UPDATE party SET email = :n WHERE id = (SELECT max(id) FROM party)", n=NAME)

        with pytest.raises(IntegrityError) as fault:
            world.change("UPDATE party SET email = :n WHERE id = (SELECT min(id) FROM party)", n=NAME)

        assert NAME not in str(fault.value)
        assert NAME not in str(fault.value.orig)


# ---------------------------------------------------------------------------------------------------- three ticks, then
@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which Basile's row is broken, and everybody asks to be looked at."""
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        unknown_definition(world)
        yield world


def ticks(number: int) -> list[datetime]:
    return [worlds.PLACED_AT + HOUR * each for each in range(number)]


def aside(world: World) -> list[tuple[Any, ...]]:
    rows = world.rows("SELECT job, participation_id, error, tries FROM set_aside ORDER BY job")
    return [tuple(row) for row in rows]


def look(world: World, at: datetime) -> list[Line]:
    """Give the progress job its turn in a tick; return what it set aside."""
    if not tick.has_work(world.workshop, progress.JOB, at):
        return []
    return progress.run(world.workshop, at).set_aside


def test_broken_participation_is_tried_on_three_ticks_then_waits(world: World) -> None:
    tried = [(look(world, at), [tries for *_, tries in aside(world)]) for at in ticks(6)]

    one = [Line(BASILE, "KeyError")]
    assert tried == [(one, [1]), (one, [2]), (one, [3]), ([], [3]), ([], [3]), ([], [3])]
    assert [world.state(each) for each in (AMELIE, CELINE, DESIRE)] == ["director_approved"] * 3
    assert world.one("SELECT count(*) FROM placement WHERE status = 'confirmed'") == 3
    assert not tick.has_work(world.workshop, "progress", ticks(6)[-1])


def test_broken_participation_is_tried_for_ever_when_nobody_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without the condition that leaves out who was tried three times."""
    monkeypatch.setattr(batches, "MOST_TRIES", 1000)

    tried = [len(look(world, at)) for at in ticks(6)]

    assert tried == [1] * 6


def test_set_aside_participation_is_visible_in_the_figures(world: World) -> None:
    for at in ticks(3):
        look(world, at)

    with world.engine.begin() as connection:
        shown = figures.status(connection, None, ticks(3)[-1])["set_aside"]
    assert [(each["reference"], each["error"], each["tries"]) for each in shown] == [(BASILE, "KeyError", 3)]
    assert NAME not in repr(shown)


def mend(world: World) -> None:
    world.change("UPDATE participation SET definition = '2018' WHERE reference = :r", r=BASILE)


def test_mended_participation_waits_for_retry_then_goes_on(world: World) -> None:
    for at in ticks(3):
        look(world, at)
    mend(world)
    look(world, ticks(4)[-1])
    assert world.one("SELECT count(*) FROM placement WHERE participation_id = 2") == 0

    with world.engine.begin() as connection:
        assert retrying.take_up_again(connection, BASILE) == 1
    look(world, ticks(5)[-1])

    assert world.one("SELECT count(*) FROM placement WHERE participation_id = 2 AND status = 'confirmed'") == 1
    assert aside(world) == []


@pytest.mark.parametrize("tries", [1, 2])
def test_participation_mended_in_time_goes_on_by_itself(world: World, tries: int) -> None:
    for at in ticks(tries):
        look(world, at)
    mend(world)

    look(world, ticks(tries + 1)[-1])

    assert world.one("SELECT count(*) FROM placement WHERE participation_id = 2 AND status = 'confirmed'") == 1
    assert aside(world) == []


def test_participation_broken_again_after_retry_has_three_more_tries(world: World) -> None:
    for at in ticks(3):
        look(world, at)
    with world.engine.begin() as connection:
        retrying.take_up_again(connection, BASILE)

    tried = [len(look(world, at)) for at in ticks(8)[3:]]

    assert tried == [1, 1, 1, 0, 0]


def test_deadline_of_a_broken_participation_is_tried_three_times_and_fires_after_retry(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    due = moment("2018-11-20 08:00")
    with a_world(databases, database_kind, tmp_path) as world:
        unknown_definition(world)
        for number in range(5):
            deadlines.run(world.workshop, due + HOUR * number)
        assert aside(world) == [("deadlines", 2, "KeyError", 3)]
        assert [world.state(each) for each in (AMELIE, BASILE, CELINE, DESIRE)] == [
            "lapsed", "registered", "lapsed", "lapsed"
        ]  # fmt: skip

        mend(world)
        with world.engine.begin() as connection:
            retrying.take_up_again(connection, BASILE)
        deadlines.run(world.workshop, due + HOUR * 6)

        assert (world.state(BASILE), aside(world)) == ("lapsed", [])


def test_several_deadlines_of_one_participation_count_as_one_try_of_a_tick(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        world.change("UPDATE deadline SET rule = 'x' || rule WHERE participation_id = 2")

        deadlines.run(world.workshop, moment("2018-11-20 08:00"), limit=1)

        assert aside(world) == [("deadlines", 2, "KeyError", 1)]


# -------------------------------------------------------------------------------------------------- who waits behind it
def test_seat_that_cannot_be_given_to_the_first_in_line_goes_to_the_next(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """Basile has Beta's seat; Amélie, whose row breaks, and Désiré wait for it."""
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        world.change("DELETE FROM wish WHERE offer_id <> (SELECT id FROM offer WHERE reference = 'BETA-01')")
        world.tick(worlds.PLACED_AT)
        holder = world.one("SELECT participation_id FROM placement WHERE status = 'confirmed'")
        first = world.one("SELECT min(participation_id) FROM waiting")
        world.change("UPDATE participation SET definition = :n WHERE id = :p", n=NAME, p=first)
        freed = world.one("SELECT reference FROM participation WHERE id = :p", p=holder)
        world.act(freed, Trigger.WITHDRAW, Role.TEACHER, worlds.PREPARED_AT)

        for number in range(5):
            look(world, worlds.PREPARED_AT + HOUR * number)

        given = world.rows("SELECT participation_id FROM placement WHERE status = 'confirmed'")
        assert len(given) == 1
        assert given[0][0] not in {first, holder}


def test_seat_planned_for_somebody_who_then_withdraws_goes_to_the_next(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job plans in one transaction and gives in the next; the seat of an act that was refused is still free."""
    with a_world(databases, database_kind, tmp_path, worlds.approved, own_schema=True) as world:
        world.change("DELETE FROM wish WHERE offer_id <> (SELECT id FROM offer WHERE reference = 'BETA-01')")
        planned: list[Any] = []
        plan = places.plan_places

        def noted(*arguments: Any) -> Any:
            found = plan(*arguments)
            planned.extend(found[0])
            return found

        monkeypatch.setattr(places, "plan_places", noted)
        somebody_else = world.another(
            "", engine=worlds.quick_engine(world.engine.url.render_as_string(hide_password=False))
        )

        @event.listens_for(world.engine, "checkout")  # before the next transaction begins
        def _withdraw_first(*_: Any) -> None:
            if planned == [1]:
                planned.append("withdrawn")
                somebody_else.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, worlds.PLACED_AT)

        for number in range(5):
            look(world, worlds.PLACED_AT + HOUR * number)
        somebody_else.engine.dispose()

        assert (world.state(AMELIE), "withdrawn" in planned) == ("withdrawn", True)
        (given,) = world.rows("SELECT participation_id FROM placement WHERE status = 'confirmed'")
        assert given[0] != 1
