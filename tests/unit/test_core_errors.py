import pickle

import pytest

from core.errors import InvalidFile, LostRace, NotFound, Problem, ProductError, Refused, UsageError


def test_refusal_says_what_stands_and_what_is_allowed() -> None:
    refused = Refused("wrong_state", state="evaluated", allowed=["correct"], trigger="approve")

    assert (refused.code, refused.state, refused.allowed) == ("wrong_state", "evaluated", ("correct",))
    assert refused.params == {"state": "evaluated", "allowed": ("correct",), "trigger": "approve"}


def test_message_for_logs_is_the_code_without_parameters() -> None:
    """Parameters may hold what people typed: they never reach a log through an exception's text."""
    errors = [
        Refused("email_other_name", value="jeanne.dupont@ecole.example"),
        NotFound("unknown_actor", email="jeanne.dupont@ecole.example"),
        UsageError("bad_moment", value="demain"),
        InvalidFile("jeanne.csv", [Problem("bad_email", 2, "email", "jeanne.dupont@ecole.example")]),
    ]

    assert [str(error) for error in errors] == ["email_other_name", "unknown_actor", "bad_moment", "bad_email"]


def test_lost_race_is_a_refusal_that_may_be_tried_again() -> None:
    race = LostRace(state="registered")

    assert (isinstance(race, Refused), race.code, race.state) == (True, "lost_race", "registered")


def test_invalid_file_keeps_every_problem_and_takes_the_code_of_the_first() -> None:
    problems = [Problem("missing_columns", 1), Problem("unknown_column", 1, "colour")]

    error = InvalidFile("offers.csv", problems)

    assert (error.code, error.name, error.problems) == ("missing_columns", "offers.csv", tuple(problems))


@pytest.mark.parametrize("kind", [Refused, NotFound, UsageError, InvalidFile, LostRace])
def test_every_expected_error_is_one_tree(kind: type[Exception]) -> None:
    assert issubclass(kind, ProductError)


def test_problem_without_place_is_of_the_whole_file() -> None:
    problem = Problem("too_large")

    assert (problem.line, problem.column, problem.value, dict(problem.params)) == (None, "", "", {})


@pytest.mark.parametrize(
    "error",
    [
        NotFound("unknown_reference", reference="2018-2019-0001"),
        Refused("wrong_state", state="evaluated", allowed=("correct",), trigger="approve"),
        LostRace(state="registered"),
        UsageError("bad_moment", value="demain"),
        InvalidFile("offers.csv", [Problem("no_rows")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_survives_a_process_boundary(error: ProductError) -> None:
    """Prefect pickles what a flow raises; an error that cannot be read back hides the one that happened."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert (type(copy), copy.code, copy.params, vars(copy)) == (type(error), error.code, error.params, vars(error))
