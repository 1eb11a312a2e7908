"""The working-day calendar: weekends, Belgian public holidays and the edition's school holidays do not count."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_SATURDAY = 5


@lru_cache(maxsize=64)
def public_holidays(year: int) -> frozenset[date]:
    """Return Belgium's public holidays of a year."""
    import holidays  # noqa: PLC0415 - half a second of import that most commands never need

    return frozenset(holidays.country_holidays("BE", years=year, language="fr"))


@dataclass(frozen=True)
class Calendar:
    """Working days of one edition; `closures` are its school holidays, day by day; `hour` is when deadlines fall.

    `quiet`: the local hours in which nothing is sent, from one (included) to the other (excluded).
    """

    closures: frozenset[date]
    zone: ZoneInfo
    hour: time
    quiet: tuple[time, time] | None = None

    def is_working(self, day: date) -> bool:
        """Tell whether the day counts."""
        return day.weekday() < _SATURDAY and day not in self.closures and day not in public_holidays(day.year)

    def shift(self, day: date, working_days: int) -> date:
        """Move by that many working days, backwards if negative; 0 stays, or goes on to the next working day."""
        step = -_DAY if working_days < 0 else _DAY
        while working_days == 0 and not self.is_working(day):
            day += step
        for _ in range(abs(working_days)):
            day += step
            while not self.is_working(day):
                day += step
        return day

    def moment(self, day: date, hour: time | None = None) -> datetime:
        """Return the instant (UTC) of a local hour of that day, the calendar's own hour by default.

        An hour that the clock skips in spring is read with the offset before the change (PEP 495, fold 0): never lost.
        """
        return datetime.combine(day, hour or self.hour, self.zone).astimezone(UTC)

    def may_send_from(self, moment: datetime) -> datetime:
        """Return the moment itself, or the instant (UTC) at which the quiet hours in which it falls are over.

        An hour that the clock repeats in autumn is quiet both times; quiet hours that end in one that it skips in
        spring end with the skip.
        """
        if self.quiet is None:
            return moment
        first, last = self.quiet
        local = moment.astimezone(self.zone)
        now = local.time()
        over_midnight = last < first
        if not (now >= first or now < last if over_midnight else first <= now < last):
            return moment
        day = local.date() + _DAY if over_midnight and now >= first else local.date()
        ends = (datetime.combine(day, last.replace(fold=fold), self.zone).astimezone(UTC) for fold in (0, 1))
        return next((end for end in ends if end > moment), moment)

    def local_day(self, moment: datetime) -> date:
        """Return the local date of an instant."""
        return moment.astimezone(self.zone).date()

    def end_of(self, day: date) -> datetime:
        """Return the instant (UTC) at which a local day is over."""
        return self.moment(day + _DAY, time())


def days_between(first: date, last: date) -> Iterable[date]:
    """Yield each day from first to last, both included."""
    while first <= last:
        yield first
        first += _DAY
