"""Giving a code to errors that are not the product's own: those of files, of databases, and faults of ours.

A fault of ours is told in one sentence too, with the place in the code, and without what it was about.
"""

import errno
import sqlite3
import sys
import traceback
from pathlib import Path

from core.errors import ProductError, UsageError


def known(error: Exception) -> ProductError:
    """Return any error as one of the product's."""
    if isinstance(error, ProductError):
        return error
    if isinstance(error, OSError):
        return _of_file(error)
    if (
        type(error).__name__ == "ServerNotStarted"
    ):  # its class is not imported: it would bring Prefect's supervision along
        return ProductError("prefect_unreachable", why=str(error))
    return _of_database(error) or ProductError("unexpected", kind=type(error).__name__, place=_place(error))


# --------------------------------------------------------------------------------------------------------------- files
_MISSING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _of_file(error: OSError) -> ProductError:
    name = None if error.filename is None else str(error.filename)
    if error.errno in _MISSING:
        return UsageError("file_missing", name=name)
    if error.errno == errno.EISDIR:
        return UsageError("file_is_directory", name=name)
    if error.errno in _FULL:
        return ProductError("disk_full")
    return ProductError("file_forbidden" if error.errno in _FORBIDDEN else "file_unreadable", name=name)


# ----------------------------------------------------------------------------------------------------------- databases
_SQLITE = {
    "SQLITE_BUSY": "database_busy",
    "SQLITE_LOCKED": "database_busy",
    "SQLITE_FULL": "disk_full",
    "SQLITE_READONLY": "database_read_only",
    "SQLITE_PERM": "database_read_only",
    "SQLITE_CANTOPEN": "database_unreachable",
    "SQLITE_IOERR": "database_unreachable",
    "SQLITE_NOTADB": "database_damaged",
    "SQLITE_CORRUPT": "database_damaged",
}
_POSTGRESQL = {  # by the beginning of the SQLSTATE
    "42P01": "not_migrated",
    "42703": "not_migrated",
    "3F": "not_migrated",
    "53100": "disk_full",
    "25006": "database_read_only",
    "42501": "database_read_only",
    "40": "database_busy",
    "55P03": "database_busy",
    "57": "database_unreachable",
    "53": "database_unreachable",
    "08": "database_unreachable",
    "28": "database_unreachable",
    "3D": "database_unreachable",
}


def _of_database(error: Exception) -> ProductError | None:
    """Give an error of the database, or of bringing it up to date, its sentence; None for any other."""
    if isinstance(error, sqlite3.Error):
        return _database_error(error)
    if "sqlalchemy" in sys.modules:
        from sqlalchemy import exc  # noqa: PLC0415 - only where somebody has loaded it already

        if isinstance(error, exc.TimeoutError):  # every connection of the pool is taken
            return ProductError("database_busy")
        if isinstance(error, exc.DBAPIError):
            return _database_error(error.orig)
    if type(error).__module__.startswith("alembic."):
        return ProductError("database_newer")
    return None


def _database_error(original: BaseException | None) -> ProductError:
    code = _sqlite_code(original) if isinstance(original, sqlite3.Error) else _postgresql_code(original)
    return ProductError(code, kind=type(original).__name__)


def _sqlite_code(original: sqlite3.Error) -> str:
    if str(original).startswith(("no such table", "no such column")):
        return "not_migrated"
    name = getattr(original, "sqlite_errorname", "")
    return next((code for prefix, code in _SQLITE.items() if name.startswith(prefix)), "database_error")


def _postgresql_code(original: BaseException | None) -> str:
    state = getattr(original, "sqlstate", None)
    if state is None:  # the server never answered
        return "database_unreachable" if type(original).__name__ == "OperationalError" else "database_error"
    return next((code for prefix, code in _POSTGRESQL.items() if state.startswith(prefix)), "database_error")


def _place(error: Exception) -> str:
    """Return where in our code a fault came up, without a word of what it was about."""
    ours = Path(__file__).parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if Path(frame.filename).is_relative_to(ours) and ".venv" not in frame.filename]
    frame = (inside or list(frames))[-1]
    name = Path(frame.filename)
    return f"{name.relative_to(ours) if name.is_relative_to(ours) else name.name}:{frame.lineno}"
