"""Removes files that no row names: of people who were erased, and of additions that were interrupted or refused.

Once a day (wall), by one process: its lease is kept until the next day. A file younger than an hour is left: whoever
put it may be about to name it.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from actions.papers import named
from documents.store import Store
from jobs.leases import LEASE, take
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop

JOB = "sweeping"
_EVERY = timedelta(days=1)
_YOUNG = timedelta(hours=1)


def has_work(connection: Connection, wall: datetime) -> bool:
    """Tell whether nobody has swept for a day."""
    swept = select(LEASE.c.until).where(LEASE.c.name == JOB, LEASE.c.until >= wall)
    return connection.execute(swept).first() is None


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:  # noqa: ARG001 - files have the wall's age
    """Sweep the store, if nobody has today. It may be killed: the next one does the rest."""
    summary = Summary(JOB)
    if take(workshop, JOB, _EVERY):
        store, before = Store(workshop.documents), workshop.wall() - _YOUNG
        old = [sha256 for sha256, put_at in store.kept() if put_at < before]
        for start in range(0, len(old), limit):
            some = old[start : start + limit]
            with workshop.engine.connect().execution_options(read_only=True) as connection:
                known = named(connection, some)
            for sha256 in sorted(set(some) - known):
                store.remove(sha256)
                summary.add(sha256, "removed")
    return summary
