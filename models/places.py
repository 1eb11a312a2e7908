"""Offers of companies, their dates and seats, and who holds which. Over-booking is impossible: a seat is a row."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import among, index_where, one_of
from states.guards import SEAT_HELD
from states.names import PlacementStatus


class Offer(SQLModel, table=True):
    """What a company offers in one edition; `reference` is the one that wishes name.

    `look_at` is set when a seat becomes free: the progress job then looks at who waits.
    """

    __tablename__ = "offer"
    __table_args__ = (
        UniqueConstraint("edition_id", "reference"),
        one_of("status", ("open", "cancelled")),
        index_where("ix_offer_look_at", "look_at", where="look_at IS NOT NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = Field(foreign_key="edition.id")
    company_id: int = Field(foreign_key="organisation.id", index=True)
    reference: str
    status: str = "open"
    sector: str
    title: str
    site: str = ""
    municipality: str = ""
    basin: str = ""
    collective: bool = False
    options: str = ""
    look_at: datetime | None = None


class OfferSession(SQLModel, table=True):
    """One run of an offer: local days as ISO dates joined by commas, perhaps not consecutive, perhaps none yet."""

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("offer_id", "number"),
        CheckConstraint("(first_day IS NULL) = (last_day IS NULL) AND (first_day IS NULL) = (days = '')", name="dated"),
        CheckConstraint("first_day IS NULL OR first_day <= last_day", name="in_order"),
    )

    id: int | None = Field(default=None, primary_key=True)
    offer_id: int = Field(foreign_key="offer.id")
    number: int = 1
    days: str = ""
    first_day: date | None = None
    last_day: date | None = None


class Seat(SQLModel, table=True):
    """One place of a session. A cancelled one stays, withdrawn, so that figures can tell."""

    __tablename__ = "seat"
    __table_args__ = (UniqueConstraint("session_id", "number"), one_of("status", ("open", "withdrawn")))

    id: int | None = Field(default=None, primary_key=True)
    session_id: int = Field(foreign_key="session.id")
    number: int
    status: str = "open"


class Placement(SQLModel, table=True):
    """One seat tried for one person; `attempt` counts them. One confirmed per person, one holder per seat."""

    __tablename__ = "placement"
    __table_args__ = (
        UniqueConstraint("participation_id", "attempt"),
        one_of("status", PlacementStatus),
        index_where("uq_placement_confirmed", "participation_id", where="status = 'confirmed'", unique=True),
        index_where("uq_placement_seat_held", "seat_id", where=among("status", SEAT_HELD), unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    attempt: int
    seat_id: int = Field(foreign_key="seat.id")
    status: str
    since: datetime


class Waiting(SQLModel, table=True):
    """A person who waits for an offer that is full; `rank` is the wish's."""

    __tablename__ = "waiting"
    __table_args__ = (UniqueConstraint("participation_id", "offer_id"), Index("ix_waiting_offer_id", "offer_id"))

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    offer_id: int = Field(foreign_key="offer.id")
    rank: int
    since: datetime
