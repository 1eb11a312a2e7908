"""A round that is refused, left unanswered or incomplete comes back to IFC, and is never lost on the way."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actions import handoffs, reading
from core.errors import Refused
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, ATTESTED_AT, OFFERED_AT, PLACED_AT, World, a_world, moment

REMINDED_AT, ESCALATED_AT = moment("2018-12-19 08:00"), moment("2018-12-27 08:00")
TIMED_OUT_AT = moment("2019-01-04 08:00")  # fifteen working days after the offer


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which three handoffs were offered on 12 December."""
    with a_world(databases, database_kind, tmp_path, worlds.offered) as world:
        yield world


def rounds(world: World, participation_id: int = 1) -> list[tuple[object, ...]]:
    query = (
        "SELECT h.round, h.status, o.code, h.because FROM handoff h LEFT JOIN organisation o ON o.id = h.receiver_id"
        " WHERE participation_id = :p AND h.purpose = 'transfer' ORDER BY h.round"
    )
    return [tuple(row) for row in world.rows(query, p=participation_id)]


def told(world: World, kind: str) -> list[str]:
    query = "SELECT role FROM notification WHERE kind = :k AND participation_id = 1 ORDER BY id"
    return [row.role for row in world.rows(query, k=kind)]


def move(world: World, trigger: Trigger, role: Role, at: str, **asked: Any) -> None:
    world.act(AMELIE, trigger, role, moment(at), subject=Subject.HANDOFF, **asked)


# ----------------------------------------------------------------------------------------------------------- no answer
def test_round_left_unanswered_comes_back_to_ifc(world: World) -> None:
    for at in (REMINDED_AT, ESCALATED_AT, TIMED_OUT_AT):
        world.tick(at)

    assert rounds(world) == [(1, "timed_out", "CECAFOC", ""), (2, "to_route", None, "other_receiver")]
    assert (told(world, "handoff_timed_out"), told(world, "handoff_closed")) == (["coordinator"], ["institute"])
    assert told(world, "handoff_to_route") == []  # said with the time-out
    assert world.one("SELECT count(*) FROM message WHERE kind LIKE 'handoff%' AND status <> 'accepted'") == 0
    assert_sound(world)


def test_round_is_not_timed_out_a_moment_before(world: World) -> None:
    world.tick(moment("2019-01-04 07:59"))

    assert rounds(world) == [(1, "offered", "CECAFOC", "")]


def test_round_that_was_answered_is_not_timed_out(world: World) -> None:
    move(world, Trigger.ACCEPT, Role.INSTITUTE, "2019-01-04 07:30")
    world.tick(TIMED_OUT_AT)

    assert rounds(world) == [(1, "accepted", "CECAFOC", "")]


def test_answer_that_comes_after_the_time_out_is_refused_with_what_stands(world: World) -> None:
    world.tick(TIMED_OUT_AT)

    with pytest.raises(Refused) as refusal:
        move(world, Trigger.ACCEPT, Role.COORDINATOR, "2019-01-04 09:00")
    assert (refusal.value.code, refusal.value.state) == ("wrong_state", "to_route")


def test_tick_of_a_time_out_run_twice_ends_as_run_once(world: World) -> None:
    world.tick(TIMED_OUT_AT)
    before = dump(world.engine)

    assert [summary.handled for summary in world.tick(TIMED_OUT_AT)] == []
    assert dump(world.engine) == before


def test_ifc_takes_the_transfer_itself_after_a_time_out(world: World) -> None:
    world.tick(TIMED_OUT_AT)
    ifc = world.one("SELECT id FROM organisation WHERE kind = 'ifc'")
    move(world, Trigger.OFFER, Role.COORDINATOR, "2019-01-07 09:00", data={"receiver": ifc})
    move(world, Trigger.ACCEPT, Role.COORDINATOR, "2019-01-07 09:01")
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.COORDINATOR, moment("2019-01-21 09:00"))

    assert [row[1:3] for row in rounds(world)] == [("timed_out", "CECAFOC"), ("completed", "IFC")]
    assert world.state(AMELIE) == "transferred"
    assert_sound(world)


# -------------------------------------------------------------------------------------------------------------- refused
def test_refusal_says_its_cause_and_comes_back_to_ifc(world: World) -> None:
    move(world, Trigger.DECLINE, Role.INSTITUTE, "2018-12-13 09:00", data={"cause": "no_session"})
    world.tick(moment("2018-12-13 10:00"))

    assert rounds(world) == [(1, "declined", "CECAFOC", "no_session"), (2, "to_route", None, "other_receiver")]
    assert told(world, "handoff_declined") == ["coordinator"]
    mail = next(mail for mail in world.mails().values() if b"refus=C3=A9" in mail or b"refus\xc3\xa9" in mail)
    assert b"pas de session possible" in mail


def test_refusal_for_another_cause_needs_words(world: World) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused, match="cause_given"):
        move(world, Trigger.DECLINE, Role.INSTITUTE, "2018-12-13 09:00", data={"cause": "other"})
    assert dump(world.engine) == before


# -------------------------------------------------------------------------------------------------- whom to offer it to
def test_two_routes_are_no_answer_and_ifc_is_told_why(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file with two routes for one person is loaded; a guess would be worse than the desk, all the same."""
    rules_for = reading.rules_for

    def doubled(*arguments: Any) -> Any:
        rules = rules_for(*arguments)
        return replace(rules, routes=(*rules.routes, *rules.routes))

    monkeypatch.setattr(handoffs, "rules_for", doubled)
    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        world.tick(OFFERED_AT)

        assert rounds(world) == [(1, "to_route", None, "two_routes")]
        assert told(world, "handoff_to_route") == ["coordinator"]


def test_new_round_after_a_transfer_that_was_taken_back_is_told_of(world: World) -> None:
    """The institute of the route said no two rounds ago: that was told then, and is no news of this round."""
    move(world, Trigger.DECLINE, Role.INSTITUTE, "2018-12-13 09:00", data={"cause": "no_session"})
    ifc = world.one("SELECT id FROM organisation WHERE kind = 'ifc'")
    move(world, Trigger.OFFER, Role.COORDINATOR, "2018-12-13 10:00", data={"receiver": ifc})
    move(world, Trigger.ACCEPT, Role.COORDINATOR, "2018-12-13 10:01")
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.COORDINATOR, moment("2018-12-17 09:00"))
    taken_back: dict[str, Any] = {"reason": "Session annulée.", "data": {"to": "immersed"}}
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, moment("2018-12-18 09:00"), **taken_back)
    world.tick(moment("2018-12-18 10:00"))

    assert rounds(world)[-1] == (3, "to_route", None, "other_receiver")
    assert told(world, "handoff_to_route") == ["coordinator"]


# ----------------------------------------------------------------------------------------------------------- incomplete
def incomplete(world: World) -> None:
    """Amélie was corrected to immersed before the company said who was there."""
    worlds.prepared(world)
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, ATTESTED_AT, reason="Par téléphone.", data={"to": "immersed"})
    world.tick(OFFERED_AT)


def test_incomplete_packet_is_held_until_what_is_missing_is_there(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, incomplete) as world:
        assert rounds(world) == [(1, "held", None, "presence")]
        assert told(world, "handoff_held") == ["coordinator"]

        world.attend(AMELIE, moment("2018-12-13 09:00"))
        world.tick(moment("2018-12-13 10:00"))

        assert rounds(world) == [(1, "offered", "CECAFOC", "")]
        assert_sound(world)


def test_held_round_that_is_complete_but_has_no_route_says_so(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """It must not go on saying that its presence is missing."""
    with a_world(databases, database_kind, tmp_path, incomplete) as world:
        world.change("UPDATE participation SET network = NULL WHERE id = 1")
        world.attend(AMELIE, moment("2018-12-13 09:00"))
        world.tick(moment("2018-12-13 10:00"))

        assert rounds(world) == [(1, "held", None, "network")]
        assert told(world, "handoff_to_route") == ["coordinator"]


def test_held_round_is_told_of_once_and_then_chased(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, incomplete) as world:
        for at in (OFFERED_AT, moment("2018-12-13 08:00"), moment("2018-12-19 08:00")):
            world.tick(at)

        assert told(world, "handoff_held") == ["coordinator"]
        assert told(world, "handoff_overdue") == ["coordinator"]
        assert rounds(world) == [(1, "held", None, "presence")]


def test_what_ifc_holds_by_hand_is_for_ifc_to_release(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        move(world, Trigger.HOLD, Role.COORDINATOR, "2018-12-12 11:30", reason="Attendre la convention.")
        world.tick(OFFERED_AT)
        world.attend(AMELIE, moment("2018-12-13 09:00"))
        world.tick(moment("2018-12-13 10:00"))

        assert rounds(world) == [(1, "held", None, "")]


def test_who_has_no_place_is_not_offered_without_a_reason(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        asked: dict[str, Any] = {"reason": "Sur papier.", "data": {"to": "immersed"}}
        world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, PLACED_AT, **asked)
        world.tick(PLACED_AT)
        fcc = world.one("SELECT id FROM organisation WHERE code = 'FCC'")
        assert rounds(world) == [(1, "held", None, "place presence")]

        with pytest.raises(Refused, match="packet_complete"):
            move(world, Trigger.OFFER, Role.COORDINATOR, "2018-10-02 09:00", data={"receiver": fcc})
        move(world, Trigger.OFFER, Role.COORDINATOR, "2018-10-02 09:01", data={"receiver": fcc}, reason="Sur papier.")

        assert rounds(world) == [(1, "offered", "FCC", "")]
