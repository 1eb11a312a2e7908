"""The evaluation of an edition file: what it may say, what leaving it out means, and each fault with its place."""

from fractions import Fraction

import pytest

from core.errors import InvalidFile
from notifications.sentences import problem_said
from states.edition import differences, read_edition, rules_of
from states.names import QuestionKind, State, Stratum
from states.questionnaire import Option, Question
from states.sampling import SampleRule
from tests.support.worlds import EDITION, EVALUATION

QUESTION = '[[evaluation.questions]]\ncode = "a"\ntext = "A ?"\n'


def told(added: str) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidFile) as caught:
        read_edition(f"{EDITION}\n{added}".encode(), "mini.toml")
    assert all(problem_said(problem).endswith(".") for problem in caught.value.problems)
    return [(problem.code, problem.column, problem.value) for problem in caught.value.problems]


def test_questions_and_sample_come_back_from_a_stored_revision() -> None:
    rules = rules_of(read_edition((EDITION + EVALUATION).encode(), "mini.toml").canonical())

    assert rules.questions == (
        Question(
            "organisation",
            "L'organisation vous a-t-elle convenu ?",
            QuestionKind.SCALE,
            most=4,
            lowest="pas du tout",
            highest="tout à fait",
        ),
        Question(
            "use",
            "Qu'en ferez-vous en classe ?",
            QuestionKind.CHOICE,
            options=(Option("lesson", "une leçon"), Option("visit", "une visite")),
        ),
        Question("recommend", "Recommanderiez-vous l'immersion ?", QuestionKind.YES_NO),
        Question("remark", "Une remarque ?", QuestionKind.TEXT, required=False),
    )
    assert rules.sample == SampleRule("seed 7", State.TRANSFERRED, number=1, strata=(Stratum.NETWORK,), at_least=1)


@pytest.mark.parametrize("added", ["", "[evaluation]"])
def test_nothing_asked_and_nobody_drawn_unless_the_file_says_so(added: str) -> None:
    rules = rules_of(read_edition(f"{EDITION}\n{added}".encode(), "mini.toml").canonical())

    assert (rules.questions, rules.sample) == ((), None)


def test_what_is_left_out_has_a_plain_meaning() -> None:
    added = f'{QUESTION}kind = "scale"\n[evaluation.sample]\nshare = 0.07'

    rules = rules_of(read_edition(f"{EDITION}\n{added}".encode(), "mini.toml").canonical())

    assert rules.questions == (Question("a", "A ?", QuestionKind.SCALE, most=5),)
    assert rules.sample == SampleRule("MINI", State.IMMERSED, share=Fraction(7, 100))


def test_revision_stored_before_there_were_evaluations_does_not_differ() -> None:
    """Loading the same file with this version must not count as a change of a running edition."""
    content = read_edition(EDITION.encode(), "mini.toml").canonical()
    before = content.replace('"evaluation":null,', "")

    assert before != content
    assert differences(before, content) == []
    assert rules_of(before).questions == ()


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ("[evaluation]\ncolour = 1", ("edition_unknown_key", "evaluation.colour", "")),
        (f'{QUESTION}kind = "star"', ("edition_bad_value", "evaluation.questions[0].kind", "star")),
        (
            '[[evaluation.questions]]\ntext = "A"\nkind = "text"',
            ("edition_missing_key", "evaluation.questions[0].code", ""),
        ),
        (f'{QUESTION}kind = "text"\nmax = 5', ("edition_unknown_key", "evaluation.questions[0].max", "")),
        (f'{QUESTION}kind = "yes_no"\nlowest = "x"', ("edition_unknown_key", "evaluation.questions[0].lowest", "")),
        (f'{QUESTION}kind = "scale"\nmax = 1', ("edition_bad_value", "evaluation.questions[0].max", "1")),
        (f'{QUESTION}kind = "scale"\nmax = "5"', ("edition_bad_value", "evaluation.questions[0].max", "5")),
        (f'{QUESTION}kind = "choice"', ("edition_missing_key", "evaluation.questions[0].options", "")),
        (
            f'{QUESTION}kind = "choice"\noptions = [{{ code = "a", text = "A" }}]',
            ("edition_bad_value", "evaluation.questions[0].options", "a"),
        ),
        (
            f'{QUESTION}kind = "choice"\noptions = [{{ code = "a", text = "A" }}, {{ code = "a", text = "B" }}]',
            ("edition_duplicate", "evaluation.questions[0].options[1].code", "a"),
        ),
        (
            f'{QUESTION}kind = "text"\n{QUESTION}kind = "text"',
            ("edition_duplicate", "evaluation.questions[1].code", "a"),
        ),
        (
            QUESTION.replace('"a"', '"É 1"') + 'kind = "text"',
            ("edition_bad_value", "evaluation.questions[0].code", "É 1"),
        ),
        (
            f'{QUESTION}kind = "text"\nrequired = "non"',
            ("edition_bad_value", "evaluation.questions[0].required", "non"),
        ),
        ("[evaluation.sample]", ("edition_one_of", "evaluation.sample", "")),
        ("[evaluation.sample]\nshare = 0.1\nnumber = 3", ("edition_one_of", "evaluation.sample", "")),
        ("[evaluation.sample]\nshare = 0.0", ("edition_bad_value", "evaluation.sample.share", "0.0")),
        ("[evaluation.sample]\nshare = 10", ("edition_bad_value", "evaluation.sample.share", "10")),
        ('[evaluation.sample]\nshare = "10 %"', ("edition_bad_value", "evaluation.sample.share", "10 %")),
        ("[evaluation.sample]\nnumber = 0", ("edition_bad_value", "evaluation.sample.number", "0")),
        (
            '[evaluation.sample]\nnumber = 1\nstrata = ["age"]',
            ("edition_bad_value", "evaluation.sample.strata[0]", "age"),
        ),
        (
            "[evaluation.sample]\nnumber = 1\nat_least_per_stratum = -1",
            ("edition_bad_value", "evaluation.sample.at_least_per_stratum", "-1"),
        ),
        (
            '[evaluation.sample]\nnumber = 1\ndraw_from = "observed"',  # a state of the five-step process
            ("edition_bad_value", "evaluation.sample.draw_from", "observed"),
        ),
        (
            '[evaluation.sample]\nnumber = 1\ndraw_from = "withdrawn"',
            ("edition_bad_value", "evaluation.sample.draw_from", "withdrawn"),
        ),
    ],
)
def test_fault_is_told_with_its_place(added: str, expected: tuple[str, str, str]) -> None:
    assert told(added) == [expected]


@pytest.mark.parametrize(
    ("added", "allowed"),
    [
        (f'{QUESTION}kind = "star"', tuple(QuestionKind)),
        ("[evaluation]\ncolour = 1", ("questions", "sample")),
        (f'{QUESTION}kind = "text"\nmax = 5', ("code", "text", "kind", "required")),
        ('[evaluation.sample]\nnumber = 1\nstrata = ["age"]', tuple(Stratum)),
        ("[evaluation.sample]\nshare = 10", ("≤ 1.0",)),
        ("[evaluation.sample]\nshare = 0.0", ("> 0.0",)),
        ('[evaluation.sample]\nshare = "10 %"', ("0.1",)),
        (
            '[evaluation.sample]\nnumber = 1\ndraw_from = "withdrawn"',
            ("registered", "director_approved", "prepared", "immersed", "transferred"),
        ),
    ],
)
def test_fault_says_what_is_allowed(added: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(InvalidFile) as caught:
        read_edition(f"{EDITION}\n{added}".encode(), "mini.toml")

    assert caught.value.problems[0].params["allowed"] == allowed
