"""A tick that comes twice, late, or out of order ends in the same rows; on the two odd days of the year too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from actions.imports import FileKind
from jobs import deadlines, tick
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import Dump, comparable, dump
from tests.support.worlds import AMELIE, BASILE, World, a_world, moment

DAY = timedelta(days=1)

# Left out when ticks came at other moments, and why.
MOMENTS = (
    "deadline.ended_at",  # when it fired, or ended
    "journal.at",  # when a lapse was done
    "journal.recorded_at",
    "handoff.changed_at",
    "journal.hash",  # covers the moments
    "journal.previous",
    "participation.journal_head",
    "participation.journal_at",
    "participation.since",
    "placement.since",
    "handoff.since",
    "handoff.changed_at",
    "waiting.since",
    "offer.look_at",  # when a lapse gave a seat back
    "participation.look_at",
    "notification.at",
    "notification.message_id",  # what falls together in one late tick travels in one envelope
    "seal.day",  # one a day, over what changed meanwhile
    "seal.line",
    "participation.sealed_seq",
    "edition.sealed_seq",
    "edition.journal_head",  # the hash of its last entry, the closing
    "edition.closed_at",
)
FREED = ("offer.look_at",)  # a seat that an expiry frees is looked at by the next tick, which may find nobody who waits
ENVELOPES = ("message", "message_text", "seal", "edition_report")  # as above; the report counts the envelopes


@contextmanager
def after(
    databases: Databases, kind: Kind, folder: Path, build: worlds.Build, ticks: Sequence[datetime]
) -> Iterator[World]:
    with a_world(databases, kind, folder, build) as world:
        for at in ticks:
            world.tick(at)
        yield world


def ended(world: World) -> Dump:
    rows = comparable(dump(world.engine, MOMENTS))
    for entry in rows["journal"]:
        if entry["trigger"] == "close":  # names the report's hash
            entry |= {"to_state": "", "data": ""}
    return {name: table for name, table in rows.items() if name not in ENVELOPES}


def on(*days: str) -> list[datetime]:
    """Return the moment at which deadlines fall on each of these days."""
    return [moment(f"{day} 08:00") for day in days]


# the days on which something falls due, and one more: reminders, escalations, then the lapse; those of the preparation;
# of the company's attestation; of the institute's acceptance; the closing of the edition
LIVES: dict[str, tuple[worlds.Build, list[datetime]]] = {
    "approval": (worlds.registered, on("2018-09-24", "2018-10-01", "2018-11-13", "2018-11-20")),
    "preparation": (worlds.placed, on("2018-11-22", "2018-11-28", "2018-11-29", "2018-12-05", "2018-12-12")),
    "presence": (worlds.prepared, on("2018-12-06", "2018-12-13", "2018-12-20", "2018-12-27")),
    "acceptance": (worlds.offered, on("2018-12-19", "2018-12-24", "2018-12-27")),
    "closing": (worlds.accepted, on("2019-06-24", "2019-06-28", "2019-07-01")),
}


# ---------------------------------------------------------------------------------------------------------------- twice
@pytest.mark.parametrize("life", LIVES)
def test_tick_run_twice_ends_as_run_once(databases: Databases, database_kind: Kind, tmp_path: Path, life: str) -> None:
    build, ticks = LIVES[life]
    with after(databases, database_kind, tmp_path, build, ticks[-1:]) as world:
        before, mails = dump(world.engine, FREED), world.mails()

        for summary in world.tick(ticks[-1]):
            assert summary.handled == 0

        assert (dump(world.engine, FREED), world.mails()) == (before, mails)
        assert [job for job in tick.JOBS if tick.has_work(world.workshop, job, ticks[-1])] == []


# ----------------------------------------------------------------------------------------------------------------- late
FIRED = (
    "SELECT p.reference, d.subject, d.rule, d.step, d.due_at FROM deadline d JOIN participation p"
    " ON p.id = d.participation_id WHERE d.status = 'fired' ORDER BY 1, 2, 3, 4"
)
MISSED = FIRED.replace("'fired'", "'missed'")
SAID = "SELECT key FROM notification WHERE rule LIKE '%:%'"


def passed(world: World, query: str) -> set[tuple[object, ...]]:
    return {tuple(row) for row in world.rows(query)}


@pytest.mark.parametrize("late", ["by a week", "to the end"])
@pytest.mark.parametrize("life", LIVES)
def test_ticks_that_come_late_fire_what_matters_now_and_note_the_rest(
    databases: Databases, database_kind: Kind, tmp_path: Path, life: str, late: str
) -> None:
    """Everybody stands where punctual ticks would have them; of each ladder the last step due fired, the others not."""
    build, ticks = LIVES[life]
    with after(databases, database_kind, tmp_path / "punctual", build, ticks) as punctual:
        expected = [passed(punctual, query) for query in (FIRED, SAID, STATES)]
        expected[0] |= passed(punctual, MISSED)  # of what had begun before its first tick
    late_ticks = [at + 7 * DAY for at in ticks] if late == "by a week" else ticks[-1:]
    with after(databases, database_kind, tmp_path / "late", build, late_ticks) as world:
        fired, missed, said = (passed(world, query) for query in (FIRED, MISSED, SAID))

        assert (fired | missed, passed(world, STATES)) == (expected[0], expected[2])
        assert fired.isdisjoint(missed)
        assert fired
        assert said <= expected[1]
        for step in missed:  # overtaken by one of its own ladder, at the latest by the tick that noted it
            assert any(later[:3] == step[:3] and later[3] > step[3] for later in fired | missed)  # type: ignore[operator]
        assert world.one("SELECT count(*) FROM notification WHERE message_id IS NULL") == 0


STATES = (
    "SELECT p.reference, p.state, h.purpose, h.round, h.status FROM participation p"
    " LEFT JOIN handoff h ON h.participation_id = p.id"
)


def test_outage_sends_no_burst(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Two weeks without a tick: the director gets no stale reminder, IFC the one alert, and it is written down."""
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        (summary,) = [each for each in world.tick(moment("2018-10-02 08:00")) if each.job == "deadlines"]

        assert summary.counts == {"approval:missed": 4, "approval:escalate": 4}
        kinds = {row.kind for row in world.rows("SELECT kind FROM notification WHERE rule LIKE '%:%'")}
        assert kinds == {"approval_overdue"}


def test_control_without_noting_what_was_overtaken_there_is_a_burst(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_pass_over", lambda *_: None)
    with a_world(databases, "sqlite", tmp_path, worlds.registered) as world:
        world.tick(moment("2018-10-02 08:00"))

        kinds = {row.kind for row in world.rows("SELECT kind FROM notification WHERE rule LIKE '%:%'")}
        assert kinds == {"approval_reminder", "approval_overdue"}


def test_steps_that_fall_at_the_same_moment_all_fire(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.registered) as world:
        world.change("UPDATE deadline SET due_at = (SELECT min(due_at) FROM deadline WHERE rule = 'approval')"
                     " WHERE rule = 'approval' AND step = 1")  # fmt: skip
        world.tick(moment("2018-10-02 08:00"))

        assert world.one("SELECT count(*) FROM deadline WHERE status = 'missed'") == 0
        assert {row.kind for row in world.rows("SELECT kind FROM notification WHERE rule LIKE 'approval:%'")} == {
            "approval_reminder",
            "approval_overdue",
        }


def test_tick_that_never_comes_leaves_other_rows(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Control: the comparison does see a step that did not fire."""
    build, ticks = LIVES["approval"]
    with after(databases, database_kind, tmp_path / "1", build, ticks) as punctual:
        expected = ended(punctual)
    with after(databases, database_kind, tmp_path / "2", build, ticks[:2]) as world:
        assert ended(world) != expected


# --------------------------------------------------------------------------------------------------------- out of order
@pytest.mark.parametrize("life", LIVES)
def test_earlier_tick_after_a_later_one_changes_nothing(
    databases: Databases, database_kind: Kind, tmp_path: Path, life: str
) -> None:
    build, ticks = LIVES[life]
    with after(databases, database_kind, tmp_path / "1", build, ticks[-1:]) as alone:
        expected = ended(alone)
    with after(databases, database_kind, tmp_path / "2", build, [ticks[-1], ticks[1]]) as world:
        assert ended(world) == expected
        world.assert_chains_hold()


@pytest.mark.parametrize("late_by", [timedelta(minutes=30), timedelta(days=3)])
def test_expiry_that_comes_before_the_last_entry_is_done_by_the_next_tick(
    databases: Databases, database_kind: Kind, tmp_path: Path, late_by: timedelta
) -> None:
    """Somebody acts while a tick is under way, or a tick of yesterday comes today: the expiry is late, not lost."""
    due = moment("2018-11-13 08:00")
    with a_world(databases, database_kind, tmp_path) as world:
        world.act(
            AMELIE, Trigger.CORRECT, Role.COORDINATOR, due + late_by, reason="Vérifié.", data={"to": "registered"}
        )
        world.tick(due + timedelta(minutes=1))
        assert [world.state(each) for each in (AMELIE, BASILE)] == ["registered", "lapsed"]

        world.tick(due + late_by + timedelta(minutes=1))

        assert world.state(AMELIE) == "lapsed"


# ----------------------------------------------------------------------------------------------------------- odd nights
WINTER, SUMMER = "2018-10-28", "2019-03-31"  # Sundays: the clock is set back at three, forward at two


def on_the_odd_days(world: World) -> None:
    """Who has no place by the one day is cancelled, the edition closes on the other; nobody has a place."""
    file = worlds.edition_file(allocation="2018-10-28", placement="2018-10-28", closes="2019-03-31")
    worlds.load(world, file)
    worlds.take_in(world, FileKind.REGISTRATIONS, worlds.PEOPLE.replace("ALPHA-01;BETA-01", ";").replace(
        "BETA-01;GAMMA-01", ";"))  # fmt: skip
    for reference in (AMELIE, BASILE):
        world.act(reference, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)
    world.change("UPDATE deadline SET status = 'closed' WHERE rule = 'approval' AND status = 'open'")


def half_hours(day: str) -> list[datetime]:
    """Return every half-hour from the evening before to the morning, by the clock that is never set."""
    at = moment(f"{day} 00:00") - timedelta(hours=2)
    return [at + timedelta(minutes=30) * number for number in range(24)]


@pytest.mark.parametrize(
    ("day", "rule", "state", "utc"),
    [(WINTER, "place", "cancelled", "07:00"), (SUMMER, "closing", "lapsed", "06:00")],
    ids=["winter", "summer"],
)
def test_deadline_on_an_odd_day_falls_at_eight_local_and_once(
    databases: Databases, database_kind: Kind, tmp_path: Path, day: str, rule: str, state: str, utc: str
) -> None:
    due = moment(f"{day} 08:00")
    with a_world(databases, database_kind, tmp_path, on_the_odd_days) as world:
        assert due.strftime("%H:%M") == utc
        _, step = {"place": ("cancel", 1), "closing": ("lapse", 0)}[rule]
        found = world.rows("SELECT due_at FROM deadline WHERE rule = :r AND step = :s", r=rule, s=step)
        assert {str(row.due_at)[:16] for row in found} == {f"{day} {utc}"}

        counts: dict[datetime, int] = {}
        for at in half_hours(day):
            world.tick(at)
            counts[at] = world.one("SELECT count(*) FROM participation WHERE state = :s", s=state)

        assert [at for at, number in counts.items() if number == 2] == [at for at in half_hours(day) if at >= due]
        assert {number for at, number in counts.items() if at < due} == {0}
        assert world.one("SELECT count(*) FROM notification WHERE kind = :k", k=f"participation_{state}") == 2
        assert world.one("SELECT count(*) FROM message") == len(world.mails()) + world.one(
            "SELECT count(*) FROM message WHERE status = 'cancelled'"
        )


def test_allocation_on_an_odd_day_begins_at_eight_local(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    def build(world: World) -> None:
        worlds.load(world, worlds.edition_file(allocation=WINTER))
        worlds.take_in(world, FileKind.OFFERS, worlds.OFFERS)
        worlds.take_in(world, FileKind.REGISTRATIONS, worlds.PEOPLE)
        world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, worlds.APPROVED_AT)

    with a_world(databases, database_kind, tmp_path, build, own_schema=True) as world:
        placed = {}
        for at in half_hours(WINTER):
            world.tick(at)
            placed[at] = world.one("SELECT count(*) FROM placement")

        assert [at for at, number in placed.items() if number] == [
            at for at in half_hours(WINTER) if at >= moment(f"{WINTER} 08:00")
        ]
        assert placed[half_hours(WINTER)[-1]] == 1


# ---------------------------------------------------------------------------------------------------------- small bites
@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("life", LIVES)
def test_tick_in_small_transactions_ends_in_the_same_rows(
    databases: Databases, database_kind: Kind, tmp_path: Path, life: str, limit: int
) -> None:
    build, ticks = LIVES[life]
    with after(databases, database_kind, tmp_path / "1", build, ticks[-1:]) as whole:
        expected = ended(whole)
    with a_world(databases, database_kind, tmp_path / "2", build) as world:
        tick.run(world.workshop, ticks[-1], limit)
        tick.run(world.workshop, ticks[-1], limit)

        assert ended(world) == expected
