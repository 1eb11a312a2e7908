"""`desk`: what waits for a person, as a user types it."""

import pytest

from tests.functional.conftest import COORDINATOR, DIRECTOR, EVA, JO, ZOE, Call

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
BY = ("--by", COORDINATOR)
AT = ("--at", "2018-10-10T10:00")


@pytest.fixture
def alerted(loaded: str, done: Call) -> str:
    """Give a database in which nobody approved anything until IFC was alerted."""
    done("tick", "--no-prefect", "--at", "2018-10-09T09:00")
    return loaded


def test_item_is_listed_taken_postponed_and_done(alerted: str, done: Call) -> None:
    """The whole story, and what `show` and `status` say of it."""
    listed = done("desk", *AT, "--json").json
    items = {each["reference"]: each["item"] for each in listed["items"]}
    taken = done("desk", "take", items[ZOE], *BY, *AT, "--json").json
    again = done("desk", "take", items[JO], *BY, *AT, "--key", "k").out
    repeated = done("desk", "take", items[JO], *BY, *AT, "--key", "k").out
    postponed = done("desk", "postpone", items[JO], "--until", "2018-10-15", *BY, *AT).out
    closed = done("desk", "done", items[EVA], "--note", "Elle vient demain.", *BY, *AT).out
    table = done("desk", "--all", *AT).out
    told = done("show", ZOE, *AT, "--json").json["desk"]
    status = done("status", *AT, "--json").json["desk"]
    done("act", ZOE, "approve", "--by", DIRECTOR, "--at", "2018-10-11")
    left = done("desk", "--role", "coordinator", "--at", "2018-10-16", "--json").json

    assert (listed["at"], set(items)) == ("2018-10-10T10:00:00+02:00", {ZOE, JO, EVA})
    assert listed["items"][0]["call"]["email"] == "rita.lux@saint-luc.example"
    assert {name: taken[name] for name in ("item", "reference", "act", "repeated")} == {
        "item": items[ZOE], "reference": ZOE, "act": "take_up", "repeated": False
    }  # fmt: skip
    assert again == f"Le point {items[JO]} ({JO}) est pris en charge.\n"
    assert repeated == f"C’était déjà fait avec cette clé\N{NO-BREAK SPACE}: point {items[JO]} ({JO}).\n"
    assert (
        postponed
        == f"Le point {items[JO]} ({JO}) est reporté\N{NARROW NO-BREAK SPACE}; il revient le lundi 15 octobre 2018.\n"
    )
    assert closed == f"Le point {items[EVA]} ({EVA}) est traité.\n"
    assert max(len(line) for line in table.splitlines()) <= 100
    for words in ("À traiter, coordination de l’IFC", "Reportés", "Traités ou réglés", "Malik Ouedraogo", "Rita Lux"):
        assert words in " ".join(table.split())
    assert [(each["item"], each["status"], each["taken_by"]) for each in told] == [
        (items[ZOE], "taken", "Malik Ouedraogo")
    ]
    assert status == {"coordinator": 2}
    assert [each["reference"] for each in left["items"]] == [JO]


@sqlite_only
def test_show_and_status_tell_of_desks_in_words(alerted: str, done: Call) -> None:
    assert "\nBureaux\n" in done("show", ZOE, *AT).out
    assert "\nBureaux\n" in done("status", *AT).out


@sqlite_only
def test_empty_desk_says_so(loaded: str, done: Call) -> None:
    assert done("desk").out == "Rien n’attend sur ces bureaux.\n"
    assert done("desk", "--json", "--at", "2018-10-01").json == {
        "at": "2018-10-01T00:00:00+02:00", "items": [], "postponed": []
    }  # fmt: skip


@sqlite_only
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--role", "teacher"), 2, "« teacher » n’est pas un rôle qui a un bureau ; admis : coordinator"),
        (("--organisation", "NULLE"), 1, "organisations connues : IFC."),
        (("--edition", "1999"), 1, "éditions connues : 2018-2019"),
        (("take", "x", *BY), 2, "La valeur donnée à ITEM ne convient pas"),
        (("take", "99", *BY), 1, "Aucun point ne porte le numéro 99"),
        (
            ("take", "1", "--by", DIRECTOR),
            1,
            "est à un autre bureau (Institut de la formation en cours de carrière, coordination",
        ),
        (("postpone", "1", "--until", "demain", *BY), 2, "« demain » n’est pas une date"),
        (("postpone", "1", "--until", "2018-10-10", *BY, *AT), 1, "nous sommes le mercredi 10 octobre 2018"),
        (("postpone", "1", "--until", "2028-10-10", *BY, *AT), 1, "Vérifiez l’année"),
        (("done", "1", "--note", " ", *BY, *AT), 1, "Dites en quelques mots ce qui a été fait (--note)"),
        (("done", "1", "--note", "Fait.", "--key", "", *BY), 2, "La clé est vide"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    alerted: str, call: Call, arguments: tuple[str, ...], status: int, words: str
) -> None:
    answer = call("desk", *arguments)

    assert (answer.status, answer.out) == (status, "")
    assert words in " ".join(answer.err.split())
