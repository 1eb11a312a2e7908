"""The demo: a whole edition through real flows on a local Prefect server, then what came of it."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from core.errors import UsageError
from core.settings import load_settings
from jobs.workshop import Workshop
from ops.prefect_server import prefect_server
from ops.ticking import speak_to
from simulation.cast import Cast, read_cast, sample_editions
from simulation.edition import Played, Progress, Simulation, Tick, seeded_salt
from wiring.database import make_engine, migrate
from wiring.workshop import make_workshop

DATABASE = "entrapprendre.db"
_MARK = ".entrapprendre-demo"
_OURS = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", "mail", "inbox", "seals", ".env")


@dataclass(frozen=True)
class Demo:
    """A demo that was played: where it stands and what happened."""

    directory: Path
    cast: Cast
    workshop: Workshop
    played: Played
    seconds: float

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to its database, for looking."""
        engine = make_engine(self.database_url)
        with engine.connect().execution_options(read_only=True) as connection:
            yield connection
        engine.dispose()

    @property
    def database_url(self) -> str:
        """Return the address of its database."""
        return f"sqlite:///{self.directory / DATABASE}"


def play_demo(directory: Path, edition: str, seed: int | None, progress: Progress) -> Demo:
    """Play a whole edition anew in a directory, through Prefect flows on a server of its own.

    Raises UsageError (`unknown_sample`, `not_a_demo_directory`), ServerNotStarted.
    """
    started = time.monotonic()
    if edition not in sample_editions():
        raise UsageError("unknown_sample", value=edition, allowed=sample_editions())
    _clear(directory)
    cast = read_cast(edition)
    seed = cast.seed if seed is None else seed
    with _server_and_database(directory) as engine:
        workshop = _workshop(directory, engine, seed)
        with _flows(workshop) as tick:
            played = Simulation(workshop, cast, tick, progress, seed).play()
    return Demo(directory, cast, workshop, played, time.monotonic() - started)


def _clear(directory: Path) -> None:
    """Empty what an earlier demo left; a directory that holds something else is not touched."""
    if directory.exists() and any(directory.iterdir()) and not (directory / _MARK).exists():
        raise UsageError("not_a_demo_directory", value=directory)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _MARK).touch()
    for name in _OURS:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def _server_and_database(directory: Path) -> Iterator[Engine]:
    """Start Prefect's server while the database is made: both take seconds."""
    home = directory / "prefect"
    url = f"sqlite:///{directory / DATABASE}"
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        server = pool.submit(stack.enter_context, prefect_server(home, log=home / "server.log"))
        migrate(url)
        engine = make_engine(url)
        stack.callback(engine.dispose)
        speak_to(server.result(), home)
        yield engine


def _workshop(directory: Path, engine: Engine, seed: int) -> Workshop:
    """A workshop in which the programme's moment stands for the machine's, so that a demo can be repeated."""
    key = f"demo-{seed}"
    (directory / ".env").write_text(f"ENTRAPPRENDRE_SECRET_KEY={key}\n")
    settings = load_settings(var=directory, secret_key=key)
    return make_workshop(settings, engine, recorded=lambda at: at, salt=seeded_salt(seed))


@contextmanager
def _flows(workshop: Workshop) -> Iterator[Tick]:
    """Give the real tick flow, called on one event loop for the whole demo."""
    from flows.jobs import tick  # noqa: PLC0415 - imports Prefect, which reads its settings then
    from flows.surroundings import connected, working_in  # noqa: PLC0415 - as above

    # in this order: a runner copies the context it is made in
    with working_in(workshop), asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(connected()))
        try:
            yield lambda at: runner.run(tick(at))
        finally:
            runner.run(stack.aclose())
