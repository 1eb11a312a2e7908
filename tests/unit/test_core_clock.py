from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.clock import BRUSSELS, iso, parse_moment, wall_now
from core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-01-14T10:30", datetime(2019, 1, 14, 9, 30, tzinfo=UTC)),  # local, winter
        ("2019-06-14T10:30", datetime(2019, 6, 14, 8, 30, tzinfo=UTC)),  # local, summer
        ("2019-01-14 10:30", datetime(2019, 1, 14, 9, 30, tzinfo=UTC)),
        ("  2019-01-14T10:30:15\n", datetime(2019, 1, 14, 9, 30, 15, tzinfo=UTC)),
        ("2019-01-14", datetime(2019, 1, 13, 23, 0, tzinfo=UTC)),  # local midnight
        ("2019-06-14", datetime(2019, 6, 13, 22, 0, tzinfo=UTC)),
        ("2019-01-14T10:30Z", datetime(2019, 1, 14, 10, 30, tzinfo=UTC)),
        ("2019-01-14T10:30+00:00", datetime(2019, 1, 14, 10, 30, tzinfo=UTC)),
        ("2019-01-14T10:30-05:00", datetime(2019, 1, 14, 15, 30, tzinfo=UTC)),
        ("2019-03-31T02:30", datetime(2019, 3, 31, 1, 30, tzinfo=UTC)),  # skipped by the clock
        ("2018-10-28T02:30", datetime(2018, 10, 28, 0, 30, tzinfo=UTC)),  # twice on the clock: the first
        ("2018-10-28T02:30+01:00", datetime(2018, 10, 28, 1, 30, tzinfo=UTC)),  # ... and the second
    ],
)
def test_moment_without_an_offset_is_local(text: str, expected: datetime) -> None:
    moment = parse_moment(text)

    assert (moment, moment.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "demain",
        "10:30",
        "14/01/2019",
        "20190114",  # ISO's basic form: too easily a typing error
        "2019-W03-1",
        "2019-13-01",
        "2019-02-29",
        "2019-01-14T25:00",
        "2019-01-14T10:30+99:00",
        "2019-01-14 à midi",
        "0001-01-01T00:00+14:00",  # before the first day there is
        "9999-12-31T23:59-14:00",
    ],
)
def test_text_that_is_no_moment_is_refused_with_what_was_given(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_moment(text)

    assert (caught.value.code, dict(caught.value.params)) == ("bad_moment", {"value": text})


def test_moment_is_read_in_the_zone_asked_for() -> None:
    assert parse_moment("2019-01-14T10:30", ZoneInfo("UTC")) == datetime(2019, 1, 14, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2019, 1, 14, 9, 30, tzinfo=UTC), "2019-01-14T10:30:00+01:00"),
        (datetime(2019, 6, 14, 9, 30, 15, 999_999, tzinfo=UTC), "2019-06-14T11:30:15+02:00"),
        (datetime(2018, 10, 28, 0, 30, tzinfo=UTC), "2018-10-28T02:30:00+02:00"),
        (datetime(2018, 10, 28, 1, 30, tzinfo=UTC), "2018-10-28T02:30:00+01:00"),
    ],
)
def test_moment_is_written_local_with_its_offset_to_the_second(moment: datetime, text: str) -> None:
    assert iso(moment) == text


def test_moment_written_is_read_back_as_the_same() -> None:
    for hours in range(24 * 370):
        moment = datetime(2018, 9, 1, tzinfo=UTC) + timedelta(hours=hours)
        assert parse_moment(iso(moment)) == moment


def test_machine_s_clock_is_aware_and_goes_forward() -> None:
    first, second = wall_now(), wall_now()

    assert (first.tzinfo, first <= second) == (UTC, True)


def test_zone_of_the_programme_is_brussels() -> None:
    assert str(BRUSSELS) == "Europe/Brussels"
