"""What recorded facts justify is done; who waits for a place is given one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from actions import places
from actions.apply import Outcome, Request, apply_many
from actions.effects import OFFER, WAITING
from actions.occasion import Occasion, system
from actions.reading import Seen, read_rows, seen
from actions.writing import PARTICIPATION
from jobs.batches import Outcomes, in_batches, not_set_aside, settle
from jobs.leases import lease
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from states.decide import decide
from states.guards import SEAT_HELD, WAITING_STATES
from states.names import Subject, Trigger
from states.snapshot import Command, Refusal

JOB = "progress"
_JUSTIFIABLE = (Trigger.CONFIRM_PREPARATION, Trigger.CONFIRM_IMMERSION, Trigger.EVALUATE)
_MOST_PASSES = 4  # a fact may justify an act that justifies the next one


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether a participation or a freed seat waits to be looked at: two indexed probes."""
    free = not_set_aside(JOB, PARTICIPATION.c.id)
    looked_at = select(PARTICIPATION.c.id).where(PARTICIPATION.c.look_at <= at, free).limit(1)
    freed = select(OFFER.c.id).where(OFFER.c.look_at <= at).limit(1)
    return any(connection.execute(probe).first() is not None for probe in (looked_at, freed))


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Look at every participation that asks to be looked at, then give the places that can be given."""
    summary = Summary(JOB)
    occasion = workshop.occasion(at)
    wanting: dict[int, int] = {}  # participation -> the version at which it was seen to want a place

    def look(connection: Connection, ids: Sequence[int], occasion: Occasion) -> Outcomes:
        return _look(connection, ids, occasion, wanting)

    due = select(PARTICIPATION.c.id).where(PARTICIPATION.c.look_at <= at, not_set_aside(JOB, PARTICIPATION.c.id))
    for _ in range(_MOST_PASSES):
        before = summary.handled
        in_batches(workshop, summary, due, look, occasion, limit)
        with lease(workshop, "places") as held:  # one plan at a time; who asks goes on asking until the next
            if held:
                _give_places(workshop, summary, wanting, occasion, limit)
        wanting.clear()
        if summary.handled == before:
            break
    return summary


def _look(connection: Connection, ids: Sequence[int], occasion: Occasion, wanting: dict[int, int]) -> Outcomes:
    """Do what the facts of each justify; note who wants a place; say when to look again at the others."""
    actor = system()
    outcomes: list[tuple[int, Outcome | str | None]] = []
    asked: dict[int, Request] = {}
    again: list[dict[str, Any]] = []
    rows = read_rows(connection, ids)
    for pid in ids:
        try:
            row = rows[pid]
            stands = seen(connection, row, actor)
            if trigger := _justified(stands, occasion.at):
                asked[pid] = Request(Subject.PARTICIPATION, trigger)
                continue
            next_look, wants = _next_look(stands, occasion.at)
            if wants:  # keeps asking to be looked at until its seat, or its place on the waiting list, is written
                wanting[pid] = row.version
                continue
            again.append({"b_id": pid, "b_version": row.version, "v_look_at": next_look})
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            outcomes.append((pid, fault))
    if again:
        connection.execute(_LOOK_LATER, again)
    return [*outcomes, *apply_many(connection, asked, actor, occasion).items()]


_LOOK_LATER = (
    update(PARTICIPATION)
    .where(PARTICIPATION.c.id == bindparam("b_id"), PARTICIPATION.c.version == bindparam("b_version"))
    .values(look_at=bindparam("v_look_at"))
)


def _justified(stands: Seen, at: datetime) -> Trigger | None:
    """Return the act that the recorded facts justify now, if any."""
    allowed = stands.process.allowed(stands.row.state, system().role)
    for trigger in _JUSTIFIABLE:
        if trigger in allowed:
            asked = Command(trigger, system().role, at)
            if not isinstance(decide(stands.process, stands.process, stands.rules, stands.snapshot, asked), Refusal):
                return trigger
    return None


def _next_look(stands: Seen, at: datetime) -> tuple[datetime | None, bool]:
    """Say when to look again (None: when something happens), and whether a place is wanted now."""
    snapshot, calendar = stands.snapshot, stands.rules.calendar
    if snapshot.state in WAITING_STATES and snapshot.placement not in SEAT_HELD:
        opening = calendar.moment(stands.rules.allocation)
        return (None, True) if at >= opening else (opening, False)
    if snapshot.half_days is not None and snapshot.last_day is not None:
        over = calendar.end_of(snapshot.last_day)
        return (over if over > at else None), False
    return None, False


# -------------------------------------------------------------------------------------------------------- giving places
def _give_places(
    workshop: Workshop, summary: Summary, wanting: Mapping[int, int], occasion: Occasion, limit: int
) -> None:
    """Give the free seats to those who want one, and freed ones to those who have waited longest.

    Killed at any line, nobody is forgotten: a participation asks to be looked at until its seat or its place on the
    waiting list is written, an offer until those who wait for it were served.
    """
    with workshop.engine.begin() as connection:
        offers = connection.execute(select(OFFER.c.id).where(OFFER.c.look_at <= occasion.at)).scalars().all()
        ids = sorted({*wanting, *_waiting_for(connection, offers)} - summary.failed)
        given, without = places.plan_places(connection, ids, occasion.at)
        if without:
            places.put_on_waiting_lists(connection, without, occasion)
        _look_no_more(connection, {pid: version for pid, version in wanting.items() if pid not in given})
    remaining = iter(given.items())
    not_given: list[int] = []
    while chunk := dict(islice(remaining, limit)):
        with workshop.engine.begin() as connection:
            outcomes = places.give_places(connection, chunk, system(), occasion)
            settle(connection, summary, outcomes.items(), occasion)
            left = [given[pid] for pid, outcome in outcomes.items() if isinstance(outcome, Exception)]
            not_given.extend(left)
    if offers:
        with workshop.engine.begin() as connection:
            served = (OFFER.c.id.in_(offers), OFFER.c.look_at <= occasion.at)
            connection.execute(update(OFFER).where(*served).values(look_at=None))
    if not_given:  # a seat that its first could not take is for who waits
        with workshop.engine.begin() as connection:
            theirs = select(places.SESSION.c.offer_id).join(places.SEAT).where(places.SEAT.c.id.in_(not_given))
            connection.execute(update(OFFER).where(OFFER.c.id.in_(theirs)).values(look_at=occasion.at))


def _waiting_for(connection: Connection, offers: Sequence[int]) -> Sequence[int]:
    """Return who waits for these offers."""
    query = select(WAITING.c.participation_id).where(WAITING.c.offer_id.in_(offers)).distinct()
    return connection.execute(query).scalars().all() if offers else ()


def _look_no_more(connection: Connection, versions: Mapping[int, int]) -> None:
    """Take off the request of those who got no seat: they wait now, and are looked at when one becomes free."""
    rows = [{"b_id": pid, "b_version": version, "v_look_at": None} for pid, version in versions.items()]
    if rows:
        connection.execute(_LOOK_LATER, rows)
