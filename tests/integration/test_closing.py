"""The close of an edition: what is open lapses, whoever had the relay is told, the figures are frozen as a report."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from actions import closing, drawing, editions, evaluation, imports, journal
from actions.figures import status
from actions.imports import FileKind
from actions.occasion import Occasion
from actions.writing import DEADLINE
from core.errors import ProductError, Refused
from jobs import closing as closing_job
from jobs import tick
from notifications.refusals import sentence
from states.decide import OPEN_HANDOFF
from states.edition import read_edition
from states.names import Role, Subject, Trigger
from tests.integration.test_returns import invite, plan
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, World, a_world, moment

CLOSING, END = moment("2019-06-28 08:00"), moment("2019-06-29 00:00")
LATER = END + timedelta(days=10)
H, R = Subject.HANDOFF, Subject.RETURN


# --------------------------------------------------------------------------------------------- from wherever one stands
_STEP = 'steps = [{ offset = 2, unit = "working_days", do = "escalate", audience = "coordinator", message = "%s" }]'
FIVE_STEPS = worlds.EDITION.replace('process = "2018"', 'process = "2014"').replace(
    "[deadlines.participation.prepared.presence]", "[deadlines.participation.observed.presence]"
) + "".join(
    f"\n[deadlines.participation.{place}]\n{steps}\n"
    for place, steps in {
        "prepared.observation": _STEP % "observation_overdue",
        "observed.place": 'steps = [{ offset = 0, unit = "days", do = "cancel" }]',
        "observed.closing": 'steps = [{ offset = 0, unit = "days", do = "lapse" }]',
    }.items()
)


def observed(world: World) -> None:
    """Amélie, of the five-step process, has observed."""
    worlds.load(world, read_edition(FIVE_STEPS.encode(), "mini.toml"))
    worlds.prepared(world)
    world.act(AMELIE, Trigger.CONFIRM_OBSERVATION, Role.COMPANY, moment("2018-11-05 10:00"))


def held(world: World) -> None:
    worlds.immersed(world)
    world.act(AMELIE, Trigger.HOLD, Role.COORDINATOR, worlds.OFFERED_AT, subject=H, reason="À vérifier.")


def invited(world: World) -> None:
    worlds.accepted(world)
    invite(world, plan(world), AMELIE)


def return_held(world: World) -> None:
    worlds.transferred(world)
    world.tick(worlds.TRANSFERRED_AT + timedelta(hours=1))


def sent_back(world: World) -> None:
    worlds.returned(world)
    world.act(AMELIE, Trigger.DECLINE, Role.COORDINATOR, worlds.EVALUATED_AT, subject=R, reason="Incomplet.")


# where Amélie stands: the world, her state, her handoff, her return; whether an institute has the relay
PLACES: dict[str, tuple[worlds.Build, str, str | None, str | None, bool]] = {
    "registered": (worlds.registered, "registered", None, None, False),
    "approved": (worlds.placed, "director_approved", None, None, False),
    "prepared": (worlds.prepared, "prepared", None, None, False),
    "observed": (observed, "observed", None, None, False),
    "handoff to route": (worlds.immersed, "immersed", "to_route", None, False),
    "handoff held": (held, "immersed", "held", None, False),
    "handoff offered": (worlds.offered, "immersed", "offered", None, True),
    "handoff accepted": (worlds.accepted, "immersed", "accepted", None, True),
    "invited": (invited, "immersed", "accepted", None, True),
    "return offered": (worlds.transferred, "transferred", "completed", "offered", False),
    "return held": (return_held, "transferred", "completed", "held", False),
    "return accepted": (worlds.returned, "transferred", "completed", "accepted", False),
    "return sent back": (sent_back, "transferred", "completed", "to_route", True),
}
ROUNDS = "SELECT purpose, status FROM handoff WHERE participation_id = 1 ORDER BY purpose, round"


def rounds(world: World) -> dict[str, str]:
    """Return the status of the latest round of each purpose."""
    return {row.purpose: row.status for row in world.rows(ROUNDS)}


def told(world: World, kind: str) -> list[str]:
    query = "SELECT role FROM notification WHERE kind = :k AND participation_id = 1 ORDER BY role"
    return [row.role for row in world.rows(query, k=kind)]


def only_the_closing_comes(world: World) -> None:
    """Have every other deadline that hangs fall due after the end."""
    others = (DEADLINE.c.rule != "closing", DEADLINE.c.status == "open")
    with world.engine.begin() as connection:
        connection.execute(update(DEADLINE).where(*others).values(due_at=moment("2019-09-02 08:00")))


@pytest.mark.parametrize("place", PLACES)
def test_closing_ends_whatever_is_open_and_keeps_what_was_done(
    databases: Databases, database_kind: Kind, tmp_path: Path, place: str
) -> None:
    build, state, handoff, returned, relayed = PLACES[place]
    with a_world(databases, database_kind, tmp_path, build) as world:
        only_the_closing_comes(world)
        stood = {"transfer": handoff, "evaluation": returned}
        assert (world.state(AMELIE), rounds(world)) == (state, {k: v for k, v in stood.items() if v})
        assert place not in {"prepared", "handoff accepted"} or world.one(RUNNING)
        before = [tuple(row) for row in world.rows(ATTESTED)]
        if place.startswith(("return offered", "handoff to route")):  # they stand there only until the next tick
            world.change("UPDATE handoff SET look_at = NULL")

        world.tick(CLOSING)

        assert {row.state for row in world.rows("SELECT state FROM participation")} == {"lapsed"}
        assert world.one(RUNNING) == 0
        assert {row.status for row in world.rows("SELECT status FROM handoff")}.isdisjoint(OPEN_HANDOFF)
        assert [tuple(row) for row in world.rows(ATTESTED)] == before
        assert told(world, "participation_lapsed")[-1:] == ["teacher"]
        assert told(world, "handoff_closed") == (["institute"] if relayed else [])
        assert world.one("SELECT count(*) FROM participation WHERE transfer_session_id IS NOT NULL") == 0
        assert told(world, "transfer_called_off") == (["teacher"] if place == "invited" else [])
        assert world.one("SELECT count(*) FROM notification WHERE message_id IS NULL") == 0
        assert_sound(world)


RUNNING = "SELECT count(*) FROM deadline WHERE status IN ('open', 'waiting')"
ATTESTED = "SELECT reference, half_days, presence_on, transfer_on, approval_on FROM participation ORDER BY id"


def test_half_days_done_stay_attested(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Amélie came for three half-days of four, which nobody made an immersion of."""
    with a_world(databases, database_kind, tmp_path, worlds.prepared) as world:
        world.attend(AMELIE, worlds.ATTESTED_AT, present=2)
        facts = world.one("SELECT count(*) FROM fact WHERE kind = 'presence'")
        world.tick(CLOSING)

        assert (world.state(AMELIE), world.one("SELECT half_days FROM participation WHERE id = 1")) == ("lapsed", 2)
        assert world.one("SELECT count(*) FROM fact WHERE kind = 'presence'") == facts == 4


# -------------------------------------------------------------------------------------------------- a place freed early
WAITS = "Zidane;Zoé;zoe@saint-exemple.example;enseignant;90001;Saint-Exemple;SeGEC;ordinaire;liege;Denis Directeur;denis@saint-exemple.example;Usinage;BETA-01;;\n"  # noqa: E501 - a row of a file
ZOE = "MINI-0005"


def one_waits(world: World) -> None:
    """Zoé waits for Beta's only place, which Basile holds; his approval is taken back and asked for again."""
    worlds.registered(world)
    worlds.take_in(world, FileKind.REGISTRATIONS, worlds.PEOPLE.partition("\n")[0] + "\n" + WAITS)
    for reference in (BASILE, ZOE):
        world.act(reference, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)
    world.tick(worlds.PLACED_AT)
    world.act(
        BASILE, Trigger.CORRECT, Role.COORDINATOR, worlds.PREPARED_AT, reason="Erreur.", data={"to": "registered"}
    )


HOLDER = (
    "SELECT p.reference FROM placement JOIN participation p ON p.id = placement.participation_id"
    " JOIN seat ON seat.id = placement.seat_id JOIN session ON session.id = seat.session_id"
    " JOIN offer ON offer.id = session.offer_id"
    " WHERE placement.status = 'confirmed' AND offer.reference = 'BETA-01'"
)


def test_unanswered_approval_lapses_in_time_for_the_next_to_have_the_place(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, one_waits) as world:
        assert world.one(HOLDER) == BASILE
        (due,) = world.rows(
            "SELECT due_at FROM deadline WHERE participation_id = 2 AND rule = 'approval' AND step = 2"
            " AND status = 'open'"
        )
        assert str(due.due_at)[:10] < "2018-12-10"  # the first day of the immersion

        world.tick(moment("2018-12-08 08:00"))
        world.tick(moment("2018-12-08 08:05"))

        assert (world.state(BASILE), world.one(HOLDER)) == ("lapsed", ZOE)


# ----------------------------------------------------------------------------------------------------------- the report
@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world at the end of the closing day: Amélie is evaluated, everybody else has lapsed."""
    with a_world(databases, database_kind, tmp_path, worlds.evaluated) as world:
        world.tick(CLOSING)
        yield world


def document(world: World, number: int | None = None) -> dict[str, Any]:
    with world.engine.begin() as connection:
        return closing.report(connection, None, number)


def reports(world: World) -> list[tuple[int, str]]:
    return [
        (row.number, row.content) for row in world.rows("SELECT number, content FROM edition_report ORDER BY number")
    ]


def closed_at(world: World) -> str | None:
    with world.engine.begin() as connection:
        found: str | None = status(connection, None, END)["closed_at"]
    return found


def verified(world: World) -> journal.Broken | None:
    with world.engine.begin() as connection:
        return journal.verify(connection)[1]


def code_of(ask: Callable[[], object]) -> str:
    with pytest.raises(ProductError) as refused:
        ask()
    assert sentence(refused.value).endswith(".")
    return refused.value.code


def test_report_is_frozen_once_the_last_day_is_over(world: World) -> None:
    world.tick(END - timedelta(seconds=1))
    with pytest.raises(Refused) as early:
        document(world)
    world.tick(END)
    world.tick(END + timedelta(hours=1))
    world.tick(LATER)

    told = document(world)
    assert early.value.code == "edition_not_closed"
    assert "28 juin 2019" in sentence(early.value)
    assert (told["number"], told["at"], told["frozen"], len(reports(world))) == (
        1,
        "2019-06-29T00:00:00+02:00",
        True,
        1,
    )
    assert closed_at(world) == told["at"]
    with world.engine.begin() as connection:
        figures = status(connection, None, END)
    assert told["figures"] == {name: figures[name] for name in figures if name not in closing._NOT_FROZEN}
    assert told["figures"]["participations"] == figures["participations"]
    assert verified(world) is None


def test_journal_of_the_edition_names_the_hash(world: World) -> None:
    world.tick(END)
    query = "SELECT trigger, to_state, data, role, via FROM journal WHERE chain = 'edition' ORDER BY seq"
    entry = world.rows(query)[-1]
    sha256 = world.one("SELECT sha256 FROM edition_report")

    assert (entry.trigger, entry.to_state, entry.role, entry.via) == ("close", sha256[:12], "system", "flow")
    assert json.loads(entry.data) == {"report": 1, "sha256": sha256}


GROUPED = {
    "network": {"": 1, "SeGEC": 2, "WBE": 1},
    "institute": {"": 1, "CECAFOC": 2, "FCC": 1},
    "education": {"": 1, "ordinaire": 3},
    "sector": {"": 1, "Construction": 0, "Industrie": 3},
    "basin": {"liege": 3, "namur": 1},
}


def test_figures_of_the_groups_add_up_to_those_of_the_edition(world: World) -> None:
    world.tick(END)
    told = document(world)
    figures = told["figures"]

    for dimension, groups in told["groups"].items():
        assert {each["code"]: sum(each["participations"].values()) for each in groups} == GROUPED[dimension]
        for name in ("reminders", "escalations", "places_filled"):
            assert sum(each[name] for each in groups) == figures[name]
        assert sum(each["half_days"] for each in groups) == 12
        assert sum(n for each in groups for counts in each["messages"].values() for n in counts.values()) == sum(
            figures["notifications"].values()
        )
        rounds = sum(n for each in groups for n in each["handoffs"].values())
        assert rounds == sum(n for counts in figures["handoffs"].values() for n in counts.values())
    assert figures["reminders"] > 0
    by_sector = {each["code"]: each for each in told["groups"]["sector"]}
    assert (by_sector["Industrie"]["places"], by_sector["Industrie"]["fill_rate"]) == (3, 1.0)
    assert (by_sector["Construction"]["places"], by_sector["Construction"]["fill_rate"]) == (1, 0.0)
    assert by_sector["Industrie"]["late"]["closing"] == 2
    assert [each["places"] for each in told["groups"]["network"]] == [None, None, None]


def test_report_holds_nobody(world: World) -> None:
    world.tick(END)
    ((_, content),) = reports(world)
    people = world.rows("SELECT first_name, last_name, email FROM party")

    assert len(people) > 5
    assert [word for person in people for word in person if word and word in content] == []
    assert "MINI-00" not in content
    assert "CECAFOC" in content  # the search would find what it looks for


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE edition_report SET content = replace(content, 'SeGEC', 'WBE')",
        "UPDATE edition_report SET sha256 = 'x'",
        "UPDATE edition_report SET number = 2",
        "DELETE FROM edition_report",
    ],
)
def test_report_changed_by_hand_is_found(world: World, change: str) -> None:
    world.tick(END)
    assert verified(world) is None
    assert world.change(change) == 1

    assert verified(world) == journal.Broken("edition", 1, 2, "report")


def test_report_that_no_closing_made_is_found(world: World) -> None:
    world.tick(END)
    world.change(
        "INSERT INTO edition_report (edition_id, number, at, sha256, content)"
        " SELECT edition_id, 2, at, sha256, content FROM edition_report"
    )

    assert verified(world) == journal.Broken("edition", 1, 2, "report")


# ---------------------------------------------------------------------------------------------------- after the closing
def test_correction_after_the_closing_makes_a_second_report_and_keeps_the_first(world: World) -> None:
    world.tick(END)
    (first,) = reports(world)
    world.act(BASILE, Trigger.CORRECT, Role.COORDINATOR, LATER, reason="Reçu sur papier.", data={"to": "evaluated"})
    between = closed_at(world)
    world.tick(LATER + timedelta(hours=1))
    world.tick(LATER + timedelta(hours=2))

    assert between is None
    assert [number for number, _ in reports(world)] == [1, 2]
    assert reports(world)[0] == first
    assert [document(world, n)["figures"]["participations"]["evaluated"] for n in (1, 2, None)] == [1, 2, 2]
    assert verified(world) is None
    assert code_of(lambda: document(world, 3)) == "unknown_report"


def test_control_without_reopening_there_is_no_second_report(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tick(END)
    monkeypatch.setattr("actions.writing.reopen", lambda *_: None)
    world.act(BASILE, Trigger.CORRECT, Role.COORDINATOR, LATER, reason="Reçu sur papier.", data={"to": "evaluated"})
    world.tick(LATER + timedelta(hours=1))

    assert len(reports(world)) == 1


def test_what_moves_nobody_leaves_the_edition_closed(world: World) -> None:
    world.tick(END)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.COMPANY, AMELIE)
        evaluation.comment(connection, AMELIE, "Un bon souvenir.", who, Occasion(LATER, LATER))
    world.tick(LATER + timedelta(hours=1))

    assert (closed_at(world), len(reports(world))) == ("2019-06-29T00:00:00+02:00", 1)


def test_reinstated_after_the_closing_lapses_again_and_the_report_is_made_anew(world: World) -> None:
    """Its closing is past due as soon as it hangs."""
    world.tick(END)
    assert code_of(lambda: world.act(BASILE, Trigger.REINSTATE, Role.COORDINATOR, LATER)) == "reason_given"
    world.act(BASILE, Trigger.REINSTATE, Role.COORDINATOR, LATER, reason="Classé trop tôt.")
    assert (world.state(BASILE), closed_at(world)) == ("transferred", None)
    world.tick(LATER + timedelta(minutes=5))

    assert (world.state(BASILE), [number for number, _ in reports(world)]) == ("lapsed", [1, 2])
    assert_sound(world)


HANGING = "SELECT rule FROM deadline WHERE participation_id = 1 AND status = 'open' ORDER BY rule, step"


def test_reinstating_within_the_edition_hangs_the_deadlines_again_until_the_closing(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        hung = [row.rule for row in world.rows(HANGING)]
        world.tick(moment("2018-11-20 08:00"))
        assert (world.state(AMELIE), world.rows(HANGING)) == ("lapsed", [])

        again = moment("2018-11-21 10:00")
        world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, again, reason="Le directeur était malade.")
        assert (world.state(AMELIE), [row.rule for row in world.rows(HANGING)]) == ("registered", hung)
        world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, again + timedelta(days=1))
        world.change("UPDATE deadline SET status = 'closed' WHERE rule = 'place' AND status = 'open'")
        world.tick(CLOSING)

        assert world.state(AMELIE) == "lapsed"
        lapses = "SELECT count(*) FROM journal WHERE chain_id = 1 AND chain = 'participation' AND trigger = 'lapse'"
        assert (world.one(lapses), world.one(RUNNING)) == (2, 0)


def test_whoever_is_set_aside_delays_nothing_and_is_counted(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        insert = ("INSERT INTO set_aside (job, participation_id, error, tries, first_at, last_at)"
                  " SELECT 'deadlines', id, 'KeyError', :n, since, since FROM participation WHERE id = 1")  # fmt: skip
        world.change(insert, n=3)
        world.tick(END)
        first = document(world)
        world.change("DELETE FROM set_aside")
        world.tick(END + timedelta(hours=1))
        second = document(world)

        assert first["set_aside"] == {"registered": 1}
        assert first["figures"]["participations"]["lapsed"] == 3
        assert (second["number"], second["set_aside"], second["figures"]["participations"]["lapsed"]) == (2, {}, 4)


def test_whoever_is_still_tried_is_waited_for(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path) as world:
        closing_job.run(world.workshop, END)  # the lapses have not come yet

        assert reports(world) == []
        assert not tick.has_work(world.workshop, closing_job.JOB, END)


def test_edition_without_anybody_is_not_closed(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.only_offers) as world:
        world.tick(LATER)

        assert reports(world) == []


def test_revised_edition_is_open_again_until_its_new_end(world: World) -> None:
    world.tick(END)
    worlds.load(world, worlds.edition_file(closes="2019-08-30"), LATER)
    between = closed_at(world)
    world.tick(LATER + timedelta(hours=1))
    assert (between, len(reports(world))) == (None, 1)
    world.tick(moment("2019-08-31 00:00"))

    assert [json.loads(content)["closes"] for _, content in reports(world)] == ["2019-06-28", "2019-08-30"]


# ------------------------------------------------------------------------------------------- what is refused afterwards
def test_closed_edition_takes_no_registration_offer_draw_or_session_and_says_why(world: World) -> None:
    world.tick(END)

    def take_in(kind: FileKind, text: str) -> Callable[[], object]:
        def ask() -> object:
            with world.engine.begin() as connection:
                edition = editions.current(connection)
                who = worlds.own(connection, Role.COORDINATOR, AMELIE)
                return imports.import_file(
                    connection, edition, kind, text.encode(), "x.csv", who, Occasion(LATER, LATER)
                )

        return ask

    def draw() -> None:
        with world.engine.begin() as connection:
            drawing.draw(connection, None, worlds.own(connection, Role.COORDINATOR, AMELIE), Occasion(LATER, LATER))

    asked = (take_in(FileKind.REGISTRATIONS, worlds.PEOPLE), take_in(FileKind.OFFERS, worlds.OFFERS), draw)
    assert [code_of(ask) for ask in (*asked, lambda: plan(world))] == ["edition_closed"] * 4
    with pytest.raises(Refused) as refused:
        asked[0]()
    assert "29 juin 2019" in sentence(refused.value)
    prepared = take_in(FileKind.PREPARATIONS, "email;date\ndesire@conseil.example;2019-01-15\n")()
    assert isinstance(prepared, imports.Report)
    assert (prepared.accepted, prepared.rejected) == (1, [])


@pytest.mark.parametrize(("at", "said"), [(LATER, True), (CLOSING + timedelta(hours=1), False)])
def test_act_that_comes_after_the_end_is_refused_in_words_that_say_so(
    world: World, at: datetime, *, said: bool
) -> None:
    with pytest.raises(Refused) as refused:
        world.act(CELINE, Trigger.EVALUATE, Role.TEACHER, at)

    assert refused.value.code == "wrong_state"
    assert ("L’édition est close depuis le vendredi 28 juin 2019" in sentence(refused.value)) is said


def test_session_of_an_open_edition_is_planned(databases: Databases, tmp_path: Path) -> None:
    """Control: it is the closing that has one refused."""
    with a_world(databases, "sqlite", tmp_path, worlds.accepted) as world:
        assert plan(world) == "CECAFOC-MINI-01"


# ------------------------------------------------------------------------------------------------------------- at rest
def test_closed_or_running_edition_costs_one_statement(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.evaluated, own_schema=True) as world:
        asked: list[str] = []
        event.listen(world.engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: asked.append(sql))

        def statements(at: datetime) -> int:
            tick.has_work(world.workshop, closing_job.JOB, at)  # reads the rules, once a process
            asked.clear()
            assert not tick.has_work(world.workshop, closing_job.JOB, at)
            return sum(sql.startswith("SELECT") for sql in asked)

        running = statements(worlds.EVALUATED_AT)
        world.tick(CLOSING)
        world.tick(END)

        assert (running, statements(LATER)) == (1, 1)
