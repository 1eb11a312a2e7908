"""Receivers that an institute named, and what each is told: the same outbox as for messages, for machines."""

from datetime import datetime

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field, SQLModel

from models.base import index_where, one_of
from states.names import EventStatus, HandoffStatus, Purpose, WebhookStatus


class Webhook(SQLModel, table=True):
    """One receiver. Its secret stands nowhere: a hash could not sign, so it is derived from ours and `generation`.

    `created_at` and `disabled_at` are moments of the programme. All others are the machine's (wall): the last change of
    the secret, since when no request succeeded, until when it asked to be left alone, the last answer (an HTTP status,
    or the code of why there was none). One process at a time sends to it, so that one request at a time reaches it.
    """

    __tablename__ = "webhook"
    __table_args__ = (
        one_of("status", WebhookStatus),
        one_of("disabled_because", ("failing", "gone", "by_hand")),
        CheckConstraint(
            "status <> 'disabled' OR (disabled_because IS NOT NULL AND disabled_at IS NOT NULL)", name="disabled"
        ),
        CheckConstraint("(leased_by IS NULL) = (leased_until IS NULL)", name="leased"),
        index_where("uq_webhook_active", "organisation_id", "url", where="status = 'active'", unique=True),
    )

    id: int | None = Field(default=None, primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id")
    url: str
    status: str
    disabled_because: str | None = None
    generation: int = 1
    rotated_at: datetime | None = None
    failing_since: datetime | None = None
    not_before: datetime | None = None
    answer: str | None = None
    answered_at: datetime | None = None
    leased_by: str | None = None
    leased_until: datetime | None = None
    created_at: datetime
    disabled_at: datetime | None = None


class WebhookEvent(SQLModel, table=True):
    """One fact for one receiver: the journal entry `seq` of a participation, or (empty) a ping.

    `key` is sent as `webhook-id`, derives from the entry's hash, and stays the same however often it is tried. `at` is
    the entry's moment; `not_before`, `first_failed_at` and `settled_at` are wall moments. `answer` is the last HTTP
    status, or the code of why there was none.
    """

    __tablename__ = "webhook_event"
    __table_args__ = (
        one_of("status", EventStatus),
        one_of("purpose", Purpose),
        one_of("handoff_status", HandoffStatus),
        UniqueConstraint("webhook_id", "participation_id", "seq"),
        CheckConstraint("(type = 'ping') = (participation_id IS NULL)", name="about"),
        CheckConstraint("(participation_id IS NULL) = (seq IS NULL)", name="entry"),
        CheckConstraint("status <> 'queued' OR settled_at IS NULL", name="settled"),
        index_where("ix_webhook_event_waiting", "webhook_id", "not_before", where="status = 'queued'"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    webhook_id: int = Field(foreign_key="webhook.id")
    type: str
    participation_id: int | None = Field(default=None, foreign_key="participation.id")
    purpose: str | None = None
    round: int | None = None
    handoff_status: str | None = None
    seq: int | None = None
    at: datetime
    status: str
    attempts: int = 0
    not_before: datetime | None = None
    first_failed_at: datetime | None = None
    answer: str | None = None
    settled_at: datetime | None = None
