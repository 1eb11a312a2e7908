"""What reports say of a database: figures, stories and handoffs, on both engines, with a fixed number of statements."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from actions import editions, people, places
from actions.apply import Request, apply
from actions.erasure import erase
from actions.figures import status
from actions.imports import FileKind, import_file
from actions.occasion import Occasion, system
from actions.owed import owing, with_receiver
from actions.reports import story
from actions.rounds import handoffs
from core.clock import parse_moment
from core.errors import NotFound
from models import metadata
from states.edition import read_edition
from states.names import DeadlineStatus, HandoffStatus, PlacementStatus, Role, State, Subject, Trigger
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, RETURN
from tests.functional.conftest import EDITION, EVA, JO, OFFERS, REGISTRATIONS, ZOE

REGISTERED = parse_moment("2018-09-17T09:00")
APPROVAL_REMINDER = parse_moment("2018-09-24T08:00")  # five school days later


def on(at: str | datetime) -> Occasion:
    moment = parse_moment(at) if isinstance(at, str) else at
    return Occasion(moment, moment)


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """Note each statement that is executed."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def load(connection: Connection, code: str = "2018-2019") -> editions.Current:
    content = EDITION.read_bytes().replace(b'code = "2018-2019"', f'code = "{code}"'.encode())
    editions.load(connection, read_edition(content, "edition.toml"), system("test"), on("2018-09-03"))
    return editions.current(connection, code)


def take(connection: Connection, edition: editions.Current, kind: FileKind, rows: str) -> None:
    report = import_file(connection, edition, kind, rows.encode(), "x.csv", system("test"), on(REGISTERED))
    assert report.rejected == []


def act(connection: Connection, reference: str, trigger: Trigger, by: str, at: str, **more: Any) -> None:
    role, _, email = by.partition(":")
    actor = people.actor(connection, Role(role), email, "test")
    request = Request(more.pop("subject", Subject.PARTICIPATION), trigger, more.pop("reason", ""), more)
    apply(connection, reference, request, actor, on(at))


@pytest.fixture
def three(engine: Engine) -> Engine:
    """Give a database with three people registered and three places."""
    with engine.begin() as connection:
        edition = load(connection)
        take(connection, edition, FileKind.OFFERS, OFFERS)
        take(connection, edition, FileKind.REGISTRATIONS, REGISTRATIONS)
    return engine


def place(connection: Connection, *ids: int) -> None:
    for number in ids:
        reference = f"2018-2019-000{number}"
        director = {1: "director:rita.lux@saint-luc.example", 2: "director:guy.duc@athenee.example"}[number]
        act(connection, reference, Trigger.APPROVE, director, "2018-09-20")
    at = parse_moment("2018-11-05T09:00")
    places.give_places(connection, places.plan_places(connection, ids, at)[0], system("test"), on(at))


def immerse(connection: Connection, number: int, teacher: str) -> None:
    reference = f"2018-2019-000{number}"
    act(connection, reference, Trigger.CONFIRM_PREPARATION, f"teacher:{teacher}", "2018-12-10")
    act(
        connection,
        reference,
        Trigger.CONFIRM_IMMERSION,
        "company:anne.vos@acme.example",
        "2019-01-25T18:00",
        half_days=4,
    )


# -------------------------------------------------------------------------------------------------------------- figures
def test_figures_of_an_edition_that_has_just_begun(three: Engine) -> None:
    with three.connect() as connection:
        figures = status(connection, None, REGISTERED)

    assert {state: n for state, n in figures["participations"].items() if n} == {"registered": 3}
    assert list(figures["participations"]) == [state for state in State if state is not State.OBSERVED]
    assert (figures["total"], figures["places"], figures["places_cancelled"], figures["fill_rate"]) == (3, 3, 0, 0.0)
    assert (figures["overdue"], figures["escalations"], figures["reminders"]) == (0, 0, 0)
    assert figures["handoffs"] == {"to_route": {}}
    assert figures["messages"] == {"queued": 3}
    assert figures["notifications"] == {"approval_requested": 3}
    assert figures["set_aside"] == []
    assert figures["at"] == "2018-09-17T09:00:00+02:00"


def test_figures_of_nobody(engine: Engine) -> None:
    with engine.begin() as connection:
        load(connection)
        figures = status(connection, "2018-2019", REGISTERED)

    assert (figures["total"], figures["places"], figures["fill_rate"], figures["messages"]) == (0, 0, 0.0, {})


def test_figures_are_those_of_the_tables(three: Engine) -> None:
    with three.begin() as connection:
        place(connection, 1, 2)
        immerse(connection, 1, "zoe.noel@saint-luc.example")
        figures = status(connection, None, REGISTERED)
        for name in ("participation", "seat", "deadline", "notification"):
            number = connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            told = {
                "participation": figures["total"],
                "seat": figures["places"],
                "deadline": sum(figures["deadlines"].values()),
                "notification": sum(figures["notifications"].values()),
            }
            assert told[name] == number > 0


def test_figures_name_tables_and_columns_of_the_models() -> None:
    """The figures are SQL that knows nothing of the models: what it names must exist there."""
    import actions.figures

    words = {
        word
        for value in vars(actions.figures).values()
        if hasattr(value, "text")
        for word in value.text.replace(",", " ").replace("(", " ").replace(")", " ").split()
        if "." in word
    }
    named = {word.split("::")[0] for word in words}

    assert named
    assert {name for name in named if name.split(".")[1] not in metadata.tables[name.split(".")[0]].c} == set()


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-9))], ids=["utc", "elsewhere"])
def test_overdue_begins_after_the_moment_itself(three: Engine, zone: timezone) -> None:
    with three.connect() as connection:
        on_time = status(connection, None, APPROVAL_REMINDER.astimezone(zone))["overdue"]
        late = status(connection, None, (APPROVAL_REMINDER + timedelta(microseconds=1)).astimezone(zone))["overdue"]

    assert (on_time, late) == (0, 3)


def test_fill_rate_counts_people_who_hold_or_used_a_place(three: Engine) -> None:
    seen = []

    def look(connection: Connection) -> None:
        figures = status(connection, None, REGISTERED)
        seen.append((figures["places_filled"], figures["fill_rate"]))

    coordinator, company = "coordinator:malik.ouedraogo@ifc.example", "company:anne.vos@acme.example"
    with three.begin() as connection:
        look(connection)
        place(connection, 1, 2)
        look(connection)
        act(connection, JO, Trigger.WITHDRAW, "teacher:jo.petit@athenee.example", "2018-11-20")  # released
        look(connection)
        immerse(connection, 1, "zoe.noel@saint-luc.example")
        act(connection, ZOE, Trigger.WITHDRAW, coordinator, "2019-01-28")  # after the immersion: the place was used
        look(connection)
        act(connection, ZOE, Trigger.CORRECT, coordinator, "2019-01-29", reason="Erreur", to="prepared")
        act(connection, ZOE, Trigger.RECORD_ABSENCE, company, "2019-01-30")
        look(connection)

    assert seen == [(0, 0.0), (2, 0.6667), (1, 0.3333), (1, 0.3333), (0, 0.0)]


def test_cancelled_places_stay_places(three: Engine) -> None:
    with three.begin() as connection:
        coordinator = people.actor(connection, Role.COORDINATOR, "malik.ouedraogo@ifc.example", "test")
        edition = editions.current(connection)
        places.cancel_offer(connection, edition, "ACME-01", "Grève", coordinator, on("2018-10-01"))
        figures = status(connection, None, REGISTERED)

    assert (figures["places"], figures["places_cancelled"]) == (3, 2)


def test_reminders_and_escalations_follow_the_ladder_of_each_deadline(three: Engine) -> None:
    with three.begin() as connection:
        connection.execute(text("UPDATE deadline SET status = 'fired' WHERE rule = 'approval' AND step < 2"))
        before = status(connection, None, REGISTERED)
        other = connection.execute(text("SELECT content FROM edition_revision")).scalar_one()
        steps = json.loads(other)["deadlines"]["participation"]["registered"]["approval"]["steps"]
        swapped = other.replace(json.dumps(steps, ensure_ascii=False, sort_keys=True, separators=(",", ":")), "null")
        assert swapped != other
        swapped = swapped.replace('"steps":null', f'"steps":{json.dumps([steps[1], steps[1], steps[2]])}')
        connection.execute(
            text(
                "INSERT INTO edition_revision (id, edition_id, number, hash, content, loaded_at)"
                " SELECT 99, edition_id, 2, 'x', :content, loaded_at FROM edition_revision WHERE number = 1"
            ),
            {"content": swapped},
        )
        connection.execute(text("UPDATE deadline SET revision_id = 99 WHERE participation_id = 3"))
        after = status(connection, None, REGISTERED)

    assert (before["reminders"], before["escalations"]) == (3, 3)
    assert (after["reminders"], after["escalations"]) == (2, 4)
    assert before["deadlines"][DeadlineStatus.FIRED] == after["deadlines"][DeadlineStatus.FIRED] == 6


def put_in_envelope(connection: Connection, message: str, status: str, *notifications: int) -> None:
    values = {"id": message, "status": status, "at": "2018-09-17 08:00:00.000000"}
    connection.execute(
        text(
            "INSERT INTO message (id, channel, kind, role, level, stands_in, status, at, attempts)"
            " VALUES (:id, 'mail', 'approval_requested', 'director', 'first', '', :status, :at, 1)"
        ),
        values,
    )
    for number in notifications:
        carry = text("UPDATE notification SET message_id = :message WHERE id = :id")
        connection.execute(carry, {"message": message, "id": number})


def test_one_envelope_with_two_notifications_is_one_message(three: Engine) -> None:
    with three.begin() as connection:
        put_in_envelope(connection, "m1", "accepted", 1, 2)
        figures = status(connection, None, REGISTERED)

    assert figures["messages"] == {"queued": 1, "accepted": 1}
    assert figures["notifications"] == {"approval_requested": 3}


def test_figures_of_one_edition_leave_the_others_out(three: Engine) -> None:
    with three.begin() as connection:
        put_in_envelope(connection, "m1", "accepted", 1)
        before = status(connection, "2018-2019", REGISTERED)
        other = load(connection, "2019-2020")
        take(connection, other, FileKind.OFFERS, OFFERS)
        take(connection, other, FileKind.REGISTRATIONS, REGISTRATIONS)
        connection.execute(
            text(
                "INSERT INTO set_aside (job, participation_id, error, tries, first_at, last_at)"
                " SELECT 'progress', id, 'KeyError', 1, since, since FROM participation"
                " WHERE reference = '2019-2020-0001'"
            )
        )
        latest = status(connection, None, REGISTERED)
        after = status(connection, "2018-2019", REGISTERED)

    assert after == before
    assert (latest["edition"], latest["total"], latest["messages"]) == ("2019-2020", 3, {"queued": 3})
    assert [each["reference"] for each in latest["set_aside"]] == ["2019-2020-0001"]


def test_unknown_edition_names_those_known(three: Engine) -> None:
    with three.connect() as connection, pytest.raises(NotFound) as refused:
        status(connection, "1999", REGISTERED)

    assert (refused.value.code, refused.value.params["allowed"]) == ("unknown_edition", ["2018-2019"])


# ---------------------------------------------------------------------------------------------------- statements needed
def many(connection: Connection) -> None:
    """Make forty people more, and a longer story for Zoé."""
    header, first = REGISTRATIONS.splitlines()[:2]
    rows = [first.replace("zoe.noel", f"zoe.{n}") for n in range(40)]
    take(connection, editions.current(connection), FileKind.REGISTRATIONS, "\n".join([header, *rows]))
    place(connection, 1)
    immerse(connection, 1, "zoe.noel@saint-luc.example")


REPORTS: dict[str, Callable[[Connection], object]] = {
    "status": lambda connection: status(connection, None, REGISTERED),
    "story": lambda connection: story(connection, ZOE, REGISTERED),
    "handoffs": lambda connection: handoffs(connection, None),
}


@pytest.mark.parametrize("report", REPORTS)
def test_number_of_statements_does_not_grow(three: Engine, report: str) -> None:
    numbers = []
    for prepare in (lambda _: None, many):
        with three.begin() as connection:
            prepare(connection)
            with counted(three) as statements:
                REPORTS[report](connection)
            numbers.append(len(statements))

    # what a story reads of its edition's revision is kept from then on
    assert numbers[1] <= numbers[0] <= 16


# ---------------------------------------------------------------------------------------------------------------- story
def test_story_tells_the_whole(three: Engine) -> None:
    with three.begin() as connection:
        place(connection, 1)
        told = story(connection, ZOE)

    assert told["teacher"] == {
        "name": "Zoé Noël",
        "email": "zoe.noel@saint-luc.example",
        "kind": "enseignant",
        "courses": "",
    }
    assert told["school"] == {"code": "101", "name": "St-Luc"}
    assert told["place"] == {
        "company": "ACME",
        "company_name": "ACME",
        "offer": "ACME-01",
        "title": "Usinage",
        "sector": "Industrie",
        "site": "",
        "municipality": "",
        "days": ["2019-01-24", "2019-01-25"],
        "status": "confirmed",
        "attempt": 1,
    }
    assert [(each["rank"], each["offer"], each["company"]) for each in told["wishes"]] == [(1, "ACME-01", "ACME")]
    assert [(each["rule"], each["step"], each["do"], each["status"]) for each in told["deadlines"]][:4] == [
        ("approval", 0, "remind", "met"),
        ("approval", 1, "escalate", "met"),
        ("approval", 2, "escalate", "met"),
        ("approval", 3, "lapse", "met"),
    ]
    assert json.loads(json.dumps(told)) == told


def test_story_of_an_unknown_reference(three: Engine) -> None:
    with three.connect() as connection, pytest.raises(NotFound, match="unknown_reference"):
        story(connection, "2018-2019-9999")


def test_story_of_somebody_erased_has_no_name(three: Engine) -> None:
    with three.begin() as connection:
        act(connection, ZOE, Trigger.WITHDRAW, "teacher:zoe.noel@saint-luc.example", "2018-10-01", reason="Malade")
        before = story(connection, ZOE)
        coordinator = people.actor(connection, Role.COORDINATOR, "malik.ouedraogo@ifc.example", "test")
        erase(connection, "zoe.noel@saint-luc.example", coordinator, on("2018-10-02"))
        after = story(connection, ZOE)

    assert (before["journal"][1]["actor"], before["journal"][1]["reason"]) == ("Zoé Noël", "Malade")
    assert (after["journal"][1]["actor"], after["journal"][1]["reason"]) == ("teacher", None)
    assert (after["teacher"]["name"], after["teacher"]["email"]) == (None, None)
    assert "Zo" not in json.dumps(after, ensure_ascii=False)


def test_whoever_answers_is_the_first_valid_contact(three: Engine) -> None:
    with three.begin() as connection:
        connection.execute(
            text("UPDATE contact SET valid_to = '2018-12-31' WHERE address = 'rita.lux@saint-luc.example'")
        )
        school = connection.execute(text("SELECT id FROM organisation WHERE code = '101'")).scalar_one()
        deputy = people.Person("ann.day@saint-luc.example", "Ann", "Day")
        people.keep_contact(connection, deputy, Role.DIRECTOR, school)

        names = [
            story(connection, ZOE, at)["due"][0]["name"] for at in (None, REGISTERED, parse_moment("2019-01-01T09:00"))
        ]

    assert names == ["Rita Lux", "Rita Lux", "Ann Day"]


def test_without_a_school_ifc_owes_the_approval(three: Engine) -> None:
    with three.connect() as connection:
        (due,) = story(connection, EVA, parse_moment("2018-10-10"))["due"]

    assert (due["who"], due["name"], due["act"], due["late"]) == (
        "coordinator",
        "Catherine Vanderstraeten",
        "approve",
        True,
    )


# ------------------------------------------------------------------------------------------------------------------ due
def row(**more: Any) -> Any:
    stands = {
        "definition": "2018",
        "state": State.REGISTERED,
        "placement": None,
        "handoff": None,
        "school_id": 1,
        "receiver_kind": "institute",
        **dict.fromkeys(("answers_on", "drawn_on", "interview_on")),
    }
    return SimpleNamespace(**{"returned": None, **stands, **more})


EVERY_STATE = [(version, state) for version, process in PARTICIPATION_PROCESSES.items() for state in process.states]


@pytest.mark.parametrize(("version", "state"), EVERY_STATE)
def test_every_open_state_has_somebody_who_owes_something_and_no_final_one(version: str, state: State) -> None:
    process = PARTICIPATION_PROCESSES[version]
    spec = process.states[state]

    for placement in (None, *PlacementStatus):
        owed = list(owing(row(definition=version, state=state, placement=placement)))

        assert bool(owed) is not spec.final
        if placement is PlacementStatus.CONFIRMED and not spec.final:
            assert [(each.role, each.act) for each in owed] == [(spec.owed_by, spec.act)]


@pytest.mark.parametrize("handoff", HandoffStatus)
def test_while_immersed_the_open_handoff_says_who_owes(handoff: HandoffStatus) -> None:
    spec = HANDOFF.states[handoff]
    (owed,) = owing(row(state=State.IMMERSED, placement=PlacementStatus.CONFIRMED, handoff=handoff))

    if spec.act in {None, Trigger.COMPLETE}:
        assert (owed.role, owed.act) == (Role.INSTITUTE, Trigger.CONFIRM_TRANSFER)
    else:
        assert (owed.role, owed.act) == (spec.owed_by, spec.act)


@pytest.mark.parametrize("returned", [status for status, spec in RETURN.states.items() if not spec.final])
def test_while_transferred_the_open_return_says_who_owes_and_who_is_in_charge(returned: HandoffStatus) -> None:
    spec = RETURN.states[returned]
    stands = row(state=State.TRANSFERRED, handoff=HandoffStatus.COMPLETED, returned=returned)

    (owed,) = owing(stands)

    assert (owed.role, owed.act, owed.subject) == (spec.owed_by, spec.act, Subject.RETURN)
    assert with_receiver(stands) is (returned is HandoffStatus.TO_ROUTE)  # sent back: with the institute again


@pytest.mark.parametrize("handoff", [HandoffStatus.OFFERED, HandoffStatus.ACCEPTED])
def test_what_ifc_took_itself_ifc_owes(handoff: HandoffStatus) -> None:
    (owed,) = owing(
        row(state=State.IMMERSED, placement=PlacementStatus.CONFIRMED, handoff=handoff, receiver_kind="ifc")
    )

    assert owed.role is Role.COORDINATOR


# ------------------------------------------------------------------------------------------------------------- handoffs
def test_handoffs_that_wait_for_somebody_come_first(three: Engine) -> None:
    coordinator = "coordinator:malik.ouedraogo@ifc.example"
    officer = "institute:anne-marie.streel@cecafoc.example"
    with three.begin() as connection:
        place(connection, 1, 2)
        immerse(connection, 1, "zoe.noel@saint-luc.example")
        immerse(connection, 2, "jo.petit@athenee.example")
        cecafoc = connection.execute(text("SELECT id FROM organisation WHERE code = 'CECAFOC'")).scalar_one()
        relay: dict[str, Any] = {"subject": Subject.HANDOFF}
        act(connection, ZOE, Trigger.OFFER, coordinator, "2019-01-28", receiver=cecafoc, **relay)
        act(connection, ZOE, Trigger.DECLINE, officer, "2019-01-29", reason="Complet", **relay)
        act(connection, JO, Trigger.OFFER, coordinator, "2019-01-30", receiver=cecafoc, **relay)
        found = handoffs(connection, None)
        theirs = handoffs(connection, "2018-2019", " cecafoc ")
        unrouted = handoffs(connection, None, "to_route")
        first = handoffs(connection, None, "CECAFOC", 1)

    assert [(each["reference"], each["round"], each["status"], each["to"]) for each in found] == [
        (ZOE, 2, "to_route", None),
        (JO, 1, "offered", "CECAFOC"),
        (ZOE, 1, "declined", "CECAFOC"),
    ]
    assert [each["next_due"] is None for each in found] == [False, False, True]
    assert theirs == found[1:]
    assert unrouted == found[:1]
    assert first == theirs[:1]
