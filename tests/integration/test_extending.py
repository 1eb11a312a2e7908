"""More time, granted by IFC: the whole ladder moves, what was planned before never fires, nothing is said twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from actions.extending import Extended, Extension, extend
from actions.occasion import Occasion
from actions.people import actor
from actions.writing import DEADLINE
from core.errors import Refused
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, DESIRE, World, a_world, moment

NOON = moment("2018-09-25 12:00")  # after the reminder, before the alert


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path) as world:
        yield world


def grant(world: World, days: int, rule: str = "approval", reference: str = AMELIE, **asked: Any) -> Extended:
    at = asked.pop("at", NOON)
    role, email = asked.pop("role", Role.COORDINATOR), asked.pop("email", "catherine@ifc.example")
    reason = asked.pop("reason", "La direction rentre le 8 octobre.")
    with world.engine.begin() as connection:
        who = actor(connection, role, email, "test")
        return extend(connection, reference, Extension(rule, days, reason, **asked), who, Occasion(at, at))


def ladder(world: World, rule: str = "approval") -> list[tuple[int, int, str, Any]]:
    query = select(DEADLINE.c.generation, DEADLINE.c.step, DEADLINE.c.status, DEADLINE.c.due_at).where(
        DEADLINE.c.participation_id == world.id(AMELIE), DEADLINE.c.rule == rule
    )
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(DEADLINE.c.generation, DEADLINE.c.step))]


def kinds(world: World) -> list[str]:
    query = "SELECT kind FROM notification WHERE participation_id = :id ORDER BY id"
    return [row.kind for row in world.rows(query, id=world.id(AMELIE))]


def test_extension_moves_the_whole_ladder_and_is_a_generation_of_its_own(world: World) -> None:
    world.tick(moment("2018-09-24 08:00"))

    done = grant(world, 6)

    assert (done.rule, done.extension, len(done.steps)) == ("approval", 6, 3)
    assert ladder(world) == [
        (1, 0, "fired", moment("2018-09-24 08:00")),
        (1, 1, "closed", moment("2018-10-01 08:00")),
        (1, 2, "closed", moment("2018-11-13 08:00")),
        (2, 0, "open", moment("2018-10-02 08:00")),
        (2, 1, "open", moment("2018-10-09 08:00")),
        (2, 2, "open", moment("2018-11-21 08:00")),
    ]
    assert_sound(world)


def test_nothing_of_the_former_generation_is_said(world: World) -> None:
    grant(world, 6)

    world.tick(moment("2018-10-01 08:00"))
    assert kinds(world) == ["approval_requested"]
    world.tick(moment("2018-10-02 08:00"))
    assert kinds(world) == ["approval_requested", "approval_reminder"]


def test_alert_that_has_been_given_is_not_given_again_for_a_day_that_stays_past(world: World) -> None:
    """On day 12 the alert has fired; three days more leave it in the past."""
    for day in ("2018-09-24", "2018-10-01"):
        world.tick(moment(f"{day} 08:00"))

    grant(world, 3, at=moment("2018-10-05 12:00"))
    world.tick(moment("2018-10-05 18:00"))

    assert [status for generation, _, status, _ in ladder(world) if generation == 2] == ["missed", "missed", "open"]
    assert kinds(world).count("approval_overdue") == 1


def test_extensions_add_up_and_a_date_that_moves_takes_them_back(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.placed) as world:
        first, second = (grant(world, 2, "preparation", at=worlds.PREPARED_AT) for _ in range(2))
        assert (first.extension, second.extension) == (2, 4)
        assert_sound(world)

        world.act(AMELIE, Trigger.CONFIRM_PREPARATION, Role.TEACHER, worlds.PREPARED_AT)

        assert [status for generation, _, status, _ in ladder(world, "preparation")][-2:] == ["met", "met"]
        assert_sound(world)


def test_key_makes_an_extension_safe_to_repeat(world: World) -> None:
    first = grant(world, 6, key="once")
    before = dump(world.engine)

    again = grant(world, 6, key="once")

    assert (first.done.repeated, again.done.repeated, again.extension) == (False, True, 6)
    assert dump(world.engine) == before
    with pytest.raises(Refused) as refused:
        grant(world, 7, key="once")
    assert refused.value.code == "key_reused"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"days": 0}, "too_long_an_extension"),
        ({"days": -3}, "too_long_an_extension"),
        ({"days": 61}, "too_long_an_extension"),
        ({"days": 3, "rule": "closing"}, "not_extended"),
        ({"days": 3, "rule": "presence"}, "no_such_deadline"),
        ({"days": 3, "rule": "vacances"}, "no_such_deadline"),
        ({"days": 3, "reason": " "}, "reason_given"),
        ({"days": 3, "role": Role.DIRECTOR, "email": "denis@saint-exemple.example"}, "not_yours"),
        ({"days": 3, "reason": "x" * 2001}, "text_too_long"),
    ],
)
def test_extension_that_cannot_be_is_refused_and_nothing_moves(world: World, asked: dict[str, Any], code: str) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        grant(world, **asked)

    assert refused.value.code == code
    assert dump(world.engine) == before


def test_deadline_without_a_date_yet_has_nothing_to_extend(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        with pytest.raises(Refused) as refused:
            grant(world, 3, "preparation", DESIRE, at=worlds.PLACED_AT)
        assert refused.value.code == "deadline_waits"


def test_extension_that_would_still_be_past_is_refused(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.immersed) as world:
        world.tick(worlds.OFFERED_AT)
        with pytest.raises(Refused) as refused:
            grant(world, 1, "acceptance", at=moment("2019-06-01 12:00"))
        assert refused.value.code == "extension_in_past"
