"""What hangs on a participation when the rules change under it, purely: what ends, what opens, and what that moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from states.deadlines import Alert, Ended, Opened, Standing, due, opened, standing
from states.names import DeadlineStatus, StepAction, Subject
from states.process import Process
from states.rules import RuleKey, Rules, Step
from states.snapshot import Snapshot
from states.tables import HANDOFF, RETURN

_TO_COME = (DeadlineStatus.OPEN, DeadlineStatus.WAITING)
_EXPIRES = (StepAction.LAPSE, StepAction.CANCEL, StepAction.TIME_OUT)


class Under(NamedTuple):
    """One participation as it is seen under one process definition and the rules of one revision."""

    process: Process
    rules: Rules
    seen: Snapshot


class Known(NamedTuple):
    """What stands of a rule as it hung before: working days granted beyond the ladder, and alerts given."""

    extension: int = 0
    given: frozenset[Alert] = frozenset()


class Moved(NamedTuple):
    """How many steps of a rule that are still to come fall on another moment or say something else, come, or go."""

    key: RuleKey
    moved: int
    added: int
    dropped: int


@dataclass(slots=True)
class Replanned:
    """What a change of rules does to one participation. `ends_at_once`: an expiry is past already, by the new rules."""

    ended: list[Ended] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    ends_at_once: bool = False


def replanned(before: Under, after: Under, at: datetime, known: Mapping[tuple[Subject, str], Known]) -> Replanned:
    """Compare what hung under the former rules with what hangs under the new ones; what is the same goes on."""
    found = Replanned()
    for old, new in ((before.process, after.process), (HANDOFF, HANDOFF), (RETURN, RETURN)):
        was, hangs = (_standing(table, under, before, at) for table, under in ((old, before), (new, after)))
        for rule in dict.fromkeys((*was, *hangs)):
            _compare(found, new.subject, rule, (was.get(rule), hangs.get(rule)), (before, after), at, known)
    return found


def _standing(table: Process, under: Under, before: Under, at: datetime) -> Mapping[str, Standing]:
    """Return what hangs; whoever changes state with the rules enters the new one today."""
    stays = under.seen.state_of(table.subject) == before.seen.state_of(table.subject)
    since = (under.seen.since_of(table.subject) if stays else None) or at
    return standing(table, under.rules, under.seen, under.rules.calendar.local_day(since))


def _compare(
    found: Replanned,
    subject: Subject,
    rule: str,
    ladders: tuple[Standing | None, Standing | None],
    sides: tuple[Under, Under],
    at: datetime,
    known: Mapping[tuple[Subject, str], Known],
) -> None:
    was, hangs = ladders
    stands = known.get((subject, rule), Known())
    old, new = (_planned(one, side.rules, stands.extension) for one, side in zip(ladders, sides, strict=True))
    if old == new and (was is None or hangs is None or was.state == hangs.state):
        return
    steps = (
        []
        if hangs is None
        else list(
            opened(subject, rule, hangs, sides[1].rules, at, stands.extension, None if was is None else stands.given)
        )
    )
    if was is not None:
        goes_on = hangs is not None and hangs.state == was.state
        found.ended.append(Ended(subject, rule, DeadlineStatus.CLOSED, goes_on))
    found.opened += steps
    coming = [step for step in steps if step.status in _TO_COME]
    moved = sum(step.step < len(old) and old[step.step] != new[step.step] for step in coming)
    added = sum(step.step >= len(old) for step in coming)
    dropped = sum(due_at is None or due_at > at for _, due_at in old[len(new) :])
    one = hangs or was
    if one is not None and (moved, added, dropped) != (0, 0, 0):
        found.moved.append(Moved(RuleKey(subject, one.state, rule), moved, added, dropped))
    past = [new[step.step][0].do for step in coming if step.due_at is not None and step.due_at <= at]
    found.ends_at_once = found.ends_at_once or any(do in _EXPIRES for do in past)


def _planned(hangs: Standing | None, rules: Rules, extension: int) -> list[tuple[Step, datetime | None]]:
    """Return the steps of a rule with the moments at which they fall due."""
    if hangs is None:
        return []
    return [
        (hung.step, None if hung.day is None else due(hung.day, hung.step, rules, hangs.basin, extension))
        for hung in hangs.steps
    ]
