"""Who acts, and when: what every action is told besides what to do."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from states.names import Role


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody in one role: the party (None for the system) and the organisations for which it holds that role.

    `via` says how the act reached us: cli, flow, link, token, session, paper.
    """

    role: Role
    party_id: int | None
    organisations: frozenset[int]
    via: str


def system(via: str = "flow") -> Actor:
    """Return the system as an actor."""
    return Actor(Role.SYSTEM, None, frozenset(), via)


_SAME_OCCASION = timedelta(days=1)


def _salt() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Occasion:
    """The moment of an act: `at` is claimed (programme), `recorded_at` is when it is written; both aware.

    `salt` makes the salts of free texts; the simulation gives a seeded one so that a demo can be repeated.
    """

    at: datetime
    recorded_at: datetime
    flow_run_id: str | None = None
    salt: Callable[[], str] = field(default=_salt)

    @property
    def backdated(self) -> bool:
        """Tell whether the act is said to be more than a day older than its recording: the journal marks it."""
        return self.recorded_at - self.at > _SAME_OCCASION
