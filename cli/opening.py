"""Opening what commands work on: settings, files, and the database, in one short transaction each."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ProductError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from core.settings import Settings

_KEY_LINE = "ENTRAPPRENDRE_SECRET_KEY="
_DATABASE = "entrapprendre.db"  # in the directory of a demonstration


def settings_of(directory: Path | None) -> Settings:
    """Return the settings, or those of a demonstration's directory. Raises UsageError (`bad_setting`)."""
    from core.settings import load_settings

    env_files = (Path(".env"),) if directory is None else (Path(".env"), directory / ".env")
    given: dict[str, object] = {"_env_file": env_files}
    try:
        if directory is not None:
            given |= {"var": directory, "database_url": f"sqlite:///{directory / _DATABASE}", **_own_key(env_files[-1])}
        return load_settings(**given)
    except UnicodeDecodeError as error:
        raise UsageError("bad_setting", name=".env") from error


def _own_key(path: Path) -> dict[str, str]:
    """Return the secret key that a demonstration keeps beside its database: it wins over the environment's."""
    lines = path.read_text().splitlines() if path.is_file() else []
    key = next((line.partition("=")[2] for line in lines if line.startswith(_KEY_LINE)), "")
    return {"secret_key": key} if key else {}


def env_file(directory: Path | None) -> Path:
    """Return the file that keeps the secret key."""
    return (directory or Path()) / ".env"


def read_file(path: Path, limit: int) -> bytes:
    """Return a file's bytes, one more than `limit` at most: whoever reads them then sees that they are too many.

    Raises UsageError (`file_missing`, `file_is_directory`).
    """
    if path.is_dir():
        raise UsageError("file_is_directory", name=str(path))
    if not path.exists():
        raise UsageError("file_missing", name=str(path))
    with path.open("rb") as file:
        return file.read(limit + 1)


@contextmanager
def database(settings: Settings) -> Iterator[Engine]:
    """Open the database, which must be there. Raises ProductError (`no_database`), UsageError (`bad_database_url`)."""
    from wiring.database import make_engine

    _must_exist(settings.database_url)
    engine = make_engine(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _must_exist(url: str) -> None:
    """Refuse a SQLite file that is not there: opening it would make an empty one."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise ProductError("no_database")


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite database, None for other ones. Raises UsageError (`bad_database_url`)."""
    import sqlalchemy

    try:
        parsed = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError) as error:
        raise UsageError("bad_database_url") from error
    in_memory = parsed.database in {None, "", ":memory:"}
    return None if parsed.get_backend_name() != "sqlite" or in_memory else Path(str(parsed.database))


@contextmanager
def reading(settings: Settings) -> Iterator[Connection]:
    """Open a transaction that only reads."""
    from wiring.database import reading as reading_only

    with database(settings) as engine, reading_only(engine) as connection:
        yield connection


@contextmanager
def writing(settings: Settings, *, keep: bool = True) -> Iterator[Connection]:
    """Open a transaction, committed at the end unless something was raised, or `keep` is false."""
    with database(settings) as engine, engine.connect() as connection, connection.begin() as transaction:
        yield connection
        if not keep:
            transaction.rollback()
