"""The relay, for an institute's program: what it received, and what it says about it.

What is added for one participation's relay (its packet, its documents, its transfer session) hangs under
`/handoffs/{reference}` like the acts below, and begins with `rounds`, which knows whose it is.
"""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy import Connection

from actions.answering import ACTS, Answer, Answered, answer
from actions.receiving import Document, Wanted, acts, documents, listing, rounds
from core.errors import NotFound
from jobs.attempts import attempt
from states.names import Trigger
from web.api.cursors import Cursor
from web.api.shapes import Decline, Done, HandoffPage, HandoffRounds, Key, ListQuery, refusals
from web.bearers import Caller
from web.surroundings import Here
from wiring.database import reading

_LONGEST_REFERENCE = 100
_COMMON = refusals(
    _401="No token, or one that is unknown or revoked.",
    _422="Something in the request does not fit; `problems` says what.",
    _429="Too many requests; `Retry-After` says how many seconds to wait.",
    _503="The service is unavailable for a moment; `Retry-After` says how many seconds to wait.",
)
_ONE = _COMMON | refusals(_404="Your institute has no handoff of this reference.")
_ACT = _ONE | refusals(
    _400="The request cannot be read.",
    _409="Not possible as things stand: `state` says where your round stands, `allowed` what is possible. "
    "`key_reused`: the key was used for something else. `lost_race`: somebody else changed it meanwhile; read again.",
    _413="The body is too large.",
)
_REPEATED = "Idempotent-Replayed"

router = APIRouter(prefix="/api/v1", tags=["handoffs"])
Reference = Annotated[str, Path(description="The participation's reference.", examples=["2018-2019-0042"])]
IdempotencyKey = Annotated[
    Key | None,
    Header(
        alias="Idempotency-Key",
        description="A key of your own, new for each act: repeat a call with the same key and content, and you get the "
        f"first result again, with the header `{_REPEATED}`.",
        examples=["a3f1c2"],
    ),
]


# ---------------------------------------------------------------------------------------------------------------- read
@router.get(
    "/handoffs",
    operation_id="list_handoffs",
    summary="List your institute's handoffs",
    response_model=HandoffPage,
    responses=_COMMON,
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
    responses=_ONE,
)
def get_handoff(here: Here, caller: Caller, reference: Reference) -> Document:
    """All rounds of one participation that concern your institute, and what it may do now."""
    with reading(here.workshop.engine) as connection:
        rows = rounds(connection, caller.organisation_id, _known(reference))
        found = [_linked(each) for each in documents(connection, rows)]
    allowed = [str(act) for row in rows for act in acts(row)]
    return {
        "reference": rows[0].reference,
        "edition": rows[0].edition,
        "allowed": allowed,
        "rounds": found,
        "links": _links(rows[0].reference, allowed),
    }


def _known(reference: str) -> str:
    """Return a reference that a database can look for. Raises NotFound (`unknown_handoff`), as for any other."""
    if len(reference) > _LONGEST_REFERENCE or not reference.isprintable():
        raise NotFound("unknown_handoff")
    return reference


def _linked(found: Document) -> Document:
    return {**found, "links": _links(found["reference"], found["allowed"])}


def _links(reference: str, allowed: list[str]) -> dict[str, str | None]:
    own = f"/api/v1/handoffs/{quote(reference, safe='')}"
    return {"self": own, **{str(act): f"{own}/{act}" if str(act) in allowed else None for act in ACTS}}


# ----------------------------------------------------------------------------------------------------------------- act
def _act(here: Here, caller: Caller, reference: str, said: Answer, response: Response) -> Document:
    """Do it in a transaction of its own, tried again when a race was lost; say in a header that it was done before."""
    occasion = here.occasion()

    def work(connection: Connection) -> Answered:
        return answer(connection, _known(reference), said, caller.actor, occasion)

    done = attempt(here.workshop.engine, work)
    if done.repeated:
        response.headers[_REPEATED] = "true"
    return done.result


@router.post(
    "/handoffs/{reference}/accept",
    operation_id="accept_handoff",
    summary="Accept a handoff",
    response_model=Done,
    responses=_ACT,
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
    responses=_ACT,
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
    responses=_ACT,
)
def complete_handoff(
    here: Here, caller: Caller, reference: Reference, response: Response, key: IdempotencyKey = None
) -> Document:
    """The transfer took place: the handoff that your institute accepted is completed, and IFC is in charge again."""
    return _act(here, caller, reference, Answer(Trigger.COMPLETE, key=key), response)
