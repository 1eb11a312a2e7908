"""Who gets which seat, by a plain rule: team together, then wish order, then order of registration.

A later issue replaces this one function by an integer programme; callers see only its signature.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody who waits for a place: `wishes` are offers in order, `team` is shared by those who go together."""

    participation_id: int
    wishes: tuple[int, ...]
    team: str = ""


def allocate(requests: Sequence[Request], free_seats: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return participation -> seat. `requests` come in order of registration, `free_seats` by offer, in seat order.

    Teams first, whole or not at all on one offer that all of them wish; then single people, first wishes before
    second ones. A team that fits nowhere whole is placed as single people.
    """
    seats = {offer: list(free) for offer, free in free_seats.items()}
    given: dict[int, int] = {}
    for members in _teams(requests):
        common = [offer for offer in members[0].wishes if all(offer in m.wishes for m in members)]
        fitting = next((offer for offer in common if len(seats.get(offer, ())) >= len(members)), None)
        if fitting is not None:
            given.update({member.participation_id: seats[fitting].pop(0) for member in members})
    for rank in range(max((len(r.wishes) for r in requests), default=0)):
        for request in requests:
            if request.participation_id in given or rank >= len(request.wishes):
                continue
            if free := seats.get(request.wishes[rank]):
                given[request.participation_id] = free.pop(0)
    return given


def _teams(requests: Sequence[Request]) -> Iterable[list[Request]]:
    teams: defaultdict[str, list[Request]] = defaultdict(list)
    for request in requests:
        if request.team:
            teams[request.team].append(request)
    return [members for members in teams.values() if len(members) > 1]
