import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from notifications.catalogue import CATALOGUE
from states.names import Effect, HandoffStatus, Kind, PlacementStatus, Role, State, Subject
from states.process import CHOSEN, JUSTIFIED, Process, Row
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, PLACEMENT, RETURN

STATUSES: Mapping[Subject, type] = {
    Subject.PARTICIPATION: State,
    Subject.PLACEMENT: PlacementStatus,
    Subject.HANDOFF: HandoffStatus,
    Subject.RETURN: HandoffStatus,
}
EDITIONS = sorted((Path(__file__).parents[2] / "editions").glob("*.toml"))


def told() -> Iterator[tuple[Process, Row, Kind]]:
    for process in (*PARTICIPATION_PROCESSES.values(), PLACEMENT, HANDOFF, RETURN):
        for row in process.rows:
            for kind in row.tells:
                yield process, row, kind


def ladder_messages() -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    for path in EDITIONS:
        edition = tomllib.loads(path.read_text(encoding="utf-8"))
        for subject, states in edition["deadlines"].items():
            for state, rules in states.items():
                for rule in rules.values():
                    yield from ((path.stem, subject, state, step) for step in rule["steps"] if "message" in step)


def after(process: Process, row: Row) -> str:
    """Where the subject stands once the row, and the new round that it opens, are written."""
    new_round = process.subject in {Subject.HANDOFF, Subject.RETURN} and (
        {Effect.REQUEST_HANDOFF, Effect.REQUEST_RETURN} & set(row.effects)
    )
    return HandoffStatus.TO_ROUTE if new_round else row.dest


def test_catalogue_has_a_row_for_every_kind() -> None:
    assert set(CATALOGUE) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_still_true_names_statuses_of_one_subject(kind: Kind) -> None:
    spec = CATALOGUE[kind]

    if spec.still_true is None:
        assert spec.about is None
    else:
        assert spec.about is not None
        assert {type(status) for status in spec.still_true} == {STATUSES[spec.about]}


@pytest.mark.parametrize(("process", "row", "kind"), list(told()))
def test_message_told_by_a_row_is_true_right_after_it(process: Process, row: Row, kind: Kind) -> None:
    spec = CATALOGUE[kind]

    assert spec.about in (None, process.subject)
    assert row.dest in (JUSTIFIED, CHOSEN) or spec.is_true_in(after(process, row))


@pytest.mark.parametrize(("edition", "subject", "state", "step"), list(ladder_messages()))
def test_message_of_a_ladder_is_true_in_the_state_that_it_hangs_on(
    edition: str, subject: str, state: str, step: Mapping[str, Any]
) -> None:
    spec = CATALOGUE[Kind(step["message"])]

    assert spec.figures or spec.about == subject  # figures are of any rule, and look at it themselves
    assert spec.is_true_in(state)
    assert spec.audience == step["audience"]  # in our own editions nobody gets a mere copy


def test_reminder_of_an_act_already_done_is_no_longer_true() -> None:
    assert not CATALOGUE[Kind.APPROVAL_REMINDER].is_true_in(State.DIRECTOR_APPROVED)
    assert not CATALOGUE[Kind.HANDOFF_REMINDER].is_true_in(HandoffStatus.ACCEPTED)
    assert not CATALOGUE[Kind.PLACE_CONFIRMED].is_true_in(PlacementStatus.RELEASED)


def test_a_past_fact_is_always_true() -> None:
    assert all(CATALOGUE[Kind.TRAINEE_WITHDRAWN].is_true_in(status) for status in PlacementStatus)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.endswith("_overdue")])
def test_escalation_asks_the_coordinator_to_act(kind: Kind) -> None:
    assert (CATALOGUE[kind].audience, CATALOGUE[kind].act_owed) == (Role.COORDINATOR, True)


def test_the_coordinator_is_told_in_place_of_a_director_where_there_is_no_school() -> None:
    spec = CATALOGUE[Kind.APPROVAL_REQUESTED]

    assert spec.audience_for(has_school=True) == Role.DIRECTOR
    assert spec.audience_for(has_school=False) == Role.COORDINATOR
    assert CATALOGUE[Kind.REGISTRATION_APPROVED].audience_for(has_school=False) == Role.TEACHER


def test_every_director_kind_says_who_is_told_without_a_school() -> None:
    assert all(spec.without_school for spec in CATALOGUE.values() if spec.audience is Role.DIRECTOR)


def test_what_a_teacher_is_told_travels_alone() -> None:
    assert not any(spec.may_fold for spec in CATALOGUE.values() if spec.audience is Role.TEACHER)


def test_a_request_is_sent_again_when_in_doubt() -> None:
    requests = {kind for kind, spec in CATALOGUE.items() if spec.act_owed and not kind.endswith("_overdue")}

    assert {CATALOGUE[kind].if_unknown for kind in requests} == {"resend"}
