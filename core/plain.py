"""Plain letters for comparing what people type: without accents, ligatures and typographic marks."""

import unicodedata

_LETTERS = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss", "\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{EN DASH}": "-"}
)


def plain(text: str) -> str:
    """Return the text in ASCII: letters keep their base, what has none is dropped."""
    return unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
