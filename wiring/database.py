"""The engine, and the one way to bring a database to the current schema, on SQLite and PostgreSQL alike."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.pool import ConnectionPoolEntry

from core.errors import UsageError

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK_WAIT_MS = 15_000


def make_engine(url: str) -> Engine:
    """Return an engine. On SQLite every transaction takes the write lock at once, unless it says it only reads.

    `connection.execution_options(read_only=True)` begins a deferred transaction there: readers never wait for writers.
    Raises UsageError (`bad_database_url`).
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise UsageError("bad_database_url") from error
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.drivername != "postgresql+psycopg":
        raise UsageError("bad_database_url")
    engine = sqlalchemy.create_engine(parsed, pool_pre_ping=True, hide_parameters=True)
    event.listen(engine, "handle_error", _name_nobody)
    return engine


def _name_nobody(context: ExceptionContext) -> None:
    """Keep only what PostgreSQL says first: its detail holds the values of the row, and errors reach logs."""
    fault, ours = context.original_exception, context.sqlalchemy_exception
    said = getattr(getattr(fault, "diag", None), "message_primary", None)
    if said and ours is not None:
        fault.args = (said,)
        ours.args = (f"({type(fault).__module__}.{type(fault).__qualname__}) {said}",)


def _sqlite(url: sqlalchemy.URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(url, hide_parameters=True)  # errors reach logs, which hold no personal data
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver would begin too late, and deferred; `_begin` does it
    for pragma in (
        f"busy_timeout = {_LOCK_WAIT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def migrate(url: str) -> None:
    """Create the database's tables, or bring them to the current revision; safe to repeat."""
    from alembic import command  # noqa: PLC0415 - a third of a second that only this needs

    command.upgrade(alembic_config(url), "head")


def is_at_head(engine: Engine) -> bool:
    """Tell whether the database is at the revision that this code is written for."""
    with reading(engine) as connection:
        at = connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar()
    return bool(at == _head())


@cache
def _head() -> str | None:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see `migrate`

    return ScriptDirectory.from_config(alembic_config("")).get_current_head()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, and sees one moment of the database throughout: its figures add up."""
    with engine.connect() as connection:
        options: dict[str, Any] = {"read_only": True}
        if engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        yield connection.execution_options(**options)


def is_migrated(engine: Engine) -> bool:
    """Tell whether the database holds our tables at all (not whether they are the newest)."""
    return sqlalchemy.inspect(engine).has_table("alembic_version")


def alembic_config(url: str) -> "Config":
    """Return Alembic's configuration for a database."""
    from alembic.config import Config  # noqa: PLC0415 - see `migrate`

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["url"] = url
    return config
