"""Daily seals: kept copies show what the chains themselves cannot, that one was written anew or has vanished."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import journal
from actions.journal import Broken
from jobs import seals, tick
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import AMELIE, APPROVED_AT, BASILE, REGISTERED_AT, World, a_world

KEY = b"a key of the tests"


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world with three days of seals: registrations, then one act a day."""
    with a_world(databases, database_kind, tmp_path) as world:
        seals.run(world.workshop, REGISTERED_AT)
        for day, reference in enumerate((AMELIE, BASILE)):
            world.act(reference, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT + timedelta(days=day))
            seals.run(world.workshop, APPROVED_AT + timedelta(days=day))
        yield world


def path(world: World) -> Path:
    return world.folder / "seals" / "seals.jsonl"


def kept(world: World) -> Path:
    """Copy the file to where whoever changes the database does not reach it."""
    copy = world.folder / "kept.jsonl"
    copy.write_bytes(path(world).read_bytes())
    return copy


def check(world: World, file: Path, key: bytes = KEY) -> Broken | None:
    with world.engine.begin() as connection:
        return seals.check(connection, file, key)


def verified(world: World) -> Broken | None:
    with world.engine.begin() as connection:
        return journal.verify(connection)[1]


# ------------------------------------------------------------------------------------------------------- what is sealed
def test_each_day_with_changes_has_one_line_in_the_file_as_in_the_database(world: World) -> None:
    lines = path(world).read_text().splitlines()
    read = [json.loads(line) for line in lines]

    assert lines == [row.line for row in world.rows("SELECT line FROM seal ORDER BY number")]
    assert [seal["number"] for seal in read] == [1, 2, 3]
    assert [seal["day"] for seal in read] == ["2018-09-17", "2018-09-18", "2018-09-19"]
    assert [seal["previous"] for seal in read] == ["", read[0]["mac"], read[1]["mac"]]
    assert [[chain[:3] for chain in seal["chains"]] for seal in read] == [
        [["edition", 1, 1], *(["participation", number, 1] for number in range(1, 5))],
        [["participation", 1, 2]],
        [["participation", 2, 2]],
    ]
    assert check(world, path(world)) is None


def test_day_without_changes_has_no_line(world: World) -> None:
    seals.run(world.workshop, APPROVED_AT + timedelta(days=5))

    assert len(path(world).read_text().splitlines()) == 3


def test_second_run_of_a_day_adds_nothing_even_if_something_changed(world: World) -> None:
    day = APPROVED_AT + timedelta(days=1)
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, day)

    seals.run(world.workshop, day + timedelta(hours=2))
    assert len(path(world).read_text().splitlines()) == 3

    seals.run(world.workshop, day + timedelta(days=1))
    assert json.loads(path(world).read_text().splitlines()[3])["chains"][0][:3] == ["participation", 1, 3]


def test_day_ends_at_local_midnight(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT + timedelta(days=1))

    seals.run(world.workshop, worlds.moment("2018-09-19 23:59"))
    assert len(path(world).read_text().splitlines()) == 3

    seals.run(world.workshop, worlds.moment("2018-09-20 00:00"))
    assert len(path(world).read_text().splitlines()) == 4


# ------------------------------------------------------------------------------------------------------ another's hands
def test_without_a_key_nothing_is_sealed(world: World) -> None:
    """A seal that anybody could make proves nothing, and would speak against an untouched journal later."""
    world.act(worlds.CELINE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT + timedelta(days=2))
    later = APPROVED_AT + timedelta(days=3)
    keyless = replace(world.workshop, seal_key=b"")

    assert (tick.has_work(keyless, seals.JOB, later), tick.has_work(world.workshop, seals.JOB, later)) == (False, True)


def test_kept_seals_need_the_key(world: World) -> None:
    assert check(world, kept(world), b"another key") == Broken("seal", 1, 0, "seal")


@pytest.mark.parametrize(
    ("field", "value"), [("day", "2018-09-20"), ("root", "0" * 64), ("number", 7), ("mac", "0" * 64), ("chains", [])]
)
def test_line_changed_by_hand_is_found(world: World, field: str, value: Any) -> None:
    lines = path(world).read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), field: value})
    forged = world.folder / "forged.jsonl"
    forged.write_text("\n".join(lines) + "\n")

    broken = check(world, forged)
    assert broken is not None
    assert (broken.chain, broken.why) == ("seal", "seal")


@pytest.mark.parametrize("order", [[0, 2, 1], [0, 2], [1, 0, 2], [0, 1, 1, 2]])
def test_lines_out_of_order_or_missing_between_others_are_found(world: World, order: list[int]) -> None:
    lines = path(world).read_text().splitlines()
    shuffled = world.folder / "shuffled.jsonl"
    shuffled.write_text("".join(f"{lines[number]}\n" for number in order))

    broken = check(world, shuffled)
    assert broken is not None
    assert broken.why == "seal_order"


@pytest.mark.parametrize("garbage", ["", "x", "[]", "{}", '{"number": 1}', "\x00"])
def test_line_that_is_none_is_found(world: World, garbage: str) -> None:
    file = world.folder / "garbage.jsonl"
    file.write_text(f"{garbage}\n")

    broken = check(world, file)
    assert broken is not None
    assert broken.why == "seal"


def rewrite(world: World, participation_id: int = 1) -> None:
    """Change an entry and write the rest of its chain anew, hashes and head, as somebody with the database could."""
    with world.engine.begin() as connection:
        columns = journal.JOURNAL.c
        own = (columns.chain == "participation", columns.chain_id == participation_id)
        head = ""
        for row in connection.execute(journal.JOURNAL.select().where(*own).order_by(columns.seq)).mappings().all():
            entry = {**row, "previous": head, "role": "committee" if row["seq"] == 2 else row["role"]}
            head = journal.entry_hash(entry)
            values = {"previous": entry["previous"], "role": entry["role"], "hash": head}
            connection.execute(journal.JOURNAL.update().where(*own, columns.seq == row["seq"]).values(values))
    world.change("UPDATE participation SET journal_head = :h WHERE id = :p", h=head, p=participation_id)


def test_chain_written_anew_verifies_but_not_against_a_kept_seal(world: World) -> None:
    before = kept(world)

    rewrite(world)

    assert verified(world) is None  # control: without kept seals nobody could tell
    assert check(world, before) == Broken("participation", 1, 2, "sealed_entry")


def test_chain_written_anew_with_its_seals_needs_the_key(world: World) -> None:
    """Whoever also writes the seals of the database anew, and the file, cannot sign them."""
    before = kept(world)
    rewrite(world)
    world.change("DELETE FROM seal")
    world.change("UPDATE participation SET sealed_seq = 0")
    path(world).unlink()
    thief = seals.run
    forging = replace(world.workshop, seal_key=b"a guess")
    thief(forging, APPROVED_AT + timedelta(days=9))

    assert check(world, path(world)) == Broken("seal", 1, 0, "seal")
    assert check(world, before) == Broken("participation", 1, 2, "sealed_entry")


def test_chain_that_vanished_with_its_row_is_found_by_a_kept_seal_only(world: World) -> None:
    before = kept(world)
    for table in ("deadline", "notification", "wish", "waiting"):
        world.change(f"DELETE FROM {table} WHERE participation_id = 4")
    world.change("DELETE FROM participation WHERE id = 4")
    world.change("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 4")

    assert verified(world) is None  # control
    assert check(world, before) == Broken("participation", 4, 1, "sealed_entry")


def test_sealed_entry_that_was_cut_is_found_even_with_the_head_set_back(world: World) -> None:
    before = kept(world)
    world.change("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq = 2")
    (first,) = world.rows("SELECT hash FROM journal WHERE chain = 'participation' AND chain_id = 1")
    world.change("UPDATE participation SET journal_seq = 1, journal_head = :h WHERE id = 1", h=first.hash)

    assert verified(world) is None  # control
    assert check(world, before) == Broken("participation", 1, 2, "sealed_entry")


def test_later_entries_do_not_disturb_kept_seals(world: World) -> None:
    before = kept(world)
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT + timedelta(days=3))

    assert check(world, before) is None


# -------------------------------------------------------------------------------------------------------- after a crash
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_lines_that_a_killed_run_did_not_append_are_appended_by_the_next(world: World, lost: int) -> None:
    whole = path(world).read_text()
    path(world).write_text("".join(whole.splitlines(keepends=True)[: 3 - lost]))

    seals.run(world.workshop, APPROVED_AT + timedelta(days=9))

    assert path(world).read_text() == whole


@pytest.mark.parametrize("left", [1, 100, -1])
def test_line_that_was_half_written_is_mended_by_the_next_run(world: World, left: int) -> None:
    """Killed, or out of disk, in the middle of a line: what was begun is no seal, and must not spoil the next one."""
    whole = path(world).read_text()
    lines = whole.splitlines(keepends=True)
    path(world).write_text("".join(lines[:2]) + lines[2][:left])

    seals.run(world.workshop, APPROVED_AT + timedelta(days=9))

    assert [json.loads(line) for line in path(world).read_text().splitlines()] == [json.loads(line) for line in lines]
    assert check(world, path(world)) is None
