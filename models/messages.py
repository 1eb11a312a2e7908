"""Why something is said (`notification`), the envelope it travels in (`message`), and what left (`message_text`)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import Kind, Level, MessageStatus, Role, StandIn, Subject


class Notification(SQLModel, table=True):
    """One thing to be said to one party or organisation. `key` is unique: the same is never said twice.

    `rule` says why: the trigger, or `rule:step` of the ladder; `seq` is the journal entry it follows from, if one does.
    `level` says which contact of the addressee is meant; one that is `alone` shares its envelope with no other.
    `message_id` is empty until it is put in an envelope.
    """

    __tablename__ = "notification"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("role", Role),
        one_of("subject", Subject),
        one_of("level", Level),
        CheckConstraint("(party_id IS NULL) <> (organisation_id IS NULL)", name="addressee"),
        Index("ix_notification_participation_id", "participation_id"),
        Index("ix_notification_message_id", "message_id"),
        index_where("ix_notification_loose", "id", where="message_id IS NULL"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    kind: str
    participation_id: int = Field(foreign_key="participation.id")
    subject: str
    role: str
    party_id: int | None = Field(default=None, foreign_key="party.id")
    organisation_id: int | None = Field(default=None, foreign_key="organisation.id")
    level: str = "first"
    alone: bool = False
    rule: str
    seq: int | None = None
    at: datetime
    message_id: str | None = Field(default=None, foreign_key="message.id")


class Message(SQLModel, table=True):
    """One envelope, with one or many notifications. `id` derives from what it carries, so that it never exists twice.

    The contact is chosen when the message is claimed and stays here, with whether it stands in for somebody who cannot
    be reached. `leased_until` and `not_before` are wall moments; `send_from` is one of the programme: the end of the
    quiet hours in which its turn came.
    """

    __tablename__ = "message"
    __table_args__ = (
        one_of("channel", ("mail", "webhook")),
        one_of("kind", Kind),
        one_of("role", Role),
        one_of("status", MessageStatus),
        one_of("level", Level),
        one_of("stands_in", ("", *StandIn)),
        CheckConstraint("(status = 'leased') = (leased_until IS NOT NULL)", name="leased"),
        index_where("ix_message_waiting", "id", where="status IN ('queued', 'leased')"),
    )

    id: str = Field(primary_key=True)
    channel: str = "mail"
    kind: str
    role: str
    party_id: int | None = Field(default=None, foreign_key="party.id")
    organisation_id: int | None = Field(default=None, foreign_key="organisation.id")
    level: str = "first"
    contact_id: int | None = Field(default=None, foreign_key="contact.id")
    stands_in: str = ""
    status: str
    at: datetime
    attempts: int = 0
    leased_by: str | None = None
    leased_until: datetime | None = None
    not_before: datetime | None = None
    send_from: datetime | None = None
    provider_id: str | None = None
    error: str | None = None
    settled_at: datetime | None = None


class MessageText(SQLModel, table=True):
    """What left, kept apart because it is personal data and may be purged."""

    __tablename__ = "message_text"

    message_id: str = Field(primary_key=True, foreign_key="message.id")
    subject: str
    text: str
    html: str
