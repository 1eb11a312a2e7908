"""How a command ends when it cannot do what was asked: its exit status, and what Typer says in a sentence of ours."""

import re

import typer

from core import faults
from core.errors import ProductError, UsageError

DONE, REFUSED, WRONG_USAGE = 0, 1, 2


def known(error: Exception) -> ProductError:
    """Return any error as one of the product's."""
    return _of_usage(error) if isinstance(error, typer.TyperException) else faults.known(error)


def status(error: ProductError) -> int:
    """Return the exit status of an error."""
    return WRONG_USAGE if isinstance(error, UsageError) else REFUSED


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


_WORD = re.compile(r"'(.+?)'|\(([^()]+)\)$")  # the word at fault, which Typer gives in its sentence only


def _parameter(error: typer.TyperException) -> str | None:
    parameter = getattr(error, "param", None)
    return parameter and (parameter.metavar if parameter.param_type_name == "argument" else parameter.opts[0])
