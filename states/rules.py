"""The frozen rules of one edition revision that decisions read: calendar, thresholds, ladder, routing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from core.workdays import Calendar
from states.names import Anchor, Audience, Education, Kind, Network, ParticipantKind, StepAction, Subject
from states.questionnaire import Question
from states.sampling import SampleRule


class RuleKey(NamedTuple):
    """Where a ladder hangs: a subject, one of its states, a rule that the state names."""

    subject: Subject
    state: str
    rule: str


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: `offset` counts from the anchor's local date, in working days or calendar days, negative before it.

    Without an anchor of its own it counts from that of its rule, which the process table names. `alone`: its message
    goes by itself, where others of its kind share one.
    """

    offset: int
    working_days: bool
    do: StepAction
    audience: Audience | None = None
    message: Kind | None = None
    anchor: Anchor | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Which institute (code) serves a network and kind of education; `to_confirm` while nobody has confirmed it.

    It serves the kinds of participant named, from `first` to `last` (local days, both included; None: no bound).
    """

    network: Network
    education: Education
    institute: str
    to_confirm: bool
    kinds: tuple[ParticipantKind, ...] = tuple(ParticipantKind)
    first: date | None = None
    last: date | None = None

    def serves(self, kind: str, day: date) -> bool:
        """Tell whether this route is meant for a kind of participant on a local day."""
        begun = self.first is None or self.first <= day
        return kind in self.kinds and begun and (self.last is None or day <= self.last)


@dataclass(frozen=True, eq=False)
class Rules:
    """One edition revision as decisions see it. Days are local dates.

    `calendars` are those of the basins whose school holidays differ from the edition's; `committee` is a code.
    """

    edition: str
    process: str
    calendar: Calendar
    half_days: int
    min_half_days: int
    anchors: Mapping[Anchor, date]
    ladder: Mapping[RuleKey, tuple[Step, ...]]
    routes: tuple[Route, ...]
    allocation: date
    questions: tuple[Question, ...] = ()
    sample: SampleRule | None = None
    basins: Mapping[str, str] = field(default_factory=dict)
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    committee: str = ""

    def basin(self, code: str) -> str:
        """Return the name of a geographic basin; what stands there, for one that the edition does not define."""
        return self.basins.get(code, code)

    def calendar_of(self, basin: str) -> Calendar:
        """Return the working days of a geographic basin: the edition's, unless its own school holidays differ."""
        return self.calendars.get(basin, self.calendar)

    def routes_for(self, network: str | None, education: str | None, kind: str, day: date) -> tuple[Route, ...]:
        """Return the routes meant for somebody on a local day; only where there is one is there an answer."""
        ours = (r for r in self.routes if r.network == network and r.education == education)
        return tuple(r for r in ours if r.serves(kind, day))
