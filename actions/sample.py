"""The sample once it is drawn: replacing somebody, seeing people in person, and where each stands.

All by IFC. A replacement is an entry of the edition's own chain too; why is kept with the participation's own, where an
erasure finds it.
"""

from dataclasses import dataclass
from dataclasses import replace as changed
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from actions.change import Change
from actions.drawing import DRAW, DRAWN, by_reference, drawn, drawn_row, people_of, standing_draw
from actions.editions import EditionEntry, append, current, hold
from actions.evaluation import then_evaluated, unmoved
from actions.facts import FACT
from actions.occasion import Actor, Occasion
from actions.owed import name_of
from actions.people import PARTY
from actions.reading import Seen, Stands, in_its_time, read
from actions.writing import PARTICIPATION, write
from core.clock import iso
from core.errors import Refused
from states import sampling
from states.guards import ON_THE_PATH
from states.names import DrawnStatus, FactKind, Role, State, Stratum, Trigger
from states.sampling import Pick


@dataclass(frozen=True, slots=True)
class Replaced:
    """Somebody who is no longer in the sample; `by` is empty when nobody was left in their stratum."""

    reference: str
    by: str | None
    stratum: str


def replace(connection: Connection, reference: str, reason: str, actor: Actor, occasion: Occasion) -> Replaced:
    """Take somebody out of the sample, for good, and have the next of their stratum take their place.

    Raises NotFound, Refused (`not_yours`, `reason_given`, `not_drawn`, `already_replaced`, `already_interviewed`,
    `before_last_entry`), LostRace.
    """
    stands = _for_ifc(connection, reference, actor, occasion)
    if not reason.strip():
        raise Refused("reason_given", state=stands.row.state)
    hold(connection, stands.row.edition_id)
    row = _row_of(connection, stands)
    if row.status == DrawnStatus.INTERVIEWED:
        raise Refused("already_interviewed", state=stands.row.state, on=stands.row.interview_on)
    next_one = _next(connection, row, actor)
    by = None if next_one is None else next_one.row.reference
    data = {"draw": row.number, "replaced": reference, "by": by, "stratum": row.stratum}
    entry = EditionEntry(stands.row.revision_id, Trigger.REPLACE.value, str(row.number), str(row.number), data)
    append(connection, stands.row.edition_id, entry, actor, occasion)
    changes = [_out(stands, row.number, reason.strip(), actor, occasion)]
    if next_one is not None:
        changes.append(drawn(next_one, row.number, actor, occasion))
    write(connection, sorted(changes, key=lambda change: change.seen.row.id))
    _follow(connection, row, next_one)
    return Replaced(reference, by, row.stratum)


def _out(stands: Seen, number: int, reason: str, actor: Actor, occasion: Occasion) -> Change:
    """Somebody leaves the sample: their evaluation may be all that was waiting."""
    after, entry = changed(stands.snapshot, drawn_on=None), unmoved(stands, Trigger.REPLACE)
    change = Change(stands, after, actor, occasion, (entry,), reason=reason, data={"draw": number})
    return then_evaluated(change)[0]


def _for_ifc(connection: Connection, reference: str, actor: Actor, occasion: Occasion) -> Seen:
    stands = read(connection, reference, actor)
    if actor.role not in stands.snapshot.relations or actor.role is not Role.COORDINATOR:
        raise Refused("not_yours", state=stands.row.state, role=actor.role)
    in_its_time(stands, occasion)
    return stands


def _row_of(connection: Connection, stands: Seen) -> Row[Any]:
    """Return somebody's row in the draw that stands. Raises Refused (`not_drawn`, `already_replaced`)."""
    query = (
        select(DRAWN, DRAW.c.number, DRAW.c.seed, DRAW.c.since, DRAW.c.strata, DRAW.c.edition_id)
        .join(DRAW, DRAW.c.id == DRAWN.c.draw_id)
        .where(DRAWN.c.participation_id == stands.row.id, DRAW.c.void_at.is_(None))
    )
    row = connection.execute(query).first()
    if row is None:
        raise Refused("not_drawn", state=stands.row.state)
    if row.status == DrawnStatus.REPLACED:
        raise Refused("already_replaced", state=stands.row.state)
    return row


def _next(connection: Connection, row: Row[Any], actor: Actor) -> Seen | None:
    strata = tuple(Stratum(each) for each in row.strata.split())
    people = people_of(connection, row.edition_id, State(row.since), strata)
    drawn = select(PARTICIPATION.c.reference).join(DRAWN, DRAWN.c.participation_id == PARTICIPATION.c.id)
    taken = set(connection.execute(drawn.where(DRAWN.c.draw_id == row.draw_id)).scalars())
    found = sampling.substitute(row.seed, people, row.stratum, taken)
    return None if found is None else read(connection, found, actor)


def _follow(connection: Connection, row: Row[Any], next_one: Seen | None) -> None:
    by = next_one.row.id if next_one else None
    values = {"status": DrawnStatus.REPLACED.value, "replaced_by": by}
    connection.execute(update(DRAWN).where(DRAWN.c.id == row.id).values(values))
    if next_one is None:
        return
    last = select(DRAWN.c.position).where(DRAWN.c.draw_id == row.draw_id, DRAWN.c.stratum == row.stratum)
    position = max(connection.execute(last).scalars()) + 1
    pick = Pick(next_one.row.reference, row.stratum, position)
    (found,) = by_reference(connection, [pick.reference]).values()
    connection.execute(insert(DRAWN).values(drawn_row(row.draw_id, pick, found)))


# ------------------------------------------------------------------------------------------------------ seen in person
def record_interview(connection: Connection, reference: str, on: date, actor: Actor, occasion: Occasion) -> bool:
    """Record that IFC saw somebody of the sample on a local day; False when that very day was known already.

    Where the answers are in, the evaluation follows. Raises NotFound, Refused (`not_yours`, `not_drawn`,
    `already_replaced`, `fact_in_future`, `before_last_entry`), LostRace.
    """
    stands = _for_ifc(connection, reference, actor, occasion)
    row = _row_of(connection, stands)
    if on > stands.rules.calendar.local_day(occasion.at):
        raise Refused("fact_in_future", state=stands.row.state, value=on)
    if stands.row.interview_on == on:
        return False
    after = changed(stands.snapshot, facts={**stands.snapshot.facts, FactKind.INTERVIEW: on})
    entry, data = unmoved(stands, Trigger.RECORD_FACT), {"fact": FactKind.INTERVIEW.value}
    write(connection, [then_evaluated(Change(stands, after, actor, occasion, (entry,), data=data))[0]])
    connection.execute(insert(FACT).values(_fact(stands.row, on, actor, occasion)))
    connection.execute(update(DRAWN).where(DRAWN.c.id == row.id).values(status=DrawnStatus.INTERVIEWED.value))
    return True


def _fact(row: Stands, on: date, actor: Actor, occasion: Occasion) -> dict[str, Any]:
    return {
        "participation_id": row.id,
        "kind": FactKind.INTERVIEW.value,
        "happened_on": on,
        "half_day": "",
        "value": "done",
        "recorded_at": occasion.recorded_at,
        "actor_id": actor.party_id,
        "role": actor.role.value,
    }


# ------------------------------------------------------------------------------------------------------------- looking
_BY = PARTICIPATION.alias("by")
_LISTED = (
    select(
        DRAWN.c.stratum,
        DRAWN.c.position,
        DRAWN.c.status,
        PARTICIPATION.c.reference,
        PARTICIPATION.c.state,
        PARTICIPATION.c.answers_on,
        PARTICIPATION.c.interview_on,
        PARTY.c.first_name,
        PARTY.c.last_name,
        _BY.c.reference.label("replaced_by"),
    )
    .join(PARTICIPATION, PARTICIPATION.c.id == DRAWN.c.participation_id)
    .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
    .outerjoin(_BY, _BY.c.id == DRAWN.c.replaced_by)
    .order_by(DRAWN.c.stratum, DRAWN.c.position)
)


def sample(connection: Connection, code: str | None) -> dict[str, Any]:
    """Return the draw that stands, and everybody in it; for IFC, since it names people.

    Who is off the path since, and was not seen, is `to_replace`. Raises NotFound (`unknown_edition`, `no_edition`).
    """
    edition = current(connection, code)
    draw = standing_draw(connection, edition.id)
    if draw is None:
        return {"edition": edition.code, "draw": None, "drawn": []}
    people = connection.execute(_LISTED.where(DRAWN.c.draw_id == draw.id))
    return {"edition": edition.code, "draw": _told(draw), "drawn": [_one(row) for row in people]}


def _told(draw: Row[Any]) -> dict[str, Any]:
    return {
        "number": draw.number,
        "at": iso(draw.drawn_at),
        "seed": draw.seed,
        "since": draw.since,
        "strata": draw.strata.split(),
        "people": draw.people,
        "fingerprint": draw.fingerprint,
        "journal_seq": draw.journal_seq,
    }


def _one(row: Row[Any]) -> dict[str, Any]:
    return {
        "reference": row.reference,
        "teacher": name_of(row),
        "stratum": row.stratum,
        "position": row.position,
        "status": row.status,
        "state": row.state,
        "answered": row.answers_on is not None,
        "interview_on": row.interview_on and row.interview_on.isoformat(),
        "to_replace": row.status == DrawnStatus.DRAWN and row.state not in ON_THE_PATH,
        "replaced_by": row.replaced_by,
    }
