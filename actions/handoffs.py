"""Routing: to which institute an immersed participation goes. One answer from the edition's table, or IFC's desk."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from actions.apply import Outcome, Request, apply_many
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION
from actions.reading import read_rows, rules_for
from actions.telling import Tell, notification_row
from actions.writing import HANDOFF, NOTIFICATION, PARTICIPATION
from states.names import HandoffStatus, Kind, OrganisationKind, Purpose, Role, Subject, Trigger

_REFUSED = (HandoffStatus.DECLINED.value, HandoffStatus.TIMED_OUT.value)


def route(connection: Connection, ids: Sequence[int], actor: Actor, occasion: Occasion) -> dict[int, Outcome | None]:
    """Offer each of these participations' handoffs to the institute that its edition names.

    Where no single institute is named, or the one named has refused an earlier round, the handoff stays to be routed
    and IFC is told once: never a guess. Returns what became of each, None for those left to IFC.
    """
    institutes = _institutes(connection)
    receivers: dict[int, int | None] = {}
    faults: dict[int, Outcome | None] = {}
    for row in _to_route(connection, ids):
        try:
            receivers[row.id] = _receiver(connection, row, institutes)
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            faults[row.id] = fault
    asked = {
        pid: Request(Subject.HANDOFF, Trigger.OFFER, data={"receiver": receiver})
        for pid, receiver in receivers.items()
        if receiver is not None
    }
    outcomes: dict[int, Outcome | None] = dict(apply_many(connection, asked, actor, occasion)) if asked else {}
    left = [pid for pid, receiver in receivers.items() if receiver is None]
    if left:
        _leave_to_ifc(connection, left, occasion)
    return faults | outcomes | dict.fromkeys(left)


def _institutes(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        select(ORGANISATION.c.code, ORGANISATION.c.id).where(ORGANISATION.c.kind == OrganisationKind.INSTITUTE.value)
    )
    return {row.code: row.id for row in rows}


def _to_route(connection: Connection, ids: Sequence[int]) -> Sequence[Row[Any]]:
    query = (
        select(PARTICIPATION.c.id, PARTICIPATION.c.revision_id, PARTICIPATION.c.network, PARTICIPATION.c.education)
        .join(HANDOFF, HANDOFF.c.participation_id == PARTICIPATION.c.id)
        .where(
            PARTICIPATION.c.id.in_(ids),
            HANDOFF.c.purpose == Purpose.TRANSFER.value,
            HANDOFF.c.status == HandoffStatus.TO_ROUTE.value,
        )
        .order_by(PARTICIPATION.c.id)
    )
    return connection.execute(query).all()


def _receiver(connection: Connection, row: Row[Any], institutes: dict[str, int]) -> int | None:
    route = rules_for(connection, row.revision_id).route(row.network, row.education)
    receiver = institutes.get(route.institute) if route else None
    refused = select(HANDOFF.c.receiver_id).where(HANDOFF.c.participation_id == row.id, HANDOFF.c.status.in_(_REFUSED))
    return None if receiver in set(connection.execute(refused).scalars()) else receiver


def _leave_to_ifc(connection: Connection, ids: Sequence[int], occasion: Occasion) -> None:
    """Tell IFC that these wait for its routing; the job does not look at them again."""
    still = (HANDOFF.c.participation_id.in_(ids), HANDOFF.c.status == HandoffStatus.TO_ROUTE.value)
    connection.execute(update(HANDOFF).where(*still, HANDOFF.c.look_at.is_not(None)).values(look_at=None))
    for row in read_rows(connection, ids).values():
        key = f"{row.id}/handoff.{row.handoff_round}/{Kind.HANDOFF_TO_ROUTE}"
        tell = Tell(Kind.HANDOFF_TO_ROUTE, Role.COORDINATOR, Subject.HANDOFF, "routing", key)
        known = select(NOTIFICATION.c.id).where(NOTIFICATION.c.key == key)
        if connection.execute(known).first() is None:
            connection.execute(insert(NOTIFICATION), notification_row(row, tell, occasion.at))
