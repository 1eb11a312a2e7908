"""More time for somebody: IFC extends one deadline of one participation, with a reason.

What counts from the rule's own day moves by as many working days; a step that counts from another day stays. The
ladder becomes a new generation: what was to be said under the old one never is, and what the new one would have said
before today is not said again. A date that moves later, or
another state, plans the rule anew, without the extension: it was granted for what stood then.
"""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection, func, select

from actions.apply import Applied, Request, applied, content_of, done_before, not_too_long
from actions.change import Change
from actions.journal import JOURNAL
from actions.occasion import Actor, Occasion
from actions.reading import Seen, in_its_time, read
from actions.writing import DEADLINE, write
from core.errors import Refused
from states.deadlines import Alert, Ended, Opened, Standing, alert_of, opened, standing
from states.decide import Pulled
from states.names import Anchor, DeadlineStatus, Role, StepAction, Subject, Trigger
from states.process import Process
from states.tables import HANDOFF, RETURN

MOST_DAYS = 60  # working days, in all: more is a change of the edition's ladder, not a favour


@dataclass(frozen=True, slots=True)
class Extension:
    """More time that is asked for: a rule that hangs, working days, why; `key` is the caller's own."""

    rule: str
    days: int
    reason: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Extended:
    """What an extension did: the rule, by how many working days in all, and the steps still to come (UTC)."""

    done: Applied
    rule: str
    extension: int
    steps: tuple[tuple[StepAction, datetime], ...]


def extend(connection: Connection, reference: str, asked: Extension, actor: Actor, occasion: Occasion) -> Extended:
    """Move all that a rule has still to say, or to end, by so many working days.

    Raises NotFound, Refused (`not_yours`, `reason_given`, `no_such_deadline`, `deadline_waits`, `not_extended`,
    `too_long_an_extension`, `extension_in_past`, `extension_after_closing`, `before_last_entry`, `key_reused`),
    LostRace.
    """
    rule, days, key = asked.rule, asked.days, asked.key
    request = Request(Subject.PARTICIPATION, Trigger.EXTEND, asked.reason.strip(), {"rule": rule, "days": days}, key)
    content = content_of(reference, request, actor)
    stands = read(connection, reference, actor)
    if before := done_before(connection, key, content):
        return Extended(before, rule, _data_of(connection, stands, before)["extension"], ())
    if actor.role is not Role.COORDINATOR or actor.role not in stands.snapshot.relations:
        raise Refused("not_yours", state=stands.row.state, role=actor.role)
    in_its_time(stands, occasion)
    if not request.reason:
        raise Refused("reason_given", state=stands.row.state, trigger=Trigger.EXTEND)
    not_too_long(request.reason)
    table, hangs = _hanging(stands, rule)
    so_far, given = _so_far(connection, stands, table.subject, rule, hangs)
    extension = so_far + days
    if not 0 < days <= extension <= MOST_DAYS:
        raise Refused("too_long_an_extension", state=stands.row.state, value=days, most=MOST_DAYS)
    steps = tuple(opened(table.subject, rule, hangs, stands.rules, occasion.at, extension, given))
    ahead = _ahead(stands, hangs, steps, occasion)
    state = stands.snapshot.state_of(table.subject)
    change = Change(
        stands,
        stands.snapshot,
        actor,
        occasion,
        (Pulled(table.subject, Trigger.EXTEND, state, state, ()),),
        ended=(Ended(table.subject, rule, DeadlineStatus.CLOSED, _still_late(hangs, steps)),),
        opened=steps,
        reason=request.reason,
        data={**request.data, "extension": extension},
        key=key,
        key_content=content,
    )
    write(connection, [change])
    return Extended(replace(applied(change), subject=table.subject), rule, extension, ahead)


def _hanging(stands: Seen, rule: str) -> tuple[Process, Standing]:
    """Return the rule as it hangs now. Raises Refused (`no_such_deadline`, with those that hang; `not_extended`)."""
    known: dict[str, tuple[Process, Standing]] = {}
    for table in (stands.process, HANDOFF, RETURN):
        since = stands.snapshot.since_of(table.subject) or stands.row.since
        entered = stands.rules.calendar.local_day(since)
        found = standing(table, stands.rules, stands.snapshot, entered)
        known |= {name: (table, hangs) for name, hangs in found.items()}
    if rule == "closing":
        raise Refused("not_extended", state=stands.row.state, rule=rule)
    if rule not in known:
        rules = tuple(name for name in known if name != "closing")
        raise Refused("no_such_deadline", state=stands.row.state, value=rule, rules=rules)
    return known[rule]


def _so_far(
    connection: Connection, stands: Seen, subject: Subject, rule: str, hangs: Standing
) -> tuple[int, frozenset[Alert]]:
    """Return the working days granted so far to a rule as it hangs now, and the alerts given under it."""
    mine = (
        DEADLINE.c.participation_id == stands.row.id,
        DEADLINE.c.subject == subject.value,
        DEADLINE.c.rule == rule,
    )
    latest = select(func.max(DEADLINE.c.generation)).where(*mine).scalar_subquery()
    connection.execute(select(DEADLINE.c.id).where(*mine).with_for_update()).all()  # who fires one is waited for
    query = select(DEADLINE.c.step, DEADLINE.c.status, DEADLINE.c.extension).where(*mine)
    rows = connection.execute(query.where(DEADLINE.c.generation == latest)).all()
    fired = (row.step for row in rows if row.status in {DeadlineStatus.FIRED, DeadlineStatus.MISSED})
    given = frozenset(alert_of(hangs.steps[step].step) for step in fired)
    return max((row.extension for row in rows), default=0), given


def _data_of(connection: Connection, stands: Seen, done: Applied) -> dict[str, int]:
    """Return what an extension done before wrote in the journal."""
    entry = (JOURNAL.c.chain == "participation", JOURNAL.c.chain_id == stands.row.id, JOURNAL.c.seq == done.seq)
    known: dict[str, int] = json.loads(connection.execute(select(JOURNAL.c.data).where(*entry)).scalar_one())
    return known


def _still_late(hangs: Standing, steps: tuple[Opened, ...]) -> bool:
    """Tell whether an alert that was given stays past: whoever has it on their desk must keep it."""
    alerts = (each for hung, each in zip(hangs.steps, steps, strict=True) if hung.step.do is StepAction.ESCALATE)
    return any(each.status is DeadlineStatus.MISSED for each in alerts)


def _ahead(
    stands: Seen, hangs: Standing, steps: tuple[Opened, ...], occasion: Occasion
) -> tuple[tuple[StepAction, datetime], ...]:
    """Return the steps still to come. Raises Refused when there is none, or when the edition is over before them."""
    dated = [(hung.step.do, each.due_at) for hung, each in zip(hangs.steps, steps, strict=True) if each.due_at]
    if not dated:
        raise Refused("deadline_waits", state=stands.row.state)
    ahead = tuple(sorted(((do, due_at) for do, due_at in dated if due_at > occasion.at), key=lambda each: each[1]))
    last: date = stands.rules.calendar.local_day(max(due_at for _, due_at in dated))
    if not ahead:
        raise Refused("extension_in_past", state=stands.row.state, on=last)
    closes = stands.rules.anchors[Anchor.CLOSING]
    if stands.rules.calendar.local_day(ahead[0][1]) > closes:
        raise Refused("extension_after_closing", state=stands.row.state, closes=closes)
    return ahead
