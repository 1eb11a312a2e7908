"""What the jobs need: who works on what, what was set aside, and the store of bytes."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import one_of


class SetAside(SQLModel, table=True):
    """A participation that a job could not handle: tried again on three ticks, then it waits for `retry`.

    `error` is the kind of fault, never a text that could hold personal data.
    """

    __tablename__ = "set_aside"
    __table_args__ = (UniqueConstraint("job", "participation_id"),)

    id: int | None = Field(default=None, primary_key=True)
    job: str
    participation_id: int = Field(foreign_key="participation.id", index=True)
    error: str
    tries: int = 1
    first_at: datetime
    last_at: datetime


class Lease(SQLModel, table=True):
    """Who works on something that only one may do at once, until when (wall)."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    until: datetime


class Document(SQLModel, table=True):
    """Bytes by their content; the store keeps one copy under its SHA-256. `organisation_id`: whose they are to see."""

    __tablename__ = "document"
    __table_args__ = (one_of("kind", ("packet", "agreement", "attestation", "scan", "report", "transfer")),)

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int | None = Field(default=None, foreign_key="participation.id", index=True)
    organisation_id: int | None = Field(default=None, foreign_key="organisation.id")
    kind: str
    sha256: str = Field(index=True)
    name: str
    media_type: str
    size: int
    added_at: datetime
