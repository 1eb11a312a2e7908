"""Every route and every role: a new route without a row here fails."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from documents.store import Store
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases
from tests.support.web import A_PDF, OTHER, OWN, OWN_SESSION, Site, a_document, a_session, a_site, routes_of
from tests.support.worlds import AMELIE, BASILE, Build, World

ROLES = ("anonymous", "own", "other", "revoked", "broken")
OPEN = (200, 200, 200, 200, 200)
ONE = "/api/v1/handoffs/{reference}"
DAY = "/api/v1/batches/{day}"
SESSION = "/api/v1/sessions/{session}"
YESTERDAY = "2018-12-11 11:00:00"
DECLINE = {"cause": "no_session"}
WHERE = {"starts_at": "2019-01-17T13:00:00+01:00", "ends_at": "2019-01-17T16:00:00+01:00", "place": "Namur"}
PLAN = {**WHERE, "capacity": 4}
CALL_OFF = {"reason": "Grève des trains."}
INVITE = {"references": [AMELIE]}
THERE = {"people": [{"reference": AMELIE, "present": True}]}
NOTE = {"text": "Lien avec le référentiel : usinage."}


def to_come(world: World) -> None:
    """Cecafoc has a session in January, to which Basile is invited."""
    worlds.accepted(world)
    a_session(world, worlds.moment("2019-01-10 13:00"), BASILE)


def begun(world: World) -> None:
    """Cecafoc had a session the day before; Amélie was invited."""
    worlds.accepted(world)
    a_session(world, worlds.moment("2018-12-19 13:00"), AMELIE)


def sent_back(world: World) -> None:
    """IFC sent Amélie's record back."""
    worlds.transferred(world)
    asked: dict[str, Any] = {"subject": Subject.RETURN, "reason": "Aucune trace de la session."}
    world.act(AMELIE, Trigger.DECLINE, Role.COORDINATOR, worlds.TRANSFERRED_AT, **asked)


def with_document(world: World) -> None:
    """Cecafoc added a document to Amélie's transfer."""
    worlds.accepted(world)
    a_document(world, AMELIE)


def only_own(world: World) -> None:
    """What was offered to FCC was offered the day before."""
    worlds.offered(world)
    world.change("UPDATE handoff SET offered_at = :day WHERE participation_id = 3", day=YESTERDAY)


# what is asked: the world it is asked in, the body, and the status for each role in order
TABLE: dict[tuple[str, str], tuple[Build, object, tuple[int, ...]]] = {
    ("GET", "/"): (worlds.offered, None, OPEN),
    ("GET", "/api"): (worlds.offered, None, OPEN),
    ("GET", "/api/v1/openapi.json"): (worlds.offered, None, OPEN),
    ("GET", "/health/live"): (worlds.offered, None, OPEN),
    ("GET", "/health/ready"): (worlds.offered, None, OPEN),
    ("GET", "/static/{path}"): (worlds.offered, None, OPEN),
    ("GET", "/api/v1/handoffs"): (worlds.offered, None, (401, 200, 200, 401, 401)),
    ("GET", ONE): (worlds.offered, None, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/accept"): (worlds.offered, None, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/decline"): (worlds.offered, DECLINE, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/complete"): (worlds.accepted, None, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/note"): (worlds.accepted, NOTE, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/return"): (sent_back, None, (401, 200, 404, 401, 401)),
    ("GET", f"{ONE}/packet"): (worlds.offered, None, (401, 200, 404, 401, 401)),
    ("GET", f"{ONE}/packet.pdf"): (worlds.offered, None, (401, 200, 404, 401, 401)),
    ("GET", "/api/v1/schemas/packet-1.json"): (worlds.offered, None, OPEN),
    ("GET", f"{ONE}/documents"): (worlds.accepted, None, (401, 200, 404, 401, 401)),
    ("POST", f"{ONE}/documents"): (worlds.accepted, A_PDF, (401, 201, 404, 401, 401)),
    ("GET", f"{ONE}/documents/{{sha256}}"): (with_document, None, (401, 200, 404, 401, 401)),
    # of a day of which the other institute has nothing
    ("GET", "/api/v1/batches"): (only_own, None, (401, 200, 200, 401, 401)),
    ("GET", DAY): (only_own, None, (401, 200, 404, 401, 401)),
    ("GET", f"{DAY}.xlsx"): (only_own, None, (401, 200, 404, 401, 401)),
    ("GET", f"{DAY}.csv"): (only_own, None, (401, 200, 404, 401, 401)),
    ("POST", f"{DAY}/accept"): (only_own, None, (401, 200, 404, 401, 401)),
    ("POST", f"{DAY}/decline"): (only_own, DECLINE, (401, 200, 404, 401, 401)),
    ("GET", "/api/v1/sessions"): (to_come, None, (401, 200, 200, 401, 401)),
    ("POST", "/api/v1/sessions"): (to_come, PLAN, (401, 201, 201, 401, 401)),
    ("GET", SESSION): (to_come, None, (401, 200, 404, 401, 401)),
    ("PUT", SESSION): (to_come, PLAN, (401, 200, 404, 401, 401)),
    ("POST", f"{SESSION}/cancel"): (to_come, CALL_OFF, (401, 200, 404, 401, 401)),
    ("POST", f"{SESSION}/invitations"): (to_come, INVITE, (401, 200, 404, 401, 401)),
    ("POST", f"{SESSION}/attendance"): (begun, THERE, (401, 200, 404, 401, 401)),
}
CELLS = [
    pytest.param(route, role, build, body, status, id=f"{route[0]} {route[1]} {role}")
    for route, (build, body, statuses) in TABLE.items()
    for role, status in zip(ROLES, statuses, strict=True)
]


@pytest.fixture
def site(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    with a_site(databases, "sqlite", tmp_path) as site:
        yield site


def headers_of(site: Site, role: str) -> dict[str, str]:
    if role == "anonymous":
        return {}
    text = {
        "own": lambda: site.token(OWN),
        "other": lambda: site.token(OTHER),
        "revoked": lambda: site.revoked(OWN),
        "broken": lambda: site.token(OWN)[:-1] + ("A" if site.token(OWN)[-1] != "A" else "B"),
    }[role]()
    return {"Authorization": f"Bearer {text}"}


def address(path: str) -> str:
    known = {"reference": AMELIE, "path": "style.css", "day": "2018-12-12", "session": OWN_SESSION}
    known["sha256"] = sha256(A_PDF).hexdigest()
    return path.format_map(known)


def stands(site: Site) -> list[Any]:
    """Return what an act of any route moves."""
    return [
        site.world.rows(f"SELECT {columns} ORDER BY id")
        for columns in ("version FROM participation", "* FROM transfer_session")
    ]


def test_table_has_every_route_of_the_application(site: Site) -> None:
    assert routes_of(site.app) == set(TABLE)


@pytest.mark.parametrize(("route", "role", "build", "body", "status"), CELLS)
def test_route_answers_each_role_as_the_table_says(
    databases: Databases,
    tmp_path: Path,
    route: tuple[str, str],
    role: str,
    build: Build,
    body: object,
    status: int,
) -> None:
    with a_site(databases, "sqlite", tmp_path, build) as site:
        site.now = worlds.TRANSFERRED_AT
        before = stands(site)
        Store(site.world.workshop.documents).put(A_PDF)
        given = {"content": body} if isinstance(body, bytes) else {"json": body}

        answer = site.client.request(route[0], address(route[1]), headers=headers_of(site, role), **given)

        assert answer.status_code == status
        assert (stands(site) != before) is (route[0] != "GET" and status < 300)


@pytest.mark.parametrize(("method", "path"), [route for route in TABLE if route[1].startswith(ONE)])
@pytest.mark.parametrize("reference", ["MINI-0004", "MINI-9999", "x", "%00", "%C3%A9%0A", "a" * 300])
def test_reference_of_another_and_one_that_is_none_get_the_very_same_answer(
    site: Site, method: str, path: str, reference: str
) -> None:
    """Céline's is FCC's; Désiré's has no handoff; the others are nobody's."""
    _, body, _ = TABLE[method, path]
    given = {"content": body} if isinstance(body, bytes) else {"json": body}
    path = path.replace("{sha256}", "0" * 64)
    theirs = site.call(method, path[7:].replace("{reference}", worlds.CELINE), **given)

    nobodys = site.call(method, path[7:].replace("{reference}", reference), **given)

    assert (nobodys.status_code, nobodys.content) == (theirs.status_code, theirs.content)
    assert theirs.json()["refused"]["code"] == "unknown_handoff"


@pytest.mark.parametrize(("method", "path"), [route for route in TABLE if route[1].startswith(SESSION)])
@pytest.mark.parametrize("session", ["FCC-MINI-01", "x", "%00", "%C3%A9%0A", "a" * 300])
def test_session_of_another_and_one_that_is_none_get_the_very_same_answer(
    databases: Databases, tmp_path: Path, method: str, path: str, session: str
) -> None:
    with a_site(databases, "sqlite", tmp_path, to_come) as site:
        body = TABLE[method, path][1]
        theirs = site.call(method, path[7:].format(session=OWN_SESSION), OTHER, json=body)

        nobodys = site.call(method, path[7:].format(session=session), OTHER, json=body)

        assert (nobodys.status_code, nobodys.content) == (theirs.status_code, theirs.content)
        assert (theirs.status_code, theirs.json()["refused"]["code"]) == (404, "unknown_session")


@pytest.mark.parametrize(("method", "path"), [route for route in TABLE if route[1].startswith(DAY)])
def test_day_of_another_and_one_without_anything_get_the_very_same_answer(
    databases: Databases, tmp_path: Path, method: str, path: str
) -> None:
    with a_site(databases, "sqlite", tmp_path, only_own) as site:
        body = TABLE[method, path][1]
        theirs, nobodys = (
            site.call(method, path[7:].format(day=day), json=body) for day in ("2018-12-11", "2018-12-10")
        )

        assert site.call(method, path[7:].format(day="2018-12-11"), OTHER, json=body).status_code == 200
        assert (nobodys.status_code, nobodys.content) == (theirs.status_code, theirs.content)
        assert (theirs.status_code, theirs.json()["refused"]["code"]) == (404, "unknown_batch")


def test_institutes_list_their_own_only(site: Site) -> None:
    assert site.listed(institute=OWN) == [(AMELIE, 1, "offered"), (worlds.BASILE, 1, "offered")]
    assert site.listed(institute=OTHER) == [(worlds.CELINE, 1, "offered")]


def test_token_that_is_missing_or_wrong_is_told_how_to_come_in(site: Site) -> None:
    answers = [site.client.get("/api/v1/handoffs", headers=headers_of(site, role)) for role in ROLES]

    assert [answer.headers.get("www-authenticate") for answer in answers] == [
        'Bearer realm="entrapprendre"' if answer.status_code == 401 else None for answer in answers
    ]
    codes = [answer.json().get("refused", {}).get("code") for answer in answers]
    assert codes == ["token_missing", None, None, "token_refused", "token_refused"]


@pytest.mark.parametrize("scheme", ["Basic", "bearer", "Token"])
def test_only_a_bearer_token_lets_in(site: Site, scheme: str) -> None:
    answer = site.client.get("/api/v1/handoffs", headers={"Authorization": f"{scheme} {site.token()}"})

    assert answer.status_code == (200 if scheme == "bearer" else 401)


# ------------------------------------------------------------------------------------------------- forms of other sites
EVIL = "https://evil.example"
CROSS: list[tuple[dict[str, str], int]] = [
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"}, 403),
    ({"Origin": EVIL}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://testserver.evil.example"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, 405),
    ({"Sec-Fetch-Site": "none"}, 405),
    ({"Origin": "http://testserver"}, 405),
    ({}, 405),  # no browser
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(("headers", "status"), CROSS, ids=str)
def test_form_of_another_site_is_refused(site: Site, method: str, headers: dict[str, str], status: int) -> None:
    assert site.client.request(method, "/", headers=headers).status_code == status


@pytest.mark.parametrize(("headers", "status"), CROSS, ids=str)
def test_whatever_another_site_reads_is_let_through(site: Site, headers: dict[str, str], status: int) -> None:
    assert site.client.get("/", headers=headers).status_code == 200


def test_site_reached_by_another_name_than_its_own_is_still_itself(databases: Databases, tmp_path: Path) -> None:
    with a_site(databases, "sqlite", tmp_path, public_url="https://entr.example") as site:
        origins = ["https://entr.example", "http://testserver", EVIL]

        assert [site.client.post("/", headers={"Origin": each}).status_code for each in origins] == [405, 405, 403]


def test_request_with_a_token_is_nobodys_session(site: Site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": EVIL}

    assert site.act("accept", headers=headers).status_code == 200


def test_refused_form_changes_nothing_and_is_told_in_french(site: Site) -> None:
    answer = site.client.post("/", headers={"Origin": EVIL})

    assert "vient d’un autre site" in answer.text
    assert site.client.post("/api/v1/x", headers={"Origin": EVIL}).json()["refused"]["code"] == "other_site"
