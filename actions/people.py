"""Finding and keeping people, organisations and contacts: who somebody is, and in which role they may act."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, or_, select, update

from actions.occasion import Actor
from core.errors import NotFound, Refused
from core.plain import plain
from models import Contact, Organisation, Party, table_of
from states.names import OrganisationKind, Role

_LONGEST_CODE = 48

PARTY, CONTACT, ORGANISATION = table_of(Party), table_of(Contact), table_of(Organisation)


def slug(name: str) -> str:
    """Return a short code for a name, its own: letters and digits of its plain form, in capitals.

    Where that would lose something (a long name, another alphabet) a few digits of the whole name's hash follow.
    """
    short = re.sub(r"[^A-Z0-9]+", "-", plain(name).upper()).strip("-")
    if short and len(short) <= _LONGEST_CODE and not _other_letters(name):
        return short
    digits = hashlib.sha256(_folded(name).encode()).hexdigest()[:8].upper()
    return f"{short[:_LONGEST_CODE]}-{digits}".strip("-")


def plain_name(name: str) -> str:
    """Return a name without accents, case and punctuation, for comparing only."""
    if _other_letters(name):
        return _folded(name)
    return re.sub(r"[^A-Z0-9]+", "", plain(name).upper())


def _other_letters(name: str) -> bool:
    """Tell whether a name has characters that its plain form would drop: letters of another alphabet, symbols."""
    return any(not plain(character) for character in name if not unicodedata.combining(character))


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def actor(connection: Connection, role: Role, email: str, via: str) -> Actor:
    """Return who acts: the person with this address, in a role that they hold somewhere.

    Raises NotFound (`unknown_actor`). Whether the role holds towards one participation is for `decide` to say.
    """
    address = email.strip().lower()
    party_id = connection.execute(select(PARTY.c.id).where(PARTY.c.email == address)).scalar()
    query = select(CONTACT.c.party_id, CONTACT.c.organisation_id).where(
        CONTACT.c.role == role.value,
        CONTACT.c.status != "gone",
        or_(CONTACT.c.address == address, CONTACT.c.party_id == party_id),
        CONTACT.c.party_id.is_not(None),
    )
    held = connection.execute(query).all()
    if not held:
        raise NotFound("unknown_actor", role=role, email=email)
    organisations = frozenset(row.organisation_id for row in held if row.organisation_id is not None)
    return Actor(role, held[0].party_id, organisations, via)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as a file names them."""

    email: str
    first_name: str
    last_name: str
    phone: str = ""
    language: str = "fr"


def split_name(full: str) -> tuple[str, str]:
    """Split a full name at its first space: first name, last name."""
    first, _, last = full.strip().partition(" ")
    return (first, last) if last else ("", first)


def keep_party(connection: Connection, person: Person) -> int:
    """Return the id of the person with this e-mail, made if new; what is known is not overwritten.

    Raises Refused (`email_other_name`) when the e-mail belongs to somebody of another name: school mailboxes are
    shared, and two people must never become one.
    """
    known = connection.execute(
        select(PARTY.c.id, PARTY.c.first_name, PARTY.c.last_name).where(PARTY.c.email == person.email)
    ).first()
    if known is None:
        values = {
            "email": person.email,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "phone": person.phone,
            "language": person.language,
        }
        return int(connection.execute(insert(PARTY).values(values).returning(PARTY.c.id)).scalar_one())
    if _names(known.first_name, known.last_name) != _names(person.first_name, person.last_name):
        raise Refused("email_other_name", value=person.email)
    return int(known.id)


def _names(first: str, last: str) -> tuple[str, str]:
    return plain_name(first), plain_name(last)


def keep_organisation(
    connection: Connection, kind: OrganisationKind, code: str, name: str, *, network: str | None = None, basin: str = ""
) -> int:
    """Return the id of an organisation, made if new.

    Raises Refused (`school_conflict`) when the code is known under another name or network.
    """
    known = connection.execute(
        select(ORGANISATION.c.id, ORGANISATION.c.name, ORGANISATION.c.network).where(
            ORGANISATION.c.kind == kind.value, ORGANISATION.c.code == code
        )
    ).first()
    if known is None:
        values = {"kind": kind.value, "code": code, "name": name, "network": network, "basin": basin}
        return int(connection.execute(insert(ORGANISATION).values(values).returning(ORGANISATION.c.id)).scalar_one())
    if kind is OrganisationKind.SCHOOL and (plain_name(known.name) != plain_name(name) or known.network != network):
        raise Refused("school_conflict", value=name, other=f"{known.name} ({known.network})")
    return int(known.id)


def keep_contact(
    connection: Connection,
    person: Person,
    role: Role,
    organisation_id: int | None,
    *,
    party_id: int | None = None,
    rank: int | None = None,
) -> int:
    """Return the contact that this person is for an organisation, made if new, after those already there.

    Whoever is gone has no place before their successor. One who is known stays as marked: a file that says again what
    it said does not know that an address bounces.
    """
    party_id = keep_party(connection, person) if party_id is None else party_id
    same_place = (
        CONTACT.c.organisation_id.is_(None) if organisation_id is None else CONTACT.c.organisation_id == organisation_id
    )
    place = (CONTACT.c.role == role.value, same_place)
    known = connection.execute(
        select(CONTACT.c.id, CONTACT.c.rank).where(*place, CONTACT.c.address == person.email)
    ).first()
    if known is not None:
        if rank is not None and known.rank != rank:
            connection.execute(update(CONTACT).where(CONTACT.c.id == known.id).values(rank=rank))
        return int(known.id)
    return new_contact(connection, person.email, person.language, role, organisation_id, party_id=party_id, rank=rank)


def new_contact(
    connection: Connection,
    address: str,
    language: str,
    role: Role,
    organisation_id: int | None,
    *,
    party_id: int | None,
    rank: int | None = None,
) -> int:
    """Return the id of a new contact, after those already there unless a rank is given; without a party, a mailbox."""
    here = (CONTACT.c.organisation_id == organisation_id, CONTACT.c.role == role.value, CONTACT.c.status != "gone")
    last = connection.execute(select(func.max(CONTACT.c.rank)).where(*here)).scalar() if organisation_id else 0
    values = {
        "party_id": party_id,
        "organisation_id": organisation_id,
        "role": role.value,
        "rank": rank or (last or 0) + 1,
        "language": language,
        "address": address,
    }
    return int(connection.execute(insert(CONTACT).values(values).returning(CONTACT.c.id)).scalar_one())


def organisation_id(connection: Connection, kind: OrganisationKind, code: str) -> int:
    """Return the id of an organisation by its code. Raises NotFound (`unknown_organisation`), with the known codes."""
    rows = connection.execute(
        select(ORGANISATION.c.code, ORGANISATION.c.id).where(ORGANISATION.c.kind == kind.value)
    ).all()
    known = {row.code.casefold(): row.id for row in rows}
    if code.strip().casefold() not in known:
        raise NotFound("unknown_organisation", value=code, allowed=sorted(row.code for row in rows))
    return int(known[code.strip().casefold()])


def receiver_id(connection: Connection, code: str, *also: str) -> int:
    """Return the id of an institute, or of IFC, by its code.

    Raises NotFound (`unknown_organisation`) with the known codes, and those that the caller understands besides.
    """
    kinds = (OrganisationKind.INSTITUTE.value, OrganisationKind.IFC.value)
    rows = connection.execute(
        select(ORGANISATION.c.id, ORGANISATION.c.code).where(ORGANISATION.c.kind.in_(kinds))
    ).all()
    known: dict[str, int] = {row.code.casefold(): row.id for row in rows}
    found = known.get(code.strip().casefold())
    if found is None:
        raise NotFound("unknown_organisation", value=code, allowed=[*sorted(row.code for row in rows), *also])
    return found


def only_ifc(connection: Connection, actor: Actor, trigger: str) -> None:
    """Refuse what is about a whole edition to all but IFC's coordinators. Raises Refused (`wrong_role`)."""
    ifc = select(ORGANISATION.c.id).where(ORGANISATION.c.kind == OrganisationKind.IFC.value)
    if actor.role is not Role.COORDINATOR or connection.execute(ifc).scalar() not in actor.organisations:
        raise Refused("wrong_role", role=actor.role, roles=(Role.COORDINATOR,), trigger=trigger)
