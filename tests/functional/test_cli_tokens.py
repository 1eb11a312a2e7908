import re

from sqlalchemy import Engine, select

from actions.tokens import TOKEN
from tests.functional.conftest import Call

CREATE = ("tokens", "create", "--institute", "CECAFOC", "--label", "Logiciel de Cecafoc", "--at", "2019-01-07T09:00")


def test_token_is_shown_once_and_only_its_hash_is_kept(loaded: str, engine: Engine, done: Call) -> None:
    made = done(*CREATE, "--json").json
    listed = done("tokens", "list", "--json")

    assert re.fullmatch(r"entr_[A-Za-z0-9_-]{43}", made["token"])
    assert listed.json["tokens"] == [{name: value for name, value in made.items() if name != "token"}]
    assert listed.json["tokens"] == [
        {
            "prefix": made["token"][:13],
            "institute": "CECAFOC",
            "label": "Logiciel de Cecafoc",
            "created_at": "2019-01-07T09:00:00+01:00",
            "revoked_at": None,
            "last_used_at": None,
        }
    ]
    with engine.connect() as connection:
        (row,) = connection.execute(select(TOKEN)).mappings()
    assert [name for name, value in row.items() if made["token"][13:] in str(value)] == []


def test_token_alone_stands_on_standard_output_for_scripts(loaded: str, call: Call) -> None:
    answer = call(*CREATE)

    assert (answer.status, re.fullmatch(r"entr_\S{43}\n", answer.out) is not None) == (0, True)
    assert "ne sera plus jamais montré" in answer.err


def test_two_tokens_are_never_alike(loaded: str, done: Call) -> None:
    made = [done(*CREATE, "--json").json for _ in range(2)]

    assert made[0]["token"] != made[1]["token"]
    assert [each["prefix"] for each in done("tokens", "list", "--json").json["tokens"]] == [
        made[1]["prefix"],
        made[0]["prefix"],
    ]


def test_token_is_revoked_once(loaded: str, done: Call) -> None:
    prefix = done(*CREATE, "--json").json["prefix"]

    first = done("tokens", "revoke", prefix, "--at", "2019-01-08T10:00", "--json").json
    again = done("tokens", "revoke", prefix, "--at", "2019-01-09T10:00", "--json").json

    assert first["revoked_at"] == "2019-01-08T10:00:00+01:00"
    assert again == first
    assert "déjà révoqué, depuis le 08/01/2019 10:00" in done("tokens", "revoke", prefix).out
    assert prefix in done("tokens", "list").out


def test_whole_token_may_be_given_to_revoke_it(loaded: str, done: Call) -> None:
    text = done(*CREATE, "--json").json["token"]

    assert done("tokens", "revoke", text, "--json").json["prefix"] == text[:13]


def test_unknown_token_is_refused(loaded: str, call: Call) -> None:
    answer = call("tokens", "revoke", "entr_00000000", "--json")

    assert (answer.status, answer.refused["code"]) == (1, "unknown_token")


def test_token_for_somebody_who_is_no_institute_is_refused(loaded: str, call: Call) -> None:
    answers = [call("tokens", "create", "--institute", code, "--label", "x", "--json") for code in ("IFC", "NADA")]

    assert [(each.status, each.refused["code"]) for each in answers] == [(1, "unknown_organisation")] * 2
    assert "CECAFOC" in answers[0].refused["allowed"]


def test_label_that_says_nothing_or_too_much_is_refused(loaded: str, call: Call) -> None:
    answers = [
        call("tokens", "create", "--institute", "FCC", "--label", label, "--json") for label in ("", " ", "x" * 81)
    ]

    assert [(each.status, each.refused["code"]) for each in answers] == [(2, "bad_label")] * 3


def test_list_without_tokens_says_so(loaded: str, done: Call) -> None:
    assert done("tokens", "list").out.startswith("Aucun jeton")
