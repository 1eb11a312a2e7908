"""Where a page of a list ended, and when its first page was asked for: opaque to callers, harmless if made up."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_TEXT = re.compile(rb"([0-9]{1,15})\.([0-9]{1,10})")

# The longest a job may be writing what it noted as changed: whoever polls looks so far back, and misses nothing.
OVERLAP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last number shown; `began` is when the listing began."""

    last: int
    began: datetime

    def __str__(self) -> str:
        """Write it as it travels."""
        text = f"{self.last}.{int(self.began.timestamp())}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @property
    def look_back_to(self) -> str:
        """Return what the next listing gives as `changed_since`: in UTC, since a + in an address would be a space."""
        return (self.began - OVERLAP).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_cursor(text: str) -> Cursor | None:
    """Read a cursor, None if it is none."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    found = _TEXT.fullmatch(decoded)
    cursor = found and Cursor(int(found[1]), datetime.fromtimestamp(int(found[2]), UTC))
    return cursor if str(cursor) == text else None
