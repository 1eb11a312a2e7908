"""Who owes which act by when, and who is in charge: read from the process tables and the deadlines that hang.

A row is that of `actions.reports`: a participation with its school, its place, its handoff and IFC.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam

from actions.people import CONTACT
from actions.reaching import LISTED, Reached, reach
from core.clock import BRUSSELS, iso
from states.deadlines import PLACE_RULE
from states.guards import WAITING_STATES
from states.names import (
    HandoffStatus,
    Level,
    OrganisationKind,
    PlacementStatus,
    Role,
    StandIn,
    State,
    StepAction,
    Subject,
    Trigger,
)
from states.process import StateSpec
from states.rules import RuleKey, Rules
from states.tables import HANDOFF, PLACEMENT, RETURN, process_for

Document = dict[str, Any]
Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class Owed:
    """An act that somebody owes; `rule` is the deadline that it meets."""

    role: Role
    act: Trigger
    subject: Subject
    rule: str


def with_receiver(row: Row[Any]) -> bool:
    """Tell whether the institute is in charge: from its acceptance until the transfer is confirmed, or sent back."""
    return bool(row.handoff == HandoffStatus.ACCEPTED or row.returned == HandoffStatus.TO_ROUTE)


def due(row: Row[Any], deadlines: Rows, rules: Rules, contacts: "Contacts", at: datetime | None) -> list[Document]:
    """Return who owes which act by when; `contacts` say who answers, `at` what is late at that moment."""
    return [_item(row, owed, _by(deadlines, owed, rules), contacts, at) for owed in owing(row)]


def owing(row: Row[Any]) -> Iterator[Owed]:
    """Yield what is owed now: by the state, by the open handoff in its stead, for a place that is still looked for."""
    placed = row.placement == PlacementStatus.CONFIRMED
    spec = process_for(Subject.PARTICIPATION, row.definition).states[row.state]
    relay = _relay(row)
    if relay is not None and relay[1].owed_by and relay[1].act:
        act = Trigger.CONFIRM_TRANSFER if relay[1].act is Trigger.COMPLETE else relay[1].act
        yield Owed(_answering(row, relay[1].owed_by), act, relay[0], relay[1].act_rule)
    elif spec.owed_by and spec.act and (placed or spec.owed_by is not Role.COMPANY):
        yield Owed(_answering(row, spec.owed_by), spec.act, Subject.PARTICIPATION, spec.act_rule)
    if row.state in WAITING_STATES and not placed:
        tried = PLACEMENT.states.get(row.placement or "", StateSpec())
        yield Owed(tried.owed_by or Role.COORDINATOR, tried.act or Trigger.PROPOSE, Subject.PLACEMENT, PLACE_RULE)


def _relay(row: Row[Any]) -> tuple[Subject, StateSpec] | None:
    """Return the relay on which the next act of the participation hangs: to the institute, or back to IFC."""
    if row.state == State.IMMERSED and row.handoff is not None:
        return Subject.HANDOFF, HANDOFF.states[row.handoff]
    if row.state == State.TRANSFERRED and row.returned is not None:
        return Subject.RETURN, RETURN.states[row.returned]
    return None


def _answering(row: Row[Any], role: Role) -> Role:
    """Return who answers for a role: IFC, without a school, for a handoff it took, for a talk that is still due."""
    without_school = role is Role.DIRECTOR and row.school_id is None
    to_be_seen = role is Role.TEACHER and row.state == State.TRANSFERRED and row.answers_on and row.drawn_on
    own_handoff = role is Role.INSTITUTE and row.receiver_kind != OrganisationKind.INSTITUTE
    return Role.COORDINATOR if without_school or own_handoff or to_be_seen else role


def _by(deadlines: Rows, owed: Owed, rules: Rules) -> datetime | None:
    """Return when an act is due: at the first escalation of its rule, as the mails say; a place, at its cut-off."""
    subject = Subject.PARTICIPATION if owed.subject is Subject.PLACEMENT else owed.subject
    hanging = [each for each in deadlines if (each.subject, each.rule) == (subject, owed.rule)]
    if not hanging:
        return None
    generation = max(each.generation for each in hanging)
    steps = {each.step: each for each in hanging if each.generation == generation}
    escalating = [number for number, each in sorted(steps.items()) if step_action(each, rules) is StepAction.ESCALATE]
    number = max(steps) if owed.rule == PLACE_RULE or not escalating else escalating[0]
    due_at: datetime | None = steps[number].due_at
    return due_at


def round_by(subject: Subject, status: str, deadlines: Rows, rules: Rules) -> datetime | None:
    """Return by when the act that a round of the relay waits for is due, as the mails say; None when it waits for none.

    `deadlines` are the participation's.
    """
    spec = process_for(subject, "").states[status]
    if spec.owed_by is None or spec.act is None:
        return None
    return _by(deadlines, Owed(spec.owed_by, spec.act, subject, spec.act_rule), rules)


def step_action(deadline: Row[Any], rules: Rules) -> StepAction:
    """Return what a deadline's step does when it falls due."""
    number: int = deadline.step
    return rules.ladder[RuleKey(Subject(deadline.subject), deadline.state, deadline.rule)][number].do


_Who = tuple[Role, int | None]


@dataclass(frozen=True, slots=True)
class Contacts:
    """Whom messages reach for each organisation concerned, by role; `desk` for those that nobody can be reached of."""

    reached: Mapping[_Who, Reached]
    desk: Row[Any] | None
    today: date | None

    def of(self, role: Role, organisation_id: int | None) -> tuple[Row[Any] | None, StandIn | None]:
        """Return who is written to, and whether they stand in for somebody; (None, None) where nobody is listed."""
        reached = self.reached.get((role, organisation_id))
        if reached is None:
            return None, None
        return (reached.contact or self.desk, reached.stands_in)


def contacts_around(connection: Connection, rows: Rows, at: datetime | None) -> Contacts:
    """Return whom messages would reach at a moment (None: whoever is not marked), as `jobs.contacts` would choose."""
    around = {each for row in rows for each in (row.school_id, row.company_id, row.receiver_id, row.ifc_id) if each}
    listed: defaultdict[_Who, list[Row[Any]]] = defaultdict(list)
    for contact in connection.execute(_AROUND, {"organisations": sorted(around)}):
        listed[Role(contact.role), contact.organisation_id].append(contact)
    today = None if at is None else at.astimezone(BRUSSELS).date()
    reached = {who: reach(contacts, Level.FIRST, today) for who, contacts in listed.items()}
    desk = next((reached.get((Role.COORDINATOR, row.ifc_id)) for row in rows), None)
    return Contacts(reached, desk.contact if desk else None, today)


_AROUND = LISTED.where(CONTACT.c.organisation_id.in_(bindparam("organisations", expanding=True)))


def name_of(row: Any) -> str | None:  # noqa: ANN401 - a row with a first and a last name
    """Return somebody's name; None once they are erased, or where nobody was."""
    return f"{row.first_name or ''} {row.last_name or ''}".strip() or None


def name_at(contact: Any) -> str | None:  # noqa: ANN401 - as above
    """Return a contact's name; a functional mailbox has its address."""
    return None if contact is None else name_of(contact) or contact.address


def whom(row: Row[Any], role: Role, contacts: Contacts) -> Document:
    """Return who answers for a role towards a participation, and how to reach them."""
    organisation_id, organisation = {
        Role.DIRECTOR: (row.school_id, row.school_name),
        Role.COMPANY: (row.company_id, row.company_name),
        Role.INSTITUTE: (row.receiver_id, row.receiver_name),
        Role.COORDINATOR: (row.ifc_id, row.ifc_name),
    }.get(role, (None, None))
    contact, stands_in = contacts.of(role, organisation_id)
    if role is Role.TEACHER:
        name, phone, email = name_of(row), row.phone, row.email
    elif contact is None:
        name = phone = email = None
    else:
        name, phone, email = name_at(contact), contact.phone, contact.address
    return {
        "who": str(role),
        "name": name,
        "organisation": organisation,
        "stands_in": None if stands_in is None else str(stands_in),
        "phone": phone or None,
        "email": email,
    }


def _item(row: Row[Any], owed: Owed, by: datetime | None, contacts: Contacts, at: datetime | None) -> Document:
    told = whom(row, owed.role, contacts)
    return {
        **{name: told[name] for name in ("who", "name", "organisation", "stands_in")},
        "act": str(owed.act),
        "subject": str(owed.subject),
        "by": None if by is None else iso(by),
        "late": None if at is None or by is None else by < at,
        "rule": owed.rule,
    }
