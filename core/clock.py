"""The two clocks, never mixed.

`at` is the moment of the programme (deadlines, journal, calendar): always a parameter, always aware, kept in UTC.
`wall` is the machine's clock (leases, retries): a callable, `wall_now` unless a test or the simulation gives another.
This module is the only place that reads the machine's clock.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.errors import UsageError

BRUSSELS = ZoneInfo("Europe/Brussels")

Clock = Callable[[], datetime]

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}")


def wall_now() -> datetime:
    """Return the machine's moment, aware, in UTC."""
    return datetime.now(UTC)


def parse_moment(text: str, zone: ZoneInfo = BRUSSELS) -> datetime:
    """Read an ISO 8601 moment; without an offset it is local to `zone`; a bare date means midnight there. UTC out.

    Raises UsageError (`bad_moment`).
    """
    written = text.strip()
    try:
        moment = datetime.fromisoformat(written if _ISO.match(written) else "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError("bad_moment", value=text) from error


def iso(moment: datetime, zone: ZoneInfo = BRUSSELS) -> str:
    """Write a moment for people and JSON: ISO 8601, local, with its offset."""
    return moment.astimezone(zone).isoformat(timespec="seconds")
