"""Packets, batches, sessions, notes and returns by the API: what they say, and what they leave behind."""

import email.policy
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from jsonschema import Draft202012Validator
from openpyxl import load_workbook
from pypdf import PdfReader

from actions import erasure
from actions.occasion import Occasion
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.web import OTHER, OWN_SESSION, Site, a_session, a_site
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, TRANSFERRED_AT, World, moment

DAY = "/batches/2018-12-12"
SESSION = f"/sessions/{OWN_SESSION}"
PLAN = {
    "starts_at": "2018-12-19T13:00:00+01:00",
    "ends_at": "2018-12-19T16:00:00+01:00",
    "place": "Rue de la Station 1, Namur",
    "capacity": 2,
}
NOTE = {"text": "Lien avec le référentiel : usinage."}
sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def site(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Site]:
    """Give a site on which three handoffs were offered: Amélie's and Basile's to Cecafoc, Céline's to FCC."""
    with a_site(databases, database_kind, tmp_path) as site:
        yield site


@pytest.fixture
def taken(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Site]:
    """Give a site on which they were accepted."""
    with a_site(databases, database_kind, tmp_path, worlds.accepted) as site:
        site.now = worlds.ACCEPTED_AT + timedelta(hours=1)
        yield site


def outcomes(answer: Any) -> dict[str, Any]:
    """Return the state after, or the code of the refusal, by reference; None where it was so before."""
    assert answer.status_code == 200
    told = {}
    for each in answer.json()["outcomes"]:
        assert each["done"] is None or each["refused"] is None
        told[each["reference"]] = each["done"]["to"] if each["done"] else each["refused"] and each["refused"]["code"]
    return told


def entries(site: Site) -> int:
    return int(site.world.one("SELECT count(*) FROM journal"))


def told(site: Site, kind: str) -> list[int]:
    query = "SELECT participation_id FROM notification WHERE kind = :k ORDER BY participation_id"
    return [row.participation_id for row in site.world.rows(query, k=kind)]


# -------------------------------------------------------------------------------------------------------------- packets
def test_packet_is_the_text_that_was_offered_and_fits_the_schema_that_is_served(site: Site) -> None:
    (item, _) = site.call("GET", "/handoffs").json()["items"]
    answer = site.client.get(item["links"]["packet"], headers={"Authorization": f"Bearer {site.token()}"})
    schema = site.client.get("/api/v1/schemas/packet-1.json")

    kept = site.world.one("SELECT content FROM packet WHERE participation_id = 1")
    assert answer.content == kept.encode()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == f'"{item["packet_sha256"]}"' == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.headers["repr-digest"].startswith("sha-256=:")
    assert schema.headers["content-type"] == "application/schema+json"
    Draft202012Validator(schema.json()).validate(answer.json())
    assert answer.json()["handoff"]["reference"] == AMELIE


def test_packet_of_an_earlier_round_stays_what_it_was(site: Site) -> None:
    first = site.call("GET", f"/handoffs/{AMELIE}/packet").content
    site.act("decline", json={"cause": "no_session"})
    receiver = site.world.one("SELECT id FROM organisation WHERE code = 'CECAFOC'")
    asked: dict[str, Any] = {"data": {"receiver": receiver}, "reason": "Accord.", "subject": Subject.HANDOFF}
    site.world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, moment("2018-12-14 09:00"), **asked)

    rounds = [site.call("GET", f"/handoffs/{AMELIE}/packet{query}") for query in ("?round=1", "?round=2", "")]

    assert [json.loads(each.content)["handoff"]["round"] for each in rounds] == [1, 2, 2]
    assert (rounds[0].content, rounds[1].content) == (first, rounds[2].content)


@sqlite_only
@pytest.mark.parametrize(
    ("query", "status"), [("?round=2", 404), ("?round=0", 422), ("?round=x", 422), ("?round=9999999999", 422)]
)
def test_packet_of_a_round_that_is_none_is_refused(site: Site, query: str, status: int) -> None:
    assert site.call("GET", f"/handoffs/{AMELIE}/packet{query}").status_code == status
    assert site.call("GET", f"/handoffs/{AMELIE}/packet.pdf{query}").status_code == status


def test_packet_on_paper_names_who_it_is_about(site: Site) -> None:
    answer = site.call("GET", f"/handoffs/{AMELIE}/packet.pdf")

    text = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'attachment; filename="{AMELIE}.pdf"'
    assert (AMELIE in text, "Quenouille" in text) == (True, True)


def erased(world: World) -> None:
    """Basile withdrew after his handoff was accepted, and was erased."""
    worlds.accepted(world)
    world.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, TRANSFERRED_AT)
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, BASILE)
        erasure.erase(connection, "basile@saint-exemple.example", ifc, Occasion(TRANSFERRED_AT, TRANSFERRED_AT))


def test_packet_of_an_erased_person_is_gone_everywhere(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_site(databases, database_kind, tmp_path, erased) as site:
        packet, paper = (site.call("GET", f"/handoffs/{BASILE}/{name}") for name in ("packet", "packet.pdf"))
        table = site.call("GET", f"{DAY}.csv").text

        assert [each.json()["refused"]["code"] for each in (packet, paper)] == ["no_packet"] * 2
        assert [each.status_code for each in (packet, paper)] == [404, 404]
        assert (AMELIE in table, BASILE in table, "Tournemine" in table) == (True, False, False)


# -------------------------------------------------------------------------------------------------------------- batches
def test_batch_is_listed_with_what_stands_where(site: Site) -> None:
    site.act("accept")

    days = site.call("GET", "/batches").json()["items"]
    day = site.call("GET", DAY).json()

    assert days == [{"day": "2018-12-12", "handoffs": {"accepted": 1, "offered": 1}}]
    assert day["day"] == "2018-12-12"
    assert [(each["reference"], each["round"], each["status"]) for each in day["items"]] == [
        (AMELIE, 1, "accepted"),
        (BASILE, 1, "offered"),
    ]
    hashes = [row.sha256 for row in site.world.rows("SELECT sha256 FROM packet ORDER BY participation_id")]
    assert [each["packet_sha256"] for each in day["items"]] == hashes[:2]


def test_tables_of_a_batch_agree_and_hold_the_institutes_own_only(site: Site) -> None:
    sheet = site.call("GET", f"{DAY}.xlsx")
    lines = site.call("GET", f"{DAY}.csv")

    rows = list(load_workbook(io.BytesIO(sheet.content)).active.iter_rows(values_only=True))
    assert [row[0] for row in rows if str(row[0]).startswith("MINI-")] == [AMELIE, BASILE]
    assert [name in lines.text for name in (AMELIE, BASILE, CELINE)] == [True, True, False]
    assert sheet.headers["content-disposition"] == 'attachment; filename="CECAFOC-2018-12-12.xlsx"'
    assert lines.headers["content-type"] == "text/csv; charset=utf-8"


def test_all_of_a_day_that_wait_are_accepted_and_told_one_by_one(site: Site) -> None:
    site.act("accept")

    answer = site.call("POST", f"{DAY}/accept")
    again = site.call("POST", f"{DAY}/accept")

    assert outcomes(answer) == {BASILE: "accepted"}
    assert answer.json()["outcomes"][0]["done"] == {
        "reference": BASILE,
        "subject": "handoff",
        "trigger": "accept",
        "from": "offered",
        "to": "accepted",
        "seq": site.world.one("SELECT max(seq) FROM journal WHERE chain_id = 2 AND chain = 'participation'"),
        "at": "2018-12-13T09:00:00+01:00",
    }
    assert outcomes(again) == {}
    assert site.listed(institute=OTHER) == [(CELINE, 1, "offered")]
    assert_sound(site.world)


def test_all_of_a_day_are_declined_for_one_cause(site: Site) -> None:
    answer = site.call("POST", f"{DAY}/decline", json={"cause": "other", "reason": "Pas de local."})

    assert outcomes(answer) == {AMELIE: "declined", BASILE: "declined"}
    rows = site.world.rows("SELECT because FROM handoff WHERE status = 'declined'")
    assert [row.because for row in rows] == ["other", "other"]
    assert_sound(site.world)


@sqlite_only
def test_one_that_cannot_be_answered_does_not_stop_the_others(site: Site) -> None:
    """Basile's last entry is of tomorrow: a story is told forwards."""
    site.world.change("UPDATE participation SET journal_at = '2018-12-20 10:00:00' WHERE id = 2")

    assert outcomes(site.call("POST", f"{DAY}/accept")) == {AMELIE: "accepted", BASILE: "before_last_entry"}


@sqlite_only
@pytest.mark.parametrize("day", ["2018-12-32", "20181212", "1544612400", "2018-12-12T00:00:00", "0001-01-01", "x"])
def test_day_that_is_none_is_refused(site: Site, day: str) -> None:
    answers = [site.call("GET", f"/batches/{day}"), site.call("POST", f"/batches/{day}/accept")]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert {answer.json()["refused"]["problems"][0]["code"] for answer in answers} == {"bad_day"}


# ------------------------------------------------------------------------------------------------------------- sessions
def test_session_is_planned_invited_to_and_held(taken: Site) -> None:
    planned = taken.call("POST", "/sessions", json=PLAN)
    invited = taken.call("POST", f"{SESSION}/invitations", json={"references": [AMELIE, BASILE]})
    again = taken.call("POST", f"{SESSION}/invitations", json={"references": [AMELIE]})
    taken.now = TRANSFERRED_AT
    people = [{"reference": AMELIE, "present": True}, {"reference": BASILE, "present": False}]
    held = taken.call("POST", f"{SESSION}/attendance", json={"people": people})
    repeated = taken.call("POST", f"{SESSION}/attendance", json={"people": people[:1]})

    assert (planned.status_code, planned.json()) == (
        201,
        {
            **PLAN,
            "reference": OWN_SESSION,
            "edition": "MINI",
            "status": "planned",
            "url": "",
            "invited": 0,
            "attended": 0,
        },
    )
    assert outcomes(invited) == {AMELIE: "immersed", BASILE: "immersed"}
    assert outcomes(again) == {AMELIE: None}
    assert outcomes(held) == {AMELIE: "transferred", BASILE: "immersed"}
    assert outcomes(repeated) == {AMELIE: None}
    assert told(taken, "transfer_invitation") == [1, 2]
    assert [taken.world.state(each) for each in (AMELIE, BASILE)] == ["transferred", "immersed"]
    (session,) = taken.call("GET", "/sessions").json()["items"]
    assert (session["invited"], session["attended"]) == (1, 1)
    assert_sound(taken.world)


def test_session_moved_and_called_off_is_told_to_those_invited(taken: Site) -> None:
    a_session(taken.world, moment("2018-12-19 13:00"), BASILE)
    later = {**PLAN, "starts_at": "2018-12-20T13:00:00+01:00", "ends_at": "2018-12-20T16:00:00+01:00"}

    moved = taken.call("PUT", SESSION, json=later)
    larger = taken.call("PUT", SESSION, json={**later, "capacity": 9})
    off = taken.call("POST", f"{SESSION}/cancel", json={"reason": "Grève des trains."})
    late = taken.call("POST", f"{SESSION}/cancel", json={"reason": "Grève des trains."})

    assert [each.json()["told"] for each in (moved, larger, off)] == [[BASILE], [], [BASILE]]
    assert moved.json()["session"]["starts_at"] == "2018-12-20T13:00:00+01:00"
    assert larger.json()["session"]["capacity"] == 9
    assert (off.json()["session"]["status"], off.json()["session"]["invited"]) == ("cancelled", 0)
    assert (late.status_code, late.json()["refused"]["code"]) == (409, "session_cancelled")
    assert (told(taken, "transfer_moved"), told(taken, "transfer_called_off")) == ([2], [2])


def test_whoever_is_invited_to_another_session_is_called_off_the_first_and_may_come_back(taken: Site) -> None:
    """Each calendar entry is newer than the one before it: a calendar would pass over any other."""
    second = SESSION.replace("-01", "-02")
    for _ in range(2):
        taken.call("POST", "/sessions", json=PLAN)
    entries: list[tuple[str, str, int]] = []
    for day, session in enumerate((SESSION, second, SESSION)):
        taken.now = worlds.ACCEPTED_AT + timedelta(days=day, hours=1)
        taken.call("POST", f"{session}/invitations", json={"references": [BASILE]})
        taken.world.tick(taken.now)
        entries += [entry for entry in calendar_entries(taken) if entry not in entries]

    first, other = OWN_SESSION, OWN_SESSION.replace("-01", "-02")
    assert [(name, method) for name, method, _ in entries] == [
        (first, "REQUEST"),
        *[(first, "CANCEL"), (other, "REQUEST")],
        *[(other, "CANCEL"), (first, "REQUEST")],
    ]
    for name in (first, other):
        numbers = [number for its, _, number in entries if its == name]
        assert numbers == sorted(set(numbers))
    listed = taken.call("GET", "/sessions").json()["items"]
    assert [(each["reference"], each["invited"]) for each in listed] == [(first, 1), (other, 0)]
    assert_sound(taken.world)


def test_whoever_moves_away_and_back_before_any_mail_left_gets_one_invitation(taken: Site) -> None:
    for _ in range(2):
        taken.call("POST", "/sessions", json=PLAN)
    for session in (SESSION, SESSION.replace("-01", "-02"), SESSION):
        taken.call("POST", f"{session}/invitations", json={"references": [BASILE]})

    taken.world.tick(taken.now)

    assert [(name, method) for name, method, _ in calendar_entries(taken)] == [(OWN_SESSION, "REQUEST")]


def test_session_planned_again_with_the_same_key_is_the_first_one(taken: Site) -> None:
    """The same moments with another offset are the same content; another institute's key is another key."""
    key = {"Idempotency-Key": "a1"}
    in_utc = {**PLAN, "starts_at": "2018-12-19T12:00:00Z", "ends_at": "2018-12-19T15:00:00Z"}

    first = taken.call("POST", "/sessions", json=PLAN, headers=key)
    again = taken.call("POST", "/sessions", json=in_utc, headers=key)
    other_content = taken.call("POST", "/sessions", json={**PLAN, "capacity": 3}, headers=key)
    other_institute = taken.call("POST", "/sessions", OTHER, json=PLAN, headers=key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert [answer.headers.get("Idempotent-Replayed") for answer in (first, again)] == [None, "true"]
    assert (other_content.status_code, other_content.json()["refused"]["code"]) == (409, "key_reused")
    assert (other_institute.status_code, other_institute.json()["reference"]) == (201, "FCC-MINI-01")
    assert len(taken.call("GET", "/sessions").json()["items"]) == 1


def test_session_tells_whom_it_invites_and_who_was_there(taken: Site) -> None:
    taken.call("POST", "/sessions", json=PLAN)
    taken.call("POST", f"{SESSION}/invitations", json={"references": [AMELIE, BASILE]})
    taken.now = TRANSFERRED_AT
    taken.call("POST", f"{SESSION}/attendance", json={"people": [{"reference": AMELIE, "present": True}]})

    session = taken.call("GET", SESSION).json()
    others = taken.call("GET", SESSION, OTHER)

    assert (session["invited"], session["attended"]) == (2, 1)
    told = [(each["reference"], each["state"], each["attended"]) for each in session["people"]]
    assert told == [(AMELIE, "transferred", True), (BASILE, "immersed", False)]
    assert all(each["teacher"] and each["school"] for each in session["people"])
    assert (others.status_code, others.json()["refused"]["code"]) == (404, "unknown_session")


def calendar_entries(site: Site) -> list[tuple[str, str, int]]:
    """Return session, method and sequence of every calendar entry that left, called-off ones first within a tick."""
    found = []
    for mail in site.world.mails().values():
        for part in email.message_from_bytes(mail, policy=email.policy.default).walk():
            if part.get_content_type() == "text/calendar":
                calendar = icalendar.Calendar.from_ical(part.get_content())
                (event,) = calendar.walk("VEVENT")
                number = int(str(event["sequence"]))
                found.append((str(event["uid"]).partition(".")[0], str(calendar["method"]), number))
    return sorted(found, key=lambda entry: (entry[1], entry[0]))


def test_whoever_cannot_be_invited_is_told_and_the_others_are_invited(taken: Site) -> None:
    """Céline is FCC's, Désiré has no handoff, one reference is nobody's: all three look alike."""
    taken.call("POST", "/sessions", json={**PLAN, "capacity": 1})
    wanted = [CELINE, DESIRE, "x\x00", AMELIE, BASILE, AMELIE]

    answer = taken.call("POST", f"{SESSION}/invitations", json={"references": wanted})

    assert outcomes(answer) == {
        CELINE: "unknown_handoff",
        DESIRE: "unknown_handoff",
        "x\x00": "unknown_handoff",
        AMELIE: "immersed",
        BASILE: "session_full",
    }
    refusals = [each["refused"] for each in answer.json()["outcomes"][:3]]
    assert refusals[0] == refusals[1] == refusals[2]


def test_presence_before_the_session_or_without_an_invitation_is_refused(taken: Site) -> None:
    a_session(taken.world, moment("2018-12-19 13:00"), BASILE)
    people = [{"reference": each, "present": True} for each in (AMELIE, BASILE, CELINE)]
    before = entries(taken)

    early = taken.call("POST", f"{SESSION}/attendance", json={"people": people})
    taken.now = TRANSFERRED_AT
    held = taken.call("POST", f"{SESSION}/attendance", json={"people": people[::2]})

    assert outcomes(early) == {AMELIE: "session_to_come", BASILE: "session_to_come", CELINE: "unknown_handoff"}
    assert outcomes(held) == {AMELIE: "not_invited", CELINE: "unknown_handoff"}
    assert entries(taken) == before


@sqlite_only
@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"starts_at": "2018-12-01T13:00:00+01:00"}, 409, "session_in_past"),
        ({"ends_at": "2018-12-19T12:00:00+01:00"}, 409, "session_order"),
        ({"place": "  "}, 409, "session_somewhere"),
        ({"url": "javascript:alert(1)"}, 409, "session_link"),
        ({"edition": "1999-2000"}, 422, "unknown_edition"),
        ({"edition": "\x00"}, 422, "unknown_edition"),
        ({"starts_at": "2018-12-19T13:00:00"}, 422, "bad_values"),
        ({"capacity": 0}, 422, "bad_values"),
        ({"capacity": "5"}, 422, "bad_values"),
        ({"capacity": 10**12}, 422, "bad_values"),
        ({"place": "a\x00b"}, 422, "bad_values"),
        ({"place": "a" * 501}, 422, "bad_values"),
        ({"reference": "X"}, 422, "bad_values"),
    ],
    ids=str,
)
def test_plan_that_does_not_hold_is_refused(taken: Site, changed: dict[str, Any], status: int, code: str) -> None:
    answer = taken.call("POST", "/sessions", json={**PLAN, **changed})

    assert (answer.status_code, answer.json()["refused"]["code"]) == (status, code)
    assert taken.call("GET", "/sessions").json() == {"items": []}


@sqlite_only
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("attendance", {"people": [{"reference": "x", "present": True}, {"reference": "x", "present": False}]}),
        ("invitations", {"references": []}),
        ("invitations", {"references": ["x"] * 201}),
        ("invitations", {"references": [1]}),
        ("invitations", {"references": ["x" * 101]}),
        ("attendance", {"people": []}),
        ("attendance", {"people": [{"reference": AMELIE}]}),
        ("attendance", {"people": [{"reference": AMELIE, "present": 1}]}),
        ("cancel", {"reason": "  "}),
        ("cancel", {}),
    ],
    ids=str,
)
def test_body_that_does_not_fit_is_refused(taken: Site, path: str, body: object) -> None:
    a_session(taken.world, moment("2018-12-19 13:00"), BASILE)
    answer = taken.call("POST", f"{SESSION}/{path}", json=body)

    assert (answer.status_code, answer.json()["refused"]["code"]) == (422, "bad_values")
    assert all(problem["reason"] for problem in answer.json()["refused"]["problems"])


# ------------------------------------------------------------------------------ what is noted, what is given back
def test_note_is_kept_once_however_often_it_is_told(taken: Site) -> None:
    first, again = (taken.act("note", json=NOTE) for _ in range(2))
    other = taken.act("note", json={"text": "Autre chose."})

    assert (first.status_code, first.json()["trigger"]) == (200, "record_fact")
    assert again.json() == first.json()
    assert other.json()["seq"] == first.json()["seq"] + 1
    repeated = [each.headers.get("idempotent-replayed") for each in (first, again, other)]
    assert repeated == [None, "true", None]
    assert taken.world.one("SELECT count(*) FROM fact WHERE kind = 'note'") == 2
    assert_sound(taken.world)


def test_moment_that_became_older_than_the_last_entry_is_taken_anew(taken: Site) -> None:
    """Somebody else's entry came between the clock and the lock: whoever gives no moment cannot mend it."""
    moments = iter([taken.now, taken.now + timedelta(minutes=2)])
    taken.world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, taken.now + timedelta(minutes=1))
    taken.world.act(AMELIE, Trigger.REINSTATE, Role.COORDINATOR, taken.now + timedelta(minutes=1), reason="Une erreur.")
    taken.world.tick(taken.now + timedelta(minutes=1))
    taken.app.state.surroundings = replace(taken.app.state.surroundings, now=lambda: next(moments))

    answer = taken.act("accept")

    assert (answer.status_code, answer.json()["to"]) == (200, "accepted")


def test_note_with_a_key_is_kept_once_though_another_came_between(taken: Site) -> None:
    first = taken.act("note", json=NOTE, headers={"Idempotency-Key": "n1"})
    between = taken.act("note", json={"text": "Autre chose."})
    again = taken.act("note", json=NOTE, headers={"Idempotency-Key": "n1"})
    other = taken.act("note", json={"text": "Encore autre chose."}, headers={"Idempotency-Key": "n1"})

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert between.json()["seq"] == first.json()["seq"] + 1
    assert (other.status_code, other.json()["refused"]["code"]) == (409, "key_reused")
    assert "n1" in other.json()["refused"]["reason"]
    assert "/" not in other.json()["refused"]["reason"]


def test_note_before_the_handoff_is_accepted_says_where_it_stands(site: Site) -> None:
    answer = site.act("note", json=NOTE)

    refused = answer.json()["refused"]
    assert (answer.status_code, refused["code"], refused["state"]) == (409, "handoff_accepted", "offered")
    assert refused["allowed"] == ["accept", "decline"]


def test_record_that_was_sent_back_is_given_back_once(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_site(databases, database_kind, tmp_path, worlds.transferred) as site:
        site.now = TRANSFERRED_AT
        early = site.act("return")
        asked: dict[str, Any] = {"subject": Subject.RETURN, "reason": "Aucune trace de la session."}
        site.world.act(AMELIE, Trigger.DECLINE, Role.COORDINATOR, TRANSFERRED_AT, **asked)
        before = site.call("GET", f"/handoffs/{AMELIE}").json()
        given = site.act("return")
        again = site.act("return")

        assert (early.status_code, early.json()["refused"]["state"]) == (409, "offered")
        assert (before["allowed"], before["links"]["return"]) == (["return"], f"/api/v1/handoffs/{AMELIE}/return")
        done = {name: given.json()[name] for name in ("subject", "trigger", "from", "to")}
        assert done == {"subject": "return", "trigger": "offer", "from": "to_route", "to": "offered"}
        assert (again.status_code, again.json()) == (200, given.json())
        assert again.headers["idempotent-replayed"] == "true"
        assert site.call("GET", f"/handoffs/{AMELIE}").json()["allowed"] == []
        assert_sound(site.world)


def test_return_of_what_never_came_back_is_refused(taken: Site) -> None:
    refused = taken.act("return").json()["refused"]

    assert (refused["code"], refused["state"], refused["allowed"]) == ("wrong_state", "accepted", ["complete"])


@sqlite_only
def test_handoff_that_went_to_another_meanwhile_tells_nothing_of_it(site: Site) -> None:
    """Cecafoc declined; FCC accepted the next round: where that one stands is not Cecafoc's to know."""
    site.act("decline", json={"cause": "no_session"})
    receiver = site.world.one("SELECT id FROM organisation WHERE code = 'FCC'")
    asked: dict[str, Any] = {"data": {"receiver": receiver}, "reason": "Accord.", "subject": Subject.HANDOFF}
    site.world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, moment("2018-12-14 09:00"), **asked)
    site.now = moment("2018-12-14 10:00")
    site.act("accept", institute=OTHER)

    note = site.act("note", json=NOTE).json()["refused"]
    back = site.act("return").json()["refused"]

    assert [(each["code"], each["state"], each["allowed"]) for each in (note, back)] == [
        ("wrong_state", "declined", [])
    ] * 2
