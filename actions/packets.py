"""The packet of a handoff: put together when the round is offered, fixed from then on, fetched as it was.

Everything is read in a fixed number of statements, for one offer as for hundreds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, select

from actions.change import Change
from actions.journal import JOURNAL
from actions.people import CONTACT, ORGANISATION, PARTY
from core.errors import NotFound
from documents import packet as parts
from models import Edition, Fact, Offer, OfferSession, Packet, Participation, Placement, Seat, table_of
from states.names import Education, FactKind, Network, ParticipantKind, Purpose, Role, StepAction, Subject, Trigger
from states.rules import RuleKey

PACKET = table_of(Packet)
PARTICIPATION, EDITION, FACT = table_of(Participation), table_of(Edition), table_of(Fact)
OFFER, SESSION, SEAT, PLACEMENT = table_of(Offer), table_of(OfferSession), table_of(Seat), table_of(Placement)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A packet's text and its SHA-256."""

    content: str
    sha256: str


def packets_of(connection: Connection, changes: Sequence[Change]) -> dict[int, Fixed]:
    """Return the packet of each participation whose handoff these changes offer."""
    offering = {change.seen.row.id: change for change in changes if _offers(change)}
    if not offering:
        return {}
    desk = _Desk(connection, offering)
    return {pid: _fixed(desk.packet(change)) for pid, change in offering.items()}


def _offers(change: Change) -> bool:
    return any(step.subject is Subject.HANDOFF and step.trigger is Trigger.OFFER for step in change.pulled)


def _fixed(packet: parts.Packet) -> Fixed:
    content = parts.canonical(packet)
    return Fixed(content, parts.fingerprint(content))


def fetch(connection: Connection, participation_id: int, number: int) -> Fixed:
    """Return the packet of a round as it was offered. Raises NotFound (`no_packet`, also once it was emptied)."""
    ours = (PACKET.c.participation_id == participation_id, PACKET.c.round == number)
    found = connection.execute(select(PACKET.c.content, PACKET.c.sha256).where(*ours)).first()
    if found is None or not found.content:
        raise NotFound("no_packet", value=number)
    return Fixed(found.content, found.sha256)


class _Desk:
    """All that the packets of a batch need to know, read once."""

    def __init__(self, connection: Connection, offering: Mapping[int, Change]) -> None:
        ids = {"ids": list(offering)}
        self.people = {row.id: row for row in connection.execute(_PEOPLE, ids)}
        companies = {row.company_id for row in self.people.values() if row.company_id is not None}
        self.contacts = _contacts(connection, companies)
        receivers = {change.data["receiver"] for change in offering.values()}
        self.organisations = {
            row.id: parts.Organisation(code=row.code, name=row.name)
            for row in connection.execute(_ORGANISATIONS, {"ids": [*receivers, *_ifc(offering)]})
        }
        self.presence = _presence(connection, ids)
        self.journal: defaultdict[int, list[parts.Entry]] = defaultdict(list)
        for row in connection.execute(_JOURNAL, ids):
            self.journal[row.chain_id].append(_entry(row))

    def packet(self, change: Change) -> parts.Packet:
        row, person = change.seen.row, self.people[change.seen.row.id]
        return parts.Packet(
            schema_version=1,
            handoff=parts.Handoff(
                reference=row.reference,
                purpose=Purpose.TRANSFER,
                round=row.handoff_round,
                sender=self.organisations[row.ifc_id],
                receiver=self.organisations[_receiver(change)],
                offered_at=change.occasion.at,
                answer_by=_answer_by(change),
            ),
            edition=parts.Edition(code=person.edition, title=person.edition_title),
            teacher=_teacher(person, change.seen.rules.basin(person.basin)),
            school=parts.Organisation(code=person.school, name=person.school_name) if person.school else None,
            company=self._company(person),
            immersion=self._immersion(change, person),
            journal=tuple(self.journal[row.id]),
        )

    def _company(self, person: Row[Any]) -> parts.Company | None:
        if person.company is None:
            return None
        return parts.Company(
            name=person.company,
            sector=person.sector,
            offer=person.title,
            site=person.site,
            municipality=person.municipality,
            contact=self.contacts.get(person.company_id),
        )

    def _immersion(self, change: Change, person: Row[Any]) -> parts.Immersion:
        there = self.presence[change.seen.row.id]
        days = [date.fromisoformat(day) for day in (person.days or "").split(",") if day]
        return parts.Immersion(
            days=tuple(parts.Day(date=day, am=there.get((day, "am")), pm=there.get((day, "pm"))) for day in days),
            half_days_present=change.seen.snapshot.half_days or 0,
            half_days_planned=change.seen.rules.half_days,
        )


def _ifc(offering: Mapping[int, Change]) -> set[int]:
    return {change.seen.row.ifc_id for change in offering.values()}


def _receiver(change: Change) -> int:
    receiver = change.data["receiver"]
    if not isinstance(receiver, int):
        raise TypeError(receiver)
    return receiver


def _answer_by(change: Change) -> date | None:
    """Return the local day by which an answer is asked, as in the mails: first escalation, else the last step."""
    ladder, calendar = change.seen.rules.ladder, change.seen.rules.calendar
    days: list[tuple[StepAction, date]] = [
        (ladder[RuleKey(step.subject, step.state, step.rule)][step.step].do, calendar.local_day(step.due_at))
        for step in change.opened
        if step.subject is Subject.HANDOFF and step.due_at is not None
    ]
    alerts = [day for do, day in days if do is StepAction.ESCALATE]
    return alerts[0] if alerts else days[-1][1] if days else None


def _teacher(person: Row[Any], basin: str) -> parts.Teacher:
    return parts.Teacher(
        name=f"{person.first_name} {person.last_name}".strip(),
        email=person.email,
        phone=person.phone or None,
        kind=ParticipantKind(person.kind),
        network=Network(person.network) if person.network else None,
        education=Education(person.education) if person.education else None,
        basin=basin,
        courses=person.courses,
    )


def _entry(row: Row[Any]) -> parts.Entry:
    return parts.Entry(
        seq=row.seq,
        at=row.at,
        subject=Subject(row.subject),
        trigger=Trigger(row.trigger),
        from_state=row.from_state,
        to_state=row.to_state,
        role=Role(row.role),
    )


def _contacts(connection: Connection, companies: set[int]) -> dict[int, parts.CompanyContact]:
    """Return the first contact by rank of each company that can be written to."""
    first: dict[int, parts.CompanyContact] = {}
    for row in connection.execute(_CONTACTS, {"ids": list(companies)}):
        name = f"{row.first_name or ''} {row.last_name or ''}".strip() or row.address
        first.setdefault(row.organisation_id, parts.CompanyContact(name=name, email=row.address))
    return first


def _presence(
    connection: Connection, ids: Mapping[str, list[int]]
) -> defaultdict[int, dict[tuple[date, str], parts.Presence]]:
    """Return who was where, by half-day; the latest record of each counts."""
    presence: defaultdict[int, dict[tuple[date, str], parts.Presence]] = defaultdict(dict)
    for row in connection.execute(_PRESENCE, ids):
        presence[row.participation_id][row.happened_on, row.half_day] = row.value
    return presence


_SCHOOL, _COMPANY = ORGANISATION.alias("school"), ORGANISATION.alias("company")
_IDS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_PEOPLE = (
    select(
        PARTICIPATION.c.id,
        PARTICIPATION.c.kind,
        PARTICIPATION.c.network,
        PARTICIPATION.c.education,
        PARTICIPATION.c.basin,
        PARTICIPATION.c.courses,
        EDITION.c.code.label("edition"),
        EDITION.c.title.label("edition_title"),
        PARTY.c.first_name,
        PARTY.c.last_name,
        PARTY.c.email,
        PARTY.c.phone,
        _SCHOOL.c.code.label("school"),
        _SCHOOL.c.name.label("school_name"),
        _COMPANY.c.id.label("company_id"),
        _COMPANY.c.name.label("company"),
        OFFER.c.sector,
        OFFER.c.title,
        OFFER.c.site,
        OFFER.c.municipality,
        SESSION.c.days,
    )
    .select_from(
        PARTICIPATION.join(EDITION, EDITION.c.id == PARTICIPATION.c.edition_id)
        .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
        .outerjoin(_SCHOOL, _SCHOOL.c.id == PARTICIPATION.c.school_id)
        .outerjoin(
            PLACEMENT,
            and_(PLACEMENT.c.participation_id == PARTICIPATION.c.id, PLACEMENT.c.status == "confirmed"),
        )
        .outerjoin(SEAT, SEAT.c.id == PLACEMENT.c.seat_id)
        .outerjoin(SESSION, SESSION.c.id == SEAT.c.session_id)
        .outerjoin(OFFER, OFFER.c.id == SESSION.c.offer_id)
        .outerjoin(_COMPANY, _COMPANY.c.id == OFFER.c.company_id)
    )
    .where(PARTICIPATION.c.id.in_(_IDS))
)
_ORGANISATIONS = select(ORGANISATION.c.id, ORGANISATION.c.code, ORGANISATION.c.name).where(ORGANISATION.c.id.in_(_IDS))
_CONTACTS = (
    select(CONTACT.c.organisation_id, CONTACT.c.address, PARTY.c.first_name, PARTY.c.last_name)
    .outerjoin(PARTY, PARTY.c.id == CONTACT.c.party_id)
    .where(CONTACT.c.organisation_id.in_(_IDS), CONTACT.c.role == Role.COMPANY.value, CONTACT.c.status == "ok")
    .order_by(CONTACT.c.organisation_id, CONTACT.c.rank, CONTACT.c.id)
)
_PRESENCE = (
    select(FACT.c.participation_id, FACT.c.happened_on, FACT.c.half_day, FACT.c.value)
    .where(FACT.c.participation_id.in_(_IDS), FACT.c.kind == FactKind.PRESENCE.value)
    .order_by(FACT.c.id)
)
# what moved something: facts and dates stand in the packet themselves
_JOURNAL = (
    select(
        JOURNAL.c.chain_id,
        JOURNAL.c.seq,
        JOURNAL.c.at,
        JOURNAL.c.subject,
        JOURNAL.c.trigger,
        JOURNAL.c.from_state,
        JOURNAL.c.to_state,
        JOURNAL.c.role,
    )
    .where(
        JOURNAL.c.chain == "participation",
        JOURNAL.c.chain_id.in_(_IDS),
        JOURNAL.c.from_state != JOURNAL.c.to_state,
    )
    .order_by(JOURNAL.c.chain_id, JOURNAL.c.seq)
)
