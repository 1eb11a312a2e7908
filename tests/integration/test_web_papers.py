"""Documents that an institute adds: kept once, told by their content, seen by nobody else, gone with the person."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from actions import erasure, papers
from actions.occasion import Occasion
from core.errors import ProductError
from documents.store import Store
from jobs import sweeping
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.soundness import assert_sound
from tests.support.web import OTHER, Site, a_site
from tests.support.worlds import AMELIE, BASILE, CELINE, TRANSFERRED_AT, World, a_world

PDF = b"%PDF-1.7 feuille de presence de Basile Tournemine"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)
MOST = 5_000_000
sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def site(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[Site]:
    with a_site(databases, database_kind, tmp_path, worlds.accepted) as site:
        site.now = worlds.ACCEPTED_AT + timedelta(hours=1)
        yield site


def add(site: Site, data: bytes = PDF, reference: str = BASILE, **asked: Any) -> Any:
    return site.call("POST", f"/handoffs/{reference}/documents", content=data, **asked)


def files(site: Site) -> list[bytes]:
    """Return every file below the store's folder, half-written ones too."""
    return sorted(path.read_bytes() for path in (site.world.folder / "documents").rglob("*") if path.is_file())


def test_document_is_kept_and_given_back_byte_for_byte(site: Site) -> None:
    added = add(site, headers={"Content-Type": "application/pdf"})
    told = added.json()
    fetched = site.client.get(told["links"]["self"], headers={"Authorization": f"Bearer {site.token()}"})

    assert (added.status_code, told) == (
        201,
        {
            "sha256": sha256(PDF).hexdigest(),
            "name": f"{BASILE}-1.pdf",
            "media_type": "application/pdf",
            "size": len(PDF),
            "added_at": "2018-12-14T11:00:00+01:00",
            "links": {"self": f"/api/v1/handoffs/{BASILE}/documents/{sha256(PDF).hexdigest()}"},
        },
    )
    assert fetched.content == PDF
    assert fetched.headers["content-type"] == "application/pdf"
    assert fetched.headers["content-disposition"] == f'attachment; filename="{BASILE}-1.pdf"'
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert site.call("GET", f"/handoffs/{BASILE}/documents").json() == {"items": [told]}
    (entry,) = site.world.rows("SELECT * FROM journal WHERE trigger = 'add_document'")
    assert entry.data == f'{{"document":"{sha256(PDF).hexdigest()}"}}'
    assert (entry.chain_id, entry.from_state, entry.to_state, entry.via) == (2, "immersed", "immersed", "token")
    assert_sound(site.world)


def test_same_document_is_kept_once_however_often_it_is_added(site: Site) -> None:
    first, again = add(site), add(site)
    elsewhere = add(site, reference=AMELIE)

    assert [each.status_code for each in (first, again, elsewhere)] == [201, 200, 201]
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert files(site) == [PDF]
    assert site.world.one("SELECT count(*) FROM document") == 2


@sqlite_only
@pytest.mark.parametrize(("data", "kind"), [(PDF, "application/pdf"), (PNG, "image/png"), (JPEG, "image/jpeg")])
def test_content_says_what_a_document_is(site: Site, data: bytes, kind: str) -> None:
    assert add(site, data, headers={"Content-Type": "text/html"}).json()["media_type"] == kind


@sqlite_only
@pytest.mark.parametrize("data", [b"", b"<html>", b"MZ", b"PK\x03\x04", b"<svg>", b" %PDF-1.7", b'{"a": 1}'], ids=str)
def test_anything_else_is_refused_and_not_kept(site: Site, data: bytes) -> None:
    answer = add(site, data, headers={"Content-Type": "application/pdf"})

    assert (answer.status_code, answer.json()["refused"]["code"]) == (415, "bad_document")
    assert files(site) == []


def chunks(size: int) -> Iterator[bytes]:
    """Yield a PDF of so many bytes, without saying its length beforehand."""
    yield b"%PDF-"
    for start in range(5, size, 1 << 16):
        yield bytes(min(1 << 16, size - start))


@sqlite_only
@pytest.mark.parametrize(("size", "status"), [(MOST, 201), (MOST + 1, 413)])
def test_document_may_have_five_megabytes_and_no_byte_more(site: Site, size: int, status: int) -> None:
    whole = site.call("POST", f"/handoffs/{BASILE}/documents", content=b"".join(chunks(size)))
    streamed = site.call("POST", f"/handoffs/{AMELIE}/documents", content=chunks(size))

    assert (whole.status_code, streamed.status_code) == (status, status)


@sqlite_only
@pytest.mark.parametrize(
    "path", [f"/handoffs/{BASILE}/note", f"/handoffs/{BASILE}/documents/x", "/handoffs/a/b/documents"]
)
def test_only_documents_may_be_that_long(site: Site, path: str) -> None:
    assert site.call("POST", path, content=bytes(1_000_001)).status_code == 413


@sqlite_only
def test_institute_adds_twenty_documents_at_most(site: Site) -> None:
    answers = [add(site, PDF + bytes([number])) for number in range(papers.MOST + 1)]

    assert [answer.status_code for answer in answers] == [201] * papers.MOST + [409]
    assert answers[-1].json()["refused"]["code"] == "too_many_documents"


def test_document_before_the_handoff_is_accepted_is_refused(databases: Databases, tmp_path: Path) -> None:
    with a_site(databases, "sqlite", tmp_path) as site:
        answer = add(site)

        refused = answer.json()["refused"]
        assert (answer.status_code, refused["code"], refused["state"]) == (409, "handoff_accepted", "offered")
        assert site.world.one("SELECT count(*) FROM document") == 0


@sqlite_only
def test_document_of_another_institute_is_not_there(site: Site) -> None:
    """FCC's own participation, and the same bytes: what Cecafoc has is still not FCC's."""
    add(site)
    path = f"/handoffs/{CELINE}/documents"

    theirs = site.call("GET", f"{path}/{sha256(PDF).hexdigest()}", OTHER)
    nobodys = site.call("GET", f"{path}/{'0' * 64}", OTHER)

    assert (theirs.status_code, theirs.json()["refused"]["code"]) == (404, "unknown_document")
    assert theirs.content == nobodys.content
    assert site.call("GET", path, OTHER).json() == {"items": []}


@sqlite_only
def test_next_institute_does_not_see_what_the_first_added(site: Site) -> None:
    add(site)
    site.world.change(
        "UPDATE handoff SET receiver_id = (SELECT id FROM organisation WHERE code = 'FCC') WHERE participation_id = 2"
    )

    assert site.call("GET", f"/handoffs/{BASILE}/documents", OTHER).json() == {"items": []}
    assert site.call("GET", f"/handoffs/{BASILE}/documents").status_code == 404


@sqlite_only
@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_document_that_is_damaged_is_never_given_out(site: Site, damage: str) -> None:
    path = add(site).json()["links"]["self"].removeprefix("/api/v1")
    (file,) = [each for each in (site.world.folder / "documents").rglob("*") if each.is_file()]
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(PDF + b"!")

    assert site.call("GET", path).status_code == 503


# ------------------------------------------------------------------------------------------------------------ the store
def test_name_that_is_no_hash_reaches_no_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")

    for name in ("", "..", "../secret", "0" * 63, "0" * 65, "é" * 64):
        with pytest.raises(ProductError, match="document_lost"):
            Store(tmp_path / "documents").get(name)


def test_interrupted_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        Store(tmp_path).put(PDF)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert list(Store(tmp_path).kept()) == []


# ------------------------------------------------------------------------------------------------- erasing and sweeping
def gone(world: World) -> None:
    """Basile's documents, one of which Amélie has too; then he withdrew."""
    worlds.accepted(world)
    for reference, data in ((BASILE, PDF), (BASILE, PNG), (AMELIE, PNG)):
        with world.engine.begin() as connection:
            who = worlds.own(connection, Role.INSTITUTE, reference)
            paper = papers.Paper(sha256(data).hexdigest(), "application/pdf", len(data))
            papers.add(connection, reference, paper, who, Occasion(worlds.ACCEPTED_AT, worlds.ACCEPTED_AT))
    world.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, TRANSFERRED_AT)


def erase(world: World) -> None:
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, BASILE)
        erasure.erase(connection, "basile@saint-exemple.example", ifc, Occasion(TRANSFERRED_AT, TRANSFERRED_AT))


def swept_now(world: World) -> int:
    """Sweep on a new day, and say how many files went; within the day, nobody sweeps again."""
    world.change("DELETE FROM lease")
    gone = sweeping.run(world.workshop, TRANSFERRED_AT).handled
    assert sweeping.run(world.workshop, TRANSFERRED_AT).handled == 0
    with world.engine.begin() as connection:
        assert not sweeping.has_work(connection, world.wall())
        assert sweeping.has_work(connection, world.wall() + timedelta(days=1, seconds=1))
    return gone


def test_documents_of_an_erased_person_go_unless_somebody_else_has_them(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, gone) as world:
        store = Store(world.workshop.documents)
        for data in (PDF, PNG):
            store.put(data)
        world.wall.now = datetime.now(UTC) + timedelta(hours=2)

        kept = swept_now(world)  # control: while they are named, nothing goes
        erase(world)
        swept = swept_now(world)

        assert (kept, swept) == (0, 1)
        assert [sha for sha, _ in store.kept()] == [sha256(PNG).hexdigest()]
        assert [row.participation_id for row in world.rows("SELECT participation_id FROM document")] == [1]
        assert_sound(world)


def test_file_that_is_about_to_be_named_is_not_swept(databases: Databases, tmp_path: Path) -> None:
    with a_world(databases, "sqlite", tmp_path, worlds.accepted) as world:
        store = Store(world.workshop.documents)
        name = store.put(PDF)
        world.wall.now = datetime.now(UTC) + timedelta(minutes=59)
        young = swept_now(world)
        os.utime(world.workshop.documents / name[:2] / name[2:], (0, 0))
        store.put(PDF)  # put again: young again
        again = swept_now(world)
        os.utime(world.workshop.documents / name[:2] / name[2:], (0, 0))

        assert (young, again, swept_now(world)) == (0, 0, 1)


def test_nothing_is_added_to_an_erased_person(databases: Databases, tmp_path: Path) -> None:
    """Evaluated, hence the institute is still in charge of a completed handoff."""
    with a_site(databases, "sqlite", tmp_path, worlds.evaluated) as site:
        site.now = worlds.EVALUATED_AT + timedelta(hours=2)
        with site.world.engine.begin() as connection:
            ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
            occasion = Occasion(site.now, site.now)
            erasure.erase(connection, "amelie@saint-exemple.example", ifc, occasion)

        answers = [add(site, reference=AMELIE), site.act("note", json={"text": "Amélie Quenouille."})]

        assert [answer.json()["refused"]["code"] for answer in answers] == ["erased", "erased"]
