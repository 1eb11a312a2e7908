"""An institute's list of handoffs over the application's own route, among a hundred thousand that it received.

Whatever is filtered, a page must come within the time; and its rows, beside hand-written SQL that reads the same ones.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Engine, Table, func, insert, select, text
from starlette.testclient import TestClient

from actions import tokens
from actions.receiving import Wanted, listing
from benchmarks import population
from benchmarks.measure import compare
from benchmarks.report import Measured
from core.clock import BRUSSELS
from core.settings import Settings
from models import Deadline, Edition, Handoff, Organisation, Participation, Party, table_of
from states.names import HandoffStatus, Purpose
from tests.support.databases import Databases, Kind
from web.api.cursors import Cursor
from web.app import create_app
from web.limiting import Limits
from wiring.database import make_engine, reading
from wiring.workshop import make_workshop

MANY = 100_000
_MS_AT_MOST = 50
_ROWS_AT_LEAST = 0.20
_PAGES = 40  # of each kind
_PAGES_TO_A_ROUND = 20
_BATCH = 5_000
_INSTITUTE = "FCC"
_AT = datetime(2019, 3, 25, 9, tzinfo=UTC)
_LATEST = _AT + timedelta(seconds=MANY)
_NAME = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_UNLIMITED = Limits(*[10**9] * 4)
_HANDOFF, _PARTICIPATION = table_of(Handoff), table_of(Participation)
_PARTY, _DEADLINE, _ORGANISATION = table_of(Party), table_of(Deadline), table_of(Organisation)
_Rows = list[dict[str, Any]]

# What is asked, each where it is hardest: what there is little of, or at the far end.
_ASKED = {
    "the first": "limit=50",
    "two hundred from the middle": "limit=200",
    "what is offered": "status=offered&limit=50",
    "what nobody finds": "status=held&limit=50",
    "an edition's": "edition=2018-2019&limit=50",
    "an edition's without any": "edition=2019-2020&limit=50",
    "what changed a moment ago": f"changed_since={(_LATEST - timedelta(seconds=100)).strftime('%Y-%m-%dT%H:%M:%SZ')}",
    "what went back": "purpose=evaluation",
}
_BY_HAND = """
SELECT h.id, h.participation_id, h.round, h.purpose, h.status, h.since, h.changed_at, h.offered_at, h.because,
       p.reference, e.code, s.code, r.code
FROM handoff h JOIN participation p ON p.id = h.participation_id JOIN edition e ON e.id = h.edition_id
JOIN organisation s ON s.id = h.sender_id LEFT JOIN organisation r ON r.id = h.receiver_id
WHERE h.receiver_id = :receiver AND h.id > :after ORDER BY h.id LIMIT 201
"""
_LIMITS = """
SELECT participation_id, due_at FROM deadline
WHERE participation_id IN ({}) AND subject = 'handoff' AND rule = 'acceptance' AND step = 1 AND generation = 1
"""


def run(databases: Databases, engines: Sequence[Kind], rounds: int) -> Iterator[Measured]:
    """Measure on each engine."""
    for kind in engines:
        url = databases.fresh(kind)
        engine = make_engine(url)
        fill(engine)
        yield from _pages(engine, kind)
        yield _rows(engine, kind, rounds)
        engine.dispose()
        databases.discard(url)


# ------------------------------------------------------------------------------------------------------------- filling
def fill(engine: Engine) -> None:
    """Have one institute receive so many handoffs, at a moment each, of every status in turn."""
    with engine.begin() as connection:
        one = population.register_one(connection)
        connection.execute(insert(table_of(Edition)).values(code="2019-2020", title="Another"))
        known = {row.code: row.id for row in connection.execute(select(_ORGANISATION))}
        rows = _copied(connection, one, known["IFC"], known[_INSTITUTE])
        for table, values in rows:
            for start in range(0, len(values), _BATCH):
                connection.execute(insert(table), values[start : start + _BATCH])
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # what PostgreSQL's own background work would have done


def _copied(connection: Connection, one: int, sender: int, receiver: int) -> Iterator[tuple[Table, _Rows]]:
    """Yield the rows: a person, a participation, a round; deadlines where one is offered."""
    (participation,) = connection.execute(select(_PARTICIPATION).where(_PARTICIPATION.c.id == one)).mappings()
    numbers = range(one + 1, one + 1 + MANY)
    party = connection.execute(select(func.max(_PARTY.c.id))).scalar_one()
    yield _PARTY, [{"id": party + n, "email": f"p{n}@ecole.example"} for n in numbers]
    yield (
        _PARTICIPATION,
        [
            {**participation, "id": n, "party_id": party + n, "reference": f"2018-2019-{n:06d}", "handoff_round": 1}
            for n in numbers
        ],
    )
    statuses = [status for status in HandoffStatus if status not in {HandoffStatus.TO_ROUTE, HandoffStatus.HELD}]
    rounds = [
        {
            "id": n,
            "participation_id": n,
            "edition_id": participation["edition_id"],
            "purpose": Purpose.TRANSFER.value,
            "round": 1,
            "status": status.value,
            "sender_id": sender,
            "receiver_id": receiver,
            "since": _AT + timedelta(seconds=n),
            "changed_at": _AT + timedelta(seconds=n),
            "offered_at": _AT,
            "because": "",
        }
        for n, status in zip(numbers, cycle(statuses), strict=False)
    ]
    yield _HANDOFF, rounds
    yield (
        _DEADLINE,
        [
            {
                "participation_id": row["participation_id"],
                "revision_id": participation["revision_id"],
                "subject": "handoff",
                "state": "offered",
                "rule": "acceptance",
                "step": step,
                "generation": 1,
                "anchor": "entry",
                "due_at": _AT + timedelta(days=7 * (step + 1)),
                "status": "open",
            }
            for row in rounds
            if row["status"] == HandoffStatus.OFFERED
            for step in range(3)
        ],
    )


# ----------------------------------------------------------------------------------------------------------- measuring
def _pages(engine: Engine, kind: Kind) -> Iterator[Measured]:
    """Ask for each kind of page again and again, through the whole application."""
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder:
        settings = Settings(var=Path(folder), secret_key=SecretStr("of a benchmark"))
        workshop = make_workshop(settings, engine)
        with engine.begin() as connection:
            token, _ = tokens.create(connection, _INSTITUTE, "benchmark", _AT)
        client = TestClient(create_app(workshop, settings, limits=_UNLIMITED))
        client.headers["Authorization"] = f"Bearer {token}"
        with client:
            for what, query in _ASKED.items():
                seconds = [_asked(client, f"{query}{_cursor(what)}") for _ in range(_PAGES + 3)][3:]
                late = quantiles(seconds, n=20)[-1] * 1000
                told = f"{_NAME[kind]}, list: {what}, p95"
                yield Measured(told, f"{late:.1f} ms", f"{_MS_AT_MOST} ms", late / _MS_AT_MOST, 1.0, at_most=True)


def _cursor(what: str) -> str:
    return f"&cursor={Cursor(MANY // 2, _AT)}" if "middle" in what else ""


def _asked(client: TestClient, query: str) -> float:
    start = perf_counter()
    answer = client.get(f"/api/v1/handoffs?{query}")
    seconds = perf_counter() - start
    assert answer.status_code == 200, answer.text
    return seconds


def _rows(engine: Engine, kind: Kind, rounds: int) -> Measured:
    """Read pages of two hundred, beside hand-written SQL."""
    with engine.connect() as connection:
        theirs = select(_ORGANISATION.c.id).where(_ORGANISATION.c.code == _INSTITUTE)
        receiver = connection.execute(theirs).scalar_one()

    def ours(number: int) -> None:
        with reading(engine) as connection:
            for page in range(_PAGES_TO_A_ROUND):
                wanted = Wanted(after=number * 4_000 + page * 200, limit=200)
                assert len(listing(connection, receiver, wanted).items) == 200

    def by_hand(number: int) -> None:
        with reading(engine) as connection:
            for page in range(_PAGES_TO_A_ROUND):
                asked = {"receiver": receiver, "after": number * 4_000 + page * 200}
                assert len(_by_hand(connection, asked)) == 201

    _same(engine, receiver)
    compared = compare(ours, by_hand, rounds)
    per_page = [seconds / _PAGES_TO_A_ROUND * 1000 for seconds in (compared.ours, compared.yardstick)]
    told = f"{_NAME[kind]}, a page of 200 rounds as documents"
    return Measured(told, f"{per_page[0]:.1f} ms", f"{per_page[1]:.1f} ms", compared.speed, _ROWS_AT_LEAST)


def _by_hand(connection: Connection, asked: dict[str, int]) -> list[tuple[str, ...]]:
    """Read a page as a list of what a program is told: codes, and moments in local time."""
    rows = connection.execute(text(_BY_HAND), asked).all()
    offered = [str(int(row.participation_id)) for row in rows if row.status == "offered"]
    limits = dict(connection.execute(text(_LIMITS.format(", ".join(offered)))).tuples().all())
    moments = [(row.since, row.changed_at, row.offered_at, limits.get(row.participation_id)) for row in rows]
    return [(row.reference, row.status, *map(_local, of)) for row, of in zip(rows, moments, strict=True)]


def _local(moment: datetime | str | None) -> str:
    """Write a moment, which SQLite gives as text."""
    known = datetime.fromisoformat(moment).replace(tzinfo=UTC) if isinstance(moment, str) else moment
    return known.astimezone(BRUSSELS).isoformat(timespec="seconds") if known else ""


def _same(engine: Engine, receiver: int) -> None:
    """Check that both sides tell the same."""
    names = ("reference", "status", "since", "changed_at", "offered_at", "answer_by")
    with reading(engine) as connection:
        mine = listing(connection, receiver, Wanted(limit=200)).items
        theirs = _by_hand(connection, {"receiver": receiver, "after": 0})[:200]
    assert [tuple(item[name] or "" for name in names) for item in mine] == theirs
