"""Ten thousand deadlines that fall due within one minute, among a hundred thousand, beside hand-written SQL.

Also a script of its own, `python -m benchmarks.deadlines URL VAR`: the job, in a process whose memory nothing else has
used. Of ten that are due six remind a director, three alert IFC and one lapses a registration.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter

from sqlalchemy import Connection, Engine, event, func, select, text, update

from actions.reading import rules_for
from benchmarks import population
from benchmarks.actions import check_alike
from benchmarks.deadlines_by_hand import DeadlinesByHand
from benchmarks.report import Line, Measured
from benchmarks.ticks import peak_of_memory, workshop_of
from jobs import deadlines
from jobs.workshop import MOST_AT_ONCE
from models import Deadline, table_of
from tests.support.databases import Databases, Kind
from wiring.database import make_engine

OPEN = 100_000
DUE = {0: 6_000, 1: 3_000, 3: 1_000}  # by step of the ladder: reminders, alerts, lapses (2: the committee's figures)

_NAME = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_SECONDS_AT_MOST = 20
_IDLE_MS_AT_MOST = {"sqlite": 5, "postgresql": 10}  # there each of three transactions asks a server
_MEGABYTES_AT_MOST = 300
_SPEED_AT_LEAST = {"sqlite": 0.2, "postgresql": 0.2}
_SWEEPS = 101
_MINUTE = datetime(2018, 12, 3, 9, tzinfo=UTC)
_INTERVAL = timedelta(seconds=60)  # between two sweeps: the second one finds what fell due since the first
_DEADLINE = table_of(Deadline)


def run(databases: Databases, engines: Sequence[Kind]) -> Iterator[Line]:
    """Measure on each engine, once: both databases end with the same rows, or this fails."""
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder:
        for kind in engines:
            yield from _measured(databases, kind, Path(folder))


def _measured(databases: Databases, kind: Kind, folder: Path) -> Iterator[Line]:
    urls = databases.fresh(kind), databases.fresh(kind)
    engine, other = map(make_engine, urls)
    for each in (engine, other):
        _fill(each)
    command = [sys.executable, "-m", "benchmarks.deadlines", urls[0], str(folder / kind)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    told = json.loads(done.stdout)
    by_hand = _by_hand(other, urls[1])
    check_alike(engine, other)
    for each, url in zip((engine, other), urls, strict=True):
        each.dispose()
        databases.discard(url)
    due = sum(DUE.values())
    what = f"{_NAME[kind]}, {due:,} due of {OPEN:,} open"
    yield _at_most(what, told["seconds"], _SECONDS_AT_MOST, "s")
    yield _at_most(f"{what}: late, p99", told["late"], _INTERVAL.total_seconds() + _SECONDS_AT_MOST, "s")
    yield _at_most(f"{what}: sweep with nothing due", told["idle"] * 1000, _IDLE_MS_AT_MOST[kind], "ms")
    yield _at_most(f"{what}: memory", told["megabytes"], _MEGABYTES_AT_MOST, "MB")
    speed, yardstick = (f"{due / seconds:,.0f}/s" for seconds in (told["seconds"], by_hand))
    ratio = by_hand / told["seconds"]
    yield Measured(f"{_NAME[kind]}, beside hand-written SQL", speed, yardstick, ratio, _SPEED_AT_LEAST[kind])


def _at_most(what: str, value: float, most: float, unit: str) -> Measured:
    return Measured(what, f"{value:,.1f} {unit}", f"{most:,.0f} {unit}", value / most, 1.0, at_most=True)


def _fill(engine: Engine) -> None:
    """Have so many wait for their director, at three points of the ladder; the others' deadlines are far away."""
    with engine.begin() as connection:
        first = population.register_one(connection)
        each = connection.execute(select(func.count()).where(_DEADLINE.c.status == "open")).scalar_one()
        over = sum(step * number for step, number in DUE.items())  # the steps before those that fall due
        ids = [first, *population.multiply(connection, first, -(-(OPEN + over) // each) - 1)]
        approval = _DEADLINE.c.rule == "approval"
        connection.execute(update(_DEADLINE).where(approval).values(due_at=_MINUTE + timedelta(days=100)))
        for step, number in DUE.items():
            due, ids = ids[:number], ids[number:]
            _bring_to(connection, due[0], due[-1], step)
        count = connection.execute(select(func.count()).where(_DEADLINE.c.status == "open")).scalar_one()
        assert OPEN <= count < OPEN + each  # as few people as make it
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))


def _bring_to(connection: Connection, first: int, last: int, step: int) -> None:
    """Have this step fall due within the minute, for each of these participations; those before it have fired."""
    theirs = update(_DEADLINE).where(_DEADLINE.c.participation_id.between(first, last), _DEADLINE.c.rule == "approval")
    fired = {"status": "fired", "due_at": population.OPENED, "ended_at": population.OPENED}
    connection.execute(theirs.where(_DEADLINE.c.step < step).values(fired))
    for second in range(60):
        some = theirs.where(_DEADLINE.c.step == step, _DEADLINE.c.participation_id % 60 == second)
        connection.execute(some.values(due_at=_MINUTE + timedelta(seconds=second)))


def _by_hand(engine: Engine, url: str) -> float:
    with engine.connect() as connection:
        (revision,) = connection.execute(text("SELECT DISTINCT revision_id FROM participation")).one()
        rules = rules_for(connection, revision)
    by_hand = DeadlinesByHand(url, rules)
    start = perf_counter()
    by_hand.fire(_MINUTE + _INTERVAL, MOST_AT_ONCE)
    seconds = perf_counter() - start
    by_hand.close()
    return seconds


def main(url: str, var: str) -> None:
    """Fire what is due; print the seconds that it took, how late each was, what a sweep costs, the memory at most."""
    engine = make_engine(url)
    at = _MINUTE + _INTERVAL
    workshop = workshop_of(engine, Path(var), at)
    commits: list[float] = []
    event.listen(engine, "commit", lambda _connection: commits.append(perf_counter()))
    start = perf_counter()
    summary = deadlines.run(workshop, at)
    seconds = perf_counter() - start
    done = ("approval:remind", "approval:escalate", "participation:lapsed")
    assert summary.counts == dict(zip(done, DUE.values(), strict=True)), summary.counts
    # A batch is told of when the next one is committed, the last one at the end: never too early.
    known = [moment - start for moment in commits[-sum(DUE.values()) // MOST_AT_ONCE :]]
    print(json.dumps({"seconds": seconds, "late": _late(known[1:], seconds), "idle": _idle(engine, Path(var)),
                      "megabytes": peak_of_memory()}))  # fmt: skip


def _late(batches: Sequence[float], seconds: float) -> float:
    """Return by how much the last but one in a hundred was late, in seconds; they fall due evenly in the interval."""
    due = sum(DUE.values())
    ends = [*batches, *[seconds] * (due // MOST_AT_ONCE)]
    late = [_INTERVAL.total_seconds() * (1 - number / due) + ends[number // MOST_AT_ONCE] for number in range(due)]
    return sorted(late)[due * 99 // 100]


def _idle(engine: Engine, var: Path) -> float:
    """Return what a sweep takes that finds nothing, the probe and a run for nothing, in seconds."""
    at = _MINUTE + 2 * _INTERVAL
    workshop = workshop_of(engine, var, at)
    times: list[float] = []
    for _ in range(_SWEEPS):
        start = perf_counter()
        with engine.connect().execution_options(read_only=True) as connection:
            assert not deadlines.has_work(connection, at)
        assert not deadlines.run(workshop, at).handled
        times.append(perf_counter() - start)
    return median(times)


if __name__ == "__main__":
    main(*sys.argv[1:])
