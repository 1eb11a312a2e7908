"""Documents that an institute adds to a transfer in its charge. It sees its own, IFC sees all; no file's name is kept.

The bytes stand in `documents.store`, put there before; here is who may add them, and what the journal says of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from actions.answering import about
from actions.apply import not_erased
from actions.change import Change
from actions.occasion import Actor, Occasion
from actions.reading import Seen, in_its_time, read
from actions.receiving import rounds
from actions.writing import write
from core.errors import NotFound, Refused
from documents.store import EXTENSIONS
from models import Document, table_of
from states.decide import Pulled
from states.names import HandoffStatus, Subject, Trigger

DOCUMENT = table_of(Document)
MOST = 20
_KIND = "transfer"


@dataclass(frozen=True, slots=True)
class Paper:
    """What the store keeps of a file."""

    sha256: str
    media_type: str
    size: int


def add(
    connection: Connection, reference: str, paper: Paper, actor: Actor, occasion: Occasion
) -> tuple[Row[Any], bool]:
    """Add a document to a transfer; return its row, and whether it is new.

    Raises NotFound (`unknown_handoff`), Refused (`wrong_state`, `handoff_accepted`, `too_many_documents`,
    `before_last_entry`, `erased`), LostRace.
    """
    (organisation_id,) = actor.organisations
    with about(connection, reference, Trigger.ADD_DOCUMENT, actor):
        own = listing(connection, reference, organisation_id)
        if before := [row for row in own if row.sha256 == paper.sha256]:
            return before[0], False
        stands = _in_charge(read(connection, reference, actor), actor, occasion)
        not_erased(connection, stands)
        if len(own) >= MOST:
            raise Refused("too_many_documents", limit=MOST)
        _insert(connection, stands, paper, organisation_id, len(own) + 1, occasion)
        entry = Pulled(Subject.PARTICIPATION, Trigger.ADD_DOCUMENT, stands.row.state, stands.row.state, ())
        data = {"document": paper.sha256}
        write(connection, [Change(stands, stands.snapshot, actor, occasion, (entry,), data=data)])
        return find(connection, reference, organisation_id, paper.sha256), True


def listing(connection: Connection, reference: str, organisation_id: int) -> Sequence[Row[Any]]:
    """Return what an institute added to a participation, in order. Raises NotFound (`unknown_handoff`)."""
    participation_id = rounds(connection, organisation_id, reference)[0].participation_id
    ours = (DOCUMENT.c.participation_id == participation_id, DOCUMENT.c.organisation_id == organisation_id)
    query = select(DOCUMENT).where(*ours, DOCUMENT.c.kind == _KIND)
    return connection.execute(query.order_by(DOCUMENT.c.id)).all()


def find(connection: Connection, reference: str, organisation_id: int, sha256: str) -> Row[Any]:
    """Return one of them. Raises NotFound (`unknown_handoff`, `unknown_document`)."""
    for row in listing(connection, reference, organisation_id):
        if row.sha256 == sha256:
            return row
    raise NotFound("unknown_document")


def named(connection: Connection, sha256s: Sequence[str]) -> set[str]:
    """Return which of these files somebody still names."""
    return set(connection.execute(select(DOCUMENT.c.sha256).where(DOCUMENT.c.sha256.in_(sha256s))).scalars())


def _in_charge(stands: Seen, actor: Actor, occasion: Occasion) -> Seen:
    if actor.role not in stands.snapshot.relations:
        raise Refused("not_yours", state=stands.row.state, role=actor.role)
    in_its_time(stands, occasion)
    if stands.snapshot.handoff not in {HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED}:
        raise Refused("handoff_accepted", state=stands.row.state, trigger=Trigger.ADD_DOCUMENT)
    return stands


def _insert(
    connection: Connection, stands: Seen, paper: Paper, organisation_id: int, number: int, occasion: Occasion
) -> None:
    """Give it a name of ours: the one it had may say who it is about."""
    values = {
        "participation_id": stands.row.id,
        "organisation_id": organisation_id,
        "kind": _KIND,
        "sha256": paper.sha256,
        "name": f"{stands.row.reference}-{number}.{EXTENSIONS[paper.media_type]}",
        "media_type": paper.media_type,
        "size": paper.size,
        "added_at": occasion.recorded_at,
    }
    connection.execute(insert(DOCUMENT).values(values))
