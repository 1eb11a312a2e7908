"""The example script plays an institute against the running application; the database then says what it should."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from actions import tokens
from actions.imports import FileKind
from core.clock import wall_now
from jobs import handoffs, progress
from models import metadata
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.serving import Running, running
from tests.support.soundness import assert_sound
from tests.support.worlds import World, a_world

SCRIPT = Path(__file__).parents[2] / "examples" / "institute.py"
EACH = 60  # handoffs of each institute: more than a page of the list


def sixty_each(world: World) -> None:
    """A hundred and twenty were in a company; their handoffs are offered to two institutes."""
    worlds.load(world, worlds.edition_file())
    worlds.take_in(world, FileKind.OFFERS, worlds.OFFERS.replace(";liege;2;", f";liege;{2 * EACH};"))
    worlds.take_in(world, FileKind.REGISTRATIONS, worlds.crowd(2 * EACH))
    worlds.everybody(world, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)
    progress.run(world.workshop, worlds.PLACED_AT)
    reason = "Sur papier."
    worlds.everybody(world, Trigger.CONFIRM_PREPARATION, Role.COORDINATOR, worlds.PREPARED_AT, reason=reason)
    immersed = {"data": {"half_days": 4}}
    worlds.everybody(world, Trigger.CONFIRM_IMMERSION, Role.COMPANY, worlds.IMMERSED_AT, **immersed)
    handoffs.run(world.workshop, worlds.OFFERED_AT)


@pytest.fixture
def world(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, sixty_each) as world:
        monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", world.engine.url.render_as_string(hide_password=False))
        yield world


@pytest.fixture
def server(world: World) -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def token(world: World) -> str:
    with world.workshop.transaction() as connection:
        return tokens.create(connection, "CECAFOC", "exemple", wall_now())[0]


def play(server: Running, token: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the script as somebody who copied it would: Python and what it says it needs, nothing of ours beside it."""
    command = [
        sys.executable,
        "-I",
        str(SCRIPT),
        "--url",
        server.address,
        "--token",
        token,
        "--decline",
        "1",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ})


def standing(world: World, institute: str) -> Counter[tuple[str, str]]:
    """Count an institute's rounds by their status and the state of their participation."""
    rows = world.rows(
        "SELECT h.status, p.state FROM handoff h JOIN participation p ON p.id = h.participation_id"
        " JOIN organisation o ON o.id = h.receiver_id WHERE h.purpose = 'transfer' AND o.code = :c",
        c=institute,
    )
    return Counter((row.status, row.state) for row in rows)


def time_passes(world: World) -> None:
    """The session that was planned for later took place an hour ago."""
    began = wall_now() - timedelta(hours=1)
    with world.engine.begin() as connection:
        table = metadata.tables["transfer_session"]
        connection.execute(table.update().values(starts_at=began, ends_at=began + timedelta(hours=3)))


def test_institute_plays_its_part_with_nothing_but_http(world: World, server: Running, token: str) -> None:
    first = play(server, token)
    answered = standing(world, "CECAFOC")
    time_passes(world)
    second = play(server, token)

    assert [(each.returncode, each.stderr) for each in (first, second)] == [(0, ""), (0, "")]
    lines = first.stdout.splitlines()
    assert lines[0] == f"{EACH} handoffs offered; every packet is valid, and as it was offered."
    assert Counter(line.rpartition(" ")[2] for line in lines[1:-1]) == {"accepted.": EACH - 1, "declined.": 1}
    assert lines[-1] == f"CECAFOC-MINI-01: planned, {EACH - 1} invited."
    assert second.stdout.splitlines()[1:] == [f"CECAFOC-MINI-01: over, {EACH - 1} transferred."]
    assert answered == {("accepted", "immersed"): EACH - 1, ("declined", "immersed"): 1}
    assert standing(world, "CECAFOC") == {("completed", "transferred"): EACH - 1, ("declined", "immersed"): 1}
    assert standing(world, "FCC") == {("offered", "immersed"): EACH}
    noted = "SELECT count(*) FROM participation WHERE note_on IS NOT NULL AND attendance_on IS NOT NULL"
    assert world.one(noted) == EACH - 1
    (declined,) = world.rows("SELECT because FROM handoff WHERE status = 'declined'")
    assert declined.because == "no_session"
    assert_sound(world)


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_playing_again_does_nothing_twice(world: World, server: Running, token: str) -> None:
    play(server, token)
    too_early = play(server, token)
    time_passes(world)
    play(server, token)
    entries = world.one("SELECT count(*) FROM journal")

    again = play(server, token)

    assert too_early.returncode == again.returncode == 0
    assert re.fullmatch(
        r"CECAFOC-MINI-01: begins on \S+; run this again once it has.", too_early.stdout.splitlines()[-1]
    )
    assert again.stdout.splitlines()[1:] == ["Nobody waits for a session."]
    assert world.one("SELECT count(*) FROM journal") == entries
    assert world.one("SELECT count(*) FROM transfer_session") == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_goes_wrong_is_told_without_a_traceback(world: World, server: Running, token: str) -> None:
    wrong = play(server, token[:-1] + ("A" if token[-1] != "A" else "B"))
    usage = play(server, token, "--url", "ftp://127.0.0.1")
    nobody = play(server, token, "--url", "http://127.0.0.1:9")

    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("401 token_refused: ")
    assert (usage.returncode, "http:// or https://" in usage.stderr) == (2, True)
    assert (nobody.returncode, "does not answer" in nobody.stderr) == (1, True)
    assert [each.stderr.count("Traceback") for each in (wrong, usage, nobody)] == [0, 0, 0]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_packet_that_is_not_the_one_offered_is_found_out(world: World, server: Running, token: str) -> None:
    """Control: the script really checks the hash."""
    world.change("UPDATE packet SET content = replace(content, 'Usinage', 'Couture') WHERE participation_id = 1")

    found = play(server, token)

    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == "MINI-0001: the packet is not the one that was offered.\n"
