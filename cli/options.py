"""Options and arguments that several commands share, each with its words from the catalogue."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from core.clock import parse_moment, wall_now
from core.errors import UsageError
from notifications.words import label

_FIRST_YEAR, _LAST_YEAR = 2000, 2100  # beyond, the calendar's arithmetic has no room left


def told(code: str) -> str:
    """Return what the catalogue says of an option."""
    return label("option", code)


AsJson = Annotated[bool, typer.Option("--json", help=told("json"))]
At = Annotated[str | None, typer.Option("--at", metavar="ISO", help=told("at"))]
Directory = Annotated[Path | None, typer.Option("--dir", metavar="DIR", help=told("dir"))]
EditionCode = Annotated[str | None, typer.Option("--edition", metavar="CODE", help=told("edition"))]
Reference = Annotated[str, typer.Argument(metavar="REF", help=told("reference"))]
By = Annotated[str, typer.Option("--by", metavar="ROLE:EMAIL", help=told("by"))]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help=told("reason"))]
Key = Annotated[str | None, typer.Option("--key", metavar="K", help=told("key"))]


def moment(given: str | None) -> datetime:
    """Return the moment that `--at` names, now without it. Raises UsageError (`bad_moment`)."""
    if given is None:
        return wall_now()
    at = parse_moment(given)
    if not _FIRST_YEAR <= at.year < _LAST_YEAR:
        raise UsageError("bad_moment", value=given)
    return at


def local_day(text: str) -> date:
    """Read a local day as 2019-03-14. Raises UsageError (`bad_day`)."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError("bad_day", value=text) from None
    if not _FIRST_YEAR <= day.year < _LAST_YEAR:
        raise UsageError("bad_day", value=text)
    return day
