"""The journal proves what was done: it holds after an edition, replays to what stands, shows each change by hand."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actions import journal
from actions.journal import Broken
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import replayed, standing
from tests.support.worlds import AMELIE, World, a_world

# Whatever plays a whole edition runs in one process, which plays it once.
pytestmark = pytest.mark.xdist_group("simulation")


@pytest.fixture
def edition(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give the edition 2015-2016, played to its end."""
    with a_world(databases, database_kind, tmp_path, worlds.simulated) as world:
        yield world


def withdrawn(world: World) -> None:
    """Four people are far along; one of them gave a reason."""
    worlds.evaluated(world)
    world.act(worlds.BASILE, Trigger.WITHDRAW, Role.TEACHER, worlds.EVALUATED_AT, reason="Congé de maladie.")


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, withdrawn) as world:
        yield world


def verify(world: World) -> tuple[int, Broken | None]:
    with world.engine.begin() as connection:
        return journal.verify(connection)


# ------------------------------------------------------------------------------------------------------ a whole edition
def test_journal_of_a_whole_edition_holds(edition: World) -> None:
    entries = edition.one("SELECT count(*) FROM journal")

    assert verify(edition) == (entries, None)
    assert entries > 500


def test_journal_replayed_gives_what_stands(edition: World) -> None:
    assert replayed(edition) == standing(edition)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE participation SET state = 'lapsed' WHERE reference = :r",
        "UPDATE placement SET status = 'released' WHERE participation_id = 1",
        "UPDATE handoff SET status = 'closed' WHERE participation_id = 1",
    ],
)
def test_row_changed_by_hand_differs_from_what_the_journal_replays(world: World, change: str) -> None:
    """Control: the chain itself still holds; only the replay tells."""
    assert replayed(world) == standing(world)

    world.change(change, **({"r": AMELIE} if ":r" in change else {}))

    assert verify(world)[1] is None
    assert replayed(world) != standing(world)


# ------------------------------------------------------------------------------------------------------ changes by hand
ENTRY = "chain = 'participation' AND chain_id = 1 AND seq = 3"
LAST = "chain = 'participation' AND chain_id = 1 AND seq = (SELECT journal_seq FROM participation WHERE id = 1)"
REASON = "chain = 'participation' AND chain_id = 2 AND text <> ''"


def _swap(world: World) -> None:
    for before, after in ((3, 1003), (4, 3), (1003, 4)):
        world.change(
            "UPDATE journal SET seq = :after WHERE chain = 'participation' AND chain_id = 1 AND seq = :before",
            before=before, after=after,
        )  # fmt: skip


def _swap_with_links(world: World) -> None:
    _swap(world)
    rows = world.rows("SELECT seq, hash FROM journal WHERE chain_id = 1 AND chain = 'participation' ORDER BY seq")
    for before, after in pairwise(rows[1:5]):
        world.change(
            "UPDATE journal SET previous = :h WHERE chain = 'participation' AND chain_id = 1 AND seq = :s",
            h=before.hash, s=after.seq,
        )  # fmt: skip


def _remove_row(world: World) -> None:
    """Remove a person's row and all that hangs on it, but the entries."""
    for table in ("deadline", "notification", "wish", "waiting", "fact", "packet", "handoff", "placement"):
        world.change(f"DELETE FROM {table} WHERE participation_id = 1")
    world.change("DELETE FROM participation WHERE id = 1")


CHANGES: dict[str, tuple[str | Callable[[World], None], str]] = {
    "state of an entry": (f"UPDATE journal SET to_state = 'prepared' WHERE {ENTRY}", "hash"),
    "moment of an entry": (f"UPDATE journal SET at = recorded_at, recorded_at = '2020-01-01' WHERE {ENTRY}", "hash"),
    "role of an entry": (f"UPDATE journal SET role = 'committee' WHERE {ENTRY}", "hash"),
    "actor of an entry": (f"UPDATE journal SET actor_id = 2 WHERE {ENTRY}", "hash"),
    "data of an entry": (f"UPDATE journal SET data = '{{}}' WHERE {ENTRY}", "hash"),
    "hash of the last entry": (f"UPDATE journal SET hash = 'x' WHERE {LAST}", "hash"),
    "entry removed": (f"DELETE FROM journal WHERE {ENTRY}", "gap"),
    "first entry removed": ("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq = 1", "gap"),
    "last entry removed": (f"DELETE FROM journal WHERE {LAST}", "head"),
    "tail cut": ("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq > 3", "head"),
    "chain removed": ("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1", "head"),
    "chain of the edition removed": ("DELETE FROM journal WHERE chain = 'edition'", "head"),
    "row removed": (_remove_row, "row"),
    "head of the row": ("UPDATE participation SET journal_head = 'x' WHERE id = 1", "head"),
    "number on the row": ("UPDATE participation SET journal_seq = journal_seq + 1 WHERE id = 1", "head"),
    "order swapped": (_swap, "previous"),
    "order swapped, links mended": (_swap_with_links, "hash"),
    "text": (f"UPDATE journal_text SET text = 'Convenance.' WHERE {REASON}", "text"),
    "salt": (f"UPDATE journal_text SET salt = 'other' WHERE {REASON}", "text"),
    "text removed": (f"DELETE FROM journal_text WHERE {REASON}", "text"),
    "text emptied, salt left": (f"UPDATE journal_text SET text = '' WHERE {REASON}", "text"),
    "text, emptied without an erasure": (f"UPDATE journal_text SET text = '', salt = '' WHERE {REASON}", "text"),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_change_by_hand_is_found(world: World, change: str) -> None:
    how, why = CHANGES[change]
    assert verify(world)[1] is None

    if callable(how):
        how(world)
    else:
        assert world.change(how) > 0

    broken = verify(world)[1]
    assert broken is not None
    assert broken.why == why
    if "edition" not in change:
        assert (broken.chain, broken.chain_id) == ("participation", 2 if "text" in change or change == "salt" else 1)


def test_entry_forged_with_its_own_hash_breaks_the_next_one(world: World) -> None:
    (entry,) = world.rows(f"SELECT * FROM journal WHERE {ENTRY}")
    with world.engine.begin() as connection:
        row = dict(connection.execute(journal.JOURNAL.select().where(*_the_entry())).mappings().one())
        forged = journal.entry_hash({**row, "to_state": "withdrawn"})
    world.change(f"UPDATE journal SET to_state = 'withdrawn', hash = :h WHERE {ENTRY}", h=forged)

    broken = verify(world)[1]
    assert broken == Broken("participation", 1, entry.seq + 1, "previous")


def _the_entry() -> tuple[Any, ...]:
    columns = journal.JOURNAL.c
    return columns.chain == "participation", columns.chain_id == 1, columns.seq == 3


@pytest.mark.parametrize("column", ["flow_run_id", "key_content"])
def test_what_stands_beside_the_entry_may_change(world: World, column: str) -> None:
    """Control: not every change breaks the chain; the flow run and the caller's key are outside the hash."""
    assert world.change(f"UPDATE journal SET {column} = 'another' WHERE {ENTRY}") == 1

    assert verify(world)[1] is None
