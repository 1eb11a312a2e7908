"""Deadlines: one row a step of a ladder, written when the rule begins to hang, fired or ended once."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import Anchor, DeadlineStatus, Subject


class Deadline(SQLModel, table=True):
    """One step. `generation` is the journal entry that opened it: only the current generation can fire.

    `due_at` is empty while the anchor's day is unknown (`waiting`). `ended_at` is when it fired or ended. `extension`:
    working days that IFC granted beyond what the ladder says; they are in `due_at`.
    """

    __tablename__ = "deadline"
    __table_args__ = (
        UniqueConstraint("participation_id", "subject", "rule", "step", "generation"),
        one_of("subject", Subject),
        one_of("anchor", Anchor),
        one_of("status", DeadlineStatus),
        CheckConstraint("status <> 'open' OR due_at IS NOT NULL", name="due"),
        index_where("ix_deadline_due_at", "due_at", where="status = 'open'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    revision_id: int = Field(foreign_key="edition_revision.id")
    subject: str
    state: str
    rule: str
    step: int
    generation: int
    anchor: str
    due_at: datetime | None = None
    extension: int = 0
    status: str
    ended_at: datetime | None = None
