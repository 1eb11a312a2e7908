"""Another ladder, calendar or closing for an edition that runs: shown first, done whole, nothing said twice or late."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from actions import editions
from actions.extending import Extension, extend
from actions.imports import FileKind, import_file
from actions.occasion import Occasion, system
from actions.people import actor
from actions.replanning import Plan, migrate, preview, preview_migration, replan
from actions.writing import DEADLINE
from core.errors import Refused
from states.edition import EditionFile, read_edition
from states.names import Role, Subject, Trigger
from states.rules import RuleKey
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, CELINE, World, a_world, load, moment

NOON = moment("2018-09-25 12:00")  # after the reminders of the 24th, before the alerts of the 1st of October
REMINDER = 'offset = 5, unit = "working_days", do = "remind", audience = "director"'
ALERT = 'offset = 10, unit = "working_days", do = "escalate", audience = "coordinator", message = "approval_overdue"'
LAPSE = '{ offset = 40, unit = "working_days", do = "lapse" },'


def edited(*changes: tuple[str, str]) -> EditionFile:
    """The small edition with a few things written otherwise."""
    text = worlds.EDITION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return read_edition(text.encode(), "mini.toml")


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path) as world:
        yield world


def looked_at(world: World, file: EditionFile, at: datetime = NOON) -> Plan:
    with world.engine.begin() as connection:
        return preview(connection, file, Occasion(at, at))


def applied(world: World, file: EditionFile, confirmed: int | None = None, **asked: Any) -> Plan:
    at = asked.get("at", NOON)
    count = looked_at(world, file, at).count if confirmed is None else confirmed
    with world.engine.begin() as connection:
        who = actor(
            connection, asked.get("role", Role.COORDINATOR), asked.get("email", "catherine@ifc.example"), "test"
        )
        return replan(connection, file, count, asked.get("reason", "Décision du 25."), who, Occasion(at, at))


def ladder(world: World, reference: str = AMELIE, rule: str = "approval") -> list[tuple[int, str, datetime | None]]:
    query = select(DEADLINE.c.step, DEADLINE.c.status, DEADLINE.c.due_at).where(
        DEADLINE.c.participation_id == world.id(reference), DEADLINE.c.rule == rule, DEADLINE.c.status != "closed"
    )
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(DEADLINE.c.generation, DEADLINE.c.step))]


def said(world: World, kind: str) -> int:
    query = "SELECT count(*) FROM notification WHERE kind = :kind AND participation_id = :id"
    return int(world.one(query, kind=kind, id=world.id(AMELIE)))


def test_what_changes_is_shown_and_nothing_is_touched(world: World) -> None:
    before = dump(world.engine)

    plan = looked_at(world, edited((REMINDER, REMINDER.replace("5", "7")), (LAPSE, "")))

    assert dump(world.engine) == before
    assert (plan.number, plan.people, plan.count, plan.ending, plan.kept) == (2, 4, 8, (), 0)
    assert [tuple(each) for each in plan.rules] == [(RuleKey(Subject.PARTICIPATION, "registered", "approval"), 4, 0, 4)]
    assert "deadlines.participation.registered.approval.steps[0].offset: 5 -> 7" in plan.changes


def test_ladder_that_was_edited_holds_from_then_on(world: World) -> None:
    world.tick(moment("2018-09-24 08:00"))

    applied(world, edited((ALERT, ALERT.replace("10", "12"))))

    assert ladder(world) == [
        (0, "fired", moment("2018-09-24 08:00")),
        (0, "missed", moment("2018-09-24 08:00")),  # said under the former ladder
        (1, "open", moment("2018-10-03 08:00")),
        (2, "open", moment("2018-11-13 08:00")),
    ]
    assert_sound(world)
    world.tick(moment("2018-10-01 08:00"))
    assert said(world, "approval_overdue") == 0
    world.tick(moment("2018-10-03 08:00"))
    assert (said(world, "approval_reminder"), said(world, "approval_overdue")) == (1, 1)
    world.assert_chains_hold()


def test_alert_that_the_new_ladder_would_have_given_is_given_once(world: World) -> None:
    """It matters now, and nobody was told; had it been given already, it would not be given again."""
    earlier = edited((ALERT, ALERT.replace("10", "6")))
    applied(world, earlier, at=moment("2018-09-26 12:00"))
    world.tick(moment("2018-09-26 18:00"))
    assert said(world, "approval_overdue") == 1

    applied(world, edited((ALERT, ALERT.replace("10", "7"))), at=moment("2018-09-27 12:00"))
    world.tick(moment("2018-09-27 18:00"))

    assert said(world, "approval_overdue") == 1
    assert_sound(world)


def on_desks(world: World) -> list[tuple[str, int, int]]:
    query = "SELECT status, bumps, generation FROM desk_item WHERE participation_id = :id ORDER BY id"
    return [(row.status, row.bumps, row.generation) for row in world.rows(query, id=world.id(AMELIE))]


def test_alert_stays_on_its_desk_when_the_ladder_changes_under_it(world: World) -> None:
    """The delay is still one, and nobody is alerted to it again: whoever has it on their desk must keep it."""
    world.tick(moment("2018-10-01 08:00"))
    assert on_desks(world) == [("open", 0, 1)]

    applied(world, edited((LAPSE, LAPSE.replace("40", "45"))), at=moment("2018-10-02 12:00"))
    world.tick(moment("2018-10-02 18:00"))

    assert on_desks(world) == [("open", 0, 2)]
    assert_sound(world)
    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, moment("2018-10-03 09:00"))
    assert on_desks(world) == [("settled", 0, 2)]


def test_more_time_settles_the_alert_and_another_one_comes_after_it(world: World) -> None:
    world.tick(moment("2018-10-01 08:00"))
    at = moment("2018-10-02 12:00")
    with world.engine.begin() as connection:
        coordinator = actor(connection, Role.COORDINATOR, "catherine@ifc.example", "test")
        extend(connection, AMELIE, Extension("approval", 5, "Absente."), coordinator, Occasion(at, at))

    world.tick(moment("2018-10-08 08:00"))

    assert on_desks(world) == [("settled", 0, 1), ("open", 0, 2)]
    assert_sound(world)


def test_what_was_granted_stays_granted(world: World) -> None:
    with world.engine.begin() as connection:
        coordinator = actor(connection, Role.COORDINATOR, "catherine@ifc.example", "test")
        extend(connection, AMELIE, Extension("approval", 6, "Absente."), coordinator, Occasion(NOON, NOON))

    applied(world, edited((ALERT, ALERT.replace("10", "12"))))

    assert [due_at for step, _, due_at in ladder(world) if step == 1] == [moment("2018-10-11 08:00")]
    assert [due_at for step, _, due_at in ladder(world, CELINE) if step == 1] == [moment("2018-10-03 08:00")]
    assert_sound(world)


def test_closing_that_moves_and_an_expiry_that_is_past_are_said_before(world: World) -> None:
    """Whoever confirms has read who ends at the next tick."""
    closing = edited(("closes = 2019-06-28", "closes = 2019-05-31"), (LAPSE, LAPSE.replace("40", "11")))
    at = moment("2018-10-05 12:00")

    plan = applied(world, closing, at=at)

    assert [(each.key.rule, each.moved) for each in plan.rules] == [("approval", 4), ("closing", 4)]
    assert AMELIE in plan.ending
    world.tick(at)
    assert world.state(AMELIE) == "lapsed"
    assert_sound(world)


def test_holidays_that_are_added_move_what_counts_in_working_days(world: World) -> None:
    days = 'hour = "08:00"\nschool_holidays = [{ name = "Pont", first = 2018-09-27, last = 2018-09-28 }]'

    plan = applied(world, edited(('hour = "08:00"', days)))

    assert plan.count > 0
    assert [due_at for step, _, due_at in ladder(world) if step == 1] == [moment("2018-10-03 08:00")]
    assert_sound(world)


def test_whoever_comes_back_hangs_on_the_ladder_of_today(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, moment("2018-09-24 09:00"), reason="Malade.")
    applied(world, edited((ALERT, ALERT.replace("10", "12"))))

    world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, moment("2018-09-26 09:00"), reason="Guérie.")

    assert [due_at for step, status, due_at in ladder(world) if (step, status) == (1, "open")] == [
        moment("2018-10-12 08:00")
    ]
    assert_sound(world)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"confirmed": 3}, "replan_stale"),
        ({"reason": " "}, "reason_given"),
        ({"role": Role.DIRECTOR, "email": "denis@saint-exemple.example"}, "wrong_role"),
    ],
)
def test_change_that_nobody_confirmed_is_refused(world: World, asked: dict[str, Any], code: str) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        applied(world, edited((ALERT, ALERT.replace("10", "12"))), **asked)

    assert refused.value.code == code
    assert dump(world.engine) == before


def test_ladder_that_changes_twice_gives_no_alert_twice(world: World) -> None:
    world.tick(moment("2018-10-01 08:00"))
    for number, day in enumerate(("2018-10-02", "2018-10-04")):
        applied(world, edited((LAPSE, LAPSE.replace("40", str(45 + number)))), at=moment(f"{day} 12:00"))
        world.tick(moment(f"{day} 18:00"))

    assert said(world, "approval_overdue") == 1
    assert on_desks(world) == [("open", 0, 3)]
    assert_sound(world)


def test_end_that_a_new_ladder_puts_in_the_past_is_shown_and_comes(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        world.change("UPDATE seat SET status = 'withdrawn'")
        at = moment("2018-11-05 10:00")

        plan = applied(world, edited(("placement = 2019-04-05", "placement = 2018-11-05")), at=at)

        assert AMELIE in plan.ending
        world.tick(at)
        assert world.state(AMELIE) == "cancelled"


def test_whoever_registers_while_a_ladder_is_applied_hangs_on_the_new_one(world: World) -> None:
    """The import had read the edition before."""
    with world.engine.begin() as connection:
        before = editions.current(connection)
    applied(world, edited((ALERT, ALERT.replace("10", "12"))))
    with world.engine.begin() as connection:
        row = worlds.crowd(1, "ALPHA-01").encode()
        occasion = Occasion(NOON, NOON)
        report = import_file(connection, before, FileKind.REGISTRATIONS, row, "file.csv", system("test"), occasion)

    assert not report.rejected
    assert [due_at for step, _, due_at in ladder(world, "MINI-0005") if step == 1] == [moment("2018-10-11 08:00")]


def test_file_that_leaves_nobody_at_ifc_is_refused(world: World) -> None:
    """Her address bounces: she may act, and nobody can write to her."""
    world.change("UPDATE contact SET status = 'on_hold' WHERE address = 'catherine@ifc.example'")

    with pytest.raises(Refused) as refused:
        applied(world, edited((ALERT, ALERT.replace("10", "12"))))

    assert refused.value.code == "nobody_at_ifc"


def test_routes_have_a_way_of_their_own(world: World) -> None:
    with pytest.raises(Refused) as refused:
        looked_at(world, edited(('status = "to_confirm"', 'status = "confirmed"')))

    assert refused.value.code == "replan_routes"


def test_questions_that_were_answered_do_not_change(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.asked) as world:
        world.change("INSERT INTO answer (participation_id, question, number) VALUES (1, 'useful', 3)")
        with pytest.raises(Refused) as refused:
            looked_at(world, edited(("title = ", "title = ")), moment("2019-02-01 12:00"))

        assert refused.value.code == "replan_questions"


# ------------------------------------------------------------------------------------ another process definition
Old = Callable[[], AbstractContextManager[World]]


@pytest.fixture
def of_2014(databases: Databases, database_kind: Kind, tmp_path: Path) -> Old:
    """Give a way to a world where people run on the five-step process, and the edition now names the other."""

    def old(world: World) -> None:
        text = worlds.EDITION.replace('process = "2018"', 'process = "2014"')
        presence = text[text.index("[deadlines.participation.prepared.presence]") :]
        presence = presence[: presence.index("[deadlines.participation.prepared.place]")]
        observation = presence.replace("prepared.presence", "prepared.observation").replace("presence_", "observation_")
        rest = "".join(
            block.replace("prepared", "observed")
            for block in (
                presence,
                '[deadlines.participation.prepared.place]\nsteps = [{ offset = 0, unit = "days", do = "cancel" }]\n',
                '[deadlines.participation.prepared.closing]\nsteps = [{ offset = 0, unit = "days", do = "lapse" }]\n',
            )
        )
        file = read_edition(text.replace(presence, observation + rest).encode(), "mini.toml")
        load(world, file)
        worlds.prepared(world)
        world.act(CELINE, Trigger.CONFIRM_OBSERVATION, Role.COMPANY, worlds.PREPARED_AT)

    return lambda: a_world(databases, database_kind, tmp_path, old)


def test_running_participations_keep_their_process_until_they_are_migrated(of_2014: Old) -> None:
    at = moment("2018-11-20 12:00")
    with of_2014() as world:
        plan = applied(world, edited(), at=at)
        assert (plan.people, plan.kept) == (0, 4)
        assert {row.definition for row in world.rows("SELECT definition FROM participation")} == {"2014"}

        with world.engine.begin() as connection:
            with pytest.raises(Refused) as refused:
                preview_migration(connection, "MINI", {}, Occasion(at, at))
            assert refused.value.params["states"] == ["observed"]
            seen = preview_migration(connection, "MINI", {"observed": "prepared"}, Occasion(at, at))
            coordinator = actor(connection, Role.COORDINATOR, "catherine@ifc.example", "test")
            mapping = {"observed": "prepared"}
            asked = ("Quatre étapes pour tous.", coordinator, Occasion(at, at))
            done = migrate(connection, "MINI", mapping, seen.count, *asked)

        assert (done.people, {row.definition for row in world.rows("SELECT definition FROM participation")}) == (
            4,
            {"2018"},
        )
        assert world.state(CELINE) == "prepared"
        assert [status for _, status, _ in ladder(world, CELINE, "presence")] == ["open", "open"]
        assert_sound(world)
        world.assert_chains_hold()
        world.attend(CELINE, moment("2018-12-04 18:00"))
        world.tick(moment("2018-12-05 08:00"))
        assert world.state(CELINE) == "immersed"


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        ({}, "migrate_unmapped"),
        ({"observed": "nowhere"}, "migrate_bad_state"),
        ({"registered": "prepared"}, "migrate_not_lacking"),
        ({"a": "prepared"}, "migrate_not_lacking"),
        ({"observed": "evaluated"}, "migrate_bad_state"),
        ({"observed": "immersed"}, "migrate_crosses"),
    ],
)
def test_mapping_that_would_lose_or_skip_a_state_is_refused(of_2014: Old, mapping: dict[str, str], code: str) -> None:
    at = moment("2018-11-20 12:00")
    with of_2014() as world:
        applied(world, edited(), at=at)
        with world.engine.begin() as connection, pytest.raises(Refused) as refused:
            preview_migration(connection, "MINI", mapping, Occasion(at, at))

        assert refused.value.code == code
