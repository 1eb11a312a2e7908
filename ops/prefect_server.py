"""Prefect's server as a child process: start it, ask whether it answers, end it. Prefect is never imported here."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

START_SECONDS = 60.0
ANSWER_SECONDS = 2.0
HOST = "127.0.0.1"

_LOOPBACK = {HOST, "localhost", "::1"}
_PORTS_TRIED = 5
_POLL_SECONDS = 0.1
# SIGINT is the clean way: on SIGTERM the server dies before it closes its database, and leaves the write-ahead log.
_WAYS_TO_STOP = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))

# `python -m prefect`, which ends when its standard input closes: also when we are killed and can clean nothing up.
# os.read, because a thread that waits in sys.stdin makes the interpreter abort when it ends.
_LAUNCHER = """
import os, runpy, signal, threading, time

def end_with_parent():
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
runpy.run_module("prefect", run_name="__main__", alter_sys=True)
"""

_NO_TELEMETRY = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
# Defaults, which an operator's own settings override. Events are written seldom and in bulk: by default every second
# tick meets one of these writes, is answered "database is locked" (503) and waits two seconds before it asks again.
_SERVER_DEFAULTS = {
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "1000",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "60",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}
# Settings of the operator that would make this server use another database than the one in its home, or answer
# elsewhere. A demo must never write into somebody's real server.
_WOULD_MOVE_IT = (
    "PREFECT_API_DATABASE_",
    "PREFECT_API_URL",
    "PREFECT_PROFILE",
    "PREFECT_SERVER_API_BASE_PATH",
    "PREFECT_SERVER_DATABASE_",
    "PREFECT_SERVER_UI_API_URL",
)
# Only warnings are shown, and none sent to the API: they would be lost, with a complaint, when the server stops first.
_CLIENT_DEFAULTS = {"PREFECT_LOGGING_LEVEL": "WARNING", "PREFECT_LOGGING_TO_API_ENABLED": "false"}


class ServerNotStarted(RuntimeError):
    """Prefect's server did not come up; the message says why and names the file with its output."""


@contextmanager
def prefect_server(home: Path, *, port: int | None = None, log: Path) -> Iterator[str]:
    """Run a Prefect server on loopback for the time of the block, and give the address of its API.

    `home` holds its SQLite database; `log` gets its output, added at the end; both are made when missing. Without a
    `port` a free one is taken. A first start takes 7 to 15 seconds, a later one in the same home 4, the end 1 (at most
    20, then it is killed). The server ends with the block, and with this process, however that dies.

    Raises ServerNotStarted when the port asked for is taken, the server ends, or it is silent for START_SECONDS.
    """
    home.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    for candidate in _free_ports() if port is None else [port]:
        # Asked first, for whoever holds the port may well be a Prefect server, and answer in place of ours.
        if not _is_free(candidate):
            continue
        with _child(home.resolve(), candidate, log) as server:
            if _comes_up(server, candidate, log):
                yield _api_url(candidate)
                return
    wanted = "all ports tried are" if port is None else f"port {port} is"
    raise ServerNotStarted(f"Prefect's server did not start: {wanted} taken on {HOST}; its output goes to {log}")


def answers(api_url: str) -> bool:
    """Say whether a Prefect API answers at this address, ANSWER_SECONDS being the longest silence; never raises."""
    try:
        address = urlsplit(api_url)
        # A school's HTTP proxy knows nothing of this machine's loopback.
        direct = [urllib.request.ProxyHandler({})] if address.hostname in _LOOPBACK else []
        opener = urllib.request.build_opener(*direct)
        if address.scheme not in {"http", "https"}:
            return False
        with opener.open(f"{api_url.rstrip('/')}/health", timeout=ANSWER_SECONDS) as reply:
            return bool(reply.status == http.HTTPStatus.OK and reply.read(16).strip() == b"true")
    except (OSError, ValueError, http.client.HTTPException):
        return False


def client_environment(home: Path, api_url: str) -> dict[str, str]:
    """Give the variables to set in our own process, before Prefect is imported, to speak to that server cheaply.

    Prefect reads them once, on import: set later, they do nothing. The operator's log settings are kept.
    """
    kept = {name: os.environ.get(name, default) for name, default in _CLIENT_DEFAULTS.items()}
    addressed = {
        "PREFECT_HOME": str(home.resolve()),
        "PREFECT_API_URL": api_url,
        # Without an address Prefect would start a server of its own, silently, and the runs would be seen by nobody.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "no_proxy": _with_loopback(os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""),
    }
    return kept | addressed | _NO_TELEMETRY


def _with_loopback(no_proxy: str) -> str:
    """Add loopback to the hosts reached without a proxy; `no_proxy` hides NO_PROXY, so both are carried over."""
    return no_proxy if no_proxy == "*" else ",".join(filter(None, [no_proxy, HOST, "localhost"]))


@contextmanager
def _child(home: Path, port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server's process. Its own session: Ctrl-C reaches us alone, and we end it in order."""
    command = [sys.executable, "-c", _LAUNCHER, "server", "start", "--host", HOST, "--port", str(port)]
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command,
            # Neither our packages nor a .env, prefect.toml or pyproject.toml of the working directory concern it.
            cwd=home,
            env=_server_environment(home, port),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as server,
    ):
        try:
            yield server
        finally:
            _stop(server)


def _server_environment(home: Path, port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_WOULD_MOVE_IT)}
    # The pages learn the API's address from the settings, not from the command line.
    fixed = {"PREFECT_HOME": str(home), "PREFECT_SERVER_API_HOST": HOST, "PREFECT_SERVER_API_PORT": str(port)}
    return _SERVER_DEFAULTS | inherited | fixed | _NO_TELEMETRY


def _comes_up(server: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    """Wait until the server answers; False when it ended because somebody else took its port in between."""
    give_up_at = time.monotonic() + START_SECONDS
    while server.poll() is None:
        if answers(_api_url(port)):
            return True
        if time.monotonic() > give_up_at:
            raise ServerNotStarted(f"Prefect's server did not answer within {START_SECONDS:.0f} seconds; see {log}")
        time.sleep(_POLL_SECONDS)
    if _is_free(port):
        raise ServerNotStarted(f"Prefect's server ended with exit status {server.returncode} while starting; see {log}")
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server's process group, ever less politely; a second Ctrl-C goes straight to the end."""
    try:
        for number, seconds in _WAYS_TO_STOP:
            if server.poll() is None:
                _signal_group(server, number)
                with suppress(subprocess.TimeoutExpired):
                    server.wait(seconds)
    finally:
        _signal_group(server, signal.SIGKILL)


def _signal_group(server: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal the group that we started, which has the id of its first process; that it is gone is no error."""
    with suppress(ProcessLookupError):
        os.killpg(server.pid, number)


def _api_url(port: int) -> str:
    return f"http://{HOST}:{port}/api"


def _free_ports() -> Iterator[int]:
    for _ in range(_PORTS_TRIED):
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port: int = probe.getsockname()[1]
        yield port


def _is_free(port: int) -> bool:
    """Say whether a server could listen there; past connections that are still closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
