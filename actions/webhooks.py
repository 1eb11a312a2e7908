"""Receivers that institutes name, and the events for them, written in the transaction of what they tell of.

An event follows from one entry of the journal, so that it can neither be lost nor told twice. For a receiver that was
disabled because it failed, events are kept (`dropped`): once it is back, a replay brings what it missed.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4, uuid5

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from actions.change import PURPOSES, Change
from actions.people import ORGANISATION, organisation_id
from core.errors import NotFound, Refused
from core.hosts import AllowList, target_of
from models import Participation, Webhook, WebhookEvent, table_of
from models.base import LARGEST_ID
from notifications.webhooks import PING, TYPES
from states.decide import Pulled
from states.names import EventStatus, HandoffStatus, OrganisationKind, Purpose, Subject, Trigger, WebhookStatus

WEBHOOK, EVENT, PARTICIPATION = table_of(Webhook), table_of(WebhookEvent), table_of(Participation)
MOST = 5  # receivers to an institute
BY_HAND = "by_hand"

_NAMESPACE = UUID("0d0f5f0a-64a3-5a0e-8d26-8d1d7f0f6a51")
_ACTIVE = WEBHOOK.c.status == WebhookStatus.ACTIVE.value
_LISTENING = or_(_ACTIVE, WEBHOOK.c.disabled_because == "failing")
_AGAIN = {
    "status": EventStatus.QUEUED.value,
    "attempts": 0,
    "not_before": None,
    "first_failed_at": None,
    "settled_at": None,
}


# -------------------------------------------------------------------------------------------------- what follows an act
class _Told(NamedTuple):
    """A step of which a round's receiver hears: the round, its status, and the journal entry."""

    change: Change
    entry: dict[str, Any]
    receiver: int
    number: int
    status: HandoffStatus
    purpose: Purpose


def announce(connection: Connection, changes: Sequence[Change], journal: Sequence[dict[str, Any]]) -> None:
    """Write the events that follow from these changes, whose entries are `journal`, in the same order."""
    told = list(_told(changes, journal))
    if not told:
        return
    concerned = WEBHOOK.c.organisation_id.in_({each.receiver for each in told})
    receivers = connection.execute(select(WEBHOOK).where(_LISTENING, concerned).order_by(WEBHOOK.c.id)).all()
    events = [_event(row, each) for each in told for row in receivers if row.organisation_id == each.receiver]
    if events:
        connection.execute(insert(EVENT), events)


def _told(changes: Sequence[Change], journal: Sequence[dict[str, Any]]) -> Iterator[_Told]:
    entries = iter(journal)
    for change in changes:
        rounds = _Rounds(change)
        for step, entry in zip(change.pulled, entries, strict=False):
            if step.subject in PURPOSES:
                yield from rounds.told(step, entry)


class _Rounds:
    """Follows the rounds of a change: which number the step is about, and which institute hears of it.

    Of a handoff its receiver hears; of the return, the institute that it comes from.
    """

    def __init__(self, change: Change) -> None:
        self.change, row = change, change.seen.row
        self.number = {Subject.HANDOFF: row.handoff_round, Subject.RETURN: row.return_round}
        self.institute = row.receiver_id

    def told(self, step: Pulled, entry: dict[str, Any]) -> Iterator[_Told]:
        if step.trigger is Trigger.REQUEST:
            self.number[step.subject] += 1
            if step.subject is Subject.HANDOFF:  # what follows is about the new round, which has no receiver yet
                self.institute = None
        if (step.subject, step.trigger) == (Subject.HANDOFF, Trigger.OFFER):
            self.institute = int(str(self.change.data["receiver"]))
        status, purpose = HandoffStatus(step.after), PURPOSES[step.subject]
        if self.institute is not None and (purpose, status) in TYPES:
            yield _Told(self.change, entry, self.institute, self.number[step.subject], status, purpose)


def _event(receiver: Row[Any], told: _Told) -> dict[str, Any]:
    active = receiver.status == WebhookStatus.ACTIVE
    return {
        "key": f"msg_{uuid5(_NAMESPACE, '/'.join((str(receiver.id), told.entry['hash']))).hex}",
        "webhook_id": receiver.id,
        "type": TYPES[told.purpose, told.status],
        "participation_id": told.change.seen.row.id,
        "purpose": told.purpose.value,
        "round": told.number,
        "handoff_status": told.status.value,
        "seq": told.entry["seq"],
        "at": told.entry["at"],
        "status": (EventStatus.QUEUED if active else EventStatus.DROPPED).value,
        "settled_at": None if active else told.change.occasion.recorded_at,
    }


# ------------------------------------------------------------------------------------------------------------ receivers
def add(connection: Connection, institute: str, url: str, allow: AllowList, at: datetime) -> int:
    """Name a receiver of an institute and return its id.

    Raises NotFound (`unknown_organisation`), UsageError (see `core.hosts.target_of`), Refused (`webhook_known`,
    `webhook_too_many`).
    """
    target_of(url, allow)
    organisation = organisation_id(connection, OrganisationKind.INSTITUTE, institute)
    _room(connection, organisation, url)
    values = {"organisation_id": organisation, "url": url, "status": WebhookStatus.ACTIVE.value, "created_at": at}
    return int(connection.execute(insert(WEBHOOK).values(values).returning(WEBHOOK.c.id)).scalar_one())


def _room(connection: Connection, organisation: int, url: str) -> None:
    """Refuse one more receiver where there are enough, or the same twice; whoever else asks meanwhile waits."""
    connection.execute(select(ORGANISATION.c.id).where(ORGANISATION.c.id == organisation).with_for_update())
    same = select(WEBHOOK.c.url).where(WEBHOOK.c.organisation_id == organisation, _ACTIVE)
    urls = connection.execute(same).scalars().all()
    if url in urls:
        raise Refused("webhook_known", value=url)
    if len(urls) >= MOST:
        raise Refused("webhook_too_many", limit=MOST)


def rotate(connection: Connection, webhook_id: int, wall: datetime) -> Row[Any]:
    """Give a receiver a new secret and return its row; the one before signs too for a day.

    Raises NotFound (`unknown_webhook`).
    """
    receiver(connection, webhook_id)
    values = {"generation": WEBHOOK.c.generation + 1, "rotated_at": wall}
    connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == webhook_id).values(values))
    return receiver(connection, webhook_id)


def disable(connection: Connection, webhook_id: int, because: str, at: datetime, wall: datetime) -> bool:
    """Send nothing more to a receiver; what waited for it is kept and can be replayed. False when it was disabled.

    A person's word stands above the machine's. Raises NotFound (`unknown_webhook`).
    """
    receiver(connection, webhook_id)
    values = {"status": WebhookStatus.DISABLED.value, "disabled_because": because, "disabled_at": at}
    may = or_(_ACTIVE, WEBHOOK.c.disabled_because != because) if because == BY_HAND else _ACTIVE
    if connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == webhook_id, may).values(values)).rowcount == 0:
        return False
    waiting = (EVENT.c.webhook_id == webhook_id, EVENT.c.status == EventStatus.QUEUED.value)
    dropped = {"status": EventStatus.DROPPED.value, "settled_at": wall}
    connection.execute(update(EVENT).where(*waiting).values(dropped))
    return True


def enable(connection: Connection, webhook_id: int) -> None:
    """Send to a receiver again, from now on. Raises NotFound, Refused (`webhook_known`, `webhook_too_many`)."""
    row = receiver(connection, webhook_id)
    if row.status == WebhookStatus.ACTIVE:
        return
    _room(connection, row.organisation_id, row.url)
    values = {"status": WebhookStatus.ACTIVE.value, "disabled_because": None, "disabled_at": None}
    values |= {"failing_since": None, "not_before": None}
    connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == webhook_id).values(values))


def receiver(connection: Connection, webhook_id: int) -> Row[Any]:
    """Return a receiver's row. Raises NotFound (`unknown_webhook`)."""
    if not 0 < webhook_id <= LARGEST_ID:
        raise NotFound("unknown_webhook", id=webhook_id)
    row = connection.execute(select(WEBHOOK).where(WEBHOOK.c.id == webhook_id)).first()
    if row is None:
        raise NotFound("unknown_webhook", id=webhook_id)
    return row


def _active(connection: Connection, webhook_id: int) -> None:
    if receiver(connection, webhook_id).status != WebhookStatus.ACTIVE:
        raise Refused("webhook_disabled", id=webhook_id)


# --------------------------------------------------------------------------------------------------------------- events
def ping(connection: Connection, webhook_id: int, at: datetime) -> str:
    """Put an event that says nothing into a receiver's queue, and return its key. Raises NotFound, Refused."""
    _active(connection, webhook_id)
    key = f"msg_{uuid4().hex}"
    values = {"key": key, "webhook_id": webhook_id, "type": PING, "at": at, "status": EventStatus.QUEUED.value}
    connection.execute(insert(EVENT).values(values))
    return key


def replay(connection: Connection, key: str) -> int:
    """Have an event sent again, under the same id; return 0 when it waits already.

    Raises NotFound (`unknown_event`), Refused (`webhook_disabled`).
    """
    _active(connection, event(connection, key).webhook_id)
    return _again(connection, EVENT.c.key == key)


def replay_since(connection: Connection, institute: str, since: datetime) -> int:
    """Have all that happened since a moment sent again to an institute's active receivers; return how many events.

    Raises NotFound (`unknown_organisation`).
    """
    organisation = organisation_id(connection, OrganisationKind.INSTITUTE, institute)
    receivers = select(WEBHOOK.c.id).where(WEBHOOK.c.organisation_id == organisation, _ACTIVE)
    return _again(connection, and_(EVENT.c.webhook_id.in_(receivers), EVENT.c.at >= since, EVENT.c.type != PING))


def event(connection: Connection, key: str) -> Row[Any]:
    """Return an event's row. Raises NotFound (`unknown_event`)."""
    row = connection.execute(select(EVENT).where(EVENT.c.key == key)).first()
    if row is None:
        raise NotFound("unknown_event", id=key)
    return row


def _again(connection: Connection, which: ColumnElement[bool]) -> int:
    settled = EVENT.c.status != EventStatus.QUEUED.value
    return connection.execute(update(EVENT).where(which, settled).values(_AGAIN)).rowcount


# -------------------------------------------------------------------------------------------------------------- reading
def receivers(connection: Connection, institute: str | None) -> Sequence[Row[Any]]:
    """Return receivers with their institute, and how many events wait, failed or were dropped. Raises NotFound."""
    counts = [
        func.count(EVENT.c.id).filter(EVENT.c.status == status.value, EVENT.c.type != PING).label(str(status))
        for status in EventStatus
    ]
    query = (
        select(WEBHOOK, ORGANISATION.c.code.label("institute"), *counts)
        .select_from(_WITH_INSTITUTE.outerjoin(EVENT, EVENT.c.webhook_id == WEBHOOK.c.id))
        .group_by(WEBHOOK.c.id, ORGANISATION.c.code)
        .order_by(ORGANISATION.c.code, WEBHOOK.c.id)
    )
    return connection.execute(_of(connection, query, institute)).all()


def deliveries(connection: Connection, institute: str | None, limit: int = 50) -> Sequence[Row[Any]]:
    """Return the newest events, with what each is about and for whom. Raises NotFound (`unknown_organisation`)."""
    query = (
        select(EVENT, PARTICIPATION.c.reference, ORGANISATION.c.code.label("institute"))
        .select_from(_WITH_INSTITUTE.join(EVENT, EVENT.c.webhook_id == WEBHOOK.c.id).outerjoin(PARTICIPATION))
        .order_by(EVENT.c.id.desc())
        .limit(limit)
    )
    return connection.execute(_of(connection, query, institute)).all()


def _of(connection: Connection, query: Any, institute: str | None) -> Any:  # noqa: ANN401 - a select of any row
    if institute is None:
        return query
    return query.where(ORGANISATION.c.id == organisation_id(connection, OrganisationKind.INSTITUTE, institute))


_WITH_INSTITUTE = WEBHOOK.join(ORGANISATION, ORGANISATION.c.id == WEBHOOK.c.organisation_id)
