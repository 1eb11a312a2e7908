"""One table an institute, for operators: the rounds that it was given, those that wait longest first.

The same reading as `entrapprendre handoffs --institute CODE`, references and codes only: names stay in our database.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from anyio import to_thread
from prefect.artifacts import acreate_table_artifact
from sqlalchemy import Engine

from actions.figures import TO_ROUTE, edition_named, handoffs_by_institute
from actions.rounds import handoffs
from core.clock import iso
from core.plain import plain
from wiring.database import reading

MOST_ROWS = 200
COLUMNS = ("reference", "round", "purpose", "status", "since", "next_due", "because")


class Table(NamedTuple):
    """What an operator sees of one institute: how many rounds stand where, and the first rows."""

    key: str
    counts: Mapping[str, int]
    rows: list[dict[str, Any]]


async def show_institutes(engine: Engine, at: datetime) -> None:
    """Leave the table of each institute that was ever given a round of the edition loaded last."""
    for table in await to_thread.run_sync(_tables, engine):
        counts = ", ".join(f"{n} {status}" for status, n in table.counts.items())
        await acreate_table_artifact(table=table.rows, key=table.key, description=f"{iso(at)}: {counts}")


def _tables(engine: Engine) -> list[Table]:
    with reading(engine) as connection:
        edition = edition_named(connection, None)
        found = handoffs_by_institute(connection, edition)
        return [
            Table(key_of(code), counts, [_row(each) for each in handoffs(connection, edition.code, code, MOST_ROWS)])
            for code, counts in found.items()
            if code != TO_ROUTE
        ]


def key_of(code: str) -> str:
    """Return the artifact's key, in which Prefect wants small letters, digits and hyphens only."""
    return "handoffs-" + re.sub(r"[^a-z0-9]+", "-", plain(code).lower()).strip("-")


def _row(each: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each[name] for name in COLUMNS} | {"because": " ".join(each["because"])}
