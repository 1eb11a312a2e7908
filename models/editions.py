"""An edition of the programme and its immutable revisions."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel


class Edition(SQLModel, table=True):
    """One school year of the programme. Its own journal chain records the loading of revisions.

    `closed_at`: when all that was still open had lapsed and the figures were frozen; empty while it runs.
    """

    __tablename__ = "edition"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(unique=True)
    title: str
    participations_numbered: int = 0
    journal_seq: int = 0
    journal_head: str = ""
    sealed_seq: int = 0
    closed_at: datetime | None = None


class EditionRevision(SQLModel, table=True):
    """The content of an edition file as loaded; never changed. `content` is canonical JSON, `hash` its SHA-256."""

    __tablename__ = "edition_revision"
    __table_args__ = (UniqueConstraint("edition_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = Field(foreign_key="edition.id")
    number: int
    hash: str
    content: str
    loaded_at: datetime
    loaded_by: int | None = Field(default=None, foreign_key="party.id")


class EditionReport(SQLModel, table=True):
    """The figures of an edition as they were frozen at a moment; never changed. `content` is canonical JSON."""

    __tablename__ = "edition_report"
    __table_args__ = (UniqueConstraint("edition_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = Field(foreign_key="edition.id")
    number: int
    at: datetime
    sha256: str
    content: str
