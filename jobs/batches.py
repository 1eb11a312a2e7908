"""Working through what is due, a few hundred at a time; what fails is set aside and never stops the rest.

A participation that fails is tried again on the next three ticks, then waits for `retry`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from actions.apply import Applied, Outcome
from actions.occasion import Occasion
from actions.writing import PARTICIPATION
from core.errors import ProductError
from jobs.summary import Summary
from jobs.workshop import Workshop
from models import SetAside, table_of

SET_ASIDE = table_of(SetAside)
MOST_TRIES = 3

Outcomes = Iterable[tuple[int, Outcome | str | None]]  # by participation, which may come more than once
Act = Callable[[Connection, Sequence[int], Occasion], Outcomes]


def not_set_aside(job: str, participation_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that a participation does not wait for `retry`."""
    parked = exists().where(
        SET_ASIDE.c.job == job,
        SET_ASIDE.c.participation_id == participation_id,
        SET_ASIDE.c.tries >= MOST_TRIES,
    )
    return ~parked


def in_batches(
    workshop: Workshop, summary: Summary, due: Select[tuple[int]], act: Act, occasion: Occasion, limit: int
) -> None:
    """Act on each id that `due` gives (ordered by id), once, at most `limit` in a transaction.

    `due` selects participation ids from the participation table or one joined to it.
    """
    last = 0
    while True:
        with workshop.engine.begin() as connection:
            fresh = (PARTICIPATION.c.id > last, PARTICIPATION.c.id.not_in(summary.failed))
            query = due.where(*fresh).order_by(PARTICIPATION.c.id).limit(limit)
            ids = connection.execute(query).scalars().all()
            if not ids:
                return
            last = ids[-1]
            settle(connection, summary, act(connection, ids, occasion), occasion)


def settle(connection: Connection, summary: Summary, outcomes: Outcomes, occasion: Occasion) -> None:
    """Note what became of each: done, refused (an answer, not a fault), or set aside with the kind of its fault."""
    known = list(outcomes)
    names = references(connection, (pid for pid, _ in known))
    failed: dict[int, Exception] = {}
    for pid, outcome in known:
        if isinstance(outcome, Exception) and not isinstance(outcome, ProductError):
            failed[pid] = outcome
            summary.fail(names[pid], type(outcome).__name__)
        elif outcome is not None:
            summary.add(names[pid], _code(outcome))
    _keep(connection, summary.job, set(names), failed, occasion)
    summary.failed.update(failed)


def _code(outcome: Outcome | str) -> str:
    if isinstance(outcome, Applied):
        return f"{outcome.subject}:{outcome.after}"
    return f"refused:{outcome.code}" if isinstance(outcome, ProductError) else str(outcome)


def references(connection: Connection, ids: Iterable[int]) -> dict[int, str]:
    """Return the references of participations by id."""
    rows = connection.execute(
        select(PARTICIPATION.c.id, PARTICIPATION.c.reference).where(PARTICIPATION.c.id.in_(list(ids)))
    )
    return {row.id: row.reference for row in rows}


def _keep(
    connection: Connection, job: str, handled: set[int], failed: Mapping[int, Exception], occasion: Occasion
) -> None:
    """Keep the books of what is set aside: a failure counts a try, a success takes it off."""
    tried = select(SET_ASIDE.c.participation_id, SET_ASIDE.c.tries).where(
        SET_ASIDE.c.job == job, SET_ASIDE.c.participation_id.in_(handled)
    )
    known = {row.participation_id: row.tries for row in connection.execute(tried)}
    mended = set(known) - set(failed)
    if mended:
        connection.execute(delete(SET_ASIDE).where(SET_ASIDE.c.job == job, SET_ASIDE.c.participation_id.in_(mended)))
    for pid, fault in failed.items():
        error = type(fault).__name__
        if pid not in known and _first_time(connection, job, pid, error, occasion):
            continue
        same = (SET_ASIDE.c.job == job, SET_ASIDE.c.participation_id == pid)
        values = {"tries": SET_ASIDE.c.tries + 1, "error": error, "last_at": occasion.at}
        connection.execute(update(SET_ASIDE).where(*same).values(values))


def _first_time(connection: Connection, job: str, pid: int, error: str, occasion: Occasion) -> bool:
    """Note a first failure; False when another process noted one meanwhile."""
    values = {"job": job, "participation_id": pid, "error": error, "tries": 1}
    try:
        with connection.begin_nested():
            connection.execute(insert(SET_ASIDE), {**values, "first_at": occasion.at, "last_at": occasion.at})
    except IntegrityError:
        return False
    return True
