"""Measuring two ways of doing the same, on a machine that others use too."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

Work = Callable[[int], None]
"""Does one round's share of work; the round's number comes in, so that each round has rows of its own."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians over the rounds, in seconds; `speed` is the median of each round's own yardstick / ours."""

    ours: float
    yardstick: float
    speed: float


def compare(ours: Work, yardstick: Work, rounds: int) -> Compared:
    """Do a warm-up round (number 0), then each round in turn by both, who goes first alternating.

    A busy neighbour slows both sides of one round alike: hence a ratio per round, and their median.
    """
    times: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        if number % 2:
            first = _seconds(ours, number)
            times.append((first, _seconds(yardstick, number)))
        else:
            second = _seconds(yardstick, number)
            times.append((_seconds(ours, number), second))
    measured = times[1:]
    return Compared(
        median(mine for mine, _ in measured),
        median(other for _, other in measured),
        median(other / mine for mine, other in measured),
    )


def _seconds(work: Work, number: int) -> float:
    gc.collect()
    start = perf_counter()
    work(number)
    return perf_counter() - start
