"""Random ladders, calendars, outages and moves: each step fires once or is recorded as missed, never after its act.

An example gives a small edition ladders and holidays of its own (through `replan`, as `init --apply` does), then lets
time pass with gaps, people act, dates move, IFC extend and edit again. `assert_told_once` says what must hold.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from actions import editions, facts, places
from actions.apply import Request, apply
from actions.extending import Extension, extend
from actions.journal import JOURNAL
from actions.occasion import Occasion, system
from actions.people import actor
from actions.reading import read, rules_for
from actions.replanning import preview, replan
from actions.writing import DEADLINE, NOTIFICATION
from core.errors import ProductError
from jobs import deadlines, tick
from notifications.gateways import Mail, Receipt
from states.edition import EditionFile, read_edition
from states.names import DeadlineStatus, Role, StepAction, Subject, Trigger
from states.rules import RuleKey
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, SIZE, World, a_world, in_turn, moment

PEOPLE = (AMELIE, BASILE, CELINE)
STARTS = moment("2018-09-17 09:00")
TELLS = (StepAction.REMIND, StepAction.ESCALATE)
EXAMPLES = 12 * SIZE


class Silent:
    name, idempotent = "silent", True

    def send(self, mail: Mail) -> Receipt:
        return Receipt(accepted=True, provider_id=mail.message_id)


# --------------------------------------------------------------------------------------------------- what people write
@dataclass(frozen=True)
class Ladder:
    """The steps of one rule: days from its anchor, in their order; the last may end the participation."""

    offsets: tuple[int, ...]
    working: bool
    alerts_from: int
    lapses: bool | None

    def steps(self, reminder: str, alert: str) -> str:
        unit = "working_days" if self.working else "days"
        lines = []
        for number, offset in enumerate(sorted(self.offsets)):
            alerting = number >= self.alerts_from
            do, audience, message = ("escalate", "coordinator", alert) if alerting else ("remind", "owner", reminder)
            lines.append(
                f'{{ offset = {offset}, unit = "{unit}", do = "{do}", audience = "{audience}", message = "{message}" }}'
            )
        if self.lapses:
            lines.append(f'{{ offset = {max(self.offsets) + 7}, unit = "{unit}", do = "lapse" }}')
        return f"steps = [{', '.join(lines)}]"


def ladders(least: int, most: int, *, lapses: bool = False) -> st.SearchStrategy[Ladder]:
    offsets = st.lists(st.integers(least, most), min_size=1, max_size=4, unique=True).map(tuple)
    return st.builds(
        Ladder, offsets, st.booleans(), st.integers(0, 3), st.booleans() if lapses else st.none()
    )  # fmt: skip


holidays = st.lists(st.tuples(st.dates(date(2018, 9, 18), date(2019, 3, 1)), st.integers(0, 12)), max_size=3)
written = st.fixed_dictionaries(
    {
        "approval": ladders(0, 30, lapses=True),
        "preparation": ladders(-30, 3),
        "presence": ladders(0, 20),
        "acceptance": ladders(0, 20),
        "holidays": holidays,
        "of_liege": holidays,
        "hour": st.sampled_from(["00:30", "08:00", "23:30"]),
    }
)
_RULES = {
    "approval": ("participation.registered", "approval_reminder", "approval_overdue"),
    "preparation": ("participation.director_approved", "preparation_reminder", "preparation_overdue"),
    "presence": ("participation.prepared", "presence_reminder", "presence_overdue"),
    "acceptance": ("handoff.offered", "handoff_reminder", "handoff_overdue"),
}


def edition(asked: dict[str, Any]) -> EditionFile:
    """The small edition with these ladders and holidays."""
    text = worlds.EDITION
    for rule, (state, reminder, alert) in _RULES.items():
        start = text.index(f"[deadlines.{state}.{rule}]")
        end = text.find("\n[", start + 1)
        block = f"[deadlines.{state}.{rule}]\n{asked[rule].steps(reminder, alert)}\n"
        text = text[:start] + block + text[end:]
    text = text.replace('hour = "08:00"', f'hour = "{asked["hour"]}"\n{_closed(asked["holidays"])}')
    text = text.replace('name = "Liège"', f'name = "Liège"\n{_closed(asked["of_liege"])}')
    return read_edition(text.encode(), "mini.toml")


def _closed(days: Sequence[tuple[date, int]]) -> str:
    rows = (f'{{ name = "Congé", first = {day}, last = {day + timedelta(days=more)} }}' for day, more in days)
    return f"school_holidays = [{', '.join(rows)}]"


# ----------------------------------------------------------------------------------------------------- what happens
people = st.sampled_from(PEOPLE)
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(0, 3)),  # on time, more or less
        st.tuples(st.just("tick"), st.integers(4, 45)),  # an outage
        st.tuples(st.just("goes on"), people),
        st.tuples(st.just("goes on"), people),
        st.tuples(st.just("withdraws"), people),
        st.tuples(st.just("comes back"), people),
        st.tuples(
            st.just("dates"), st.sampled_from([(), (date(2018, 11, 12),), (date(2018, 12, 20), date(2019, 1, 7))])
        ),
        st.tuples(st.just("more time"), st.tuples(people, st.sampled_from(list(_RULES)), st.integers(1, 15))),
        st.tuples(st.just("edits"), written),
    ),
    min_size=4,
    max_size=14,
)
_ACTS = {
    "registered": (Trigger.APPROVE, Role.DIRECTOR, Subject.PARTICIPATION),
    "director_approved": (Trigger.CONFIRM_PREPARATION, Role.TEACHER, Subject.PARTICIPATION),
    "immersed": (Trigger.ACCEPT, Role.INSTITUTE, Subject.HANDOFF),
}


class Life:
    """One small edition, its clock, and what may happen to it."""

    def __init__(self, world: World) -> None:
        self.world, self.at = world, STARTS
        world.gateway = Silent()

    def happens(self, what: str, asked: Any) -> None:
        self.at += timedelta(minutes=7)
        occasion = Occasion(self.at, self.at)
        if what == "tick":
            self.at += timedelta(days=asked, hours=asked % 5)
            tick.run(self.world.workshop, self.at)
            assert_nothing_left_due(self.world, self.at)
            return
        try:
            with self.world.engine.begin() as connection:
                coordinator = actor(connection, Role.COORDINATOR, "catherine@ifc.example", "test")
                if what == "goes on":
                    self._goes_on(connection, asked, occasion)
                elif what == "withdraws":
                    request = Request(Subject.PARTICIPATION, Trigger.WITHDRAW, "Malade.")
                    apply(connection, asked, request, worlds.own(connection, Role.TEACHER, asked), occasion)
                elif what == "comes back":
                    request = Request(Subject.PARTICIPATION, Trigger.REINSTATE, "Guérie.")
                    apply(connection, asked, request, coordinator, occasion)
                elif what == "dates":
                    offer = places.offer_by_reference(connection, editions.current(connection), "ALPHA-01")
                    places.set_dates(connection, offer.session_id, asked, coordinator, occasion)
                elif what == "more time":
                    reference, rule, days = asked
                    extend(connection, reference, Extension(rule, days, "Absente."), coordinator, occasion)
                else:
                    file = edition(asked)
                    count = preview(connection, file, occasion).count
                    replan(connection, file, count, "Autre échelle.", coordinator, occasion)
        except ProductError:
            pass  # it did not stand: nothing was written

    def _goes_on(self, connection: Any, reference: str, occasion: Occasion) -> None:
        stands = read(connection, reference, system("test"))
        if stands.row.state == "prepared" and stands.snapshot.last_day is not None:
            days = [facts.HalfDay(stands.snapshot.last_day, half, present=True) for half in ("am", "pm")]
            days += [facts.HalfDay(stands.snapshot.first_day or date.min, half, present=True) for half in ("am", "pm")]
            who = worlds.own(connection, Role.COMPANY, reference)
            facts.record_presence(connection, reference, days, who, occasion)
        elif stands.row.state in _ACTS:
            trigger, role, subject = _ACTS[stands.row.state]
            apply(connection, reference, Request(subject, trigger), worlds.own(connection, role, reference), occasion)


# ------------------------------------------------------------------------------------------------------ what must hold
def assert_nothing_left_due(world: World, at: datetime) -> None:
    """After a tick nothing that is due waits: it has fired, or is recorded as missed, or was ended."""
    query = select(DEADLINE.c.id).where(DEADLINE.c.status == DeadlineStatus.OPEN.value, DEADLINE.c.due_at <= at)
    with world.engine.connect() as connection:
        assert connection.execute(query).all() == []


def assert_told_once(world: World) -> None:
    """Each step that fired said its word once, the others nothing; none before its time, none after its act."""
    with world.engine.connect() as connection:
        rows = connection.execute(select(DEADLINE).order_by(DEADLINE.c.id)).all()
        said: defaultdict[str, int] = defaultdict(int)
        for key in connection.execute(select(NOTIFICATION.c.key).where(NOTIFICATION.c.seq.is_(None))).scalars():
            said[key] += 1
        steps = {
            row.id: rules_for(connection, row.revision_id).ladder[
                RuleKey(Subject(row.subject), row.state, row.rule)
            ][row.step]
            for row in rows
        }  # fmt: skip
        entries = connection.execute(
            select(JOURNAL).where(JOURNAL.c.chain == "participation").order_by(JOURNAL.c.chain_id, JOURNAL.c.seq)
        ).all()
    ladders_of: defaultdict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        ladders_of[row.participation_id, row.subject, row.rule, row.generation].append(row)
        if steps[row.id].do not in TELLS:
            continue
        name = f"{row.subject}.{row.rule}.{row.step}.{row.generation}"
        times = said.pop(f"{row.participation_id}/{name}/{steps[row.id].message}", 0)
        assert times == (row.status == DeadlineStatus.FIRED), (name, times, row.status)
        if row.status == DeadlineStatus.FIRED:
            assert row.due_at <= row.ended_at
            assert row.state in _stood(entries, row)
    assert not said
    opened_at = {(entry.chain_id, entry.seq): entry.at for entry in entries}
    for (participation_id, *_, generation), ladder in ladders_of.items():
        assert len({row.step for row in ladder}) == len(ladder)
        for row in ladder:
            later = [each for each in ladder if each.step > row.step and each.due_at and each.due_at > row.due_at]
            if row.status == DeadlineStatus.MISSED and row.ended_at > opened_at[participation_id, generation]:
                assert any(each.due_at <= row.ended_at for each in later)  # overtaken, and not merely forgotten
        fired = [row for row in ladder if row.status == DeadlineStatus.FIRED and steps[row.id].do in TELLS]
        for at in {row.ended_at for row in fired}:
            assert len({row.due_at for row in fired if row.ended_at == at}) == 1  # no burst


def _stood(entries: Sequence[Any], row: Any) -> set[str]:
    """Where the subject stood when a step fired: before and after what the system did at that very moment."""
    mine = [each for each in entries if (each.chain_id, each.subject) == (row.participation_id, row.subject)]
    before = [each.to_state for each in mine if each.at < row.ended_at]
    upto = [each.to_state for each in mine if each.at <= row.ended_at]
    return {*before[-1:], *upto[-1:]}


@pytest.mark.parametrize("kind", in_turn(2))
def test_each_step_fires_once_or_is_missed_and_never_after_its_act(
    databases: Databases, kind: Kind, tmp_path: Path
) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(first=written, story=happenings)
    def life(first: dict[str, Any], story: list[tuple[str, Any]]) -> None:
        with a_world(databases, kind, tmp_path) as world:
            lived = Life(world)
            lived.happens("edits", first)
            for what, asked in story:
                lived.happens(what, asked)
                assert_told_once(world)
            lived.happens("tick", 45)
            assert_told_once(world)
            assert_sound(world)

    life()


def _drop_the_key(world: World) -> None:
    if world.engine.dialect.name == "postgresql":
        world.change("ALTER TABLE notification DROP CONSTRAINT uq_notification_key")
        return
    for statement in (
        "CREATE TABLE loose AS SELECT * FROM notification",
        "DROP TABLE notification",
        "ALTER TABLE loose RENAME TO notification",
    ):
        world.change(statement)


def test_without_its_unique_key_a_step_is_said_twice(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """Two processes that both believe to have won the step: the key of what is said lets one of them through only."""
    at = moment("2018-09-24 08:00")
    for keyed in (True, False):
        with a_world(databases, database_kind, tmp_path, own_schema=True) as world:
            world.gateway = Silent()
            if not keyed:
                _drop_the_key(world)
            with patch.object(deadlines, "_mark", lambda _connection, ids, *_: set(ids)):
                deadlines.run(world.workshop, at)
                if keyed:
                    with pytest.raises(IntegrityError):
                        deadlines.run(world.workshop, at)
                else:
                    deadlines.run(world.workshop, at)
            told = world.one("SELECT max(n) FROM (SELECT count(*) AS n FROM notification GROUP BY key) AS times")
            assert told == (1 if keyed else 2)
            if not keyed:
                with pytest.raises(AssertionError):
                    assert_told_once(world)
