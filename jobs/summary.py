"""What a job did, in a form that an operator reads: by reference, never with personal data."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Line:
    """One thing done: about what (a reference, a file, a message id), and what became of it (a stable code)."""

    about: str
    outcome: str


@dataclass
class Summary:
    """Counts by outcome, the first lines, and what was set aside with the kind of its fault."""

    job: str
    counts: Counter[str] = field(default_factory=Counter)
    lines: list[Line] = field(default_factory=list)
    set_aside: list[Line] = field(default_factory=list)
    failed: set[int] = field(default_factory=set)  # participations that failed in this run, which tries each once

    MOST_LINES = 200

    def add(self, about: str, outcome: str) -> None:
        """Count one thing done; only the first lines are kept, every one is counted."""
        self.counts[outcome] += 1
        if len(self.lines) < self.MOST_LINES:
            self.lines.append(Line(about, outcome))

    def fail(self, about: str, error: str) -> None:
        """Count something set aside."""
        self.counts["set_aside"] += 1
        self.set_aside.append(Line(about, error))

    @property
    def handled(self) -> int:
        """How many things were done or set aside."""
        return self.counts.total()
