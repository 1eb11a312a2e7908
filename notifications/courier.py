"""How a webhook leaves: one request to an address that somebody else chose, confined in every direction.

The name is looked up once, every address it has is checked, and the connection goes to a checked address: a second
look-up could answer otherwise. One moment ends it all, however little arrives at a time. Redirects are answers like any
other; of the answer only the status and the headers are read. Neither httpx nor urllib3 can be told all of this without
as much code on their insides; the standard library's client takes a socket of ours as it is.
"""

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any

from core.errors import UsageError
from core.hosts import AllowList, Target, target_of
from notifications.webhooks import Answer

Post = Callable[[str, Mapping[str, str], str], Answer]

CONNECT_WITHIN = 5.0  # seconds, to each address
ALL_WITHIN = 10.0


class Courier:
    """Posts to receivers. `trust` is the certificates to verify theirs with, the system's unless given."""

    def __init__(
        self,
        allow: AllowList,
        *,
        connect_within: float = CONNECT_WITHIN,
        all_within: float = ALL_WITHIN,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._allow, self._connect_within, self._all_within = allow, connect_within, all_within
        self._given_trust = trust

    def post(self, url: str, headers: Mapping[str, str], text: str) -> Answer:
        """Send one request and return what came of it; a receiver's misbehaviour is an answer, never an error."""
        try:
            return self._post(url, headers, text, monotonic() + self._all_within)
        except UsageError as refusal:
            return Answer(code=refusal.code)
        except (OSError, HTTPException) as fault:
            return Answer(code=next(code for kind, code in _CODES if isinstance(fault, kind)))

    def _post(self, url: str, headers: Mapping[str, str], text: str, until: float) -> Answer:
        target = target_of(url, self._allow)
        addresses = _look_up(target, until)
        if not self._allow.permits(target.host, addresses):
            raise UsageError("webhook_private", value=target.host)
        with self._connected(target, addresses, until) as line:
            asking = HTTPConnection(target.host, target.port)
            asking.sock = _Bounded(line, until)  # all that it asks of a socket
            asking.request("POST", target.path, text.encode(), {**_OURS, "Host": target.authority, **headers})
            response = asking.getresponse()
            return Answer(code=str(response.status), retry_after=response.getheader("Retry-After", ""))

    def _connected(self, target: Target, addresses: list[str], until: float) -> socket.socket:
        line = self._first_that_answers(target, addresses, until)
        if target.scheme != "https":
            return line
        try:
            line.settimeout(_left(until))
            return self._trust.wrap_socket(line, server_hostname=target.host)
        except BaseException:
            line.close()
            raise

    def _first_that_answers(self, target: Target, addresses: list[str], until: float) -> socket.socket:
        for address in addresses[:-1]:
            try:
                return self._connect(address, target.port, until)
            except OSError:
                continue
        return self._connect(addresses[-1], target.port, until)

    def _connect(self, address: str, port: int, until: float) -> socket.socket:
        return socket.create_connection((address, port), timeout=min(self._connect_within, _left(until)))

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return self._given_trust or ssl.create_default_context()


_CODES = (  # the first that fits
    (TimeoutError, "timeout"),
    (socket.gaierror, "unknown_host"),
    (ssl.SSLError, "tls"),
    (ConnectionError, "connection"),
    (HTTPException, "bad_answer"),
    (OSError, "connection"),
)
_OURS = {"Content-Type": "application/json", "User-Agent": "Entrapprendre-Webhooks/1", "Connection": "close"}


class _Bounded:
    """A socket that gives up at one moment: each wait gets what is left, so that no drip can prolong it."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def sendall(self, data: bytes) -> None:
        self._line.settimeout(_left(self._until))
        self._line.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._line, self._until), 1024)

    def close(self) -> None:
        """Leave the socket open: whoever opened it closes it."""


class _Incoming(io.RawIOBase):
    """What comes in on such a socket."""

    def __init__(self, line: socket.socket, until: float) -> None:
        self._line, self._until = line, until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer, which has no name in 3.11
        self._line.settimeout(_left(self._until))
        return self._line.recv_into(buffer)


def _left(until: float) -> float:
    """Return how many seconds are left. Raises TimeoutError when none is."""
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _look_up(target: Target, until: float) -> list[str]:
    """Return a host's addresses, in the order to try them; in a thread of its own, since nothing can interrupt it."""
    found: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def look_up() -> None:
        try:
            known = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
            found.put(list(dict.fromkeys(str(address[0]) for *_, address in known)) or socket.gaierror())
        except (OSError, UnicodeError) as fault:
            found.put(fault if isinstance(fault, OSError) else socket.gaierror())

    Thread(target=look_up, daemon=True).start()
    try:
        answer = found.get(timeout=_left(until))
    except Empty:
        raise TimeoutError from None
    if isinstance(answer, Exception):
        raise answer
    return answer
