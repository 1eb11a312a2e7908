"""`tick`: all that is due, once and now."""

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.opening import database, settings_of
from cli.options import AsJson, At, Directory, moment, told
from core.clock import iso
from notifications.words import say
from states.names import DeadlineStatus, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from core.settings import Settings
    from jobs.summary import Summary

NoPrefect = Annotated[bool, typer.Option("--no-prefect", help=told("no_prefect"))]


def tick(at: At = None, no_prefect: NoPrefect = False, as_json: AsJson = False, directory: Directory = None) -> int:
    occasion_at = moment(at)
    settings = settings_of(directory)
    if not settings.secret_key.get_secret_value():
        console.note(say("no_secret_key"))
    with redirect_stdout(sys.stderr):  # Prefect's own talk must not get into our answer
        summaries = _run(settings, occasion_at, alone=no_prefect)
    found = _document(summaries, occasion_at)
    if as_json:
        console.document(found)
    else:
        _tell(found)
    aside = sum(len(summary.set_aside) for summary in summaries)
    if aside:
        console.note(say("some_set_aside", count=aside))
    return failures.REFUSED if aside else failures.DONE


def _run(settings: "Settings", at: "datetime", *, alone: bool) -> "Sequence[Summary]":
    from wiring.workshop import make_workshop

    with database(settings) as engine:
        with engine.connect():
            pass  # a database out of reach is told before a server is started for it
        workshop = make_workshop(settings, engine)
        if alone:
            from jobs.tick import run

            return run(workshop, at)
        from ops.ticking import tick_once

        return tick_once(workshop, at, settings.var / "prefect")


def _document(summaries: "Sequence[Summary]", at: "datetime") -> dict[str, Any]:
    return {
        "at": iso(at),
        "jobs": [
            {
                "job": summary.job,
                "counts": dict(summary.counts),
                "set_aside": [{"about": line.about, "error": line.outcome} for line in summary.set_aside],
            }
            for summary in summaries
        ],
    }


def _tell(found: dict[str, Any]) -> None:
    rows = [
        (console.named("job", each["job"]), _outcome(each["job"], code), n)
        for each in found["jobs"]
        for code, n in each["counts"].items()
        if n
    ]
    if not rows:
        console.tell("nothing_due", at=console.when(found["at"]))
        return
    console.table("", ("job", "outcome", "count"), rows, ("count",))
    for each in found["jobs"]:
        for line in each["set_aside"]:
            console.line(f"{line['about']}: {line['error']}")


def _outcome(job: str, code: str) -> str:
    """Return what a job did, in words: `placement:confirmed`, `approval:remind`, `refused:no_place`, `accepted`."""
    about, _, what = code.partition(":")
    if about in set(Subject):
        return f"{console.named('subject', about)} : {console.state_name(about, what)}"
    if about == "refused" and what:
        return f"{console.named('outcome', about)} : {what}"
    if what:
        group = "deadline_status" if what == DeadlineStatus.MISSED else "step_action"
        return f"{console.named('rule', about)} : {console.named(group, what)}"
    own = console.named(_STATUSES[job], code) if job in _STATUSES else code
    return console.named("outcome", code) if own == code else own


_STATUSES = {"delivery": "message_status", "webhooks": "event_status"}
