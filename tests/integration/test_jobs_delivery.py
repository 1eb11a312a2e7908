"""The outbox under bad luck: slow, failing and dying gateways; what is written down is what happened."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobs import delivery
from jobs.delivery import LEASE
from jobs.summary import Summary
from notifications.gateways import Mail, MaybeSentError, NotSentError, Receipt
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import REGISTERED_AT, World, a_world


class Scripted:
    """A gateway that does as told for each message; what it accepted stands in `sent`."""

    name = "scripted"

    def __init__(self, then: Callable[[Mail], Receipt | None] = lambda _mail: None, *, idempotent: bool = True) -> None:
        self.then, self.idempotent = then, idempotent
        self.sent: Counter[str] = Counter()

    def send(self, mail: Mail) -> Receipt:
        answer = self.then(mail)
        if answer is not None:
            return answer
        self.sent[mail.message_id] += 1
        return Receipt(accepted=True, provider_id=f"provider {mail.message_id[:4]}")


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world with three messages to send: to two directors, and to IFC."""
    with a_world(databases, database_kind, tmp_path) as world:
        world.gateway = Scripted()
        yield world


def messages(world: World) -> list[tuple[str, int, str | None]]:
    rows = world.rows("SELECT status, attempts, error FROM message ORDER BY status, id")
    return [(row.status, row.attempts, row.error) for row in rows]


def deliver(world: World) -> Summary:
    return delivery.run(world.workshop, REGISTERED_AT)


def claimed_and_sent(world: World) -> Callable[[], None]:
    """Claim and send, and return what would settle it: for a process that is held up in between."""
    while delivery._put_in_envelopes(world.workshop, REGISTERED_AT, 500):
        pass
    summary = Summary(delivery.JOB)
    claimed = delivery._claim(world.workshop, REGISTERED_AT, 50, summary)
    sent = [(letter, delivery._send(world.workshop, letter, REGISTERED_AT, summary)) for letter in claimed]
    return lambda: delivery._settle(world.workshop, sent, REGISTERED_AT, summary)


# ------------------------------------------------------------------------------------------------------ one bad message
def test_gateway_that_fails_unexpectedly_on_one_message_stops_no_other(world: World) -> None:
    """A fault of the gateway itself: nobody can tell whether that message left."""
    failing: list[str] = []

    def then(mail: Mail) -> None:
        if failing in ([], [mail.message_id]):
            failing[:] = [mail.message_id]
            raise RuntimeError(mail.recipient.address)

    world.gateway = Scripted(then)

    deliver(world)

    assert messages(world) == [("accepted", 1, None), ("accepted", 1, None), ("unknown", 1, "RuntimeError")]
    assert world.one("SELECT id FROM message WHERE status = 'unknown'") == failing[0]


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (NotSentError("file: OSError"), "queued", "file: OSError"),
        (MaybeSentError("timeout"), "unknown", "timeout"),
        (Receipt(accepted=False, error="bad_address"), "failed", "bad_address"),
        (Receipt(accepted=False, error="busy", retry_after=timedelta(minutes=5)), "queued", "busy"),
    ],
    ids=["not sent", "maybe sent", "refused", "later"],
)
def test_what_the_gateway_says_is_written_down(
    world: World, answer: Receipt | Exception, status: str, error: str
) -> None:
    def then(_mail: Mail) -> Receipt:
        if isinstance(answer, Exception):
            raise answer
        return answer

    world.gateway = Scripted(then)

    deliver(world)

    assert messages(world) == [(status, 1, error)] * 3
    kept = world.one("SELECT count(*) FROM message_text")
    assert kept == (3 if status == "unknown" else 0)


@pytest.mark.parametrize(("answer", "wait"), [("not sent", timedelta(minutes=1)), ("later", timedelta(minutes=5))])
def test_message_to_be_tried_again_is_tried_when_its_time_has_come(world: World, answer: str, wait: timedelta) -> None:
    def then(_mail: Mail) -> Receipt:
        if answer == "not sent":
            raise NotSentError("file: OSError")
        return Receipt(accepted=False, error="busy", retry_after=wait)

    world.gateway = Scripted(then)
    deliver(world)
    world.gateway = gateway = Scripted()

    world.wall.now += wait - timedelta(seconds=1)
    deliver(world)
    assert gateway.sent == {}

    world.wall.now += timedelta(seconds=1)
    deliver(world)
    assert (set(gateway.sent.values()), messages(world)) == ({1}, [("accepted", 2, None)] * 3)


# --------------------------------------------------------------------------------------------------------- lost leases
def test_process_that_settles_after_its_lease_was_taken_changes_nothing(world: World) -> None:
    late = claimed_and_sent(world)
    world.wall.now += LEASE + timedelta(seconds=1)
    deliver(world.another("second"))
    before = dump(world.engine)

    late()

    assert dump(world.engine) == before


def test_process_that_settles_in_time_writes_what_it_did(world: World) -> None:
    """Control: the same, before anybody else came."""
    late = claimed_and_sent(world)
    before = dump(world.engine)

    late()

    assert dump(world.engine) != before
    assert messages(world) == [("accepted", 1, None)] * 3


def test_slow_gateway_sends_nothing_more_once_the_lease_has_ended(world: World) -> None:
    """Others may take the rest up from then on; sending it as well would double it."""
    started = world.wall()

    def slow(_mail: Mail) -> None:
        assert world.wall() <= started + LEASE, "sent what may be somebody else's by now"
        world.wall.now += timedelta(seconds=40)

    world.gateway = Scripted(slow)

    deliver(world)
    started = world.wall()
    deliver(world)

    assert messages(world) == [("accepted", 1, None)] * 3


@pytest.mark.parametrize("idempotent", [True, False])
def test_message_of_a_process_that_died_after_sending_is_sent_again_only_where_that_does_no_harm(
    world: World, *, idempotent: bool
) -> None:
    gateway = Scripted(idempotent=idempotent)
    world.gateway = gateway
    claimed_and_sent(world)
    world.wall.now += LEASE + timedelta(seconds=1)

    deliver(world.another("second", gateway=gateway))

    expected = ("accepted", 2, None) if idempotent else ("unknown", 1, "abandoned")
    assert messages(world) == [expected] * 3
    assert set(gateway.sent.values()) == {2 if idempotent else 1}


def test_message_that_may_have_left_is_not_called_off(world: World) -> None:
    """Sent by a process that then died; meanwhile the director approved. It did leave: the row must not deny it."""
    claimed_and_sent(world)
    for reference in worlds.AMELIE, worlds.BASILE, worlds.CELINE:
        world.act(reference, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)
    world.wall.now += LEASE + timedelta(seconds=1)

    delivery.run(world.another("second").workshop, worlds.APPROVED_AT)

    requests = world.rows("SELECT status FROM message WHERE kind = 'approval_requested' AND role = 'director'")
    assert {row.status for row in requests} <= {"accepted", "unknown"}


def test_request_that_is_answered_before_it_leaves_is_called_off(world: World) -> None:
    """Control: here nothing left."""
    world.act(worlds.CELINE, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)

    delivery.run(world.workshop, worlds.APPROVED_AT)

    assert sorted(status for status, *_ in messages(world)) == ["accepted", "accepted", "accepted", "cancelled"]
    assert world.one("SELECT error FROM message WHERE status = 'cancelled'") == "no_longer_true"


# ------------------------------------------------------------------------------------------------------------ at large
@pytest.mark.parametrize("limit", [2, 3, 500])
def test_what_shares_an_envelope_is_not_cut_by_the_size_of_a_batch(world: World, limit: int) -> None:
    """One director has two requests: one mail, even where a batch ends between them."""
    delivery.run(world.workshop, REGISTERED_AT, limit)

    carried = world.rows("SELECT count(*) AS n FROM notification GROUP BY message_id ORDER BY n")
    assert [row.n for row in carried] == [1, 1, 2]


def test_many_messages_that_need_not_leave_are_called_off(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever their number: as after an outage in which everybody answered."""
    with a_world(databases, database_kind, tmp_path, worlds.placed) as world:
        world.change("DELETE FROM message_text")
        world.change("UPDATE message SET status = 'queued', kind = 'approval_requested', settled_at = NULL")
        number = world.one("SELECT count(*) FROM message")
        monkeypatch.setattr(delivery, "_CLAIMED_AT_ONCE", 1)
        depths: list[int] = []
        claim = delivery._claim

        def counted(*arguments: object) -> object:
            depths.append(1)
            assert sum(depths) <= 1, "each batch that says nothing is one call deeper"
            try:
                return claim(*arguments)  # type: ignore[arg-type]
            finally:
                depths.pop()

        monkeypatch.setattr(delivery, "_claim", counted)
        deliver(world)

        assert world.one("SELECT count(*) FROM message WHERE status = 'cancelled'") == number
