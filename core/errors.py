"""Every error a caller may expect, as one tree.

    ProductError
    |-- Refused         the lifecycle, or a rule of the edition, says no            exit 1
    |   `-- LostRace    somebody else changed the row between reading and writing   exit 1
    |-- NotFound        no such participation, edition, person                      exit 1
    |-- InvalidFile     a file holds problems, each with its place                  exit 1
    |   `-- InvalidAnswers  so do the answers to a questionnaire, by question       exit 1
    `-- UsageError      the command was not well formed                             exit 2

An error carries a stable English code and parameters; the sentence comes from the catalogue, in the reader's language.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


class ProductError(Exception):
    """Base of all expected errors; `code` is stable, `params` fill the sentence of the catalogue."""

    def __init__(self, code: str, /, **params: object) -> None:
        """Keep the code and the parameters; the message of the exception is for logs, without parameters."""
        super().__init__(code)
        self.code = code
        self.params: Mapping[str, object] = params

    def __reduce__(self) -> tuple[object, ...]:
        """Survive the way between processes: an exception's own way would forget the parameters."""
        return _anew, (type(self), self.args, self.__dict__)


def _anew(kind: type[Exception], args: tuple[object, ...], state: Mapping[str, object]) -> Exception:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Refused(ProductError):
    """A refusal: nothing was changed. `state` is what stands now, `allowed` what could be done instead."""

    def __init__(self, code: str, /, *, state: str = "", allowed: Sequence[str] = (), **params: object) -> None:
        """Keep what stands and what is allowed beside the code."""
        super().__init__(code, state=state, allowed=tuple(allowed), **params)
        self.state = state
        self.allowed = tuple(allowed)


class LostRace(Refused):
    """The row changed between reading and writing: nothing was written; reading again and retrying is safe."""

    def __init__(self, *, state: str = "") -> None:
        """A normal conflict, never a fault."""
        super().__init__("lost_race", state=state)


class NotFound(ProductError):
    """What was named does not exist, or is not the caller's to see."""


class UsageError(ProductError):
    """The request itself is malformed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a file, with its place: a line and column for tables, a key for TOML."""

    code: str
    line: int | None = None
    column: str = ""
    value: str = ""
    params: Mapping[str, object] = field(default_factory=dict)


class InvalidFile(ProductError):
    """A file that was refused whole; `problems` is never empty, `said_as` the code of the sentence about all of it."""

    said_as = "bad_file"

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        """Keep each problem; the code is that of the first."""
        super().__init__(problems[0].code, name=name)
        self.name = name
        self.problems = tuple(problems)


class InvalidAnswers(InvalidFile):
    """Answers that do not fit the questionnaire; each problem's column is a question. Nothing of them was kept."""

    said_as = "bad_answers"
