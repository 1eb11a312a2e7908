"""What an institute does about a round that it received: accept, decline, complete; each answered once and for all.

Whoever asks again gets the first result; whoever comes too late is told where *its own* round stands, never another's.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from actions.apply import Request, apply
from actions.journal import JOURNAL, TEXTS
from actions.occasion import Actor, Occasion
from actions.receiving import GIVE_BACK, Document, acts, rounds
from core.clock import iso
from core.errors import LostRace, NotFound, Refused
from states.names import Cause, HandoffStatus, Purpose, Role, Subject, Trigger


@dataclass(frozen=True, slots=True)
class Answer:
    """What an institute says; `key` is its own, for calls that may be repeated."""

    act: str
    cause: Cause | None = None
    reason: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The first result, whoever asks for it again; `repeated` when it is not the first time."""

    result: Document
    repeated: bool


_ASKED: Mapping[str, tuple[Subject, Trigger, HandoffStatus]] = {
    Trigger.ACCEPT: (Subject.HANDOFF, Trigger.ACCEPT, HandoffStatus.ACCEPTED),
    Trigger.DECLINE: (Subject.HANDOFF, Trigger.DECLINE, HandoffStatus.DECLINED),
    # a handoff is completed by the participation's own act
    Trigger.COMPLETE: (Subject.PARTICIPATION, Trigger.CONFIRM_TRANSFER, HandoffStatus.COMPLETED),
    # what IFC sent back, offered to it again
    GIVE_BACK: (Subject.RETURN, Trigger.OFFER, HandoffStatus.OFFERED),
}
ACTS = tuple(_ASKED)


def answer(connection: Connection, reference: str, said: Answer, actor: Actor, occasion: Occasion) -> Answered:
    """Do what an institute says about its round of a participation, within the caller's transaction.

    Raises NotFound (`unknown_handoff`), Refused (why, where their round stands, what they may do about it), LostRace.
    """
    (organisation_id,) = actor.organisations
    subject, trigger, _ = _ASKED[said.act]
    own = _latest(connection, organisation_id, reference, subject)
    data = {"cause": said.cause.value} if said.cause else {}
    request = Request(subject, trigger, said.reason, data, scoped(organisation_id, said.key))
    try:
        applied = apply(connection, reference, request, actor, occasion)
    except LostRace:
        raise LostRace(state=own.status) from None
    except Refused as refusal:
        # as it stands for whoever refused: it may have moved
        own = _latest(connection, organisation_id, reference, subject)
        if refusal.code != "key_reused" and (before := _done_before(connection, own, said)):
            return Answered(before, repeated=True)
        raise _told(refusal, own, said) from None
    return Answered(result_of(connection, own, applied.seq), applied.repeated)


def _latest(
    connection: Connection, organisation_id: int, reference: str, subject: Subject = Subject.HANDOFF
) -> Row[Any]:
    """Return the round for which they answer: the last one that they received, or by which they gave back.

    Whoever gave nothing back is told where the round that they received stands.
    """
    found = rounds(connection, organisation_id, reference)
    received = [row for row in found if row.purpose == Purpose.TRANSFER]
    back = [row for row in found if row.purpose == Purpose.EVALUATION] if subject is Subject.RETURN else []
    if not received + back:
        raise NotFound("unknown_handoff")
    return (received + back)[-1]


def scoped(organisation_id: int, key: str | None) -> str | None:
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
    subject = Subject.RETURN if own.purpose == Purpose.EVALUATION else Subject.HANDOFF
    own_words = {"subject": subject, "trigger": Trigger.OFFER if said.act == GIVE_BACK else said.act, "key": said.key}
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
    latest = own.return_round if own.purpose == Purpose.EVALUATION else own.handoff_round
    if own.status != after or own.round != latest - (said.act == Trigger.DECLINE):
        return None
    query = _ENTRY.where(*_of(own), JOURNAL.c.subject == subject.value, JOURNAL.c.trigger == trigger.value)
    entry = connection.execute(query.order_by(JOURNAL.c.seq.desc()).limit(1)).first()
    if entry is None or entry.role != Role.INSTITUTE:
        return None
    same = (own.because, entry.text or "") == (said.cause or "", said.reason)
    return _result(own.reference, entry) if same else None


@contextmanager
def about(
    connection: Connection, reference: str, trigger: Trigger, actor: Actor, key: str | None = None
) -> Iterator[Row[Any]]:
    """Give the institute's own round of a participation to whatever else it does about it.

    Raises NotFound (`unknown_handoff`), and what is refused meanwhile, told as it concerns that round.
    """
    (organisation_id,) = actor.organisations
    own = _latest(connection, organisation_id, reference)
    try:
        yield own
    except LostRace:
        raise LostRace(state=own.status) from None
    except Refused as refusal:
        raise _told(refusal, _latest(connection, organisation_id, reference), Answer(trigger, key=key)) from None


def last_entry(connection: Connection, own: Row[Any]) -> int:
    """Return the number of the last entry in the journal of a round's participation."""
    return int(connection.execute(select(func.max(JOURNAL.c.seq)).where(*_of(own))).scalar_one())


def result_of(connection: Connection, own: Row[Any], seq: int) -> Document:
    """Return what an act did, by the number of its entry."""
    return _result(own.reference, connection.execute(_ENTRY.where(*_of(own), JOURNAL.c.seq == seq)).one())


def noted_before(connection: Connection, own: Row[Any], text: str) -> Document | None:
    """Return the entry of the institute's last note on a participation, if it says the very same."""
    notes = (JOURNAL.c.trigger == Trigger.RECORD_FACT.value, JOURNAL.c.data.contains('"fact":"note"'))
    entry = connection.execute(_ENTRY.where(*_of(own), *notes).order_by(JOURNAL.c.seq.desc()).limit(1)).first()
    same = entry is not None and (entry.role, entry.text) == (Role.INSTITUTE, text)
    return _result(own.reference, entry) if entry is not None and same else None


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
