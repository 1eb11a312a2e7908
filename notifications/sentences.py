"""What a refusal, or a fault of a file, says to a person: the catalogue's sentence, whatever the code."""

from collections.abc import Mapping

from core.errors import Problem
from notifications.words import say


def said(code: str, params: Mapping[str, object]) -> str:
    """Return the sentence of a code; a code that the catalogue lacks is named in one."""
    try:
        return say(code, **params)
    except KeyError:
        return say("otherwise_refused", refusal=code)


def problem_said(problem: Problem) -> str:
    """Return what is wrong with one place of a file."""
    return said(problem.code, {"value": problem.value, **problem.params})
