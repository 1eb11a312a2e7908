"""The packet of a handoff: the text fixed at the offer, the same as a page for people, and the schema of both."""

import base64
import json
import re
from typing import Annotated

from fastapi import APIRouter, Query, Response

from actions.exports import WORDS
from actions.packets import Fixed, fetch
from actions.receiving import rounds
from core.errors import NotFound
from documents.packet import packet_schema, read_packet
from documents.packet_pdf import packet_pdf
from states.names import Purpose
from web.api.common import ONE, OPEN, PREFIX, Reference, known
from web.bearers import Caller
from web.surroundings import Here, Surroundings
from wiring.database import reading

_MOST_ROUNDS = 1_000_000
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_PDF = "application/pdf"
_SCHEMA = "application/schema+json"

router = APIRouter(prefix=PREFIX, tags=["packets"])
Round = Annotated[
    int | None,
    Query(alias="round", ge=1, le=_MOST_ROUNDS, description="Of this round; of the latest received, without it."),
]
_HEADERS = {
    "ETag": {
        "description": "The SHA-256 of the text, in hexadecimal: `packet_sha256` of the handoff.",
        "schema": {"type": "string"},
    },
    "Repr-Digest": {"description": "The same, as RFC 9530 has it.", "schema": {"type": "string"}},
}


@router.get(
    "/handoffs/{reference}/packet",
    operation_id="get_packet",
    summary="Fetch a handoff's packet",
    response_class=Response,
    responses=ONE | {200: {"headers": _HEADERS, "content": {"application/json": {"schema": {"type": "object"}}}}},
)
def get_packet(here: Here, caller: Caller, reference: Reference, number: Round = None) -> Response:
    """All that your institute needs to organise the transfer, as it was when the round was offered, byte for byte.

    `/api/v1/schemas/packet-1.json` describes it. Once the person's data were erased, there is none.
    """
    fixed = _fixed(here, caller, reference, number)
    digest = base64.b64encode(bytes.fromhex(fixed.sha256)).decode()
    headers = {"ETag": f'"{fixed.sha256}"', "Repr-Digest": f"sha-256=:{digest}:"}
    return Response(fixed.content, media_type="application/json", headers=headers)


@router.get(
    "/handoffs/{reference}/packet.pdf",
    operation_id="get_packet_pdf",
    summary="Fetch a handoff's packet as a PDF",
    response_class=Response,
    responses=ONE | {200: {"content": {_PDF: {"schema": {"type": "string", "format": "binary"}}}}},
)
def get_packet_pdf(here: Here, caller: Caller, reference: Reference, number: Round = None) -> Response:
    """Read the same in French, on paper; made when it is fetched."""
    fixed = _fixed(here, caller, reference, number)
    return Response(
        packet_pdf(read_packet(fixed.content), WORDS), media_type=_PDF, headers=saved_as(f"{reference}.pdf")
    )


@router.get(
    "/schemas/packet-1.json",
    operation_id="get_packet_schema",
    summary="The schema of packets",
    response_class=Response,
    responses=OPEN | {200: {"content": {_SCHEMA: {"schema": {"type": "object"}}}}},
)
def get_packet_schema() -> Response:
    """Version 1, in JSON Schema (2020-12). It does not change; whoever cannot use it any more gets a version 2."""
    return Response(json.dumps(packet_schema(), indent=2, ensure_ascii=False) + "\n", media_type=_SCHEMA)


def saved_as(name: str) -> dict[str, str]:
    """Return the header by which a browser keeps an answer as a file, under a name that no header can trip over."""
    return {"Content-Disposition": f'attachment; filename="{_UNSAFE.sub("_", name)}"'}


def _fixed(here: Surroundings, caller: Caller, reference: str, number: int | None) -> Fixed:
    """Return the packet of one of the institute's own rounds. Raises NotFound (`unknown_handoff`, `no_packet`)."""
    with reading(here.workshop.engine) as connection:
        received = [
            row
            for row in rounds(connection, caller.organisation_id, known(reference))
            if row.purpose == Purpose.TRANSFER and number in {None, row.round}
        ]
        if not received:
            raise NotFound("unknown_handoff")
        return fetch(connection, received[-1].participation_id, received[-1].round)
