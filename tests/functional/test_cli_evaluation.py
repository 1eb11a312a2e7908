"""`evaluation`: the questionnaire, answers, the sample, comments and results, as a user types them."""

import json

import pytest

from tests.functional.conftest import ANSWERS, COMPANY, COORDINATOR, INSTITUTE, JO, TEACHER, ZOE, Call

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
AT = ("--at", "2019-03-01")
SEEN = ("--on", "2019-03-04", "--at", "2019-03-05")


@pytest.fixture
def transferred(immersed: str, done: Call) -> str:
    """Give a database in which Zoé has yet to answer."""
    done("handoffs", "accept", ZOE, "--by", INSTITUTE, "--at", "2019-01-28")
    done("handoffs", "complete", ZOE, "--by", INSTITUTE, "--at", "2019-02-20")
    done("returns", "accept", ZOE, "--by", COORDINATOR, "--reason", "Sur papier.", "--at", "2019-02-20T01:00")
    return immersed


def test_sample_answers_and_interview_by_the_command_line(transferred: str, done: Call, call: Call) -> None:
    """The whole story: drawn, answered, seen, evaluated."""
    drawn = done("evaluation", "draw", "--by", COORDINATOR, "--at", "2019-02-25", "--json").json
    again = call("evaluation", "draw", "--by", COORDINATOR, "--at", "2019-02-26", "--json")
    waits = done("evaluation", "answer", ZOE, "--by", TEACHER, "--data", ANSWERS, *AT, "--json").json
    repeated = done("evaluation", "answer", ZOE, "--by", TEACHER, "--data", ANSWERS, *AT, "--json").json
    seen = done("evaluation", "interview", ZOE, "--by", COORDINATOR, *SEEN, "--json").json
    sample = done("evaluation", "sample", "--json").json
    status = done("status", "--json", "--at", "2019-03-06").json["evaluation"]
    told = done("show", ZOE, "--json").json

    stratum = "SeGEC / Industrie"
    picked = [{"reference": ZOE, "stratum": stratum}]
    assert drawn == {"edition": "2018-2019", "draw": 1, "people": 1, "drawn": picked}
    assert (again.status, again.refused["code"]) == (1, "already_drawn")
    assert waits == {
        "reference": ZOE,
        "answers": 9,
        "from": "transferred",
        "to": "transferred",
        "repeated": False,
        "waits_for_interview": True,
    }
    assert (repeated["repeated"], repeated["waits_for_interview"]) == (True, True)
    assert seen == {"reference": ZOE, "on": "2019-03-04", "repeated": False}
    assert (told["state"], told["evaluation"]["drawn_on"]) == ("evaluated", "2019-02-25")
    assert (told["evaluation"]["answers_on"], told["evaluation"]["interview_on"]) == ("2019-03-01", "2019-03-04")
    assert [each["answer"] for each in told["evaluation"]["answers"]] == [
        *list(json.loads(ANSWERS).values())[:7],
        "yes",
        "Des dates plus tôt.",
    ]
    assert sample["drawn"][0] == {
        "reference": ZOE,
        "teacher": "Zoé Noël",
        "stratum": stratum,
        "position": 1,
        "status": "interviewed",
        "state": "evaluated",
        "answered": True,
        "interview_on": "2019-03-04",
        "to_replace": False,
        "replaced_by": None,
    }
    assert (status["expected"], status["answered"], status["missing"]) == (1, 1, 0)
    assert status["sample"] == {
        "draw": 1, "people": 1, "drawn": 1, "interviewed": 1, "replaced": 0, "to_replace": 0
    }  # fmt: skip
    assert done("journal", "verify").status == 0


@sqlite_only
def test_answers_that_do_not_fit_are_told_question_by_question(transferred: str, call: Call) -> None:
    wrong = json.dumps({**json.loads(ANSWERS), "transfer": 9, "colour": "bleu"})

    told = call("evaluation", "answer", ZOE, "--by", TEACHER, "--data", wrong, *AT)
    in_json = call("evaluation", "answer", ZOE, "--by", TEACHER, "--data", wrong, *AT, "--json")

    assert (told.status, told.out) == (1, "")
    assert told.err.splitlines()[0] == (
        "Rien n’est gardé\u202f: des réponses ne conviennent pas pour 2018-2019-0001.".replace("\u202f:", "\u00a0:")
    )
    assert [(each["column"], each["value"], each["code"]) for each in in_json.refused["problems"]] == [
        ("colour", "bleu", "answer_unknown_question"),
        ("transfer", "9", "answer_bad_value"),
    ]
    assert in_json.refused["problems"][1]["reason"] == "Cette réponse ne convient pas\u202f; admis\u00a0: 1–5."


@sqlite_only
@pytest.mark.parametrize("data", ["{", "[]", "3", '"a"'])
def test_data_that_is_no_object_is_wrong_usage(transferred: str, call: Call, data: str) -> None:
    answer = call("evaluation", "answer", ZOE, "--by", TEACHER, "--data", data, "--json")

    assert (answer.status, answer.refused["code"]) == (2, "bad_answers_json")


@sqlite_only
def test_bare_act_says_that_the_answers_are_missing(transferred: str, call: Call, done: Call) -> None:
    refused = call("act", ZOE, "evaluate", "--by", TEACHER, *AT, "--json")
    done("act", ZOE, "evaluate", "--by", COORDINATOR, "--reason", "Par téléphone.", *AT)

    assert (refused.status, refused.refused["code"]) == (1, "answers_given")


@sqlite_only
def test_questionnaire_reads_as_it_is_asked(loaded: str, done: Call) -> None:
    asked = done("evaluation", "questions", "--json").json
    lines = [" ".join(line.split()) for line in done("evaluation", "questions").out.splitlines()]

    assert asked["edition"] == "2018-2019"
    assert asked["questions"][0] == {
        "code": "preparation",
        "text": "Le module de préparation à distance vous a-t-il aidé à tirer parti de l'immersion ?",
        "kind": "scale",
        "required": True,
        "max": 5,
        "lowest": "pas du tout",
        "highest": "tout à fait",
    }
    assert [each["code"] for each in asked["questions"]] == list(json.loads(ANSWERS))
    assert "Questionnaire" in lines
    assert any(line.startswith("recommend ") for line in lines)


@sqlite_only
def test_replacement_comment_and_results_for_a_person(transferred: str, done: Call, call: Call) -> None:
    done("evaluation", "draw", "--by", COORDINATOR, "--at", "2019-02-25")
    done("evaluation", "comment", ZOE, "--by", COMPANY, "--text", "Très curieuse.", *AT)
    needs = call("evaluation", "replace", ZOE, "--by", COORDINATOR, *AT, "--json")
    replaced = done("evaluation", "replace", ZOE, "--by", COORDINATOR, "--reason", "Malade.", *AT)
    done("evaluation", "answer", ZOE, "--by", TEACHER, "--data", ANSWERS, *AT)
    shown, results, sample = (
        done(*c).out for c in (("show", ZOE), ("evaluation", "results"), ("evaluation", "sample"))
    )

    assert needs.refused["code"] == "reason_given"
    assert "il ne reste personne dans la strate SeGEC / Industrie" in replaced.out
    assert ("Très curieuse." in shown, "Des dates plus tôt." in shown, "oui" in shown) == (True, True, True)
    assert ("Des dates plus tôt." in results, "Zoé" in results, "non montrée" in results) == (False, False, True)
    assert ("Zoé Noël" in sample, "remplacé" in sample) == (True, True)


@sqlite_only
def test_wrong_day_wrong_person_and_unknown_edition_are_told(transferred: str, call: Call) -> None:
    day = call("evaluation", "interview", ZOE, "--by", COORDINATOR, "--on", "hier", "--json")
    person = call("evaluation", "interview", JO, "--by", COORDINATOR, "--on", "2019-03-04", "--json")
    edition = call("evaluation", "results", "--edition", "2030-2031", "--json")
    role = call("evaluation", "draw", "--by", COMPANY, "--json")

    assert [(each.status, each.refused["code"]) for each in (day, person, edition, role)] == [
        (2, "bad_day"),
        (1, "not_drawn"),
        (1, "unknown_edition"),
        (1, "wrong_role"),
    ]
    assert call("evaluation", "sample").out == "L’échantillon de l’édition 2018-2019 n’est pas tiré.\n"
