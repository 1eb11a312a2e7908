"""How the command starts and ends: what it imports, its help pages, its exit status, its pipes."""

import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cli.main import COMMANDS, GROUPS, run
from tests.functional.conftest import SCRIPT, ZOE, Call

HEAVY = ("sqlmodel", "sqlalchemy", "prefect", "alembic", "pydantic", "holidays", "rich", "transitions", "jinja2")
sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


def imported_by(*arguments: str) -> set[str]:
    """Return which heavy packages a command imports, in a process of its own."""
    program = (
        "import io, json, sys\n"
        "from cli.main import run\n"
        "answer, sys.stdout = sys.stdout, open('answer', 'w')\n"
        f"status = run({list(arguments)!r})\n"
        "sys.stdout = answer\n"
        f"print(json.dumps([status, [name for name in {HEAVY!r} if name in sys.modules]]))\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    status, names = json.loads(finished.stdout)
    assert status == 0
    return set(names)


def all_commands() -> Iterator[tuple[str, ...]]:
    yield ()
    yield from ((name,) for name in COMMANDS)
    for group, (_, commands) in GROUPS.items():
        yield (group,)
        yield from ((group, name) for name in commands)


# ------------------------------------------------------------------------------------------------------- heavy modules
@pytest.mark.parametrize(
    "arguments", [("--help",), ("show", "--help"), ("process", "--diagram"), ("process", "--json")]
)
def test_help_and_process_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported_by(*arguments) == set()


def test_process_table_imports_what_draws_it_only() -> None:
    assert imported_by("process") == {"rich"}


@sqlite_only
def test_status_imports_neither_models_nor_prefect(loaded: str) -> None:
    assert imported_by("status", "--json") == {"sqlalchemy", "pydantic"}
    assert imported_by("status") == {"sqlalchemy", "pydantic", "rich"}


@sqlite_only
def test_control_show_needs_the_models(loaded: str) -> None:
    assert {"sqlmodel", "sqlalchemy"} <= imported_by("show", ZOE)
    assert "prefect" not in imported_by("tick", "--no-prefect", "--at", "2018-09-18")


# ----------------------------------------------------------------------------------------------------------- help pages
ENGLISH = re.compile(r"\b(Usage|Commands|required|default|Show this|COMMAND)\b")


@pytest.mark.parametrize("command", list(all_commands()), ids=" ".join)
def test_every_command_has_a_help_page_in_french(done: Call, command: tuple[str, ...]) -> None:
    answer = done(*command, "--help")

    assert answer.out.startswith(f"Emploi\u00a0: {' '.join(('entrapprendre', *command))} ")
    assert not ENGLISH.search(answer.out)
    assert max(map(len, answer.out.splitlines())) <= 100


def test_every_command_of_the_contract_is_there(done: Call) -> None:
    promised = {
        "init",
        "import",
        "act",
        "retry",
        "tick",
        "status",
        "show",
        "handoffs",
        "outbox",
        "journal",
        "process",
        "demo",
    }

    assert promised <= set(COMMANDS) | set(GROUPS)
    assert all(f"\n  {name} " in done("--help").out for name in promised)


@pytest.mark.parametrize("command", list(all_commands()), ids=" ".join)
def test_whatever_prints_data_takes_json(done: Call, command: tuple[str, ...]) -> None:
    group_only = command in {
        (),
        ("evaluation",),
        ("import",),
        ("journal",),
        ("returns",),
        ("routes",),
        ("tokens",),
        ("web",),
        ("webhooks",),
    }

    assert ("--json" in done(*command, "--help").out) is not group_only


def test_without_a_command_help_is_shown_with_status_2(call: Call) -> None:
    answer = call()

    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("Emploi\u00a0: entrapprendre ")


def test_version(done: Call) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", done("--version").out)


# --------------------------------------------------------------------------------------------------------- as a process
def test_exit_status_and_streams_of_the_script(shell: Call, loaded: str) -> None:
    good = shell("status", "--json")
    refused = shell("show", "nothing", "--json")
    wrong = shell("show")

    assert (good.status, good.err, good.json["total"]) == (0, "", 3)
    assert (refused.status, refused.refused["code"]) == (1, "unknown_reference")
    assert (wrong.status, wrong.out) == (2, "")


@sqlite_only
@pytest.mark.parametrize("locale", ["C", "POSIX", "fr_BE.ISO-8859-1"])
def test_any_terminal_can_read_the_answer(shell: Call, loaded: str, locale: str) -> None:
    for encoding in ({}, {"PYTHONIOENCODING": "ascii"}):
        told = shell("show", ZOE, LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", **encoding)
        document = shell("show", ZOE, "--json", LC_ALL=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", **encoding)

        assert (told.status, document.status, told.err) == (0, 0, "")
        assert document.json["teacher"]["name"] == "Zoé Noël"


def test_arguments_that_are_no_text(loaded: str) -> None:
    finished = subprocess.run([SCRIPT, "show", b"\xff\xfe"], capture_output=True, check=False)

    assert (finished.returncode, finished.stdout) == (2, b"")
    assert b"Traceback" not in finished.stderr


@sqlite_only
def test_reader_that_has_enough_is_no_error(loaded: str) -> None:
    with subprocess.Popen([SCRIPT, "process"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()

    assert said == b""
    assert running.returncode == 0


def test_interruption_is_no_traceback(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("cli.process._tell", interrupted)

    assert call("process").status == 130


def test_our_own_fault_is_told_with_its_place_and_nothing_else(monkeypatch: pytest.MonkeyPatch, call: Call) -> None:
    def faulty(*_: object) -> None:
        raise KeyError("zoe.noel@saint-luc.example")

    monkeypatch.setattr("cli.process._tell", faulty)

    answer = call("process")

    assert answer.status == 1
    assert re.search(r"\(KeyError, (cli|tests)/[\w/]+\.py:\d+\)", answer.err)
    assert "zoe" not in answer.err


def test_every_error_of_the_tables_has_a_sentence() -> None:
    from core import faults
    from notifications.words import say

    codes = itertools.chain(faults._SQLITE.values(), faults._POSTGRESQL.values())

    assert all(say(code).endswith(".") for code in codes)


def test_run_can_be_called_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert [run(["process", "--diagram"]) for _ in range(3)] == [0, 0, 0]
    capsys.readouterr()
