"""Gaps in a table of routes: who would wait to be routed, and when."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from random import Random

import pytest

from states.names import Education, Network, ParticipantKind
from states.routing import Gap, differ, gaps, named, overlap
from states.rules import Route, Rules
from tests.unit.test_states_examples import RULES as EXAMPLES

FIRST, LAST = date(2018, 9, 3), date(2019, 6, 28)
KINDS = tuple(ParticipantKind)
EVERYBODY = [Route(n, e, "FCC", to_confirm=False) for n, e in product(Network, Education)]


def test_table_that_serves_everybody_every_day_has_no_gap() -> None:
    assert list(gaps(EVERYBODY, FIRST, LAST)) == []


def test_network_without_a_route_is_a_gap_of_the_whole_edition() -> None:
    routes = [r for r in EVERYBODY if (r.network, r.education) != (Network.FELSI, Education.SPECIALISE)]

    assert list(gaps(routes, FIRST, LAST)) == [Gap(Network.FELSI, Education.SPECIALISE, KINDS, FIRST, LAST)]


@pytest.mark.parametrize(
    ("periods", "expected"),
    [
        ([(None, date(2018, 12, 31)), (date(2019, 1, 1), None)], []),
        ([(date(2018, 9, 4), None)], [(FIRST, FIRST)]),
        ([(None, date(2019, 6, 27))], [(LAST, LAST)]),
        ([(None, date(2018, 12, 31)), (date(2019, 1, 2), None)], [(date(2019, 1, 1), date(2019, 1, 1))]),
        ([(date(2020, 1, 1), None)], [(FIRST, LAST)]),
        ([(None, date(2018, 1, 1))], [(FIRST, LAST)]),
    ],
)
def test_days_without_a_route_are_gaps(
    periods: list[tuple[date | None, date | None]], expected: list[tuple[date, date]]
) -> None:
    others = [r for r in EVERYBODY if (r.network, r.education) != (Network.WBE, Education.ORDINAIRE)]
    ours = [
        Route(Network.WBE, Education.ORDINAIRE, "FCC", to_confirm=False, kinds=KINDS, first=first, last=last)
        for first, last in periods
    ]

    found = list(gaps([*others, *ours], FIRST, LAST))

    assert [(gap.first, gap.last) for gap in found] == expected
    assert {gap.kinds for gap in found} <= {KINDS}


def test_kinds_that_share_a_gap_are_told_together() -> None:
    others = [r for r in EVERYBODY if (r.network, r.education) != (Network.WBE, Education.ORDINAIRE)]
    ours = Route(Network.WBE, Education.ORDINAIRE, "FCC", to_confirm=False, kinds=KINDS[:2])

    assert [gap.kinds for gap in gaps([*others, ours], FIRST, LAST)] == [KINDS[2:]]


def some_route(
    luck: Random, first: date | None, last: date | None, education: Education = Education.ORDINAIRE
) -> Route:
    kinds = tuple(luck.sample(KINDS, 4))
    return Route(Network.WBE, education, "FCC", to_confirm=False, kinds=kinds, first=first, last=last)


@pytest.mark.parametrize("seed", range(50))
def test_day_is_in_a_gap_exactly_when_no_route_serves_it(seed: int) -> None:
    luck = Random(seed)
    last = FIRST + timedelta(days=20)

    def some_day() -> date | None:
        return None if luck.random() < 0.3 else FIRST + timedelta(days=luck.randint(-3, 23))

    ours = [some_route(luck, some_day(), some_day()) for _ in range(luck.randint(0, 6))]
    ours = [r for r in ours if r.first is None or r.last is None or r.first <= r.last]
    found = [
        gap for gap in gaps(ours, FIRST, last) if gap.network is Network.WBE and gap.education is Education.ORDINAIRE
    ]

    for kind, number in product(KINDS, range(21)):
        day = FIRST + timedelta(days=number)
        in_a_gap = sum(kind in gap.kinds and gap.first <= day <= gap.last for gap in found)
        assert in_a_gap == (0 if any(route.serves(kind, day) for route in ours) else 1)


@pytest.mark.parametrize("seed", range(50))
def test_routes_overlap_exactly_when_some_day_has_both(seed: int) -> None:
    luck = Random(seed)
    begins = [FIRST + timedelta(days=luck.randint(0, 6)) for _ in range(2)]
    one, other = (
        some_route(luck, day, day + timedelta(days=luck.randint(0, 4)), luck.choice(list(Education))) for day in begins
    )
    days = [FIRST + timedelta(days=number) for number in range(12)]
    both = any(one.serves(kind, day) and other.serves(kind, day) for kind, day in product(KINDS, days))

    assert overlap(one, other) == (both and one.education is other.education)


# ------------------------------------------------------------------------------------------------- one table or another
WBE = ("WBE", "ordinaire", "enseignant")
NEW_YEAR = date(2019, 1, 1)


def rules(*periods: tuple[str, date | None, date | None]) -> Rules:
    routes = tuple(
        Route(Network.WBE, Education.ORDINAIRE, institute, to_confirm=False, first=first, last=last)
        for institute, first, last in periods
    )
    return replace(EXAMPLES["2018"], routes=routes)


def test_institute_is_named_where_one_route_holds_that_day() -> None:
    found = rules(("A", None, date(2018, 12, 31)), ("B", NEW_YEAR, None), ("C", date(2019, 6, 1), None))

    days = (FIRST, NEW_YEAR, date(2019, 6, 1))
    assert [named(found, WBE, day) for day in days] == ["A", "B", None]
    assert named(found, (None, None, "inspecteur"), FIRST) is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (FIRST, LAST, True),
        (NEW_YEAR, LAST, True),
        (FIRST, NEW_YEAR, True),
        (FIRST, date(2018, 12, 31), False),
        (LAST, LAST, True),
        (date(2019, 7, 1), LAST, True),  # after the closing: that day itself
    ],
)
def test_tables_differ_from_the_day_that_one_of_them_turns(first: date, last: date, *, expected: bool) -> None:
    always, turning = rules(("A", None, None)), rules(("A", None, date(2018, 12, 31)), ("B", NEW_YEAR, None))

    assert differ(always, turning, WBE, first, last) is expected
    assert differ(turning, always, WBE, first, last) is expected
    assert not differ(turning, turning, WBE, first, last)


def test_route_that_only_ends_leaves_a_gap_that_differs() -> None:
    assert differ(rules(("A", None, None)), rules(("A", None, NEW_YEAR)), WBE, FIRST, LAST)
