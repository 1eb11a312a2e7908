"""Two that need the same rows in another order: PostgreSQL stops one, which must be an answer, or must not happen."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import text

from actions.apply import Applied
from core.errors import ProductError
from jobs import deadlines
from states.names import Role, Trigger
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, World, a_world, moment

LATE = moment("2018-11-20 08:00")  # reminder, escalation and lapse are due together, as after a week without ticks


def wait_for_a_lock(world: World, person: Event) -> None:
    """Wait until somebody waits for a lock, or has done without."""
    until = time.monotonic() + 5
    blocked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while time.monotonic() < until and not person.is_set():
        with world.engine.begin() as connection:
            if connection.execute(blocked).scalar_one():
                return


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time
@pytest.mark.parametrize(("trigger", "role"), [(Trigger.WITHDRAW, Role.TEACHER), (Trigger.APPROVE, Role.DIRECTOR)])
def test_person_who_acts_while_their_deadlines_fire_gets_an_answer(
    databases: Databases,
    database_kind: Kind,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trigger: Trigger,
    role: Role,
) -> None:
    """The job has marked a reminder, then wants the person's row; the person has their row, then wants the reminder."""
    with a_world(databases, database_kind, tmp_path) as world:
        marked, done = Event(), Event()
        tell = deadlines._tell

        def then_wait(*arguments: Any) -> Any:
            outcomes = tell(*arguments)
            marked.set()
            wait_for_a_lock(world, done)
            return outcomes

        def act() -> Applied:
            marked.wait(5)
            try:
                return world.act(AMELIE, trigger, role, LATE)
            finally:
                done.set()

        monkeypatch.setattr(deadlines, "_tell", then_wait)
        with ThreadPoolExecutor(1) as pool:
            person = pool.submit(act)
            summary = deadlines.run(world.workshop, LATE)
            fault = person.exception()

        assert fault is None or isinstance(fault, ProductError)
        assert summary.set_aside == []
        assert_sound(world)
