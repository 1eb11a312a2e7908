"""The sender against receivers that misbehave, on real sockets: every answer comes, and comes in time."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.hosts import AllowList
from notifications import courier
from notifications.courier import Courier
from notifications.webhooks import Answer
from tests.support.receivers import (
    Behave,
    Receiver,
    a_receiver,
    answers,
    babbles,
    drips,
    floods,
    hangs,
    hangs_up,
    never_begins,
)

LOOPBACK = "127.0.0.0/8"
WITHIN = 0.4
SOON = 3.0  # the bound of a slow machine: far under what would show that nothing bounds the wait


def a_courier(allow: str = LOOPBACK, **given: Any) -> Courier:
    return Courier(AllowList.parse(allow), connect_within=0.2, all_within=given.pop("within", 5.0), **given)


def post(url: str, allow: str = LOOPBACK, **given: Any) -> Answer:
    return a_courier(allow, **given).post(url, {"webhook-id": "msg_1"}, '{"é": 1}')


# ------------------------------------------------------------------------------------------------------------- answers
def test_request_is_a_post_of_the_very_text_with_the_headers_given() -> None:
    with a_receiver(answers(204)) as receiver:
        answer = post(f"{receiver.url}?a=b")

        assert answer == Answer(code="204")
        [got] = receiver.got
        assert got.text == '{"é": 1}'
        expected = {"webhook-id": "msg_1", "content-type": "application/json", "connection": "close"}
        assert {name: got.headers[name] for name in expected} == expected
        assert got.headers["host"] == receiver.url.split("/")[2]


@pytest.mark.parametrize("status", [200, 301, 302, 307, 308, 400, 404, 410, 500, 503])
def test_answer_is_the_status_and_a_redirect_is_not_followed(status: int) -> None:
    with a_receiver(answers(200)) as elsewhere, a_receiver(answers(status, Location=elsewhere.url)) as receiver:
        assert post(receiver.url).code == str(status)

        assert (len(receiver.got), len(elsewhere.got)) == (1, 0)


def test_pause_asked_for_comes_with_the_answer() -> None:
    with a_receiver(answers(503, Retry_After="120")) as receiver:
        assert post(receiver.url) == Answer(code="503", retry_after="120")


@pytest.mark.parametrize(
    ("then", "code"), [(babbles, "bad_answer"), (hangs_up, "connection"), (answers(200, a="x" * 70_000), "bad_answer")]
)
def test_receiver_that_does_not_speak_http_is_an_answer(then: Behave, code: str) -> None:
    with a_receiver(then) as receiver:
        assert post(receiver.url).code == code


def test_receiver_that_is_not_there_is_an_answer() -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen

        assert post(f"http://127.0.0.1:{taken.getsockname()[1]}/").code == "connection"


# ---------------------------------------------------------------------------------------------------------------- time
@pytest.mark.parametrize("then", [hangs, drips, never_begins])
def test_receiver_that_never_ends_its_answer_is_left_in_time(then: Behave) -> None:
    began = monotonic()
    with a_receiver(then) as receiver:
        assert post(receiver.url, within=WITHIN).code == "timeout"

    assert WITHIN <= monotonic() - began < SOON


def test_drip_is_endless_where_each_wait_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without one moment that ends it all, a receiver that is never silent for long holds us."""
    monkeypatch.setattr(courier, "_left", lambda _until: WITHIN)
    with a_receiver(drips) as receiver:
        began = monotonic()
        receiver_gives_up = _end_after(receiver, 2 * WITHIN)
        answer = post(receiver.url, within=WITHIN)
        receiver_gives_up.join()

    assert answer.code != "timeout"
    assert monotonic() - began >= 2 * WITHIN


def _end_after(receiver: Receiver, seconds: float) -> Any:
    from threading import Timer

    timer = Timer(seconds, receiver.over.set)
    timer.start()
    return timer


def test_body_is_not_read_however_long() -> None:
    began = monotonic()
    with a_receiver(floods) as receiver:
        assert post(receiver.url) == Answer(code="200")

    assert monotonic() - began < SOON


def test_connection_that_nobody_takes_is_given_up() -> None:
    """A full queue of a listener that never accepts."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.settimeout(0)
            each.connect_ex(address)
        began = monotonic()

        assert post(f"http://127.0.0.1:{address[1]}/").code == "timeout"

        assert monotonic() - began < SOON
        for each in filling:
            each.close()


def test_name_that_takes_too_long_to_look_up_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    def slow(*_: Any, **__: Any) -> Any:
        over.wait(10)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    assert post("https://fcc.example/", within=WITHIN).code == "timeout"
    over.set()


# ----------------------------------------------------------------------------------------------------------- addresses
@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1", "webhook_private"),
        ("localhost", "webhook_private"),
        ("2130706433", "webhook_private"),  # 127.0.0.1, as one number
        ("127.1", "webhook_private"),
        ("0x7f.0.0.1", "webhook_private"),
    ],
)
def test_private_address_is_refused_however_it_is_written(host: str, code: str) -> None:
    with a_receiver(answers(200)) as receiver:
        port = receiver.url.split(":")[2]

        assert post(f"https://{host}:{port}", allow="").code == code
        assert receiver.got == []


def named(monkeypatch: pytest.MonkeyPatch, *answers_: list[str]) -> list[str]:
    """Have the network's names answer so, the last for ever; return what was looked up."""
    asked: list[str] = []
    left, look_up = list(answers_), socket.getaddrinfo

    def answer(host: str, port: int, *rest: Any, **more: Any) -> Any:
        if not host.endswith(".test"):
            return look_up(host, port, *rest, **more)
        asked.append(host)
        known = left.pop(0) if len(left) > 1 else left[0]
        families = (socket.AF_INET6 if ":" in each else socket.AF_INET for each in known)
        return [(family, socket.SOCK_STREAM, 6, "", (each, port)) for family, each in zip(families, known, strict=True)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


@pytest.mark.parametrize(
    "known", [["10.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"]]
)
def test_name_with_a_private_address_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, known: list[str]
) -> None:
    named(monkeypatch, known)
    monkeypatch.setattr(Courier, "_connect", lambda *_: pytest.fail("nothing may be called"))

    assert post("https://receiver.test/", allow="").code == "webhook_private"


def test_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers otherwise the second time is asked once."""
    with a_receiver(answers(200)) as receiver:
        asked = named(monkeypatch, ["127.0.0.1"], ["127.9.9.9"])
        url = receiver.url.replace("127.0.0.1", "receiver.test")

        assert post(url, allow=f"receiver.test,{LOOPBACK}") == Answer(code="200")

        assert asked == ["receiver.test"]
        assert receiver.got[0].headers["host"].startswith("receiver.test:")


def test_name_that_is_looked_up_again_leads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: connecting by name, as clients do, asks a second time."""
    with a_receiver(answers(200)) as receiver:
        asked = named(monkeypatch, ["127.0.0.1"], ["127.9.9.9"])
        connect = Courier._connect
        monkeypatch.setattr(
            Courier, "_connect", lambda self, _, port, until: connect(self, "receiver.test", port, until)
        )

        post(receiver.url.replace("127.0.0.1", "receiver.test"), allow=f"receiver.test,{LOOPBACK}")

        assert (len(asked), receiver.got) == (2, [])


def test_next_address_is_tried_where_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_receiver(answers(200)) as receiver:
        named(monkeypatch, ["127.9.9.9", "127.0.0.1"])

        assert post(receiver.url.replace("127.0.0.1", "receiver.test"), allow=f"receiver.test,{LOOPBACK}").code == "200"


def test_name_that_is_unknown_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    assert post("https://receiver.test/").code == "unknown_host"


# ----------------------------------------------------------------------------------------------------------------- TLS
def certificate(folder: Path, name: str) -> Path:
    """Write a certificate for a name, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    known = x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([known]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Receiver, ssl.SSLContext]]:
    """Give a receiver over TLS whose certificate is for receiver.test, and what trusts it."""
    path = certificate(tmp_path, "receiver.test")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(path)
    named(monkeypatch, ["127.0.0.1"])
    with a_receiver(answers(200), serving) as receiver:
        yield receiver, ssl.create_default_context(cafile=path)


def test_certificate_is_verified_for_the_name_while_the_address_is_called(
    secure: tuple[Receiver, ssl.SSLContext],
) -> None:
    receiver, trust = secure

    assert post(receiver.url.replace("127.0.0.1", "receiver.test"), trust=trust).code == "200"
    assert len(receiver.got) == 1


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1"])
def test_certificate_of_another_name_is_refused(secure: tuple[Receiver, ssl.SSLContext], host: str) -> None:
    receiver, trust = secure

    assert post(receiver.url.replace("127.0.0.1", host), trust=trust).code == "tls"
    assert receiver.got == []


def test_certificate_that_nobody_vouches_for_is_refused(secure: tuple[Receiver, ssl.SSLContext]) -> None:
    receiver, _ = secure

    assert post(receiver.url.replace("127.0.0.1", "receiver.test")).code == "tls"
    assert receiver.got == []


def test_handshake_that_never_ends_is_left_in_time() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        began = monotonic()

        assert post(f"https://127.0.0.1:{silent.getsockname()[1]}/", within=WITHIN).code == "timeout"

        assert monotonic() - began < SOON
