"""The outbox: notifications are put in envelopes, envelopes are claimed, sent with no transaction open, and settled.

A process killed after sending and before settling leaves a lease: after 60 s (wall) any other frees it. Where the
gateway is idempotent the message is sent again to the same effect; elsewhere it becomes `unknown`.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, Row, and_, bindparam, delete, insert, or_, select, update

from actions.writing import NOTIFICATION
from core.clock import BRUSSELS
from core.errors import LostRace
from jobs.envelopes import Letter
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from models import Message, MessageText, table_of
from notifications.catalogue import CATALOGUE
from notifications.gateways import MaybeSentError, NotSentError, Receipt
from notifications.rendering import Rendered
from states.names import Kind, MessageStatus

JOB = "delivery"
MESSAGE, MESSAGE_TEXT = table_of(Message), table_of(MessageText)
LEASE = timedelta(seconds=60)
_NAMESPACE = UUID("6d1d3b1e-7a0c-5f2e-9c58-3e1a5b0f2c77")
_CLAIMED_AT_ONCE = 50  # sent within one lease, whatever the gateway's pace
_FIRST_RETRY = timedelta(minutes=1)


def has_work(connection: Connection, at: datetime, wall: datetime) -> bool:
    """Tell whether something waits to be put in an envelope or to be sent: two indexed probes."""
    loose = select(NOTIFICATION.c.id).where(NOTIFICATION.c.message_id.is_(None)).limit(1)
    waiting = select(MESSAGE.c.id).where(_claimable(at, wall)).limit(1)
    return any(connection.execute(probe).first() is not None for probe in (loose, waiting))


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Put everything in envelopes and send what can be sent."""
    summary = Summary(JOB)
    while _put_in_envelopes(workshop, at, limit):
        pass
    until = workshop.wall() + LEASE
    while claimed := _claim(workshop, at, min(limit, _CLAIMED_AT_ONCE), summary):
        settled: list[tuple[Letter, Sent]] = []
        for letter in claimed:
            if workshop.wall() >= until:  # a slow gateway: the rest may be somebody else's by now
                break
            settled.append((letter, _send(workshop, letter, at, summary)))
        _settle(workshop, settled, at, summary)
        if len(settled) < len(claimed):
            _give_back(workshop, [letter.message_id for letter in claimed[len(settled) :]])
            break
        until = workshop.wall() + LEASE
    return summary


# ----------------------------------------------------------------------------------------------------------- envelopes
def _put_in_envelopes(workshop: Workshop, at: datetime, limit: int) -> bool:
    """Give loose notifications an envelope; several of one kind to one recipient on one day share it if the kind may.

    Two processes at once: the second finds the envelope there or the notifications taken, and gives way.
    """
    with workshop.engine.begin() as connection:
        rows = connection.execute(
            select(NOTIFICATION)
            .where(NOTIFICATION.c.message_id.is_(None))
            .order_by(*_TOGETHER)
            .limit(limit)
            .with_for_update()  # waits: two who each skipped the other's would halve a fold between them
        ).all()
        groups: defaultdict[tuple[object, ...], list[Row[Any]]] = defaultdict(list)
        for row in rows:
            groups[_same_envelope(row)].append(row)
        if len(rows) == limit and len(groups) > 1:
            groups.popitem()  # perhaps cut in two by the limit: it comes whole with the next
        envelopes = [_envelope(group, at) for group in groups.values()]
        if envelopes:
            connection.execute(insert(MESSAGE), envelopes)
            carried = [
                {"b_id": row.id, "v_message": envelope["id"]}
                for envelope, group in zip(envelopes, groups.values(), strict=True)
                for row in group
            ]
            if connection.execute(_CARRY, carried).rowcount != len(carried):
                raise LostRace
    return bool(rows)


# what may share an envelope stands together, the oldest first
_APART = ("kind", "role", "level", "alone", "organisation_id", "party_id")
_TOGETHER = [NOTIFICATION.c[name] for name in (*_APART, "at", "id")]
_CARRY = (
    update(NOTIFICATION)
    .where(NOTIFICATION.c.id == bindparam("b_id"), NOTIFICATION.c.message_id.is_(None))
    .values(message_id=bindparam("v_message"))
)


def _same_envelope(row: Row[Any]) -> tuple[object, ...]:
    if row.alone or not CATALOGUE[Kind(row.kind)].may_fold:
        return (row.key,)
    return (*(getattr(row, name) for name in _APART), row.at.astimezone(BRUSSELS).date())


def _envelope(group: Sequence[Row[Any]], at: datetime) -> dict[str, Any]:
    """Return a message's row; its id derives from what it carries, so that it can never exist twice."""
    first = group[0]
    return {
        "id": str(uuid5(_NAMESPACE, "\n".join(sorted(row.key for row in group)))),
        "kind": first.kind,
        "role": first.role,
        "party_id": first.party_id,
        "organisation_id": first.organisation_id,
        "level": first.level,
        "status": MessageStatus.QUEUED.value,
        "at": at,
    }


# ------------------------------------------------------------------------------------------------------ claim and send
def _claimable(at: datetime, wall: datetime) -> Any:  # noqa: ANN401 - a condition
    """Return which messages may be taken: neither put off by a gateway, nor waiting for quiet hours to end."""
    queued = and_(
        MESSAGE.c.status == MessageStatus.QUEUED.value,
        or_(MESSAGE.c.not_before.is_(None), MESSAGE.c.not_before <= wall),
        or_(MESSAGE.c.send_from.is_(None), MESSAGE.c.send_from <= at),
    )
    abandoned = (MESSAGE.c.status == MessageStatus.LEASED.value) & (MESSAGE.c.leased_until < wall)
    return or_(queued, abandoned)


def _claim(workshop: Workshop, at: datetime, limit: int, summary: Summary) -> list[Letter]:
    """Take messages that must leave, until there are some or none is left."""
    while (claimed := _claim_batch(workshop, at, limit, summary)) == []:
        pass
    return claimed or []


def _claim_batch(workshop: Workshop, at: datetime, limit: int, summary: Summary) -> list[Letter] | None:
    """Take messages under a lease and say what each says today; None when none waits.

    Those no longer true are cancelled at once, unless the request may already have left with a process that died.
    """
    wall = workshop.wall()
    with workshop.engine.begin() as connection:
        ids = (
            select(MESSAGE.c.id)
            .where(_claimable(at, wall))
            .order_by(MESSAGE.c.at, MESSAGE.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = connection.execute(
            select(MESSAGE).where(MESSAGE.c.id.in_(connection.execute(ids).scalars().all()))
        ).all()
        if not rows:
            return None
        abandoned = {row.id for row in rows if row.status == MessageStatus.LEASED}
        doubtful = [row for row in rows if row.id in abandoned and not workshop.gateway.idempotent]
        _mark(connection, [row.id for row in doubtful], MessageStatus.UNKNOWN, "abandoned", at, summary)
        found = workshop.scribe().letters(connection, [row for row in rows if row not in doubtful], at)
        for letter in found:
            if letter.cancelled:
                status = MessageStatus.UNKNOWN if letter.message_id in abandoned else MessageStatus.CANCELLED
                _mark(connection, [letter.message_id], status, letter.cancelled, at, summary)
            if letter.failed:
                _mark(connection, [letter.message_id], MessageStatus.FAILED, letter.failed, at, summary)
            for reference in letter.faults:
                summary.fail(reference, "not_in_message")
        _put_off(connection, found)
        sendable = sorted((letter for letter in found if letter.chosen), key=lambda letter: letter.message_id)
        leases = [
            {
                "b_id": letter.message_id,
                "v_contact": letter.chosen.contact_id if letter.chosen else None,
                "v_stands_in": letter.chosen.stands_in if letter.chosen else "",
                "v_holder": workshop.holder,
                "v_until": wall + LEASE,
            }
            for letter in sendable
        ]
        if leases:
            connection.execute(_LEASE, leases)
    return sendable


def _put_off(connection: Connection, found: Sequence[Letter]) -> None:
    """Leave what came in quiet hours in the queue until they are over."""
    quiet = [{"b_id": letter.message_id, "v_from": letter.quiet_until} for letter in found if letter.quiet_until]
    if quiet:
        connection.execute(_PUT_OFF, quiet)


_PUT_OFF = (
    update(MESSAGE)
    .where(MESSAGE.c.id == bindparam("b_id"))
    .values(status=MessageStatus.QUEUED.value, send_from=bindparam("v_from"), leased_by=None, leased_until=None)
)
_LEASE = (
    update(MESSAGE)
    .where(MESSAGE.c.id == bindparam("b_id"))
    .values(
        status=MessageStatus.LEASED.value,
        contact_id=bindparam("v_contact"),
        stands_in=bindparam("v_stands_in"),
        leased_by=bindparam("v_holder"),
        leased_until=bindparam("v_until"),
        attempts=MESSAGE.c.attempts + 1,
    )
)


def _mark(
    connection: Connection, ids: Sequence[str], status: MessageStatus, error: str, at: datetime, summary: Summary
) -> None:
    if ids:
        values = {"status": status.value, "error": error, "settled_at": at, "leased_by": None, "leased_until": None}
        connection.execute(update(MESSAGE).where(MESSAGE.c.id.in_(ids)).values(values))
    for message_id in ids:
        summary.add(message_id, status)


Sent = tuple[MessageStatus, Rendered | None, str | None, str | None, timedelta | None]


def _send(workshop: Workshop, letter: Letter, at: datetime, summary: Summary) -> Sent:
    """Render and hand over one message; whatever goes wrong is about this one only.

    Returns its new status, what left, the provider's id, the kind of error, and how long to wait before another try.
    """
    try:
        mail, rendered = workshop.scribe().write(letter, workshop.sender, at)
    except Exception as fault:  # noqa: BLE001 - a message that cannot be written must not stop the others
        summary.fail(letter.message_id, type(fault).__name__)
        return MessageStatus.FAILED, None, None, type(fault).__name__, None
    try:
        receipt = workshop.gateway.send(mail)
    except NotSentError as fault:
        return MessageStatus.QUEUED, None, None, str(fault), _FIRST_RETRY
    except MaybeSentError as fault:
        return MessageStatus.UNKNOWN, rendered, None, str(fault), None
    except Exception as fault:  # noqa: BLE001 - a fault of the gateway itself: nobody can tell whether it left
        return MessageStatus.UNKNOWN, rendered, None, type(fault).__name__, None
    return _read(receipt, rendered)


def _read(receipt: Receipt, rendered: Rendered) -> Sent:
    if receipt.accepted:
        return MessageStatus.ACCEPTED, rendered, receipt.provider_id, None, None
    if receipt.retry_after is not None:
        return MessageStatus.QUEUED, None, None, receipt.error, receipt.retry_after
    return MessageStatus.FAILED, None, None, receipt.error, None


# -------------------------------------------------------------------------------------------------------------- settle
def _settle(workshop: Workshop, sent: Sequence[tuple[Letter, Sent]], at: datetime, summary: Summary) -> None:
    """Write down what became of each; only the holder of the lease may."""
    wall = workshop.wall()
    rows, texts = [], []
    for letter, (status, rendered, provider_id, error, wait) in sent:
        waits = status is MessageStatus.QUEUED
        rows.append(
            {
                "b_id": letter.message_id,
                "b_holder": workshop.holder,
                "v_status": status.value,
                "v_provider_id": provider_id,
                "v_error": error,
                "v_not_before": wall + wait if wait else None,
                "v_settled_at": None if waits else at,
            }
        )
        if rendered is not None:
            texts.append({"message_id": letter.message_id, **_text(rendered)})
        summary.add(letter.message_id, status)
    if not rows:
        return
    with workshop.engine.begin() as connection:
        connection.execute(_SETTLE, rows)
        if texts:
            connection.execute(
                delete(MESSAGE_TEXT).where(MESSAGE_TEXT.c.message_id.in_([t["message_id"] for t in texts]))
            )
            connection.execute(insert(MESSAGE_TEXT), texts)


def _give_back(workshop: Workshop, ids: Sequence[str]) -> None:
    """Put what was claimed and not tried back into the queue, as if it had not been claimed."""
    mine = (MESSAGE.c.status == MessageStatus.LEASED.value, MESSAGE.c.leased_by == workshop.holder)
    values = {"status": MessageStatus.QUEUED.value, "leased_by": None, "leased_until": None}
    with workshop.engine.begin() as connection:
        connection.execute(
            update(MESSAGE).where(MESSAGE.c.id.in_(ids), *mine).values(attempts=MESSAGE.c.attempts - 1, **values)
        )


def _text(rendered: Rendered) -> dict[str, str]:
    return {"subject": rendered.subject, "text": rendered.text, "html": rendered.html}


_SETTLE = (
    update(MESSAGE)
    .where(
        MESSAGE.c.id == bindparam("b_id"),
        MESSAGE.c.status == MessageStatus.LEASED.value,
        MESSAGE.c.leased_by == bindparam("b_holder"),
    )
    .values(
        status=bindparam("v_status"),
        provider_id=bindparam("v_provider_id"),
        error=bindparam("v_error"),
        not_before=bindparam("v_not_before"),
        settled_at=bindparam("v_settled_at"),
        leased_by=None,
        leased_until=None,
    )
)
