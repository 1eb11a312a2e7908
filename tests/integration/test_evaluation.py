"""Answering the questionnaire, commenting, and what comes of it: on both engines, both halves."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actions import erasure, evaluation, figures, reports
from actions.evaluation import Answered
from actions.occasion import Actor, Occasion
from core.errors import InvalidAnswers, NotFound, Refused
from jobs import envelopes
from states.names import Role, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump, words_in
from tests.support.soundness import assert_sound, replayed, standing
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, EVALUATED_AT, World, a_world, moment

GOOD: Mapping[str, object] = worlds.ANSWERS
WITHOUT_REMARK = {name: value for name, value in GOOD.items() if name != "remark"}
LATER = EVALUATED_AT + timedelta(hours=2)
CLOSED_AT = moment("2019-06-29 00:00")


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which three have yet to answer; nobody is drawn."""
    with a_world(databases, database_kind, tmp_path, worlds.asked) as world:
        yield world


def answer(
    world: World,
    answers: Mapping[str, object] = GOOD,
    reference: str = AMELIE,
    role: Role = Role.TEACHER,
    at: Any = EVALUATED_AT,
    who: Actor | None = None,
) -> Answered:
    with world.engine.begin() as connection:
        actor = who or worlds.own(connection, role, reference)
        return evaluation.answer(connection, reference, answers, actor, Occasion(at, at, salt=lambda: "salt"))


def kept(world: World, reference: str = AMELIE) -> list[tuple[object, ...]]:
    query = (
        "SELECT question, number, option, text FROM answer JOIN participation p ON p.id = participation_id"
        " WHERE p.reference = :r ORDER BY answer.id"
    )
    return [tuple(row) for row in world.rows(query, r=reference)]


def entries(world: World, reference: str = AMELIE) -> list[tuple[str, str, str]]:
    rows = world.rows(
        "SELECT trigger, to_state, data FROM journal JOIN participation p ON p.id = chain_id"
        " WHERE chain = 'participation' AND p.reference = :r ORDER BY seq",
        r=reference,
    )
    return [(row.trigger, row.to_state, row.data) for row in rows]


# ----------------------------------------------------------------------------------------------------------- answering
def test_answers_are_kept_and_the_evaluation_follows(world: World) -> None:
    done = answer(world)

    assert done == Answered(AMELIE, 4, "transferred", "evaluated")
    assert kept(world) == [
        ("organisation", 3, None, None),
        ("use", None, "lesson", None),
        ("recommend", None, "yes", None),
        ("remark", None, None, "Merci à Durbuy."),
    ]
    assert entries(world)[-3:] == [
        ("record_fact", "transferred", '{"answers":4,"fact":"answers"}'),
        ("evaluate", "evaluated", ""),
        ("complete", "completed", ""),
    ]
    assert world.rows("SELECT kind FROM notification WHERE participation_id = 1 AND rule = 'evaluate'") == [
        ("path_completed",)
    ]
    assert_sound(world)
    assert replayed(world) == standing(world)


def test_evaluation_deadlines_are_met_by_the_answers(world: World) -> None:
    answer(world)

    statuses = world.rows("SELECT status FROM deadline WHERE participation_id = 1 AND rule = 'evaluation' ORDER BY id")
    assert {row.status for row in statuses} == {"met"}


def test_ifc_types_in_what_came_on_paper(world: World) -> None:
    assert answer(world, WITHOUT_REMARK, role=Role.COORDINATOR).after == "evaluated"


@pytest.mark.parametrize("role", [Role.DIRECTOR, Role.COMPANY, Role.INSTITUTE, Role.SYSTEM])
def test_others_cannot_answer(world: World, role: Role) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as caught:
        answer(world, role=role)

    assert caught.value.code == "wrong_role"
    assert dump(world.engine) == before


def test_another_teacher_cannot_answer(world: World) -> None:
    with world.engine.begin() as connection:
        basile = worlds.own(connection, Role.TEACHER, BASILE)

    with pytest.raises(Refused) as caught:
        answer(world, who=basile)

    assert (caught.value.code, kept(world)) == ("not_yours", [])


def test_unknown_reference_is_told(world: World) -> None:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.TEACHER, AMELIE)

    with pytest.raises(NotFound):
        answer(world, reference="MINI-9999", who=who)


def test_nobody_answers_before_the_transfer(world: World) -> None:
    """Désiré waits for a place."""
    with pytest.raises(Refused) as caught:
        answer(world, reference=DESIRE)

    assert (caught.value.code, caught.value.state) == ("wrong_state", "director_approved")


@pytest.mark.parametrize("role", [Role.TEACHER, Role.COORDINATOR])
def test_bare_act_does_not_stand_for_answers(world: World, role: Role) -> None:
    with pytest.raises(Refused) as caught:
        world.act(AMELIE, Trigger.EVALUATE, role, EVALUATED_AT)

    assert caught.value.code == "answers_given"
    assert world.state(AMELIE) == "transferred"


def test_ifc_evaluates_without_answers_for_a_reason_and_they_may_still_come(world: World) -> None:
    world.act(AMELIE, Trigger.EVALUATE, Role.COORDINATOR, EVALUATED_AT, reason="Entretien téléphonique.")

    late = answer(world, at=LATER)

    assert (late.before, late.after, len(kept(world))) == ("evaluated", "evaluated", 4)


def test_edition_without_questions_has_the_bare_act_only(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.returned) as world:
        with pytest.raises(Refused) as caught:
            answer(world)
        world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, EVALUATED_AT)

        assert (caught.value.code, world.state(AMELIE)) == ("no_questions", "evaluated")


# -------------------------------------------------------------------------------------------------------------- faults
FAULTS: list[tuple[dict[str, object], tuple[object, ...]]] = [
    ({"colour": 1}, ("colour", "answer_unknown_question", "1", ("organisation", "use", "recommend", "remark"))),
    ({"organisation": None}, ("organisation", "answer_missing", "", ("1–4",))),
    ({"organisation": 0}, ("organisation", "answer_bad_value", "0", ("1–4",))),
    ({"organisation": 5}, ("organisation", "answer_bad_value", "5", ("1–4",))),
    ({"organisation": True}, ("organisation", "answer_bad_value", "true", ("1–4",))),
    ({"organisation": 3.5}, ("organisation", "answer_bad_value", "3.5", ("1–4",))),
    ({"organisation": "3"}, ("organisation", "answer_bad_value", "3", ("1–4",))),
    ({"use": "une leçon"}, ("use", "answer_bad_value", "une leçon", ("lesson", "visit"))),
    ({"use": ["lesson"]}, ("use", "answer_bad_value", "['lesson']", ("lesson", "visit"))),
    ({"recommend": "oui"}, ("recommend", "answer_bad_value", "oui", ("true", "false"))),
    ({"recommend": 1}, ("recommend", "answer_bad_value", "1", ("true", "false"))),
    ({"remark": 7}, ("remark", "answer_bad_value", "7", ('"…"',))),
    ({"remark": "a\x00b"}, ("remark", "answer_bad_value", "a\x00b", ('"…"',))),
    ({"remark": "\ud800"}, ("remark", "answer_bad_value", "?", ('"…"',))),
]


@pytest.mark.parametrize(("change", "expected"), FAULTS, ids=[f"{n}-{fault[1][0]}" for n, fault in enumerate(FAULTS)])
def test_fault_says_question_value_and_what_is_allowed(
    world: World, change: dict[str, object], expected: tuple[object, ...]
) -> None:
    with pytest.raises(InvalidAnswers) as caught:
        answer(world, {**GOOD, **change})

    (fault,) = caught.value.problems
    assert (fault.column, fault.code, fault.value, fault.params["allowed"]) == expected
    assert (kept(world), world.state(AMELIE)) == ([], "transferred")


def test_every_fault_is_told_at_once_and_partial_answers_are_kept_nowhere(world: World) -> None:
    with pytest.raises(InvalidAnswers) as caught:
        answer(world, {"organisation": 9, "remark": "x" * 2001, "colour": 1})

    assert sorted((fault.column, fault.code) for fault in caught.value.problems) == [
        ("colour", "answer_unknown_question"),
        ("organisation", "answer_bad_value"),
        ("recommend", "answer_missing"),
        ("remark", "answer_too_long"),
        ("use", "answer_missing"),
    ]
    assert kept(world) == []


def test_empty_optional_answer_is_no_answer(world: World) -> None:
    assert answer(world, {**GOOD, "remark": " \n"}).answers == 3


# ----------------------------------------------------------------------------------------------------- again, and other
def test_same_answers_again_change_nothing(world: World) -> None:
    answer(world)
    before = dump(world.engine)

    again = answer(world, at=LATER)

    assert again == Answered(AMELIE, 4, "evaluated", "evaluated", repeated=True)
    assert dump(world.engine) == before


def test_other_answers_replace_all_of_the_first_and_the_journal_says_which(world: World) -> None:
    answer(world)

    answer(world, {**WITHOUT_REMARK, "organisation": 1}, at=LATER)

    assert kept(world) == [("organisation", 1, None, None), ("use", None, "lesson", None),
                           ("recommend", None, "yes", None)]  # fmt: skip
    assert entries(world)[-1] == (
        "record_fact",
        "evaluated",
        '{"answers":3,"changed":["organisation","remark"],"fact":"answers"}',
    )
    assert world.one("SELECT answers_on FROM participation WHERE id = 1") is not None
    world.assert_chains_hold()


def test_same_answers_evaluate_again_after_a_correction_took_the_evaluation_back(world: World) -> None:
    answer(world)
    asked: dict[str, Any] = {"reason": "Erreur.", "data": {"to": "transferred"}}
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, LATER, **asked)
    world.act(AMELIE, Trigger.ACCEPT, Role.COORDINATOR, LATER, subject=Subject.RETURN, reason="Déjà accepté.")

    again = answer(world, at=LATER)

    assert (again.before, again.after, again.repeated) == ("transferred", "evaluated", False)


def test_closed_edition_takes_no_more_answers(world: World) -> None:
    answer(world)

    with pytest.raises(Refused) as caught:
        answer(world, WITHOUT_REMARK, at=CLOSED_AT)

    assert caught.value.code == "questionnaire_closed"
    assert len(kept(world)) == 4


def test_answers_older_than_the_last_entry_are_refused(world: World) -> None:
    with pytest.raises(Refused) as caught:
        answer(world, at=worlds.ACCEPTED_AT)

    assert caught.value.code == "before_last_entry"


# ------------------------------------------------------------------------------------------------------------- chasing
def test_only_those_who_did_not_answer_are_chased(world: World) -> None:
    answer(world)
    world.tick(moment("2019-01-10 09:00"))

    reminded = world.rows("SELECT participation_id FROM notification WHERE kind = 'evaluation_reminder' ORDER BY 1")
    assert [row.participation_id for row in reminded] == [2, 3]


def test_request_and_reminder_ask_the_questions_and_say_what_may_be_answered(world: World) -> None:
    """There is no page yet: whoever answers the mail must find the questions in it."""
    world.tick(worlds.TRANSFERRED_AT + timedelta(hours=1))
    asked = (
        "1. L'organisation vous a-t-elle convenu ? De 1 (pas du tout) à 4 (tout à fait). "
        "2. Qu'en ferez-vous en classe ? Au choix : une leçon ; une visite. "
        "3. Recommanderiez-vous l'immersion ? Oui ou non. "
        "4. Une remarque ? En quelques mots. Facultatif."
    )

    assert sum(asked in _text(mail) for mail in world.mails().values()) == 3

    world.tick(moment("2019-01-10 09:00"))

    assert sum(asked in _text(mail) for mail in world.mails().values()) == 6


def _text(mail: bytes) -> str:
    from email import message_from_bytes, policy

    body = message_from_bytes(mail, policy=policy.default).get_body(("plain",))
    text = "" if body is None else str(body.get_content())
    return " ".join(text.replace("’", "'").split())


# ------------------------------------------------------------------------------------------------------------ comments
def comment(world: World, text: str, role: Role, reference: str = AMELIE, who: Actor | None = None) -> int:
    with world.engine.begin() as connection:
        actor = who or worlds.own(connection, role, reference)
        occasion = Occasion(EVALUATED_AT, EVALUATED_AT, salt=lambda: "salt")
        return evaluation.comment(connection, reference, text, actor, occasion)


@pytest.mark.parametrize("role", [Role.COMPANY, Role.INSTITUTE])
def test_company_and_institute_comment(world: World, role: Role) -> None:
    seq = comment(world, "  Curieuse, précise.\nÀ refaire. ", role)

    with world.engine.begin() as connection:
        told = reports.story(connection, AMELIE)
    assert [(each["role"], each["text"]) for each in told["comments"]] == [(role, "Curieuse, précise.\nÀ refaire.")]
    assert (told["journal"][-1]["seq"], told["journal"][-1]["trigger"]) == (seq, "record_comment")
    assert world.state(AMELIE) == "transferred"
    world.assert_chains_hold()


@pytest.mark.parametrize("role", [Role.TEACHER, Role.DIRECTOR, Role.COORDINATOR])
def test_others_do_not_comment(world: World, role: Role) -> None:
    with pytest.raises(Refused) as caught:
        comment(world, "Bien.", role)

    assert (caught.value.code, caught.value.params["roles"]) == ("wrong_role", (Role.COMPANY, Role.INSTITUTE))


@pytest.mark.parametrize("role", [Role.COMPANY, Role.INSTITUTE])
def test_company_and_institute_of_others_do_not_comment(world: World, role: Role) -> None:
    with world.engine.begin() as connection:
        who = worlds.other(connection, role, AMELIE)

    with pytest.raises(Refused) as caught:
        comment(world, "Bien.", role, who=who)

    assert caught.value.code == "not_yours"


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2001, "a\x07b"])
def test_comment_that_cannot_be_kept_is_refused(world: World, text: str) -> None:
    with pytest.raises(Refused) as caught:
        comment(world, text, Role.COMPANY)

    assert caught.value.code == "bad_comment"


def quoted(databases: Databases, database_kind: Kind, tmp_path: Path) -> list[str]:
    """The company comments, then records an absence without a word; return the mails that quote the comment."""
    with a_world(databases, database_kind, tmp_path, worlds.prepared) as world:
        with world.engine.begin() as connection:
            company, at = worlds.own(connection, Role.COMPANY, AMELIE), worlds.ATTESTED_AT
            evaluation.comment(connection, AMELIE, "Interne.", company, Occasion(at, at, salt=lambda: "salt"))
        world.act(AMELIE, Trigger.RECORD_ABSENCE, Role.COMPANY, worlds.ATTESTED_AT)
        world.tick(worlds.IMMERSED_AT)
        return [name for name, mail in world.mails().items() if b"Interne." in mail]


def test_comment_is_never_shown_as_the_reason_of_what_follows(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    assert quoted(databases, database_kind, tmp_path) == []


def test_comment_would_be_shown_as_a_reason_if_it_were_not_left_out(
    databases: Databases, database_kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control."""
    monkeypatch.setattr(envelopes, "_OTHER_WORDS", ())

    assert len(quoted(databases, database_kind, tmp_path)) == 1


# ------------------------------------------------------------------------------------------------------------- erasure
def test_erasure_empties_words_and_keeps_counts(world: World) -> None:
    answer(world, {**GOOD, "remark": "Je suis Amélie Quenouille."})
    comment(world, "Amélie Quenouille a été ponctuelle.", Role.COMPANY)
    world.tick(LATER)

    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        erasure.erase(connection, "amelie@saint-exemple.example", ifc, Occasion(LATER, LATER))

    assert words_in(world.engine, ["Quenouille"]) == []
    assert kept(world)[-1] == ("remark", None, None, "")
    assert kept(world)[0] == ("organisation", 3, None, None)
    world.assert_chains_hold()


# ------------------------------------------------------------------------------------------------------------- results
def test_results_hide_what_fewer_than_five_said(world: World) -> None:
    for reference in (AMELIE, BASILE, CELINE):
        answer(world, reference=reference)

    with world.engine.begin() as connection:
        found = figures.results(connection, None)

    assert (found["edition"], found["expected"], found["answered"], found["missing"]) == ("MINI", 3, 3, 0)
    assert [(each["code"], each["answered"], each.get("mean")) for each in found["questions"]] == [
        ("organisation", 3, None),
        ("use", 3, None),
        ("recommend", 3, None),
        ("remark", 3, None),
    ]
    assert [each.get("counts") for each in found["questions"]] == [
        dict.fromkeys("1234"),
        dict.fromkeys(["lesson", "visit"]),
        dict.fromkeys(["yes", "no"]),
        None,
    ]
    assert words_in(world.engine, ["Durbuy"]) != []  # control: there are words that results could have shown
    assert "Durbuy" not in str(found)


def test_status_has_the_same_results(world: World) -> None:
    answer(world)

    with world.engine.begin() as connection:
        found = figures.status(connection, None, LATER)["evaluation"]
        results = figures.results(connection, None)

    assert found == {name: value for name, value in results.items() if name not in {"edition", "title"}}
    assert (found["expected"], found["answered"], found["missing"], found["sample"]) == (3, 1, 2, None)
