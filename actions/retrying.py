"""Taking up again what the jobs gave up: a participation that was set aside, a message that did not arrive."""

from sqlalchemy import Connection, delete, select, update

from core.errors import NotFound, Refused
from models import Message, Participation, SetAside, table_of
from states.names import MessageStatus

PARTICIPATION, SET_ASIDE, MESSAGE = table_of(Participation), table_of(SetAside), table_of(Message)

# What did not arrive, or nobody knows. Sending `unknown` again may make a second copy: somebody decided so.
RETRYABLE = (MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.BOUNCED, MessageStatus.DROPPED)


def take_up_again(connection: Connection, reference: str) -> int:
    """Have the jobs look at a participation again, at their next run; return from how many jobs it was set aside.

    Raises NotFound (`unknown_reference`).
    """
    participation_id = connection.execute(
        select(PARTICIPATION.c.id).where(PARTICIPATION.c.reference == reference)
    ).scalar()
    if participation_id is None:
        raise NotFound("unknown_reference", reference=reference)
    return connection.execute(delete(SET_ASIDE).where(SET_ASIDE.c.participation_id == participation_id)).rowcount


def send_again(connection: Connection, message_id: str) -> None:
    """Put a message back into the queue, to be claimed at the next delivery.

    Raises NotFound (`unknown_message`), Refused (`not_retryable`: it arrived, is on its way, or was called off).
    """
    values = {"status": MessageStatus.QUEUED.value, "error": None, "not_before": None, "settled_at": None}
    again = update(MESSAGE).where(MESSAGE.c.id == message_id, MESSAGE.c.status.in_(RETRYABLE)).values(values)
    if connection.execute(again).rowcount == 1:
        return
    state = connection.execute(select(MESSAGE.c.status).where(MESSAGE.c.id == message_id)).scalar()
    if state is None:
        raise NotFound("unknown_message", id=message_id)
    raise Refused("not_retryable", state=state)
