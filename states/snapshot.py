"""What a decision looks at, and what it is asked: plain frozen data, no database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from states.names import FactKind, HandoffStatus, Missing, PlacementStatus, Role, State, Subject, Trigger
from states.process import START


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One participation with the facts its guards read; whatever changes one of them bumps the participation's version.

    `placement`, `handoff` and `returned` (the return to IFC) are the latest tried, whatever became of them;
    `sent_back`: this return follows one that IFC declined; `transfer_session` is the id of the one invited to. Days are
    local dates of the programme; `half_days` is the presence recorded so far, None while nothing is. `relations` are
    the roles that the actor holds towards this participation. `drawn_on`: drawn into the sample that is evaluated in
    person, and still in it. `since`, `handoff_since` and `returned_since`: when the participation and its latest rounds
    came to where they stand. `basin` is the code of the one whose calendar holds; `wished_day` the first
    day of the soonest of the offers wished.
    """

    state: str = START
    placement: PlacementStatus | None = None
    handoff: HandoffStatus | None = None
    seat_first_day: date | None = None
    seat_last_day: date | None = None
    receiver_is_ifc: bool = False
    has_school: bool = True
    facts: Mapping[FactKind, date] = field(default_factory=dict)
    half_days: int | None = None
    relations: frozenset[Role] = frozenset()
    returned: HandoffStatus | None = None
    sent_back: bool = False
    transfer_session: int | None = None
    drawn_on: date | None = None
    basin: str = ""
    wished_day: date | None = None
    since: datetime | None = None
    handoff_since: datetime | None = None
    returned_since: datetime | None = None

    def since_of(self, subject: Subject) -> datetime | None:
        """Return since when the participation, its latest handoff or return stands where it stands, if known."""
        if subject is Subject.PARTICIPATION:
            return self.since
        return self.handoff_since if subject is Subject.HANDOFF else self.returned_since

    def state_of(self, subject: Subject) -> str:
        """Return where the participation, its latest placement, handoff or return stands."""
        if subject is Subject.PARTICIPATION:
            return self.state
        if subject is Subject.PLACEMENT:
            return self.placement or START
        return (self.handoff if subject is Subject.HANDOFF else self.returned) or START

    @property
    def placed(self) -> bool:
        """Tell whether a place is confirmed."""
        return self.placement is PlacementStatus.CONFIRMED

    @property
    def first_day(self) -> date | None:
        """First day of the immersion, once a place is confirmed and dated."""
        return self.seat_first_day if self.placed else None

    @property
    def last_day(self) -> date | None:
        """Last day of the immersion, once a place is confirmed and dated."""
        return self.seat_last_day if self.placed else None

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What the packet for the receiver lacks: only a correction brings somebody here without it."""
        lacks = {Missing.PLACE: not self.placed, Missing.PRESENCE: self.half_days is None}
        return tuple(each for each, so in lacks.items() if so)

    @property
    def record_missing(self) -> tuple[Missing, ...]:
        """What the record lacks that comes back with the transfer: a session, the presence there, a note."""
        attended = FactKind.ATTENDANCE in self.facts
        lacks = {
            Missing.SESSION: self.transfer_session is None,
            Missing.ATTENDANCE: not attended,
            Missing.NOTE: FactKind.NOTE not in self.facts,
        }
        return tuple(each for each, so in lacks.items() if so)


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks: a trigger pulled in a role at a moment of the programme (aware).

    `data`: `to` (a state, for `correct`), `receiver` (an organisation's id, for a handoff's `offer`), `cause` (why a
    receiver declines), `missing` (codes, with a system's `hold`), `half_days` (presence attested with
    `confirm_immersion`).
    """

    trigger: Trigger
    role: Role
    at: datetime
    reason: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing happens: `code` and `params` make the sentence, `allowed` is what this role could do instead."""

    code: str
    state: str
    allowed: tuple[str, ...]
    params: Mapping[str, object] = field(default_factory=dict)


def fact_of(state: str) -> FactKind | None:
    """Return the fact that being in this state of the path attests."""
    return _FACT_OF.get(state)


_FACT_OF: Mapping[str, FactKind] = {
    State.DIRECTOR_APPROVED: FactKind.APPROVAL,
    State.PREPARED: FactKind.PREPARATION,
    State.OBSERVED: FactKind.OBSERVATION,
    State.IMMERSED: FactKind.PRESENCE,
    State.TRANSFERRED: FactKind.TRANSFER,
    State.EVALUATED: FactKind.EVALUATION,
}

OF_THE_ROUND = frozenset({FactKind.ATTENDANCE, FactKind.NOTE})
"""Facts of one round of the relay: another institute has its own session, and its own words."""

OF_NO_STATE = frozenset(FactKind) - frozenset(_FACT_OF.values())
"""Facts that no state attests: a correction of the state says nothing of them."""
