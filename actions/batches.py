"""What an institute was offered on one day: listed, answered and exported together, each round still on its own."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from actions.apply import Outcome, Request, act_each
from actions.occasion import Actor, Occasion
from actions.packets import PACKET
from actions.writing import HANDOFF, PARTICIPATION
from core.clock import BRUSSELS
from documents.packet import Packet, read_packet
from states.names import HandoffStatus, Purpose, Subject, Trigger


def batches(connection: Connection, institute_id: int) -> list[dict[str, Any]]:
    """Return the days on which this receiver was offered something, the latest first, with how much stands where."""
    query = (
        select(HANDOFF.c.offered_at, HANDOFF.c.status, func.count().label("n"))
        .where(*_offered_to(institute_id))
        .group_by(HANDOFF.c.offered_at, HANDOFF.c.status)
    )
    days: dict[date, dict[str, int]] = {}
    for row in connection.execute(query):
        counts = days.setdefault(row.offered_at.astimezone(BRUSSELS).date(), {})
        counts[row.status] = counts.get(row.status, 0) + row.n
    return [{"day": day.isoformat(), "handoffs": days[day]} for day in sorted(days, reverse=True)]


def members(connection: Connection, institute_id: int, day: date) -> Sequence[Row[Any]]:
    """Return the rounds offered to this receiver on a local day, with the participation and where each stands now."""
    query = (
        select(PARTICIPATION.c.id, PARTICIPATION.c.reference, HANDOFF.c.round, HANDOFF.c.status, HANDOFF.c.packet_hash)
        .join(PARTICIPATION, PARTICIPATION.c.id == HANDOFF.c.participation_id)
        .where(*_offered_to(institute_id), *_on(day))
        .order_by(PARTICIPATION.c.reference)
    )
    return connection.execute(query).all()


def answer_all(
    connection: Connection, institute_id: int, day: date, request: Request, actor: Actor, occasion: Occasion
) -> Mapping[str, Outcome]:
    """Accept or decline all rounds of that day that still wait for an answer; return what became of each, by reference.

    Nobody's refusal stops another.
    """
    waiting = [row for row in members(connection, institute_id, day) if row.status == HandoffStatus.OFFERED]
    references = {row.id: row.reference for row in waiting}
    outcomes = act_each(connection, list(references), request, actor, occasion)
    return {references[pid]: outcome for pid, outcome in sorted(outcomes.items())}


def answer(trigger: Trigger, cause: str = "", reason: str = "") -> Request:
    """Return what is asked of each round of a batch."""
    return Request(Subject.HANDOFF, trigger, reason, {"cause": cause} if cause else {})


def packets(connection: Connection, institute_id: int, day: date) -> list[Packet]:
    """Return the packets of that day's rounds, those of erased people left out."""
    query = (
        select(PACKET.c.content)
        .join(HANDOFF, (HANDOFF.c.participation_id == PACKET.c.participation_id) & (HANDOFF.c.round == PACKET.c.round))
        .join(PARTICIPATION, PARTICIPATION.c.id == HANDOFF.c.participation_id)
        .where(*_offered_to(institute_id), *_on(day), PACKET.c.content != "")
        .order_by(PARTICIPATION.c.reference)
    )
    return [read_packet(content) for content in connection.execute(query).scalars()]


def _offered_to(institute_id: int) -> tuple[ColumnElement[bool], ...]:
    return (
        HANDOFF.c.receiver_id == institute_id,
        HANDOFF.c.purpose == Purpose.TRANSFER.value,
        HANDOFF.c.offered_at.is_not(None),
    )


def _on(day: date) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a round was offered on a local day."""
    first = datetime.combine(day, time(), tzinfo=BRUSSELS)
    after = datetime.combine(day + timedelta(days=1), time(), tzinfo=BRUSSELS)
    return HANDOFF.c.offered_at >= first, HANDOFF.c.offered_at < after
