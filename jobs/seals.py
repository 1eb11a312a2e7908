"""The daily seal: one line over all chains that changed since the last, signed with a key that is not in the database.

Kept copies of the lines show later that no chain has vanished, been cut or been written anew. The line is stored in the
database first, then appended to the file; a run that was killed between the two is mended by the next.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, case, func, insert, select, update

from actions.journal import JOURNAL, Broken
from actions.writing import PARTICIPATION
from core.clock import BRUSSELS
from jobs.leases import lease
from jobs.summary import Summary
from jobs.workshop import Workshop
from models import Edition, Seal, table_of

JOB = "seals"
SEAL, EDITION = table_of(Seal), table_of(Edition)
FILE = "seals.jsonl"


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether yesterday's, or an earlier, day is over without its seal and something changed."""
    newest = connection.execute(select(func.max(SEAL.c.day))).scalar()
    today = at.astimezone(BRUSSELS).date()
    return (newest is None or newest < today) and _changed(connection, limit=1) != []


def run(workshop: Workshop, at: datetime, limit: int = 0) -> Summary:  # noqa: ARG001 - a seal is one piece
    """Seal what changed, once a local day, and bring the file up to date."""
    summary = Summary(JOB)
    with lease(workshop, JOB) as held:
        if not held:
            return summary
        with workshop.engine.begin() as connection:
            if has_work(connection, at):
                number = _seal(connection, workshop, at)
                summary.add(f"seal {number}", "sealed")
        _write_missing(workshop)
    return summary


def _changed(connection: Connection, limit: int | None = None) -> list[tuple[str, int, int, str]]:
    """Return (chain, id, seq, head) of the chains that changed since they were last sealed."""
    changed = []
    for chain, table in (("edition", EDITION), ("participation", PARTICIPATION)):
        query = (
            select(table.c.id, table.c.journal_seq, table.c.journal_head)
            .where(table.c.sealed_seq != table.c.journal_seq)
            .order_by(table.c.id)
        )
        changed += [
            (chain, row.id, row.journal_seq, row.journal_head) for row in connection.execute(query.limit(limit))
        ]
    return changed


def _seal(connection: Connection, workshop: Workshop, at: datetime) -> int:
    last = connection.execute(select(SEAL.c.number, SEAL.c.line).order_by(SEAL.c.number.desc()).limit(1)).first()
    number = last.number + 1 if last else 1
    chains = _changed(connection)
    day = at.astimezone(BRUSSELS).date()
    content = {
        "number": number,
        "day": day.isoformat(),
        "previous": json.loads(last.line)["mac"] if last else "",
        "root": _root(chains),
        "chains": [list(chain) for chain in chains],
    }
    line = json.dumps({**content, "mac": _mac(content, workshop.seal_key)}, separators=(",", ":"))
    connection.execute(insert(SEAL).values(number=number, day=day, line=line))
    for name, table in (("edition", EDITION), ("participation", PARTICIPATION)):
        sealed = {chain_id: seq for chain, chain_id, seq, _ in chains if chain == name}
        for ids in _hundreds(sorted(sealed)):
            seqs = case({chain_id: sealed[chain_id] for chain_id in ids}, value=table.c.id)
            connection.execute(update(table).where(table.c.id.in_(ids)).values(sealed_seq=seqs))
    return number


def _hundreds(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + 200] for start in range(0, len(ids), 200))


def _root(chains: Iterable[Sequence[object]]) -> str:
    digest = hashlib.sha256()
    for chain in chains:
        digest.update(json.dumps(chain, separators=(",", ":")).encode())
    return digest.hexdigest()


def _mac(content: Mapping[str, Any], key: bytes) -> str:
    message = json.dumps([content[name] for name in ("number", "day", "previous", "root")], separators=(",", ":"))
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def _write_missing(workshop: Workshop) -> None:
    """Append the lines that the file does not have yet."""
    path = workshop.seals / FILE
    written = _whole_lines(path)
    with workshop.engine.connect().execution_options(read_only=True) as connection:
        lines = (
            connection.execute(select(SEAL.c.line).where(SEAL.c.number > written).order_by(SEAL.c.number))
            .scalars()
            .all()
        )
    missing = lines[_whole_lines(path) - written :]  # counted anew: another may have written meanwhile
    if missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.writelines(f"{line}\n" for line in missing)


def _whole_lines(path: Path) -> int:
    """Return how many lines the file has; one that was cut while being written is taken off, and written anew."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return whole.count(b"\n")


def check(connection: Connection, kept: Path, key: bytes) -> Broken | None:
    """Hold kept seals against the journal; return the first disagreement, None when all is well.

    `why`: `seal` (the kept line itself was changed, or the key is another), `seal_order`, `sealed_entry` (an entry that
    was sealed is gone or reads otherwise now).
    """
    previous = ""
    for text in kept.read_text().splitlines():
        seal = _parsed(text)
        if (
            seal is None
            or not hmac.compare_digest(str(seal["mac"]), _mac(seal, key))
            or _root(seal["chains"]) != seal["root"]
        ):
            return Broken("seal", int(seal["number"]) if seal else 0, 0, "seal")
        if previous and seal["previous"] != previous:
            return Broken("seal", seal["number"], 0, "seal_order")
        previous = seal["mac"]
        for chain, chain_id, seq, head in seal["chains"]:
            entry = (JOURNAL.c.chain == chain) & (JOURNAL.c.chain_id == chain_id) & (JOURNAL.c.seq == seq)
            if connection.execute(select(JOURNAL.c.hash).where(entry)).scalar() != head:
                return Broken(chain, chain_id, seq, "sealed_entry")
    return None


_CHAIN_FIELDS = 4
_FIELDS = {"number": int, "day": str, "previous": str, "root": str, "chains": list, "mac": str}


def _parsed(text: str) -> dict[str, Any] | None:
    """Read a line of the file; None unless it has every field of a seal."""
    try:
        seal: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(seal, dict) and all(isinstance(seal.get(name), kind) for name, kind in _FIELDS.items())
    if not whole or not all(isinstance(chain, list) and len(chain) == _CHAIN_FIELDS for chain in seal["chains"]):
        return None
    found: dict[str, Any] = seal
    return found
