"""Which counts of the evaluation are shown: no group of fewer than five, nor what it could be worked out from."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.results import FEWEST, hidden
from states.names import QuestionKind

CHOICE, SCALE, YES_NO = QuestionKind.CHOICE, QuestionKind.SCALE, QuestionKind.YES_NO


@pytest.mark.parametrize(
    ("kind", "counts", "shown"),
    [
        (CHOICE, {"a": 5, "b": 0, "c": 9}, {"a": 5, "b": 0, "c": 9}),
        (CHOICE, {"a": 4, "b": 6, "c": 9}, {"a": None, "b": None, "c": 9}),  # a alone would be the total less the rest
        (CHOICE, {"a": 1, "b": 1, "c": 9, "d": 7}, {"a": None, "b": None, "c": 9, "d": None}),  # one and one: too few
        (CHOICE, {"a": 3, "b": 4, "c": 9}, {"a": None, "b": None, "c": 9}),
        (CHOICE, {"a": 3, "b": 0}, {"a": None, "b": None}),  # three in all
        (YES_NO, {"yes": 40, "no": 2}, {"yes": None, "no": None}),
        (YES_NO, {"yes": 40, "no": 0}, {"yes": 40, "no": 0}),
        (SCALE, {"1": 0, "2": 5, "3": 9}, {"1": 0, "2": 5, "3": 9}),
        (SCALE, {"1": 2, "2": 5, "3": 9}, {"1": None, "2": None, "3": None}),  # the mean would tell
    ],
)
def test_counts_shown(kind: QuestionKind, counts: Mapping[str, int], shown: Mapping[str, int | None]) -> None:
    assert hidden(kind, counts) == shown


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 12), min_size=2), st.sampled_from([CHOICE, YES_NO]))
def test_what_is_hidden_is_at_least_five_people_in_at_least_two_cells(
    counts: dict[str, int], kind: QuestionKind
) -> None:
    shown = hidden(kind, counts)
    away = [counts[cell] for cell, n in shown.items() if n is None]

    assert not [n for n in shown.values() if n is not None and 0 < n < FEWEST]
    assert not away or (len(away) > 1 and sum(away) >= FEWEST) or len(away) == len(counts)
    assert all(n in {None, counts[cell]} for cell, n in shown.items())
