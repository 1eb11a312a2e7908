"""One act: what it writes, what it refuses, what a caller's key is worth. Only guards are patched, in controls."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import apply as applying
from actions import facts, reading
from actions.apply import Applied, Request, apply, apply_many
from actions.occasion import Actor, Occasion, system
from core.errors import LostRace, NotFound, Refused
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import comparable, differences, dump
from tests.support.worlds import AMELIE, APPROVED_AT, BASILE, CELINE, DESIRE, PREPARED_AT, World, a_world, moment

Rows = list[dict[str, Any]]
NOBODY = "MINI-9999"


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Four people, registered."""
    with a_world(databases, database_kind, tmp_path) as world:
        yield world


@pytest.fixture
def placed(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Four people with a place."""
    with a_world(databases, database_kind, tmp_path, worlds.placed) as world:
        yield world


def only(rows: Rows, **values: Any) -> dict[str, Any]:
    """Return the one row that has these values."""
    (found,) = [row for row in rows if values.items() <= row.items()]
    return found


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row holds now in the columns that changed."""
    return {name: value for name, value in after.items() if before[name] != value}


# ----------------------------------------------------------------------------------------------------------- happy path
def test_approval_writes_its_rows_and_no_others(world: World) -> None:
    before = dump(world.engine)

    done = world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)

    moved = ("approve", "registered", "director_approved")
    assert done == Applied(AMELIE, Subject.PARTICIPATION, *moved, 2, APPROVED_AT)
    written = differences(before, dump(world.engine))
    assert sorted(written) == ["deadline", "journal", "notification", "participation"]
    ((old,), (new,)) = written["participation"]
    ((gone, (entry,)),) = [written["journal"]]
    assert gone == []
    assert changed(old, new) == {
        "state": "director_approved",
        "since": APPROVED_AT,
        "version": old["version"] + 1,
        "look_at": APPROVED_AT,
        "approval_on": APPROVED_AT.date(),
        "journal_seq": 2,
        "journal_head": entry["hash"],
        "journal_at": APPROVED_AT,
    }
    director = world.one("SELECT party_id FROM contact WHERE address = 'denis@saint-exemple.example'")
    assert {name: value for name, value in entry.items() if name not in {"hash", "revision_id"}} == {
        "chain": "participation",
        "chain_id": new["id"],
        "seq": 2,
        "at": APPROVED_AT,
        "recorded_at": APPROVED_AT,
        "subject": "participation",
        "trigger": "approve",
        "from_state": "registered",
        "to_state": "director_approved",
        "actor_id": director,
        "role": "director",
        "via": "test",
        "data": "",
        "text_hash": "",
        "previous": old["journal_head"],
        "flow_run_id": None,
        "key": None,
        "key_content": None,
    }
    ended, opened = written["deadline"]
    assert {(row["rule"], row["status"]) for row in ended} == {("approval", "open")}
    assert sorted((row["rule"], row["step"], row["status"], row["due_at"], row["generation"]) for row in opened) == [
        ("approval", 0, "met", moment("2018-09-24 08:00"), 1),
        ("approval", 1, "met", moment("2018-10-01 08:00"), 1),
        ("approval", 2, "met", moment("2018-11-13 08:00"), 1),
        ("place", 0, "open", moment("2019-03-15 08:00"), 2),
        ("place", 1, "open", moment("2019-04-05 08:00"), 2),
        ("preparation", 0, "waiting", None, 2),
        ("preparation", 1, "waiting", None, 2),
    ]
    ((), (said,)) = map(tuple, written["notification"])
    assert said | {"id": 0} == {
        "id": 0,
        "key": f"{new['id']}/2/registration_approved",
        "kind": "registration_approved",
        "participation_id": new["id"],
        "subject": "participation",
        "role": "teacher",
        "party_id": new["party_id"],
        "organisation_id": None,
        "level": "first",
        "alone": False,
        "rule": "approve",
        "seq": 2,
        "at": APPROVED_AT,
        "message_id": None,
    }


def test_withdrawal_frees_the_place_and_tells_everybody_in_one_act(placed: World) -> None:
    before = dump(placed.engine)

    placed.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, PREPARED_AT, reason="Malade.")

    written = differences(before, dump(placed.engine))
    assert sorted(written) == [
        "deadline", "journal", "journal_text", "notification", "offer", "participation", "placement"
    ]  # fmt: skip
    assert [(e["subject"], e["trigger"], e["from_state"], e["to_state"]) for e in written["journal"][1]] == [
        ("participation", "withdraw", "director_approved", "withdrawn"),
        ("placement", "release", "confirmed", "released"),
    ]
    assert [row["text"] for row in written["journal_text"][1]] == ["Malade."]
    assert "Malade" not in str([row for name, (_, new) in written.items() if name != "journal_text" for row in new])
    assert {row["status"] for row in written["deadline"][1]} == {"closed"}
    assert sorted((row["kind"], row["role"]) for row in written["notification"][1]) == [
        ("participation_withdrawn", "director"),
        ("trainee_withdrawn", "company"),
    ]
    ((offer,), (freed,)) = written["offer"]
    assert (offer["reference"], changed(offer, freed)) == ("BETA-01", {"look_at": PREPARED_AT})
    ((_,), (seat,)) = written["placement"]
    assert seat["status"] == "released"


def test_act_of_an_uncommitted_transaction_leaves_nothing(world: World) -> None:
    before = dump(world.engine)

    with world.engine.connect() as connection:
        who = worlds.own(connection, Role.DIRECTOR, AMELIE)
        apply(connection, AMELIE, Request(Subject.PARTICIPATION, Trigger.APPROVE), who, at(APPROVED_AT))
        connection.rollback()

    assert dump(world.engine) == before


def at(claimed: datetime, recorded: datetime | None = None) -> Occasion:
    return Occasion(claimed, recorded or claimed)


# ------------------------------------------------------------------------------------------------------------- refusals
P, H, L = Subject.PARTICIPATION, Subject.HANDOFF, Subject.PLACEMENT
REFUSALS: dict[str, tuple[Subject, Trigger, Role, dict[str, Any], str]] = {
    "in a state that forbids it": (P, Trigger.EVALUATE, Role.TEACHER, {}, "wrong_state"),
    "twice": (P, Trigger.APPROVE, Role.DIRECTOR, {}, "wrong_state"),
    "by a role that may not": (P, Trigger.WITHDRAW, Role.COMPANY, {}, "wrong_role"),
    "against a guard": (P, Trigger.CONFIRM_PREPARATION, Role.SYSTEM, {}, "preparation_known"),
    "without a reason": (P, Trigger.CORRECT, Role.COORDINATOR, {"data": {"to": "prepared"}}, "reason_given"),
    "to no state": (P, Trigger.CORRECT, Role.COORDINATOR, {"reason": "R", "data": {"to": "x"}}, "unknown_state"),
    "of another table": (P, Trigger.ACCEPT, Role.COORDINATOR, {}, "unknown_trigger"),
    "on a handoff that is not": (H, Trigger.ACCEPT, Role.COORDINATOR, {}, "wrong_state"),
    "by the committee": (P, Trigger.WITHDRAW, Role.COMMITTEE, {}, "not_yours"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_refused_act_changes_nothing_even_if_its_transaction_commits(placed: World, case: str) -> None:
    subject, trigger, role, asked, code = REFUSALS[case]
    before = dump(placed.engine)

    with placed.engine.begin() as connection:
        who = worlds.own(connection, role, AMELIE)
        with pytest.raises(Refused) as refused:
            apply(connection, AMELIE, Request(subject, trigger, **asked), who, at(PREPARED_AT))

    assert refused.value.code == code
    assert dump(placed.engine) == before


@pytest.mark.parametrize("role", [Role.TEACHER, Role.DIRECTOR, Role.COMPANY, Role.INSTITUTE])
def test_role_held_towards_somebody_else_is_refused_and_changes_nothing(placed: World, role: Role) -> None:
    before = dump(placed.engine)

    with placed.engine.begin() as connection:
        stranger = worlds.other(connection, role, AMELIE)
        with pytest.raises(Refused) as refused:
            apply(connection, AMELIE, Request(P, Trigger.WITHDRAW), stranger, at(PREPARED_AT))

    assert (refused.value.code, refused.value.state) == ("not_yours", "director_approved")
    assert dump(placed.engine) == before


def test_role_held_towards_somebody_else_acts_when_relations_are_not_asked(
    placed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the same stranger, with the relation taken for granted."""
    monkeypatch.setattr("actions.reading._holds", lambda _row, _actor: True)

    with placed.engine.begin() as connection:
        stranger = worlds.other(connection, Role.TEACHER, AMELIE)
        apply(connection, AMELIE, Request(P, Trigger.WITHDRAW), stranger, at(PREPARED_AT))

    assert placed.state(AMELIE) == "withdrawn"


def test_unknown_reference_is_not_found_and_changes_nothing(world: World) -> None:
    before = dump(world.engine)

    with world.engine.begin() as connection, pytest.raises(NotFound) as unknown:
        apply(connection, NOBODY, Request(P, Trigger.APPROVE), system(), at(APPROVED_AT))

    assert (unknown.value.code, dict(unknown.value.params)) == ("unknown_reference", {"reference": NOBODY})
    assert dump(world.engine) == before


def test_refusal_says_what_stands_and_what_is_allowed(world: World) -> None:
    with pytest.raises(Refused) as refused:
        world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, APPROVED_AT)

    assert (refused.value.state, refused.value.allowed) == ("registered", ("withdraw",))


# -------------------------------------------------------------------------------------------------------------- the key
# A correction into the state that stands may be repeated for ever: only the key tells a repetition from a new act.
CORRECTION: dict[str, Any] = {"reason": "Vérifié.", "data": {"to": "registered"}}


def correct(world: World, when: datetime = APPROVED_AT, reference: str = AMELIE, **asked: Any) -> Applied:
    return world.act(reference, Trigger.CORRECT, Role.COORDINATOR, when, **(CORRECTION | asked))


def test_same_key_and_content_give_the_first_result_and_write_nothing(world: World) -> None:
    first = correct(world, key="k")
    before = dump(world.engine)

    again = correct(world, key="k")

    assert (first.repeated, again.repeated) == (False, True)
    assert (again.seq, again.before, again.after, again.trigger) == (first.seq, first.before, first.after, "correct")
    assert dump(world.engine) == before


def test_same_key_and_content_give_the_first_result_whatever_happened_since(world: World) -> None:
    first = world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT, key="k")
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT)

    again = world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, PREPARED_AT, key="k")

    assert (again.seq, again.before, again.after) == (first.seq, "registered", "director_approved")
    assert world.state(AMELIE) == "withdrawn"


@pytest.mark.parametrize(
    "other",
    [
        {"reason": "Vérifié deux fois."},
        {"data": {"to": "prepared"}},
        {"reference": BASILE},
    ],
    ids=["other reason", "other data", "other participation"],
)
def test_same_key_with_other_content_is_refused_and_changes_nothing(world: World, other: dict[str, Any]) -> None:
    correct(world, key="k")
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        correct(world, **{**other, "key": "k"})

    assert refused.value.code == "key_reused"
    assert dump(world.engine) == before


def test_same_key_for_another_trigger_or_by_somebody_else_is_refused(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT, key="k")

    for trigger, role in ((Trigger.WITHDRAW, Role.DIRECTOR), (Trigger.CANCEL, Role.COORDINATOR)):
        with pytest.raises(Refused, match="key_reused"):
            world.act(AMELIE, trigger, role, APPROVED_AT, key="k")


def test_no_key_makes_each_call_new(world: World) -> None:
    first, second = correct(world), correct(world)

    assert (first.seq + 1, second.repeated) == (second.seq, False)


def test_refused_act_keeps_no_key(world: World) -> None:
    with pytest.raises(Refused, match="wrong_state"):
        world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, APPROVED_AT, key="k")

    assert world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT, key="k").repeated is False


def test_same_key_is_a_fault_when_keys_are_not_looked_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: the database still refuses a key twice, but as a race lost instead of with the first result."""
    correct(world, key="k")
    monkeypatch.setattr(applying, "done_before", lambda *_: None)

    with pytest.raises(LostRace):
        correct(world, key="k")


# ----------------------------------------------------------------------------------------------------------- backdating
def test_act_before_the_last_entry_is_refused_and_changes_nothing(world: World) -> None:
    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT - timedelta(seconds=1))

    assert (refused.value.code, refused.value.params["last"]) == ("before_last_entry", APPROVED_AT)
    assert dump(world.engine) == before


def test_act_at_the_very_moment_of_the_last_entry_is_done(world: World) -> None:
    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT)

    assert world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, APPROVED_AT).after == "withdrawn"


@pytest.mark.parametrize(
    ("late", "mark"),
    [
        (timedelta(), ""),
        (timedelta(days=1), ""),
        (timedelta(days=1, seconds=1), '{"backdated":true}'),
        (timedelta(days=30), '{"backdated":true}'),
    ],
    ids=str,
)
def test_act_recorded_more_than_a_day_late_is_marked(world: World, late: timedelta, mark: str) -> None:
    world.act(AMELIE, Trigger.APPROVE, Role.DIRECTOR, APPROVED_AT, recorded_at=APPROVED_AT + late)

    (entry,) = world.rows("SELECT at, recorded_at, data FROM journal WHERE trigger = 'approve'")
    assert entry.data == mark


@pytest.mark.parametrize("verb", ["preparation", "presence", "dates", "erase"])
def test_what_is_no_transition_never_goes_back_before_the_last_entry_either(
    databases: Databases, database_kind: Kind, tmp_path: Path, verb: str
) -> None:
    """Along one chain the claimed moments never go back, whoever writes."""
    with a_world(databases, database_kind, tmp_path, worlds.prepared) as world:
        world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, moment("2018-12-20 10:00"), **(CORRECTION | {
            "data": {"to": "withdrawn" if verb == "erase" else "director_approved"}}))  # fmt: skip
        world.change("UPDATE participation SET preparation_on = NULL WHERE reference = :r", r=AMELIE)
        earlier = moment("2018-12-12 10:00")
        with suppress(Refused):  # either will do; a chain that goes back will not
            _record(world, verb, earlier)

        moments = [row[0] for row in world.rows("SELECT at FROM journal WHERE chain_id = 1 ORDER BY chain, seq")][1:]
        assert moments == sorted(moments)


def _record(world: World, verb: str, when: datetime) -> None:
    from actions import editions, erasure, places

    if verb == "presence":
        world.attend(AMELIE, when)
        return
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        if verb == "preparation":
            facts.record_preparation(connection, AMELIE, when.date(), ifc, at(when))
        elif verb == "erase":
            erasure.erase(connection, "amelie@saint-exemple.example", ifc, at(when))
        else:
            offer = places.offer_by_reference(connection, editions.current(connection), "ALPHA-01")
            days = (moment("2019-01-10 08:00").date(),)
            places.set_dates(connection, offer.session_id, days, ifc, at(when))


# -------------------------------------------------------------------------------------------------------------- in bulk
def test_bulk_writes_the_rows_that_single_acts_write(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path) as one, a_world(databases, database_kind, tmp_path) as many:
        for reference in (AMELIE, BASILE, CELINE, DESIRE):
            one.act(reference, Trigger.LAPSE, Role.SYSTEM, APPROVED_AT)
        with many.engine.begin() as connection:
            ids = [many_id for (many_id,) in connection.exec_driver_sql("SELECT id FROM participation ORDER BY id")]
            done = apply_many(
                connection, dict.fromkeys(ids, Request(P, Trigger.LAPSE)), system("test"), at(APPROVED_AT)
            )

        assert {type(outcome) for outcome in done.values()} == {Applied}
        assert comparable(dump(one.engine)) == comparable(dump(many.engine))


def test_bulk_does_all_but_the_one_that_is_broken(world: World) -> None:
    world.change("UPDATE participation SET definition = 'unknown' WHERE reference = :r", r=BASILE)

    with world.engine.begin() as connection:
        ids = range(1, 5)
        done = apply_many(connection, dict.fromkeys(ids, Request(P, Trigger.LAPSE)), system("test"), at(APPROVED_AT))

    assert {key: type(outcome).__name__ for key, outcome in done.items()} == {
        1: "Applied", 2: "KeyError", 3: "Applied", 4: "Applied"
    }  # fmt: skip
    assert [world.state(each) for each in (AMELIE, BASILE, CELINE, DESIRE)] == [
        "lapsed", "registered", "lapsed", "lapsed"
    ]  # fmt: skip
    world.assert_chains_hold()


def test_bulk_does_all_but_the_one_that_lost_its_race(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's act comes between reading all rows and writing them."""
    seen = reading.seen

    def late(connection: Any, row: Any, actor: Actor) -> Any:
        stands = seen(connection, row, actor)
        if row.id == 4:  # all are read: now the second one moves
            connection.exec_driver_sql("UPDATE participation SET version = version + 1 WHERE id = 2")
        return stands

    monkeypatch.setattr(applying, "seen", late)
    with world.engine.begin() as connection:
        done = apply_many(
            connection, dict.fromkeys(range(1, 5), Request(P, Trigger.LAPSE)), system("test"), at(APPROVED_AT)
        )

    assert [type(done[key]).__name__ for key in range(1, 5)] == ["Applied", "LostRace", "Applied", "Applied"]
    assert world.state(BASILE) == "registered"
    world.assert_chains_hold()
