"""The edition of the demo, played twice by plain jobs with one seed: the same rows, the same mails, byte for byte."""

from collections.abc import Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from jobs import seals
from states.names import State
from tests.support import worlds
from tests.support.rows import differences, dump
from tests.support.soundness import assert_sound, replayed, standing
from tests.support.worlds import World
from wiring.database import migrate

# One process plays the edition, once for all tests here.
pytestmark = pytest.mark.xdist_group("simulation")

WITHOUT = (
    "message.leased_until",  # a moment of the machine's clock; empty at the end, like the next two
    "message.leased_by",
    "message.not_before",
    "journal.flow_run_id",  # empty here: only the demo's flows have one
)


def played(folder: Path, seed: int | None = None) -> World:
    url = f"sqlite:///{folder / 'entrapprendre.db'}"
    migrate(url)
    world = World(worlds.quick_engine(url), folder)
    worlds.play(world, "2018-2019", seed)
    return world


@pytest.fixture(scope="module")
def edition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give the edition 2018-2019, played to its end."""
    world = played(tmp_path_factory.mktemp("first"))
    yield world
    world.engine.dispose()


def test_edition_played_again_with_the_same_seed_has_the_same_rows_and_mails(edition: World, tmp_path: Path) -> None:
    again = played(tmp_path)

    assert differences(dump(edition.engine, WITHOUT), dump(again.engine, WITHOUT)) == {}
    assert again.mails() == edition.mails()
    assert (tmp_path / "seals" / seals.FILE).read_text() == (edition.folder / "seals" / seals.FILE).read_text()
    again.engine.dispose()


def test_states_of_the_edition_add_up_with_most_evaluated(edition: World) -> None:
    states = {row[0]: row[1] for row in edition.rows("SELECT state, count(*) FROM participation GROUP BY state")}

    assert sum(states.values()) == 92
    assert states[State.EVALUATED] >= 60
    assert set(states) & {State.REGISTERED, State.DIRECTOR_APPROVED, State.PREPARED, State.IMMERSED} == set()


def test_everybody_transferred_has_exactly_one_completed_handoff(edition: World) -> None:
    completed = edition.rows(
        "SELECT p.id, count(h.id) FROM participation p LEFT JOIN handoff h ON h.participation_id = p.id"
        " AND h.purpose = 'transfer' AND h.status = 'completed'"
        " WHERE p.state IN ('transferred', 'evaluated') GROUP BY p.id"
    )

    assert len(completed) >= 60
    assert {number for _, number in completed} == {1}


def test_no_message_left_twice(edition: World) -> None:
    counts = edition.rows("SELECT status, count(*) FROM message GROUP BY status")
    accepted = {row[0]: row[1] for row in counts}["accepted"]
    headers = [
        BytesParser(policy=policy.default).parsebytes(mail, headersonly=True) for mail in edition.mails().values()
    ]

    assert len(headers) == len({header["Message-ID"] for header in headers}) == accepted
    assert edition.one("SELECT count(*) FROM notification WHERE message_id IS NULL") == 0
    assert edition.one("SELECT count(*) - count(DISTINCT key) FROM notification") == 0


def test_nobody_is_told_the_same_twice_about_the_same_entry(edition: World) -> None:
    told = edition.rows(
        "SELECT participation_id, kind, rule, seq, party_id, organisation_id, count(*) FROM notification"
        " WHERE seq IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6 HAVING count(*) > 1"
    )

    assert told == []


def test_edition_is_sound_to_its_end(edition: World) -> None:
    assert_sound(edition)
    assert replayed(edition) == standing(edition)
    with edition.engine.begin() as connection:
        assert seals.check(connection, edition.folder / "seals" / seals.FILE, edition.workshop.seal_key) is None
    assert edition.rows("SELECT * FROM set_aside") == []


def test_comparison_sees_one_byte_of_a_mail_and_one_row(edition: World) -> None:
    """Control: what the first test compares does differ when anything does."""
    mails, rows = edition.mails(), dump(edition.engine, WITHOUT)
    name, phone = next(iter(mails)), edition.one("SELECT phone FROM party WHERE id = 1")
    (edition.folder / "mail" / name).write_bytes(mails[name] + b" ")
    edition.change("UPDATE party SET phone = '1' WHERE id = 1")

    assert edition.mails() != mails
    assert sorted(differences(rows, dump(edition.engine, WITHOUT))) == ["party"]

    (edition.folder / "mail" / name).write_bytes(mails[name])
    edition.change(f"UPDATE party SET phone = '{phone}' WHERE id = 1")
    assert edition.mails() == mails
    assert differences(rows, dump(edition.engine, WITHOUT)) == {}
