"""Whatever people and clocks do, in whatever order, on real databases: what must hold holds after every step.

A machine of Hypothesis lives the life of a small edition: acts of all roles, their own and others', facts, dates that
move, offers taken back, ticks on time, late or from before, calls repeated. `assert_sound` says what must hold.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from actions import desk, editions, facts, invitations, places, reading, sessions
from actions.apply import Applied, Request, apply
from actions.occasion import Actor, Occasion, system
from actions.people import receiver_id
from core.errors import ProductError
from jobs import tick
from notifications.gateways import Mail, Receipt
from states.names import Role, State, Subject, Trigger
from states.tables import process_for
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, SIZE, World, a_world, moment

PEOPLE = (AMELIE, BASILE, CELINE, DESIRE)
OFFERS = ("ALPHA-01", "BETA-01", "GAMMA-01")
DAYS = [(), (date(2018, 12, 3), date(2018, 12, 4)), (date(2019, 1, 14), date(2019, 1, 16)), (date(2019, 3, 29),)]
STARTS = [worlds.registered, worlds.approved, worlds.placed, worlds.prepared, worlds.immersed, worlds.accepted]
REASON = "Motif."

people = st.sampled_from(PEOPLE)
asked = st.fixed_dictionaries(
    {
        "reason": st.sampled_from(["", REASON, REASON]),
        "to": st.sampled_from([None, *State]),
        "receiver": st.sampled_from(["FCC", "CECAFOC", "IFC"]),
        "half_days": st.sampled_from([None, 2, 4]),
        "seat": st.integers(1, 4),
    }
)


@contextmanager
def refused_only(*codes: str) -> Iterator[None]:
    """Allow a refusal, of these kinds if any are named, and no other failure."""
    found = ""
    try:
        yield
    except ProductError as refused:
        found = refused.code
    assert not found or not codes or found in codes


class Silent:
    """A gateway that accepts everything, and counts."""

    name, idempotent = "silent", True

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, mail: Mail) -> Receipt:
        self.sent.append(mail.message_id)
        return Receipt(accepted=True, provider_id=mail.message_id)


class Whole(RuleBasedStateMachine):
    """The life of a small edition."""

    databases: Databases
    kind: Kind
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.gateway = Silent()
        self.versions: dict[int, int] = {}
        self.keys = 0
        self.last: tuple[str, Request, Role, Applied] | None = None

    @initialize(start=st.sampled_from(STARTS))
    def begin(self, start: worlds.Build) -> None:
        self.world = self.stack.enter_context(a_world(self.databases, self.kind, self.folder, start))
        self.world.gateway = self.gateway
        self.at: datetime = self.world.one("SELECT max(at) FROM journal")
        if isinstance(self.at, str):
            self.at = moment(f"{self.at}+00:00")
        self.at += timedelta(minutes=1)

    def teardown(self) -> None:
        self.stack.close()

    # ---------------------------------------------------------------------------------------------------------- people
    def _act(
        self, reference: str, what: tuple[Subject, Trigger, Role], data: dict[str, Any], *, own: bool = True
    ) -> None:
        subject, trigger, role = what
        self.keys += 1
        occasion = self._occasion()
        with refused_only(), self.world.engine.begin() as connection:  # in this order: who lost a race rolls back
            who = (worlds.own if own else worlds.other)(connection, role, reference)
            request = Request(
                subject, trigger, data["reason"], self._data(connection, trigger, data), f"key {self.keys}"
            )
            done = apply(connection, reference, request, who, occasion)
            assert own or role in {Role.SYSTEM, Role.COORDINATOR}
            self.last = (reference, request, role, done)

    def _occasion(self) -> Occasion:
        self.at += timedelta(minutes=1)
        return Occasion(self.at, self.at)

    @staticmethod
    def _data(connection: Any, trigger: Trigger, data: dict[str, Any]) -> dict[str, object]:
        if trigger is Trigger.CORRECT:
            return {"to": str(data["to"])}
        if trigger is Trigger.OFFER:
            code = data["receiver"]
            sql = "SELECT id FROM organisation WHERE code = '" + code + "'"
            return {"receiver": connection.exec_driver_sql(sql).scalar()}
        if trigger is Trigger.PROPOSE:
            return {"seat": data["seat"]}
        return {"half_days": data["half_days"]} if data["half_days"] is not None else {}

    @rule(
        reference=people, what=st.tuples(*map(st.sampled_from, (Subject, Trigger, Role))), own=st.booleans(), data=asked
    )
    def somebody_tries_something(
        self, *, reference: str, what: tuple[Subject, Trigger, Role], own: bool, data: dict[str, Any]
    ) -> None:
        self._act(reference, what, data, own=own)

    @rule(reference=people, number=st.integers(0, 60), data=asked)
    def somebody_does_what_is_allowed(self, reference: str, number: int, data: dict[str, Any]) -> None:
        """One of the acts that the tables allow where things stand: else few lives would get anywhere."""
        with self.world.engine.begin() as connection:
            stands = reading.read(connection, reference, system("test"))
        cells = [
            (subject, trigger, role)
            for subject in Subject
            for role in Role
            for trigger in (stands.process if subject is Subject.PARTICIPATION else process_for(subject, "")).allowed(
                stands.snapshot.state_of(subject), role
            )
            if trigger not in {Trigger.CORRECT, Trigger.WITHDRAW, Trigger.CANCEL, Trigger.LAPSE} or number % 7 == 0
        ]
        if cells:
            self._act(reference, cells[number % len(cells)], {**data, "reason": REASON})

    @precondition(lambda self: self.last is not None)
    @rule()
    def last_call_is_repeated(self) -> None:
        assert self.last is not None
        reference, request, role, done = self.last
        with self.world.engine.begin() as connection:
            who = worlds.own(connection, role, reference)
            with refused_only("key_reused"):  # somebody else holds the role by now
                again = apply(connection, reference, request, who, self._occasion())
                first = (done.seq, done.before, done.after)
                assert (again.seq, again.before, again.after, again.repeated) == (*first, True)

    # ----------------------------------------------------------------------------------------------------------- facts
    @rule(reference=people, days=st.integers(0, 5))
    def preparation_becomes_known(self, reference: str, days: int) -> None:
        occasion = self._occasion()
        with self.world.engine.begin() as connection:
            facts.record_preparation(
                connection, reference, (self.at - timedelta(days=days)).date(), system("test"), occasion
            )

    @rule(reference=people, present=st.integers(0, 4))
    def presence_becomes_known(self, reference: str, present: int) -> None:
        self._occasion()
        with self.world.engine.begin() as connection:
            seen = reading.read(connection, reference, system("test")).snapshot
        if seen.first_day is None:
            return  # no days to attest
        with refused_only("fact_in_future", "not_yours"):
            self.world.attend(reference, self.at, present)

    # -------------------------------------------------------------------------------------------------------- sessions
    @rule(references=st.lists(people, min_size=1, max_size=3), institute=st.sampled_from(["CECAFOC", "FCC"]))
    def institute_invites_to_a_session_of_tomorrow(self, references: list[str], institute: str) -> None:
        occasion, tomorrow = self._occasion(), self.at + timedelta(days=1)
        with self.world.engine.begin() as connection:
            who = Actor(Role.INSTITUTE, None, frozenset({receiver_id(connection, institute)}), "test")
            details = sessions.Details(tomorrow, tomorrow + timedelta(hours=3), "Namur", "", 2)
            edition, (whose,) = editions.current(connection), who.organisations
            with refused_only("session_far_ahead"):
                planned = sessions.plan(connection, edition, whose, details, who, occasion).reference
                with refused_only():
                    invitations.invite(connection, planned, references, who, occasion)

    @rule(reference=people, present=st.booleans())
    def institute_says_who_was_there(self, reference: str, present: bool) -> None:  # noqa: FBT001 - drawn
        occasion = self._occasion()
        query = "SELECT s.reference FROM transfer_session s WHERE s.starts_at <= :at ORDER BY s.id DESC LIMIT 1"
        for session in self.world.rows(query, at=self.at):
            with refused_only(), self.world.engine.begin() as connection:
                who = worlds.own(connection, Role.INSTITUTE, reference)
                invitations.attend(connection, session.reference, reference, who, occasion, present=present)

    @rule(number=st.integers(0, 5), moved=st.booleans())
    def session_moves_or_is_called_off(self, number: int, moved: bool) -> None:  # noqa: FBT001 - drawn
        occasion, later = self._occasion(), self.at + timedelta(days=2)
        known = self.world.rows("SELECT reference FROM transfer_session ORDER BY id")
        if not known:
            return
        with refused_only(), self.world.engine.begin() as connection:
            ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
            if moved:
                details = sessions.Details(later, later + timedelta(hours=3), "Namur", "", 2)
                sessions.change(connection, known[number % len(known)].reference, details, ifc, occasion)
            else:
                sessions.cancel(connection, known[number % len(known)].reference, REASON, ifc, occasion)

    @rule(reference=people)
    def institute_notes(self, reference: str) -> None:
        occasion = self._occasion()
        with refused_only(), self.world.engine.begin() as connection:
            who = worlds.own(connection, Role.INSTITUTE, reference)
            facts.record_note(connection, reference, REASON, who, occasion)

    # ----------------------------------------------------------------------------------------------------------- desks
    @rule(number=st.integers(0, 5), role=st.sampled_from([Role.COORDINATOR, Role.INSTITUTE]), days=st.integers(-1, 20))
    def somebody_sees_to_an_item(self, number: int, role: Role, days: int) -> None:
        """Taken up, postponed or closed, whether it is their desk or not, over or not."""
        occasion, known = self._occasion(), self.world.rows("SELECT id, participation_id FROM desk_item ORDER BY id")
        if not known:
            return
        item = known[number % len(known)]
        until = (self.at + timedelta(days=days)).date()
        with refused_only(), self.world.engine.begin() as connection:
            who = worlds.own(connection, role, PEOPLE[item.participation_id - 1])
            if days % 3 == 0:
                desk.take_up(connection, item.id, who, occasion)
            elif days % 3 == 1:
                desk.postpone(connection, item.id, until, who, occasion)
            else:
                desk.settle(connection, item.id, REASON, who, occasion)

    @rule(offer=st.sampled_from(OFFERS), days=st.sampled_from(DAYS))
    def dates_move(self, offer: str, days: tuple[date, ...]) -> None:
        occasion = self._occasion()
        with self.world.engine.begin() as connection:
            ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
            found = places.offer_by_reference(connection, editions.current(connection), offer)
            places.set_dates(connection, found.session_id, days, ifc, occasion)

    @rule(offer=st.sampled_from(OFFERS), reason=st.sampled_from(["", REASON]))
    def company_takes_its_offer_back(self, offer: str, reason: str) -> None:
        occasion = self._occasion()
        with refused_only("reason_given"), self.world.engine.begin() as connection:
            ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
            places.cancel_offer(connection, editions.current(connection), offer, reason, ifc, occasion)

    # ------------------------------------------------------------------------------------------------------------ time
    @rule(hours=st.sampled_from([1, 24, 24 * 7, 24 * 30]))
    def time_passes_and_a_tick_comes(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        self._tick(self.at)

    @rule(hours=st.sampled_from([0, 1, 24 * 7]))
    def a_tick_comes_twice_or_from_before(self, hours: int) -> None:
        self._tick(self.at - timedelta(hours=hours))

    def _tick(self, at: datetime) -> None:
        for summary in self.world.tick(at):
            assert summary.set_aside == []
        assert not tick.has_work(self.world.workshop, "delivery", at)

    # ----------------------------------------------------------------------------------------------- what holds
    @invariant()
    def all_is_sound(self) -> None:
        if not hasattr(self, "world"):
            return
        assert_sound(self.world)
        rows = self.world.rows("SELECT id, version FROM participation")
        assert all(row.version >= self.versions.get(row.id, 0) for row in rows)
        self.versions = {row.id: row.version for row in rows}
        assert len(self.gateway.sent) == len(set(self.gateway.sent))
        assert self.world.one("SELECT count(*) - count(DISTINCT key) FROM notification") == 0
        assert self.world.one("SELECT count(*) FROM set_aside") == 0


def test_life_of_an_edition_stays_sound(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    class Here(Whole):
        pass

    Here.databases, Here.kind, Here.folder = databases, database_kind, tmp_path
    examples = settings(
        max_examples=5 * SIZE,
        stateful_step_count=20,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Here, settings=examples)


def alerted(world: World) -> None:
    """IFC was alerted: nobody attested presence until late, and nothing was prepared by Désiré."""
    worlds.prepared(world)
    late = moment("2018-12-20 10:00")
    world.tick(late)
    for reference in (AMELIE, BASILE, CELINE):
        world.act(reference, Trigger.CONFIRM_IMMERSION, Role.COMPANY, late + timedelta(hours=1))
    world.tick(late + timedelta(hours=2))
    world.tick(moment("2019-01-08 10:00"))


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE participation SET state = 'evaluated' WHERE id = 1",
        "UPDATE participation SET state = 'observed' WHERE id = 1",
        "UPDATE handoff SET status = 'completed' WHERE participation_id = 1",
        "UPDATE handoff SET status = 'closed' WHERE participation_id = 1",
        "UPDATE placement SET status = 'released' WHERE participation_id = 1",
        "UPDATE deadline SET status = 'closed' WHERE status = 'open' AND participation_id = 1",
        "UPDATE deadline SET due_at = '2019-01-01 00:00:00+00' WHERE status = 'open' AND participation_id = 1",
        "UPDATE deadline SET status = 'open' WHERE status = 'met' AND participation_id = 1",
        "UPDATE journal SET at = '2018-01-01 00:00:00+00' WHERE chain_id = 1 AND seq = 3",
        "UPDATE desk_item SET status = 'open', ended_at = NULL WHERE status = 'settled' AND participation_id = 1",
        "UPDATE desk_item SET rule = 'approval' WHERE status = 'open'",
        "UPDATE desk_item SET bumps = bumps + 1 WHERE participation_id = 1",
        "INSERT INTO waiting (participation_id, offer_id, rank, since) SELECT id, 1, 1, since FROM participation",
    ],
)
def test_harm_done_by_hand_is_not_sound(databases: Databases, database_kind: Kind, tmp_path: Path, harm: str) -> None:
    """Control: what must hold does not, after any of these."""
    with a_world(databases, database_kind, tmp_path, alerted) as world:
        assert_sound(world)
        assert world.change(harm) > 0

        with pytest.raises((AssertionError, KeyError)):
            assert_sound(world)
