"""What a reader sees of a typed text: marks without a width, which hide letters or turn them round, are gone."""

from unicodedata import category

_BREAKS = {"Cc", "Zl", "Zp"}


def one_line(text: str) -> str:
    """Return the text on one line: controls and ends of lines count as spaces, runs of spaces as one."""
    seen = (" " if category(letter) in _BREAKS else letter for letter in text if category(letter) != "Cf")
    return " ".join("".join(seen).split())


def paragraph(text: str) -> str:
    """Return the text with its lines, each as it is seen; none before the first or after the last."""
    return "\n".join(map(one_line, text.splitlines())).strip("\n")
