"""Calling the tick flow from outside Prefect: on the server that the environment names, or on one of our own."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from jobs.summary import Summary
from jobs.workshop import Workshop
from ops.prefect_server import answers, client_environment, prefect_server


@contextmanager
def a_server(home: Path) -> Iterator[str]:
    """Give the address of a Prefect API: the one at PREFECT_API_URL if it answers, else one started for the block."""
    known = os.environ.get("PREFECT_API_URL", "")
    if known and answers(known):
        yield known
        return
    with prefect_server(home, log=home / "server.log") as api_url:
        yield api_url


def speak_to(api_url: str, home: Path) -> None:
    """Set this process's environment for that API. Must come before the first import of Prefect, hence of `flows`."""
    os.environ.update(client_environment(home, api_url))


def tick_once(workshop: Workshop, at: datetime, home: Path) -> list[Summary]:
    """Run all that is due at a moment of the programme, as a Prefect flow run. Raises ServerNotStarted."""
    with a_server(home) as api_url:
        speak_to(api_url, home)
        from flows.jobs import tick  # noqa: PLC0415 - imports Prefect, which reads its settings then
        from flows.surroundings import connected, working_in  # noqa: PLC0415 - as above

        async def run() -> list[Summary]:
            async with connected():
                return await tick(at)

        with working_in(workshop):
            return asyncio.run(run())
