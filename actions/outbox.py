"""The outbox as it can be read: messages by status, and those that did not arrive, newest first."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Connection, func, select

from actions.retrying import MESSAGE, RETRYABLE
from core.clock import iso
from models import Notification, Participation, table_of
from states.names import MessageStatus

NOTIFICATION, PARTICIPATION = table_of(Notification), table_of(Participation)
_NEWEST = 20


def outbox(connection: Connection) -> dict[str, Any]:
    """Return all messages by status (what is not in an envelope yet is queued too) and the newest in trouble."""
    return {"messages": _counts(connection), "in_trouble": _in_trouble(connection)}


def _counts(connection: Connection) -> dict[str, int]:
    by_status = select(MESSAGE.c.status, func.count().label("n")).group_by(MESSAGE.c.status)
    counts: defaultdict[str, int] = defaultdict(int, {row.status: row.n for row in connection.execute(by_status)})
    loose = select(func.count()).select_from(NOTIFICATION).where(NOTIFICATION.c.message_id.is_(None))
    counts[MessageStatus.QUEUED.value] += connection.execute(loose).scalar_one()
    return {str(status): counts[status.value] for status in MessageStatus if counts[status.value]}


def _in_trouble(connection: Connection) -> list[dict[str, Any]]:
    query = (
        select(MESSAGE)
        .where(MESSAGE.c.status.in_(RETRYABLE))
        .order_by(func.coalesce(MESSAGE.c.settled_at, MESSAGE.c.at).desc(), MESSAGE.c.id)
        .limit(_NEWEST)
    )
    rows = connection.execute(query).all()
    references = _references(connection, [row.id for row in rows])
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "role": row.role,
            "level": row.level,
            "stands_in": row.stands_in or None,
            "status": row.status,
            "at": iso(row.at),
            "settled_at": None if row.settled_at is None else iso(row.settled_at),
            "attempts": row.attempts,
            "error": row.error,
            "references": references[row.id],
        }
        for row in rows
    ]


def _references(connection: Connection, message_ids: list[str]) -> defaultdict[str, list[str]]:
    """Return which participations each message is about."""
    query = (
        select(NOTIFICATION.c.message_id, PARTICIPATION.c.reference)
        .join(PARTICIPATION, PARTICIPATION.c.id == NOTIFICATION.c.participation_id)
        .where(NOTIFICATION.c.message_id.in_(message_ids))
        .order_by(NOTIFICATION.c.id)
    )
    references: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(query):
        references[row.message_id].append(row.reference)
    return references
