"""The close of each edition whose last day is over: what is still open has lapsed, its figures are frozen as a report.

Safe to run twice or in several processes: an edition is held, looked at again and closed in one transaction.
"""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from actions import closing
from actions.occasion import system
from actions.writing import PARTICIPATION
from core.errors import LostRace
from jobs import deadlines
from jobs.batches import not_set_aside
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop

JOB = "closing"


def has_work(connection: Connection, at: datetime) -> bool:
    """Tell whether an edition is over and not closed: a probe of the editions, then one of each that is over."""
    return any(not _still_lapses(connection, edition.id) for edition in closing.over(connection, at))


def _still_lapses(connection: Connection, edition_id: int) -> bool:
    """Tell whether somebody is still to lapse; whoever was set aside by that job is waited for by nobody."""
    waited_for = closing.lapsing(edition_id).where(not_set_aside(deadlines.JOB, PARTICIPATION.c.id))
    return bool(connection.execute(waited_for.limit(1)).first())


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> Summary:  # noqa: ARG001 - a report is one piece
    """Close what is over, one edition a transaction; one that somebody else closes meanwhile is theirs."""
    summary = Summary(JOB)
    occasion = workshop.occasion(at)
    with workshop.engine.connect().execution_options(read_only=True) as connection:
        found = list(closing.over(connection, at))
    for edition in found:
        try:
            with workshop.engine.begin() as connection:
                if closing.hold(connection, edition.id) and not _still_lapses(connection, edition.id):
                    done = closing.close(connection, edition.code, edition.revision_id, system(), occasion)
                    summary.add(f"{done.code} {done.number}", "closed")
        except (LostRace, IntegrityError):
            summary.add(edition.code, "done_elsewhere")
    return summary
