"""What an institute does about a round that it received: accept, decline, complete; each answered once and for all.

Whoever asks again gets the first result; whoever comes too late is told where *its own* round stands, never another's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, select

from actions.apply import Request, apply
from actions.journal import JOURNAL, TEXTS
from actions.occasion import Actor, Occasion
from actions.receiving import Document, acts, rounds
from core.clock import iso
from core.errors import LostRace, NotFound, Refused
from states.names import Cause, HandoffStatus, Purpose, Role, Subject, Trigger


@dataclass(frozen=True, slots=True)
class Answer:
    """What an institute says; `key` is its own, for calls that may be repeated."""

    act: Trigger
    cause: Cause | None = None
    reason: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The first result, whoever asks for it again; `repeated` when it is not the first time."""

    result: Document
    repeated: bool


_ASKED: Mapping[Trigger, tuple[Subject, Trigger, HandoffStatus]] = {
    Trigger.ACCEPT: (Subject.HANDOFF, Trigger.ACCEPT, HandoffStatus.ACCEPTED),
    Trigger.DECLINE: (Subject.HANDOFF, Trigger.DECLINE, HandoffStatus.DECLINED),
    # a handoff is completed by the participation's own act
    Trigger.COMPLETE: (Subject.PARTICIPATION, Trigger.CONFIRM_TRANSFER, HandoffStatus.COMPLETED),
}
ACTS = tuple(_ASKED)


def answer(connection: Connection, reference: str, said: Answer, actor: Actor, occasion: Occasion) -> Answered:
    """Do what an institute says about its round of a participation, within the caller's transaction.

    Raises NotFound (`unknown_handoff`), Refused (why, where their round stands, what they may do about it), LostRace.
    """
    (organisation_id,) = actor.organisations
    own = _latest(connection, organisation_id, reference)
    subject, trigger, _ = _ASKED[said.act]
    data = {"cause": said.cause.value} if said.cause else {}
    request = Request(subject, trigger, said.reason, data, _scoped(organisation_id, said.key))
    try:
        applied = apply(connection, reference, request, actor, occasion)
    except LostRace:
        raise LostRace(state=own.status) from None
    except Refused as refusal:
        own = _latest(connection, organisation_id, reference)  # as it stands for whoever refused: it may have moved
        if refusal.code != "key_reused" and (before := _done_before(connection, own, said)):
            return Answered(before, repeated=True)
        raise _told(refusal, own, said) from None
    entry = _ENTRY.where(*_of(own), JOURNAL.c.seq == applied.seq)
    return Answered(_result(applied.reference, connection.execute(entry).one()), applied.repeated)


def _latest(connection: Connection, organisation_id: int, reference: str) -> Row[Any]:
    """Return the round for which they answer: the last one that they received."""
    found = [row for row in rounds(connection, organisation_id, reference) if row.purpose == Purpose.TRANSFER]
    if not found:
        raise NotFound("unknown_handoff")
    return found[-1]


def _scoped(organisation_id: int, key: str | None) -> str | None:
    """Return a key as it is kept: each institute has its own, lest one be answered with another's result."""
    return key and f"{organisation_id}/{key}"


def _told(refusal: Refused, own: Row[Any], said: Answer) -> Refused:
    """Return the refusal as it concerns their round: what stands of another's is not theirs to know."""
    params = {name: value for name, value in refusal.params.items() if name not in _OURS}
    if refusal.code == "not_yours":
        if acts(own):  # it became theirs again meanwhile
            return LostRace(state=own.status)
        code = "wrong_state"
    else:
        code = refusal.code
    own_words = {"subject": Subject.HANDOFF, "trigger": said.act, "key": said.key}
    return Refused(code, state=own.status, allowed=acts(own), **params, **own_words)


_OURS = frozenset({"state", "allowed", "subject", "trigger", "key"})


# ------------------------------------------------------------------------------------------------ what was done already
_ENTRY = select(JOURNAL, TEXTS.c.text).outerjoin(
    TEXTS, and_(TEXTS.c.chain == JOURNAL.c.chain, TEXTS.c.chain_id == JOURNAL.c.chain_id, TEXTS.c.seq == JOURNAL.c.seq)
)


def _of(own: Row[Any]) -> tuple[Any, ...]:
    return JOURNAL.c.chain == Subject.PARTICIPATION.value, JOURNAL.c.chain_id == own.participation_id


def _done_before(connection: Connection, own: Row[Any], said: Answer) -> Document | None:
    """Return the first result, if the institute did the very same and it still stands; None if it did not."""
    subject, trigger, after = _ASKED[said.act]
    # a refusal opens the next round; a later one may have been refused too, by another
    latest = own.handoff_round - (said.act is Trigger.DECLINE)
    if own.status != after or own.round != latest:
        return None
    query = _ENTRY.where(*_of(own), JOURNAL.c.subject == subject.value, JOURNAL.c.trigger == trigger.value)
    entry = connection.execute(query.order_by(JOURNAL.c.seq.desc()).limit(1)).one()
    same = (own.because, entry.text or "") == (said.cause or "", said.reason)
    return _result(own.reference, entry) if entry.role == Role.INSTITUTE and same else None


def _result(reference: str, entry: Row[Any]) -> Document:
    """Return what an act did, from its own entry in the journal: the same whenever it is asked for."""
    return {
        "reference": reference,
        "subject": entry.subject,
        "trigger": entry.trigger,
        "from": entry.from_state,
        "to": entry.to_state,
        "seq": entry.seq,
        "at": iso(entry.at),
    }
