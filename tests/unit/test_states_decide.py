"""`decide`: pure, and everything that follows from an act follows at once, place and relay included."""

import copy
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest

from notifications.catalogue import CATALOGUE
from states.decide import Decision, Pulled, decide, justified_state
from states.names import (
    DeadlineStatus,
    Effect,
    FactKind,
    Guard,
    Kind,
    Role,
    State,
    Subject,
    Trigger,
)
from states.names import HandoffStatus as H
from states.names import PlacementStatus as P
from states.process import START, Row
from states.snapshot import Command, fact_of
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, PLACEMENT, RETURN
from tests.unit.test_states_examples import (
    AFTER,
    BEFORE,
    GIVEN_UP,
    PROCESSES,
    REASON,
    RULES,
    ask,
    granted,
    misaligned,
    refused,
    stands,
)

HELD = (P.PROPOSED, P.OFFERED, P.CONFIRMED)


def moves(decision: Decision) -> list[tuple[Subject, str, str, str]]:
    """The rows taken, in order, as they will stand in the journal."""
    return [(step.subject, str(step.trigger), str(step.before), str(step.after)) for step in decision.pulled]


def told(decision: Decision) -> list[Kind]:
    return [kind for step in decision.pulled for kind in step.tells]


# --------------------------------------------------------------------------------------------------------------- purity
@pytest.mark.parametrize("version", PROCESSES)
def test_decision_is_the_same_for_the_same_question_and_changes_nothing_of_it(version: str) -> None:
    process = PROCESSES[version]
    for state in (START, *process.states):
        for trigger in process.triggers:
            seen = stands(state, version)
            command = Command(trigger, Role.COORDINATOR, AFTER, REASON, {"to": "prepared", "half_days": 4})
            before = copy.deepcopy((seen, command))

            answers = [decide(process, process, RULES[version], seen, command) for _ in range(2)]

            assert (answers[0], (seen, command)) == (answers[1], before)


def test_decision_does_not_share_its_facts_with_the_question() -> None:
    """What is recorded afterwards is a new mapping: the snapshot that was read stays as it was read."""
    facts = {FactKind.APPROVAL: date(2019, 1, 10)}
    seen = stands("director_approved", role=Role.TEACHER, facts=facts)

    after = granted(ask(seen, Trigger.CONFIRM_PREPARATION)).after

    assert facts == {FactKind.APPROVAL: date(2019, 1, 10)}
    assert set(after.facts) == {FactKind.APPROVAL, FactKind.PREPARATION}


# --------------------------------------------------------------------------------------------------------- plain acts
def test_registering_enters_the_first_state_and_asks_for_approval() -> None:
    decision = granted(ask(stands(START, role=Role.SYSTEM), Trigger.REGISTER, at=BEFORE))

    assert moves(decision) == [(Subject.PARTICIPATION, "register", "-", "registered")]
    assert (told(decision), decision.effects) == ([Kind.APPROVAL_REQUESTED], ())


def test_approval_makes_progress_look_again() -> None:
    decision = granted(ask(stands("registered", role=Role.DIRECTOR), Trigger.APPROVE, at=BEFORE))

    assert decision.effects == (Effect.LOOK_AGAIN,)
    assert told(decision) == [Kind.REGISTRATION_APPROVED]


@pytest.mark.parametrize(
    ("version", "state", "trigger", "role", "fact"),
    [
        ("2018", "registered", Trigger.APPROVE, Role.DIRECTOR, FactKind.APPROVAL),
        ("2018", "director_approved", Trigger.CONFIRM_PREPARATION, Role.TEACHER, FactKind.PREPARATION),
        ("2014", "prepared", Trigger.CONFIRM_OBSERVATION, Role.COMPANY, FactKind.OBSERVATION),
        ("2018", "prepared", Trigger.CONFIRM_IMMERSION, Role.COMPANY, FactKind.PRESENCE),
        ("2018", "immersed", Trigger.CONFIRM_TRANSFER, Role.INSTITUTE, FactKind.TRANSFER),
        ("2018", "transferred", Trigger.EVALUATE, Role.TEACHER, FactKind.EVALUATION),
    ],
)
def test_step_of_the_path_records_its_fact_on_the_local_day(
    version: str, state: str, trigger: Trigger, role: Role, fact: FactKind
) -> None:
    late_evening = AFTER.replace(hour=23, minute=30)  # already the day after in Brussels

    after = granted(ask(stands(state, version, role), trigger, version=version, at=late_evening)).after

    assert after.facts[fact] == date(2019, 3, 19)
    assert fact_of(after.state) == fact


def test_step_of_the_path_keeps_the_day_of_a_fact_that_was_known_before() -> None:
    known = {**stands("director_approved").facts, FactKind.PREPARATION: date(2019, 2, 1)}
    seen = stands("director_approved", role=Role.SYSTEM, facts=known)

    assert granted(ask(seen, Trigger.CONFIRM_PREPARATION)).after.facts == known


@pytest.mark.parametrize(
    ("recorded", "data", "after"),
    [(None, {"half_days": 4}, 4), (None, {"half_days": 3}, 3), (3, {}, 3), (3, {"half_days": 4}, 3)],
)
def test_confirmed_immersion_keeps_the_presence_recorded_or_attested(
    recorded: int | None, data: dict[str, Any], after: int
) -> None:
    """What is recorded by half-day outweighs a word."""
    seen = stands("prepared", role=Role.COMPANY, half_days=recorded)

    assert granted(ask(seen, Trigger.CONFIRM_IMMERSION, **data)).after.half_days == after


# ---------------------------------------------------------------------------------------------------------- joined acts
def test_confirmed_immersion_requests_a_handoff() -> None:
    decision = granted(ask(stands("prepared", role=Role.COMPANY), Trigger.CONFIRM_IMMERSION))

    assert moves(decision) == [
        (Subject.PARTICIPATION, "confirm_immersion", "prepared", "immersed"),
        (Subject.HANDOFF, "request", "-", "to_route"),
    ]
    assert decision.effects == (Effect.ROUTE_AGAIN,)


@pytest.mark.parametrize("role", [Role.INSTITUTE, Role.COORDINATOR])
def test_confirmed_transfer_completes_the_handoff_and_brings_the_relay_back(role: Role) -> None:
    decision = granted(ask(stands("immersed", role=role, receiver_is_ifc=True), Trigger.CONFIRM_TRANSFER))

    assert moves(decision) == [
        (Subject.PARTICIPATION, "confirm_transfer", "immersed", "transferred"),
        (Subject.HANDOFF, "complete", "accepted", "completed"),
        (Subject.RETURN, "request", "-", "offered"),
    ]


def test_declined_handoff_asks_for_a_new_round_and_tells_ifc() -> None:
    seen = stands("immersed", role=Role.INSTITUTE, handoff=H.OFFERED)

    decision = granted(ask(seen, Trigger.DECLINE, process=HANDOFF, reason=REASON))

    assert moves(decision) == [
        (Subject.HANDOFF, "decline", "offered", "declined"),
        (Subject.HANDOFF, "request", "declined", "to_route"),
    ]
    assert (told(decision), decision.effects) == ([Kind.HANDOFF_DECLINED], (Effect.ROUTE_AGAIN,))


def test_handoff_that_timed_out_asks_for_a_new_round() -> None:
    seen = stands("immersed", role=Role.SYSTEM, handoff=H.OFFERED)

    decision = granted(ask(seen, Trigger.TIME_OUT, process=HANDOFF))

    assert decision.after.handoff == H.TO_ROUTE


@pytest.mark.parametrize(
    ("trigger", "role", "placement"),
    [
        *product([Trigger.WITHDRAW], [Role.TEACHER, Role.DIRECTOR, Role.COORDINATOR], HELD),
        *product([Trigger.CANCEL], [Role.COORDINATOR], HELD),
        *product([Trigger.CANCEL], [Role.SYSTEM], [P.PROPOSED, P.OFFERED]),  # never who has a confirmed place
        *product([Trigger.LAPSE], [Role.SYSTEM], HELD),
    ],
)
def test_giving_up_before_the_immersion_releases_the_seat(trigger: Trigger, role: Role, placement: P) -> None:
    seen = stands("prepared", role=role, placement=placement)

    decision = granted(ask(seen, trigger, at=BEFORE))

    assert moves(decision)[1:] == [(Subject.PLACEMENT, "release", placement, "released")]
    assert {Effect.FREE_SEAT, Effect.LEAVE_WAITING_LISTS} <= set(decision.effects)


def test_company_is_told_when_its_trainee_withdraws() -> None:
    decision = granted(ask(stands("prepared", role=Role.TEACHER), Trigger.WITHDRAW, at=BEFORE))

    assert told(decision) == [Kind.PARTICIPATION_WITHDRAWN, Kind.TRAINEE_WITHDRAWN]


def test_teacher_is_told_when_the_company_takes_the_place_back() -> None:
    decision = granted(ask(stands("prepared", role=Role.COMPANY), Trigger.RELEASE, process=PLACEMENT, at=BEFORE))

    assert (told(decision), decision.after.state) == ([Kind.PLACE_LOST], "prepared")
    assert decision.effects == (Effect.FREE_SEAT, Effect.LOOK_AGAIN)


@pytest.mark.parametrize("handoff", [H.TO_ROUTE, H.HELD, H.OFFERED, H.ACCEPTED])
@pytest.mark.parametrize(
    ("trigger", "role"),
    [
        (Trigger.WITHDRAW, Role.TEACHER),
        (Trigger.WITHDRAW, Role.DIRECTOR),
        (Trigger.WITHDRAW, Role.COORDINATOR),
        (Trigger.LAPSE, Role.SYSTEM),
    ],
)
def test_giving_up_after_the_immersion_closes_the_handoff_and_keeps_the_used_seat(
    handoff: H, trigger: Trigger, role: Role
) -> None:
    decision = granted(ask(stands("immersed", role=role, handoff=handoff), trigger))

    assert moves(decision)[1:] == [(Subject.HANDOFF, "close", handoff, "closed")]
    assert decision.after.placement == P.CONFIRMED


@pytest.mark.parametrize("handoff", [H.OFFERED, H.ACCEPTED])
def test_institute_is_told_when_a_handoff_it_knew_of_is_closed(handoff: H) -> None:
    seen = stands("immersed", role=Role.TEACHER, handoff=handoff)

    assert told(granted(ask(seen, Trigger.WITHDRAW))) == [Kind.PARTICIPATION_WITHDRAWN, Kind.HANDOFF_CLOSED]


def test_giving_up_after_the_transfer_closes_the_return_and_leaves_the_completed_handoff() -> None:
    decision = granted(ask(stands("transferred", role=Role.TEACHER), Trigger.WITHDRAW))

    assert moves(decision)[1:] == [(Subject.RETURN, "close", "accepted", "closed")]
    assert decision.after.handoff == H.COMPLETED


def test_absence_keeps_the_seat_that_was_lost() -> None:
    decision = granted(ask(stands("prepared", role=Role.COMPANY), Trigger.RECORD_ABSENCE))

    assert (decision.after.placement, decision.effects) == (P.CONFIRMED, (Effect.LEAVE_WAITING_LISTS,))


def test_confirmed_place_takes_people_off_the_waiting_lists_and_announces_them() -> None:
    seen = stands("director_approved", role=Role.SYSTEM, placement=P.PROPOSED)

    decision = granted(ask(seen, Trigger.CONFIRM, process=PLACEMENT, at=BEFORE))

    assert decision.effects == (Effect.LEAVE_WAITING_LISTS, Effect.LOOK_AGAIN)
    assert told(decision) == [Kind.PLACE_CONFIRMED, Kind.TRAINEE_ANNOUNCED]


@pytest.mark.parametrize(("trigger", "status"), [(Trigger.REFUSE, P.REFUSED), (Trigger.EXPIRE, P.EXPIRED)])
def test_seat_that_is_not_taken_is_freed(trigger: Trigger, status: P) -> None:
    role = Role.TEACHER if trigger is Trigger.REFUSE else Role.SYSTEM
    seen = stands("prepared", role=role, placement=P.OFFERED)

    decision = granted(ask(seen, trigger, process=PLACEMENT, at=BEFORE))

    assert (decision.after.placement, decision.effects) == (status, (Effect.FREE_SEAT, Effect.LOOK_AGAIN))


@pytest.mark.parametrize("placement", HELD)
def test_declined_participation_gives_back_the_seat_it_held_when_it_was_corrected_to_registered(placement: P) -> None:
    corrected = granted(
        ask(stands("prepared", placement=placement), Trigger.CORRECT, at=BEFORE, reason=REASON, to="registered")
    ).after
    seen = replace(corrected, relations=frozenset({Role.DIRECTOR}))

    decision = granted(ask(seen, Trigger.DECLINE, at=BEFORE))

    assert misaligned(decision.after) == []


# ----------------------------------------------------------------------------------------------------------- correction
@pytest.mark.parametrize("version", PROCESSES)
def test_correction_leads_from_every_state_to_every_state_with_place_and_relay_aligned(version: str) -> None:
    process = PROCESSES[version]
    pairs = [(before, after) for before in process.states for after in process.states]

    wrong = {}
    for before, after in pairs:
        decision = granted(ask(stands(before, version), Trigger.CORRECT, version=version, reason=REASON, to=after))
        if decision.after.state != after or misaligned(decision.after):
            wrong[before, after] = (decision.after.state, misaligned(decision.after))

    assert wrong == {}


@pytest.mark.parametrize("version", PROCESSES)
def test_correction_makes_the_facts_those_of_the_state_it_names(version: str) -> None:
    process = PROCESSES[version]

    facts = {
        after: set(
            granted(
                ask(stands("transferred", version), Trigger.CORRECT, version=version, reason=REASON, to=after)
            ).after.facts
        )
        for after in process.path
    }

    assert facts == {state: set(stands(state, version).facts) for state in process.path}


def test_correction_off_the_path_keeps_the_facts() -> None:
    seen = stands("prepared")

    after = granted(ask(seen, Trigger.CORRECT, reason=REASON, to="lapsed")).after

    assert after.facts == seen.facts


@pytest.mark.parametrize(
    ("before", "after", "handoff"),
    [
        ("prepared", "immersed", H.TO_ROUTE),
        ("prepared", "transferred", H.COMPLETED),
        ("immersed", "evaluated", H.COMPLETED),
        ("transferred", "immersed", H.TO_ROUTE),
        ("evaluated", "transferred", H.COMPLETED),
        ("evaluated", "prepared", H.CLOSED),
        ("immersed", "prepared", H.CLOSED),
        ("immersed", "immersed", H.ACCEPTED),
        ("immersed", "absent", H.CLOSED),
        ("registered", "prepared", None),
    ],
)
def test_correction_moves_the_relay_as_an_entry_into_that_state_would(
    before: str, after: str, handoff: H | None
) -> None:
    decision = granted(ask(stands(before), Trigger.CORRECT, reason=REASON, to=after))

    assert decision.after.handoff == handoff


@pytest.mark.parametrize(
    ("before", "after", "returned"),
    [
        ("prepared", "immersed", None),
        ("prepared", "transferred", H.OFFERED),
        ("immersed", "evaluated", H.COMPLETED),
        ("transferred", "immersed", H.CLOSED),
        ("transferred", "transferred", H.ACCEPTED),
        ("transferred", "withdrawn", H.CLOSED),
        ("evaluated", "transferred", H.OFFERED),
        ("evaluated", "evaluated", H.COMPLETED),
        ("evaluated", "prepared", H.CLOSED),
    ],
)
def test_correction_moves_the_return_as_an_entry_into_that_state_would(
    before: str, after: str, returned: H | None
) -> None:
    decision = granted(ask(stands(before), Trigger.CORRECT, reason=REASON, to=after))

    assert decision.after.returned == returned


def test_return_is_sent_back_once_and_then_once_more_only_after_a_new_transfer() -> None:
    """A withdrawal and a reinstatement begin anew; a second refusal of the same return does not."""
    first = granted(ask(stands("transferred", returned=H.HELD), Trigger.DECLINE, process=RETURN, reason=REASON))
    again = replace(first.after, returned=H.HELD)
    closed = replace(again, returned=H.CLOSED)
    anew = granted(ask(closed, Trigger.CORRECT, reason=REASON, to="transferred"))

    assert (first.after.returned, first.after.sent_back) == (H.TO_ROUTE, True)
    assert refused(ask(again, Trigger.DECLINE, process=RETURN, reason=REASON)).code == "not_sent_back"
    assert (anew.after.returned, anew.after.sent_back) == (H.OFFERED, False)


@pytest.mark.parametrize("after", sorted(GIVEN_UP))
def test_correction_to_given_up_frees_the_seat(after: str) -> None:
    decision = granted(ask(stands("prepared"), Trigger.CORRECT, reason=REASON, to=after))

    assert decision.after.placement == P.RELEASED
    assert Effect.FREE_SEAT in decision.effects


@pytest.mark.parametrize("after", ["withdrawn", "lapsed"])
@pytest.mark.parametrize("before", ["immersed", "transferred"])
def test_correction_after_the_immersion_keeps_the_used_seat_as_giving_up_would(before: str, after: str) -> None:
    trigger, role = {"withdrawn": (Trigger.WITHDRAW, Role.TEACHER), "lapsed": (Trigger.LAPSE, Role.SYSTEM)}[after]
    ordinary = granted(ask(stands(before, role=role), trigger)).after

    corrected = granted(ask(stands(before), Trigger.CORRECT, reason=REASON, to=after)).after

    assert (corrected.placement, corrected.handoff) == (ordinary.placement, ordinary.handoff)


def test_correction_between_two_ends_keeps_the_seat_that_was_used() -> None:
    """Withdrawn after the immersion, then said to have lapsed: the internship took place all the same."""
    withdrawn = granted(ask(stands("immersed"), Trigger.WITHDRAW)).after

    corrected = granted(ask(withdrawn, Trigger.CORRECT, reason=REASON, to="lapsed")).after

    assert (withdrawn.placement, corrected.placement) == (P.CONFIRMED, P.CONFIRMED)


@pytest.mark.parametrize("after", sorted({*GIVEN_UP, State.ABSENT}))
def test_correction_off_the_path_takes_people_off_the_waiting_lists(after: str) -> None:
    seen = stands("director_approved", placement=None)

    decision = granted(ask(seen, Trigger.CORRECT, reason=REASON, to=after))

    assert Effect.LEAVE_WAITING_LISTS in decision.effects


@pytest.mark.parametrize(
    ("before", "after", "changes", "overrode"),
    [
        ("registered", "director_approved", {}, (Guard.HAS_NO_SCHOOL,)),
        ("registered", "director_approved", {"has_school": False}, ()),
        (
            "prepared",
            "immersed",
            {"placement": None},
            (Guard.PLACE_CONFIRMED, Guard.DATES_KNOWN, Guard.LAST_DAY_OVER, Guard.PRESENCE_SUFFICIENT),
        ),
        ("prepared", "immersed", {"half_days": 2}, (Guard.PRESENCE_SUFFICIENT,)),
        ("prepared", "immersed", {"half_days": 4}, ()),
        ("immersed", "transferred", {"handoff": H.OFFERED}, (Guard.HANDOFF_ACCEPTED,)),
        ("prepared", "absent", {"placement": None}, (Guard.PLACE_CONFIRMED, Guard.DATES_KNOWN, Guard.FIRST_DAY_BEGUN)),
        ("prepared", "cancelled", {}, ()),
        ("prepared", "director_approved", {}, ()),  # backwards: nothing stood in the way
        ("transferred", "evaluated", {}, ()),
    ],
)
def test_correction_names_the_guards_it_overrode_and_no_other(
    before: str, after: str, changes: dict[str, Any], overrode: tuple[Guard, ...]
) -> None:
    decision = granted(ask(stands(before, **changes), Trigger.CORRECT, reason=REASON, to=after))

    assert decision.pulled[0].overrode == overrode


def test_ordinary_act_overrides_no_guard() -> None:
    decision = granted(ask(stands("immersed", role=Role.INSTITUTE), Trigger.CONFIRM_TRANSFER))

    assert [step.overrode for step in decision.pulled] == [(), (), ()]


# -------------------------------------------------------------------------------------------------------- reinstatement
A, PREP, OBS, PRES, TRANS, EVAL, *_ = FactKind
DAY = date(2019, 1, 10)
KEPT_SEAT: dict[str, Any] = {"placement": P.CONFIRMED}


@pytest.mark.parametrize(
    ("version", "facts", "changes", "state"),
    [
        ("2018", (), {}, "registered"),
        ("2018", (A,), {}, "director_approved"),
        ("2018", (PREP,), {}, "registered"),  # a gap: the director never approved
        ("2018", (A, PREP), {}, "prepared"),
        ("2018", (A, PREP, PRES), {**KEPT_SEAT, "half_days": 3}, "immersed"),
        ("2018", (A, PREP, PRES), {**KEPT_SEAT, "half_days": 2}, "prepared"),
        ("2018", (A, PREP, PRES), {**KEPT_SEAT, "half_days": None}, "prepared"),
        ("2018", (A, PREP, PRES), {"half_days": 4}, "prepared"),  # presence, but the seat is gone
        ("2018", (A, PREP, PRES, TRANS), {**KEPT_SEAT, "half_days": 4}, "immersed"),  # no completed handoff
        ("2018", (A, PREP, PRES, TRANS), {**KEPT_SEAT, "half_days": 4, "handoff": H.COMPLETED}, "transferred"),
        ("2018", (A, PREP, PRES, TRANS, EVAL), {**KEPT_SEAT, "half_days": 4, "handoff": H.COMPLETED}, "evaluated"),
        ("2018", (A, OBS), {}, "director_approved"),  # four steps know no observation
        ("2014", (A, PREP), {}, "prepared"),
        ("2014", (A, PREP, OBS), {}, "prepared"),
        ("2014", (A, PREP, OBS), KEPT_SEAT, "observed"),
        ("2014", (A, PREP, PRES), {**KEPT_SEAT, "half_days": 4}, "prepared"),  # a gap: not observed
        ("2014", (A, PREP, OBS, PRES), {**KEPT_SEAT, "half_days": 4}, "immersed"),
    ],
)
def test_reinstatement_leads_where_the_recorded_facts_justify(
    version: str, facts: tuple[FactKind, ...], changes: dict[str, Any], state: str
) -> None:
    seen = stands("withdrawn", version, facts=dict.fromkeys(facts, DAY), **changes)

    decision = granted(ask(seen, Trigger.REINSTATE, version=version, reason=REASON))

    assert decision.after.state == state == justified_state(PROCESSES[version], RULES[version], seen)
    assert misaligned(decision.after) == []
    assert decision.after.facts == seen.facts


@pytest.mark.parametrize("before", ["registered", "director_approved", "prepared", "immersed", "transferred"])
def test_withdrawal_by_mistake_is_undone_by_reinstatement(before: str) -> None:
    withdrawn = granted(ask(stands(before, role=Role.TEACHER), Trigger.WITHDRAW)).after
    seen = replace(withdrawn, relations=frozenset({Role.COORDINATOR}))

    decision = granted(ask(seen, Trigger.REINSTATE, reason=REASON))

    assert decision.after.state == before
    assert misaligned(decision.after) == []


def test_reinstated_after_immersion_gets_a_new_round_of_the_relay() -> None:
    seen = stands("withdrawn", facts=stands("immersed").facts, half_days=4, handoff=H.CLOSED, **KEPT_SEAT)

    decision = granted(ask(seen, Trigger.REINSTATE, reason=REASON))

    assert moves(decision) == [
        (Subject.PARTICIPATION, "reinstate", "withdrawn", "immersed"),
        (Subject.HANDOFF, "request", "closed", "to_route"),
    ]
    assert decision.effects == (Effect.LOOK_AGAIN, Effect.LEAVE_WAITING_LISTS, Effect.ROUTE_AGAIN)


# ---------------------------------------------------------------------------------------------------------------- words
def decisions() -> list[tuple[str, Decision]]:
    """One decision of every row of every table, taken where its guards hold."""
    found = []
    for version, process in PARTICIPATION_PROCESSES.items():
        for table, state, role, changes in _occasions(version):
            for trigger in table.triggers:
                seen = stands(state, version, role, **changes)
                command = Command(trigger, role, AFTER, REASON, {"receiver": 7, "to": "prepared", "half_days": 4})
                answer = decide(table, process, RULES[version], seen, command)
                if isinstance(answer, Decision):
                    found.append((f"{table.subject} {trigger} by {role} in {state} {changes}", answer))
    return found


def _occasions(version: str) -> list[tuple[Any, str, Role, dict[str, Any]]]:
    process = PARTICIPATION_PROCESSES[version]
    return [
        *((process, state, role, {"has_school": school}) for state in process.states for role in Role
          for school in (True, False)),
        *((PLACEMENT, state, role, {"placement": status}) for state in ("prepared", "withdrawn") for role in Role
          for status in (None, *P)),
        *((HANDOFF, state, role, {"handoff": status}) for state in ("immersed", "withdrawn", "transferred")
          for role in Role for status in (None, *H)),
        (HANDOFF, "immersed", Role.SYSTEM, {"handoff": H.TO_ROUTE, "half_days": None}),
    ]  # fmt: skip


def test_what_is_told_is_still_true_once_the_act_is_done() -> None:
    """A message that its own act makes stale would be dropped on its way out, always."""
    stale = {
        (str(kind), name.split(" in ")[0])
        for name, decision in decisions()
        for kind in told(decision)
        if (about := CATALOGUE[kind].about) and not CATALOGUE[kind].is_true_in(decision.after.state_of(about))
    }

    assert stale == set()


def test_every_row_of_the_tables_is_among_the_decisions_tried() -> None:
    tried = {(step.subject, step.trigger, step.tells) for _, decision in decisions() for step in decision.pulled}
    rows = {
        (table.subject, row.trigger, row.tells)
        for table in (*PARTICIPATION_PROCESSES.values(), PLACEMENT, HANDOFF)
        for row in table.rows
    }

    assert rows - tried == {(Subject.PARTICIPATION, Trigger.REGISTER, (Kind.APPROVAL_REQUESTED,))}  # not from a state


def test_steps_of_a_decision_follow_each_other() -> None:
    """Within a subject each step begins where the one before ended, and the last is what is seen afterwards."""
    broken: list[tuple[str, object]] = []
    for name, decision in decisions():
        ends: dict[Subject, str] = {}
        for step in decision.pulled:
            if ends.setdefault(step.subject, step.before) != step.before:
                broken.append((name, step))
            ends[step.subject] = step.after
        broken += [(name, end) for subject, end in ends.items() if decision.after.state_of(subject) != end]

    assert broken == []


def test_refused_joined_act_refuses_the_whole() -> None:
    """Were the committee to withdraw people, the seat's own table would still not let it release the place."""
    row = Row(Trigger.WITHDRAW, ("prepared",), "withdrawn", (Role.COMMITTEE,), effects=(Effect.RELEASE_PLACE,))
    process = replace(PROCESSES["2018"], rows=(row,))
    command = Command(Trigger.WITHDRAW, Role.COMMITTEE, BEFORE)

    answer = refused(decide(process, process, RULES["2018"], stands("prepared", role=Role.COMMITTEE), command))

    assert (answer.code, answer.params["subject"]) == ("wrong_role", Subject.PLACEMENT)


def test_deadline_ends_as_met_only_by_the_act_that_was_owed() -> None:
    done = granted(ask(stands("transferred", role=Role.TEACHER), Trigger.EVALUATE))
    given_up = granted(ask(stands("transferred", role=Role.TEACHER), Trigger.WITHDRAW))

    assert {end.rule: end.status for end in done.ended} == {
        "evaluation": DeadlineStatus.MET,
        "closing": DeadlineStatus.CLOSED,
    }
    assert {end.rule: end.status for end in given_up.ended} == {
        "evaluation": DeadlineStatus.CLOSED,
        "closing": DeadlineStatus.CLOSED,
    }


@pytest.mark.parametrize("trigger", sorted(RETURN.triggers))
def test_state_that_the_table_does_not_know_refuses_everything(trigger: Trigger) -> None:
    """As in a database that somebody repaired by hand: a round of a return is never timed out by the system."""
    seen = replace(stands("transferred"), returned=H.TIMED_OUT)

    refusal = refused(ask(seen, trigger, process=RETURN))

    assert (refusal.code, refusal.state, refusal.allowed) == ("wrong_state", "timed_out", ())


def test_role_that_may_not_is_refused_before_anything_is_looked_at() -> None:
    assert refused(ask(stands("prepared", role=Role.COMMITTEE), Trigger.WITHDRAW)).code == "wrong_role"


def test_pulled_step_is_plain_data() -> None:
    step = Pulled(Subject.PARTICIPATION, Trigger.APPROVE, "registered", "director_approved", ())

    assert step == copy.deepcopy(step)
