"""What messages say of transfer sessions, and whether it is still so when they leave.

An invitation must not follow its own end, nobody is called off what they never heard of, and nothing is said twice.
"""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from actions.journal import JOURNAL
from actions.sessions import TRANSFER_SESSION
from actions.writing import NOTIFICATION
from models import Message, table_of
from notifications.envelope import Session
from states.names import Kind, MessageStatus

MESSAGE = table_of(Message)
_INVITES = frozenset({Kind.TRANSFER_INVITATION, Kind.TRANSFER_MOVED})
_ABOUT_A_SESSION = _INVITES | {Kind.TRANSFER_CALLED_OFF}
_NOT_SAID = (MessageStatus.QUEUED.value, MessageStatus.HELD.value, MessageStatus.CANCELLED.value)


def still_so(connection: Connection, kind: Kind, notification: Row[Any], invited_to: int | None, at: datetime) -> bool:
    """Tell whether what is said of a session holds; `invited_to` is the session at which the person is expected."""
    if kind not in _ABOUT_A_SESSION:
        return True
    session = _session(connection, notification)
    theirs = session.id == invited_to
    if session.starts_at <= at:
        return False
    if kind in _INVITES:
        return theirs and not _said_again_later(connection, notification)
    return not theirs and _was_said(connection, notification, session.reference)


def session_of(connection: Connection, kind: Kind, notification: Row[Any]) -> Session | None:
    """Return the session that a message is about, as it stands now."""
    if kind not in _ABOUT_A_SESSION:
        return None
    found = _session(connection, notification)
    return Session(
        reference=found.reference,
        sequence=found.sequence,
        starts=found.starts_at,
        ends=found.ends_at,
        place=found.place,
        url=found.url,
        cancelled=found.status == "cancelled",
    )


_ENTRY = and_(
    JOURNAL.c.chain == "participation",
    JOURNAL.c.chain_id == NOTIFICATION.c.participation_id,
    JOURNAL.c.seq == NOTIFICATION.c.seq,
)


def _session(connection: Connection, notification: Row[Any]) -> Row[Any]:
    entry = select(JOURNAL.c.data).join(NOTIFICATION, _ENTRY).where(NOTIFICATION.c.id == notification.id)
    data = json.loads(connection.execute(entry).scalar_one())
    by_id = "session_id" in data  # taken back by another act
    named = TRANSFER_SESSION.c.id == data["session_id"] if by_id else TRANSFER_SESSION.c.reference == data["session"]
    return connection.execute(select(TRANSFER_SESSION).where(named)).one()


def _said_again_later(connection: Connection, notification: Row[Any]) -> bool:
    """Tell whether a later message of this kind says it: both would speak of the session as it stands today."""
    later = select(NOTIFICATION.c.id).where(
        NOTIFICATION.c.participation_id == notification.participation_id,
        NOTIFICATION.c.kind == notification.kind,
        NOTIFICATION.c.seq > notification.seq,
    )
    return connection.execute(later.limit(1)).first() is not None


def _was_said(connection: Connection, notification: Row[Any], session: str) -> bool:
    """Tell whether an invitation to this session left before, or may have left."""
    said = (
        select(NOTIFICATION.c.id)
        .join(JOURNAL, _ENTRY)
        .join(MESSAGE, MESSAGE.c.id == NOTIFICATION.c.message_id)
        .where(
            NOTIFICATION.c.participation_id == notification.participation_id,
            NOTIFICATION.c.kind.in_([kind.value for kind in _INVITES]),
            NOTIFICATION.c.seq < notification.seq,
            JOURNAL.c.data.contains(f'"session":"{session}"', autoescape=True),
            MESSAGE.c.status.not_in(_NOT_SAID),
        )
    )
    return connection.execute(said.limit(1)).first() is not None
