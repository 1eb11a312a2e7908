"""Processes that are killed with -9 at a chosen point of their work, and what that work is.

Nothing of this is in the shipped code: a probe listens to the engine and wraps the gateway, from outside. Children come
from a fork server that has imported everything once.
"""

import multiprocessing
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy
from sqlalchemy import Engine, event

from actions import editions
from actions.imports import FileKind, Report, import_file
from actions.occasion import system
from jobs import deadlines, delivery, handoffs, intake, progress, seals, webhooks
from jobs.summary import Summary
from jobs.workshop import Workshop
from models import metadata
from notifications.courier import Post
from notifications.gateways import FileGateway, Gateway, Mail, Receipt
from notifications.webhooks import Answer, signed
from states.names import MessageStatus, Role, State, Trigger
from tests.support import worlds
from tests.support.worlds import World, moment

Strike = Callable[[str], None]
_VERB = re.compile(r"\s*(INSERT|UPDATE|DELETE|SELECT|SAVEPOINT|RELEASE|ROLLBACK)\b")
_TABLE = re.compile(r"(?:INTO|UPDATE|FROM)\s+(\w+)")


# --------------------------------------------------------------------------------------------------------------- points
class Probe:
    """Numbers and names every point that work passes: before and after each statement, commit, mail, move of a file."""

    def __init__(self, strike: Strike) -> None:
        self._strike = strike
        self._number = 0

    def around(self, what: str) -> tuple[Callable[[], None], Callable[[], None]]:
        """Return what to call before and after something."""
        self._number += 1
        number = self._number
        return (
            lambda: self._strike(f"{number:02d} before {what}"),
            lambda: self._strike(f"{number:02d} after {what}"),
        )

    def watch(self, engine: Engine) -> None:
        after: list[Callable[[], None]] = []

        @event.listens_for(engine, "before_cursor_execute")
        def _before(_c: Any, _cursor: Any, statement: str, _p: Any, _x: Any, _many: Any) -> None:
            verb = _VERB.match(statement)
            if verb is None:  # BEGIN, which one engine's driver sends by itself
                after.append(lambda: None)
                return
            table = _TABLE.search(statement)
            here, then = self.around(f"{verb[1].lower()} {table[1] if table else ''}".strip())
            after.append(then)
            here()

        @event.listens_for(engine, "after_cursor_execute")
        def _after(_c: Any, _cursor: Any, _s: str, _p: Any, _x: Any, _many: Any) -> None:
            after.pop()()

        do_commit = engine.dialect.do_commit

        def commit(connection: Any) -> None:
            here, then = self.around("commit")
            here()
            do_commit(connection)
            then()

        engine.dialect.do_commit = commit  # type: ignore[assignment,method-assign]  # this engine's own


class ProbedGateway:
    """A gateway with a point before and after each message."""

    def __init__(self, inner: Gateway, probe: Probe) -> None:
        self.name, self.idempotent, self._inner, self._probe = inner.name, inner.idempotent, inner, probe

    def send(self, mail: Mail) -> Receipt:
        before, after = self._probe.around("send")
        before()
        receipt = self._inner.send(mail)
        after()
        return receipt


def received(folder: Path) -> Post:
    """Return a receiver of webhooks that keeps each in a file, by its id: the same one twice is one."""

    def post(_url: str, headers: Mapping[str, str], text: str) -> Answer:
        folder.mkdir(parents=True, exist_ok=True)
        folder.joinpath(headers["webhook-id"]).write_text(text)
        return Answer(code="204")

    return post


def _probed_post(inner: Post, probe: Probe) -> Post:
    def post(url: str, headers: Mapping[str, str], text: str) -> Answer:
        before, after = probe.around("post")
        before()
        answer = inner(url, headers, text)
        after()
        return answer

    return post


def _kill_at(point: str | None) -> Strike:
    """Die at a point, or at the first one that is called so, numbers aside."""

    def strike(here: str) -> None:
        if point in {here, here.partition(" ")[2]}:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


# ------------------------------------------------------------------------------------------------------------ scenarios
@dataclass(frozen=True)
class Scenario:
    """Some work: the world it finds, what it does, and how long (wall) another process must wait to take it up."""

    build: worlds.Build
    work: Callable[[World], object]
    wait: timedelta = timedelta(minutes=11)  # longer than any lease
    without: tuple[str, ...] = ()
    """Columns that may differ from an undisturbed run, `table.column`."""


def _withdraw(world: World) -> None:
    world.act(worlds.BASILE, Trigger.WITHDRAW, Role.TEACHER, worlds.PREPARED_AT, reason="Malade.", key="k")


def _confirm_immersion(world: World) -> None:
    world.act(worlds.AMELIE, Trigger.CONFIRM_IMMERSION, Role.COMPANY, worlds.IMMERSED_AT, key="k")


def _attest(world: World) -> None:
    """As a company's page does: once known, not again."""
    if world.one("SELECT half_days FROM participation WHERE reference = :r", r=worlds.AMELIE) is None:
        world.attend(worlds.AMELIE, worlds.IMMERSED_AT)


def _intake(world: World) -> None:
    """Two people sent a file; who is killed finds it again, unless it was moved."""
    inbox = world.folder / "inbox"
    if not (inbox / "sent").exists():
        inbox.mkdir(parents=True)
        (inbox / "sent").touch()
        (inbox / "registrations.csv").write_text("".join(worlds.PEOPLE.splitlines(keepends=True)[i] for i in (0, 1, 4)))
    intake.run(world.workshop, worlds.REGISTERED_AT)


def _with_facts(world: World) -> None:
    """Amélie did the e-learning, and wants a place."""
    worlds.registered(world)
    world.act(worlds.AMELIE, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)
    worlds.take_in(
        world, FileKind.PREPARATIONS, "email;date\namelie@saint-exemple.example;2018-09-18\n", worlds.APPROVED_AT
    )


def with_waiting(world: World) -> None:
    """Two seats at Alpha, one at Beta, none elsewhere: Désiré waits for the seat that Basile has just given back."""
    worlds.approved(world)
    world.change("DELETE FROM wish WHERE offer_id = (SELECT id FROM offer WHERE reference = 'GAMMA-01')")
    world.tick(worlds.PLACED_AT)
    world.act(worlds.BASILE, Trigger.WITHDRAW, Role.TEACHER, worlds.PREPARED_AT)


def _one_unrouted(world: World) -> None:
    """Amélie, Basile and Céline have routes, Désiré has none; one of the institutes has a receiver."""
    _with_receiver(world)
    asked: dict[str, Any] = {"reason": "Présence encodée sur papier.", "data": {"to": State.IMMERSED.value}}
    world.act(worlds.DESIRE, Trigger.CORRECT, Role.COORDINATOR, worlds.IMMERSED_AT, **asked)


def _with_receiver(world: World) -> None:
    worlds.immersed(world)
    worlds.name_receiver(world, "https://cecafoc.example/hook")


def _told(world: World) -> None:
    """Amélie and Basile are offered to Cecafoc, whose receiver does not know it yet."""
    _with_receiver(world)
    handoffs.run(world.workshop, worlds.OFFERED_AT)


def _tell(world: World) -> None:
    world.post = world.post or received(world.folder / "hooks")
    webhooks.run(world.workshop, worlds.OFFERED_AT)


_LATE = moment("2018-11-20 08:00")  # every step of the approval is due, the lapse too
_REMINDED = moment("2018-09-24 08:00")  # only the reminders

SCENARIOS = {
    "withdraw": Scenario(worlds.placed, _withdraw),
    "immersion": Scenario(worlds.prepared, _confirm_immersion),
    "presence": Scenario(worlds.prepared, _attest),
    "intake": Scenario(worlds.only_offers, _intake),
    "progress": Scenario(_with_facts, lambda world: progress.run(world.workshop, worlds.PLACED_AT)),
    "freed seat": Scenario(with_waiting, lambda world: progress.run(world.workshop, worlds.PREPARED_AT)),
    "handoffs": Scenario(_one_unrouted, lambda world: handoffs.run(world.workshop, worlds.OFFERED_AT)),
    "deadlines": Scenario(worlds.registered, lambda world: deadlines.run(world.workshop, _LATE)),
    "reminders": Scenario(worlds.registered, lambda world: deadlines.run(world.workshop, _REMINDED)),
    "delivery": Scenario(
        worlds.registered,
        lambda world: delivery.run(world.workshop, worlds.REGISTERED_AT),
        wait=timedelta(seconds=61),
        without=("message.attempts",),  # a second attempt is the point
    ),
    "webhooks": Scenario(
        _told,
        _tell,
        wait=timedelta(seconds=61),
        without=("webhook.answered_at", "webhook_event.settled_at"),  # on a clock that has gone on
    ),
    "seals": Scenario(worlds.registered, lambda world: seals.run(world.workshop, worlds.REGISTERED_AT)),
}


# -------------------------------------------------------------------------------------- what goes wrong without a guard
def _settles_first(workshop: Workshop, at: datetime, limit: int = 500) -> None:
    """A delivery that writes down what it is about to do."""
    summary = Summary(delivery.JOB)
    while delivery._put_in_envelopes(workshop, at, limit):
        pass
    while claimed := delivery._claim(workshop, at, limit, summary):
        sending = [(letter, (MessageStatus.ACCEPTED, None, None, None, None)) for letter in claimed]
        delivery._settle(workshop, sending, at, summary)
        for letter in claimed:
            delivery._send(workshop, letter, at, summary)


def _moves_first(workshop: Workshop, path: Path, at: datetime, summary: Any) -> None:
    """An intake that clears the inbox before it commits."""
    kind = intake.kind_of(path)
    assert kind is not None
    data = path.read_bytes()
    intake._aside(workshop, path, "done", Report())
    with workshop.engine.begin() as connection:
        edition = editions.current(connection, None)
        import_file(connection, edition, kind, data, path.name, system(), workshop.occasion(at))


class RandomNames(FileGateway):
    """A gateway that calls itself idempotent, and is not."""

    def send(self, mail: Mail) -> Receipt:
        receipt = super().send(mail)
        path = self._folder / f"{mail.message_id}.eml"
        path.rename(path.with_name(f"{mail.message_id}.{uuid4()}.eml"))
        return receipt


def _under_another_id(_key: str, *given: Any) -> dict[str, str]:
    """The headers of an event that is another one on each try."""
    return signed(f"msg_{uuid4().hex}", *given)


@dataclass(frozen=True)
class Without:
    """A guard to take away: what is patched where, how the engine is made, which gateway sends."""

    patches: tuple[tuple[object, str, object], ...] = ()
    engine: Callable[[str], Engine] = worlds.quick_engine
    gateway: Callable[[Path], Gateway] = FileGateway


def _each_statement_commits(url: str) -> Engine:
    return sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")


WITHOUT = {
    "nothing": Without(),
    "one transaction": Without(engine=_each_statement_commits),
    "idempotent gateway": Without(gateway=RandomNames),
    "send before settle": Without(patches=((delivery, "run", _settles_first),)),
    "lease that ends": Without(
        patches=tuple((module, "LEASE", timedelta(days=3650)) for module in (delivery, webhooks))
    ),
    "stable id": Without(patches=((webhooks, "signed", _under_another_id),)),
    "commit before move": Without(patches=((intake, "_take", _moves_first),)),
    "catching up": Without(patches=((seals, "_write_missing", lambda _workshop: None),)),
}


# ------------------------------------------------------------------------------------------------------------ processes
@contextmanager
def _probed(world: World, probe: Probe) -> Iterator[None]:
    """Watch everything that a world's work does to the outside."""
    probe.watch(world.engine)
    world.gateway = ProbedGateway(world.gateway or FileGateway(world.folder / "mail"), probe)
    world.post = _probed_post(world.post or received(world.folder / "hooks"), probe)
    replace = os.replace

    def move(source: Any, target: Any, **more: Any) -> None:
        if Path(source).parent.name != "inbox":  # a mail taking its name, within a send
            replace(source, target, **more)
            return
        before, after = probe.around("move of the file")
        before()
        replace(source, target, **more)
        after()

    os.replace = move  # type: ignore[assignment]  # as the standard library's, for what is called here
    try:
        yield
    finally:
        os.replace = replace


def victim(url: str, folder: Path, wall: datetime, scenario: str, without: str, point: str | None) -> None:
    """Do a scenario's work, without a guard if asked, and die at a point; what a child process runs."""
    taken = WITHOUT[without]
    for module, name, value in taken.patches:
        setattr(module, name, value)
    world = World(taken.engine(url), folder, worlds.Wall(wall), f"victim {os.getpid()}", taken.gateway(folder / "mail"))
    with _probed(world, Probe(_kill_at(point))):
        SCENARIOS[scenario].work(world)
    world.engine.dispose()


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.chaos.victims", "tests.chaos.relays"])


def start(target: Callable[..., None], *arguments: Any, **named: Any) -> BaseProcess:
    """Start a child process; the fork server has imported this module already."""
    process = _FORKS.Process(target=target, args=arguments, kwargs=named)
    process.start()
    return process


def barrier(parties: int) -> Barrier:
    """Return a barrier for so many child processes."""
    return _FORKS.Barrier(parties)


def run_to_its_end(target: Callable[..., None], *arguments: Any) -> int:
    """Run a child process and return its exit code, negative for a signal."""
    process = start(target, *arguments)
    process.join(30)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    return -1 if code is None else code


# --------------------------------------------------------------------------------------------------- which points exist
def points_of(world: World, scenario: str) -> list[str]:
    """Do a scenario's work undisturbed and return the points that it passed."""
    passed: list[str] = []
    with _probed(world, Probe(passed.append)):
        SCENARIOS[scenario].work(world)
    return list(passed)  # what follows on this engine is not its work


def chosen(points: list[str]) -> list[str]:
    """Return the points to die at: all at a larger size; in the suite those where something changes.

    There each kind of write once, before its first: what dies before another one of them is undone with the same
    transaction, of which both sides of the commit are kept, as is each sending.
    """
    if worlds.SIZE > 1:
        return points
    changing: list[str] = []
    known: set[str] = set()
    written = False
    for point in points:
        _, when, what = point.split(" ", 2)
        writes = when == "before" and what.startswith(_WRITES)
        written = written or what.startswith(_WRITES)
        if (writes and what not in known) or (what == "commit" and written) or what in _OUTSIDE:
            changing.append(point)
            known.add(what)
        if (when, what) == ("after", "commit"):
            written = False  # the next transaction may only read
    return changing


_WRITES = ("insert", "update", "delete")
_OUTSIDE = ("send", "post", "move of the file")


@lru_cache
def all_points() -> dict[str, list[str]]:
    """Return the points of every scenario, which name the tests."""
    found: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="entrapprendre-points-") as name:
        built: dict[worlds.Build, Path] = {}
        for number, (scenario, spec) in enumerate(SCENARIOS.items()):
            folder = Path(name) / str(number)
            if spec.build not in built:
                built[spec.build] = Path(name) / f"{number}.sqlite3"
                _build(built[spec.build], folder, spec.build)
            copied = shutil.copyfile(built[spec.build], Path(name) / f"{number}-copy.sqlite3")
            engine = worlds.quick_engine(f"sqlite:///{copied}")
            found[scenario] = points_of(World(engine, folder / "w"), scenario)
            engine.dispose()
    return found


def _build(path: Path, folder: Path, build: worlds.Build) -> None:
    engine = worlds.quick_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    build(World(engine, folder))
    engine.dispose()
