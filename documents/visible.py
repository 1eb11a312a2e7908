"""What a reader sees of a typed text: marks without a width, which hide letters or turn them round, are gone."""

from unicodedata import category

_BREAKS = {"Cc", "Zl", "Zp"}


def one_line(text: str) -> str:
    """Return the text on one line: controls and ends of lines count as spaces, runs of spaces as one."""
    kinds = ((letter, category(letter)) for letter in text)
    return " ".join("".join(" " if kind in _BREAKS else letter for letter, kind in kinds if kind != "Cf").split())


def paragraph(text: str) -> str:
    """Return the text with its lines, each as it is seen; none before the first or after the last."""
    return "\n".join(map(one_line, text.splitlines())).strip("\n")
