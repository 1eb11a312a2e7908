"""The participation row is the workflow: state, version, journal head, and the facts that its guards read."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import Education, FactKind, Network, ParticipantKind, Role, State


class Participation(SQLModel, table=True):
    """One person in one edition, for good: who comes back is reinstated, never registered twice.

    `version` is the compare-and-set: whatever changes a fact that a guard reads bumps it. The `*_on` days and
    `half_days` are what the facts add up to; `drawn_on` is when somebody came into the sample, while they are in it;
    `wished_on` the first day of the soonest of their wishes.
    `look_at` is when the progress job should look (empty: nothing to see).
    """

    __tablename__ = "participation"
    __table_args__ = (
        UniqueConstraint("edition_id", "party_id"),
        one_of("state", State),
        one_of("kind", ParticipantKind),
        one_of("network", Network),
        one_of("education", Education),
        Index("ix_participation_edition_id_state", "edition_id", "state"),
        Index("ix_participation_school_id", "school_id"),
        index_where("ix_participation_look_at", "look_at", where="look_at IS NOT NULL"),
        index_where("ix_participation_unsealed", "id", where="sealed_seq <> journal_seq"),
    )

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = Field(foreign_key="edition.id")
    revision_id: int = Field(foreign_key="edition_revision.id")
    party_id: int = Field(foreign_key="party.id", index=True)
    school_id: int | None = Field(default=None, foreign_key="organisation.id")
    reference: str = Field(unique=True)
    definition: str
    kind: str
    network: str | None = None
    education: str | None = None
    basin: str = ""
    courses: str = ""
    team: str = ""
    state: str
    since: datetime
    version: int = 1
    look_at: datetime | None = None
    placement_attempt: int = 0
    handoff_round: int = 0
    return_round: int = 0
    transfer_session_id: int | None = Field(default=None, foreign_key="transfer_session.id", index=True)
    approval_on: date | None = None
    preparation_on: date | None = None
    observation_on: date | None = None
    presence_on: date | None = None
    transfer_on: date | None = None
    evaluation_on: date | None = None
    attendance_on: date | None = None
    note_on: date | None = None
    answers_on: date | None = None
    interview_on: date | None = None
    drawn_on: date | None = None
    half_days: int | None = None
    wished_on: date | None = None
    journal_seq: int = 0
    journal_head: str = ""
    journal_at: datetime
    sealed_seq: int = 0


class Wish(SQLModel, table=True):
    """A ranked wish for an offer."""

    __tablename__ = "wish"
    __table_args__ = (UniqueConstraint("participation_id", "rank"), UniqueConstraint("participation_id", "offer_id"))

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    offer_id: int = Field(foreign_key="offer.id", index=True)
    rank: int


class Fact(SQLModel, table=True):
    """What somebody says happened, whenever it became known; the latest for a half-day counts.

    `half_day`: `am` or `pm` for presence, else empty; `value`: `present` or `absent` for presence, else `done`.
    """

    __tablename__ = "fact"
    __table_args__ = (
        one_of("kind", FactKind),
        one_of("half_day", ("", "am", "pm")),
        one_of("value", ("done", "present", "absent")),
        one_of("role", Role),
        Index("ix_fact_participation_id", "participation_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    kind: str
    happened_on: date
    half_day: str = ""
    value: str = "done"
    recorded_at: datetime
    actor_id: int | None = Field(default=None, foreign_key="party.id")
    role: str
