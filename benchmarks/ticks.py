"""What a tick costs when nothing is due, however many participations are open, and when ten thousand deadlines are.

Also a script of its own, `python -m benchmarks.ticks URL AT`: one tick in a process whose memory nothing else has used.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from pydantic import SecretStr
from sqlalchemy import Engine

from benchmarks import population
from benchmarks.measure import Work, compare
from benchmarks.report import Line, Measured
from core.settings import Settings
from jobs import delivery, tick
from jobs.workshop import Workshop
from tests.support.databases import Databases
from wiring.database import make_engine
from wiring.workshop import make_workshop

FEW, MANY = 100, 100_000  # open participations, nothing due
DUE = 10_000  # deadlines due, a reminder to each teacher

_IDLE_AT_MOST = 1.5
_MEGABYTES_AT_MOST = 300
_TICKS = 50  # to a round
_IDLE_AT = population.OPENED + timedelta(hours=1)
_DUE_AT = datetime(2019, 3, 12, 8, tzinfo=UTC)  # an hour after the reminders of those whose place is on 21 March


def run(databases: Databases, rounds: int) -> Iterator[Line]:
    """Measure both on SQLite."""
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder:
        yield _idle(databases, Path(folder), rounds)
        yield _due(databases, Path(folder))


def _idle(databases: Databases, folder: Path, rounds: int) -> Measured:
    engines = [_open_participations(databases, count) for count in (MANY, FEW)]
    many, few = (_ticking(workshop_of(engine, folder, _IDLE_AT)) for engine in engines)
    compared = compare(many, few, rounds)
    for engine in engines:
        engine.dispose()
    ours, yardstick = (f"{seconds / _TICKS * 1000:.2f} ms" for seconds in (compared.ours, compared.yardstick))
    what = f"idle tick, {MANY:,} open beside {FEW:,}"
    return Measured(what, ours, yardstick, 1 / compared.speed, _IDLE_AT_MOST, at_most=True)


def _open_participations(databases: Databases, count: int) -> Engine:
    """Give a database with so many registered participations, all of whose deadlines are in the future."""
    engine = make_engine(databases.fresh("sqlite"))
    with engine.begin() as connection:
        population.multiply(connection, population.register_one(connection), count - 1)
    return engine


def _ticking(workshop: Workshop) -> Work:
    tick.run(workshop, _IDLE_AT)  # seals what the set-up wrote
    assert not tick.run(workshop, _IDLE_AT), "there is something to do"

    def work(_number: int) -> None:
        for _ in range(_TICKS):
            tick.run(workshop, _IDLE_AT)

    return work


def _due(databases: Databases, folder: Path) -> Measured:
    url = databases.fresh("sqlite")
    engine = make_engine(url)
    with engine.begin() as connection:
        one = population.register_one(connection)
        population.approve_one(connection, one)
        population.place_one(connection, one)
        population.multiply(connection, one, DUE - 1)
    engine.dispose()
    command = [sys.executable, "-m", "benchmarks.ticks", url, _DUE_AT.isoformat(), str(folder / "due")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    told = json.loads(done.stdout)
    assert told["accepted"] >= DUE, told
    what = f"tick over {DUE:,} due, in {told['seconds']:.0f} s"
    ours, yardstick = (f"{megabytes:,.0f} MB" for megabytes in (told["megabytes"], _MEGABYTES_AT_MOST))
    return Measured(what, ours, yardstick, told["megabytes"] / _MEGABYTES_AT_MOST, 1.0, at_most=True)


def workshop_of(engine: Engine, var: Path, at: datetime) -> Workshop:
    settings = Settings(var=var, secret_key=SecretStr("of a benchmark"))
    return make_workshop(settings, engine, wall=lambda: at, recorded=lambda moment: moment)


def main(url: str, at: str, var: str) -> None:
    """Tick once; print how long it took, the most memory that the process ever held, and what was done."""
    moment = datetime.fromisoformat(at)
    engine = make_engine(url)
    start = perf_counter()
    summaries = tick.run(workshop_of(engine, Path(var), moment), moment)
    seconds = perf_counter() - start
    accepted = next(summary.counts["accepted"] for summary in summaries if summary.job == delivery.JOB)
    print(json.dumps({"seconds": seconds, "megabytes": peak_of_memory(), "accepted": accepted}))


def peak_of_memory() -> float:
    """Return the most memory that this process ever held, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where `getrusage` counts what the parent held when it started us
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        assert found is not None
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2


if __name__ == "__main__":
    main(*sys.argv[1:])
