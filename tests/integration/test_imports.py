"""Importing what people send: good rows go in, bad ones are reported by line, column, value and reason, never twice."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Connection, Engine, func, select

from actions import editions, journal, places
from actions.apply import Request, apply
from actions.imports import FileKind, Report, import_file
from actions.occasion import Actor, Occasion, system
from actions.people import actor
from core.errors import InvalidFile, Problem
from models import metadata
from states.edition import read_edition
from states.names import Network, ParticipantKind, Role, Subject, Trigger

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "editions" / "samples"
OPENING = datetime(2018, 9, 17, 8, tzinfo=UTC)
LATER = datetime(2018, 11, 19, 9, tzinfo=UTC)
IFC = "catherine.vanderstraeten@ifc.example"
DIRECTOR = "patricia.delhez@ecole.example"

T = metadata.tables
Rows = dict[str, str]

OFFER: Rows = {
    "reference": "SAFRAN-01",
    "entreprise": "SAFRAN",
    "secteur": "Industrie",
    "intitule": "Usinage de précision",
    "site": "Ateliers de Herstal",
    "commune": "Herstal",
    "bassin": "liege",
    "places": "2",
    "date_debut": "2019-03-14",
    "date_fin": "2019-03-15",
    "collective": "oui",
    "options": "Technicien en usinage",
    "contact_nom": "Anouk Ransonnet",
    "contact_email": "anouk.ransonnet@safran.example",
}
REGISTRATION: Rows = {
    "nom": "Lambert",
    "prenom": "Benoît",
    "email": "benoit.lambert@ecole.example",
    "fonction": "enseignant",
    "ecole_fase": "90020",
    "ecole": "Athénée des Quatre-Vents",
    "reseau": "WBE",
    "enseignement": "ordinaire",
    "bassin": "liege",
    "direction_nom": "Patricia Delhez",
    "direction_email": DIRECTOR,
    "cours": "Usinage",
    "voeu_1": "SAFRAN-01",
    "voeu_2": "",
    "voeu_3": "",
    "equipe": "",
}


def offer(**cells: str) -> Rows:
    return {**OFFER, **cells}


def registration(name: str = "Lambert", **cells: str) -> Rows:
    """Somebody of this name, with an e-mail of their own."""
    return {**REGISTRATION, "nom": name, "email": f"{name.lower()}@ecole.example", **cells}


def without_school(name: str, **cells: str) -> Rows:
    nothing = dict.fromkeys(("ecole_fase", "ecole", "reseau", "enseignement", "direction_nom", "direction_email"), "")
    return registration(name, **{**nothing, "fonction": "inspecteur", **cells})


def csv(*rows: Rows, columns: tuple[str, ...] | None = None) -> bytes:
    names = columns or tuple(rows[0])
    lines = [";".join(names), *(";".join(row.get(name, "") for name in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


@dataclass
class Programme:
    """An edition on a database, and people who send files."""

    engine: Engine

    def sends(
        self, kind: str, data: bytes, at: datetime = OPENING, by: Actor | None = None, edition: str = "2018-2019"
    ) -> Report:
        with self.engine.begin() as connection:
            current = editions.current(connection, edition)
            return import_file(
                connection, current, FileKind(kind), data, f"{kind}.csv", by or system("cli"), Occasion(at, at)
            )

    def offers(self, *rows: Rows, at: datetime = OPENING) -> Report:
        return self.sends("offers", csv(*rows), at)

    def registers(self, *rows: Rows, at: datetime = OPENING) -> Report:
        return self.sends("registrations", csv(*rows), at)

    def prepares(self, *rows: tuple[str, str], at: datetime = LATER) -> Report:
        return self.sends("preparations", csv(*({"email": email, "date": day} for email, day in rows)), at)

    def places(self, *ids: int, at: datetime = LATER) -> None:
        """Their director, or IFC, approves these people, and they are given places."""
        approvals = self.approvals(*ids)
        with self.engine.begin() as connection:
            for reference, email in approvals:
                role = Role.COORDINATOR if email == IFC else Role.DIRECTOR
                request = Request(Subject.PARTICIPATION, Trigger.APPROVE)
                apply(connection, reference, request, actor(connection, role, email, "cli"), Occasion(at, at))
            given, _ = places.plan_places(connection, ids, at)
            outcomes = places.give_places(connection, given, system(), Occasion(at, at))
            assert [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)] == []

    def approvals(self, *ids: int) -> list[tuple[str, str]]:
        person = T["participation"]
        rows = self.read(select(person.c.reference, person.c.school_id).where(person.c.id.in_(ids)))
        return [(row["reference"], DIRECTOR if row["school_id"] else IFC) for row in rows]

    def reading(self) -> Connection:
        return self.engine.connect().execution_options(read_only=True)

    def read(self, query: Any) -> list[dict[str, Any]]:
        with self.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def all(self, table: str) -> list[dict[str, Any]]:
        return self.read(select(T[table]).order_by(*T[table].primary_key.columns))

    def counts(self) -> dict[str, int]:
        with self.reading() as connection:
            return {name: connection.execute(select(func.count()).select_from(T[name])).scalar_one() for name in T}

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        return {name: self.all(name) for name in T}


@pytest.fixture
def programme(engine: Engine) -> Iterator[Programme]:
    """Give the edition 2018-2019, loaded, without any offer or participation."""
    data = (ROOT / "editions" / "2018-2019.toml").read_bytes()
    with engine.begin() as connection:
        editions.load(connection, read_edition(data, "2018-2019"), system("cli"), Occasion(OPENING, OPENING))
    yield Programme(engine)
    with engine.connect() as connection:  # whatever was sent, the journal holds
        assert journal.verify(connection)[1] is None


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the engine: how a cell is read, how a file is refused, what a row means."""


def told(report: Report) -> tuple[int, int, list[tuple[int | None, str, str, str]]]:
    return (
        report.accepted,
        report.unchanged,
        [(problem.line, problem.column, problem.value, problem.code) for problem in report.rejected],
    )


def refusals(caught: pytest.ExceptionInfo[InvalidFile]) -> list[tuple[str, int | None, str]]:
    return sorted((problem.code, problem.line, problem.column) for problem in caught.value.problems)


# --------------------------------------------------------------------------------------------------------- the samples
@on_sqlite
@pytest.mark.parametrize("edition", ["2018-2019", "2015-2016"])
def test_every_row_of_the_samples_goes_in_and_again_changes_nothing(engine: Engine, edition: str) -> None:
    moment = Occasion(OPENING, OPENING)
    with engine.begin() as connection:
        data = (ROOT / "editions" / f"{edition}.toml").read_bytes()
        editions.load(connection, read_edition(data, edition), system("cli"), moment)
    sent = Programme(engine)
    files = [("offers", SAMPLES / edition / "offers.csv")]
    files += [("registrations", path) for path in sorted((SAMPLES / edition).glob("registrations-*.csv"))]

    first = [sent.sends(kind, path.read_bytes(), edition=edition) for kind, path in files]
    before = sent.counts()
    again = [sent.sends(kind, path.read_bytes(), edition=edition) for kind, path in files]

    assert [(report.unchanged, report.rejected) for report in first] == [(0, [])] * len(files)
    assert [told(report) for report in again] == [(0, report.accepted, []) for report in first]
    assert sent.counts() == before


# --------------------------------------------------------------------------------------------------------------- offers
def test_offer_is_kept_with_its_company_contact_days_and_seats(programme: Programme) -> None:
    report = programme.offers(offer())

    assert told(report) == (1, 0, [])
    kept = programme.all("offer")[0]
    assert {name: kept[name] for name in ("reference", "status", "sector", "title", "collective", "options")} == {
        "reference": "SAFRAN-01",
        "status": "open",
        "sector": "Industrie",
        "title": "Usinage de précision",
        "collective": True,
        "options": "Technicien en usinage",
    }
    session = programme.all("session")[0]
    assert (session["days"], session["first_day"], session["last_day"]) == (
        "2019-03-14,2019-03-15",
        date(2019, 3, 14),
        date(2019, 3, 15),
    )
    assert [(seat["number"], seat["status"]) for seat in programme.all("seat")] == [(1, "open"), (2, "open")]
    contact = programme.all("contact")[-1]
    assert (contact["role"], contact["address"], contact["organisation_id"]) == (
        "company",
        "anouk.ransonnet@safran.example",
        kept["company_id"],
    )


@on_sqlite
@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("", "", ""),  # to be fixed
        ("2019-03-14", "", "2019-03-14"),  # one day
        ("14/03/2019", "15/03/2019", "2019-03-14,2019-03-15"),
        ("1/3/2019", "4/3/2019", "2019-03-01,2019-03-04"),  # a weekend between
        ("2019-03-14", "2019-03-14", "2019-03-14"),
    ],
)
def test_days_of_an_offer_are_the_weekdays_from_first_to_last(
    programme: Programme, first: str, last: str, days: str
) -> None:
    report = programme.offers(offer(date_debut=first, date_fin=last))

    assert (told(report), programme.all("session")[0]["days"]) == ((1, 0, []), days)


@on_sqlite
def test_offer_on_a_weekend_alone_is_not_taken_for_one_whose_days_are_to_be_fixed(programme: Programme) -> None:
    report = programme.offers(offer(date_debut="2019-03-16", date_fin="2019-03-17"))

    assert (report.accepted, [problem.column for problem in report.rejected]) == (0, ["date_debut"])


def test_bad_offers_are_reported_each_in_its_place_and_good_ones_go_in(programme: Programme) -> None:
    rows = [
        offer(),
        offer(reference=""),
        offer(reference="A-1", entreprise=""),
        offer(reference="A-2", secteur=""),
        offer(reference="A-3", intitule=""),
        offer(reference="A-4", places=""),
        offer(reference="A-5", places="0"),
        offer(reference="A-6", places="beaucoup"),
        offer(reference="A-7", places="2.5"),
        offer(reference="A-8", places="501"),
        offer(reference="A-9", date_debut="14 mars 2019"),
        offer(reference="A-10", date_fin="2019-02-30"),
        offer(reference="A-11", date_debut="14/03/19"),
        offer(reference="A-12", date_debut="", date_fin="2019-03-15"),
        offer(reference="A-13", date_debut="2019-03-15", date_fin="2019-03-14"),
        offer(reference="A-14", date_debut="2019-03-01", date_fin="2019-04-01"),
        offer(reference="A-15", collective="peut-être"),
        offer(reference="A-16", contact_nom=""),
        offer(reference="A-17", contact_email=""),
        offer(reference="A-18", contact_email="anouk at safran"),
        offer(reference="A-19", contact_email="a@b.example, c@d.example"),
        offer(reference="A-20", intitule="x" * 501),
        offer(),
        offer(reference="A-21", date_debut="2019-03-01", date_fin="2019-03-31"),
        offer(reference="A-22", collective="NON", site="", commune="", bassin="", options=""),
    ]

    report = programme.offers(*rows)

    assert told(report) == (
        3,
        0,
        [
            (3, "reference", "", "empty"),
            (4, "entreprise", "", "empty"),
            (5, "secteur", "", "empty"),
            (6, "intitule", "", "empty"),
            (7, "places", "", "empty"),
            (8, "places", "0", "bad_number"),
            (9, "places", "beaucoup", "bad_number"),
            (10, "places", "2.5", "bad_number"),
            (11, "places", "501", "bad_number"),
            (12, "date_debut", "14 mars 2019", "bad_date"),
            (13, "date_fin", "2019-02-30", "bad_date"),
            (14, "date_debut", "14/03/19", "bad_date"),
            (15, "date_debut", "", "empty"),
            (16, "date_fin", "2019-03-14", "dates_reversed"),
            (17, "date_fin", "2019-04-01", "dates_reversed"),
            (18, "collective", "peut-être", "unknown_choice"),
            (19, "contact_nom", "", "empty"),
            (20, "contact_email", "", "empty"),
            (21, "contact_email", "anouk at safran", "bad_email"),
            (22, "contact_email", "a@b.example, c@d.example", "bad_email"),
            (23, "intitule", "x" * 60, "too_long"),
            (24, "reference", "SAFRAN-01", "duplicate_row"),
        ],
    )
    assert [row["reference"] for row in programme.all("offer")] == ["SAFRAN-01", "A-21", "A-22"]


def test_offers_again_are_unchanged_and_nothing_is_written(programme: Programme) -> None:
    rows = [offer(), offer(reference="BESIX-01", entreprise="BESIX", date_debut="", date_fin="")]
    programme.offers(*rows)
    before = programme.everything()

    report = programme.offers(*rows, at=LATER)

    assert (told(report), programme.everything()) == ((0, 2, []), before)


@on_sqlite
def test_offer_of_another_company_under_a_known_reference_is_refused(programme: Programme) -> None:
    programme.offers(offer())
    before = programme.counts()

    report = programme.offers(
        offer(entreprise="SONACA", contact_email="x@sonaca.example"), offer(reference="SAFRAN-02")
    )

    assert told(report) == (1, 0, [(2, "reference", "SAFRAN-01", "offer_conflict")])
    after = programme.counts()
    assert {name for name in after if after[name] != before[name]} == {
        "offer",
        "session",
        "seat",
    }  # SONACA left no trace


@on_sqlite
def test_company_is_the_same_however_its_name_is_typed(programme: Programme) -> None:
    report = programme.offers(
        offer(entreprise="L'Oréal"), offer(reference="SAFRAN-02", entreprise="L’OREAL"), offer(reference="SAFRAN-03")
    )

    companies = [row["company_id"] for row in programme.all("offer")]
    assert (report.accepted, companies[0] == companies[1], companies[0] == companies[2]) == (3, True, False)


@on_sqlite
def test_offers_whose_references_differ_by_case_only_are_one(programme: Programme) -> None:
    """Wishes are read without regard to case: two such offers could not be told apart."""
    report = programme.offers(offer(), offer(reference="safran-01"))

    assert told(report) == (1, 0, [(3, "reference", "safran-01", "duplicate_row")])


@on_sqlite
def test_words_of_a_known_offer_are_brought_up_to_date(programme: Programme) -> None:
    programme.offers(offer())

    report = programme.offers(offer(intitule="Usinage à cinq axes", collective="non"))

    kept = programme.all("offer")[0]
    assert (told(report), kept["title"], kept["collective"]) == ((1, 0, []), "Usinage à cinq axes", False)


# ------------------------------------------------------------------------------------------------------- offers, places
def seats(programme: Programme) -> list[tuple[int, str]]:
    return [(seat["number"], seat["status"]) for seat in programme.all("seat")]


def test_places_are_added_taken_away_and_added_again(programme: Programme) -> None:
    programme.offers(offer(places="2"))

    reports = [programme.offers(offer(places=number), at=LATER) for number in ("3", "1", "2", "2")]

    assert [told(report)[:2] for report in reports] == [(1, 0), (1, 0), (1, 0), (0, 1)]
    assert seats(programme) == [(1, "open"), (2, "withdrawn"), (3, "withdrawn"), (4, "open")]


@on_sqlite
def test_added_places_have_those_who_wait_looked_at(programme: Programme) -> None:
    programme.offers(offer(places="1"))

    programme.offers(offer(places="2"), at=LATER)

    assert [row["look_at"] for row in programme.all("offer")] == [LATER]


@on_sqlite
def test_places_are_taken_away_from_those_that_nobody_holds(programme: Programme) -> None:
    programme.offers(offer(places="3"))
    programme.registers(registration("Lambert"), registration("Benali"))
    programme.places(1, 2)

    report = programme.offers(offer(places="2"), at=LATER)

    assert (told(report), seats(programme)) == ((1, 0, []), [(1, "open"), (2, "open"), (3, "withdrawn")])


def test_fewer_places_than_are_taken_are_refused_and_the_rest_of_the_row_too(programme: Programme) -> None:
    programme.offers(offer(places="3"))
    programme.registers(registration("Lambert"), registration("Benali"))
    programme.places(1, 2)
    before = programme.everything()

    report = programme.offers(offer(places="1", intitule="Autre chose"), at=LATER)

    assert told(report) == (0, 0, [(2, "places", "1", "places_below_taken")])
    assert report.rejected[0].params["taken"] == 2
    assert programme.everything() == before


def test_cancelled_offer_stays_cancelled_when_its_file_is_sent_again(programme: Programme) -> None:
    programme.offers(offer())
    with programme.engine.begin() as connection:
        edition = editions.current(connection)
        coordinator = actor(connection, Role.COORDINATOR, IFC, "cli")
        places.cancel_offer(connection, edition, "SAFRAN-01", "Chantier arrêté", coordinator, Occasion(LATER, LATER))
    before = programme.everything()

    report = programme.offers(offer(), at=LATER)

    assert (report.accepted, programme.everything()) == (0, before)


# -------------------------------------------------------------------------------------------------------- offers, dates
def deadlines(programme: Programme, rule: str) -> list[tuple[str, datetime | None]]:
    table = T["deadline"]
    rows = programme.read(select(table).where(table.c.rule == rule).order_by(table.c.id))
    return [(row["status"], row["due_at"]) for row in rows]


def test_days_that_become_known_date_what_waits_for_them(programme: Programme) -> None:
    programme.offers(offer(date_debut="", date_fin=""))
    programme.registers(registration())
    programme.places(1)
    waiting = deadlines(programme, "preparation")

    report = programme.offers(offer(), at=LATER)

    assert waiting == [("waiting", None), ("waiting", None)]
    assert told(report) == (1, 0, [])
    assert deadlines(programme, "preparation") == [
        ("closed", None),
        ("closed", None),
        ("open", datetime(2019, 2, 26, 7, tzinfo=UTC)),  # 7 and 3 working days before, the winter holidays aside
        ("open", datetime(2019, 3, 11, 7, tzinfo=UTC)),
    ]


def test_days_that_move_plan_anew_what_hangs_on_them_and_tell_in_the_journal(programme: Programme) -> None:
    programme.offers(offer())
    programme.registers(registration(), registration("Benali", voeu_1=""))
    programme.places(1)
    before = programme.all("participation")

    report = programme.offers(offer(date_debut="2019-03-21", date_fin="2019-03-22"), at=LATER)

    assert told(report) == (1, 0, [])
    assert [row for row in deadlines(programme, "preparation") if row[0] == "open"] == [
        ("open", datetime(2019, 3, 12, 7, tzinfo=UTC)),
        ("open", datetime(2019, 3, 18, 7, tzinfo=UTC)),
    ]
    after = programme.all("participation")
    assert [row["version"] - old["version"] for row, old in zip(after, before, strict=True)] == [1, 0]  # who is placed
    entry = programme.read(select(T["journal"]).where(T["journal"].c.trigger == "set_dates"))
    assert [(row["chain_id"], row["data"]) for row in entry] == [(1, '{"days":"2019-03-21,2019-03-22"}')]


@on_sqlite
@pytest.mark.parametrize(("first", "last"), [("2019-03-14", "2019-03-15"), ("", "")])
def test_days_that_are_the_same_or_left_out_move_nothing(programme: Programme, first: str, last: str) -> None:
    programme.offers(offer())
    programme.registers(registration())
    programme.places(1)
    before = programme.everything()

    report = programme.offers(offer(date_debut=first, date_fin=last), at=LATER)

    assert (told(report), programme.everything()) == ((0, 1, []), before)


@on_sqlite
def test_days_moved_before_the_last_entry_of_the_journal_are_refused(programme: Programme) -> None:
    programme.offers(offer())
    programme.registers(registration())
    programme.places(1, at=LATER)
    before = programme.everything()

    report = programme.offers(offer(date_debut="2019-03-21", date_fin="2019-03-22"), at=OPENING)

    assert [(problem.line, problem.code) for problem in report.rejected] == [(2, "before_last_entry")]
    assert programme.everything() == before


@on_sqlite
@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2091-03-14"])
def test_days_outside_the_edition_are_refused(programme: Programme, day: str) -> None:
    """A typing error in the year; reminders cannot be reckoned from the first or the last day there is."""
    programme.offers(offer())
    programme.registers(registration())
    programme.places(1)
    before = programme.everything()

    report = programme.offers(offer(date_debut=day, date_fin=day), at=LATER)

    assert (report.accepted, [problem.column for problem in report.rejected]) == (0, ["date_debut"])
    assert programme.everything() == before


# -------------------------------------------------------------------------------------------------------- registrations
def test_registration_makes_person_school_director_wishes_and_first_deadlines(programme: Programme) -> None:
    programme.offers(offer(), offer(reference="SAFRAN-02"))

    report = programme.registers(registration(voeu_1="safran-02", voeu_2="SAFRAN-01", voeu_3="SAFRAN-02"))

    assert told(report) == (1, 0, [])
    row = programme.all("participation")[0]
    assert {name: row[name] for name in ("reference", "state", "definition", "kind", "network", "version")} == {
        "reference": "2018-2019-0001",
        "state": "registered",
        "definition": "2018",
        "kind": "enseignant",
        "network": "WBE",
        "version": 1,
    }
    assert [(wish["offer_id"], wish["rank"]) for wish in programme.all("wish")] == [(2, 1), (1, 2)]  # each once
    school = next(each for each in programme.all("organisation") if each["kind"] == "school")
    assert (school["id"], school["code"], school["network"]) == (row["school_id"], "90020", "WBE")
    assert deadlines(programme, "approval")[0] == ("open", datetime(2018, 9, 24, 6, tzinfo=UTC))
    notification = programme.all("notification")[0]
    assert (notification["kind"], notification["role"], notification["organisation_id"]) == (
        "approval_requested",
        "director",
        school["id"],
    )


@on_sqlite
def test_registration_without_a_school_is_for_ifc_to_approve(programme: Programme) -> None:
    report = programme.registers(without_school("Dardenne", voeu_1=""))

    assert told(report) == (1, 0, [])
    row, notification = programme.all("participation")[0], programme.all("notification")[0]
    assert (row["school_id"], row["network"], row["kind"]) == (None, None, "inspecteur")
    assert (notification["kind"], notification["role"]) == ("approval_requested", "coordinator")


def test_bad_registrations_are_reported_each_in_its_place_and_good_ones_go_in(programme: Programme) -> None:
    programme.offers(offer())
    rows = [
        registration("Lambert"),
        registration("Aa", nom=""),
        registration("Ab", prenom=""),
        registration("Ac", email=""),
        registration("Ad", email="ad@ecole"),
        registration("Ae", fonction=""),
        registration("Af", fonction="professeur"),
        registration("Ag", ecole_fase=""),
        registration("Ah", ecole=""),
        registration("Ai", reseau=""),
        registration("Aj", reseau="Wallonie"),
        registration("Ak", enseignement="primaire"),
        registration("Al", direction_nom=""),
        registration("Am", direction_email=""),
        registration("An", direction_email="patricia"),
        registration("Ao", voeu_1="SAFRAN-99"),
        registration("Ap", voeu_3="inconnu"),
        registration("Aq", cours="x" * 501),
        registration("Ar", ecole="Collège Saint-Walfroy"),  # the same FASE number
        registration("As", reseau="SeGEC"),
        registration("Lambert", prenom="Jeanne"),  # a shared mailbox
        registration("Lambert"),
        registration("Benali", fonction="Chef d'atelier", reseau="wbe", enseignement="Spécialisé"),
        registration("Claes", fonction="chef_atelier"),
        without_school("Dardenne", fonction="Conseiller pédagogique"),
    ]

    report = programme.registers(*rows)

    assert told(report) == (
        3,
        1,
        [
            (3, "nom", "", "empty"),
            (4, "prenom", "", "empty"),
            (5, "email", "", "empty"),
            (6, "email", "ad@ecole", "bad_email"),
            (7, "fonction", "", "empty"),
            (8, "fonction", "professeur", "unknown_choice"),
            (9, "ecole_fase", "", "empty"),
            (10, "ecole", "", "empty"),
            (11, "reseau", "", "empty"),
            (12, "reseau", "Wallonie", "unknown_choice"),
            (13, "enseignement", "primaire", "unknown_choice"),
            (14, "direction_nom", "", "empty"),
            (15, "direction_email", "", "empty"),
            (16, "direction_email", "patricia", "bad_email"),
            (17, "voeu_1", "SAFRAN-99", "unknown_offer"),
            (18, "voeu_3", "inconnu", "unknown_offer"),
            (19, "cours", "x" * 60, "too_long"),
            (20, "ecole", "Collège Saint-Walfroy", "school_conflict"),
            (21, "ecole", "Athénée des Quatre-Vents", "school_conflict"),
            (22, "email", "lambert@ecole.example", "email_other_name"),
            (24, "fonction", "Chef d'atelier", "unknown_choice"),  # a code, not a title
        ],
    )
    assert [row["reference"] for row in programme.all("participation")] == [
        f"2018-2019-000{n}" for n in (1, 2, 3)
    ]  # no number is lost to a bad row


@on_sqlite
def test_bad_choice_says_what_is_allowed(programme: Programme) -> None:
    report = programme.registers(
        registration(fonction="professeur", voeu_1=""), registration("B", reseau="X", voeu_1="")
    )

    assert [problem.params["allowed"] for problem in report.rejected] == [tuple(ParticipantKind), tuple(Network)]


def test_registrations_again_are_unchanged_and_nothing_is_written(programme: Programme) -> None:
    programme.offers(offer())
    rows = [registration("Lambert"), registration("Benali"), without_school("Dardenne")]
    programme.registers(*rows)
    before = programme.everything()

    report = programme.registers(*rows, at=LATER)

    assert (told(report), programme.everything()) == ((0, 3, []), before)


@on_sqlite
def test_registration_of_somebody_withdrawn_changes_nothing(programme: Programme) -> None:
    """Whatever became of it there is one participation: coming back is `reinstate`."""
    programme.offers(offer())
    programme.registers(registration())
    with programme.engine.begin() as connection:
        director = actor(connection, Role.DIRECTOR, DIRECTOR, "cli")
        request = Request(Subject.PARTICIPATION, Trigger.WITHDRAW)
        apply(connection, "2018-2019-0001", request, director, Occasion(LATER, LATER))
    before = programme.everything()

    report = programme.registers(registration(), at=LATER)

    assert (told(report), programme.everything()) == ((0, 1, []), before)


@on_sqlite
def test_same_mailbox_under_another_name_is_refused_in_a_later_file(programme: Programme) -> None:
    programme.offers(offer())
    programme.registers(registration("Lambert"))
    before = programme.everything()

    report = programme.registers(registration("Lambert", nom="Petit", email="LAMBERT@ecole.example"), at=LATER)

    assert told(report) == (0, 0, [(2, "email", "lambert@ecole.example", "email_other_name")])
    assert programme.everything() == before


@on_sqlite
def test_same_person_however_the_name_is_typed_is_unchanged(programme: Programme) -> None:
    programme.offers(offer())
    programme.registers(registration(nom="Lambert-Dœuf", prenom="Benoît"))

    report = programme.registers(registration(nom="LAMBERT DŒUF", prenom="benoit"), at=LATER)

    assert told(report) == (0, 1, [])


@on_sqlite
def test_name_seen_first_on_a_rejected_row_refuses_nobody(programme: Programme) -> None:
    """The first row never went in: whose mailbox it is, the second one says."""
    programme.offers(offer())

    report = programme.registers(
        registration("Lambert", prenom="Jeanne", voeu_1="SAFRAN-99"), registration("Lambert", prenom="Benoît")
    )

    assert told(report) == (1, 0, [(2, "voeu_1", "SAFRAN-99", "unknown_offer")])


@on_sqlite
def test_teacher_in_the_director_s_mailbox_is_not_taken_for_the_director(programme: Programme) -> None:
    """Two people must never become one: the teacher would approve in the director's name."""
    programme.offers(offer())
    shared = "athenee@ecole.example"

    report = programme.registers(registration("Lambert", email=shared, direction_email=shared))

    assert [(problem.line, problem.code) for problem in report.rejected] == [(2, "email_other_name")]


@on_sqlite
def test_team_is_kept_as_a_label(programme: Programme) -> None:
    programme.offers(offer())

    programme.registers(registration("Lambert", equipe="Mesure"), registration("Benali", equipe="Mesure"))

    assert [row["team"] for row in programme.all("participation")] == ["Mesure", "Mesure"]


@on_sqlite
def test_person_known_from_another_edition_is_the_same_one(programme: Programme) -> None:
    data = (ROOT / "editions" / "2015-2016.toml").read_bytes()
    with programme.engine.begin() as connection:
        moment = Occasion(OPENING, OPENING)
        editions.load(connection, read_edition(data, "2015-2016"), system("cli"), moment)
    programme.registers(registration(voeu_1=""))

    report = programme.sends("registrations", csv(registration(voeu_1="")), edition="2015-2016")

    rows = programme.all("participation")
    assert (report.accepted, [row["reference"] for row in rows]) == (1, ["2018-2019-0001", "2015-2016-0001"])
    assert len({row["party_id"] for row in rows}) == 1


@on_sqlite
def test_offer_of_another_edition_is_unknown_in_this_one(programme: Programme) -> None:
    data = (ROOT / "editions" / "2015-2016.toml").read_bytes()
    with programme.engine.begin() as connection:
        moment = Occasion(OPENING, OPENING)
        editions.load(connection, read_edition(data, "2015-2016"), system("cli"), moment)
    programme.offers(offer())

    report = programme.sends("registrations", csv(registration()), edition="2015-2016")

    assert told(report) == (0, 0, [(2, "voeu_1", "SAFRAN-01", "unknown_offer")])


# --------------------------------------------------------------------------------------------------------- preparations
def test_preparations_are_recorded_once_and_bad_ones_reported(programme: Programme) -> None:
    programme.offers(offer())
    programme.registers(registration("Lambert"), registration("Benali"), registration("Claes"))
    before = programme.all("participation")

    report = programme.prepares(
        ("LAMBERT@ecole.example", "19/11/2018"),  # today, local
        ("nobody@ecole.example", "2018-11-12"),
        ("benali@ecole.example", ""),
        ("benali@ecole.example", "lundi"),
        ("", "2018-11-12"),
        ("benali@ecole.example", "2018-11-20"),
        ("claes", "2018-11-12"),
        ("lambert@ecole.example", "2018-11-12"),  # known by now: the first word stays
    )

    assert told(report) == (
        1,
        1,
        [
            (3, "email", "nobody@ecole.example", "unknown_person"),
            (4, "date", "", "empty"),
            (5, "date", "lundi", "bad_date"),
            (6, "email", "", "empty"),
            (7, "date", "2018-11-20", "fact_in_future"),
            (8, "email", "claes", "bad_email"),
        ],
    )
    after = programme.all("participation")
    assert [row["preparation_on"] for row in after] == [date(2018, 11, 19), None, None]
    assert [row["version"] - old["version"] for row, old in zip(after, before, strict=True)] == [1, 0, 0]
    assert after[0]["look_at"] == LATER


def test_preparations_again_are_unchanged_and_nothing_is_written(programme: Programme) -> None:
    programme.registers(registration(voeu_1=""))
    programme.prepares(("lambert@ecole.example", "2018-11-12"))
    before = programme.everything()

    report = programme.prepares(("lambert@ecole.example", "2018-11-12"), at=LATER.replace(hour=15))

    assert (told(report), programme.everything()) == ((0, 1, []), before)


@on_sqlite
def test_preparation_is_recorded_in_any_state(programme: Programme) -> None:
    """Facts before transitions: somebody who withdrew did the module all the same."""
    programme.registers(registration(voeu_1=""))
    with programme.engine.begin() as connection:
        director = actor(connection, Role.DIRECTOR, DIRECTOR, "cli")
        request = Request(Subject.PARTICIPATION, Trigger.WITHDRAW)
        apply(connection, "2018-2019-0001", request, director, Occasion(LATER, LATER))

    report = programme.prepares(("lambert@ecole.example", "2018-11-12"), at=LATER.replace(hour=15))

    row = programme.all("participation")[0]
    assert (told(report), row["state"], row["preparation_on"]) == ((1, 0, []), "withdrawn", date(2018, 11, 12))


@on_sqlite
def test_preparation_recorded_before_the_last_entry_of_the_journal_is_refused(programme: Programme) -> None:
    """Backdating is marked, but never goes behind what the journal already holds."""
    programme.registers(registration(voeu_1=""), at=LATER)
    before = programme.everything()

    report = programme.prepares(("lambert@ecole.example", "2018-09-10"), at=OPENING)

    assert [(problem.line, problem.code) for problem in report.rejected] == [(2, "before_last_entry")]
    assert programme.everything() == before


# ------------------------------------------------------------------------------------------------------- the whole file
@on_sqlite
@pytest.mark.parametrize(
    ("kind", "data", "problems"),
    [
        ("offers", b"reference;entreprise\nA;B\n", [("missing_columns", 1, "")]),
        ("registrations", csv(OFFER), [("missing_columns", 1, "")]),
        ("preparations", b"mail;date\na@b.example;2019-01-01\n", [("missing_columns", 1, "")]),
        ("preparations", b"email;date;heure;lieu\n", [("unknown_column", 1, "heure"), ("unknown_column", 1, "lieu")]),
        ("preparations", b"email;date;Date\n", [("duplicate_column", 1, "date")]),
        ("preparations", b"email;date\n", [("no_rows", None, "")]),
        ("preparations", b"email;date\n;\n\n", [("no_rows", None, "")]),
        ("preparations", b"", [("no_header", None, "")]),
        ("offers", b"\x00\x01\x02", [("not_text", None, "")]),
        ("offers", b"PK\x03\x04nothing", [("unreadable", None, "")]),
        ("offers", b"x" * 50_000_000, [("too_large", None, "")]),
    ],
    ids=["offers", "other-kind", "renamed", "unknown", "twice", "header", "blank", "empty", "binary", "zip", "noise"],
)
def test_file_that_is_wrong_as_a_whole_is_refused_and_nothing_written(
    programme: Programme, kind: str, data: bytes, problems: list[tuple[str, int | None, str]]
) -> None:
    before = programme.everything()

    with pytest.raises(InvalidFile) as caught:
        programme.sends(kind, data)

    assert (refusals(caught), caught.value.name) == (problems, f"{kind}.csv")
    assert programme.everything() == before


@on_sqlite
def test_missing_columns_are_named_with_those_there_are(programme: Programme) -> None:
    with pytest.raises(InvalidFile) as caught:
        programme.sends("preparations", b"mail;date\na@b.example;2019-01-01\n")

    assert caught.value.problems == (
        Problem("missing_columns", 1, params={"columns": ["email"], "allowed": ("email", "date")}),
    )


def test_columns_in_any_order_case_and_accents_in_any_form_are_read(programme: Programme) -> None:
    programme.offers(offer())
    columns = tuple(reversed(REGISTRATION))
    accented = {"prenom": "Prénom", "ecole": "ÉCOLE", "ecole_fase": "École FASE", "reseau": "Réseau"}
    text = csv(registration("Lambert"), columns=columns).decode()
    header, rest = text.split("\n", 1)
    typed = ";".join(accented.get(name, name.upper()) for name in header.split(";"))
    book = openpyxl.Workbook()
    book.active.append([accented.get(name, name) for name in columns])
    book.active.append([registration("Benali").get(name) or None for name in columns])
    out = io.BytesIO()
    book.save(out)

    reports = [
        programme.sends("registrations", f"{typed}\n{rest}".encode("cp1252")),
        programme.sends("registrations", out.getvalue()),
    ]

    assert [told(report) for report in reports] == [(1, 0, []), (1, 0, [])]
    people = T["party"]
    names = programme.read(select(people.c.first_name, people.c.last_name).where(people.c.last_name != "Delhez"))
    assert [tuple(name.values()) for name in names][-2:] == [("Benoît", "Lambert"), ("Benoît", "Benali")]


@on_sqlite
def test_optional_columns_may_be_left_out(programme: Programme) -> None:
    needed = [name for name in REGISTRATION if not name.startswith(("voeu", "equipe", "cours", "bassin"))]

    report = programme.sends("registrations", csv(registration(), columns=tuple(needed)))

    assert told(report) == (1, 0, [])


@on_sqlite
def test_line_of_a_bad_row_is_the_one_where_it_begins(programme: Programme) -> None:
    header = ";".join(OFFER)
    quoted = ";".join(f'"{value}"' for value in offer(intitule="Usinage\nde\nprécision").values())
    bad = ";".join(offer(reference="A-1", places="x").values())

    report = programme.sends("offers", f"{header}\n\n{quoted}\n{bad}\n".encode())

    assert told(report) == (1, 0, [(6, "places", "x", "bad_number")])
    assert programme.all("offer")[0]["title"] == "Usinage de précision"


def test_control_character_from_a_spreadsheet_is_reported_not_an_error(programme: Programme) -> None:
    """Excel keeps them escaped; PostgreSQL would refuse the whole statement."""
    book = openpyxl.Workbook()
    book.active.append(list(OFFER))
    book.active.append(list(offer(intitule="Usinage_x0000_").values()))
    out = io.BytesIO()
    book.save(out)
    before = programme.everything()

    with pytest.raises(InvalidFile):
        programme.sends("offers", out.getvalue())

    assert programme.everything() == before


@on_sqlite
def test_progress_is_told_row_by_row(programme: Programme) -> None:
    seen: list[tuple[int, int]] = []

    with programme.engine.begin() as connection:
        import_file(
            connection,
            editions.current(connection),
            FileKind.OFFERS,
            csv(offer(), offer(reference="")),
            "offers.csv",
            system("cli"),
            Occasion(OPENING, OPENING),
            progress=lambda done, total: seen.append((done, total)),
        )

    assert seen == [(1, 2), (2, 2)]


def test_import_that_the_caller_rolls_back_leaves_nothing(programme: Programme) -> None:
    """A dry run is an import whose transaction is given up."""
    before = programme.everything()

    with programme.engine.connect() as connection:
        report = import_file(
            connection,
            editions.current(connection),
            FileKind.OFFERS,
            csv(offer()),
            "offers.csv",
            system("cli"),
            Occasion(OPENING, OPENING),
        )
        connection.rollback()

    assert (report.accepted, programme.everything()) == (1, before)
