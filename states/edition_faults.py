"""What pydantic finds wrong in an edition file, as our problems: the key, the value, and what is allowed there."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from core.errors import Problem
from states.edition_parts import (
    BasinPart,
    CalendarPart,
    ContactPart,
    CutoffsPart,
    EditionFile,
    EvaluationPart,
    HolidayPart,
    ImmersionPart,
    LadderPart,
    OptionPart,
    OrganisationPart,
    PreparationPart,
    QuestionPart,
    QuietPart,
    RoutePart,
    SamplePart,
    StepPart,
)
from states.names import (
    Anchor,
    Audience,
    Education,
    Kind,
    Network,
    ParticipantKind,
    QuestionKind,
    Role,
    State,
    StepAction,
    Stratum,
)

_AUDIENCES = {"audience": "edition_unknown_audience", "message": "edition_unknown_message"}
_CHOICES: Mapping[str, type[StrEnum]] = {
    "audience": Audience,
    "anchor": Anchor,
    "role": Role,
    "message": Kind,
    "do": StepAction,
    "network": Network,
    "education": Education,
    "kinds": ParticipantKind,
    "kind": QuestionKind,
    "strata": Stratum,
    "draw_from": State,
}


def innermost(faults: list[Any]) -> list[Any]:
    """Leave out a fault of a list that only follows from a fault of one of its items."""
    places = [fault["loc"] for fault in faults]
    return [f for f in faults if not any(len(p) > len(f["loc"]) and p[: len(f["loc"])] == f["loc"] for p in places)]


def problem_of(fault: Any) -> Problem:  # noqa: ANN401 - pydantic's own dictionary
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
    example = _EXAMPLES.get(".".join(names[-2:]), _EXAMPLES.get(last))
    allowed = tuple(_CHOICES[last]) if last in _CHOICES else _allowed(example, fault)
    return Problem(code, column=key, value=value, params={"allowed": allowed})


_EXAMPLES = {
    "url": "https://…",
    "hour": "08:00",
    "quiet.first": "20:00",
    "quiet.last": "07:00",
    "code": "2018-2019",
    "email": "prenom.nom@ecole.example",
    "questions.code": "useful_in_class",
    "options.code": "new_lesson",
}


def _allowed(example: str | None, fault: Any) -> tuple[str, ...]:  # noqa: ANN401 - pydantic's own dictionary
    """Say what a value may be, without a word of any language."""
    limits = fault.get("ctx", {})
    if "expected" in limits:
        return (str(limits["expected"]).replace("'", "").replace(" or ", ", "),)
    bounds = tuple(f"{sign} {limits[name]}" for name, sign in _SIGNS.items() if name in limits)
    if bounds:
        return bounds
    if example is not None:
        return (example,)
    kind = str(fault["type"])
    return (next((example for begin, example in _SHAPES.items() if kind.startswith(begin)), "2018-09-03"),)


_SIGNS = {"gt": ">", "ge": "≥", "le": "≤", "min_length": "≥", "max_length": "≤"}
_SHAPES = {"string": '"…"', "int": "1, 2, 3…", "float": "0.1", "tuple": "[ … ]", "dict": "[…]", "mapping": "[…]",
           "model": "[…]", "bool": "true, false"}  # fmt: skip


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
    "quiet": QuietPart,
    "basins": BasinPart,
    "ifc": OrganisationPart,
    "committee": OrganisationPart,
    "institutes": OrganisationPart,
    "contacts": ContactPart,
    "routes": RoutePart,
    "evaluation": EvaluationPart,
    "questions": QuestionPart,
    "options": OptionPart,
    "sample": SamplePart,
}


def twice(table: str, codes: Sequence[str]) -> Iterator[Problem]:
    """Yield the codes of a table of the file that stood in it before."""
    for number, code in enumerate(codes):
        if code in codes[:number]:
            params = {"other": f"{table}[{codes.index(code)}]"}
            yield Problem("edition_duplicate", column=f"{table}[{number}].code", value=code, params=params)
