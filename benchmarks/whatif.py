"""What-if: a ladder changed for ten thousand participations, and 240 days run ahead twice, as it stands and changed."""

import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from time import perf_counter

from actions.editions import current
from benchmarks import population
from benchmarks.report import Line, Measured
from benchmarks.ticks import workshop_of
from simulation.whatif import Asked, what_if
from states.edition import EditionFile
from states.edition_settings import with_settings
from tests.support.databases import Databases
from wiring.database import make_engine, reading

PEOPLE, DAYS = 10_000, 240

_SECONDS_AT_MOST = 20
_FROM = population.OPENED + timedelta(hours=1)
_CHANGE = ("deadlines.participation.registered.approval.steps[0].offset=3",)


def run(databases: Databases) -> Iterator[Line]:
    """Measure on SQLite: everybody waits for their director, and nobody ever acts."""
    url = databases.fresh("sqlite")
    engine = make_engine(url)
    with engine.begin() as connection:
        population.multiply(connection, population.register_one(connection), PEOPLE - 1)
    with reading(engine) as connection:
        loaded = EditionFile.model_validate_json(current(connection).content)
    file = with_settings(loaded, _CHANGE, "edition")
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder:
        workshop = workshop_of(engine, Path(folder), _FROM)
        for asked, times, how in ((loaded, 1, "as it stands"), (file, 2, "as it stands and changed")):
            start = perf_counter()
            found = what_if(workshop, _FROM, DAYS, Asked(asked))
            seconds = perf_counter() - start
            mails = f"{found['before']['mails']['total']:,} mails"
            what = f"SQLite, {PEOPLE:,} over {DAYS} days, {how} ({mails})"
            limit = times * _SECONDS_AT_MOST
            yield Measured(what, f"{seconds:.1f} s", f"{limit} s", seconds / limit, 1.0, at_most=True)
        answers = {json.dumps(what_if(workshop, _FROM, DAYS, Asked(file))) for _ in range(2)}
    assert len(answers) == 1, "another answer to the same question"
    engine.dispose()
    databases.discard(url)
