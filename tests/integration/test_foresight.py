"""`upcoming`: what it says will leave is what the next ticks send, and looking changes nothing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from actions.outbox import outbox
from models import metadata
from simulation.foresight import foresee
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.worlds import AMELIE, World, a_world, moment
from wiring.copies import copy_of

DAY = timedelta(days=1)

# where people stand, and the evening before a day on which something falls due: reminders and alerts of the approval,
# its lapse; an institute's silence, which ends in IFC's hands; what is queued and has yet to be offered; the closing
EVENINGS: dict[str, tuple[worlds.Build, str]] = {
    "reminder": (worlds.registered, "2018-09-23 18:00"),
    "lapse": (worlds.registered, "2018-11-12 18:00"),
    "silence": (worlds.offered, "2018-12-26 18:00"),
    "to be offered": (worlds.immersed, "2018-12-12 11:30"),
    "closing": (worlds.accepted, "2019-06-27 18:00"),
}


def sent(world: World) -> list[tuple[Any, ...]]:
    query = (
        "SELECT m.kind, m.role, t.subject, c.address, m.settled_at FROM message m"
        " JOIN message_text t ON t.message_id = m.id JOIN contact c ON c.id = m.contact_id"
        " WHERE m.status = 'accepted' ORDER BY m.settled_at, m.id"
    )
    return [(row.kind, row.role, row.subject, row.address) for row in world.rows(query)]


def foreseen(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(each["kind"], each["role"], each["subject"], each["address"]) for each in found["messages"]]


def through_the_next_day(world: World, at: datetime) -> None:
    """Tick each hour until the end of the next local day."""
    until = moment(f"{(at + 2 * DAY):%Y-%m-%d} 00:00")
    while at < until:
        world.tick(at)
        at += timedelta(hours=1)


@pytest.mark.parametrize("evening", EVENINGS)
def test_what_is_foreseen_for_a_day_is_what_its_ticks_send(
    databases: Databases, database_kind: Kind, tmp_path: Path, evening: str
) -> None:
    build, local = EVENINGS[evening]
    at = moment(local)
    with a_world(databases, database_kind, tmp_path, build) as world:
        before = len(sent(world))
        found = foresee(world.workshop, at, 1)
        through_the_next_day(world, at)

        assert sorted(foreseen(found)) == sorted(sent(world)[before:])
        assert found["messages"] != []
        ended = world.rows("SELECT reference FROM participation WHERE state IN ('lapsed', 'cancelled') ORDER BY 1")
        lapsing = {step["reference"] for step in found["expiries"] if step["does"] in {"lapse", "cancel"}}
        assert {row.reference for row in ended} == lapsing


def test_looking_ahead_changes_nothing_and_sends_nothing(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.offered) as world:
        stray = world.workshop.documents / "ab" / "cd"
        stray.parent.mkdir(parents=True)
        stray.write_bytes(b"named by nobody")
        before, mails = dump(world.engine), world.mails()

        found = foresee(world.workshop, moment("2018-12-12 13:00"), 200)

        assert (dump(world.engine), world.mails()) == (before, mails)
        assert stray.exists()
        assert {each["kind"] for each in found["messages"]} >= {"handoff_reminder", "handoff_timed_out"}
        assert [step["does"] for step in found["expiries"]].count("lapse") == 4


def test_step_that_would_be_overtaken_is_told_as_such(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.registered) as world:
        found = foresee(world.workshop, moment("2018-10-05 09:00"), 0)

        assert {(step["rule"], step["step"], step["does"]) for step in found["overtaken"]} == {
            ("approval", 0, "remind")
        }
        assert {each["kind"] for each in found["messages"]} == {"approval_requested", "approval_overdue"}


def test_nothing_is_foreseen_for_whoever_acts_first(databases: Databases, tmp_path: Path) -> None:
    """Control: what is foreseen follows from where people stand."""
    at = moment("2018-09-23 18:00")
    with a_world(databases, "sqlite", tmp_path, worlds.registered) as world:
        reminded = [each["references"] for each in foresee(world.workshop, at, 1)["messages"]]
        world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, at)
        after = foresee(world.workshop, at, 1)["messages"]

        assert any(AMELIE in references for references in reminded)
        assert all(AMELIE not in each["references"] for each in after if each["kind"] == "approval_reminder")


def test_what_waits_for_retry_does_not_hide_what_comes_after_it(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.registered) as world:
        world.change(
            "INSERT INTO set_aside (job, participation_id, error, tries, first_at, last_at)"
            f" SELECT 'deadlines', id, 'KeyError', 3, journal_at, journal_at FROM participation"
            f" WHERE reference = '{AMELIE}'"
        )

        found = foresee(world.workshop, moment("2018-09-23 18:00"), 80)

        lapsing = {step["reference"] for step in found["expiries"]}
        assert lapsing == {worlds.BASILE, worlds.CELINE, worlds.DESIRE}


def test_copy_holds_every_row_and_goes_with_its_folder(engine: Engine, tmp_path: Path) -> None:
    world = World(engine, tmp_path)
    worlds.evaluated(world)

    with copy_of(engine) as (copy, folder):
        assert folder.stat().st_mode & 0o077 == 0
        assert dump(copy) == dump(engine)
        with copy.begin() as connection:
            assert outbox(connection)["messages"]
            connection.execute(metadata.tables["lease"].delete())
    assert not folder.exists()
