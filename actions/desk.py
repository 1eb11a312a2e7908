"""Desks: what a person must see to, by age, with whom to call; taking an item up, postponing it, closing it.

An item is raised, bumped and settled by `actions.escalations`. What somebody does with one is an entry of the
participation's journal, which moves nothing; their words stand with the journal's.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from actions.apply import Applied, Request, applied, content_of, done_before, not_too_long
from actions.change import Change
from actions.editions import current
from actions.escalations import DESK, OVER
from actions.evaluation import unmoved
from actions.occasion import Actor, Occasion
from actions.owed import Owed, contacts_around, owing, whom
from actions.people import ORGANISATION, PARTY
from actions.reading import Seen, in_its_time, read_id, rules_for
from actions.writing import HANDOFF, PARTICIPATION, PLACEMENT, write
from core.clock import BRUSSELS, iso
from core.errors import LostRace, NotFound, Refused
from core.workdays import days_between
from models.around import AROUND, COMPANY, IFC, RECEIVER, RETURNED, SCHOOL
from models.base import LARGEST_ID
from states.names import DeskStatus, Role, Subject, Trigger
from states.rules import Rules

Document = dict[str, Any]
_FURTHEST = timedelta(days=365)  # that an item may be postponed
_DAY = timedelta(days=1)


# -------------------------------------------------------------------------------------------------------------- acting
def take_up(connection: Connection, item_id: int, actor: Actor, occasion: Occasion, key: str | None = None) -> Applied:
    """Take an item up, also one that a colleague had taken, or one that was postponed.

    Raises NotFound (`unknown_item`), Refused (`not_your_desk`, `item_over`, `before_last_entry`, `key_reused`),
    LostRace.
    """
    request = Request(Subject.PARTICIPATION, Trigger.TAKE_UP, data={"item": item_id}, key=key)
    values = {"status": DeskStatus.TAKEN.value, "taken_by": actor.party_id, "until": None}
    return _see_to(connection, item_id, request, values, actor, occasion)


def postpone(
    connection: Connection,
    item_id: int,
    until: date,
    actor: Actor,
    occasion: Occasion,
    reason: str = "",
    key: str | None = None,
) -> Applied:
    """Put an item aside until a local day, on which it is back on the desk: after today, within a year.

    Raises as `take_up`, and Refused (`postponed_to_the_past`, `postponed_too_far`, `text_too_long`).
    """
    data = {"item": item_id, "until": until.isoformat()}
    request = Request(Subject.PARTICIPATION, Trigger.POSTPONE, reason.strip(), data, key)
    values = {"status": DeskStatus.POSTPONED.value, "until": until}
    return _see_to(connection, item_id, request, values, actor, occasion)


def settle(
    connection: Connection, item_id: int, note: str, actor: Actor, occasion: Occasion, key: str | None = None
) -> Applied:
    """Close an item, saying what was done about it; another alert opens it again.

    Raises as `take_up`, and Refused (`note_needed`, `text_too_long`).
    """
    request = Request(Subject.PARTICIPATION, Trigger.SETTLE, note.strip(), {"item": item_id}, key)
    values = {"status": DeskStatus.DONE.value, "until": None, "ended_at": occasion.at}
    return _see_to(connection, item_id, request, values, actor, occasion)


def _see_to(
    connection: Connection,
    item_id: int,
    request: Request,
    values: Mapping[str, object],
    actor: Actor,
    occasion: Occasion,
) -> Applied:
    item = _item(connection, item_id)
    stands = read_id(connection, item.participation_id, actor)
    content = content_of(stands.row.reference, request, actor)
    if before := done_before(connection, request.key, content):
        return before
    state = stands.row.state
    if not _may(item, stands, actor):
        raise Refused("not_your_desk", state=state, item=item_id, role=item.role, organisation=item.organisation_name)
    if item.status in OVER:
        raise Refused("item_over", state=state, item=item_id, status=item.status, ended=item.ended_at)
    _well_said(request, values, stands, occasion)
    in_its_time(stands, occasion)
    change = Change(
        stands,
        stands.snapshot,
        actor,
        occasion,
        (unmoved(stands, request.trigger),),
        reason=request.reason,
        data=request.data,
        key=request.key,
        key_content=content,
    )
    write(connection, [change])
    moved = update(DESK).where(DESK.c.id == item.id, DESK.c.status == item.status).values(values)
    if connection.execute(moved).rowcount != 1:
        raise LostRace(state=state)
    return applied(change)


def _item(connection: Connection, item_id: int) -> Row[Any]:
    query = (
        select(DESK, ORGANISATION.c.name.label("organisation_name"))
        .join(ORGANISATION, ORGANISATION.c.id == DESK.c.organisation_id)
        .where(DESK.c.id == item_id)
    )
    item = connection.execute(query).first() if 0 < item_id <= LARGEST_ID else None
    if item is None:
        raise NotFound("unknown_item", item=item_id)
    return item


def _may(item: Row[Any], stands: Seen, actor: Actor) -> bool:
    """Tell whether it is the actor's desk: IFC's coordinators see to every one, others to their organisation's."""
    if actor.role is Role.COORDINATOR:
        return stands.row.ifc_id in actor.organisations
    return actor.role == item.role and item.organisation_id in actor.organisations


def _well_said(request: Request, values: Mapping[str, object], stands: Seen, occasion: Occasion) -> None:
    state, today = stands.row.state, stands.rules.calendar.local_day(occasion.at)
    if request.trigger is Trigger.SETTLE and not request.reason:
        raise Refused("note_needed", state=state)
    not_too_long(request.reason)
    until = values["until"]
    if isinstance(until, date) and until <= today:
        raise Refused("postponed_to_the_past", state=state, value=until, today=today)
    if isinstance(until, date) and until > today + _FURTHEST:
        raise Refused("postponed_too_far", state=state, value=until, last=today + _FURTHEST)


# ------------------------------------------------------------------------------------------------------------- looking
_DESK_OF, _TAKER = ORGANISATION.alias("desk_of"), PARTY.alias("taker")
_ITEM = (
    DESK.c.id.label("item"),
    *(DESK.c[name] for name in ("role", "subject", "rule", "step", "kind", "status", "since", "bumps", "bumped_at")),
    DESK.c.until,
    DESK.c.ended_at,
    _DESK_OF.c.code.label("desk_code"),
    _DESK_OF.c.name.label("desk_name"),
    _TAKER.c.first_name.label("taker_first"),
    _TAKER.c.last_name.label("taker_last"),
)
_ITEMS = (
    select(
        *_ITEM,
        PARTICIPATION.c.reference,
        PARTICIPATION.c.definition,
        PARTICIPATION.c.revision_id,
        PARTICIPATION.c.state,
        PARTICIPATION.c.school_id,
        PARTICIPATION.c.answers_on,
        PARTICIPATION.c.drawn_on,
        PARTY.c.first_name,
        PARTY.c.last_name,
        PARTY.c.email,
        PARTY.c.phone,
        SCHOOL.c.name.label("school_name"),
        PLACEMENT.c.status.label("placement"),
        COMPANY.c.id.label("company_id"),
        COMPANY.c.name.label("company_name"),
        HANDOFF.c.status.label("handoff"),
        RECEIVER.c.id.label("receiver_id"),
        RECEIVER.c.kind.label("receiver_kind"),
        RECEIVER.c.name.label("receiver_name"),
        RETURNED.c.status.label("returned"),
        IFC.c.id.label("ifc_id"),
        IFC.c.name.label("ifc_name"),
    )
    .select_from(
        AROUND.join(DESK, DESK.c.participation_id == PARTICIPATION.c.id)
        .join(_DESK_OF, _DESK_OF.c.id == DESK.c.organisation_id)
        .outerjoin(_TAKER, _TAKER.c.id == DESK.c.taken_by)
    )
    .order_by(DESK.c.since, DESK.c.id)
)


def listing(
    connection: Connection,
    at: datetime,
    role: Role | None = None,
    organisation: str | None = None,
    edition: str | None = None,
    *,
    everything: bool = False,
) -> dict[str, list[Document]]:
    """Return what is on the desks at a moment, the oldest first: `items`; `postponed` to a later day; `over` if asked.

    Of every edition, role and organisation (by its code) unless one is named; with names, for those whose desk it is.
    Raises NotFound (`unknown_edition`, `no_edition`, `unknown_organisation`).
    """
    query = _ITEMS if everything else _ITEMS.where(DESK.c.status.not_in(OVER))
    if role is not None:
        query = query.where(DESK.c.role == role.value)
    if organisation is not None:
        query = query.where(DESK.c.organisation_id.in_(_organisations(connection, organisation)))
    if edition is not None:
        query = query.where(PARTICIPATION.c.edition_id == current(connection, edition).id)
    rows = connection.execute(query).all()
    contacts = contacts_around(connection, rows, at)
    today, working = at.astimezone(BRUSSELS).date(), _WorkingDays()
    found: dict[str, list[Document]] = {"items": [], "postponed": [], **({"over": []} if everything else {})}
    for row in rows:
        since = row.since.astimezone(BRUSSELS).date()
        owed = None if row.status in OVER else _owed(row)
        found[_pile(row, today)].append(
            {
                **_told(row),
                "reference": row.reference,
                "state": row.state,
                "age_days": max((today - since).days, 0),
                "age_working_days": working.between(rules_for(connection, row.revision_id), since, today),
                "act": owed and str(owed.act),
                "call": owed and whom(row, owed.role, contacts),
            }
        )
    found["postponed"].sort(key=lambda item: item["until"])
    return found


def _organisations(connection: Connection, code: str) -> list[int]:
    """Return the organisations with this code. Raises NotFound (`unknown_organisation`), with those of the desks."""
    rows = connection.execute(select(ORGANISATION.c.id, ORGANISATION.c.code)).all()
    found = [row.id for row in rows if row.code.casefold() == code.strip().casefold()]
    if not found:
        desks = set(connection.execute(select(DESK.c.organisation_id).distinct()).scalars())
        allowed = sorted({row.code for row in rows if row.id in desks})
        raise NotFound("unknown_organisation", value=code, **({"allowed": allowed} if allowed else {}))
    return found


def _pile(row: Row[Any], today: date) -> str:
    if row.status in OVER:
        return "over"
    return "postponed" if row.status == DeskStatus.POSTPONED and row.until > today else "items"


def _owed(row: Row[Any]) -> Owed | None:
    """Return the act that an item chases; where its rule chases none (the end of an edition), what is owed first."""
    owed = list(owing(row))
    return next((each for each in owed if each.rule == row.rule), owed[0] if owed else None)


class _WorkingDays:
    """Counts working days by the calendar of an edition, each span once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, date], int] = {}

    def between(self, rules: Rules, since: date, today: date) -> int:
        """Return how many working days have begun after that day, until today."""
        key = (id(rules), since)
        if key not in self._known:
            self._known[key] = sum(rules.calendar.is_working(day) for day in days_between(since + _DAY, today))
        return self._known[key]


def of_participation(connection: Connection, participation_id: int) -> list[Document]:
    """Return all that is, or was, on a desk because of one participation, the oldest first."""
    query = (
        select(*_ITEM)
        .join(_DESK_OF, _DESK_OF.c.id == DESK.c.organisation_id)
        .outerjoin(_TAKER, _TAKER.c.id == DESK.c.taken_by)
        .where(DESK.c.participation_id == participation_id)
        .order_by(DESK.c.since, DESK.c.id)
    )
    return [_told(row) for row in connection.execute(query)]


def _told(row: Row[Any]) -> Document:
    taker = f"{row.taker_first or ''} {row.taker_last or ''}".strip()
    return {
        "item": row.item,
        "role": row.role,
        "organisation": row.desk_code,
        "organisation_name": row.desk_name,
        "subject": row.subject,
        "rule": row.rule,
        "kind": row.kind,
        "status": row.status,
        "since": iso(row.since),
        "bumps": row.bumps,
        "bumped_at": iso(row.bumped_at),
        "taken_by": taker or None,
        "until": row.until and row.until.isoformat(),
        "ended_at": row.ended_at and iso(row.ended_at),
    }
