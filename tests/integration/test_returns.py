"""The relay comes back to IFC: complete it is accepted by itself, incomplete it waits, once it may be sent back."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import editions, facts, invitations, sessions
from actions.occasion import Occasion
from actions.reports import story
from core.errors import LostRace, NotFound, ProductError, Refused
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.worlds import AMELIE, BASILE, CELINE, World, a_world, moment

NOTE = "Lien avec le référentiel : usinage à commande numérique."
DAY = moment("2018-12-19 13:00")
OVER = DAY + timedelta(hours=3)


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.accepted) as given:
        yield given


def details(**changes: Any) -> sessions.Details:
    given = {"starts_at": DAY, "ends_at": OVER, "place": "Namur", "url": "", "capacity": 2}
    return sessions.Details(**{**given, **changes})


def occasion(at: datetime) -> Occasion:
    return Occasion(at, at, salt=lambda: "salt")


INVITED_AT = worlds.ACCEPTED_AT + timedelta(hours=1)


def plan(world: World, reference: str = AMELIE, role: Role = Role.INSTITUTE, **changes: Any) -> str:
    """Plan a session of the institute that accepted this participation."""
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, reference)
        institute = next(iter(worlds.own(connection, Role.INSTITUTE, reference).organisations))
        edition = editions.current(connection)
        return sessions.plan(connection, edition, institute, details(**changes), who, occasion(INVITED_AT)).reference


def invite(
    world: World, session: str, *references: str, role: Role = Role.INSTITUTE, at: datetime = INVITED_AT
) -> list[str]:
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, references[0])
        return list(invitations.invite(connection, session, references, who, occasion(at)))


def attend(world: World, session: str, reference: str = AMELIE, at: datetime = OVER, *, present: bool = True) -> Any:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, reference)
        return invitations.attend(connection, session, reference, who, occasion(at), present=present)


def note(world: World, at: datetime, reference: str = AMELIE, role: Role = Role.INSTITUTE, text: str = NOTE) -> None:
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, reference)
        facts.record_note(connection, reference, text, who, occasion(at))


def returns(world: World, participation_id: int = 1) -> list[tuple[object, ...]]:
    query = (
        "SELECT h.round, h.status, s.code AS sender, r.code AS receiver, h.because FROM handoff h"
        " JOIN organisation s ON s.id = h.sender_id LEFT JOIN organisation r ON r.id = h.receiver_id"
        " WHERE participation_id = :p AND h.purpose = 'evaluation' ORDER BY h.round"
    )
    return [tuple(row) for row in world.rows(query, p=participation_id)]


def told(world: World, kind: str) -> list[str]:
    query = "SELECT role FROM notification WHERE kind = :k AND participation_id = 1 ORDER BY id"
    return [row.role for row in world.rows(query, k=kind)]


def back(world: World, trigger: Trigger, role: Role, at: datetime, **asked: Any) -> None:
    world.act(AMELIE, trigger, role, at, subject=Subject.RETURN, **asked)


def shown(world: World, at: datetime) -> dict[str, Any]:
    with world.engine.begin() as connection:
        return story(connection, AMELIE, at)


# ------------------------------------------------------------------------------------------------------------- complete
def test_complete_record_is_accepted_by_the_system_and_the_evaluation_is_asked_for(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    note(world, OVER)
    confirmed = attend(world, session)
    before = returns(world)
    world.tick(OVER + timedelta(hours=1))

    assert confirmed.after == "transferred"
    assert before == [(1, "offered", "CECAFOC", "IFC", "")]
    assert returns(world) == [(1, "accepted", "CECAFOC", "IFC", "")]
    assert (told(world, "evaluation_requested"), told(world, "return_held")) == (["teacher"], [])
    assert_sound(world)


def test_owner_is_named_at_every_instant_of_the_return(world: World) -> None:
    """IFC once the transfer is confirmed, the institute again while the record is sent back to it."""
    owners = []
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    owners.append(shown(world, at)["owner"])
    world.tick(at + timedelta(hours=1))
    owners.append(shown(world, at + timedelta(hours=1))["owner"])
    back(world, Trigger.DECLINE, Role.COORDINATOR, at + timedelta(hours=2), reason="Aucune trace de la session.")
    owners.append(shown(world, at + timedelta(hours=2))["owner"])
    note(world, at + timedelta(hours=3))
    back(world, Trigger.OFFER, Role.INSTITUTE, at + timedelta(hours=4))
    owners.append(shown(world, at + timedelta(hours=4))["owner"])

    assert owners == ["IFC", "IFC", "CECAFOC", "IFC"]


# ----------------------------------------------------------------------------------------------------------- incomplete
def test_incomplete_record_waits_on_ifc_s_desk_with_what_is_missing(world: World) -> None:
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, worlds.TRANSFERRED_AT)
    world.tick(worlds.TRANSFERRED_AT + timedelta(hours=1))

    assert returns(world) == [(1, "held", "CECAFOC", "IFC", "session attendance note")]
    assert (told(world, "return_held"), told(world, "evaluation_requested")) == (["coordinator"], [])
    assert [(each["who"], each["act"]) for each in shown(world, worlds.TRANSFERRED_AT)["due"]] == [
        ("coordinator", "accept")
    ]


def test_held_record_is_accepted_by_itself_once_the_institute_completes_it(world: World) -> None:
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    world.tick(at + timedelta(hours=1))
    note(world, at + timedelta(hours=2))
    world.tick(at + timedelta(hours=3))
    still = returns(world)
    later = at + timedelta(days=20)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        institute, edition = next(iter(who.organisations)), editions.current(connection)
        given = details(starts_at=later, ends_at=later + timedelta(hours=2))
        session = sessions.plan(connection, edition, institute, given, who, occasion(at + timedelta(hours=3))).reference
    invite(world, session, AMELIE, at=at + timedelta(hours=4))
    attend(world, session, at=later + timedelta(hours=2))
    world.tick(later + timedelta(hours=3))

    assert still == [(1, "held", "CECAFOC", "IFC", "session attendance")]
    assert returns(world) == [(1, "accepted", "CECAFOC", "IFC", "")]
    assert told(world, "return_held") == ["coordinator"]
    assert_sound(world)


def test_ifc_accepts_an_incomplete_record_with_a_reason_and_not_without(world: World) -> None:
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    world.tick(at + timedelta(hours=1))
    with pytest.raises(Refused) as refused:
        back(world, Trigger.ACCEPT, Role.COORDINATOR, at + timedelta(hours=2))
    back(world, Trigger.ACCEPT, Role.COORDINATOR, at + timedelta(hours=2), reason="Liste reçue par courrier.")

    assert refused.value.code == "record_complete"
    assert [row[1] for row in returns(world)] == ["accepted"]


def test_record_is_sent_back_once_in_a_new_round_and_the_institute_is_told_why(world: World) -> None:
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    world.tick(at + timedelta(hours=1))
    back(world, Trigger.DECLINE, Role.COORDINATOR, at + timedelta(hours=2), reason="Il manque la note.")
    world.tick(at + timedelta(hours=3))
    sent_back = returns(world)
    back(world, Trigger.OFFER, Role.INSTITUTE, at + timedelta(hours=4))
    world.tick(at + timedelta(hours=5))
    with pytest.raises(Refused) as refused:
        back(world, Trigger.DECLINE, Role.COORDINATOR, at + timedelta(hours=6), reason="Encore incomplet.")

    assert sent_back == [(1, "declined", "CECAFOC", "IFC", ""), (2, "to_route", "CECAFOC", "IFC", "")]
    assert told(world, "return_sent_back") == ["institute"]
    mail = next(mail for mail in world.mails().values() if b"renvoie le dossier" in mail)
    assert b"Il manque la note." in mail
    assert [row[:2] for row in returns(world)] == [(1, "declined"), (2, "held")]
    assert refused.value.code == "not_sent_back"
    assert_sound(world)


def test_evaluation_is_refused_until_the_record_is_accepted(world: World) -> None:
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, worlds.TRANSFERRED_AT)
    with pytest.raises(Refused) as refused:
        world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, worlds.EVALUATED_AT)

    assert refused.value.code == "return_accepted"


@pytest.mark.parametrize("role", [Role.INSTITUTE, Role.TEACHER, Role.COMPANY, Role.DIRECTOR])
def test_only_ifc_accepts_a_return_or_sends_it_back(world: World, role: Role) -> None:
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, worlds.TRANSFERRED_AT)
    codes = []
    for trigger in (Trigger.ACCEPT, Trigger.DECLINE):
        with pytest.raises(Refused) as refused:
            back(world, trigger, role, worlds.RETURNED_AT, reason="Pour moi.")
        codes.append(refused.value.code)

    assert codes == ["wrong_role", "wrong_role"]


def test_withdrawal_while_the_record_is_sent_back_closes_it_and_tells_the_institute(world: World) -> None:
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    world.tick(at + timedelta(hours=1))
    back(world, Trigger.DECLINE, Role.COORDINATOR, at + timedelta(hours=2), reason="Il manque la note.")
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, at + timedelta(hours=3))

    assert [row[1] for row in returns(world)] == ["declined", "closed"]
    assert told(world, "handoff_closed") == ["institute"]
    assert_sound(world)


def test_correction_back_to_the_transfer_closes_the_completed_return_and_opens_another(world: World) -> None:
    at = worlds.TRANSFERRED_AT
    world.act(AMELIE, Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, at)
    back(world, Trigger.ACCEPT, Role.COORDINATOR, worlds.RETURNED_AT, reason="Sur papier.")
    world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, worlds.EVALUATED_AT)
    done = [row[1] for row in returns(world)]
    later, to = worlds.EVALUATED_AT + timedelta(hours=1), {"to": "transferred"}
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, later, reason="Évaluation d’une homonyme.", data=to)

    assert (done, [row[1] for row in returns(world)]) == (["completed"], ["closed", "offered"])
    assert_sound(world)


def test_ifc_that_took_the_transfer_itself_returns_it_to_itself(world: World) -> None:
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE).organisations
    assert len(ifc) == 1
    world.act(
        AMELIE, Trigger.CORRECT, Role.COORDINATOR, worlds.TRANSFERRED_AT, reason="Rejoué.", data={"to": "prepared"}
    )
    world.act(
        AMELIE, Trigger.CORRECT, Role.COORDINATOR, worlds.TRANSFERRED_AT, reason="Fait.", data={"to": "transferred"}
    )

    assert returns(world) == [(1, "offered", "IFC", "IFC", "")]
    assert_sound(world)


# ------------------------------------------------------------------------------------------------------------- sessions
def test_session_invites_those_whom_the_institute_accepted_once(world: World) -> None:
    session = plan(world)
    first = invite(world, session, AMELIE, BASILE)
    again = invite(world, session, BASILE)
    world.tick(INVITED_AT + timedelta(minutes=5))

    assert (session, first, again) == ("CECAFOC-MINI-01", [AMELIE, BASILE], [])
    assert told(world, "transfer_invitation") == ["teacher"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ends_at": DAY}, "session_order"),
        ({"starts_at": worlds.ACCEPTED_AT, "ends_at": DAY}, "session_in_past"),
        ({"place": " "}, "session_somewhere"),
        ({"capacity": 0}, "session_capacity"),
    ],
)
def test_session_that_cannot_take_place_is_refused(world: World, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        plan(world, **changes)

    assert (refused.value.code, world.one("SELECT count(*) FROM transfer_session")) == (code, 0)


def test_full_session_invites_nobody_of_those_asked(world: World) -> None:
    session = plan(world, capacity=1)
    with pytest.raises(Refused) as refused:
        invite(world, session, AMELIE, BASILE)

    assert refused.value.code == "session_full"
    assert world.one("SELECT count(*) FROM participation WHERE transfer_session_id IS NOT NULL") == 0


def code_of(ask: Any) -> str:
    with pytest.raises(ProductError) as refused:
        ask()
    return refused.value.code


def test_session_of_another_institute_is_as_unknown_as_none(world: World) -> None:
    session = plan(world)
    answers = [code_of(lambda name=name: invite(world, name, CELINE)) for name in (session, "CECAFOC-MINI-99")]

    assert answers == ["unknown_session", "unknown_session"]


def test_participation_of_another_institute_is_not_invited(world: World) -> None:
    session = plan(world)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        code = code_of(lambda: invitations.invite(connection, session, [CELINE], who, occasion(INVITED_AT)))

    assert code == "not_yours"


@pytest.mark.parametrize("role", [Role.TEACHER, Role.COMPANY, Role.DIRECTOR])
def test_session_is_planned_by_the_institute_or_ifc_alone(world: World, role: Role) -> None:
    assert code_of(lambda: plan(world, role=role)) == "not_yours"
    assert plan(world, role=Role.COORDINATOR) == "CECAFOC-MINI-01"


def test_absent_waits_for_another_session_and_is_not_transferred(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    answer = attend(world, session, present=False)

    assert (answer, world.state(AMELIE)) == (None, "immersed")
    assert world.one("SELECT transfer_session_id FROM participation WHERE id = 1") is None
    assert_sound(world)


def test_presence_is_recorded_once_the_session_has_begun_for_those_invited(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    early = code_of(lambda: attend(world, session, at=DAY - timedelta(minutes=1)))
    uninvited = code_of(lambda: attend(world, session, BASILE))

    assert (early, uninvited) == ("session_to_come", "not_invited")


def test_session_called_off_frees_those_invited_and_tells_them(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE, BASILE)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        freed = sessions.cancel(connection, session, "Formateur malade.", who, occasion(INVITED_AT))
    world.tick(INVITED_AT + timedelta(hours=1))
    other = code_of(lambda: invite(world, session, AMELIE, at=INVITED_AT + timedelta(hours=2)))

    assert (list(freed), told(world, "transfer_called_off"), other) == (
        [AMELIE, BASILE],
        ["teacher"],
        "session_cancelled",
    )
    assert world.one("SELECT count(*) FROM participation WHERE transfer_session_id IS NOT NULL") == 0
    assert_sound(world)


def test_session_that_moves_tells_those_invited_and_raises_its_sequence(world: World) -> None:
    session = plan(world)
    invite(world, session, AMELIE)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        moved = sessions.change(connection, session, details(place="Liège"), who, occasion(INVITED_AT))
        same = sessions.change(connection, session, details(place="Liège", capacity=9), who, occasion(INVITED_AT))

    assert (list(moved), list(same)) == ([AMELIE], [])
    assert tuple(world.rows("SELECT place, capacity, sequence FROM transfer_session")[0]) == ("Liège", 9, 1)
    assert told(world, "transfer_moved") == ["teacher"]


def test_note_is_the_institute_s_and_its_text_stands_with_the_journal(world: World) -> None:
    note(world, DAY)
    entry = shown(world, DAY)["journal"][-1]
    codes = [code_of(lambda role=role: note(world, OVER, role=role)) for role in (Role.TEACHER, Role.COMPANY)]

    assert (entry["trigger"], entry["reason"], entry["data"]) == ("record_fact", NOTE, {"fact": "note"})
    assert codes == ["not_yours", "not_yours"]
    assert code_of(lambda: note(world, OVER, text=" ")) == "reason_given"


def test_two_sessions_planned_at_once_get_two_references(world: World) -> None:
    """The number is taken once: whoever loses is asked to try again, as after any lost race."""
    first = plan(world)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        institute, edition = next(iter(who.organisations)), editions.current(connection)
        connection.exec_driver_sql("UPDATE transfer_session SET reference = 'CECAFOC-MINI-02'")
        with pytest.raises(LostRace):
            sessions.plan(connection, edition, institute, details(), who, occasion(INVITED_AT))

    assert first == "CECAFOC-MINI-01"


def test_unknown_session_is_not_found(world: World) -> None:
    with world.engine.begin() as connection, pytest.raises(NotFound):
        sessions.cancel(
            connection, "NOWHERE", "x", worlds.own(connection, Role.COORDINATOR, AMELIE), occasion(INVITED_AT)
        )
