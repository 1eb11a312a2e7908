"""One flow a job. A run is short, takes the moment as a parameter, and ends with a table of what it did.

`run_name` and the table hold references and codes only: Prefect's database is not a place for personal data. Nothing
that must be kept lives in a flow run: one that is lost, late or doubled changes latency, never correctness.
"""

from dataclasses import replace
from datetime import datetime

from anyio import to_thread
from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run

from core.clock import BRUSSELS, iso, wall_now
from flows.surroundings import current_workshop
from flows.tables import show_institutes
from jobs import deadlines as deadlines_job
from jobs import delivery as delivery_job
from jobs import handoffs as handoffs_job
from jobs import intake as intake_job
from jobs import progress as progress_job
from jobs import webhooks as webhooks_job
from jobs.summary import Summary
from jobs.tick import JOBS, ORDER, has_work
from jobs.workshop import MOST_AT_ONCE


def _run_name() -> str:
    """Name a run by its flow and the moment of the programme that it is about: `deadlines 2019-03-14 08:00`."""
    at = flow_run.get_parameters().get("at")
    moment = at if isinstance(at, datetime) else wall_now()
    return f"{flow_run.get_flow_name()} {moment.astimezone(BRUSSELS):%Y-%m-%d %H:%M}"


async def _run(job: str, at: datetime | None, limit: int) -> Summary:
    """Run a job in this flow run: off the event loop, its entries marked with the run's id."""
    workshop = replace(current_workshop(), flow_run_id=flow_run.get_id())
    moment = at or wall_now()
    summary = await to_thread.run_sync(JOBS[job], workshop, moment, limit)
    await _show(job, moment, [summary])
    return summary


async def _show(key: str, at: datetime, summaries: list[Summary]) -> None:
    """Leave the run's table: what was done about what, then what was set aside and why."""
    rows = [
        {"job": summary.job, "about": line.about, "outcome": line.outcome}
        for summary in summaries
        for line in (*summary.lines, *summary.set_aside)
    ]
    counts = ", ".join(f"{s.job}: {n} {outcome}" for s in summaries for outcome, n in sorted(s.counts.items()))
    if rows:
        await acreate_table_artifact(table=rows, key=key, description=f"{iso(at)}: {counts}")


@flow(
    name="intake",
    flow_run_name=_run_name,
    description="Imports the files that wait in the inbox.",
    persist_result=False,
)
async def intake(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Import the files that wait in the inbox; `at` is the moment of the programme (default: now)."""
    return await _run(intake_job.JOB, at, limit)


@flow(
    name="progress",
    flow_run_name=_run_name,
    description="Does what recorded facts justify.",
    persist_result=False,
)
async def progress(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Do what recorded facts justify, and give places; `at` is the moment of the programme (default: now)."""
    return await _run(progress_job.JOB, at, limit)


@flow(
    name="handoffs",
    flow_run_name=_run_name,
    description="Offers handoffs to the institutes.",
    persist_result=False,
)
async def handoffs(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Offer immersed participations to the institutes; `at` is the moment of the programme (default: now)."""
    summary = await _run(handoffs_job.JOB, at, limit)
    if summary.handled:
        await show_institutes(current_workshop().engine, at or wall_now())
    return summary


@flow(name="deadlines", flow_run_name=_run_name, description="Reminds, escalates, expires.", persist_result=False)
async def deadlines(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Fire the deadlines that are due; `at` is the moment of the programme (default: now)."""
    return await _run(deadlines_job.JOB, at, limit)


@flow(name="delivery", flow_run_name=_run_name, description="Sends what waits in the outbox.", persist_result=False)
async def delivery(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Send what waits in the outbox; `at` is the moment of the programme (default: now)."""
    return await _run(delivery_job.JOB, at, limit)


@flow(
    name="webhooks",
    flow_run_name=_run_name,
    description="Tells the receivers that institutes named.",
    persist_result=False,
)
async def webhooks(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> Summary:
    """Send the events that wait to the institutes' receivers; `at` is the moment of the programme (default: now)."""
    return await _run(webhooks_job.JOB, at, limit)


FLOWS = {
    flow.name: flow for flow in (intake, progress, handoffs, deadlines, delivery, webhooks)
}  # closing, the seal and the sweep have none: a moment's work, once a day at most


@flow(name="tick", flow_run_name=_run_name, description="Runs all that is due at a moment.", persist_result=False)
async def tick(at: datetime | None = None, limit: int = MOST_AT_ONCE) -> list[Summary]:
    """Run all that is due at a moment of the programme (default: now); a job without work has no flow run."""
    moment = at or wall_now()
    workshop = replace(current_workshop(), flow_run_id=flow_run.get_id())
    summaries = []
    for job in ORDER:
        if await to_thread.run_sync(has_work, workshop, job, moment):
            run = FLOWS.get(job)
            work = JOBS[job]
            summaries.append(await (run(moment, limit) if run else to_thread.run_sync(work, workshop, moment, limit)))
    return summaries
