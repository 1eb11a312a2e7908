"""Desks: each alert once on the desk of those told, until the delay is over; who may see to it; whom to call."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from actions import desk, erasure, escalations, figures, reports
from actions.apply import Applied, Request
from actions.extending import Extension, extend
from actions.imports import FileKind
from actions.occasion import Actor, Occasion
from core.errors import NotFound, Refused
from jobs import deadlines
from states.edition import read_edition
from states.names import Role, Subject, Trigger
from tests.concurrency.interleaving import decided, written
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump, words_in
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, World, a_world, moment

ALERTED_AT, AGAIN_AT = moment("2018-10-01 09:00"), moment("2018-10-08 09:00")
SEEN_AT = moment("2018-10-03 10:00")
MONDAY = date(2018, 10, 8)
_ALERT = '  {{ offset = {}, unit = "working_days", do = "escalate", audience = "{}", message = "approval_overdue" }},\n'
_FIRST = _ALERT.format(10, "coordinator")


def stubborn(world: World) -> None:
    """Nobody approves: the school's director is alerted once, IFC on the same day and again a week later."""
    steps = _ALERT.format(10, "director") + _FIRST + _ALERT.format(15, "coordinator")
    worlds.load(world, read_edition(worlds.EDITION.replace(_FIRST, steps, 1).encode(), "mini.toml"))
    worlds.registered(world)
    world.change("UPDATE party SET phone = '04 75 11 22 33' WHERE email = :e", e="denis@saint-exemple.example")


def alerted(world: World) -> None:
    stubborn(world)
    world.tick(ALERTED_AT)


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, alerted) as world:
        yield world


def items(world: World, reference: str = AMELIE) -> list[tuple[Any, ...]]:
    """Return what is, or was, on desks because of one participation: role, step, bumps, status."""
    sql = "SELECT role, step, bumps, status FROM desk_item WHERE participation_id = :p ORDER BY role"
    return [tuple(row) for row in world.rows(sql, p=world.id(reference))]


def item_of(world: World, reference: str = AMELIE, role: Role = Role.COORDINATOR) -> int:
    sql = "SELECT id FROM desk_item WHERE participation_id = :p AND role = :r"
    return int(world.one(sql, p=world.id(reference), r=role.value))


def who(world: World, role: Role, reference: str = AMELIE) -> Actor:
    with world.engine.begin() as connection:
        return worlds.own(connection, role, reference)


def see_to(world: World, act: Any, item: int, *args: Any, by: Actor | None = None, at: datetime = SEEN_AT,
           **asked: Any) -> Applied:  # fmt: skip
    actor = by or who(world, Role.COORDINATOR)
    with world.engine.begin() as connection:
        done: Applied = act(connection, item, *args, actor, Occasion(at, at, salt=lambda: "salt"), **asked)
    return done


def listed(world: World, at: datetime = SEEN_AT, **asked: Any) -> dict[str, list[dict[str, Any]]]:
    with world.engine.begin() as connection:
        return desk.listing(connection, at, **asked)


# ------------------------------------------------------------------------------------------------- raised once, bumped
def test_alert_is_an_item_on_the_desk_of_each_organisation_told(world: World) -> None:
    assert items(world) == [("coordinator", 2, 0, "open"), ("director", 1, 0, "open")]
    assert items(world, DESIRE) == [("coordinator", 2, 1, "open")]  # without a school IFC answers: one delay, one item
    assert world.one("SELECT count(*) FROM desk_item WHERE kind <> 'approval_overdue'") == 0
    assert_sound(world)


def test_second_alert_bumps_the_item(world: World) -> None:
    see_to(world, desk.take_up, item_of(world))
    see_to(world, desk.postpone, item_of(world, BASILE), MONDAY)

    world.tick(AGAIN_AT)

    assert items(world) == [("coordinator", 3, 1, "taken"), ("director", 1, 0, "open")]
    assert items(world, BASILE)[0] == ("coordinator", 3, 1, "postponed")
    assert_sound(world)


def test_second_alert_opens_what_was_done(world: World) -> None:
    item = item_of(world)
    see_to(world, desk.take_up, item)
    see_to(world, desk.settle, item, "Appelé la direction.")
    assert items(world)[0] == ("coordinator", 2, 0, "done")

    world.tick(AGAIN_AT)

    assert items(world)[0] == ("coordinator", 3, 1, "open")
    (row,) = world.rows("SELECT taken_by, ended_at FROM desk_item WHERE id = :i", i=item)
    assert tuple(row) == (None, None)


def test_reminder_is_on_no_desk(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, stubborn) as world:
        world.tick(moment("2018-09-24 09:00"))

        assert world.one("SELECT count(*) FROM deadline WHERE status = 'fired'") == 4
        assert world.one("SELECT count(*) FROM desk_item") == 0


def test_whole_batch_is_raised_by_one_statement(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, stubborn) as world:
        said: list[str] = []

        @event.listens_for(world.engine, "before_cursor_execute")
        def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
            said.append(statement)

        deadlines.run(world.workshop, ALERTED_AT)

        assert sum("INTO desk_item" in statement for statement in said) == 1
        assert world.one("SELECT count(*) FROM desk_item") == 7


# -------------------------------------------------------------------------------------------------------------- settled
def test_act_settles_what_chased_it_and_nothing_else(world: World) -> None:
    see_to(world, desk.postpone, item_of(world), MONDAY)
    see_to(world, desk.settle, item_of(world, role=Role.DIRECTOR), "Appelé.")

    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, SEEN_AT)

    assert items(world) == [("coordinator", 2, 0, "settled"), ("director", 1, 0, "done")]
    (row,) = world.rows("SELECT until, ended_at FROM desk_item WHERE id = :i", i=item_of(world))
    assert (row.until, row.ended_at is None) == (None, False)
    assert {each[-1] for each in items(world, BASILE)} == {"open"}
    assert_sound(world)


def test_rule_that_ends_otherwise_settles_too(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, SEEN_AT)
    world.tick(moment("2018-11-13 09:00"))  # the others lapse

    assert {each[-1] for name in (AMELIE, BASILE, CELINE, DESIRE) for each in items(world, name)} == {"settled"}
    assert_sound(world)


def test_act_whose_rule_has_nothing_on_a_desk_costs_one_statement_and_a_fact_none(world: World) -> None:
    said: list[str] = []
    change = decided(world, Role.DIRECTOR, Request(Subject.PARTICIPATION, Trigger.APPROVE), SEEN_AT)

    @event.listens_for(world.engine, "before_cursor_execute")
    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    written(world, change)
    assert sum("desk_item" in statement for statement in said) == 1

    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, SEEN_AT)
    said.clear()
    see_to(world, desk.take_up, item_of(world, BASILE))
    assert sum("UPDATE desk_item" in statement for statement in said) == 1  # its own


# ------------------------------------------------------------------------------------------------------------ seeing to
def test_item_taken_postponed_and_done_is_journalled(world: World) -> None:
    item = item_of(world)
    done = [
        see_to(world, desk.take_up, item),
        see_to(world, desk.postpone, item, MONDAY, reason="  Elle rappelle lundi. "),
        see_to(world, desk.settle, item, "La direction approuvera demain."),
    ]

    assert [(each.trigger, each.before, each.after) for each in done] == [
        (trigger, "registered", "registered") for trigger in ("take_up", "postpone", "settle")
    ]
    with world.engine.begin() as connection:
        told = reports.story(connection, AMELIE, SEEN_AT)
    entries = [(each["trigger"], each["data"], each["reason"]) for each in told["journal"][-3:]]
    assert entries == [
        ("take_up", {"item": item}, None),
        ("postpone", {"item": item, "until": "2018-10-08"}, "Elle rappelle lundi."),
        ("settle", {"item": item}, "La direction approuvera demain."),
    ]
    mine = told["desk"][0]
    assert (mine["item"], mine["status"], mine["taken_by"]) == (item, "done", "Catherine Coordinatrice")
    assert (mine["until"], mine["ended_at"]) == (None, "2018-10-03T10:00:00+02:00")
    world.assert_chains_hold()
    assert_sound(world)


def test_desk_of_an_organisation_is_its_own_and_ifcs(world: World) -> None:
    item = item_of(world, role=Role.DIRECTOR)

    see_to(world, desk.take_up, item, by=who(world, Role.DIRECTOR))
    see_to(world, desk.settle, item, "Vu avec elle.", by=who(world, Role.COORDINATOR))

    assert items(world)[1] == ("director", 1, 0, "done")


@pytest.mark.parametrize(
    ("role", "reference", "desk_of"),
    [
        (Role.DIRECTOR, AMELIE, Role.COORDINATOR),
        (Role.DIRECTOR, CELINE, Role.DIRECTOR),
        (Role.TEACHER, AMELIE, Role.DIRECTOR),
        (Role.COMPANY, AMELIE, Role.DIRECTOR),
        (Role.COMMITTEE, AMELIE, Role.COORDINATOR),
        (Role.SYSTEM, AMELIE, Role.COORDINATOR),
    ],
)
def test_others_have_nothing_to_do_with_a_desk(world: World, role: Role, reference: str, desk_of: Role) -> None:
    item, stranger, before = item_of(world, role=desk_of), who(world, role, reference), dump(world.engine)

    for act, args in ((desk.take_up, ()), (desk.postpone, (MONDAY,)), (desk.settle, ("Fait.",))):
        with pytest.raises(Refused) as refused:
            see_to(world, act, item, *args, by=stranger)
        assert refused.value.code == "not_your_desk"

    assert dump(world.engine) == before


@pytest.mark.parametrize(
    ("act", "args", "code"),
    [
        (desk.settle, ("",), "note_needed"),
        (desk.settle, (" \n",), "note_needed"),
        (desk.settle, ("x" * 2_001,), "text_too_long"),
        (desk.postpone, (date(2018, 10, 3),), "postponed_to_the_past"),
        (desk.postpone, (date(2018, 10, 2),), "postponed_to_the_past"),
        (desk.postpone, (date(2019, 10, 4),), "postponed_too_far"),
    ],
)
def test_what_cannot_be_said_of_an_item_is_refused(world: World, act: Any, args: tuple[Any, ...], code: str) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        see_to(world, act, item_of(world), *args)

    assert (refused.value.code, dump(world.engine) == before) == (code, True)


@pytest.mark.parametrize("day", [date(2018, 10, 4), date(2019, 10, 3)])
def test_item_is_postponed_from_tomorrow_to_a_year_ahead(world: World, day: date) -> None:
    see_to(world, desk.postpone, item_of(world), day)

    assert items(world)[0][-1] == "postponed"


@pytest.mark.parametrize("item", [0, -1, 99, 2**31, 2**70])
def test_unknown_item_is_not_found(world: World, item: int) -> None:
    with pytest.raises(NotFound, match="unknown_item"):
        see_to(world, desk.take_up, item)


def test_item_that_is_over_stays_over(world: World) -> None:
    see_to(world, desk.settle, item_of(world), "Fait.")
    world.act(BASILE, Trigger.APPROVE, Role.DIRECTOR, SEEN_AT)

    for item in (item_of(world), item_of(world, BASILE)):
        for act, args in ((desk.take_up, ()), (desk.postpone, (MONDAY,)), (desk.settle, ("Encore.",))):
            with pytest.raises(Refused, match="item_over"):
                see_to(world, act, item, *args)


def test_same_key_gives_the_first_result_and_other_content_is_refused(world: World) -> None:
    item = item_of(world)
    first = see_to(world, desk.settle, item, "Fait.", key="k")

    again = see_to(world, desk.settle, item, "Fait.", key="k")

    assert (first.seq, first.repeated) == (again.seq, not again.repeated)
    with pytest.raises(Refused, match="key_reused"):
        see_to(world, desk.settle, item, "Autre chose.", key="k")
    assert world.one("SELECT count(*) FROM journal WHERE trigger = 'settle'") == 1


# -------------------------------------------------------------------------------------------------------------- looking
def test_list_says_since_when_what_and_whom_to_call(world: World) -> None:
    found = listed(world, at=moment("2018-10-08 10:00"))

    assert list(found) == ["items", "postponed"]
    mine = next(each for each in found["items"] if each["item"] == item_of(world))
    assert mine == {
        "item": item_of(world),
        "reference": AMELIE,
        "role": "coordinator",
        "organisation": "IFC",
        "organisation_name": "IFC",
        "subject": "participation",
        "rule": "approval",
        "kind": "approval_overdue",
        "status": "open",
        "state": "registered",
        "since": "2018-10-01T09:00:00+02:00",
        "age_days": 7,
        "age_working_days": 5,
        "bumps": 0,
        "bumped_at": "2018-10-01T09:00:00+02:00",
        "taken_by": None,
        "until": None,
        "ended_at": None,
        "act": "approve",
        "call": {
            "who": "director",
            "name": "Denis Directeur",
            "stands_in": None,
            "organisation": "Saint-Exemple",
            "phone": "04 75 11 22 33",
            "email": "denis@saint-exemple.example",
        },
    }


def test_teacher_is_called_on_their_own_telephone(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.placed) as world:
        world.change("UPDATE party SET phone = '04 99' WHERE last_name = 'Quenouille'")
        world.tick(moment("2018-11-29 09:00"))

        (mine,) = [each for each in listed(world, moment("2018-11-29 10:00"))["items"] if each["reference"] == AMELIE]

        assert (mine["rule"], mine["act"], mine["age_days"]) == ("preparation", "confirm_preparation", 0)
        assert {name: mine["call"][name] for name in ("who", "phone", "organisation")} == {
            "who": "teacher", "phone": "04 99", "organisation": None
        }  # fmt: skip


def test_list_is_by_age_with_what_waits_apart(world: World) -> None:
    see_to(world, desk.postpone, item_of(world), MONDAY)
    see_to(world, desk.settle, item_of(world, BASILE), "Fait.")
    world.change("UPDATE desk_item SET since = '2018-09-30 00:00:00+00' WHERE id = :i", i=item_of(world, DESIRE))
    every = {"role": Role.COORDINATOR}

    sunday = listed(world, at=moment("2018-10-07 23:59"), **every)
    monday = listed(world, at=moment("2018-10-08 00:01"), **every)
    whole = listed(world, at=moment("2018-10-08 00:01"), everything=True, **every)

    assert [each["reference"] for each in sunday["items"]] == [DESIRE, CELINE]
    assert [(each["reference"], each["until"]) for each in sunday["postponed"]] == [(AMELIE, "2018-10-08")]
    assert [each["reference"] for each in monday["items"]] == [DESIRE, AMELIE, CELINE]
    assert (monday["postponed"], [each["reference"] for each in whole["over"]]) == ([], [BASILE])
    assert whole["over"][0]["call"] is None


def test_list_of_one_role_organisation_or_edition(world: World) -> None:
    assert {each["role"] for each in listed(world, role=Role.DIRECTOR)["items"]} == {"director"}
    school = world.one("SELECT code FROM organisation WHERE name = 'Saint-Exemple'")
    assert {each["organisation"] for each in listed(world, organisation=f" {school} ")["items"]} == {school}
    assert {each["organisation"] for each in listed(world, organisation="ifc")["items"]} == {"IFC"}
    assert len(listed(world, edition="MINI")["items"]) == 7
    assert listed(world, organisation="FCC")["items"] == []
    with pytest.raises(NotFound, match="unknown_organisation"):
        listed(world, organisation="X")
    with pytest.raises(NotFound, match="unknown_edition"):
        listed(world, edition="X")


def test_statements_of_the_list_do_not_grow(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    counts = []
    for people in (2, 40):
        with a_world(databases, database_kind, tmp_path, worlds.only_offers) as world:
            worlds.take_in(world, FileKind.REGISTRATIONS, worlds.crowd(people))
            world.tick(ALERTED_AT)
            listed(world)
            said: list[str] = []
            event.listen(world.engine, "before_cursor_execute", lambda *args, said=said: said.append(args[2]))
            assert len(listed(world)["items"]) == people
            counts.append(sum(statement.startswith("SELECT") for statement in said))

    assert counts == [2, 2]


def test_status_counts_what_waits_by_role(world: World) -> None:
    see_to(world, desk.postpone, item_of(world), MONDAY)
    see_to(world, desk.settle, item_of(world, BASILE), "Fait.")

    with world.engine.begin() as connection:
        found = figures.status(connection, None, SEEN_AT)["desk"]

    assert found == {"director": 3, "coordinator": 3}


# ------------------------------------------------------------------------------------------------------------- erasing
def test_erasing_a_person_empties_what_was_said_of_them(world: World) -> None:
    see_to(world, desk.postpone, item_of(world), MONDAY, reason="Amélie Quenouille est malade.")
    see_to(world, desk.settle, item_of(world), "Parlé à Amélie Quenouille.")
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, SEEN_AT)
    assert "journal_text.text" in words_in(world.engine, ["Quenouille"])
    ifc = who(world, Role.COORDINATOR)

    with world.engine.begin() as connection:
        erasure.erase(connection, "amelie@saint-exemple.example", ifc, Occasion(SEEN_AT, SEEN_AT))

    assert words_in(world.engine, ["Quenouille", "malade"]) == []
    assert_sound(world)
    world.assert_chains_hold()


# ------------------------------------------------------------------------------------------------------------- controls
def test_without_settling_an_item_outlives_its_delay(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: it is the act that takes an item off the desk."""
    monkeypatch.setattr("actions.writing.settle_ended", lambda *_: None)

    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, SEEN_AT)

    assert items(world)[0][-1] == "open"
    with pytest.raises(AssertionError):
        assert_sound(world)


def test_without_the_key_a_second_alert_is_a_second_item(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: it is the database that knows that the delay is on that desk already."""
    with a_world(databases, database_kind, tmp_path, alerted, own_schema=True) as world:
        world.change("CREATE TABLE naked AS SELECT * FROM desk_item")
        world.change("DROP TABLE desk_item")
        world.change("ALTER TABLE naked RENAME TO desk_item")
        monkeypatch.setattr(escalations, "_raising", lambda _: escalations.DESK.insert())

        world.tick(AGAIN_AT)

        assert [each[:2] for each in items(world)] == [("coordinator", 2), ("coordinator", 3), ("director", 1)]
        with pytest.raises(AssertionError):
            assert_sound(world)


@pytest.mark.parametrize("how", ["settle", "postpone", "extend"])
def test_what_ifc_writes_on_its_desk_is_mailed_to_nobody(
    databases: Databases, database_kind: Kind, tmp_path: Path, how: str
) -> None:
    """The act that comes next has a mail that gives its reason: its own, never the words before it."""
    secret = "La direction la dit souffrante."
    with a_world(databases, database_kind, tmp_path, worlds.approved) as world:
        world.change("UPDATE seat SET status = 'withdrawn'")
        world.tick(moment("2019-03-18 09:00"))
        item = int(world.one("SELECT id FROM desk_item WHERE participation_id = :p", p=world.id(AMELIE)))
        at = moment("2019-03-19 09:00")
        if how == "settle":
            see_to(world, desk.settle, item, secret, at=at)
        elif how == "postpone":
            see_to(world, desk.postpone, item, date(2019, 3, 25), at=at, reason=secret)
        else:
            coordinator = who(world, Role.COORDINATOR)
            with world.engine.begin() as connection:
                extend(connection, AMELIE, Extension("place", 2, secret), coordinator, Occasion(at, at))
        world.tick(moment("2019-04-10 09:00"))

        assert world.state(AMELIE) == "cancelled"
        texts = [row.text for row in world.rows("SELECT text FROM message_text")]
        assert any("votre participation" in text for text in texts)
        assert [text for text in texts if "souffrante" in text] == []


def test_extension_that_leaves_the_alert_past_leaves_the_item_where_it_is(world: World) -> None:
    item = item_of(world)
    see_to(world, desk.take_up, item)
    at = moment("2018-11-05 09:00")
    world.tick(at)
    coordinator = who(world, Role.COORDINATOR)
    with world.engine.begin() as connection:
        extend(connection, AMELIE, Extension("approval", 1, "Absente."), coordinator, Occasion(at, at))

    assert items(world)[0][3] == "taken"
    assert_sound(world)
