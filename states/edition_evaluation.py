"""The evaluation of an edition file: its questions and its sample, checked beyond single values, and as rules."""

from collections.abc import Iterator
from fractions import Fraction

from core.errors import Problem
from states.edition_faults import twice
from states.edition_parts import EditionFile, EvaluationPart, QuestionPart, SamplePart
from states.names import QuestionKind
from states.process import Process
from states.questionnaire import DEFAULT_POINTS, Option, Question
from states.sampling import SampleRule

_COMMON = ("code", "text", "kind", "required")
# What each kind of question may say more; a choice must.
_OWN: dict[QuestionKind, tuple[str, ...]] = {
    QuestionKind.SCALE: ("max", "lowest", "highest"),
    QuestionKind.CHOICE: ("options",),
    QuestionKind.YES_NO: (),
    QuestionKind.TEXT: (),
}


def bad_evaluation(edition: EditionFile, process: Process) -> Iterator[Problem]:
    """Yield what is wrong with the evaluation, beyond single values."""
    part = edition.evaluation or EvaluationPart()
    yield from twice("evaluation.questions", [question.code for question in part.questions])
    for number, question in enumerate(part.questions):
        yield from _bad_question(f"evaluation.questions[{number}]", question)
    if part.sample is not None:
        yield from _bad_sample(part.sample, process)


def _bad_question(key: str, question: QuestionPart) -> Iterator[Problem]:
    own = _OWN[question.kind]
    for name in question.model_fields_set - {*_COMMON, *own}:
        yield Problem("edition_unknown_key", column=f"{key}.{name}", params={"allowed": (*_COMMON, *own)})
    if question.kind is QuestionKind.CHOICE and not question.options:
        yield Problem("edition_missing_key", column=f"{key}.options")
    if len(question.options) == 1:
        params = {"allowed": ("≥ 2",)}
        yield Problem("edition_bad_value", column=f"{key}.options", value=question.options[0].code, params=params)
    yield from twice(f"{key}.options", [option.code for option in question.options])


def _bad_sample(sample: SamplePart, process: Process) -> Iterator[Problem]:
    if (sample.share is None) == (sample.number is None):
        yield Problem("edition_one_of", column="evaluation.sample", params={"keys": ("share", "number")})
    if sample.draw_from not in process.path[:-1]:
        params = {"allowed": process.path[:-1]}
        yield Problem("edition_bad_value", column="evaluation.sample.draw_from", value=sample.draw_from, params=params)


def questions_of(edition: EditionFile) -> tuple[Question, ...]:
    """Return the questions; none: the act of evaluating is all there is."""
    return tuple(_question(part) for part in (edition.evaluation or EvaluationPart()).questions)


def _question(part: QuestionPart) -> Question:
    scale = part.kind is QuestionKind.SCALE
    return Question(
        part.code,
        part.text,
        part.kind,
        part.required,
        (part.max or DEFAULT_POINTS) if scale else 0,
        part.lowest or "",
        part.highest or "",
        tuple(Option(option.code, option.text) for option in part.options),
    )


def sample_of(edition: EditionFile) -> SampleRule | None:
    """Return how the sample is drawn; None: nobody is."""
    part = (edition.evaluation or EvaluationPart()).sample
    if part is None:
        return None
    return SampleRule(
        seed=part.seed or edition.code,
        since=part.draw_from,
        share=None if part.share is None else Fraction(str(part.share)),
        number=part.number,
        strata=part.strata,
        at_least=part.at_least_per_stratum,
    )
