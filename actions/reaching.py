"""Whom a message reaches: which contact of an organisation is written to, and who stands in for whom.

The contacts of an organisation are listed from who handles daily matters to who answers for it (their rank). A message
asks for one of three (`Level`):

- first: the first that can be reached. Who comes after somebody who cannot be reached, is their stand-in (`StandIn`):
  a person (deputy) or a functional mailbox; where nobody can be reached, IFC's coordinator (desk).
- stand_in: the next one after the first; where there is none, the responsible. A rung of the ladder, no replacement.
- responsible: the last person of the list. Where that is the first one again, the functional mailbox; else IFC's desk.

A person is written to at their own address; where that fails, IFC's desk hears it, whatever the level. A teacher's
organisation is their school: a step that climbs from a teacher asks for its director (`states.audiences`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from actions.people import CONTACT, PARTY
from states.names import Level, Role, StandIn

OK, ON_HOLD, GONE = "ok", "on_hold", "gone"
Listed = Sequence[Row[Any]]

# Erased people are nobody that somebody could stand in for.
LISTED: Select[Any] = (
    select(CONTACT, PARTY.c.first_name, PARTY.c.last_name, PARTY.c.phone)
    .outerjoin(PARTY, PARTY.c.id == CONTACT.c.party_id)
    .where(PARTY.c.erased_at.is_(None), CONTACT.c.address != "")
    .order_by(CONTACT.c.rank, CONTACT.c.id)
)
# Put together once: for one person that costs more than asking.
_IN_ROLE = LISTED.where(CONTACT.c.role == bindparam("role"))
_OF_PARTY = _IN_ROLE.where(CONTACT.c.party_id == bindparam("place"))
_OF_PEOPLE = _IN_ROLE.where(CONTACT.c.party_id.in_(bindparam("parties", expanding=True)))
_OF_ORGANISATION = _IN_ROLE.where(CONTACT.c.organisation_id == bindparam("place"))


@dataclass(frozen=True, slots=True)
class Reached:
    """The contact that is written to, None for IFC's desk; for whom of a better rank, who cannot be reached now."""

    contact: Row[Any] | None
    stands_in: StandIn | None = None
    instead_of: tuple[Row[Any], ...] = ()


def contacts_of(connection: Connection, role: Role, party_id: int | None, organisation_id: int | None) -> Listed:
    """Return those who hold a role for an organisation, or a person's own addresses, by rank; reachable or not."""
    query, place = (_OF_PARTY, party_id) if party_id else (_OF_ORGANISATION, organisation_id)
    return connection.execute(query, {"place": place, "role": role.value}).all()


def contacts_of_people(connection: Connection, role: Role, parties: Collection[int]) -> dict[int, Listed]:
    """Return the own addresses of many people, as `contacts_of` does for one."""
    found: dict[int, list[Row[Any]]] = {party_id: [] for party_id in parties}
    for row in connection.execute(_OF_PEOPLE, {"parties": list(parties), "role": role.value}):
        found[row.party_id].append(row)
    return dict(found)


def can_be_reached(contact: Row[Any], today: date | None) -> bool:
    """Tell whether a contact may be written to on a local day; None: on some day."""
    if contact.status != OK or today is None:
        return bool(contact.status == OK)
    return (contact.valid_from or today) <= today <= (contact.valid_to or today)


def reach(contacts: Listed, level: Level, today: date | None) -> Reached:
    """Return which of an organisation's contacts, in their order, a message of this level reaches."""
    valid = [each for each in contacts if can_be_reached(each, today)]
    if not valid:
        return Reached(None, StandIn.DESK, tuple(contacts))
    if level is Level.FIRST:
        return _first(contacts, valid[0])
    if level is Level.STAND_IN and len(valid) > 1:
        return Reached(valid[1])
    return _responsible(valid)


def _first(contacts: Listed, first: Row[Any]) -> Reached:
    # Of the same rank: their successor, as an edition file names one.
    before = tuple(each for each in contacts if each.rank < first.rank)
    if not before:
        return Reached(first)
    return Reached(first, StandIn.MAILBOX if first.party_id is None else StandIn.DEPUTY, before)


def _responsible(valid: Listed) -> Reached:
    people = [each for each in valid if each.party_id is not None]
    mailboxes = [each for each in valid if each.party_id is None]
    others = [each for each in (*people[-1:], *mailboxes) if each.id != valid[0].id]
    return Reached(others[0]) if others else Reached(None, StandIn.DESK)
