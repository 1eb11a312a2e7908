"""From notifications to what a message is rendered from: names are resolved when the message is claimed, not before."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.exc import DBAPIError

from actions.effects import OFFER
from actions.journal import JOURNAL, TEXTS
from actions.packets import PACKET
from actions.people import ORGANISATION, PARTY
from actions.places import SESSION, WISH
from actions.reading import rules_for
from actions.webhooks import EVENT, WEBHOOK
from actions.writing import DEADLINE, HANDOFF, NOTIFICATION, PARTICIPATION, PLACEMENT
from core.clock import BRUSSELS
from jobs.contacts import Chosen, Contacts
from jobs.delays import chased, hangs, owing
from jobs.invitations import session_of, still_so
from models import EditionRevision, table_of
from models.around import AROUND, COMPANY, IFC, RECEIVER, RETURNED, SCHOOL
from notifications.catalogue import CATALOGUE
from notifications.envelope import Contact, Envelope, Item
from states.edition import EditionFile
from states.edition_evaluation import questions_of
from states.names import (
    HandoffStatus,
    Kind,
    Level,
    MessageStatus,
    PlacementStatus,
    Purpose,
    Role,
    StandIn,
    StepAction,
    Subject,
    Trigger,
)
from states.rules import RuleKey, Rules
from states.tables import process_for

REVISION = table_of(EditionRevision)

# Whom the reader of a message would call about it; and to whom a reason is shown. A teacher's own reason for leaving
# is shown to nobody but IFC.
_PERSON_TO_CALL: Mapping[Kind, Role] = {
    Kind.PLACE_CONFIRMED: Role.COMPANY,
    Kind.APPROVAL_OVERDUE: Role.DIRECTOR,
    Kind.OBSERVATION_OVERDUE: Role.COMPANY,
    Kind.PRESENCE_OVERDUE: Role.COMPANY,
    Kind.PREPARATION_OVERDUE: Role.TEACHER,
    Kind.EVALUATION_OVERDUE: Role.TEACHER,
    Kind.PLACE_OVERDUE: Role.TEACHER,
    Kind.HANDOFF_OVERDUE: Role.INSTITUTE,
    Kind.HANDOFF_DECLINED: Role.INSTITUTE,
    Kind.HANDOFF_TIMED_OUT: Role.INSTITUTE,
    Kind.HANDOFF_ACCEPTED: Role.INSTITUTE,
    Kind.TRANSFER_OVERDUE: Role.INSTITUTE,
    Kind.TRANSFER_INVITATION: Role.INSTITUTE,
    Kind.TRANSFER_MOVED: Role.INSTITUTE,
    Kind.TRANSFER_CALLED_OFF: Role.INSTITUTE,
    Kind.RETURN_HELD: Role.INSTITUTE,
    Kind.RETURN_OVERDUE: Role.INSTITUTE,
}
_SHOWS_REASON = frozenset(
    {
        Kind.REGISTRATION_DECLINED,
        Kind.PLACE_LOST,
        Kind.ABSENCE_RECORDED,
        Kind.HANDOFF_DECLINED,
        Kind.TRANSFER_CALLED_OFF,
        Kind.RETURN_SENT_BACK,
        Kind.PARTICIPATION_CANCELLED,
        Kind.PARTICIPATION_REINSTATED,
        Kind.PARTICIPATION_CORRECTED,
    }
)

_ASKS_THE_QUESTIONS = frozenset({Kind.EVALUATION_REQUESTED, Kind.EVALUATION_REMINDER})

# Words of the journal that are no reason for what comes after them.
_OTHER_WORDS = tuple(
    trigger.value
    for trigger in (
        *(Trigger.RECORD_COMMENT, Trigger.RECORD_FACT, Trigger.REPLACE),
        *(Trigger.TAKE_UP, Trigger.POSTPONE, Trigger.SETTLE, Trigger.EXTEND, Trigger.REPLAN, Trigger.MIGRATE),
    )
)

# Messages about a round that was refused, or left unanswered: the one before the round that it opened.
_ABOUT_THE_ROUND_BEFORE = frozenset({Kind.HANDOFF_DECLINED, Kind.HANDOFF_TIMED_OUT})

# Messages about a place that is held no more still name it; all others name only a confirmed one.
_NAMES_PAST_PLACE = frozenset(
    {
        Kind.PLACE_LOST,
        Kind.TRAINEE_WITHDRAWN,
        Kind.ABSENCE_RECORDED,
        Kind.PARTICIPATION_WITHDRAWN,
        Kind.PARTICIPATION_CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to be rendered, or the reason why it need not leave any more."""

    message_id: str
    chosen: Chosen | None
    envelope: Envelope | None
    cancelled: str = ""
    failed: str = ""  # the kind of the fault, when nothing of it can be written
    faults: tuple[str, ...] = ()  # participations left out because something is wrong with them, by reference
    packets: tuple[str, ...] = ()  # what it hands over, as it was fixed
    quiet_until: datetime | None = None  # it came in quiet hours, which end then


def letters(connection: Connection, messages: Sequence[Row[Any]], at: datetime) -> list[Letter]:
    """Return what each of these messages says today, in a fixed number of statements."""
    desk, carried = _desk(connection, messages, at)
    return [_or_failed(_letter, desk, message, carried[message.id]) for message in messages]


def addressed(connection: Connection, messages: Sequence[Row[Any]], at: datetime) -> list[Letter]:
    """Return the same letters with nothing in them: which of them leave today, and to whom."""
    desk, carried = _desk(connection, messages, at)
    return [_or_failed(_to_whom, desk, message, carried[message.id]) for message in messages]


def _to_whom(desk: "_Desk", message: Row[Any], notifications: Sequence[Row[Any]]) -> Letter:
    return _addressed(desk, message, notifications)[0]


def _or_failed(
    write: Callable[["_Desk", Row[Any], Sequence[Row[Any]]], Letter],
    desk: "_Desk",
    message: Row[Any],
    notifications: Sequence[Row[Any]],
) -> Letter:
    """Return a letter, or its failure: nothing that is wrong with one message may silence the others.

    A fault of the database itself is nobody's: it is raised, and the next run tries them all again.
    """
    try:
        return write(desk, message, notifications)
    except DBAPIError:
        raise
    except Exception as fault:  # noqa: BLE001 - whatever is wrong with one is told of that one
        return Letter(message.id, None, None, failed=type(fault).__name__)


def _desk(
    connection: Connection, messages: Sequence[Row[Any]], at: datetime
) -> tuple["_Desk", Mapping[str, list[Row[Any]]]]:
    ids = [message.id for message in messages]
    carried: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(
        select(NOTIFICATION).where(NOTIFICATION.c.message_id.in_(ids)).order_by(NOTIFICATION.c.id)
    ):
        carried[row.message_id].append(row)
    desk = _Desk(connection, {row.participation_id for rows in carried.values() for row in rows}, at)
    desk.contacts.know({(Role(message.role), message.party_id) for message in messages if message.party_id})
    return desk, carried


def _addressed(
    desk: "_Desk", message: Row[Any], notifications: Sequence[Row[Any]]
) -> tuple[Letter, Sequence[Row[Any]]]:
    """Return a letter with nothing in it yet, and which notifications are still true; nobody chosen: it stays here."""
    kind = Kind(message.kind)
    true = [row for row in notifications if desk.still_true(kind, row)]
    if not true:
        return Letter(message.id, None, None, "no_longer_true"), ()
    # what a process that died may have sent already is settled now: put off, nobody would know of the doubt
    doubtful = message.status == MessageStatus.LEASED
    if not doubtful and (until := desk.quiet_until(true[0])) > desk.at:
        return Letter(message.id, None, None, quiet_until=until), ()
    chosen = desk.contacts.choose(Role(message.role), message.party_id, message.organisation_id, Level(message.level))
    if chosen is None:
        return Letter(message.id, None, None, "nobody_to_write_to"), ()
    return Letter(message.id, chosen, None), true


def _letter(desk: "_Desk", message: Row[Any], notifications: Sequence[Row[Any]]) -> Letter:
    letter, true = _addressed(desk, message, notifications)
    if letter.chosen is None:
        return letter
    kind = Kind(message.kind)
    items, faults = desk.items(kind, true)
    if not items:
        return Letter(message.id, None, None, failed=next(iter(faults.values())), faults=tuple(faults))
    first = desk.rows[true[0].participation_id]
    envelope = desk.envelope(message.id, kind, letter.chosen, items, first)
    packets = desk.packets(kind, [row for row in true if desk.rows[row.participation_id].reference not in faults])
    return replace(letter, envelope=envelope, faults=tuple(faults), packets=packets)


class _Desk:
    """All that a batch of messages needs to know, read once; what letters alone say, only if one is written."""

    def __init__(self, connection: Connection, participations: Collection[int], at: datetime) -> None:
        self.connection, self.at = connection, at
        self.rows = {row.id: row for row in connection.execute(_PEOPLE.where(PARTICIPATION.c.id.in_(participations)))}
        self.editions: dict[int, EditionFile] = {}
        self.today = at.astimezone(BRUSSELS).date()
        ifc_id = next((row.ifc_id for row in self.rows.values()), None)
        self.contacts = Contacts(connection, self.today, ifc_id)

    def quiet_until(self, notification: Row[Any]) -> datetime:
        """Return when the quiet hours of the edition are over; the moment itself outside them.

        Where the rules cannot be read, `items` says so of that participation.
        """
        try:
            rules = rules_for(self.connection, self.rows[notification.participation_id].revision_id)
        except Exception:  # noqa: BLE001 - one participation's fault must not silence the others
            return self.at
        return rules.calendar.may_send_from(self.at)

    def still_true(self, kind: Kind, notification: Row[Any]) -> bool:
        """Tell whether the message is still worth sending: the act it asks for is still owed."""
        row, spec = self.rows[notification.participation_id], CATALOGUE[kind]
        status = {
            Subject.PLACEMENT: row.placement,
            Subject.HANDOFF: row.handoff,
            Subject.RETURN: row.returned,
        }.get(spec.about or Subject.PARTICIPATION, row.state)
        meant = spec.is_true_in(str(status)) and _is_meant(kind, row)
        if spec.figures:
            meant = hangs(row, notification)
        if kind is Kind.TRAINEE_WITHDRAWN and row.days and row.days.split(",")[-1] < self.today.isoformat():
            return False  # the days are over: nobody waits for anybody
        if kind is Kind.HANDOFF_OFFERED and notification.organisation_id != row.institute_id:
            return False  # it went to another meanwhile, whose packet is not theirs to see
        return meant and still_so(self.connection, kind, notification, row.transfer_session_id, self.at)

    def items(self, kind: Kind, rows: Sequence[Row[Any]]) -> tuple[list[Item], dict[str, str]]:
        """Return what is said of each participation; one that something is wrong with is left out, and named."""
        items: list[Item] = []
        faults: dict[str, str] = {}
        for row in rows:
            try:
                items.append(self._item(kind, row))
            except Exception as fault:  # noqa: BLE001 - one participation's fault must not silence the others
                faults[self.rows[row.participation_id].reference] = type(fault).__name__
        return items, faults

    def envelope(self, message_id: str, kind: Kind, chosen: Chosen, items: Sequence[Item], row: Row[Any]) -> Envelope:
        """Return what the message is rendered from; `row` is one of its participations, for what all share."""
        edition = self._edition(row.revision_id)
        return Envelope(
            message_id=message_id,
            kind=kind,
            recipient_name=chosen.name,
            recipient_role=chosen.role,
            edition_title=edition.title,
            items=tuple(items),
            coordinator=self._coordinator(edition, row.ifc_id),
            unreached=chosen.stands_in == StandIn.DESK,
            sender=edition.ifc.name,
            preparation_url=edition.preparation.url,
            places_from=edition.cutoffs.allocation,
            places_until=edition.cutoffs.placement,
            questions=questions_of(edition) if kind in _ASKS_THE_QUESTIONS else (),
        )

    def _coordinator(self, edition: EditionFile, ifc_id: int) -> Contact:
        """Return whom to call at IFC: its first coordinator who can be reached, else the first of the file."""
        found = self.contacts.first(Role.COORDINATOR, None, ifc_id)
        if found is not None:
            return Contact(name=found.name, email=found.address, phone=found.phone or None)
        first = edition.ifc.contacts[0]
        return Contact(name=f"{first.first_name} {first.last_name}", email=first.email, phone=first.phone or None)

    def packets(self, kind: Kind, rows: Sequence[Row[Any]]) -> tuple[str, ...]:
        """Return the packets that an offer hands over, by reference; those of erased people are no more."""
        if kind is not Kind.HANDOFF_OFFERED:
            return ()
        latest = (PACKET.c.participation_id == PARTICIPATION.c.id) & (PACKET.c.round == PARTICIPATION.c.handoff_round)
        query = (
            select(PACKET.c.content)
            .join(PARTICIPATION, latest)
            .where(PARTICIPATION.c.id.in_([row.participation_id for row in rows]), PACKET.c.content != "")
        )
        return tuple(self.connection.execute(query.order_by(PARTICIPATION.c.reference)).scalars())

    def _item(self, kind: Kind, notification: Row[Any]) -> Item:
        row = self.rows[notification.participation_id]
        edition = self._edition(row.revision_id)
        names_place = row.placement == PlacementStatus.CONFIRMED or kind in _NAMES_PAST_PLACE
        before = kind in _ABOUT_THE_ROUND_BEFORE
        return Item(
            reference=row.reference,
            teacher=_name(row),
            teacher_email=row.email,
            function=row.kind,
            school=row.school,
            network=row.network,
            education=row.education,
            wishes=tuple(self.wishes[row.id]),
            company=row.company if names_place else None,
            offer=row.offer if names_place else None,
            site=(row.site or None) if names_place else None,
            days=tuple(date.fromisoformat(day) for day in (row.days or "").split(",") if day and names_place),
            due=self._due(kind, row),
            institute=self._institute(kind, notification) or (row.institute_before if before else row.institute),
            half_days=row.half_days,
            half_days_planned=edition.immersion.half_days,
            contact=self._contact(kind, row),
            reason=self._reason(kind, notification),
            state=row.state,
            cause=(row.because_before or None) if before else None,
            missing=_missing(kind, row),
            session=session_of(self.connection, kind, notification),
            answered=row.answers_on is not None,
            to_be_seen=row.drawn_on is not None and row.interview_on is None,
            owing=owing(row, notification) if CATALOGUE[kind].figures else None,
            days_late=self._days_late(row, notification) if CATALOGUE[kind].figures else 0,
        )

    def _days_late(self, row: Row[Any], notification: Row[Any]) -> int:
        """Return the days since an act was due: since the first alert of its rule, or since it was first spoken of."""
        table, state, rule = chased(row, notification)
        key = RuleKey(table.subject, state, rule)
        day = self._escalation_day(row.id, key, rules_for(self.connection, row.revision_id))
        return max(0, (self.today - (day or notification.at.astimezone(BRUSSELS).date())).days)

    def _contact(self, kind: Kind, row: Row[Any]) -> Contact | None:
        """Return whom the reader would call: the company that hosts, the officer in charge, the person who is late."""
        role = _PERSON_TO_CALL.get(kind)
        if role is None:
            return None
        if role is Role.TEACHER:
            return Contact(name=_name(row), email=row.email or "", phone=row.phone or None) if row.email else None
        organisation = {
            Role.COMPANY: row.company_id,
            Role.DIRECTOR: row.school_id,
            Role.INSTITUTE: row.institute_before_id if kind in _ABOUT_THE_ROUND_BEFORE else row.institute_id,
        }[role]
        found = self.contacts.first(role, None, organisation) if organisation else None
        return Contact(name=found.name, email=found.address) if found else None

    def _institute(self, kind: Kind, notification: Row[Any]) -> str | None:
        """Return whose receiver was disabled: its round may be another institute's by now."""
        if kind is not Kind.WEBHOOK_DISABLED:
            return None
        entry = (EVENT.c.participation_id == notification.participation_id, EVENT.c.seq == notification.seq)
        receiver = EVENT.join(WEBHOOK, WEBHOOK.c.id == EVENT.c.webhook_id)
        query = select(ORGANISATION.c.name).select_from(
            receiver.join(ORGANISATION, ORGANISATION.c.id == WEBHOOK.c.organisation_id)
        )
        return self.connection.execute(query.where(*entry).limit(1)).scalar()

    def _reason(self, kind: Kind, notification: Row[Any]) -> str | None:
        if kind not in _SHOWS_REASON or notification.seq is None:
            return None
        own = JOURNAL.alias("own")
        query = select(TEXTS.c.text).where(
            own.c.chain == "participation",
            own.c.chain_id == notification.participation_id,
            own.c.seq == notification.seq,
            JOURNAL.c.chain == own.c.chain,
            JOURNAL.c.chain_id == own.c.chain_id,
            JOURNAL.c.seq.between(own.c.seq - 1, own.c.seq),  # a joined entry follows the act that carries the reason
            # of the same act, and of nobody else's words: what stood before may be for IFC's eyes only
            JOURNAL.c.at == own.c.at,
            JOURNAL.c.role == own.c.role,
            JOURNAL.c.trigger.not_in(_OTHER_WORDS),
            TEXTS.c.chain == JOURNAL.c.chain,
            TEXTS.c.chain_id == JOURNAL.c.chain_id,
            TEXTS.c.seq == JOURNAL.c.seq,
        )
        return self.connection.execute(query.order_by(TEXTS.c.seq.desc()).limit(1)).scalar() or None

    def _due(self, kind: Kind, row: Row[Any]) -> date | None:
        """Return the local day by which the owed act is expected: the day of the first escalation of its rule."""
        spec = CATALOGUE[kind]
        if not spec.act_owed:
            return None
        relays = {Subject.HANDOFF: row.handoff, Subject.RETURN: row.returned}
        subject = spec.about if spec.about in relays else Subject.PARTICIPATION
        state = relays.get(subject, row.state)
        table = process_for(subject, row.definition)
        if state not in table.states:
            return None
        rules = rules_for(self.connection, row.revision_id)
        key = RuleKey(subject, state, table.states[state].act_rule)
        day = self._escalation_day(row.id, key, rules)
        late = day is not None and day < self.today and spec.audience is not Role.COORDINATOR
        return None if late else day  # "at the latest by" a day that is past would mislead; an alert names it

    def _escalation_day(self, participation_id: int, key: RuleKey, rules: Rules) -> date | None:
        ladder = rules.ladder.get(key, ())
        escalating = [number for number, step in enumerate(ladder) if step.do is StepAction.ESCALATE]
        due = [
            deadline.due_at
            for deadline in self.deadlines[participation_id]
            if (deadline.subject, deadline.rule) == (key.subject, key.rule)
            and deadline.step in escalating[:1]
            and deadline.due_at is not None
        ]
        return rules.calendar.local_day(due[-1]) if due else None

    def _edition(self, revision_id: int) -> EditionFile:
        if revision_id not in self.editions:
            content = self.connection.execute(
                select(REVISION.c.content).where(REVISION.c.id == revision_id)
            ).scalar_one()
            self.editions[revision_id] = EditionFile.model_validate_json(content)
        return self.editions[revision_id]

    @cached_property
    def wishes(self) -> Mapping[int, list[str]]:
        """Return what each wished for, by rank."""
        company = ORGANISATION.alias("wished_company")
        query = (
            select(WISH.c.participation_id, OFFER.c.title, company.c.name)
            .join(OFFER, OFFER.c.id == WISH.c.offer_id)
            .join(company, company.c.id == OFFER.c.company_id)
            .where(WISH.c.participation_id.in_(self.rows))
            .order_by(WISH.c.participation_id, WISH.c.rank)
        )
        wishes: defaultdict[int, list[str]] = defaultdict(list)
        for row in self.connection.execute(query):
            wishes[row.participation_id].append(f"{row.name} ({row.title})")
        return wishes

    @cached_property
    def deadlines(self) -> Mapping[int, list[Row[Any]]]:
        """Return all deadlines of each."""
        query = (
            select(DEADLINE.c.participation_id, DEADLINE.c.subject, DEADLINE.c.rule, DEADLINE.c.step, DEADLINE.c.due_at)
            .where(DEADLINE.c.participation_id.in_(self.rows))
            .order_by(DEADLINE.c.generation, DEADLINE.c.step)
        )
        deadlines: defaultdict[int, list[Row[Any]]] = defaultdict(list)
        for row in self.connection.execute(query):
            deadlines[row.participation_id].append(row)
        return deadlines


def _missing(kind: Kind, row: Row[Any]) -> tuple[str, ...]:
    """Return what the relay, or the return, that the message is about lacks."""
    back = CATALOGUE[kind].back
    status, codes = (row.returned, row.because_returned) if back else (row.handoff, row.because)
    return tuple((codes or "").split()) if status in _INCOMPLETE else ()


def _is_meant(kind: Kind, row: Row[Any]) -> bool:
    """Tell whether the person is still meant: nobody is asked for answers they gave, or told of a talk they had."""
    if kind in _ASKS_THE_QUESTIONS:
        return row.answers_on is None
    return kind is not Kind.SAMPLE_DRAWN or (row.drawn_on is not None and row.interview_on is None)


def _name(row: Row[Any]) -> str:
    return f"{row.first_name or ''} {row.last_name or ''}".strip()


_BEFORE, _INSTITUTE_BEFORE = HANDOFF.alias("round_before"), ORGANISATION.alias("institute_before")
_INCOMPLETE = (HandoffStatus.TO_ROUTE, HandoffStatus.HELD)
_PEOPLE = select(
    PARTICIPATION.c.id,
    PARTICIPATION.c.reference,
    PARTICIPATION.c.state,
    PARTICIPATION.c.definition,
    PARTICIPATION.c.revision_id,
    PARTICIPATION.c.school_id,
    PARTICIPATION.c.kind,
    PARTICIPATION.c.network,
    PARTICIPATION.c.education,
    PARTICIPATION.c.half_days,
    PARTICIPATION.c.transfer_session_id,
    PARTICIPATION.c.answers_on,
    PARTICIPATION.c.drawn_on,
    PARTICIPATION.c.interview_on,
    PARTY.c.first_name,
    PARTY.c.last_name,
    PARTY.c.email,
    PARTY.c.phone,
    SCHOOL.c.name.label("school"),
    PLACEMENT.c.status.label("placement"),
    COMPANY.c.id.label("company_id"),
    COMPANY.c.name.label("company"),
    OFFER.c.title.label("offer"),
    OFFER.c.site,
    SESSION.c.days,
    HANDOFF.c.status.label("handoff"),
    RECEIVER.c.id.label("institute_id"),
    RECEIVER.c.name.label("institute"),
    HANDOFF.c.because,
    _BEFORE.c.because.label("because_before"),
    _INSTITUTE_BEFORE.c.id.label("institute_before_id"),
    _INSTITUTE_BEFORE.c.name.label("institute_before"),
    RETURNED.c.status.label("returned"),
    RETURNED.c.because.label("because_returned"),
    IFC.c.id.label("ifc_id"),
    IFC.c.name.label("ifc"),
).select_from(
    AROUND.outerjoin(
        _BEFORE,
        (_BEFORE.c.participation_id == PARTICIPATION.c.id)
        & (_BEFORE.c.purpose == Purpose.TRANSFER.value)
        & (_BEFORE.c.round == PARTICIPATION.c.handoff_round - 1),
    ).outerjoin(_INSTITUTE_BEFORE, _INSTITUTE_BEFORE.c.id == _BEFORE.c.receiver_id)
)
