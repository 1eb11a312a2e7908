"""What was offered to an institute on one day, together: listed, fetched as a table, answered at once."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import Connection, Row

from actions import batches
from actions.apply import Applied, Outcome, Request
from actions.exports import sheet
from actions.receiving import Document
from core.clock import iso
from core.errors import LostRace, NotFound, Refused
from jobs.attempts import attempt
from states.names import Trigger
from web.api.common import BODY, COMMON, PREFIX, outcome
from web.api.packets import saved_as
from web.api.shapes import Batch, BatchDays, Day, Decline, Outcomes, refusals
from web.bearers import Caller
from web.surroundings import Here, Surroundings
from wiring.database import reading

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_CSV = "text/csv; charset=utf-8"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_ONE = COMMON | refusals(_404="Nothing was offered to your institute on that day.")
_ACT = _ONE | BODY

router = APIRouter(prefix=f"{PREFIX}/batches", tags=["batches"])
OfDay = Annotated[Day, Path(alias="day", description="A day, local to Brussels.", examples=["2019-01-29"])]


@router.get(
    "",
    operation_id="list_batches",
    summary="List the days on which something was offered to your institute",
    response_model=BatchDays,
    responses=COMMON,
)
def list_batches(here: Here, caller: Caller) -> Document:
    """List them, the latest first, with how many handoffs of that day stand where."""
    with reading(here.workshop.engine) as connection:
        return {"items": batches.batches(connection, caller.organisation_id)}


# before `/{day}`, which would take them for days
@router.get(
    "/{day}.xlsx",
    operation_id="get_batch_xlsx",
    summary="Fetch the packets of a day as a spreadsheet",
    response_class=Response,
    responses=_ONE | {200: {"content": {_XLSX: _BINARY}}},
)
def get_batch_xlsx(here: Here, caller: Caller, day: OfDay) -> Response:
    """A row for each handoff, those of erased people left out."""
    return _sheet(here, caller, day, "xlsx", _XLSX)


@router.get(
    "/{day}.csv",
    operation_id="get_batch_csv",
    summary="Fetch the packets of a day as CSV",
    response_class=Response,
    responses=_ONE | {200: {"content": {"text/csv": _BINARY}}},
)
def get_batch_csv(here: Here, caller: Caller, day: OfDay) -> Response:
    """Read the same columns as in the spreadsheet; what a spreadsheet would take for a formula has an apostrophe."""
    return _sheet(here, caller, day, "csv", _CSV)


@router.get(
    "/{day}",
    operation_id="get_batch",
    summary="Fetch the handoffs of a day",
    response_model=Batch,
    responses=_ONE,
)
def get_batch(here: Here, caller: Caller, day: OfDay) -> Document:
    """List what was offered to your institute on that day, and where each round stands now."""
    with reading(here.workshop.engine) as connection:
        found = _members(connection, caller.organisation_id, day)
    items = [
        {"reference": row.reference, "round": row.round, "status": row.status, "packet_sha256": row.packet_hash or None}
        for row in found
    ]
    return {"day": day.isoformat(), "items": items}


def _members(connection: Connection, organisation_id: int, day: date) -> Sequence[Row[Any]]:
    found = batches.members(connection, organisation_id, day)
    if not found:
        raise NotFound("unknown_batch")
    return found


def _sheet(here: Surroundings, caller: Caller, day: date, extension: str, media_type: str) -> Response:
    with reading(here.workshop.engine) as connection:
        _members(connection, caller.organisation_id, day)
        packets = batches.packets(connection, caller.organisation_id, day)
    headers = saved_as(f"{caller.institute}-{day.isoformat()}.{extension}")
    return Response(sheet(packets, extension), media_type=media_type, headers=headers)


# ----------------------------------------------------------------------------------------------------------------- act
@router.post(
    "/{day}/accept",
    operation_id="accept_batch",
    summary="Accept all of a day",
    response_model=Outcomes,
    responses=_ACT,
)
def accept_batch(here: Here, caller: Caller, day: OfDay) -> Document:
    """Accept whatever was offered on that day and still waits for an answer; each is told on its own.

    Doing it again finds nothing that waits, and changes nothing.
    """
    return _answer(here, caller, day, batches.answer(Trigger.ACCEPT))


@router.post(
    "/{day}/decline",
    operation_id="decline_batch",
    summary="Decline all of a day",
    response_model=Outcomes,
    responses=_ACT,
)
def decline_batch(here: Here, caller: Caller, day: OfDay, body: Decline) -> Document:
    """Decline whatever was offered on that day and still waits, for one cause; each is told on its own."""
    return _answer(here, caller, day, batches.answer(Trigger.DECLINE, body.cause, body.reason))


def _answer(here: Surroundings, caller: Caller, day: date, request: Request) -> Document:
    def work(connection: Connection) -> list[Document]:
        _members(connection, caller.organisation_id, day)
        occasion = here.occasion()
        outcomes = batches.answer_all(connection, caller.organisation_id, day, request, caller.actor, occasion)
        return [_told(reference, each) for reference, each in outcomes.items()]

    return {"outcomes": attempt(here.workshop.engine, work)}


def _told(reference: str, found: Outcome) -> Document:
    if isinstance(found, Applied):
        done = {"subject": found.subject, "trigger": found.trigger, "from": found.before, "to": found.after}
        return outcome(reference, {"reference": reference, **done, "seq": found.seq, "at": iso(found.at)})
    if (
        isinstance(found, Refused) and found.code == "not_yours"
    ):  # it went elsewhere meanwhile: where is not theirs to know
        return outcome(reference, refusal=LostRace())
    return outcome(reference, refusal=found)
