"""What every answer has, whatever was asked: headers, a number, a French page or a document; and the limits."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from actions.tokens import TOKEN
from core import logs
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.web import MANY, OTHER, Lines, Site, a_site, routes_of
from tests.support.worlds import AMELIE, a_world
from web.guard import MOST_BYTES
from web.limiting import Limiter, Limits

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HTTPS = {"strict-transport-security": "max-age=31536000"}
LONG = b'{"cause": "other", "reason": "' + b"x" * MOST_BYTES + b'"}'


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    with a_site(databases, "sqlite", tmp_path) as site:
        yield site


def broken(site: Site) -> Any:
    """Add a route that fails, with somebody's name in what it says."""

    def fail(_: Request) -> Response:
        raise KeyError("jeanne.dupont@ecole.example")

    for path in ("/fail", "/api/v1/fail"):
        site.app.add_route(path, fail)
    return site.client


def every_answer(site: Site) -> Iterator[Any]:
    """Yield an answer of each kind: good ones, each error, assets, on pages and in the API."""
    client = broken(site)
    yield from (
        client.get(path.replace("{path}", "style.css")) for method, path in routes_of(site.app) if "{r" not in path
    )
    yield client.get("/nowhere")
    yield client.get("/api/v1/nowhere")
    yield client.get("/static/nothing.css")
    yield client.post("/", headers={"Origin": "https://evil.example"})
    yield client.post("/", headers={"Origin": "http://["})
    yield client.delete("/")
    yield site.call("GET", "/handoffs")
    yield site.call("GET", "/handoffs?limit=0")
    yield site.act("accept", worlds.CELINE)
    yield site.act("complete")
    yield site.act("decline", content=LONG)
    yield site.act("decline", content=b"\xff", headers={"Content-Type": "application/json"})
    yield client.head("/")


# ------------------------------------------------------------------------------------------------------------- headers
@pytest.mark.parametrize(("public_url", "more"), [("http://testserver", {}), ("https://entr.example", HTTPS)])
def test_every_answer_has_the_headers(
    databases: Databases, tmp_path: Path, public_url: str, more: dict[str, str]
) -> None:
    with a_site(databases, "sqlite", tmp_path, public_url=public_url) as site:
        found = list(every_answer(site))

    wanted = {**dict.fromkeys(HTTPS), **HEADERS, **more}
    assert {answer.status_code for answer in found} == {200, 400, 401, 403, 404, 405, 409, 413, 422, 500}
    for answer in found:
        assert {name: answer.headers.get(name) for name in wanted} == wanted, answer.url
        assert "server" not in answer.headers
        asset = answer.url.path == "/static/style.css"
        assert answer.headers["cache-control"] == ("public, max-age=3600" if asset else "no-store"), answer.url


def test_pages_need_nothing_that_the_headers_forbid(site: Site) -> None:
    for path in ("/", "/api", "/nowhere"):
        page = site.client.get(path).text
        assert [word for word in ("<script", "style=", "onclick", "//cdn", "https://") if word in page] == []
        assert page.startswith('<!doctype html>\n<html lang="fr">')
        assert '<a class="skip" href="#content">Aller au contenu</a>' in page
    assert "url(" not in site.client.get("/static/style.css").text


def test_page_of_the_api_lists_every_route_of_its_document(site: Site) -> None:
    page = site.client.get("/api").text

    for path, operations in site.client.get("/api/v1/openapi.json").json()["paths"].items():
        for method in operations:
            assert f"<code>{method.upper()} {path}</code>" in page


# -------------------------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nowhere", 404, "Page introuvable"),
        ("POST", "/", 405, "Action impossible ici"),
        ("GET", "/fail", 500, "Erreur de notre côté"),
    ],
)
def test_error_is_a_french_page_for_people(site: Site, method: str, path: str, status: int, title: str) -> None:
    answer = broken(site).request(method, path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{title}</h1>" in answer.text
    assert answer.headers["x-request-id"] in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "not_found"),
        ("PUT", "/api/v1/handoffs", 405, "method_not_allowed"),
        ("GET", "/api/v1/fail", 500, "web_fault"),
    ],
)
def test_error_is_a_document_for_programs(site: Site, method: str, path: str, status: int, code: str) -> None:
    answer = broken(site).request(method, path)
    refused = answer.json()["refused"]

    assert (answer.status_code, refused["code"], refused["state"], refused["allowed"]) == (status, code, None, [])
    assert refused["reason"].endswith(".")


def test_wrong_method_is_told_the_right_one(site: Site) -> None:
    assert site.client.put("/api/v1/handoffs").headers["allow"] == "GET"


def test_fault_of_ours_says_nothing_of_what_it_was_about(site: Site) -> None:
    answers = [broken(site).get(path) for path in ("/fail", "/api/v1/fail")]

    assert [word for answer in answers for word in ("jeanne", "KeyError", ".py") if word in answer.text] == []


def test_values_that_do_not_fit_are_each_told_in_french_with_their_place(site: Site) -> None:
    query = "?limit=201&status=offered&status=lost&changed_since=2019-01-10&cursor=x&colour=red"

    refused = site.call("GET", f"/handoffs{query}").json()["refused"]

    assert (refused["code"], [(each["where"], each["code"]) for each in refused["problems"]]) == (
        "bad_values",
        [
            ("query.status.1", "value_choice"),
            ("query.changed_since", "bad_instant"),
            ("query.limit", "value_too_large"),
            ("query.cursor", "bad_cursor"),
            ("query.colour", "value_extra"),
        ],
    )
    assert refused["problems"][0]["reason"].endswith("completed ou closed.")
    assert "200" in refused["problems"][2]["reason"]


@pytest.mark.parametrize(
    ("body", "where", "code"),
    [
        (b"{", "body.1", "bad_body"),
        (b"{}", "body.cause", "value_missing"),
        (b'{"cause": "other"}', "body", "reason_needed"),
        (b'{"cause": "other", "reason": "  "}', "body", "reason_needed"),
        (b'{"cause": "late"}', "body.cause", "value_choice"),
        (b'{"cause": "other", "reason": 5}', "body.reason", "value_bad"),
        (b'{"cause": "other", "reason": "a\\u0000b"}', "body.reason", "bad_characters"),
        (b'{"cause": "other", "reason": "\\ud800"}', "body.reason", "value_bad"),
        (b'{"cause": "no_session", "to": "FCC"}', "body.to", "value_extra"),
        (b'{"cause": "other", "reason": "' + b"x" * 2001 + b'"}', "body.reason", "value_too_long"),
        (b"[]", "body", "value_bad"),
        (b"null", "body", "value_missing"),
    ],
)
def test_body_that_does_not_fit_is_refused_with_its_place(site: Site, body: bytes, where: str, code: str) -> None:
    answer = site.act("decline", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert [(each["where"], each["code"]) for each in answer.json()["refused"]["problems"]] == [(where, code)]


@pytest.mark.parametrize("stream", [False, True])
def test_body_that_is_too_long_is_refused_also_when_it_does_not_say_so(site: Site, *, stream: bool) -> None:
    content = iter([LONG[:1000], LONG[1000:]]) if stream else LONG

    answer = site.act("decline", content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["refused"]["code"]) == (413, "body_too_large")
    assert site.listed()[0] == (AMELIE, 1, "offered")


# ---------------------------------------------------------------------------------------------------- numbers and logs
def test_request_has_a_number_of_its_own(site: Site) -> None:
    numbers = {site.client.get("/").headers["x-request-id"] for _ in range(5)}

    assert len(numbers) == 5
    assert all(number.isalnum() and len(number) == 16 for number in numbers)


@pytest.mark.parametrize(
    ("given", "taken"),
    [("abc-1_2.X", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("é", False), ("", False)],
)
def test_callers_number_is_taken_over_if_logs_can_hold_it(site: Site, given: str, *, taken: bool) -> None:
    answered = site.client.get("/", headers=[(b"X-Request-ID", given.encode())]).headers["x-request-id"]

    assert (answered == given) is taken


@pytest.fixture
def written() -> Iterator[Lines]:
    """Give what the application logs, as JSON lines."""
    lines = Lines(logs.JsonLines())
    logger = logging.getLogger("web")
    before = logger.level
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(lines)
    logger.setLevel(before)


def test_log_of_a_request_names_it_and_nobody(site: Site, written: Lines) -> None:
    site.call("GET", f"/handoffs/{AMELIE}?name=Jeanne", headers={"X-Request-ID": "r1"})

    (line,) = [json.loads(line) for line in written.lines]
    assert {name: line[name] for name in ("level", "message", "method", "asked", "status", "token", "request_id")} == {
        "level": "info",
        "message": "request",
        "method": "GET",
        "asked": "get_handoff",
        "status": 200,
        "token": site.token()[:13],
        "request_id": "r1",
    }
    assert [word for word in ("testclient", "Jeanne", site.token()[13:]) if word in written.lines[0]] == []


def test_log_of_a_fault_says_where_and_not_about_whom(site: Site, written: Lines) -> None:
    broken(site).get("/fail", headers={"X-Request-ID": "r2"})

    fault, request = (json.loads(line) for line in written.lines)
    assert (fault["level"], fault["error"], fault["request_id"]) == ("error", "KeyError", "r2")
    assert fault["stack"][-1].startswith("tests/integration/test_web_frame.py:")
    assert (request["asked"], request["status"]) == ("fail", 500)
    assert "jeanne" not in "".join(written.lines)


# -------------------------------------------------------------------------------------------------------------- health
def test_process_lives_and_is_ready(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_site(databases, database_kind, tmp_path) as site:
        answers = [site.client.get(f"/health/{each}") for each in ("live", "ready")]

    assert [(each.status_code, each.json()) for each in answers] == [
        (200, {"status": "live"}),
        (200, {"status": "ready"}),
    ]


def test_process_is_not_ready_on_another_revision(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.offered, own_schema=True) as world:
        site = Site(world)
        world.change("UPDATE alembic_version SET version_num = '0001-'")
        older = site.client.get("/health/ready")
        world.change("DROP TABLE alembic_version")
        none = site.client.get("/health/ready")

    assert (older.status_code, older.json()) == (503, {"status": "not_ready", "code": "not_migrated"})
    assert (none.status_code, none.json()["code"]) == (503, "not_migrated")


def test_database_that_is_gone_is_told_as_such(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.offered) as world:
        gone = create_engine(f"sqlite:///{tmp_path}/nowhere/gone.sqlite3")
        site = Site(world.another("gone", engine=gone), given={OTHER: "entr_" + "x" * 43})
        ready = site.client.get("/health/ready")
        api = site.call("GET", "/handoffs", OTHER)
        gone.dispose()

    assert (ready.status_code, ready.json()["code"]) == (503, "database_unreachable")
    assert (api.status_code, api.json()["refused"]["code"]) == (503, "web_unavailable")
    assert api.headers["retry-after"] == "5"
    assert site.client.get("/health/live").status_code == 200


# -------------------------------------------------------------------------------------------------------------- limits
def statuses(site: Site, count: int, institute: str | None) -> list[int]:
    return [site.call("GET", "/handoffs", institute).status_code for _ in range(count)]


def limited(databases: Databases, tmp_path: Path, **limits: int) -> Any:
    return a_site(databases, "sqlite", tmp_path, limits=replace(MANY, **limits))


def test_token_that_asks_too_much_waits_and_another_does_not(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, token=3) as site:
        assert statuses(site, 5, "CECAFOC") == [200, 200, 200, 429, 429]
        assert statuses(site, 1, OTHER) == [200]


def test_whoever_has_no_good_token_is_limited_harder(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, stranger=2) as site:
        assert statuses(site, 4, None) == [401, 401, 429, 429]
        assert statuses(site, 2, "CECAFOC") == [200, 200]  # whoever shares the address


def test_address_that_asks_too_much_waits_and_another_does_not(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, address=2) as site:
        assert [site.client.get("/").status_code for _ in range(3)] == [200, 200, 429]
        elsewhere = TestClient(site.app, client=("192.0.2.7", 1))
        assert elsewhere.get("/").status_code == 200


def test_addresses_of_one_ipv6_household_count_as_one(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, address=2) as site:
        clients = [
            TestClient(site.app, client=(f"2001:db8:0:{net}::{n}", 1)) for net, n in ((1, 1), (1, 2), (1, 3), (2, 1))
        ]

        assert [client.get("/").status_code for client in clients] == [200, 200, 429, 200]


def test_everybody_together_is_limited_but_life_is_always_told(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, everybody=1) as site:
        assert [site.client.get(path).status_code for path in ("/", "/", "/health/live")] == [200, 429, 200]


def test_refusal_says_when_to_come_back(databases: Databases, tmp_path: Path) -> None:
    with limited(databases, tmp_path, token=1) as site:
        _, answer = (site.call("GET", "/handoffs") for _ in range(2))

    seconds = int(answer.headers["retry-after"])
    assert 55 <= seconds <= 60
    assert answer.json()["refused"]["code"] == "too_many_requests"
    assert f"dans {seconds} s." in answer.json()["refused"]["reason"]


def test_no_address_is_kept() -> None:
    limiter = Limiter(Limits())
    limiter.request_from("192.0.2.7")
    limiter.stranger_at("192.0.2.7")

    assert "192.0.2" not in str(vars(limiter._window.storage))


# ------------------------------------------------------------------------------------------------------- tokens in use
def test_use_of_a_token_is_noted_once_a_minute(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_site(databases, database_kind, tmp_path) as site:
        begun, noted = site.world.wall.now, []
        for seconds in (0, 59, 1, 30, 31):
            site.world.wall.advance(seconds=seconds)
            site.call("GET", "/handoffs")
            with site.world.engine.connect() as connection:
                noted.append(connection.execute(select(TOKEN.c.last_used_at)).scalar_one() - begun)

    assert [each.total_seconds() for each in noted] == [0, 0, 60, 60, 121]


def test_use_is_noted_also_of_what_is_refused(site: Site) -> None:
    site.act("complete")

    with site.world.engine.connect() as connection:
        assert connection.execute(select(TOKEN.c.last_used_at)).scalar_one() == site.world.wall.now


def test_busy_database_stops_no_reading(databases: Databases, tmp_path: Path, written: Lines) -> None:
    """The use of a token waits for the write lock; the list does not wait for the use."""
    with a_world(databases, "sqlite", tmp_path, worlds.offered, own_schema=True) as world:
        site = Site(world)
        site.token()
        event.listen(world.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 1"))
        world.engine.dispose()
        with world.engine.begin():  # holds the write lock
            answer = site.call("GET", "/handoffs")

    assert answer.status_code == 200
    assert ["could not be noted" in line for line in written.lines] == [True, False]
