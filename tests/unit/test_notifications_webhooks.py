import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from core.clock import wall_now
from notifications.webhooks import (
    GIVE_UP_AFTER,
    PING,
    TYPES,
    Answer,
    Event,
    body,
    generations,
    next_try,
    pause_until,
    secret,
    signed,
)
from states.names import HandoffStatus, Purpose

KEY, URL = b"a key of the tests", "https://fcc.example/hook"
AT = datetime(2019, 1, 25, 18, tzinfo=UTC)
WALL = datetime(2026, 1, 5, 9, tzinfo=UTC)
OFFERED = Event(
    type="handoff.offered",
    at=AT,
    reference="2018-2019-0001",
    purpose="transfer",
    round=1,
    status="offered",
    sequence=7,
)


# ---------------------------------------------------------------------------------------------------------------- says
def test_body_holds_identifiers_and_where_to_read_more() -> None:
    assert json.loads(body(OFFERED, "https://entrapprendre.example/")) == {
        "type": "handoff.offered",
        "timestamp": "2019-01-25T19:00:00+01:00",
        "data": {
            "reference": "2018-2019-0001",
            "purpose": "transfer",
            "round": 1,
            "status": "offered",
            "sequence": 7,
            "link": "https://entrapprendre.example/api/v1/handoffs/2018-2019-0001",
        },
    }


def test_ping_says_nothing() -> None:
    assert json.loads(body(Event(type=PING, at=AT), "https://entrapprendre.example"))["data"] == {}


def test_receiver_hears_of_every_status_that_its_round_can_reach() -> None:
    unheard = {HandoffStatus.TO_ROUTE, HandoffStatus.HELD}  # those of a round that is nobody's yet

    assert {status for purpose, status in TYPES if purpose is Purpose.TRANSFER} == set(HandoffStatus) - unheard


# --------------------------------------------------------------------------------------------------------------- signs
def test_signature_is_the_one_of_the_published_scheme() -> None:
    """Of the scheme's own example, whose secret, id and body are these."""
    headers = signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        '{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        datetime.fromtimestamp(1614265330, UTC),
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_receiver_verifies_with_the_secret_it_was_given() -> None:
    text = body(OFFERED, "https://entrapprendre.example")
    headers = signed("msg_1", text, [secret(KEY, 1, URL, 1)], wall_now().astimezone())

    assert Webhook(secret(KEY, 1, URL, 1)).verify(text, headers)["type"] == "handoff.offered"


@pytest.mark.parametrize(
    "other",
    [secret(b"another key", 1, URL, 1), secret(KEY, 2, URL, 1), secret(KEY, 1, f"{URL}2", 1), secret(KEY, 1, URL, 2)],
    ids=["key", "receiver", "address", "generation"],
)
def test_secret_of_another_verifies_nothing(other: str) -> None:
    headers = signed("msg_1", "{}", [secret(KEY, 1, URL, 1)], wall_now())

    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify("{}", headers)


def test_old_and_new_secret_sign_for_a_day_after_a_change() -> None:
    assert generations(1, None, WALL) == (1,)
    assert generations(2, WALL, WALL + timedelta(hours=23)) == (2, 1)
    assert generations(2, WALL, WALL + timedelta(hours=24)) == (2,)

    headers = signed("msg_1", "{}", [secret(KEY, 1, URL, n) for n in (2, 1)], wall_now())
    for generation in (1, 2):
        assert Webhook(secret(KEY, 1, URL, generation)).verify("{}", headers) == {}


# -------------------------------------------------------------------------------------------------------------- again
def tries(key: str) -> list[timedelta]:
    """When each try comes, after the first one, until the event is given up."""
    wall, attempts, found = WALL, 1, []
    while wall < WALL + GIVE_UP_AFTER:
        wall = next_try(key, attempts, wall, WALL)
        attempts += 1
        found.append(wall - WALL)
    return found


def test_tries_come_ever_later_and_the_last_one_three_days_after_the_first_failure() -> None:
    found = tries("msg_1")
    waits = [after - before for before, after in pairwise([timedelta(0), *found])]

    assert found[-1] == timedelta(days=3)
    assert waits[:-1] == sorted(waits[:-1])
    assert 8 <= len(found) <= 9
    least = [timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5)]
    assert [low <= wait <= low * 1.2 for low, wait in zip(least, waits, strict=False)] == [True] * 5


def test_same_event_is_tried_at_the_same_moments_and_others_at_others() -> None:
    assert tries("msg_1") == tries("msg_1")
    assert len({tries(f"msg_{number}")[1] for number in range(20)}) > 10


@pytest.mark.parametrize(
    ("code", "asked", "pause"),
    [
        ("429", "120", timedelta(minutes=2)),
        ("503", " 0 ", timedelta(0)),
        ("503", "Mon, 05 Jan 2026 09:10:00 GMT", timedelta(minutes=10)),
        ("503", "Mon, 05 Jan 2026 08:00:00 GMT", timedelta(0)),
        ("503", "Mon, 05 Jan 2037 08:00:00 GMT", timedelta(days=1)),
        ("429", "999999999999999999999999", timedelta(days=1)),
        ("429", "-5", None),
        ("429", "soon", None),
        ("429", "", None),
        ("429", "²", None),
        ("429", "Mon, 05 Jan 99999999999999999999 09:10:00 GMT", None),
        ("500", "120", None),
        ("timeout", "120", None),
    ],
)
def test_pause_that_a_receiver_asks_for_is_respected_within_bounds(
    code: str, asked: str, pause: timedelta | None
) -> None:
    expected = None if pause is None else WALL + pause

    assert pause_until(Answer(code=code, retry_after=asked), WALL) == expected


@pytest.mark.parametrize(
    ("code", "accepted", "gone"),
    [
        ("200", True, False),
        ("204", True, False),
        ("302", False, False),
        ("410", False, True),
        ("500", False, False),
        ("timeout", False, False),
    ],
)
def test_only_2xx_is_accepted_and_only_410_is_gone(code: str, *, accepted: bool, gone: bool) -> None:
    answer = Answer(code=code)

    assert (answer.accepted, answer.gone) == (accepted, gone)
