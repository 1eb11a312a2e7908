"""Plays an edition: people act, time jumps to the next moment at which somebody acts or something falls due, a tick.

Nothing moves time but ticks, and nobody acts but through `actions`. Given a cast and a seed, everything that is written
is the same at each run, save the ids of flow runs.
"""

import heapq
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

from sqlalchemy import Connection

from actions import drawing, editions, evaluation, facts, invitations, places, sample, sessions
from actions.apply import Request, apply
from actions.imports import FileKind, import_file
from actions.occasion import Actor, Occasion, system
from actions.people import actor, organisation_id
from actions.reading import rules_for
from core.clock import BRUSSELS
from core.errors import Refused
from jobs.summary import Summary
from jobs.workshop import Workshop
from simulation.answers import answers
from simulation.cast import Cast, OfferPart, Part
from simulation.script import Act, Script
from simulation.world import Standing, address_of, next_due, standings
from states.edition import read_edition
from states.edition_evaluation import questions_of
from states.names import OrganisationKind, Role, State, Subject, Trigger
from states.rules import Rules

_NEVER = datetime.min.replace(tzinfo=UTC)
_VIA = "simulation"
_MOST_TICKS = 600  # a runaway script must end
_FRIDAY = 4
_HALF_DAYS = ("am", "pm")
_RECORDED = frozenset({"presence", "note", "session", "attend"})
_ON_THE_RETURN = {"send_back": Trigger.DECLINE, "give_back": Trigger.OFFER}
_CHAIRS = 12
_ROOM = "Salle du conseil, rue de la Formation 12, 5000 Namur"
_REMOTE = "https://visio.institut.example/transfert"
_HANDOFF_TRIGGERS = (Trigger.ACCEPT, Trigger.DECLINE)


class Tick(Protocol):
    """Runs all that is due at a moment; the demo gives the real flow."""

    def __call__(self, at: datetime, /) -> list[Summary]:
        """Run it."""
        ...


@dataclass
class Played:
    """What a simulation did: ticks, acts done and acts refused (people try things that no longer stand)."""

    ticks: int = 0
    acts: int = 0
    refused: int = 0
    last: datetime = _NEVER


Progress = Callable[[datetime, int], None]


def seeded_salt(seed: int) -> Callable[[], str]:
    """Return salts that are the same at each run of a simulation."""
    random = Random(f"salt/{seed}")
    return lambda: random.randbytes(16).hex()


class Simulation:
    """One edition being played in a workshop."""

    def __init__(self, workshop: Workshop, cast: Cast, tick: Tick, progress: Progress, seed: int | None = None) -> None:
        """Nothing is written before `play`."""
        self.workshop, self.cast, self.tick, self.progress = workshop, cast, tick, progress
        self.file = read_edition(cast.edition_file.read_bytes(), cast.edition_file.name)
        self.played = Played()
        self.agenda: list[tuple[datetime, int, Act]] = []
        self.numbered = 0
        self.known: dict[str, Standing] = {}
        self.turned: set[str] = set()  # who has already withdrawn by mistake, or been corrected
        self.seed = cast.seed if seed is None else seed

    def play(self) -> Played:
        """Play the edition from its opening to its closing."""
        rules = self._open()
        self.calendar = rules.calendar
        script = Script(self.seed, rules.calendar, self.file.closes, observes=self.file.process == "2014")
        happenings = sorted(self._happenings(rules), key=lambda each: each[0])
        now = rules.calendar.moment(self.file.opens)
        end = rules.calendar.end_of(self.file.closes)
        while now < end and self.played.ticks < _MOST_TICKS:
            while happenings and happenings[0][0] <= now:
                when, happen = happenings.pop(0)
                self._act_until(when)
                happen(when)
            self._act_until(now)
            self.tick(now)
            self.played.ticks += 1
            self.progress(now, self.played.ticks)
            self._look_around(script, now)
            now = self._after_outage(self._next(now, happenings[0][0] if happenings else end, end, rules))
        self.tick(end)
        self.played.ticks += 1
        self.played.last = end
        return self.played

    # --------------------------------------------------------------------------------------------------------- opening
    def _open(self) -> Rules:
        """Load the edition and its offers on its first day."""
        opens = datetime.combine(self.file.opens, time(7), tzinfo=BRUSSELS).astimezone(UTC)
        occasion = self.workshop.occasion(opens)
        with self.workshop.transaction() as connection:
            editions.load(connection, self.file, system(_VIA), occasion)
            edition = editions.current(connection, self.file.code)
            data = self.cast.offers_file.read_bytes()
            name = self.cast.offers_file.name
            report = import_file(connection, edition, FileKind.OFFERS, data, name, system(_VIA), occasion)
            if report.rejected:
                raise ValueError(report.rejected)
            return rules_for(connection, edition.revision_id)

    def _happenings(self, rules: Rules) -> Iterator[tuple[datetime, Callable[[datetime], None]]]:
        """Yield what comes from outside: files in the inbox, dates that become known, offers taken back."""
        for day, path in self.cast.registrations:
            yield rules.calendar.moment(day), partial(self._drop, path)
        for part in self.cast.offers:
            yield rules.calendar.moment(part.on, time(11)), partial(self._offer, part)
        if self.cast.draws is not None:
            yield rules.calendar.moment(self.cast.draws, time(14)), self._draw

    def _drop(self, path: Path, _now: datetime) -> None:
        self.workshop.inbox.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, self.workshop.inbox / path.name)

    def _draw(self, now: datetime) -> None:
        with self.workshop.transaction() as connection:
            coordinator = actor(connection, Role.COORDINATOR, address_of(connection, Role.COORDINATOR, None), _VIA)
            drawing.draw(connection, self.file.code, coordinator, self.workshop.occasion(now))

    def _offer(self, part: OfferPart, now: datetime) -> None:
        with self.workshop.transaction() as connection:
            edition = editions.current(connection, self.file.code)
            coordinator = actor(connection, Role.COORDINATOR, address_of(connection, Role.COORDINATOR, None), _VIA)
            occasion = self.workshop.occasion(now)
            if part.plays == "cancelled":
                places.cancel_offer(connection, edition, part.reference, part.reason, coordinator, occasion)
            else:
                offer = places.offer_by_reference(connection, edition, part.reference)
                places.set_dates(connection, offer.session_id, part.days, coordinator, occasion)

    # ---------------------------------------------------------------------------------------------------------- acting
    def _look_around(self, script: Script, now: datetime) -> None:
        """Everybody looks at where they stand; what is new calls for acts."""
        with self.workshop.transaction() as connection:
            seen = standings(connection)
        for stands in seen:
            if self.known.get(stands.reference) == stands:
                continue
            self.known[stands.reference] = stands
            part = self.cast.part(stands.email)
            if (
                part in {Part.REINSTATED, Part.CORRECTED}
                and stands.reference in self.turned
                and stands.state != State.WITHDRAWN
            ):
                part = Part.SMOOTH
            for act in script.acts(stands, part, now):
                self.numbered += 1
                heapq.heappush(self.agenda, (act.at, self.numbered, act))

    def _next(self, now: datetime, happens: datetime, end: datetime, rules: Rules) -> datetime:
        """Return the next moment: the evening of an urgent act, the Friday after others, what comes or falls due."""
        self._forget_what_no_longer_stands()
        candidates = [happens, end]
        for at, _, act in self.agenda:
            day = rules.calendar.local_day(at)
            evening = day if act.urgent else day + timedelta(days=(_FRIDAY - day.weekday()) % 7)
            candidates.append(rules.calendar.moment(evening, time(18)))
        with self.workshop.transaction() as connection:
            due = next_due(connection, now + timedelta(minutes=1))
        if due is not None:
            candidates.append(due)
        return max(min(candidates), now + timedelta(minutes=1))

    def _after_outage(self, moment: datetime) -> datetime:
        """Return the moment itself, or the end of the outage in which it falls: people act, no tick runs."""
        begins, ends = self.cast.outage or (moment, moment)
        return ends if begins <= moment < ends else moment

    def _forget_what_no_longer_stands(self) -> None:
        self.agenda = [entry for entry in self.agenda if self.known.get(entry[2].given.reference) == entry[2].given]
        heapq.heapify(self.agenda)

    def _act_until(self, now: datetime) -> None:
        e_learning: list[Act] = []
        while self.agenda and self.agenda[0][0] <= now:
            act = heapq.heappop(self.agenda)[2]
            if self.known.get(act.given.reference) != act.given:
                continue
            if act.verb == "e_learning":
                e_learning.append(act)
                continue
            self._do(act)
        if e_learning:
            self._drop_preparations(e_learning, now)

    def _do(self, act: Act) -> None:
        if act.verb in {Trigger.WITHDRAW, Trigger.CORRECT}:
            self.turned.add(act.given.reference)
        try:
            with self.workshop.transaction() as connection:
                self._do_in(connection, act, self._actor(connection, act), self.workshop.occasion(act.at))
            self.played.acts += 1
        except Refused:
            self.played.refused += 1

    def _do_in(self, connection: Connection, act: Act, who: Actor, occasion: Occasion) -> None:
        reference, asked = act.given.reference, questions_of(self.file)
        if act.verb in _RECORDED:
            self._record(connection, act, who, occasion)
        elif act.verb == "interview":
            sample.record_interview(connection, reference, self._local(act.at), who, occasion)
        elif act.verb == "replace":
            sample.replace(connection, reference, act.reason, who, occasion)
        elif act.verb == Trigger.EVALUATE and asked:
            given = answers(asked, f"{self.seed}/{act.given.email}")
            evaluation.answer(connection, reference, given, who, occasion)
        else:
            apply(connection, reference, self._request(connection, act), who, occasion)

    def _record(self, connection: Connection, act: Act, who: Actor, occasion: Occasion) -> None:
        reference = act.given.reference
        if act.verb == "presence":
            facts.record_presence(connection, reference, _presence(act), who, occasion)
        elif act.verb == "note":
            facts.record_note(connection, reference, act.reason, who, occasion)
        elif act.verb == "attend":
            present = bool(act.data["present"])
            invitations.attend(connection, str(act.given.session), reference, who, occasion, present=present)
        else:
            invitations.invite(connection, self._session(connection, act, who, occasion), [reference], who, occasion)

    def _session(self, connection: Connection, act: Act, who: Actor, occasion: Occasion) -> str:
        """Return the institute's next session with a free chair, a new one if there is none."""
        edition = editions.current(connection, self.file.code)
        institute = act.given.receiver_id or 0
        found = sessions.listing(connection, edition, institute)
        coming = [one for one in found if one.status == "planned" and one.starts_at > act.at + timedelta(days=5)]
        for one in coming:
            if one.invited < one.capacity:
                return str(one.reference)
        return sessions.plan(connection, edition, institute, self._details(act, len(found)), who, occasion).reference

    def _details(self, act: Act, known: int) -> sessions.Details:
        """A morning two or three weeks ahead, every third one remote."""
        last = self.file.closes - timedelta(days=20)
        day = self.calendar.shift(min(self.calendar.local_day(act.at) + timedelta(days=16), last), 1)
        place, url = ("", _REMOTE) if known % 3 == 2 else (_ROOM, "")  # noqa: PLR2004 - one in three
        moments = (self.calendar.moment(day, time(9)), self.calendar.moment(day, time(12, 30)))
        return sessions.Details(*moments, place, url, _CHAIRS)

    def _actor(self, connection: Connection, act: Act) -> Actor:
        stands = act.given
        organisation = {
            Role.DIRECTOR: stands.school_id,
            Role.COMPANY: stands.company_id,
            Role.INSTITUTE: stands.receiver_id,
        }.get(act.role)
        email = stands.email if act.role is Role.TEACHER else address_of(connection, act.role, organisation)
        return actor(connection, act.role, email, _VIA)

    def _request(self, connection: Connection, act: Act) -> Request:
        if act.verb in _ON_THE_RETURN:
            return Request(Subject.RETURN, _ON_THE_RETURN[act.verb], act.reason)
        if act.verb != "route":
            subject = (
                Subject.HANDOFF
                if act.verb in _HANDOFF_TRIGGERS and act.given.handoff == "offered"
                else Subject.PARTICIPATION
            )
            return Request(subject, Trigger(act.verb), act.reason, act.data)
        codes = [part.code for part in self.file.institutes if part.code != act.given.receiver]
        own = {"other": False, "ifc": True}.get(str(act.data["to"]), int(act.given.reference[-1]) % 2 == 0)
        chosen = self.file.ifc.code if own else codes[-1]
        kind = OrganisationKind.IFC if chosen == self.file.ifc.code else OrganisationKind.INSTITUTE
        receiver = organisation_id(connection, kind, chosen)
        return Request(Subject.HANDOFF, Trigger.OFFER, act.reason, {"receiver": receiver})

    def _drop_preparations(self, acts: list[Act], now: datetime) -> None:
        """The e-learning platform's export of those who did the module."""
        rows = "".join(f"{act.given.email};{self._local(act.at)}\n" for act in acts)
        self.workshop.inbox.mkdir(parents=True, exist_ok=True)
        (self.workshop.inbox / f"preparations-{self._local(now)}.csv").write_text(
            f"email;date\n{rows}", encoding="utf-8"
        )

    def _local(self, moment: datetime) -> date:
        return moment.astimezone(BRUSSELS).date()


def _presence(act: Act) -> list[facts.HalfDay]:
    """The half-days of the immersion, the first ones present."""
    halves = [(day, part) for day in act.given.days for part in _HALF_DAYS]
    present = int(str(act.data["present"]))
    return [facts.HalfDay(day, part, present=number < present) for number, (day, part) in enumerate(halves)]
