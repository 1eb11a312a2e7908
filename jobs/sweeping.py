"""Removes files that no row names: of people who were erased, and of additions that were interrupted or refused.

A file younger than an hour is left: whoever put it may be about to name it. Whoever erases somebody calls this after
the commit, and whoever keeps the house from time to time.
"""

from datetime import timedelta

from actions.papers import named
from documents.store import Store
from jobs.workshop import MOST_AT_ONCE, Workshop

_YOUNG = timedelta(hours=1)


def run(workshop: Workshop) -> int:
    """Sweep the store; return how many files went. It may run twice, or be killed: the next one does the rest."""
    store, limit = Store(workshop.documents), workshop.wall() - _YOUNG
    old = [sha256 for sha256, put_at in store.kept() if put_at < limit]
    gone = 0
    for start in range(0, len(old), MOST_AT_ONCE):
        some = old[start : start + MOST_AT_ONCE]
        with workshop.engine.connect().execution_options(read_only=True) as connection:
            known = named(connection, some)
        for sha256 in set(some) - known:
            store.remove(sha256)
            gone += 1
    return gone
