"""One act in a transaction of its own, for whoever calls from outside: the command line, the web application."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from core.errors import LostRace

_MOST_TRIES = 5

T = TypeVar("T")


def attempt(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do something in a transaction, and commit it; a lost race is tried again in a fresh one before it is told.

    A caller's key written by somebody else at the same moment is such a race too: the next try finds it.
    """

    def once() -> T:
        with engine.begin() as connection:
            return work(connection)

    for _ in range(_MOST_TRIES - 1):
        with suppress(LostRace, IntegrityError):
            return once()
    return once()
