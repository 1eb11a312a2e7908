"""The sample evaluated in person: drawn, journalled, replaced, seen; on both engines, both halves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from actions import drawing, erasure, evaluation, figures, reading, reports
from actions import sample as sampled
from actions.occasion import Actor, Occasion
from core.errors import NotFound, Refused
from states import sampling
from states.edition import read_edition
from states.names import Role, State, Stratum, Subject, Trigger
from tests.support import worlds
from tests.support.databases import Databases, Kind
from tests.support.rows import dump
from tests.support.soundness import assert_sound, replayed, standing
from tests.support.worlds import AMELIE, BASILE, CELINE, DESIRE, EVALUATED_AT, World, a_world

DRAWN_AT = worlds.TRANSFERRED_AT + timedelta(days=1)
SEEN_ON, SEEN_AT = date(2019, 1, 9), EVALUATED_AT + timedelta(days=1)
LATER = EVALUATED_AT + timedelta(days=2)
NO_ONE_LEFT = "WBE"  # Céline is alone in her network


@pytest.fixture
def world(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give a world in which three have yet to answer, and Amélie and Céline are drawn."""
    with a_world(databases, database_kind, tmp_path, drawn) as world:
        yield world


@pytest.fixture
def undrawn(databases: Databases, database_kind: Kind, tmp_path: Path) -> Iterator[World]:
    """Give that world before the draw."""
    with a_world(databases, database_kind, tmp_path, worlds.asked) as world:
        yield world


def drawn(world: World) -> None:
    worlds.asked(world)
    draw(world)


def draw(world: World, at: datetime = DRAWN_AT, reason: str = "", role: Role = Role.COORDINATOR) -> drawing.Drew:
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, AMELIE)
        return drawing.draw(connection, None, who, Occasion(at, at, salt=lambda: "salt"), reason)


def take_out(
    world: World,
    reference: str = AMELIE,
    reason: str = "Malade.",
    role: Role = Role.COORDINATOR,
    at: datetime = SEEN_AT,
) -> sampled.Replaced:
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, reference)
        return sampled.replace(connection, reference, reason, who, Occasion(at, at, salt=lambda: "salt"))


def see(
    world: World, reference: str = AMELIE, on: date = SEEN_ON, role: Role = Role.COORDINATOR, at: datetime = SEEN_AT
) -> bool:
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, reference)
        return sampled.record_interview(connection, reference, on, who, Occasion(at, at))


def answer(world: World, reference: str = AMELIE, at: datetime = EVALUATED_AT) -> evaluation.Answered:
    with world.engine.begin() as connection:
        who = worlds.own(connection, Role.TEACHER, reference)
        return evaluation.answer(connection, reference, worlds.ANSWERS, who, Occasion(at, at))


def listed(world: World) -> list[tuple[str, str, int, str, bool, str | None]]:
    with world.engine.begin() as connection:
        rows = sampled.sample(connection, None)["drawn"]
    names = ("reference", "stratum", "position", "status", "to_replace", "replaced_by")
    return [tuple(row[name] for name in names) for row in rows]


def edition_entries(world: World) -> list[tuple[str, str, str, dict[str, object]]]:
    rows = world.rows("SELECT trigger, from_state, to_state, data FROM journal WHERE chain = 'edition' ORDER BY seq")
    return [(row.trigger, row.from_state, row.to_state, json.loads(row.data or "{}")) for row in rows[1:]]


def told(world: World, kind: str = "sample_drawn") -> list[int]:
    rows = world.rows("SELECT participation_id FROM notification WHERE kind = :k ORDER BY participation_id", k=kind)
    return [row.participation_id for row in rows]


# ------------------------------------------------------------------------------------------------------------- drawing
def test_draw_covers_the_strata_and_is_journalled(undrawn: World) -> None:
    done = draw(undrawn)

    assert (done.edition, done.number, done.people, done.new) == ("MINI", 1, 3, 2)
    assert listed(undrawn) == [
        (AMELIE, "SeGEC", 1, "drawn", False, None),
        (CELINE, "WBE", 1, "drawn", False, None),
    ]
    people = {AMELIE: "SeGEC", BASILE: "SeGEC", CELINE: "WBE"}
    data = {"draw": 1, "seed": "seed 7", "since": "transferred", "strata": ["network"], "people": 3,
            "fingerprint": sampling.fingerprint(people), "drawn": [AMELIE, CELINE]}  # fmt: skip
    assert edition_entries(undrawn) == [("draw", "-", "1", data)]
    assert told(undrawn) == [1, 3]
    assert undrawn.rows("SELECT id FROM participation WHERE drawn_on = '2018-12-21' ORDER BY id") == [(1,), (3,)]
    undrawn.assert_chains_hold()
    assert_sound(undrawn)
    assert replayed(undrawn) == standing(undrawn)


def test_whoever_is_drawn_is_told_by_mail(world: World) -> None:
    world.tick(DRAWN_AT + timedelta(hours=1))

    mails = [message_from_bytes(mail, policy=policy.default) for mail in world.mails().values()]
    subjects = [mail["To"] for mail in mails if "échange en présence sur votre" in mail["Subject"]]
    assert len(subjects) == 2


def test_draw_stands_until_a_reason_makes_it_void(world: World) -> None:
    before = dump(world.engine)

    with pytest.raises(Refused) as caught:
        draw(world, LATER)

    assert caught.value.code == "already_drawn"
    assert dump(world.engine) == before


def test_draw_made_anew_finds_the_same_people_and_tells_nobody_again(world: World) -> None:
    done = draw(world, LATER, reason="Dates mal choisies.")

    assert (done.number, done.new) == (2, 0)
    assert [row[0] for row in listed(world)] == [AMELIE, CELINE]
    assert world.rows("SELECT number, void_at IS NULL AS stands FROM sample_draw ORDER BY number") == [
        (1, False),
        (2, True),
    ]
    assert told(world) == [1, 3]
    assert [entry[:3] for entry in edition_entries(world)] == [("draw", "-", "1"), ("draw", "1", "2")]
    assert world.one("SELECT text FROM journal_text WHERE chain = 'edition'") == "Dates mal choisies."
    world.assert_chains_hold()


def test_who_was_replaced_is_never_drawn_again(world: World) -> None:
    take_out(world)

    draw(world, LATER, reason="À refaire.")

    assert [row[0] for row in listed(world)] == [BASILE, CELINE]


def test_who_leaves_the_sample_with_the_draw_before_is_evaluated_if_that_is_all_that_was_missing(world: World) -> None:
    """Amélie answered and waits for her interview; Basile stands before her in the new list, by another seed."""
    answer(world)
    _revise(world, 'seed = "seed 7"', 'seed = "seed 1"')

    draw(world, LATER, reason="Autre graine.")

    assert [row[0] for row in listed(world)] == [BASILE, CELINE]
    assert (world.state(AMELIE), world.state(BASILE)) == ("evaluated", "transferred")


def _revise(world: World, old: str, new: str) -> None:
    """Change the latest revision by hand: a running edition takes no new file."""
    content = world.one("SELECT content FROM edition_revision")
    text = read_edition((worlds.EDITION + worlds.EVALUATION).replace(old, new).encode(), "mini.toml").canonical()
    assert text != content
    world.change("UPDATE edition_revision SET content = :c", c=text)
    reading._RULES.pop(world.engine, None)


@pytest.mark.parametrize("role", [role for role in Role if role not in {Role.COORDINATOR, Role.SYSTEM}])
def test_only_ifc_draws(undrawn: World, role: Role) -> None:
    with pytest.raises(Refused) as caught:
        draw(undrawn, role=role)

    assert (caught.value.code, told(undrawn)) == ("wrong_role", [])


def test_coordinator_of_another_organisation_does_not_draw(undrawn: World) -> None:
    with undrawn.engine.begin() as connection:
        who = Actor(Role.COORDINATOR, 1, frozenset({999}), "test")
        with pytest.raises(Refused) as caught:
            drawing.draw(connection, None, who, Occasion(DRAWN_AT, DRAWN_AT))

    assert caught.value.code == "wrong_role"


def test_edition_without_a_sample_is_not_drawn(databases: Databases, database_kind: Kind, tmp_path: Path) -> None:
    with a_world(databases, database_kind, tmp_path, worlds.transferred) as world:
        with pytest.raises(Refused) as caught:
            draw(world)

        assert (caught.value.code, caught.value.params["edition"]) == ("no_sample", "MINI")


def test_unknown_edition_is_told(undrawn: World) -> None:
    with undrawn.engine.begin() as connection:
        who = worlds.own(connection, Role.COORDINATOR, AMELIE)
        with pytest.raises(NotFound) as caught:
            drawing.draw(connection, "2030-2031", who, Occasion(DRAWN_AT, DRAWN_AT))

    assert caught.value.code == "unknown_edition"


def test_nobody_is_drawn_before_anybody_has_come_so_far(
    databases: Databases, database_kind: Kind, tmp_path: Path
) -> None:
    def build(world: World) -> None:
        worlds.load(world, read_edition((worlds.EDITION + worlds.EVALUATION).encode(), "mini.toml"))
        worlds.immersed(world)

    with a_world(databases, database_kind, tmp_path, build) as world:
        with pytest.raises(Refused) as caught:
            draw(world)

        assert caught.value.code == "nobody_to_draw_from"


def test_erased_people_are_never_drawn(undrawn: World) -> None:
    answer(undrawn, at=DRAWN_AT)
    with undrawn.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        erasure.erase(connection, "amelie@saint-exemple.example", ifc, Occasion(DRAWN_AT, DRAWN_AT))

    draw(undrawn, EVALUATED_AT)

    assert [row[0] for row in listed(undrawn)] == [BASILE, CELINE]


def test_whoever_has_evaluated_already_may_still_be_drawn_and_seen(undrawn: World) -> None:
    """Else the early ones, who were in companies in winter, would never be met."""
    answer(undrawn, at=DRAWN_AT)

    draw(undrawn, EVALUATED_AT)
    see(undrawn)

    assert listed(undrawn)[0] == (AMELIE, "SeGEC", 1, "interviewed", False, None)
    assert undrawn.state(AMELIE) == "evaluated"


def test_strata_are_what_the_people_have_or_a_dash(undrawn: World) -> None:
    with undrawn.engine.begin() as connection:
        everybody = drawing.people_of(connection, 1, State.REGISTERED, tuple(Stratum))
        unstratified = drawing.people_of(connection, 1, State.TRANSFERRED, ())

    assert everybody == {
        AMELIE: "SeGEC / ordinaire / enseignant / liege / Industrie / ALPHA",
        BASILE: "SeGEC / ordinaire / enseignant / liege / Industrie / BETA",
        CELINE: "WBE / ordinaire / chef_atelier / namur / Industrie / ALPHA",
        DESIRE: "- / - / conseiller_pedagogique / liege / Construction / GAMMA",
    }
    assert unstratified == dict.fromkeys((AMELIE, BASILE, CELINE), "-")


# -------------------------------------------------------------------------------------------------------- being seen
def test_answers_of_somebody_drawn_wait_for_the_interview(world: World) -> None:
    done = answer(world)

    assert (done.before, done.after, done.waits_for_interview) == ("transferred", "transferred", True)
    assert world.one("SELECT count(*) FROM answer") == 4
    assert told(world, "path_completed") == []


def test_interview_then_evaluates_whoever_answered(world: World) -> None:
    answer(world)

    assert see(world)

    assert world.state(AMELIE) == "evaluated"
    entries = world.rows(
        "SELECT trigger, data FROM journal WHERE chain_id = 1 AND chain = 'participation' ORDER BY seq"
    )
    assert entries[-3:] == [("record_fact", '{"fact":"interview"}'), ("evaluate", ""), ("complete", "")]
    assert world.one("SELECT happened_on FROM fact WHERE kind = 'interview'") in {"2019-01-09", SEEN_ON}
    assert listed(world)[0][3] == "interviewed"
    assert_sound(world)
    assert replayed(world) == standing(world)


def test_interview_first_then_answers_evaluate(world: World) -> None:
    see(world, at=SEEN_AT)
    assert world.state(AMELIE) == "transferred"

    assert answer(world, at=LATER).after == "evaluated"


def test_nobody_else_waits(world: World) -> None:
    assert answer(world, BASILE).after == "evaluated"


def test_ifc_cannot_evaluate_somebody_drawn_who_was_not_seen(world: World) -> None:
    with pytest.raises(Refused) as caught:
        world.act(AMELIE, Trigger.EVALUATE, Role.COORDINATOR, EVALUATED_AT, reason="Par téléphone.")

    assert caught.value.code == "seen_in_person"


def test_interview_told_twice_is_one_and_another_day_corrects_it(world: World) -> None:
    see(world)
    before = dump(world.engine)

    assert see(world, at=LATER) is False
    assert dump(world.engine) == before
    assert see(world, on=date(2019, 1, 8), at=LATER) is True
    assert str(world.one("SELECT interview_on FROM participation WHERE id = 1")) == "2019-01-08"


def test_interview_in_the_future_is_refused(world: World) -> None:
    with pytest.raises(Refused) as caught:
        see(world, on=date(2019, 1, 10))

    assert caught.value.code == "fact_in_future"


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.COORDINATOR])
def test_only_ifc_records_interviews_and_replaces(world: World, role: Role) -> None:
    before = dump(world.engine)

    for act in (see, take_out):
        with pytest.raises(Refused) as caught:
            act(world, role=role)
        assert caught.value.code == "not_yours"

    assert dump(world.engine) == before


def test_interview_and_replacement_of_somebody_not_drawn_are_refused(world: World) -> None:
    for act in (see, take_out):
        with pytest.raises(Refused) as caught:
            act(world, BASILE)
        assert caught.value.code == "not_drawn"


def test_interview_outlives_a_correction_of_the_state(world: World) -> None:
    answer(world)
    see(world)
    world.act(AMELIE, Trigger.CORRECT, Role.COORDINATOR, LATER, reason="Erreur.", data={"to": "transferred"})
    world.act(AMELIE, Trigger.ACCEPT, Role.COORDINATOR, LATER, subject=Subject.RETURN, reason="Déjà accepté.")

    world.act(AMELIE, Trigger.EVALUATE, Role.TEACHER, LATER)

    assert world.state(AMELIE) == "evaluated"


def test_ifc_owes_the_talk_once_the_answers_are_there(world: World) -> None:
    def owing() -> list[tuple[str, str]]:
        with world.engine.begin() as connection:
            return [(each["who"], each["act"]) for each in reports.story(connection, AMELIE, LATER)["due"]]

    before = owing()
    answer(world)

    assert (before, owing()) == ([("teacher", "evaluate")], [("coordinator", "evaluate")])


def subjects(world: World, role_address: str) -> list[str]:
    mails = [message_from_bytes(mail, policy=policy.default) for mail in world.mails().values()]
    return [mail["Subject"] for mail in mails if role_address in mail["To"]]


def test_alert_names_the_talk_that_is_missing_not_the_answers(world: World) -> None:
    """Amélie answered and was never seen; the others are through."""
    see(world, CELINE, on=date(2019, 1, 7), at=EVALUATED_AT)
    for reference in (AMELIE, BASILE, CELINE):
        answer(world, reference)
    world.tick(EVALUATED_AT + timedelta(days=10))

    told_to_ifc = [each for each in subjects(world, "catherine@ifc.example") if "échange en présence" in each]
    assert [each.partition("\u00a0: ")[2] for each in told_to_ifc] == [
        "l\u2019échange en présence avec Amélie Quenouille n\u2019est pas encodé"
    ]
    assert [each for each in subjects(world, "amelie@saint-exemple.example") if "toujours attendue" in each] == []


# ----------------------------------------------------------------------------------------------------------- replacing
def test_the_next_of_the_stratum_takes_the_place(world: World) -> None:
    done = take_out(world)

    assert done == sampled.Replaced(AMELIE, BASILE, "SeGEC")
    assert listed(world) == [
        (AMELIE, "SeGEC", 1, "replaced", False, BASILE),
        (BASILE, "SeGEC", 2, "drawn", False, None),
        (CELINE, "WBE", 1, "drawn", False, None),
    ]
    assert edition_entries(world)[-1] == (
        "replace", "1", "1", {"draw": 1, "replaced": AMELIE, "by": BASILE, "stratum": "SeGEC"}
    )  # fmt: skip
    assert told(world) == [1, 2, 3]
    texts = world.rows("SELECT text FROM journal_text WHERE chain = 'participation' AND chain_id = 1 ORDER BY seq")
    assert texts[-1].text == "Malade."
    assert_sound(world)


def test_where_nobody_is_left_the_place_stays_empty(world: World) -> None:
    assert take_out(world, CELINE) == sampled.Replaced(CELINE, None, NO_ONE_LEFT)
    assert listed(world)[-1] == (CELINE, "WBE", 1, "replaced", False, None)


def test_replacement_evaluates_whoever_only_waited_for_the_interview(world: World) -> None:
    answer(world)

    take_out(world)

    assert world.state(AMELIE) == "evaluated"


@pytest.mark.parametrize("reason", ["", "  "])
def test_replacement_needs_a_reason(world: World, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        take_out(world, reason=reason)

    assert caught.value.code == "reason_given"


def test_nobody_is_replaced_twice(world: World) -> None:
    take_out(world)
    before = dump(world.engine)

    for act in (take_out, see):
        with pytest.raises(Refused) as caught:
            act(world)
        assert caught.value.code == "already_replaced"

    assert dump(world.engine) == before


def test_who_was_seen_is_not_replaced(world: World) -> None:
    see(world)

    with pytest.raises(Refused) as caught:
        take_out(world, at=LATER)

    assert caught.value.code == "already_interviewed"


def test_who_withdraws_after_the_draw_shows_as_to_replace_and_can_be(world: World) -> None:
    world.act(AMELIE, Trigger.WITHDRAW, Role.TEACHER, EVALUATED_AT)
    assert listed(world)[0] == (AMELIE, "SeGEC", 1, "drawn", True, None)
    with world.engine.begin() as connection:
        before = figures.status(connection, None, EVALUATED_AT)["evaluation"]["sample"]

    take_out(world)

    with world.engine.begin() as connection:
        after = figures.status(connection, None, LATER)["evaluation"]["sample"]
    assert before == {"draw": 1, "people": 3, "drawn": 2, "interviewed": 0, "replaced": 0, "to_replace": 1}
    assert after == {"draw": 1, "people": 3, "drawn": 2, "interviewed": 0, "replaced": 1, "to_replace": 0}
    assert world.state(AMELIE) == "withdrawn"


def test_who_withdrew_does_not_take_anybodys_place(world: World) -> None:
    world.act(BASILE, Trigger.WITHDRAW, Role.TEACHER, EVALUATED_AT)

    assert take_out(world).by is None


def test_erasing_somebody_replaced_empties_the_reason(world: World) -> None:
    take_out(world, reason="Amélie Quenouille est malade.")
    answer(world, at=LATER)
    with world.engine.begin() as connection:
        ifc = worlds.own(connection, Role.COORDINATOR, AMELIE)
        erasure.erase(connection, "amelie@saint-exemple.example", ifc, Occasion(LATER, LATER))

    assert world.one("SELECT count(*) FROM journal_text WHERE text LIKE '%Quenouille%'") == 0
    assert [row[0] for row in listed(world)] == [AMELIE, BASILE, CELINE]
    world.assert_chains_hold()


def test_sample_before_any_draw_is_empty(undrawn: World) -> None:
    with undrawn.engine.begin() as connection:
        assert sampled.sample(connection, None) == {"edition": "MINI", "draw": None, "drawn": []}


def test_draw_can_be_done_again_from_what_is_told(world: World) -> None:
    """Whoever has the list, the seed and the rule finds the same people."""
    with world.engine.begin() as connection:
        shown = sampled.sample(connection, None)["draw"]
        people = drawing.people_of(connection, 1, State(shown["since"]), tuple(Stratum(s) for s in shown["strata"]))
        rule = reading.rules_for(connection, 1).sample

    assert rule is not None
    assert sampling.fingerprint(people) == shown["fingerprint"]
    assert [pick.reference for pick in sampling.draw(replace(rule, seed=shown["seed"]), people)] == [AMELIE, CELINE]
