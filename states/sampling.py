"""The sample that is evaluated in person: stratified, reproducible by anybody who has the seed and the list.

Within a stratum people stand in the order of SHA-256(seed, reference): the same on every machine and for any order of
the list, and people who come later find their place without moving the others. Whoever is replaced is followed by the
next of the stratum's order.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from states.names import State, Stratum


@dataclass(frozen=True, slots=True)
class SampleRule:
    """How the edition draws: `share` of the people or `number` of them, from those who have come as far as `since`."""

    seed: str
    since: State
    share: Fraction | None = None
    number: int | None = None
    strata: tuple[Stratum, ...] = ()
    at_least: int = 0

    def size(self, people: int) -> int:
        """Return how many are wanted of so many, before the minimum of each stratum: a share is rounded up."""
        if self.number is not None:
            return min(self.number, people)
        return -(-people * (self.share or Fraction(0)) // 1)


@dataclass(frozen=True, slots=True)
class Pick:
    """Somebody drawn: `position` counts from one within the stratum."""

    reference: str
    stratum: str
    position: int


def draw(rule: SampleRule, people: Mapping[str, str]) -> tuple[Pick, ...]:
    """Draw from people (reference -> stratum); strata and positions in order."""
    ranked = _ranked(rule.seed, people)
    sizes = allocate({stratum: len(each) for stratum, each in ranked.items()}, rule.size(len(people)), rule.at_least)
    return tuple(
        Pick(reference, stratum, position)
        for stratum, each in ranked.items()
        for position, reference in enumerate(each[: sizes[stratum]], start=1)
    )


def substitute(seed: str, people: Mapping[str, str], stratum: str, taken: Collection[str]) -> str | None:
    """Return the next of a stratum's order who was not drawn yet; None when there is nobody left in it."""
    return next((each for each in _ranked(seed, people).get(stratum, ()) if each not in taken), None)


def place(seed: str, reference: str) -> str:
    """Return where somebody stands in the order of their stratum."""
    return hashlib.sha256(f"{seed}\n{reference}".encode()).hexdigest()


def fingerprint(people: Mapping[str, str]) -> str:
    """Return the SHA-256 of the list that was drawn from, so that a draw can be done again and compared."""
    lines = "".join(f"{reference}\t{stratum}\n" for reference, stratum in sorted(people.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _ranked(seed: str, people: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the people of each stratum in its order; strata by name."""
    ranked: dict[str, list[str]] = {stratum: [] for stratum in sorted(set(people.values()))}
    for reference in sorted(people, key=lambda each: place(seed, each)):
        ranked[people[reference]].append(reference)
    return ranked


def allocate(sizes: Mapping[str, int], total: int, at_least: int) -> dict[str, int]:
    """Share a total out among strata in proportion to their sizes, by largest remainder; ties go to the first by name.

    Each stratum gets `at_least` so many, or all it has: where these minima need more than the total, they win.
    """
    least = {stratum: min(at_least, size) for stratum, size in sizes.items()}
    total = max(total, sum(least.values()))
    fixed: dict[str, int] = {}
    while True:  # a stratum whose share is below its minimum gets the minimum; the others share what is left
        free = {stratum: size for stratum, size in sizes.items() if stratum not in fixed}
        left, people = total - sum(fixed.values()), sum(free.values())
        shares = {stratum: Fraction(left * size, people) for stratum, size in free.items() if people}
        low = {stratum: least[stratum] for stratum, share in shares.items() if share < least[stratum]}
        if not low:
            return fixed | _rounded(shares, left)
        fixed |= low


def _rounded(shares: Mapping[str, Fraction], total: int) -> dict[str, int]:
    whole = {stratum: int(share) for stratum, share in shares.items()}
    by_remainder = sorted(shares, key=lambda stratum: (whole[stratum] - shares[stratum], stratum))
    for stratum in by_remainder[: total - sum(whole.values())]:
        whole[stratum] += 1
    return whole
