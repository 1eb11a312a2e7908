"""`entrapprendre web` as a process: it says where it is, answers, and ends at one Ctrl-C."""

import json
import signal
import socket
from contextlib import closing

import pytest

from tests.functional.conftest import Call
from tests.support.serving import running

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


def test_application_answers_until_one_interruption(loaded: str) -> None:
    with running() as server:
        ready = server.get("/health/ready")
        page = server.get("/")
        server.process.send_signal(signal.SIGINT)
        out, err = server.process.communicate(timeout=20)

    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert "<h1>Entr’apprendre</h1>" in page.text
    assert server.address.startswith("http://127.0.0.1:")
    *requests, last = err.splitlines()
    assert (server.process.returncode, out, last) == (0, "", "L’application est arrêtée.")
    assert [json.loads(line)["asked"] for line in requests] == ["ready", "start"]
    assert "127.0.0.1" not in err


@sqlite_only
def test_token_of_the_command_line_opens_the_running_application(loaded: str, done: Call) -> None:
    token = done("tokens", "create", "--institute", "FCC", "--label", "x", "--json").json["token"]
    with running() as server:
        answer = server.get("/api/v1/handoffs", Authorization=f"Bearer {token}")

    assert (answer.status_code, answer.json()["items"]) == (200, [])
    assert "server" not in answer.headers
    assert done("tokens", "list", "--json").json["tokens"][0]["last_used_at"] is not None


@sqlite_only
def test_port_that_is_taken_is_told(loaded: str, call: Call) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        answer = call("web", "--port", port)

    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith(f"Le port {port} est déjà pris par un autre programme")
    assert answer.err.count("\n") == 1


@sqlite_only
@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--port", "70000"), 2, "--port ne convient pas"),
        (("--port", "web"), 2, "--port ne convient pas"),
        (("--host", "192.0.2.1"), 2, "n’est pas une adresse de cette machine"),
        (("--host", "a b"), 2, "n’est pas une adresse de cette machine"),
        (("--port", "0", "--host", "0.0.0.0"), 1, "pas de clé secrète"),  # noqa: S104 - refused
    ],
)
def test_what_cannot_be_served_is_told_in_french(
    loaded: str, call: Call, arguments: tuple[str, ...], status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_SECRET_KEY", "")

    answer = call("web", *arguments)

    assert (answer.status, said in answer.err) == (status, True), answer.err


@sqlite_only
def test_key_of_its_own_opens_it_to_other_machines(loaded: str) -> None:
    """`init` wrote one to .env."""
    with running("--host", "0.0.0.0") as server:  # noqa: S104 - what is tried
        assert server.address.startswith("http://0.0.0.0:")


def test_database_that_is_not_there_or_not_migrated_is_told(
    empty_database_url: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", empty_database_url)

    answer = call("web", "--port", "0")

    assert (answer.status, "entrapprendre init" in answer.err) == (1, True)
