"""Writing what was decided: the same few statements for one participation or for hundreds.

Order matters: the compare-and-set on the participation's version comes first among updates, so that a lost race writes
nothing else. A caller that meets `LostRace` must roll back.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from sqlalchemy import Connection, Insert, Update, bindparam, insert, or_, update
from sqlalchemy.exc import IntegrityError, OperationalError

from actions.change import PURPOSES, Change
from actions.effects import EFFECTS
from actions.escalations import carry_on, settle_ended
from actions.journal import JOURNAL, TEXTS, entry_hash, text_hash
from actions.packets import PACKET, Fixed, packets_of
from actions.reading import FACT_COLUMNS
from actions.reopening import reopen
from actions.telling import notifications
from actions.webhooks import announce
from core.errors import LostRace
from models import Deadline, Handoff, Notification, Participation, Placement, table_of
from states.deadlines import Ended
from states.decide import Pulled
from states.names import DeadlineStatus, Effect, HandoffStatus, PlacementStatus, Subject, Trigger

PARTICIPATION, PLACEMENT, HANDOFF = table_of(Participation), table_of(Placement), table_of(Handoff)
DEADLINE, NOTIFICATION = table_of(Deadline), table_of(Notification)

Rows = list[dict[str, Any]]
Packets = Mapping[int, Fixed]  # of the participations whose handoff is offered


def write(connection: Connection, changes: Sequence[Change]) -> None:
    """Write all changes, or raise LostRace; the caller's transaction (or savepoint) decides what stays."""
    try:
        _write(connection, changes)
    except IntegrityError as error:
        if any(name in str(error.orig) for name in _TAKEN_MEANWHILE):
            raise LostRace from error
        raise
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _DEADLOCK:  # PostgreSQL stopped us, so that the other can go on
            raise LostRace from error
        raise


# a seat, or a caller's key, that somebody took between reading and writing: by column (SQLite), by name (PostgreSQL)
_TAKEN_MEANWHILE = ("placement.seat_id", "uq_placement_seat_held", "journal.key", "uq_journal_key")
_DEADLOCK = "40P01"


def _write(connection: Connection, changes: Sequence[Change]) -> None:
    packets = packets_of(connection, changes)
    journal, texts = _entries(changes, packets)
    heads = {(entry["chain_id"]): entry["hash"] for entry in journal}
    _write_participations(connection, changes, heads)  # first: who lost the race stops here
    _write_placements(connection, changes)
    _write_handoffs(connection, changes, packets)
    _insert(connection, _INSERT_JOURNAL, journal)
    _insert(connection, _INSERT_TEXT, texts)
    _write_deadlines(connection, changes)
    _insert(connection, _INSERT_NOTIFICATION, [row for change in changes for row in notifications(change)])
    announce(connection, changes, journal)
    for effect, follow in EFFECTS.items():
        if concerned := [change for change in changes if effect in change.effects]:
            follow(connection, concerned)
    reopen(connection, changes)  # last: a closing holds the edition, and waits for nobody's participation


def _insert(connection: Connection, statement: Insert | Update, rows: Rows) -> None:
    if rows:
        connection.execute(statement, rows)


_INSERT_JOURNAL, _INSERT_TEXT = insert(JOURNAL), insert(TEXTS)
_INSERT_DEADLINE, _INSERT_NOTIFICATION = insert(DEADLINE), insert(NOTIFICATION)
_INSERT_PLACEMENT, _INSERT_HANDOFF, _INSERT_PACKET = insert(PLACEMENT), insert(HANDOFF), insert(PACKET)

# ------------------------------------------------------------------------------------------------------- participation
_SET_PARTICIPATION = update(PARTICIPATION).where(
    PARTICIPATION.c.id == bindparam("b_id"), PARTICIPATION.c.version == bindparam("b_version")
)
_COUNTED = {
    (Subject.PLACEMENT, Trigger.PROPOSE): "v_placement_attempt",
    (Subject.HANDOFF, Trigger.REQUEST): "v_handoff_round",
    (Subject.RETURN, Trigger.REQUEST): "v_return_round",
}
_SELDOM = {
    "transfer_session": "v_transfer_session_id",
    "half_days": "v_half_days",
    "drawn_on": "v_drawn_on",
    "wished_day": "v_wished_on",
}


def _write_participations(connection: Connection, changes: Sequence[Change], heads: Mapping[int, str]) -> None:
    """Compare and set: every row must still have the version that was read.

    So what no change of these touches need not be written: each column named costs its conversion, and its index.
    """
    rows = [_participation_row(change, heads[change.seen.row.id]) for change in changes]
    names = frozenset(name for row in rows for name in row if name.startswith("v_"))
    for change, row in zip(changes, rows, strict=True):
        row.update({name: getattr(change.seen.row, name[2:]) for name in names - row.keys()})
    if connection.execute(_setting(_SET_PARTICIPATION, names), rows).rowcount != len(rows):
        raise LostRace(state=changes[0].seen.row.state if len(changes) == 1 else "")


@lru_cache(maxsize=256)
def _setting(statement: Update, names: frozenset[str]) -> Update:
    """Return the statement that sets these columns, `v_` before each; the same one whenever they are the same."""
    return statement.values({name[2:]: bindparam(name) for name in sorted(names)})


def _participation_row(change: Change, head: str) -> dict[str, Any]:
    """Return what every act writes, and what this one changes besides."""
    row, after = change.seen.row, change.after
    return {
        "b_id": row.id,
        "b_version": row.version,
        "v_state": after.state,
        "v_since": change.occasion.at if after.state != row.state else row.since,
        "v_version": row.version + 1,
        "v_look_at": change.occasion.at if Effect.LOOK_AGAIN in change.effects else row.look_at,
        "v_journal_seq": row.journal_seq + len(change.pulled),
        "v_journal_head": head,
        "v_journal_at": change.occasion.at,
        **_besides(change),
    }


_CHANGES_RULES = (Trigger.REROUTE, Trigger.REPLAN, Trigger.MIGRATE, Trigger.REINSTATE)


def _besides(change: Change) -> dict[str, Any]:
    row, before, after = change.seen.row, change.seen.snapshot, change.after
    values: dict[str, Any] = {}
    for step in change.pulled:
        if name := _COUNTED.get((step.subject, step.trigger)):
            values[name] = values.get(name, getattr(row, name[2:])) + 1
        if step.trigger in _CHANGES_RULES:
            values |= {"v_revision_id": row.revision_id, "v_definition": row.definition}
    for held, name in _SELDOM.items():
        if (now := getattr(after, held)) != getattr(before, held):
            values[name] = now
    if after.facts is not before.facts:
        values |= {f"v_{column}": after.facts.get(kind) for kind, column in FACT_COLUMNS.items()}
    return values


def _created(change: Change, trigger: Trigger, subject: Subject) -> int:
    """Return 1 when the change made a new placement (`PROPOSE`) or a new round of a relay (`REQUEST`)."""
    return sum(step.trigger is trigger and step.subject is subject for step in change.pulled)


# ------------------------------------------------------------------------------------------------ placement and handoff
_SET_PLACEMENT = (
    update(PLACEMENT)
    .where(
        PLACEMENT.c.participation_id == bindparam("b_id"),
        PLACEMENT.c.attempt == bindparam("b_number"),
        PLACEMENT.c.status == bindparam("b_before"),
    )
    .values(status=bindparam("v_status"), since=bindparam("v_since"))
)
_SET_HANDOFF = (
    update(HANDOFF)
    .where(
        HANDOFF.c.participation_id == bindparam("b_id"),
        HANDOFF.c.purpose == bindparam("b_purpose"),
        HANDOFF.c.round == bindparam("b_number"),
        HANDOFF.c.status == bindparam("b_before"),
    )
    .values(
        status=bindparam("v_status"),
        since=bindparam("v_since"),
        changed_at=bindparam("v_changed_at"),
        look_at=None,
        because=bindparam("v_because"),
    )
)
_OFFER_HANDOFF = _SET_HANDOFF.values(
    receiver_id=bindparam("v_receiver"), offered_at=bindparam("v_since"), packet_hash=bindparam("v_packet_hash")
)

Turn = list[tuple[Change, Pulled]]


def _write_placements(connection: Connection, changes: Sequence[Change]) -> None:
    for turn in _in_turn(changes, Subject.PLACEMENT):
        moved = [(change, step) for change, step in turn if step.trigger is not Trigger.PROPOSE]
        proposed = [_proposed(change) for change, step in turn if step.trigger is Trigger.PROPOSE]
        _move(connection, _SET_PLACEMENT, [_moved(c, step, c.seen.row.placement_attempt) for c, step in moved])
        _insert(connection, _INSERT_PLACEMENT, proposed)


def _write_handoffs(connection: Connection, changes: Sequence[Change], packets: Packets) -> None:
    for subject in PURPOSES:
        for turn in _in_turn(changes, subject):
            moved = [(c, step) for c, step in turn if step.trigger not in {Trigger.REQUEST, Trigger.OFFER}]
            offered = [_offered(c, step, packets) for c, step in turn if step.trigger is Trigger.OFFER]
            requested = [_requested(c, step) for c, step in turn if step.trigger is Trigger.REQUEST]
            _move(connection, _SET_HANDOFF, [_moved_round(c, step) for c, step in moved])
            _move(connection, _OFFER_HANDOFF, offered)
            _insert(connection, _INSERT_HANDOFF, requested)
    _insert(connection, _INSERT_PACKET, [_kept(change, packets) for change in changes if change.seen.row.id in packets])


def _in_turn(changes: Sequence[Change], subject: Subject) -> Iterator[Turn]:
    """Yield the first step of every change on this subject, then every second one: each turn is written together."""
    chains = [[(change, step) for step in change.pulled if step.subject is subject] for change in changes]
    for turn in zip_longest(*chains):
        yield [step for step in turn if step is not None]


def _proposed(change: Change) -> dict[str, Any]:
    return {
        "participation_id": change.seen.row.id,
        "attempt": change.seen.row.placement_attempt + 1,
        "seat_id": change.data["seat"],
        "status": PlacementStatus.PROPOSED.value,
        "since": change.occasion.at,
    }


def _requested(change: Change, step: Pulled) -> dict[str, Any]:
    """Return a new round: IFC's, to be routed; or the return to IFC, from whoever was in charge of the transfer."""
    row, back = change.seen.row, step.subject is Subject.RETURN
    offered = step.after == HandoffStatus.OFFERED
    return {
        "participation_id": row.id,
        "edition_id": row.edition_id,
        "purpose": PURPOSES[step.subject].value,
        "round": _round(change, step) + 1,
        "status": str(step.after),
        "sender_id": _transferred_by(change) if back else row.ifc_id,
        "receiver_id": row.ifc_id if back else None,
        "since": change.occasion.at,
        "offered_at": change.occasion.at if offered else None,
        "changed_at": change.occasion.recorded_at,
        "because": "",
        "sent_back": step.before == HandoffStatus.DECLINED and back,
        "look_at": change.occasion.at if offered or not back else None,
    }


def _transferred_by(change: Change) -> int:
    """Return whoever was in charge of the transfer: IFC, where a correction says that it took place."""
    row = change.seen.row
    corrected = _created(change, Trigger.REQUEST, Subject.HANDOFF)
    return row.ifc_id if corrected or row.receiver_id is None else row.receiver_id


def _offered(change: Change, step: Pulled, packets: Packets) -> dict[str, Any]:
    moved = _moved_round(change, step)
    if step.subject is Subject.RETURN:
        return {**moved, "v_receiver": change.seen.row.ifc_id, "v_packet_hash": ""}
    return {**moved, "v_receiver": change.data["receiver"], "v_packet_hash": packets[change.seen.row.id].sha256}


def _kept(change: Change, packets: Packets) -> dict[str, Any]:
    row = change.seen.row
    packet = packets[row.id]
    return {
        "participation_id": row.id,
        "round": row.handoff_round,
        "sha256": packet.sha256,
        "content": packet.content,
    }


def _moved_round(change: Change, step: Pulled) -> dict[str, Any]:
    said = change.data.get({Trigger.DECLINE: "cause", Trigger.HOLD: "missing"}.get(step.trigger, ""), "")
    moved = _moved(change, step, _round(change, step))
    changed = {"v_because": str(said), "v_changed_at": change.occasion.recorded_at}
    return {**moved, "b_purpose": PURPOSES[step.subject].value, **changed}


def _round(change: Change, step: Pulled) -> int:
    """Return the round that a step moves: a new one, if an earlier entry of the same act made it."""
    earlier = change.pulled[: change.pulled.index(step)]
    row = change.seen.row
    latest = row.return_round if step.subject is Subject.RETURN else row.handoff_round
    return latest + sum(other.trigger is Trigger.REQUEST and other.subject is step.subject for other in earlier)


def _moved(change: Change, step: Pulled, number: int) -> dict[str, Any]:
    """Return the parameters that move one attempt or round from one status to the next, if it still has the first."""
    return {
        "b_id": change.seen.row.id,
        "b_number": number,
        "b_before": step.before,
        "v_status": step.after,
        "v_since": change.occasion.at,
    }


def _move(connection: Connection, statement: Update, rows: Rows) -> None:
    if rows and connection.execute(statement, rows).rowcount != len(rows):
        raise LostRace


# ------------------------------------------------------------------------------------------------------------- journal
def _entries(changes: Sequence[Change], packets: Packets) -> tuple[Rows, Rows]:
    journal: Rows = []
    texts: Rows = []
    for change in changes:
        head, seq = change.seen.row.journal_head, change.seen.row.journal_seq
        for number, step in enumerate(change.pulled):
            seq += 1
            entry = _entry(change, step, seq, head, packets, own=number == 0)
            if entry["text_hash"]:
                texts.append(entry.pop("_text"))
            head = entry["hash"]
            journal.append(entry)
    return journal, texts


def _entry(change: Change, step: Pulled, seq: int, head: str, packets: Packets, *, own: bool) -> dict[str, Any]:
    """Return one journal row; the act's own entry (`own`) carries the reason and the caller's key."""
    occasion, actor = change.occasion, change.actor
    entry: dict[str, Any] = {
        "chain": "participation",
        "chain_id": change.seen.row.id,
        "seq": seq,
        "at": occasion.at,
        "recorded_at": occasion.recorded_at,
        "subject": step.subject.value,
        "trigger": str(step.trigger),
        "from_state": str(step.before),
        "to_state": str(step.after),
        "actor_id": actor.party_id,
        "role": actor.role.value,
        "via": actor.via,
        "data": _data(change, step, packets, own=own),
        "text_hash": "",
        "revision_id": change.seen.row.revision_id,
        "previous": head,
        "flow_run_id": occasion.flow_run_id,
        "key": change.key if own else None,
        "key_content": change.key_content if own else None,
    }
    if own and change.reason:
        salt = occasion.salt()
        entry["text_hash"] = text_hash(salt, change.reason)
        entry["_text"] = {
            "chain": "participation",
            "chain_id": change.seen.row.id,
            "seq": seq,
            "salt": salt,
            "text": change.reason,
        }
    entry["hash"] = entry_hash(entry)
    return entry


def _data(change: Change, step: Pulled, packets: Packets, *, own: bool) -> str:
    data: dict[str, object] = dict(change.data) if own else {}
    if own and (packet := packets.get(change.seen.row.id)):
        data["packet"] = packet.sha256
    if step.trigger is Trigger.UNINVITE and not own:  # it follows from another act
        data["session_id"] = change.seen.snapshot.transfer_session
    if step.overrode:
        data["overrode"] = [str(guard) for guard in step.overrode]
    if own and change.occasion.backdated:
        data["backdated"] = True
    return json.dumps(data, sort_keys=True, default=str, separators=(",", ":")) if data else ""


# ----------------------------------------------------------------------------------------------------------- deadlines
_END_DEADLINE = (
    update(DEADLINE)
    .where(
        DEADLINE.c.participation_id == bindparam("b_id"),
        DEADLINE.c.subject == bindparam("b_subject"),
        DEADLINE.c.rule == bindparam("b_rule"),
        or_(DEADLINE.c.status == DeadlineStatus.OPEN.value, DEADLINE.c.status == DeadlineStatus.WAITING.value),
    )
    .values(status=bindparam("v_status"), ended_at=bindparam("v_at"))
)


def _write_deadlines(connection: Connection, changes: Sequence[Change]) -> None:
    ended = [(change, end) for change in changes for end in change.ended]
    # first: it waits for a job that is firing one of these, and thereby putting an item on a desk
    _insert(connection, _END_DEADLINE, [_ended(change, end) for change, end in ended])
    over = ((change.seen.row.id, end.subject.value, end.rule) for change, end in ended if not end.goes_on)
    settle_ended(connection, over, changes[0].occasion.at)
    carry_on(connection, ((c.seen.row.id, end.subject.value, end.rule, c.seq) for c, end in ended if end.goes_on))
    _insert(connection, _INSERT_DEADLINE, [row for change in changes for row in opened_rows(change)])


def _ended(change: Change, end: Ended) -> dict[str, Any]:
    return {
        "b_id": change.seen.row.id,
        "b_subject": end.subject.value,
        "b_rule": end.rule,
        "v_status": end.status.value,
        "v_at": change.occasion.at,
    }


def opened_rows(change: Change) -> Iterator[dict[str, Any]]:
    """Yield the rows of the deadlines that a change opens; their generation is the act's journal entry."""
    for step in change.opened:
        yield {
            "participation_id": change.seen.row.id,
            "revision_id": change.seen.row.revision_id,
            "subject": step.subject.value,
            "state": str(step.state),
            "rule": step.rule,
            "step": step.step,
            "generation": change.seq,
            "anchor": step.anchor.value,
            "due_at": step.due_at,
            "extension": step.extension,
            "status": step.status.value,
            "ended_at": change.occasion.at if step.status is DeadlineStatus.MISSED else None,
        }
