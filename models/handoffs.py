"""The relay between organisations: one row a round, at most one open per participation and purpose; its sessions."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import among, index_where, one_of
from states.names import HandoffStatus, Purpose

_OPEN = (HandoffStatus.TO_ROUTE, HandoffStatus.HELD, HandoffStatus.OFFERED, HandoffStatus.ACCEPTED)
_ADDRESSED = (HandoffStatus.OFFERED, HandoffStatus.ACCEPTED)
_RETURNED = f"purpose = '{Purpose.EVALUATION}'"


class Handoff(SQLModel, table=True):
    """One round. `receiver_id` is empty until it is routed; `look_at` is when the handoffs job should look.

    `because` says in codes, separated by spaces, why the round stands where it does: what its packet lacks (`held`),
    why nobody is named (`to_route`), why it was declined. `changed_at` is when the status was last written down:
    `since` is claimed, and may lie before what a reader has already seen. A round of purpose `evaluation` is the return
    to IFC; `sent_back`: it follows one that IFC declined. `packet_hash` is the SHA-256 of what was offered.
    """

    __tablename__ = "handoff"
    __table_args__ = (
        UniqueConstraint("participation_id", "purpose", "round"),
        one_of("status", HandoffStatus),
        one_of("purpose", Purpose),
        CheckConstraint(f"receiver_id IS NOT NULL OR NOT ({among('status', _ADDRESSED)})", name="addressed"),
        # IFC answers to nobody's limit: no table of a return knows that status
        CheckConstraint(f"status <> '{HandoffStatus.TIMED_OUT}' OR NOT ({_RETURNED})", name="return_in_time"),
        index_where("uq_handoff_open", "participation_id", "purpose", where=among("status", _OPEN), unique=True),
        index_where("ix_handoff_look_at", "look_at", where="look_at IS NOT NULL"),
        Index("ix_handoff_receiver_id_status", "receiver_id", "status"),
        # What an institute lists, in the order of its pages: every filter is answered from the index alone.
        Index("ix_handoff_received", "receiver_id", "id", "status", "purpose", "edition_id", "changed_at"),
        index_where("ix_handoff_returned", "sender_id", "id", "status", "edition_id", "changed_at", where=_RETURNED),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    edition_id: int = Field(foreign_key="edition.id")
    purpose: str
    round: int
    status: str
    sender_id: int = Field(foreign_key="organisation.id")
    receiver_id: int | None = Field(default=None, foreign_key="organisation.id")
    since: datetime
    changed_at: datetime
    offered_at: datetime | None = None
    look_at: datetime | None = None
    because: str = ""
    sent_back: bool = False
    packet_hash: str = ""


class TransferSession(SQLModel, table=True):
    """A half-day or a day on which an institute relates what was learnt to the curricula, with those it invites.

    Who is invited stands on the participation (`transfer_session_id`). `sequence` is the calendar entry's, raised with
    each change. A cancelled one stays, so that it can be told. `key` is its planner's, for a call that is repeated:
    `key_content` is the SHA-256 of what was asked with it.
    """

    __tablename__ = "transfer_session"
    __table_args__ = (
        one_of("status", ("planned", "cancelled")),
        CheckConstraint("starts_at < ends_at", name="in_order"),
        CheckConstraint("capacity > 0", name="capacity"),
        CheckConstraint("place <> '' OR url <> ''", name="somewhere"),
        Index("ix_transfer_session_institute_id", "institute_id", "starts_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str = Field(unique=True)
    edition_id: int = Field(foreign_key="edition.id")
    institute_id: int = Field(foreign_key="organisation.id")
    status: str = "planned"
    starts_at: datetime
    ends_at: datetime
    place: str = ""
    url: str = ""
    capacity: int
    sequence: int = 0
    key: str | None = Field(default=None, unique=True)
    key_content: str | None = None
