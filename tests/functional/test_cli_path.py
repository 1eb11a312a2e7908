"""One participation from registration to evaluation, by the command line alone, on both engines."""

from pathlib import Path
from typing import Any

from tests.functional.conftest import (
    ANSWERS,
    COMPANY,
    COORDINATOR,
    DIRECTOR,
    EDITION,
    INSTITUTE,
    JO,
    TEACHER,
    ZOE,
    Call,
)

CECAFOC = "CECAFOC"


def owed(told: Any) -> list[tuple[str, str, str | None]]:
    return [(due["who"], due["act"], due["by"]) for due in told["due"]]


def test_whole_path_by_the_command_line(loaded: str, done: Call) -> None:
    seen = []

    def look(at: str) -> None:
        told = done("show", ZOE, "--json", "--at", at).json
        seen.append((told["state"], told["owner"], owed(told)))

    look("2018-09-18")
    done("act", ZOE, "approve", "--by", DIRECTOR, "--at", "2018-09-20")
    look("2018-09-20")
    done("tick", "--no-prefect", "--at", "2018-11-05T09:00")
    look("2018-11-05T09:00")
    done("act", ZOE, "confirm_preparation", "--by", TEACHER, "--at", "2018-12-10")
    look("2018-12-10")
    done("act", ZOE, "confirm_immersion", "--by", COMPANY, "--data", '{"half_days": 4}', "--at", "2019-01-25T18:00")
    look("2019-01-25T18:00")
    done("tick", "--no-prefect", "--at", "2019-01-25T19:00")
    look("2019-01-25T19:00")
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    look("2019-01-28")
    done("handoffs", "complete", ZOE, "--by", INSTITUTE, "--at", "2019-02-20")
    look("2019-02-20")
    done("tick", "--no-prefect", "--at", "2019-02-20T12:00")
    look("2019-02-20T12:00")
    done("returns", "decline", ZOE, "--by", COORDINATOR, "--reason", "Il manque la note.", "--at", "2019-02-21")
    look("2019-02-21")
    done("handoffs", "note", ZOE, "--by", INSTITUTE, "--text", "Lien avec le programme.", "--at", "2019-02-22")
    done("returns", "offer", ZOE, "--by", INSTITUTE, "--at", "2019-02-22T10:00")
    look("2019-02-22T10:00")
    done("returns", "accept", ZOE, "--by", COORDINATOR, "--reason", "Présences sur papier.", "--at", "2019-02-25")
    look("2019-02-25")
    done("evaluation", "answer", ZOE, "--by", TEACHER, "--data", ANSWERS, "--at", "2019-03-01")
    look("2019-03-01")

    assert seen == [
        ("registered", "IFC", [("director", "approve", "2018-10-02T08:00:00+02:00")]),
        (
            "director_approved",
            "IFC",
            [
                ("teacher", "confirm_preparation", None),
                ("coordinator", "propose", "2019-04-05T08:00:00+02:00"),
            ],
        ),
        ("director_approved", "IFC", [("teacher", "confirm_preparation", "2019-01-21T08:00:00+01:00")]),
        ("prepared", "IFC", [("company", "confirm_immersion", "2019-02-05T08:00:00+01:00")]),
        ("immersed", "IFC", [("coordinator", "offer", "2019-02-06T08:00:00+01:00")]),
        ("immersed", "IFC", [("institute", "accept", "2019-02-08T08:00:00+01:00")]),
        ("immersed", CECAFOC, [("institute", "confirm_transfer", "2019-03-18T08:00:00+01:00")]),
        ("transferred", "IFC", [("coordinator", "accept", "2019-02-25T08:00:00+01:00")]),
        ("transferred", "IFC", [("coordinator", "accept", "2019-03-13T08:00:00+01:00")]),
        ("transferred", CECAFOC, [("institute", "offer", "2019-03-14T08:00:00+01:00")]),
        ("transferred", "IFC", [("coordinator", "accept", "2019-02-27T08:00:00+01:00")]),
        ("transferred", "IFC", [("teacher", "evaluate", "2019-03-25T08:00:00+01:00")]),
        ("evaluated", "IFC", []),
    ]


def test_status_adds_up_after_the_path(immersed: str, done: Call) -> None:
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    done("handoffs", "complete", ZOE, "--by", INSTITUTE, "--at", "2019-02-20")

    figures = done("status", "--json", "--at", "2019-02-20").json

    assert figures["edition"] == "2018-2019"
    assert sum(figures["participations"].values()) == figures["total"] == 3
    assert (figures["participations"]["transferred"], figures["participations"]["lapsed"]) == (1, 2)
    assert (figures["places"], figures["places_cancelled"], figures["fill_rate"]) == (3, 0, 0.3333)
    assert figures["handoffs"] == {CECAFOC: {"completed": 1}, "to_route": {}}
    assert (figures["overdue"], figures["reminders"], figures["escalations"]) == (0, 0, 2)
    assert figures["deadlines"]["fired"] == 4  # two lapses besides; the reminders were overtaken before any tick
    assert figures["deadlines"]["missed"] >= 2
    assert done("journal", "verify").status == 0


def test_coordinator_routes_and_takes_a_handoff_itself(immersed: str, done: Call, call: Call) -> None:
    done("handoffs", "decline", ZOE, "--by", INSTITUTE, "--reason", "Complet", "--at", "2019-01-28")
    wrong = call("handoffs", "offer", ZOE, "--by", COORDINATOR, "--to", "nobody", "--json")
    done("handoffs", "offer", ZOE, "--by", COORDINATOR, "--to", "ifc", "--at", "2019-01-29")
    done("handoffs", "accept", ZOE, "--by", COORDINATOR, "--at", "2019-01-29")
    told = done("show", ZOE, "--json", "--at", "2019-01-29").json
    last = done("handoffs", "complete", ZOE, "--by", COORDINATOR, "--at", "2019-01-30", "--json").json

    assert (wrong.status, wrong.refused["code"], wrong.refused["allowed"]) == (
        1,
        "unknown_organisation",
        ["CECAFOC", "FCC", "IFC"],
    )
    assert (told["owner"], told["due"][0]["who"]) == ("IFC", "coordinator")
    assert [(each["round"], each["to"], each["status"]) for each in told["handoffs"]] == [
        (1, CECAFOC, "declined"),
        (2, "IFC", "accepted"),
    ]
    assert (last["subject"], last["trigger"], last["from"], last["to"]) == (
        "participation",
        "confirm_transfer",
        "immersed",
        "transferred",
    )


def test_handoffs_lists_where_each_stands(immersed: str, done: Call, call: Call) -> None:
    everything = done("handoffs", "--json").json["handoffs"]
    theirs = done("handoffs", "--institute", "cecafoc", "--json").json["handoffs"]
    nobodys = done("handoffs", "--institute", "FCC")
    unrouted = done("handoffs", "--institute", "to_route", "--json").json["handoffs"]
    unknown = call("handoffs", "--institute", "NIX", "--json")

    assert everything == theirs
    assert {name: theirs[0][name] for name in ("reference", "teacher", "round", "status", "from", "to", "since")} == {
        "reference": ZOE,
        "teacher": "Zoé Noël",
        "round": 1,
        "status": "offered",
        "from": "IFC",
        "to": CECAFOC,
        "since": "2019-01-25T19:00:00+01:00",
    }
    assert nobodys.out == "Il n’y a aucun relais à montrer.\n"
    assert unrouted == []
    assert (unknown.status, unknown.refused["allowed"]) == (1, ["CECAFOC", "FCC", "IFC", "to_route"])


def test_whoever_nobody_approved_is_classed(immersed: str, done: Call) -> None:
    told = done("show", JO, "--json").json

    assert (told["state"], told["handoffs"], told["place"], told["due"]) == ("lapsed", [], None, [])
    assert [(entry["trigger"], entry["actor"]) for entry in told["journal"]] == [
        ("register", "system"),
        ("lapse", "system"),
    ]


def test_routes_check_tells_gaps_and_what_is_to_be_confirmed(loaded: str, call: Call) -> None:
    whole = call("routes", "check", "--json")
    text = EDITION.read_text(encoding="utf-8")
    start = text.index('[[routes]]\nnetwork = "WBE"')
    Path("gap.toml").write_text(text[:start] + text[text.index("# ----", start) :], encoding="utf-8")
    gap = call("routes", "check", "gap.toml", "--json")

    assert (whole.status, whole.json["gaps"], len(whole.json["to_confirm"])) == (0, [], 9)
    assert gap.status == 1
    assert [(each["network"], each["education"], each["first"]) for each in gap.json["gaps"]] == [
        ("WBE", "ordinaire", "2018-09-03"),
        ("WBE", "specialise", "2018-09-03"),
    ]
    assert "WBE" in call("routes", "check", "gap.toml").out
