"""Registering somebody: the one action that makes a participation instead of moving one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from actions.change import Change
from actions.editions import Current
from actions.occasion import Actor, Occasion
from actions.people import Person, keep_contact, keep_organisation, keep_party
from actions.reading import Seen, Stands, rules_for
from actions.writing import PARTICIPATION, write
from core.errors import Refused
from models import Edition, EditionRevision, OfferSession, Organisation, Wish, table_of
from states.decide import decide
from states.names import OrganisationKind, Role, Subject, Trigger
from states.process import START
from states.snapshot import Command, Refusal, Snapshot
from states.tables import process_for

EDITION, WISH, ORGANISATION = table_of(Edition), table_of(Wish), table_of(Organisation)
SESSION, REVISION = table_of(OfferSession), table_of(EditionRevision)


@dataclass(frozen=True, slots=True)
class School:
    """A school as a registration names it, with its director."""

    fase: str
    name: str
    network: str
    director: Person


@dataclass(frozen=True, slots=True)
class Registration:
    """What somebody registers with; `wishes` are ids of offers, in order; `team` is a label within the school."""

    person: Person
    kind: str
    school: School | None
    network: str | None
    education: str | None
    basin: str
    courses: str
    wishes: tuple[int, ...]
    team: str = ""


def register(
    connection: Connection, edition: Current, registration: Registration, actor: Actor, occasion: Occasion
) -> str | None:
    """Register somebody in an edition; return the new reference, or None when they already are in it.

    One participation per person and edition, whatever became of it: coming back is `reinstate`.
    Raises Refused (`email_other_name`, `school_conflict`, or why the table forbids it).
    """
    party_id = keep_party(connection, registration.person)
    known = select(PARTICIPATION.c.id).where(
        PARTICIPATION.c.edition_id == edition.id, PARTICIPATION.c.party_id == party_id
    )
    if connection.execute(known).first() is not None:
        return None
    keep_contact(connection, registration.person, Role.TEACHER, None, party_id=party_id)
    school_id = _school(connection, registration)
    row = _insert(connection, edition, registration, party_id, school_id, occasion)
    for rank, offer_id in enumerate(registration.wishes, start=1):
        connection.execute(insert(WISH).values(participation_id=row["id"], offer_id=offer_id, rank=rank))
    _enter(connection, row, actor, occasion)
    return str(row["reference"])


def _school(connection: Connection, registration: Registration) -> int | None:
    school = registration.school
    if school is None:
        return None
    school_id = keep_organisation(
        connection,
        OrganisationKind.SCHOOL,
        school.fase,
        school.name,
        network=school.network,
        basin=registration.basin,
    )
    keep_contact(connection, school.director, Role.DIRECTOR, school_id)
    return school_id


def _insert(
    connection: Connection,
    edition: Current,
    registration: Registration,
    party_id: int,
    school_id: int | None,
    occasion: Occasion,
) -> dict[str, Any]:
    counter = EDITION.c.participations_numbered
    number = connection.execute(
        update(EDITION).where(EDITION.c.id == edition.id).values({counter: counter + 1}).returning(counter)
    ).scalar_one()
    # whoever gives the edition another ladder has been waited for, or waits for us: what is read here is the latest
    latest = select(func.max(REVISION.c.id)).where(REVISION.c.edition_id == edition.id)
    revision_id = connection.execute(latest).scalar_one()
    row = {
        "edition_id": edition.id,
        "revision_id": revision_id,
        "party_id": party_id,
        "school_id": school_id,
        "reference": f"{edition.code}-{number:04d}",
        "definition": rules_for(connection, revision_id).process,
        "kind": registration.kind,
        "network": registration.network,
        "education": registration.education,
        "basin": registration.basin,
        "wished_on": _wished_on(connection, registration.wishes),
        "courses": registration.courses,
        "team": registration.team,
        "state": "registered",
        "since": occasion.at,
        "version": 0,
        "journal_at": occasion.at,
    }
    row["id"] = connection.execute(insert(PARTICIPATION).values(row).returning(PARTICIPATION.c.id)).scalar_one()
    return row


def _wished_on(connection: Connection, wishes: Sequence[int]) -> date | None:
    """Return the first day of the soonest of these offers, if one of them is dated; their dates stay until the end."""
    days = select(SESSION.c.first_day).where(SESSION.c.offer_id.in_(wishes)).order_by(SESSION.c.id)
    found = connection.execute(days.with_for_update(read=True)).scalars()
    return min((day for day in found if day is not None), default=None)


def _enter(connection: Connection, row: dict[str, Any], actor: Actor, occasion: Occasion) -> None:
    """Write the entry into the first state as any other act: journal, deadlines, what is told."""
    rules = rules_for(connection, row["revision_id"])
    process = process_for(Subject.PARTICIPATION, row["definition"])
    relations, basin = frozenset({actor.role}), row["basin"]
    has_school, wished = row["school_id"] is not None, row["wished_on"]
    before = Snapshot(START, has_school=has_school, relations=relations, basin=basin, wished_day=wished)
    decision = decide(process, process, rules, before, Command(Trigger.REGISTER, actor.role, occasion.at))
    if isinstance(decision, Refusal):
        raise Refused(decision.code, state=decision.state, allowed=decision.allowed, **decision.params)
    ifc_id = connection.execute(
        select(ORGANISATION.c.id).where(ORGANISATION.c.kind == OrganisationKind.IFC.value)
    ).scalar_one()
    nothing_yet = dict.fromkeys(Stands._fields)
    counted = dict.fromkeys(("placement_attempt", "handoff_round", "return_round", "journal_seq"), 0)
    empty = {"journal_head": "", "ifc_id": ifc_id}
    known = {name: value for name, value in row.items() if name in Stands._fields}
    seen = Seen(Stands(**{**nothing_yet, **counted, **empty, **known}), before, rules, process)
    write(
        connection,
        [
            Change(
                seen,
                decision.after,
                actor,
                occasion,
                decision.pulled,
                decision.effects,
                decision.ended,
                decision.opened,
            )
        ],
    )
