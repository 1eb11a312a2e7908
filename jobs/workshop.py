"""What a job is given: where things are, and the two clocks' wall."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from actions.occasion import Occasion
from core.clock import Clock
from notifications.courier import Post
from notifications.gateways import Gateway, Mailbox

if TYPE_CHECKING:
    from jobs.scribe import Scribe

MOST_AT_ONCE = 500


def _by_the_book() -> "Scribe":
    from jobs.scribe import ByTheBook  # noqa: PLC0415 - templates, tables and PDF: two seconds that few need

    return ByTheBook()


@dataclass(frozen=True)
class Workshop:
    """The resources of a job; `wiring` builds it.

    `recorded` says when something is written down: the machine's clock, except in a simulation, where the programme's
    moment stands for both. `holder` names this process in leases; `seal_key`, which seals and signs, never stands in
    the database. `post` sends a webhook, `public_url` is how its receiver reaches us. `scribe` gives who writes mails.
    """

    engine: Engine
    gateway: Gateway
    sender: Mailbox
    inbox: Path
    seals: Path
    documents: Path
    seal_key: bytes
    wall: Clock
    recorded: Callable[[datetime], datetime]
    salt: Callable[[], str]
    holder: str
    post: Post
    public_url: str
    flow_run_id: str | None = None
    scribe: Callable[[], "Scribe"] = _by_the_book

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction and commit it at the end: for those above the jobs, which never commit themselves."""
        with self.engine.begin() as connection:
            yield connection

    def occasion(self, at: datetime) -> Occasion:
        """Return the moment of what a job does now."""
        return Occasion(at, self.recorded(at), self.flow_run_id, self.salt)
