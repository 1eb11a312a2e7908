"""Work that only one process may do at once, held for a time: whoever died with it loses it when the time is over."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from jobs.workshop import Workshop
from models import Lease, table_of

LEASE = table_of(Lease)
HELD_FOR = timedelta(minutes=10)


@contextmanager
def lease(workshop: Workshop, name: str) -> Iterator[bool]:
    """Yield whether this process holds the lease; it is given back at the end."""
    held = take(workshop, name, HELD_FOR)
    try:
        yield held
    finally:
        if held:
            with workshop.engine.begin() as connection:
                connection.execute(delete(LEASE).where(LEASE.c.name == name, LEASE.c.holder == workshop.holder))


def take(workshop: Workshop, name: str, held_for: timedelta) -> bool:
    """Take the lease for a time, and say whether it was free."""
    wall = workshop.wall()
    values = {"holder": workshop.holder, "until": wall + held_for}
    try:
        with workshop.engine.begin() as connection:
            known = connection.execute(select(LEASE.c.until).where(LEASE.c.name == name)).first()
            if known is None:
                connection.execute(insert(LEASE).values(name=name, **values))
                return True
            taken = update(LEASE).where(LEASE.c.name == name, LEASE.c.until < wall).values(values)
            return connection.execute(taken).rowcount == 1
    except IntegrityError:  # somebody else came first
        return False
