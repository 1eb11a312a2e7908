"""Which workshop the flows of this process work in."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import cache

from anyio import to_thread
from prefect.context import AsyncClientContext, SyncClientContext
from prefect.events.worker import EventsWorker
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from core.settings import load_settings
from jobs.workshop import Workshop
from wiring.database import make_engine
from wiring.workshop import make_workshop

_GIVEN: ContextVar[Workshop] = ContextVar("workshop")


@contextmanager
def working_in(workshop: Workshop) -> Iterator[None]:
    """Have the flows that are called within work in this workshop (the demo, tests); elsewhere it is the settings'."""
    token = _GIVEN.set(workshop)
    try:
        yield
    finally:
        _GIVEN.reset(token)


def current_workshop() -> Workshop:
    """Return the workshop given, or that of this process's settings."""
    return _GIVEN.get(None) or _own()


@cache
def _own() -> Workshop:
    settings = load_settings()
    return make_workshop(settings, make_engine(settings.database_url))


@asynccontextmanager
async def connected() -> AsyncIterator[None]:
    """Hold one client of each kind for all runs of this loop: Prefect builds new ones for each run, and leaks sockets.

    Heartbeats are off: our runs are short, and a heartbeat waits for a server that may be gone.
    """
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), SyncClientContext.get_or_create():
        async with AsyncClientContext.get_or_create():
            yield
        # what happened is told to the server before it may go: else Prefect complains, at length, at our exit
        await to_thread.run_sync(EventsWorker.drain_all)
