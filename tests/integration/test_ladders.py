"""The ladder as its owner writes it: whom a rung speaks to, which day it counts from, on whose calendar, and when."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from actions import editions, places
from actions.extending import Extension, extend
from actions.imports import FileKind
from actions.occasion import Occasion
from actions.writing import DEADLINE, PARTICIPATION
from core.errors import InvalidFile
from jobs import deadlines, delivery
from jobs.delivery import MESSAGE
from states.edition import EditionFile, read_edition
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, APPROVED_AT, BASILE, CELINE, DESIRE, World, a_world, load, moment

Written = Callable[[str, str], AbstractContextManager[World]]
APPROVAL = """[deadlines.participation.registered.approval]
steps = [
  { offset = 5, unit = "working_days", do = "remind", audience = "director", message = "approval_reminder" },
  { offset = 10, unit = "working_days", do = "escalate", audience = "coordinator", message = "approval_overdue" },
  { offset = 40, unit = "working_days", do = "lapse" },
]"""


def edition(old: str, new: str) -> EditionFile:
    """The small edition with one thing written otherwise."""
    assert old in worlds.EDITION
    return read_edition(worlds.EDITION.replace(old, new, 1).encode(), "mini.toml")


def approval(*steps: str) -> str:
    told = "".join(f"  {{ {step} }},\n" for step in steps)
    return f"[deadlines.participation.registered.approval]\nsteps = [\n{told}]"


@pytest.fixture
def written(databases: Databases, database_kind: Kind, tmp_path: Path) -> Written:
    """Give a way to a world with four people registered in the small edition, with one thing written otherwise."""

    def build(old: str, new: str) -> AbstractContextManager[World]:
        def registered(world: World) -> None:
            load(world, edition(old, new))
            worlds.registered(world)

        return a_world(databases, database_kind, tmp_path, registered)

    return build


def dues(world: World, reference: str, rule: str) -> list[tuple[int, datetime | None, str]]:
    mine = (DEADLINE.c.participation_id == world.id(reference), DEADLINE.c.rule == rule, DEADLINE.c.status != "closed")
    query = select(DEADLINE.c.step, DEADLINE.c.due_at, DEADLINE.c.status).where(*mine).order_by(DEADLINE.c.step)
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def mails(world: World) -> list[tuple[str, str, str]]:
    query = "SELECT m.kind, m.role, c.address FROM message m JOIN contact c ON c.id = m.contact_id"
    rows = world.rows(f"{query} WHERE m.kind <> 'approval_requested' ORDER BY m.kind, m.role, c.address")
    return [(row.kind, row.role, row.address) for row in rows]


# -------------------------------------------------------------------------------------------------------- the audience
def test_ladder_climbs_from_who_owes_the_act_to_the_committee(written: Written) -> None:
    """Désiré has no school: it is IFC that owes the approval."""
    ladder = approval(
        'offset = 5, unit = "days", do = "remind", audience = "owner", message = "approval_reminder"',
        'offset = 9, unit = "days", do = "escalate", audience = "committee", message = "committee_delays"',
    )
    with written(APPROVAL, ladder) as world:
        world.tick(moment("2018-09-22 08:00"))
        world.tick(moment("2018-09-26 08:00"))

        assert mails(world) == [
            ("approval_reminder", "coordinator", "catherine@ifc.example"),
            ("approval_reminder", "director", "denis@saint-exemple.example"),
            ("approval_reminder", "director", "diane@athenee.example"),
            ("committee_delays", "committee", "odile@comite.example"),
        ]
        figures = next(text.decode() for text in world.mails().values() if b"odile@comite.example" in text)
        assert "Saint-Exemple" in figures
        assert [name for name in ("Quenouille", "Basile", "Directrice", AMELIE) if name in figures] == []


def test_committee_is_told_nothing_of_what_was_done_meanwhile(written: Written) -> None:
    ladder = approval(
        'offset = 9, unit = "days", do = "escalate", audience = "committee", message = "committee_delays"'
    )
    with written(APPROVAL, ladder) as world:
        deadlines.run(world.workshop, moment("2018-09-26 08:00"))
        for reference in (AMELIE, BASILE, CELINE):
            world.act(reference, Trigger.APPROVE, Role.DIRECTOR, moment("2018-09-26 09:00"))
        world.act(DESIRE, Trigger.APPROVE, Role.COORDINATOR, moment("2018-09-26 09:00"))
        delivery.run(world.workshop, moment("2018-09-26 10:00"))

        assert world.rows("SELECT error FROM message WHERE kind = 'committee_delays'")[0].error == "no_longer_true"


def test_responsible_for_a_teacher_is_the_director(written: Written) -> None:
    old = 'do = "escalate", audience = "coordinator", message = "preparation_overdue"'
    new = old.replace("coordinator", "responsible")
    with written(old, new) as world:
        for reference in (AMELIE, BASILE, CELINE):
            world.act(reference, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
        world.tick(worlds.PLACED_AT)
        world.tick(moment("2018-11-28 08:00"))

        assert [role for kind, role, _ in mails(world) if kind == "preparation_overdue"] == ["director", "director"]


def test_step_that_goes_alone_shares_its_envelope_with_nothing(written: Written) -> None:
    ladder = approval(
        'offset = 5, unit = "days", do = "remind", audience = "owner", message = "approval_reminder", digest = false'
    )
    with written(APPROVAL, ladder) as world:
        world.tick(moment("2018-09-22 08:00"))

        denis = ("approval_reminder", "director", "denis@saint-exemple.example")
        assert mails(world).count(denis) == 2


# ---------------------------------------------------------------------------------------------------------- the anchor
def test_steps_of_one_ladder_count_from_days_of_their_own(written: Written) -> None:
    """The date becomes known: what hangs on it is planned, what counts from the entry stays where it was."""
    old = "[deadlines.participation.director_approved.preparation]\nsteps = [\n"
    reminder = 'do = "remind", audience = "teacher", message = "preparation_reminder"'
    with written(old, f'{old}  {{ offset = 30, unit = "days", {reminder}, anchor = "entry" }},\n') as world:
        for reference in (AMELIE, BASILE, CELINE):
            world.act(reference, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
        counted = moment(f"{(APPROVED_AT + timedelta(days=30)):%Y-%m-%d} 08:00")

        assert dues(world, AMELIE, "preparation") == [(0, counted, "open"), (1, None, "waiting"), (2, None, "waiting")]

        world.tick(worlds.PLACED_AT)

        assert dues(world, AMELIE, "preparation") == [
            (0, counted, "open"),
            (1, moment("2018-11-22 08:00"), "open"),
            (2, moment("2018-11-28 08:00"), "open"),
        ]


APPROVED_LATE = approval(
    'offset = 40, unit = "working_days", do = "lapse"',
    'offset = -5, unit = "working_days", do = "lapse", anchor = "wished_day"',
)


def test_approval_that_nobody_answers_lapses_near_the_day_that_was_wished(written: Written) -> None:
    """Alpha begins on 3 December; whoever comes back before it does so by one act, and hangs there again."""
    with written(APPROVAL, APPROVED_LATE.replace("40", "200")) as world:
        near = moment("2018-11-26 08:00")
        assert dues(world, AMELIE, "approval")[1] == (1, near, "open")

        world.tick(near)

        assert (world.state(AMELIE), world.state(BASILE)) == ("lapsed", "registered")  # his begins later
        world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, moment("2018-11-26 09:00"), reason="Accord oral.")
        assert world.state(AMELIE) == "registered"
        world.tick(moment("2018-11-26 18:00"))
        assert world.state(AMELIE) == "registered"  # not ended again by a day that was past when they came back
        assert_sound(world)


def test_day_that_is_wished_may_move_or_be_unknown(written: Written) -> None:
    """Désiré wishes Beta, then Gamma, whose dates are to be fixed."""
    with written(APPROVAL, APPROVED_LATE) as world:
        assert dues(world, DESIRE, "approval")[1][1:] == (moment("2018-12-03 08:00"), "open")

        at = moment("2018-09-20 09:00")
        with world.engine.begin() as connection:
            coordinator = worlds.own(connection, Role.COORDINATOR, DESIRE)
            occasion = Occasion(at, at)
            for reference, days in (("BETA-01", ()), ("GAMMA-01", (date(2018, 11, 19),))):
                offer = places.offer_by_reference(connection, editions.current(connection), reference)
                places.set_dates(connection, offer.session_id, days, coordinator, occasion)
                if reference == "BETA-01":
                    his = select(PARTICIPATION.c.wished_on).where(PARTICIPATION.c.reference == DESIRE)
                    assert connection.execute(his).scalar_one() is None

        assert dues(world, DESIRE, "approval")[1][1:] == (moment("2018-11-12 08:00"), "open")
        assert_sound(world)


def test_whoever_registers_after_that_day_keeps_the_time_to_be_approved(written: Written) -> None:
    late = moment("2018-12-01 09:00")
    with written(APPROVAL, APPROVED_LATE) as world:
        worlds.take_in(world, FileKind.REGISTRATIONS, worlds.crowd(1, "ALPHA-01"), late)

        assert [status for _, _, status in dues(world, "MINI-0005", "approval")] == ["open", "missed"]
        world.tick(late)
        assert world.state("MINI-0005") == "registered"


# ------------------------------------------------------------------------------------------------------- the calendar
def test_school_holidays_of_a_basin_move_its_deadlines_only(written: Written) -> None:
    old = 'name = "Liège"\n'
    new = old + 'school_holidays = [{ name = "Fête", first = 2018-09-24, last = 2018-09-25 }]\n'
    with written(old, new) as world:
        liege, namur = (dues(world, reference, "approval")[0][1] for reference in (AMELIE, CELINE))

        assert (liege, namur) == (moment("2018-09-26 08:00"), moment("2018-09-24 08:00"))


def test_nothing_is_sent_in_quiet_hours_and_everything_after_them(written: Written) -> None:
    old = 'hour = "08:00"\n'
    with written(old, old + 'quiet = { first = "20:00", last = "07:30" }\n') as world:
        world.tick(moment("2018-09-17 20:30"))
        with world.engine.connect() as connection:
            held = {tuple(row) for row in connection.execute(select(MESSAGE.c.status, MESSAGE.c.send_from))}
        assert held == {("queued", moment("2018-09-18 07:30"))}
        assert world.mails() == {}

        assert world.tick(moment("2018-09-18 07:29")) == []
        world.tick(moment("2018-09-18 07:30"))

        assert {row.status for row in world.rows("SELECT status FROM message")} == {"accepted"}
        assert len(world.mails()) == 3


def test_without_quiet_hours_mail_leaves_at_night(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        world.tick(moment("2018-09-17 20:30"))

        assert len(world.mails()) == 3


# ------------------------------------------------------------------------------------------------ what cannot be said
def test_message_that_tells_of_an_act_is_no_step_of_a_ladder() -> None:
    told = 'offset = 5, unit = "days", do = "remind", audience = "teacher", message = "transfer_called_off"'
    with pytest.raises(InvalidFile) as refused:
        editions.check_messages(edition(APPROVAL, approval(told)))

    assert [problem.code for problem in refused.value.problems] == ["edition_idle_message"]


def test_message_that_cannot_be_made_fails_alone(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        deadlines.run(world.workshop, moment("2018-09-24 08:00"))
        bad = "UPDATE notification SET kind = 'transfer_called_off', role = 'teacher' WHERE kind = 'approval_reminder'"
        world.change(f"{bad} AND participation_id = :id", id=world.id(AMELIE))
        world.tick(moment("2018-09-24 09:00"))

        found = world.rows("SELECT status, count(*) AS n FROM message GROUP BY status ORDER BY status")
        assert [(row.status, row.n) for row in found] == [("accepted", 6), ("failed", 1)]


# ----------------------------------------------------------------------------------------------- what hung already
def test_alert_counted_from_the_entry_is_not_given_again_when_a_day_that_is_wished_moves(written: Written) -> None:
    ladder = approval(
        'offset = 10, unit = "days", do = "escalate", audience = "coordinator", message = "approval_overdue"',
        'offset = -5, unit = "working_days", do = "lapse", anchor = "wished_day"',
    )
    with written(APPROVAL, ladder) as world:
        world.tick(moment("2018-09-27 08:00"))
        at = moment("2018-10-03 09:00")
        with world.engine.begin() as connection:
            offer = places.offer_by_reference(connection, editions.current(connection), "ALPHA-01")
            coordinator = worlds.own(connection, Role.COORDINATOR, AMELIE)
            places.set_dates(connection, offer.session_id, (date(2018, 12, 17),), coordinator, Occasion(at, at))
        world.tick(at)

        told = "SELECT count(*) FROM notification WHERE kind = 'approval_overdue' AND participation_id = :id"
        assert world.one(told, id=world.id(AMELIE)) == 1
        on_desk = world.rows("SELECT status FROM desk_item WHERE participation_id = :id", id=world.id(AMELIE))
        assert [row.status for row in on_desk] == ["open"]
        assert_sound(world)


def test_more_time_for_an_act_moves_no_other_day(written: Written) -> None:
    with written(APPROVAL, APPROVED_LATE) as world:
        near, at = dues(world, AMELIE, "approval")[1][1], moment("2018-09-20 09:00")
        with world.engine.begin() as connection:
            coordinator = worlds.own(connection, Role.COORDINATOR, AMELIE)
            extend(connection, AMELIE, Extension("approval", 10, "Absente."), coordinator, Occasion(at, at))

        assert dues(world, AMELIE, "approval")[1][1] == near
        assert_sound(world)


def test_name_of_a_basin_is_read_as_its_code(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Else the school holidays that are its own would not count for whoever is of it."""
    with a_world(databases, database_kind, tmp_path, worlds.only_offers) as world:
        worlds.take_in(world, FileKind.REGISTRATIONS, worlds.crowd(1, "ALPHA-01").replace(";liege;", ";Liège;"))

        assert world.one("SELECT basin FROM participation") == "liege"
