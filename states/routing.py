"""Which institute serves whom, and from which day to which: the questions that the table of routes answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

from states.names import Education, Network, ParticipantKind
from states.rules import Route, Rules

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """People whom no route serves, from the first to the last local day, both included."""

    network: Network
    education: Education
    kinds: tuple[ParticipantKind, ...]
    first: date
    last: date


Whom = tuple[str | None, str | None, str]
"""What a route looks at: network, kind of education, kind of participant."""


def named(rules: Rules, whom: Whom, day: date) -> str | None:
    """Return the code of the institute that serves somebody on a local day; None where no single one is named."""
    found = rules.routes_for(*whom, day)
    return found[0].institute if len(found) == 1 else None


def differ(old: Rules, new: Rules, whom: Whom, first: date, last: date) -> bool:
    """Tell whether two tables of routes name different institutes on some day between two local days."""
    routes = (*old.routes, *new.routes)
    turns = {first, *(_begins(each) for each in routes), *(each.last + _DAY for each in routes if each.last)}
    return any(named(old, whom, day) != named(new, whom, day) for day in turns if first <= day <= max(first, last))


def overlap(one: Route, other: Route) -> bool:
    """Tell whether two routes could both be meant on some day."""
    same = (one.network, one.education) == (other.network, other.education) and set(one.kinds) & set(other.kinds)
    return bool(same) and _begins(one) <= _ends(other) and _begins(other) <= _ends(one)


def gaps(routes: Sequence[Route], first: date, last: date) -> Iterator[Gap]:
    """Yield who would wait to be routed between two local days, kinds that share a gap together."""
    for network, education in product(Network, Education):
        ours = [route for route in routes if (route.network, route.education) == (network, education)]
        found: dict[tuple[date, date], list[ParticipantKind]] = {}
        for kind in ParticipantKind:
            for period in _uncovered([route for route in ours if kind in route.kinds], first, last):
                found.setdefault(period, []).append(kind)
        for (begins, ends), kinds in sorted(found.items()):
            yield Gap(network, education, tuple(kinds), begins, ends)


def _uncovered(routes: Sequence[Route], first: date, last: date) -> Iterator[tuple[date, date]]:
    day = first
    for route in sorted(routes, key=_begins):
        if _begins(route) > last:
            break
        if _begins(route) > day:
            yield day, _begins(route) - _DAY
        if _ends(route) >= last:
            return
        day = max(day, _ends(route) + _DAY)
    yield day, last


def _begins(route: Route) -> date:
    return route.first or date.min


def _ends(route: Route) -> date:
    return route.last or date.max
