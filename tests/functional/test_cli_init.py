"""`init`: the database, the key, the edition; and databases that are not there, not ours or not well."""

import os
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from tests.functional.conftest import EDITION, SCRIPT, ZOE, Call

NOT_THERE = "postgresql+psycopg://nobody:s3cret@127.0.0.1:1/nothing"


def test_init_makes_all_that_is_missing(empty_database_url: str, done: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", empty_database_url)

    first = done("init", EDITION, "--json").json
    again = done("init", EDITION, "--json").json
    alone = done("init", "--json").json

    assert (first["outcome"], first["revision"], first["changes"], first["secret_key"]) == ("created", 1, [], ".env")
    assert (again["outcome"], again["revision"], again["secret_key"]) == ("unchanged", 1, None)
    assert set(alone) == {"database", "secret_key"}
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert done("status", "--json").json["edition"] == "2018-2019"


def test_init_without_settings_makes_a_file_under_var(done: Call) -> None:
    answer = done("init")

    assert Path("var/entrapprendre.db").is_file()
    assert answer.out.splitlines() == [
        "La base de données est prête\u00a0: sqlite:///var/entrapprendre.db.",
        "Une clé secrète est écrite dans .env.",
    ]


def test_init_in_a_directory_keeps_all_there(done: Call) -> None:
    done("init", EDITION, "--dir", "elsewhere")

    assert {path.name for path in Path("elsewhere").iterdir()} >= {"entrapprendre.db", ".env"}
    assert not Path("var").exists()
    assert not Path(".env").exists()
    assert done("status", "--dir", "elsewhere", "--json").json["total"] == 0


def changed(tmp_path: Path) -> Path:
    path = tmp_path / "changed.toml"
    path.write_text(EDITION.read_text().replace("min_half_days = 3", "min_half_days = 2"))
    return path


def test_changed_file_before_anything_runs_is_a_revision(done: Call, tmp_path: Path) -> None:
    done("init", EDITION)

    revised = done("init", changed(tmp_path), "--json").json
    told = done("init", EDITION)

    assert (revised["outcome"], revised["revision"]) == ("revised", 2)
    assert revised["changes"] == ["immersion.min_half_days: 3 -> 2"]
    assert told.out.splitlines()[-1] == "  immersion.min_half_days: 2 -> 3"


def test_changed_file_while_deadlines_run_is_refused_and_says_what_changed(
    loaded: str, call: Call, done: Call, tmp_path: Path
) -> None:
    before = done("show", ZOE, "--json", "--at", "2018-10-01").out

    refused = call("init", changed(tmp_path), "--json")
    told = call("init", changed(tmp_path))

    assert (refused.status, refused.refused["code"]) == (1, "edition_running")
    assert refused.refused["changes"] == ["immersion.min_half_days: 3 -> 2"]
    assert told.err.splitlines()[-1] == "  immersion.min_half_days: 3 -> 2"
    assert done("init", EDITION, "--json").json["outcome"] == "unchanged"
    assert done("show", ZOE, "--json", "--at", "2018-10-01").out == before


FAULTS = {
    "unknown key": ("[immersion]\n", "[immersion]\ncolour = 1\n", "immersion.colour"),
    "unknown institute": ('institute = "FCC"', 'institute = "NIX"', "routes[2].institute"),
    "unknown state": (
        "[deadlines.participation.immersed.closing]",
        "[deadlines.participation.moon.closing]",
        "deadlines.participation.moon",
    ),
    "not TOML": ("[immersion]", "[immersion", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_edition_file_is_refused_before_anything_is_made(call: Call, fault: str) -> None:
    good, bad, key = FAULTS[fault]
    Path("faulty.toml").write_text(EDITION.read_text().replace(good, bad))

    refused = call("init", "faulty.toml", "--json")
    told = call("init", "faulty.toml")

    assert refused.status == told.status == 1
    assert key in [problem["column"] for problem in refused.refused["problems"]]
    assert told.err.splitlines()[0] == "Le fichier «\u00a0faulty.toml\u00a0» ne peut pas être utilisé tel quel."
    assert told.out == ""
    assert not Path("var").exists()


@pytest.mark.parametrize(
    ("path", "status"), [("nothing.toml", 2), (".", 2), ("/dev/null", 1), ("/dev/zero", 1), ("noise.toml", 1)]
)
def test_no_edition_file_at_all(call: Call, path: str, status: int) -> None:
    Path("noise.toml").write_bytes(os.urandom(100_000))

    assert call("init", path).status == status
    assert not Path("var").exists()


# ------------------------------------------------------------------------------------------ databases that are not well
READERS = (
    ("status",),
    ("show", ZOE),
    ("handoffs",),
    ("outbox",),
    ("journal", "verify"),
    ("tick", "--no-prefect"),
    ("retry", ZOE),
    ("act", ZOE, "withdraw", "--by", "teacher:a@b.example"),
)


def test_missing_database_is_told_and_not_made(call: Call, subtests: pytest.Subtests) -> None:
    for arguments in READERS:
        with subtests.test(arguments[0]):
            answer = call(*arguments, "--json")
            elsewhere = call(*arguments, "--dir", "nowhere", "--json")

            assert (answer.status, answer.refused["code"]) == (1, "no_database")
            assert (elsewhere.status, elsewhere.refused["code"]) == (1, "no_database")
    assert not Path("var").exists()
    assert not Path("nowhere").exists()


def test_empty_database_is_told(
    empty_database_url: str, call: Call, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    if empty_database_url.startswith("sqlite"):
        sqlite3.connect(empty_database_url.removeprefix("sqlite:///")).close()
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", empty_database_url)
    for arguments in READERS:
        with subtests.test(arguments[0]):
            answer = call(*arguments, "--json")

            assert (answer.status, answer.refused["code"]) == (1, "not_migrated")


def test_database_without_edition_is_told(database_url: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", database_url)

    answer = call("status", "--json")

    assert (answer.status, answer.refused["code"]) == (1, "no_edition")
    assert call("handoffs", "--json").refused["code"] == "no_edition"


ADDRESSES = {
    "no address": ("nonsense", 2, "bad_database_url"),
    "other engine": ("mysql://localhost/x", 2, "bad_database_url"),
    "other driver": ("postgresql://localhost/x", 2, "bad_database_url"),
    "bad port": ("postgresql+psycopg://localhost:port/x", 2, "bad_database_url"),
    "nobody there": (NOT_THERE, 1, "database_unreachable"),
    "no database": ("sqlite:///noise.db", 1, "database_damaged"),
    "directory": ("sqlite:///directory", 1, "database_unreachable"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_databases_out_of_reach(call: Call, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    Path("noise.db").write_bytes(os.urandom(10_000))
    Path("directory").mkdir()
    url, status, code = ADDRESSES[name]
    monkeypatch.setenv("ENTRAPPRENDRE_DATABASE_URL", url)

    for arguments in (("status",), ("init",), ("act", ZOE, "withdraw", "--by", "teacher:a@b.example")):
        answer = call(*arguments, "--json")

        assert (answer.status, answer.refused["code"]) == (status, code)
        assert "s3cret" not in answer.out + answer.err


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_busy_database_is_told(loaded: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wiring.database._LOCK_WAIT_MS", 10)
    blocker = sqlite3.connect(loaded.removeprefix("sqlite:///"), isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    writing = call("act", ZOE, "withdraw", "--by", "teacher:zoe.noel@saint-luc.example", "--json")
    reading = call("status", "--json")
    blocker.close()

    assert (writing.status, writing.refused["code"]) == (1, "database_busy")
    assert reading.status == 0  # readers never wait for writers


@pytest.mark.parametrize("sender", ["zzz", "Ifc <ifc@>", "é@x.example"])
def test_sender_that_is_no_address_is_told_before_any_message_fails(
    call: Call, monkeypatch: pytest.MonkeyPatch, sender: str
) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_MAIL_FROM", sender)
    answer = call("tick", "--no-prefect", "--json")

    assert (answer.status, answer.refused["code"]) == (2, "bad_setting")


def test_wrong_settings_are_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTRAPPRENDRE_MAIL", "pigeon")
    by_environment = call("init", "--json")
    monkeypatch.delenv("ENTRAPPRENDRE_MAIL")
    Path(".env").write_bytes(b"ENTRAPPRENDRE_SECRET_KEY=\xff\n")
    by_file = call("init", "--json")

    assert [(answer.status, answer.refused["code"]) for answer in (by_environment, by_file)] == [(2, "bad_setting")] * 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_database_of_a_later_version_is_told(loaded: str, call: Call) -> None:
    database = sqlite3.connect(loaded.removeprefix("sqlite:///"))
    database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.commit()
    database.close()

    assert call("init", "--json").refused["code"] == "database_newer"


@pytest.mark.parametrize("database_kind", ["postgresql"])  # SQLite has one writer at a time
def test_three_at_once_on_an_empty_database_all_find_it_migrated(empty_database_url: str) -> None:
    environment = {**os.environ, "ENTRAPPRENDRE_DATABASE_URL": empty_database_url}
    running = [subprocess.Popen([SCRIPT, "init"], env=environment, stderr=subprocess.PIPE) for _ in range(3)]
    told = [process.communicate(timeout=60)[1] for process in running]

    assert [process.returncode for process in running] == [0, 0, 0], told
