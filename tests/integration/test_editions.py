"""Loading an edition: created, unchanged, revised, refused while deadlines run; organisations are kept up to date."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, update

from actions import editions, journal, people
from actions.occasion import Occasion, system
from actions.reading import rules_for
from actions.registration import Registration, register
from core.errors import InvalidFile, NotFound, Refused
from models import metadata
from states.edition import EditionFile, content_hash, read_edition
from states.names import Anchor, DeadlineStatus, OrganisationKind, Role
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.worlds import a_world

ROOT = Path(__file__).parents[2]
AT = datetime(2018, 9, 3, 6, tzinfo=UTC)
NOW = Occasion(AT, AT)
CLI = system("cli")
SHIPPED = {path.stem: path.read_bytes() for path in (ROOT / "editions").glob("*.toml")}

Changed = Callable[[dict[str, Any]], None]


on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
"""For what does not depend on the engine."""


def file(code: str = "2018-2019", change: Changed = lambda _: None) -> EditionFile:
    """A shipped edition with one thing changed in it."""
    content = read_edition(SHIPPED[code], code).model_dump(mode="json")
    change(content)
    return EditionFile.model_validate(content)


def load(engine: Engine, edition: EditionFile) -> editions.Loaded:
    with engine.begin() as connection:
        return editions.load(connection, edition, CLI, NOW)


def count(connection: Connection, name: str) -> int:
    return int(connection.execute(select(func.count()).select_from(metadata.tables[name])).scalar_one())


def everything(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {name: count(connection, name) for name in metadata.tables}


def later(content: dict[str, Any]) -> None:
    content["closes"] = "2019-06-30"


def registered(engine: Engine) -> None:
    """Somebody without a school registers: the edition's deadlines run from then on."""
    person = people.Person("ines.dardenne@inspection.example", "Inès", "Dardenne")
    registration = Registration(person, "inspecteur", None, None, None, "", "", ())
    with engine.begin() as connection:
        assert register(connection, editions.current(connection), registration, CLI, NOW) is not None


# -------------------------------------------------------------------------------------------------------------- loading
def test_new_edition_is_created_with_its_first_revision(engine: Engine) -> None:
    edition = file()

    loaded = load(engine, edition)

    assert loaded == editions.Loaded("2018-2019", "created", 1)
    with engine.connect() as connection:
        now = editions.current(connection)
        revision = connection.execute(select(metadata.tables["edition_revision"])).mappings().one()
    assert (now.code, now.title, now.content) == ("2018-2019", edition.title, edition.canonical())
    assert (revision["number"], revision["hash"], revision["loaded_at"], revision["loaded_by"]) == (
        1,
        content_hash(edition.canonical()),
        AT,
        None,
    )


def test_same_edition_again_is_unchanged_and_writes_nothing(engine: Engine) -> None:
    load(engine, file())
    before = everything(engine)

    loaded = load(engine, file())

    assert (loaded, everything(engine)) == (editions.Loaded("2018-2019", "unchanged", 1), before)


def test_changed_edition_is_revised_and_says_what_changed(engine: Engine) -> None:
    load(engine, file())

    loaded = load(engine, file(change=later))

    assert loaded == editions.Loaded("2018-2019", "revised", 2, ("closes: 2019-06-28 -> 2019-06-30",))
    with engine.connect() as connection:
        contents = connection.execute(
            select(metadata.tables["edition_revision"].c.content).order_by(metadata.tables["edition_revision"].c.number)
        ).scalars()
        assert list(contents) == [file().canonical(), file(change=later).canonical()]  # the first stays as it was


@on_sqlite
def test_change_taken_back_is_a_revision_of_its_own(engine: Engine) -> None:
    for edition in (file(), file(change=later)):
        load(engine, edition)

    assert load(engine, file()).number == 3


@on_sqlite
def test_title_of_the_edition_follows_its_file(engine: Engine) -> None:
    load(engine, file())

    def renamed(content: dict[str, Any]) -> None:
        content["title"] = "Entr'apprendre, cinquième édition"

    load(engine, file(change=renamed))

    with engine.connect() as connection:
        assert editions.current(connection).title == "Entr'apprendre, cinquième édition"


# -------------------------------------------------------------------------------------------------------- while it runs
@pytest.mark.parametrize("status", [DeadlineStatus.OPEN, DeadlineStatus.WAITING])
def test_changed_edition_is_refused_while_its_deadlines_run(engine: Engine, status: DeadlineStatus) -> None:
    load(engine, file())
    registered(engine)
    deadline = metadata.tables["deadline"]
    with engine.begin() as connection:
        dated = deadline.c.due_at.is_not(None)  # a step that waits for a day cannot be open
        connection.execute(update(deadline).where(dated).values(status=status.value))
    before = everything(engine)

    with pytest.raises(Refused) as caught:
        load(engine, file(change=later))

    assert caught.value.code == "edition_running"
    assert caught.value.params["changes"] == ("closes: 2019-06-28 -> 2019-06-30",)
    assert caught.value.params["count"] == before["deadline"]
    assert everything(engine) == before


@on_sqlite
def test_unchanged_edition_is_loaded_again_while_its_deadlines_run(engine: Engine) -> None:
    load(engine, file())
    registered(engine)

    assert load(engine, file()).outcome == "unchanged"


@on_sqlite
def test_changed_edition_is_revised_once_no_deadline_runs_any_more(engine: Engine) -> None:
    load(engine, file())
    registered(engine)
    with engine.begin() as connection:
        connection.execute(update(metadata.tables["deadline"]).values(status="closed"))

    assert load(engine, file(change=later)).outcome == "revised"


@on_sqlite
def test_another_edition_is_loaded_while_one_runs(engine: Engine) -> None:
    load(engine, file())
    registered(engine)

    assert load(engine, file("2015-2016")).outcome == "created"


@on_sqlite
def test_participation_keeps_the_rules_it_began_with(engine: Engine) -> None:
    load(engine, file())
    registered(engine)
    with engine.begin() as connection:
        connection.execute(update(metadata.tables["deadline"]).values(status="closed"))
    load(engine, file(change=later))

    with engine.connect() as connection:
        revision_id = connection.execute(select(metadata.tables["participation"].c.revision_id)).scalar_one()
        closings = [
            str(rules_for(connection, revision).anchors[Anchor.CLOSING])
            for revision in (revision_id, editions.current(connection).revision_id)
        ]

    assert closings == ["2019-06-28", "2019-06-30"]


# --------------------------------------------------------------------------------------------------- finding an edition
@on_sqlite
def test_current_edition_is_the_one_loaded_last(engine: Engine) -> None:
    for edition in (file(), file("2015-2016"), file(change=later)):
        load(engine, edition)

    with engine.connect() as connection:
        found = [editions.current(connection, code).code for code in (None, "2015-2016", "2018-2019")]

    assert found == ["2018-2019", "2015-2016", "2018-2019"]


@on_sqlite
def test_unknown_edition_is_not_found_and_says_which_there_are(engine: Engine) -> None:
    for code in SHIPPED:
        load(engine, file(code))

    with engine.connect() as connection, pytest.raises(NotFound) as caught:
        editions.current(connection, "2017-2018")

    assert (caught.value.code, dict(caught.value.params)) == (
        "unknown_edition",
        {"value": "2017-2018", "allowed": ["2015-2016", "2018-2019"]},
    )


@on_sqlite
@pytest.mark.parametrize("code", [None, "2018-2019"])
def test_edition_is_not_found_in_an_empty_database(engine: Engine, code: str | None) -> None:
    with engine.connect() as connection, pytest.raises(NotFound) as caught:
        editions.current(connection, code)

    assert caught.value.code == "no_edition"


# ------------------------------------------------------------------------------------------- organisations and contacts
def contacts(engine: Engine, code: str) -> list[tuple[str, str, int]]:
    """Address, role and rank of those who answer for an organisation, in the order in which they are asked."""
    contact, organisation = metadata.tables["contact"], metadata.tables["organisation"]
    with engine.connect() as connection:
        rows = connection.execute(
            select(contact.c.address, contact.c.role, contact.c.rank)
            .join(organisation, organisation.c.id == contact.c.organisation_id)
            .where(organisation.c.code == code, contact.c.status == "ok")
            .order_by(contact.c.rank, contact.c.id)
        )
        return [(row.address, row.role, row.rank) for row in rows]


def test_organisations_of_the_file_are_there_with_their_contacts_in_order(engine: Engine) -> None:
    load(engine, file())

    organisation = metadata.tables["organisation"]
    with engine.connect() as connection:
        rows = connection.execute(select(organisation.c.kind, organisation.c.code).order_by(organisation.c.id))
        assert [tuple(row) for row in rows] == [
            ("ifc", "IFC"),
            ("committee", "COMITE"),
            ("institute", "CECAFOC"),
            ("institute", "FCC"),
        ]
    assert contacts(engine, "CECAFOC") == [
        ("anne-marie.streel@cecafoc.example", "institute", 1),
        ("giovanni.pellegrini@cecafoc.example", "institute", 2),
    ]


@on_sqlite
def test_contact_of_the_file_may_act_in_that_role_and_no_other(engine: Engine) -> None:
    load(engine, file())

    with engine.connect() as connection:
        actor = people.actor(connection, Role.INSTITUTE, " Anne-Marie.Streel@CECAFOC.example", "cli")
        cecafoc = people.organisation_id(connection, OrganisationKind.INSTITUTE, "cecafoc")
        with pytest.raises(NotFound) as caught:
            people.actor(connection, Role.COORDINATOR, "anne-marie.streel@cecafoc.example", "cli")

    assert (actor.role, actor.organisations, actor.via) == (Role.INSTITUTE, frozenset({cecafoc}), "cli")
    assert caught.value.code == "unknown_actor"


@on_sqlite
def test_contacts_asked_in_another_order_take_their_new_ranks(engine: Engine) -> None:
    load(engine, file())

    def swapped(content: dict[str, Any]) -> None:
        content["institutes"][0]["contacts"].reverse()

    load(engine, file(change=swapped))

    assert [address.split("@")[0] for address, _, _ in contacts(engine, "CECAFOC")] == [
        "giovanni.pellegrini",
        "anne-marie.streel",
    ]


@on_sqlite
def test_new_contact_is_added_and_one_who_left_no_longer_answers(engine: Engine) -> None:
    load(engine, file())

    def replaced(content: dict[str, Any]) -> None:
        content["institutes"][0]["contacts"][0] |= {"first_name": "Zoé", "email": "zoe.streel@cecafoc.example"}

    load(engine, file(change=replaced))

    assert contacts(engine, "CECAFOC") == [
        ("zoe.streel@cecafoc.example", "institute", 1),
        ("giovanni.pellegrini@cecafoc.example", "institute", 2),
    ]
    with engine.connect() as connection, pytest.raises(NotFound):
        people.actor(connection, Role.INSTITUTE, "anne-marie.streel@cecafoc.example", "cli")


@on_sqlite
def test_institute_under_a_new_name_is_called_by_it(engine: Engine) -> None:
    load(engine, file())

    def renamed(content: dict[str, Any]) -> None:
        content["institutes"][1]["name"] = "Formation continue commune"

    load(engine, file(change=renamed))

    organisation = metadata.tables["organisation"]
    with engine.connect() as connection:
        names = connection.execute(select(organisation.c.name).where(organisation.c.code == "FCC")).scalars().all()
    assert names == ["Formation continue commune"]


@on_sqlite
def test_second_edition_with_the_same_organisations_adds_none(engine: Engine) -> None:
    load(engine, file())
    before = everything(engine)

    load(engine, file("2015-2016"))

    after = everything(engine)
    assert {name for name in after if after[name] != before[name]} == {"edition", "edition_revision", "journal"}


# -------------------------------------------------------------------------------------------------------------- journal
def test_each_revision_stands_in_the_edition_s_own_chain(engine: Engine) -> None:
    for edition in (file(), file(), file(change=later)):
        load(engine, edition)

    entries = metadata.tables["journal"]
    with engine.connect() as connection:
        rows = connection.execute(select(entries).order_by(entries.c.seq)).mappings().all()
        checked, broken = journal.verify(connection)
    hashes = [content_hash(file(change=change).canonical())[:12] for change in (lambda _: None, later)]
    assert [(row["chain"], row["seq"], row["trigger"], row["to_state"]) for row in rows] == [
        ("edition", 1, "load", hashes[0]),
        ("edition", 2, "load", hashes[1]),
    ]
    assert (checked, broken) == (2, None)


def test_refused_load_leaves_the_caller_s_transaction_usable(engine: Engine) -> None:
    load(engine, file())
    registered(engine)

    with engine.begin() as connection:
        with pytest.raises(Refused):
            editions.load(connection, file(change=later), CLI, NOW)
        connection.execute(insert(metadata.tables["lease"]).values(name="x", holder="h", until=AT))

    assert everything(engine)["lease"] == 1


def test_message_that_would_never_leave_is_refused(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    """`transfer_reminder` on a registration: it would be called off each time, and nobody would be reminded."""
    text = worlds.EDITION.replace('message = "approval_reminder"', 'message = "transfer_reminder"', 1)
    with a_world(databases, database_kind, tmp_path, lambda _: None) as world:
        with pytest.raises(InvalidFile) as refused:
            worlds.load(world, read_edition(text.encode(), "mini.toml"))

        (problem,) = refused.value.problems
        column = "deadlines.participation.registered.approval.steps[0].message"
        assert (problem.code, problem.column) == ("edition_idle_message", column)
        assert "approval_reminder" in str(problem.params["allowed"])
        assert world.one("SELECT count(*) FROM edition") == 0
