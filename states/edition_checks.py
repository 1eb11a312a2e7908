"""What no single value of an edition file shows: names that do not exist, overlaps, gaps, dates out of order."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from core.errors import Problem
from states.edition_evaluation import bad_evaluation
from states.edition_faults import twice
from states.edition_parts import (
    EditionFile,
    HolidayPart,
    LadderPart,
    OrganisationPart,
    StepPart,
    routes_of_part,
)
from states.names import Anchor, Audience, HandoffStatus, Kind, Role, State, StepAction, Subject
from states.process import Process
from states.routing import overlap
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, RETURN

if TYPE_CHECKING:
    from states.rules import Route

_LONGEST_HOLIDAY_DAYS = 100
_A_DAY, _LEAST_OPEN_MINUTES = 24 * 60, 120  # mail leaves for two hours of each day at least
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def inconsistencies(edition: EditionFile) -> Iterator[Problem]:
    """Yield what no single value shows: names that do not exist, overlaps, gaps, dates out of order."""
    process = PARTICIPATION_PROCESSES.get(edition.process)
    if process is None:
        allowed = tuple(PARTICIPATION_PROCESSES)
        yield Problem("edition_bad_value", column="process", value=edition.process, params={"allowed": allowed})
        return
    yield from _dates_out_of_order(edition)
    yield from _bad_organisations(edition)
    yield from _bad_routes(edition)
    yield from _bad_deadlines(
        edition, {Subject.PARTICIPATION: process, Subject.HANDOFF: HANDOFF, Subject.RETURN: RETURN}
    )
    yield from bad_evaluation(edition, process)
    if edition.immersion.min_half_days > edition.immersion.half_days:
        yield _order("immersion.min_half_days", edition.immersion.min_half_days, edition.immersion.half_days)


def _dates_out_of_order(edition: EditionFile) -> Iterator[Problem]:
    dates = {
        "opens": edition.opens,
        "cutoffs.allocation": edition.cutoffs.allocation,
        "cutoffs.placement": edition.cutoffs.placement,
        "closes": edition.closes,
    }
    for key, day in dates.items():
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            yield _order(key, day, f"{_FIRST_YEAR}–{_LAST_YEAR}")
    keys = list(dates)
    for earlier, later in pairwise(keys):
        if dates[earlier] > dates[later]:
            yield _order(later, dates[later], f"{earlier} = {dates[earlier]}")
    yield from _bad_holidays("calendar", edition.calendar.school_holidays)
    for number, basin in enumerate(edition.basins):
        yield from _bad_holidays(f"basins[{number}]", basin.school_holidays or ())
    quiet = edition.calendar.quiet
    if quiet is not None and not _LEAST_OPEN_MINUTES <= _minutes(quiet.last, quiet.first) < _A_DAY:
        yield _order("calendar.quiet.last", quiet.last, f"first = {quiet.first}, ≥ 2 h")


def _minutes(first: str, last: str) -> int:
    """Return the minutes of the day from one hour to the next time that it is another."""
    (h1, m1), (h2, m2) = (map(int, hour.split(":")) for hour in (first, last))
    return (60 * (h2 - h1) + m2 - m1) % _A_DAY or _A_DAY


def _bad_holidays(key: str, holidays: Sequence[HolidayPart]) -> Iterator[Problem]:
    for number, holiday in enumerate(holidays):
        if not _FIRST_YEAR <= holiday.first.year <= holiday.last.year <= _LAST_YEAR:
            yield _order(f"{key}.school_holidays[{number}]", holiday.first, f"{_FIRST_YEAR}–{_LAST_YEAR}")
        elif holiday.first > holiday.last:
            yield _order(f"{key}.school_holidays[{number}].last", holiday.last, f"first = {holiday.first}")
        elif (holiday.last - holiday.first).days > _LONGEST_HOLIDAY_DAYS:
            last = date.fromordinal(holiday.first.toordinal() + _LONGEST_HOLIDAY_DAYS)
            yield _order(f"{key}.school_holidays[{number}].last", holiday.last, f"≤ {last}")


def _order(key: str, value: object, bound: object) -> Problem:
    return Problem("edition_order", column=key, value=str(value), params={"bound": str(bound)})


def _bad_organisations(edition: EditionFile) -> Iterator[Problem]:
    yield from twice("institutes", [part.code for part in edition.institutes])
    yield from twice("basins", [part.code for part in edition.basins])
    parts = {"ifc": (edition.ifc, Role.COORDINATOR), "committee": (edition.committee, Role.COMMITTEE)}
    parts |= {f"institutes[{n}]": (part, Role.INSTITUTE) for n, part in enumerate(edition.institutes)}
    for key, (part, role) in parts.items():
        for number, contact in enumerate(part.contacts):
            if contact.role is not role:
                column = f"{key}.contacts[{number}].role"
                yield Problem("edition_bad_value", column=column, value=contact.role, params={"allowed": (role,)})
    yield from _shared_addresses({key: part for key, (part, _) in parts.items()})


def _shared_addresses(parts: Mapping[str, OrganisationPart]) -> Iterator[Problem]:
    """Yield addresses that are given two names; one person may well answer for two organisations."""
    known: dict[str, tuple[str, str]] = {}
    for key, part in parts.items():
        for number, contact in enumerate(part.contacts):
            name = f"{contact.first_name} {contact.last_name}"
            first, place = known.setdefault(contact.email.lower(), (name, f"{key}.contacts[{number}]"))
            if first != name:
                column = f"{key}.contacts[{number}].email"
                yield Problem("edition_other_name", column=column, value=contact.email, params={"other": place})


def _bad_routes(edition: EditionFile) -> Iterator[Problem]:
    known = tuple(part.code for part in edition.institutes)
    seen: list[tuple[int, Route]] = []
    for number, part in enumerate(edition.routes):
        key = f"routes[{number}]"
        if part.institute not in known:
            params = {"allowed": known}
            yield Problem("edition_unknown_institute", column=f"{key}.institute", value=part.institute, params=params)
        if part.first and part.last and part.first > part.last:
            yield _order(f"{key}.last", part.last, f"first = {part.first}")
        for route in routes_of_part(part):
            other = next((place for place, earlier in seen if overlap(earlier, route)), None)
            seen.append((number, route))
            if other is not None:
                value = f"{route.network} / {route.education}"
                yield Problem("edition_route_overlap", column=key, value=value, params={"other": f"routes[{other}]"})


def _bad_deadlines(edition: EditionFile, processes: Mapping[Subject, Process]) -> Iterator[Problem]:
    given = edition.deadlines
    for subject, states in given.items():
        if subject not in processes:
            params = {"allowed": tuple(processes)}
            yield Problem("edition_unknown_key", column=f"deadlines.{subject}", value=subject, params=params)
            continue
        process = processes[Subject(subject)]
        for state, rules in states.items():
            yield from _bad_state(process, state, rules, f"deadlines.{subject}.{state}")
    for name, process in processes.items():
        for state, spec in process.states.items():
            for rule in spec.rules:
                if rule not in given.get(name, {}).get(state, {}):
                    yield Problem("edition_missing_deadline", column=f"deadlines.{name}.{state}.{rule}")


def _bad_state(process: Process, state: str, rules: Mapping[str, LadderPart], key: str) -> Iterator[Problem]:
    open_states = process.open_states
    if state not in open_states:
        yield Problem("edition_unknown_state", column=key, value=state, params={"allowed": open_states})
        return
    known = process.states[state].rules
    for rule, ladder in rules.items():
        if rule not in known:
            yield Problem("edition_unknown_rule", column=f"{key}.{rule}", value=rule, params={"allowed": tuple(known)})
            continue
        yield from _bad_ladder(ladder, f"{key}.{rule}")
        if known[rule] is Anchor.CLOSING:
            yield from _bad_closing(ladder, f"{key}.{rule}")
        for number, step in enumerate(ladder.steps):
            column = f"{key}.{rule}.steps[{number}]"
            yield from _bad_step(process.subject, state, step, column)
            yield from _bad_anchor(process.subject, state, known[rule], step, column)


def _bad_ladder(ladder: LadderPart, key: str) -> Iterator[Problem]:
    """Yield steps out of order, after an end, said twice, and alerts that climb down to whom they came from.

    Two ends that count from different days may stand beside each other: the first to come is the one.
    """
    for number, (step, later) in enumerate(pairwise(ladder.steps)):
        same = (step.unit, step.anchor) == (later.unit, later.anchor)
        after_the_end = step.do not in _TELLS and (later.do in _TELLS or same)
        if after_the_end or (same and step.offset > later.offset):
            bound = f"steps[{number}] = {step.offset} {step.unit}, {step.do}"
            yield _order(f"{key}.steps[{number + 1}]", f"{later.offset} {later.unit}, {later.do}", bound)
    highest = 0
    for number, step in enumerate(ladder.steps):
        if step in ladder.steps[:number]:
            other = f"steps[{ladder.steps.index(step)}]"
            yield Problem("edition_step_twice", column=f"{key}.steps[{number}]", params={"other": other})
        if step.do is not StepAction.ESCALATE or step.audience is None:
            continue
        rung = _CHAIN.get(step.audience, 0)
        if rung < highest:
            allowed = tuple(audience for audience, above in _CHAIN.items() if above >= highest)
            column = f"{key}.steps[{number}].audience"
            yield Problem("edition_ladder_cycle", column=column, value=step.audience, params={"allowed": allowed})
        highest = max(highest, rung)


def _bad_closing(ladder: LadderPart, key: str) -> Iterator[Problem]:
    """Yield a closing that closes nothing, or not on the last day: whatever is open then lapses."""
    last = ladder.steps[-1]
    if last.do is not StepAction.LAPSE:
        column = f"{key}.steps[{len(ladder.steps) - 1}].do"
        yield Problem("edition_bad_value", column=column, value=last.do, params={"allowed": (StepAction.LAPSE,)})
    elif last.offset != 0:
        column = f"{key}.steps[{len(ladder.steps) - 1}].offset"
        yield Problem("edition_bad_value", column=column, value=str(last.offset), params={"allowed": ("0",)})


# How far up the chain an audience stands: an alert goes up, or stays, and never comes back to whom it speaks of.
_CHAIN: Mapping[Audience, int] = {
    Audience.OWNER: 0,
    Audience.STAND_IN: 1,
    Audience.RESPONSIBLE: 2,
    Audience.COORDINATOR: 3,
    Audience.COMMITTEE: 4,
}
_TELLS = (StepAction.REMIND, StepAction.ESCALATE)

# What may end what: an expiry is an act of the table, which has it only there.
_ENDS: Mapping[tuple[Subject, str], tuple[StepAction, ...]] = {
    (Subject.PARTICIPATION, ""): (StepAction.LAPSE, StepAction.CANCEL),
    (Subject.HANDOFF, HandoffStatus.OFFERED): (StepAction.TIME_OUT,),
}


def _bad_step(subject: Subject, state: str, step: StepPart, key: str) -> Iterator[Problem]:
    tells = step.do in _TELLS
    if (tells or step.digest) and step.audience is None:
        yield Problem("edition_missing_key", column=f"{key}.audience")
    if tells and step.message is None:
        yield Problem("edition_missing_key", column=f"{key}.message")
    given = next((name for name in ("audience", "message", "digest") if getattr(step, name) is not None), None)
    if not tells and given:
        column = f"{key}.{given}"
        yield Problem("edition_unknown_key", column=column, params={"allowed": ("offset", "unit", "do", "anchor")})
    if tells and (step.audience is Audience.COMMITTEE) != (step.message is Kind.COMMITTEE_DELAYS):
        allowed = (Kind.COMMITTEE_DELAYS if step.audience is Audience.COMMITTEE else Audience.COMMITTEE,)
        name = "message" if step.audience is Audience.COMMITTEE else "audience"
        value = str(getattr(step, name))
        yield Problem("edition_figures", column=f"{key}.{name}", value=value, params={"allowed": allowed})
    if step.audience is Audience.COMMITTEE and step.digest is False:
        yield Problem("edition_bad_value", column=f"{key}.digest", value="false", params={"allowed": ("true",)})
    ends = _ENDS.get((subject, state if subject is Subject.HANDOFF else ""), ())
    if subject is Subject.PARTICIPATION and state in _AFTER_THE_COMPANY:
        ends = (StepAction.LAPSE,)  # a place that was used is not lacking
    if not tells and step.do not in ends:
        allowed_acts = (*_TELLS, *ends)
        yield Problem("edition_bad_value", column=f"{key}.do", value=step.do, params={"allowed": allowed_acts})


_COMPANY_DAYS = (Anchor.FIRST_DAY, Anchor.LAST_DAY)
_EDITION_DAYS = (Anchor.ALLOCATION, Anchor.PLACEMENT_CUTOFF, Anchor.CLOSING)
_AFTER_THE_COMPANY = (State.IMMERSED, State.TRANSFERRED)


def _bad_anchor(subject: Subject, state: str, anchor: Anchor, step: StepPart, key: str) -> Iterator[Problem]:
    """Yield anchors that are never known in a state, and offsets that fall before anybody can be in it."""
    allowed: tuple[Anchor, ...] = (Anchor.ENTRY, *_COMPANY_DAYS, *_EDITION_DAYS)
    if subject is Subject.PARTICIPATION and state == State.REGISTERED:
        allowed = (Anchor.ENTRY, Anchor.WISHED_DAY, *_EDITION_DAYS)  # before the approval nobody has a place
    if anchor is Anchor.CLOSING:
        allowed = (Anchor.CLOSING,)
    own = step.anchor or anchor
    if own not in allowed:
        yield Problem("edition_bad_value", column=f"{key}.anchor", value=own, params={"allowed": allowed})
        return
    after = subject is not Subject.PARTICIPATION or state in _AFTER_THE_COMPANY
    if step.offset < 0 and (own is Anchor.ENTRY or (after and own in _COMPANY_DAYS)):
        params = {"anchor": own}
        yield Problem("edition_before_state", column=f"{key}.offset", value=str(step.offset), params=params)
