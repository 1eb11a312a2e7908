"""Ten thousand handoffs in one run of the flow, on a real Prefect server, beside hand-written SQL for the same rows."""

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from pydantic import SecretStr
from sqlalchemy import Engine, text

from actions.reading import rules_for
from benchmarks import population
from benchmarks.actions import check_alike
from benchmarks.offers_by_hand import OffersByHand
from benchmarks.report import Measured
from core.settings import Settings
from documents.packet import fingerprint
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from ops.prefect_server import prefect_server
from ops.ticking import speak_to
from tests.support.databases import Databases, Kind
from wiring.database import make_engine
from wiring.workshop import make_workshop

MANY = 10_000
_SECONDS_AT_MOST = 60
_SPEED_AT_LEAST = 0.15
_AT = population.IMMERSED + timedelta(hours=1)
_NAME = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_OFFERED = """
SELECT h.status, h.packet_hash, k.sha256, k.content, j.data FROM participation p
JOIN handoff h ON h.participation_id = p.id
LEFT JOIN packet k ON k.participation_id = p.id AND k.round = h.round
LEFT JOIN journal j ON j.chain = 'participation' AND j.chain_id = p.id AND j."trigger" = 'offer'
"""

Offer = Callable[[Workshop], Summary]


def run(databases: Databases, engines: Sequence[Kind]) -> Iterator[Measured]:
    """Offer on each engine once: both databases end with the same rows, or this fails."""
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder, _flow(Path(folder)) as offer:
        for kind in engines:
            yield from _offered(databases, kind, Path(folder), offer)


@contextmanager
def _flow(folder: Path) -> Iterator[Offer]:
    """Give the real flow, on a server of its own."""
    home = folder / "prefect"
    with prefect_server(home, log=home / "server.log") as api_url:
        speak_to(api_url, home)
        from flows.jobs import handoffs  # noqa: PLC0415 - imports Prefect, which reads its settings then
        from flows.surroundings import connected, working_in  # noqa: PLC0415 - as above

        async def one_run() -> Summary:
            async with connected():
                return await handoffs(_AT)

        def offer(workshop: Workshop) -> Summary:
            with working_in(workshop):
                return asyncio.run(one_run())

        yield offer


def _offered(databases: Databases, kind: Kind, folder: Path, offer: Offer) -> Iterator[Measured]:
    urls = databases.fresh(kind), databases.fresh(kind)
    engine, other = map(make_engine, urls)
    for each in (engine, other):
        _fill(each)
    settings = Settings(var=folder, secret_key=SecretStr("of a benchmark"))
    start = perf_counter()
    summary = offer(make_workshop(settings, engine, recorded=lambda moment: moment))
    ours = perf_counter() - start
    yardstick = _by_hand(other, urls[1])
    assert summary.counts == {"handoff:offered": MANY}, summary.counts
    _check(engine)
    check_alike(engine, other)
    for each, url in zip((engine, other), urls, strict=True):
        each.dispose()
        databases.discard(url)
    what = f"{_NAME[kind]}, {MANY:,} offered in one flow run"
    limit = f"{_SECONDS_AT_MOST} s"
    yield Measured(what, f"{ours:.1f} s", limit, ours / _SECONDS_AT_MOST, 1.0, at_most=True)
    speed, by_hand = (f"{MANY / seconds:,.0f}/s" for seconds in (ours, yardstick))
    yield Measured(f"{_NAME[kind]}, beside hand-written SQL", speed, by_hand, yardstick / ours, _SPEED_AT_LEAST)


def _fill(engine: Engine) -> None:
    """Have so many come back from a company, their packets complete; each waits to be offered."""
    with engine.begin() as connection:
        one = population.register_one(connection)
        population.approve_one(connection, one)
        population.prepare_one(connection, one)
        population.place_one(connection, one)
        population.immerse_one(connection, one)
        population.multiply(connection, one, MANY - 1)


def _by_hand(engine: Engine, url: str) -> float:
    with engine.connect() as connection:
        (revision,) = connection.execute(text("SELECT DISTINCT revision_id FROM participation")).one()
        rules = rules_for(connection, revision)
    by_hand = OffersByHand(url, rules)
    start = perf_counter()
    by_hand.offer(_AT, MOST_AT_ONCE)
    seconds = perf_counter() - start
    by_hand.close()
    return seconds


def _check(engine: Engine) -> None:
    """Check that each was offered once, with the packet whose hash stands on the handoff and in the journal.

    The flow run's id stands beside each entry; it is taken off, for nobody wrote it by hand.
    """
    with engine.begin() as connection:
        rows = connection.execute(text(_OFFERED)).all()
        entered = connection.execute(text("UPDATE journal SET flow_run_id = NULL WHERE flow_run_id IS NOT NULL"))
    assert len(rows) == MANY
    assert entered.rowcount == MANY
    for row in rows:
        assert row.status == "offered"
        assert row.packet_hash == row.sha256 == fingerprint(row.content)
        assert f'"packet":"{row.sha256}"' in row.data
