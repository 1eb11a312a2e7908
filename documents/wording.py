"""What documents ask of whoever has the words: they know codes and dates, never how a language writes them."""

from datetime import date, datetime
from typing import Protocol


class Words(Protocol):
    """The words of one language, given by the caller."""

    def label(self, group: str, code: str) -> str:
        """Return the label of a code. Raises KeyError when there is none."""

    def day(self, day: date, /) -> str:
        """Write a day in full."""

    def moment(self, at: datetime, /) -> str:
        """Write a moment in full, local to Brussels."""
