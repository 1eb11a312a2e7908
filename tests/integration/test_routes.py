"""Changing the routes of an edition that runs: seen first, then confirmed; nobody who accepted is moved."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from actions import apply as applying
from actions import editions, handoffs, routes, webhooks
from actions.occasion import Actor, Occasion, system
from actions.routes import Destination, Preview, Rerouted
from core.errors import NotFound, Refused
from core.hosts import AllowList
from notifications.refusals import refusal
from states.edition import EditionFile
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, World, a_world, moment

AT = moment("2018-12-13 09:00")  # the day after the offers
WHY = "Nouvelle convention entre réseaux."
ROUNDS = (
    "SELECT h.round, h.status, o.code FROM handoff h LEFT JOIN organisation o ON o.id = h.receiver_id"
    " WHERE participation_id = :p AND h.purpose = 'transfer' ORDER BY h.round"
)
RUNNING = "SELECT participation_id, subject, rule, step, due_at FROM deadline WHERE status IN ('open', 'waiting')"

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the engine."""


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which Amélie and Basile are offered to Cecafoc, Céline to FCC; Désiré is on his way."""
    with a_world(databases, database_kind, tmp_path, worlds.offered) as world:
        yield world


def route(network: str, institute: str, **more: Any) -> dict[str, Any]:
    return {"network": network, "education": ["ordinaire"], "institute": institute, "status": "confirmed", **more}


def file(*given: Mapping[str, Any], **changed: Any) -> EditionFile:
    """The small edition with these routes instead of its own."""
    content = worlds.edition_file().model_dump(mode="json")
    return EditionFile.model_validate({**content, "routes": list(given), **changed})


TO_FCC = file(route("SeGEC", "FCC"), route("WBE", "FCC"))


def look(world: World, edition: EditionFile = TO_FCC, at: datetime = AT) -> Preview:
    with world.engine.begin() as connection:
        return routes.preview(connection, edition, Occasion(at, at))


def ifc(connection: Connection) -> Actor:
    return worlds.own(connection, Role.COORDINATOR, AMELIE)


def confirm(
    world: World,
    number: int,
    edition: EditionFile = TO_FCC,
    at: datetime = AT,
    reason: str = WHY,
    role: Role | None = None,
) -> Rerouted:
    with world.engine.begin() as connection:
        actor = ifc(connection) if role is None else worlds.own(connection, role, AMELIE)
        return routes.apply(connection, edition, number, reason, actor, Occasion(at, at))


def rounds(world: World, reference: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in world.rows(ROUNDS, p=world.id(reference))]


def accept(world: World, reference: str) -> None:
    world.act(reference, Trigger.ACCEPT, Role.INSTITUTE, AT, subject=Subject.HANDOFF)


# ------------------------------------------------------------------------------------------------------------- looking
def test_preview_says_who_would_go_where_and_writes_nothing(world: World) -> None:
    before = dump(world.engine)

    found = look(world)

    assert found.moving == tuple(
        Destination(world.id(reference), reference, 1, "offered", "CECAFOC", "FCC") for reference in (AMELIE, BASILE)
    )
    assert (found.edition, found.number, len(found.rounds), found.kept) == ("MINI", 1, 3, ())
    assert found.changes == ("routes[0].institute: CECAFOC -> FCC", "routes[1].status: to_confirm -> confirmed")
    assert (found.later, found.later_elsewhere, found.other_rules) == (1, 0, 0)
    assert dump(world.engine) == before


def test_routes_taken_away_lead_to_the_desk_of_ifc(world: World) -> None:
    assert [(each.now, each.then) for each in look(world, file(route("WBE", "FCC"))).moving] == [("CECAFOC", None)] * 2


def test_accepted_round_is_shown_and_stays(world: World) -> None:
    accept(world, AMELIE)

    found = look(world)

    assert [each.reference for each in found.moving] == [BASILE]
    assert [(each.reference, each.now, each.then) for each in found.kept] == [(AMELIE, "CECAFOC", "FCC")]


def test_round_that_waits_goes_by_the_new_route_or_to_nobody_who_said_no(world: World) -> None:
    cause = {"cause": "wrong_network"}
    for reference in (AMELIE, CELINE):
        world.act(reference, Trigger.DECLINE, Role.INSTITUTE, AT, subject=Subject.HANDOFF, data=cause)

    found = look(world, file(route("SeGEC", "FCC"), route("WBE", "CECAFOC")))

    assert [(each.reference, each.status, each.now, each.then) for each in found.moving] == [
        (AMELIE, "to_route", None, "FCC"),
        (BASILE, "offered", "CECAFOC", "FCC"),
        (CELINE, "to_route", None, "CECAFOC"),
    ]
    assert [each.then for each in look(world, file(route("SeGEC", "CECAFOC"), route("WBE", "FCC"))).rounds] == [
        None,
        "CECAFOC",
        None,
    ]


def test_round_that_ifc_offered_by_hand_is_not_taken_back(world: World) -> None:
    fcc = world.one("SELECT id FROM organisation WHERE code = 'FCC'")
    world.act(AMELIE, Trigger.DECLINE, Role.INSTITUTE, AT, subject=Subject.HANDOFF, data={"cause": "no_session"})
    world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, AT, subject=Subject.HANDOFF, data={"receiver": fcc})

    assert [each.reference for each in look(world, file(route("WBE", "FCC"))).moving] == [BASILE]


@on_sqlite
def test_route_that_ends_later_leaves_what_was_offered_while_it_held(world: World) -> None:
    """The route of the day of the offer counts: what it gave is not taken back when it has run its time."""
    first, then = route("SeGEC", "CECAFOC", last="2018-12-31"), route("SeGEC", "FCC", first="2019-01-01")
    edition = file(first, then, route("WBE", "FCC"))

    found = look(world, edition, moment("2019-01-03 09:00"))

    assert found.moving == ()


@on_sqlite
def test_people_not_immersed_yet_are_counted_with_those_a_later_route_concerns(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.prepared) as world:
        later = file(route("SeGEC", "CECAFOC", last="2018-12-31"), route("SeGEC", "FCC", first="2019-01-01"))

        counts = [look(world, each, worlds.PREPARED_AT) for each in (TO_FCC, later, worlds.edition_file())]

        assert [(each.later, each.later_elsewhere, each.rounds) for each in counts] == [
            (4, 2, ()),
            (4, 3, ()),
            (4, 0, ()),
        ]


@on_sqlite
def test_unknown_edition_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="unknown_edition"):
        look(world, file(code="AUTRE"))


def test_another_difference_is_refused_with_the_list(world: World) -> None:
    before = dump(world.engine)
    other = file(route("SeGEC", "FCC"), route("WBE", "FCC"), title="Autre", closes="2019-06-29")

    for refused in (lambda: look(world, other), lambda: confirm(world, 2, other)):
        with pytest.raises(Refused) as refusal:
            refused()
        assert refusal.value.code == "routes_only"
        assert refusal.value.params["changes"] == [
            "closes: 2019-06-28 -> 2019-06-29",
            "title: Petite édition -> Autre",
        ]
    assert dump(world.engine) == before


# -------------------------------------------------------------------------------------------------------------- moving
def test_confirmed_change_moves_exactly_what_was_shown(world: World) -> None:
    running = set(world.rows(RUNNING))

    done = confirm(world, 2)

    assert (done.number, [each.reference for each in done.moved], done.following) == (2, [AMELIE, BASILE], 4)
    for reference in (AMELIE, BASILE):
        assert rounds(world, reference) == [(1, "closed", "CECAFOC"), (2, "to_route", None)]
    assert rounds(world, CELINE) == [(1, "offered", "FCC")]
    ended = {(row.participation_id, row.subject, row.rule) for row in running - set(world.rows(RUNNING))}
    assert ended == {(world.id(reference), "handoff", "acceptance") for reference in (AMELIE, BASILE)}
    assert_sound(world)


def test_next_tick_offers_what_moved_to_the_new_institute_and_nobody_else(world: World) -> None:
    confirm(world, 2)
    world.tick(AT + timedelta(hours=1))

    for reference in (AMELIE, BASILE):
        assert rounds(world, reference) == [(1, "closed", "CECAFOC"), (2, "offered", "FCC")]
    assert rounds(world, CELINE) == [(1, "offered", "FCC")]
    assert world.rows("SELECT participation_id, role FROM notification WHERE kind = 'handoff_closed' ORDER BY 1") == [
        (1, "institute"),
        (2, "institute"),
    ]
    assert look(world).moving == ()
    assert_sound(world)


def test_receiver_that_listens_is_told_that_the_round_is_closed(world: World) -> None:
    with world.engine.begin() as connection:
        for institute in ("CECAFOC", "FCC"):
            webhooks.add(connection, institute, "http://127.0.0.1:9/", AllowList.parse("127.0.0.0/8"), AT)

    confirm(world, 2)

    events = world.rows(
        "SELECT o.code, e.type, e.participation_id, e.round FROM webhook_event e JOIN webhook w ON w.id = e.webhook_id"
        " JOIN organisation o ON o.id = w.organisation_id ORDER BY 3"
    )
    assert [tuple(each) for each in events] == [("CECAFOC", "handoff.closed", each, 1) for each in (1, 2)]


def test_change_stands_in_the_journals_of_the_edition_and_of_whom_it_concerns(world: World) -> None:
    confirm(world, 2)

    (edition,) = world.rows(
        "SELECT revision_id, data, role, text FROM journal j JOIN journal_text t ON t.chain = j.chain"
        " AND t.chain_id = j.chain_id AND t.seq = j.seq WHERE j.chain = 'edition' AND trigger = 'reroute'"
    )
    assert tuple(edition) == (2, '{"moved":2,"revision":2}', "coordinator", WHY)
    entries = world.rows(
        "SELECT chain_id, subject, trigger, from_state, to_state, revision_id, text_hash <> '' AS said FROM journal"
        " WHERE chain = 'participation' AND revision_id = 2 ORDER BY chain_id, seq"
    )
    assert [tuple(each)[:6] for each in entries] == [
        (1, "handoff", "reroute", "offered", "closed", 2),
        (1, "handoff", "request", "closed", "to_route", 2),
        (2, "handoff", "reroute", "offered", "closed", 2),
        (2, "handoff", "request", "closed", "to_route", 2),
        (3, "participation", "reroute", "immersed", "immersed", 2),
        (4, "participation", "reroute", "director_approved", "director_approved", 2),
    ]
    assert [bool(each.said) for each in entries] == [True, False, True, False, False, False]
    assert world.rows("SELECT DISTINCT revision_id FROM participation") == [(2,)]
    world.assert_chains_hold()


def test_whoever_is_immersed_later_goes_by_the_new_routes(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        at = worlds.IMMERSED_AT + timedelta(minutes=1)
        assert [each.status for each in confirm(world, 2, at=at).moved] == ["to_route"] * 2
        world.tick(worlds.OFFERED_AT)

        assert [rounds(world, each) for each in (AMELIE, BASILE, CELINE)] == [[(1, "offered", "FCC")]] * 3
        assert_sound(world)


def test_round_that_ifc_was_left_with_is_looked_at_again(world: World) -> None:
    confirm(world, 2, file(route("WBE", "FCC")))
    world.tick(AT + timedelta(hours=1))
    assert world.one("SELECT count(*) FROM handoff WHERE because = 'route' AND look_at IS NULL") == 2

    later = AT + timedelta(hours=2)
    confirm(world, 2, TO_FCC, later)
    world.tick(later + timedelta(hours=1))

    assert rounds(world, AMELIE) == [(1, "closed", "CECAFOC"), (2, "offered", "FCC")]
    assert_sound(world)


def test_number_that_is_no_longer_right_is_refused_and_writes_nothing(world: World) -> None:
    assert len(look(world).moving) == 2
    accept(world, AMELIE)
    before = dump(world.engine)

    with pytest.raises(Refused) as refusal:
        confirm(world, 2)
    assert (refusal.value.code, refusal.value.params["value"], refusal.value.params["count"]) == ("routes_stale", 2, 1)
    assert dump(world.engine) == before

    assert [each.reference for each in confirm(world, 1).moved] == [BASILE]
    assert rounds(world, AMELIE) == [(1, "accepted", "CECAFOC")]
    assert rounds(world, BASILE) == [(1, "closed", "CECAFOC"), (2, "to_route", None)]
    assert_sound(world)


@pytest.mark.parametrize("role", [Role.INSTITUTE, Role.DIRECTOR, Role.TEACHER, Role.SYSTEM])
@on_sqlite
def test_only_the_coordinator_changes_routes(world: World, role: Role) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused, match="wrong_role"):
        confirm(world, 2, role=role)
    assert dump(world.engine) == before


@on_sqlite
def test_change_without_a_reason_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="reason_given"):
        confirm(world, 2, reason="  ")


def test_same_change_again_does_nothing(world: World) -> None:
    confirm(world, 2)
    before = dump(world.engine)

    done = confirm(world, 0)

    assert (done.number, done.moved, done.following) == (2, (), 0)
    assert dump(world.engine) == before


def test_whoever_was_registered_by_the_older_revision_meanwhile_follows_when_asked_again(world: World) -> None:
    confirm(world, 2)
    world.change("UPDATE participation SET revision_id = 1 WHERE reference = :r", r=DESIRE)

    assert confirm(world, 0).following == 1
    assert world.one("SELECT revision_id FROM participation WHERE reference = :r", r=DESIRE) == 2
    world.assert_chains_hold()


@on_sqlite
def test_whoever_began_under_other_rules_keeps_them(world: World) -> None:
    """Their ladder is another one: changing over would change what their deadlines mean."""
    world.change("UPDATE deadline SET status = 'closed' WHERE status IN ('open', 'waiting')")
    worlds.load(world, worlds.edition_file(closes="2019-06-27"), AT)
    edition = file(route("SeGEC", "FCC"), route("WBE", "FCC"), closes="2019-06-27")

    found = look(world, edition)

    assert (found.number, found.rounds, found.later, found.other_rules) == (2, (), 0, 4)
    assert confirm(world, 0, edition).number == 3
    assert world.one("SELECT DISTINCT revision_id FROM participation") == 1


@on_sqlite
def test_rules_of_a_change_that_was_rolled_back_are_not_remembered(world: World) -> None:
    """SQLite gives the number of a row that was rolled back to the next one."""
    connection = world.engine.connect()
    with connection.begin() as transaction:
        routes.apply(connection, TO_FCC, 2, WHY, ifc(connection), Occasion(AT, AT))
        transaction.rollback()
    connection.close()
    nowhere = file(route("WBE", "FCC"))
    confirm(world, 2, nowhere)
    world.tick(AT + timedelta(hours=1))

    assert rounds(world, AMELIE) == [(1, "closed", "CECAFOC"), (2, "to_route", None)]


# --------------------------------------------------------------------------------------------------- the job, meanwhile
@pytest.mark.parametrize("guarded", [True, False])
def test_job_does_not_offer_by_routes_that_changed_after_it_read_them(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, guarded: bool
) -> None:
    """Control: without the versions that it read, the job offers to whom the old routes named."""
    original = applying.apply_many

    def meanwhile(connection: Connection, asked: Any, actor: Actor, occasion: Occasion, versions: Any) -> Any:
        at = worlds.OFFERED_AT
        routes.apply(connection, TO_FCC, 2, WHY, ifc(connection), Occasion(at, at))
        return original(connection, asked, actor, occasion, versions if guarded else None)

    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        with monkeypatch.context() as patched, world.engine.begin() as connection:
            patched.setattr(handoffs, "apply_many", meanwhile)
            handoffs.route(connection, [1, 2, 3], system("test"), Occasion(worlds.OFFERED_AT, worlds.OFFERED_AT))

        assert rounds(world, AMELIE) == ([(1, "to_route", None)] if guarded else [(1, "offered", "CECAFOC")])
        world.tick(worlds.OFFERED_AT)
        assert rounds(world, AMELIE) == [(1, "offered", "FCC" if guarded else "CECAFOC")]


def test_edition_s_running_deadlines_still_refuse_another_file(world: World) -> None:
    confirm(world, 2)

    with world.engine.begin() as connection, pytest.raises(Refused, match="edition_running"):
        editions.load(connection, worlds.edition_file(closes="2019-06-27"), system("test"), Occasion(AT, AT))


def test_file_that_only_changes_routes_is_refused_with_the_way_to_change_them(world: World) -> None:
    with world.engine.begin() as connection, pytest.raises(Refused, match="only_routes_change") as refused:
        editions.load(connection, TO_FCC, system("test"), Occasion(AT, AT))

    assert "entrapprendre routes preview" in str(refusal(refused.value))
