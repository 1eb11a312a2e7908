"""Routing: to which institute an immersed participation goes. One answer from the edition's table, or IFC's desk."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from actions.apply import Outcome, Request, apply_many
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION
from actions.reading import read_rows, rules_for
from actions.telling import Tell, notification_row
from actions.writing import HANDOFF, NOTIFICATION, PARTICIPATION, PLACEMENT
from states.names import (
    HandoffStatus,
    Kind,
    Missing,
    OrganisationKind,
    PlacementStatus,
    Purpose,
    Role,
    State,
    Subject,
    Trigger,
)
from states.snapshot import Snapshot

WAITING = (HandoffStatus.TO_ROUTE.value, HandoffStatus.HELD.value)
_REFUSED = (HandoffStatus.DECLINED.value, HandoffStatus.TIMED_OUT.value)


def route(connection: Connection, ids: Sequence[int], actor: Actor, occasion: Occasion) -> dict[int, Outcome | None]:
    """Offer each of these participations' handoffs to the institute that its edition names.

    A packet that lacks something is held until it is complete. Where no single institute is named, or the one named has
    declined an earlier round or left it unanswered, the handoff stays to be routed and IFC is told once: never a guess.
    Returns what became of each, None for those left to IFC.
    """
    institutes = _institutes(connection)
    asked: dict[int, Request] = {}
    left: dict[int, Missing | None] = {}
    faults: dict[int, Outcome | None] = {}
    versions: dict[int, int] = {}
    for row in _waiting(connection, ids):
        versions[row.id] = row.version
        try:
            missing = _snapshot(row).missing
            to = None if missing else _receiver(connection, row, institutes, occasion.at)
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            faults[row.id] = fault
            continue
        if isinstance(to, int):
            asked[row.id] = Request(Subject.HANDOFF, Trigger.OFFER, data={"receiver": to})
        elif missing and row.status == HandoffStatus.TO_ROUTE:
            asked[row.id] = Request(Subject.HANDOFF, Trigger.HOLD, data={"missing": " ".join(missing)})
        else:
            left[row.id] = to
    outcomes: dict[int, Outcome | None] = (
        dict(apply_many(connection, asked, actor, occasion, versions)) if asked else {}
    )
    if left:
        _leave_to_ifc(connection, left, occasion)
    return faults | outcomes | dict.fromkeys(left)


def _institutes(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        select(ORGANISATION.c.code, ORGANISATION.c.id).where(ORGANISATION.c.kind == OrganisationKind.INSTITUTE.value)
    )
    return {row.code: row.id for row in rows}


def _waiting(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the rounds that wait for a receiver, with what their packet needs."""
    query = (
        select(
            PARTICIPATION.c.id,
            PARTICIPATION.c.version,
            PARTICIPATION.c.revision_id,
            PARTICIPATION.c.network,
            PARTICIPATION.c.education,
            PARTICIPATION.c.kind,
            PARTICIPATION.c.half_days,
            HANDOFF.c.status,
            PLACEMENT.c.status.label("placement"),
        )
        .join(HANDOFF, HANDOFF.c.participation_id == PARTICIPATION.c.id)
        .outerjoin(
            PLACEMENT,
            (PLACEMENT.c.participation_id == PARTICIPATION.c.id)
            & (PLACEMENT.c.attempt == PARTICIPATION.c.placement_attempt),
        )
        .where(PARTICIPATION.c.id.in_(ids), HANDOFF.c.purpose == Purpose.TRANSFER.value, HANDOFF.c.status.in_(WAITING))
        .order_by(PARTICIPATION.c.id)
    )
    return connection.execute(query).all()


def _snapshot(row: Row[Any]) -> Snapshot:
    placement = PlacementStatus(row.placement) if row.placement else None
    return Snapshot(State.IMMERSED, placement, half_days=row.half_days)


def _receiver(connection: Connection, row: Row[Any], institutes: dict[str, int], at: datetime) -> int | Missing:
    """Return the institute to offer to, by the route of the day, or why IFC has to choose."""
    if row.network is None or row.education is None:
        return Missing.NETWORK
    rules = rules_for(connection, row.revision_id)
    found = rules.routes_for(row.network, row.education, row.kind, rules.calendar.local_day(at))
    if len(found) > 1:
        return Missing.TWO_ROUTES
    receiver = institutes.get(found[0].institute) if found else None
    if receiver is None:
        return Missing.ROUTE
    refused = select(HANDOFF.c.receiver_id).where(
        HANDOFF.c.participation_id == row.id,
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        HANDOFF.c.status.in_(_REFUSED),
    )
    return Missing.OTHER_RECEIVER if receiver in set(connection.execute(refused).scalars()) else receiver


def _leave_to_ifc(connection: Connection, left: Mapping[int, Missing | None], occasion: Occasion) -> None:
    """Tell IFC that these wait for its routing, and why; the job does not look at them again.

    Of a round that follows a refusal at once IFC was told with the refusal; of one that is held, when it was.
    """
    no_one = [{"b_id": pid, "v_because": because} for pid, because in left.items() if because is not None]
    if no_one:
        connection.execute(_NO_ONE, no_one)
    seen = (
        HANDOFF.c.participation_id.in_(left),
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        HANDOFF.c.look_at.is_not(None),
        HANDOFF.c.status.in_(WAITING),
    )
    connection.execute(update(HANDOFF).where(*seen).values(look_at=None))
    before = (
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        HANDOFF.c.round == PARTICIPATION.c.handoff_round - 1,
        HANDOFF.c.status.in_(_REFUSED),
    )
    refused = select(HANDOFF.c.participation_id).join(PARTICIPATION).where(PARTICIPATION.c.id.in_(left), *before)
    told = set(connection.execute(refused).scalars())
    untold = (pid for pid, because in left.items() if because is not None and pid not in told)
    for row in read_rows(connection, untold).values():
        key = f"{row.id}/handoff.{row.handoff_round}/{Kind.HANDOFF_TO_ROUTE}"
        tell = Tell(Kind.HANDOFF_TO_ROUTE, Role.COORDINATOR, Subject.HANDOFF, "routing", key)
        known = select(NOTIFICATION.c.id).where(NOTIFICATION.c.key == key)
        if connection.execute(known).first() is None:
            connection.execute(insert(NOTIFICATION), notification_row(row, tell, occasion.at))


_NO_ONE = (
    update(HANDOFF)
    .where(
        HANDOFF.c.participation_id == bindparam("b_id"),
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        HANDOFF.c.look_at.is_not(None),
    )
    .values(because=bindparam("v_because"))
)
