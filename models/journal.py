"""The provable journal: a hash chain per subject, free texts apart so that a person can be erased, daily seals."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint
from sqlmodel import Field, SQLModel

from models.base import one_of
from states.names import Role


class JournalEntry(SQLModel, table=True):
    """One past fact. `hash` covers everything but the flow run and the caller's key; `previous` is the entry before.

    `chain` is `participation` or `edition`, `chain_id` its row; `subject` is what the entry is about. `at` is claimed,
    `recorded_at` is when it was written. `actor_id` is a party; no name, no address stands here.
    """

    __tablename__ = "journal"
    __table_args__ = (
        one_of("chain", ("participation", "edition")),
        one_of("role", Role),
        CheckConstraint("seq > 0", name="seq"),
    )

    chain: str = Field(primary_key=True)
    chain_id: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    at: datetime
    recorded_at: datetime
    subject: str
    trigger: str
    from_state: str
    to_state: str
    actor_id: int | None = Field(default=None, foreign_key="party.id")
    role: str
    via: str
    data: str
    text_hash: str
    revision_id: int = Field(foreign_key="edition_revision.id")
    previous: str
    hash: str
    flow_run_id: str | None = None
    key: str | None = Field(default=None, unique=True)
    key_content: str | None = None


class JournalText(SQLModel, table=True):
    """The words of an entry and their salt; both are emptied when the person is erased, and the chain still holds."""

    __tablename__ = "journal_text"

    chain: str = Field(primary_key=True)
    chain_id: int = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    salt: str
    text: str


class Seal(SQLModel, table=True):
    """A day's seal over all chains that changed since the last; the same line is appended to a file kept elsewhere."""

    __tablename__ = "seal"

    number: int = Field(primary_key=True)
    day: date = Field(unique=True)
    line: str
