"""The figures of one edition, for `status`: a fixed number of statements, whatever the number of participations.

Written as SQL, without the models: `status` is what people and monitors call most, and building the tables' classes
takes longer than counting everything in them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Row, bindparam, text

from actions.results import evaluation
from core.clock import iso
from core.errors import NotFound
from states.names import DeadlineStatus, HandoffStatus, Kind, MessageStatus, Role, State, StepAction
from states.tables import PARTICIPATION_PROCESSES

TO_ROUTE = "to_route"  # stands for the institute of a handoff that has none


@dataclass(frozen=True, slots=True)
class Edition:
    """The edition that figures are about, as it was loaded last."""

    id: int
    code: str
    title: str
    process: str
    closes: date
    closed_at: datetime | None
    questions: Sequence[Mapping[str, Any]]


def edition_named(connection: Connection, code: str | None) -> Edition:
    """Return an edition by its code, by default the one loaded last.

    Raises NotFound (`unknown_edition`, with those known; `no_edition`).
    """
    row = connection.execute(_EDITION, {"code": code}).first()
    if row is None:
        known = list(connection.execute(_EDITION_CODES).scalars())
        raise NotFound("unknown_edition", value=code, allowed=known) if known else NotFound("no_edition")
    content = json.loads(row.content)
    asked = content.get("evaluation") or {}  # earlier revisions have none
    closes = date.fromisoformat(content["closes"])
    closed_at = row.closed_at and row.closed_at.replace(tzinfo=row.closed_at.tzinfo or UTC)  # SQLite keeps no offset
    return Edition(row.id, row.code, row.title, content["process"], closes, closed_at, asked.get("questions", ()))


_EDITION = text("""
    SELECT edition.id, edition.code, edition.title, edition.closed_at, edition_revision.content
    FROM edition JOIN edition_revision ON edition_revision.edition_id = edition.id
    WHERE edition.code = coalesce(:code, edition.code)
    ORDER BY edition_revision.id DESC LIMIT 1
""").columns(closed_at=DateTime(timezone=True))
_EDITION_CODES = text("SELECT code FROM edition ORDER BY code")


def status(connection: Connection, edition: str | None, at: datetime) -> dict[str, Any]:
    """Return where an edition stands at a moment (by its code; by default the one loaded last).

    Raises NotFound (`unknown_edition`, `no_edition`).
    """
    found = edition_named(connection, edition)
    participations = _participations(connection, found)
    notifications = connection.execute(_NOTIFICATIONS, {"edition": found.id}).all()
    waiting = sum(row.loose for row in notifications)
    return {
        "edition": found.code,
        "title": found.title,
        "at": iso(at),
        "closed_at": found.closed_at and iso(found.closed_at),
        "participations": participations,
        "total": sum(participations.values()),
        **_places(connection, found),
        **_deadlines(connection, found, at),
        "handoffs": handoffs_by_institute(connection, found),
        "returns": _returns(connection, found),
        "messages": _messages(connection, found, waiting),
        "desk": _desk(connection, found),
        "evaluation": evaluation(connection, found.id, found.questions),
        "notifications": _in_order(Kind, {row.kind: row.n for row in notifications}),
        "set_aside": [dict(row) for row in connection.execute(_SET_ASIDE, {"edition": found.id}).mappings()],
    }


def results(connection: Connection, edition: str | None) -> dict[str, Any]:
    """Return what the evaluation of an edition says (by its code; by default the one loaded last).

    Raises NotFound (`unknown_edition`, `no_edition`).
    """
    found = edition_named(connection, edition)
    return {"edition": found.code, "title": found.title, **evaluation(connection, found.id, found.questions)}


def _in_order(codes: Iterable[str], counts: dict[str, int], *, zeros: bool = False) -> dict[str, int]:
    """Return counts in the order of their codes, without those that are zero unless asked."""
    return {str(code): counts.get(code, 0) for code in codes if zeros or code in counts}


# ------------------------------------------------------------------------------------------------------ participations
_STATES = text("SELECT state, count(*) AS n FROM participation WHERE edition_id = :edition GROUP BY state")


def _participations(connection: Connection, edition: Edition) -> dict[str, int]:
    """Count participations by state; every state of the edition's process is there, also with none."""
    counts = {row.state: row.n for row in connection.execute(_STATES, {"edition": edition.id})}
    process = PARTICIPATION_PROCESSES[edition.process]
    return _in_order([state for state in State if state in counts or state in process.states], counts, zeros=True)


# -------------------------------------------------------------------------------------------------------------- places
_SEATS = text("""
    SELECT count(*) AS places, count(*) FILTER (WHERE seat.status = 'withdrawn') AS cancelled
    FROM seat
    JOIN session ON session.id = seat.session_id
    JOIN offer ON offer.id = session.offer_id
    WHERE offer.edition_id = :edition
""")
_FILLED = text("""
    SELECT count(DISTINCT placement.participation_id)
    FROM placement JOIN participation ON participation.id = placement.participation_id
    WHERE participation.edition_id = :edition AND participation.state <> 'absent' AND placement.status = 'confirmed'
""")


def _places(connection: Connection, edition: Edition) -> dict[str, Any]:
    """Count places offered (cancelled ones included) and how many are, or were, put to use."""
    seats = connection.execute(_SEATS, {"edition": edition.id}).one()
    filled = connection.execute(_FILLED, {"edition": edition.id}).scalar_one()
    return {
        "places": seats.places,
        "places_cancelled": seats.cancelled,
        "places_filled": filled,
        "fill_rate": round(filled / seats.places, 4) if seats.places else 0.0,
    }


# ----------------------------------------------------------------------------------------------------------- deadlines
_DEADLINES = text("""
    SELECT deadline.status, count(*) AS n, count(*) FILTER (WHERE deadline.due_at < :at) AS past
    FROM deadline JOIN participation ON participation.id = deadline.participation_id
    WHERE participation.edition_id = :edition
    GROUP BY deadline.status
""").bindparams(bindparam("at", type_=DateTime(timezone=True)))
_FIRED = text("""
    SELECT deadline.revision_id, deadline.subject, deadline.state, deadline.rule, deadline.step, count(*) AS n
    FROM deadline JOIN participation ON participation.id = deadline.participation_id
    WHERE participation.edition_id = :edition AND deadline.status = 'fired'
    GROUP BY deadline.revision_id, deadline.subject, deadline.state, deadline.rule, deadline.step
""")
_REVISIONS = text("SELECT id, content FROM edition_revision WHERE edition_id = :edition")


def _deadlines(connection: Connection, edition: Edition, at: datetime) -> dict[str, Any]:
    """Count deadlines by status, those past due, and what those that fired did, by the ladder of their revision."""
    rows = connection.execute(_DEADLINES, {"edition": edition.id, "at": at.astimezone(UTC)}).all()
    fired = dict.fromkeys(StepAction, 0)
    for row, action in fired_steps(connection, edition.id, connection.execute(_FIRED, {"edition": edition.id})):
        fired[action] += row.n
    return {
        "overdue": sum(row.past for row in rows if row.status == DeadlineStatus.OPEN),
        "escalations": fired[StepAction.ESCALATE],
        "reminders": fired[StepAction.REMIND],
        "deadlines": _in_order(DeadlineStatus, {row.status: row.n for row in rows}, zeros=True),
    }


def fired_steps(
    connection: Connection, edition_id: int, rows: Iterable[Row[Any]]
) -> Iterator[tuple[Row[Any], StepAction]]:
    """Yield rows that count steps of deadlines, each with what its step does by the ladder of its revision."""
    ladders = {
        row.id: json.loads(row.content)["deadlines"] for row in connection.execute(_REVISIONS, {"edition": edition_id})
    }
    for row in rows:
        steps = ladders[row.revision_id][row.subject][row.state][row.rule]["steps"]
        yield row, StepAction(steps[row.step]["do"])


# ------------------------------------------------------------------------------------------------------------ handoffs
_HANDOFFS = text("""
    SELECT organisation.code, handoff.status, count(*) AS n
    FROM handoff
    JOIN participation ON participation.id = handoff.participation_id
    LEFT JOIN organisation ON organisation.id = handoff.receiver_id
    WHERE participation.edition_id = :edition AND handoff.purpose = 'transfer'
    GROUP BY organisation.code, handoff.status
""")
_RETURNS = text("""
    SELECT organisation.code, handoff.status, count(*) AS n
    FROM handoff
    JOIN participation ON participation.id = handoff.participation_id
    JOIN organisation ON organisation.id = handoff.sender_id
    WHERE participation.edition_id = :edition AND handoff.purpose = 'evaluation'
    GROUP BY organisation.code, handoff.status
""")


def handoffs_by_institute(connection: Connection, edition: Edition) -> dict[str, dict[str, int]]:
    """Count every round of the transfer by its institute and status."""
    counts: dict[str, dict[str, int]] = {TO_ROUTE: {}}
    for row in connection.execute(_HANDOFFS, {"edition": edition.id}):
        counts.setdefault(row.code or TO_ROUTE, {})[row.status] = row.n
    return {code: _in_order(HandoffStatus, counts[code]) for code in sorted(counts, key=_unrouted_last)}


def _returns(connection: Connection, edition: Edition) -> dict[str, dict[str, int]]:
    """Count every round of the return to IFC by the institute that it comes from and status."""
    counts: dict[str, dict[str, int]] = {}
    for row in connection.execute(_RETURNS, {"edition": edition.id}):
        counts.setdefault(row.code, {})[row.status] = row.n
    return {code: _in_order(HandoffStatus, counts[code]) for code in sorted(counts)}


def _unrouted_last(code: str) -> tuple[bool, str]:
    return code == TO_ROUTE, code


_DESK = text("""
    SELECT desk_item.role, count(*) AS n
    FROM desk_item JOIN participation ON participation.id = desk_item.participation_id
    WHERE participation.edition_id = :edition AND desk_item.status NOT IN ('done', 'settled')
    GROUP BY desk_item.role
""")


def _desk(connection: Connection, edition: Edition) -> dict[str, int]:
    """Count what somebody must see to, by the role whose desk it is on."""
    return _in_order(Role, {row.role: row.n for row in connection.execute(_DESK, {"edition": edition.id})})


# ------------------------------------------------------------------------------------------------------------ messages
_NOTIFICATIONS = text("""
    SELECT notification.kind, count(*) AS n, count(*) FILTER (WHERE notification.message_id IS NULL) AS loose
    FROM notification JOIN participation ON participation.id = notification.participation_id
    WHERE participation.edition_id = :edition
    GROUP BY notification.kind
""")
_MESSAGES = text("""
    SELECT message.status, count(*) AS n FROM message
    WHERE message.id IN (
        SELECT notification.message_id
        FROM notification JOIN participation ON participation.id = notification.participation_id
        WHERE participation.edition_id = :edition
    )
    GROUP BY message.status
""")
_SET_ASIDE = text("""
    SELECT participation.reference, set_aside.job, set_aside.error, set_aside.tries
    FROM set_aside JOIN participation ON participation.id = set_aside.participation_id
    WHERE participation.edition_id = :edition
    ORDER BY participation.reference, set_aside.job
""")


def _messages(connection: Connection, edition: Edition, waiting: int) -> dict[str, int]:
    """Count messages by status; what is not in an envelope yet waits in the queue too."""
    counts = {row.status: row.n for row in connection.execute(_MESSAGES, {"edition": edition.id})}
    if waiting:
        counts[MessageStatus.QUEUED.value] = counts.get(MessageStatus.QUEUED.value, 0) + waiting
    return _in_order(MessageStatus, counts)
