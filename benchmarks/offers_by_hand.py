"""The yardstick of the handoffs: rounds offered by hand-written SQL, with the packet put together from plain rows."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

from benchmarks.by_hand import Bare, digest
from core.clock import iso
from states.deadlines import due
from states.names import StepAction, Subject
from states.rules import RuleKey

_WAITING = """
    SELECT participation_id FROM handoff
    WHERE look_at <= ? AND purpose = 'transfer' AND status = 'to_route' AND participation_id > ?
    ORDER BY participation_id LIMIT ?"""
_PEOPLE = """
    SELECT p.id, p.reference, p.version, p.revision_id, p.network, p.education, p.kind, p.half_days, p.basin, p.courses,
           p.journal_seq, p.journal_head, h.round, e.code, e.title, t.first_name, t.last_name, t.email, t.phone,
           sc.code, sc.name, c.id, c.name, o.sector, o.title, o.site, o.municipality, s.days, i.code, i.name
    FROM participation p
    JOIN handoff h ON h.participation_id = p.id AND h.purpose = 'transfer' AND h.status = 'to_route'
    JOIN edition e ON e.id = p.edition_id
    JOIN party t ON t.id = p.party_id
    JOIN organisation i ON i.id = h.sender_id
    JOIN placement pl ON pl.participation_id = p.id AND pl.status = 'confirmed'
    JOIN seat ON seat.id = pl.seat_id
    JOIN session s ON s.id = seat.session_id
    JOIN offer o ON o.id = s.offer_id
    JOIN organisation c ON c.id = o.company_id
    LEFT JOIN organisation sc ON sc.id = p.school_id
    WHERE p.id {ids} AND NOT EXISTS (
        SELECT 1 FROM handoff r WHERE r.participation_id = p.id AND r.status IN ('declined', 'timed_out'))"""
_PRESENCE = """
    SELECT participation_id, happened_on, half_day, value FROM fact
    WHERE participation_id {ids} AND kind = 'presence' ORDER BY id"""
_JOURNAL = """
    SELECT chain_id, seq, at, subject, "trigger", from_state, to_state, role FROM journal
    WHERE chain = 'participation' AND chain_id {ids} AND from_state <> to_state ORDER BY chain_id, seq"""
_CONTACTS = """
    SELECT c.organisation_id, c.address, t.first_name, t.last_name FROM contact c LEFT JOIN party t ON t.id = c.party_id
    WHERE c.organisation_id {ids} AND c.role = 'company' AND c.status = 'ok' ORDER BY c.rank DESC, c.id DESC"""
_INSTITUTES = "SELECT code, id, name FROM organisation WHERE kind = 'institute'"
_SET = """
    UPDATE participation SET version = version + 1, journal_seq = ?, journal_head = ?, journal_at = ?
    WHERE id = ? AND version = ?"""
_OFFER = """
    UPDATE handoff SET status = 'offered', since = ?, changed_at = ?, offered_at = ?, look_at = NULL, receiver_id = ?,
           packet_hash = ?
    WHERE participation_id = ? AND purpose = 'transfer' AND round = ? AND status = 'to_route'"""
_KEEP = "INSERT INTO packet (participation_id, round, sha256, content) VALUES (?, ?, ?, ?)"
_ENTER = """
    INSERT INTO journal (chain, chain_id, seq, at, recorded_at, subject, "trigger", from_state, to_state, role, via,
                         data, text_hash, revision_id, previous, hash)
    VALUES ('participation', ?, ?, ?, ?, 'handoff', 'offer', 'to_route', 'offered', 'system', 'flow', ?, '', ?, ?, ?)"""
_MET = """
    UPDATE deadline SET status = 'met', ended_at = ?
    WHERE participation_id = ? AND subject = 'handoff' AND rule = 'routing' AND status IN ('open', 'waiting')"""
_OPEN = """
    INSERT INTO deadline (participation_id, revision_id, generation, subject, state, rule, step, anchor, due_at, status,
                          extension)
    VALUES (?, ?, ?, 'handoff', 'offered', 'acceptance', ?, 'entry', ?, 'open', 0)"""
_TELL = """
    INSERT INTO notification ("key", kind, participation_id, subject, role, organisation_id, rule, seq, at,
                              level, alone)
    VALUES (?, 'handoff_offered', ?, 'handoff', 'institute', ?, 'offer', ?, ?, 'first', false)"""


class _Person(NamedTuple):
    id: int
    reference: str
    version: int
    revision_id: int
    network: str
    education: str
    kind: str
    half_days: int
    basin: str
    courses: str
    seq: int
    head: str
    round: int
    edition: str
    edition_title: str
    first_name: str
    last_name: str
    email: str
    phone: str | None
    school: str | None
    school_name: str
    company_id: int
    company: str
    sector: str
    title: str
    site: str
    municipality: str
    days: str
    sender: str
    sender_name: str


class OffersByHand(Bare):
    """Offers what waits to be routed, so many in one transaction."""

    def offer(self, at: datetime, at_once: int) -> None:
        last = 0
        while ids := self._batch(at, last, at_once):
            last = ids[-1]

    def _batch(self, at: datetime, last: int, at_once: int) -> list[int]:
        moment = self._moment(at)
        with self._transaction() as do:
            do.execute(self._sql(_WAITING), (moment, last, at_once))
            ids = [row[0] for row in do.fetchall()]
            if ids:
                self._offer(do, ids, at)
        return ids

    def _offer(self, do: Any, ids: Sequence[int], at: datetime) -> None:  # noqa: ANN401 - either driver's cursor
        moment, day = self._moment(at), self._rules.calendar.local_day(at)
        among = (self._among(ids),)
        institutes = {code: (key, name) for code, key, name in do.execute(self._sql(_INSTITUTES)).fetchall()}
        people = [_Person(*row) for row in do.execute(self._sql(_PEOPLE), among).fetchall()]
        there = {tuple(map(str, row[:3])): row[3] for row in do.execute(self._sql(_PRESENCE), among).fetchall()}
        story = defaultdict(list)
        for row in do.execute(self._sql(_JOURNAL), among).fetchall():
            story[row[0]].append(_entry(*row[1:]))
        companies = (self._among(list({person.company_id for person in people})),)
        contacts = {
            row[0]: {"email": row[1], "name": f"{row[2] or ''} {row[3] or ''}".strip() or row[1]}
            for row in do.execute(self._sql(_CONTACTS), companies).fetchall()
        }
        ladder = self._rules.ladder[RuleKey(Subject.HANDOFF, "offered", "acceptance")]
        steps = [(number, due(day, step, self._rules)) for number, step in enumerate(ladder)]
        alert = next(number for number, step in enumerate(ladder) if step.do is StepAction.ESCALATE)
        answer_by = self._rules.calendar.local_day(steps[alert][1]).isoformat()
        moved, offered, kept, entered, met, opened, told = [], [], [], [], [], [], []
        for person in (each._replace(basin=self._rules.basin(each.basin)) for each in people):
            (route,) = self._rules.routes_for(person.network, person.education, person.kind, day)
            receiver, name = institutes[route.institute]
            handoff = {
                "answer_by": answer_by,
                "offered_at": iso(at),
                "purpose": "transfer",
                "receiver": {"code": route.institute, "name": name},
                "reference": person.reference,
                "round": person.round,
                "sender": {"code": person.sender, "name": person.sender_name},
            }
            packet = _packet(person, handoff, contacts.get(person.company_id), there, story[person.id])
            packet["immersion"]["half_days_planned"] = self._rules.half_days
            content = json.dumps(packet, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            fixed = sha256(content.encode()).hexdigest()
            seq, data = person.seq + 1, f'{{"packet":"{fixed}","receiver":{receiver}}}'
            entry = ("handoff", "offer", "to_route", "offered", None, "system", "flow", data, "")
            head = digest(person.id, seq, at, (*entry, person.revision_id, person.head))
            moved.append((seq, head, moment, person.id, person.version))
            offered.append((moment, moment, moment, receiver, fixed, person.id, person.round))
            kept.append((person.id, person.round, fixed, content))
            entered.append((person.id, seq, moment, moment, data, person.revision_id, person.head, head))
            met.append((moment, person.id))
            opened += [(person.id, person.revision_id, seq, n, self._moment(due_at)) for n, due_at in steps]
            told.append((f"{person.id}/{seq}/handoff_offered", person.id, receiver, seq, moment))
        do.executemany(self._sql(_SET), moved)
        assert do.rowcount == len(ids)
        do.executemany(self._sql(_OFFER), offered)
        assert do.rowcount == len(ids)
        do.executemany(self._sql(_KEEP), kept)
        do.executemany(self._sql(_ENTER), entered)
        do.executemany(self._sql(_MET), met)
        do.executemany(self._sql(_OPEN), opened)
        do.executemany(self._sql(_TELL), told)


def _packet(
    person: _Person,
    handoff: dict[str, Any],
    contact: dict[str, str] | None,
    there: Mapping[tuple[str, ...], str],
    story: list[dict[str, Any]],
) -> dict[str, Any]:
    days = [
        {"date": day, "am": there.get((str(person.id), day, "am")), "pm": there.get((str(person.id), day, "pm"))}
        for day in person.days.split(",")
    ]
    return {
        "schema_version": 1,
        "handoff": handoff,
        "edition": {"code": person.edition, "title": person.edition_title},
        "teacher": {
            "name": f"{person.first_name} {person.last_name}".strip(),
            "email": person.email,
            "phone": person.phone or None,
            "kind": person.kind,
            "network": person.network,
            "education": person.education,
            "basin": person.basin,
            "courses": person.courses,
        },
        "school": {"code": person.school, "name": person.school_name} if person.school else None,
        "company": {
            "name": person.company,
            "sector": person.sector,
            "offer": person.title,
            "site": person.site,
            "municipality": person.municipality,
            "contact": contact,
        },
        "immersion": {"days": days, "half_days_present": person.half_days},
        "notes": [],
        "open_points": [],
        "documents": [],
        "journal": story,
    }


def _entry(seq: int, at: Any, subject: str, trigger: str, before: str, after: str, role: str) -> dict[str, Any]:  # noqa: ANN401 - as read
    told = {"seq": seq, "at": _local(at), "subject": subject, "trigger": trigger, "role": role}
    return {**told, "from": before, "to": after}


@cache
def _local(at: datetime | str) -> str:
    return iso(datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at)
