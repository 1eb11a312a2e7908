"""Every route and every role: a new route without a row here fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import worlds
from tests.support.databases import Databases
from tests.support.web import OTHER, OWN, Site, a_site, routes_of
from tests.support.worlds import AMELIE, Build

ROLES = ("anonymous", "own", "other", "revoked", "broken")
OPEN = (200, 200, 200, 200, 200)
ONE = "/api/v1/handoffs/{reference}"
DECLINE = {"cause": "no_session"}

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
    return path.replace("{reference}", AMELIE).replace("{path}", "style.css")


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
        before = site.world.rows("SELECT version FROM participation ORDER BY id")

        answer = site.client.request(route[0], address(route[1]), headers=headers_of(site, role), json=body)

        assert answer.status_code == status
        acted = route[0] == "POST" and status == 200
        assert (site.world.rows("SELECT version FROM participation ORDER BY id") != before) is acted


@pytest.mark.parametrize(("method", "path"), [route for route in TABLE if route[1].startswith(ONE)])
@pytest.mark.parametrize("reference", ["MINI-0004", "MINI-9999", "x", "%00", "%C3%A9%0A", "a" * 300])
def test_reference_of_another_and_one_that_is_none_get_the_very_same_answer(
    site: Site, method: str, path: str, reference: str
) -> None:
    """Céline's is FCC's; Désiré's has no handoff; the others are nobody's."""
    body = DECLINE if path.endswith("decline") else None
    theirs = site.call(method, path[7:].replace("{reference}", worlds.CELINE), json=body)

    nobodys = site.call(method, path[7:].replace("{reference}", reference), json=body)

    assert (nobodys.status_code, nobodys.content) == (theirs.status_code, theirs.content)
    assert theirs.json()["refused"]["code"] == "unknown_handoff"


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
