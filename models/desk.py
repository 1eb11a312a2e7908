"""What a person must see to: every escalation to a person is an item on that role's desk, once."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import DeskStatus, Kind, Role, Subject


class DeskItem(SQLModel, table=True):
    """One delay that somebody was alerted to; UNIQUE, so that a second alert bumps the item (`bumps`, `bumped_at`).

    `generation` is that of the deadline which escalated; `organisation_id` and `role` say whose desk it is. `until` is
    the local day on which it comes back, `taken_by` who sees to it. Words stand with the journal's.
    """

    __tablename__ = "desk_item"
    __table_args__ = (
        UniqueConstraint(
            "participation_id", "subject", "rule", "generation", "organisation_id", "role", name="uq_desk_item_delay"
        ),
        one_of("subject", Subject),
        one_of("kind", Kind),
        one_of("role", Role),
        one_of("status", DeskStatus),
        CheckConstraint("(status = 'postponed') = (until IS NOT NULL)", name="until"),
        Index("ix_desk_item_participation_id", "participation_id"),
        index_where("ix_desk_item_open", "organisation_id", "since", where="status NOT IN ('done', 'settled')"),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    organisation_id: int = Field(foreign_key="organisation.id")
    role: str
    subject: str
    rule: str
    step: int
    generation: int
    kind: str
    status: str
    since: datetime
    bumps: int = 0
    bumped_at: datetime
    taken_by: int | None = Field(default=None, foreign_key="party.id")
    until: date | None = None
    ended_at: datetime | None = None
