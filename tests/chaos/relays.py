"""Processes that hand over, and take back, until nothing is left to do; many are killed with -9 on the way.

Each has a fuse: so many statements and commits, the start of each and its end, and it dies. Whoever started them kills
others, at any moment. Fuses are short, so that there is still work when the last one is killed.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from time import monotonic

from sqlalchemy import Connection, Update, select

from actions import apply as applying
from actions import editions, facts, invitations, sessions, writing
from actions.apply import Outcome, Request, act_each
from actions.change import Change
from actions.occasion import Actor, Occasion
from core.errors import LostRace
from jobs import deadlines, handoffs
from states.names import Role, Subject, Trigger
from tests.chaos import victims
from tests.chaos.victims import Probe, Strike, Without
from tests.support import worlds
from tests.support.worlds import CROWD, HANDOFF, ORGANISATION, PARTICIPATION, World, moment

PROCESSES = 4
LONGEST_FUSE = 80  # less than two transactions
DOOMED_AT_ONCE, OTHERS_AT_ONCE = 2, 25  # participations in a transaction: who dies leaves work to who comes after
RETURNING = CROWD // 5  # people whose relay comes back to IFC, where that is tried
KILLED = -signal.SIGKILL

_LONGEST_SECONDS = 60 * worlds.SIZE
_MET_AT = moment("2018-12-19 13:00")
_OVER_AT = _MET_AT + timedelta(hours=3)
RETURNED_AT = _OVER_AT + timedelta(hours=1)

Fuse = int | str | None
"""After how many points a process dies, or before which one; None: it lives."""


# -------------------------------------------------------------------------------------------------------- the processes
def hand_over(url: str, folder: Path, at: datetime, fuse: Fuse, without: str) -> None:
    """Do what a tick does for handoffs, again and again until nothing is left; what a child process runs."""
    taken = WITHOUT[without]
    for module, name, value in taken.patches:
        setattr(module, name, value)
    world = World(taken.engine(url), folder, holder=f"relay {os.getpid()}")
    Probe(_strike(fuse)).watch(world.engine)
    at_once = DOOMED_AT_ONCE if fuse else OTHERS_AT_ONCE
    (folder / str(os.getpid())).touch()  # at work: killed earlier, it would prove nothing
    while _is_left(world, at):
        handoffs.run(world.workshop, at, at_once)
        deadlines.run(world.workshop, at, at_once)
    world.engine.dispose()


def _is_left(world: World, at: datetime) -> bool:
    with world.engine.connect() as connection:
        return handoffs.has_work(connection, at) or deadlines.has_work(connection, at)


def _strike(fuse: Fuse) -> Strike:
    if not isinstance(fuse, int):
        return victims._kill_at(fuse)
    left = iter(range(fuse, 0, -1))

    def strike(_here: str) -> None:
        if next(left) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    return strike


@dataclass
class Relay:
    """Four processes on one world; whoever is killed is replaced by another, until so many were."""

    world: World
    at: datetime
    kills: int
    fuse: Fuse = None
    without: str = "nothing"
    killed: int = 0
    by_fuse: int = 0

    def run(self) -> Sequence[int | None]:
        """Have them work to the end; return the exit codes of those that were not killed."""
        chance, ended = Random(self.kills), list[int | None]()
        running = [self._start(chance) for _ in range(PROCESSES)]
        until = monotonic() + _LONGEST_SECONDS
        try:
            while running:
                assert monotonic() < until, f"{self.killed} killed, and no end"
                self._kill_one(running, chance)
                for process in [each for each in running if each.exitcode is not None]:
                    running.remove(process)
                    if process.exitcode == KILLED:
                        self.killed += 1
                        running.append(self._start(chance))
                    else:
                        ended.append(process.exitcode)
        finally:
            for process in running:
                process.kill()
                process.join()
        return ended

    def _start(self, chance: Random) -> BaseProcess:
        fuse = (self.fuse or chance.randint(1, LONGEST_FUSE)) if self.killed < self.kills else None
        url = self.world.engine.url.render_as_string(hide_password=False)
        return victims.start(hand_over, url, self.world.folder, self.at, fuse, self.without)

    def _kill_one(self, running: Sequence[BaseProcess], chance: Random) -> None:
        """Wait for one to end; if none does for a moment, kill one that is at work, wherever it is."""
        to_come = self.killed < self.kills
        if wait([each.sentinel for each in running], chance.uniform(0.05, 0.5) if to_come else 1):
            self.by_fuse += to_come
            return
        at_work = [each for each in running if (self.world.folder / str(each.pid)).exists()]
        if to_come and self.fuse is None and at_work:
            chosen = chance.choice(at_work)
            chosen.kill()
            chosen.join()


# -------------------------------------------------------------------------------------- what goes wrong without a guard
def _written_at_once(connection: Connection, changes: Mapping[int, Change]) -> dict[int, Outcome]:
    """Write without a savepoint, which only a transaction can have."""
    try:
        if changes:
            writing.write(connection, list(changes.values()))
    except LostRace as lost:
        return dict.fromkeys(changes, lost)
    return {key: applying.applied(change) for key, change in changes.items()}


def _naked(statement: Update, conditions: int) -> Update:
    """Return a statement that compares less."""
    naked = statement._clone()
    naked._where_criteria = naked._where_criteria[:conditions]
    return naked


WITHOUT = {
    "nothing": Without(),
    "one transaction": Without(
        patches=((applying, "write_each", _written_at_once),), engine=victims._each_statement_commits
    ),
    "comparing": Without(
        patches=(
            (writing, "_SET_PARTICIPATION", _naked(writing._SET_PARTICIPATION, 1)),
            (writing, "_OFFER_HANDOFF", _naked(writing._OFFER_HANDOFF, 3)),
            (writing, "_SET_HANDOFF", _naked(writing._SET_HANDOFF, 3)),
        )
    ),
}


# ------------------------------------------------------------------------------------------------------------- a world
def returning(world: World) -> None:
    """All met at a session and came back to IFC, complete; nobody has looked yet."""
    worlds.crowd_immersed(world, RETURNING)
    handoffs.run(world.workshop, worlds.OFFERED_AT)
    with world.engine.begin() as connection:
        institutes = connection.execute(select(ORGANISATION.c.id).where(ORGANISATION.c.code.in_(("CECAFOC", "FCC"))))
        for institute in institutes.scalars().all():
            _meet(connection, institute)


def _meet(connection: Connection, institute: int) -> None:
    """Accept, meet, and note what came of it."""
    who = Actor(Role.INSTITUTE, None, frozenset({institute}), "test")
    before, after = (Occasion(at, at, salt=lambda: "salt") for at in (worlds.ACCEPTED_AT, _OVER_AT))
    joined = PARTICIPATION.join(HANDOFF, HANDOFF.c.participation_id == PARTICIPATION.c.id)
    offered = select(PARTICIPATION.c.id, PARTICIPATION.c.reference).select_from(joined)
    ours = offered.where(HANDOFF.c.receiver_id == institute).order_by(PARTICIPATION.c.id)
    people = dict(connection.execute(ours).tuples().all())
    act_each(connection, list(people), Request(Subject.HANDOFF, Trigger.ACCEPT), who, before)
    details = sessions.Details(_MET_AT, _OVER_AT, "Namur", "", RETURNING)
    session = sessions.plan(connection, editions.current(connection), institute, details, who, before).reference
    invitations.invite(connection, session, list(people.values()), who, before)
    for reference in people.values():
        facts.record_note(connection, reference, "Lien avec le référentiel.", who, after)
        invitations.attend(connection, session, reference, who, after, present=True)
