"""Addresses that mail reaches as they are written."""

import pytest

from core.addresses import is_address


@pytest.mark.parametrize("text", ["jo@saint-luc.example", "o'neil+x@a.b.be", "J.Dupont@École.be".replace("É", "E")])
def test_plain_address_is_one(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "a(b)@x.example",  # a comment: mail would go to a@x.example
        '"a b"@x.example',
        "a[b]:@[x].example",
        "a..b@x.example",
        ".a@x.example",
        "a@-x-.example",
        "a@x",
        "a@x.e",
        "é@x.example",
        "a\u200b@x.example",
        "a@x.example\n",
        "a b@x.example",
        "a@b@x.example",
        f"{'a' * 65}@x.example",
        f"a@{'x.' * 130}example",
        "",
    ],
)
def test_what_a_mailer_could_read_otherwise_is_none(text: str) -> None:
    assert not is_address(text)
