"""`journal verify`: the proof that nobody changed what was written."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.opening import read_file, reading, settings_of
from cli.options import AsJson, Directory, told
from core.errors import ProductError, UsageError
from notifications.words import say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actions.journal import Broken

Seals = Annotated[Path | None, typer.Option("--seals", metavar="FILE", help=told("seals"))]

_MOST_BYTES = 200_000_000


def verify(seals: Seals = None, as_json: AsJson = False, directory: Directory = None) -> int:
    from actions.journal import verify as check_chains

    settings = settings_of(directory)
    kept = None if seals is None else _count(seals)
    key = settings.secret_key.get_secret_value()
    if kept is not None and not key:
        raise ProductError("no_secret_key")
    with reading(settings) as connection:
        checked, broken = check_chains(connection)
        if broken is None and seals is not None:
            broken = _check_seals(connection, seals, key.encode())
        found = _document(connection, checked, kept, broken)
    if as_json:
        console.document(found)
    else:
        _tell(found)
    return failures.DONE if broken is None else failures.REFUSED


def _count(seals: Path) -> int:
    """Return how many seals a file keeps. Raises UsageError (`no_seals`): an empty file would prove anything."""
    try:
        lines = read_file(seals, _MOST_BYTES).decode().splitlines()
    except UnicodeDecodeError:
        raise UsageError("no_seals", name=str(seals)) from None
    if not any(text.strip() for text in lines):
        raise UsageError("no_seals", name=str(seals))
    return len(lines)


def _check_seals(connection: "Connection", seals: Path, key: bytes) -> "Broken | None":
    from actions.journal import Broken
    from jobs.seals import check

    try:
        return check(connection, seals, key)
    except (KeyError, TypeError, ValueError):  # a line that is no seal at all
        return Broken("seal", 0, 0, "seal")


def _document(connection: "Connection", checked: int, seals: int | None, broken: "Broken | None") -> dict[str, Any]:
    return {
        "checked": checked,
        "seals": seals,
        "broken": None
        if broken is None
        else {
            "chain": broken.chain,
            "id": broken.chain_id,
            "reference": _reference(connection, broken),
            "seq": broken.seq,
            "code": broken.why,
            "reason": _sentence(broken, _reference(connection, broken)),
        },
    }


def _reference(connection: "Connection", broken: "Broken") -> str | None:
    """Return which participation, or edition, a chain belongs to, if it still does."""
    from sqlalchemy import select

    from models import Edition, Participation, table_of

    table = {"participation": table_of(Participation), "edition": table_of(Edition)}.get(broken.chain)
    if table is None:
        return None
    name = table.c.reference if broken.chain == "participation" else table.c.code
    reference: str | None = connection.execute(select(name).where(table.c.id == broken.chain_id)).scalar()
    return reference


def _sentence(broken: "Broken", reference: str | None) -> str:
    if broken.chain == "seal":
        return say("seal_broken", number=broken.chain_id, why=broken.why)
    place = reference or f"{broken.chain} {broken.chain_id}"
    return say("journal_broken", place=place, seq=broken.seq, why=broken.why)


def _tell(found: dict[str, Any]) -> None:
    if found["broken"] is not None:
        console.note(found["broken"]["reason"])
    elif found["seals"] is None:
        console.tell("journal_whole", checked=found["checked"])
    else:
        console.tell("journal_whole_sealed", checked=found["checked"], seals=found["seals"])
