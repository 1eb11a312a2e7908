"""The one rate limiter: by token, by address, over all, and harder by address for whoever has no good token.

It counts in this process only, and forgets within a minute. Addresses are counted under a keyed hash whose key lives as
long as the process: none is ever stored or logged.
"""

import hashlib
import ipaddress
import math
import secrets
from dataclasses import asdict, dataclass
from http import HTTPStatus

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from core.clock import wall_now
from web.barred import Barred

_IPV6_HOUSEHOLD = 64  # bits: what one subscriber is given, and may choose addresses from


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a minute: of one token, of one address, of one address without a good token, of everybody."""

    token: int = 600
    address: int = 600
    stranger: int = 30
    everybody: int = 6_000


class Limiter:
    """Counts requests in a window that moves with time: nobody can double their share at a window's edge."""

    def __init__(self, limits: Limits) -> None:
        """Begin with nothing counted."""
        self._items = {name: RateLimitItemPerMinute(most) for name, most in asdict(limits).items()}
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._key = secrets.token_bytes(32)

    def request_from(self, address: str) -> None:
        """Count a request. Raises Barred (`too_many_requests`)."""
        self._take("address", self._hidden(address))
        self._take("everybody")

    def stranger_at(self, address: str) -> None:
        """Count a request without a good token. Raises Barred (`too_many_requests`)."""
        self._take("stranger", self._hidden(address))

    def bearer_of(self, token_id: int) -> None:
        """Count a request with this token. Raises Barred (`too_many_requests`)."""
        self._take("token", str(token_id))

    def _take(self, name: str, who: str = "") -> None:
        item = self._items[name]
        if self._window.hit(item, name, who):
            return
        free_at = self._window.get_window_stats(item, name, who).reset_time
        seconds = max(1, math.ceil(free_at - wall_now().timestamp()))
        raise Barred("too_many_requests", HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(seconds)}, seconds=seconds)

    def _hidden(self, address: str) -> str:
        return hashlib.blake2b(_household(address).encode(), key=self._key, digest_size=16).hexdigest()


def _household(address: str) -> str:
    """Return what counts as one address: a whole network of IPv6 where one subscriber holds it."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:  # a name, as tests have
        return address
    if known.version == 4:  # noqa: PLR2004 - IPv4
        return address
    return str(ipaddress.ip_network((known, _IPV6_HOUSEHOLD), strict=False))
