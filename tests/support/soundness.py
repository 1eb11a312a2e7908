"""What must always hold, whoever did what in whatever order; and what the journal says when it is followed."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from actions import journal, reading
from actions.escalations import OVER
from actions.occasion import system
from actions.reading import Seen
from models import (
    Deadline,
    DeskItem,
    Handoff,
    JournalEntry,
    Participation,
    Placement,
    TransferSession,
    Waiting,
    table_of,
)
from states.deadlines import due
from states.deadlines import standing as standing_rules
from states.decide import OPEN_HANDOFF
from states.guards import ON_THE_PATH, SEAT_HELD, WAITING_STATES
from states.names import FactKind, HandoffStatus, State, Subject
from states.tables import process_for
from tests.support.worlds import World

if TYPE_CHECKING:
    from datetime import datetime

SESSION = table_of(TransferSession)
TABLES = [table_of(model) for model in (Participation, Placement, Handoff, Deadline, DeskItem, Waiting, JournalEntry)]


def replayed(world: World) -> dict[str, dict[int, Any]]:
    """Follow every entry in order: where each participation stands, and each of its places and handoffs."""
    found: dict[str, dict[int, Any]] = {
        "participation": {},
        "placement": defaultdict(list),
        "handoff": defaultdict(list),
        "return": defaultdict(list),
    }
    entries = world.rows(
        "SELECT chain_id, subject, trigger, from_state, to_state FROM journal WHERE chain = 'participation'"
        " ORDER BY chain_id, seq"
    )
    for entry in entries:
        if entry.subject == "participation":
            assert found["participation"].get(entry.chain_id, "-") == entry.from_state
            found["participation"][entry.chain_id] = entry.to_state
            continue
        tried = found[entry.subject][entry.chain_id]
        assert (tried[-1] if tried else "-") == entry.from_state
        if entry.trigger in {"propose", "request"}:  # another seat, another round
            tried.append(entry.to_state)
        else:
            tried[-1] = entry.to_state
    return found


def standing(world: World) -> dict[str, dict[int, Any]]:
    """Return what stands in the tables, in the same form."""
    found: dict[str, dict[int, Any]] = {
        "participation": {row.id: row.state for row in world.rows("SELECT id, state FROM participation")},
        "placement": defaultdict(list),
        "handoff": defaultdict(list),
        "return": defaultdict(list),
    }
    for row in world.rows("SELECT participation_id, status FROM placement ORDER BY participation_id, attempt"):
        found["placement"][row.participation_id].append(row.status)
    for row in world.rows("SELECT participation_id, purpose, status FROM handoff ORDER BY participation_id, round"):
        found["handoff" if row.purpose == "transfer" else "return"][row.participation_id].append(row.status)
    return found


def assert_sound(world: World) -> None:
    """Assert what holds after any act, by anybody, in any order."""
    with world.engine.begin() as connection:
        assert journal.verify(connection)[1] is None
        people = connection.execute(select(TABLES[0].c.id).order_by(TABLES[0].c.id)).scalars().all()
        seen = [reading.read_id(connection, pid, system("test")) for pid in people]
        sessions = dict(connection.execute(select(SESSION.c.id, SESSION.c.institute_id)).tuples().all())
        rows = {table.name: [dict(row) for row in connection.execute(select(table)).mappings()] for table in TABLES}
    for stands in seen:
        own_rows = {
            name: [row for row in found if row.get("participation_id") == stands.row.id] for name, found in rows.items()
        }
        entries = [e for e in rows["journal"] if e["chain"] == "participation" and e["chain_id"] == stands.row.id]
        entries.sort(key=lambda entry: int(entry["seq"]))
        _assert_places_agree(stands, own_rows["placement"], entries)
        _assert_handoffs_agree(stands, own_rows["handoff"])
        _assert_invited_by_who_is_in_charge(stands, sessions)
        _assert_deadlines_hang(stands, own_rows["deadline"])
        _assert_desks_follow(stands, own_rows["desk_item"], own_rows["deadline"])
        assert [e["at"] for e in entries] == sorted(e["at"] for e in entries)
        if own_rows["waiting"]:
            assert stands.row.state in WAITING_STATES
            assert not stands.snapshot.placed
    held = [row["seat_id"] for row in rows["placement"] if row["status"] in SEAT_HELD]
    assert len(held) == len(set(held))
    assert replayed(world) == standing(world)


def _assert_places_agree(stands: Seen, placements: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    state = stands.row.state
    assert state in stands.process.states
    held = [row for row in placements if row["status"] in SEAT_HELD]
    assert len(held) <= 1
    assert [row["attempt"] for row in held] in ([], [stands.row.placement_attempt])
    was_there = any(entry["to_state"] == State.IMMERSED for entry in entries)
    assert not held or state in ON_THE_PATH or state == State.ABSENT or was_there  # who ended holds no unused seat


def _assert_handoffs_agree(stands: Seen, handoffs: list[dict[str, Any]]) -> None:
    """One open relay while it is owed, one completed once it was: to the institute, and back."""
    ends = {"transfer": (State.IMMERSED, State.TRANSFERRED), "evaluation": (State.TRANSFERRED, State.EVALUATED)}
    for purpose, (during, after) in ends.items():
        rounds = [row for row in handoffs if row["purpose"] == purpose]
        completed = [row for row in rounds if row["status"] == HandoffStatus.COMPLETED]
        assert sum(row["status"] in OPEN_HANDOFF for row in rounds) == (stands.row.state == during)
        if stands.row.state in ON_THE_PATH:
            path = stands.process.path
            assert len(completed) == (path.index(stands.row.state) >= path.index(after))
        assert len(completed) <= 1  # who withdraws after the transfer has had it


def _assert_invited_by_who_is_in_charge(stands: Seen, sessions: Mapping[int, int]) -> None:
    """A session, and what was said there, belong to the institute that accepted, as long as it is in charge."""
    snapshot, row = stands.snapshot, stands.row
    in_charge = snapshot.handoff in {HandoffStatus.ACCEPTED, HandoffStatus.COMPLETED}
    if snapshot.transfer_session is not None:
        assert in_charge
        assert sessions[snapshot.transfer_session] == row.receiver_id
    assert in_charge or snapshot.facts.keys().isdisjoint({FactKind.ATTENDANCE, FactKind.NOTE})


def _assert_deadlines_hang(stands: Seen, deadlines: list[dict[str, Any]]) -> None:
    """Open are those that hang on where things stand, and no others; those that fired keep their place."""
    current: dict[tuple[str, str], int] = {}
    for row in deadlines:
        hanging = row["subject"], row["rule"]
        current[hanging] = max(current.get(hanging, 0), row["generation"])
    granted = {(row["subject"], row["rule"], row["generation"]): row["extension"] for row in deadlines}
    expected: dict[tuple[str, str, int, int], datetime | None] = {}
    found: dict[tuple[str, str, int, int], datetime | None] = {}
    rules, snapshot = stands.rules, stands.snapshot
    for process in (stands.process, process_for(Subject.HANDOFF, ""), process_for(Subject.RETURN, "")):
        entered = rules.calendar.local_day(snapshot.since_of(process.subject) or stands.row.since)
        for rule, hangs in standing_rules(process, rules, snapshot, entered).items():
            generation = current.get((process.subject, rule), 0)
            extension = granted.get((process.subject, rule, generation), 0)
            for number, hung in enumerate(hangs.steps):
                due_at = None if hung.day is None else due(hung.day, hung.step, rules, hangs.basin, extension)
                expected[process.subject.value, rule, number, generation] = due_at
    for row in deadlines:
        key = row["subject"], row["rule"], row["step"], row["generation"]
        if row["status"] in {"open", "waiting"} or (key in expected and row["status"] in {"fired", "missed"}):
            found[key] = row["due_at"]
            assert (row["status"] == "waiting") == (row["due_at"] is None)
    assert found == expected


def _assert_desks_follow(stands: Seen, items: list[dict[str, Any]], deadlines: list[dict[str, Any]]) -> None:
    """What waits on a desk is a delay that lasts, which fired at least once for each alert; no delay is there twice."""
    hanging = {
        (str(process.subject), rule)
        for process in (stands.process, process_for(Subject.HANDOFF, ""), process_for(Subject.RETURN, ""))
        for rule in standing_rules(process, stands.rules, stands.snapshot, _ANY_DAY)
    }
    delays = [tuple(row[name] for name in (*_DELAY, "organisation_id", "role")) for row in items]
    assert len(delays) == len(set(delays))
    for row in items:
        same = [each for each in deadlines if (each["subject"], each["rule"]) == (row["subject"], row["rule"])]
        fired = (each for each in same if each["status"] == "fired")
        # of an earlier generation too: an item follows its rule when the ladder changes under it
        assert row["bumps"] < sum(each["generation"] <= row["generation"] for each in fired)
        if row["status"] not in OVER:
            assert (row["subject"], row["rule"]) in hanging
            later = (each["generation"] for each in deadlines if each["rule"] == row["rule"])
            assert row["generation"] == max(later)


_DELAY, _ANY_DAY = ("subject", "rule", "generation"), date(2018, 9, 3)
