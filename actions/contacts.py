"""Who answers for each organisation, and what IFC knows of them: who is added, gone, at an address that bounces, back.

A change is not about one participation: it stands in the edition's own chain, by identifiers only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from actions.editions import Current, EditionEntry, append, current
from actions.editions import hold as hold_chain
from actions.occasion import Actor, Occasion
from actions.owed import name_of
from actions.people import CONTACT, ORGANISATION, PARTY, Person, keep_party, new_contact, only_ifc, split_name
from actions.reaching import GONE, LISTED, OK, ON_HOLD, can_be_reached
from core.addresses import is_address
from core.clock import BRUSSELS
from core.errors import NotFound, Refused, UsageError
from models import Offer, Participation, table_of
from notifications.plain import one_line
from states.edition import EditionFile
from states.names import OrganisationKind, Role

PARTICIPATION, OFFER = table_of(Participation), table_of(Offer)
Document = dict[str, Any]

ANSWERS: Mapping[OrganisationKind, Role] = MappingProxyType(
    {
        OrganisationKind.SCHOOL: Role.DIRECTOR,
        OrganisationKind.COMPANY: Role.COMPANY,
        OrganisationKind.INSTITUTE: Role.INSTITUTE,
        OrganisationKind.IFC: Role.COORDINATOR,
        OrganisationKind.COMMITTEE: Role.COMMITTEE,
    }
)
"""The one role in which somebody answers for an organisation of each kind."""

LANGUAGES = ("fr", "en")
_LONGEST = 200
_HIGHEST_RANK = 1000


# ------------------------------------------------------------------------------------------------------------- reading
def contacts(
    connection: Connection, at: datetime, code: str | None = None, role: Role | None = None, edition: str | None = None
) -> Document:
    """Return who answers for what: for an organisation, else for all that an edition concerns, by rank.

    People who take part are their own contacts: they are listed by their role only.
    Raises NotFound (`no_organisation`, `unknown_edition`, `no_edition`), Refused (`two_organisations`).
    """
    asked = current(connection, edition)
    if code is not None:
        concerned = CONTACT.c.organisation_id == find_organisation(connection, code).id
    elif role is Role.TEACHER:
        mine = select(PARTICIPATION.c.party_id).where(PARTICIPATION.c.edition_id == asked.id)
        concerned = and_(CONTACT.c.organisation_id.is_(None), CONTACT.c.party_id.in_(mine))
    else:
        concerned = CONTACT.c.organisation_id.in_(_concerned(asked))
    query = _WITH_ORGANISATION.where(concerned)
    if role is not None:
        query = query.where(CONTACT.c.role == role.value)
    today = _today(at)
    order = {str(kind): number for number, kind in enumerate(_IN_ORDER)}
    rows = sorted(
        connection.execute(query), key=lambda row: (order.get(row.kind, len(order)), row.code or "", row.rank, row.id)
    )
    return {"edition": asked.code, "contacts": [_document(row, today) for row in rows]}


_IN_ORDER = (
    OrganisationKind.IFC,
    OrganisationKind.INSTITUTE,
    OrganisationKind.SCHOOL,
    OrganisationKind.COMPANY,
    OrganisationKind.COMMITTEE,
)
_WITH_ORGANISATION = LISTED.outerjoin(ORGANISATION, ORGANISATION.c.id == CONTACT.c.organisation_id).add_columns(
    ORGANISATION.c.kind, ORGANISATION.c.code, ORGANISATION.c.name
)


def _concerned(edition: Current) -> Any:  # noqa: ANN401 - a subquery
    """Return the ids of the organisations that an edition concerns: IFC, the committee, its institutes, those in it."""
    file = EditionFile.model_validate_json(edition.content)
    institutes = [part.code for part in file.institutes]
    schools = select(PARTICIPATION.c.school_id).where(PARTICIPATION.c.edition_id == edition.id)
    companies = select(OFFER.c.company_id).where(OFFER.c.edition_id == edition.id)
    return select(ORGANISATION.c.id).where(
        or_(
            ORGANISATION.c.kind.in_((OrganisationKind.IFC.value, OrganisationKind.COMMITTEE.value)),
            and_(ORGANISATION.c.kind == OrganisationKind.INSTITUTE.value, ORGANISATION.c.code.in_(institutes)),
            ORGANISATION.c.id.in_(schools.where(PARTICIPATION.c.school_id.is_not(None))),
            ORGANISATION.c.id.in_(companies),
        )
    )


def _document(row: Row[Any], today: date) -> Document:
    return {
        "organisation": None if row.code is None else {"kind": row.kind, "code": row.code, "name": row.name},
        "role": row.role,
        "rank": row.rank,
        "name": name_of(row),
        "address": row.address,
        "phone": row.phone or None,
        "language": row.language,
        "status": row.status,
        "valid_from": None if row.valid_from is None else row.valid_from.isoformat(),
        "valid_to": None if row.valid_to is None else row.valid_to.isoformat(),
        "reachable": can_be_reached(row, today),
    }


def find_organisation(connection: Connection, text: str) -> Row[Any]:
    """Return an organisation (`id`, `kind`, `code`, `name`) by its CODE, or KIND:CODE where kinds share a code.

    Raises NotFound (`no_organisation`), Refused (`two_organisations`, with what would tell them apart).
    """
    kind, colon, code = text.strip().partition(":")
    if not colon:
        kind, code = "", kind
    query = select(ORGANISATION.c.id, ORGANISATION.c.kind, ORGANISATION.c.code, ORGANISATION.c.name)
    known = func.lower(ORGANISATION.c.code) == code.strip().lower()
    found = [
        row
        for row in connection.execute(query.where(known).order_by(ORGANISATION.c.id))
        if kind.strip().lower() in {"", row.kind}
    ]
    if not found:
        raise NotFound("no_organisation", value=text.strip())
    if len(found) > 1:
        raise Refused("two_organisations", value=text.strip(), allowed=[f"{row.kind}:{row.code}" for row in found])
    return found[0]


# -------------------------------------------------------------------------------------------------------------- adding
@dataclass(frozen=True, slots=True)
class NewContact:
    """Somebody who answers for an organisation; without a name, a functional mailbox. `until` is the last local day."""

    role: Role
    email: str
    name: str = ""
    phone: str = ""
    rank: int | None = None
    starts: date | None = None
    until: date | None = None
    language: str = "fr"


def add(
    connection: Connection, code: str, new: NewContact, actor: Actor, occasion: Occasion, reason: str = ""
) -> Document:
    """Add somebody who answers for an organisation, after those there, or at a rank: those from there on move down one.

    Raises UsageError (`bad_address`, `bad_rank`, `contact_days`, `bad_name`, `phone_without_name`, `bad_language`),
    NotFound (`no_organisation`, `no_edition`), Refused (`wrong_role`, `two_organisations`, `other_role`,
    `contact_known`, `email_other_name`).
    """
    only_ifc(connection, actor, "contact_add")
    _check(new)
    edition, organisation = _held(connection), find_organisation(connection, code)
    fitting = ANSWERS[OrganisationKind(organisation.kind)]
    if new.role is not fitting:
        raise Refused("other_role", value=organisation.name, role=new.role, fitting=fitting)
    address = new.email.strip().lower()
    here = (CONTACT.c.organisation_id == organisation.id, CONTACT.c.role == new.role.value)
    if connection.execute(select(CONTACT.c.id).where(*here, CONTACT.c.address == address)).first() is not None:
        raise Refused("contact_known", value=address, organisation=organisation.name)
    if new.rank is not None:
        connection.execute(update(CONTACT).where(*here, CONTACT.c.rank >= new.rank).values(rank=CONTACT.c.rank + 1))
    person = Person(address, *split_name(one_line(new.name)), new.phone.strip(), new.language)
    party_id = keep_party(connection, person) if new.name.strip() else None
    if party_id is not None and person.phone:
        connection.execute(update(PARTY).where(PARTY.c.id == party_id).values(phone=person.phone))
    place = (address, new.language, new.role, organisation.id)
    contact_id = new_contact(connection, *place, party_id=party_id, rank=new.rank)
    days = {"valid_from": new.starts, "valid_to": new.until}
    connection.execute(update(CONTACT).where(CONTACT.c.id == contact_id).values(days))
    found = _one(connection, contact_id)
    data = {"contact": contact_id, "organisation": organisation.id, "rank": found.rank}
    _journal(connection, edition, ("contact_add", "-", OK, data, reason), actor, occasion)
    return _document(found, _today(occasion.at))


def _check(new: NewContact) -> None:
    if not is_address(new.email.strip()):
        raise UsageError("bad_address", value=new.email)
    if new.rank is not None and not 1 <= new.rank <= _HIGHEST_RANK:
        raise UsageError("bad_rank", value=new.rank, most=_HIGHEST_RANK)
    if new.starts and new.until and new.starts > new.until:
        raise UsageError("contact_days", first=new.starts, last=new.until)
    if any(len(text) > _LONGEST or text != one_line(text) for text in (new.name.strip(), new.phone.strip())):
        raise UsageError("bad_name", limit=_LONGEST)
    if new.phone.strip() and not new.name.strip():
        raise UsageError("phone_without_name")
    if new.language not in LANGUAGES:
        raise UsageError("bad_language", value=new.language, allowed=LANGUAGES)


# ------------------------------------------------------------------------------------------------------------- marking
@dataclass(frozen=True, slots=True)
class Whose:
    """Which contact is meant: an address, and where it stands in several places, an organisation or a role."""

    address: str
    organisation: str | None = None
    role: Role | None = None


def gone(
    connection: Connection, whose: Whose, since: date | None, actor: Actor, occasion: Occasion, reason: str = ""
) -> Document:
    """Mark somebody as gone since a local day, today without one; from a day to come, they answer until then.

    Raises NotFound (`unknown_contact`, `no_organisation`, `no_edition`), Refused (`wrong_role`, `several_contacts`,
    `two_organisations`, `gone_already`, `last_coordinator`).
    """
    only_ifc(connection, actor, "contact_gone")
    contact, today = _meant(connection, whose), _today(occasion.at)
    day = since or today
    last = day - timedelta(days=1)
    if contact.status == GONE or (contact.status == OK and contact.valid_to == last):
        raise Refused("gone_already", value=contact.address, since=_since(contact))
    _keep_one_coordinator(connection, contact, max(day, today))
    status = GONE if day <= today else contact.status
    values = {"status": status, "valid_to": last}
    return _marked(connection, contact, values, ("contact_gone", {"since": day.isoformat()}, reason), actor, occasion)


def hold(connection: Connection, whose: Whose, actor: Actor, occasion: Occasion, reason: str = "") -> Document:
    """Mark an address as known to bounce: nothing is sent there; whoever has it may still act.

    Raises NotFound (`unknown_contact`, `no_organisation`, `no_edition`), Refused (`wrong_role`, `several_contacts`,
    `held_already`, `gone_already`, `last_coordinator`).
    """
    only_ifc(connection, actor, "contact_hold")
    contact = _meant(connection, whose)
    if contact.status == ON_HOLD:
        raise Refused("held_already", value=contact.address)
    if contact.status == GONE:
        raise Refused("gone_already", value=contact.address, since=_since(contact))
    _keep_one_coordinator(connection, contact, _today(occasion.at))
    return _marked(connection, contact, {"status": ON_HOLD}, ("contact_hold", {}, reason), actor, occasion)


def back(connection: Connection, whose: Whose, actor: Actor, occasion: Occasion, reason: str = "") -> Document:
    """Write to somebody again from today on: they are back, or their address works again.

    Raises NotFound (`unknown_contact`, `no_organisation`, `no_edition`), Refused (`wrong_role`, `several_contacts`,
    `reachable_already`, `not_yet_valid`).
    """
    only_ifc(connection, actor, "contact_back")
    contact, today = _meant(connection, whose), _today(occasion.at)
    if contact.status == OK and contact.valid_from is not None and contact.valid_from > today:
        raise Refused("not_yet_valid", value=contact.address, first=contact.valid_from)
    if can_be_reached(contact, today):
        raise Refused("reachable_already", value=contact.address)
    over = contact.status == GONE or (contact.valid_to or today) < today
    values = {"status": OK, "valid_to": None if over else contact.valid_to}
    return _marked(connection, contact, values, ("contact_back", {}, reason), actor, occasion)


def _meant(connection: Connection, whose: Whose) -> Row[Any]:
    """Return the contact that is meant, which no other coordinator changes until the end of the transaction."""
    _held(connection)
    address = whose.address.strip().lower()
    query = _WITH_ORGANISATION.where(CONTACT.c.address == address)
    if whose.organisation is not None:
        query = query.where(CONTACT.c.organisation_id == find_organisation(connection, whose.organisation).id)
    if whose.role is not None:
        query = query.where(CONTACT.c.role == whose.role.value)
    found = connection.execute(query).all()
    if not found:
        raise NotFound("unknown_contact", value=address, organisation=whose.organisation)
    if len(found) > 1:
        places = sorted({f"{row.kind}:{row.code}" for row in found if row.code})
        raise Refused("several_contacts", value=address, places=places, roles=sorted({row.role for row in found}))
    return found[0]


def _held(connection: Connection) -> Current:
    """Return the edition loaded last, once others who change contacts are done: two must not both leave IFC empty."""
    edition = current(connection)
    hold_chain(connection, edition.id)
    return edition


def _since(contact: Row[Any]) -> date | None:
    return None if contact.valid_to is None else contact.valid_to + timedelta(days=1)


def _keep_one_coordinator(connection: Connection, leaving: Row[Any], day: date) -> None:
    """Refuse to leave IFC without anybody to write to on a local day: what nobody else receives falls there."""
    if leaving.kind != OrganisationKind.IFC or leaving.role != Role.COORDINATOR:
        return
    ours = (CONTACT.c.organisation_id == leaving.organisation_id, CONTACT.c.role == leaving.role)
    rows = connection.execute(select(CONTACT).where(*ours)).all()
    staying = (row for row in rows if row.id != leaving.id and row.valid_to is None)  # who leaves later does not stay
    if not any(can_be_reached(row, day) for row in staying):
        raise Refused("last_coordinator", value=leaving.address)


def _marked(
    connection: Connection,
    contact: Row[Any],
    values: Mapping[str, Any],
    why: tuple[str, Mapping[str, object], str],
    actor: Actor,
    occasion: Occasion,
) -> Document:
    trigger, told, reason = why
    connection.execute(update(CONTACT).where(CONTACT.c.id == contact.id).values(values))
    data = {"contact": contact.id, "organisation": contact.organisation_id, **told}
    entry = (trigger, contact.status, values["status"], data, reason)
    _journal(connection, current(connection), entry, actor, occasion)
    return _document(_one(connection, contact.id), _today(occasion.at))


_Entry = tuple[str, str, str, Mapping[str, object], str]


def _journal(connection: Connection, edition: Current, entry: _Entry, actor: Actor, occasion: Occasion) -> None:
    trigger, before, after, data, reason = entry
    told = EditionEntry(edition.revision_id, trigger, before, after, data, reason.strip())
    append(connection, edition.id, told, actor, occasion)


def _one(connection: Connection, contact_id: int) -> Row[Any]:
    return connection.execute(_WITH_ORGANISATION.where(CONTACT.c.id == contact_id)).one()


def _today(at: datetime) -> date:
    return at.astimezone(BRUSSELS).date()
