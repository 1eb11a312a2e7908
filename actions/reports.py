"""What can be read of the programme: an edition in figures, one participation as a story, the handoffs.

Everything here only reads, in a fixed number of statements, and returns plain data that is ready for JSON: codes, never
sentences; moments in ISO 8601 with an offset. Names are resolved when they are read: the journal holds none.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, select

from actions.desk import of_participation
from actions.editions import EDITION
from actions.evaluation import told
from actions.figures import status
from actions.journal import JOURNAL, TEXTS
from actions.owed import contacts_around, due, name_of, step_action, with_receiver
from actions.people import CONTACT, ORGANISATION, PARTY
from actions.reading import rules_for
from actions.rounds import SENDER, round_of
from actions.unreachable import unreachable
from core.clock import iso
from core.errors import NotFound
from models import (
    Deadline,
    Fact,
    Handoff,
    Message,
    MessageText,
    Notification,
    Offer,
    OfferSession,
    Participation,
    Placement,
    Seat,
    SetAside,
    TransferSession,
    Waiting,
    Wish,
    table_of,
)
from models.around import AROUND, COMPANY, IFC, RECEIVER, RETURNED, SCHOOL
from states.names import MessageStatus, Trigger
from states.rules import Rules

__all__ = ["status", "story"]

PARTICIPATION, WISH, FACT = table_of(Participation), table_of(Wish), table_of(Fact)
OFFER, SESSION, SEAT, PLACEMENT = table_of(Offer), table_of(OfferSession), table_of(Seat), table_of(Placement)
WAITING, HANDOFF, DEADLINE = table_of(Waiting), table_of(Handoff), table_of(Deadline)
NOTIFICATION, MESSAGE, MESSAGE_TEXT = table_of(Notification), table_of(Message), table_of(MessageText)
SET_ASIDE, TRANSFER_SESSION = table_of(SetAside), table_of(TransferSession)

Document = dict[str, Any]
Rows = Sequence[Row[Any]]


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


# --------------------------------------------------------------------------------------------------- one participation
def story(connection: Connection, reference: str, at: datetime | None = None) -> Document:
    """Return all that is known of one participation; `at` says who is asked, and what is late, at that moment.

    Raises NotFound (`unknown_reference`).
    """
    row = connection.execute(_WHOM.where(PARTICIPATION.c.reference == reference)).first()
    if row is None:
        raise NotFound("unknown_reference", reference=reference)
    deadlines = connection.execute(_DEADLINES, {"id": row.id}).all()
    rules = rules_for(connection, row.revision_id)
    contacts = contacts_around(connection, [row], at)
    journal = [_entry(each) for each in connection.execute(_JOURNAL, {"id": row.id})]
    return {
        "reference": row.reference,
        "edition": row.edition,
        "process": row.definition,
        "state": row.state,
        "since": iso(row.since),
        "owner": row.receiver if with_receiver(row) else row.ifc,
        "owner_name": row.receiver_name if with_receiver(row) else row.ifc_name,
        "due": due(row, deadlines, rules, contacts, at),
        "unreachable": unreachable(connection, row, contacts),
        "teacher": {"name": name_of(row), "email": row.email, "kind": row.kind, "courses": row.courses},
        "school": None if row.school is None else {"code": row.school, "name": row.school_name},
        "network": row.network,
        "education": row.education,
        "basin": row.basin,
        "basin_name": rules.basin(row.basin),
        "team": row.team,
        "place": _place(row),
        "half_days": row.half_days,
        "session": _session(row),
        "wishes": [dict(each) for each in connection.execute(_WISHES, {"id": row.id}).mappings()],
        "waiting": [_waiting(each) for each in connection.execute(_WAITING, {"id": row.id})],
        "facts": [_fact(each) for each in connection.execute(_FACTS, {"id": row.id})],
        "journal": journal,
        "messages": [_message(each) for each in connection.execute(_MESSAGES, {"id": row.id})],
        "handoffs": [round_of(each) for each in connection.execute(_ROUNDS, {"id": row.id})],
        "desk": of_participation(connection, row.id),
        "evaluation": told(connection, row, rules.questions),
        "comments": [_comment(each) for each in journal if each["trigger"] == Trigger.RECORD_COMMENT],
        "deadlines": [_deadline(each, rules) for each in deadlines],
        "set_aside": [dict(each) for each in connection.execute(_SET_ASIDE, {"id": row.id}).mappings()],
    }


_WHOM = select(
    PARTICIPATION,
    EDITION.c.code.label("edition"),
    PARTY.c.first_name,
    PARTY.c.last_name,
    PARTY.c.email,
    PARTY.c.phone,
    SCHOOL.c.code.label("school"),
    SCHOOL.c.name.label("school_name"),
    PLACEMENT.c.status.label("placement"),
    OFFER.c.reference.label("offer"),
    OFFER.c.title,
    OFFER.c.site,
    OFFER.c.municipality,
    OFFER.c.sector,
    SESSION.c.days,
    COMPANY.c.id.label("company_id"),
    COMPANY.c.code.label("company"),
    COMPANY.c.name.label("company_name"),
    HANDOFF.c.status.label("handoff"),
    RECEIVER.c.id.label("receiver_id"),
    RECEIVER.c.kind.label("receiver_kind"),
    RECEIVER.c.code.label("receiver"),
    RECEIVER.c.name.label("receiver_name"),
    RETURNED.c.status.label("returned"),
    TRANSFER_SESSION.c.reference.label("session"),
    TRANSFER_SESSION.c.starts_at,
    TRANSFER_SESSION.c.ends_at,
    TRANSFER_SESSION.c.place.label("session_place"),
    TRANSFER_SESSION.c.url.label("session_url"),
    IFC.c.id.label("ifc_id"),
    IFC.c.code.label("ifc"),
    IFC.c.name.label("ifc_name"),
).select_from(
    AROUND.join(EDITION, EDITION.c.id == PARTICIPATION.c.edition_id).outerjoin(
        TRANSFER_SESSION, TRANSFER_SESSION.c.id == PARTICIPATION.c.transfer_session_id
    )
)


def _session(row: Row[Any]) -> Document | None:
    """Return the transfer session that the person is invited to."""
    if row.session is None:
        return None
    return {
        "reference": row.session,
        "starts_at": iso(row.starts_at),
        "ends_at": iso(row.ends_at),
        "place": row.session_place,
        "url": row.session_url,
    }


def _place(row: Row[Any]) -> Document | None:
    """Return the latest seat tried, whatever became of it."""
    if row.placement is None:
        return None
    return {
        "company": row.company,
        "company_name": row.company_name,
        "offer": row.offer,
        "title": row.title,
        "sector": row.sector,
        "site": row.site,
        "municipality": row.municipality,
        "days": [day for day in row.days.split(",") if day],
        "status": row.placement,
        "attempt": row.placement_attempt,
    }


# ------------------------------------------------------------------------------------------------------- what happened
_OF_ID: ColumnElement[int] = bindparam("id")
_SAME_TEXT = and_(
    TEXTS.c.chain == JOURNAL.c.chain, TEXTS.c.chain_id == JOURNAL.c.chain_id, TEXTS.c.seq == JOURNAL.c.seq
)
_JOURNAL = (
    select(JOURNAL, TEXTS.c.text, PARTY.c.first_name, PARTY.c.last_name)
    .select_from(
        JOURNAL.outerjoin(TEXTS, _SAME_TEXT).outerjoin(PARTY, PARTY.c.id == JOURNAL.c.actor_id),
    )
    .where(JOURNAL.c.chain == "participation", JOURNAL.c.chain_id == _OF_ID)
    .order_by(JOURNAL.c.seq)
)


def _entry(row: Row[Any]) -> Document:
    return {
        "seq": row.seq,
        "at": iso(row.at),
        "recorded_at": iso(row.recorded_at),
        "subject": row.subject,
        "trigger": row.trigger,
        "from": row.from_state,
        "to": row.to_state,
        "actor": name_of(row) or row.role,
        "role": row.role,
        "via": row.via,
        "reason": row.text or None,
        "data": json.loads(row.data) if row.data else {},
        "flow_run_id": row.flow_run_id,
    }


def _comment(entry: Document) -> Document:
    return {name: entry[name] for name in ("at", "actor", "role")} | {"text": entry["reason"]}


_CHOSEN = PARTY.alias("chosen")
_MESSAGES = (
    select(
        NOTIFICATION,
        PARTY.c.first_name,
        PARTY.c.last_name,
        ORGANISATION.c.name.label("organisation"),
        _CHOSEN.c.first_name.label("chosen_first"),
        _CHOSEN.c.last_name.label("chosen_last"),
        case((CONTACT.c.party_id.is_(None), CONTACT.c.address)).label("mailbox"),
        MESSAGE.c.stands_in,
        MESSAGE.c.status,
        MESSAGE.c.settled_at,
        MESSAGE.c.attempts,
        MESSAGE.c.error,
        MESSAGE_TEXT.c.subject.label("subject_line"),
    )
    .select_from(
        NOTIFICATION.outerjoin(PARTY, PARTY.c.id == NOTIFICATION.c.party_id)
        .outerjoin(ORGANISATION, ORGANISATION.c.id == NOTIFICATION.c.organisation_id)
        .outerjoin(MESSAGE, MESSAGE.c.id == NOTIFICATION.c.message_id)
        .outerjoin(MESSAGE_TEXT, MESSAGE_TEXT.c.message_id == MESSAGE.c.id)
        .outerjoin(CONTACT, CONTACT.c.id == MESSAGE.c.contact_id)
        .outerjoin(_CHOSEN, _CHOSEN.c.id == CONTACT.c.party_id)
    )
    .where(NOTIFICATION.c.participation_id == _OF_ID)
    .order_by(NOTIFICATION.c.id)
)


def _message(row: Row[Any]) -> Document:
    """Return one thing said; `rule` is why, `recipient` whoever was written to, or will be."""
    chosen = f"{row.chosen_first or ''} {row.chosen_last or ''}".strip()
    return {
        "id": row.message_id,
        "kind": row.kind,
        "about": row.subject,
        "role": row.role,
        "recipient": chosen or row.mailbox or name_of(row) or row.organisation,
        "organisation": row.organisation,
        "level": row.level,
        "stands_in": row.stands_in or None,
        "stands_in_for": (row.organisation or name_of(row)) if row.stands_in else None,
        "status": row.status or str(MessageStatus.QUEUED),
        "at": iso(row.at),
        "settled_at": _iso(row.settled_at),
        "subject": row.subject_line,
        "rule": row.rule,
        "seq": row.seq,
        "attempts": row.attempts or 0,
        "error": row.error,
    }


_ROUNDS = (
    select(
        HANDOFF,
        SENDER.c.code.label("sender"),
        RECEIVER.c.code.label("receiver"),
        RECEIVER.c.name.label("receiver_name"),
    )
    .join(SENDER, SENDER.c.id == HANDOFF.c.sender_id)
    .outerjoin(RECEIVER, RECEIVER.c.id == HANDOFF.c.receiver_id)
    .where(HANDOFF.c.participation_id == _OF_ID)
    .order_by(HANDOFF.c.id)
)


# --------------------------------------------------------------------------------------------------- what is wished for
_WISHES = (
    select(
        WISH.c.rank, OFFER.c.reference.label("offer"), OFFER.c.title, COMPANY.c.name.label("company"), OFFER.c.status
    )
    .join(OFFER, OFFER.c.id == WISH.c.offer_id)
    .join(COMPANY, COMPANY.c.id == OFFER.c.company_id)
    .where(WISH.c.participation_id == _OF_ID)
    .order_by(WISH.c.rank)
)
_WAITING = (
    select(WAITING.c.rank, WAITING.c.since, OFFER.c.reference.label("offer"))
    .join(OFFER, OFFER.c.id == WAITING.c.offer_id)
    .where(WAITING.c.participation_id == _OF_ID)
    .order_by(WAITING.c.rank)
)
_FACTS = (
    select(FACT, PARTY.c.first_name, PARTY.c.last_name)
    .outerjoin(PARTY, PARTY.c.id == FACT.c.actor_id)
    .where(FACT.c.participation_id == _OF_ID)
    .order_by(FACT.c.id)
)
_DEADLINES = (
    select(DEADLINE)
    .where(DEADLINE.c.participation_id == _OF_ID)
    .order_by(DEADLINE.c.generation, DEADLINE.c.subject.desc(), DEADLINE.c.rule, DEADLINE.c.step)
)
_SET_ASIDE = (
    select(SET_ASIDE.c.job, SET_ASIDE.c.error, SET_ASIDE.c.tries)
    .where(SET_ASIDE.c.participation_id == _OF_ID)
    .order_by(SET_ASIDE.c.job)
)


def _waiting(row: Row[Any]) -> Document:
    return {"offer": row.offer, "rank": row.rank, "since": iso(row.since)}


def _fact(row: Row[Any]) -> Document:
    return {
        "kind": row.kind,
        "on": row.happened_on.isoformat(),
        "half_day": row.half_day or None,
        "value": row.value,
        "recorded_at": iso(row.recorded_at),
        "actor": name_of(row) or row.role,
        "role": row.role,
    }


def _deadline(row: Row[Any], rules: Rules) -> Document:
    return {
        "subject": row.subject,
        "state": row.state,
        "rule": row.rule,
        "step": row.step,
        "do": str(step_action(row, rules)),
        "due_at": _iso(row.due_at),
        "extension": row.extension,
        "status": row.status,
        "ended_at": _iso(row.ended_at),
    }
