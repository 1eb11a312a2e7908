from ipaddress import ip_address

import pytest

from core.errors import UsageError
from core.hosts import AllowList, Target, is_public, target_of

NOBODY = AllowList()
PRIVATE = (
    "0.0.0.0",  # noqa: S104 - nothing listens here
    *("127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
    *("::1", "::", "fc00::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
)


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_one_machine_of_the_public_network_is_not_public(address: str) -> None:
    assert is_public(ip_address(address)) is False


@pytest.mark.parametrize("address", ["8.8.8.8", "193.190.198.27", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_address_of_the_public_network_is_public(address: str) -> None:
    assert is_public(ip_address(address)) is True


# ---------------------------------------------------------------------------------------------------------- allow-list
def test_empty_list_permits_public_addresses_only() -> None:
    assert NOBODY.permits("hooks.example", ["8.8.8.8", "2606:4700::1111"])
    assert not NOBODY.permits("hooks.example", ["8.8.8.8", "10.0.0.1"])  # one of them is enough to refuse


@pytest.mark.parametrize(
    ("listed", "host", "address"),
    [
        ("hooks.intranet", "hooks.intranet", "10.0.0.1"),
        ("Hooks.Intranet.", "hooks.INTRANET", "10.0.0.1"),
        ("10.0.0.0/8", "any.example", "10.1.2.3"),
        ("10.0.0.1", "any.example", "10.0.0.1"),
        ("10.0.0.0/8", "any.example", "::ffff:10.1.2.3"),
        ("8.8.0.0/16, 10.0.0.0/8", "any.example", "10.1.2.3"),
        ("::1", "any.example", "::1"),
    ],
)
def test_what_is_listed_is_permitted(listed: str, host: str, address: str) -> None:
    assert AllowList.parse(listed).permits(host, [address])
    assert not NOBODY.permits(host, [address])


@pytest.mark.parametrize(
    ("listed", "host", "address"),
    [
        ("hooks.intranet", "other.hooks.intranet", "10.0.0.1"),
        ("hooks.intranet", "hooks.intranet.example", "10.0.0.1"),
        ("10.0.0.0/16", "any.example", "10.1.2.3"),
        ("10.0.0.0/8", "any.example", "fd00::1"),
    ],
)
def test_what_only_resembles_the_list_is_not_permitted(listed: str, host: str, address: str) -> None:
    assert not AllowList.parse(listed).permits(host, [address])


@pytest.mark.parametrize("text", ["10.0.0.0/99", "http://x.example", "a b", "x.example:80", "é.example", "-x.example"])
def test_list_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        AllowList.parse(text)


# ----------------------------------------------------------------------------------------------------------- addresses
@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://fcc.example", Target("https", "fcc.example", 443, "fcc.example", "/")),
        ("https://fcc.example:8443/a?b=c", Target("https", "fcc.example", 8443, "fcc.example:8443", "/a?b=c")),
        ("https://[2606:4700::1111]/a", Target("https", "2606:4700::1111", 443, "[2606:4700::1111]", "/a")),
        ("https://fcc.example./a", Target("https", "fcc.example", 443, "fcc.example.", "/a")),
    ],
)
def test_address_is_taken_apart(url: str, target: Target) -> None:
    assert target_of(url, NOBODY) == target


@pytest.mark.parametrize(
    ("url", "code"),
    [
        *((url, "webhook_url") for url in ("", "fcc.example/hook", "ftp://fcc.example", "https://", "https:///hook")),
        *((url, "webhook_url") for url in ("https://a:b@fcc.example/", "https://fcc.example/#x", "https://fcc.example:0")),
        *((url, "webhook_url") for url in ("https://fcc.example:99999", "https://fcc.example:x", "https://[::1", "file:///x")),
        *((url, "webhook_url") for url in ("https://é.example/", "https://fcc.example/a b", "https://fcc.example\\@x/")),
        *((url, "webhook_url") for url in (f"https://fcc.example/{'x' * 500}", "https://fcc.example/\r\nHost:x")),
        ("http://fcc.example/", "webhook_https"),
        *((f"https://{host}/", "webhook_private") for host in ("127.0.0.1", "10.0.0.1", "[::1]")),
        *((f"https://{host}/", "webhook_private") for host in ("localhost", "LOCALHOST.")),
    ],
)  # fmt: skip
def test_address_that_may_not_be_called_is_refused(url: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        target_of(url, NOBODY)

    assert caught.value.code == code


def test_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        target_of("https://user:secret@fcc.example/", NOBODY)

    assert "secret" not in str(caught.value.params)


def test_listed_host_may_do_without_https() -> None:
    allow = AllowList.parse("127.0.0.0/8, hooks.intranet")

    assert target_of("http://127.0.0.1:8000/x", allow) == Target("http", "127.0.0.1", 8000, "127.0.0.1:8000", "/x")
    assert target_of("http://hooks.intranet/x", allow).port == 80
