"""What a process table is made of.

A process is a list of rows (trigger, sources, destination, roles, guards, effects, what is told) and, for each state,
who owes which act and which deadline rules hang on it. Two destinations are computed when the time comes: `JUSTIFIED`
(what the recorded facts justify) and `CHOSEN` (what the coordinator names).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from states.names import Anchor, Effect, Guard, Kind, Role, Subject, Trigger

START = "-"  # not there yet
JUSTIFIED = "justified"
CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a process table. Every guard must hold; effects and messages follow in the order written."""

    trigger: Trigger
    sources: tuple[str, ...]
    dest: str
    roles: tuple[Role, ...]
    guards: tuple[Guard, ...] = ()
    effects: tuple[Effect, ...] = ()
    tells: tuple[Kind, ...] = ()


@dataclass(frozen=True, slots=True)
class StateSpec:
    """One state: who owes which act, and which deadline rules hang on it with their anchors.

    The first rule is the one that the act meets, unless it is the closing's. A state without an act is final.
    """

    owed_by: Role | None = None
    act: Trigger | None = None
    rules: Mapping[str, Anchor] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """Nothing more is expected."""
        return self.act is None

    @property
    def act_rule(self) -> str:
        """The rule that is met when the owed act is done; empty when no rule is: the closing waits for no act."""
        return next((rule for rule, anchor in self.rules.items() if anchor is not Anchor.CLOSING), "")


@dataclass(frozen=True, eq=False)
class Process:
    """A versioned process table. `path` is the straight line that most subjects follow, in order."""

    subject: Subject
    version: str
    path: tuple[str, ...]
    states: Mapping[str, StateSpec]
    rows: tuple[Row, ...]

    @cached_property
    def open_states(self) -> tuple[str, ...]:
        """States from which something is still expected."""
        return tuple(name for name, spec in self.states.items() if not spec.final)

    @cached_property
    def triggers(self) -> frozenset[Trigger]:
        """Every trigger that the table knows."""
        return frozenset(row.trigger for row in self.rows)

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """Every state, in the table's order."""
        return tuple(self.states)

    def rows_from(self, state: str, trigger: Trigger) -> tuple[Row, ...]:
        """Rows that start in this state with this trigger, in table order."""
        return self._index.get((state, trigger), ())

    @cached_property
    def _index(self) -> Mapping[tuple[str, Trigger], tuple[Row, ...]]:
        index: dict[tuple[str, Trigger], tuple[Row, ...]] = {}
        for row in self.rows:
            for source in row.sources:
                index[source, row.trigger] = (*index.get((source, row.trigger), ()), row)
        return index

    def allowed(self, state: str, role: Role) -> tuple[Trigger, ...]:
        """Triggers that this role may pull in this state, guards aside, in table order."""
        rows = (row for row in self.rows if state in row.sources and role in row.roles)
        return tuple(dict.fromkeys(row.trigger for row in rows))
