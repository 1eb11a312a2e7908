"""The relay as a list: every round of an edition, where it stands, and by when what it waits for is due."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from actions.editions import current
from actions.figures import TO_ROUTE
from actions.owed import name_of, round_by
from actions.people import ORGANISATION, PARTY, receiver_id
from actions.reading import rules_for
from actions.writing import DEADLINE, HANDOFF, PARTICIPATION
from core.clock import iso
from models.around import RECEIVER
from states.decide import OPEN_HANDOFF
from states.names import DeadlineStatus, HandoffStatus, Purpose, Subject

Document = dict[str, Any]
SENDER = ORGANISATION.alias("sender")
_AT_ONCE = 500


def round_of(row: Row[Any]) -> Document:
    """Return one round as a document."""
    return {
        "round": row.round,
        "purpose": row.purpose,
        "status": row.status,
        "from": row.sender,
        "to": row.receiver,
        "to_name": row.receiver_name,
        "since": iso(row.since),
        "offered_at": _iso(row.offered_at),
        "because": row.because.split(),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


_OPEN_FIRST = case({status.value: number for number, status in enumerate(HandoffStatus)}, value=HANDOFF.c.status)
_OF_RETURN = HANDOFF.c.purpose == Purpose.EVALUATION.value
_SUBJECT = case((_OF_RETURN, Subject.RETURN.value), else_=Subject.HANDOFF.value)
_NEXT_DUE = (
    select(func.min(DEADLINE.c.due_at))
    .where(
        DEADLINE.c.participation_id == HANDOFF.c.participation_id,
        DEADLINE.c.subject == _SUBJECT,
        DEADLINE.c.status == DeadlineStatus.OPEN.value,
        HANDOFF.c.round == case((_OF_RETURN, PARTICIPATION.c.return_round), else_=PARTICIPATION.c.handoff_round),
    )
    .scalar_subquery()
)


def handoffs(
    connection: Connection, edition: str | None, institute: str | None = None, limit: int | None = None
) -> list[Document]:
    """Return an edition's rounds (by its code; by default the one loaded last), those that wait for somebody first.

    `institute` is a receiver's code, or `to_route` for those that have none; `limit` is how many at most. Raises
    NotFound (`unknown_edition`, `no_edition`, `unknown_organisation`).
    """
    query = (
        select(
            HANDOFF,
            PARTICIPATION.c.reference,
            PARTICIPATION.c.revision_id,
            PARTICIPATION.c.network,
            PARTICIPATION.c.education,
            PARTY.c.first_name,
            PARTY.c.last_name,
            SENDER.c.code.label("sender"),
            RECEIVER.c.code.label("receiver"),
            RECEIVER.c.name.label("receiver_name"),
            _NEXT_DUE.label("next_due"),
        )
        .join(PARTICIPATION, PARTICIPATION.c.id == HANDOFF.c.participation_id)
        .join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
        .join(SENDER, SENDER.c.id == HANDOFF.c.sender_id)
        .outerjoin(RECEIVER, RECEIVER.c.id == HANDOFF.c.receiver_id)
        .where(PARTICIPATION.c.edition_id == current(connection, edition).id)
        .order_by(_OPEN_FIRST, HANDOFF.c.since, HANDOFF.c.id)
        .limit(limit)
    )
    if institute is not None:
        query = query.where(_received_by(connection, institute))
    rows = connection.execute(query).all()
    limits = _limits(connection, [row for row in rows if row.status in OPEN_HANDOFF])
    return [
        {
            "reference": row.reference,
            "teacher": name_of(row),
            "network": row.network,
            "education": row.education,
            **round_of(row),
            "next_due": _iso(row.next_due),
            "by": _iso(limits.get(row.id)),
        }
        for row in rows
    ]


def _limits(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, datetime | None]:
    """Return by when what each open round waits for is due, as the mails say."""
    found: dict[int, list[Row[Any]]] = {row.participation_id: [] for row in rows}
    for ids in _some(list(found)):
        ours = (DEADLINE.c.participation_id.in_(ids), DEADLINE.c.subject.in_(_RELAYS))
        for deadline in connection.execute(select(DEADLINE).where(*ours)):
            found[deadline.participation_id].append(deadline)
    subjects = {Purpose.TRANSFER: Subject.HANDOFF, Purpose.EVALUATION: Subject.RETURN}
    return {
        row.id: round_by(
            subjects[Purpose(row.purpose)],
            row.status,
            found[row.participation_id],
            rules_for(connection, row.revision_id),
        )
        for row in rows
    }


_RELAYS = (Subject.HANDOFF.value, Subject.RETURN.value)


def _some(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, max(len(ids), 1), _AT_ONCE))


def _received_by(connection: Connection, institute: str) -> ColumnElement[bool]:
    if institute == TO_ROUTE:
        return HANDOFF.c.receiver_id.is_(None)
    is_theirs: ColumnElement[bool] = HANDOFF.c.receiver_id == receiver_id(connection, institute, TO_ROUTE)
    return is_theirs
