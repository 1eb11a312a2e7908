"""What is worth telling after an edition: one smooth participation, one withdrawn late, one escalated; the outage."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from actions.people import PARTY
from actions.writing import DEADLINE, PARTICIPATION
from core.clock import iso
from simulation.cast import Cast, Part
from states.names import DeadlineStatus, State

_TOLD: Mapping[str, tuple[Part, State]] = {
    "smooth": (Part.SMOOTH, State.EVALUATED),
    "withdrawn_late": (Part.WITHDRAWS_DAY_BEFORE, State.WITHDRAWN),
    "escalated": (Part.LATE_DIRECTOR, State.EVALUATED),
}


def references_to_tell(connection: Connection, cast: Cast) -> dict[str, str]:
    """Return a reference for each story: the first participation that played its part to the end it should have."""
    rows = connection.execute(
        select(PARTICIPATION.c.reference, PARTICIPATION.c.state, PARTY.c.email)
        .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
        .order_by(PARTICIPATION.c.id)
    ).all()
    return {
        story: found
        for story, (part, state) in _TOLD.items()
        if (found := next((r.reference for r in rows if cast.part(r.email) is part and r.state == state), ""))
    }


def outage_told(connection: Connection, cast: Cast) -> dict[str, Any] | None:
    """Return what became of the steps that fell due while no tick ran: caught up, passed over, or done meanwhile."""
    if cast.outage is None:
        return None
    begins, ends = cast.outage
    query = (
        select(DEADLINE.c.rule, DEADLINE.c.step, DEADLINE.c.due_at, DEADLINE.c.status, DEADLINE.c.ended_at)
        .add_columns(DEADLINE.c.subject, PARTICIPATION.c.reference)
        .join(PARTICIPATION, PARTICIPATION.c.id == DEADLINE.c.participation_id)
        .where(DEADLINE.c.due_at >= begins, DEADLINE.c.due_at < ends, DEADLINE.c.ended_at >= begins)
        .order_by(DEADLINE.c.due_at, PARTICIPATION.c.reference, DEADLINE.c.step)
    )
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return {
        "from": iso(begins),
        "until": iso(ends),
        "caught_up": [_step(row) for row in rows if row["status"] == DeadlineStatus.FIRED],
        "missed": [_step(row) for row in rows if row["status"] == DeadlineStatus.MISSED],
        "done_meanwhile": sum(row["status"] == DeadlineStatus.MET and row["ended_at"] <= ends for row in rows),
    }


def _step(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reference": row["reference"],
        "subject": row["subject"],
        "rule": row["rule"],
        "step": row["step"],
        "due_at": iso(row["due_at"]),
        "at": iso(row["ended_at"]),
    }
