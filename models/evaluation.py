"""What teachers answered, who was drawn to be evaluated in person, and what became of each."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import DrawnStatus


class Answer(SQLModel, table=True):
    """One answer, of the kind that its question asks for. `text` is personal data: an erasure empties it."""

    __tablename__ = "answer"
    __table_args__ = (
        UniqueConstraint("participation_id", "question"),
        CheckConstraint(
            "(number IS NOT NULL AND option IS NULL AND text IS NULL)"
            " OR (number IS NULL AND option IS NOT NULL AND text IS NULL)"
            " OR (number IS NULL AND option IS NULL AND text IS NOT NULL)",
            name="one_kind",
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    participation_id: int = Field(foreign_key="participation.id")
    question: str
    number: int | None = None
    option: str | None = None
    text: str | None = None


class SampleDraw(SQLModel, table=True):
    """One draw of an edition; one stands at most, earlier ones are void.

    `since` is the state that people had to have reached, `people` how many had, `fingerprint` the hash of their list;
    `journal_seq` is the draw's entry in the edition's chain.
    """

    __tablename__ = "sample_draw"
    __table_args__ = (
        UniqueConstraint("edition_id", "number"),
        index_where("uq_sample_draw_standing", "edition_id", where="void_at IS NULL", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    edition_id: int = Field(foreign_key="edition.id")
    number: int
    seed: str
    since: str
    strata: str
    people: int
    fingerprint: str
    drawn_at: datetime
    drawn_by: int | None = Field(default=None, foreign_key="party.id")
    journal_seq: int
    void_at: datetime | None = None


class Drawn(SQLModel, table=True):
    """Somebody drawn: `position` in the order of their stratum. Why one was replaced stands in the journal's texts."""

    __tablename__ = "drawn"
    __table_args__ = (
        UniqueConstraint("draw_id", "participation_id"),
        one_of("status", DrawnStatus),
        CheckConstraint("replaced_by IS NULL OR status = 'replaced'", name="replaced"),
        Index("ix_drawn_participation_id", "participation_id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    draw_id: int = Field(foreign_key="sample_draw.id")
    participation_id: int = Field(foreign_key="participation.id")
    stratum: str
    position: int
    status: str
    replaced_by: int | None = Field(default=None, foreign_key="participation.id")
