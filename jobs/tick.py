"""Everything that is due at a moment, in one pass: what the clock calls."""

from collections.abc import Callable, Mapping
from datetime import datetime

from jobs import closing, deadlines, delivery, handoffs, intake, progress, seals, sweeping, webhooks
from jobs.summary import Summary
from jobs.workshop import MOST_AT_ONCE, Workshop

Run = Callable[[Workshop, datetime, int], Summary]

JOBS: Mapping[str, Run] = {
    intake.JOB: intake.run,
    progress.JOB: progress.run,
    handoffs.JOB: handoffs.run,
    deadlines.JOB: deadlines.run,
    delivery.JOB: delivery.run,
    webhooks.JOB: webhooks.run,
    closing.JOB: closing.run,
    seals.JOB: seals.run,
    sweeping.JOB: sweeping.run,
}

# What came in, what it justifies, what that hands over, what is late, what that gives back, what is said to people and,
# since a receiver may be slow, after them to machines; the edition that ends with it; the seal; what nobody names any
# more.
ORDER = (
    *(intake.JOB, progress.JOB, handoffs.JOB, deadlines.JOB, handoffs.JOB, delivery.JOB, webhooks.JOB),
    *(closing.JOB, seals.JOB, sweeping.JOB),
)
_NEED_THE_KEY = (webhooks.JOB, seals.JOB)  # a seal or a signature that anybody could make proves nothing


def has_work(workshop: Workshop, job: str, at: datetime) -> bool:
    """Tell whether a job has anything to do at this moment: a few indexed probes, however many participations."""
    if job == intake.JOB:
        return intake.has_work(workshop.inbox)
    if job in _NEED_THE_KEY and not workshop.seal_key:
        return False
    with workshop.engine.connect().execution_options(read_only=True) as connection:
        if job == delivery.JOB:
            return delivery.has_work(connection, at, workshop.wall())
        if job in _BY_THE_WALL:
            return _BY_THE_WALL[job](connection, workshop.wall())
        return _PROBES[job](connection, at)


_BY_THE_WALL = {
    webhooks.JOB: webhooks.has_work,
    sweeping.JOB: sweeping.has_work,
}
_PROBES = {
    progress.JOB: progress.has_work,
    handoffs.JOB: handoffs.has_work,
    deadlines.JOB: deadlines.has_work,
    closing.JOB: closing.has_work,
    seals.JOB: seals.has_work,
}


def run(workshop: Workshop, at: datetime, limit: int = MOST_AT_ONCE) -> list[Summary]:
    """Run each job that has work, in order; each is asked when its turn comes: one makes work for the next."""
    return [JOBS[name](workshop, at, limit) for name in ORDER if has_work(workshop, name, at)]
