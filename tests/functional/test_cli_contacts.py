"""`contacts`: who answers for what, as IFC's coordinator changes it and as a participation tells it."""

from tests.functional.conftest import COORDINATOR, ZOE, Call

RITA, ANN, MAILBOX = "rita.lux@saint-luc.example", "ann.day@saint-luc.example", "direction@saint-luc.example"
BY = ("--by", COORDINATOR, "--at", "2018-09-17T08:00")
AT = ("--at", "2018-09-17T10:00")


def test_somebody_gone_is_replaced_and_the_participation_says_so(loaded: str, done: Call) -> None:
    person = ("--name", "Ann Day", "--phone", "+32 4 000 01 02")
    added = done("contacts", "add", "101", "--role", "director", "--email", ANN, *person, *BY)
    done("contacts", "add", "school:101", "--role", "director", "--email", MAILBOX, "--until", "2019-06-30", *BY)
    left = done("contacts", "gone", RITA, "--since", "2018-09-01", *BY)
    ahead = done("upcoming", "--days", "0", "--at", "2018-09-17T09:00")
    done("tick", "--no-prefect", "--at", "2018-09-17T09:30")

    told, shown = done("contacts", "--organisation", "101", *AT), done("show", ZOE, *AT)
    (message,) = done("show", ZOE, *AT, "--json").json["messages"]

    assert added.out == "Ann Day répond pour St-Luc, au rang 2.\n"
    assert "Rita Lux (St-Luc)" in left.out
    assert "Ann Day (remplaçant)" in ahead.out
    assert [RITA in told.out, "départ" in told.out, ANN in told.out, "+32 4 000 01 02" in told.out] == [True] * 4
    assert "boîte" in told.out
    assert "jusqu’au 30/06/2019" in told.out
    assert "À noter          Rita Lux (direction de l’établissement)" in shown.out
    assert "départ le 01/09/2018" in shown.out
    assert "Ann Day (remplaçant)." in shown.out
    assert "Ann Day (remplaçant) pour" in " ".join(shown.out.split())
    assert {name: message[name] for name in ("recipient", "level", "stands_in", "stands_in_for")} == {
        "recipient": "Ann Day",
        "level": "first",
        "stands_in": "deputy",
        "stands_in_for": "St-Luc",
    }


def test_address_in_error_is_held_then_works_again(loaded: str, done: Call) -> None:
    held = done("contacts", "hold", RITA, *BY, "--json").json
    noted = done("show", ZOE, *AT).out
    back = done("contacts", "back", RITA, *BY)

    assert (held["status"], held["reachable"], held["organisation"]["code"]) == ("on_hold", False, "101")
    assert "adresse en erreur" in noted
    assert "(coordination de l’IFC)" in noted
    assert back.out == "Rita Lux (St-Luc) reçoit à nouveau les messages.\n"
    assert "À noter" not in done("show", ZOE, *AT).out


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("gone", "nobody@x.example", *BY), 1, "unknown_contact"),
    (("hold", RITA, "--by", f"director:{RITA}"), 1, "wrong_role"),
    (("add", "NADA", "--role", "director", "--email", ANN, *BY), 1, "no_organisation"),
    (("add", "101", "--role", "chef", "--email", ANN, *BY), 2, "bad_role"),
    (("add", "101", "--role", "director", "--email", "ann", *BY), 2, "bad_address"),
    (("add", "101", "--role", "director", "--email", ANN, "--rank", "0", *BY), 2, "bad_rank"),
    (("add", "101", "--role", "director", "--email", ANN, "--phone", "1", *BY), 2, "phone_without_name"),
    (("add", "101", "--role", "director", "--email", ANN, "--language", "nl", *BY), 2, "bad_language"),
    (("add", "101", "--role", "director", "--email", ANN, "--name", "x" * 201, *BY), 2, "bad_name"),
    (
        ("add", "101", "--role", "director", "--email", ANN, "--from", "2019-02-01", "--until", "2019-01-31", *BY),
        2,
        "contact_days",
    ),
    (("gone", RITA, "--since", "hier", *BY), 2, "bad_day"),
]


def test_what_makes_no_sense_is_refused(loaded: str, call: Call) -> None:
    for arguments, status, code in REFUSED:
        answer = call("contacts", *arguments, "--json")

        assert (answer.status, answer.refused["code"]) == (status, code), arguments
