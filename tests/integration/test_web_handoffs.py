"""The relay by the API: what an institute lists, and what becomes of what it says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import actions.answering
from actions.apply import apply
from core.errors import LostRace
from states.names import Cause, Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.web import OTHER, OWN, Site, a_site
from tests.support.worlds import AMELIE, BASILE, CELINE, TRANSFERRED_AT, moment

TIMED_OUT_AT = moment("2019-01-04 08:00")
OTHER_WORDS = {"cause": "other", "reason": "Congé de maternité."}
NO_SESSION = {"cause": "no_session"}
sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def site(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Site]:
    """Give a site on which three handoffs were offered: Amélie's and Basile's to Cecafoc, Céline's to FCC."""
    with a_site(databases, database_kind, tmp_path) as site:
        yield site


def entries(site: Site) -> list[tuple[object, ...]]:
    """Return what the journal has of Amélie since the offer."""
    query = (
        "SELECT subject, trigger, from_state, to_state, role, via, actor_id FROM journal"
        " WHERE chain_id = 1 AND chain = 'participation' AND seq > 8 ORDER BY seq"
    )
    return [tuple(row) for row in site.world.rows(query)]


def offer_again(site: Site, institute: str, at: str) -> None:
    receiver = site.world.one("SELECT id FROM organisation WHERE code = :c", c=institute)
    asked: dict[str, Any] = {"data": {"receiver": receiver}, "reason": "Accord de l'IFC."}
    site.world.act(AMELIE, Trigger.OFFER, Role.COORDINATOR, moment(at), subject=Subject.HANDOFF, **asked)


# ------------------------------------------------------------------------------------------------------------- reading
def test_item_says_all_that_a_program_needs_and_names_nobody(site: Site) -> None:
    page = site.call("GET", "/handoffs?limit=1").json()

    own = f"/api/v1/handoffs/{AMELIE}"
    assert page["items"] == [
        {
            "reference": AMELIE,
            "edition": "MINI",
            "round": 1,
            "purpose": "transfer",
            "status": "offered",
            "from": "IFC",
            "to": OWN,
            "since": "2018-12-12T12:00:00+01:00",
            "changed_at": "2018-12-12T12:00:00+01:00",
            "offered_at": "2018-12-12T12:00:00+01:00",
            "answer_by": "2018-12-27T08:00:00+01:00",  # as the mail that offered it says
            "because": [],
            "packet_sha256": site.world.one("SELECT sha256 FROM packet WHERE participation_id = 1"),
            "links": {
                "self": own,
                "accept": f"{own}/accept",
                "decline": f"{own}/decline",
                "complete": None,
                "return": None,
                "packet": f"{own}/packet?round=1",
            },
        }
    ]
    assert page["next_changed_since"] == "2018-12-13T07:50:00Z"


def test_one_handoff_shows_every_round_of_the_institute(site: Site) -> None:
    site.act("decline", json=NO_SESSION)
    offer_again(site, OWN, "2018-12-14 09:00")

    found = site.call("GET", f"/handoffs/{AMELIE}").json()

    assert [(each["round"], each["status"], each["because"]) for each in found["rounds"]] == [
        (1, "declined", ["no_session"]),
        (2, "offered", []),
    ]
    assert (found["reference"], found["edition"], found["allowed"]) == (AMELIE, "MINI", ["accept", "decline"])
    assert found["links"]["accept"] == f"/api/v1/handoffs/{AMELIE}/accept"


def test_round_of_another_institute_is_not_shown(site: Site) -> None:
    site.act("decline", json=NO_SESSION)
    offer_again(site, OTHER, "2018-12-14 09:00")

    own, theirs = (site.call("GET", f"/handoffs/{AMELIE}", each).json() for each in (OWN, OTHER))

    assert [(each["round"], each["status"]) for each in own["rounds"]] == [(1, "declined")]
    assert own["allowed"] == []
    assert [(each["round"], each["status"]) for each in theirs["rounds"]] == [(2, "offered")]


def test_institute_sees_what_it_hands_back_for_evaluation(site: Site) -> None:
    site.world.change(
        "INSERT INTO handoff (participation_id, edition_id, purpose, round, status, sender_id, receiver_id, since,"
        " changed_at, because, sent_back, packet_hash)"
        " SELECT participation_id, edition_id, 'evaluation', 1, 'accepted', receiver_id, sender_id, since, changed_at,"
        " '', false, '' FROM handoff WHERE participation_id = 1"
    )

    assert site.listed("?purpose=evaluation") == [(AMELIE, 1, "accepted")]
    assert site.listed("?purpose=transfer") == [(AMELIE, 1, "offered"), (BASILE, 1, "offered")]
    assert len(site.listed()) == 3
    rounds = site.call("GET", f"/handoffs/{AMELIE}").json()["rounds"]
    assert [(each["purpose"], each["from"], each["to"]) for each in rounds] == [
        ("transfer", "IFC", OWN),
        ("evaluation", OWN, "IFC"),
    ]
    assert [each["links"]["complete"] for each in rounds] == [None, None]
    assert site.listed(institute=OTHER) == [(CELINE, 1, "offered")]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=offered", [BASILE]),
        ("?status=accepted", [AMELIE]),
        ("?status=accepted&status=offered", [AMELIE, BASILE]),
        ("?status=declined", []),
        ("?edition=MINI", [AMELIE, BASILE]),
        ("?changed_since=2018-12-12T12:00:00%2B01:00", [AMELIE, BASILE]),
        ("?changed_since=2018-12-12T11:00:01Z", [AMELIE]),
        ("?changed_since=2018-12-13T08:00:01Z", []),
        ("?status=offered&changed_since=2018-12-12T11:00:01Z", []),
    ],
)
def test_list_is_filtered(site: Site, query: str, found: list[str]) -> None:
    site.act("accept")

    assert [reference for reference, _, _ in site.listed(query)] == found


def test_unknown_edition_is_told_with_those_that_are_known(site: Site) -> None:
    answer = site.call("GET", "/handoffs?edition=1999-2000")

    assert (answer.status_code, answer.json()["refused"]["code"]) == (422, "unknown_edition")
    assert answer.json()["refused"]["allowed"] == ["MINI"]


@sqlite_only
@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("2018-12-12T11:00:00Z", 200),
        ("2018-12-12T12:00:00.250%2B01:00", 200),
        ("2018-12-12T12:00:00-05:00", 200),
        ("2018-12-12T12:00:00+01:00", 422),  # a + in an address is a space
        ("2018-12-12T12:00:00", 422),
        ("2018-12-12", 422),
        ("1544612400", 422),
        ("0001-01-01T00:00:00%2B05:00", 422),
        ("9999-12-31T23:59:59-05:00", 422),
        ("yesterday", 422),
        ("", 422),
    ],
)
def test_moment_must_say_its_offset(site: Site, given: str, status: int) -> None:
    assert site.call("GET", f"/handoffs?changed_since={given}").status_code == status


@sqlite_only
@pytest.mark.parametrize(
    "cursor", ["", "x", "MS4x=", "MDEuMQ", "LTEuMQ", "MS4x\u0301", "99999999999999999999", "MTIz", "%00"]
)
def test_made_up_cursor_is_refused(site: Site, cursor: str) -> None:
    answer = site.call("GET", f"/handoffs?cursor={cursor}")

    assert answer.status_code == 422
    assert [each["code"] for each in answer.json()["refused"]["problems"]] == ["bad_cursor"]


# -------------------------------------------------------------------------------------------------------------- paging
def paged(site: Site, query: str = "") -> list[list[str]]:
    pages, cursor = [], ""
    while True:
        page = site.call("GET", f"/handoffs?limit=1{query}{cursor}").json()
        pages.append([each["reference"] for each in page["items"]])
        if page["next_cursor"] is None:
            return pages
        cursor = f"&cursor={page['next_cursor']}"


def test_pages_follow_each_other_and_end(site: Site) -> None:
    assert paged(site) == [[AMELIE], [BASILE]]
    assert paged(site, "&status=accepted") == [[]]


def test_next_listing_looks_back_to_before_this_one_began(site: Site) -> None:
    first = site.call("GET", "/handoffs?limit=1").json()
    site.now += timedelta(hours=1)
    second = site.call("GET", f"/handoffs?limit=1&cursor={first['next_cursor']}").json()

    assert second["next_changed_since"] == first["next_changed_since"] == "2018-12-13T07:50:00Z"


def test_backdated_act_is_not_missed(site: Site) -> None:
    """Said to be of the day before, written down now: whoever looked an hour ago sees it."""
    looked = site.call("GET", "/handoffs").json()["next_changed_since"]
    site.world.act(
        AMELIE,
        Trigger.ACCEPT,
        Role.INSTITUTE,
        worlds.OFFERED_AT,
        subject=Subject.HANDOFF,
        recorded_at=site.now + timedelta(hours=1),
    )

    (changed,) = site.call("GET", f"/handoffs?changed_since={looked}").json()["items"]

    assert (changed["since"], changed["changed_at"]) == ("2018-12-12T12:00:00+01:00", "2018-12-13T10:00:00+01:00")


# ---------------------------------------------------------------------------------------------------------------- acts
def test_accepting_is_told_and_journalled_as_by_token(site: Site) -> None:
    answer = site.act("accept")

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "reference": AMELIE,
            "subject": "handoff",
            "trigger": "accept",
            "from": "offered",
            "to": "accepted",
            "seq": 9,
            "at": "2018-12-13T09:00:00+01:00",
        },
    )
    assert "idempotent-replayed" not in answer.headers
    assert entries(site) == [("handoff", "accept", "offered", "accepted", "institute", "token", None)]
    assert_sound(site.world)


def test_declining_returns_it_to_ifc_with_cause_and_words(site: Site) -> None:
    answer = site.act("decline", json=OTHER_WORDS)

    assert (answer.json()["trigger"], answer.json()["to"]) == ("decline", "declined")
    assert site.world.rows("SELECT round, status, because FROM handoff WHERE participation_id = 1 ORDER BY round") == [
        (1, "declined", "other"),
        (2, "to_route", ""),
    ]
    assert site.world.one("SELECT text FROM journal_text WHERE chain_id = 1 AND seq = 9") == OTHER_WORDS["reason"]
    assert_sound(site.world)


def test_completing_confirms_the_transfer(site: Site) -> None:
    site.act("accept")
    site.now = TRANSFERRED_AT

    answer = site.act("complete")

    assert (answer.json()["trigger"], answer.json()["to"], answer.json()["at"]) == (
        "confirm_transfer",
        "transferred",
        "2018-12-20T10:00:00+01:00",
    )
    assert (site.world.state(AMELIE), site.listed()[0]) == ("transferred", (AMELIE, 1, "completed"))
    assert_sound(site.world)


ACTS = [("accept", None), ("decline", OTHER_WORDS), ("complete", None)]


@pytest.mark.parametrize(("act", "body"), ACTS)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k1"}], ids=["plain", "key"])
def test_repeat_gets_the_first_result(site: Site, act: str, body: object, key: dict[str, str]) -> None:
    if act == "complete":
        site.act("accept")
    first = site.act(act, json=body, headers=key)
    before = entries(site)
    site.now += timedelta(hours=3)

    again = [site.act(act, json=body, headers=key) for _ in range(2)]

    assert [(each.status_code, each.content) for each in again] == [(200, first.content)] * 2
    assert [each.headers.get("idempotent-replayed") for each in (first, *again)] == [None, "true", "true"]
    assert entries(site) == before


def test_key_gives_the_first_result_also_when_it_no_longer_stands(site: Site) -> None:
    first = site.act("accept", headers={"Idempotency-Key": "k1"})
    site.act("complete")

    with_key, without = site.act("accept", headers={"Idempotency-Key": "k1"}), site.act("accept")

    assert (with_key.status_code, with_key.content) == (200, first.content)
    assert (without.status_code, without.json()["refused"]["state"]) == (409, "completed")


def test_key_used_for_something_else_is_refused(site: Site) -> None:
    site.act("accept", headers={"Idempotency-Key": "k1"})

    answers = [
        site.act("accept", BASILE, headers={"Idempotency-Key": "k1"}),
        site.act("complete", headers={"Idempotency-Key": "k1"}),
    ]

    refused = [answer.json()["refused"] for answer in answers]
    assert [(answer.status_code, each["code"]) for answer, each in zip(answers, refused, strict=True)] == [
        (409, "key_reused")
    ] * 2
    assert "«\u00a0k1\u00a0»" in refused[0]["reason"]


def test_key_of_another_institute_is_another_key(site: Site) -> None:
    """Both use the same program, which makes its keys of the reference: the second institute's refusal counts."""
    key = {"Idempotency-Key": f"decline-{AMELIE}"}
    site.act("decline", json=NO_SESSION, headers=key)
    offer_again(site, OTHER, "2018-12-14 09:00")
    site.now = moment("2018-12-14 10:00")

    answer = site.act("decline", institute=OTHER, json=NO_SESSION, headers=key)

    assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)
    assert (AMELIE, 2, "declined") in site.listed(institute=OTHER)


@sqlite_only
@pytest.mark.parametrize("key", ["", "a b", "é", "k" * 201])
def test_key_that_cannot_be_kept_is_refused(site: Site, key: str) -> None:
    headers = {"Authorization": f"Bearer {site.token()}".encode(), "Idempotency-Key": key.encode()}
    answer = site.client.post(f"/api/v1/handoffs/{AMELIE}/accept", headers=list(headers.items()))  # type: ignore[arg-type]  # bytes, which a name is too

    assert answer.status_code == 422
    assert [each["where"] for each in answer.json()["refused"]["problems"]] == ["header.Idempotency-Key"]
    assert site.listed()[0] == (AMELIE, 1, "offered")


# --------------------------------------------------------------------------------------------------------- what stands
def refused(site: Site, act: str, body: object = None, institute: str = OWN) -> tuple[object, ...]:
    answer = site.act(act, institute=institute, json=body)
    told = answer.json()["refused"]
    return answer.status_code, told["code"], told["state"], told["allowed"]


def test_completing_before_accepting_says_what_comes_first(site: Site) -> None:
    assert refused(site, "complete") == (409, "handoff_accepted", "offered", ["accept", "decline"])


def test_declining_what_was_accepted_says_what_stands(site: Site) -> None:
    site.act("accept")

    assert refused(site, "decline", NO_SESSION) == (409, "wrong_state", "accepted", ["complete"])


def test_declining_again_for_another_cause_is_no_repeat(site: Site) -> None:
    site.act("decline", json=NO_SESSION)

    assert refused(site, "decline", {"cause": "wrong_network"}) == (409, "wrong_state", "declined", [])
    assert refused(site, "decline", {**NO_SESSION, "reason": "x"}) == (409, "wrong_state", "declined", [])


def test_answering_after_a_withdrawal_says_it_is_closed(site: Site) -> None:
    site.world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, worlds.OFFERED_AT)

    assert [refused(site, act, body) for act, body in ACTS] == [(409, "wrong_state", "closed", [])] * 3


def test_answering_after_the_time_out_says_so(site: Site) -> None:
    site.world.tick(TIMED_OUT_AT)
    site.now = TIMED_OUT_AT + timedelta(hours=1)

    assert [refused(site, act, body) for act, body in ACTS] == [(409, "wrong_state", "timed_out", [])] * 3


def test_round_that_went_to_another_says_nothing_of_it(site: Site) -> None:
    site.act("decline", json=NO_SESSION)
    offer_again(site, OTHER, "2018-12-14 09:00")
    site.now = moment("2018-12-14 10:00")

    assert [refused(site, act, body) for act, body in ACTS] == [
        (409, "wrong_state", "declined", []),
        (409, "wrong_state", "declined", []),
        (409, "wrong_state", "declined", []),
    ]
    site.act("accept", institute=OTHER)
    assert refused(site, "complete") == (409, "wrong_state", "declined", [])
    assert "FCC" not in site.act("accept").text


def test_what_ifc_did_in_their_place_is_no_repeat_of_theirs(site: Site) -> None:
    site.world.act(
        AMELIE,
        Trigger.DECLINE,
        Role.COORDINATOR,
        worlds.OFFERED_AT,
        subject=Subject.HANDOFF,
        data={"cause": Cause.NO_SESSION.value},
    )

    assert refused(site, "decline", NO_SESSION) == (409, "wrong_state", "declined", [])


# --------------------------------------------------------------------------------------------------------------- races
def losing(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(times))

    def lost(*given: object) -> object:
        if next(left, None) is not None:
            raise LostRace(state="immersed")
        return apply(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(actions.answering, "apply", lost)


@sqlite_only
def test_lost_race_is_tried_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    losing(4, monkeypatch)

    assert site.act("accept").status_code == 200


@sqlite_only
def test_race_lost_again_and_again_is_a_conflict(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    losing(8, monkeypatch)

    assert refused(site, "accept") == (409, "lost_race", "offered", [])


def test_many_who_accept_at_once_get_one_result(site: Site) -> None:
    site.act("accept", BASILE)  # the token's use is noted, what is imported is imported
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: site.act("accept"), range(12)))

    assert {(each.status_code, each.content) for each in answers} == {(200, answers[0].content)}
    assert [each.headers.get("idempotent-replayed") for each in answers].count(None) == 1
    assert len(entries(site)) == 1
    assert_sound(site.world)


def test_accepting_and_declining_at_once_has_one_winner(site: Site) -> None:
    said = [("accept", None), ("decline", NO_SESSION)] * 4
    site.token()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: (each[0], site.act(each[0], json=each[1])), said))

    won = {act for act, answer in answers if answer.status_code == 200}
    assert len(won) == 1
    assert {answer.status_code for act, answer in answers if act not in won} == {409}
    assert_sound(site.world)
