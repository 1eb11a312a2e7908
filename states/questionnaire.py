"""The questionnaire of the evaluation: what is asked, and whether a set of answers fits it. Pure."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.errors import Problem
from states.names import QuestionKind

LONGEST_TEXT = 2000
DEFAULT_POINTS = 5  # of a scale that does not say
YES, NO = "yes", "no"
_SHOWN = 80  # characters of a value at fault


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers that a choice offers."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `most`, `lowest` and `highest` (what both ends mean) are a scale's, `options` a choice's."""

    code: str
    text: str
    kind: QuestionKind
    required: bool = True
    most: int = 0
    lowest: str = ""
    highest: str = ""
    options: tuple[Option, ...] = ()

    @property
    def cells(self) -> tuple[str, ...]:
        """Return what answers can be counted by: the points of the scale, the options; nothing for free text."""
        if self.kind is QuestionKind.SCALE:
            return tuple(str(point) for point in range(1, self.most + 1))
        return (YES, NO) if self.kind is QuestionKind.YES_NO else tuple(option.code for option in self.options)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: a point of a scale, a code (of an option; `yes` or `no`), or somebody's own words."""

    question: str
    number: int | None = None
    option: str | None = None
    text: str | None = None


def read_answers(
    questions: Sequence[Question], given: Mapping[str, object]
) -> tuple[tuple[Answer, ...], tuple[Problem, ...]]:
    """Read what somebody answered, by the questions' codes; return the answers, and every fault.

    An empty text, or null, is no answer. Answers come in the order of the questions.
    """
    known = tuple(question.code for question in questions)
    faults = [
        Problem("answer_unknown_question", column=code, value=_shown(given[code]), params={"allowed": known})
        for code in given
        if code not in known
    ]
    answers: list[Answer] = []
    for question in questions:
        read = _read(question, given.get(question.code))
        if isinstance(read, Answer):
            answers.append(read)
        elif read is not None:
            faults.append(read)
    return tuple(answers), tuple(faults)


def _read(question: Question, value: object) -> Answer | Problem | None:
    """Return the answer, what is wrong with it, or None where nothing was answered and nothing had to be."""
    if value is None or (question.kind is QuestionKind.TEXT and isinstance(value, str) and not value.strip()):
        missing = Problem("answer_missing", column=question.code, params={"allowed": allowed(question)})
        return missing if question.required else None
    if question.kind is QuestionKind.TEXT:
        return _words(question, value)
    if isinstance(value, int) and not isinstance(value, bool) and question.kind is QuestionKind.SCALE:
        answer = Answer(question.code, number=value) if 1 <= value <= question.most else None
    elif isinstance(value, bool) and question.kind is QuestionKind.YES_NO:
        answer = Answer(question.code, option=YES if value else NO)
    elif isinstance(value, str) and question.kind is QuestionKind.CHOICE and value in question.cells:
        answer = Answer(question.code, option=value)
    else:
        answer = None
    return answer or _bad(question, value)


def _words(question: Question, value: object) -> Answer | Problem:
    if not isinstance(value, str) or not is_writable(value):
        return _bad(question, value)
    if len(value.strip()) > LONGEST_TEXT:
        return Problem("answer_too_long", column=question.code, value=_shown(value), params={"limit": LONGEST_TEXT})
    return Answer(question.code, text=value.strip())


def _bad(question: Question, value: object) -> Problem:
    params = {"allowed": allowed(question)}
    return Problem("answer_bad_value", column=question.code, value=_shown(value), params=params)


def allowed(question: Question) -> tuple[str, ...]:
    """Return what may be answered, as it is written in JSON."""
    if question.kind is QuestionKind.SCALE:
        return (f"1–{question.most}",)
    return {
        QuestionKind.YES_NO: ("true", "false"),
        QuestionKind.TEXT: ('"…"',),
        QuestionKind.CHOICE: question.cells,
    }[question.kind]


def is_writable(text: str) -> bool:
    """Tell whether a text can be kept: no control characters but line ends and tabs, no halves of characters."""
    return all(character in "\n\r\t" or unicodedata.category(character) not in {"Cc", "Cs"} for character in text)


def _shown(value: object) -> str:
    """Return a value at fault as JSON writes it, cut, and safe to encode."""
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
    return text[:_SHOWN].encode("utf-8", "replace").decode()
