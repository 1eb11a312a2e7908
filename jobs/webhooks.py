"""Events for the institutes' receivers: claimed, sent with no transaction open, settled.

The lease stands on the receiver, not on the event: one process, and one request at a time, is with a receiver. One that
died keeps it for 60 s (wall); then its events are sent again, under the same id, by which a receiver knows them.
A receiver that is slow or fails takes one thread for ten seconds; it is then left alone until the next run.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, exists, insert, or_, select, update

from actions.reading import read_rows
from actions.telling import Tell, notification_row
from actions.webhooks import EVENT, WEBHOOK, disable
from actions.writing import NOTIFICATION, PARTICIPATION
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from notifications.webhooks import (
    GIVE_UP_AFTER,
    PING,
    Answer,
    Event,
    body,
    generations,
    next_try,
    pause_until,
    secret,
    signed,
)
from states.names import EventStatus, Kind, Role, Subject, WebhookStatus

JOB = "webhooks"
LEASE = timedelta(seconds=60)
AT_ONCE = 16  # receivers
RUN_FOR, TURN_FOR = 45.0, 20.0  # seconds after which no other turn, no other request begins
_IN_A_TURN = 20  # events to a receiver, one after the other


@dataclass(frozen=True, slots=True)
class Turn:
    """A receiver that this process holds, and the events it is told in this turn."""

    receiver: Row[Any]
    until: datetime
    events: Sequence[Row[Any]]


Sent = list[tuple[Row[Any], Answer]]


def has_work(connection: Connection, wall: datetime) -> bool:
    """Tell whether an event can be sent: one indexed probe."""
    return connection.execute(_ready(wall, _due(wall)).limit(1)).first() is not None


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Send what is due; the receivers that last answered come first, then each gets its turn."""
    return _Run(workshop, at, min(limit, _IN_A_TURN)).all()


def send_one(workshop: Workshop, at: datetime, key: str) -> Summary:
    """Send one event, and nothing else, if its receiver is free."""
    return _Run(workshop, at, 1, EVENT.c.key == key).all()


class _Run:
    """One run: which receivers had how many turns, and which failed and are left alone."""

    def __init__(self, workshop: Workshop, at: datetime, limit: int, which: ColumnElement[bool] | None = None) -> None:
        self.workshop, self.at, self.limit, self.which = workshop, at, limit, which
        self.summary = Summary(JOB)
        self.turns: Counter[int] = Counter()
        self.failed: set[int] = set()

    def all(self) -> Summary:
        """Give turns until nothing is due, or the time is over; a turn that has begun is waited for."""
        ends = monotonic() + RUN_FOR
        flying: dict[Future[Sent], Turn] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix=JOB) as threads:
            while True:
                if monotonic() < ends:
                    for turn in self._claim(AT_ONCE - len(flying)):
                        flying[threads.submit(_send, self.workshop, turn)] = turn
                if not flying:
                    return self.summary
                for done in wait(flying, return_when=FIRST_COMPLETED).done:
                    self._settle(flying.pop(done), done.result())

    def _settle(self, turn: Turn, sent: Sent) -> None:
        """Write down what became of a turn; a fault in doing so is about this receiver only, whose lease then ends."""
        if any(not answer.accepted for _, answer in sent):
            self.failed.add(turn.receiver.id)
        try:
            _settle(self.workshop, turn, sent, self.at, self.summary)
        except Exception as fault:  # noqa: BLE001 - as above
            self.failed.add(turn.receiver.id)
            self.summary.fail(f"webhook {turn.receiver.id}", type(fault).__name__)

    def _claim(self, free: int) -> list[Turn]:
        """Take receivers that have something due and that nobody holds, and what each is to be told."""
        wall = self.workshop.wall()
        due = _due(wall) if self.which is None else _due(wall) & self.which
        with self.workshop.engine.begin() as connection:
            ready = [row for row in connection.execute(_ready(wall, due)) if row.id not in self.failed]
            ready.sort(key=lambda row: (self.turns[row.id], row.failing_since is not None, row.id))
            held = [row for row in sorted(ready[:free], key=_id) if self._take(connection, row, wall)]
            turns = [Turn(row, wall + LEASE, self._events(connection, row, due)) for row in held]
        self.turns.update(row.id for row in held)
        return turns

    def _take(self, connection: Connection, receiver: Row[Any], wall: datetime) -> bool:
        values = {"leased_by": self.workshop.holder, "leased_until": wall + LEASE}
        return (
            connection.execute(update(WEBHOOK).where(WEBHOOK.c.id == receiver.id, _free(wall)).values(values)).rowcount
            == 1
        )

    def _events(self, connection: Connection, receiver: Row[Any], due: ColumnElement[bool]) -> Sequence[Row[Any]]:
        """Return what a receiver is told next: what was never tried before what failed."""
        query = (
            select(EVENT, PARTICIPATION.c.reference)
            .outerjoin(PARTICIPATION, PARTICIPATION.c.id == EVENT.c.participation_id)
            .where(EVENT.c.webhook_id == receiver.id, due)
            .order_by(EVENT.c.attempts, EVENT.c.id)
            .limit(self.limit)
        )
        return connection.execute(query).all()


def _id(row: Row[Any]) -> int:
    return int(row.id)


def _due(wall: datetime) -> ColumnElement[bool]:
    """Return the condition that an event's moment has come."""
    return (EVENT.c.status == EventStatus.QUEUED.value) & or_(EVENT.c.not_before.is_(None), EVENT.c.not_before <= wall)


def _free(wall: datetime) -> ColumnElement[bool]:
    """Return the condition that nobody sends to a receiver."""
    return or_(WEBHOOK.c.leased_until.is_(None), WEBHOOK.c.leased_until < wall)


def _ready(wall: datetime, due: ColumnElement[bool]) -> Select[Any]:
    """Return the receivers to which something can be sent now."""
    rested = or_(WEBHOOK.c.not_before.is_(None), WEBHOOK.c.not_before <= wall)
    waiting = exists().where(EVENT.c.webhook_id == WEBHOOK.c.id, due)
    active = WEBHOOK.c.status == WebhookStatus.ACTIVE.value
    return select(WEBHOOK).where(active, rested, _free(wall), waiting).order_by(WEBHOOK.c.id)


# ---------------------------------------------------------------------------------------------------------------- send
def _send(workshop: Workshop, turn: Turn) -> Sent:
    """Tell a receiver its events one after the other, until one is not taken, or its turn is over."""
    sent: Sent = []
    ends = monotonic() + TURN_FOR
    for event in turn.events:
        # past the lease, another process may be telling it the rest
        if monotonic() >= ends or workshop.wall() >= turn.until:
            break
        try:
            answer = _post(workshop, turn.receiver, event)
        except Exception as fault:  # noqa: BLE001 - a fault of ours with one receiver must not stop the others
            answer = Answer(code=type(fault).__name__)
        sent.append((event, answer))
        if not answer.accepted:
            break
    return sent


def _post(workshop: Workshop, receiver: Row[Any], event: Row[Any]) -> Answer:
    wall = workshop.wall()
    text = body(
        Event(
            type=event.type,
            at=event.at,
            reference=event.reference,
            purpose=event.purpose,
            round=event.round,
            status=event.handoff_status,
            sequence=event.seq,
        ),
        workshop.public_url,
    )
    secrets = [
        secret(workshop.seal_key, receiver.id, receiver.url, generation)
        for generation in generations(receiver.generation, receiver.rotated_at, wall)
    ]
    return workshop.post(receiver.url, signed(event.key, text, secrets, wall), text)


# -------------------------------------------------------------------------------------------------------------- settle
@dataclass(frozen=True, slots=True)
class _Standing:
    """What becomes of a receiver by its answers."""

    failing_since: datetime | None
    not_before: datetime | None = None
    disabled: str = ""  # why, if it is
    by: Row[Any] | None = None  # the event whose failure did it


def _settle(workshop: Workshop, turn: Turn, sent: Sent, at: datetime, summary: Summary) -> None:
    """Write down what became of each event, and of the receiver; only who still holds it may."""
    wall = workshop.wall()
    standing = _Standing(turn.receiver.failing_since, turn.receiver.not_before)
    told = []
    for event, answer in sent:
        standing = _judged(standing, event, answer, wall)
        told.append(_told(event, answer, wall, standing))
    with workshop.engine.begin() as connection:
        if not _release(connection, workshop.holder, turn.receiver.id, standing, sent, wall):
            return  # its lease ran out, and another process has taken it up
        if told:
            connection.execute(_SETTLE, told)
        if standing.disabled and disable(connection, turn.receiver.id, standing.disabled, at, wall):
            _alert(connection, turn.receiver, standing.by, at, wall)
    for values in told:
        summary.add(values["b_key"], values["v_status"])
    if standing.disabled:
        summary.add(f"webhook {turn.receiver.id}", WebhookStatus.DISABLED)


def _judged(standing: _Standing, event: Row[Any], answer: Answer, wall: datetime) -> _Standing:
    """Return how a receiver stands after an answer; a ping that fails is only told to whoever sent it."""
    if answer.accepted:
        return _Standing(None)
    if event.type == PING:
        return standing
    since = standing.failing_since or wall
    why = "gone" if answer.gone else "failing" if wall >= since + GIVE_UP_AFTER else ""
    return replace(standing, failing_since=since, not_before=pause_until(answer, wall), disabled=why, by=event)


def _told(event: Row[Any], answer: Answer, wall: datetime, standing: _Standing) -> dict[str, Any]:
    """Return what becomes of an event: taken, given up, or to be tried again."""
    first_failed = event.first_failed_at or wall
    given_up = event.type == PING or standing.disabled or wall >= first_failed + GIVE_UP_AFTER
    status = EventStatus.ACCEPTED if answer.accepted else EventStatus.FAILED if given_up else EventStatus.QUEUED
    again = status is EventStatus.QUEUED
    tried = event.attempts + 1
    return {
        "b_id": event.id,
        "b_key": event.key,
        "v_status": status.value,
        "v_attempts": tried,
        "v_not_before": next_try(event.key, tried, wall, first_failed) if again else None,
        "v_first_failed_at": event.first_failed_at if answer.accepted else first_failed,
        "v_answer": answer.code,
        "v_settled_at": None if again else wall,
    }


_SETTLE = (
    update(EVENT)
    .where(EVENT.c.id == bindparam("b_id"), EVENT.c.key == bindparam("b_key"))
    .values(
        {
            name: bindparam(f"v_{name}")
            for name in ("status", "attempts", "not_before", "first_failed_at", "answer", "settled_at")
        }
    )
)


def _release(
    connection: Connection, holder: str, receiver_id: int, standing: _Standing, sent: Sent, wall: datetime
) -> bool:
    values: dict[str, Any] = {"leased_by": None, "leased_until": None}
    if sent:
        values |= {"failing_since": standing.failing_since, "not_before": standing.not_before}
        values |= {"answer": sent[-1][1].code, "answered_at": wall}
    mine = (WEBHOOK.c.id == receiver_id, WEBHOOK.c.leased_by == holder)
    return connection.execute(update(WEBHOOK).where(*mine).values(values)).rowcount == 1


def _alert(connection: Connection, receiver: Row[Any], event: Row[Any] | None, at: datetime, wall: datetime) -> None:
    """Tell IFC that a receiver hears nothing more; what is said hangs on the event that showed it."""
    if event is None:
        return
    row = read_rows(connection, [event.participation_id])[event.participation_id]
    key = f"{row.id}/webhook.{receiver.id}.{wall:%Y%m%dT%H%M%S.%f}/{Kind.WEBHOOK_DISABLED}"
    tell = Tell(Kind.WEBHOOK_DISABLED, Role.COORDINATOR, Subject.HANDOFF, JOB, key, event.seq)
    connection.execute(insert(NOTIFICATION), notification_row(row, tell, at))
