"""A whole edition of 400 days with 500 participations, played by plain jobs: people who act, mails, seals and all."""

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

from pydantic import SecretStr
from sqlalchemy import func, select

from actions.writing import PARTICIPATION
from benchmarks.report import Line, Measured
from core.settings import Settings
from documents.tables import read_table
from jobs import tick
from simulation.cast import Cast, read_cast
from simulation.edition import Simulation, seeded_salt
from tests.support.databases import Databases
from wiring.database import make_engine
from wiring.workshop import make_workshop

PEOPLE, DAYS = 500, 400

_SECONDS_AT_MOST = 60
_SAMPLE = "2018-2019"
_OPENS = date(2018, 8, 27)
_TROUPES = 6  # of the sample's 92, each with offers of their own; the last one is not complete
_OWN = ("email", "direction_email", "contact_email", "reference", "voeu_1", "voeu_2", "voeu_3")


def run(databases: Databases) -> Iterator[Line]:
    """Measure on SQLite."""
    url = databases.fresh("sqlite")
    engine = make_engine(url)
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as name:
        folder = Path(name)
        cast = _cast(folder)
        settings = Settings(var=folder, secret_key=SecretStr("of a benchmark"))
        workshop = make_workshop(settings, engine, recorded=lambda at: at, salt=seeded_salt(cast.seed))
        start = perf_counter()
        played = Simulation(workshop, cast, lambda at: tick.run(workshop, at), lambda _at, _ticks: None).play()
        seconds = perf_counter() - start
        mails = len(list((folder / "mail").iterdir()))
    with engine.connect() as connection:
        states = select(PARTICIPATION.c.state, func.count()).group_by(PARTICIPATION.c.state)
        counts = {row[0]: row[1] for row in connection.execute(states)}
    engine.dispose()
    databases.discard(url)
    assert sum(counts.values()) == PEOPLE, counts
    assert counts["evaluated"] > PEOPLE // 2, counts
    what = f"SQLite, {DAYS} days of {PEOPLE} ({played.acts:,} acts, {played.ticks} ticks, {mails:,} mails)"
    ratio = seconds / _SECONDS_AT_MOST
    yield Measured(what, f"{seconds:.1f} s", f"{_SECONDS_AT_MOST} s", ratio, 1.0, at_most=True)


def _cast(folder: Path) -> Cast:
    """Write the sample's files for so many, over so many days: the same people and offers several times over."""
    sample = read_cast(_SAMPLE)
    edition = folder / "edition.toml"
    content = sample.edition_file.read_text(encoding="utf-8")
    longer = {"opens = 2018-09-03": f"opens = {_OPENS}", "closes = 2019-06-28": f"closes = {_OPENS + _LAST}"}
    for before, after in longer.items():
        assert before in content
        content = content.replace(before, after)
    edition.write_text(content, encoding="utf-8")
    offers = _several(sample.offers_file, folder / "offers.csv")
    registrations, left = [], PEOPLE
    for day, path in sample.registrations:
        registrations.append((day, _several(path, folder / path.name, left)))
        left -= _rows(registrations[-1][1])
    return replace(
        sample,
        edition_file=edition,
        offers_file=offers,
        registrations=tuple(registrations),
        people={_own(email, n): part for email, part in sample.people.items() for n in range(_TROUPES)},
        offers=tuple(
            replace(part, reference=_own(part.reference, n)) for part in sample.offers for n in range(_TROUPES)
        ),
    )


_LAST = timedelta(days=DAYS - 1)


def _several(source: Path, target: Path, most: int | None = None) -> Path:
    """Copy each row of a file for each troupe, with addresses and references of its own; `most` rows at most."""
    table = read_table(source.read_bytes(), source.name)
    rows = [
        {name: _own(value, number) if name in _OWN else value for name, value in record.values.items()}
        for record in table.records
        for number in range(_TROUPES)
    ]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows[:most])
    return target


def _rows(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def _own(value: str, number: int) -> str:
    """Return an address, or a reference, for one of the troupes; the first keeps the sample's."""
    if not value or not number:
        return value
    name, at, place = value.partition("@")
    return f"{name}{number}{at}{place}" if at else f"{value}-{number}"
