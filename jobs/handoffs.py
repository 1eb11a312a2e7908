"""IFC hands each immersed participation to the institute that the edition's routing names."""

from datetime import datetime

from sqlalchemy import Connection, Select, select

from actions.handoffs import WAITING, route
from actions.occasion import system
from actions.writing import HANDOFF, PARTICIPATION
from jobs.batches import in_batches, not_set_aside
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop

JOB = "handoffs"


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether a handoff waits to be offered: one indexed probe."""
    return connection.execute(_due(at).limit(1)).first() is not None


def _due(at: datetime) -> Select[tuple[int]]:
    return (
        select(PARTICIPATION.c.id)
        .join(HANDOFF, HANDOFF.c.participation_id == PARTICIPATION.c.id)
        .where(
            HANDOFF.c.look_at <= at,
            HANDOFF.c.status.in_(WAITING),
            not_set_aside(JOB, PARTICIPATION.c.id),
        )
    )


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Offer what can be routed; tell IFC of what cannot."""
    summary = Summary(JOB)
    in_batches(
        workshop,
        summary,
        _due(at),
        lambda connection, ids, occasion: (
            (pid, "left_to_ifc" if outcome is None else outcome)
            for pid, outcome in route(connection, ids, system(), occasion).items()
        ),
        workshop.occasion(at),
        limit,
    )
    return summary
