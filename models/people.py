"""Organisations, people and how to reach them. Personal data stands in `party` and `contact` only."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import one_of
from states.names import Network, OrganisationKind, Role


class Organisation(SQLModel, table=True):
    """A school, a company, an institute, IFC or the committee. `code` is a school's FASE number, else a short name."""

    __tablename__ = "organisation"
    __table_args__ = (UniqueConstraint("kind", "code"), one_of("kind", OrganisationKind), one_of("network", Network))

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    code: str
    name: str
    network: str | None = None
    basin: str = ""


class Party(SQLModel, table=True):
    """A person, ours across editions. The e-mail finds them and is an attribute; it is empty once they are erased."""

    __tablename__ = "party"

    id: int | None = Field(default=None, primary_key=True)
    email: str | None = Field(default=None, unique=True)
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    language: str = "fr"
    erased_at: datetime | None = None


class Contact(SQLModel, table=True):
    """A role that a person, or a functional mailbox (no party), holds for an organisation. Rank 1 is asked first.

    A teacher's own address has no organisation. `valid_to` is the last local day, included.
    """

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("organisation_id", "role", "address"),
        one_of("role", Role),
        one_of("status", ("ok", "on_hold", "gone")),
        CheckConstraint("party_id IS NOT NULL OR organisation_id IS NOT NULL", name="somebody"),
        Index("ix_contact_address_role", "address", "role"),
        Index("ix_contact_party_id_role", "party_id", "role"),
    )

    id: int | None = Field(default=None, primary_key=True)
    party_id: int | None = Field(default=None, foreign_key="party.id")
    organisation_id: int | None = Field(default=None, foreign_key="organisation.id")
    role: str
    rank: int = 1
    language: str = "fr"
    address: str
    status: str = "ok"
    valid_from: date | None = None
    valid_to: date | None = None
