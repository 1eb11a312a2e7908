"""Four processes hand over on PostgreSQL while one after the other is killed with -9: nothing is lost, nothing doubled.

At the full size (`CHAOS_SIZE=5`, which `make chaos` takes) two hundred are killed over a thousand participations. Where
a test says "without", the guard was taken away, and what it guards against happens.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from actions import journal
from tests.chaos import relays
from tests.chaos.relays import PROCESSES, RETURNED_AT, RETURNING, Relay
from tests.concurrency.interleaving import without_keys
from tests.support import worlds
from tests.support.databases import Databases
from tests.support.soundness import assert_sound
from tests.support.worlds import CROWD, OFFERED_AT, SIZE, World, a_world

KILLS = 8 * SIZE**2
"""8 in the suite, over 200 participations; 200 at the size 5, over 1,000."""

# Each must be 1 for everybody handed over.
OFFERED = {
    "open round": "SELECT count(*) FROM handoff h WHERE h.participation_id = p.id"
    " AND h.status IN ('to_route', 'held', 'offered', 'accepted')",
    "offered round": "SELECT count(*) FROM handoff h WHERE h.participation_id = p.id AND h.status = 'offered'",
    "packet": "SELECT count(*) FROM packet k WHERE k.participation_id = p.id",
    "packet of the round": "SELECT count(*) FROM packet k JOIN handoff h ON h.participation_id = k.participation_id"
    " AND h.round = k.round AND h.packet_hash = k.sha256 WHERE k.participation_id = p.id",
    "entry": "SELECT count(*) FROM journal j WHERE j.chain = 'participation' AND j.chain_id = p.id"
    " AND j.trigger = 'offer'",
    "notification": "SELECT count(*) FROM notification n WHERE n.participation_id = p.id"
    " AND n.kind = 'handoff_offered'",
}
RETURNED = {
    "return": "SELECT count(*) FROM handoff h WHERE h.participation_id = p.id AND h.purpose = 'evaluation'",
    "accepted return": "SELECT count(*) FROM handoff h WHERE h.participation_id = p.id AND h.purpose = 'evaluation'"
    " AND h.status = 'accepted'",
    "entry": "SELECT count(*) FROM journal j WHERE j.chain = 'participation' AND j.chain_id = p.id"
    " AND j.subject = 'return' AND j.trigger = 'accept'",
    "notification": "SELECT count(*) FROM notification n WHERE n.participation_id = p.id"
    " AND n.kind = 'evaluation_requested'",
}


def faults(world: World, once: Mapping[str, str], state: str = "immersed") -> dict[str, tuple[int, int]]:
    """Return how many have lost something, and how many have it more than once."""
    found = {}
    for what, counted in once.items():
        among = f"(SELECT ({counted}) AS n FROM participation p WHERE p.state = '{state}') AS counted"
        lost, doubled = (world.one(f"SELECT count(*) FROM {among} WHERE n {how}") for how in ("< 1", "> 1"))
        if lost or doubled:
            found[what] = (lost, doubled)
    return found


# --------------------------------------------------------------------------------------------------------- under kills
def test_handoffs_offered_while_processes_are_killed_are_each_offered_once(
    databases: Databases, tmp_path: Path
) -> None:
    with a_world(databases, "postgresql", tmp_path, worlds.crowd_immersed) as world:
        relay = Relay(world, OFFERED_AT, KILLS)

        assert relay.run() == [0] * PROCESSES
        assert relay.killed >= KILLS
        assert world.one("SELECT count(*) FROM participation WHERE state = 'immersed'") == CROWD
        assert faults(world, OFFERED) == {}
        assert world.rows("SELECT * FROM set_aside") == []
        assert_sound(world)


def test_returns_looked_at_while_processes_are_killed_are_each_accepted_once(
    databases: Databases, tmp_path: Path
) -> None:
    with a_world(databases, "postgresql", tmp_path, relays.returning) as world:
        relay = Relay(world, RETURNED_AT, KILLS // 4)

        assert relay.run() == [0] * PROCESSES
        assert relay.killed >= KILLS // 4
        assert world.one("SELECT count(*) FROM participation WHERE state = 'transferred'") == RETURNING
        assert faults(world, RETURNED, "transferred") == {}
        assert world.rows("SELECT * FROM set_aside") == []
        assert_sound(world)


# ------------------------------------------------------------------------------------------------------------- controls
def test_handoffs_without_one_transaction_are_lost(databases: Databases, tmp_path: Path) -> None:
    """Control: a round says that it was offered, and there is no packet, no entry, and nobody is told."""
    with a_world(databases, "postgresql", tmp_path, worlds.crowd_immersed) as world:
        relay = Relay(world, OFFERED_AT, PROCESSES, fuse="before insert packet", without="one transaction")
        relay.run()

        lost = {what: count for what, (count, _) in faults(world, OFFERED).items()}
        assert relay.killed >= PROCESSES
        assert min(lost[what] for what in ("packet", "entry", "notification")) > 0
        with world.engine.begin() as connection:
            assert journal.verify(connection)[1] is not None


def test_handoffs_without_comparing_are_doubled(databases: Databases, tmp_path: Path) -> None:
    """Control: neither version nor status are compared, and no key is unique: the institute is told twice."""
    with a_world(databases, "postgresql", tmp_path, worlds.crowd_immersed, own_schema=True) as world:
        without_keys(world)
        Relay(world, OFFERED_AT, 0, without="comparing").run()

        doubled = {what: count for what, (_, count) in faults(world, OFFERED).items()}
        assert min(doubled[what] for what in ("packet", "entry", "notification")) > 0


def test_returns_without_one_transaction_are_lost(databases: Databases, tmp_path: Path) -> None:
    """Control: a return says that it was accepted, and nobody is asked to evaluate."""
    with a_world(databases, "postgresql", tmp_path, relays.returning) as world:
        relay = Relay(world, RETURNED_AT, PROCESSES, fuse="before insert journal", without="one transaction")
        relay.run()

        lost = {what: count for what, (count, _) in faults(world, RETURNED, "transferred").items()}
        assert relay.killed >= PROCESSES
        assert min(lost[what] for what in ("entry", "notification")) > 0
        with world.engine.begin() as connection:
            assert journal.verify(connection)[1] is not None


def test_returns_without_comparing_are_doubled(databases: Databases, tmp_path: Path) -> None:
    """Control: whoever looked at the same record accepts it again, and the teacher is asked twice."""
    with a_world(databases, "postgresql", tmp_path, relays.returning, own_schema=True) as world:
        without_keys(world)
        Relay(world, RETURNED_AT, 0, without="comparing").run()

        doubled = {what: count for what, (_, count) in faults(world, RETURNED, "transferred").items()}
        assert min(doubled[what] for what in ("entry", "notification")) > 0


@pytest.mark.parametrize("relay", ["one transaction", "comparing"])
def test_guard_is_taken_away_somewhere(relay: str) -> None:
    assert f'without="{relay}"' in Path(__file__).read_text()
