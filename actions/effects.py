"""What follows an act besides its own row, its deadlines and its messages: one entry for each effect that is written.

Effects that are commands on another table (`RELEASE_PLACE`, ...) are joined by `states.decide` and never come here.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, update

from actions.change import Change
from models import Handoff, Offer, TransferSession, Waiting, table_of
from states.names import Effect, HandoffStatus, Purpose

HANDOFF, OFFER, WAITING = table_of(Handoff), table_of(Offer), table_of(Waiting)
TRANSFER_SESSION = table_of(TransferSession)

_LEAVE = delete(WAITING).where(WAITING.c.participation_id == bindparam("b_id"))
_LOOK = update(OFFER).where(OFFER.c.id == bindparam("b_id")).values(look_at=bindparam("v_at"))

_ROUTE = (
    update(HANDOFF)
    .where(
        HANDOFF.c.participation_id == bindparam("b_id"),
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        # what IFC holds by hand, without a list of what is missing, is for IFC to release
        (HANDOFF.c.status == HandoffStatus.TO_ROUTE.value)
        | ((HANDOFF.c.status == HandoffStatus.HELD.value) & (HANDOFF.c.because != "")),
    )
    .values(look_at=bindparam("v_at"))
)

_CHECK = (
    update(HANDOFF)
    .where(
        HANDOFF.c.participation_id == bindparam("b_id"),
        HANDOFF.c.purpose == Purpose.EVALUATION.value,
        HANDOFF.c.status.in_((HandoffStatus.OFFERED.value, HandoffStatus.HELD.value)),
    )
    .values(look_at=bindparam("v_at"))
)


def _leave_waiting_lists(connection: Connection, changes: Sequence[Change]) -> None:
    connection.execute(_LEAVE, [{"b_id": change.seen.row.id} for change in changes])


def _free_seat(connection: Connection, changes: Sequence[Change]) -> None:
    """Have the progress job look at who waits for these offers; in one order, so that writers cannot deadlock."""
    freed = {change.seen.row.offer_id: change.occasion.at for change in changes}
    connection.execute(_LOOK, [{"b_id": offer, "v_at": freed[offer]} for offer in sorted(freed, key=str)])


def _route_again(connection: Connection, changes: Sequence[Change]) -> None:
    """Have the handoffs job look at the round that waits, if one does: what its packet lacked may be there now."""
    connection.execute(_ROUTE, [{"b_id": change.seen.row.id, "v_at": change.occasion.at} for change in changes])


def _check_return(connection: Connection, changes: Sequence[Change]) -> None:
    """Have the handoffs job look at the record that came back, if it waits for that: it may be complete now."""
    connection.execute(_CHECK, [{"b_id": change.seen.row.id, "v_at": change.occasion.at} for change in changes])


def _written_with_the_row(_connection: Connection, _changes: Sequence[Change]) -> None:
    """Nothing more to write: the participation's or the handoff's own row carries it."""


def _call_off_session(connection: Connection, changes: Sequence[Change]) -> None:
    """Have calendars take the cancellation: they pass over what is not newer than what they know."""
    left = {change.seen.snapshot.transfer_session for change in changes} - {None}
    if left:
        raised = {"sequence": TRANSFER_SESSION.c.sequence + 1}
        connection.execute(update(TRANSFER_SESSION).where(TRANSFER_SESSION.c.id.in_(left)).values(raised))


EFFECTS: Mapping[Effect, Callable[[Connection, Sequence[Change]], None]] = {
    Effect.LOOK_AGAIN: _written_with_the_row,
    Effect.ROUTE_AGAIN: _route_again,
    Effect.CHECK_RETURN: _check_return,
    Effect.LEAVE_WAITING_LISTS: _leave_waiting_lists,
    Effect.FREE_SEAT: _free_seat,
    Effect.CALL_OFF_SESSION: _call_off_session,
}
