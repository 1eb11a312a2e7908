"""What can be read: `status`, `show`, `outbox`, `journal verify`, `process`."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from states.names import Subject
from states.tables import PARTICIPATION_PROCESSES, process_for
from tests.functional.conftest import EVA, INSTITUTE, ZOE, Answer, Call

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
WIDEST = 100


def widest(answer: Answer) -> int:
    return max(map(len, answer.out.splitlines()))


# --------------------------------------------------------------------------------------------------------------- status
@sqlite_only
def test_status_for_a_person(immersed: str, done: Call) -> None:
    answer = done("status", "--at", "2019-01-26")
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]

    assert lines[0] == "Entr'apprendre 2018-2019 (2018-2019), 26/01/2019 00:00"
    assert "immersion faite 1" in lines
    assert "Taux d’occupation 33,3 %" in lines
    assert "CECAFOC proposé 1" in lines
    assert widest(answer) <= WIDEST


@sqlite_only
def test_status_describes_the_edition_asked_for(loaded: str, done: Call) -> None:
    other = Path("2019.toml")
    edition = Path(__file__).parents[2] / "editions" / "2018-2019.toml"
    other.write_text(edition.read_text().replace('code = "2018-2019"', 'code = "2019-2020"'))
    done("init", other)

    latest, asked = done("status", "--json").json, done("status", "--edition", "2018-2019", "--json").json

    assert (latest["edition"], latest["total"], latest["places"], latest["fill_rate"]) == ("2019-2020", 0, 0, 0.0)
    assert (asked["edition"], asked["total"]) == ("2018-2019", 3)


# ----------------------------------------------------------------------------------------------------------------- show
@sqlite_only
def test_show_reads_like_a_story(immersed: str, done: Call) -> None:
    answer = done("show", ZOE, "--at", "2019-01-26")
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]

    assert lines[:6] == [
        "Référence 2018-2019-0001, édition 2018-2019",
        "Personne Zoé Noël, enseignant ou enseignante, zoe.noel@saint-luc.example",
        "Établissement St-Luc, SeGEC",
        "Étape immersion faite (25/01/2019 18:00)",
        "En charge Institut de la formation en cours de carrière",
        "Place ACME, Usinage (ACME-01), 24/01/2019, 25/01/2019, confirmée",
    ]
    titles = ["Attendu", "Journal", "Messages", "Relais"]
    assert [line for line in lines if line in titles] == titles
    assert "6 25/01/2019 18:00 confirmer l’immersion immersion faite Anne Vos" in lines
    assert "1 transfert IFC CECAFOC proposé 25/01/2019 19:00" in lines
    assert not any("retard" in line for line in lines)
    assert widest(answer) <= WIDEST


def test_show_in_json_has_what_was_agreed(immersed: str, done: Call) -> None:
    told = done("show", ZOE, "--json").json

    assert {"reference", "state", "owner", "due", "journal", "messages", "handoffs"} <= set(told)
    assert {"seq", "at", "trigger", "from", "to", "actor", "reason", "flow_run_id"} <= set(told["journal"][0])
    assert [(each["seq"], each["trigger"], each["from"], each["to"], each["actor"]) for each in told["journal"]] == [
        (1, "register", "-", "registered", "system"),
        (2, "approve", "registered", "director_approved", "Rita Lux"),
        (3, "propose", "-", "proposed", "system"),
        (4, "confirm", "proposed", "confirmed", "system"),
        (5, "confirm_preparation", "director_approved", "prepared", "Zoé Noël"),
        (6, "confirm_immersion", "prepared", "immersed", "Anne Vos"),
        (7, "request", "-", "to_route", "Anne Vos"),
        (8, "offer", "to_route", "offered", "system"),
    ]
    offered = told["messages"][-1]
    assert (offered["kind"], offered["role"], offered["recipient"], offered["status"], offered["rule"]) == (
        "handoff_offered",
        "institute",
        "Anne-Marie Streel",
        "accepted",
        "offer",
    )
    assert offered["subject"].startswith("[Action requise]")


@sqlite_only
def test_show_is_late_when_nobody_acted(loaded: str, done: Call) -> None:
    assert "02/10/2018 08:00 (en retard)" in done("show", ZOE, "--at", "2018-10-03").out
    assert "02/10/2018 08:00" in done("show", ZOE, "--at", "2018-10-01").out
    assert "retard" not in done("show", ZOE, "--at", "2018-10-01").out


@sqlite_only
def test_show_obeys_nothing_that_a_name_says(loaded: str, engine: Engine, done: Call) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE party SET last_name = '\x1b[2J[bold]Noël' WHERE id = 1 OR first_name = 'Zoé'"))

    answer = done("show", ZOE)

    assert "\x1b" not in answer.out
    assert "[bold]Noël" in answer.out


@sqlite_only
def test_references_may_be_pasted_with_blanks(loaded: str, done: Call) -> None:
    assert done("show", f" {ZOE} ", "--json").json["reference"] == ZOE


# --------------------------------------------------------------------------------------------------------------- outbox
def test_outbox_and_sending_again(immersed: str, engine: Engine, done: Call, call: Call) -> None:
    with engine.begin() as connection:
        ids = connection.execute(text("SELECT id FROM message WHERE status = 'accepted' ORDER BY id")).scalars().all()
        mark = text("UPDATE message SET status = :status, error = 'Refused' WHERE id = :id")
        connection.execute(mark, [{"status": "failed", "id": ids[0]}, {"status": "unknown", "id": ids[1]}])
    before = done("outbox", "--json").json
    told = done("outbox")

    again = done("outbox", "retry", ids[0], "--json").json
    arrived = call("outbox", "retry", ids[2], "--json")
    after = done("outbox", "--json").json
    done("tick", "--no-prefect", "--at", "2019-01-25T19:00")

    assert (before["messages"]["failed"], before["messages"]["unknown"]) == (1, 1)
    assert {each["id"] for each in before["in_trouble"]} == set(ids[:2])
    assert all(each["references"] for each in before["in_trouble"])
    assert "Refused" in told.out
    assert again == {"id": ids[0], "status": "queued"}
    assert (arrived.status, arrived.refused["code"], arrived.refused["state"]) == (1, "not_retryable", "accepted")
    assert (after["messages"]["queued"], [each["id"] for each in after["in_trouble"]]) == (1, [ids[1]])
    assert "queued" not in done("outbox", "--json").json["messages"]


@sqlite_only
def test_outbox_of_nobody(loaded: str, done: Call, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM notification"))

    assert done("outbox").out == "Il n’y a encore aucun message.\n"
    assert done("outbox", "--json").json == {"messages": {}, "in_trouble": []}


# -------------------------------------------------------------------------------------------------------------- journal
TAMPERING = {
    "a state": (
        "UPDATE journal SET to_state = 'evaluated' WHERE chain = 'participation' AND chain_id = 1 AND seq = 2",
        2,
    ),
    "an actor": ("UPDATE journal SET actor_id = NULL WHERE chain = 'participation' AND chain_id = 1 AND seq = 5", 5),
    "an entry gone": ("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq = 3", 4),
    "a tail cut": ("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq > 6", 8),
}


def test_journal_is_verified_and_every_change_shows(
    immersed: str, engine: Engine, done: Call, call: Call, subtests: pytest.Subtests
) -> None:
    whole = done("journal", "verify", "--json").json
    assert (whole["broken"], whole["seals"]) == (None, None)
    assert done("journal", "verify").out == f"Le journal est intact\u00a0: {whole['checked']} entrées vérifiées.\n"
    for name, (statement, seq) in TAMPERING.items():
        with subtests.test(name), engine.connect() as connection, connection.begin() as transaction:
            connection.execute(text("CREATE TABLE kept AS SELECT * FROM journal"))
            connection.execute(text(statement))
            transaction.commit()

            broken, told = call("journal", "verify", "--json"), call("journal", "verify")

            with engine.begin() as restoring:
                restoring.execute(text("DELETE FROM journal"))
                restoring.execute(text("INSERT INTO journal SELECT * FROM kept"))
                restoring.execute(text("DROP TABLE kept"))
            assert broken.status == told.status == 1
            assert (broken.json["broken"]["reference"], broken.json["broken"]["seq"]) == (ZOE, seq)
            assert told.err == f"{broken.json['broken']['reason']}\n"
            assert told.out == ""
    assert done("journal", "verify", "--json").json == whole


def test_kept_seals_are_held_against_the_journal(immersed: str, engine: Engine, done: Call, call: Call) -> None:
    kept = Path("var/seals/seals.jsonl")

    good = done("journal", "verify", "--seals", kept, "--json").json
    told = done("journal", "verify", "--seals", kept)
    Path("changed.jsonl").write_text(kept.read_text().replace('"number":1', '"number":7', 1))
    Path("empty.jsonl").touch()
    Path("noise.jsonl").write_bytes(bytes(range(256)))
    Path("words.jsonl").write_text("{}\nnull\n[1]\nword\n")
    with engine.begin() as connection:  # a chain that vanishes together with its participation's entries
        connection.execute(text("UPDATE participation SET journal_seq = 0, journal_head = '' WHERE id = 3"))
        connection.execute(text("DELETE FROM journal_text WHERE chain = 'participation' AND chain_id = 3"))
        connection.execute(text("DELETE FROM journal WHERE chain = 'participation' AND chain_id = 3"))

    assert (good["broken"], good["seals"]) == (None, 2)
    assert "2 sceaux concordants" in told.out
    assert done("journal", "verify").status == 0  # the chains alone cannot know
    vanished = call("journal", "verify", "--seals", kept, "--json")
    assert (vanished.status, vanished.json["broken"]["code"]) == (1, "sealed_entry")
    assert vanished.json["broken"]["reference"] == EVA
    changed = call("journal", "verify", "--seals", "changed.jsonl", "--json")
    assert (changed.status, changed.json["broken"]["code"]) == (1, "seal")
    assert call("journal", "verify", "--seals", "words.jsonl", "--json").json["broken"]["code"] == "seal"
    for name in ("empty.jsonl", "noise.jsonl"):
        refused = call("journal", "verify", "--seals", name, "--json")
        assert (refused.status, refused.refused["code"]) == (2, "no_seals")


@sqlite_only
def test_seals_need_the_key(loaded: str, call: Call) -> None:
    Path(".env").unlink()
    Path("kept.jsonl").write_text("{}\n")

    assert call("journal", "verify", "--seals", "kept.jsonl", "--json").refused["code"] == "no_secret_key"
    assert "clé secrète" in call("tick", "--no-prefect", "--at", "2018-09-18").err


# -------------------------------------------------------------------------------------------------------------- process
TABLES = [("participation", "2018"), ("participation", "2014"), ("placement", "1"), ("handoff", "1")]


@pytest.mark.parametrize(("subject", "version"), TABLES)
def test_process_shows_every_state_and_row(done: Call, subject: str, version: str) -> None:
    options = ("--subject", subject, *(("--version", version) if subject == "participation" else ()))
    table = process_for(Subject(subject), version)

    answer, document = done("process", *options), done("process", *options, "--json").json

    assert [state["state"] for state in document["states"]] == list(table.states)
    assert [(row["trigger"], tuple(row["from"]), row["to"]) for row in document["rows"]] == [
        (row.trigger, row.sources, row.dest) for row in table.rows
    ]
    assert all(code in answer.out for code in (*table.states, *table.triggers))
    assert widest(answer) <= WIDEST


@pytest.mark.parametrize(("subject", "version"), TABLES)
def test_process_as_a_diagram(done: Call, subject: str, version: str) -> None:
    from states.diagram import mermaid

    options = ("--subject", subject, *(("--version", version) if subject == "participation" else ()), "--diagram")
    drawn = mermaid(process_for(Subject(subject), version))

    assert done("process", *options).out == drawn
    assert done("process", *options, "--json").json["mermaid"] == drawn


def test_process_of_an_unknown_version(call: Call) -> None:
    answer = call("process", "--version", "1999", "--json")

    assert (answer.status, answer.refused["code"]) == (1, "unknown_process")
    assert all(version in answer.refused["reason"] for version in PARTICIPATION_PROCESSES)


# ----------------------------------------------------------------------------------------------------------------- JSON
@sqlite_only
def test_every_command_that_prints_data_gives_one_document(immersed: str, done: Call) -> None:
    documents: dict[str, Any] = {
        "init": done("init", "--json"),
        "import": done("import", "offers", "offers.csv", "--json"),
        "tick": done("tick", "--no-prefect", "--at", "2019-01-25T20:00", "--json"),
        "status": done("status", "--json"),
        "show": done("show", ZOE, "--json"),
        "handoffs": done("handoffs", "--json"),
        "accept": done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28", "--json"),
        "retry": done("retry", ZOE, "--json"),
        "outbox": done("outbox", "--json"),
        "journal": done("journal", "verify", "--json"),
        "process": done("process", "--json"),
    }

    for answer in documents.values():
        assert isinstance(json.loads(answer.out), dict)
        assert "é" in answer.out or "\\u" not in answer.out


def test_upcoming_says_what_leaves_to_whom_and_why(loaded: str, done: Call) -> None:
    shown = done("upcoming", "--days", "7", "--at", "2018-09-17T09:00").out
    found = done("upcoming", "--days", "7", "--at", "2018-09-17T09:00", "--json").json
    assert found["until"] == "2018-09-24T23:59:59+02:00"
    reminders = [each for each in found["messages"] if each["kind"] == "approval_reminder"]
    assert {(each["to"], tuple(each["references"])) for each in reminders} >= {("Rita Lux", (ZOE,))}
    assert reminders[0]["about"] == [["participation", "approval:0"]]
    assert all(word in shown for word in ("Rita Lux", "rappel", "accord (1)", "24/09/2018 08:00"))
    assert set(done("outbox", "--json").json["messages"]) == {"queued"}  # nothing left


@pytest.mark.parametrize("days", ["-1", "401"])
def test_upcoming_days_have_bounds(loaded: str, call: Call, days: str) -> None:
    answer = call("upcoming", "--days", days, "--json")

    assert (answer.status, answer.refused["code"]) == (2, "bad_days")


def test_simulate_compares_another_ladder_with_the_one_that_stands(loaded: str, done: Call, call: Call) -> None:
    step = "deadlines.participation.registered.approval.steps[0]"
    asked = ("simulate", "--from", "2018-09-17T09:00", "--days", "3", "--set", f"{step}.offset=2")
    shown, found = done(*asked).out, done(*asked, "--json").json
    refused = call("simulate", "--set", f"{step}.ofset=2")

    assert found["changes"] == [f"{step}.offset: 5 -> 2"]
    assert found["after"]["mails"]["total"] > found["before"]["mails"]["total"]
    assert "rappel\N{NO-BREAK SPACE}: accord" in shown
    assert max(map(len, shown.splitlines())) <= 100
    assert (refused.status, "offset" in refused.err) == (1, True)
