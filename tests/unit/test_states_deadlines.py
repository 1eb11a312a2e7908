"""Deadlines follow from where a subject stands: which rules hang, from which day, how they end, when they fall."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from core.workdays import Calendar
from states.deadlines import Ended, Hung, Opened, Standing, due, standing
from states.decide import Decision, deadline_changes
from states.names import Anchor, DeadlineStatus, Role, StepAction, Subject, Trigger
from states.names import DeadlineStatus as D
from states.names import HandoffStatus as H
from states.names import PlacementStatus as P
from states.process import START
from states.rules import RuleKey, Step
from states.snapshot import Command, Snapshot
from states.tables import HANDOFF, PLACEMENT, RETURN
from tests.unit.test_states_examples import (
    AFTER,
    BEFORE,
    BRUSSELS,
    CALENDAR,
    CLOSING,
    FIRST_DAY,
    LAST_DAY,
    PLACEMENT_CUTOFF,
    PROCESSES,
    REASON,
    RULES,
    ask,
    granted,
    rules,
    stands,
)

TODAY = date(2019, 1, 14)
PART, RELAY, BACK = Subject.PARTICIPATION, Subject.HANDOFF, Subject.RETURN
UNPLACED: dict[str, Any] = {"placement": None, "seat_first_day": None, "seat_last_day": None}
UNDATED: dict[str, Any] = {"seat_first_day": None, "seat_last_day": None}


def ends(decision: Decision) -> dict[tuple[Subject, str], DeadlineStatus]:
    return {(end.subject, end.rule): end.status for end in decision.ended}


def opens(decision: Decision) -> dict[tuple[Subject, str], list[DeadlineStatus]]:
    opened: dict[tuple[Subject, str], list[DeadlineStatus]] = {}
    for step in decision.opened:
        opened.setdefault((step.subject, step.rule), []).append(step.status)
    return opened


def days(hanging: Mapping[str, Standing]) -> dict[str, date | None]:
    """The day that each rule counts from: one for all of its steps in the editions here."""
    found = {rule: {hung.day for hung in hangs.steps} for rule, hangs in hanging.items()}
    return {rule: day for rule, (day,) in found.items()}


def at(day: int, month: int, year: int = 2019, hour: int = 8) -> datetime:
    """A local moment."""
    return datetime(year, month, day, hour, tzinfo=BRUSSELS)


# ------------------------------------------------------------------------------------------------------- what hangs
@pytest.mark.parametrize(
    ("version", "state", "changes", "expected"),
    [
        ("2018", START, {}, {}),
        ("2018", "registered", {}, {"approval": TODAY, "closing": CLOSING}),
        ("2018", "director_approved", {}, {"preparation": FIRST_DAY, "closing": CLOSING}),
        ("2018", "director_approved", UNDATED, {"preparation": None, "closing": CLOSING}),
        (
            "2018",
            "director_approved",
            UNPLACED,
            {"preparation": None, "place": PLACEMENT_CUTOFF, "closing": CLOSING},
        ),
        ("2018", "prepared", {}, {"presence": LAST_DAY, "closing": CLOSING}),
        ("2018", "prepared", UNPLACED, {"presence": None, "place": PLACEMENT_CUTOFF, "closing": CLOSING}),
        ("2014", "prepared", {}, {"observation": FIRST_DAY, "closing": CLOSING}),
        ("2014", "observed", {}, {"presence": LAST_DAY, "closing": CLOSING}),
        ("2014", "observed", UNPLACED, {"presence": None, "place": PLACEMENT_CUTOFF, "closing": CLOSING}),
        ("2018", "immersed", {}, {"closing": CLOSING}),
        ("2018", "transferred", {}, {"closing": CLOSING}),
        *(("2018", final, {}, {}) for final in ("evaluated", "declined", "withdrawn", "cancelled", "lapsed", "absent")),
    ],
)
def test_rules_hang_where_the_participation_stands(
    version: str, state: str, changes: dict[str, Any], expected: Mapping[str, date | None]
) -> None:
    hanging = standing(PROCESSES[version], RULES[version], stands(state, version, **changes), TODAY)

    assert days(hanging) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, {}),
        (H.TO_ROUTE, {"routing": TODAY}),
        (H.HELD, {"completion": TODAY}),
        (H.OFFERED, {"acceptance": TODAY}),
        (H.ACCEPTED, {"transfer": TODAY}),
        (H.DECLINED, {}),
        (H.TIMED_OUT, {}),
        (H.COMPLETED, {}),
        (H.CLOSED, {}),
    ],
)
def test_rules_hang_where_the_relay_stands(status: H | None, expected: Mapping[str, date]) -> None:
    hanging = standing(HANDOFF, RULES["2018"], stands("immersed", handoff=status), TODAY)

    assert days(hanging) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, {}),
        (H.TO_ROUTE, {"completion": TODAY}),
        (H.OFFERED, {"acceptance": TODAY}),
        (H.HELD, {"acceptance": TODAY}),
        (H.ACCEPTED, {"evaluation": TODAY}),
        (H.DECLINED, {}),
        (H.COMPLETED, {}),
        (H.CLOSED, {}),
    ],
)
def test_rules_hang_where_the_return_stands(status: H | None, expected: Mapping[str, date]) -> None:
    hanging = standing(RETURN, RULES["2018"], stands("transferred", returned=status), TODAY)

    assert days(hanging) == expected


@pytest.mark.parametrize(
    ("before", "trigger", "role", "ended", "opened"),
    [
        (H.OFFERED, Trigger.ACCEPT, Role.COORDINATOR, {"acceptance": D.MET}, {"evaluation"}),
        (H.OFFERED, Trigger.HOLD, Role.SYSTEM, {"acceptance": D.CLOSED}, {"acceptance"}),
        (H.HELD, Trigger.ACCEPT, Role.COORDINATOR, {"acceptance": D.MET}, {"evaluation"}),
        (H.HELD, Trigger.DECLINE, Role.COORDINATOR, {"acceptance": D.CLOSED}, {"completion"}),
        (H.ACCEPTED, Trigger.DECLINE, Role.COORDINATOR, {"evaluation": D.CLOSED}, {"completion"}),
        (H.TO_ROUTE, Trigger.OFFER, Role.INSTITUTE, {"completion": D.MET}, {"acceptance"}),
    ],
)
def test_step_of_the_return_ends_one_deadline_and_opens_the_next(
    before: H, trigger: Trigger, role: Role, ended: dict[str, D], opened: set[str]
) -> None:
    seen = stands("transferred", role=role, returned=before)

    decision = granted(ask(seen, trigger, process=RETURN, reason=REASON))

    assert ends(decision) == {(BACK, rule): status for rule, status in ended.items()}
    assert set(opens(decision)) == {(BACK, rule) for rule in opened}


@pytest.mark.parametrize("status", [P.PROPOSED, P.OFFERED, P.REFUSED, P.EXPIRED, P.RELEASED])
def test_seat_that_is_not_confirmed_leaves_the_place_due(status: P) -> None:
    hanging = standing(PROCESSES["2018"], RULES["2018"], stands("director_approved", placement=status), TODAY)

    assert (days(hanging)["place"], days(hanging)["preparation"]) == (PLACEMENT_CUTOFF, None)


def test_rule_without_a_ladder_hangs_nowhere() -> None:
    """A running participation keeps its revision: a rule that its edition never had is not invented for it."""
    ladder = {key: steps for key, steps in RULES["2018"].ladder.items() if key.rule != "place"}

    hanging = standing(PROCESSES["2018"], rules(ladder=ladder), stands("prepared", **UNPLACED), TODAY)

    assert set(hanging) == {"presence", "closing"}


@pytest.mark.parametrize(
    ("anchor", "goes_on"), [(Anchor.ENTRY, False), (Anchor.CLOSING, True), (Anchor.PLACEMENT_CUTOFF, True)]
)
def test_rule_that_counts_from_the_entry_starts_anew_with_each_entry(anchor: Anchor, *, goes_on: bool) -> None:
    """Two states may name the same rule; the same day is not the same entry."""
    steps = RULES["2018"].ladder[RuleKey(PART, "registered", "closing")]
    hung = tuple(Hung(step, anchor, TODAY) for step in steps)
    before, after = (Standing(state, hung) for state in ("registered", "prepared"))

    assert (before.same_as(before), before.same_as(after), before.same_as(None)) == (True, goes_on, False)


# -------------------------------------------------------------------------------------------------- along the path
def test_registration_opens_approval_and_closing_with_the_moments_they_fall_due() -> None:
    decision = granted(ask(stands(START, role=Role.SYSTEM), Trigger.REGISTER, at=BEFORE))

    open_, entry = DeadlineStatus.OPEN, Anchor.ENTRY
    assert decision.ended == ()
    assert decision.opened == (
        Opened(PART, "registered", "approval", 0, entry, at(21, 1).astimezone(UTC), open_),
        Opened(PART, "registered", "approval", 1, entry, at(28, 1).astimezone(UTC), open_),
        Opened(PART, "registered", "approval", 2, entry, at(18, 3).astimezone(UTC), open_),  # past the school holiday
        Opened(PART, "registered", "closing", 0, Anchor.CLOSING, at(28, 6).astimezone(UTC), open_),
    )


def test_approval_meets_its_deadline_opens_the_next_and_keeps_the_closing() -> None:
    decision = granted(ask(stands("registered", role=Role.DIRECTOR), Trigger.APPROVE, at=BEFORE))

    assert ends(decision) == {(PART, "approval"): D.MET}
    assert opens(decision) == {(PART, "preparation"): [D.WAITING] * 2, (PART, "place"): [D.OPEN] * 2}


def test_declined_registration_closes_its_deadlines() -> None:
    decision = granted(ask(stands("registered", role=Role.DIRECTOR), Trigger.DECLINE, at=BEFORE))

    assert (ends(decision), decision.opened) == ({(PART, "approval"): D.CLOSED, (PART, "closing"): D.CLOSED}, ())


def test_preparation_keeps_the_place_and_closing_rules_as_they_are() -> None:
    seen = stands("director_approved", role=Role.TEACHER, **UNPLACED)

    decision = granted(ask(seen, Trigger.CONFIRM_PREPARATION, at=BEFORE))

    assert ends(decision) == {(PART, "preparation"): D.MET}
    assert opens(decision) == {(PART, "presence"): [D.WAITING] * 2}


def test_rule_whose_ladder_differs_in_the_next_state_is_planned_anew() -> None:
    key = RuleKey(PART, "prepared", "place")
    sooner = {**RULES["2018"].ladder, key: (Step(-5, working_days=True, do=StepAction.CANCEL),)}
    seen = stands("director_approved", role=Role.TEACHER, **UNPLACED)

    decision = granted(ask(seen, Trigger.CONFIRM_PREPARATION, at=BEFORE, under=rules(ladder=sooner)))

    assert ends(decision)[PART, "place"] == D.CLOSED
    assert opens(decision)[PART, "place"] == [D.OPEN]


def test_confirmed_immersion_meets_presence_and_opens_routing() -> None:
    decision = granted(ask(stands("prepared", role=Role.COMPANY), Trigger.CONFIRM_IMMERSION))

    assert ends(decision) == {(PART, "presence"): D.MET}
    assert opens(decision) == {(RELAY, "routing"): [D.OPEN] * 2}


def test_confirmed_observation_meets_observation_and_opens_presence() -> None:
    seen = stands("prepared", "2014", Role.COMPANY)

    decision = granted(ask(seen, Trigger.CONFIRM_OBSERVATION, version="2014"))

    assert (ends(decision), set(opens(decision))) == ({(PART, "observation"): D.MET}, {(PART, "presence")})


def test_confirmed_transfer_meets_the_relay_s_deadline_and_opens_the_return_s() -> None:
    decision = granted(ask(stands("immersed", role=Role.INSTITUTE), Trigger.CONFIRM_TRANSFER))

    assert ends(decision) == {(RELAY, "transfer"): D.MET}
    assert opens(decision) == {(BACK, "acceptance"): [D.OPEN] * 2}


@pytest.mark.parametrize(
    ("before", "trigger", "role", "ended", "opened"),
    [
        (H.TO_ROUTE, Trigger.OFFER, Role.SYSTEM, {"routing": D.MET}, {"acceptance"}),
        (H.TO_ROUTE, Trigger.HOLD, Role.COORDINATOR, {"routing": D.CLOSED}, {"completion"}),
        (H.HELD, Trigger.OFFER, Role.COORDINATOR, {"completion": D.MET}, {"acceptance"}),
        (H.OFFERED, Trigger.ACCEPT, Role.INSTITUTE, {"acceptance": D.MET}, {"transfer"}),
        (H.OFFERED, Trigger.DECLINE, Role.INSTITUTE, {"acceptance": D.CLOSED}, {"routing"}),
        (H.OFFERED, Trigger.TIME_OUT, Role.SYSTEM, {"acceptance": D.CLOSED}, {"routing"}),
    ],
)
def test_step_of_the_relay_ends_one_deadline_and_opens_the_next(
    before: H, trigger: Trigger, role: Role, ended: dict[str, D], opened: set[str]
) -> None:
    seen = stands("immersed", role=role, handoff=before)

    decision = granted(ask(seen, trigger, process=HANDOFF, reason=REASON, receiver=7))

    assert ends(decision) == {(RELAY, rule): status for rule, status in ended.items()}
    assert set(opens(decision)) == {(RELAY, rule) for rule in opened}


@pytest.mark.parametrize(
    ("state", "changes", "closed"),
    [
        ("registered", {}, {(PART, "approval"), (PART, "closing")}),
        ("director_approved", {}, {(PART, "preparation"), (PART, "closing")}),
        ("prepared", UNPLACED, {(PART, "presence"), (PART, "place"), (PART, "closing")}),
        ("immersed", {}, {(RELAY, "transfer"), (PART, "closing")}),
        ("transferred", {}, {(BACK, "evaluation"), (PART, "closing")}),
    ],
)
def test_giving_up_closes_every_deadline_and_opens_none(
    state: str, changes: dict[str, Any], closed: set[tuple[Subject, str]]
) -> None:
    decision = granted(ask(stands(state, role=Role.TEACHER, **changes), Trigger.WITHDRAW))

    assert (ends(decision), decision.opened) == (dict.fromkeys(closed, D.CLOSED), ())


def test_correction_closes_and_opens_deadlines_as_an_entry_would() -> None:
    decision = granted(ask(stands("prepared"), Trigger.CORRECT, reason=REASON, to="transferred"))

    assert ends(decision) == {(PART, "presence"): D.CLOSED}
    assert set(opens(decision)) == {(BACK, "acceptance")}


def test_correction_back_opens_the_earlier_deadlines_again() -> None:
    decision = granted(ask(stands("prepared"), Trigger.CORRECT, at=BEFORE, reason=REASON, to="registered"))

    assert ends(decision) == {(PART, "presence"): D.CLOSED}
    assert opens(decision) == {(PART, "approval"): [D.OPEN] * 3}


def test_reinstatement_opens_the_deadlines_of_the_state_it_leads_to() -> None:
    decision = granted(ask(stands("withdrawn"), Trigger.REINSTATE, at=BEFORE, reason=REASON))

    assert (ends(decision), set(opens(decision))) == (
        {},
        {(PART, "presence"), (PART, "place"), (PART, "closing")},
    )


# ------------------------------------------------------------------------------------------------------ place and dates
def test_confirmed_place_with_dates_meets_the_place_rule_and_dates_the_preparation() -> None:
    seen = stands("director_approved", role=Role.SYSTEM, placement=P.PROPOSED)

    decision = granted(ask(seen, Trigger.CONFIRM, process=PLACEMENT, at=BEFORE))

    assert ends(decision) == {(PART, "place"): D.MET, (PART, "preparation"): D.CLOSED}
    assert [step for step in decision.opened if step.rule == "preparation"] == [
        Opened(PART, "director_approved", "preparation", 0, Anchor.FIRST_DAY, at(26, 2).astimezone(UTC), D.OPEN),
        Opened(PART, "director_approved", "preparation", 1, Anchor.FIRST_DAY, at(11, 3).astimezone(UTC), D.OPEN),
    ]


def test_confirmed_place_without_dates_leaves_the_preparation_waiting() -> None:
    seen = stands("director_approved", role=Role.SYSTEM, placement=P.PROPOSED, **UNDATED)

    decision = granted(ask(seen, Trigger.CONFIRM, process=PLACEMENT, at=BEFORE))

    assert (ends(decision), decision.opened) == ({(PART, "place"): D.MET}, ())


def test_released_place_opens_the_place_rule_again_and_the_dates_are_unknown() -> None:
    seen = stands("director_approved", role=Role.COMPANY)

    decision = granted(ask(seen, Trigger.RELEASE, process=PLACEMENT, at=BEFORE))

    assert ends(decision) == {(PART, "preparation"): D.CLOSED}
    assert opens(decision) == {(PART, "place"): [D.OPEN] * 2, (PART, "preparation"): [D.WAITING] * 2}


@pytest.mark.parametrize("status", [P.PROPOSED, P.OFFERED])
def test_released_seat_that_was_never_confirmed_changes_no_deadline(status: P) -> None:
    seen = stands("director_approved", role=Role.SYSTEM, placement=status)

    decision = granted(ask(seen, Trigger.RELEASE, process=PLACEMENT, at=BEFORE))

    assert (decision.ended, decision.opened) == ((), ())


def moved(before: Snapshot, first: date | None, last: date | None) -> tuple[tuple[Ended, ...], tuple[Opened, ...]]:
    after = replace(before, seat_first_day=first, seat_last_day=last)
    command = Command(Trigger.CONFIRM, Role.COORDINATOR, BEFORE)
    return deadline_changes(PROCESSES["2018"], RULES["2018"], before, after, command, [])


def test_waiting_rule_is_dated_when_the_days_become_known() -> None:
    ended, opened = moved(stands("director_approved", **UNDATED), FIRST_DAY, LAST_DAY)

    assert ended == (Ended(PART, "preparation", D.CLOSED),)
    assert [(step.due_at, step.status) for step in opened] == [(at(26, 2), D.OPEN), (at(11, 3), D.OPEN)]


def test_rule_is_planned_anew_when_the_days_move() -> None:
    ended, opened = moved(stands("prepared"), date(2019, 3, 21), date(2019, 3, 22))

    assert ended == (Ended(PART, "presence", D.CLOSED),)
    assert [(step.anchor, step.due_at) for step in opened] == [
        (Anchor.LAST_DAY, at(26, 3)),
        (Anchor.LAST_DAY, at(2, 4)),
    ]


def test_rule_goes_on_when_only_another_day_moves() -> None:
    """Presence counts from the last day: a first day that moves is nothing to it."""
    assert moved(stands("prepared"), date(2019, 3, 12), LAST_DAY) == ((), ())


def test_days_that_become_unknown_again_leave_the_rule_waiting() -> None:
    ended, opened = moved(stands("prepared"), None, None)

    assert ended == (Ended(PART, "presence", D.CLOSED),)
    assert [(step.due_at, step.status) for step in opened] == [(None, D.WAITING)] * 2


@pytest.mark.parametrize("state", ["registered", "immersed", "transferred", "withdrawn"])
def test_moved_days_are_nothing_to_states_without_such_a_rule(state: str) -> None:
    assert moved(stands(state), date(2019, 3, 21), date(2019, 3, 22)) == ((), ())


# ------------------------------------------------------------------------------------------------------------ too late
@pytest.mark.parametrize(
    ("moment", "statuses"),
    [
        (at(26, 2, hour=7), [D.OPEN, D.OPEN]),
        (at(26, 2, hour=8), [D.OPEN, D.OPEN]),  # due this very moment: still sent
        (at(26, 2, hour=9), [D.MISSED, D.OPEN]),
        (at(13, 3), [D.MISSED, D.OPEN]),  # the escalation is past too, but IFC must know
    ],
)
def test_reminder_planned_after_its_moment_is_missed_and_an_escalation_is_not(
    moment: datetime, statuses: list[D]
) -> None:
    seen = stands("director_approved", role=Role.SYSTEM, placement=P.PROPOSED)

    decision = granted(ask(seen, Trigger.CONFIRM, process=PLACEMENT, at=moment.astimezone(UTC)))

    assert opens(decision)[PART, "preparation"] == statuses


def test_end_planned_after_its_moment_still_comes() -> None:
    late = datetime(2019, 7, 1, 8, tzinfo=UTC)

    decision = granted(ask(stands("withdrawn"), Trigger.REINSTATE, at=late, reason=REASON))

    assert opens(decision)[PART, "closing"] == [D.OPEN]


# ---------------------------------------------------------------------------------------------- the moment it falls due
WORKING, CALENDAR_DAYS = True, False


@pytest.mark.parametrize(
    ("anchor", "offset", "working_days", "expected"),
    [
        (date(2019, 1, 14), 5, WORKING, at(21, 1)),  # over a weekend
        (date(2019, 1, 18), 1, WORKING, at(21, 1)),  # Friday -> Monday
        (date(2019, 1, 19), 1, WORKING, at(21, 1)),  # Saturday -> Monday
        (date(2019, 3, 1), 1, WORKING, at(11, 3)),  # over the school holidays of 4 to 8 March
        (date(2019, 3, 6), 1, WORKING, at(11, 3)),  # from within them
        (date(2019, 3, 11), -1, WORKING, at(1, 3)),
        (date(2019, 3, 14), -7, WORKING, at(26, 2)),
        (date(2019, 4, 19), 1, WORKING, at(23, 4)),  # Good Friday is worked, Easter Monday is not
        (date(2019, 4, 30), 1, WORKING, at(2, 5)),  # 1 May
        (date(2019, 5, 29), 1, WORKING, at(31, 5)),  # Ascension
        (date(2019, 6, 7), 1, WORKING, at(11, 6)),  # Whit Monday
        (date(2018, 10, 31), 1, WORKING, at(2, 11, 2018)),  # All Saints
        (date(2018, 12, 31), 1, WORKING, at(2, 1)),  # New Year, into the next year's holidays
        (date(2019, 1, 2), -1, WORKING, at(31, 12, 2018)),
        (date(2019, 7, 19), 1, WORKING, at(22, 7)),  # 21 July on a Sunday
        (date(2019, 1, 14), 0, WORKING, at(14, 1)),
        (date(2019, 1, 19), 0, WORKING, at(21, 1)),  # 0 working days from a Saturday: the Monday
        (date(2019, 5, 1), 0, WORKING, at(2, 5)),
        (date(2019, 1, 19), 0, CALENDAR_DAYS, at(19, 1)),  # 0 days: that day, whatever it is
        (date(2019, 1, 18), 3, CALENDAR_DAYS, at(21, 1)),
        (date(2019, 3, 14), -10, CALENDAR_DAYS, at(4, 3)),  # in the school holidays
        (date(2019, 2, 27), 2, CALENDAR_DAYS, at(1, 3)),
        (date(2019, 4, 5), -15, WORKING, at(15, 3)),
    ],
)
def test_step_falls_due_so_many_days_from_its_anchor(
    anchor: date, offset: int, *, working_days: bool, expected: datetime
) -> None:
    step = Step(offset, working_days=working_days, do=StepAction.REMIND)

    assert due(anchor, step, RULES["2018"]) == expected


@pytest.mark.parametrize(
    ("day", "utc_hour"),
    [
        (date(2019, 3, 30), 7),
        (date(2019, 3, 31), 6),  # the day of the summer clock
        (date(2019, 4, 1), 6),
        (date(2018, 10, 27), 6),
        (date(2018, 10, 28), 7),  # the day of the winter clock
        (date(2018, 10, 29), 7),
    ],
)
def test_step_falls_due_at_the_same_local_hour_on_either_side_of_a_clock_change(day: date, utc_hour: int) -> None:
    moment = due(day, Step(0, working_days=False, do=StepAction.LAPSE), RULES["2018"])

    assert moment == datetime(day.year, day.month, day.day, utc_hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2019, 3, 31), datetime(2019, 3, 31, 1, 30, tzinfo=UTC)),  # half past two does not exist: never lost
        (date(2018, 10, 28), datetime(2018, 10, 28, 0, 30, tzinfo=UTC)),  # exists twice: the first, once
    ],
)
def test_step_at_an_hour_that_the_clock_skips_or_repeats_falls_due_once(day: date, expected: datetime) -> None:
    night = rules(calendar=Calendar(frozenset(), BRUSSELS, time(2, 30)))

    assert due(day, Step(0, working_days=False, do=StepAction.LAPSE), night) == expected


def test_due_moment_is_utc() -> None:
    moment = due(TODAY, Step(0, working_days=True, do=StepAction.REMIND), RULES["2018"])

    assert moment.tzinfo is UTC


def test_due_follows_the_rules_it_is_given() -> None:
    """Two revisions differ by their calendar only: neither may be given the other's answer."""
    step = Step(1, working_days=True, do=StepAction.REMIND)
    without_holidays = rules(calendar=Calendar(frozenset(), BRUSSELS, time(9)))

    answers = [due(date(2019, 3, 1), step, each) for each in (RULES["2018"], without_holidays, RULES["2018"])]

    assert answers == [at(11, 3), at(4, 3, hour=9), at(11, 3)]


def test_example_calendar_is_the_one_these_dates_were_reckoned_with() -> None:
    assert [CALENDAR.is_working(date(2019, 3, day)) for day in (1, 4, 8, 11)] == [True, False, False, True]
    assert at(15, 3) < AFTER
