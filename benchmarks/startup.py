"""What it costs to start a command, beside the one import that most of them cannot do without."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import population
from benchmarks.measure import Work, compare
from benchmarks.report import Line, Measured, Skipped
from wiring.database import make_engine, migrate

_ROOT = Path(__file__).parents[1]
_CLI = _ROOT / "cli" / "main.py"
_STATUS_AT_MOST = 1.5
_HEAVY = ("sqlmodel", "prefect")
_COMMAND = "from cli.main import main; main()"
# Says which of the heavy modules are there at the end, whatever way the command ends.
_COMMAND_THEN_HEAVY = f"""
import sys
from cli.main import main
try:
    main()
finally:
    print(*[name for name in {_HEAVY} if name in sys.modules], file=sys.stderr)
"""


def run(rounds: int) -> Iterator[Line]:
    """Measure `--help`, `process` and `status`, on a database with one participation."""
    if not _CLI.exists():
        yield Skipped("start-up", "cli.main does not exist yet")
        return
    with tempfile.TemporaryDirectory(prefix="entrapprendre-bench-") as folder:
        environment = _environment(Path(folder))
        for arguments in (["--help"], ["process"]):
            yield _heavy_modules(arguments, environment)
        for arguments, at_most in ((["--help"], 1.0), (["process"], 1.0), (["status"], _STATUS_AT_MOST)):
            yield _beside_sqlmodel(arguments, environment, rounds, at_most)


def _environment(folder: Path) -> dict[str, str]:
    """Prepare a database and return an environment in which the commands find it."""
    url = f"sqlite:///{folder}/bench.db"
    migrate(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        population.register_one(connection)
    engine.dispose()
    return {**os.environ, "ENTRAPPRENDRE_DATABASE_URL": url, "ENTRAPPRENDRE_VAR": str(folder)}


def _heavy_modules(arguments: Sequence[str], environment: dict[str, str]) -> Measured:
    done = _python(_COMMAND_THEN_HEAVY, arguments, environment)
    found = done.stderr.splitlines()[-1].split()
    return Measured(
        f"{' '.join(arguments)}, modules imported",
        " ".join(found) or "none",
        ", ".join(_HEAVY),
        len(found),
        0,
        at_most=True,
    )


def _beside_sqlmodel(arguments: Sequence[str], environment: dict[str, str], rounds: int, at_most: float) -> Measured:
    compared = compare(
        _starting(_COMMAND, arguments, environment), _starting("import sqlmodel", (), environment), rounds
    )
    ours, yardstick = (f"{seconds * 1000:,.0f} ms" for seconds in (compared.ours, compared.yardstick))
    return Measured(
        f"{' '.join(arguments)}, beside import sqlmodel", ours, yardstick, 1 / compared.speed, at_most, at_most=True
    )


def _starting(code: str, arguments: Sequence[str], environment: dict[str, str]) -> Work:
    def work(_number: int) -> None:
        done = _python(code, arguments, environment)
        assert done.returncode == 0, done.stderr

    return work


def _python(code: str, arguments: Sequence[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
