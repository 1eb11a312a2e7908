"""Many participations, quickly: one person goes through the product's own actions, the others are copies of its rows.

Each copy has ids, an e-mail, a reference, a seat and a hash chain of its own, so that the database is one that the
product could have made itself; only what was told on the way (notifications) is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from actions import editions, facts, people
from actions.apply import Request, apply
from actions.editions import Current
from actions.imports import FileKind, import_file
from actions.journal import entry_hash
from actions.occasion import Actor, Occasion, system
from models import (
    Contact,
    Deadline,
    Fact,
    Handoff,
    JournalEntry,
    Notification,
    Participation,
    Party,
    Placement,
    Seat,
    table_of,
)
from states.edition import read_edition
from states.names import Role, Subject, Trigger

EDITION = Path(__file__).parents[1] / "editions" / "2018-2019.toml"
OPENED = datetime(2018, 9, 17, 8, tzinfo=UTC)
"""When everybody registered; approvals and places came two months later, after the allocation date."""
IMMERSED = datetime(2019, 3, 25, 9, tzinfo=UTC)
"""When the company said who had been there on 21 and 22 March."""
DIRECTOR = "direction@ecole.example"
COMPANY = "ada@banc.example"

_LATER = datetime(2018, 11, 19, 8, tzinfo=UTC)
_DAYS = (date(2019, 3, 21), date(2019, 3, 22))
_OFFERS = (
    "reference;entreprise;secteur;intitule;site;commune;bassin;places;date_debut;date_fin;collective;options;"
    "contact_nom;contact_email\n"
    "BANC-01;Banc d'essai;Industrie;Mesure;Atelier;Herstal;liege;1;2019-03-21;2019-03-22;non;;"
    f"Ada Lovelace;{COMPANY}\n"
)
_REGISTRATIONS = (
    "nom;prenom;email;fonction;ecole_fase;ecole;reseau;enseignement;bassin;direction_nom;direction_email;cours;voeu_1;"
    "voeu_2;voeu_3\n"
    "Curie;Marie;marie@ecole.example;enseignant;90001;École du banc;WBE;ordinaire;liege;"
    f"Lise Meitner;{DIRECTOR};Chimie;BANC-01;;\n"
)
_BATCH = 5_000
_PARTICIPATION, _PARTY, _CONTACT = table_of(Participation), table_of(Party), table_of(Contact)
_PLACEMENT, _SEAT = table_of(Placement), table_of(Seat)
_JOURNAL, _NOTIFICATION = table_of(JournalEntry), table_of(Notification)
_DETAILS = (table_of(Fact), table_of(Deadline), table_of(Handoff))

Row = dict[str, Any]


def register_one(connection: Connection) -> int:
    """Load the edition, one offer and one registration; return the participation's id."""
    occasion = Occasion(OPENED, OPENED)
    editions.load(connection, read_edition(EDITION.read_bytes(), EDITION.name), system(), occasion)
    edition = editions.current(connection)
    _import(connection, edition, FileKind.OFFERS, _OFFERS, occasion)
    _import(connection, edition, FileKind.REGISTRATIONS, _REGISTRATIONS, occasion)
    return int(connection.execute(select(_PARTICIPATION.c.id)).scalar_one())


def _import(connection: Connection, edition: Current, kind: FileKind, content: str, occasion: Occasion) -> None:
    report = import_file(connection, edition, kind, content.encode(), f"{kind}.csv", system(), occasion)
    assert not report.rejected, report.rejected


def approve_one(connection: Connection, participation_id: int) -> None:
    """Have the director approve the one."""
    director = people.actor(connection, Role.DIRECTOR, DIRECTOR, "cli")
    _act(connection, participation_id, Request(Subject.PARTICIPATION, Trigger.APPROVE), director)


def prepare_one(connection: Connection, participation_id: int) -> None:
    """Record the preparation of the one: what `confirm_preparation` asks for."""
    occasion = Occasion(_LATER, _LATER)
    facts.record_preparation(connection, _reference(connection, participation_id), _LATER.date(), system(), occasion)


def place_one(connection: Connection, participation_id: int) -> None:
    """Give the one its place, whose days are known."""
    seat = connection.execute(select(func.min(_SEAT.c.id))).scalar_one()
    _act(connection, participation_id, Request(Subject.PLACEMENT, Trigger.PROPOSE, data={"seat": seat}), system())
    _act(connection, participation_id, Request(Subject.PLACEMENT, Trigger.CONFIRM), system())


def immerse_one(connection: Connection, participation_id: int) -> None:
    """Have the one, prepared, spend four half-days in the company, which says so; its handoff waits to be routed."""
    _act(connection, participation_id, Request(Subject.PARTICIPATION, Trigger.CONFIRM_PREPARATION), system())
    company = people.actor(connection, Role.COMPANY, COMPANY, "cli")
    occasion = Occasion(IMMERSED, IMMERSED)
    there = [facts.HalfDay(day, part, present=True) for day in _DAYS for part in ("am", "pm")]
    facts.record_presence(connection, _reference(connection, participation_id), there, company, occasion)
    _act(connection, participation_id, Request(Subject.PARTICIPATION, Trigger.CONFIRM_IMMERSION), system(), IMMERSED)


def _act(connection: Connection, participation_id: int, request: Request, actor: Actor, at: datetime = _LATER) -> None:
    apply(connection, _reference(connection, participation_id), request, actor, Occasion(at, at))


def _reference(connection: Connection, participation_id: int) -> str:
    query = select(_PARTICIPATION.c.reference).where(_PARTICIPATION.c.id == participation_id)
    return str(connection.execute(query).scalar_one())


def multiply(connection: Connection, participation_id: int, count: int) -> range:
    """Copy one participation `count` times; return the ids of the copies.

    Nothing in them waits for a job or a seal, unless a handoff waits to be routed.
    """
    connection.execute(delete(_NOTIFICATION))
    first = _next_id(connection, _PARTICIPATION)
    one = _one(connection, participation_id)
    for start in range(first, first + count, _BATCH):
        _copy(connection, one, range(start, min(start + _BATCH, first + count)))
    if connection.dialect.name == "postgresql":
        _settle(connection)
    return range(first, first + count)


@dataclass(frozen=True, slots=True)
class _One:
    """The rows of the one, and what to add to a participation's id for those of its party and its seat."""

    participation: Row
    party: Row
    journal: list[Row]
    contact: Row
    details: Mapping[Table, list[Row]]
    placement: Row | None
    seat: Row | None
    to_party: int
    to_seat: int


def _one(connection: Connection, participation_id: int) -> _One:
    def rows(table: Table, column: str, value: int) -> list[Row]:
        found = connection.execute(select(table).where(table.c[column] == value)).mappings()
        return [dict(row) for row in found]

    (participation,) = rows(_PARTICIPATION, "id", participation_id)
    (party,) = rows(_PARTY, "id", participation["party_id"])
    placement = next(iter(rows(_PLACEMENT, "participation_id", participation_id)), None)
    first = _next_id(connection, _PARTICIPATION)
    return _One(
        {**participation, "look_at": None, "sealed_seq": participation["journal_seq"]},
        party,
        [row for row in rows(_JOURNAL, "chain_id", participation_id) if row["chain"] == "participation"],
        rows(_CONTACT, "party_id", party["id"])[0],
        {table: rows(table, "participation_id", participation_id) for table in _DETAILS},
        placement,
        rows(_SEAT, "id", placement["seat_id"])[0] if placement else None,
        _next_id(connection, _PARTY) - first,
        _next_id(connection, _SEAT) - first,
    )


def _next_id(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.max(table.c.id))).scalar_one()) + 1


def _copy(connection: Connection, one: _One, ids: range) -> None:
    chains = {pid: _chain(one.journal, pid) for pid in ids}
    code = one.participation["reference"].rpartition("-")[0]
    emails = {pid: f"p{pid}@ecole.example" for pid in ids}
    connection.execute(
        insert(_PARTY), [{**one.party, "id": pid + one.to_party, "email": email} for pid, email in emails.items()]
    )
    own = _new(one.contact)
    connection.execute(
        insert(_CONTACT),
        [{**own, "party_id": pid + one.to_party, "address": email} for pid, email in emails.items()],
    )
    connection.execute(
        insert(_PARTICIPATION),
        [
            {
                **one.participation,
                "id": pid,
                "party_id": pid + one.to_party,
                "reference": f"{code}-{pid:06d}",
                "journal_head": chains[pid][-1]["hash"],
            }
            for pid in ids
        ],
    )
    connection.execute(insert(_JOURNAL), [entry for chain in chains.values() for entry in chain])
    for table, rows in one.details.items():
        if rows:
            connection.execute(insert(table), [{**_new(row), "participation_id": pid} for pid in ids for row in rows])
    if one.placement and one.seat:
        connection.execute(insert(_SEAT), [{**one.seat, "id": pid + one.to_seat, "number": pid} for pid in ids])
        own = _new(one.placement)
        connection.execute(
            insert(_PLACEMENT), [{**own, "participation_id": pid, "seat_id": pid + one.to_seat} for pid in ids]
        )


def _chain(entries: list[Row], participation_id: int) -> list[Row]:
    """Return the entries as they would have been written for another participation."""
    chain: list[Row] = []
    for entry in entries:
        previous = chain[-1]["hash"] if chain else ""
        copy = {**entry, "chain_id": participation_id, "previous": previous}
        chain.append({**copy, "hash": entry_hash(copy)})
    return chain


def _new(row: Row) -> Row:
    """Return the row without its id, which the database gives."""
    return {name: value for name, value in row.items() if name != "id"}


def _settle(connection: Connection) -> None:
    """Do what PostgreSQL's own background work would have done, and let its sequences know of the ids given."""
    for table in (_PARTICIPATION, _PARTY, _SEAT):
        sequence = func.pg_get_serial_sequence(table.name, "id")
        connection.execute(select(func.setval(sequence, _next_id(connection, table), False)))  # noqa: FBT003 - SQL's
    connection.execute(text("ANALYZE"))
