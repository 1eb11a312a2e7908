"""An edition file with a few of its keys set otherwise, as `deadlines.handoff.offered.acceptance.steps[0].offset=3`."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

from core.errors import InvalidFile, Problem, UsageError
from states.edition import EditionFile, checked

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_KEY = re.compile(r"[^.\[\]]+(?:\[\d+\])*(?:\.[^.\[\]]+(?:\[\d+\])*)*")
_NOTATIONS = ('"…"', "1, 2, 3…", "0.1", "true, false", "2018-09-03", "[ … ]", "{ … }")


def with_settings(file: EditionFile, settings: Sequence[str], name: str) -> EditionFile:
    """Return the edition with each `KEY=VALUE` in its place; values are written as in the file, in TOML.

    A list takes one more at its end. Raises UsageError (`bad_set`) and what `read_edition` raises, key by key.
    """
    raw = file.model_dump(mode="json", exclude_defaults=True)  # as its author would have written it
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not _KEY.fullmatch(key.strip()):
            raise UsageError("bad_set", value=setting)
        _put(raw, key.strip(), _value(key.strip(), text, name), name)
    return checked(raw, name)


def _value(key: str, text: str, name: str) -> object:
    try:
        read = tomllib.loads(f"value = {text.strip()}")
    except (tomllib.TOMLDecodeError, RecursionError):
        read = {}
    if list(read) != ["value"]:
        params = {"allowed": _NOTATIONS}
        raise InvalidFile(name, [Problem("edition_bad_value", column=key, value=text.strip()[:80], params=params)])
    return read["value"]


def _put(raw: dict[str, Any], key: str, value: object, name: str) -> None:
    """Put a value in its place; the places on the way to it must be there, its own is for `checked` to judge."""
    parts = [found[1] or int(found[2]) for found in _PART.finditer(key)]
    inner: Any = raw
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if isinstance(inner, dict) and isinstance(part, str) and (last or part in inner):
            allowed: Sequence[str] | None = None
        elif isinstance(inner, list) and isinstance(part, int) and part < len(inner) + last:
            allowed = None
        else:
            allowed = _allowed(inner)
        if allowed is not None:
            raise InvalidFile(name, [Problem("edition_unknown_key", column=key, params={"allowed": allowed})])
        if not last:
            inner = inner[part]
        elif isinstance(inner, list) and part == len(inner):
            inner.append(value)
        else:
            inner[part] = value


def _allowed(inner: object) -> Sequence[str]:
    """Return what may stand at a place."""
    if isinstance(inner, dict):
        return tuple(inner)
    return tuple(f"[{number}]" for number in range(len(inner) + 1)) if isinstance(inner, list) else ("=",)
