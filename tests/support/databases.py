"""Fresh databases on both engines, empty or migrated, as many as a test asks for."""

import secrets
import shutil
import sqlite3
import tempfile
from contextlib import ExitStack, closing
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Literal

from sqlalchemy import URL, make_url

from tests.support import postgres

Kind = Literal["sqlite", "postgresql"]


class Databases:
    """Makes databases for one process of the test run; nothing is started before a test needs it.

    Each engine is migrated once; a migrated database is a copy of that one. A test with many examples (Hypothesis)
    takes a database per example from here instead of one per test from a fixture.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="entrapprendre-db-")))
        # Also unlike those of other processes and other runs, which may share a server.
        self._prefix = f"entrapprendre_test_{secrets.token_hex(4)}"
        self._numbers = count(1)
        self._on_server: set[str] = set()

    def fresh(self, kind: Kind, *, migrated: bool = True) -> str:
        """Make a database and give its address."""
        if kind == "sqlite":
            path = self._new_file()
            if migrated:
                shutil.copyfile(self._sqlite_template, path)
            return f"sqlite:///{path}"
        return _text(self._create(self._postgresql_template if migrated else "template0"))

    def discard(self, address: str) -> None:
        """Delete a database, on a server also when somebody is still connected to it."""
        url = make_url(address)
        if url.get_backend_name() == "sqlite":
            for file in self._folder.glob(f"{Path(url.database or '').name}*"):
                file.unlink()
        else:
            self._drop(url.database or "")

    @cached_property
    def _sqlite_template(self) -> Path:
        path = self._new_file()
        _migrate(f"sqlite:///{path}")
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file that is copied
        return path

    @cached_property
    def _postgresql_template(self) -> str:
        url = self._create("template0")
        _migrate(_text(url))
        return str(url.database)

    @cached_property
    def _server(self) -> URL:
        url = self._stack.enter_context(postgres.server())
        self._stack.callback(self._drop_all)
        return url

    def _new_file(self) -> Path:
        return self._folder / f"{next(self._numbers)}.sqlite3"

    def _create(self, template: str) -> URL:
        name = f"{self._prefix}_{next(self._numbers)}"
        postgres.run(self._server, f"CREATE DATABASE {name} TEMPLATE {template}")
        self._on_server.add(name)
        return self._server.set(database=name)

    def _drop(self, name: str) -> None:
        postgres.run(self._server, f"DROP DATABASE {name} WITH (FORCE)")
        self._on_server.discard(name)

    def _drop_all(self) -> None:
        for name in sorted(self._on_server):
            self._drop(name)


def _migrate(address: str) -> None:
    from wiring.database import migrate

    migrate(address)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
