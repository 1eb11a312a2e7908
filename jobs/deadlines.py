"""What falls due: reminders and escalations are said, expiries are done. Each step fires once, whoever runs this.

After an outage several steps of one ladder may be due. Then the last of them fires, the one that matters now; those
that it has overtaken are recorded as missed, so that nobody gets a burst and nothing is passed over in silence.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, insert, select, update

from actions.apply import Outcome, Request, apply_many
from actions.escalations import raise_items
from actions.occasion import Occasion, system
from actions.people import ORGANISATION
from actions.reading import Stands, read_rows, rules_for
from actions.telling import Tell, nobody_there, notification_row
from actions.writing import DEADLINE, NOTIFICATION
from core.errors import ProductError
from jobs.batches import Outcomes, not_set_aside, references, settle
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop
from states.audiences import addressed
from states.deadlines import PLACE_RULE
from states.names import DeadlineStatus, Level, OrganisationKind, Role, StepAction, Subject, Trigger
from states.rules import RuleKey, Step
from states.tables import process_for

JOB = "deadlines"
_TRY_AGAIN = ("lost_race", "before_last_entry")  # said by a late tick, or beside another: the next one decides
_EXPIRES = {
    StepAction.LAPSE: Request(Subject.PARTICIPATION, Trigger.LAPSE),
    StepAction.CANCEL: Request(Subject.PARTICIPATION, Trigger.CANCEL),
    StepAction.TIME_OUT: Request(Subject.HANDOFF, Trigger.TIME_OUT),
}


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether a deadline is due: one indexed probe."""
    return bool(_due(connection, select(DEADLINE.c.id), at, None, 1))


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:
    """Fire everything that is due, in the order in which it fell due; note what it has overtaken."""
    summary = Summary(JOB)
    occasion = workshop.occasion(at)
    _pass_over(workshop, summary, occasion, limit)
    last: Row[Any] | None = None  # each is tried once a run: a race lost, or a fault, is left to the next
    while True:
        with workshop.engine.begin() as connection:
            rows = _due(connection, select(DEADLINE), at, last, limit)
            if not rows:
                return summary
            last = rows[-1]
            fresh = [row for row in rows if row.participation_id not in summary.failed]
            settle(connection, summary, _fire(connection, fresh, occasion), occasion)


def _pass_over(workshop: Workshop, summary: Summary, occasion: Occasion, limit: int) -> None:
    """Record as missed the steps that a later step of the same ladder, due too, has overtaken.

    Steps that fall at the same moment are meant together, and all fire. Whoever acts meanwhile ends their own ladder:
    rows that they hold are left to them. A step that no ladder knows is left too: it is set aside when it fires.
    """
    later = DEADLINE.alias("later")
    same = [later.c[name] == DEADLINE.c[name] for name in ("participation_id", "subject", "rule", "generation")]
    overtaken = exists().where(
        *same,
        later.c.step > DEADLINE.c.step,
        later.c.status == DeadlineStatus.OPEN.value,
        later.c.due_at > DEADLINE.c.due_at,
        later.c.due_at <= occasion.at,
    )
    query = select(DEADLINE).where(overtaken).with_for_update(of=DEADLINE, skip_locked=True)
    last: Row[Any] | None = None
    while True:
        with workshop.engine.begin() as connection:
            rows = _due(connection, query, occasion.at, last, limit)
            if not rows:
                return
            last = rows[-1]
            known = [row for row in rows if _known(connection, row)]
            missed = _mark(connection, [row.id for row in known], DeadlineStatus.MISSED, occasion)
            names = references(connection, (row.participation_id for row in known))
            for row in known:
                if row.id in missed:
                    summary.add(names[row.participation_id], f"{row.rule}:{DeadlineStatus.MISSED}")


def _known(connection: Connection, row: Row[Any]) -> bool:
    """Tell whether a deadline is a step of its edition's ladder: not one that somebody wrote by hand."""
    with suppress(Exception):
        return _step(connection, row) is not None
    return False


def _due(
    connection: Connection, query: Select[Any], at: datetime, last: Row[Any] | None, limit: int
) -> Sequence[Row[Any]]:
    """Return the next of these deadlines that are due, in the order in which they fell due, after the last one tried.

    The order is also what has either engine walk the index of what is open, however little of it is due.
    """
    query = query.where(
        DEADLINE.c.status == DeadlineStatus.OPEN.value,
        DEADLINE.c.due_at <= at,
        not_set_aside(JOB, DEADLINE.c.participation_id),
    )
    if last is not None:
        later = (DEADLINE.c.due_at > last.due_at) | ((DEADLINE.c.due_at == last.due_at) & (DEADLINE.c.id > last.id))
        query = query.where(later)
    return connection.execute(query.order_by(DEADLINE.c.due_at, DEADLINE.c.id).limit(limit)).all()


def _fire(connection: Connection, rows: Sequence[Row[Any]], occasion: Occasion) -> Outcomes:
    faults: list[tuple[int, Outcome | str | None]] = []
    telling: list[tuple[Row[Any], Step]] = []
    expiring: list[tuple[Row[Any], Step]] = []
    for row in rows:
        try:
            step = _step(connection, row)
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            faults.append((row.participation_id, fault))
        else:
            (expiring if step.do in _EXPIRES else telling).append((row, step))
    return [*faults, *_tell(connection, telling, occasion), *_expire(connection, expiring, occasion)]


def _step(connection: Connection, row: Row[Any]) -> Step:
    ladder = rules_for(connection, row.revision_id).ladder
    steps = ladder[RuleKey(Subject(row.subject), row.state, row.rule)]
    number: int = row.step
    return steps[number]


def _tell(connection: Connection, due: Sequence[tuple[Row[Any], Step]], occasion: Occasion) -> Outcomes:
    """Mark reminders and escalations fired and say them, in one go; an act that came first has won."""
    people = read_rows(connection, {row.participation_id for row, _ in due})
    outcomes: list[tuple[int, Outcome | str | None]] = []
    ready: list[tuple[Row[Any], Step, Tell | None]] = []
    for row, step in due:
        try:
            ready.append((row, step, _said(row, step, people.get(row.participation_id))))
        except Exception as fault:  # noqa: BLE001 - one participation's fault is set aside, the others go on
            outcomes.append((row.participation_id, fault))
    won = _mark(connection, [row.id for row, *_ in ready], DeadlineStatus.FIRED, occasion)
    committees: dict[int, int | None] = {}  # by revision
    notifications, alerts = [], []
    for row, step, tell in (each for each in ready if each[0].id in won):
        outcomes.append((row.participation_id, f"{row.rule}:{step.do}"))
        if tell is None:
            continue
        if tell.role is Role.COMMITTEE and row.revision_id not in committees:
            committees[row.revision_id] = _committee(connection, row.revision_id)
        committee = committees.get(row.revision_id) if tell.role is Role.COMMITTEE else None
        if said := notification_row(people[row.participation_id], tell, occasion.at, committee):
            notifications.append(said)
            if step.do is StepAction.ESCALATE:
                alerts.append((row, said))
    if notifications:
        connection.execute(insert(NOTIFICATION), notifications)
    raise_items(connection, alerts, occasion.at)
    return outcomes


def _committee(connection: Connection, revision_id: int) -> int | None:
    code = rules_for(connection, revision_id).committee
    mine = (ORGANISATION.c.kind == OrganisationKind.COMMITTEE.value, ORGANISATION.c.code == code)
    return connection.execute(select(ORGANISATION.c.id).where(*mine)).scalar()


def _said(row: Row[Any], step: Step, stands: Stands | None) -> Tell | None:
    """Return what a step says, and to whom. Raises ValueError when the participation cannot be read."""
    if stands is None:
        raise ValueError("unreadable")
    if step.message is None or step.audience is None:
        return None
    subject = Subject(row.subject)
    table = process_for(subject, stands.definition)
    role, level = addressed(step.audience, table.states[row.state].owed_by if row.rule != PLACE_RULE else None)
    if role is not Role.COMMITTEE and nobody_there(stands, role):  # no company, no institute yet: IFC must find one
        role, level = Role.COORDINATOR, Level.FIRST
    name = f"{row.subject}.{row.rule}.{row.step}.{row.generation}"
    key = f"{row.participation_id}/{name}/{step.message}"
    return Tell(step.message, role, subject, f"{row.rule}:{row.step}", key, level=level, alone=step.alone)


def _mark(connection: Connection, ids: Sequence[int], status: DeadlineStatus, occasion: Occasion) -> set[int]:
    """Move open deadlines to a status and return those that were still open: the one winner of a race."""
    if not ids:
        return set()
    query = (
        update(DEADLINE)
        .where(DEADLINE.c.id.in_(ids), DEADLINE.c.status == DeadlineStatus.OPEN.value)
        .values(status=status.value, ended_at=occasion.at)
        .returning(DEADLINE.c.id)
    )
    return set(connection.execute(query).scalars())


_FIRED = update(DEADLINE).values(status=DeadlineStatus.FIRED.value)


def _expire(connection: Connection, due: Sequence[tuple[Row[Any], Step]], occasion: Occasion) -> Outcomes:
    """Do what an expiry does (lapse, cancel, time out).

    The act ends its own deadlines; the one that fell due is marked fired.
    A refusal (a place was found after all) closes the deadline; a lost race leaves it to the next run.
    """
    first = {row.participation_id: (row, step) for row, step in reversed(due)}
    asked = {pid: _EXPIRES[step.do] for pid, (_, step) in first.items()}
    outcomes = apply_many(connection, asked, system(), occasion)
    done = [first[pid][0].id for pid, outcome in outcomes.items() if not isinstance(outcome, Exception)]
    refused = [
        first[pid][0].id
        for pid, outcome in outcomes.items()
        if isinstance(outcome, ProductError) and outcome.code not in _TRY_AGAIN
    ]
    if done:
        connection.execute(_FIRED.where(DEADLINE.c.id.in_(done)))
    _mark(connection, refused, DeadlineStatus.CLOSED, occasion)
    return outcomes.items()
