"""Whatever is sent that the API's document describes, or nearly: no fault of ours, only answers that it describes."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from documents.store import Store
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.web import A_PDF, AT, OWN_SESSION, Site, a_document, a_session, a_site
from tests.support.worlds import AMELIE, BASILE, SIZE, World, in_turn
from web.surroundings import surroundings

CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
OPERATIONS = (
    *("list_handoffs", "get_handoff", "accept_handoff", "decline_handoff", "complete_handoff"),
    *("note_on_transfer", "return_handoff", "get_packet", "get_packet_pdf", "get_packet_schema"),
    *("list_batches", "get_batch_xlsx", "get_batch_csv", "get_batch", "accept_batch", "decline_batch"),
    *("list_sessions", "plan_session", "get_session", "change_session", "cancel_session"),
    *("invite_to_session", "record_attendance"),
    *("list_documents", "add_document", "get_document"),
)
TAKES_NOTHING = ("get_packet_schema",)  # what could be wrong about it?
KNOWN = {"reference": AMELIE, "day": "2018-12-12", "session": OWN_SESSION, "sha256": sha256(A_PDF).hexdigest()}
OF_BASILE = ("add_document", "get_document")  # he is in the institute's charge
FEW = settings(max_examples=15 * SIZE, suppress_health_check=list(HealthCheck))
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE


@pytest.fixture
def site(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Site]:
    with a_site(databases, database_kind, tmp_path, busy) as site:
        site.now = worlds.TRANSFERRED_AT
        Store(site.world.workshop.documents).put(A_PDF)
        yield site


def busy(world: World) -> None:
    """Amélie's handoff is offered; Basile's is accepted, he is invited to a session, and has a document."""
    worlds.offered(world)
    world.act(BASILE, Trigger.ACCEPT, Role.INSTITUTE, AT, subject=Subject.HANDOFF)
    a_session(world, AT + timedelta(days=7), BASILE)
    a_document(world, BASILE)


def fuzz(site: Site, operation_id: str) -> set[int]:
    """Call an operation with what its document allows, on any participation and on one, and with what it does not."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.app)
    operation = schema.find_operation_by_id(operation_id)
    headers = {"Authorization": f"Bearer {site.token()}"}
    parameters = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in operation.path}
    if operation_id in OF_BASILE:
        parameters["reference"] = BASILE
    known: dict[str, Any] = {"path_parameters": parameters} if parameters else {}
    seen: set[int] = set()

    strategies = [operation.as_strategy(POSITIVE), operation.as_strategy(POSITIVE, **known)]
    if operation_id not in TAKES_NOTHING:
        strategies.append(operation.as_strategy(NEGATIVE, **known))
    for strategy in strategies:

        @FEW
        @given(case=strategy)
        def call(case: schemathesis.Case[Any]) -> None:
            seen.add(case.call_and_validate(checks=CHECKS, headers=headers).status_code)

        call()
    return seen


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_document_describes_every_operation(site: Site) -> None:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.app)

    # a broken document has no `ok` and fails here
    found = [result.ok().definition.raw["operationId"] for result in schema.get_all_operations()]  # type: ignore[union-attr]
    assert tuple(found) == OPERATIONS


@pytest.mark.parametrize(
    ("operation_id", "database_kind"),
    [(name, kind) for number, name in enumerate(OPERATIONS) for kind in in_turn(number)],
)
def test_no_request_makes_the_api_fail_or_answer_what_it_does_not_describe(site: Site, operation_id: str) -> None:
    seen = fuzz(site, operation_id)

    assert seen & {200, 201, 409} != set()
    assert max(seen) < 500


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_control_a_fault_is_found(site: Site) -> None:
    def fail() -> None:
        raise KeyError

    site.app.dependency_overrides[surroundings] = fail

    with pytest.raises(schemathesis.core.failures.FailureGroup):
        fuzz(site, "list_handoffs")
