"""The yardstick: the same rows by hand-written SQL through the bare driver, as a good engineer would write it.

Only a few acts are known, with all that follows from them worked out beforehand: here a director approves, and the
system confirms preparations in bulk. What depends on the data is read and checked as the product's guards do; each
statement has one text, which both drivers prepare once; rows of a kind go in together; everything is one transaction.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import make_url

from states.deadlines import due
from states.names import Anchor, StepAction, Subject
from states.rules import RuleKey, Rules

Values = tuple[Any, ...]

_STANDS = """
    SELECT p.id, p.state, p.version, p.party_id, p.school_id, p.revision_id, p.journal_seq, p.journal_head,
           p.journal_at, p.preparation_on, pl.status, s.first_day, s.last_day
    FROM participation p
    LEFT JOIN placement pl ON pl.participation_id = p.id AND pl.attempt = p.placement_attempt
    LEFT JOIN seat ON seat.id = pl.seat_id
    LEFT JOIN session s ON s.id = seat.session_id
    WHERE """
_ONE = _STANDS + "p.reference = ?"
_MANY = _STANDS + "p.id {ids}"
_APPROVE = """
    UPDATE participation SET state = 'director_approved', since = ?, version = version + 1, look_at = ?,
           journal_seq = ?, journal_head = ?, journal_at = ?, approval_on = ?
    WHERE id = ? AND version = ?"""
_PREPARE = """
    UPDATE participation SET state = 'prepared', since = ?, version = version + 1, look_at = ?,
           journal_seq = ?, journal_head = ?, journal_at = ?
    WHERE id = ? AND version = ?"""
_JOURNAL = """
    INSERT INTO journal (chain, chain_id, seq, at, recorded_at, subject, "trigger", from_state, to_state, actor_id,
                         role, via, data, text_hash, revision_id, previous, hash)
    VALUES ('participation', ?, ?, ?, ?, 'participation', ?, ?, ?, ?, ?, ?, '', '', ?, ?, ?)"""
_MET = """
    UPDATE deadline SET status = 'met', ended_at = ?
    WHERE participation_id = ? AND subject = 'participation' AND rule = ? AND status IN ('open', 'waiting')"""
_OPEN = """
    INSERT INTO deadline (participation_id, revision_id, generation, subject, state, rule, step, anchor, due_at, status,
                          ended_at, extension)
    VALUES """
_STEP = "(?, ?, ?, 'participation', ?, ?, ?, ?, ?, ?, ?, 0)"
_TELL = """
    INSERT INTO notification ("key", kind, participation_id, subject, role, party_id, rule, seq, at, level, alone)
    VALUES (?, ?, ?, 'participation', 'teacher', ?, ?, ?, ?, 'first', false)"""

_STALE_LATER = {StepAction.REMIND, StepAction.CANCEL}  # recorded missed when their moment is past at planning


class _Stands(NamedTuple):
    id: int
    state: str
    version: int
    party_id: int
    school_id: int
    revision_id: int
    seq: int
    head: str
    last: Any
    preparation_on: Any
    placement: str | None
    first_day: Any
    last_day: Any


class Bare:
    """One connection, with what differs between the two drivers."""

    def __init__(self, url: str, rules: Rules) -> None:
        self._rules = rules
        self._engine = make_url(url).get_backend_name()
        self._connection: Any = _sqlite(url) if self._engine == "sqlite" else _postgresql(url)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        do = self._connection.cursor()
        if self._engine == "sqlite":
            do.execute("BEGIN IMMEDIATE")  # psycopg begins by itself
        yield do
        self._connection.commit()

    def _sql(self, statement: str) -> str:
        """Write a statement for the driver; `{ids}` stands for many ids in one parameter, as `_among` gives them."""
        if self._engine == "sqlite":
            return statement.replace("{ids}", "IN (SELECT value FROM json_each(?))")
        return _for_psycopg(statement.replace("{ids}", "= ANY(?)"))

    def _among(self, ids: Sequence[int]) -> Any:  # noqa: ANN401 - as the driver wants it
        return json.dumps(list(ids)) if self._engine == "sqlite" else list(ids)

    def _moment(self, at: datetime) -> Any:  # noqa: ANN401 - as the driver wants it
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self._engine == "sqlite" else at

    def _day(self, at: datetime) -> Any:  # noqa: ANN401 - as the driver wants it
        day = self._rules.calendar.local_day(at)
        return day.isoformat() if self._engine == "sqlite" else day


class ByHand(Bare):
    """Approves, and confirms preparations; `schools` are those of the director who approves."""

    def __init__(self, url: str, rules: Rules, director_id: int, schools: frozenset[int]) -> None:
        super().__init__(url, rules)
        self._director_id, self._schools = director_id, schools
        self._ladder = cache(self._ladder_of)

    def approve(self, reference: str, at: datetime) -> None:
        """Approve one registration, in a transaction of its own."""
        moment, after = self._moment(at), "director_approved"
        with self._transaction() as do:
            row = _Stands(*do.execute(self._sql(_ONE), (reference,)).fetchone())
            assert row.state == "registered"
            assert row.school_id in self._schools
            assert row.last <= moment
            seq = row.seq + 1
            entry = ("approve", row.state, after, self._director_id, "director", "cli")
            digest = _digest(row, entry, at)
            set_to = (moment, moment, seq, digest, moment, self._day(at), row.id, row.version)
            assert do.execute(self._sql(_APPROVE), set_to).rowcount == 1
            do.execute(self._sql(_JOURNAL), _journal(row, entry, moment, digest))
            do.execute(self._sql(_MET), (moment, row.id, "approval"))
            placed = row.placement == "confirmed"
            steps = [*self._steps(after, "preparation", Anchor.FIRST_DAY, row.first_day if placed else None, moment)]
            if not placed:
                steps += self._steps(after, "place", Anchor.PLACEMENT_CUTOFF, None, moment)
            open_all = self._sql(_OPEN + ", ".join([_STEP] * len(steps)))
            do.execute(open_all, [value for step in steps for value in (row.id, row.revision_id, seq, *step)])
            do.execute(self._sql(_TELL), _told(row, "registration_approved", "approve", moment))

    def confirm_preparations(self, ids: Sequence[int], at: datetime) -> None:
        """Confirm the preparation of each of these participations, in one transaction."""
        moment, after = self._moment(at), "prepared"
        moved, journal, met, opened, told = [], [], [], [], []
        with self._transaction() as do:
            for values in do.execute(self._sql(_MANY), (self._among(ids),)).fetchall():
                row = _Stands(*values)
                assert row.state == "director_approved"
                assert row.preparation_on is not None
                assert row.last <= moment
                seq = row.seq + 1
                entry = ("confirm_preparation", row.state, after, None, "system", "flow")
                digest = _digest(row, entry, at)
                moved.append((moment, moment, seq, digest, moment, row.id, row.version))
                journal.append(_journal(row, entry, moment, digest))
                met.append((moment, row.id, "preparation"))
                day = row.last_day if row.placement == "confirmed" else None
                steps = self._steps(after, "presence", Anchor.LAST_DAY, day, moment)
                opened += [(row.id, row.revision_id, seq, *step) for step in steps]
                told.append(_told(row, "preparation_confirmed", "confirm_preparation", moment))
            do.executemany(self._sql(_PREPARE), moved)
            assert do.rowcount == len(ids)
            do.executemany(self._sql(_JOURNAL), journal)
            do.executemany(self._sql(_MET), met)
            do.executemany(self._sql(_OPEN + _STEP), opened)
            do.executemany(self._sql(_TELL), told)

    def _steps(self, state: str, rule: str, anchor: Anchor, day: Any, moment: Any) -> Iterator[Values]:  # noqa: ANN401 - as read
        """Yield what the ladder says of a rule that counts from this day: the last seven values of `_STEP`."""
        for number, due_at, stale in self._ladder(state, rule, anchor, day):
            if due_at is None:
                yield state, rule, number, anchor.value, None, "waiting", None
            elif stale and due_at < moment:
                yield state, rule, number, anchor.value, due_at, "missed", moment
            else:
                yield state, rule, number, anchor.value, due_at, "open", None

    def _ladder_of(self, state: str, rule: str, anchor: Anchor, day: Any) -> list[tuple[int, Any, bool]]:  # noqa: ANN401 - as read
        """Return each step's number, the moment at which it falls due, and whether it is pointless later."""
        counted_from = date.fromisoformat(day) if isinstance(day, str) else day or self._rules.anchors.get(anchor)
        return [
            (number, counted_from and self._moment(due(counted_from, step, self._rules)), step.do in _STALE_LATER)
            for number, step in enumerate(self._rules.ladder[RuleKey(Subject.PARTICIPATION, state, rule)])
        ]


def _sqlite(url: str) -> sqlite3.Connection:
    connection = sqlite3.connect(make_url(url).database or "", isolation_level=None)
    for pragma in ("busy_timeout = 15000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _postgresql(url: str) -> psycopg.Connection:
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(address, prepare_threshold=0)  # prepared when first executed


@cache
def _for_psycopg(statement: str) -> str:
    return statement.replace("?", "%s")


def _digest(row: _Stands, entry: Values, at: datetime) -> str:
    return digest(row.id, row.seq + 1, at, ("participation", *entry, "", "", row.revision_id, row.head))


def digest(participation_id: int, seq: int, at: datetime, entry: Values) -> str:
    """Return the hash of an entry of a participation's journal: `entry` is what follows the moments."""
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    content = ["participation", participation_id, seq, moment, moment, *entry]
    return sha256(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _journal(row: _Stands, entry: Values, moment: object, digest: str) -> Values:
    return row.id, row.seq + 1, moment, moment, *entry, row.revision_id, row.head, digest


def _told(row: _Stands, kind: str, trigger: str, moment: object) -> Values:
    seq = row.seq + 1
    return f"{row.id}/{seq}/{kind}", kind, row.id, row.party_id, trigger, seq, moment
