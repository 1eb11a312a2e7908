"""`make demo`'s own command, as a user runs it: a whole edition through real flows on a real Prefect server."""

import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(sys.executable).with_name("entrapprendre")

pytestmark = pytest.mark.xdist_group("prefect")


@dataclass(frozen=True)
class Played:
    """A demo that was played: its folder and the document that it ended with."""

    folder: Path
    status: dict[str, Any]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the edition's database."""
        return _ask(self.folder / "entrapprendre.db", query)

    def prefect(self, query: str) -> list[tuple[Any, ...]]:
        """Ask Prefect's own database."""
        return _ask(self.folder / "prefect" / "prefect.db", query)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the demo's folder."""
        return _run([*arguments, "--dir", str(self.folder)], self.folder)


def _ask(database: Path, query: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, check=False, cwd=folder.parent, env=environment
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("demo") / "played"
    answer = _run(["demo", "--json", "--dir", str(folder)], folder)
    assert answer.returncode == 0, answer.stderr
    return Played(folder, json.loads(answer.stdout))


def test_demo_brings_the_edition_to_the_same_end_every_time(played: Played) -> None:
    assert {state: n for state, n in played.status["participations"].items() if n} == {
        "evaluated": 73,
        "declined": 2,
        "withdrawn": 5,
        "cancelled": 4,
        "lapsed": 5,
        "absent": 3,
    }
    assert (played.status["total"], played.status["places"], played.status["places_cancelled"]) == (92, 109, 3)
    assert played.status["fill_rate"] == 0.6972
    assert played.status["handoffs"] == {
        "CECAFOC": {"declined": 1, "completed": 30},
        "FCC": {"timed_out": 1, "completed": 40},
        "IFC": {"completed": 6},
        "to_route": {},
    }
    assert (played.status["overdue"], played.status["set_aside"]) == (0, [])


def test_outage_of_three_days_is_caught_up_and_what_it_passed_over_is_said(played: Played) -> None:
    """Two steps of one ladder fell due meanwhile: the last one fires, the other is missed; nobody gets both."""
    outage = played.status["outage"]
    caught_up = [(each["reference"], each["rule"], each["step"]) for each in outage["caught_up"]]
    missed = [(each["reference"], each["rule"], each["step"]) for each in outage["missed"]]

    assert caught_up == [("2018-2019-0066", "acceptance", 0), ("2018-2019-0033", "presence", 1)]
    assert missed == [("2018-2019-0033", "presence", 0)]
    assert {each["at"] for each in (*outage["caught_up"], *outage["missed"])} == {outage["until"]}
    assert outage["done_meanwhile"] > 0
    said = played.rows(
        "SELECT n.kind FROM notification n JOIN participation p ON p.id = n.participation_id"
        " WHERE p.reference = '2018-2019-0033' AND n.kind LIKE 'presence_re%' ORDER BY n.id"
    )
    assert said == [("presence_reminder",)]


def test_committee_is_told_figures_without_a_name(played: Played) -> None:
    files = (played.folder / "mail").glob("*.eml")
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
    bodies = [mail.get_body(("plain",)) for mail in mails if "odile.warland" in mail["To"]]
    texts = [body.get_content() for body in bodies if body is not None]

    names = [row[0] for row in played.rows("SELECT last_name FROM party WHERE email NOT LIKE '%ifc.example'")]
    assert len(texts) == 2
    assert [name for name in names if name != "Warland" and any(name in text for text in texts)] == []


def test_relay_shows_a_refusal_a_time_out_a_new_route_and_the_return_to_ifc(played: Played) -> None:
    assert played.status["returns"] == {
        "CECAFOC": {"declined": 1, "completed": 29, "closed": 1},
        "FCC": {"declined": 1, "completed": 38, "closed": 2},
        "IFC": {"completed": 6},
    }
    assert played.rows("SELECT value, count(*) FROM fact WHERE kind = 'attendance' GROUP BY value ORDER BY 1") == [
        ("absent", 2),
        ("present", 76),
    ]
    moved = played.rows(
        """
        SELECT before.status, o.code, o2.code FROM handoff before
        JOIN handoff later ON later.participation_id = before.participation_id AND later.purpose = before.purpose
        AND later.round = before.round + 1
        JOIN organisation o ON o.id = before.receiver_id JOIN organisation o2 ON o2.id = later.receiver_id
        WHERE before.purpose = 'transfer' ORDER BY 1
        """
    )
    assert moved == [("declined", "CECAFOC", "FCC"), ("timed_out", "FCC", "IFC")]
    assert played.rows(
        """
        SELECT count(*) FROM handoff LEFT JOIN packet USING (participation_id, round)
        WHERE purpose = 'transfer' AND offered_at IS NOT NULL AND packet_hash IS NOT packet.sha256
        """
    ) == [(0,)]


def test_every_transferred_or_evaluated_has_exactly_one_completed_handoff(played: Played) -> None:
    wrong = played.rows(
        """
        SELECT p.reference, p.state, count(h.id) FROM participation p
        LEFT JOIN handoff h ON h.participation_id = p.id AND h.purpose = 'transfer' AND h.status = 'completed'
        GROUP BY p.id HAVING (p.state IN ('transferred', 'evaluated')) <> (count(h.id) = 1)
        AND NOT (p.state = 'lapsed' AND count(h.id) = 1)
        """
    )

    assert wrong == []


def test_every_message_is_one_file_and_nothing_is_said_twice(played: Played) -> None:
    files = sorted((played.folder / "mail").glob("*.eml"))
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]

    accepted = played.rows("SELECT id FROM message WHERE status = 'accepted' ORDER BY id")
    assert [path.stem for path in files] == [row[0] for row in accepted]
    assert played.status["messages"] == {"accepted": len(files), "cancelled": 1}
    assert len({mail["Message-ID"] for mail in mails}) == len(mails)
    assert played.rows("SELECT key FROM notification GROUP BY key HAVING count(*) > 1") == []


def test_only_reminders_of_those_who_had_answered_were_called_off(played: Played) -> None:
    """They were drawn: their evaluation waits for the talk, and they owe nothing meanwhile."""
    called_off = played.rows(
        """
        SELECT message.kind, participation.answers_on IS NOT NULL, participation.drawn_on IS NOT NULL FROM message
        JOIN notification ON notification.message_id = message.id
        JOIN participation ON participation.id = notification.participation_id WHERE message.status = 'cancelled'
        """
    )

    assert called_off == [("evaluation_reminder", 1, 1)]


def test_sample_was_drawn_seen_and_one_replaced(played: Played) -> None:
    evaluation = played.status["evaluation"]

    assert evaluation["sample"] == {
        "draw": 1,
        "people": 62,
        "drawn": 7,
        "interviewed": 7,
        "replaced": 1,
        "to_replace": 0,
    }
    assert (evaluation["expected"], evaluation["answered"], len(evaluation["questions"])) == (73, 73, 9)
    assert played.rows("SELECT trigger FROM journal WHERE chain = 'edition' ORDER BY seq") == [
        ("load",),
        ("draw",),
        ("replace",),
        ("close",),
    ]


def test_report_that_the_closing_froze_says_what_status_says(played: Played) -> None:
    report = json.loads(played.run("report", "--json").stdout)
    status = json.loads(played.run("status", "--json").stdout)

    assert (report["number"], report["reports"], report["set_aside"]) == (1, 1, {})
    assert report["at"] == status["closed_at"] == played.status["closed_at"] == "2019-06-29T00:00:00+02:00"
    assert report["figures"] == {name: status[name] for name in report["figures"]}
    assert report["figures"] == {name: played.status[name] for name in report["figures"]}
    for groups in report["groups"].values():
        assert sum(n for each in groups for n in each["participations"].values()) == status["total"]


def test_every_ladder_rung_was_climbed_somewhere(played: Played) -> None:
    """The sample data shows reminders, escalations, a lapse, a cancellation and a deadline recorded missed."""
    assert played.status["reminders"] > 0
    assert played.status["escalations"] > 0
    assert {"participation_lapsed", "participation_cancelled"} <= played.status["notifications"].keys()


def test_journal_holds_and_its_seals_agree(played: Played) -> None:
    seals = str(played.folder / "seals" / "seals.jsonl")

    assert played.run("journal", "verify", "--seals", seals).returncode == 0


def test_journal_shows_a_change_made_by_hand(played: Played) -> None:
    changed = sqlite3.connect(played.folder / "entrapprendre.db")
    before = changed.execute(
        "SELECT to_state FROM journal WHERE chain = 'participation' AND chain_id = 1 AND seq = 2"
    ).fetchone()[0]
    try:
        changed.execute(
            "UPDATE journal SET to_state = 'declined' WHERE chain = 'participation' AND chain_id = 1 AND seq = 2"
        )
        changed.commit()
        answer = played.run("journal", "verify", "--json")
    finally:
        changed.execute(
            "UPDATE journal SET to_state = ? WHERE chain = 'participation' AND chain_id = 1 AND seq = 2", (before,)
        )
        changed.commit()
        changed.close()

    assert answer.returncode == 1
    assert played.run("journal", "verify").returncode == 0


def test_all_that_the_jobs_did_carries_a_real_flow_run(played: Played) -> None:
    named = {row[0] for row in played.rows("SELECT DISTINCT flow_run_id FROM journal WHERE via = 'flow'")}
    runs = {row[0] for row in played.prefect("SELECT id FROM flow_run WHERE state_type = 'COMPLETED'")}

    assert None not in named
    assert named <= runs
    assert played.prefect("SELECT name FROM flow_run WHERE state_type <> 'COMPLETED'") == []


def test_flow_runs_are_named_by_flow_and_moment(played: Played) -> None:
    names = {row[0] for row in played.prefect("SELECT name FROM flow_run")}

    assert {"tick 2018-11-05 08:00", "progress 2018-11-05 08:00", "delivery 2018-11-05 08:00"} <= names
    assert {name.split()[0] for name in names} == {"tick", "intake", "progress", "handoffs", "deadlines", "delivery"}


def test_prefect_holds_no_personal_data(played: Played) -> None:
    people = played.rows("SELECT email, last_name FROM party WHERE email IS NOT NULL")
    files = [played.folder / "prefect" / name for name in ("prefect.db", "prefect.db-wal", "server.log")]
    held = b"".join(path.read_bytes() for path in files if path.exists())

    assert len(people) > 100
    assert [email for email, _ in people if email.encode() in held] == []
    assert b"2018-2019-0001" in held  # references are there: the search would find what it looks for


def test_other_commands_look_at_what_the_demo_left(played: Played) -> None:
    status = json.loads(played.run("status", "--json").stdout)
    story = json.loads(played.run("show", "2018-2019-0001", "--json").stdout)

    assert status["participations"] == played.status["participations"]
    assert (story["state"], story["journal"][0]["trigger"]) == ("evaluated", "register")
