"""`python -m benchmarks`: measures, prints tables, and exits 1 when a required ratio is missed.

python -m benchmarks                        everything, on both engines
python -m benchmarks actions --rounds 15    one of `actions`, `handoffs`, `listing`, ..., more carefully
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from benchmarks import actions, deadlines, handoffs, life, listing, startup, ticks, whatif
from benchmarks.report import Line, Measured, table
from tests.support.databases import Databases, Kind

_ROUNDS = 7
_LEAST_ROUNDS = 5
_TITLES = {
    "actions": "Actions, beside hand-written SQL that writes the same rows",
    "deadlines": "Deadlines that fall due within one minute",
    "handoffs": "Handoffs, offered by one run of the flow",
    "life": "A whole edition, played by plain jobs",
    "listing": "An institute's list over HTTP, among 100,000 handoffs",
    "startup": "Start-up",
    "ticks": "Ticks, on SQLite",
    "whatif": "What-if, as the edition stands and changed",
}
_BENCHMARKS: Mapping[str, Callable[[Databases, Sequence[Kind], int], Iterator[Line]]] = {
    "actions": actions.run,
    "deadlines": lambda databases, engines, _rounds: deadlines.run(databases, engines),
    "handoffs": lambda databases, engines, _rounds: handoffs.run(databases, engines),
    "life": lambda databases, _engines, _rounds: life.run(databases),
    "listing": listing.run,
    "startup": lambda _databases, _engines, rounds: startup.run(rounds),
    "ticks": lambda databases, _engines, rounds: ticks.run(databases, rounds),
    "whatif": lambda databases, _engines, _rounds: whatif.run(databases),
}


def main() -> int:
    """Run the benchmarks that are asked for, all by default."""
    asked = _arguments()
    met = True
    with ExitStack() as stack:
        databases = Databases(stack)
        for name in asked.names or _BENCHMARKS:
            lines = list(_BENCHMARKS[name](databases, asked.engine or actions.ENGINES, asked.rounds))
            print(table(_TITLES[name], lines), end="\n\n", flush=True)
            met = met and all(line.met for line in lines if isinstance(line, Measured))
    print("Medians over rounds in which both sides take turns; a ratio is the median of the rounds' own.")
    return 0 if met else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What the product costs, and what it may."
    )
    parser.add_argument("names", nargs="*", metavar="benchmark", help=f"{', '.join(_TITLES)}; all by default")
    parser.add_argument("--engine", action="append", choices=actions.ENGINES, help="both by default")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"at least {_LEAST_ROUNDS}; {_ROUNDS} by default")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in _TITLES]:
        parser.error(f"unknown: {', '.join(unknown)}; known: {', '.join(_TITLES)}")
    if asked.rounds < _LEAST_ROUNDS:
        parser.error(f"fewer than {_LEAST_ROUNDS} rounds say little on a shared machine")
    return asked


if __name__ == "__main__":
    sys.exit(main())
