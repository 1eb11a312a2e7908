"""Who is written to: the first valid contact by rank of a party or an organisation, else IFC's desk in its stead."""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection, select

from actions.people import CONTACT, PARTY
from states.names import Role


@dataclass(frozen=True, slots=True)
class Chosen:
    """The contact chosen for a message: its row, and the name to greet."""

    contact_id: int
    address: str
    name: str
    language: str
    role: Role


class Contacts:
    """The contacts that a batch of messages may choose, each looked up once; `today` is a local day."""

    def __init__(self, connection: Connection, today: date, ifc_id: int | None) -> None:
        """Nothing is read before somebody is looked for."""
        self.connection, self.today, self.ifc_id = connection, today, ifc_id
        self.known: dict[tuple[Role, int | None, int | None], Chosen | None] = {}

    def choose(self, role: Role, party_id: int | None, organisation_id: int | None) -> Chosen | None:
        """Return the first valid contact by rank; else IFC's desk, which then sees that somebody cannot be reached."""
        key = (role, party_id, organisation_id)
        if key not in self.known:
            self.known[key] = self.first(role, party_id, organisation_id) or self._desk(role, organisation_id)
        return self.known[key]

    def _desk(self, role: Role, organisation_id: int | None) -> Chosen | None:
        """Return IFC's coordinator: in the role asked where IFC itself is the receiver, else as a stand-in."""
        found = self.first(Role.COORDINATOR, None, self.ifc_id)
        return replace(found, role=role) if found and organisation_id == self.ifc_id else found

    def first(self, role: Role, party_id: int | None, organisation_id: int | None) -> Chosen | None:
        """Return the first contact by rank that may be written to today, if there is one."""
        place = CONTACT.c.party_id == party_id if party_id else CONTACT.c.organisation_id == organisation_id
        query = (
            select(CONTACT, PARTY.c.first_name, PARTY.c.last_name)
            .outerjoin(PARTY, PARTY.c.id == CONTACT.c.party_id)
            .where(place, CONTACT.c.role == role.value, CONTACT.c.status == "ok", CONTACT.c.address != "")
            .where((CONTACT.c.valid_from.is_(None)) | (CONTACT.c.valid_from <= self.today))
            .where((CONTACT.c.valid_to.is_(None)) | (CONTACT.c.valid_to >= self.today))
            .order_by(CONTACT.c.rank, CONTACT.c.id)
            .limit(1)
        )
        row = self.connection.execute(query).first()
        if row is None:
            return None
        name = f"{row.first_name or ''} {row.last_name or ''}".strip() or row.address
        return Chosen(row.id, row.address, name, row.language, role)
