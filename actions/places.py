"""Offers, their dates and their seats: keeping them, giving seats, cancelling them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from actions.apply import Outcome, Request, act_each, apply_many, write_each
from actions.change import Change
from actions.editions import Current
from actions.effects import OFFER, WAITING
from actions.occasion import Actor, Occasion
from actions.people import Person, keep_contact, keep_organisation, slug
from actions.reading import Stands, in_its_time, read_rows, seen
from actions.writing import PARTICIPATION, PLACEMENT
from core.errors import LostRace, NotFound, Refused
from models import OfferSession, Seat, Wish, table_of
from states import allocation
from states.decide import Pulled, deadline_changes
from states.guards import SEAT_HELD, WAITING_STATES
from states.names import Effect, Kind, OrganisationKind, Role, State, Subject, Trigger
from states.snapshot import Command

SESSION, SEAT, WISH = table_of(OfferSession), table_of(Seat), table_of(Wish)


@dataclass(frozen=True, slots=True)
class OfferRecord:
    """An offer as a file gives it; `days` are local, empty while they are to be fixed."""

    reference: str
    company: str
    sector: str
    title: str
    site: str
    municipality: str
    basin: str
    places: int
    days: tuple[date, ...]
    collective: bool
    options: str
    contact: Person


def keep_offer(connection: Connection, edition: Current, record: OfferRecord, actor: Actor, occasion: Occasion) -> bool:
    """Create an offer, or bring it up to date (dates that become known, places added); False when nothing changed.

    Raises Refused (`offer_conflict`: the reference belongs to another company; `places_below_taken`).
    """
    company_id = keep_organisation(connection, OrganisationKind.COMPANY, slug(record.company), record.company)
    keep_contact(connection, record.contact, Role.COMPANY, company_id)
    values = {
        "sector": record.sector,
        "title": record.title,
        "site": record.site,
        "municipality": record.municipality,
        "basin": record.basin,
        "collective": record.collective,
        "options": record.options,
    }
    known = connection.execute(
        select(OFFER).where(OFFER.c.edition_id == edition.id, func.lower(OFFER.c.reference) == record.reference.lower())
    ).first()
    if known is None:
        _create(connection, edition, record, company_id, values)
        return True
    if known.company_id != company_id:
        raise Refused("offer_conflict", value=record.reference)
    if known.status == "cancelled":  # what was taken back stays so, whatever an older file says
        return False
    changed = {name: value for name, value in values.items() if getattr(known, name) != value}
    if changed:
        connection.execute(update(OFFER).where(OFFER.c.id == known.id).values(changed))
    session = connection.execute(select(SESSION).where(SESSION.c.offer_id == known.id)).one()
    resized = _resize(connection, known, session, record, occasion)
    moved = set_dates(connection, session.id, record.days, actor, occasion) if record.days else False
    return bool(changed) or resized or moved


def _create(
    connection: Connection, edition: Current, record: OfferRecord, company_id: int, values: dict[str, Any]
) -> None:
    row = {
        **values,
        "edition_id": edition.id,
        "company_id": company_id,
        "reference": record.reference,
        "status": "open",
    }
    offer_id = connection.execute(insert(OFFER).values(row).returning(OFFER.c.id)).scalar_one()
    session = {"offer_id": offer_id, "number": 1, **_dated(record.days)}
    session_id = connection.execute(insert(SESSION).values(session).returning(SESSION.c.id)).scalar_one()
    _add_seats(connection, session_id, 1, record.places)


def _dated(days: Sequence[date]) -> dict[str, Any]:
    ordered = sorted(days)
    return {
        "days": ",".join(day.isoformat() for day in ordered),
        "first_day": ordered[0] if ordered else None,
        "last_day": ordered[-1] if ordered else None,
    }


def _add_seats(connection: Connection, session_id: int, first: int, last: int) -> None:
    seats = [{"session_id": session_id, "number": n, "status": "open"} for n in range(first, last + 1)]
    if seats:
        connection.execute(insert(SEAT), seats)


def _resize(
    connection: Connection, offer: Row[Any], session: Row[Any], record: OfferRecord, occasion: Occasion
) -> bool:
    """Add seats, or withdraw free ones from the end. Raises Refused (`places_below_taken`)."""
    seats = connection.execute(
        select(SEAT.c.id, SEAT.c.number, PLACEMENT.c.id.label("held"))
        .outerjoin(PLACEMENT, (PLACEMENT.c.seat_id == SEAT.c.id) & PLACEMENT.c.status.in_(SEAT_HELD))
        .where(SEAT.c.session_id == session.id, SEAT.c.status == "open")
        .order_by(SEAT.c.number)
    ).all()
    if record.places == len(seats):
        return False
    if record.places > len(seats):
        highest = connection.execute(
            select(SEAT.c.number).where(SEAT.c.session_id == session.id).order_by(SEAT.c.number.desc()).limit(1)
        ).scalar_one()
        _add_seats(connection, session.id, highest + 1, highest + record.places - len(seats))
        connection.execute(update(OFFER).where(OFFER.c.id == offer.id).values(look_at=occasion.at))
        return True
    free = [seat.id for seat in seats if seat.held is None][-(len(seats) - record.places) :]
    if len(free) < len(seats) - record.places:
        raise Refused("places_below_taken", value=record.places, taken=len(seats) - len(free))
    connection.execute(update(SEAT).where(SEAT.c.id.in_(free)).values(status="withdrawn"))
    return True


def set_dates(connection: Connection, session_id: int, days: Sequence[date], actor: Actor, occasion: Occasion) -> bool:
    """Fix or move the days of a session; deadlines that hang on them are planned anew for everybody placed.

    False when they are those already. Raises LostRace.
    """
    session = connection.execute(select(SESSION).where(SESSION.c.id == session_id).with_for_update()).one()
    dated = _dated(days)
    if session.days == dated["days"]:
        return False
    held = (
        select(PLACEMENT.c.participation_id)
        .join(SEAT, SEAT.c.id == PLACEMENT.c.seat_id)
        .where(SEAT.c.session_id == session_id, PLACEMENT.c.status.in_(SEAT_HELD))
    )
    rows = read_rows(connection, connection.execute(held).scalars().all())
    connection.execute(update(SESSION).where(SESSION.c.id == session_id).values(dated))
    changes = {row_id: _redated(connection, row, dated, actor, occasion) for row_id, row in rows.items()}
    for outcome in write_each(connection, changes).values():
        if isinstance(outcome, Exception):
            raise outcome
    _wishes_move(connection, session.offer_id, actor, occasion)
    return True


def _wishes_move(connection: Connection, offer_id: int, actor: Actor, occasion: Occasion) -> None:
    """Plan anew what hangs on the day that people wish, where an offer's dates, or its end, move it."""
    mine = select(WISH.c.participation_id).where(WISH.c.offer_id == offer_id)
    soonest = (
        select(func.min(SESSION.c.first_day))
        .join(WISH, WISH.c.offer_id == SESSION.c.offer_id)
        .join(OFFER, (OFFER.c.id == SESSION.c.offer_id) & (OFFER.c.status == "open"))
        .where(WISH.c.participation_id == PARTICIPATION.c.id)
        .scalar_subquery()
    )
    query = select(PARTICIPATION.c.id, PARTICIPATION.c.state, PARTICIPATION.c.wished_on, soonest.label("wished"))
    people = connection.execute(query.where(PARTICIPATION.c.id.in_(mine)).order_by(PARTICIPATION.c.id)).all()
    moved = {row.id: row for row in people if row.wished_on != row.wished}
    hanging = [pid for pid, row in moved.items() if row.state == State.REGISTERED]  # in no other state does anything
    others = PARTICIPATION.c.id.in_(moved.keys() - set(hanging))
    connection.execute(update(PARTICIPATION).where(others).values(wished_on=soonest))
    changes = {
        pid: _rewished(connection, row, moved[pid].wished, actor, occasion)
        for pid, row in read_rows(connection, hanging).items()
    }
    for outcome in write_each(connection, changes).values():
        if isinstance(outcome, Exception):
            raise outcome


def _rewished(connection: Connection, row: Stands, wished: date | None, actor: Actor, occasion: Occasion) -> Change:
    stands = seen(connection, row, actor)
    in_its_time(stands, occasion)
    after = replace(stands.snapshot, wished_day=wished)
    entry = Pulled(Subject.PARTICIPATION, Trigger.SET_DATES, row.state, row.state, ())
    asked = Command(Trigger.CONFIRM, actor.role, occasion.at)  # only its moment is read
    ended, opened = deadline_changes(stands.process, stands.rules, stands.snapshot, after, asked, [])
    data = {"wished": None if wished is None else wished.isoformat()}
    return Change(stands, after, actor, occasion, (entry,), ended=ended, opened=opened, data=data)


def _redated(connection: Connection, row: Stands, dated: dict[str, Any], actor: Actor, occasion: Occasion) -> Change:
    """Return the change that moved dates make to one participation."""
    stands = seen(connection, row, actor)
    in_its_time(stands, occasion)
    after = replace(stands.snapshot, seat_first_day=dated["first_day"], seat_last_day=dated["last_day"])
    tells = (Kind.DATES_FIXED, Kind.TRAINEE_DATES_FIXED) if stands.snapshot.placed else ()
    entry = Pulled(Subject.PLACEMENT, Trigger.SET_DATES, str(row.placement), str(row.placement), tells)
    asked = Command(Trigger.CONFIRM, actor.role, occasion.at)  # only its moment is read
    ended, opened = deadline_changes(stands.process, stands.rules, stands.snapshot, after, asked, [])
    return Change(
        stands,
        after,
        actor,
        occasion,
        (entry,),
        (Effect.LOOK_AGAIN,),
        ended,
        opened,
        data={"days": dated["days"]},
    )


def offer_by_reference(connection: Connection, edition: Current, reference: str) -> Row[Any]:
    """Return an offer with its session. Raises NotFound (`unknown_offer`)."""
    found = connection.execute(
        select(OFFER, SESSION.c.id.label("session_id"))
        .join(SESSION, SESSION.c.offer_id == OFFER.c.id)
        .where(OFFER.c.edition_id == edition.id, OFFER.c.reference == reference)
    ).first()
    if found is None:
        raise NotFound("unknown_offer", value=reference)
    return found


def cancel_offer(
    connection: Connection, edition: Current, reference: str, reason: str, actor: Actor, occasion: Occasion
) -> dict[int, Outcome]:
    """A company, or IFC for it, takes an offer back: seats are withdrawn, those placed are released and wait again.

    Raises NotFound (`unknown_offer`), Refused (`reason_given`, `not_yours`).
    """
    offer = offer_by_reference(connection, edition, reference)
    if not reason.strip():
        raise Refused("reason_given", trigger=Trigger.CANCEL)
    if actor.role is not Role.COORDINATOR and offer.company_id not in actor.organisations:
        raise Refused("not_yours", role=actor.role)
    connection.execute(update(OFFER).where(OFFER.c.id == offer.id).values(status="cancelled"))
    connection.execute(update(SEAT).where(SEAT.c.session_id == offer.session_id).values(status="withdrawn"))
    connection.execute(delete(WAITING).where(WAITING.c.offer_id == offer.id))
    held = (
        select(PLACEMENT.c.participation_id)
        .join(SEAT, SEAT.c.id == PLACEMENT.c.seat_id)
        .where(SEAT.c.session_id == offer.session_id, PLACEMENT.c.status.in_(SEAT_HELD))
        .order_by(PLACEMENT.c.participation_id)
    )
    placed = connection.execute(held).scalars().all()
    _wishes_move(connection, offer.id, actor, occasion)
    return act_each(connection, placed, Request(Subject.PLACEMENT, Trigger.RELEASE, reason), actor, occasion)


# -------------------------------------------------------------------------------------------------------- giving seats
def plan_places(
    connection: Connection, ids: Sequence[int], at: datetime
) -> tuple[dict[int, int], list[allocation.Request]]:
    """Say, by the rule of `states.allocation`, who gets which seat (participation -> seat), and who gets none."""
    requests = _requests(connection, ids)
    offers = {offer for request in requests for offer in request.wishes}
    given = allocation.allocate(requests, _free_seats(connection, offers, at)) if requests else {}
    return given, [request for request in requests if request.participation_id not in given]


def give_places(
    connection: Connection, given: Mapping[int, int], actor: Actor, occasion: Occasion
) -> dict[int, Outcome]:
    """Give planned seats: each is proposed and confirmed. Returns what became of each."""
    there = _locked(connection, given.values())
    asked = {
        pid: Request(Subject.PLACEMENT, Trigger.PROPOSE, data={"seat": seat})
        for pid, seat in given.items()
        if seat in there
    }
    gone: dict[int, Outcome] = {pid: LostRace() for pid, seat in given.items() if seat not in there}
    outcomes = gone | apply_many(connection, asked, actor, occasion)
    proposed = [pid for pid, outcome in outcomes.items() if not isinstance(outcome, Exception)]
    return outcomes | act_each(connection, proposed, Request(Subject.PLACEMENT, Trigger.CONFIRM), actor, occasion)


def _locked(connection: Connection, seats: Iterable[int]) -> set[int]:
    """Return which of these seats are still open, locked with their sessions until the transaction ends.

    Who takes an offer back, or moves its dates, waits meanwhile, and then sees who was placed.
    """
    query = (
        select(SEAT.c.id)
        .join(SESSION, SESSION.c.id == SEAT.c.session_id)
        .where(SEAT.c.id.in_(list(seats)), SEAT.c.status == "open")
        .order_by(SEAT.c.session_id, SEAT.c.id)
        .with_for_update()
    )
    return set(connection.execute(query).scalars())


def _requests(connection: Connection, ids: Sequence[int]) -> list[allocation.Request]:
    """Return who of these waits for a place, in order of registration, with their open wishes and team."""
    query = (
        select(PARTICIPATION.c.id, PARTICIPATION.c.school_id, PARTICIPATION.c.team, WISH.c.offer_id)
        .join(WISH, WISH.c.participation_id == PARTICIPATION.c.id)
        .join(OFFER, OFFER.c.id == WISH.c.offer_id)
        .where(
            PARTICIPATION.c.id.in_(bindparam("ids", expanding=True)),
            PARTICIPATION.c.state.in_(WAITING_STATES),
            OFFER.c.status == "open",
        )
        .order_by(PARTICIPATION.c.id, WISH.c.rank)
    )
    held = select(PLACEMENT.c.participation_id).where(PLACEMENT.c.status.in_(SEAT_HELD))
    rows = connection.execute(query.where(PARTICIPATION.c.id.not_in(held)), {"ids": list(ids)}).all()
    wishes: defaultdict[int, list[int]] = defaultdict(list)
    teams: dict[int, str] = {}
    for row in rows:
        wishes[row.id].append(row.offer_id)
        teams[row.id] = f"{row.school_id}/{row.team}" if row.team else ""
    return [allocation.Request(pid, tuple(offers), teams[pid]) for pid, offers in wishes.items()]


def _free_seats(connection: Connection, offers: set[int], at: datetime) -> dict[int, list[int]]:
    """Return the free seats of these offers that are still to come (or not dated yet)."""
    query = (
        select(SESSION.c.offer_id, SEAT.c.id)
        .join(SEAT, SEAT.c.session_id == SESSION.c.id)
        .outerjoin(PLACEMENT, (PLACEMENT.c.seat_id == SEAT.c.id) & PLACEMENT.c.status.in_(SEAT_HELD))
        .where(
            SESSION.c.offer_id.in_(offers),
            SEAT.c.status == "open",
            PLACEMENT.c.id.is_(None),
            (SESSION.c.first_day.is_(None)) | (SESSION.c.first_day > at.date()),
        )
        .order_by(SEAT.c.id)
    )
    free: defaultdict[int, list[int]] = defaultdict(list)
    for row in connection.execute(query):
        free[row.offer_id].append(row.id)
    return free


def put_on_waiting_lists(connection: Connection, requests: Sequence[allocation.Request], occasion: Occasion) -> None:
    """Put people who got no seat on the waiting list of each offer they wish, once."""
    ids = [request.participation_id for request in requests]
    known = {
        (row.participation_id, row.offer_id)
        for row in connection.execute(
            select(WAITING.c.participation_id, WAITING.c.offer_id).where(WAITING.c.participation_id.in_(ids))
        )
    }
    rows = [
        {"participation_id": request.participation_id, "offer_id": offer, "rank": rank, "since": occasion.at}
        for request in requests
        for rank, offer in enumerate(request.wishes, start=1)
        if (request.participation_id, offer) not in known
    ]
    if rows:
        connection.execute(insert(WAITING), rows)
