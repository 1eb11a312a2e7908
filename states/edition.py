"""The edition file: what it may contain, checked whole before anything is stored.

`read_edition` turns TOML into an `EditionFile`, or raises InvalidFile naming each key at fault and what is allowed;
`rules_of` turns a stored revision back into the `Rules` that decisions read.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from core.errors import InvalidFile, Problem
from core.workdays import Calendar, days_between
from states.edition_checks import inconsistencies
from states.edition_evaluation import questions_of, sample_of
from states.edition_faults import innermost, problem_of
from states.edition_parts import EditionFile, HolidayPart, OrganisationPart, StepPart, routes_of_part
from states.names import Anchor, Subject
from states.rules import Route, RuleKey, Rules, Step

__all__ = [
    "MOST_BYTES",
    "EditionFile",
    "OrganisationPart",
    "checked",
    "content_hash",
    "differences",
    "normal",
    "read_edition",
    "routes_of",
    "rules_of",
]

_LINE_AND_COLUMN = re.compile(r"at line (\d+), column (\d+)")
MOST_BYTES = 1_000_000


def content_hash(content: str) -> str:
    """Return the SHA-256 of a revision's canonical content."""
    return hashlib.sha256(content.encode()).hexdigest()


def read_edition(data: bytes, name: str) -> EditionFile:
    """Read and check an edition file. Raises InvalidFile with every fault found."""
    if len(data) > MOST_BYTES:  # a reader may have cut it: what is left must not pass for the whole
        raise InvalidFile(name, [Problem("too_large", params={"size": len(data), "limit": MOST_BYTES})])
    try:
        raw = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        place = _LINE_AND_COLUMN.search(str(error))
        where = {"row": place.group(1), "position": place.group(2)} if place else {}
        line = int(place.group(1)) if place else None
        raise InvalidFile(name, [Problem("edition_not_toml", line=line, params=where)]) from error
    return checked(raw, name)


def checked(raw: Mapping[str, object], name: str) -> EditionFile:
    """Check what an edition file holds. Raises InvalidFile with every fault found."""
    try:
        edition = EditionFile.model_validate(raw)
    except ValidationError as error:
        raise InvalidFile(name, [problem_of(fault) for fault in innermost(error.errors())]) from error
    if problems := list(inconsistencies(edition)):
        raise InvalidFile(name, problems)
    return edition


def rules_of(content: str) -> Rules:
    """Return the rules of a stored revision (canonical JSON)."""
    edition = EditionFile.model_validate_json(content)
    return Rules(
        edition=edition.code,
        process=edition.process,
        calendar=_calendar(edition, edition.calendar.school_holidays),
        half_days=edition.immersion.half_days,
        min_half_days=edition.immersion.min_half_days,
        anchors={
            Anchor.ALLOCATION: edition.cutoffs.allocation,
            Anchor.PLACEMENT_CUTOFF: edition.cutoffs.placement,
            Anchor.CLOSING: edition.closes,
        },
        ladder=dict(_ladders(edition)),
        routes=tuple(routes_of(edition)),
        allocation=edition.cutoffs.allocation,
        questions=questions_of(edition),
        sample=sample_of(edition),
        basins={basin.code: basin.name for basin in edition.basins},
        calendars={
            basin.code: _calendar(edition, basin.school_holidays)
            for basin in edition.basins
            if basin.school_holidays is not None
        },
        committee=edition.committee.code,
    )


def _calendar(edition: EditionFile, school_holidays: Sequence[HolidayPart]) -> Calendar:
    closures = (day for holiday in school_holidays for day in days_between(holiday.first, holiday.last))
    quiet = edition.calendar.quiet
    hours = None if quiet is None else (time.fromisoformat(quiet.first), time.fromisoformat(quiet.last))
    hour = time.fromisoformat(edition.calendar.hour)
    return Calendar(frozenset(closures), ZoneInfo("Europe/Brussels"), hour, hours)


def differences(old: str, new: str) -> list[str]:
    """Say what changed between two contents, one line a key: `key: before -> after`.

    Both are read as of today: a key that an older revision could not have stands there with its default.
    """
    before, after = (dict(_flat(json.loads(normal(content)))) for content in (old, new))
    keys = sorted({*before, *after})
    changed = [k for k in keys if (k in before, before.get(k)) != (k in after, after.get(k))]
    return [f"{k}: {before.get(k, '-')} -> {after.get(k, '-')}" for k in changed]


def normal(content: str) -> str:
    """Return a stored content as it would be stored today."""
    return EditionFile.model_validate_json(content).canonical()


def _flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    else:
        yield path, value


def _ladders(edition: EditionFile) -> Iterator[tuple[RuleKey, tuple[Step, ...]]]:
    for subject, states in edition.deadlines.items():
        for state, rules in states.items():
            for rule, ladder in rules.items():
                yield RuleKey(Subject(subject), state, rule), tuple(_step(part) for part in ladder.steps)


def _step(part: StepPart) -> Step:
    alone = part.digest is False
    return Step(part.offset, part.unit == "working_days", part.do, part.audience, part.message, part.anchor, alone)


def routes_of(edition: EditionFile) -> Iterator[Route]:
    """Yield the routes, one for each kind of education."""
    for part in edition.routes:
        yield from routes_of_part(part)
