"""Webhooks to real receivers on this machine: said once, signed, tried again, given up, replayed."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import event
from standardwebhooks import Webhook, WebhookVerificationError

from actions import webhooks as receivers
from actions.handoffs import route
from actions.occasion import system
from core.clock import wall_now
from core.errors import NotFound, Refused, UsageError
from core.hosts import AllowList
from jobs import delivery, handoffs, tick, webhooks
from jobs.summary import Summary
from notifications.courier import Courier
from notifications.webhooks import secret
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.receivers import Behave, Receiver, a_receiver, answers, drips, hangs, in_turn
from tests.support.rows import dump
from tests.support.worlds import ACCEPTED_AT, AMELIE, BASILE, CELINE, OFFERED_AT, Wall, World, a_world, name_receiver

ALLOW = AllowList.parse("127.0.0.0/8")
OK, DOWN = answers(204), answers(500)
KEY = b"a key of the tests"
Start = Callable[..., Receiver]


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which three handoffs wait to be offered: two to Cecafoc, one to FCC; its wall is the real one."""
    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        world.wall = Wall(wall_now())
        yield world


@pytest.fixture
def start(world: World) -> Iterator[Start]:
    """Give receivers, named for an institute; each is there for the time of the test."""
    with ExitStack() as stack:

        def start(then: Behave, institute: str = "CECAFOC") -> Receiver:
            receiver = stack.enter_context(a_receiver(then))
            name_receiver(world, receiver.url, institute)
            return receiver

        yield start


def offer(world: World) -> None:
    handoffs.run(world.workshop, OFFERED_AT)


def send(world: World, at: datetime = OFFERED_AT) -> Summary:
    return webhooks.run(world.workshop, at)


def events(world: World) -> list[tuple[str, int, str | None]]:
    rows = world.rows("SELECT status, attempts, answer FROM webhook_event ORDER BY id")
    return [(row.status, row.attempts, row.answer) for row in rows]


def standing(world: World, number: int = 1) -> tuple[str, str | None, bool]:
    row = world.rows("SELECT status, disabled_because, failing_since FROM webhook WHERE id = :id", id=number)[0]
    return row.status, row.disabled_because, row.failing_since is not None


def said(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(got.text) for got in receiver.got]


def verified(receiver: Receiver, key: str) -> list[Any]:
    """Return what reached a receiver, verified as it would."""
    return [Webhook(key).verify(got.text, got.headers) for got in receiver.got]


def its_secret(receiver: Receiver, number: int = 1, generation: int = 1) -> str:
    return secret(KEY, number, receiver.url, generation)


# ------------------------------------------------------------------------------------------------------- what is said
def test_receiver_hears_of_its_rounds_once_signed_and_without_personal_data(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)

    send(world)
    send(world)

    told = verified(receiver, its_secret(receiver))
    assert [(each["type"], each["data"]["reference"]) for each in told] == [
        ("handoff.offered", AMELIE),
        ("handoff.offered", BASILE),
    ]
    seq = world.one("SELECT seq FROM journal WHERE chain_id = :id AND trigger = 'offer'", id=world.id(AMELIE))
    assert told[0]["data"] == {
        "reference": AMELIE,
        "purpose": "transfer",
        "round": 1,
        "status": "offered",
        "sequence": seq,
        "link": f"https://entrapprendre.example/api/v1/handoffs/{AMELIE}",
    }
    people = world.rows("SELECT first_name, last_name, email FROM party")
    texts = "".join(got.text for got in receiver.got)
    assert [word for row in people for word in row if word and word in texts] == []
    assert events(world) == [("accepted", 1, "204")] * 2


def test_each_institute_hears_of_its_own_rounds_at_each_of_its_receivers(world: World, start: Start) -> None:
    first, second, other = start(OK), start(OK), start(OK, "FCC")
    offer(world)

    send(world)

    found = [[each["data"]["reference"] for each in said(receiver)] for receiver in (first, second, other)]
    assert found == [[AMELIE, BASILE], [AMELIE, BASILE], [CELINE]]
    assert len({*first.ids, *second.ids, *other.ids}) == 5


def test_every_status_that_a_round_reaches_is_said_in_its_own_words(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF)
    world.act(
        BASILE, Trigger.DECLINE, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF, data={"cause": "no_session"}
    )
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, worlds.TRANSFERRED_AT)

    send(world)

    told = {(each["type"], each["data"]["reference"], each["data"]["round"]) for each in said(receiver)}
    assert told == {
        ("handoff.offered", AMELIE, 1),
        ("handoff.offered", BASILE, 1),
        ("handoff.accepted", AMELIE, 1),
        ("handoff.declined", BASILE, 1),
        ("handoff.completed", AMELIE, 1),
        ("return.offered", AMELIE, 1),
    }


def test_round_that_times_out_or_is_closed_is_said(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, ACCEPTED_AT)
    world.act(BASILE, Trigger.TIME_OUT, Role.SYSTEM, ACCEPTED_AT, subject=Subject.HANDOFF)

    send(world)

    told = [(each["type"], each["data"]["reference"]) for each in said(receiver)]
    assert told[2:] == [("handoff.closed", AMELIE), ("handoff.timed_out", BASILE)]


def test_round_offered_again_is_another_round_to_another_receiver(world: World, start: Start) -> None:
    first, second = start(OK), start(OK, "FCC")
    offer(world)
    world.act(
        AMELIE, Trigger.DECLINE, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF, data={"cause": "no_session"}
    )
    fcc = world.one("SELECT id FROM organisation WHERE code = 'FCC'")
    world.act(
        AMELIE, Trigger.OFFER, Role.COORDINATOR, ACCEPTED_AT, subject=Subject.HANDOFF, reason="Autre.",
        data={"receiver": fcc},
    )  # fmt: skip

    send(world)

    about = [
        [(each["type"], each["data"]["round"]) for each in said(receiver) if each["data"]["reference"] == AMELIE]
        for receiver in (first, second)
    ]
    assert about == [[("handoff.offered", 1), ("handoff.declined", 1)], [("handoff.offered", 2)]]


def test_event_is_undone_with_the_act_it_tells_of(world: World, start: Start) -> None:
    start(OK)
    amelie = world.id(AMELIE)
    with world.engine.connect() as connection, connection.begin() as transaction:
        route(connection, [amelie], system("test"), world.workshop.occasion(OFFERED_AT))
        written = connection.exec_driver_sql("SELECT count(*) FROM webhook_event").scalar_one()
        transaction.rollback()

    assert written == 1
    assert (events(world), world.one("SELECT count(*) FROM handoff WHERE status = 'offered'")) == ([], 0)


def on_webhooks(world: World) -> list[str]:
    """Return what is asked of the tables of webhooks from now on, by its first word."""
    asked: list[str] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def _asked(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "webhook" in statement:
            asked.append(statement.partition(" ")[0])

    return asked


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_batch_of_offers_asks_once_for_receivers(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.crowd_immersed, own_schema=True) as world:
        name_receiver(world, "http://127.0.0.1:9/hook")
        asked = on_webhooks(world)

        offer(world)

        assert asked == ["SELECT", "INSERT"]
        assert world.one("SELECT count(*) FROM webhook_event") == worlds.CROWD // 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_act_of_which_no_receiver_hears_asks_nothing(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.prepared, own_schema=True) as world:
        asked = on_webhooks(world)

        world.act(AMELIE, Trigger.CONFIRM_IMMERSION, Role.COMPANY, worlds.IMMERSED_AT)  # requests a round

        assert asked == []


# ------------------------------------------------------------------------------------------------------- trying again
def test_receiver_that_recovers_gets_what_it_did_not_take_under_the_same_id(world: World, start: Start) -> None:
    receiver = start(in_turn(DOWN, OK))
    offer(world)

    send(world)
    assert (events(world), standing(world)) == ([("queued", 1, "500"), ("queued", 0, None)], ("active", None, True))

    send(world)  # five seconds have not passed: only the other is sent
    assert (events(world), standing(world)) == ([("queued", 1, "500"), ("accepted", 1, "204")], ("active", None, False))

    world.wall.advance(seconds=6)
    send(world)
    assert events(world) == [("accepted", 2, "204"), ("accepted", 1, "204")]
    first, second, third = receiver.ids
    assert first == third != second
    assert receiver.got[0].text == receiver.got[2].text
    assert receiver.got[0].headers["webhook-timestamp"] != receiver.got[2].headers["webhook-timestamp"]


def test_receiver_that_fails_gets_no_other_request_in_the_same_run(world: World, start: Start) -> None:
    receiver = start(DOWN)
    offer(world)

    summary = send(world)

    assert (len(receiver.got), dict(summary.counts)) == (1, {"queued": 1})
    assert events(world)[1] == ("queued", 0, None)


@pytest.mark.parametrize(
    ("then", "answer"),
    [
        (hangs, "timeout"),
        (drips, "timeout"),
        (answers(302, Location="http://127.0.0.1:9/"), "302"),
        (answers(404), "404"),
    ],
    ids=["hangs", "drips", "redirects", "404"],
)
def test_receiver_that_misbehaves_is_noted_and_stops_nobody(
    world: World, start: Start, then: Behave, answer: str
) -> None:
    start(then)
    good = start(OK, "FCC")
    offer(world)

    send(world)

    assert (len(good.got), events(world)[0]) == (1, ("queued", 1, answer))
    assert world.one("SELECT answer FROM webhook WHERE id = 1") == answer


def test_private_address_is_refused_at_each_try_unless_listed(world: World, start: Start) -> None:
    """Listed when it was named, and no more since."""
    receiver = start(OK)
    offer(world)
    world.post = Courier(AllowList()).post

    send(world)
    assert (receiver.got, events(world)[0]) == ([], ("queued", 1, "webhook_https"))

    world.post = None
    world.wall.advance(seconds=6)
    send(world)
    assert [status for status, *_ in events(world)] == ["accepted", "accepted"]


def test_pause_that_a_receiver_asks_for_keeps_all_its_events_back(world: World, start: Start) -> None:
    receiver = start(in_turn(answers(429, Retry_After="600"), OK))
    offer(world)
    send(world)

    world.wall.advance(seconds=599)
    assert not tick.has_work(world.workshop, webhooks.JOB, OFFERED_AT)
    send(world)
    assert len(receiver.got) == 1

    world.wall.advance(seconds=2)
    assert tick.has_work(world.workshop, webhooks.JOB, OFFERED_AT)
    send(world)
    assert [status for status, *_ in events(world)] == ["accepted", "accepted"]


def failing_for(world: World, **time: float) -> None:
    """Have the clock go on in steps of a quarter of an hour, with a run at each."""
    until = world.wall.now + timedelta(**time)
    while world.wall.now < until:
        send(world)
        world.wall.advance(minutes=15)


def test_receiver_that_takes_nothing_for_three_days_is_disabled_with_an_alert(world: World, start: Start) -> None:
    receiver = start(DOWN)
    offer(world)

    failing_for(world, days=2, hours=23)
    assert standing(world) == ("active", None, True)
    assert {status for status, *_ in events(world)} == {"queued"}

    failing_for(world, hours=2)

    assert standing(world) == ("disabled", "failing", True)
    assert sorted(status for status, *_ in events(world)) == ["dropped", "failed"]
    assert 16 <= len(receiver.got) <= 20  # two events, eight or nine tries each
    alerts = world.rows("SELECT kind, role, rule FROM notification WHERE kind = 'webhook_disabled'")
    assert [tuple(row) for row in alerts] == [("webhook_disabled", "coordinator", "webhooks")]


def test_alert_names_the_institute_whose_receiver_it_was(world: World, start: Start) -> None:
    start(answers(410))
    offer(world)
    send(world)
    # by now the round is another's
    world.change("UPDATE handoff SET receiver_id = (SELECT id FROM organisation WHERE code = 'FCC')")

    delivery.run(world.workshop, OFFERED_AT)

    text = world.one(
        "SELECT t.text FROM message_text t JOIN message m ON m.id = t.message_id WHERE kind = 'webhook_disabled'"
    )
    name = world.one("SELECT name FROM organisation WHERE code = 'CECAFOC'")
    assert f"Institut\u00a0: {name}" in text


def test_receiver_that_is_gone_is_disabled_at_once(world: World, start: Start) -> None:
    receiver = start(answers(410))
    offer(world)

    summary = send(world)

    assert (len(receiver.got), standing(world)) == (1, ("disabled", "gone", True))
    assert [status for status, *_ in events(world)] == ["failed", "dropped"]
    assert dict(summary.counts) == {"failed": 1, "disabled": 1}
    assert world.one("SELECT count(*) FROM notification WHERE kind = 'webhook_disabled'") == 1


def test_event_that_is_never_taken_is_given_up_alone_where_others_are_taken(world: World, start: Start) -> None:
    """A receiver that chokes on one event, and works: it keeps hearing of the rest, and the failure is shown."""
    receiver = start(OK)
    receiver.then = lambda handler: handler.answer(500 if AMELIE in receiver.got[-1].text else 200)
    offer(world)

    for _ in range(3):
        failing_for(world, hours=23)
        with world.engine.begin() as connection:
            receivers.ping(connection, 1, OFFERED_AT)
    failing_for(world, hours=5)

    assert standing(world) == ("active", None, True)
    assert events(world)[0][0] == "failed"
    assert world.rows("SELECT 1 FROM notification WHERE kind = 'webhook_disabled'") == []


# --------------------------------------------------------------------------------------------- disabling and replaying
def test_what_a_failing_receiver_missed_is_kept_and_replayed_once_it_is_back(world: World, start: Start) -> None:
    receiver = start(DOWN)
    offer(world)
    failing_for(world, days=3, hours=1)
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF)
    assert sorted(status for status, *_ in events(world)) == ["dropped", "dropped", "failed"]
    missed = set(receiver.ids)
    receiver.then = OK
    receiver.got.clear()

    with world.engine.begin() as connection:
        receivers.enable(connection, 1)
    send(world)
    assert receiver.got == []  # enabling alone floods nobody

    with world.engine.begin() as connection:
        assert receivers.replay_since(connection, "CECAFOC", ACCEPTED_AT) == 1
        assert receivers.replay_since(connection, "CECAFOC", OFFERED_AT) == 2
        assert receivers.replay_since(connection, "CECAFOC", OFFERED_AT) == 0
    send(world)

    assert [status for status, *_ in events(world)] == ["accepted"] * 3
    assert len(receiver.ids) == 3
    assert missed < set(receiver.ids)


def test_receiver_disabled_by_hand_hears_nothing_and_nothing_is_kept_for_it(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    with world.engine.begin() as connection:
        assert receivers.disable(connection, 1, receivers.BY_HAND, OFFERED_AT, world.wall())
        assert not receivers.disable(connection, 1, "failing", OFFERED_AT, world.wall())
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF)

    send(world)

    assert (receiver.got, standing(world)) == ([], ("disabled", "by_hand", False))
    assert [status for status, *_ in events(world)] == ["dropped", "dropped"]


def test_one_event_is_replayed_under_the_same_id(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    send(world)

    with world.engine.begin() as connection:
        assert receivers.replay(connection, receiver.ids[1]) == 1
        assert receivers.replay(connection, receiver.ids[1]) == 0  # it waits already
    send(world)

    assert receiver.ids[2:] == receiver.ids[1:2]


def test_what_cannot_be_done_with_a_receiver_is_refused(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    key = world.one("SELECT min(key) FROM webhook_event")
    with world.engine.begin() as connection:
        receivers.disable(connection, 1, receivers.BY_HAND, OFFERED_AT, world.wall())

    def refused(work: Callable[[Any], object]) -> str:
        with world.engine.begin() as connection, pytest.raises((Refused, NotFound, UsageError)) as caught:
            work(connection)
        return caught.value.code

    assert refused(lambda c: receivers.replay(c, key)) == "webhook_disabled"
    assert refused(lambda c: receivers.ping(c, 1, OFFERED_AT)) == "webhook_disabled"
    assert refused(lambda c: receivers.replay(c, "msg_0")) == "unknown_event"
    assert refused(lambda c: receivers.enable(c, 9)) == "unknown_webhook"
    assert refused(lambda c: receivers.disable(c, 9, "gone", OFFERED_AT, OFFERED_AT)) == "unknown_webhook"
    assert refused(lambda c: receivers.rotate(c, 9, OFFERED_AT)) == "unknown_webhook"
    assert refused(lambda c: receivers.add(c, "IFC", receiver.url, ALLOW, OFFERED_AT)) == "unknown_organisation"
    assert refused(lambda c: receivers.add(c, "FCC", receiver.url, AllowList(), OFFERED_AT)) == "webhook_https"
    for number in range(receivers.MOST):
        name_receiver(world, f"{receiver.url}{number}")
    assert refused(lambda c: receivers.add(c, "CECAFOC", f"{receiver.url}9", ALLOW, OFFERED_AT)) == "webhook_too_many"
    assert refused(lambda c: receivers.enable(c, 1)) == "webhook_too_many"
    assert refused(lambda c: receivers.add(c, "CECAFOC", f"{receiver.url}0", ALLOW, OFFERED_AT)) == "webhook_known"


# ------------------------------------------------------------------------------------------------------------- secrets
def test_old_and_new_secret_verify_for_a_day_after_a_change(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    with world.engine.begin() as connection:
        assert receivers.rotate(connection, 1, world.wall()).generation == 2
    send(world)
    for generation in (1, 2):
        assert len(verified(receiver, its_secret(receiver, generation=generation))) == 2

    world.change("UPDATE webhook SET rotated_at = :then", then=(world.wall() - timedelta(days=1)).isoformat())
    receiver.got.clear()
    with world.engine.begin() as connection:
        receivers.replay_since(connection, "CECAFOC", OFFERED_AT)
    send(world)
    assert len(verified(receiver, its_secret(receiver, generation=2))) == 2
    with pytest.raises(WebhookVerificationError):
        verified(receiver, its_secret(receiver, generation=1))


def test_nothing_is_sent_without_a_key_of_ours(world: World, start: Start) -> None:
    start(OK)
    offer(world)

    assert tick.has_work(world.workshop, webhooks.JOB, OFFERED_AT)
    assert not tick.has_work(replace(world.workshop, seal_key=b""), webhooks.JOB, OFFERED_AT)


# ---------------------------------------------------------------------------------------------------------------- ping
@pytest.mark.parametrize(
    ("then", "status"), [(OK, "accepted"), (DOWN, "failed"), (answers(410), "failed")], ids=["ok", "down", "gone"]
)
def test_ping_goes_the_way_of_all_events_and_is_tried_once(
    world: World, start: Start, then: Behave, status: str
) -> None:
    receiver = start(then)
    offer(world)
    with world.engine.begin() as connection:
        key = receivers.ping(connection, 1, OFFERED_AT)

    webhooks.send_one(world.workshop, OFFERED_AT, key)

    assert receiver.ids == [key]
    assert Webhook(its_secret(receiver)).verify(receiver.got[0].text, receiver.got[0].headers)["type"] == "ping"
    assert world.one("SELECT status FROM webhook_event WHERE key = :key", key=key) == status
    assert standing(world) == ("active", None, False)


# -------------------------------------------------------------------------------------------------------------- leases
def claimed_and_sent(world: World) -> Callable[[], None]:
    """Claim and send, and return what would settle it: for a process that is held up in between."""
    running = webhooks._Run(world.workshop, OFFERED_AT, 20)
    turns = [(turn, webhooks._send(world.workshop, turn)) for turn in running._claim(16)]

    def settle() -> None:
        for turn, sent in turns:
            running._settle(turn, sent)

    return settle


def test_events_of_a_process_that_died_are_sent_again_under_the_same_ids_once_its_lease_is_over(
    world: World, start: Start
) -> None:
    receiver = start(OK)
    offer(world)
    claimed_and_sent(world)

    second = world.another("second")
    send(second)
    assert len(receiver.got) == 2  # the lease holds

    world.wall.now += webhooks.LEASE + timedelta(seconds=1)
    send(second)
    assert receiver.ids[:2] == receiver.ids[2:]
    assert events(world) == [("accepted", 1, "204")] * 2


def test_process_that_settles_after_its_lease_was_taken_changes_nothing(world: World, start: Start) -> None:
    start(in_turn(DOWN, OK))
    offer(world)
    late = claimed_and_sent(world)
    world.wall.now += webhooks.LEASE + timedelta(seconds=1)
    send(world.another("second"))
    before = dump(world.engine)

    late()

    assert dump(world.engine) == before


def test_process_that_settles_in_time_writes_what_it_did(world: World, start: Start) -> None:
    """Control: the same, before anybody else came."""
    start(in_turn(DOWN, OK))
    offer(world)

    claimed_and_sent(world)()

    assert events(world) == [("queued", 1, "500"), ("queued", 0, None)]


def test_nothing_more_is_sent_once_the_lease_has_ended(world: World, start: Start) -> None:
    receiver = start(OK)

    def slow(handler: Any) -> None:
        world.wall.now += webhooks.LEASE
        handler.answer(200)

    receiver.then = slow
    offer(world)
    [turn] = webhooks._Run(world.workshop, OFFERED_AT, 20)._claim(16)

    assert len(webhooks._send(world.workshop, turn)) == 1


# ------------------------------------------------------------------------------------------------------------ fairness
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_good_receiver_among_twenty_dead_ones_is_served_in_the_first_run(world: World, start: Start) -> None:
    within = 0.5
    world.post = Courier(ALLOW, connect_within=within, all_within=within).post
    dead = start(hangs)
    institute = world.one("SELECT id FROM organisation WHERE code = 'CECAFOC'")
    for number in range(19):
        world.change(
            "INSERT INTO webhook (organisation_id, url, status, generation, created_at)"
            " SELECT :institute, :url, status, generation, created_at FROM webhook WHERE id = 1",
            institute=institute,
            url=f"{dead.url}{number}",
        )
    good = start(OK, "FCC")
    offer(world)
    began = monotonic()

    send(world)

    assert len(good.got) == 1
    assert len(dead.got) == 20  # one request to each
    assert monotonic() - began < 10 * within  # two waves of sixteen at once, not twenty in a row

    began = monotonic()
    send(world)
    assert [status for status, *_ in events(world) if status == "accepted"] == ["accepted"]
    assert monotonic() - began < 10 * within


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_run_ends_in_time_whatever_waits(world: World, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that answers well and slowly, with more to hear than fits."""

    def slowly(handler: Any) -> None:
        handler.receiver.over.wait(0.05)
        handler.answer(200)

    receiver = start(slowly)
    offer(world)
    with world.engine.begin() as connection:
        for _ in range(60):
            receivers.ping(connection, 1, OFFERED_AT)
    monkeypatch.setattr(webhooks, "RUN_FOR", 0.3)
    monkeypatch.setattr(webhooks, "TURN_FOR", 0.3)
    began = monotonic()

    send(world)

    assert monotonic() - began < 3
    assert 1 <= len(receiver.got) < 60
    assert tick.has_work(world.workshop, webhooks.JOB, OFFERED_AT)  # the rest is for the next run


def test_many_events_reach_one_receiver_in_one_run(world: World, start: Start) -> None:
    receiver = start(OK)
    offer(world)
    with world.engine.begin() as connection:
        for _ in range(50):
            receivers.ping(connection, 1, OFFERED_AT)

    send(world)

    assert (len(receiver.got), len(set(receiver.ids))) == (52, 52)
