"""What will be sent, escalated or ended by itself if nobody does anything: the real jobs, run ahead on a copy.

So it cannot differ from what the ticks will do, and it touches nothing. What people do meanwhile changes it, of course.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, select

from actions.people import CONTACT, PARTY
from actions.reading import rules_for
from actions.writing import DEADLINE, NOTIFICATION, PARTICIPATION
from core.clock import BRUSSELS, iso
from jobs import tick
from jobs.workshop import Workshop
from models import Message, MessageText, table_of
from notifications.gateways import Mail, Receipt
from simulation.world import next_due
from states.names import DeadlineStatus, MessageStatus, StepAction, Subject
from states.rules import RuleKey
from wiring.copies import copy_of
from wiring.database import reading

MESSAGE, TEXT = table_of(Message), table_of(MessageText)
Document = dict[str, Any]
MOST_DAYS = 400
_MOST_TICKS = 10_000
EXPIRES = (StepAction.LAPSE, StepAction.CANCEL, StepAction.TIME_OUT)
_A_MINUTE = timedelta(minutes=1)


class Nowhere:
    """A gateway that takes every message and keeps none: what would have left stands in the copy."""

    name = "nowhere"
    idempotent = True

    def send(self, mail: Mail) -> Receipt:  # noqa: ARG002 - the protocol's
        return Receipt(accepted=True)


def foresee(workshop: Workshop, at: datetime, days: int) -> Document:
    """Return what goes out between a moment and the end of the local day so many days later (0: today).

    `messages` that will leave, to whom, about whom, under which rules; `expiries` that end something; steps that are
    `overtaken`, hence never said.
    """
    until = end_of(at.astimezone(BRUSSELS).date() + timedelta(days=days))
    with copy_of(workshop.engine) as (engine, folder):
        with reading(engine) as connection:
            before = {*connection.execute(SETTLED).scalars(), *connection.execute(ENDED).scalars()}
        run_ahead(apart(workshop, engine, folder, until), at, until)
        with reading(engine) as connection:
            return {
                "from": iso(at),
                "until": iso(until),
                "messages": list(_messages(connection, before)),
                "expiries": list(steps(connection, DeadlineStatus.FIRED, EXPIRES, before)),
                "overtaken": list(steps(connection, DeadlineStatus.MISSED, tuple(StepAction), before)),
            }


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), BRUSSELS).astimezone(UTC) - timedelta(seconds=1)


def apart(workshop: Workshop, engine: Engine, folder: Path, until: datetime) -> Workshop:
    """Return a workshop that reads and writes nothing but the copy: no files, no mail, no web.

    Its wall lies ahead, so that a message that waits for another try is tried.
    """
    ahead = max(workshop.wall(), until) + timedelta(days=1)
    return replace(
        workshop,
        engine=engine,
        gateway=Nowhere(),
        inbox=folder / "inbox",
        seals=folder / "seals",
        documents=folder / "documents",
        seal_key=b"",  # neither seals nor webhooks
        wall=lambda: ahead,
        recorded=lambda moment: moment,
        holder="foresight",
    )


class People(Protocol):
    """Those who act while the jobs are run ahead."""

    def act(self, now: datetime) -> None:
        """Do what is to be done by this moment, before its tick."""
        ...

    def next_act(self, now: datetime) -> datetime | None:
        """Look at where everybody stands after a tick; return when somebody acts next."""
        ...


def run_ahead(workshop: Workshop, at: datetime, until: datetime, people: People | None = None) -> None:
    """Tick now, then at each moment at which something falls due, or somebody acts.

    What is overdue is tried again a minute later, as long as a tick does anything: what waits for `retry` waits.
    """
    now: datetime | None = at
    for _ in range(_MOST_TICKS):
        if now is None or now > until:
            return
        if people is not None:
            people.act(now)
        busy = any(summary.handled for summary in tick.run(workshop, now))
        with reading(workshop.engine) as connection:
            due = next_due(connection, now + _A_MINUTE, beyond=None if busy else now)
        acts = None if people is None else people.next_act(now)
        now = min((moment for moment in (due, acts) if moment is not None), default=None)


# ------------------------------------------------------------------------------------------------------ what came of it
Known = Collection[object]  # ids of what had settled, or ended, before
SETTLED = select(MESSAGE.c.id).where(MESSAGE.c.status == MessageStatus.ACCEPTED.value)
ENDED = select(DEADLINE.c.id).where(DEADLINE.c.status.in_((DeadlineStatus.FIRED.value, DeadlineStatus.MISSED.value)))


def _messages(connection: Connection, before: Known) -> Iterator[Document]:
    query = (
        select(MESSAGE, TEXT.c.subject, CONTACT.c.address, PARTY.c.first_name, PARTY.c.last_name)
        .outerjoin(TEXT, TEXT.c.message_id == MESSAGE.c.id)
        .outerjoin(CONTACT, CONTACT.c.id == MESSAGE.c.contact_id)
        .outerjoin(PARTY, PARTY.c.id == CONTACT.c.party_id)
        .where(MESSAGE.c.status == MessageStatus.ACCEPTED.value)
        .order_by(MESSAGE.c.settled_at, MESSAGE.c.id)
    )
    about = _about(connection)
    for row in connection.execute(query):
        if row.id not in before:
            said = about[row.id]
            yield {
                "at": iso(row.settled_at),
                "kind": row.kind,
                "subject": row.subject,
                "role": row.role,
                "to": f"{row.first_name or ''} {row.last_name or ''}".strip() or row.address,
                "address": row.address,
                "level": row.level,
                "stands_in": row.stands_in or None,
                "about": sorted({(each.subject, each.rule) for each in said}),
                "references": sorted({each.reference for each in said}),
            }


def _about(connection: Connection) -> defaultdict[str, list[Any]]:
    query = select(
        NOTIFICATION.c.message_id, NOTIFICATION.c.subject, NOTIFICATION.c.rule, PARTICIPATION.c.reference
    ).join(PARTICIPATION, PARTICIPATION.c.id == NOTIFICATION.c.participation_id)
    carried: defaultdict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query.where(NOTIFICATION.c.message_id.is_not(None))):
        carried[row.message_id].append(row)
    return carried


def steps(
    connection: Connection, status: DeadlineStatus, does: Collection[StepAction], before: Known
) -> Iterator[Document]:
    """Yield the steps of ladders that came to this status, of those that do one of these things."""
    query = (
        select(DEADLINE, PARTICIPATION.c.reference)
        .join(PARTICIPATION, PARTICIPATION.c.id == DEADLINE.c.participation_id)
        .where(DEADLINE.c.status == status.value)
        .order_by(DEADLINE.c.ended_at, PARTICIPATION.c.reference, DEADLINE.c.step)
    )
    for row in connection.execute(query):
        key = RuleKey(Subject(row.subject), row.state, row.rule)
        step = rules_for(connection, row.revision_id).ladder[key][row.step]
        if step.do in does and row.id not in before:
            yield {
                "at": iso(row.ended_at),
                "reference": row.reference,
                "subject": row.subject,
                "rule": row.rule,
                "step": row.step,
                "does": str(step.do),
                "audience": str(step.audience) if step.audience else None,
            }
