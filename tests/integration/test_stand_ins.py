"""Who is written to where somebody cannot be reached: chosen at the claim, kept on the message, told in the story."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import contacts as acting
from actions import reaching
from actions.contacts import NewContact, Whose
from actions.imports import FileKind
from actions.occasion import Actor, Occasion, system
from actions.reports import story
from core.errors import NotFound, Refused
from jobs import contacts, delivery
from jobs.contacts import Contacts
from states.edition import read_edition
from states.names import Level, Role
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import (
    AMELIE,
    BASILE,
    CELINE,
    DESIRE,
    OFFERS,
    PEOPLE,
    REGISTERED_AT,
    World,
    a_world,
    moment,
    own,
    take_in,
)

DENIS, LUC, MAILBOX = "denis@saint-exemple.example", "luc@saint-exemple.example", "direction@saint-exemple.example"
CATHERINE, ANNE, DIRK, DIANE = (
    "catherine@ifc.example",
    "anne@cecafoc.example",
    "dirk@fcc.example",
    "diane@athenee.example",
)
NOW = Occasion(REGISTERED_AT, REGISTERED_AT, salt=lambda: "salt")


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path) as world:
        yield world


def coordinator(world: World) -> Actor:
    with world.engine.begin() as connection:
        return own(connection, Role.COORDINATOR, AMELIE)


def add(world: World, email: str = LUC, name: str = "Luc Petit", code: str = "90001", **new: Any) -> dict[str, Any]:
    who = coordinator(world)
    with world.engine.begin() as connection:
        role = new.pop("role", Role.DIRECTOR)
        return acting.add(connection, code, NewContact(role, email, name, **new), who, NOW)


def mark(world: World, how: str, address: str = DENIS, *args: Any, **whose: Any) -> dict[str, Any]:
    who = coordinator(world)
    days = (args or (None,)) if how == "gone" else ()
    with world.engine.begin() as connection:
        done: dict[str, Any] = getattr(acting, how)(connection, Whose(address, **whose), *days, who, NOW)
        return done


def told(world: World, reference: str = AMELIE) -> dict[str, Any]:
    with world.engine.begin() as connection:
        return story(connection, reference, REGISTERED_AT)


def written_to(world: World) -> dict[str, tuple[str, str]]:
    """Whom each message about an organisation or a person went to, and whether they stood in for somebody."""
    delivery.run(world.workshop, REGISTERED_AT)
    rows = world.rows(
        "SELECT p.reference, c.address, m.stands_in FROM message m JOIN contact c ON c.id = m.contact_id"
        " JOIN notification n ON n.message_id = m.id JOIN participation p ON p.id = n.participation_id"
    )
    return {row.reference: (row.address, row.stands_in) for row in rows}


# -------------------------------------------------------------------------------------------------------- on a message
def test_message_goes_to_the_deputy_of_whoever_is_gone(world: World) -> None:
    add(world)
    mark(world, "gone", DENIS, date(2018, 9, 1))

    assert written_to(world) == {
        AMELIE: (LUC, "deputy"),
        BASILE: (LUC, "deputy"),
        CELINE: (DIANE, ""),
        DESIRE: (CATHERINE, ""),
    }
    (message,) = told(world)["messages"]
    assert {name: message[name] for name in ("recipient", "level", "stands_in", "stands_in_for")} == {
        "recipient": "Luc Petit",
        "level": "first",
        "stands_in": "deputy",
        "stands_in_for": "Saint-Exemple",
    }
    (due,) = told(world)["due"]
    assert (due["name"], due["stands_in"]) == ("Luc Petit", "deputy")
    assert told(world)["unreachable"] == [
        {
            "role": "director",
            "name": "Denis Directeur",
            "address": DENIS,
            "why": "gone",
            "since": "2018-09-01",
            "until": None,
            "to": "Luc Petit",
            "stands_in": "deputy",
        }
    ]


def test_message_goes_to_the_functional_mailbox_where_an_address_bounces(world: World) -> None:
    add(world, MAILBOX, "")
    mark(world, "hold")

    assert written_to(world)[AMELIE] == (MAILBOX, "mailbox")
    (message,), (missed,) = told(world)["messages"], told(world)["unreachable"]
    assert (message["recipient"], message["stands_in"]) == (MAILBOX, "mailbox")
    assert (missed["why"], missed["to"]) == ("on_hold", MAILBOX)


def test_message_goes_to_ifc_where_a_school_has_nobody_else(world: World) -> None:
    """Control: once its director is back, to him."""
    mark(world, "hold")
    assert told(world)["due"][0]["stands_in"] == "desk"
    mark(world, "hold", DIANE)
    mark(world, "back", DIANE)

    found = written_to(world)

    assert (found[AMELIE], found[CELINE]) == ((CATHERINE, "desk"), (DIANE, ""))
    assert told(world)["messages"][0]["recipient"] == "Catherine Coordinatrice"
    assert (told(world, CELINE)["unreachable"], told(world, CELINE)["messages"][0]["stands_in"]) == ([], None)


def test_teacher_whose_address_bounces_is_told_to_ifc(world: World) -> None:
    mark(world, "hold", "amelie@saint-exemple.example")

    party = world.one("SELECT id FROM party WHERE email = 'amelie@saint-exemple.example'")
    ifc = world.one("SELECT id FROM organisation WHERE kind = 'ifc'")
    with world.engine.begin() as connection:
        chosen = Contacts(connection, date(2018, 9, 17), ifc)
        found = [chosen.choose(Role.TEACHER, party, None, level) for level in Level]

    assert [(each.address, each.stands_in, each.role) for each in found if each] == [
        (CATHERINE, "desk", Role.COORDINATOR)
    ] * 3
    (missed,) = told(world)["unreachable"]
    assert (missed["role"], missed["name"], missed["to"]) == ("teacher", "Amélie Quenouille", "Catherine Coordinatrice")


def test_levels_climb_from_who_handles_it_to_who_answers_for_it(world: World) -> None:
    add(world)
    add(world, "reine@saint-exemple.example", "Reine Responsable")
    add(world, "bis@ifc.example", "Bob Coordinateur", "IFC", role=Role.COORDINATOR)
    school, ifc = (world.one(f"SELECT id FROM organisation WHERE code = '{code}'") for code in ("90001", "IFC"))

    with world.engine.begin() as connection:
        chosen = Contacts(connection, date(2018, 9, 17), ifc)
        asked = [(Role.DIRECTOR, school), (Role.INSTITUTE, ifc)]
        found = [
            (each.address, each.stands_in, str(each.role))
            for role, organisation in asked
            for level in Level
            if (each := chosen.choose(role, None, organisation, level))
        ]

    assert found == [
        (DENIS, "", "director"),
        (LUC, "", "director"),
        ("reine@saint-exemple.example", "", "director"),
        (CATHERINE, "", "institute"),  # IFC is the receiver itself
        ("bis@ifc.example", "", "institute"),
        ("bis@ifc.example", "", "institute"),
    ]


def test_each_key_is_looked_up_once_for_all_levels(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[tuple[Any, ...]] = []
    look = reaching.contacts_of

    def counting(connection: Any, *key: Any) -> Any:
        looked_up.append(key)
        return look(connection, *key)

    monkeypatch.setattr(contacts, "contacts_of", counting)
    school, ifc = (world.one(f"SELECT id FROM organisation WHERE code = '{code}'") for code in ("90001", "IFC"))
    with world.engine.begin() as connection:
        chosen = Contacts(connection, date(2018, 9, 17), ifc)
        for level in (*Level, *Level):
            chosen.choose(Role.DIRECTOR, None, school, level)

    assert looked_up == [(Role.DIRECTOR, None, school), (Role.COORDINATOR, None, ifc)]


@pytest.mark.parametrize(
    ("changed", "envelopes"),
    [("level = level", 1), ("level = 'responsible'", 2), ("alone = :yes", 2)],
    ids=["alike", "another level", "alone"],
)
def test_two_levels_never_share_an_envelope_and_what_is_alone_shares_none(
    world: World, changed: str, envelopes: int
) -> None:
    values = {"yes": True} if ":yes" in changed else {}
    one = f"UPDATE notification SET {changed} WHERE participation_id = :id"
    assert world.change(one, id=world.id(AMELIE), **values) == 1

    delivery.run(world.workshop, REGISTERED_AT)

    school = "SELECT id FROM organisation WHERE code = '90001'"
    rows = world.rows(
        "SELECT DISTINCT m.id, m.level FROM message m JOIN notification n ON n.message_id = m.id"
        f" WHERE n.organisation_id = ({school}) AND n.level = m.level"
    )
    assert len(rows) == envelopes


def test_notification_that_is_alone_has_no_batch_cut_a_group_in_two(world: World) -> None:
    """The last group of a batch, which may go on in the next, is left for it: those that are alone stand apart."""
    third = PEOPLE.splitlines()[1].replace("amelie", "zoe").replace("Amélie", "Zoé")
    take_in(world, FileKind.REGISTRATIONS, f"{PEOPLE}{third}\n")
    ours = "organisation_id = (SELECT id FROM organisation WHERE code = '90001')"
    world.change(f"DELETE FROM notification WHERE NOT coalesce({ours}, :no)", no=False)
    world.change("UPDATE notification SET alone = :yes WHERE participation_id = :id", id=world.id(BASILE), yes=True)

    delivery.run(world.workshop, REGISTERED_AT, limit=2)

    carried = world.rows("SELECT count(*) AS n FROM notification GROUP BY message_id ORDER BY 1")
    assert [row.n for row in carried] == [1, 2]


# ------------------------------------------------------------------------------------------------------ changing them
def chain(world: World) -> list[tuple[str, str, str]]:
    rows = world.rows("SELECT trigger, from_state, to_state FROM journal WHERE chain = 'edition' ORDER BY seq")
    return [tuple(row) for row in rows][1:]


def test_changes_stand_in_the_edition_s_chain_without_a_name(world: World) -> None:
    add(world, rank=1)
    mark(world, "hold", LUC)
    mark(world, "gone", LUC)
    mark(world, "back", LUC)

    assert chain(world) == [
        ("contact_add", "-", "ok"),
        ("contact_hold", "ok", "on_hold"),
        ("contact_gone", "on_hold", "gone"),
        ("contact_back", "gone", "ok"),
    ]
    data = " ".join(row.data for row in world.rows("SELECT data FROM journal WHERE trigger LIKE 'contact%'"))
    assert not any(word in data for word in ("Luc", "Petit", "@", "90001"))
    assert (world.one("SELECT rank FROM contact WHERE address = :a", a=DENIS)) == 2  # moved down one
    world.assert_chains_hold()


def test_whoever_leaves_one_day_answers_until_then(world: World) -> None:
    add(world)

    assert mark(world, "gone", DENIS, date(2018, 9, 18))["status"] == "ok"

    assert written_to(world)[AMELIE] == (DENIS, "")
    with world.engine.begin() as connection:
        later = story(connection, AMELIE, REGISTERED_AT + timedelta(days=1))
    assert (later["due"][0]["name"], later["unreachable"][0]["since"]) == ("Luc Petit", "2018-09-18")


def test_director_who_comes_after_one_who_is_gone_is_their_successor(world: World) -> None:
    mark(world, "gone")

    add(world)

    assert written_to(world)[AMELIE] == (LUC, "")
    assert told(world)["unreachable"] == []


@pytest.mark.parametrize(
    ("how", "address", "whose", "code"),
    [
        ("gone", "nobody@x.example", {}, "unknown_contact"),
        ("gone", DENIS, {"organisation": "90002"}, "unknown_contact"),
        ("gone", DENIS, {"organisation": "nada"}, "no_organisation"),
        ("back", DENIS, {}, "reachable_already"),
        ("hold", CATHERINE, {}, "last_coordinator"),
        ("gone", CATHERINE, {}, "last_coordinator"),
    ],
)
def test_mark_that_makes_no_sense_is_refused_and_changes_nothing(
    world: World, how: str, address: str, whose: dict[str, str], code: str
) -> None:
    with pytest.raises((Refused, NotFound)) as refused:
        mark(world, how, address, **whose)

    assert (refused.value.code, chain(world)) == (code, [])
    assert world.rows("SELECT id FROM contact WHERE status <> 'ok'") == []


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [("gone", "gone", "gone_already"), ("gone", "hold", "gone_already"), ("hold", "hold", "held_already")],
)
def test_mark_that_is_there_already_is_refused(world: World, first: str, second: str, code: str) -> None:
    mark(world, first)

    with pytest.raises(Refused) as refused:
        mark(world, second)

    assert (refused.value.code, len(chain(world))) == (code, 1)


def test_address_that_serves_twice_asks_which(world: World) -> None:
    add(world, DENIS, "Denis Directeur", "90002")

    with pytest.raises(Refused) as refused:
        mark(world, "hold")

    assert (refused.value.code, refused.value.params["places"]) == (
        "several_contacts",
        ["school:90001", "school:90002"],
    )
    assert mark(world, "hold", organisation="school:90002")["organisation"]["code"] == "90002"
    assert world.rows("SELECT id FROM contact WHERE status = 'on_hold'") != []


def test_code_that_two_kinds_share_asks_for_the_kind(world: World) -> None:
    world.change("UPDATE organisation SET code = '90001' WHERE code = 'ALPHA'")

    with pytest.raises(Refused) as refused:
        add(world)

    assert (refused.value.code, refused.value.allowed) == ("two_organisations", ("company:90001", "school:90001"))
    assert add(world, code="SCHOOL:90001")["organisation"]["name"] == "Saint-Exemple"


def test_only_ifc_changes_contacts(world: World) -> None:
    with world.engine.begin() as connection:
        for who in (own(connection, Role.DIRECTOR, AMELIE), system("test")):
            with pytest.raises(Refused, match="wrong_role"):
                acting.hold(connection, Whose(DENIS), who, NOW)
            with pytest.raises(Refused, match="wrong_role"):
                acting.add(connection, "90001", NewContact(Role.DIRECTOR, LUC), who, NOW)


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ({"email": DENIS}, "contact_known"),
        ({"role": Role.COMPANY}, "other_role"),
        ({"name": "Somebody Else", "email": DIANE}, "email_other_name"),
    ],
)
def test_contact_that_does_not_fit_is_refused(world: World, new: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        add(world, **new)

    assert (refused.value.code, chain(world)) == (code, [])


def test_coordinator_may_leave_once_another_is_there(world: World) -> None:
    add(world, "bis@ifc.example", "", "IFC", role=Role.COORDINATOR)
    mark(world, "gone", CATHERINE)

    with pytest.raises(Refused, match="last_coordinator"):
        mark(world, "hold", "bis@ifc.example")
    assert written_to(world)[DESIRE] == ("bis@ifc.example", "mailbox")


# ------------------------------------------------------------------------------------------- what files say afterwards
def status(world: World, address: str) -> str:
    return str(world.one("SELECT status FROM contact WHERE address = :address AND role <> 'teacher'", address=address))


def test_import_that_names_somebody_again_leaves_the_mark(world: World) -> None:
    for address, how in ((DENIS, "hold"), (DIANE, "gone"), ("alain@alpha.example", "hold")):
        mark(world, how, address)
    another = PEOPLE.splitlines()[1].replace("amelie", "zoe").replace("Amélie", "Zoé")

    take_in(world, FileKind.OFFERS, OFFERS.replace(";liege;2;", ";liege;3;"))
    take_in(world, FileKind.REGISTRATIONS, f"{PEOPLE}{another}\n")

    assert world.one("SELECT count(*) FROM participation") == 5
    assert [status(world, each) for each in (DENIS, DIANE, "alain@alpha.example")] == ["on_hold", "gone", "on_hold"]


def reload(world: World, code: str, *replaced: tuple[str, str]) -> None:
    """Load the small edition under another code, with texts replaced: as the next year's file."""
    text = worlds.EDITION.replace('code = "MINI"', f'code = "{code}"')
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    worlds.load(world, read_edition(text.encode(), "mini.toml"))


@pytest.mark.parametrize("how", ["hold", "gone"])
def test_edition_file_that_says_again_what_it_said_leaves_the_mark(world: World, how: str) -> None:
    mark(world, how, ANNE)
    mark(world, how, DIRK)

    reload(world, "NEXT", ('title = "Petite édition"', 'title = "Une autre"'))
    reload(world, "NEXT", ('last_name = "Officier"', 'last_name = "Officier", phone = "+32 2 000 00 00"'))

    # the second revision says something new of Dirk, nothing of Anne
    assert [status(world, each) for each in (ANNE, DIRK)] == [{"hold": "on_hold", "gone": "gone"}[how], "ok"]
    assert world.one("SELECT valid_to FROM contact WHERE address = :a", a=DIRK) is None


def test_edition_file_that_names_somebody_again_whom_a_file_had_dropped_puts_them_back(world: World) -> None:
    """Dropped by a file is not marked by hand."""
    other = ("anne@cecafoc.example", "zoe@cecafoc.example")
    reload(world, "NEXT")
    reload(world, "NEXT", other)
    assert status(world, ANNE) == "gone"

    reload(world, "NEXT")

    assert status(world, ANNE) == "ok"


def test_listing_tells_who_answers_for_what(world: World) -> None:
    add(world, MAILBOX, "", until=date(2018, 9, 16))
    with world.engine.begin() as connection:
        found = acting.contacts(connection, REGISTERED_AT)
        teachers = acting.contacts(connection, REGISTERED_AT, role=Role.TEACHER)["contacts"]
        one = acting.contacts(connection, moment("2018-09-16 10:00"), "90001")["contacts"]

    assert [each["organisation"]["code"] for each in found["contacts"]] == [
        "IFC",
        "CECAFOC",
        "FCC",
        "90001",
        "90001",
        "90002",
        "ALPHA",
        "BETA",
        "GAMMA",
        "COMITE",
    ]
    assert [each["reachable"] for each in found["contacts"] if each["address"] == MAILBOX] == [False]
    assert [each["reachable"] for each in one] == [True, True]
    assert (len(teachers), {each["organisation"] for each in teachers}) == (4, {None})
