"""`apply`: one command on one participation, its place or its handoff; `apply_many`: the same for the jobs' bulk work.

Reads the row and the facts into a snapshot, asks `states.decide`, writes what follows. Never commits.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from actions.change import Change
from actions.journal import JOURNAL
from actions.occasion import Actor, Occasion
from actions.people import PARTY
from actions.reading import Seen, in_its_time, on_latest, read, read_rows, seen
from actions.writing import PARTICIPATION, write
from core.errors import LostRace, ProductError, Refused
from states.decide import decide
from states.names import Subject, Trigger
from states.snapshot import Command, Refusal
from states.tables import process_for


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of one participation; `key` is the caller's own, for calls that may be repeated."""

    subject: Subject
    trigger: Trigger
    reason: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What an act did; `repeated` when the caller's key showed that it had been done before."""

    reference: str
    subject: Subject
    trigger: str
    before: str
    after: str
    seq: int
    at: datetime
    repeated: bool = False


Outcome = Applied | ProductError | Exception
LONGEST_TEXT = 2_000  # characters, of a reason or a note


def apply(connection: Connection, reference: str, request: Request, actor: Actor, occasion: Occasion) -> Applied:
    """Do one act, within the caller's transaction.

    Raises NotFound (`unknown_reference`), Refused (why, what stands, what is allowed), LostRace (roll back and, if
    wanted, try again).
    """
    content = content_of(reference, request, actor)
    # Read first, then ask for the key: whoever used it in between is found, or has moved the row that was read.
    stands = read(connection, reference, actor)
    if before := done_before(connection, request.key, content):
        return before
    if request.trigger in {Trigger.REINSTATE, Trigger.CORRECT}:
        not_erased(connection, stands)
    if request.trigger is Trigger.REINSTATE:
        stands = on_latest(connection, stands)
    change = decided(stands, request, actor, occasion, content)
    write(connection, [change])
    return applied(change)


def apply_many(
    connection: Connection,
    requests: Mapping[int, Request],
    actor: Actor,
    occasion: Occasion,
    versions: Mapping[int, int] | None = None,
) -> dict[int, Outcome]:
    """Do one act on each of many participations (by id), within the caller's transaction; nobody's fault stops another.

    All are written together; if one was in the way (a lost race, a broken row) each is written alone in a savepoint.
    `versions` are those that the caller read when it chose what to ask: whoever moved since has lost the race.
    Returns for each what was done, or the refusal, the conflict or the fault.
    """
    rows = read_rows(connection, requests)
    outcomes: dict[int, Outcome] = {}
    changes: dict[int, Change] = {}
    for participation_id, request in requests.items():
        try:
            stands = seen(connection, rows[participation_id], actor)
            if versions is not None and stands.row.version != versions[participation_id]:
                raise LostRace(state=stands.row.state)  # noqa: TRY301 - as any other answer of that one
            changes[participation_id] = decided(stands, request, actor, occasion)
        except Exception as fault:  # noqa: BLE001 - whatever is wrong with one is told of that one
            outcomes[participation_id] = fault
    return outcomes | write_each(connection, changes)


def write_each(connection: Connection, changes: Mapping[int, Change]) -> dict[int, Outcome]:
    """Write changes together, or one by one when together failed; return what became of each."""
    if not changes:
        return {}
    try:
        with connection.begin_nested():
            write(connection, list(changes.values()))
        return {key: applied(change) for key, change in changes.items()}
    except (LostRace, SQLAlchemyError, ValueError) as fault:  # a value that no packet can hold is one of these
        if len(changes) == 1:
            return dict.fromkeys(changes, fault)
    return {
        key: outcome for key, change in changes.items() for outcome in write_each(connection, {key: change}).values()
    }


def decided(stands: Seen, request: Request, actor: Actor, occasion: Occasion, content: str | None = None) -> Change:
    """Return all that an act would write. Raises Refused (why, what stands, what is allowed)."""
    in_its_time(stands, occasion)
    not_too_long(request.reason)
    command = Command(request.trigger, actor.role, occasion.at, request.reason, request.data)
    process = stands.process if request.subject is Subject.PARTICIPATION else process_for(request.subject, "")
    decision = decide(process, stands.process, stands.rules, stands.snapshot, command)
    if isinstance(decision, Refusal):
        raise Refused(decision.code, state=decision.state, allowed=decision.allowed, **_free(decision.params))
    return Change(
        stands,
        decision.after,
        actor,
        occasion,
        decision.pulled,
        decision.effects,
        decision.ended,
        decision.opened,
        request.reason,
        request.data,
        request.key,
        content,
    )


def not_too_long(text: str) -> None:
    """Refuse a text that nobody would read to its end."""
    if len(text) > LONGEST_TEXT:
        raise Refused("text_too_long", limit=LONGEST_TEXT)


def not_erased(connection: Connection, stands: Seen) -> None:
    """Refuse to bring back, or to add to, somebody who was erased: there is nobody left to write to, or of."""
    erased = select(PARTY.c.erased_at).where(PARTY.c.id == stands.row.party_id)
    if connection.execute(erased).scalar() is not None:
        raise Refused("erased", state=stands.row.state)


def _free(params: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in params.items() if name not in {"state", "allowed"}}


def applied(change: Change) -> Applied:
    """Return what a change did, as its own entry in the journal says it."""
    step = change.pulled[0]
    row = change.seen.row
    return Applied(row.reference, step.subject, step.trigger, step.before, step.after, change.seq, change.occasion.at)


# -------------------------------------------------------------------------------------------------- the caller's key
def content_of(reference: str, request: Request, actor: Actor) -> str | None:
    """Return what the caller's key stands for, if there is one: the same key with other content is refused."""
    if request.key is None:
        return None
    content = [
        reference,
        request.subject,
        request.trigger,
        actor.role,
        actor.party_id,
        request.reason,
        sorted((name, str(value)) for name, value in request.data.items()),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def done_before(connection: Connection, key: str | None, content: str | None) -> Applied | None:
    """Return the first result of a key used before. Raises Refused (`key_reused`) if it was for another act."""
    if key is None:
        return None
    query = (
        select(JOURNAL, PARTICIPATION.c.reference)
        .join(PARTICIPATION, PARTICIPATION.c.id == JOURNAL.c.chain_id)
        .where(JOURNAL.c.key == key)
    )
    entry = connection.execute(query).mappings().first()
    if entry is None:
        return None
    if entry["key_content"] != content:
        raise Refused("key_reused", key=key)
    return Applied(
        entry["reference"],
        Subject(entry["subject"]),
        entry["trigger"],
        entry["from_state"],
        entry["to_state"],
        entry["seq"],
        entry["at"],
        repeated=True,
    )


def act_each(
    connection: Connection, ids: Sequence[int], request: Request, actor: Actor, occasion: Occasion
) -> dict[int, Outcome]:
    """Do the same act on each of these participations."""
    return apply_many(connection, dict.fromkeys(ids, request), actor, occasion)
