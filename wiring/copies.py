"""A private copy of a database, on which the real jobs may be tried without touching anything.

It lies in a folder that only its owner can read, and goes with it: it holds people's data as the original does.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from sqlalchemy import Engine, event, insert, select

from models import metadata
from wiring.database import make_engine, reading

_ROWS_AT_ONCE = 2_000


@contextmanager
def copy_of(engine: Engine) -> Iterator[tuple[Engine, Path]]:
    """Give an engine on a copy of all that a database holds at this moment, and the folder in which it lies.

    The copy is always SQLite: page by page from SQLite, row by row from anything else.
    """
    with TemporaryDirectory(prefix="entrapprendre-copy-") as name:
        folder = Path(name)
        file = folder / "copy.db"
        if engine.dialect.name == "sqlite":
            _pages(engine, file)
        copy = make_engine(f"sqlite:///{file}")
        event.listen(copy, "connect", _lose_it_all)
        try:
            if engine.dialect.name != "sqlite":
                _rows(engine, copy)
            yield copy, folder
        finally:
            copy.dispose()


def _pages(engine: Engine, file: Path) -> None:
    with closing(sqlite3.connect(file)) as target, closing(engine.raw_connection()) as source:
        cast("sqlite3.Connection", source.driver_connection).backup(target)


def _rows(engine: Engine, copy: Engine) -> None:
    """Copy what one moment of the database shows; keys are looked at when all is there: tables refer to each other."""
    with reading(engine) as source, copy.begin() as target:
        target.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        metadata.create_all(target)
        for table in metadata.tables.values():
            found = source.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(table)).mappings()
            for some in found.partitions(_ROWS_AT_ONCE):
                target.execute(insert(table), [dict(row) for row in some])


def _lose_it_all(connection: sqlite3.Connection, _record: object) -> None:
    """Wait for no disk: after a power cut nobody wants this copy."""
    connection.execute("PRAGMA synchronous = OFF")
