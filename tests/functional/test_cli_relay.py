"""Sessions, returns, batches and exports by the command line: what each says, refuses and writes."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.functional.conftest import COORDINATOR, INSTITUTE, TEACHER, ZOE, Call

CECAFOC = "CECAFOC"
PLANNED = ("--institute", CECAFOC, "--starts", "2019-02-20T09:00", "--ends", "2019-02-20T12:00", "--by", INSTITUTE)
AT = ("--at", "2019-01-29")


@pytest.fixture
def accepted(immersed: str, done: Call) -> str:
    """Zoé's handoff is accepted by Cecafoc."""
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    return ZOE


def plan(done: Call) -> str:
    session = done("sessions", "plan", *PLANNED, "--place", "Namur", "--capacity", "2", *AT, "--json").json["session"]
    assert isinstance(session, str)
    return session


def test_session_is_planned_filled_and_its_presence_confirms_the_transfer(accepted: str, done: Call) -> None:
    session = plan(done)
    invited = done("sessions", "invite", session, ZOE, "--by", INSTITUTE, *AT, "--json").json
    done("handoffs", "note", ZOE, "--by", INSTITUTE, "--text", "Bien relié au programme.", "--at", "2019-02-20T12:00")
    confirmed = done("sessions", "attend", session, ZOE, "--by", INSTITUTE, "--at", "2019-02-20T12:30", "--json").json
    done("tick", "--no-prefect", "--at", "2019-02-20T13:00")
    shown = done("show", ZOE, "--json", "--at", "2019-02-20T13:00").json
    (listed,) = done("sessions", "--json").json["sessions"]

    assert invited == {"session": session, "concerned": [ZOE]}
    assert (confirmed["trigger"], confirmed["to"]) == ("confirm_transfer", "transferred")
    assert (shown["session"]["reference"], shown["session"]["place"]) == (session, "Namur")
    assert [(each["purpose"], each["status"]) for each in shown["handoffs"]] == [
        ("transfer", "completed"),
        ("evaluation", "accepted"),
    ]
    assert {name: listed[name] for name in ("reference", "invited", "attended", "capacity", "starts_at")} == {
        "reference": session,
        "invited": 1,
        "attended": 1,
        "capacity": 2,
        "starts_at": "2019-02-20T09:00:00+01:00",
    }


def test_session_shows_whom_it_invites(accepted: str, done: Call) -> None:
    session = plan(done)
    done("sessions", "invite", session, ZOE, "--by", INSTITUTE, *AT)

    shown = done("sessions", "show", session, "--json").json
    for_people = done("sessions", "show", session).out

    assert (shown["reference"], shown["invited"]) == (session, 1)
    assert [(each["reference"], each["attended"]) for each in shown["people"]] == [(ZOE, False)]
    assert all(word in for_people for word in (session, "Zoé", "immersion faite"))


def test_sessions_are_listed_for_people(accepted: str, done: Call) -> None:
    nothing = done("sessions").out
    session = plan(done)

    assert nothing == "Aucune session de transfert n’est prévue.\n"
    assert f"{session}   20/02/2019 09:00   Namur   prévue   0/2" in done("sessions").out


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sessions", "plan", *PLANNED, *AT), "session_somewhere"),
        (("sessions", "plan", *PLANNED, "--url", "visio", *AT), "session_link"),
        (("sessions", "plan", *PLANNED, "--place", "Namur", "--capacity", "0", *AT), "session_capacity"),
        (("sessions", "plan", *PLANNED, "--place", "Namur", "--capacity", "3000000000", *AT), "session_capacity"),
        (("sessions", "plan", *PLANNED, "--place", "Namur", "--at", "2019-03-01"), "session_in_past"),
        (("handoffs", "note", ZOE, "--by", INSTITUTE, "--text", "x" * 2001, *AT), "text_too_long"),
        (("sessions", "invite", "NOWHERE", ZOE, "--by", INSTITUTE, *AT), "unknown_session"),
        (("sessions", "attend", "NOWHERE", ZOE, "--by", INSTITUTE, *AT), "unknown_session"),
        (("sessions", "--institute", "NIX"), "unknown_organisation"),
        (("returns", "accept", ZOE, "--by", COORDINATOR, *AT), "wrong_state"),
        (("handoffs", "note", ZOE, "--by", TEACHER, "--text", "Non.", *AT), "not_yours"),
        (("handoffs", "note", ZOE, "--by", INSTITUTE, *AT), "reason_given"),
        (("handoffs", "batches", "--institute", "NIX"), "unknown_organisation"),
        (("handoffs", "export", "--institute", CECAFOC, "--output", "x.pdf", *AT), "bad_export"),
        (("handoffs", "export", "--institute", CECAFOC, "--output", "x.csv", "--day", "hier"), "bad_day"),
        (("handoffs", "accept-all", "--institute", CECAFOC, "--by", INSTITUTE, "--day", "hier"), "bad_day"),
        (("handoffs", "decline-all", "--institute", CECAFOC, "--by", INSTITUTE, "--cause", "ennui"), "bad_cause"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(accepted: str, call: Call, command: tuple[str, ...], code: str) -> None:
    answer = call(*command, "--json")

    assert (answer.refused["code"], answer.status) in {(code, 1), (code, 2)}
    assert answer.refused["reason"].endswith(".")


def test_session_keeps_what_a_change_does_not_name(accepted: str, done: Call) -> None:
    session = plan(done)
    done("sessions", "change", session, "--place", "Liège", "--by", INSTITUTE, *AT)

    now = done("sessions", "show", session, "--json").json
    assert (now["starts_at"], now["place"], now["capacity"]) == ("2019-02-20T09:00:00+01:00", "Liège", 2)


def test_session_that_moves_or_is_cancelled_says_how_many_it_concerns(accepted: str, done: Call) -> None:
    session = plan(done)
    done("sessions", "invite", session, ZOE, "--by", INSTITUTE, *AT)
    later = ("--starts", "2019-02-21T09:00", "--ends", "2019-02-21T12:00", "--place", "Namur", "--by", INSTITUTE)
    moved = done("sessions", "change", session, *later, *AT, "--json").json
    cancelled = done("sessions", "cancel", session, "--by", INSTITUTE, "--reason", "Grève.", *AT, "--json").json

    assert (moved["concerned"], cancelled["concerned"]) == ([ZOE], [ZOE])
    assert done("sessions", "--json").json["sessions"][0]["status"] == "cancelled"


# ----------------------------------------------------------------------------------------------------------- batches
def offered_on(done: Call) -> str:
    (batch,) = done("handoffs", "batches", "--institute", CECAFOC, "--json").json["batches"]
    assert batch["handoffs"] == {"offered": 1}
    return str(batch["day"])


def test_batch_is_accepted_at_once_and_then_there_is_nothing_to_answer(immersed: str, done: Call) -> None:
    answer: Any = ("--institute", CECAFOC, "--by", INSTITUTE, "--day", offered_on(done), "--at", "2019-01-28")
    accepted = done("handoffs", "accept-all", *answer, "--json").json
    again = done("handoffs", "accept-all", *answer)

    assert [(each["reference"], each["to"]) for each in accepted["handoffs"]] == [(ZOE, "accepted")]
    assert again.out == "Aucun relais proposé ce jour-là n’attend de réponse.\n"


def test_batch_is_declined_at_once_with_a_cause(immersed: str, done: Call, call: Call) -> None:
    answer: Any = ("--institute", CECAFOC, "--by", INSTITUTE, "--day", offered_on(done), "--at", "2019-01-28")
    wordless = call("handoffs", "decline-all", *answer, "--json")
    declined = done("handoffs", "decline-all", *answer, "--cause", "no_session", "--json").json

    assert (wordless.status, wordless.json["handoffs"][0]["refused"]["code"]) == (1, "cause_given")
    assert [(each["reference"], each["to"]) for each in declined["handoffs"]] == [(ZOE, "declined")]


@pytest.mark.parametrize("extension", ["csv", "xlsx", "json"])
def test_batch_is_exported(immersed: str, done: Call, tmp_path: Path, extension: str) -> None:
    file = tmp_path / "exports" / f"relais.{extension}"
    told = done(
        "handoffs", "export", "--institute", CECAFOC, "--day", offered_on(done), "--output", file, "--json"
    ).json

    assert told == {"file": str(file), "handoffs": 1}
    assert file.stat().st_size > 0
    if extension == "csv":
        rows = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines(), delimiter=";"))
        assert rows[1][0] == ZOE
