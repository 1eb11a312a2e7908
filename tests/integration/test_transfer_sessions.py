"""Transfer sessions and what life does to them: people leave and come back, mistakes are mended, trainers are ill."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import drawing, evaluation, facts, sample, sessions
from actions.occasion import Occasion
from core.errors import ProductError
from states.edition import read_edition
from states.names import Role, Subject, Trigger
from tests.integration.test_returns import (
    DAY,
    OVER,
    attend,
    back,
    code_of,
    invite,
    note,
    occasion,
    plan,
    returns,
    shown,
)
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, World, a_world, moment

CECAFOC, FCC = "CECAFOC", "FCC"


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.accepted) as given:
        yield given


def calendar_of(world: World) -> list[str]:
    """Return the kinds of messages about sessions that Amélie got, in the order of her journal."""
    query = (
        "SELECT n.kind FROM notification n JOIN message m ON m.id = n.message_id WHERE n.participation_id = 1"
        " AND n.kind LIKE 'transfer_%' AND m.status = 'accepted' ORDER BY n.seq"
    )
    return [row.kind for row in world.rows(query)]


def expected_at(world: World, reference: str = AMELIE) -> str | None:
    query = (
        "SELECT s.reference FROM participation p LEFT JOIN transfer_session s ON s.id = p.transfer_session_id"
        " WHERE p.reference = :r"
    )
    value = world.one(query, r=reference)
    return None if value is None else str(value)


def to_other(world: World, at: Any, institute: str = FCC) -> None:
    """Hand Amélie's transfer to another institute, and have it accept."""
    with world.engine.begin() as connection:
        receiver = connection.exec_driver_sql(f"SELECT id FROM organisation WHERE code = '{institute}'").scalar_one()
    to = {"receiver": receiver}
    world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, at, subject=Subject.HANDOFF, data=to, reason="Autre institut.")
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, at, subject=Subject.HANDOFF)


# --------------------------------------------------------------------------------------- the end of the handoff ends it
def test_who_withdraws_is_expected_nowhere_and_hears_it_and_the_chair_is_free(world: World) -> None:
    session, at = plan(world, capacity=1), worlds.ACCEPTED_AT + timedelta(hours=2)
    invite(world, session, AMELIE)
    world.tick(at)
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, at)
    world.tick(at + timedelta(hours=1))
    taken = invite(world, session, BASILE, at=at + timedelta(hours=1))
    world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, at + timedelta(hours=2), reason="Erreur.")

    assert (expected_at(world), expected_at(world, BASILE)) == (None, session)
    assert taken == [BASILE]
    assert calendar_of(world) == ["transfer_invitation", "transfer_called_off"]
    assert_sound(world)


def test_other_institute_after_a_withdrawal_owes_nothing_to_the_first_one_s_session(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    at = worlds.ACCEPTED_AT + timedelta(hours=2)
    world.act(AMELIE, Trigger.WITHDRAW, Role.COORDINATOR, at, reason="Empêchement.")
    world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, at, reason="Finalement possible.")
    to_other(world, at)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, BASILE)
        concerned = sessions.cancel(connection, session, "Formateur malade.", who, occasion(at))
    world.tick(at)

    assert concerned == []
    assert calendar_of(world) == []  # called off before any invitation left
    assert_sound(world)


def test_session_presence_and_note_of_one_institute_are_not_another_s(world: World) -> None:
    """After a correction to `immersed`, whoever accepts next begins anew, and may invite."""
    session = plan(world)
    invite(world, session, AMELIE)
    note(world, OVER)
    attend(world, session)
    world.tick(OVER)
    at = OVER + timedelta(hours=1)
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, at, data={"to": "immersed"}, reason="Encodé par erreur.")
    to_other(world, at)
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at + timedelta(hours=1))
    world.tick(at + timedelta(hours=2))

    assert returns(world)[-1] == (2, "held", FCC, "IFC", "session attendance note")
    assert_sound(world)


# -------------------------------------------------------------------------------------------------- mistakes are mended
def test_wrong_absence_is_mended_by_saying_it_again(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    absent = attend(world, session, present=False)
    again = attend(world, session, present=False)
    entries = world.one("SELECT count(*) FROM journal WHERE chain_id = 1")
    shown_then = [(each["kind"], each["value"]) for each in shown(world, OVER)["facts"]]
    confirmed = attend(world, session, at=OVER + timedelta(hours=1))

    assert (absent, again, confirmed.after) == (None, None, "transferred")
    assert ("attendance", "absent") in shown_then
    assert expected_at(world) == session
    assert world.one("SELECT count(*) FROM journal WHERE chain_id = 1") > entries
    assert_sound(world)


def test_wrong_absence_is_mended_though_another_session_was_planned_meanwhile(world: World) -> None:
    first = plan(world)
    other = plan(world, starts_at=DAY + timedelta(days=1), ends_at=OVER + timedelta(days=1))
    invite(world, first, AMELIE)
    attend(world, first, present=False)
    invite(world, other, AMELIE, at=OVER)
    attend(world, first, at=OVER)

    assert (world.state(AMELIE), expected_at(world)) == ("transferred", first)
    assert_sound(world)


def test_absence_from_one_session_opens_no_other(world: World) -> None:
    first, other = plan(world), plan(world)
    invite(world, first, AMELIE)
    attend(world, first, present=False)

    assert code_of(lambda: attend(world, other)) == "not_invited"


def test_presence_does_not_change_once_ifc_took_the_record(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    note(world, OVER)
    attend(world, session)
    world.tick(OVER)

    assert code_of(lambda: attend(world, session, at=OVER, present=False)) == "record_taken"
    assert returns(world) == [(1, "accepted", CECAFOC, "IFC", "")]


def test_presence_taken_back_before_ifc_took_the_record_holds_it(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    note(world, OVER)
    attend(world, session)
    attend(world, session, present=False)
    world.tick(OVER)

    assert returns(world) == [(1, "held", CECAFOC, "IFC", "session attendance")]
    assert_sound(world)


# --------------------------------------------------------------------------------------------- sessions that have begun
def change(world: World, session: str, **changes: Any) -> Any:
    given = {"starts_at": DAY + timedelta(days=1), "ends_at": OVER + timedelta(days=1)}
    details = sessions.Details(**{**given, "place": "Namur", "url": "", "capacity": 2, **changes})
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        return sessions.change(connection, session, details, who, occasion(DAY))


def cancel(world: World, session: str) -> Any:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        return sessions.cancel(connection, session, "Formateur malade.", who, occasion(DAY))


def test_session_that_has_begun_is_not_moved_and_is_called_off_only_while_nobody_was_there(world: World) -> None:
    held, empty = plan(world), plan(world)
    invite(world, held, AMELIE)
    attend(world, held, at=DAY)
    invite(world, empty, BASILE)

    assert [code_of(lambda: change(world, held)), code_of(lambda: cancel(world, held))] == [
        "session_begun",
        "session_held",
    ]
    assert cancel(world, empty) == [BASILE]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"starts_at": moment("2031-01-01 09:00"), "ends_at": moment("2031-01-01 12:00")}, "session_far_ahead"),
        ({"place": "x" * 501}, "session_place"),
        ({"capacity": 10_001}, "session_capacity"),
        ({"capacity": 10**30}, "session_capacity"),
        ({"url": "http://visio.example"}, "session_link"),
    ],
)
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_plan_beyond_what_is_sensible_is_refused(world: World, changed: dict[str, Any], code: str) -> None:
    assert code_of(lambda: plan(world, **changed)) == code


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_place_is_kept_as_a_reader_sees_it(world: World) -> None:
    plan(world, place="  Rue\x1b[31m de la\nStation 1\u202e ")

    assert world.one("SELECT place FROM transfer_session") == "Rue [31m de la Station 1"


# --------------------------------------------------------------------------------------------------------- far too late
def test_year_mistyped_is_refused_before_it_freezes_a_participation(world: World) -> None:
    late = moment("2099-01-01 00:00")

    with world.engine.begin() as connection:
        who, far = worlds.own(connection, Role.INSTITUTE, AMELIE), Occasion(late, worlds.ACCEPTED_AT)
        assert code_of(lambda: facts.record_note(connection, AMELIE, "Note.", who, far)) == "long_after_closing"
    with pytest.raises(ProductError, match="long_after_closing"):
        world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, late, recorded_at=worlds.ACCEPTED_AT)
    assert world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, late).after == "withdrawn"  # when it is so late indeed


# ---------------------------------------------------------------------------- all is there before the record comes back
def asking(world: World) -> None:
    """The edition asks questions and draws a sample; Amélie's handoff is accepted."""
    worlds.load(world, read_edition((worlds.EDITION + worlds.EVALUATION).encode(), "mini.toml"))
    worlds.accepted(world)


def test_evaluation_follows_the_acceptance_of_the_record_where_nothing_else_is_missing(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """Answered, drawn and seen while IFC had sent the record back: nobody is left to do anything."""
    with a_world(databases, database_kind, tmp_path, asking) as world:
        session = plan(world)
        invite(world, session, AMELIE)
        note(world, OVER)
        attend(world, session)
        world.tick(OVER)
        at = OVER + timedelta(days=1)
        with world.engine.begin() as connection:
            teacher = worlds.own(connection, Role.TEACHER, AMELIE)
            ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
            drawing.draw(connection, None, ifc, occasion(at))
            evaluation.answer(connection, AMELIE, worlds.ANSWERS, teacher, occasion(at))
        back(world, Trigger.DECLINE, Role.COORDINATOR, at, reason="Note à compléter.")
        with world.engine.begin() as connection:
            sample.record_interview(connection, AMELIE, at.date(), ifc, occasion(at))
        back(world, Trigger.OFFER, Role.INSTITUTE, at)
        for hours in (1, 2):
            world.tick(at + timedelta(hours=hours))

        assert world.state(AMELIE) == "evaluated"
        assert world.one("SELECT role FROM journal WHERE chain_id = 1 AND trigger = 'evaluate'") == "system"
        assert_sound(world)
