"""An act that reads a fact, against a change of that fact in between: exactly one of the two stands.

Neither writes what the other does, so a lock on what is written would not help: whatever changes a fact that a guard
reads bumps the participation's version. Each pair is tried in both orders, then without the bump.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from actions import drawing, editions, facts, places
from actions.apply import Request
from actions.occasion import Occasion, system
from core.errors import LostRace, ProductError, Refused
from states.edition import read_edition
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import decided, meanwhile, without_bump, without_keys, without_status, written
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import AMELIE, World, a_world

P, H, L = Subject.PARTICIPATION, Subject.HANDOFF, Subject.PLACEMENT


def release(world: World) -> None:
    """Alpha takes its offer back."""
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        edition = editions.current(connection)
        occasion = Occasion(worlds.IMMERSED_AT, worlds.IMMERSED_AT)
        for outcome in places.cancel_offer(connection, edition, "ALPHA-01", "Grève.", ifc, occasion).values():
            if isinstance(outcome, Exception):
                raise outcome


def move_dates(world: World, days: tuple[date, ...] = (date(2019, 2, 4), date(2019, 2, 5))) -> None:
    """Alpha's immersion was not in December after all."""
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        offer = places.offer_by_reference(connection, editions.current(connection), "ALPHA-01")
        occasion = Occasion(worlds.IMMERSED_AT, worlds.IMMERSED_AT)
        places.set_dates(connection, offer.session_id, days, ifc, occasion)


def lower_presence(world: World) -> None:
    """The company attests that it was one half-day, not four."""
    world.attend(AMELIE, worlds.IMMERSED_AT, present=1)


def void_handoff(world: World) -> None:
    """IFC finds that the transfer did not take place."""
    asked: dict[str, Any] = {"reason": "Erreur.", "data": {"to": "immersed"}}
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, worlds.EVALUATED_AT, **asked)


def call_back(world: World) -> None:
    """The teacher gives up: the institute need not do the transfer."""
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, worlds.TRANSFERRED_AT)


def attended(world: World) -> None:
    worlds.prepared(world)
    world.attend(AMELIE, worlds.ATTESTED_AT)


def sampling(world: World) -> None:
    """Nobody is asked anything at the end, but a sample is seen in person."""
    rule = worlds.EVALUATION.partition("[evaluation.sample]")
    worlds.load(world, read_edition("".join((worlds.EDITION, *rule[1:])).encode(), "mini.toml"))
    worlds.returned(world)


def draw(world: World) -> None:
    """IFC draws the sample; Amélie is in it."""
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        drawing.draw(connection, None, ifc, Occasion(worlds.EVALUATED_AT, worlds.EVALUATED_AT))


@dataclass(frozen=True)
class Skew:
    """An act that reads a fact, the change of that fact, and the rows that must never stand together."""

    build: worlds.Build
    role: Role
    act: Request
    when: datetime
    change: Callable[[World], None]
    never: str


_STATE = "SELECT count(*) FROM participation p {} WHERE p.id = 1 AND p.state = '{}' AND {}"
_PLACE = "JOIN placement l ON l.participation_id = p.id"
_SESSION = f"{_PLACE} JOIN seat ON seat.id = l.seat_id JOIN session s ON s.id = seat.session_id"
_HANDOFF = "JOIN handoff h ON h.participation_id = p.id AND h.round = p.handoff_round"
IMMERSION = Request(P, Trigger.CONFIRM_IMMERSION, data={"half_days": 4})

SKEWS = {
    "immersion, place released": Skew(
        worlds.prepared, Role.COMPANY, IMMERSION, worlds.IMMERSED_AT, release,
        _STATE.format(_PLACE, "immersed", "l.status = 'released'"),
    ),
    "immersion, dates moved": Skew(
        worlds.prepared, Role.COMPANY, IMMERSION, worlds.IMMERSED_AT, move_dates,
        _STATE.format(_SESSION, "immersed", "s.last_day > '2019-01-01'"),
    ),
    "immersion, presence corrected": Skew(
        attended, Role.SYSTEM, IMMERSION, worlds.IMMERSED_AT, lower_presence,
        _STATE.format("JOIN fact f ON f.participation_id = p.id", "immersed", "f.value = 'absent' AND f.half_day = 'pm'"
                      " AND f.happened_on = '2018-12-04'"),
    ),
    "transfer, handoff closed": Skew(
        worlds.accepted, Role.INSTITUTE, Request(P, Trigger.CONFIRM_TRANSFER), worlds.TRANSFERRED_AT, call_back,
        _STATE.format("JOIN journal j ON j.chain_id = p.id", "transferred", "j.trigger = 'withdraw'"),
    ),
    "evaluation, handoff voided": Skew(
        worlds.returned, Role.TEACHER, Request(P, Trigger.EVALUATE), worlds.EVALUATED_AT, void_handoff,
        _STATE.format(_HANDOFF, "evaluated", "h.status <> 'completed'"),
    ),
    "evaluation, drawn into the sample": Skew(
        sampling, Role.TEACHER, Request(P, Trigger.EVALUATE), worlds.EVALUATED_AT, draw,
        _STATE.format("JOIN drawn d ON d.participation_id = p.id", "evaluated", "d.status = 'drawn'"),
    ),
}  # fmt: skip


@pytest.fixture(params=SKEWS)
def skew(request: pytest.FixtureRequest) -> Skew:
    return SKEWS[request.param]


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path, skew: Skew) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, skew.build, own_schema=True) as world:
        yield world


def test_act_decided_before_its_fact_changed_loses(world: World, skew: Skew) -> None:
    change = decided(world, skew.role, skew.act, skew.when)
    skew.change(world)
    before = dump(world.engine)

    with pytest.raises(LostRace):
        written(world, change)

    assert dump(world.engine) == before
    assert world.one(skew.never) == 0


def test_fact_changed_first_refuses_the_act(world: World, skew: Skew) -> None:
    skew.change(world)

    with pytest.raises(Refused):
        written(world, decided(world, skew.role, skew.act, skew.when))

    assert world.one(skew.never) == 0


def test_act_done_first_stands_beside_the_later_change(world: World, skew: Skew) -> None:
    """In the other order the change comes afterwards, is refused, or undoes the act: never both as if alone."""
    written(world, decided(world, skew.role, skew.act, skew.when))

    with suppress(ProductError):
        skew.change(world)

    world.assert_chains_hold()


def test_without_the_bump_both_stand_and_contradict_each_other(
    world: World, skew: Skew, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the version stays as it was; the unique keys and the handoff's own status do not stand in its place."""
    without_bump(monkeypatch)
    without_status(monkeypatch)
    without_keys(world)
    change = decided(world, skew.role, skew.act, skew.when)
    skew.change(world)

    written(world, change)

    assert world.one(skew.never) == 1


@pytest.mark.parametrize("verb", ["release", "dates", "presence", "preparation", "handoff"])
def test_whatever_changes_a_fact_bumps_the_version(
    databases: Databases, database_kind: Kind, tmp_path: Path, verb: str
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.offered if verb == "handoff" else worlds.placed) as world:
        before = world.one("SELECT version FROM participation WHERE id = 1")
        _change_a_fact(world, verb)

        assert world.one("SELECT version FROM participation WHERE id = 1") > before


def _change_a_fact(world: World, verb: str) -> None:
    if verb == "handoff":
        world.act(AMELIE, Trigger.DECLINE, Role.INSTITUTE, worlds.ACCEPTED_AT, subject=H, reason="Autre réseau.")
    elif verb == "preparation":
        with world.engine.begin() as connection:
            occasion = Occasion(worlds.PREPARED_AT, worlds.PREPARED_AT)
            facts.record_preparation(connection, AMELIE, date(2018, 10, 9), system("test"), occasion)
    elif verb == "presence":
        world.attend(AMELIE, worlds.ATTESTED_AT)
    else:
        (release if verb == "release" else move_dates)(world)


# --------------------------------------------------------------------- a seat being given, its offer changing meanwhile
HELD_AND_WITHDRAWN = (
    "SELECT count(*) FROM placement JOIN seat ON seat.id = placement.seat_id"
    " WHERE placement.status IN ('proposed', 'offered', 'confirmed') AND seat.status = 'withdrawn'"
)
OPEN_DEADLINES = (
    "SELECT participation_id, rule, step, due_at, status FROM deadline WHERE status IN ('open', 'waiting')"
    " ORDER BY participation_id, rule, step"
)


@pytest.fixture
def waiting(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which four people are approved, and have no place yet."""
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        yield world


def plan(connection: Connection) -> Mapping[int, int]:
    return places.plan_places(connection, [1, 2, 3, 4], worlds.PLACED_AT)[0]


def give(connection: Connection, given: Mapping[int, int]) -> None:
    places.give_places(connection, given, system("test"), Occasion(worlds.PLACED_AT, worlds.PLACED_AT))


def test_seat_planned_before_its_offer_was_cancelled_is_not_given(waiting: World) -> None:
    """The progress job plans in one transaction and gives in the next."""
    with waiting.engine.begin() as connection:
        given = plan(connection)
    release(waiting)
    with waiting.engine.begin() as connection:
        give(connection, given)

    assert waiting.one(HELD_AND_WITHDRAWN) == 0


def test_seat_planned_for_two_is_given_to_one_and_the_other_is_not_forgotten(waiting: World) -> None:
    """Two runs of the job at once, each with its plan: a lost race, not a fault, and another seat at the next tick."""
    with waiting.engine.begin() as connection:
        plans = [places.plan_places(connection, [pid], worlds.PLACED_AT)[0] for pid in (1, 3)]
    assert [*plans[0].values()] == [*plans[1].values()]

    with waiting.engine.begin() as connection:
        give(connection, plans[0])
    with waiting.engine.begin() as connection:
        occasion = Occasion(worlds.PLACED_AT, worlds.PLACED_AT)
        outcomes = places.give_places(connection, plans[1], system("test"), occasion)
    waiting.tick(worlds.PLACED_AT)

    assert [isinstance(outcome, ProductError) for outcome in outcomes.values()] == [True]
    assert waiting.one("SELECT count(*) FROM placement WHERE status = 'confirmed'") == 4
    assert waiting.rows("SELECT * FROM set_aside") == []


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time: there is no meanwhile
def test_offer_cancelled_while_its_seats_are_given_leaves_nobody_on_a_withdrawn_seat(waiting: World) -> None:
    with waiting.engine.begin() as connection:
        give(connection, plan(connection))
        cancelled = meanwhile(waiting, release)
    if not cancelled:
        release(waiting)

    assert waiting.one(HELD_AND_WITHDRAWN) == 0


@pytest.mark.parametrize("database_kind", ["postgresql"])  # as above
def test_dates_moved_while_seats_are_given_move_the_deadlines_of_those_placed(
    databases: Databases, database_kind: Kind, tmp_path: Path, waiting: World
) -> None:
    """Placed by what was read before, with deadlines from the days that were."""
    with a_world(databases, database_kind, tmp_path, worlds.approved) as one_after_the_other:
        with one_after_the_other.engine.begin() as connection:
            give(connection, plan(connection))
        move_dates(one_after_the_other)
        expected = one_after_the_other.rows(OPEN_DEADLINES)

    with waiting.engine.begin() as connection:
        give(connection, plan(connection))
        moved = meanwhile(waiting, move_dates)
    if not moved:
        move_dates(waiting)

    assert waiting.rows(OPEN_DEADLINES) == expected
