"""What a benchmark found, and the table that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measured:
    """One line: ours beside the yardstick. `ratio` must be at least `bound`, or at most if `at_most`."""

    what: str
    ours: str
    yardstick: str
    ratio: float
    bound: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the ratio is what is required."""
        return self.ratio <= self.bound if self.at_most else self.ratio >= self.bound


@dataclass(frozen=True, slots=True)
class Skipped:
    """What could not be measured, and why."""

    what: str
    why: str


Line = Measured | Skipped

_HEADINGS = ("", "ours", "yardstick", "ratio", "required", "")


def table(title: str, lines: Sequence[Line]) -> str:
    """Return the lines side by side; what was skipped stands below."""
    rows = [_HEADINGS, *(_cells(line) for line in lines if isinstance(line, Measured))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    shown = [_aligned(row, widths) for row in rows] if len(rows) > 1 else []
    skipped = [f"{line.what}: skipped, {line.why}" for line in lines if isinstance(line, Skipped)]
    return "\n".join([title, *(f"  {text}" for text in (*shown, *skipped))])


def _cells(line: Measured) -> tuple[str, ...]:
    bound = f"{'at most' if line.at_most else 'at least'} {line.bound:.2f}"
    return line.what, line.ours, line.yardstick, f"{line.ratio:.2f}", bound, "ok" if line.met else "MISSED"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if not n else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "   ".join([first, *others]).rstrip()
