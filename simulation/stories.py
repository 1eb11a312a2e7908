"""Which participations are worth telling after an edition: one smooth, one withdrawn late, one escalated."""

from collections.abc import Mapping

from sqlalchemy import Connection, select

from actions.people import PARTY
from actions.writing import PARTICIPATION
from simulation.cast import Cast, Part
from states.names import State

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
