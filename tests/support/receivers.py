"""Receivers of webhooks on this machine, well-behaved or not; what reached one stands in `got`."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

Behave = Callable[["Handler"], None]


@dataclass
class Got:
    """One request."""

    headers: dict[str, str]
    text: str


@dataclass
class Receiver:
    """A receiver; `then` is what it does with a request once it has it."""

    url: str
    then: Behave
    got: list[Got] = field(default_factory=list)
    over: Event = field(default_factory=Event)
    """Set when the test is over: whoever hangs waits for it."""

    @property
    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.got]


class Handler(BaseHTTPRequestHandler):
    """One request to a receiver, with ways to answer it."""

    receiver: Receiver

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.receiver.got.append(Got({name.lower(): value for name, value in self.headers.items()}, text))
        with suppress(OSError):  # the other side had enough
            self.receiver.then(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50

    def handle_error(self, *_: Any) -> None:
        """Say nothing: a refused handshake is what some tests are about."""


@contextmanager
def a_receiver(then: Behave, trust: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Give a receiver that is there for the time of a test, over TLS if it gets a certificate."""
    with _Server(("127.0.0.1", 0), Handler) as server:
        if trust is not None:
            server.socket = trust.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "http" if trust is None else "https"
        receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_address[1]}/hook", then)
        server.RequestHandlerClass = type("Own", (Handler,), {"receiver": receiver})
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            server.shutdown()
            thread.join()


# ---------------------------------------------------------------------------------------------------------- behaviours
def answers(status: int, body: bytes = b"", **headers: str) -> Behave:
    """Answer all alike."""
    return lambda handler: handler.answer(status, body, **headers)


def in_turn(*then: Behave) -> Behave:
    """Behave so at the first request, so at the second; the last is for all that follow."""
    left = list(then)

    def behave(handler: Handler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return behave


def hangs(handler: Handler) -> None:
    """Say nothing for as long as the test lasts."""
    handler.receiver.over.wait()


def drips(handler: Handler) -> None:
    """Send a header that never ends, a little at a time: never silent for long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.receiver.over.wait(0.02):
        handler.wfile.write(b".")


def never_begins(handler: Handler) -> None:
    """Send `100 Continue` for ever: always something, never the answer."""
    while not handler.receiver.over.wait(0.02):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def floods(handler: Handler) -> None:
    """Answer 200 with a body that has no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 65536)


def babbles(handler: Handler) -> None:
    """Answer something that is not HTTP."""
    handler.wfile.write(b"Bonjour !\r\n\r\n")


def hangs_up(handler: Handler) -> None:
    """Close without a word."""
    handler.close_connection = True
