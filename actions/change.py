"""All that one act writes on one participation, as data: what `states.decide` said, by whom, when, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from actions.occasion import Actor, Occasion
from actions.reading import Seen
from states.deadlines import Ended, Opened
from states.decide import Pulled
from states.names import Effect, Purpose, Subject
from states.snapshot import Snapshot

PURPOSES: Mapping[Subject, Purpose] = {Subject.HANDOFF: Purpose.TRANSFER, Subject.RETURN: Purpose.EVALUATION}


@dataclass(frozen=True, slots=True)
class Change:
    """All that one act writes on one participation."""

    seen: Seen
    after: Snapshot
    actor: Actor
    occasion: Occasion
    pulled: tuple[Pulled, ...]
    effects: tuple[Effect, ...] = ()
    ended: tuple[Ended, ...] = ()
    opened: tuple[Opened, ...] = ()
    reason: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    key: str | None = None
    key_content: str | None = None

    @property
    def seq(self) -> int:
        """Return the sequence number of the act's own journal entry, the first it writes."""
        return int(self.seen.row.journal_seq) + 1
