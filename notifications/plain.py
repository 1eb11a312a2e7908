"""Text from people made safe for a header line, and French typography for text of ours."""

import re

NARROW = "\u202f"
"""The no-break space before ; ! ? and inside numbers."""
NO_BREAK = "\u00a0"
"""The no-break space before : and inside « »."""

# Controls, line separators, byte-order marks, marks that turn the reading direction round, halves of characters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+")
_SPACES = re.compile(r"[ \t\r\n\f\v]+")

_APOSTROPHE = re.compile(r"(?<=\w)'")
_BEFORE_HIGH = re.compile(r"[ \t\n]+(?=[;!?])")
_BEFORE_COLON = re.compile(r"[ \t\n]+(?=[:»])")
_AFTER_OPENING = re.compile(r"(?<=«)[ \t\n]+")


def squeeze(text: str) -> str:
    """Make every run of plain spaces and line ends one space; no-break spaces stay."""
    return _SPACES.sub(" ", text).strip(" ")


def one_line(text: str) -> str:
    """Return text that cannot end a header line, hide, or turn the direction of what follows."""
    return squeeze(_UNSAFE.sub(" ", text))


def typography(text: str) -> str:
    """Set French text: a curly apostrophe, a narrow no-break space before ; ! ? and a wide one before : and inside « ».

    For text of ours only: an e-mail address such as o'neill@… must come through untouched.
    """
    text = _APOSTROPHE.sub("\u2019", text)
    text = _BEFORE_HIGH.sub(NARROW, text)
    text = _BEFORE_COLON.sub(NO_BREAK, text)
    return _AFTER_OPENING.sub(NO_BREAK, text)
