"""Dates as a person writes them: "jeudi 14 et vendredi 15 mars 2019". The names come from the words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class Calendar:
    """The names of one language, as its words file has them."""

    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    first: str
    """How the first of a month is written: "1er" in French."""
    and_: str

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Calendar":
        """Read the section `calendar` of a words file."""
        return cls(tuple(words["months"]), tuple(words["weekdays"]), words["first"], words["and"])

    def plain(self, day: date) -> str:
        """Write "14 mars 2019"."""
        return f"{self._number(day)} {self.months[day.month - 1]} {day.year}"

    def day(self, day: date) -> str:
        """Write "jeudi 14 mars 2019"."""
        return f"{self.weekdays[day.weekday()]} {self.plain(day)}"

    def days(self, days: Sequence[date]) -> str:
        """Write several days, saying a month or a year once where they share it."""
        *others, last = sorted(set(days))
        shortened = [self._before(day, following) for day, following in pairwise([*others, last])]
        return join([*shortened, self.day(last)], self.and_)

    def _number(self, day: date) -> str:
        return self.first if day.day == 1 else str(day.day)

    def _before(self, day: date, following: date) -> str:
        if day.year != following.year:
            return self.day(day)
        month = "" if day.month == following.month else f" {self.months[day.month - 1]}"
        return f"{self.weekdays[day.weekday()]} {self._number(day)}{month}"


def join(parts: Sequence[str], conjunction: str) -> str:
    """Write "a, b et c"."""
    if not parts:
        return ""
    *others, last = parts
    return f"{', '.join(others)} {conjunction} {last}" if others else last
