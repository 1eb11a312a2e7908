"""What each part does, and when: from where a participation stands to the acts that people will do about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random

from core.workdays import Calendar
from simulation.cast import Part
from simulation.world import Standing
from states.guards import ON_THE_PATH
from states.names import Cause, Role, State, Trigger

_NOTED = "Séquence sur les outils vus en entreprise, reliée au programme ; à essayer en classe ce trimestre."
_PREPARES_BEFORE = (8, 13)  # working days before the first day
_PREPARES_BEFORE_OBSERVING = (16, 20)


@dataclass(frozen=True, slots=True)
class Act:
    """Something that somebody will do at a moment, if the participation still stands as `given`."""

    at: datetime
    given: Standing
    role: Role
    verb: str  # a trigger, or one of those that `edition` knows besides
    reason: str = ""
    data: dict[str, object] = field(default_factory=dict)
    urgent: bool = False  # a tick follows the same evening, not at the end of the week


class Script:
    """The acts that follow from each standing; the same seed gives the same acts, whatever the order."""

    def __init__(self, seed: int, calendar: Calendar, closes: date, *, observes: bool) -> None:
        """`closes` is the last local day of the edition; `observes` when its process has the observation step."""
        self._seed, self._calendar, self._closes, self._observes = seed, calendar, closes, observes
        self._steps = {**_STEPS, State.PREPARED: _prepared_after_observation if observes else _prepared}

    def acts(self, stands: Standing, part: Part, now: datetime) -> Iterator[Act]:
        """Yield what follows from this standing for somebody who plays this part."""
        where = f"{stands.state}/{stands.handoff}/{stands.handoff_round}/{stands.session}/{stands.returned}"
        chance = Random(f"{self._seed}/{stands.email}/{where}")
        when = _When(self._calendar, now, chance, self._closes, self._observes)
        yield from self._steps.get(State(stands.state), _nothing)(stands, part, when)
        if stands.drawn and not stands.seen:
            yield from _meets(stands, part, when)


@dataclass(frozen=True)
class _When:
    """Moments relative to now, or to a day, in working days; at some minute of the working day."""

    calendar: Calendar
    now: datetime
    chance: Random
    closes: date
    observes: bool

    def after(self, least: int, most: int) -> datetime:
        """Return a moment that many working days from now."""
        day = self.calendar.shift(self.calendar.local_day(self.now), self.chance.randint(least, most))
        return self._during(min(day, self.closes - timedelta(days=3)))

    def on(self, day: date, working_days: int = 0) -> datetime:
        """Return a moment that many working days from a day, but not before tomorrow."""
        tomorrow = self.calendar.shift(self.calendar.local_day(self.now), 1)
        return self._during(max(self.calendar.shift(day, working_days) if working_days else day, tomorrow))

    def _during(self, day: date) -> datetime:
        return self.calendar.moment(day, time(8 + self.chance.randint(1, 8), self.chance.randint(0, 59)))


def _nothing(_stands: Standing, _part: Part, _when: _When) -> Iterator[Act]:
    yield from ()


def _registered(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    role = Role.DIRECTOR if stands.has_school else Role.COORDINATOR
    if part is Part.DECLINED:
        reason = "Trop d’absences déjà accordées dans la section pour cette période."
        yield Act(when.after(1, 4), stands, role, Trigger.DECLINE, reason)
    elif part is Part.LATE_DIRECTOR:
        yield Act(when.after(11, 12), stands, role, Trigger.APPROVE)
    elif part is not Part.SILENT_DIRECTOR:
        yield Act(when.after(1, 3), stands, role, Trigger.APPROVE)


def _waiting(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    """What happens between the approval and the company: preparation, second thoughts, presence."""
    if not stands.days:
        return
    first, last = stands.days[0], stands.days[-1]
    if part is Part.WITHDRAWS_EARLY:
        yield Act(when.after(5, 6), stands, Role.TEACHER, Trigger.WITHDRAW, "Changement d’attributions à l’école.")
        return
    if part is Part.WITHDRAWS_DAY_BEFORE:
        yield Act(when.on(first, -1), stands, Role.TEACHER, Trigger.WITHDRAW, "Empêchement.", urgent=True)
    if part is Part.REINSTATED and stands.state == State.DIRECTOR_APPROVED:
        yield Act(when.after(1, 1), stands, Role.TEACHER, Trigger.WITHDRAW, "Erreur de bouton.")
        return
    if stands.state == State.DIRECTOR_APPROVED:
        yield from _prepares(stands, part, when, first)
    if stands.half_days is None:
        yield from _attends(stands, part, when, last)


def _prepares(stands: Standing, part: Part, when: _When, first: date) -> Iterator[Act]:
    early = when.chance.randint(*(_PREPARES_BEFORE_OBSERVING if when.observes else _PREPARES_BEFORE))
    if part is Part.FORGETS_PREPARATION:
        reason = "Module indisponible chez l’enseignant ; contenu vu par téléphone avec l’IFC."
        yield Act(when.on(first, -1), stands, Role.COORDINATOR, Trigger.CONFIRM_PREPARATION, reason)
    elif when.chance.random() < 0.5:  # noqa: PLR2004 - half of them say so, for the other half the platform does
        yield Act(when.on(first, -early), stands, Role.TEACHER, Trigger.CONFIRM_PREPARATION)
    else:
        yield Act(when.on(first, -early), stands, Role.SYSTEM, "e_learning")


def _attends(stands: Standing, part: Part, when: _When, last: date) -> Iterator[Act]:
    if part is Part.WITHDRAWS_DAY_BEFORE:
        return
    if part is Part.ABSENT:
        if stands.state != State.DIRECTOR_APPROVED:
            yield Act(when.on(last), stands, Role.COMPANY, Trigger.RECORD_ABSENCE, "Ne s’est pas présenté.")
        return
    present = {Part.PARTLY_PRESENT: 3, Part.TOO_LITTLE: 2}.get(part, 2 * len(stands.days))
    moment = when.on(last, 9) if part is Part.SLOW_COMPANY else when.on(last, 1)
    yield Act(moment, stands, Role.COMPANY, "presence", data={"present": present})


def _prepared(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    if part is Part.CORRECTED and stands.half_days is None and stands.days:
        reason = "Module attribué par erreur : il avait été suivi par un homonyme."
        yield Act(when.on(when.calendar.local_day(when.now), 1), stands, Role.COORDINATOR, Trigger.CORRECT, reason,
                  {"to": State.DIRECTOR_APPROVED.value})  # fmt: skip
    if part is Part.TOO_LITTLE and stands.half_days is not None:
        reason = "Deux demi-jours sur quatre : l’immersion ne compte pas."
        yield Act(when.after(2, 4), stands, Role.COORDINATOR, Trigger.RECORD_ABSENCE, reason)
        return
    yield from _waiting(stands, part, when)


def _prepared_after_observation(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    """In five steps, a first contact in the company comes before: the company confirms it."""
    if stands.days and part not in {Part.ABSENT, Part.WITHDRAWS_DAY_BEFORE}:
        yield Act(when.on(stands.days[0], -9), stands, Role.COMPANY, Trigger.CONFIRM_OBSERVATION)
    yield from _prepared(stands, part, when)


def _immersed(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    if stands.handoff == "to_route":
        to = "other" if part is Part.DECLINING_INSTITUTE else "ifc" if part is Part.SILENT_INSTITUTE else "any"
        yield Act(when.after(2, 3), stands, Role.COORDINATOR, "route", data={"to": to})
    elif stands.handoff == "offered":
        role = Role.COORDINATOR if stands.receiver == "IFC" else Role.INSTITUTE
        if part is Part.DECLINING_INSTITUTE and stands.handoff_round == 1:
            reason = "Cet établissement relève d’un autre institut."
            cause: dict[str, object] = {"cause": Cause.WRONG_NETWORK.value}
            yield Act(when.after(1, 2), stands, role, Trigger.DECLINE, reason, cause)
        elif part is not Part.SILENT_INSTITUTE or stands.handoff_round > 1:
            yield Act(
                when.after(11, 12) if part is Part.SLOW_INSTITUTE else when.after(1, 3), stands, role, Trigger.ACCEPT
            )
    elif stands.handoff == "accepted":
        yield from _transfers(stands, part, when)


def _transfers(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    """Invites to a session, records who was there; some notes follow later, or only when the record comes back."""
    role = _in_charge(stands)
    if stands.session is None or stands.session_ends is None:
        yield Act(when.after(2, 5), stands, role, "session")
        return
    if part not in {Part.LATE_NOTE, Part.SENT_BACK} and not stands.noted:
        yield Act(stands.session_ends - timedelta(hours=1), stands, role, "note", _NOTED)
    absent = part is Part.MISSES_SESSION and not stands.absences
    yield Act(stands.session_ends + timedelta(hours=1), stands, role, "attend", data={"present": not absent})


def _in_charge(stands: Standing) -> Role:
    return Role.COORDINATOR if stands.receiver == "IFC" else Role.INSTITUTE


def _transferred(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    if stands.returned == "held" and part is Part.SENT_BACK and stands.return_round == 1:
        reason = "Il manque la note de l’institut : quels points du programme ont été reliés à l’immersion ?"
        yield Act(when.after(2, 4), stands, Role.COORDINATOR, "send_back", reason)
    elif stands.returned == "held" or (stands.returned == "to_route" and not stands.noted):
        yield Act(when.after(3, 6), stands, _in_charge(stands), "note", _NOTED)
    elif stands.returned == "to_route":
        yield Act(when.after(1, 2), stands, _in_charge(stands), "give_back")
    elif stands.returned == "accepted" and part is not Part.NEVER_EVALUATES and not stands.answered:
        yield Act(when.after(1, 7), stands, Role.TEACHER, Trigger.EVALUATE)


def _meets(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    """Somebody drawn into the sample: IFC sees them after the transfer, or somebody else in their place."""
    if State(stands.state) not in ON_THE_PATH:
        yield Act(when.after(1, 2), stands, Role.COORDINATOR, "replace", "N’est plus dans le programme.")
    elif part is Part.CANNOT_MEET:
        yield Act(when.after(2, 4), stands, Role.COORDINATOR, "replace", "En congé jusqu’à la fin de l’année scolaire.")
    elif stands.state in {State.TRANSFERRED, State.EVALUATED}:
        yield Act(when.after(4, 9), stands, Role.COORDINATOR, "interview")


def _withdrawn(stands: Standing, part: Part, when: _When) -> Iterator[Act]:
    if part is Part.REINSTATED:
        reason = "Désistement encodé par erreur, confirmé par téléphone."
        yield Act(when.after(1, 1), stands, Role.COORDINATOR, Trigger.REINSTATE, reason)


_STEPS = {
    State.REGISTERED: _registered,
    State.DIRECTOR_APPROVED: _waiting,
    State.PREPARED: _prepared,
    State.OBSERVED: _prepared,
    State.IMMERSED: _immersed,
    State.TRANSFERRED: _transferred,
    State.WITHDRAWN: _withdrawn,
}
