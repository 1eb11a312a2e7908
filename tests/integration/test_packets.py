"""The packet of a handoff: what the receiver needs, fixed when it is offered, provable, emptied with the person."""

import io
import json
from collections.abc import Iterator
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from openpyxl import load_workbook

from actions import batches, editions, invitations, receiving, sessions
from actions.exports import sheet
from actions.occasion import Occasion
from actions.packets import Fixed, fetch
from actions.people import receiver_id
from core.errors import NotFound
from documents.packet import Packet, canonical, fingerprint, read_packet
from jobs import handoffs
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import AMELIE, BASILE, CELINE, World, a_world, moment

OFFERED_ON = date(2018, 12, 12)
_PERSON = "SELECT party_id FROM participation WHERE id = 1"


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, worlds.offered) as given:
        yield given


def fixed(world: World, participation_id: int = 1, number: int = 1) -> Fixed:
    with world.engine.begin() as connection:
        return fetch(connection, participation_id, number)


def packet(world: World, participation_id: int = 1, number: int = 1) -> Packet:
    return read_packet(fixed(world, participation_id, number).content)


# -------------------------------------------------------------------------------------------------------- what it says
def test_packet_says_who_where_when_and_what_happened(world: World) -> None:
    found = packet(world)

    assert found.handoff.model_dump(mode="json") == {
        "reference": AMELIE,
        "purpose": "transfer",
        "round": 1,
        "sender": {"code": "IFC", "name": found.handoff.sender.name},
        "receiver": {"code": "CECAFOC", "name": "Cecafoc"},
        "offered_at": "2018-12-12T12:00:00+01:00",
        "answer_by": found.handoff.answer_by and found.handoff.answer_by.isoformat(),
    }
    assert (found.teacher.kind, found.teacher.network, found.school is not None) == ("enseignant", "SeGEC", True)
    assert (found.teacher.basin, packet(world, 3).teacher.basin) == ("Liège", "namur")  # the edition names the first
    assert found.company is not None
    assert [day.date.isoformat() for day in found.immersion.days] == ["2018-12-03", "2018-12-04"]
    assert (found.immersion.half_days_present, found.immersion.half_days_planned) == (4, 4)
    assert [(entry.trigger, entry.to_state) for entry in found.journal][-2:] == [
        ("confirm_immersion", "immersed"),
        ("request", "to_route"),
    ]


def test_packet_holds_no_reason_no_wish_and_nobody_else_s_name(world: World) -> None:
    """Need-to-know: what the institute does not need to organise the transfer is not there."""
    text = fixed(world).content

    others = world.rows(f"SELECT email FROM party WHERE id <> ({_PERSON})")
    company = json.loads(text)["company"]["contact"]
    assert [row.email for row in others if row.email and row.email in text and row.email != company["email"]] == []
    assert {"wishes", "reason", "team", "seed", "salt"} & set(json.loads(text)) == set()


def test_answer_is_asked_by_the_day_that_the_list_names(world: World) -> None:
    with world.engine.begin() as connection:
        cecafoc = receiver_id(connection, "CECAFOC")
        (listed, *_) = receiving.listing(connection, cecafoc, receiving.Wanted()).items

    assert (listed["reference"], listed["answer_by"][:10]) == (AMELIE, str(packet(world).handoff.answer_by))


def test_packet_of_an_incomplete_round_that_ifc_offers_has_no_company(world: World) -> None:
    world.act(CELINE, Trigger.WITHDRAW, Role.TEACHER, moment("2018-12-13 09:00"))
    world.act(
        CELINE,
        Trigger.CORRECT,
        Role.COORDINATOR,
        moment("2018-12-13 10:00"),
        reason="Attestation reçue sur papier.",
        data={"to": "immersed"},
    )
    world.change("UPDATE placement SET status = 'released' WHERE participation_id = 3")
    fcc = world.one("SELECT id FROM organisation WHERE code = 'FCC'")
    number = world.one("SELECT handoff_round FROM participation WHERE id = 3")
    asked: dict[str, Any] = {"reason": "Sur papier.", "data": {"receiver": fcc}, "subject": Subject.HANDOFF}
    world.act(CELINE, Trigger.OFFER, Role.COORDINATOR, moment("2018-12-13 11:00"), **asked)

    assert packet(world, 3, number).company is None


# --------------------------------------------------------------------------------------------------------------- fixed
def test_packet_is_fixed_at_the_offer_and_its_hash_stands_on_the_handoff_and_in_the_journal(world: World) -> None:
    before = fixed(world)
    world.change(f"UPDATE party SET last_name = 'Autrement' WHERE id = ({_PERSON})")
    after = fixed(world)

    entry = world.one("SELECT data FROM journal WHERE chain_id = 1 AND subject = 'handoff' AND trigger = 'offer'")
    assert after == before
    assert before.sha256 == fingerprint(before.content) == fingerprint(canonical(read_packet(before.content)))
    assert world.one("SELECT packet_hash FROM handoff WHERE participation_id = 1") == before.sha256
    assert json.loads(str(entry))["packet"] == before.sha256


def test_each_round_has_its_own_packet(world: World) -> None:
    relay: dict[str, Any] = {"subject": Subject.HANDOFF}
    world.act(AMELIE, Trigger.DECLINE, Role.INSTITUTE, worlds.ACCEPTED_AT, data={"cause": "no_session"}, **relay)
    to = {"receiver": world.one("SELECT id FROM organisation WHERE code = 'FCC'")}
    world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, moment("2018-12-15 09:00"), data=to, **relay)

    first, second = packet(world), packet(world, number=2)
    assert (first.handoff.receiver.code, second.handoff.receiver.code) == ("CECAFOC", "FCC")
    assert [entry.trigger for entry in second.journal][-2:] == ["decline", "request"]


def test_round_that_was_never_offered_has_none(world: World) -> None:
    with pytest.raises(NotFound) as caught:
        fixed(world, number=2)

    assert caught.value.code == "no_packet"


# ------------------------------------------------------------------------------------------------------------- a batch
def test_batch_holds_the_rounds_of_a_local_day(world: World) -> None:
    with world.engine.begin() as connection:
        cecafoc = receiver_id(connection, "cecafoc")
        found = batches.batches(connection, cecafoc)
        members = [(row.reference, row.status) for row in batches.members(connection, cecafoc, OFFERED_ON)]
        day_before = batches.members(connection, cecafoc, date(2018, 12, 11))

    assert found == [{"day": "2018-12-12", "handoffs": {"offered": 2}}]
    assert (members, list(day_before)) == ([(AMELIE, "offered"), (BASILE, "offered")], [])


def test_batch_is_answered_at_once_each_round_on_its_own(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, moment("2018-12-13 09:00"))
    with world.engine.begin() as connection:
        cecafoc, who = receiver_id(connection, "CECAFOC"), worlds.own(connection, Role.INSTITUTE, BASILE)
        at = Occasion(moment("2018-12-13 10:00"), moment("2018-12-13 10:00"))
        outcomes = batches.answer_all(connection, cecafoc, OFFERED_ON, batches.answer(Trigger.ACCEPT), who, at)

    assert list(outcomes) == [BASILE]
    assert world.rows("SELECT status FROM handoff WHERE purpose = 'transfer' ORDER BY participation_id") == [
        ("closed",),
        ("accepted",),
        ("offered",),
    ]


def test_batch_is_refused_to_another_institute_and_nothing_changes(world: World) -> None:
    with world.engine.begin() as connection:
        cecafoc, who = receiver_id(connection, "CECAFOC"), worlds.own(connection, Role.INSTITUTE, CELINE)
        at = Occasion(moment("2018-12-13 10:00"), moment("2018-12-13 10:00"))
        outcomes = batches.answer_all(connection, cecafoc, OFFERED_ON, batches.answer(Trigger.ACCEPT), who, at)

    assert {getattr(outcome, "code", None) for outcome in outcomes.values()} == {"not_yours"}
    assert world.one("SELECT count(*) FROM handoff WHERE status = 'accepted'") == 0


def test_exports_of_a_batch_agree(world: World) -> None:
    with world.engine.begin() as connection:
        found = batches.packets(connection, receiver_id(connection, "CECAFOC"), OFFERED_ON)
    table = load_workbook(io.BytesIO(sheet(found, "xlsx"))).worksheets[0]
    plain = json.loads(sheet(found, "json"))

    assert [each.handoff.reference for each in found] == [AMELIE, BASILE]
    assert [row[0].value for row in list(table.rows)[-2:]] == [AMELIE, BASILE]
    assert sheet(found, "csv").decode("utf-8-sig").count(AMELIE) == 1
    assert [each["handoff"]["reference"] for each in plain] == [AMELIE, BASILE]


# ----------------------------------------------------------------------------------------------------------- calendars
def test_invitation_goes_with_its_calendar_entry_and_a_change_with_a_higher_sequence(world: World) -> None:
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, worlds.ACCEPTED_AT, subject=Subject.HANDOFF)
    details = sessions.Details(moment("2018-12-19 13:00"), moment("2018-12-19 16:00"), "Namur", "", 5)
    moved = sessions.Details(moment("2018-12-20 13:00"), moment("2018-12-20 16:00"), "Namur", "", 5)
    at = Occasion(worlds.ACCEPTED_AT, worlds.ACCEPTED_AT)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        edition = editions.current(connection)
        session = sessions.plan(connection, edition, next(iter(who.organisations)), details, who, at).reference
        invitations.invite(connection, session, [AMELIE], who, at)
    world.tick(worlds.ACCEPTED_AT)
    with world.engine.begin() as connection:
        sessions.change(connection, session, moved, who, at)
    world.tick(worlds.ACCEPTED_AT)
    with world.engine.begin() as connection:
        sessions.cancel(connection, session, "Formateur malade.", who, at)
    world.tick(worlds.ACCEPTED_AT)

    entries = sorted(calendars(world), key=lambda entry: int(entry["sequence"]))
    assert [(entry["method"], entry["sequence"], entry["starts"]) for entry in entries] == [
        ("REQUEST", 0, "2018-12-19T12:00:00+00:00"),
        ("REQUEST", 1, "2018-12-20T12:00:00+00:00"),
        ("CANCEL", 2, "2018-12-20T12:00:00+00:00"),
    ]
    assert len({entry["uid"] for entry in entries}) == 1


def test_offer_that_waited_is_not_sent_with_what_went_to_another(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    """Both rounds are offered before any mail leaves: only the one in charge of answering gets the packet."""
    with a_world(databases, database_kind, tmp_path, worlds.immersed) as world:
        handoffs.run(world.workshop, worlds.OFFERED_AT)
        at, fcc = worlds.OFFERED_AT, world.one("SELECT id FROM organisation WHERE code = 'FCC'")
        for trigger, asked in ((Trigger.DECLINE, {}), (Trigger.OFFER, {"receiver": fcc})):
            world.act(AMELIE, trigger, Role.COORDINATOR, at, subject=Subject.HANDOFF, reason="Autre.", data=asked)
        world.tick(at)

        found = [message_from_bytes(mail, policy=policy.default) for mail in world.mails().values()]
        names = {
            str(mail["To"]).rpartition("@")[2].strip(">"): part.get_filename()
            for mail in found
            for part in mail.iter_attachments()
            if part.get_filename() == f"{AMELIE}.pdf"
        }
        assert [domain for domain in names if "cecafoc" in domain] == []
        assert len(names) == 1


@pytest.mark.parametrize("end", ["cancelled", "left", "begun"])
def test_invitation_that_waits_is_not_sent_once_the_session_is_gone_left_or_begun(world: World, end: str) -> None:
    """It would put back into a calendar what is no more."""
    world.act(AMELIE, Trigger.ACCEPT, Role.INSTITUTE, worlds.ACCEPTED_AT, subject=Subject.HANDOFF)
    details = sessions.Details(moment("2018-12-19 13:00"), moment("2018-12-19 16:00"), "Namur", "", 5)
    at = Occasion(worlds.ACCEPTED_AT, worlds.ACCEPTED_AT)
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, AMELIE)
        edition, (institute,) = editions.current(connection), who.organisations
        session = sessions.plan(connection, edition, institute, details, who, at).reference
        invitations.invite(connection, session, [AMELIE], who, at)
        if end == "cancelled":
            sessions.cancel(connection, session, "Formateur malade.", who, at)
        if end == "left":
            other = sessions.plan(connection, edition, institute, details, who, at).reference
            invitations.invite(connection, other, [AMELIE], who, at)
    world.tick(moment("2018-12-19 13:00") if end == "begun" else worlds.ACCEPTED_AT)

    sent = [(entry["method"], entry["uid"].partition(".")[0]) for entry in calendars(world)]
    assert sent == {"cancelled": [], "left": [("REQUEST", "CECAFOC-MINI-02")], "begun": []}[end]


def calendars(world: World) -> Iterator[dict[str, Any]]:
    for mail in world.mails().values():
        for part in message_from_bytes(mail, policy=policy.default).iter_attachments():
            calendar = Calendar.from_ical(part.get_content())
            event: Any = calendar.walk("VEVENT")[0]
            yield {
                "method": str(calendar["METHOD"]),
                "sequence": int(event["SEQUENCE"]),
                "starts": event["DTSTART"].dt.isoformat(),
                "uid": str(event["UID"]),
            }
