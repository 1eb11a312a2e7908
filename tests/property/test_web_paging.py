"""Whoever follows the pages to the end sees each round once, whatever becomes of rounds between two pages."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, update

import web.api.handoffs
from actions import receiving
from actions.receiving import HANDOFF, Page, Wanted
from tests.support.databases import Databases, Kind
from tests.support.web import AT, Site, a_site
from tests.support.worlds import AMELIE, SIZE

STATUSES = st.sampled_from(["declined", "timed_out", "closed"])  # any number of rounds may have ended
FILTERS = st.sampled_from(["", "&status=declined", "&status=declined&status=closed", "&purpose=transfer"])
EXAMPLES = settings(max_examples=25 * SIZE, suppress_health_check=list(HealthCheck))


def fill(site: Site, statuses: list[str]) -> None:
    """Have Amélie's relay go so many rounds, one a minute, all with Cecafoc."""
    receiver = site.world.one("SELECT id FROM organisation WHERE code = 'CECAFOC'")
    with site.world.workshop.transaction() as connection:
        connection.execute(delete(HANDOFF))
        for number, status in enumerate(statuses, start=1):
            moment = AT + timedelta(minutes=number)
            row = {"participation_id": 1, "edition_id": 1, "purpose": "transfer", "sender_id": 1, "because": ""}
            moments = {"since": moment, "changed_at": moment}
            connection.execute(
                insert(HANDOFF).values(**row, **moments, receiver_id=receiver, round=number, status=status)
            )


def happen(site: Site, changes: list[tuple[int, str]], minute: int) -> None:
    """Change some rounds, as acts would; each is written down later than all before."""
    with site.world.workshop.transaction() as connection:
        for number, status in changes:
            moment = AT + timedelta(hours=1, minutes=minute)
            change = update(HANDOFF).where(HANDOFF.c.round == number)
            connection.execute(change.values(status=status, since=moment, changed_at=moment))


def follow(site: Site, query: str, meanwhile: list[list[tuple[int, str]]]) -> list[int]:
    """Follow the pages to the end, while things happen between them; return the rounds shown."""
    shown: list[int] = []
    cursor, left = "", iter(enumerate(meanwhile))
    while True:
        page = site.call("GET", f"/handoffs?{query}{cursor}").json()
        assert {each["reference"] for each in page["items"]} <= {AMELIE}
        shown += [each["round"] for each in page["items"]]
        if page["next_cursor"] is None:
            return shown
        cursor = f"&cursor={page['next_cursor']}"
        minute, changes = next(left, (0, []))
        happen(site, changes, minute)


def matching(site: Site, query: str) -> set[int]:
    return set(follow(site, f"limit=200&{query}", []))


CHANGES = st.lists(st.lists(st.tuples(st.integers(1, 12), STATUSES), max_size=4), max_size=6)


@pytest.mark.parametrize("database_kind", ["sqlite", "postgresql"])
def test_pages_lose_nothing_and_double_nothing(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_site(databases, database_kind, tmp_path) as site:

        @EXAMPLES
        @given(
            statuses=st.lists(STATUSES, min_size=1, max_size=12),
            limit=st.integers(1, 5),
            filters=FILTERS,
            since=st.sampled_from(["", "&changed_since=2018-12-13T08:06:00Z"]),
            meanwhile=CHANGES,
        )
        def check(
            statuses: list[str], limit: int, filters: str, since: str, meanwhile: list[list[tuple[int, str]]]
        ) -> None:
            fill(site, statuses)
            before = matching(site, filters + since)

            shown = follow(site, f"limit={limit}{filters}{since}", meanwhile)

            assert sorted(set(shown)) == shown  # none twice, and in order
            if "status" not in filters:
                assert before <= set(shown)
            else:  # what matched all the time; a round that moved may have moved away
                moved = {number for changes in meanwhile for number, _ in changes}
                assert before - moved <= set(shown)
                assert set(shown) <= before | moved

        check()


def by_change(connection: Connection, organisation_id: int, wanted: Wanted) -> Page:
    """List in the order that suggests itself: by when a round changed."""
    later = HANDOFF.c.changed_at > datetime.fromtimestamp(wanted.after, UTC)
    query = receiving._ROUNDS.where(HANDOFF.c.receiver_id == organisation_id, later).order_by(HANDOFF.c.changed_at)
    rows = connection.execute(query.limit(wanted.limit + 1)).all()
    page = rows[: wanted.limit]
    last = int(page[-1].changed_at.timestamp()) if len(rows) > wanted.limit else None
    return Page(receiving.documents(connection, page), last)


@pytest.mark.parametrize(("order", "shown"), [(receiving.listing, [1, 2, 3]), (by_change, [1, 2, 3, 1])])
def test_control_pages_by_change_show_a_round_twice(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: object, shown: list[int]
) -> None:
    monkeypatch.setattr(web.api.handoffs, "listing", order)
    with a_site(databases, "sqlite", tmp_path) as site:
        fill(site, ["declined"] * 3)

        assert follow(site, "limit=1", [[(1, "closed")]]) == shown
