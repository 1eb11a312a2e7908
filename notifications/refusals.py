"""What an error says: one sentence to a person, one document to a program, the same on every way in.

Every way in (command line, API, pages) answers with these, so that a refusal reads the same wherever it is met.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from core.errors import InvalidFile, Problem, ProductError, Refused
from notifications.sentences import problem_said, said
from notifications.words import say


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
