"""The relay comes back to IFC: the system takes a complete record, and puts any other on IFC's desk."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, update

from actions.apply import Outcome, Request, apply_many
from actions.occasion import Actor, Occasion
from actions.reading import read_rows, seen
from actions.writing import HANDOFF
from states.names import HandoffStatus, Missing, Purpose, Subject, Trigger

WAITING = (HandoffStatus.OFFERED.value, HandoffStatus.HELD.value)


def check(connection: Connection, ids: Sequence[int], actor: Actor, occasion: Occasion) -> dict[int, Outcome | None]:
    """Accept what came back with a session, the presence there and a note; hold the rest, with what is missing.

    Returns what became of each, None for those that IFC has on its desk already.
    """
    asked: dict[int, Request] = {}
    left: dict[int, Sequence[Missing]] = {}
    outcomes: dict[int, Outcome | None] = {}
    for participation_id, row in read_rows(connection, ids).items():
        try:
            snapshot = seen(connection, row, actor).snapshot
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            outcomes[participation_id] = fault
            continue
        missing = snapshot.record_missing
        if not missing:
            asked[participation_id] = Request(Subject.RETURN, Trigger.ACCEPT)
        elif snapshot.returned is HandoffStatus.OFFERED:
            asked[participation_id] = Request(Subject.RETURN, Trigger.HOLD, data={"missing": " ".join(missing)})
        else:
            left[participation_id] = missing
    if left:
        _still_missing(connection, left)
    return outcomes | apply_many(connection, asked, actor, occasion) | dict.fromkeys(left)


def _still_missing(connection: Connection, left: Mapping[int, Sequence[Missing]]) -> None:
    """Note what a held record lacks now; the job does not look at it again until something is added."""
    connection.execute(_NOTE, [{"b_id": pid, "v_because": " ".join(missing)} for pid, missing in left.items()])


_NOTE = (
    update(HANDOFF)
    .where(
        HANDOFF.c.participation_id == bindparam("b_id"),
        HANDOFF.c.purpose == Purpose.EVALUATION.value,
        HANDOFF.c.look_at.is_not(None),
    )
    .values(because=bindparam("v_because"), look_at=None)
)
