"""Erasing a person: nothing says any more who it was, and the journal still proves what was done."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from actions import erasure, journal
from actions.imports import FileKind
from actions.occasion import Occasion
from core.errors import NotFound, Refused
from jobs import seals
from states.names import Role, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import differences, dump, words_in
from tests.support.worlds import AMELIE, BASILE, EVALUATED_AT, World, a_world

EMAIL = "basile@saint-exemple.example"
REASON = "Je soigne ma mère à Durbuy"
WORDS = ("Basile", "Tournemine", EMAIL, "Durbuy", "Soudage", "04 75")
LATER = EVALUATED_AT + timedelta(days=2)


def gone(world: World) -> None:
    """Basile went through to the transfer, then withdrew; all was said and sealed. The others are under way."""
    worlds.transferred(world)
    world.change("UPDATE party SET phone = '04 75 00 00 00' WHERE email = :e", e=EMAIL)
    world.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, EVALUATED_AT, reason=f"{REASON}. Basile Tournemine")
    world.tick(EVALUATED_AT + timedelta(hours=1))


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    with a_world(databases, database_kind, tmp_path, gone) as world:
        yield world


def erase(world: World, email: str = EMAIL, role: Role = Role.COORDINATOR, reference: str = BASILE) -> int:
    with world.engine.begin() as connection:
        return erasure.erase(connection, email, worlds.own(connection, role, reference), Occasion(LATER, LATER))


def holds(world: World, file: Path) -> bool:
    with world.engine.begin() as connection:
        return journal.verify(connection)[1] is None and seals.check(connection, file, b"a key of the tests") is None


def kept(world: World) -> Path:
    """Return the seals as somebody keeps them; the template's file is not copied with its database."""
    path = world.folder / "kept.jsonl"
    path.write_text("".join(f"{row.line}\n" for row in world.rows("SELECT line FROM seal ORDER BY number")))
    return path


def test_nothing_in_the_database_says_who_it_was(world: World) -> None:
    assert {place.partition(".")[0] for place in words_in(world.engine, WORDS)} >= {
        "party", "contact", "journal_text", "message_text", "participation"
    }  # fmt: skip  # control: before, it stands in many places

    assert erase(world) == 1

    assert words_in(world.engine, WORDS) == []


def test_journal_and_kept_seals_still_hold(world: World) -> None:
    before = kept(world)

    erase(world)

    assert holds(world, before)
    (entry,) = world.rows("SELECT * FROM journal WHERE trigger = 'erase'")
    assert (entry.chain_id, entry.role, entry.from_state, entry.to_state) == (
        2,
        "coordinator",
        "withdrawn",
        "withdrawn",
    )


def test_text_emptied_without_the_erasures_entry_does_not_hold(world: World) -> None:
    """Control: it is the entry that makes an emptied text right."""
    world.change("UPDATE journal_text SET text = '', salt = '' WHERE chain_id = 2")

    assert not holds(world, kept(world))


def test_erasure_leaves_everybody_else_as_they_were(world: World) -> None:
    before = dump(world.engine)

    erase(world)

    changed = differences(before, dump(world.engine))
    tables = ["contact", "journal", "journal_text", "message_text", "packet", "participation", "party"]
    assert sorted(changed) == tables
    assert [(row["participation_id"], row["content"]) for row in changed["packet"][1]] == [(2, "")]
    assert [row["id"] for row in changed["participation"][1]] == [2]
    assert [row["email"] for row in changed["party"][0]] == [EMAIL]
    assert words_in(world.engine, ["Quenouille"]) != []


def test_erased_person_stays_unnamed_whatever_comes_later(world: World) -> None:
    erase(world)
    mails = len(world.mails())

    world.tick(LATER)
    world.tick(worlds.moment("2019-07-01 08:00"))

    assert words_in(world.engine, WORDS) == []
    assert [name for name, mail in list(world.mails().items())[mails:] if b"Tournemine" in mail] == []
    assert holds(world, kept(world))


@pytest.mark.parametrize("email", [EMAIL, f"  {EMAIL.upper()} "])
def test_message_not_yet_sent_names_nobody_afterwards(
    databases: Databases, database_kind: Kind, tmp_path: Path, email: str
) -> None:
    """Erased between an act and the delivery of what it tells."""
    with a_world(databases, database_kind, tmp_path, worlds.transferred) as world:
        world.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, EVALUATED_AT, reason=REASON)
        erase(world, email)

        world.tick(LATER)

        assert words_in(world.engine, WORDS) == []
        assert [mail for mail in world.mails().values() if b"Tournemine" in mail or b"Durbuy" in mail] == []


# ------------------------------------------------------------------------------------------------------------- refusals
def test_person_still_under_way_is_refused_and_nothing_changes(world: World) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        erase(world, "celine@athenee.example")

    assert (refused.value.code, refused.value.params["reference"]) == ("still_open", worlds.CELINE)
    assert dump(world.engine) == before


@pytest.mark.parametrize(
    "role", [Role.TEACHER, Role.DIRECTOR, Role.COMPANY, Role.INSTITUTE, Role.COMMITTEE, Role.SYSTEM]
)
def test_other_role_is_refused_and_nothing_changes(world: World, role: Role) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as refused:
        erase(world, role=role)

    assert refused.value.code == "wrong_role"
    assert dump(world.engine) == before


def test_unknown_person_is_not_found(world: World) -> None:
    with pytest.raises(NotFound, match="unknown_person"):
        erase(world, "nobody@saint-exemple.example")


def test_person_is_erased_once(world: World) -> None:
    erase(world)

    with pytest.raises(NotFound, match="unknown_person"):
        erase(world)


def test_address_of_an_erased_person_is_free_for_somebody_else(world: World) -> None:
    """School mailboxes are handed on: the next owner is another person."""
    erase(world)
    rows = worlds.PEOPLE.splitlines(keepends=True)
    again = rows[2].replace("Tournemine;Basile", "Xhonneux;Yolande")

    worlds.take_in(world, FileKind.REGISTRATIONS, rows[0] + again, LATER)

    assert world.one("SELECT count(*) FROM participation") == 5
    assert world.state(AMELIE) == "transferred"
