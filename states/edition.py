"""The edition file: what it may contain, checked whole before anything is stored.

`read_edition` turns TOML into an `EditionFile`, or raises InvalidFile naming each key at fault and what is allowed;
`rules_of` turns a stored revision back into the `Rules` that decisions read.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, time
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
)

from core.addresses import is_address
from core.errors import InvalidFile, Problem
from core.workdays import Calendar, days_between
from states.names import Anchor, Education, HandoffStatus, Kind, Network, ParticipantKind, Role, StepAction, Subject
from states.process import Process
from states.routing import overlap
from states.rules import Route, RuleKey, Rules, Step
from states.tables import HANDOFF, PARTICIPATION_PROCESSES

_LINE_AND_COLUMN = re.compile(r"at line (\d+), column (\d+)")
_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[StrictStr, Field(min_length=1, max_length=400, pattern=_NO_CONTROL)]


def _not_a_number(value: object) -> object:
    if isinstance(value, int | float):
        message = "a day is written 2018-09-03, without quotes"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns it into a fault of the file
    return value


Day = Annotated[date, BeforeValidator(_not_a_number)]  # pydantic would read 0 as 1970-01-01


def _plain_address(value: str) -> str:
    if not is_address(value):
        message = "an address, as prenom.nom@ecole.example"
        raise ValueError(message)
    return value


Address = Annotated[StrictStr, AfterValidator(_plain_address)]
_MAX_OFFSET_DAYS = 400
_LONGEST_HOLIDAY_DAYS = 100
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
MOST_BYTES = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContactPart(_Part):
    """Somebody who answers for an organisation; the order of the list is the order in which they are asked."""

    first_name: Text
    last_name: Text
    email: Address
    role: Role
    phone: Annotated[StrictStr, Field(max_length=40, pattern=_NO_CONTROL)] = ""
    language: Literal["fr", "en"] = "fr"


class OrganisationPart(_Part):
    """IFC, the committee or an institute."""

    code: Text
    name: Text
    contacts: tuple[ContactPart, ...] = Field(min_length=1)


class RoutePart(_Part):
    """Which institute serves a network, for the kinds of education and of participant named, between two days."""

    network: Network
    education: tuple[Education, ...] = Field(min_length=1)
    institute: Text
    status: Literal["confirmed", "to_confirm"]
    kinds: tuple[ParticipantKind, ...] = Field(default=tuple(ParticipantKind), min_length=1)
    first: Day | None = None
    last: Day | None = None


class HolidayPart(_Part):
    """A school holiday, first and last day included."""

    name: Text
    first: Day
    last: Day


class CalendarPart(_Part):
    """The calendar; public holidays are known, school holidays are given."""

    hour: Annotated[StrictStr, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "08:00"
    school_holidays: tuple[HolidayPart, ...] = ()


class BasinPart(_Part):
    """A geographic basin with its collective training days."""

    code: Text
    name: Text
    collective_days: tuple[Day, ...] = ()


class StepPart(_Part):
    """One rung of a ladder."""

    offset: Annotated[StrictInt, Field(ge=-_MAX_OFFSET_DAYS, le=_MAX_OFFSET_DAYS)]
    unit: Literal["working_days", "days"]
    do: StepAction
    audience: Role | None = None
    message: Kind | None = None


class LadderPart(_Part):
    """The rungs of one rule, in order."""

    steps: tuple[StepPart, ...] = Field(min_length=1)


class ImmersionPart(_Part):
    """How long an immersion is, and how much of it counts."""

    half_days: Annotated[StrictInt, Field(ge=1, le=20)]
    min_half_days: Annotated[StrictInt, Field(ge=1, le=20)]


class PreparationPart(_Part):
    """Where the e-learning module is."""

    url: Annotated[StrictStr, Field(pattern=r"^https://\S+$")]


class CutoffsPart(_Part):
    """From which day places are given, and the day on which whoever has none is cancelled."""

    allocation: Day
    placement: Day


class EditionFile(_Part):
    """An edition file, valid."""

    code: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,30}$")]
    title: Text
    process: StrictStr
    opens: Day
    closes: Day
    immersion: ImmersionPart
    preparation: PreparationPart
    cutoffs: CutoffsPart
    calendar: CalendarPart
    basins: tuple[BasinPart, ...] = ()
    ifc: OrganisationPart
    committee: OrganisationPart
    institutes: tuple[OrganisationPart, ...] = Field(min_length=1)
    routes: tuple[RoutePart, ...] = ()
    deadlines: Mapping[str, Mapping[str, Mapping[str, LadderPart]]]

    def canonical(self) -> str:
        """Return the content as canonical JSON: the same for files that differ in layout only."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


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
    try:
        edition = EditionFile.model_validate(raw)
    except ValidationError as error:
        raise InvalidFile(name, [_problem(fault) for fault in _innermost(error.errors())]) from error
    if problems := list(_inconsistencies(edition)):
        raise InvalidFile(name, problems)
    return edition


def rules_of(content: str) -> Rules:
    """Return the rules of a stored revision (canonical JSON)."""
    edition = EditionFile.model_validate_json(content)
    closures = (
        day for holiday in edition.calendar.school_holidays for day in days_between(holiday.first, holiday.last)
    )
    return Rules(
        edition=edition.code,
        process=edition.process,
        calendar=Calendar(frozenset(closures), ZoneInfo("Europe/Brussels"), time.fromisoformat(edition.calendar.hour)),
        half_days=edition.immersion.half_days,
        min_half_days=edition.immersion.min_half_days,
        anchors={Anchor.PLACEMENT_CUTOFF: edition.cutoffs.placement, Anchor.CLOSING: edition.closes},
        ladder=dict(_ladders(edition)),
        routes=tuple(routes_of(edition)),
        allocation=edition.cutoffs.allocation,
    )


def differences(old: str, new: str) -> list[str]:
    """Say what changed between two contents, one line a key: `key: before -> after`."""
    before, after = dict(_flat(json.loads(old))), dict(_flat(json.loads(new)))
    keys = sorted({*before, *after})
    return [f"{k}: {before.get(k, '-')} -> {after.get(k, '-')}" for k in keys if before.get(k) != after.get(k)]


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
    return Step(part.offset, part.unit == "working_days", part.do, part.audience, part.message)


def routes_of(edition: EditionFile) -> Iterator[Route]:
    """Yield the routes, one for each kind of education."""
    for part in edition.routes:
        yield from _routes_of(part)


def _routes_of(part: RoutePart) -> Iterator[Route]:
    to_confirm = part.status == "to_confirm"
    for education in part.education:
        yield Route(part.network, education, part.institute, to_confirm, part.kinds, part.first, part.last)


# ------------------------------------------------------------------------------------------------------------ problems
_AUDIENCES = {"audience": "edition_unknown_audience", "message": "edition_unknown_message"}
_CHOICES: Mapping[str, type[StrEnum]] = {
    "audience": Role,
    "role": Role,
    "message": Kind,
    "do": StepAction,
    "network": Network,
    "education": Education,
    "kinds": ParticipantKind,
}


def _innermost(faults: list[Any]) -> list[Any]:
    """Leave out a fault of a list that only follows from a fault of one of its items."""
    places = [fault["loc"] for fault in faults]
    return [f for f in faults if not any(len(p) > len(f["loc"]) and p[: len(f["loc"])] == f["loc"] for p in places)]


def _problem(fault: Any) -> Problem:  # noqa: ANN401 - pydantic's own dictionary
    """Turn one of pydantic's faults into ours: the key, the value, and what is allowed there."""
    places = fault["loc"]
    key = _key(places)
    kind = fault["type"]
    if kind == "extra_forbidden":
        return Problem("edition_unknown_key", column=key, params={"allowed": _allowed_keys(places[:-1])})
    if kind == "missing":
        return Problem("edition_missing_key", column=key)
    names = [str(part) for part in places if not isinstance(part, int)]
    last = names[-1] if names else ""
    value = str(fault.get("input", ""))[:80]
    code = _AUDIENCES.get(last, "edition_bad_value")
    allowed = tuple(_CHOICES[last]) if last in _CHOICES else _allowed(last, fault)
    return Problem(code, column=key, value=value, params={"allowed": allowed})


_EXAMPLES = {"url": "https://…", "hour": "08:00", "code": "2018-2019", "email": "prenom.nom@ecole.example"}


def _allowed(last: str, fault: Any) -> tuple[str, ...]:  # noqa: ANN401 - pydantic's own dictionary
    """Say what a value may be, without a word of any language."""
    limits = fault.get("ctx", {})
    if "expected" in limits:
        return (str(limits["expected"]).replace("'", "").replace(" or ", ", "),)
    bounds = tuple(f"{sign} {limits[name]}" for name, sign in _SIGNS.items() if name in limits)
    if bounds:
        return bounds
    if last in _EXAMPLES:
        return (_EXAMPLES[last],)
    kind = str(fault["type"])
    return (next((example for begin, example in _SHAPES.items() if kind.startswith(begin)), "2018-09-03"),)


_SIGNS = {"ge": "≥", "le": "≤", "min_length": "≥", "max_length": "≤"}
_SHAPES = {"string": '"…"', "int": "1, 2, 3…", "tuple": "[ … ]", "dict": "[…]", "mapping": "[…]", "model": "[…]",
           "bool": "true, false"}  # fmt: skip


def _key(places: tuple[str | int, ...]) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in places).lstrip(".")


def _allowed_keys(places: tuple[str | int, ...]) -> tuple[str, ...]:
    """Return the keys that the table at this place may have."""
    model: type[BaseModel] = EditionFile
    for part in places:
        if isinstance(part, str) and part in model.model_fields:
            model = _PARTS.get(part, model)
    if places and places[0] == "deadlines":
        model = StepPart if "steps" in places else LadderPart
    return tuple(model.model_fields)


_PARTS: Mapping[str, type[BaseModel]] = {
    "immersion": ImmersionPart,
    "preparation": PreparationPart,
    "cutoffs": CutoffsPart,
    "calendar": CalendarPart,
    "school_holidays": HolidayPart,
    "basins": BasinPart,
    "ifc": OrganisationPart,
    "committee": OrganisationPart,
    "institutes": OrganisationPart,
    "contacts": ContactPart,
    "routes": RoutePart,
}


_WRITTEN_TO = (Role.TEACHER, Role.DIRECTOR, Role.COMPANY, Role.INSTITUTE, Role.COORDINATOR)


def _inconsistencies(edition: EditionFile) -> Iterator[Problem]:
    """Yield what no single value shows: names that do not exist, overlaps, gaps, dates out of order."""
    process = PARTICIPATION_PROCESSES.get(edition.process)
    if process is None:
        allowed = tuple(PARTICIPATION_PROCESSES)
        yield Problem("edition_bad_value", column="process", value=edition.process, params={"allowed": allowed})
        return
    yield from _dates_out_of_order(edition)
    yield from _bad_organisations(edition)
    yield from _bad_routes(edition)
    yield from _bad_deadlines(edition, {Subject.PARTICIPATION: process, Subject.HANDOFF: HANDOFF})
    if edition.immersion.min_half_days > edition.immersion.half_days:
        yield _order("immersion.min_half_days", edition.immersion.min_half_days, edition.immersion.half_days)


def _dates_out_of_order(edition: EditionFile) -> Iterator[Problem]:
    dates = {
        "opens": edition.opens,
        "cutoffs.allocation": edition.cutoffs.allocation,
        "cutoffs.placement": edition.cutoffs.placement,
        "closes": edition.closes,
    }
    for key, day in dates.items():
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            yield _order(key, day, f"{_FIRST_YEAR}–{_LAST_YEAR}")
    keys = list(dates)
    for earlier, later in pairwise(keys):
        if dates[earlier] > dates[later]:
            yield _order(later, dates[later], f"{earlier} = {dates[earlier]}")
    for number, holiday in enumerate(edition.calendar.school_holidays):
        if holiday.first > holiday.last:
            yield _order(f"calendar.school_holidays[{number}].last", holiday.last, f"first = {holiday.first}")
        elif (holiday.last - holiday.first).days > _LONGEST_HOLIDAY_DAYS:
            last = date.fromordinal(holiday.first.toordinal() + _LONGEST_HOLIDAY_DAYS)
            yield _order(f"calendar.school_holidays[{number}].last", holiday.last, f"≤ {last}")


def _order(key: str, value: object, bound: object) -> Problem:
    return Problem("edition_order", column=key, value=str(value), params={"bound": str(bound)})


def _bad_organisations(edition: EditionFile) -> Iterator[Problem]:
    yield from _twice("institutes", [part.code for part in edition.institutes])
    yield from _twice("basins", [part.code for part in edition.basins])
    parts = {"ifc": (edition.ifc, Role.COORDINATOR), "committee": (edition.committee, Role.COMMITTEE)}
    parts |= {f"institutes[{n}]": (part, Role.INSTITUTE) for n, part in enumerate(edition.institutes)}
    for key, (part, role) in parts.items():
        for number, contact in enumerate(part.contacts):
            if contact.role is not role:
                column = f"{key}.contacts[{number}].role"
                yield Problem("edition_bad_value", column=column, value=contact.role, params={"allowed": (role,)})
    yield from _shared_addresses({key: part for key, (part, _) in parts.items()})


def _shared_addresses(parts: Mapping[str, OrganisationPart]) -> Iterator[Problem]:
    """Yield addresses that are given two names; one person may well answer for two organisations."""
    known: dict[str, tuple[str, str]] = {}
    for key, part in parts.items():
        for number, contact in enumerate(part.contacts):
            name = f"{contact.first_name} {contact.last_name}"
            first, place = known.setdefault(contact.email.lower(), (name, f"{key}.contacts[{number}]"))
            if first != name:
                column = f"{key}.contacts[{number}].email"
                yield Problem("edition_other_name", column=column, value=contact.email, params={"other": place})


def _twice(table: str, codes: list[str]) -> Iterator[Problem]:
    for number, code in enumerate(codes):
        if code in codes[:number]:
            params = {"other": f"{table}[{codes.index(code)}]"}
            yield Problem("edition_duplicate", column=f"{table}[{number}].code", value=code, params=params)


def _bad_routes(edition: EditionFile) -> Iterator[Problem]:
    known = tuple(part.code for part in edition.institutes)
    seen: list[tuple[int, Route]] = []
    for number, part in enumerate(edition.routes):
        key = f"routes[{number}]"
        if part.institute not in known:
            params = {"allowed": known}
            yield Problem("edition_unknown_institute", column=f"{key}.institute", value=part.institute, params=params)
        if part.first and part.last and part.first > part.last:
            yield _order(f"{key}.last", part.last, f"first = {part.first}")
        for route in _routes_of(part):
            other = next((place for place, earlier in seen if overlap(earlier, route)), None)
            seen.append((number, route))
            if other is not None:
                value = f"{route.network} / {route.education}"
                yield Problem("edition_route_overlap", column=key, value=value, params={"other": f"routes[{other}]"})


def _bad_deadlines(edition: EditionFile, processes: Mapping[Subject, Process]) -> Iterator[Problem]:
    given = edition.deadlines
    for subject, states in given.items():
        if subject not in processes:
            params = {"allowed": tuple(processes)}
            yield Problem("edition_unknown_key", column=f"deadlines.{subject}", value=subject, params=params)
            continue
        process = processes[Subject(subject)]
        for state, rules in states.items():
            yield from _bad_state(process, state, rules, f"deadlines.{subject}.{state}")
    for name, process in processes.items():
        for state, spec in process.states.items():
            for rule in spec.rules:
                if rule not in given.get(name, {}).get(state, {}):
                    yield Problem("edition_missing_deadline", column=f"deadlines.{name}.{state}.{rule}")


def _bad_state(process: Process, state: str, rules: Mapping[str, LadderPart], key: str) -> Iterator[Problem]:
    open_states = process.open_states
    if state not in open_states:
        yield Problem("edition_unknown_state", column=key, value=state, params={"allowed": open_states})
        return
    known = tuple(process.states[state].rules)
    for rule, ladder in rules.items():
        if rule not in known:
            yield Problem("edition_unknown_rule", column=f"{key}.{rule}", value=rule, params={"allowed": known})
        for number, (step, later) in enumerate(pairwise(ladder.steps)):
            if step.do not in _TELLS or (step.unit == later.unit and step.offset > later.offset):
                column = f"{key}.{rule}.steps[{number + 1}]"
                bound = f"steps[{number}] = {step.offset} {step.unit}, {step.do}"
                yield _order(column, f"{later.offset} {later.unit}, {later.do}", bound)
        for number, step in enumerate(ladder.steps):
            yield from _bad_step(process.subject, state, step, f"{key}.{rule}.steps[{number}]")


_TELLS = (StepAction.REMIND, StepAction.ESCALATE)

# What may end what: an expiry is an act of the table, which has it only there.
_ENDS: Mapping[tuple[Subject, str], tuple[StepAction, ...]] = {
    (Subject.PARTICIPATION, ""): (StepAction.LAPSE, StepAction.CANCEL),
    (Subject.HANDOFF, HandoffStatus.OFFERED): (StepAction.TIME_OUT,),
}


def _bad_step(subject: Subject, state: str, step: StepPart, key: str) -> Iterator[Problem]:
    tells = step.do in _TELLS
    if tells and step.audience is None:
        yield Problem("edition_missing_key", column=f"{key}.audience")
    if tells and step.audience not in {None, *_WRITTEN_TO}:
        audiences = {"allowed": _WRITTEN_TO}
        yield Problem("edition_unknown_audience", column=f"{key}.audience", value=str(step.audience), params=audiences)
    if tells and step.message is None:
        yield Problem("edition_missing_key", column=f"{key}.message")
    if not tells and (step.audience or step.message):
        column = f"{key}.{'audience' if step.audience else 'message'}"
        yield Problem("edition_unknown_key", column=column, params={"allowed": ("offset", "unit", "do")})
    ends = _ENDS.get((subject, state), ()) if subject is Subject.HANDOFF else _ENDS[subject, ""]
    if not tells and step.do not in ends:
        allowed = (*_TELLS, *ends)
        yield Problem("edition_bad_value", column=f"{key}.do", value=step.do, params={"allowed": allowed})
