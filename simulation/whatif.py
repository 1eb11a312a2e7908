"""What would happen under another ladder, calendar or cut-off: the real jobs, run ahead on two copies of the database.

One copy keeps the edition as it stands, the other takes the changed file as `init --apply` would; both begin at the
same moment and with the same people acting, so that what differs is the file's doing. Mails are counted, not written.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, select

from actions.editions import Current, current
from actions.occasion import Actor
from actions.people import CONTACT, ORGANISATION, PARTY
from actions.replanning import replan
from core.clock import BRUSSELS, iso
from jobs.envelopes import Letter, addressed
from jobs.workshop import Workshop
from notifications.gateways import Mail, Mailbox
from notifications.rendering import Rendered
from simulation.foresight import ENDED, EXPIRES, MESSAGE, SETTLED, apart, end_of, run_ahead, steps
from simulation.people import Acting
from states.edition import EditionFile, differences
from states.names import Audience, DeadlineStatus, MessageStatus, OrganisationKind, Role, StepAction
from wiring.copies import copy_of
from wiring.database import reading

Document = dict[str, Any]
MOST_RECIPIENTS = 10
_VIA = "simulation"
_REASON = "Simulation"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: the edition's file, changed or not, and which share of what is owed people do by themselves."""

    file: EditionFile
    acting: float = 0.0
    seed: int = 0


def what_if(workshop: Workshop, at: datetime, days: int, asked: Asked) -> Document:
    """Return what would be sent and what would end until the end of the local day so many days after a moment.

    `before`: under the edition as it stands; `after`: under the file. All that runs is counted, other editions too.
    Raises what `replan` raises.
    """
    until = end_of(at.astimezone(BRUSSELS).date() + timedelta(days=days))
    with copy_of(workshop.engine) as (first, first_folder), copy_of(first) as (second, second_folder):
        with reading(first) as connection:
            edition = current(connection, asked.file.code)
        changes = differences(edition.content, asked.file.canonical())
        as_it_stands = _counting(workshop, first, first_folder, until)
        changed = _counting(workshop, second, second_folder, until)
        if changes:  # first: a file that is refused costs no more than that
            _replan(changed, asked.file, at)
        before = _figures(as_it_stands, edition, at, until, asked)
        after = _figures(changed, edition, at, until, asked) if changes else before
    return {
        "edition": edition.code,
        "from": iso(at),
        "until": iso(until),
        "acting": asked.acting,
        "seed": asked.seed,
        "changes": changes,
        "before": before,
        "after": after,
    }


class _Blank:
    """A scribe who addresses every letter and writes none."""

    def letters(self, connection: Connection, messages: Sequence[Row[Any]], at: datetime) -> list[Letter]:
        return addressed(connection, messages, at)

    def write(self, letter: Letter, sender: Mailbox, at: datetime) -> tuple[Mail, Rendered]:
        recipient = Mailbox(letter.chosen.address if letter.chosen else "")
        blank = Rendered("", "", "")
        mail = Mail(
            message_id=letter.message_id, sender=sender, recipient=recipient, subject="", text="", html="", at=at
        )
        return mail, blank


def _counting(workshop: Workshop, engine: Engine, folder: Path, until: datetime) -> Workshop:
    return replace(apart(workshop, engine, folder, until), scribe=_Blank)


def _replan(workshop: Workshop, file: EditionFile, at: datetime) -> None:
    """Give the copy the file, as IFC would."""
    with workshop.transaction() as connection:
        replan(connection, file, None, _REASON, _ifc(connection), workshop.occasion(at))


def _ifc(connection: Connection) -> Actor:
    ifc = select(ORGANISATION.c.id).where(ORGANISATION.c.kind == OrganisationKind.IFC.value)
    return Actor(Role.COORDINATOR, None, frozenset(connection.execute(ifc).scalars()), _VIA)


# ------------------------------------------------------------------------------------------------------ what came of it
def _figures(workshop: Workshop, edition: Current, at: datetime, until: datetime, asked: Asked) -> Document:
    with reading(workshop.engine) as connection:
        known = {*connection.execute(SETTLED).scalars(), *connection.execute(ENDED).scalars()}
    people = Acting(workshop, edition.id, at, asked.acting, asked.seed) if asked.acting else None
    run_ahead(workshop, at, until, people)
    with reading(workshop.engine) as connection:
        fired = list(steps(connection, DeadlineStatus.FIRED, (*EXPIRES, StepAction.ESCALATE), known))
        to_a_person = [each for each in fired if each["audience"] != Audience.COMMITTEE]  # which reads figures only
        alerts = [each for each in to_a_person if each["does"] == StepAction.ESCALATE]
        endings = [each for each in fired if each["does"] != StepAction.ESCALATE]
        return {
            "mails": _mails(connection, known),
            "endings": {"total": len(endings), "by_act": _counted(each["does"] for each in endings), "list": endings},
            "alerts": {
                "total": len(alerts),
                "by_rule": _counted(f"{each['subject']}.{each['rule']}" for each in alerts),
                "by_week": _counted(_week(datetime.fromisoformat(each["at"])) for each in alerts),
            },
            "acts": {"done": people.done, "refused": people.refused} if people else {"done": 0, "refused": 0},
        }


def _mails(connection: Connection, known: Collection[object]) -> Document:
    query = select(MESSAGE.c.id, MESSAGE.c.kind, MESSAGE.c.role, MESSAGE.c.settled_at, MESSAGE.c.contact_id).where(
        MESSAGE.c.status == MessageStatus.ACCEPTED.value
    )
    sent = [row for row in connection.execute(query) if row.id not in known]
    return {
        "total": len(sent),
        "by_kind": _counted(row.kind for row in sent),
        "by_role": _counted(row.role for row in sent),
        "by_week": _counted(_week(row.settled_at) for row in sent),
        "recipients": list(_recipients(connection, Counter((row.contact_id, row.role) for row in sent))),
    }


def _recipients(connection: Connection, counts: Counter[tuple[int | None, str]]) -> Iterator[Document]:
    """Yield who would be written to most, and how often."""
    query = select(CONTACT.c.id, CONTACT.c.address, PARTY.c.first_name, PARTY.c.last_name).outerjoin(
        PARTY, PARTY.c.id == CONTACT.c.party_id
    )
    who = {row.id: row for row in connection.execute(query)}
    most = sorted(
        (-number, who[contact].address, role, contact) for (contact, role), number in counts.items() if contact
    )
    for number, address, role, contact in most[:MOST_RECIPIENTS]:
        row = who[contact]
        name = f"{row.first_name or ''} {row.last_name or ''}".strip() or address
        yield {"to": name, "address": address, "role": role, "mails": -number}


def _counted(values: Iterator[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _week(moment: datetime) -> str:
    """Return the local Monday of a moment's week."""
    day = moment.astimezone(BRUSSELS).date()
    return (day - timedelta(days=day.weekday())).isoformat()
