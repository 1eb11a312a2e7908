"""The same job in two and in four processes at once, on two hundred items: each is handled once, and nobody fails.

Where a test says "without", the condition that keeps a second process off was taken away.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import pytest
from sqlalchemy import select, true
from sqlalchemy.exc import IntegrityError

from actions import apply as applying
from actions import handoffs as routing
from actions.occasion import system
from actions.reading import read_rows
from jobs import deadlines, delivery, handoffs, progress, seals, webhooks
from jobs.summary import Summary
from jobs.workshop import Workshop
from models import Deadline, Message, table_of
from notifications.gateways import Mail, Receipt
from notifications.webhooks import Answer
from tests.chaos import victims
from tests.concurrency.interleaving import blindly, without_keys
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import CROWD, SEATS, SIZE, World, a_world, in_turn, moment

DEADLINE, MESSAGE = table_of(Deadline), table_of(Message)
REMINDED_AT = moment("2018-09-24 08:00")


class Ledger:
    """A gateway that only notes what was sent, in one file for all processes; the first mail waits for the others'.

    It is a receiver of webhooks too.
    """

    name, idempotent = "ledger", True

    def __init__(self, folder: Path, everybody: Barrier | None = None) -> None:
        self._path, self._everybody = folder / "sent", everybody

    def send(self, mail: Mail) -> Receipt:
        self._note(mail.message_id)
        return Receipt(accepted=True, provider_id=mail.message_id)

    def post(self, _url: str, headers: Mapping[str, str], _text: str) -> Answer:
        self._note(headers["webhook-id"])
        return Answer(code="204")

    def _note(self, what: str) -> None:
        everybody, self._everybody = self._everybody, None
        if everybody is not None:
            with suppress(BrokenBarrierError):
                everybody.wait(2)
        with self._path.open("a") as file:  # one short line: the system appends it whole
            file.write(f"{what}\n")


def sent(world: World) -> Counter[str]:
    return Counter((world.folder / "sent").read_text().split())


@dataclass(frozen=True)
class Crowd:
    """A job on many items: the world, when it runs, and what must be found afterwards."""

    build: worlds.Build
    run: Callable[[Workshop, datetime], object]
    at: datetime
    check: Callable[[World], None]


def _all_sent_once(world: World) -> None:
    assert set(sent(world).values()) == {1}
    counts = world.rows("SELECT status, attempts, count(*) FROM message GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(row) for row in counts] == [("accepted", 1, CROWD), ("cancelled", 0, 20)]  # requests, since answered
    assert len(sent(world)) == CROWD
    assert world.one("SELECT count(*) FROM notification WHERE message_id IS NULL") == 0


def _all_reminded_once(world: World) -> None:
    assert world.one("SELECT count(*) FROM deadline WHERE status = 'fired' AND step = 0") == CROWD
    assert world.one("SELECT count(*) FROM notification WHERE kind = 'approval_reminder'") == CROWD


def _all_progressed_once(world: World) -> None:
    done = {row[0]: row[1] for row in world.rows("SELECT trigger, count(*) FROM journal GROUP BY trigger")}
    assert (done["confirm_preparation"], done["propose"], done["confirm"]) == (CROWD, SEATS, SEATS)
    assert world.one("SELECT count(*) FROM participation WHERE state = 'prepared'") == CROWD
    assert world.one("SELECT count(*) FROM waiting") == CROWD - SEATS


def _all_offered_once(world: World) -> None:
    assert world.one("SELECT count(*) FROM journal WHERE trigger = 'offer'") == CROWD
    assert world.one("SELECT count(*) FROM handoff WHERE status = 'offered'") == CROWD
    assert world.one("SELECT count(*) FROM notification WHERE kind = 'handoff_offered'") == CROWD


def _all_told_once(world: World) -> None:
    assert set(sent(world).values()) == {1}
    assert len(sent(world)) == 3 * CROWD
    counts = world.rows("SELECT status, attempts, count(*) FROM webhook_event GROUP BY 1, 2")
    assert [tuple(row) for row in counts] == [("accepted", 1, 3 * CROWD)]
    assert world.one("SELECT count(*) FROM webhook WHERE leased_by IS NOT NULL") == 0


CROWDS = {
    "delivery": Crowd(worlds.crowd_approved, delivery.run, worlds.APPROVED_AT, _all_sent_once),
    "deadlines": Crowd(worlds.crowd_registered, deadlines.run, REMINDED_AT, _all_reminded_once),
    "progress": Crowd(worlds.crowd_approved, progress.run, worlds.PLACED_AT, _all_progressed_once),
    "handoffs": Crowd(worlds.crowd_immersed, handoffs.run, worlds.OFFERED_AT, _all_offered_once),
    "webhooks": Crowd(worlds.crowd_told, webhooks.run, worlds.OFFERED_AT, _all_told_once),
}


def worker(url: str, folder: Path, job: str, everybody: Barrier) -> None:
    """Run a job together with others; what a child process does."""
    engine = worlds.quick_engine(url)
    ledger = Ledger(folder, everybody)
    world = World(engine, folder, holder=f"worker {os.getpid()}", gateway=ledger, post=ledger.post)
    with engine.connect():
        everybody.wait(20)
    CROWDS[job].run(world.workshop, CROWDS[job].at)
    engine.dispose()


def together(world: World, job: str, processes: int) -> list[int | None]:
    """Run a job in so many processes at once; return their exit codes."""
    everybody = victims.barrier(processes)
    url = world.engine.url.render_as_string(hide_password=False)
    running = [victims.start(worker, url, world.folder, job, everybody) for _ in range(processes)]
    for process in running:
        process.join(60)
    return [process.exitcode for process in running]


@pytest.mark.parametrize("processes", [4] if SIZE == 1 else [2, 4])
# always on PostgreSQL, which has several writers; on SQLite in turn, all of them at a larger size
@pytest.mark.parametrize(
    ("job", "database_kind"),
    [(job, kind) for number, job in enumerate(CROWDS) for kind in dict.fromkeys((*in_turn(number), "postgresql"))],
)
def test_job_in_several_processes_at_once_handles_each_once(
    databases: Databases, database_kind: Kind, tmp_path: Path, job: str, processes: int
) -> None:
    with a_world(databases, database_kind, tmp_path, CROWDS[job].build) as world:
        assert together(world, job, processes) == [0] * processes

        CROWDS[job].check(world)
        assert world.rows("SELECT * FROM set_aside") == []
        world.assert_chains_hold()


@pytest.mark.parametrize("leases_count", [True, False])
def test_delivery_claims_what_another_holds_only_when_leases_do_not_count(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, leases_count: bool
) -> None:
    """Control: what another process has claimed, and not yet settled, is claimed again, and would leave twice."""
    with a_world(databases, database_kind, tmp_path) as world:
        while delivery._put_in_envelopes(world.workshop, worlds.REGISTERED_AT, 500):
            pass
        if not leases_count:
            monkeypatch.setattr(delivery, "_claimable", lambda _at, _wall: MESSAGE.c.status.in_(("queued", "leased")))

        first, second = (
            {
                letter.message_id
                for letter in delivery._claim(each.workshop, worlds.REGISTERED_AT, 2, Summary("delivery"))
            }
            for each in (world, world.another("second"))
        )

        assert (len(first), len(first & second)) == (2, 0 if leases_count else 2)


@pytest.mark.parametrize("leases_count", [True, False])
def test_webhooks_claim_what_another_holds_only_when_leases_do_not_count(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, leases_count: bool
) -> None:
    """Control: what another process is sending is sent again, and each receiver has two requests at once."""
    with a_world(databases, database_kind, tmp_path, worlds.crowd_told) as world:
        if not leases_count:
            monkeypatch.setattr(webhooks, "_free", lambda _wall: true())

        first, second = (
            {
                event.key
                for turn in webhooks._Run(each.workshop, worlds.OFFERED_AT, 20)._claim(4)
                for event in turn.events
            }
            for each in (world, world.another("second"))
        )

        assert (len(first), len(second), len(first & second)) == (80, 40, 0) if leases_count else (80, 80, 80)


# ---------------------------------------------------------------- what a second process read before the first one wrote
@pytest.fixture(params=["deadlines", "progress", "handoffs"])
def late(
    request: pytest.FixtureRequest, databases: Databases, database_kind: Kind, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[World, Callable[[], Any]]]:  # fmt: skip
    """Give a world in which a job has run, and the same work by a process that read everything before it."""
    job = CROWDS[request.param]
    with a_world(databases, database_kind, tmp_path, job.build, own_schema=True) as world:
        occasion = world.workshop.occasion(job.at)
        with world.engine.begin() as connection:
            ids = connection.exec_driver_sql("SELECT id FROM participation ORDER BY id").scalars().all()
            stale = read_rows(connection, ids)
            due = connection.execute(
                select(DEADLINE).where(DEADLINE.c.due_at <= job.at, DEADLINE.c.status == "open")
            ).all()
            to_route = routing._waiting(connection, ids)

        def again() -> Any:
            for module in (applying, progress):
                monkeypatch.setattr(module, "read_rows", lambda _c, some: {pid: stale[pid] for pid in some})
            monkeypatch.setattr(routing, "_waiting", lambda *_: to_route)
            with world.engine.begin() as connection:
                if request.param == "deadlines":
                    return deadlines._fire(connection, due, occasion)
                if request.param == "progress":
                    return list(progress._look(connection, ids, occasion, {}))
                return routing.route(connection, ids, system("test"), occasion)

        job.run(world.workshop, job.at)
        yield world, again


def test_process_that_read_before_another_wrote_changes_nothing(late: tuple[World, Callable[[], Any]]) -> None:
    world, again = late
    before = dump(world.engine)

    again()

    assert dump(world.engine) == before


def test_process_that_read_before_another_wrote_does_all_again_when_nothing_is_compared(
    late: tuple[World, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: neither versions nor statuses are compared, and no key is unique."""
    world, again = late
    before = world.one("SELECT count(*) FROM notification")
    blindly(monkeypatch)
    monkeypatch.setattr(deadlines, "_mark", lambda _c, ids, *_: set(ids))
    monkeypatch.setattr(routing, "_REFUSED", ())
    without_keys(world)
    with suppress(AttributeError):
        _without_handoffs_status(monkeypatch)

    again()

    assert world.one("SELECT count(*) FROM notification") == before + CROWD


def _without_handoffs_status(monkeypatch: pytest.MonkeyPatch) -> None:
    from actions import writing

    for name in ("_SET_HANDOFF", "_OFFER_HANDOFF"):
        naked = getattr(writing, name)._clone()
        naked._where_criteria = naked._where_criteria[:-1]
        monkeypatch.setattr(writing, name, naked)


def test_reminder_that_is_not_marked_first_is_an_error_for_the_second(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the key in the database is what stands behind the mark."""
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        with world.engine.begin() as connection:
            due = connection.execute(select(DEADLINE).where(DEADLINE.c.due_at <= REMINDED_AT)).all()
        deadlines.run(world.workshop, REMINDED_AT)
        monkeypatch.setattr(deadlines, "_mark", lambda _c, ids, *_: set(ids))

        with world.engine.begin() as connection, pytest.raises(IntegrityError):
            deadlines._fire(connection, due, world.workshop.occasion(REMINDED_AT))


# ---------------------------------------------------------------------------------------------------------------- seals
def test_seal_in_several_processes_at_once_is_one_line(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find that the file lacks a line; one writes it."""
    with a_world(databases, database_kind, tmp_path) as world:
        write = seals._write_missing
        another = [lambda: write(world.workshop)]

        def both(workshop: Workshop) -> None:
            engine = workshop.engine
            connect = engine.connect

            def found_missing() -> Any:
                if another:
                    another.pop()()
                return connect()

            monkeypatch.setattr(engine, "connect", found_missing)
            write(workshop)
            monkeypatch.setattr(engine, "connect", connect)

        monkeypatch.setattr(seals, "_write_missing", both)
        seals.run(world.workshop, worlds.REGISTERED_AT)

        assert len((world.folder / "seals" / "seals.jsonl").read_text().splitlines()) == 1
