"""`act` and `retry`: what is done, what is refused and how, keys, races."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from core.errors import LostRace
from tests.functional.conftest import COMPANY, COORDINATOR, DIRECTOR, EVA, INSTITUTE, SCRIPT, TEACHER, ZOE, Answer, Call

APPROVE = ("act", ZOE, "approve", "--by", DIRECTOR, "--at", "2018-09-20T10:00")


def test_act_says_what_it_did(loaded: str, done: Call) -> None:
    answer = done(*APPROVE)

    assert answer.out == (
        "Fait\u00a0: approuver l’inscription, 2018-2019-0001 passe de «\u00a0inscription reçue\u00a0»"
        " à «\u00a0inscription approuvée\u00a0».\n"
    )


def test_act_in_json(loaded: str, done: Call) -> None:
    assert done(*APPROVE, "--json").json == {
        "reference": ZOE,
        "subject": "participation",
        "trigger": "approve",
        "from": "registered",
        "to": "director_approved",
        "seq": 2,
        "at": "2018-09-20T10:00:00+02:00",
        "repeated": False,
    }


def test_same_key_and_content_gives_the_first_result(loaded: str, done: Call, call: Call) -> None:
    first = done(*APPROVE, "--key", "k1", "--json").json
    done("act", ZOE, "withdraw", "--by", TEACHER, "--at", "2018-09-21")
    again = done(*APPROVE, "--key", "k1", "--json").json
    other = call("act", ZOE, "decline", "--by", DIRECTOR, "--at", "2018-09-20T10:00", "--key", "k1", "--json")
    without = call(*APPROVE, "--json")

    assert again == {**first, "repeated": True}
    assert (other.status, other.refused["code"]) == (1, "key_reused")
    assert (without.status, without.refused["code"]) == (1, "before_last_entry")
    assert "déjà" in done(*APPROVE, "--key", "k1").out.lower()
    assert len(done("show", ZOE, "--json").json["journal"]) == 3


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_refusal_names_code_reason_state_and_what_is_allowed(loaded: str, call: Call) -> None:
    in_json = call("act", ZOE, "evaluate", "--by", TEACHER, "--at", "2018-09-20", "--json")
    told = call("act", ZOE, "evaluate", "--by", TEACHER, "--at", "2018-09-20")

    assert in_json.status == told.status == 1
    assert in_json.json == {
        "refused": {
            "code": "wrong_state",
            "reason": told.err.splitlines()[0],
            "state": "registered",
            "allowed": ["withdraw"],
        }
    }
    assert told.out == ""
    assert told.err.splitlines()[1] == "Ce qui est possible ici\u00a0: withdraw."


FORBIDDEN = {
    "wrong role": (("act", ZOE, "approve", "--by", TEACHER), "wrong_role"),
    "somebody else's director": (("act", ZOE, "approve", "--by", "director:guy.duc@athenee.example"), "not_yours"),
    "has a school": (("act", ZOE, "approve", "--by", COORDINATOR), "has_no_school"),
    "no place": (("act", ZOE, "confirm_immersion", "--by", COMPANY), "not_yours"),
    "unknown reference": (("act", "2018-2019-9999", "approve", "--by", DIRECTOR), "unknown_reference"),
    "unknown person": (("act", ZOE, "approve", "--by", "director:nobody@school.example"), "unknown_actor"),
    "not that role": (("act", ZOE, "approve", "--by", "director:zoe.noel@saint-luc.example"), "unknown_actor"),
    "no reason": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", '{"to": "prepared"}'), "reason_given"),
    "unknown state": (
        ("act", ZOE, "correct", "--by", COORDINATOR, "--data", '{"to": "moon"}', "--reason", "Erreur"),
        "unknown_state",
    ),
    "before the last entry": (("act", ZOE, "approve", "--by", DIRECTOR, "--at", "2018-09-01"), "before_last_entry"),
    "no handoff": (("handoffs", "accept", ZOE, "--by", COORDINATOR), "wrong_state"),
    "handoff of somebody else": (("handoffs", "accept", ZOE, "--by", INSTITUTE), "not_yours"),
    "not immersed": (("handoffs", "complete", ZOE, "--by", COORDINATOR), "wrong_state"),
    "unknown institute": (("handoffs", "offer", ZOE, "--by", COORDINATOR, "--to", "'; --"), "unknown_organisation"),
    "retry of nothing": (("retry", "2018-2019-9999"), "unknown_reference"),
    "message of nobody": (("outbox", "retry", "nothing"), "unknown_message"),
    "show of nothing": (("show", "\N{PILE OF POO}"), "unknown_reference"),
    "edition of nothing": (("status", "--edition", "1999"), "unknown_edition"),
}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_is_forbidden_is_refused_in_one_sentence_and_changes_nothing(
    loaded: str, call: Call, done: Call, subtests: pytest.Subtests
) -> None:
    before = done("status", "--json", "--at", "2018-10-01").out, done("show", ZOE, "--json", "--at", "2018-10-01").out
    for name, (arguments, code) in FORBIDDEN.items():
        with subtests.test(name):
            at = (
                ()
                if "--at" in arguments or arguments[0] == "retry" or arguments[:2] == ("outbox", "retry")
                else (
                    "--at",
                    "2018-10-01",
                )
            )
            refused = call(*arguments, *at, "--json")
            told = call(*arguments, *at)

            assert (refused.status, refused.refused["code"]) == (1, code)
            assert set(refused.refused) == {"code", "reason", "state", "allowed"}
            assert (told.status, told.out) == (1, "")
            assert told.err.splitlines()[0] == refused.refused["reason"]
            assert refused.refused["reason"].endswith(".")
    after = done("status", "--json", "--at", "2018-10-01").out, done("show", ZOE, "--json", "--at", "2018-10-01").out
    assert after == before


WRONG = {
    "unknown trigger": (("act", ZOE, "fly", "--by", DIRECTOR), "unknown_trigger"),
    "a handoff's trigger": (("act", ZOE, "accept", "--by", DIRECTOR), "unknown_trigger"),
    "role without person": (("act", ZOE, "approve", "--by", "director"), "bad_actor"),
    "unknown role": (("act", ZOE, "approve", "--by", "king:a@b.example"), "bad_actor"),
    "the system": (("act", ZOE, "lapse", "--by", "system:a@b.example"), "bad_actor"),
    "empty person": (("act", ZOE, "approve", "--by", ":"), "bad_actor"),
    "empty key": (("act", ZOE, "approve", "--by", DIRECTOR, "--key", ""), "empty_key"),
    "no moment": (("act", ZOE, "approve", "--by", DIRECTOR, "--at", "yesterday"), "bad_moment"),
    "empty moment": (("act", ZOE, "approve", "--by", DIRECTOR, "--at", ""), "bad_moment"),
    "end of time": (("act", ZOE, "approve", "--by", DIRECTOR, "--at", "9999-12-31T23:59:59"), "bad_moment"),
    "beginning of time": (("status", "--at", "0001-01-01"), "bad_moment"),
    "data: no JSON": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", "{to: prepared}"), "bad_json"),
    "data: a list": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", "[]"), "bad_json"),
    "data: too deep": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", "[" * 100_000), "bad_json"),
    "data: not allowed": (("act", ZOE, "approve", "--by", DIRECTOR, "--data", '{"to": "prepared"}'), "bad_data"),
    "data: other key": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", '{"seat": 1}'), "bad_data"),
    "data: not a state": (("act", ZOE, "correct", "--by", COORDINATOR, "--data", '{"to": ["prepared"]}'), "bad_data"),
    "data: not a number": (
        ("act", ZOE, "confirm_immersion", "--by", COMPANY, "--data", '{"half_days": "3"}'),
        "bad_data",
    ),
    "data: a truth": (("act", ZOE, "confirm_immersion", "--by", COMPANY, "--data", '{"half_days": true}'), "bad_data"),
    "data: too many": (("act", ZOE, "confirm_immersion", "--by", COMPANY, "--data", '{"half_days": 1e99}'), "bad_data"),
    "no person": (("act", ZOE, "approve"), "usage_missing"),
    "no trigger": (("act", ZOE), "usage_missing"),
    "no institute": (("handoffs", "offer", ZOE, "--by", COORDINATOR), "usage_missing"),
    "unknown option": (("act", ZOE, "approve", "--by", DIRECTOR, "--force"), "usage_unknown_option"),
    "unknown command": (("destroy",), "usage"),
    "unknown command of a group": (("handoffs", "steal"), "usage"),
    "one word too many": (("status", "now"), "usage"),
    "no such subject": (("process", "--subject", "moon"), "usage_bad_value"),
    "not text": (("show", "\udcff"), "bad_text"),
    "no seals": (("journal", "verify", "--seals", "nothing.jsonl"), "file_missing"),
}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_wrong_usage_is_told_in_one_sentence_with_status_2(loaded: str, call: Call, subtests: pytest.Subtests) -> None:
    for name, (arguments, code) in WRONG.items():
        with subtests.test(name):
            refused = call(*arguments, "--json")
            told = call(*arguments)

            assert (refused.status, refused.refused["code"]) == (2, code)
            assert (told.status, told.out) == (2, "")
            assert told.err.splitlines() == [refused.refused["reason"]]


def test_data_is_taken(immersed: str, done: Call) -> None:
    corrected = done(
        *("act", ZOE, "correct", "--by", COORDINATOR, "--at", "2019-01-26"),
        *("--data", '{"to": "prepared"}', "--reason", "Présence contestée", "--json"),
    ).json
    last = done("show", ZOE, "--json").json["journal"][corrected["seq"] - 1]

    assert (corrected["from"], corrected["to"]) == ("immersed", "prepared")
    assert (last["reason"], last["data"]["to"], last["actor"]) == ("Présence contestée", "prepared", "Malik Ouedraogo")


# ---------------------------------------------------------------------------------------------------------------- races
def losing(times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have the next acts lose their race, so many times."""
    import actions.apply

    real, tries = actions.apply.apply, [0]

    def apply(*arguments: Any) -> Any:
        tries[0] += 1
        if tries[0] <= times:
            raise LostRace(state="registered")
        return real(*arguments)

    monkeypatch.setattr(actions.apply, "apply", apply)
    return tries


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_lost_race_is_tried_again(loaded: str, done: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = losing(4, monkeypatch)

    assert done(*APPROVE, "--json").json["to"] == "director_approved"
    assert tries == [5]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_race_lost_again_and_again_is_told(loaded: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    losing(8, monkeypatch)

    answer = call(*APPROVE, "--json")

    assert (answer.status, answer.refused["code"]) == (1, "lost_race")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_control_without_trying_again_one_lost_race_is_enough(
    loaded: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jobs.attempts

    monkeypatch.setattr(jobs.attempts, "_MOST_TRIES", 1)
    losing(1, monkeypatch)

    assert call(*APPROVE, "--json").refused["code"] == "lost_race"


def test_same_key_from_several_processes_at_once_is_one_act(loaded: str, done: Call) -> None:
    arguments = [str(SCRIPT), *APPROVE, "--key", "k1", "--json"]
    running = [subprocess.Popen(arguments, stdout=subprocess.PIPE) for _ in range(4)]
    answers = [json.loads(process.communicate()[0]) for process in running]

    assert [process.returncode for process in running] == [0] * 4
    assert sorted(answer["repeated"] for answer in answers) == [False, True, True, True]
    assert {answer["seq"] for answer in answers} == {2}
    assert len(done("show", ZOE, "--json").json["journal"]) == 2


# ------------------------------------------------------------------------------------------------------------ set aside
def test_retry_takes_up_what_was_set_aside(loaded: str, engine: Engine, done: Call) -> None:
    from core.clock import wall_now
    from models import SetAside, table_of

    with engine.begin() as connection:
        row = {"participation_id": 3, "error": "KeyError", "tries": 3, "first_at": wall_now(), "last_at": wall_now()}
        connection.execute(insert(table_of(SetAside)), [{"job": job, **row} for job in ("progress", "deadlines")])

    shown = done("status", "--json").json["set_aside"]
    told = done("show", EVA, "--json").json["set_aside"]
    first, again = done("retry", EVA, "--json").json, done("retry", EVA)

    assert shown == [
        {"reference": EVA, "job": job, "error": "KeyError", "tries": 3} for job in ("deadlines", "progress")
    ]
    assert [each["job"] for each in told] == ["deadlines", "progress"]
    assert first == {"reference": EVA, "taken_up": 2}
    assert again.out == "Le dossier 2018-2019-0003 n’était pas mis de côté.\n"
    assert done("status", "--json").json["set_aside"] == []


def test_tick_tells_what_it_set_aside(
    loaded: str, engine: Engine, call: Call, done: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import jobs.deadlines

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(jobs.deadlines, "_step", broken)

    answer: Answer = call("tick", "--no-prefect", "--at", "2018-09-25", "--json")
    jobs_done = {each["job"]: each for each in answer.json["jobs"]}

    assert answer.status == 1
    assert jobs_done["deadlines"]["set_aside"] == [
        {"about": f"2018-2019-000{n}", "error": "ZeroDivisionError"} for n in (1, 2, 3)
    ]
    assert "retry" in answer.err


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_wrong_word_is_named_with_what_is_known(loaded: str, call: Call) -> None:
    unknown, extra = call("handoffs", "steal"), call("status", "now")

    assert "« steal »" in unknown.err.replace("\u00a0", " ").replace("\u202f", " ")
    assert "accept" in unknown.err
    assert "« now »" in extra.err.replace("\u00a0", " ").replace("\u202f", " ")
