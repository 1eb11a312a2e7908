"""Importing what people send: each good row goes in, each bad one is reported by line, column, value and reason.

A file is read whole before anything is written; a row is written within a savepoint, whole or not at all.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from actions import facts
from actions.editions import Current, must_be_open
from actions.effects import OFFER
from actions.occasion import Actor, Occasion
from actions.people import PARTY, Person, plain_name, split_name
from actions.places import OfferRecord, keep_offer
from actions.reading import rules_for
from actions.registration import Registration, School, register
from actions.writing import PARTICIPATION
from core.addresses import is_address
from core.errors import InvalidFile, Problem, ProductError
from core.workdays import days_between
from documents.tables import Record, Table, read_table
from states.names import Education, Network, ParticipantKind

_DAY = re.compile(r"(?:(\d{4})-(\d{2})-(\d{2})|(\d{1,2})/(\d{1,2})/(\d{4}))")
_MAX_CELL = 500
_MAX_PLACES = 500
_MAX_SESSION_DAYS = 31
_SATURDAY = 5
_YES = {"oui": True, "o": True, "yes": True, "1": True, "vrai": True, "true": True}
_NO = {"non": False, "n": False, "no": False, "0": False, "faux": False, "false": False, "": False}


class FileKind(StrEnum):
    """What a file holds; also the first word of its name in the inbox."""

    OFFERS = "offers"
    REGISTRATIONS = "registrations"
    PREPARATIONS = "preparations"


@dataclass
class Report:
    """What became of a file's rows."""

    accepted: int = 0
    unchanged: int = 0
    rejected: list[Problem] = field(default_factory=list)


class BadRow(Exception):
    """A row that cannot go in, with its first fault."""

    def __init__(self, code: str, column: str, value: str = "", **params: object) -> None:
        """Keep the place and the reason."""
        super().__init__(code)
        self.code, self.column, self.value, self.params = code, column, value, params


Progress = Callable[[int, int], None]


def import_file(  # noqa: PLR0913 - the parts of one call, each with its name
    connection: Connection,
    edition: Current,
    kind: FileKind,
    data: bytes | Table,
    name: str,
    actor: Actor,
    occasion: Occasion,
    *,
    progress: Progress = lambda _done, _all: None,
) -> Report:
    """Import a file within the caller's transaction. Safe to repeat: what is known already counts as unchanged.

    `data` is a file's bytes, or the table read from them: a spreadsheet takes a while, which no transaction should wait
    for. Raises InvalidFile when the file as a whole cannot be read or lacks columns, Refused (`edition_closed`) except
    for preparations: what was done may still become known.
    """
    if kind is not FileKind.PREPARATIONS:
        must_be_open(connection, edition.id)
    table = data if isinstance(data, Table) else read_table(data, name)
    importer = _IMPORTERS[kind](connection, edition, actor, occasion)
    _check_columns(table, name, importer)
    report = Report()
    if not table.records:
        raise InvalidFile(name, [Problem("no_rows")])
    for number, record in enumerate(table.records, start=1):
        _import_row(connection, importer, record, report)
        progress(number, len(table.records))
    return report


def _import_row(connection: Connection, importer: "_Importer", record: Record, report: Report) -> None:
    try:
        done = _taken(connection, importer, record)
    except BadRow as bad:
        report.rejected.append(Problem(bad.code, record.line, bad.column, bad.value[:80], bad.params))
    except ProductError as refused:
        value = str(refused.params.get("value", ""))[:80]
        column = importer.blames(refused.code, value, record)
        report.rejected.append(Problem(refused.code, record.line, column, value, refused.params))
    else:
        report.accepted += done
        report.unchanged += not done


def _taken(connection: Connection, importer: "_Importer", record: Record) -> bool:
    """Take a row; if somebody registers the same person or school at this very moment, look again, once."""
    try:
        with connection.begin_nested():
            return importer.take(record)
    except IntegrityError:
        importer.forget(record)
        with connection.begin_nested():
            return importer.take(record)


def _check_columns(table: Table, name: str, importer: "_Importer") -> None:
    missing = [column for column in importer.required if column not in table.columns]
    known = (*importer.required, *importer.optional)
    if missing:
        raise InvalidFile(name, [Problem("missing_columns", 1, params={"columns": missing, "allowed": known})])
    unknown = [
        Problem("unknown_column", 1, column, params={"allowed": known})
        for column in table.columns
        if column and column not in known
    ]
    doubled = [
        Problem("duplicate_column", 1, column)
        for column in set(table.columns)
        if column and table.columns.count(column) > 1
    ]
    if unknown or doubled:
        raise InvalidFile(name, unknown + doubled)


class _Importer:
    """One kind of file: its columns, and how a row is taken."""

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    def __init__(self, connection: Connection, edition: Current, actor: Actor, occasion: Occasion) -> None:
        self.connection, self.edition, self.actor, self.occasion = connection, edition, actor, occasion
        self.seen: dict[str, int] = {}

    def take(self, record: Record) -> bool:
        """Take one row; False when it says nothing new."""
        raise NotImplementedError

    def forget(self, record: Record) -> None:
        """Take back what was noted of a row that is tried again."""
        self.seen = {key: line for key, line in self.seen.items() if line != record.line}

    def blames(self, code: str, value: str, record: Record) -> str:
        """Return the column that a refusal is about: the one that holds its value, else the usual one."""
        holding = (column for column, cell in record.values.items() if value and cell.casefold() == value.casefold())
        return next(holding, _BLAMED.get(code, ""))

    def within(self, day: date | None, column: str) -> None:
        """Refuse a day outside the edition: a slip in the year, or a date that nothing can be reckoned from."""
        first, last = self.edition.opens, self.edition.closes
        if day is not None and not first <= day <= last:
            raise BadRow("date_outside_edition", column, day.isoformat(), first=first, last=last)

    def once(self, key: str, column: str, record: Record) -> None:
        """Refuse a second row about the same thing within one file."""
        if key in self.seen:
            raise BadRow("duplicate_row", column, record.values.get(column, ""), other=self.seen[key])
        self.seen[key] = record.line


_BLAMED = {
    "email_other_name": "email",
    "school_conflict": "ecole",
    "offer_conflict": "reference",
    "places_below_taken": "places",
    "unknown_person": "email",
    "fact_in_future": "date",
    "lost_race": "email",
}


class _Offers(_Importer):
    required = ("reference", "entreprise", "secteur", "intitule", "places", "contact_nom", "contact_email")
    optional = ("site", "commune", "bassin", "date_debut", "date_fin", "collective", "options")

    def take(self, record: Record) -> bool:
        cells = _Cells(record)
        reference = cells.text("reference")
        self.once(reference.casefold(), "reference", record)
        for column in ("date_debut", "date_fin"):
            self.within(cells.day(column), column)
        first_name, last_name = split_name(cells.text("contact_nom"))
        offer = OfferRecord(
            reference=reference,
            company=cells.text("entreprise"),
            sector=cells.text("secteur"),
            title=cells.text("intitule"),
            site=cells.text("site", needed=False),
            municipality=cells.text("commune", needed=False),
            basin=cells.text("bassin", needed=False),
            places=cells.number("places", 1, _MAX_PLACES),
            days=cells.days("date_debut", "date_fin"),
            collective=cells.yes_no("collective"),
            options=cells.text("options", needed=False),
            contact=Person(cells.email("contact_email"), first_name, last_name),
        )
        return keep_offer(self.connection, self.edition, offer, self.actor, self.occasion)


class _Registrations(_Importer):
    required = ("nom", "prenom", "email", "fonction", "ecole_fase", "ecole", "reseau", "enseignement",
                "direction_nom", "direction_email")  # fmt: skip
    optional = ("bassin", "cours", "voeu_1", "voeu_2", "voeu_3", "equipe")

    def __init__(self, connection: Connection, edition: Current, actor: Actor, occasion: Occasion) -> None:
        super().__init__(connection, edition, actor, occasion)
        rows = connection.execute(select(OFFER.c.reference, OFFER.c.id).where(OFFER.c.edition_id == edition.id))
        self.offers = {row.reference.casefold(): row.id for row in rows}
        self.names: dict[str, tuple[int, str]] = {}
        basins = rules_for(connection, edition.revision_id).basins
        self.basins = {name.casefold(): code for code, names in basins.items() for name in (code, names)}

    def take(self, record: Record) -> bool:
        cells = _Cells(record)
        email = cells.email("email")
        person = Person(email, cells.text("prenom"), cells.text("nom"))
        self._one_person(person)
        network = cells.choice("reseau", Network)
        registration = Registration(
            person=person,
            kind=cells.choice("fonction", ParticipantKind, needed=True) or "",
            school=self._school(cells, network),
            network=network,
            education=cells.choice("enseignement", Education),
            basin=self._basin(cells.text("bassin", needed=False)),
            courses=cells.text("cours", needed=False),
            wishes=tuple(self._wishes(cells)),
            team=cells.text("equipe", needed=False),
        )
        registered = register(self.connection, self.edition, registration, self.actor, self.occasion)
        self.names[person.email] = (record.line, _name(person))
        return registered is not None

    def _basin(self, text: str) -> str:
        """Return a basin's code, also for its name: its calendar is found by that; what is unknown stays as it is."""
        return self.basins.get(text.casefold(), text)

    def _one_person(self, person: Person) -> None:
        """Refuse a second row of the same e-mail under another name; under the same name it is one person."""
        line, known = self.names.get(person.email, (0, _name(person)))
        if known != _name(person):
            raise BadRow("email_other_name", "email", person.email, other=line)

    def _school(self, cells: "_Cells", network: str | None) -> School | None:
        """A school needs its director; without a FASE number there is no school, and IFC approves."""
        fase = cells.text("ecole_fase", needed=False)
        if not fase:
            for column in ("ecole", "direction_email"):
                if cells.text(column, needed=False):
                    raise BadRow("empty", "ecole_fase")
            return None
        if network is None:
            raise BadRow("empty", "reseau", allowed=tuple(Network))
        first_name, last_name = split_name(cells.text("direction_nom"))
        director = Person(cells.email("direction_email"), first_name, last_name)
        return School(fase, cells.text("ecole"), network, director)

    def _wishes(self, cells: "_Cells") -> Iterator[int]:
        taken: set[int] = set()
        for column in ("voeu_1", "voeu_2", "voeu_3"):
            reference = cells.text(column, needed=False)
            if not reference:
                continue
            if reference.casefold() not in self.offers:
                raise BadRow("unknown_offer", column, reference)
            offer = self.offers[reference.casefold()]
            if offer not in taken:
                taken.add(offer)
                yield offer


def _name(person: Person) -> str:
    return plain_name(person.first_name + person.last_name)


class _Preparations(_Importer):
    required = ("email", "date")

    def take(self, record: Record) -> bool:
        cells = _Cells(record)
        email = cells.email("email")
        done_on = cells.day("date")
        if done_on is None:
            raise BadRow("empty", "date")
        self.within(done_on, "date")
        reference = self.connection.execute(
            select(PARTICIPATION.c.reference)
            .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
            .where(PARTY.c.email == email, PARTICIPATION.c.edition_id == self.edition.id)
        ).scalar()
        if reference is None:
            raise BadRow("unknown_person", "email", email)
        return facts.record_preparation(self.connection, reference, done_on, self.actor, self.occasion)


_IMPORTERS: Mapping[FileKind, type[_Importer]] = {
    FileKind.OFFERS: _Offers,
    FileKind.REGISTRATIONS: _Registrations,
    FileKind.PREPARATIONS: _Preparations,
}


class _Cells:
    """The cells of one row, read as what they should be; each fault is a BadRow with its column."""

    def __init__(self, record: Record) -> None:
        self._values = record.values

    def text(self, column: str, *, needed: bool = True) -> str:
        value = self._values.get(column, "")
        if needed and not value:
            raise BadRow("empty", column)
        if len(value) > _MAX_CELL:
            raise BadRow("too_long", column, value[:60], limit=_MAX_CELL)
        return value

    def email(self, column: str) -> str:
        value = self.text(column).lower()
        if not is_address(value):
            raise BadRow("bad_email", column, value)
        return value

    def number(self, column: str, least: int, most: int) -> int:
        value = self.text(column)
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            raise BadRow("bad_number", column, value, least=least, most=most)
        return int(value)

    def yes_no(self, column: str) -> bool:
        value = self.text(column, needed=False)
        known = _YES | _NO
        if value.casefold() not in known:
            raise BadRow("unknown_choice", column, value, allowed=("oui", "non"))
        return known[value.casefold()]

    def choice(self, column: str, values: type[StrEnum], *, needed: bool = False) -> str | None:
        value = self.text(column, needed=needed)
        found = next((item.value for item in values if plain_name(item.value) == plain_name(value)), None)
        if value and found is None:
            raise BadRow("unknown_choice", column, value, allowed=tuple(values))
        return found

    def day(self, column: str) -> date | None:
        value = self.text(column, needed=False)
        if not value:
            return None
        match = _DAY.fullmatch(value)
        if match is None:
            raise BadRow("bad_date", column, value)
        year, month, day = match.group(1, 2, 3) if match.group(1) else match.group(6, 5, 4)
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            raise BadRow("bad_date", column, value) from None

    def days(self, first_column: str, last_column: str) -> tuple[date, ...]:
        """Return the weekdays from first to last; none when both are empty; one day when only the first is given."""
        first, last = self.day(first_column), self.day(last_column)
        if first is None and last is None:
            return ()
        if first is None:
            raise BadRow("empty", first_column)
        last = last or first
        if last < first or (last - first).days >= _MAX_SESSION_DAYS:
            raise BadRow("dates_reversed", last_column, last.isoformat(), other=first)
        days = tuple(day for day in days_between(first, last) if day.weekday() < _SATURDAY)
        if not days:
            raise BadRow("only_weekend", first_column, first.isoformat())
        return days
