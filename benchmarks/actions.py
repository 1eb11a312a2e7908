"""One action per transaction, and bulk progress, beside hand-written SQL that writes the same rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, select

from actions import journal, people
from actions.apply import Request, act_each, apply
from actions.occasion import Actor, Occasion, system
from actions.reading import rules_for
from benchmarks import population
from benchmarks.by_hand import ByHand
from benchmarks.measure import Compared, compare
from benchmarks.report import Measured
from models import Participation, metadata, table_of
from states.names import Role, Subject, Trigger
from tests.support.databases import Databases, Kind
from wiring.database import make_engine

ENGINES: Sequence[Kind] = ("sqlite", "postgresql")
SINGLE, BULK = 400, 1_000  # participations per round
BATCH = 500  # of `BULK`, in one transaction

_NAME = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_SINGLE_AT_LEAST = {"sqlite": 0.30, "postgresql": 0.25}
_BULK_AT_LEAST = 1 / 3
_AT = datetime(2018, 12, 3, 9, tzinfo=UTC)
_OCCASION = Occasion(_AT, _AT)
_PARTICIPATION = table_of(Participation)
_IDS_ASIDE = ("deadline", "notification", "desk_item")

Fill = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two databases that began with the same rows: the product acts on one, hand-written SQL on the other."""

    engine: Engine
    other: Engine
    director: Actor
    by_hand: ByHand

    def column(self, name: str) -> list[Any]:
        """Return a column of all participations, in order of registration."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(_PARTICIPATION.c[name]).order_by(_PARTICIPATION.c.id)).scalars())


def run(databases: Databases, engines: Sequence[Kind], rounds: int) -> Iterator[Measured]:
    """Measure on each engine; both databases of a pair end with the same rows, or this fails."""
    for kind in engines:
        yield _single(databases, kind, rounds)
        yield _bulk(databases, kind, rounds)


def _single(databases: Databases, kind: Kind, rounds: int) -> Measured:
    def fill(connection: Connection) -> None:
        population.multiply(connection, population.register_one(connection), SINGLE * (rounds + 1))

    with _pair(databases, kind, fill) as pair:
        request = Request(Subject.PARTICIPATION, Trigger.APPROVE)
        # each at a moment of its own, as in life: what depends on the moment must not come from a cache
        asked = [(ref, _AT + n * timedelta(seconds=1)) for n, ref in enumerate(pair.column("reference"))]

        def ours(number: int) -> None:
            with pair.engine.connect() as connection:
                for reference, at in _share(asked, number, SINGLE):
                    with connection.begin():
                        apply(connection, reference, request, pair.director, Occasion(at, at))

        def by_hand(number: int) -> None:
            for reference, at in _share(asked, number, SINGLE):
                pair.by_hand.approve(reference, at)

        compared = compare(ours, by_hand, rounds)
    return _line(f"{_NAME[kind]}, one action per transaction", compared, SINGLE, _SINGLE_AT_LEAST[kind])


def _bulk(databases: Databases, kind: Kind, rounds: int) -> Measured:
    half = BULK * (rounds + 1) // 2

    def fill(connection: Connection) -> None:
        one = population.register_one(connection)
        population.approve_one(connection, one)
        population.prepare_one(connection, one)
        population.multiply(connection, one, half)
        population.place_one(connection, one)
        population.multiply(connection, one, half)

    with _pair(databases, kind, fill) as pair:
        ids, request = pair.column("id")[1:], Request(Subject.PARTICIPATION, Trigger.CONFIRM_PREPARATION)
        mixed = [each for two in zip(ids[:half], ids[half:], strict=True) for each in two]  # without a place, with one

        def ours(number: int) -> None:
            for batch in _batches(_share(mixed, number, BULK)):
                with pair.engine.begin() as connection:
                    outcomes = act_each(connection, batch, request, system(), _OCCASION)
                assert not any(isinstance(outcome, Exception) for outcome in outcomes.values()), outcomes

        def by_hand(number: int) -> None:
            for batch in _batches(_share(mixed, number, BULK)):
                pair.by_hand.confirm_preparations(batch, _AT)

        compared = compare(ours, by_hand, rounds)
    return _line(f"{_NAME[kind]}, {BATCH} actions per transaction", compared, BULK, _BULK_AT_LEAST)


def _share(items: Sequence[Any], number: int, size: int) -> Sequence[Any]:
    return items[number * size : (number + 1) * size]


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _line(what: str, compared: Compared, size: int, at_least: float) -> Measured:
    ours, yardstick = (f"{size / seconds:,.0f}/s" for seconds in (compared.ours, compared.yardstick))
    return Measured(what, ours, yardstick, compared.speed, at_least)


@contextmanager
def _pair(databases: Databases, kind: Kind, fill: Fill) -> Iterator[Pair]:
    """Give two databases filled alike; at the end they must be alike again, and the product's journal sound."""
    urls = databases.fresh(kind), databases.fresh(kind)
    engine, other = map(make_engine, urls)
    for each in (engine, other):
        with each.begin() as connection:
            fill(connection)
    with engine.begin() as connection:
        director = people.actor(connection, Role.DIRECTOR, population.DIRECTOR, "cli")
        rules = rules_for(connection, connection.execute(select(_PARTICIPATION.c.revision_id).limit(1)).scalar_one())
    assert director.party_id is not None
    by_hand = ByHand(urls[1], rules, director.party_id, director.organisations)
    yield Pair(engine, other, director, by_hand)
    by_hand.close()
    check_alike(engine, other)
    for each, url in zip((engine, other), urls, strict=True):
        each.dispose()
        databases.discard(url)


def check_alike(engine: Engine, other: Engine) -> None:
    """Check that two databases hold the same rows, generated ids aside, and that the journal of the first is sound."""
    with engine.connect() as mine, other.connect() as theirs:
        for table in metadata.sorted_tables:
            assert _rows(mine, table.name) == _rows(theirs, table.name), f"other rows in {table.name}"
        assert journal.verify(mine)[1] is None


def _rows(connection: Connection, table: str) -> list[str]:
    """Return a table's rows as the driver gives them, in an order that does not depend on generated ids."""
    rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').mappings()
    aside = {"id"} if table in _IDS_ASIDE else set()
    return sorted(str({name: value for name, value in row.items() if name not in aside}) for row in rows)
