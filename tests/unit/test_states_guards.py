"""Each guard where it holds and where it does not, through `decide`, so that its refusal code is what people get."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from states.names import (
    FactKind,
    Guard,
    HandoffStatus,
    PlacementStatus,
    QuestionKind,
    Role,
    State,
    Subject,
    Trigger,
)
from states.process import Process
from states.questionnaire import Question
from states.snapshot import Snapshot
from states.tables import HANDOFF, PLACEMENT, RETURN
from tests.unit.test_states_examples import (
    AFTER,
    BRUSSELS,
    FIRST_DAY,
    LAST_DAY,
    REASON,
    ask,
    granted,
    refused,
    rules,
    stands,
)

PREPARED_FACT = {FactKind.APPROVAL: date(2019, 1, 10), FactKind.PREPARATION: date(2019, 2, 1)}


@dataclass(frozen=True)
class Case:
    """A command that a guard decides: what it sees when the guard holds, and what changes when it does not."""

    guard: Guard
    trigger: Trigger
    role: Role
    state: State
    holds: dict[str, Any] = field(default_factory=dict)
    fails: dict[str, Any] = field(default_factory=dict)
    process: Process | None = None
    version: str = "2018"
    said: dict[str, Any] = field(default_factory=dict)
    unsaid: dict[str, Any] | None = None  # what is asked when the guard fails; the same unless given

    def __str__(self) -> str:
        return f"{self.guard}-{self.trigger}-{self.role}"


IFC, SYSTEM, COMPANY, INSTITUTE = Role.COORDINATOR, Role.SYSTEM, Role.COMPANY, Role.INSTITUTE
CONFIRMED = PlacementStatus.CONFIRMED
OFFERED = HandoffStatus.OFFERED
NOT_DATED = {"seat_first_day": None, "seat_last_day": None}
APPROVED_ONLY: dict[str, Any] = {"facts": {FactKind.APPROVAL: date(2019, 1, 10)}}
IMMERSION = (Trigger.CONFIRM_IMMERSION, COMPANY, State.PREPARED)
ABSENCE = (Trigger.RECORD_ABSENCE, COMPANY, State.PREPARED)
OBSERVATION = (Trigger.CONFIRM_OBSERVATION, COMPANY, State.PREPARED)
MINUTES_EARLY = {"at": datetime(2019, 3, 13, 22, 59, tzinfo=UTC)}  # 23:59 in Brussels, the day before the first day

EVALUATION = (Trigger.EVALUATE, Role.TEACHER, State.TRANSFERRED)
REQUIRED = Question("organisation", "Qu'en pensez-vous ?", QuestionKind.TEXT)
OPTIONAL = replace(REQUIRED, required=False)
ASKED = {"under": rules(questions=(OPTIONAL, REQUIRED))}
ANSWERED = {FactKind.ANSWERS: date(2019, 4, 1)}
DRAWN: dict[str, Any] = {"drawn_on": date(2019, 3, 29)}
SEEN = {FactKind.INTERVIEW: date(2019, 4, 2)}
GONE = {"state": State.WITHDRAWN}
RECORD: dict[str, Any] = {
    "transfer_session": 1,
    "facts": dict.fromkeys((FactKind.ATTENDANCE, FactKind.NOTE), date(2019, 4, 2)),
}
NOTHING_TO_SHOW: tuple[dict[str, Any], ...] = ({"half_days": None}, {"placement": PlacementStatus.RELEASED})
CASES = (
    Case(Guard.HAS_NO_SCHOOL, Trigger.APPROVE, IFC, State.REGISTERED, {"has_school": False}, {"has_school": True}),
    Case(Guard.HAS_NO_SCHOOL, Trigger.DECLINE, IFC, State.REGISTERED, {"has_school": False}, {"has_school": True}),
    Case(
        Guard.PREPARATION_KNOWN,
        Trigger.CONFIRM_PREPARATION,
        SYSTEM,
        State.DIRECTOR_APPROVED,
        {"facts": PREPARED_FACT},
        APPROVED_ONLY,
    ),
    Case(
        Guard.PREPARATION_KNOWN,
        Trigger.CONFIRM_PREPARATION,
        IFC,
        State.DIRECTOR_APPROVED,
        APPROVED_ONLY,
        APPROVED_ONLY,
        said={"reason": REASON},
        unsaid={},
    ),
    Case(Guard.PLACE_CONFIRMED, *IMMERSION, fails={"placement": None}),
    Case(Guard.PLACE_CONFIRMED, *IMMERSION, fails={"placement": PlacementStatus.RELEASED}),
    Case(Guard.PLACE_CONFIRMED, *ABSENCE, fails={"placement": PlacementStatus.OFFERED}),
    Case(Guard.PLACE_CONFIRMED, *OBSERVATION, fails={"placement": PlacementStatus.PROPOSED}, version="2014"),
    Case(Guard.DATES_KNOWN, *IMMERSION, fails=NOT_DATED),
    Case(Guard.DATES_KNOWN, *ABSENCE, fails=NOT_DATED),
    Case(Guard.DATES_KNOWN, *OBSERVATION, fails=NOT_DATED, version="2014"),
    Case(Guard.FIRST_DAY_BEGUN, *ABSENCE, unsaid=MINUTES_EARLY),
    Case(Guard.LAST_DAY_OVER, *IMMERSION, unsaid=MINUTES_EARLY),
    Case(Guard.PRESENCE_SUFFICIENT, *IMMERSION, {"half_days": 3}, {"half_days": 2}),
    Case(Guard.PRESENCE_SUFFICIENT, *IMMERSION, said={"half_days": 3}, unsaid={"half_days": 2}),
    Case(
        Guard.HANDOFF_ACCEPTED,
        Trigger.CONFIRM_TRANSFER,
        INSTITUTE,
        State.IMMERSED,
        {"handoff": HandoffStatus.ACCEPTED},
        {"handoff": OFFERED},
    ),
    Case(
        Guard.HANDOFF_ACCEPTED,
        Trigger.CONFIRM_TRANSFER,
        IFC,
        State.IMMERSED,
        {"handoff": HandoffStatus.ACCEPTED, "receiver_is_ifc": True},
        {"handoff": HandoffStatus.ACCEPTED, "receiver_is_ifc": False},
    ),
    Case(
        Guard.RETURN_ACCEPTED,
        Trigger.EVALUATE,
        Role.TEACHER,
        State.TRANSFERRED,
        {"returned": HandoffStatus.ACCEPTED},
        {"returned": HandoffStatus.HELD},
    ),
    *(
        Case(
            guard,
            trigger,
            role,
            State.TRANSFERRED,
            {"returned": at, **RECORD},
            {"returned": at, **RECORD, **fails},
            RETURN,
            said=said,
        )
        for guard, trigger, role, at, fails, said in (
            (Guard.AWAITS_EVALUATION, Trigger.OFFER, INSTITUTE, HandoffStatus.TO_ROUTE, GONE, {}),
            (Guard.RECORD_COMPLETE, Trigger.ACCEPT, SYSTEM, OFFERED, {"transfer_session": None}, {}),
            (Guard.RECORD_COMPLETE, Trigger.ACCEPT, SYSTEM, HandoffStatus.HELD, {"facts": {}}, {}),
            (Guard.NOT_SENT_BACK, Trigger.DECLINE, IFC, OFFERED, {"sent_back": True}, {"reason": REASON}),
        )
    ),
    Case(
        Guard.RECORD_COMPLETE,
        Trigger.ACCEPT,
        IFC,
        State.TRANSFERRED,
        {"returned": HandoffStatus.HELD},
        {"returned": HandoffStatus.HELD},
        RETURN,
        said={"reason": REASON},
        unsaid={},
    ),
    Case(
        Guard.RECORD_INCOMPLETE,
        Trigger.HOLD,
        SYSTEM,
        State.TRANSFERRED,
        {"returned": OFFERED},
        {"returned": OFFERED, **RECORD},
        RETURN,
    ),
    Case(
        Guard.EVALUATED,
        Trigger.COMPLETE,
        Role.TEACHER,
        State.EVALUATED,
        {"returned": HandoffStatus.ACCEPTED},
        {"returned": HandoffStatus.ACCEPTED, "state": State.TRANSFERRED},
        RETURN,
    ),
    Case(
        Guard.NOT_EVALUATED,
        Trigger.CLOSE,
        IFC,
        State.TRANSFERRED,
        {"returned": HandoffStatus.COMPLETED},
        {"returned": HandoffStatus.COMPLETED, "state": State.EVALUATED},
        RETURN,
    ),
    Case(Guard.NO_PLACE, Trigger.CANCEL, SYSTEM, State.PREPARED, {"placement": None}, {"placement": CONFIRMED}),
    Case(Guard.NO_PLACE, Trigger.CANCEL, SYSTEM, State.REGISTERED, {}, {"placement": CONFIRMED}),
    Case(
        Guard.REASON_GIVEN,
        Trigger.CORRECT,
        IFC,
        State.PREPARED,
        said={"reason": REASON, "to": State.DIRECTOR_APPROVED},
        unsaid={"reason": "  ", "to": State.DIRECTOR_APPROVED},
    ),
    Case(
        Guard.REASON_GIVEN,
        Trigger.REINSTATE,
        IFC,
        State.WITHDRAWN,
        said={"reason": REASON},
        unsaid={"reason": ""},
    ),
    Case(
        Guard.REASON_GIVEN,
        Trigger.HOLD,
        IFC,
        State.IMMERSED,
        {"handoff": HandoffStatus.TO_ROUTE},
        {"handoff": HandoffStatus.TO_ROUTE},
        HANDOFF,
        said={"reason": REASON},
        unsaid={},
    ),
    *(
        Case(
            Guard.CAUSE_GIVEN,
            Trigger.DECLINE,
            INSTITUTE,
            State.IMMERSED,
            {"handoff": OFFERED},
            {"handoff": OFFERED},
            HANDOFF,
            said=said,
            unsaid=unsaid,
        )
        for said, unsaid in (
            ({"reason": REASON}, {"reason": " "}),
            ({"cause": "no_session"}, {"cause": "other"}),
            ({"cause": "other", "reason": REASON}, {"cause": "no_time", "reason": REASON}),
        )
    ),
    *(
        Case(
            Guard.PACKET_COMPLETE,
            Trigger.OFFER,
            SYSTEM,
            State.IMMERSED,
            {"handoff": HandoffStatus.HELD},
            {"handoff": HandoffStatus.HELD, **lacking},
            HANDOFF,
            said={"receiver": 7},
        )
        for lacking in NOTHING_TO_SHOW
    ),
    Case(
        Guard.PACKET_COMPLETE,
        Trigger.OFFER,
        IFC,
        State.IMMERSED,
        {"handoff": HandoffStatus.HELD, "half_days": None},
        {"handoff": HandoffStatus.HELD, "half_days": None},
        HANDOFF,
        said={"receiver": 7, "reason": REASON},
        unsaid={"receiver": 7},
    ),
    Case(
        Guard.PACKET_INCOMPLETE,
        Trigger.HOLD,
        SYSTEM,
        State.IMMERSED,
        {"handoff": HandoffStatus.TO_ROUTE, "half_days": None},
        {"handoff": HandoffStatus.TO_ROUTE},
        HANDOFF,
    ),
    Case(
        Guard.WAITS_FOR_PLACE,
        Trigger.PROPOSE,
        SYSTEM,
        State.DIRECTOR_APPROVED,
        {"placement": None},
        {"placement": None, "state": State.REGISTERED},
        PLACEMENT,
    ),
    Case(
        Guard.WAITS_FOR_PLACE,
        Trigger.CONFIRM,
        Role.TEACHER,
        State.PREPARED,
        {"placement": PlacementStatus.OFFERED},
        {"placement": PlacementStatus.OFFERED, "state": State.WITHDRAWN},
        PLACEMENT,
    ),
    Case(
        Guard.GOES_ON,
        Trigger.RELEASE,
        COMPANY,
        State.PREPARED,
        {"placement": CONFIRMED},
        {"placement": CONFIRMED, "state": State.WITHDRAWN},
        PLACEMENT,
    ),
    Case(
        Guard.OVER,
        Trigger.RELEASE,
        Role.TEACHER,
        State.WITHDRAWN,
        {"placement": CONFIRMED},
        {"placement": CONFIRMED, "state": State.PREPARED},
        PLACEMENT,
    ),
    Case(
        Guard.IMMERSION_DONE,
        Trigger.REQUEST,
        SYSTEM,
        State.IMMERSED,
        {"handoff": None},
        {"handoff": None, "state": State.PREPARED},
        HANDOFF,
    ),
    Case(
        Guard.IMMERSED,
        Trigger.ACCEPT,
        INSTITUTE,
        State.IMMERSED,
        {"handoff": OFFERED},
        {"handoff": OFFERED, "state": State.TRANSFERRED},
        HANDOFF,
    ),
    Case(
        Guard.IMMERSED,
        Trigger.HOLD,
        SYSTEM,
        State.IMMERSED,
        {"handoff": HandoffStatus.TO_ROUTE, "half_days": None},
        {"handoff": HandoffStatus.TO_ROUTE, "state": State.WITHDRAWN},
        HANDOFF,
    ),
    Case(
        Guard.RECEIVER_IS_IFC,
        Trigger.ACCEPT,
        IFC,
        State.IMMERSED,
        {"handoff": OFFERED, "receiver_is_ifc": True},
        {"handoff": OFFERED, "receiver_is_ifc": False},
        HANDOFF,
    ),
    Case(
        Guard.RECEIVER_KNOWN,
        Trigger.OFFER,
        SYSTEM,
        State.IMMERSED,
        {"handoff": HandoffStatus.TO_ROUTE},
        {"handoff": HandoffStatus.TO_ROUTE},
        HANDOFF,
        said={"receiver": 7},
        unsaid={},
    ),
    Case(
        Guard.NOT_IMMERSED,
        Trigger.CLOSE,
        SYSTEM,
        State.WITHDRAWN,
        {"handoff": OFFERED},
        {"handoff": OFFERED, "state": State.IMMERSED},
        HANDOFF,
    ),
    Case(
        Guard.TRANSFERRED,
        Trigger.COMPLETE,
        INSTITUTE,
        State.TRANSFERRED,
        {"handoff": HandoffStatus.ACCEPTED},
        {"handoff": HandoffStatus.ACCEPTED, "state": State.IMMERSED},
        HANDOFF,
    ),
    Case(
        Guard.NOT_TRANSFERRED,
        Trigger.CLOSE,
        IFC,
        State.IMMERSED,
        {"handoff": HandoffStatus.COMPLETED},
        {"handoff": HandoffStatus.COMPLETED, "state": State.EVALUATED},
        HANDOFF,
    ),
    Case(Guard.ANSWERS_GIVEN, *EVALUATION, {"facts": ANSWERED}, said=ASKED),
    Case(Guard.ANSWERS_GIVEN, *EVALUATION, said={"under": rules(questions=(OPTIONAL,))}, unsaid=ASKED),
    Case(Guard.ANSWERS_GIVEN, Trigger.EVALUATE, Role.SYSTEM, State.TRANSFERRED, {"facts": ANSWERED}),
    Case(Guard.ANSWERS_GIVEN, Trigger.EVALUATE, IFC, State.TRANSFERRED, said={**ASKED, "reason": REASON}, unsaid=ASKED),
    Case(Guard.SEEN_IN_PERSON, *EVALUATION, {**DRAWN, "facts": SEEN}, DRAWN),
    Case(Guard.SEEN_IN_PERSON, Trigger.EVALUATE, IFC, State.TRANSFERRED, {**DRAWN, "facts": SEEN}, DRAWN),
)


NAMES = [f"{number}-{case}" for number, case in enumerate(CASES)]


def seen_by(case: Case, changes: dict[str, Any]) -> Snapshot:
    return replace(stands(case.state, case.version, case.role), **changes)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_guard_that_holds_lets_the_act_through(case: Case) -> None:
    answer = ask(seen_by(case, case.holds), case.trigger, process=case.process, version=case.version, **case.said)

    assert granted(answer).pulled[0].trigger == case.trigger


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_guard_that_does_not_hold_refuses_with_its_own_code(case: Case) -> None:
    said = case.said if case.unsaid is None else case.unsaid

    answer = ask(seen_by(case, case.fails), case.trigger, process=case.process, version=case.version, **said)

    assert refused(answer).code == case.guard


def test_every_guard_has_its_case() -> None:
    assert {case.guard for case in CASES} == set(Guard)


# ------------------------------------------------------------------------------------------- days, to the second, local
def local(day: date, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=BRUSSELS)


WINTER, SPRING_FORWARD, FALL_BACK = date(2019, 1, 18), date(2019, 3, 31), date(2018, 10, 28)
DAYS = [WINTER, LAST_DAY, SPRING_FORWARD, FALL_BACK, date(2019, 6, 14)]
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


@pytest.mark.parametrize("day", DAYS, ids=str)
@pytest.mark.parametrize("role", [Role.COMPANY, Role.COORDINATOR])
def test_immersion_is_confirmed_by_people_from_the_first_second_of_its_last_day(day: date, role: Role) -> None:
    seen = stands("prepared", role=role, seat_first_day=day - DAY, seat_last_day=day)
    midnight = local(day).astimezone(UTC)

    answers = [ask(seen, Trigger.CONFIRM_IMMERSION, at=moment) for moment in (midnight - SECOND, midnight)]

    assert refused(answers[0]).code == Guard.LAST_DAY_OVER
    assert granted(answers[1]).after.state == State.IMMERSED


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_immersion_is_confirmed_by_the_system_once_its_last_day_is_over(day: date) -> None:
    facts = stands("immersed").facts
    seen = stands("prepared", role=Role.SYSTEM, seat_first_day=day - DAY, seat_last_day=day, facts=facts, half_days=4)
    midnight = local(day + DAY).astimezone(UTC)

    answers = [ask(seen, Trigger.CONFIRM_IMMERSION, at=moment) for moment in (midnight - SECOND, midnight)]

    assert refused(answers[0]).code == Guard.LAST_DAY_OVER
    assert granted(answers[1]).after.state == State.IMMERSED


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_absence_is_recorded_from_the_first_second_of_the_first_day(day: date) -> None:
    seen = stands("prepared", role=Role.COMPANY, seat_first_day=day, seat_last_day=day + DAY)
    midnight = local(day).astimezone(UTC)

    answers = [ask(seen, Trigger.RECORD_ABSENCE, at=moment) for moment in (midnight - SECOND, midnight)]

    assert refused(answers[0]).code == Guard.FIRST_DAY_BEGUN
    assert granted(answers[1]).after.state == State.ABSENT


@pytest.mark.parametrize(
    ("day", "length_of_day"), [(SPRING_FORWARD, 23), (FALL_BACK, 25), (WINTER, 24)], ids=["spring", "autumn", "winter"]
)
def test_last_day_lasts_as_long_as_its_clock_says(day: date, length_of_day: int) -> None:
    """On the day of the summer clock the system waits 23 hours after local midnight, on that of the winter clock 25."""
    facts = stands("immersed").facts
    seen = stands("prepared", role=Role.SYSTEM, seat_first_day=day, seat_last_day=day, facts=facts, half_days=4)
    over = local(day).astimezone(UTC) + timedelta(hours=length_of_day)

    answers = [ask(seen, Trigger.CONFIRM_IMMERSION, at=moment) for moment in (over - SECOND, over)]

    assert refused(answers[0]).code == Guard.LAST_DAY_OVER
    assert granted(answers[1]).after.state == State.IMMERSED


# -------------------------------------------------------------------------------------------------------- presence
@pytest.mark.parametrize(
    ("recorded", "attested", "role", "code"),
    [
        (None, None, Role.COMPANY, Guard.PRESENCE_SUFFICIENT),  # a presence is never supposed
        (None, None, Role.COORDINATOR, Guard.PRESENCE_SUFFICIENT),
        (None, None, Role.SYSTEM, Guard.PRESENCE_SUFFICIENT),  # nobody said so
        (3, None, Role.SYSTEM, None),
        (2, None, Role.SYSTEM, Guard.PRESENCE_SUFFICIENT),
        (2, 4, Role.COMPANY, Guard.PRESENCE_SUFFICIENT),  # what is recorded by half-day outweighs a word
        (4, 0, Role.COMPANY, None),
        (None, 3, Role.COMPANY, None),
        (None, 2, Role.COORDINATOR, Guard.PRESENCE_SUFFICIENT),
        (None, -1, Role.COMPANY, Guard.PRESENCE_SUFFICIENT),
        (None, "4", Role.COMPANY, Guard.PRESENCE_SUFFICIENT),  # not a number: not understood, hence not enough
        (0, None, Role.COMPANY, Guard.PRESENCE_SUFFICIENT),
    ],
)
def test_presence_is_sufficient_at_the_minimum_of_the_edition(
    recorded: int | None, attested: object, role: Role, code: str | None
) -> None:
    seen = stands("prepared", role=role, half_days=recorded)
    data: dict[str, Any] = {"half_days": attested}

    answer = ask(seen, Trigger.CONFIRM_IMMERSION, **data)

    assert getattr(answer, "code", None) == code


@pytest.mark.parametrize(("minimum", "code"), [(2, None), (3, "presence_sufficient")])
def test_minimum_presence_is_the_edition_s(minimum: int, code: str | None) -> None:
    seen = stands("prepared", role=Role.COMPANY, half_days=2)

    answer = ask(seen, Trigger.CONFIRM_IMMERSION, under=rules(min_half_days=minimum))

    assert getattr(answer, "code", None) == code


def test_presence_attested_beyond_the_whole_immersion_is_refused() -> None:
    """Four half-days cannot be attended five times."""
    seen = stands("prepared", role=Role.COMPANY)

    assert refused(ask(seen, Trigger.CONFIRM_IMMERSION, half_days=5)).code == Guard.PRESENCE_SUFFICIENT


# ----------------------------------------------------------------------------------------------------- other fine print
def test_preparation_is_known_by_the_teacher_s_word_alone() -> None:
    seen = stands("director_approved", role=Role.TEACHER, **APPROVED_ONLY)

    assert granted(ask(seen, Trigger.CONFIRM_PREPARATION)).after.state == State.PREPARED


def test_preparation_waived_for_a_blank_reason_is_refused() -> None:
    seen = stands("director_approved", **APPROVED_ONLY)

    assert refused(ask(seen, Trigger.CONFIRM_PREPARATION, reason="   ")).code == Guard.PREPARATION_KNOWN


def test_first_guard_in_the_way_is_the_one_named() -> None:
    """In the order of the table: no place, then no dates, then not over, then too little presence."""
    moment = local(FIRST_DAY - DAY)
    in_the_way: dict[str, Any] = {"half_days": 0, "placement": None, **NOT_DATED}
    cures: tuple[dict[str, Any], ...] = (
        {},
        {"placement": CONFIRMED},
        {"seat_first_day": FIRST_DAY, "seat_last_day": LAST_DAY},
    )
    codes = []
    for cure in cures:
        in_the_way |= cure
        seen = stands("prepared", role=Role.COMPANY, **in_the_way)
        codes.append(refused(ask(seen, Trigger.CONFIRM_IMMERSION, at=moment)).code)
    over = stands("prepared", role=Role.COMPANY, **in_the_way)
    codes.append(refused(ask(over, Trigger.CONFIRM_IMMERSION, at=AFTER)).code)

    assert codes == ["place_confirmed", "dates_known", "last_day_over", "presence_sufficient"]


def test_dates_of_a_seat_that_is_not_confirmed_count_for_nothing() -> None:
    seen = stands("prepared", placement=PlacementStatus.OFFERED)

    assert (seen.first_day, seen.last_day) == (None, None)


@pytest.mark.parametrize("state", ["immersed", "transferred", "evaluated"])
@pytest.mark.parametrize("role", [Role.COMPANY, Role.COORDINATOR, Role.SYSTEM])
def test_confirmed_seat_is_not_released_once_it_was_used(state: str, role: Role) -> None:
    """The internship took place: a company that cancels its offer afterwards takes nothing back."""
    seen = stands(state, role=role, placement=CONFIRMED)

    assert refused(ask(seen, Trigger.RELEASE, process=PLACEMENT)).code == Guard.GOES_ON


@pytest.mark.parametrize("said", ["", "unheard_of", "observed"])
def test_correction_to_a_state_that_this_process_has_not_is_refused_with_those_it_has(said: str) -> None:
    answer = refused(ask(stands("prepared"), Trigger.CORRECT, reason=REASON, to=said))

    assert (answer.code, answer.params["value"]) == ("unknown_state", said)
    assert answer.params["states"] == tuple(state for state in State if state != State.OBSERVED)


def test_correction_to_observed_is_known_in_five_steps() -> None:
    answer = ask(stands("prepared", "2014"), Trigger.CORRECT, version="2014", reason=REASON, to="observed")

    assert granted(answer).after.state == State.OBSERVED


def test_refusal_says_what_was_asked_by_whom_of_what() -> None:
    answer = refused(ask(stands("prepared", role=Role.DIRECTOR), Trigger.CONFIRM_IMMERSION))

    assert (answer.code, answer.state, answer.allowed) == ("wrong_role", "prepared", (Trigger.WITHDRAW,))
    assert dict(answer.params) == {
        "trigger": Trigger.CONFIRM_IMMERSION,
        "role": Role.DIRECTOR,
        "subject": Subject.PARTICIPATION,
        "roles": (Role.COMPANY, Role.COORDINATOR, Role.SYSTEM),
    }
