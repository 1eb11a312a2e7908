"""An edition whose figures are frozen is open again once something that they count moves: another report follows."""

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from actions.change import Change
from models import Edition, table_of
from states.names import Anchor

EDITION = table_of(Edition)


def reopen(connection: Connection, changes: Sequence[Change]) -> None:
    """Open again the closed editions that these changes move somebody of.

    Within the edition's days nothing is asked. After them the edition's row is locked for a moment, in the weakest
    mode that waits for a closing: it has counted this change, or is found done and taken back. Never do without.
    """
    moved = {change.seen.row.edition_id for change in changes if _comes_late(change) and _counts(change)}
    if not moved:
        return
    mine = select(EDITION.c.id).where(EDITION.c.id.in_(moved)).order_by(EDITION.c.id)
    shared = mine.with_for_update(read=True, key_share=True)
    connection.execute(shared).all()
    closed = (EDITION.c.id.in_(moved), EDITION.c.closed_at.is_not(None))
    connection.execute(update(EDITION).where(*closed).values(closed_at=None))


def _comes_late(change: Change) -> bool:
    """Tell whether a change is made, or said to be made, after the last day: nothing closes earlier."""
    rules, occasion = change.seen.rules, change.occasion
    made = max(occasion.at, occasion.recorded_at)
    return rules.calendar.local_day(made) > rules.anchors[Anchor.CLOSING]


def _counts(change: Change) -> bool:
    """Tell whether a change moves anything, or what is known of somebody; a comment does neither."""
    moves = any(step.before != step.after for step in change.pulled)
    before, after = change.seen.snapshot, change.after
    return moves or (before.half_days, before.facts, before.drawn_on) != (after.half_days, after.facts, after.drawn_on)
