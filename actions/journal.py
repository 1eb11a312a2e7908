"""The hash chain: how an entry is hashed, how a chain is checked.

An entry's hash covers everything but the flow run id and the caller's key; free text enters as SHA-256(salt + text), so
that text and salt can be emptied and the chain still holds.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from models import Edition, EditionReport, EditionRevision, JournalEntry, JournalText, Participation, table_of
from states.edition import content_hash
from states.names import Trigger

JOURNAL = table_of(JournalEntry)
TEXTS = table_of(JournalText)

_HASHED = (
    "chain",
    "chain_id",
    "seq",
    "at",
    "recorded_at",
    "subject",
    "trigger",
    "from_state",
    "to_state",
    "actor_id",
    "role",
    "via",
    "data",
    "text_hash",
    "revision_id",
    "previous",
)


_MOMENTS = ("at", "recorded_at")


def entry_hash(entry: Mapping[str, Any] | RowMapping) -> str:
    """Return the SHA-256 of an entry's content, which includes the hash of the entry before."""
    content = [_moment(entry[name]) if name in _MOMENTS else entry[name] for name in _HASHED]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def text_hash(salt: str, text: str) -> str:
    """Return what stands in the entry for a free text."""
    return hashlib.sha256((salt + text).encode()).hexdigest()


@lru_cache(maxsize=1024)
def _moment(value: datetime) -> str:
    """Write a moment as it enters a hash; a batch has few of them."""
    return value.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing wrong with a chain: `seq` is the entry, `why` a stable code."""

    chain: str
    chain_id: int
    seq: int
    why: str


def verify(connection: Connection) -> tuple[int, Broken | None]:
    """Check every chain: hashes, texts, and the head on its row; return how many entries, and the first break.

    A changed entry shows as `hash`, a removed one as `gap`, a cut tail or a vanished chain as `head`, a changed text
    as `text`. A text emptied with its salt is right only before an erasure of that chain. Then the contents that the
    chains vouch for: `revision` (of an edition's file), `report` (the figures that a closing froze).
    """
    checked = 0
    for chain, heads in _heads(connection).items():
        walk = _Walk(chain)
        for entry in _entries(connection, chain):
            checked += 1
            if why := walk.fault(entry):
                return checked, Broken(chain, entry["chain_id"], entry["seq"], why)
        if broken := walk.end(heads):
            return checked, broken
    return checked, _changed_revision(connection) or _changed_report(connection)


def _changed_revision(connection: Connection) -> Broken | None:
    """Return the first revision of an edition whose content is no longer what was loaded."""
    revisions = table_of(EditionRevision)
    for row in connection.execute(select(revisions).order_by(revisions.c.id)):
        if content_hash(row.content) != row.hash:
            return Broken("edition", row.edition_id, row.number, "revision")
    return None


def _changed_report(connection: Connection) -> Broken | None:
    """Return the first closing whose report is gone, or no longer what it froze; or a report that no closing made."""
    reports = table_of(EditionReport)
    kept = {(row.edition_id, row.number): row for row in connection.execute(select(reports))}
    closings = (JOURNAL.c.chain == "edition", JOURNAL.c.trigger == "close")
    for entry in connection.execute(select(JOURNAL).where(*closings).order_by(JOURNAL.c.chain_id, JOURNAL.c.seq)):
        named = json.loads(entry.data)
        report = kept.pop((entry.chain_id, named["report"]), None)
        if report is None or {report.sha256, content_hash(report.content)} != {named["sha256"]}:
            return Broken("edition", entry.chain_id, entry.seq, "report")
    return next((Broken("edition", edition_id, number, "report") for edition_id, number in sorted(kept)), None)


class _Walk:
    """One kind of chain, walked entry by entry."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self.reached: dict[int, tuple[int, str]] = {}
        self.emptied: dict[int, int] = {}  # chain -> the entry whose text is empty, until its erasure is met

    def fault(self, entry: RowMapping) -> str:
        """Return what is wrong with an entry, after those before it; empty when nothing is."""
        chain_id = entry["chain_id"]
        if why := _fault(entry, *self.reached.get(chain_id, (0, ""))):
            return why
        self.reached[chain_id] = (entry["seq"], entry["hash"])
        if entry["trigger"] == Trigger.ERASE:
            self.emptied.pop(chain_id, None)
        elif entry["text"] is not None and _is_empty(entry):
            self.emptied[chain_id] = entry["seq"]
        return ""

    def end(self, heads: Mapping[int, tuple[int, str]]) -> Broken | None:
        """Hold the ends of the chains against the heads on their rows."""
        for chain_id, head in heads.items():
            if self.reached.get(chain_id, (0, "")) != head:
                return Broken(self.chain, chain_id, head[0], "head")
        for chain_id in self.reached.keys() - heads.keys():
            return Broken(self.chain, chain_id, self.reached[chain_id][0], "row")
        for chain_id, seq in self.emptied.items():
            return Broken(self.chain, chain_id, seq, "text")
        return None


def _is_empty(entry: RowMapping) -> bool:
    return not entry["salt"] and not entry["text"]


def _fault(entry: RowMapping, seq: int, head: str) -> str:
    if entry["seq"] != seq + 1:
        return "gap"
    if entry["previous"] != head:
        return "previous"
    if entry["hash"] != entry_hash(entry):
        return "hash"
    if entry["text_hash"] and entry["text"] is None:
        return "text"
    if entry["text"] is None or _is_empty(entry):
        return ""
    return "" if text_hash(entry["salt"], entry["text"]) == entry["text_hash"] else "text"


def _heads(connection: Connection) -> dict[str, dict[int, tuple[int, str]]]:
    heads: dict[str, dict[int, tuple[int, str]]] = {}
    for chain, table in (("participation", table_of(Participation)), ("edition", table_of(Edition))):
        rows = connection.execute(select(table.c.id, table.c.journal_seq, table.c.journal_head))
        heads[chain] = {row[0]: (row[1], row[2]) for row in rows}
    return heads


def _entries(connection: Connection, chain: str) -> Iterator[RowMapping]:
    same = (
        (TEXTS.c.chain == JOURNAL.c.chain) & (TEXTS.c.chain_id == JOURNAL.c.chain_id) & (TEXTS.c.seq == JOURNAL.c.seq)
    )
    query = (
        select(JOURNAL, TEXTS.c.salt, TEXTS.c.text)
        .select_from(JOURNAL.outerjoin(TEXTS, same))
        .where(JOURNAL.c.chain == chain)
        .order_by(JOURNAL.c.chain_id, JOURNAL.c.seq)
    )
    with connection.execute(query.execution_options(yield_per=1000)) as entries:
        yield from entries.mappings()
