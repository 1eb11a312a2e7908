"""Where a request of ours may go that somebody else gave the address of: the public network, or what is listed.

Without this, whoever may name a receiver could have us call what stands beside us: a database, a metadata service.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from core.errors import UsageError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*\.?")


@dataclass(frozen=True, slots=True)
class AllowList:
    """Hosts and networks that may be called although they are not public."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "AllowList":
        """Read names and networks (CIDR, or a single address) separated by commas. Raises ValueError."""
        entries = [entry.strip().lower() for entry in text.split(",") if entry.strip()]
        networks = [entry for entry in entries if _is_network(entry)]
        names = frozenset(entry.rstrip(".") for entry in entries if entry not in networks)
        if wrong := next((name for name in names if not is_name(name)), None):
            raise ValueError(wrong)
        return cls(names, tuple(ip_network(entry, strict=False) for entry in networks))

    def names_host(self, host: str) -> bool:
        """Tell whether a host, as an address writes it, is listed: by its name, or in a network."""
        return host.lower().rstrip(".") in self.names or (is_ip(host) and self._holds(ip_address(host)))

    def permits(self, host: str, addresses: Iterable[str]) -> bool:
        """Tell whether a host may be called that has these addresses: each of them is public, or listed."""
        if host.lower().rstrip(".") in self.names:
            return True
        return all(is_public(address) or self._holds(address) for address in map(ip_address, addresses))

    def _holds(self, address: Address) -> bool:
        return any(plain(address) in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Tell whether an address is one machine's on the public network: not private, local, shared, reserved, of many."""
    address = plain(address)
    wrapped = isinstance(address, IPv6Address) and (address.sixtofour is not None or address.is_site_local)
    return address.is_global and not (address.is_multicast or address.is_reserved or wrapped)


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for: it is the same machine."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def is_ip(host: str) -> bool:
    """Tell whether a host is written as an address of the network."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_name(host: str) -> bool:
    """Tell whether a host is a name that can be looked up, in its plain ASCII form."""
    return _NAME.fullmatch(host.lower()) is not None


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Target:
    """An address of the web, taken apart: `host` as it is looked up and verified, `authority` as the Host header."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


def target_of(url: str, allow: AllowList) -> Target:
    """Take an address apart and check all that can be told without looking it up.

    Raises UsageError: `webhook_url` (no such address, or one that holds a password), `webhook_https` (plain http is for
    listed hosts), `webhook_private`.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:  # a port that is no number, a bracket left open
        raise UsageError("webhook_url", value=_shown(url)) from error
    well_formed = _PRINTABLE.fullmatch(url) and "\\" not in url and (is_ip(host) or is_name(host)) and port != 0
    if not well_formed or parts.scheme not in _PORTS or "@" in parts.netloc or parts.fragment:
        raise UsageError("webhook_url", value=_shown(url))
    if parts.scheme == "http" and not allow.names_host(host):
        raise UsageError("webhook_https", value=host)
    if (is_ip(host) and not allow.permits(host, [host])) or (host == "localhost" and not allow.names_host(host)):
        raise UsageError("webhook_private", value=host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], parts.netloc, path)


_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-~]{1,500}")


def _shown(url: str) -> str:
    """Return an address as an answer may repeat it: without what could be a password."""
    return url.rpartition("@")[2][:200]
