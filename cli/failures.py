"""What is said when a command cannot do what was asked: one sentence, one JSON document, an exit status.

Errors of the product carry their code; those of files and databases are given one here. Whatever else comes up is a
fault of ours: it is told in one sentence too, with the place in the code, and without what it was about.
"""

import errno
import re
import sqlite3
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from core.errors import InvalidFile, Problem, ProductError, Refused, UsageError
from notifications.sentences import problem_said, said
from notifications.words import say

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


def known(error: Exception) -> ProductError:
    """Return any error as one of the product's."""
    if isinstance(error, ProductError):
        return error
    if isinstance(error, typer.TyperException):
        return _of_usage(error)
    if isinstance(error, OSError):
        return _of_file(error)
    if (
        type(error).__name__ == "ServerNotStarted"
    ):  # its class is not imported: it would bring Prefect's supervision along
        return ProductError("prefect_unreachable", why=str(error))
    return _of_database(error) or ProductError("unexpected", kind=type(error).__name__, place=_place(error))


def status(error: ProductError) -> int:
    """Return the exit status of an error."""
    return WRONG_USAGE if isinstance(error, UsageError) else REFUSED


def sentence(error: ProductError) -> str:
    """Return what an error says to a person."""
    params = {name: value for name, value in error.params.items() if name != "changes"}
    return said(error.said_as if isinstance(error, InvalidFile) else error.code, params)


def refusal(error: ProductError) -> dict[str, Any]:
    """Return the JSON document of an error."""
    told: dict[str, Any] = {
        "code": error.code,
        "reason": sentence(error),
        "state": str(error.params.get("state") or "") or None,
        "allowed": [str(code) for code in _listed(error.params.get("allowed"))],
    }
    if changes := _listed(error.params.get("changes")):
        told["changes"] = list(changes)
    if isinstance(error, InvalidFile):
        told["problems"] = problems(error.problems)
    return {"refused": told}


def details(error: ProductError) -> Iterator[str]:
    """Yield what follows the sentence for a person: what could be typed instead, or what changed."""
    if isinstance(error, Refused) and error.allowed:
        yield say("possible_here", codes=[str(code) for code in error.allowed])
    yield from (f"  {change}" for change in _listed(error.params.get("changes")))


def problems(found: Sequence[Problem]) -> list[dict[str, Any]]:
    """Return the faults of a file as they stand in JSON."""
    return [
        {
            "line": problem.line,
            "column": problem.column,
            "value": problem.value,
            "code": problem.code,
            "reason": problem_said(problem),
        }
        for problem in found
    ]


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


# --------------------------------------------------------------------------------------------------------- wrong usage
def _of_usage(error: typer.TyperException) -> ProductError:
    """Give a fault of the typed command a sentence of ours: Typer's own are English."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "entrapprendre"
    code, name = {
        "MissingParameter": ("usage_missing", _parameter(error)),
        "NoSuchOption": ("usage_unknown_option", getattr(error, "option_name", None)),
        "BadParameter": ("usage_bad_value", _parameter(error)),
    }.get(type(error).__name__, ("usage", None))
    if code != "usage":
        return UsageError(code, command=command, name=name)
    word = _WORD.search(str(error))
    known = getattr(context.command, "commands", None) if context is not None else None
    told: dict[str, object] = {"command": command}
    if word:
        told["word"] = word.group(1) or word.group(2)
    if known:
        told["known"] = tuple(known)
    return UsageError(code, **told)


_WORD = re.compile(r"'(.+)'|\(([^()]+)\)$")  # the word at fault, which Typer gives in its sentence only


def _parameter(error: typer.TyperException) -> str | None:
    parameter = getattr(error, "param", None)
    return parameter and (parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0])


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
        from sqlalchemy.exc import DBAPIError

        if isinstance(error, DBAPIError):
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
