"""What only one place may do: import a framework, end a transaction, read a clock. Import-linter holds the layers."""

import ast
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = {"tests", "benchmarks", "docs", "examples"}
CLOCKS = {
    "date": {"today"},
    "datetime": {"now", "today", "utcnow"},
    # The database's clock is the machine's too.
    "func": {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now"},
    "time": {"ctime", "gmtime", "localtime", "time", "time_ns"},
}
CLOCK_MODULES = {"datetime", "sqlalchemy", "sqlmodel", "time"}

Finder = Callable[[ast.Module], Iterator[int]]


def importing(name: str) -> Finder:
    """Find imports of a top-level module, also those written as a call."""

    def find(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            if any(module.partition(".")[0] == name for module in _modules(node)):
                yield node.lineno  # type: ignore[attr-defined]  # only statements and calls name modules

    return find


def _modules(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(module)), *_],
        ):
            return [module]
    return []


def calling(method: str) -> Finder:
    """Find calls of a method by its name, whatever the object."""

    def find(tree: ast.Module) -> Iterator[int]:
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr=attr)) if attr == method:
                    yield node.lineno

    return find


def reading_a_clock(tree: ast.Module) -> Iterator[int]:
    """Find uses of a clock, called or handed on (`default_factory=datetime.now`), under any name it was imported as."""
    origin = _imported_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=attr, value=ast.Name(id=owner) | ast.Attribute(attr=owner)):
                if attr in CLOCKS.get(origin.get(owner, owner), ()):
                    yield node.lineno
            case ast.Name(id=name) if "." in origin.get(name, ""):
                yield node.lineno


def _imported_names(tree: ast.Module) -> dict[str, str]:
    """Map the names a module uses to those they were imported as; `from time import time` gives `time.time`."""
    origin: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origin |= {alias.asname: alias.name for alias in node.names if alias.asname and alias.name in CLOCK_MODULES}
        elif isinstance(node, ast.ImportFrom) and node.module in CLOCK_MODULES:
            for alias in node.names:
                function = node.module == "time" and alias.name in CLOCKS["time"]
                origin[alias.asname or alias.name] = f"time.{alias.name}" if function else alias.name
    return origin


@dataclass(frozen=True)
class Rule:
    """Something that may stand under these paths only, in `at_most` files at most."""

    name: str
    find: Finder
    allowed: tuple[str, ...]
    planted: tuple[str, ...]
    harmless: tuple[str, ...] = ()
    at_most: int | None = None

    def permits(self, path: PurePosixPath) -> bool:
        return any(path.is_relative_to(place) for place in self.allowed)


RULES = (
    Rule(
        "transitions",
        importing("transitions"),
        ("states/machine.py",),
        (
            "import transitions",
            "from transitions.core import Event",
            "import importlib\nimportlib.import_module('transitions')",
        ),
        ("from states.transitions import x", "from .transitions import x", "transitions = 1"),
    ),
    Rule(
        "sendgrid", importing("sendgrid"), ("notifications",), ("def f():\n    from sendgrid import Mail",), at_most=1
    ),
    Rule("prefect", importing("prefect"), ("flows",), ("from prefect import flow", "import prefect.states as s")),
    Rule("fastapi", importing("fastapi"), ("web",), ("from fastapi import FastAPI",)),
    Rule(
        "commit",
        calling("commit"),
        ("jobs", "cli", "web"),
        ("session.commit()", "with sessions() as s:\n    s.connection().commit()"),
        ("commit = 1", "session.rollback()"),
    ),
    Rule(  # what begin() opens commits by itself at the end of its block
        "begin",
        calling("begin"),
        ("jobs", "cli", "web", "wiring", "migrations"),
        ("engine.begin()", "def f():\n    with sessions.begin() as s: pass"),
        ("session.begin_nested()",),
    ),
    Rule(
        "clock",
        reading_a_clock,
        ("core",),
        (
            "from datetime import datetime\ndatetime.now()",
            "from datetime import UTC, datetime as moment\nmoment.now(UTC)",
            "import datetime\ndatetime.datetime.utcnow()",
            "import datetime as dt\ndt.date.today()",
            "from datetime import date\ndate.today()",
            "import time\ntime.time()",
            "import time as clock\nclock.time_ns()",
            "from time import time\ntime()",
            "from time import time as wall\nf(wall)",
            "from datetime import datetime\nfield(default_factory=datetime.now)",
            "from sqlalchemy import func\nfunc.now()",
        ),
        (
            "from datetime import datetime\ndatetime.fromisoformat(x)",
            "import time\ntime.monotonic()",
            "from datetime import time\ntime(8)",
            "clock.now()",
            "now()",
        ),
    ),
)


def shipped() -> set[str]:
    """The packages that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names: list[str] = project["tool"]["setuptools"]["packages"]["find"]["include"]
    return {name for name in names if "." not in name}


def sources() -> dict[PurePosixPath, ast.Module]:
    """Every module of the shipped packages, by its path in the repository."""
    files = (file for package in shipped() for file in (ROOT / package).rglob("*.py"))
    return {PurePosixPath(file.relative_to(ROOT).as_posix()): ast.parse(file.read_text("utf-8")) for file in files}


def breaches(rule: Rule, modules: dict[PurePosixPath, ast.Module]) -> list[str]:
    """Each place that breaks the rule, as path:line."""
    found = {path: lines for path, tree in sorted(modules.items()) if (lines := sorted(rule.find(tree)))}
    wrong = [f"{path}:{line}" for path, lines in found.items() if not rule.permits(path) for line in lines]
    right = [str(path) for path in found if rule.permits(path)]
    return wrong + (right if rule.at_most is not None and len(right) > rule.at_most else [])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_confined_to_its_place(rule: Rule) -> None:
    assert breaches(rule, sources()) == []


PLANTED = [pytest.param(rule, text, id=f"{rule.name}-{n}") for rule in RULES for n, text in enumerate(rule.planted)]
HARMLESS = [pytest.param(rule, text, id=f"{rule.name}-{n}") for rule in RULES for n, text in enumerate(rule.harmless)]
ELSEWHERE = PurePosixPath("simulation/planted.py")


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_planted_breach_is_found_and_allowed_in_its_place(rule: Rule, text: str) -> None:
    tree = ast.parse(text)

    assert breaches(rule, {ELSEWHERE: tree}) == [f"{ELSEWHERE}:{len(text.splitlines())}"]
    assert breaches(rule, {PurePosixPath(place): tree for place in rule.allowed}) == []


@pytest.mark.parametrize(("rule", "text"), HARMLESS)
def test_what_only_looks_like_a_breach_is_let_through(rule: Rule, text: str) -> None:
    assert breaches(rule, {ELSEWHERE: ast.parse(text)}) == []


def test_second_file_of_a_rule_for_one_is_found() -> None:
    [rule] = [rule for rule in RULES if rule.at_most == 1]
    tree = ast.parse("import sendgrid")

    found = breaches(rule, {PurePosixPath(f"notifications/{name}.py"): tree for name in ("one", "two")})

    assert found == ["notifications/one.py", "notifications/two.py"]


def test_every_package_is_named_in_pyproject_and_read_here() -> None:
    packages = {file.parent.name for file in ROOT.glob("*/__init__.py")}

    assert packages - NOT_SHIPPED == shipped()
    assert {path.parts[0] for path in sources()} == shipped()


def test_every_folder_with_code_is_a_package() -> None:
    """The wheel leaves out a folder without __init__.py, and only the wheel would show it."""
    folders = {ROOT / path.parent for path in sources()}

    assert [str(folder.relative_to(ROOT)) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
