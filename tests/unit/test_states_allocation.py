"""Who gets which seat: team together, then wish order, then order of registration."""

from collections.abc import Mapping, Sequence

import pytest

from states.allocation import Request, allocate

SAFRAN, BESIX, STIB = 1, 2, 3


def alone(participation_id: int, *wishes: int) -> Request:
    return Request(participation_id, wishes)


def together(team: str, participation_id: int, *wishes: int) -> Request:
    return Request(participation_id, wishes, team)


@pytest.mark.parametrize(
    ("requests", "free", "given"),
    [
        ([], {SAFRAN: [10]}, {}),
        ([alone(1, SAFRAN)], {}, {}),
        ([alone(1)], {SAFRAN: [10]}, {}),  # no wish, no seat
        ([alone(1, SAFRAN)], {SAFRAN: [10, 11]}, {1: 10}),  # seats in their order
        ([alone(1, SAFRAN), alone(2, SAFRAN)], {SAFRAN: [10]}, {1: 10}),  # first registered
        ([alone(2, SAFRAN), alone(1, SAFRAN)], {SAFRAN: [10]}, {2: 10}),  # ... whatever their numbers
        (
            [alone(1, BESIX, SAFRAN), alone(2, SAFRAN)],
            {SAFRAN: [10], BESIX: []},
            {2: 10},
        ),  # first wishes first
        ([alone(1, SAFRAN, BESIX), alone(2, SAFRAN, BESIX)], {SAFRAN: [10], BESIX: [20]}, {1: 10, 2: 20}),
        ([alone(1, STIB, BESIX, SAFRAN)], {SAFRAN: [10]}, {1: 10}),  # down to the third
    ],
)
def test_seats_go_by_wish_then_by_registration(
    requests: Sequence[Request], free: Mapping[int, Sequence[int]], given: dict[int, int]
) -> None:
    assert allocate(requests, free) == given


@pytest.mark.parametrize(
    ("requests", "free", "given"),
    [
        (  # before somebody who registered earlier
            [alone(1, SAFRAN), together("a", 2, SAFRAN), together("a", 3, SAFRAN)],
            {SAFRAN: [10, 11]},
            {2: 10, 3: 11},
        ),
        (  # on the second wish, where there is room for both
            [together("a", 1, SAFRAN, BESIX), together("a", 2, SAFRAN, BESIX)],
            {SAFRAN: [10], BESIX: [20, 21]},
            {1: 20, 2: 21},
        ),
        (  # only on an offer that all of them wish
            [together("a", 1, SAFRAN, BESIX), together("a", 2, BESIX)],
            {SAFRAN: [10, 11], BESIX: [20, 21]},
            {1: 20, 2: 21},
        ),
        (  # nowhere whole: as single people
            [together("a", 1, SAFRAN), together("a", 2, SAFRAN, BESIX)],
            {SAFRAN: [10], BESIX: [20]},
            {1: 10, 2: 20},
        ),
        (  # a team of one is nobody special
            [alone(1, SAFRAN), together("a", 2, SAFRAN)],
            {SAFRAN: [10]},
            {1: 10},
        ),
        (  # two teams: the one that registered first
            [together("a", 1, SAFRAN), together("b", 2, SAFRAN), together("a", 3, SAFRAN), together("b", 4, SAFRAN)],
            {SAFRAN: [10, 11, 12]},
            {1: 10, 3: 11, 2: 12},
        ),
    ],
)
def test_team_is_placed_whole_or_as_single_people(
    requests: Sequence[Request], free: Mapping[int, Sequence[int]], given: dict[int, int]
) -> None:
    assert allocate(requests, free) == given


def test_allocation_leaves_what_it_is_given_untouched() -> None:
    free = {SAFRAN: [10, 11]}

    allocate([alone(1, SAFRAN)], free)

    assert free == {SAFRAN: [10, 11]}
