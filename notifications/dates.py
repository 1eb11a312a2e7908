"""Dates as a person writes them: "jeudi 14 et vendredi 15 mars 2019". The names come from the words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from core.clock import BRUSSELS
from notifications.plain import NO_BREAK


@dataclass(frozen=True, slots=True)
class Calendar:
    """The names of one language, as its words file has them."""

    months: tuple[str, ...]
    weekdays: tuple[str, ...]
    first: str
    """How the first of a month is written: "1er" in French."""
    and_: str
    span_: str
    """How two moments of one day are written: "{day}, de {start} à {end}" in French."""
    moment_: str
    """How a moment is written: "{day} à {time}" in French."""
    hour: str
    """What separates hours from minutes: "h" in French."""

    @classmethod
    def of(cls, words: Mapping[str, Any]) -> "Calendar":
        """Read the section `calendar` of a words file."""
        names = ("first", "and", "span", "moment", "hour")
        return cls(tuple(words["months"]), tuple(words["weekdays"]), *(words[name] for name in names))

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

    def span(self, start: datetime, end: datetime) -> str:
        """Write "jeudi 4 avril 2019, de 9 h à 12 h 30", in Brussels time; two days if it ends on another."""
        start, end = start.astimezone(BRUSSELS), end.astimezone(BRUSSELS)
        last = self._time(end) if end.date() == start.date() else f"{self._time(end)} ({self.day(end.date())})"
        return self.span_.format(day=self.day(start.date()), start=self._time(start), end=last)

    def moment(self, at: datetime) -> str:
        """Write "jeudi 4 avril 2019 à 9 h 30", in Brussels time."""
        local = at.astimezone(BRUSSELS)
        return self.moment_.format(day=self.day(local.date()), time=self._time(local))

    def _time(self, moment: datetime) -> str:
        """Write "9 h" or "9 h 05", never broken at the end of a line."""
        minutes = f"{NO_BREAK}{moment.minute:02d}" if moment.minute else ""
        return f"{moment.hour}{NO_BREAK}{self.hour}{minutes}"

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
