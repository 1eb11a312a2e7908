"""The web application on a small world, and whoever calls it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from actions import editions, invitations, papers, sessions, tokens
from actions.occasion import Occasion
from core.settings import Settings
from states.names import Role
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import Build, World, a_world, moment
from web.app import create_app
from web.limiting import Limits

OWN, OTHER = "CECAFOC", "FCC"
A_PDF = b"%PDF-1.7 une feuille de presence"
OWN_SESSION = "CECAFOC-MINI-01"
AT = moment("2018-12-13 09:00")
MANY = Limits(token=100_000, address=100_000, stranger=100_000, everybody=100_000)


@dataclass
class Site:
    """An application and what it stands on; `now` is the programme's moment, which a test may set."""

    world: World
    limits: Limits = MANY
    public_url: str = "http://testserver"
    now: datetime = AT
    given: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settings = Settings(public_url=self.public_url)
        self.app: FastAPI = create_app(self.world.workshop, settings, now=lambda: self.now, limits=self.limits)
        self.client = TestClient(self.app)

    def token(self, institute: str = OWN) -> str:
        """Return an institute's token, made when it is first asked for."""
        if institute not in self.given:
            with self.world.workshop.transaction() as connection:
                self.given[institute], _ = tokens.create(connection, institute, "test", AT)
        return self.given[institute]

    def revoked(self, institute: str = OWN) -> str:
        with self.world.workshop.transaction() as connection:
            text, _ = tokens.create(connection, institute, "revoked", AT)
            tokens.revoke(connection, text, AT)
        return text

    def call(self, method: str, path: str, institute: str | None = OWN, **asked: Any) -> Any:
        """Call the API as an institute, or as nobody."""
        headers = {"Authorization": f"Bearer {self.token(institute)}"} if institute else {}
        headers |= asked.pop("headers", {})
        return self.client.request(method, f"/api/v1{path}", headers=headers, **asked)

    def act(self, act: str, reference: str = worlds.AMELIE, institute: str = OWN, **asked: Any) -> Any:
        return self.call("POST", f"/handoffs/{reference}/{act}", institute, **asked)

    def listed(self, query: str = "", institute: str = OWN) -> list[tuple[str, int, str]]:
        """Return reference, round and status of what an institute lists."""
        items = self.call("GET", f"/handoffs{query}", institute).json()["items"]
        return [(each["reference"], each["round"], each["status"]) for each in items]


@contextmanager
def a_site(
    databases: Databases, kind: Kind, folder: Path, build: Build = worlds.offered, **options: Any
) -> Iterator[Site]:
    """Give a site of one's own, on a world built as asked."""
    with a_world(databases, kind, folder, build) as world:
        yield Site(world, **options)


def a_session(world: World, starts: datetime, reference: str) -> None:
    """Have the institute that accepted this participation plan a session of three hours, and invite to it."""
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, reference)
        occasion = Occasion(worlds.ACCEPTED_AT, worlds.ACCEPTED_AT)
        (institute,) = who.organisations
        details = sessions.Details(starts, starts + timedelta(hours=3), "Namur", "", 2)
        planned = sessions.plan(connection, editions.current(connection), institute, details, who, occasion).reference
        invitations.invite(connection, planned, [reference], who, occasion)
        assert planned == OWN_SESSION


def a_document(world: World, reference: str) -> None:
    """Have the institute that accepted this participation add a document; the bytes are for the test to put."""
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.INSTITUTE, reference)
        paper = papers.Paper(sha256(A_PDF).hexdigest(), "application/pdf", len(A_PDF))
        papers.add(connection, reference, paper, who, Occasion(worlds.ACCEPTED_AT, worlds.ACCEPTED_AT))


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Return every route that an application really has, by method and path; HEAD goes with GET."""
    found: set[tuple[str, str]] = set()
    for route in app.routes:
        if isinstance(route, Mount):
            found.add(("GET", f"{route.path}/{{path}}"))
        elif isinstance(route, Route):
            found |= {(method, route.path) for method in route.methods or ()}
        else:  # what FastAPI keeps of a router
            for context in route.effective_route_contexts():  # type: ignore[attr-defined]  # its class is not public
                found |= {(method, context.path_format) for method in context.methods}
    return {(method, path) for method, path in found if method != "HEAD"}


class Lines(logging.Handler):
    """Keeps what is logged, as it would be written."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))
