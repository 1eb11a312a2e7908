"""`webhooks`: naming a receiver, seeing what it was told, and telling it again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.functional.conftest import INSTITUTE, ZOE, Call
from tests.support.receivers import Receiver, a_receiver, answers, in_turn

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
CECAFOC = ("--institute", "CECAFOC")


@pytest.fixture
def receiver(immersed: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("ENTRAPPRENDRE_WEBHOOK_ALLOW", "127.0.0.0/8")
    with a_receiver(answers(204)) as receiver:
        yield receiver


def test_receiver_is_named_told_and_told_again(receiver: Receiver, done: Call) -> None:
    added = done("webhooks", "add", *CECAFOC, "--url", receiver.url, "--json").json
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    done("tick", "--no-prefect", "--at", "2019-01-28")

    told = [Webhook(added["secret"]).verify(got.text, got.headers) for got in receiver.got]
    assert [(each["type"], each["data"]["reference"]) for each in told] == [("handoff.accepted", ZOE)]
    [event] = done("webhooks", "deliveries", *CECAFOC, "--json").json["deliveries"]
    assert (event["id"], event["status"], event["answer"], event["attempts"]) == (receiver.ids[0], "accepted", "204", 1)

    assert done("webhooks", "replay", event["id"], "--json").json == {"queued": 1}
    assert done("webhooks", "replay", *CECAFOC, "--since", "2019-01-28", "--json").json == {"queued": 0}
    done("tick", "--no-prefect", "--at", "2019-01-29")
    assert receiver.ids == [event["id"]] * 2


def test_list_says_how_each_receiver_stands(receiver: Receiver, done: Call) -> None:
    assert done("webhooks", "list").out == "Aucun institut n’a de service web à avertir.\n"
    done("webhooks", "add", *CECAFOC, "--url", receiver.url)
    receiver.then = answers(500)
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    done("tick", "--no-prefect", "--at", "2019-01-28")

    [found] = done("webhooks", "list", "--json").json["webhooks"]
    moments = {name: found.pop(name) for name in ("failing_since", "answered_at")}
    assert found == {
        "id": 1,
        "institute": "CECAFOC",
        "url": receiver.url,
        "status": "active",
        "disabled_because": None,
        "disabled_at": None,
        "waiting": 1,
        "failed": 0,
        "dropped": 0,
        "answer": "500",
    }
    assert moments["failing_since"] == moments["answered_at"] is not None
    shown = done("webhooks", "list").out
    assert "CECAFOC" in shown
    assert "actif" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert done("webhooks", "list", "--institute", "FCC", "--json").json == {"webhooks": []}


def test_ticks_and_deliveries_tell_in_words(receiver: Receiver, done: Call) -> None:
    assert done("webhooks", "deliveries").out == "Aucun avis n’a encore été envoyé, ni mis en attente.\n"
    done("webhooks", "add", *CECAFOC, "--url", receiver.url)
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")

    ticked = [" ".join(line.split()) for line in done("tick", "--no-prefect", "--at", "2019-01-28").out.splitlines()]

    assert "avis aux instituts reçu 1" in ticked
    shown = [" ".join(line.split()) for line in done("webhooks", "deliveries").out.splitlines()]
    assert shown[-1] == f"{receiver.ids[0]} handoff.accepted {ZOE} reçu 204"


def test_disabled_receiver_is_told_nothing_until_it_is_enabled(receiver: Receiver, call: Call, done: Call) -> None:
    done("webhooks", "add", *CECAFOC, "--url", receiver.url)
    assert done("webhooks", "disable", "1", "--json").json == {"id": 1, "status": "disabled"}
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    done("tick", "--no-prefect", "--at", "2019-01-28")
    refused = call("webhooks", "test", "1", "--json")
    assert (receiver.got, refused.status, refused.refused["code"]) == ([], 1, "webhook_disabled")

    assert done("webhooks", "enable", "1", "--json").json == {"id": 1, "status": "active"}
    assert done("webhooks", "test", "1", "--json").json == {"id": 1, "status": "accepted", "answer": "204"}
    assert len(receiver.got) == 1


def test_test_says_what_the_receiver_answered(receiver: Receiver, call: Call, done: Call) -> None:
    done("webhooks", "add", *CECAFOC, "--url", receiver.url)
    receiver.then = in_turn(answers(200), answers(404))

    assert done("webhooks", "test", "1").out == "Le service web 1 a accepté l’avis d’essai (réponse 200).\n"
    answer = call("webhooks", "test", "1")
    assert (answer.status, answer.out) == (1, "Le service web 1 n’a pas accepté l’avis d’essai\u00a0: 404.\n")


def test_secret_is_shown_when_named_and_when_changed_and_never_stored(receiver: Receiver, done: Call) -> None:
    first = done("webhooks", "add", *CECAFOC, "--url", receiver.url, "--json").json["secret"]
    second = done("webhooks", "rotate", "1", "--json").json["secret"]

    assert first.startswith("whsec_")
    assert first != second
    assert "secret" not in json.dumps(done("webhooks", "list", "--json").json)
    done("webhooks", "test", "1")
    [got] = receiver.got
    for known in (first, second):
        assert Webhook(known).verify(got.text, got.headers)["type"] == "ping"


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("add", *CECAFOC, "--url", "http://fcc.example/"), 2, "webhook_https"),
        (("add", *CECAFOC, "--url", "https://10.0.0.1/"), 2, "webhook_private"),
        (("add", *CECAFOC, "--url", "fcc.example"), 2, "webhook_url"),
        (("add", "--institute", "NONE", "--url", "https://fcc.example/"), 1, "unknown_organisation"),
        (("list", "--institute", "NONE"), 1, "unknown_organisation"),
        (("deliveries", "--institute", "NONE"), 1, "unknown_organisation"),
        (("disable", "9"), 1, "unknown_webhook"),
        (("enable", "9"), 1, "unknown_webhook"),
        (("rotate", "9"), 1, "unknown_webhook"),
        (("test", "9"), 1, "unknown_webhook"),
        (("enable", "3000000000"), 1, "unknown_webhook"),
        (("rotate", "99999999999999999999"), 1, "unknown_webhook"),
        (("replay", "msg_9"), 1, "unknown_event"),
        (("replay",), 2, "replay_what"),
        (("replay", "--since", "2019-01-01"), 2, "replay_what"),
        (("replay", "msg_9", "--since", "2019-01-01", *CECAFOC), 2, "replay_what"),
        (("replay", "--since", "hier", *CECAFOC), 2, "bad_moment"),
        (("list", "--at", "hier"), 2, "bad_moment"),
        (("disable", "x"), 2, "usage_bad_value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    receiver: Receiver, call: Call, arguments: tuple[str, ...], status: int, code: str
) -> None:
    answer = call("webhooks", *arguments, "--json")

    assert (answer.status, answer.refused["code"]) == (status, code)
    assert answer.refused["reason"].endswith(".")


def test_receiver_needs_a_key_of_ours(receiver: Receiver, call: Call) -> None:
    Path(".env").unlink()

    assert call("webhooks", "add", *CECAFOC, "--url", receiver.url, "--json").refused["code"] == "webhook_needs_key"


def test_setting_that_lists_nonsense_is_refused(
    receiver: Receiver, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_WEBHOOK_ALLOW", "10.0.0.0/99")

    answer = call("webhooks", "list")

    assert (answer.status, "ENTRAPPRENDRE_WEBHOOK_ALLOW" in answer.err) == (2, True)
