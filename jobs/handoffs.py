"""IFC hands each immersed participation to the institute that its edition names, and takes back what is complete."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, select

from actions import handoffs, returns
from actions.apply import Outcome
from actions.occasion import Actor, Occasion, system
from actions.writing import HANDOFF, PARTICIPATION
from jobs.batches import Outcomes, in_batches, not_set_aside
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from states.names import Purpose

JOB = "handoffs"

Look = Callable[[Connection, Sequence[int], Actor, Occasion], Mapping[int, Outcome | None]]
_LOOKS: Mapping[Purpose, tuple[tuple[str, ...], Look]] = {
    Purpose.TRANSFER: (handoffs.WAITING, handoffs.route),
    Purpose.EVALUATION: (returns.WAITING, returns.check),
}


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether a round waits to be offered, or a record to be looked at: an indexed probe each."""
    return any(connection.execute(_due(at, purpose).limit(1)).first() is not None for purpose in _LOOKS)


def _due(at: datetime, purpose: Purpose) -> Select[tuple[int]]:
    return (
        select(PARTICIPATION.c.id)
        .join(HANDOFF, HANDOFF.c.participation_id == PARTICIPATION.c.id)
        .where(
            HANDOFF.c.look_at <= at,
            HANDOFF.c.purpose == purpose.value,
            HANDOFF.c.status.in_(_LOOKS[purpose][0]),
            not_set_aside(JOB, PARTICIPATION.c.id),
        )
    )


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Offer what can be routed, accept what came back complete; tell IFC of the rest."""
    summary = Summary(JOB)
    for purpose, (_, look) in _LOOKS.items():
        in_batches(workshop, summary, _due(at, purpose), _work(look), workshop.occasion(at), limit)
    return summary


def _work(look: Look) -> Callable[[Connection, Sequence[int], Occasion], Outcomes]:
    def work(connection: Connection, ids: Sequence[int], occasion: Occasion) -> Outcomes:
        outcomes = look(connection, ids, system(), occasion)
        return ((pid, "left_to_ifc" if outcome is None else outcome) for pid, outcome in outcomes.items())

    return work
