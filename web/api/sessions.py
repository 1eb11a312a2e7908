"""Transfer sessions: an institute plans them, invites those it accepted, and says who was there.

Whom it invites, or says was there, is told of each on its own: nobody's refusal stops another, and telling the same
again changes nothing.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import Connection, Row, RowMapping

from actions import sessions, transfers
from actions.editions import Current, current
from actions.receiving import Document
from core.clock import iso
from core.errors import NotFound, ProductError, UsageError
from jobs.attempts import attempt
from web.api.common import BODY, COMMON, PREFIX, IdempotencyKey, known, mark_repeated, outcome
from web.api.session_shapes import (
    Attendance,
    Invitations,
    Session,
    SessionChange,
    SessionDetail,
    SessionList,
    SessionPlan,
    SessionTold,
    Why,
)
from web.api.shapes import Outcomes, refusals
from web.bearers import Caller
from web.surroundings import Here, Surroundings
from wiring.database import reading

_REFUSED = refusals(_409="Not possible as things stand: `code` and `reason` say why.")
_PLAN = COMMON | BODY | _REFUSED
_ONE = COMMON | BODY | refusals(_404="Your institute has no session of this reference.")
_CHANGE = _ONE | _REFUSED

router = APIRouter(prefix=f"{PREFIX}/sessions", tags=["sessions"])
Reference = Annotated[str, Path(description="The session's reference.", examples=["FCC-2018-2019-01"])]
EditionCode = Annotated[
    str | None,
    Query(max_length=100, description="Of this edition, by its code; of the latest one, without it."),
]


@router.get(
    "",
    operation_id="list_sessions",
    summary="List your institute's transfer sessions",
    response_model=SessionList,
    responses=COMMON,
)
def list_sessions(here: Here, caller: Caller, edition: EditionCode = None) -> Document:
    """List an edition's by day, those called off included."""
    with reading(here.workshop.engine) as connection:
        found = sessions.listing(connection, _edition(connection, edition), caller.organisation_id)
    return {"items": [_document(row) for row in found]}


@router.post(
    "",
    operation_id="plan_session",
    summary="Plan a session",
    status_code=HTTPStatus.CREATED,
    response_model=Session,
    responses=_PLAN,
)
def plan_session(
    here: Here, caller: Caller, body: SessionPlan, response: Response, key: IdempotencyKey = None
) -> Document:
    """It gets a reference, and nobody is invited yet. Without a key, each call plans another one."""

    def work(connection: Connection) -> tuple[sessions.Planned, Row[Any]]:
        edition, whose = _edition(connection, body.edition), caller.organisation_id
        planned = sessions.plan(connection, edition, whose, _details(body), caller.actor, here.occasion(), key)
        return planned, sessions.one(connection, planned.reference, whose)

    planned, row = attempt(here.workshop.engine, work)
    mark_repeated(response, repeated=planned.repeated)
    return _document(row)


@router.get(
    "/{session}",
    operation_id="get_session",
    summary="Fetch a session and those it invites",
    response_model=SessionDetail,
    responses=COMMON | refusals(_404="Your institute has no session of this reference."),
)
def get_session(here: Here, caller: Caller, session: Reference) -> Document:
    """Say when and where it is, who is invited, and who was there."""
    with reading(here.workshop.engine) as connection:
        row = _own(connection, caller, session)
        found = sessions.people(connection, row.id)
    return {**_document(row), "people": [_invited(each) for each in found]}


@router.put(
    "/{session}",
    operation_id="change_session",
    summary="Change a session",
    response_model=SessionTold,
    responses=_CHANGE,
)
def change_session(here: Here, caller: Caller, session: Reference, body: SessionChange) -> Document:
    """Move it, or change its place or capacity. Those invited are told, unless only the capacity changed."""
    return _changed(
        here,
        caller,
        session,
        lambda connection: sessions.change(connection, session, _details(body), caller.actor, here.occasion()),
    )


@router.post(
    "/{session}/cancel",
    operation_id="cancel_session",
    summary="Call a session off",
    response_model=SessionTold,
    responses=_CHANGE,
)
def cancel_session(here: Here, caller: Caller, session: Reference, body: Why) -> Document:
    """Those invited are told why, and wait for another one."""
    return _changed(
        here,
        caller,
        session,
        lambda connection: sessions.cancel(connection, session, body.reason, caller.actor, here.occasion()),
    )


@router.post(
    "/{session}/invitations",
    operation_id="invite_to_session",
    summary="Invite to a session",
    response_model=Outcomes,
    responses=_ONE,
)
def invite_to_session(here: Here, caller: Caller, session: Reference, body: Invitations) -> Document:
    """Invite participations that your institute accepted; each gets a message with an entry for its calendar."""

    def one(connection: Connection, person: str) -> Document | None:
        return transfers.invite(connection, session, person, caller.actor, here.occasion())

    return _each(here, caller, session, body.references, one)


@router.post(
    "/{session}/attendance",
    operation_id="record_attendance",
    summary="Say who was at a session",
    response_model=Outcomes,
    responses=_ONE,
)
def record_attendance(here: Here, caller: Caller, session: Reference, body: Attendance) -> Document:
    """Presence confirms the transfer (`transferred`); whoever was absent waits for another session."""
    there = {each.reference: each.present for each in body.people}

    def one(connection: Connection, person: str) -> Document | None:
        return transfers.attend(connection, session, person, caller.actor, here.occasion(), present=there[person])

    return _each(here, caller, session, list(there), one)


# -------------------------------------------------------------------------------------------------------------- helpers
def _edition(connection: Connection, code: str | None) -> Current:
    """Return an edition. Raises UsageError (`unknown_edition`, `no_edition`): the address itself is right."""
    try:
        return current(connection, code if code is None or code.isprintable() else "")
    except NotFound as unknown:
        raise UsageError(unknown.code, **{**unknown.params, "value": code}) from None


def _details(given: SessionChange) -> sessions.Details:
    return sessions.Details(given.starts_at, given.ends_at, given.place, given.url, given.capacity)


def _invited(row: RowMapping) -> Document:
    teacher = " ".join(row[name] for name in ("first_name", "last_name") if row[name])
    plain = {name: row[name] for name in ("reference", "school", "state")}
    return {**plain, "teacher": teacher, "attended": bool(row["attended"])}


def _document(row: Row[Any]) -> Document:
    names = ("reference", "edition", "status", "place", "url", "capacity", "invited", "attended")
    plain = {name: getattr(row, name) for name in names}
    return {**plain, "starts_at": iso(row.starts_at), "ends_at": iso(row.ends_at)}


def _own(connection: Connection, caller: Caller, reference: str) -> Row[Any]:
    """Return a session of the caller's; another's, and one that does not exist, get the very same answer."""
    try:
        return sessions.one(connection, known(reference, "unknown_session"), caller.organisation_id)
    except NotFound:
        raise NotFound("unknown_session") from None


def _changed(
    here: Surroundings, caller: Caller, reference: str, act: Callable[[Connection], Sequence[str]]
) -> Document:
    def work(connection: Connection) -> Document:
        _own(connection, caller, reference)
        told = list(act(connection))
        return {"session": _document(_own(connection, caller, reference)), "told": told}

    return attempt(here.workshop.engine, work)


def _each(
    here: Surroundings,
    caller: Caller,
    reference: str,
    people: Sequence[str],
    one: Callable[[Connection, str], Document | None],
) -> Document:
    """Do it for each in a transaction of its own: a race that one lost is tried again without the others."""
    with reading(here.workshop.engine) as connection:
        _own(connection, caller, reference)
    return {"outcomes": [_outcome(here, person, one) for person in dict.fromkeys(people)]}


def _outcome(here: Surroundings, person: str, one: Callable[[Connection, str], Document | None]) -> Document:
    try:
        return outcome(person, attempt(here.workshop.engine, lambda connection: one(connection, known(person))))
    except ProductError as refusal:
        return outcome(person, refusal=refusal)
