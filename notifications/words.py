"""Every sentence and label that is not a mail's own text, by code and language, from `words/<language>.toml`.

A sentence may be a list of variants, the richest first: the first one whose placeholders are all given is said, so
that a caller who knows less still gets a whole sentence. A placeholder may say how its value reads: `{due:day}`,
`{columns:and}` (joined by "et"; a list is joined by "ou" otherwise) or `{state:state}` (the label of that group).
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any

from core.clock import BRUSSELS
from notifications.dates import Calendar, join
from notifications.plain import typography
from states.names import Subject

_SCOPES: Mapping[Subject, Mapping[str, str]] = MappingProxyType(
    {
        Subject.PARTICIPATION: {},
        Subject.PLACEMENT: {"state": "placement_status", "trigger": "placement_trigger"},
        Subject.HANDOFF: {"state": "handoff_status", "trigger": "handoff_trigger"},
        Subject.RETURN: {"state": "return_status", "trigger": "return_trigger"},
    },
)
"""The same code reads otherwise on another subject: a director declines a registration, an institute a handoff."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language."""

    labels: Mapping[str, Mapping[str, str]]
    sentences: Mapping[str, tuple[str, ...]]
    calendar: Calendar
    or_: str
    nothing: str
    """What stands for an empty list."""


def say(code: str, language: str = "fr", /, **params: object) -> str:
    """Return the sentence of this code. A parameter that is `None` counts as not given, one too many is ignored.

    `subject` (a `Subject`) says whose states and triggers are meant; without it they are a participation's.
    Raises KeyError on an unknown code or language, or when no variant can be said with what is given.
    """
    words = vocabulary(language)
    given = {name: value for name, value in params.items() if value is not None}
    for variant in words.sentences[code]:
        if fields(variant) <= given.keys():
            return _Voice(words, Subject(str(given.get("subject", Subject.PARTICIPATION)))).vformat(variant, (), given)
    message = f"{code} needs more than {sorted(given)}"
    raise KeyError(message)


def label(group: str, code: str, language: str = "fr") -> str:
    """Return the label of a code. Groups are the enums of `states.names` in snake_case, and a few more.

    Raises KeyError on an unknown group, code or language.
    """
    return vocabulary(language).labels[group][code]


@cache
def fields(variant: str) -> frozenset[str]:
    """Return the names of a sentence's placeholders."""
    return frozenset(name for _, name, _, _ in Formatter().parse(variant) if name)


@cache
def vocabulary(language: str) -> Words:
    """Load the words of a language, once. Raises KeyError when there are none."""
    source = files("notifications") / "words" / f"{language}.toml"
    if not re.fullmatch(r"[a-z]{2,3}", language) or not source.is_file():
        raise KeyError(language)
    setting = typography if language == "fr" else str
    raw = tomllib.loads(source.read_text(encoding="utf-8"))
    return Words(
        labels={
            group: {code: setting(text) for code, text in labels.items()} for group, labels in raw["label"].items()
        },
        sentences={code: tuple(map(setting, variants)) for code, variants in _sentences(raw["say"])},
        calendar=Calendar.of(raw["calendar"]),
        or_=raw["calendar"]["or"],
        nothing=raw["calendar"]["nothing"],
    )


def _sentences(sections: Mapping[str, Mapping[str, str | list[str]]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Flatten the sections, which only order the file: a code means one thing everywhere."""
    seen: set[str] = set()
    for section in sections.values():
        for code, text in section.items():
            if code in seen:
                message = f"the sentence {code} stands twice"
                raise ValueError(message)
            seen.add(code)
            yield code, (text,) if isinstance(text, str) else tuple(text)


class _Voice(Formatter):
    """Formats the placeholders of one sentence."""

    def __init__(self, words: Words, subject: Subject) -> None:
        self._words = words
        self._scope = _SCOPES[subject]

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - the base class's signature
        if isinstance(value, Collection) and not isinstance(value, str):
            ordered = sorted(value, key=str) if isinstance(value, AbstractSet) else value
            parts = [self.format_field(part, format_spec) for part in ordered]
            words = self._words
            return join(parts, words.calendar.and_ if format_spec == "and" else words.or_) or words.nothing
        if isinstance(value, date):
            value = value.astimezone(BRUSSELS).date() if isinstance(value, datetime) else value
            return self._words.calendar.day(value) if format_spec == "day" else self._words.calendar.plain(value)
        if format_spec in ("", "and", "date", "day"):
            return str(value)
        return self._label(value, format_spec)

    def _label(self, value: object, group: str) -> str:
        """Return the label in this subject's sense; an enum member knows better itself which group is meant."""
        labels = self._words.labels
        own = _snake(type(value).__name__) if isinstance(value, Enum) else group
        code = str(value)
        candidates = (labels.get(name, {}) for name in (self._scope.get(group, own), own, group))
        return next((known[code] for known in candidates if code in known), code)


@cache
def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
