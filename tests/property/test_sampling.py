"""The stratified sample: reproducible, proportional, every stratum covered, nobody drawn twice."""

from fractions import Fraction
from functools import partial
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from states.names import State
from states.sampling import SampleRule, allocate, draw, fingerprint, place, substitute

STRATA = ("SeGEC / Industrie", "SeGEC / -", "WBE / Construction", "- / Alimentation")
PEOPLE = st.dictionaries(
    st.integers(1, 400).map(lambda number: f"2018-2019-{number:04d}"), st.sampled_from(STRATA), min_size=1, max_size=120
)
RULES = st.builds(
    SampleRule,
    seed=st.text(max_size=12),
    since=st.just(State.IMMERSED),
    share=st.fractions(Fraction(1, 100), 1, max_denominator=100),
    at_least=st.integers(0, 4),
)
NUMBERED = st.builds(SampleRule, st.text(max_size=5), st.just(State.IMMERSED), number=st.integers(1, 150))

VECTOR = "d7520262381e08dc97f71ec5139965daf5639498661005e49fdee3af5be9dc78"
DRAWN = [
    ("2018-2019-0010", "SeGEC / -", 1),
    ("2018-2019-0021", "SeGEC / Industrie", 1),
    ("2018-2019-0017", "WBE / Construction", 1),
]
PRINT = "50844a2b91de33e5"


def counted(people: dict[str, str]) -> dict[str, int]:
    return {stratum: list(people.values()).count(stratum) for stratum in set(people.values())}


@given(RULES, PEOPLE, st.randoms(use_true_random=False))
def test_draw_is_the_same_whatever_the_order_of_the_list(rule: SampleRule, people: dict[str, str], by: Random) -> None:
    items = list(people.items())
    by.shuffle(items)

    assert draw(rule, dict(items)) == draw(rule, people)
    assert fingerprint(dict(items)) == fingerprint(people)


@given(RULES | NUMBERED, PEOPLE)
def test_size_is_the_one_asked_for_unless_minima_need_more(rule: SampleRule, people: dict[str, str]) -> None:
    sizes = counted(people)
    minima = sum(min(rule.at_least, size) for size in sizes.values())

    picks = draw(rule, people)

    assert len(picks) == max(rule.size(len(people)), minima)
    assert len({pick.reference for pick in picks}) == len(picks)
    assert all(people[pick.reference] == pick.stratum for pick in picks)


@given(RULES, PEOPLE)
def test_every_stratum_has_its_minimum_and_none_more_than_it_holds(rule: SampleRule, people: dict[str, str]) -> None:
    drawn = [pick.stratum for pick in draw(rule, people)]

    assert all(min(rule.at_least, n) <= drawn.count(stratum) <= n for stratum, n in counted(people).items())


@given(st.dictionaries(st.sampled_from(STRATA), st.integers(1, 5000), min_size=1), st.data())
def test_without_minima_no_stratum_is_a_whole_person_from_its_share(sizes: dict[str, int], data: st.DataObject) -> None:
    people = sum(sizes.values())
    total = data.draw(st.integers(0, people))

    shared = allocate(sizes, total, 0)

    assert sum(shared.values()) == total
    assert all(abs(shared[stratum] - Fraction(total * size, people)) < 1 for stratum, size in sizes.items())


@given(RULES, PEOPLE, st.data())
def test_people_who_come_later_move_nobody_in_their_stratums_order(
    rule: SampleRule, people: dict[str, str], data: st.DataObject
) -> None:
    """Of those drawn before, a stratum keeps as many as it has places: it is cut at the end, never reshuffled."""
    later = dict(people) | {f"2019-{n:04d}": data.draw(st.sampled_from(STRATA)) for n in range(5)}
    before, after = draw(rule, people), draw(rule, later)

    for stratum in set(people.values()):
        first = [pick.reference for pick in before if pick.stratum == stratum]
        then = [pick.reference for pick in after if pick.stratum == stratum and pick.reference in people]
        assert then[: len(first)] == first[: len(then)]


@given(RULES, PEOPLE)
def test_replacements_go_on_in_the_stratums_order_and_never_come_back(rule: SampleRule, people: dict[str, str]) -> None:
    picks = draw(rule, people)
    stratum = picks[0].stratum if picks else STRATA[0]
    taken = [pick.reference for pick in picks if pick.stratum == stratum]
    while (found := substitute(rule.seed, people, stratum, taken)) is not None:
        taken.append(found)

    everybody = sorted((each for each in people if people[each] == stratum), key=lambda each: place(rule.seed, each))
    assert taken == everybody


@given(PEOPLE)
def test_another_seed_is_another_order(people: dict[str, str]) -> None:
    orders = {tuple(sorted(people, key=partial(place, seed))) for seed in map(str, range(40))}

    assert len(orders) > 1 or len(people) == 1


def test_fixed_draw_comes_out_the_same_for_ever() -> None:
    """A vector worked out once: whoever has the seed and the list can check a draw, with any language."""
    people = {f"2018-2019-{number:04d}": STRATA[number % 3] for number in range(1, 31)}
    rule = SampleRule("2018-2019", State.IMMERSED, share=Fraction(1, 10), at_least=1)

    assert place("2018-2019", "2018-2019-0001") == VECTOR
    assert [(pick.reference, pick.stratum, pick.position) for pick in draw(rule, people)] == DRAWN
    assert fingerprint(people)[:16] == PRINT
