"""Small worlds: an edition with a few people in a fresh database, on either engine, as far along as a test needs them.

Built through the application's own actions, once per engine and process of the test run; each test gets a copy.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, event, func, make_url, select, text

from actions import editions, facts, journal, reading, webhooks
from actions.apply import Applied, Request, apply, apply_many
from actions.imports import FileKind, import_file
from actions.occasion import Actor, Occasion, system
from core.clock import parse_moment
from core.hosts import AllowList
from jobs import handoffs, progress, tick
from jobs.summary import Summary
from jobs.workshop import Workshop
from models import (
    Contact,
    Handoff,
    Offer,
    OfferSession,
    Organisation,
    Participation,
    Placement,
    Seat,
    Wish,
    metadata,
    table_of,
)
from notifications.courier import Courier, Post
from notifications.gateways import FileGateway, Gateway, Mailbox
from simulation.cast import read_cast
from simulation.edition import Simulation, seeded_salt
from states.edition import EditionFile, read_edition
from states.names import Role, Subject, Trigger
from tests.support.databases import Databases, Kind
from tests.support.rows import Dump, dump
from wiring.database import make_engine

CONTACT, ORGANISATION, PARTICIPATION = table_of(Contact), table_of(Organisation), table_of(Participation)
OFFER, SESSION, SEAT, WISH = table_of(Offer), table_of(OfferSession), table_of(Seat), table_of(Wish)
PLACEMENT, HANDOFF = table_of(Placement), table_of(Handoff)

SIZE = max(1, int(os.environ.get("CHAOS_SIZE", "1")))
"""How large the reliability tests run: 1 in the suite, more by `make chaos`."""


def in_turn(number: int) -> tuple[Kind, ...]:
    """Return the engines on which a case of this number is tried: one in the suite, in turn; both at a larger size."""
    kinds: tuple[Kind, ...] = ("sqlite", "postgresql")
    return kinds if SIZE > 1 else kinds[number % 2 : number % 2 + 1]


_HERE = Path(__file__).parent
EDITION = _HERE.joinpath("mini.toml").read_text(encoding="utf-8")

EVALUATION = _HERE.joinpath("mini-evaluation.toml").read_text(encoding="utf-8")
"""What the small edition asks at the end, and its sample, where a test wants them."""
ANSWERS = {"organisation": 3, "use": "lesson", "recommend": True, "remark": "Merci à Durbuy."}

OFFERS = _HERE.joinpath("mini-offers.csv").read_text(encoding="utf-8")
"""Two offers with dates, two places and one; one place whose dates are to be fixed."""

PEOPLE = _HERE.joinpath("mini-people.csv").read_text(encoding="utf-8")
"""Two of one school, one of another network, one without a school; their names stand nowhere else."""
_PEOPLE_HEAD = PEOPLE.partition("\n")[0] + "\n"
AMELIE, BASILE, CELINE, DESIRE = (f"MINI-{number:04d}" for number in range(1, 5))


def moment(local: str) -> datetime:
    """Return a moment in UTC from a local one, as `2018-09-17 08:00`."""
    return parse_moment(local)


REGISTERED_AT = moment("2018-09-17 08:00")
APPROVED_AT = moment("2018-09-18 10:00")
PLACED_AT = moment("2018-10-01 08:00")
PREPARED_AT = moment("2018-10-10 10:00")
ATTESTED_AT = moment("2018-12-12 10:00")
IMMERSED_AT = moment("2018-12-12 11:00")
OFFERED_AT = moment("2018-12-12 12:00")
ACCEPTED_AT = moment("2018-12-14 10:00")
TRANSFERRED_AT = moment("2018-12-20 10:00")
RETURNED_AT = moment("2018-12-21 10:00")
EVALUATED_AT = moment("2019-01-08 10:00")


class Wall:
    """A machine's clock that a test sets; it stands still meanwhile."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or moment("2026-01-05 09:00")

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class World:
    """A database with what a job needs around it."""

    engine: Engine
    folder: Path
    wall: Wall = field(default_factory=Wall)
    holder: str = "first"
    gateway: Gateway | None = None
    post: Post | None = None

    @property
    def workshop(self) -> Workshop:
        """Return what a job is given; the programme's moment is also that of recording, salts are all alike."""
        return Workshop(
            engine=self.engine,
            gateway=self.gateway or FileGateway(self.folder / "mail"),
            sender=Mailbox("entrapprendre@ifc.example", "IFC"),
            inbox=self.folder / "inbox",
            seals=self.folder / "seals",
            documents=self.folder / "documents",
            seal_key=b"a key of the tests",
            wall=self.wall,
            recorded=lambda at: at,
            salt=lambda: "salt",
            holder=self.holder,
            post=self.post or Courier(AllowList.parse("127.0.0.0/8"), connect_within=0.5, all_within=1).post,
            public_url="https://entrapprendre.example",
        )

    def another(self, holder: str, **changes: Any) -> "World":
        """Return the same world as another process sees it."""
        return replace(self, holder=holder, **changes)

    # ------------------------------------------------------------------------------------------------------- acting
    def act(
        self,
        reference: str,
        trigger: Trigger,
        role: Role,
        at: datetime,
        *,
        subject: Subject = Subject.PARTICIPATION,
        recorded_at: datetime | None = None,
        **asked: Any,
    ) -> Applied:
        """Do one act, by whoever holds the role towards this participation, in a transaction of its own."""
        with self.engine.begin() as connection:
            who = own(connection, role, reference)
            occasion = Occasion(at, recorded_at or at, salt=lambda: "salt")
            if trigger is Trigger.CONFIRM_IMMERSION:
                asked = {"data": {"half_days": 4}, **asked}
            return apply(connection, reference, Request(subject, trigger, **asked), who, occasion)

    def attend(self, reference: str, at: datetime, present: int = 4) -> None:
        """Have the company attest so many half-days of the place's days, the first ones."""
        with self.engine.begin() as connection:
            days = facts._days(connection, reading.read(connection, reference, system()))
            halves = [(day, part) for day in days for part in ("am", "pm")]
            told = [facts.HalfDay(day, part, present=n < present) for n, (day, part) in enumerate(halves)]
            who = own(connection, Role.COMPANY, reference)
            facts.record_presence(connection, reference, told, who, Occasion(at, at))

    def tick(self, at: datetime) -> list[Summary]:
        """Run all that is due."""
        return tick.run(self.workshop, at)

    # ------------------------------------------------------------------------------------------------------- looking
    def rows(self, sql: str, **values: Any) -> list[Row[Any]]:
        """Return what a statement gives."""
        with self.engine.begin() as connection:
            return list(connection.execute(text(sql), values).all())

    def one(self, sql: str, **values: Any) -> Any:
        """Return the one value that a statement gives."""
        ((value,),) = self.rows(sql, **values)
        return value

    def change(self, sql: str, **values: Any) -> int:
        """Change rows by hand; return how many."""
        with self.engine.begin() as connection:
            return connection.execute(text(sql), values).rowcount

    def state(self, reference: str) -> str:
        return str(self.one("SELECT state FROM participation WHERE reference = :r", r=reference))

    def id(self, reference: str) -> int:
        return int(self.one("SELECT id FROM participation WHERE reference = :r", r=reference))

    def mails(self) -> dict[str, bytes]:
        """Return what left, by file name."""
        return {path.name: path.read_bytes() for path in sorted((self.folder / "mail").glob("*.eml"))}

    def assert_chains_hold(self) -> None:
        with self.engine.begin() as connection:
            assert journal.verify(connection)[1] is None


# ------------------------------------------------------------------------------------------------------------- who acts
def own(connection: Connection, role: Role, reference: str) -> Actor:
    """Return somebody who holds this role towards this participation: its teacher, director, relay."""
    if role is Role.SYSTEM:
        return system("test")
    row = connection.execute(select(PARTICIPATION).where(PARTICIPATION.c.reference == reference)).one()
    if role is Role.TEACHER:
        return Actor(role, row.party_id, frozenset(), "test")
    if role is Role.DIRECTOR:
        return _of(connection, role, row.school_id)
    if role is Role.COMPANY:
        return _of(connection, role, _company(connection, row.id))
    if role is Role.INSTITUTE:
        return _of(connection, role, _receiver(connection, row.id))
    return _of(connection, role, _only(connection, "committee" if role is Role.COMMITTEE else "ifc"))


def other(connection: Connection, role: Role, reference: str) -> Actor:
    """Return somebody who holds this role, but towards others than this participation."""
    mine = own(connection, role, reference)
    if role is Role.TEACHER:
        query = select(func.max(PARTICIPATION.c.party_id)).where(PARTICIPATION.c.party_id != mine.party_id)
        return Actor(role, connection.execute(query).scalar_one(), frozenset(), "test")
    held = select(CONTACT.c.organisation_id).where(
        CONTACT.c.role == role.value, CONTACT.c.organisation_id.not_in(mine.organisations)
    )
    return _of(connection, role, connection.execute(held.order_by(CONTACT.c.id).limit(1)).scalar())


def _of(connection: Connection, role: Role, organisation_id: int | None) -> Actor:
    contact = (CONTACT.c.organisation_id == organisation_id, CONTACT.c.role == role.value)
    party_id = connection.execute(select(CONTACT.c.party_id).where(*contact).order_by(CONTACT.c.rank).limit(1)).scalar()
    return Actor(role, party_id, frozenset() if organisation_id is None else frozenset({organisation_id}), "test")


def _company(connection: Connection, participation_id: int) -> int | None:
    """Return the company of the latest place, else of the first wish."""
    placed = (
        select(OFFER.c.company_id)
        .join(SESSION, SESSION.c.offer_id == OFFER.c.id)
        .join(SEAT, SEAT.c.session_id == SESSION.c.id)
        .join(PLACEMENT, PLACEMENT.c.seat_id == SEAT.c.id)
        .where(PLACEMENT.c.participation_id == participation_id)
        .order_by(PLACEMENT.c.attempt.desc())
    )
    wished = (
        select(OFFER.c.company_id)
        .join(WISH, WISH.c.offer_id == OFFER.c.id)
        .where(WISH.c.participation_id == participation_id)
        .order_by(WISH.c.rank)
    )
    return connection.execute(placed.limit(1)).scalar() or connection.execute(wished.limit(1)).scalar()


def _receiver(connection: Connection, participation_id: int) -> int | None:
    ours = (HANDOFF.c.participation_id == participation_id, HANDOFF.c.purpose == "transfer")
    query = select(HANDOFF.c.receiver_id).where(*ours)
    return connection.execute(query.order_by(HANDOFF.c.round.desc()).limit(1)).scalar()


def _only(connection: Connection, kind: str) -> int:
    return int(connection.execute(select(ORGANISATION.c.id).where(ORGANISATION.c.kind == kind)).scalar_one())


# ------------------------------------------------------------------------------------------------------------- building
def edition_file(**replaced: str) -> EditionFile:
    """Return the small edition, with `key = value` lines replaced, as `closes="2019-03-31"`."""
    lines = []
    for line in EDITION.splitlines():
        key = line.partition(" = ")[0]
        lines.append(f"{key} = {replaced.pop(key)}" if key in replaced else line)
    assert not replaced
    return read_edition("\n".join(lines).encode(), "mini.toml")


def load(world: World, file: EditionFile, at: datetime = REGISTERED_AT) -> None:
    """Load an edition."""
    with world.engine.begin() as connection:
        editions.load(connection, file, system("test"), Occasion(at, at))


def take_in(world: World, kind: FileKind, data: str, at: datetime = REGISTERED_AT) -> None:
    """Import what a file says; every row must be good."""
    with world.engine.begin() as connection:
        edition = editions.current(connection)
        report = import_file(connection, edition, kind, data.encode(), "file.csv", system("test"), Occasion(at, at))
        assert not report.rejected


def crowd(size: int, wish: str = "ALPHA-01") -> str:
    """Return a registrations file of so many people, of twenty schools and two networks in turn.

    A wish may hold the number of its block of `BLOCK` people, as `ALPHA-{}`.
    """
    rows = (
        f"Nom{n};Prénom{n};p{n}@e{n % 20}.example;enseignant;8{n % 20:04d};École {n % 20};{('SeGEC', 'WBE')[n % 2]};"
        f"ordinaire;liege;Dora Directrice;dora@e{n % 20}.example;Usinage;{wish.format(n // BLOCK)};;\n"
        for n in range(size)
    )
    return _PEOPLE_HEAD + "".join(rows)


def only_offers(world: World) -> None:
    """Nobody is registered yet."""
    if not world.rows("SELECT code FROM edition"):
        load(world, edition_file())
    take_in(world, FileKind.OFFERS, OFFERS)


def registered(world: World) -> None:
    """Four people are registered."""
    only_offers(world)
    take_in(world, FileKind.REGISTRATIONS, PEOPLE)


def approved(world: World) -> None:
    """They are approved, and no tick has run since."""
    registered(world)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
    world.act(DESIRE, Trigger.APPROVE, Role.COORDINATOR, APPROVED_AT)


def placed(world: World) -> None:
    """Amélie and Céline are with Alpha, Basile with Beta; Désiré, whose second wish has no dates, with Gamma."""
    approved(world)
    world.tick(PLACED_AT)


def prepared(world: World) -> None:
    """All but Désiré are prepared."""
    placed(world)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.CONFIRM_PREPARATION, Role.TEACHER, PREPARED_AT)
    world.tick(PREPARED_AT + timedelta(hours=1))


def immersed(world: World) -> None:
    """All but Désiré were in their companies; their handoffs wait to be routed."""
    prepared(world)
    world.tick(ATTESTED_AT)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.CONFIRM_IMMERSION, Role.COMPANY, IMMERSED_AT)


def offered(world: World) -> None:
    """Their handoffs are offered: to Cecafoc (Amélie, Basile) and to FCC (Céline)."""
    immersed(world)
    world.tick(OFFERED_AT)


def accepted(world: World) -> None:
    offered(world)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.ACCEPT, Role.INSTITUTE, ACCEPTED_AT, subject=Subject.HANDOFF)


def transferred(world: World) -> None:
    """Their transfers are confirmed, without a session or a note; the returns wait for the next tick."""
    accepted(world)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, TRANSFERRED_AT)


def returned(world: World) -> None:
    """IFC accepts what came back as it is."""
    transferred(world)
    for reference in (AMELIE, BASILE, CELINE):
        reason = "Feuille de présence sur papier."
        world.act(reference, Trigger.ACCEPT, Role.COORDINATOR, RETURNED_AT, subject=Subject.RETURN, reason=reason)


def evaluated(world: World) -> None:
    """Amélie is through; Basile and Céline have yet to evaluate."""
    returned(world)
    world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, EVALUATED_AT)
    world.tick(EVALUATED_AT + timedelta(hours=1))


def name_receiver(world: World, url: str, institute: str = "CECAFOC") -> int:
    """Name a receiver of webhooks for an institute, at an address of this machine or of nobody."""
    with world.engine.begin() as connection:
        return webhooks.add(connection, institute, url, AllowList.parse("127.0.0.0/8"), IMMERSED_AT)


def asked(world: World) -> None:
    """Three have yet to answer the questionnaire: Amélie and Basile of one network, Céline of another."""
    load(world, read_edition((EDITION + EVALUATION).encode(), "mini.toml"))
    returned(world)


# -------------------------------------------------------------------------------------------------------------- a crowd
CROWD = 200 * SIZE
SEATS = min(CROWD * 3 // 4, 500)  # as many as an offer may have
BLOCK = 200  # people for one offer


def crowd_registered(world: World) -> None:
    """Two hundred are registered, for an offer with places for three in four."""
    load(world, edition_file())
    take_in(world, FileKind.OFFERS, OFFERS.replace(";liege;2;", f";liege;{SEATS};"))
    take_in(world, FileKind.REGISTRATIONS, crowd(CROWD))


def crowd_approved(world: World) -> None:
    """All are approved, and all did the e-learning."""
    crowd_registered(world)
    everybody(world, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
    rows = "".join(f"p{n}@e{n % 20}.example;2018-09-18\n" for n in range(CROWD))
    take_in(world, FileKind.PREPARATIONS, f"email;date\n{rows}", APPROVED_AT)


def crowd_immersed(world: World, size: int = CROWD) -> None:
    """All were in a company, which attests it; their handoffs wait to be routed."""
    load(world, edition_file())
    head, row = OFFERS.splitlines()[:2]
    blocks = [row.replace("-01;", f"-{n};").replace(";liege;2;", f";liege;{BLOCK};") for n in range(-(-size // BLOCK))]
    take_in(world, FileKind.OFFERS, "\n".join([head, *blocks]))
    take_in(world, FileKind.REGISTRATIONS, crowd(size, "ALPHA-{}"))
    everybody(world, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
    progress.run(world.workshop, PLACED_AT)
    everybody(world, Trigger.CONFIRM_PREPARATION, Role.COORDINATOR, PREPARED_AT, reason="Sur papier.")
    everybody(world, Trigger.CONFIRM_IMMERSION, Role.COMPANY, IMMERSED_AT, data={"half_days": 4})


def crowd_told(world: World) -> None:
    """Their handoffs are offered; each institute has three receivers, which do not know it yet."""
    crowd_immersed(world)
    for institute in ("CECAFOC", "FCC"):
        for number in range(3):
            name_receiver(world, f"https://{institute.lower()}.example/{number}", institute)
    handoffs.run(world.workshop, OFFERED_AT)


def everybody(world: World, trigger: Trigger, role: Role, at: datetime, **asked: Any) -> None:
    """Do one act on everybody, by somebody who holds the role everywhere."""
    with world.engine.begin() as connection:
        everywhere = frozenset(connection.execute(select(ORGANISATION.c.id)).scalars())
        who = replace(own(connection, role, AMELIE), organisations=everywhere)
        ids = connection.execute(select(PARTICIPATION.c.id).order_by(PARTICIPATION.c.id)).scalars().all()
        request = Request(Subject.PARTICIPATION, trigger, **asked)
        done = apply_many(connection, dict.fromkeys(ids, request), who, Occasion(at, at, salt=lambda: "salt"))
        assert {type(outcome) for outcome in done.values()} == {Applied}


Build = Callable[[World], None]


@dataclass
class _Template:
    """A database that nobody is connected to, and engines on copies of it that wait for their next test."""

    url: str
    idle: list[Engine] = field(default_factory=list)


_TEMPLATES: "WeakKeyDictionary[Databases, dict[tuple[Kind, Build], _Template]]" = WeakKeyDictionary()


@contextmanager
def a_world(
    databases: Databases, kind: Kind, folder: Path, build: Build = registered, *, own_schema: bool = False
) -> Iterator[World]:
    """Give a world of one's own, built as asked; `folder` is for its mail, inbox and seals.

    Databases, and engines with what they have compiled, are used again; a test that changes tables themselves, or
    listens to the engine, asks for its `own_schema`.
    """
    template = _template(databases, kind, folder, build)
    if own_schema or not template.idle:
        engine = quick_engine(copy(databases, kind, template.url))
    else:
        engine = template.idle.pop()
        _reset(engine, template.url)
    try:
        yield World(engine, folder)
    finally:
        engine.dispose()
        if own_schema:
            databases.discard(engine.url.render_as_string(hide_password=False))
        else:
            template.idle.append(engine)


def _template(databases: Databases, kind: Kind, folder: Path, build: Build) -> _Template:
    built = _TEMPLATES.setdefault(databases, {})
    if (kind, build) not in built:
        url = databases.fresh(kind)
        engine = quick_engine(url)
        scratch = folder / "template"
        build(World(engine, scratch))
        shutil.rmtree(scratch, ignore_errors=True)
        if kind == "postgresql":
            _save(engine)
        engine.dispose()  # also brings SQLite's log into the one file that is copied
        built[kind, build] = _Template(url)
    return built[kind, build]


def _save(engine: Engine) -> None:
    """Keep a second copy of every row, from which a used database is restored: far quicker than making another."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA saved")
        for name in metadata.tables:
            connection.exec_driver_sql(f"CREATE TABLE saved.{name} AS SELECT * FROM public.{name}")


_TERMINATE_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def _reset(engine: Engine, template: str) -> None:
    """Bring a used database back to its template."""
    reading._RULES.pop(engine, None)  # a test may have loaded another revision of that number
    if engine.dialect.name == "sqlite":
        path = Path(engine.url.database or "")
        for old in path.parent.glob(f"{path.name}*"):  # another file: somebody may still hold the old one open
            old.unlink()
        shutil.copyfile(make_url(template).database or "", path)
        return
    names = [table.name for table in metadata.sorted_tables]
    numbered = [table.name for table in metadata.sorted_tables if "id" in table.c and table.name != "message"]
    statements = [
        _TERMINATE_OTHERS,
        *(f"DELETE FROM public.{name}" for name in reversed(names)),
        *(f"INSERT INTO public.{name} SELECT * FROM saved.{name}" for name in names),
        *(
            f"SELECT setval(pg_get_serial_sequence('public.{name}', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL)"
            f" FROM public.{name}"
            for name in numbered
        ),
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql("; ".join(statements))


def copy(databases: Databases, kind: Kind, address: str) -> str:
    """Copy a database that nobody is connected to."""
    if kind == "postgresql":
        return databases._create(make_url(address).database or "").render_as_string(hide_password=False)
    path = databases._new_file()
    shutil.copyfile(make_url(address).database or "", path)
    return f"sqlite:///{path}"


def quick_engine(url: str) -> Engine:
    """Return the application's own engine, without waiting for the disk: no test here pulls the plug."""
    engine = make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous = OFF"))
    return engine


# ------------------------------------------------------------------------------------------------------ a whole edition
def simulated(world: World) -> None:
    """The edition 2015-2016 as the demo plays it, by plain jobs; played once, then copied to either engine."""
    rows = _played()
    with world.engine.begin() as connection:
        for table in metadata.sorted_tables:
            if rows[table.name]:
                connection.execute(table.insert(), rows[table.name])


@lru_cache
def _played() -> Dump:
    with tempfile.TemporaryDirectory(prefix="entrapprendre-played-") as name:
        engine = quick_engine(f"sqlite:///{name}/played.sqlite3")
        metadata.create_all(engine)
        play(World(engine, Path(name)), "2015-2016")
        rows = dump(engine)
        engine.dispose()
    return rows


def play(world: World, edition: str, seed: int | None = None) -> None:
    """Play an edition's cast, with plain ticks; nobody waits for the disk."""
    cast = read_cast(edition)
    workshop = replace(world.workshop, salt=seeded_salt(cast.seed if seed is None else seed))
    with patch("os.fsync", lambda _descriptor: None):
        Simulation(workshop, cast, lambda at: tick.run(workshop, at), lambda _at, _ticks: None, seed).play()
