"""Bringing races about, and taking away what decides them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import bindparam
from sqlalchemy.exc import OperationalError

from actions import apply as applying
from actions import reading, writing
from actions.apply import Applied, Request
from actions.change import Change
from actions.occasion import Occasion
from actions.writing import write
from core.errors import LostRace
from states.names import Role
from tests.support import worlds
from tests.support.worlds import World
from wiring.database import make_engine


def at_once(number: int, work: Callable[[int], Any]) -> list[Any]:
    """Do the same work in so many threads; a failure is its result."""

    def caught(each: int) -> Any:
        try:
            return work(each)
        except Exception as fault:  # noqa: BLE001 - whatever the thread met is told to the test
            return fault

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(caught, range(number)))


def decided(world: World, role: Role, asked: Request, when: datetime, reference: str = worlds.AMELIE) -> Change:
    """Read and decide in a transaction that ends before anything is written."""
    with world.engine.begin() as connection:
        who = worlds.own(connection, role, reference)
        stands = reading.read(connection, reference, who)
        return applying.decided(stands, asked, who, Occasion(when, when, salt=lambda: "salt"))


def written(world: World, change: Change) -> Applied:
    """Write what was decided earlier. Raises LostRace."""
    with world.engine.begin() as connection:
        write(connection, [change])
    return applying.applied(change)


def meanwhile(world: World, work: Callable[[World], object]) -> bool:
    """Do something while another transaction of this thread is open; False when that one's locks did not let it.

    PostgreSQL only: SQLite has one writer at a time.
    """
    impatient = make_engine(
        world.engine.url.update_query_dict({"options": "-c lock_timeout=200"}).render_as_string(hide_password=False)
    )
    try:
        work(world.another("the other", engine=impatient))
    except (OperationalError, LostRace):
        return False
    finally:
        impatient.dispose()
    return True


# ---------------------------------------------------------------------------------------------------------- guards away
def blindly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the compare out of the compare-and-set: the row is written whatever its version."""
    naked = writing._SET_PARTICIPATION._clone()
    naked._where_criteria = (writing.PARTICIPATION.c.id == bindparam("b_id"),)
    monkeypatch.setattr(writing, "_SET_PARTICIPATION", naked)


def without_bump(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the version as it was, whatever changes: the next writer cannot tell."""
    row = writing._participation_row

    def unbumped(change: Change, head: str) -> dict[str, Any]:
        return {**row(change, head), "v_version": change.seen.row.version}

    monkeypatch.setattr(writing, "_participation_row", unbumped)


def without_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not compare the handoff's own status either."""
    naked = writing._SET_HANDOFF._clone()
    naked._where_criteria = naked._where_criteria[:-1]
    monkeypatch.setattr(writing, "_SET_HANDOFF", naked)


def without_keys(world: World) -> None:
    """Take away the unique keys of what an act inserts, which stand behind the version."""
    for table in ("journal", "deadline", "notification", "packet"):
        world.change(f"CREATE TABLE naked AS SELECT * FROM {table}")
        world.change(f"DROP TABLE {table}")
        world.change(f"ALTER TABLE naked RENAME TO {table}")
