"""Documents that an institute adds to a transfer: an attendance list that was signed, a certificate."""

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Path, Request, Response
from sqlalchemy import Row
from starlette.requests import ClientDisconnect

from actions import papers
from actions.receiving import Document
from core.clock import iso
from documents.store import EXTENSIONS, Store, media_type
from jobs.attempts import attempt
from web.api.common import ACT, ONE, PREFIX, Reference, known, mark_repeated
from web.api.packets import saved_as
from web.api.shapes import Paper, Papers, refusals
from web.barred import Barred
from web.bearers import Caller
from web.guard import MOST_BYTES_OF_A_DOCUMENT
from web.surroundings import Here, Surroundings
from wiring.database import reading

_FILE = {"schema": {"type": "string", "format": "binary"}}
_TYPES: dict[str, Any] = dict.fromkeys(EXTENSIONS, _FILE)
_UNSUPPORTED = refusals(_415="Neither PDF, nor PNG, nor JPEG, whatever its type or its name says.")

router = APIRouter(prefix=f"{PREFIX}/handoffs/{{reference}}/documents", tags=["documents"])
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of its bytes, in hexadecimal.")]


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None


@router.get(
    "", operation_id="list_documents", summary="List what your institute added", response_model=Papers, responses=ONE
)
def list_documents(here: Here, caller: Caller, reference: Reference) -> Document:
    """List the documents that your institute added to a transfer, in order."""
    with reading(here.workshop.engine) as connection:
        found = papers.listing(connection, known(reference), caller.organisation_id)
    return {"items": [_document(reference, row) for row in found]}


@router.post(
    "",
    operation_id="add_document",
    summary="Add a document to a transfer",
    status_code=HTTPStatus.CREATED,
    response_model=Paper,
    responses=ACT | _UNSUPPORTED | {200: {"model": Paper, "description": "Your institute had added it already."}},
    openapi_extra={"requestBody": {"required": True, "content": _TYPES}},
)
def add_document(
    here: Here, caller: Caller, reference: Reference, body: Annotated[bytes, Depends(_body)], response: Response
) -> Document:
    """Send the file as the body: PDF, PNG or JPEG, five megabytes at most, twenty a transfer.

    Your institute must be in charge of the transfer. The file gets a name of ours. Adding the same file again gives the
    first result.
    """
    paper = _kept(here, caller, reference, body)
    row, is_new = attempt(
        here.workshop.engine, lambda connection: papers.add(connection, reference, paper, caller.actor, here.occasion())
    )
    if not is_new:
        response.status_code = HTTPStatus.OK
    mark_repeated(response, repeated=not is_new)
    return _document(reference, row)


@router.get(
    "/{sha256}",
    operation_id="get_document",
    summary="Fetch a document",
    response_class=Response,
    responses=ONE | {200: {"content": _TYPES}},
)
def get_document(here: Here, caller: Caller, reference: Reference, sha256: Sha256) -> Response:
    """Fetch what your institute added, byte for byte, to be saved rather than shown."""
    with reading(here.workshop.engine) as connection:
        row = papers.find(connection, known(reference), caller.organisation_id, sha256)
    data = Store(here.workshop.documents).get(row.sha256)
    return Response(data, media_type=row.media_type, headers=saved_as(row.name))


def _kept(here: Surroundings, caller: Caller, reference: str, body: bytes) -> papers.Paper:
    """Put a file into the store, for an institute that has this handoff. Raises Barred (`bad_document`), NotFound."""
    with reading(here.workshop.engine) as connection:
        papers.listing(connection, known(reference), caller.organisation_id)
    kind = media_type(body)
    if kind is None:
        raise Barred("bad_document", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, limit=MOST_BYTES_OF_A_DOCUMENT)
    return papers.Paper(Store(here.workshop.documents).put(body), kind, len(body))


def _document(reference: str, row: Row[Any]) -> Document:
    own = f"{PREFIX}/handoffs/{quote(reference, safe='')}/documents/{row.sha256}"
    plain = {name: getattr(row, name) for name in ("sha256", "name", "media_type", "size")}
    return {**plain, "added_at": iso(row.added_at), "links": {"self": own}}
