"""People who do a share of what they owe by themselves, some working days after it is owed: nobody in particular.

In bulk, each act by somebody who holds its role everywhere. Who acts is drawn, and when: the same seed gives the same
acts. What is not modelled: nobody declines, withdraws or is absent; facts, sessions, notes and answers are not recorded
one by one, IFC waives what an act asks for beside itself (the preparation, a record that is not complete, the answers);
IFC routes nothing that waits to be routed, and sees nobody who was drawn into the sample.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from random import Random
from typing import Any

from sqlalchemy import Row, select

from actions.apply import Request, apply_many
from actions.occasion import Actor
from actions.people import ORGANISATION
from actions.places import SESSION
from actions.reading import rules_for
from actions.writing import HANDOFF, PARTICIPATION, PLACEMENT
from core.workdays import Calendar
from jobs.workshop import MOST_AT_ONCE, Workshop
from models.around import AROUND, RECEIVER, RETURNED
from states.names import HandoffStatus, OrganisationKind, PlacementStatus, Role, State, Subject, Trigger
from states.rules import Rules
from wiring.database import reading

_VIA = "simulation"
_REASON = "Simulation"
_LEAST, _MOST = 1, 10  # working days after it is owed

P, C = Subject.PARTICIPATION, Role.COORDINATOR


@dataclass(frozen=True, slots=True)
class _Owed:
    """An act that is owed since a moment, and in which role it is done."""

    role: Role
    request: Request
    since: datetime


_QUERY = select(
    PARTICIPATION.c.id,
    PARTICIPATION.c.reference,
    PARTICIPATION.c.revision_id,
    PARTICIPATION.c.definition,
    PARTICIPATION.c.state,
    PARTICIPATION.c.since,
    PARTICIPATION.c.school_id,
    PLACEMENT.c.status.label("placement"),
    PLACEMENT.c.since.label("placed_at"),
    SESSION.c.last_day,
    HANDOFF.c.status.label("handoff"),
    HANDOFF.c.since.label("handoff_at"),
    RECEIVER.c.kind.label("receiver_kind"),
    RETURNED.c.status.label("returned"),
    RETURNED.c.since.label("returned_at"),
).select_from(AROUND)


class Acting:
    """Those of an edition who act; `share`, of the acts owed, from 0 to 1."""

    def __init__(self, workshop: Workshop, edition_id: int, at: datetime, share: float, seed: int) -> None:
        """Look at everybody as they stand at this moment."""
        self.workshop, self.edition_id, self.begins, self.share, self.seed = workshop, edition_id, at, share, seed
        self.agenda: dict[int, tuple[datetime, _Owed]] = {}
        self.looked_at: datetime | None = None
        self.done = self.refused = 0
        self.next_act(at)

    def next_act(self, now: datetime) -> datetime | None:
        """Look at whoever has moved since the last look; return when somebody acts next."""
        query = _QUERY.where(PARTICIPATION.c.edition_id == self.edition_id)
        if self.looked_at is not None:
            query = query.where(PARTICIPATION.c.journal_at >= self.looked_at)
        with reading(self.workshop.engine) as connection:
            for row in connection.execute(query):
                self.agenda.pop(row.id, None)
                rules = rules_for(connection, row.revision_id)
                if (owed := _owed(row, rules)) and (moment := self._when(row, owed, rules.calendar)):
                    self.agenda[row.id] = moment, owed
        self.looked_at = now
        return min((moment for moment, _ in self.agenda.values()), default=None)

    def _when(self, row: Row[Any], owed: _Owed, calendar: Calendar) -> datetime | None:
        """Draw whether, and when: at the hour at which deadlines fall, before them; the same for the same act."""
        request = owed.request
        chance = Random(f"{self.seed}/{row.reference}/{request.subject}/{request.trigger}/{owed.since.isoformat()}")
        if chance.random() >= self.share:
            return None
        day = calendar.local_day(max(owed.since, self.begins))
        return calendar.moment(calendar.shift(day, chance.randint(_LEAST, _MOST)))

    def act(self, now: datetime) -> None:
        """Do what is to be done by this moment, all of a kind together."""
        asked: defaultdict[Role, dict[int, Request]] = defaultdict(dict)
        for pid, (moment, owed) in sorted(self.agenda.items()):
            if moment <= now:
                asked[owed.role][pid] = owed.request
                del self.agenda[pid]
        for role, requests in sorted(asked.items()):
            left = iter(requests.items())
            while some := dict(islice(left, MOST_AT_ONCE)):
                self._apply(role, some, now)

    def _apply(self, role: Role, requests: Mapping[int, Request], now: datetime) -> None:
        with self.workshop.transaction() as connection:
            everywhere = frozenset(connection.execute(select(ORGANISATION.c.id)).scalars())
            outcomes = apply_many(
                connection, requests, Actor(role, None, everywhere, _VIA), self.workshop.occasion(now)
            )
        faults = sum(isinstance(outcome, Exception) for outcome in outcomes.values())
        self.done += len(outcomes) - faults
        self.refused += faults


def _owed(row: Row[Any], rules: Rules) -> _Owed | None:
    """Return the act that is owed of a participation, and since when; None when nobody has to act, or nobody can."""
    if row.state == State.REGISTERED:
        return _Owed(Role.DIRECTOR if row.school_id else C, Request(P, Trigger.APPROVE), row.since)
    if row.state in _IN_THE_COMPANY:
        return _in_the_company(row, rules)
    if row.state == State.IMMERSED:
        return _relay(row)
    if row.state == State.TRANSFERRED and row.returned == HandoffStatus.HELD:
        return _Owed(C, Request(Subject.RETURN, Trigger.ACCEPT, _REASON), row.returned_at)
    if row.state == State.TRANSFERRED and row.returned == HandoffStatus.ACCEPTED:
        return _Owed(C, Request(P, Trigger.EVALUATE, _REASON), row.returned_at)
    return None


_IN_THE_COMPANY = (State.DIRECTOR_APPROVED, State.PREPARED, State.OBSERVED)


def _in_the_company(row: Row[Any], rules: Rules) -> _Owed | None:
    if row.placement != PlacementStatus.CONFIRMED or row.last_day is None:
        return None
    if row.state == State.DIRECTOR_APPROVED:
        return _Owed(C, Request(P, Trigger.CONFIRM_PREPARATION, _REASON), max(row.since, row.placed_at))
    if row.state == State.PREPARED and row.definition == "2014":
        return _Owed(Role.COMPANY, Request(P, Trigger.CONFIRM_OBSERVATION), max(row.since, row.placed_at))
    there = {"half_days": rules.half_days}
    request = Request(P, Trigger.CONFIRM_IMMERSION, data=there)
    return _Owed(Role.COMPANY, request, max(row.since, rules.calendar.moment(row.last_day)))


def _relay(row: Row[Any]) -> _Owed | None:
    role = C if row.receiver_kind == OrganisationKind.IFC else Role.INSTITUTE
    if row.handoff == HandoffStatus.OFFERED:
        return _Owed(role, Request(Subject.HANDOFF, Trigger.ACCEPT), row.handoff_at)
    if row.handoff == HandoffStatus.ACCEPTED:
        return _Owed(role, Request(P, Trigger.CONFIRM_TRANSFER), row.handoff_at)
    return None
