"""Prefect's real server as our child process: it comes up, is of use, and never outlives us."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ops import prefect_server as supervision
from ops.prefect_server import ServerNotStarted, answers, client_environment, prefect_server

ROOT = Path(__file__).parents[2]

# What a command does: the environment first, then Prefect. Any warning is an error; one client of each kind for all
# runs, and no heartbeats, which are sent from a thread and complain when the process ends first.
CLIENT = """
import asyncio
from prefect import flow
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

@flow(name="tick", flow_run_name="tick {at}", persist_result=False)
async def tick(at: str) -> None: ...

async def main() -> None:
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), SyncClientContext.get_or_create():
        async with AsyncClientContext.get_or_create():
            await tick("2019-03-14")

asyncio.run(main())
"""

# A process of ours that has started a server and waits for better days.
PARENT = """
import sys
from pathlib import Path
from ops import prefect_server as supervision

if "unguarded" in sys.argv:
    supervision._LAUNCHER = "import runpy; runpy.run_module('prefect', run_name='__main__', alter_sys=True)"
with supervision._child(Path(sys.argv[1]), 4321, Path(sys.argv[1]) / "server.log") as server:
    print(server.pid, flush=True)
    server.wait()
"""


def processes_of(home: Path) -> list[int]:
    """Find every process whose PREFECT_HOME this is, of whatever parent."""
    wanted = f"PREFECT_HOME={home}".encode()
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in file.read_bytes().split(b"\0"):
                found.append(int(file.parent.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def flow_runs(api_url: str) -> list[tuple[str, str]]:
    """Ask the server itself which flow runs it knows: name and state."""
    request = urllib.request.Request(  # noqa: S310 - the address is the server's own
        f"{api_url}/flow_runs/filter", data=b"{}", headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - as above
        return [(run["name"], run["state_type"]) for run in json.load(reply)]


def test_server_lives_and_works_as_long_as_the_block(tmp_path: Path) -> None:
    home, log = tmp_path / "prefect", tmp_path / "logs" / "prefect.log"

    with prefect_server(home, log=log) as api_url:
        assert answers(api_url)
        assert len(processes_of(home)) == 1

        ours = os.environ | client_environment(home, api_url)
        client = subprocess.run(
            [sys.executable, "-W", "error", "-c", CLIENT], env=ours, capture_output=True, text=True, check=False
        )
        assert (client.returncode, client.stdout, client.stderr) == (0, "", "")
        assert flow_runs(api_url) == [("tick 2019-03-14", "COMPLETED")]

        with urllib.request.urlopen(f"{api_url.removesuffix('/api')}/ui-settings", timeout=10) as pages:  # noqa: S310
            assert json.load(pages)["api_url"] == api_url

    assert not answers(api_url)
    assert processes_of(home) == []
    assert not (home / "prefect.db-wal").exists()
    assert "Server stopped!" in log.read_text()


def test_server_ends_when_the_block_raises(tmp_path: Path) -> None:
    seen = []

    def interrupted() -> None:
        with supervision._child(tmp_path, 4321, tmp_path / "log"):
            seen.extend(processes_of(tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert len(seen) == 1
    assert processes_of(tmp_path) == []


@contextmanager
def parent_of_a_server(home: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a process that has started a server; give it, and a descriptor that tells when the server ends."""
    command = [sys.executable, "-c", PARENT, str(home), *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        descriptor = os.pidfd_open(server)
        try:
            yield parent, descriptor
        finally:
            with open(descriptor, "rb", buffering=0):  # noqa: PTH123 - closes it
                parent.kill()
                if not ends(descriptor, seconds=0):
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def ends(descriptor: int, *, seconds: float) -> bool:
    """Say whether the process behind the descriptor ends within this time."""
    return bool(select.select([descriptor], [], [], seconds)[0])


@pytest.mark.parametrize("death", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_server_ends_with_us_however_we_die(tmp_path: Path, death: signal.Signals) -> None:
    with parent_of_a_server(tmp_path) as (parent, server):
        parent.send_signal(death)

        assert ends(server, seconds=15)


def test_server_would_outlive_us_without_the_guard(tmp_path: Path) -> None:
    """The control of the test above."""
    with parent_of_a_server(tmp_path, "unguarded") as (parent, server):
        parent.kill()

        assert not ends(server, seconds=1)


def test_server_that_cannot_start_says_so_and_names_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_SERVER_API_KEEPALIVE_TIMEOUT", "never")
    log = tmp_path / "prefect.log"

    with pytest.raises(ServerNotStarted) as raised, prefect_server(tmp_path / "prefect", log=log):
        pytest.fail("it started")

    assert str(raised.value) == f"Prefect's server ended with exit status 1 while starting; see {log}"
    assert "never" in log.read_text()


def test_server_that_is_silent_is_given_up_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "START_SECONDS", 0.0)
    home, log = tmp_path / "prefect", tmp_path / "prefect.log"

    with pytest.raises(ServerNotStarted) as raised, prefect_server(home, log=log):
        pytest.fail("it started")

    assert str(raised.value) == f"Prefect's server did not answer within 0 seconds; see {log}"
    assert processes_of(home) == []


def test_port_that_is_taken_is_refused_before_anything_starts(tmp_path: Path) -> None:
    home, log = tmp_path / "prefect", tmp_path / "prefect.log"

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServerNotStarted) as raised, prefect_server(home, port=port, log=log):
            pytest.fail("it started")

    message = f"Prefect's server did not start: port {port} is taken on 127.0.0.1; its output goes to {log}"
    assert str(raised.value) == message
    assert not log.exists()


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1:4200/api", "file:///etc/hostname", "http://[", "http://127.0.0.1:1/api", "http://:/api"]
)
def test_what_is_no_server_does_not_answer(address: str) -> None:
    assert not answers(address)


def test_web_server_that_is_not_prefect_does_not_answer() -> None:
    class Polite(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"welcome")

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Polite) as web:
        thread = Thread(target=web.handle_request)
        thread.start()

        assert not answers(f"http://127.0.0.1:{web.server_port}/api")
        thread.join()


def test_client_environment_keeps_the_operators_log_level_and_proxies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.delenv("no_proxy", raising=False)

    assert client_environment(tmp_path, "http://127.0.0.1:4200/api") == {
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": "http://127.0.0.1:4200/api",
        "PREFECT_HOME": str(tmp_path),
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "PREFECT_LOGGING_TO_API_ENABLED": "false",
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "no_proxy": "intranet.example,127.0.0.1,localhost",
    }


def test_operators_settings_cannot_move_the_server_to_their_own_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://real.example/prefect")
    monkeypatch.setenv("PREFECT_API_DATABASE_HOST", "real.example")
    monkeypatch.setenv("PREFECT_API_URL", "https://real.example/api")
    monkeypatch.setenv("PREFECT_HOME", "/real")
    monkeypatch.setenv("PREFECT_SERVER_API_AUTH_STRING", "operator:secret")

    given = supervision._server_environment(tmp_path, 4321)

    assert not [name for name, value in given.items() if "real" in value and name.startswith("PREFECT_")]
    assert given["PREFECT_HOME"] == str(tmp_path)
    assert given["PREFECT_SERVER_API_AUTH_STRING"] == "operator:secret"
