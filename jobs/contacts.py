"""Who is written to: the contact of a party or an organisation that a message asks for, else who stands in for it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row

from actions.reaching import Listed, Reached, contacts_of, contacts_of_people, reach
from states.names import Level, Role, StandIn


@dataclass(frozen=True, slots=True)
class Chosen:
    """The contact chosen for a message: its row, the name to greet, and whether it stands in for somebody ("": no)."""

    contact_id: int
    address: str
    name: str
    language: str
    role: Role
    stands_in: str = ""
    phone: str = ""


class Contacts:
    """The contacts that a batch of messages may choose, each list looked up once; `today` is a local day."""

    def __init__(self, connection: Connection, today: date, ifc_id: int | None) -> None:
        """Nothing is read before somebody is looked for."""
        self.connection, self.today, self.ifc_id = connection, today, ifc_id
        self.known: dict[tuple[Role, int | None, int | None], Listed] = {}

    def know(self, people: Collection[tuple[Role, int]]) -> None:
        """Look up the lists of many people together."""
        for role in {role for role, _ in people}:
            theirs = {party_id for each, party_id in people if each is role}
            listed = contacts_of_people(self.connection, role, theirs)
            self.known |= {(role, party_id, None): contacts for party_id, contacts in listed.items()}

    def choose(
        self, role: Role, party_id: int | None, organisation_id: int | None, level: Level = Level.FIRST
    ) -> Chosen | None:
        """Return the contact that this level reaches (`actions.reaching`); IFC's desk sees who cannot be reached.

        None when IFC itself has nobody.
        """
        reached = self._reach(role, party_id, organisation_id, Level.FIRST if party_id else level)
        if reached.contact is not None:
            return _chosen(reached.contact, role, reached.stands_in or "")
        if organisation_id == self.ifc_id:  # it is the receiver itself, whatever the role: nobody's stand-in
            return self._ifc(role, level)
        desk = self.first(Role.COORDINATOR, None, self.ifc_id)
        return replace(desk, stands_in=StandIn.DESK) if desk else None

    def first(self, role: Role, party_id: int | None, organisation_id: int | None) -> Chosen | None:
        """Return the first contact by rank that may be written to today, if there is one."""
        reached = self._reach(role, party_id, organisation_id, Level.FIRST)
        return _chosen(reached.contact, role, reached.stands_in or "") if reached.contact is not None else None

    def _ifc(self, role: Role, level: Level) -> Chosen | None:
        """Return IFC's coordinator of this level, else its first, in the role that was asked."""
        for each in (level, Level.FIRST):
            reached = self._reach(Role.COORDINATOR, None, self.ifc_id, each)
            if reached.contact is not None:
                return _chosen(reached.contact, role, reached.stands_in or "")
        return None

    def _reach(self, role: Role, party_id: int | None, organisation_id: int | None, level: Level) -> Reached:
        key = (role, party_id, organisation_id)
        if key not in self.known:
            self.known[key] = contacts_of(self.connection, *key)
        return reach(self.known[key], level, self.today)


def _chosen(contact: Row[Any], role: Role, stands_in: str) -> Chosen:
    name = f"{contact.first_name or ''} {contact.last_name or ''}".strip() or contact.address
    return Chosen(contact.id, contact.address, name, contact.language, role, stands_in, contact.phone or "")
