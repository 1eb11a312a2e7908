"""One act in a transaction of its own, for whoever calls from outside: the command line, the web application."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from core.errors import LostRace, Refused

_MOST_TRIES = 8
_OLDER_THAN_THE_LAST = "before_last_entry"

T = TypeVar("T")


def attempt(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do something in a transaction, and commit it; a lost race is tried again in a fresh one before it is told.

    A caller's key written by somebody else at the same moment is such a race too: the next try finds it. So is a moment
    that has become older than the last entry, where `work` takes it from the clock each time.
    """

    def once() -> T:
        with engine.begin() as connection:
            return work(connection)

    for _ in range(_MOST_TRIES - 1):
        try:
            return once()
        except (LostRace, IntegrityError):
            continue
        except Refused as refusal:
            if refusal.code != _OLDER_THAN_THE_LAST:
                raise
    return once()
