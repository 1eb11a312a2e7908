"""The relay, for an institute's program: what it received, and what it says about it.

What is added for one participation's relay hangs under `/handoffs/{reference}` in a module of its own, and begins with
`rounds`, which knows whose it is.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from actions import transfers
from actions.answering import ACTS, Answer, Answered, answer
from actions.receiving import GIVE_BACK, Document, Wanted, acts, documents, listing, rounds
from jobs.attempts import attempt
from states.names import Trigger
from web.api.common import ACT, COMMON, ONE, PREFIX, IdempotencyKey, Reference, known, mark_repeated
from web.api.cursors import Cursor
from web.api.shapes import Decline, Done, HandoffPage, HandoffRounds, ListQuery, NoteText
from web.bearers import Caller
from web.surroundings import Here
from wiring.database import reading

router = APIRouter(prefix=PREFIX, tags=["handoffs"])


# ---------------------------------------------------------------------------------------------------------------- read
@router.get(
    "/handoffs",
    operation_id="list_handoffs",
    summary="List your institute's handoffs",
    response_model=HandoffPage,
    responses=COMMON,
)
def list_handoffs(here: Here, caller: Caller, query: Annotated[ListQuery, Query()]) -> Document:
    """List them in the order in which they were opened, which never changes.

    Whatever happens between two pages, nothing is shown twice and nothing is passed over. To stay up to date, list all
    once, then list with `changed_since`.
    """
    start = query.cursor or Cursor(0, here.workshop.recorded(here.now()))
    wanted = Wanted(
        tuple(query.status), query.purpose, query.edition, query.changed_since, after=start.last, limit=query.limit
    )
    with reading(here.workshop.engine) as connection:
        page = listing(connection, caller.organisation_id, wanted)
    return {
        "items": [_linked(each) for each in page.items],
        "next_cursor": None if page.last is None else str(Cursor(page.last, start.began)),
        "next_changed_since": start.look_back_to,
    }


@router.get(
    "/handoffs/{reference}",
    operation_id="get_handoff",
    summary="Fetch one handoff",
    response_model=HandoffRounds,
    responses=ONE,
)
def get_handoff(here: Here, caller: Caller, reference: Reference) -> Document:
    """All rounds of one participation that concern your institute, and what it may do now."""
    with reading(here.workshop.engine) as connection:
        rows = rounds(connection, caller.organisation_id, known(reference))
        found = [_linked(each) for each in documents(connection, rows)]
    allowed = [act for row in rows for act in acts(row)]
    return {
        "reference": rows[0].reference,
        "edition": rows[0].edition,
        "allowed": allowed,
        "rounds": found,
        "links": _links(rows[0].reference, allowed),
    }


def _linked(found: Document) -> Document:
    links = _links(found["reference"], found["allowed"])
    packet = f"{links['self']}/packet?round={found['round']}" if found["packet_sha256"] else None
    return {**found, "links": {**links, "packet": packet}}


def _links(reference: str, allowed: list[str]) -> dict[str, str | None]:
    own = f"{PREFIX}/handoffs/{quote(reference, safe='')}"
    return {"self": own, **{act: f"{own}/{act}" if act in allowed else None for act in ACTS}}


# ----------------------------------------------------------------------------------------------------------------- act
def _act(here: Here, caller: Caller, reference: str, said: Answer, response: Response) -> Document:
    """Do it in a transaction of its own, tried again when a race was lost; say in a header that it was done before."""

    def work(connection: Connection) -> Answered:
        return answer(connection, known(reference), said, caller.actor, here.occasion())

    done = attempt(here.workshop.engine, work)
    mark_repeated(response, repeated=done.repeated)
    return done.result


@router.post(
    "/handoffs/{reference}/accept",
    operation_id="accept_handoff",
    summary="Accept a handoff",
    response_model=Done,
    responses=ACT,
)
def accept_handoff(
    here: Here, caller: Caller, reference: Reference, response: Response, key: IdempotencyKey = None
) -> Document:
    """Your institute takes charge of the transfer. Accepting again while it is accepted gives the first result."""
    return _act(here, caller, reference, Answer(Trigger.ACCEPT, key=key), response)


@router.post(
    "/handoffs/{reference}/decline",
    operation_id="decline_handoff",
    summary="Decline a handoff",
    response_model=Done,
    responses=ACT,
)
def decline_handoff(
    here: Here, caller: Caller, reference: Reference, body: Decline, response: Response, key: IdempotencyKey = None
) -> Document:
    """It returns to IFC, which is told at once. Declining again for the same cause gives the first result."""
    said = Answer(Trigger.DECLINE, body.cause, body.reason, key)
    return _act(here, caller, reference, said, response)


@router.post(
    "/handoffs/{reference}/complete",
    operation_id="complete_handoff",
    summary="Confirm the transfer",
    response_model=Done,
    responses=ACT,
)
def complete_handoff(
    here: Here, caller: Caller, reference: Reference, response: Response, key: IdempotencyKey = None
) -> Document:
    """The transfer took place: the handoff that your institute accepted is completed, and IFC is in charge again."""
    return _act(here, caller, reference, Answer(Trigger.COMPLETE, key=key), response)


@router.post(
    "/handoffs/{reference}/note",
    operation_id="note_on_transfer",
    summary="Note something on a transfer",
    response_model=Done,
    responses=ACT,
)
def note_on_transfer(
    here: Here, caller: Caller, reference: Reference, body: NoteText, response: Response, key: IdempotencyKey = None
) -> Document:
    """Say what the transfer was about; IFC reads it before the evaluation, and the last one counts.

    Noting the same again gives the first result.
    """
    done = attempt(
        here.workshop.engine,
        lambda connection: transfers.note(connection, known(reference), body.text, caller.actor, here.occasion(), key),
    )
    mark_repeated(response, repeated=done.repeated)
    return done.result


@router.post(
    "/handoffs/{reference}/return",
    operation_id="return_handoff",
    summary="Give a record back to IFC",
    response_model=Done,
    responses=ACT,
)
def return_handoff(
    here: Here, caller: Caller, reference: Reference, response: Response, key: IdempotencyKey = None
) -> Document:
    """Offer IFC again what it had sent back, once your institute added what was missing.

    A transfer that is confirmed goes back to IFC by itself: this is for a record that IFC returned with a reason.
    """
    return _act(here, caller, reference, Answer(GIVE_BACK, key=key), response)
