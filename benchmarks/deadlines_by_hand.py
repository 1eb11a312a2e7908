"""The yardstick of the deadlines: what falls due is fired by hand-written SQL, which writes the same rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.by_hand import Bare, digest
from states.names import StepAction, Subject
from states.rules import RuleKey

_DUE = """
    SELECT d.id, d.participation_id, d.step, d.generation, d.due_at, p.version, p.revision_id, p.party_id, p.school_id,
           p.journal_seq, p.journal_head, i.id
    FROM deadline d
    JOIN participation p ON p.id = d.participation_id
    JOIN organisation i ON i.kind = 'ifc'
    WHERE d.status = 'open' AND d.due_at <= ? AND (d.due_at > ? OR (d.due_at = ? AND d.id > ?))
      AND d.subject = 'participation' AND d.state = 'registered' AND d.rule = 'approval'
      AND NOT EXISTS (SELECT 1 FROM set_aside s
                      WHERE s.job = 'deadlines' AND s.participation_id = d.participation_id AND s.tries >= 3)
    ORDER BY d.due_at, d.id LIMIT ?"""
_FIRED = "UPDATE deadline SET status = 'fired', ended_at = ? WHERE id {ids} AND status = 'open'"
_CLOSED = """
    UPDATE deadline SET status = 'closed', ended_at = ?
    WHERE participation_id {ids} AND subject = 'participation' AND status IN ('open', 'waiting')"""
_TELL = """
    INSERT INTO notification ("key", kind, participation_id, subject, role, party_id, organisation_id, rule, seq, at,
                              level, alone)
    VALUES (?, ?, ?, 'participation', ?, ?, ?, ?, ?, ?, 'first', false)"""
_ALERT = """
    INSERT INTO desk_item (participation_id, organisation_id, role, subject, rule, step, generation, kind, status,
                           since, bumps, bumped_at)
    VALUES (?, ?, 'coordinator', 'participation', 'approval', ?, ?, ?, 'open', ?, 0, ?)"""
_LAPSE = """
    UPDATE participation SET state = 'lapsed', since = ?, version = version + 1, journal_seq = ?, journal_head = ?,
           journal_at = ?
    WHERE id = ? AND version = ?"""
_ENTER = """
    INSERT INTO journal (chain, chain_id, seq, at, recorded_at, subject, "trigger", from_state, to_state, role, via,
                         data, text_hash, revision_id, previous, hash)
    VALUES ('participation', ?, ?, ?, ?, 'participation', 'lapse', 'registered', 'lapsed', 'system', 'flow', '', '', ?,
            ?, ?)"""
_LEAVE = "DELETE FROM waiting WHERE participation_id {ids}"


class DeadlinesByHand(Bare):
    """Fires the approvals that are due, so many in one transaction: reminders, alerts, lapses."""

    def fire(self, at: datetime, at_once: int) -> None:
        last = (self._moment(datetime.min.replace(tzinfo=UTC)), 0)
        while row := self._batch(at, last, at_once):
            last = row

    def _batch(self, at: datetime, last: tuple[Any, int], at_once: int) -> tuple[Any, int] | None:
        with self._transaction() as do:
            due = do.execute(self._sql(_DUE), (self._moment(at), last[0], *last, at_once)).fetchall()
            if due:
                self._fire(do, due, at)
        return (due[-1][4], due[-1][0]) if due else None

    def _fire(self, do: Any, due: Sequence[tuple[Any, ...]], at: datetime) -> None:  # noqa: ANN401 - either driver's cursor
        moment = self._moment(at)
        ladder = self._rules.ladder[RuleKey(Subject.PARTICIPATION, "registered", "approval")]
        told, alerts, moved, entered, lapsed = [], [], [], [], []
        for _id, person, number, generation, _due_at, version, revision, party, school, seq, head, ifc in due:
            step = ladder[number]
            if step.do is StepAction.LAPSE:
                after = seq + 1
                entry = ("participation", "lapse", "registered", "lapsed", None, "system", "flow", "", "")
                fixed = digest(person, after, at, (*entry, revision, head))
                moved.append((moment, after, fixed, moment, person, version))
                entered.append((person, after, moment, moment, revision, head, fixed))
                kind = "participation_lapsed"
                told.append((f"{person}/{after}/{kind}", kind, person, "teacher", party, None, "lapse", after, moment))
                lapsed.append(person)
                continue
            assert step.message is not None
            whose = ("director", None, school) if step.do is StepAction.REMIND else ("coordinator", None, ifc)
            key = f"{person}/participation.approval.{number}.{generation}/{step.message}"
            if step.do is StepAction.ESCALATE:
                alerts.append((person, ifc, number, generation, step.message.value, moment, moment))
            told.append((key, step.message.value, person, *whose, f"approval:{number}", None, moment))
        do.execute(self._sql(_FIRED), (moment, self._among([row[0] for row in due])))
        assert do.rowcount == len(due)
        do.executemany(self._sql(_TELL), told)
        do.executemany(self._sql(_ALERT), alerts)
        if lapsed:
            do.executemany(self._sql(_LAPSE), moved)
            assert do.rowcount == len(lapsed)
            do.executemany(self._sql(_ENTER), entered)
            do.execute(self._sql(_CLOSED), (moment, self._among(lapsed)))
            do.execute(self._sql(_LEAVE), (self._among(lapsed),))
