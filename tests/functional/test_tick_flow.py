"""`tick` as a real flow run: on a server started for the call, and on one that runs already, schedules included."""

import http
import json
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ops.prefect_server import prefect_server
from tests.support import worlds
from tests.support.databases import Databases
from tests.support.worlds import a_world

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).with_name("entrapprendre")
EDITION = ROOT / "editions" / "2018-2019.toml"
REGISTRATIONS = ROOT / "editions" / "samples" / "2018-2019" / "registrations-2018-09-17.csv"
OFFERS = REGISTRATIONS.with_name("offers.csv")

COLUMNS = ("reference", "round", "purpose", "status", "since", "next_due", "because")

pytestmark = pytest.mark.xdist_group("prefect")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose scheduler looks every second."""
    home = tmp_path_factory.mktemp("prefect")
    os.environ["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] = "1"
    try:
        with prefect_server(home, log=home / "server.log") as api_url:
            yield api_url
    finally:
        del os.environ["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A loaded edition, with a batch of registrations waiting in the inbox."""
    _run(tmp_path, "init", str(EDITION))
    _run(tmp_path, "import", "offers", str(OFFERS))
    inbox = tmp_path / "var" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / REGISTRATIONS.name).write_bytes(REGISTRATIONS.read_bytes())
    return tmp_path


def _run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    answer = subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, check=False, cwd=folder, env=clean | environment
    )
    assert answer.returncode == 0, answer.stderr
    return answer


def _api(url: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the loopback server of this module
        f"{url}{path}", data=json.dumps(body or {}).encode(), headers={"Content-Type": "application/json"}
    )
    busy = Event()
    for _ in range(10):  # Prefect on SQLite answers 503 while its database is locked; its own client asks again too
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - as above
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code != http.HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            busy.wait(2)
    pytest.fail("the server was busy for 20 seconds")


def test_tick_starts_a_server_of_its_own_when_none_answers(folder: Path) -> None:
    answer = json.loads(_run(folder, "tick", "--at", "2018-09-17T08:00", "--json").stdout)

    assert [(job["job"], job["counts"].get("accepted")) for job in answer["jobs"]][:1] == [("intake", 26)]
    database = sqlite3.connect(folder / "var" / "prefect" / "prefect.db")
    names = sorted(row[0] for row in database.execute("SELECT name FROM flow_run"))
    database.close()
    assert names == ["delivery 2018-09-17 08:00", "intake 2018-09-17 08:00", "tick 2018-09-17 08:00"]


def test_tick_uses_the_server_that_answers_and_leaves_a_table(server: str, folder: Path) -> None:
    _run(folder, "tick", "--at", "2018-09-17T08:00", PREFECT_API_URL=server)

    runs = _api(server, "/flow_runs/filter")
    tables = _api(server, "/artifacts/latest/filter")
    assert {run["name"] for run in runs} >= {"tick 2018-09-17 08:00", "intake 2018-09-17 08:00"}
    assert not (folder / "var" / "prefect" / "prefect.db").exists()
    intake = next(json.loads(table["data"]) for table in tables if table["key"] == "intake")
    assert intake == [{"job": "intake", "about": REGISTRATIONS.name, "outcome": "imported"}]


def test_handoffs_flow_leaves_a_table_an_institute_that_the_command_line_shows_too(
    server: str, databases: Databases, tmp_path: Path
) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.immersed) as world:
        ours = {"ENTRAPPRENDRE_DATABASE_URL": world.engine.url.render_as_string()}
        _run(tmp_path, "tick", "--at", "2018-12-12T12:00", PREFECT_API_URL=server, **ours)
        names = {row[0] for row in world.rows("SELECT last_name FROM party UNION SELECT first_name FROM party")}
        addresses = {row.email for row in world.rows("SELECT email FROM party")}
        told = {
            code: json.loads(_run(tmp_path, "handoffs", "--institute", code, "--json", **ours).stdout)["handoffs"]
            for code in ("CECAFOC", "FCC")
        }

    found = {each["key"]: each for each in _api(server, "/artifacts/latest/filter")}
    tables = {code: found[f"handoffs-{code.lower()}"] for code in told}
    assert {code: len(rounds) for code, rounds in told.items()} == {"CECAFOC": 2, "FCC": 1}
    assert {code: json.loads(table["data"]) for code, table in tables.items()} == {
        code: [{**{name: each[name] for name in COLUMNS}, "because": ""} for each in rounds]
        for code, rounds in told.items()
    }
    assert {code: table["description"] for code, table in tables.items()} == {
        "CECAFOC": "2018-12-12T12:00:00+01:00: 2 offered",
        "FCC": "2018-12-12T12:00:00+01:00: 1 offered",
    }
    said = json.dumps([[table["data"], table["description"]] for table in tables.values()], ensure_ascii=False)
    assert {word for word in names | addresses if word and word in said} == set()


def test_server_creates_scheduled_runs(server: str) -> None:
    """With SQLAlchemy 2.1 all else works and no scheduled run is ever created: the pins must keep this true."""
    flow = _api(server, "/flows/", {"name": "scheduled"})
    schedule = {"schedule": {"interval": 60, "anchor_date": "2026-01-01T00:00:00Z", "timezone": "Europe/Brussels"}}
    _api(server, "/deployments/", {"name": "every-minute", "flow_id": flow["id"], "schedules": [schedule]})

    wanted = {"flows": {"id": {"any_": [flow["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    never = Event()
    for _ in range(60):
        if _api(server, "/flow_runs/count", wanted) > 0:
            return
        never.wait(0.5)
    pytest.fail("the server created no scheduled run within 30 seconds")
