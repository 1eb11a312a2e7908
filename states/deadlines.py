"""Deadlines as a function of where a subject stands: nothing is scheduled, everything follows.

`standing` says which rules hang on a snapshot and what day each counts from; `changes` compares before and after and
says which end (and how) and which open. So a withdrawal, a place confirmed, a date that moves all need no code of
their own.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from states.names import Anchor, Audience, DeadlineStatus, Kind, StepAction, Subject
from states.process import Process, StateSpec
from states.rules import RuleKey, Rules, Step
from states.snapshot import Snapshot

Alert = tuple[Audience | None, Kind | None]
PLACE_RULE = "place"  # the one rule that stands only while there is no confirmed place


@dataclass(frozen=True, slots=True)
class Hung:
    """One step as it hangs now; `day` is the local date it counts from, None while unknown."""

    step: Step
    anchor: Anchor
    day: date | None


@dataclass(frozen=True, slots=True)
class Standing:
    """One rule as it hangs now: its steps, and the basin whose working days count."""

    state: str
    steps: tuple[Hung, ...]
    basin: str = ""

    def same_as(self, other: "Standing | None") -> bool:
        """Tell whether the rule goes on unchanged (a rule that counts from the entry starts anew with each entry)."""
        return (
            other is not None
            and (self.steps, self.basin) == (other.steps, other.basin)
            and (self.state == other.state or all(hung.anchor is not Anchor.ENTRY for hung in self.steps))
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """A rule that no longer hangs as it did: its open steps end as `MET` (the act was done) or `CLOSED`.

    `goes_on`: only the rules changed under it; the delay, and who was alerted to it, stay.
    """

    subject: Subject
    rule: str
    status: DeadlineStatus
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """One step to be written; `due_at` is UTC, None while the anchor is unknown (status `WAITING`).

    `extension`: working days that IFC granted, in `due_at`.
    """

    subject: Subject
    state: str
    rule: str
    step: int
    anchor: Anchor
    due_at: datetime | None
    status: DeadlineStatus
    extension: int = 0


def standing(process: Process, rules: Rules, seen: Snapshot, entered: date) -> Mapping[str, Standing]:
    """Return the rules that hang on the subject as it is seen; `entered` is the local day of its entry there."""
    return _standing(
        process,
        rules,
        seen.state_of(process.subject),
        seen.placed,
        (seen.first_day, seen.last_day, seen.wished_day, entered),
        seen.basin,
    )


_Days = tuple[date | None, date | None, date | None, date]


@lru_cache(maxsize=4096)  # a batch has few of them
def _standing(
    process: Process,
    rules: Rules,
    state: str,
    placed: bool,  # noqa: FBT001 - a key of the cache
    known: _Days,
    basin: str,
) -> Mapping[str, Standing]:
    first_day, last_day, wished_day, entered = known
    days = {
        **rules.anchors,
        Anchor.ENTRY: entered,
        Anchor.FIRST_DAY: first_day,
        Anchor.LAST_DAY: last_day,
        Anchor.WISHED_DAY: wished_day,
    }
    return {
        rule: Standing(state, tuple(_hung(step, anchor, days) for step in steps), basin)
        for rule, anchor, steps in _ladders(process, rules, state)
        if not (rule == PLACE_RULE and placed)
    }


def _hung(step: Step, anchor: Anchor, days: Mapping[Anchor, date | None]) -> Hung:
    own = step.anchor or anchor
    return Hung(step, own, days[own])


@lru_cache(maxsize=256)
def _ladders(process: Process, rules: Rules, state: str) -> tuple[tuple[str, Anchor, tuple[Step, ...]], ...]:
    """Return the rules that a state names, with what they count from and the steps that the edition gives them."""
    spec = process.states.get(state, StateSpec())
    steps = {rule: rules.ladder.get(RuleKey(process.subject, state, rule), ()) for rule in spec.rules}
    return tuple((rule, anchor, steps[rule]) for rule, anchor in spec.rules.items() if steps[rule])


def changes(
    process: Process, rules: Rules, before: Snapshot, after: Snapshot, at: datetime, acts: frozenset[str]
) -> tuple[list[Ended], list[Opened]]:
    """Compare what hung before with what hangs after; `acts` are the triggers pulled in between."""
    today = rules.calendar.local_day(at)
    stays = before.state_of(process.subject) == after.state_of(process.subject)
    since = before.since_of(process.subject)
    entered = today if since is None else rules.calendar.local_day(since)
    old = standing(process, rules, before, entered)
    new = standing(process, rules, after, entered if stays else today)
    met = _met(process, before, after, acts)
    changed = {rule: was for rule, was in old.items() if not was.same_as(new.get(rule))}
    given = {rule: _past_alerts(was, new[rule], rules, at) for rule, was in changed.items() if stays and rule in new}
    ended = [
        Ended(
            process.subject,
            rule,
            DeadlineStatus.MET if rule in met else DeadlineStatus.CLOSED,
            goes_on=rule not in met and bool(given.get(rule)),
        )
        for rule in changed
    ]
    opening = [
        step
        for rule, hangs in new.items()
        if not hangs.same_as(old.get(rule))
        for step in opened(process.subject, rule, hangs, rules, at, given=given.get(rule))
    ]
    return ended, opening


def _past_alerts(was: Standing, hangs: Standing, rules: Rules, at: datetime) -> frozenset[Alert]:
    """Return the alerts of a rule that goes on whose moment is past and did not move: they are not given again."""
    same = set(was.steps) & set(hangs.steps)
    past = (hung.step for hung in same if hung.day is not None and due(hung.day, hung.step, rules, was.basin) <= at)
    return frozenset(alert_of(step) for step in past if step.do is StepAction.ESCALATE)


def _met(process: Process, before: Snapshot, after: Snapshot, acts: frozenset[str]) -> frozenset[str]:
    spec = process.states.get(before.state_of(process.subject))
    met = {spec.act_rule} if spec is not None and spec.act in acts else set()
    return frozenset(met | ({PLACE_RULE} if after.placed else set()))


def opened(
    subject: Subject,
    rule: str,
    hangs: Standing,
    rules: Rules,
    at: datetime,
    extension: int = 0,
    given: Collection[Alert] | None = None,
) -> Iterator[Opened]:
    """Yield the steps of a rule that begins to hang at a moment; `extension`: working days beyond the ladder.

    Where it hung before and is only planned anew, the alerts `given` then are not given again for a day that is past;
    None: nothing hung there.
    """
    for number, (step, anchor, day) in enumerate((hung.step, hung.anchor, hung.day) for hung in hangs.steps):
        due_at = None if day is None else due(day, step, rules, hangs.basin, extension)
        status = _first_status(step, anchor, due_at, at, given)
        yield Opened(subject, hangs.state, rule, number, anchor, due_at, status, extension)


@lru_cache(maxsize=4096)
def due(day: date, step: Step, rules: Rules, basin: str = "", extension: int = 0) -> datetime:
    """Return the instant (UTC) at which a step falls due, counted from a local day on the calendar of a basin."""
    calendar = rules.calendar_of(basin)
    falls = calendar.shift(day, step.offset) if step.working_days else day + timedelta(days=step.offset)
    granted = extension if step.anchor is None else 0  # more time for an act moves no other day
    return calendar.moment(calendar.shift(falls, granted) if granted else falls)


def alert_of(step: Step) -> Alert:
    """Return what makes two alerts the same one: whom it speaks to, and what it says."""
    return step.audience, step.message


def _first_status(
    step: Step, anchor: Anchor, due_at: datetime | None, at: datetime, given: Collection[Alert] | None
) -> DeadlineStatus:
    """Record as missed a step whose moment is past when it is planned, if it would do harm.

    A reminder would be stale. An end that a day brings would undo what somebody has just done knowingly, after that
    day: registering, coming back; where the rule hung already, and only its day or its ladder moved, it still comes.
    Alerts go out, unless they were given before; and the end of the edition comes in any case.
    """
    if due_at is None:
        return DeadlineStatus.WAITING
    tells = step.do in {StepAction.REMIND, StepAction.ESCALATE}
    again = step.do is StepAction.ESCALATE and alert_of(step) in (given or ())
    by_a_day = not tells and given is None and anchor not in {Anchor.ENTRY, Anchor.CLOSING}
    harmful = again or by_a_day or step.do is StepAction.REMIND
    return DeadlineStatus.MISSED if due_at < at and harmful else DeadlineStatus.OPEN
