"""The tables on `transitions`: one shared machine per process, and the only file that knows the library.

A machine holds no model: an `Attempt` is passed to each event, so one machine serves all threads. Automatic transitions
are off because they would bypass the guards. Nothing is written and nobody is told in a callback.
"""

from functools import lru_cache, partial
from typing import Any, cast

from transitions import EventData, Machine, MachineError

from states.guards import holds
from states.process import CHOSEN, JUSTIFIED, START, Process, Row
from states.rules import Rules
from states.snapshot import Command, Snapshot

_COMPUTED = frozenset({JUSTIFIED, CHOSEN})


class Attempt:
    """The model that an event is tried on; afterwards it holds the row taken, or what stood in the way."""

    __slots__ = ("asked", "failed", "role_fits", "row", "rules", "seen", "state", "target")

    def __init__(self, state: str, seen: Snapshot, rules: Rules, asked: Command, target: str) -> None:
        """`target` is the destination of rows whose destination is computed."""
        self.state = str(state)  # plain: the library would read an enum's name
        self.seen = seen
        self.rules = rules
        self.asked = asked
        self.target = target
        self.row: Row | None = None
        self.role_fits = False
        self.failed: str | None = None


def pull(process: Process, attempt: Attempt) -> bool:
    """Try the asked trigger; True when a row was taken (`attempt.state` is then the destination)."""
    machine = _machine(process)
    event = machine.events.get(attempt.asked.trigger)
    if attempt.state not in machine.states:  # a row that somebody repaired by hand; the library would raise
        return False
    try:
        return event is not None and bool(event.trigger(attempt))
    except MachineError:
        return False


def _takes(row: Row, dest: str, event: EventData) -> bool:
    """Tell whether a row applies: role, computed destination, then each guard; the last that failed is kept."""
    attempt = cast("Attempt", event.model)
    if attempt.asked.role not in row.roles:
        return False
    attempt.role_fits = True
    if row.dest in _COMPUTED and dest != attempt.target:
        return False
    for guard in row.guards:
        if not holds(guard, attempt.seen, attempt.rules, attempt.asked):
            attempt.failed = guard
            return False
    attempt.row = row
    return True


@lru_cache(maxsize=16)
def _machine(process: Process) -> Any:  # noqa: ANN401 - the library is untyped
    machine = Machine(
        model=None,
        states=[START, *map(str, process.states)],
        initial=START,
        auto_transitions=False,
        send_event=True,
    )
    for row in process.rows:
        for dest in process.state_names if row.dest in _COMPUTED else (row.dest,):
            machine.add_transition(
                str(row.trigger), [str(s) for s in row.sources], str(dest), conditions=partial(_takes, row, dest)
            )
    return machine
