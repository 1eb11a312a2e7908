from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from core.workdays import Calendar, days_between, public_holidays

BRUSSELS = ZoneInfo("Europe/Brussels")
CARNIVAL = frozenset(days_between(date(2019, 3, 4), date(2019, 3, 8)))
CALENDAR = Calendar(CARNIVAL, BRUSSELS, time(8))


@pytest.mark.parametrize(
    ("year", "movable"),
    [
        (2019, {date(2019, 4, 22), date(2019, 5, 30), date(2019, 6, 10)}),
        (2016, {date(2016, 3, 28), date(2016, 5, 5), date(2016, 5, 16)}),
    ],
)
def test_public_holidays_are_belgium_s_ten_legal_ones(year: int, movable: set[date]) -> None:
    """Law of 4 January 1974 and royal decree of 18 April 1974; those on Sundays anyway are not looked at."""
    fixed = {date(year, m, d) for m, d in ((1, 1), (5, 1), (7, 21), (8, 15), (11, 1), (11, 11), (12, 25))}

    assert {day for day in public_holidays(year) if day.weekday() < 6} == {
        d for d in fixed | movable if d.weekday() < 6
    }


@pytest.mark.parametrize(
    ("day", "works"),
    [
        (date(2019, 3, 1), True),
        (date(2019, 3, 2), False),  # Saturday
        (date(2019, 3, 3), False),
        (date(2019, 3, 4), False),  # school holidays
        (date(2019, 3, 8), False),
        (date(2019, 3, 11), True),
        (date(2019, 4, 22), False),  # Easter Monday
        (date(2019, 5, 1), False),
        (date(2018, 12, 25), False),
        (date(2019, 7, 22), True),
    ],
)
def test_day_counts_unless_weekend_or_holiday(day: date, *, works: bool) -> None:
    assert CALENDAR.is_working(day) is works


@pytest.mark.parametrize(
    ("day", "moves"),
    [
        (date(2019, 3, 1), {-1: date(2019, 2, 28), 0: date(2019, 3, 1), 1: date(2019, 3, 11), 2: date(2019, 3, 12)}),
        (date(2019, 3, 2), {-1: date(2019, 3, 1), 0: date(2019, 3, 11), 1: date(2019, 3, 11)}),  # a Saturday
        (date(2018, 12, 31), {1: date(2019, 1, 2), 2: date(2019, 1, 3), -1: date(2018, 12, 28)}),
    ],
)
def test_shift_counts_working_days_both_ways(day: date, moves: dict[int, date]) -> None:
    assert {count: CALENDAR.shift(day, count) for count in moves} == moves


def test_hour_of_a_day_is_local_and_returned_in_utc() -> None:
    moments = [
        CALENDAR.moment(date(2019, 1, 14)),
        CALENDAR.moment(date(2019, 6, 14)),
        CALENDAR.moment(date(2019, 6, 14), time(17, 30)),
    ]

    assert moments == [
        datetime(2019, 1, 14, 7, tzinfo=UTC),
        datetime(2019, 6, 14, 6, tzinfo=UTC),
        datetime(2019, 6, 14, 15, 30, tzinfo=UTC),
    ]


def test_midnight_asked_for_is_midnight() -> None:
    """The first hour of a day is false to `or`: it must not become the calendar's own hour."""
    assert CALENDAR.moment(date(2019, 1, 14), time(0)) == datetime(2019, 1, 13, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2019, 1, 14), datetime(2019, 1, 14, 23, tzinfo=UTC)),
        (date(2019, 3, 31), datetime(2019, 3, 31, 22, tzinfo=UTC)),  # 23 hours long
        (date(2018, 10, 28), datetime(2018, 10, 28, 23, tzinfo=UTC)),  # 25 hours long
        (date(2018, 12, 31), datetime(2018, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_day_is_over_at_the_next_local_midnight(day: date, end: datetime) -> None:
    assert CALENDAR.end_of(day) == end


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2019, 1, 14, 22, 59, 59, tzinfo=UTC), date(2019, 1, 14)),
        (datetime(2019, 1, 14, 23, tzinfo=UTC), date(2019, 1, 15)),
        (datetime(2019, 6, 14, 21, 59, 59, tzinfo=UTC), date(2019, 6, 14)),
        (datetime(2019, 6, 14, 22, tzinfo=UTC), date(2019, 6, 15)),
    ],
)
def test_local_day_changes_at_local_midnight(moment: datetime, day: date) -> None:
    assert CALENDAR.local_day(moment) == day


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        (date(2019, 2, 28), date(2019, 3, 1), [date(2019, 2, 28), date(2019, 3, 1)]),
        (date(2019, 3, 1), date(2019, 3, 1), [date(2019, 3, 1)]),
        (date(2019, 3, 2), date(2019, 3, 1), []),
    ],
)
def test_days_between_holds_both_ends(first: date, last: date, days: list[date]) -> None:
    assert list(days_between(first, last)) == days


QUIET = Calendar(frozenset(), BRUSSELS, time(8), (time(20), time(7)))


def local(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "from_"),
    [
        ("2019-01-16 19:59:59", None),
        ("2019-01-16 20:00", "2019-01-17 07:00"),
        ("2019-01-17 00:00", "2019-01-17 07:00"),
        ("2019-01-17 06:59:59", "2019-01-17 07:00"),
        ("2019-01-17 07:00", None),
        ("2019-01-17 12:00", None),
        ("2018-12-31 23:00", "2019-01-01 07:00"),
        ("2019-03-30 23:00", "2019-03-31 07:00"),  # the clock goes forward in this night
        ("2018-10-27 23:00", "2018-10-28 07:00"),  # and back in this one
    ],
)
def test_what_comes_in_quiet_hours_leaves_at_their_end(moment: str, from_: str | None) -> None:
    assert QUIET.may_send_from(local(moment)) == local(from_ or moment)


def test_quiet_hours_of_a_night_last_as_long_as_the_night() -> None:
    """Eleven hours; ten when the clock goes forward, twelve when it goes back."""
    nights = [local(f"{day} 20:00") for day in ("2019-01-16", "2019-03-30", "2018-10-27")]

    hours = [(QUIET.may_send_from(night) - night).total_seconds() / 3600 for night in nights]

    assert hours == [11, 10, 12]


def test_quiet_hours_by_day_and_those_that_a_clock_change_touches() -> None:
    noon = Calendar(frozenset(), BRUSSELS, time(8), (time(12), time(13, 30)))
    night = Calendar(frozenset(), BRUSSELS, time(8), (time(1), time(2, 30)))
    again = local("2018-10-28 02:10", fold=1)  # ten past two for the second time

    assert noon.may_send_from(local("2019-01-16 12:10")) == local("2019-01-16 13:30")
    assert noon.may_send_from(local("2019-01-16 13:30")) == local("2019-01-16 13:30")
    assert night.may_send_from(local("2018-10-28 01:30")) == local("2018-10-28 02:30")
    assert night.may_send_from(again) == local("2018-10-28 02:30", fold=1)
    assert night.may_send_from(local("2019-03-31 01:30")) == local("2019-03-31 03:30")  # 02:30 does not exist
    assert CALENDAR.may_send_from(local("2019-01-16 23:00")) == local("2019-01-16 23:00")
