"""Packets as documents that people read: a table for a batch, a page for one. Made when fetched, never kept."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from core.clock import BRUSSELS
from documents.figures_sheet import report_csv, report_xlsx
from documents.packet import Packet
from documents.sheets import batch_csv, batch_xlsx
from documents.wording import Words
from notifications.words import label, vocabulary


@dataclass(frozen=True, slots=True)
class _Said:
    """The catalogue's words, as documents ask for them."""

    language: str = "fr"

    def label(self, group: str, code: str) -> str:
        return label(group, code, self.language)

    def day(self, day: date, /) -> str:
        return vocabulary(self.language).calendar.day(day)

    def moment(self, at: datetime, /) -> str:
        return vocabulary(self.language).calendar.moment(at.astimezone(BRUSSELS))


WORDS: Words = _Said()


def _json(packets: Sequence[Packet], _words: Words) -> bytes:
    plain = [packet.model_dump(mode="json") for packet in packets]
    return json.dumps(plain, ensure_ascii=False, indent=2, sort_keys=True).encode()


FORMATS: Mapping[str, Callable[[Sequence[Packet], Words], bytes]] = {
    "xlsx": batch_xlsx,
    "csv": batch_csv,
    "json": _json,
}


REPORT_FORMATS: Mapping[str, Callable[[Mapping[str, Any], Words], bytes]] = {"xlsx": report_xlsx, "csv": report_csv}


def report_sheet(report: Mapping[str, Any], extension: str) -> bytes:
    """Return the report of an edition in one of `REPORT_FORMATS`."""
    return REPORT_FORMATS[extension](report, WORDS)


def sheet(packets: Sequence[Packet], extension: str) -> bytes:
    """Return a batch in one of `FORMATS`."""
    return FORMATS[extension](packets, WORDS)
