"""`handoffs batches`, `accept-all`, `decline-all`, `export`: what an institute was offered on one day, together."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.acting import who
from cli.handoffs import CauseName, check_cause
from cli.opening import reading, settings_of, writing
from cli.options import AsJson, At, By, Directory, Reason, local_day, moment, told
from core.clock import BRUSSELS, wall_now
from core.errors import ProductError, UsageError
from states.names import Cause, Trigger

if TYPE_CHECKING:
    from actions.apply import Outcome

OfInstitute = Annotated[str, typer.Option("--institute", metavar="CODE", help=told("of_institute"))]
Day = Annotated[str | None, typer.Option("--day", metavar="DATE", help=told("batch_day"))]
Output = Annotated[Path, typer.Option("--output", metavar="FILE", help=told("output"))]


def listing(institute: OfInstitute, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.batches import batches
    from actions.people import receiver_id

    with reading(settings_of(directory)) as connection:
        found = batches(connection, receiver_id(connection, institute))
    if as_json:
        console.document({"batches": found})
        return
    if not found:
        console.tell("no_batches")
        return
    rows = [
        (console.when(each["day"]), console.named("handoff_status", status), n)
        for each in found
        for status, n in each["handoffs"].items()
    ]
    console.table(console.heading("batches"), ("offered_on", "status", "count"), rows, ("count",), ("offered_on",))


def accept_all(
    institute: OfInstitute,
    by: By,
    day: Day = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    return _answer(institute, by, day, at, Trigger.ACCEPT, "", "", as_json, directory)


def decline_all(
    institute: OfInstitute,
    by: By,
    day: Day = None,
    cause: CauseName = Cause.OTHER.value,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> int:
    check_cause(cause)
    return _answer(institute, by, day, at, Trigger.DECLINE, cause, reason, as_json, directory)


def _answer(
    institute: str,
    by: str,
    day: str | None,
    at: str | None,
    trigger: Trigger,
    cause: str,
    reason: str,
    as_json: bool,
    directory: Path | None,
) -> int:
    from actions.batches import answer, answer_all
    from actions.occasion import Occasion
    from actions.people import actor, receiver_id

    role, email = who(by)
    when = moment(at)
    offered_on = when.astimezone(BRUSSELS).date() if day is None else local_day(day)
    with writing(settings_of(directory)) as connection:
        occasion = Occasion(when, wall_now())
        acting = actor(connection, role, email, "cli")
        receiver = receiver_id(connection, institute)
        outcomes = answer_all(connection, receiver, offered_on, answer(trigger, cause, reason), acting, occasion)
    _tell(outcomes, as_json=as_json)
    refused = any(isinstance(outcome, Exception) for outcome in outcomes.values())
    return failures.REFUSED if refused else failures.DONE


def _tell(outcomes: Mapping[str, "Outcome"], *, as_json: bool) -> None:
    answered = {reference: _said(outcome) for reference, outcome in outcomes.items()}
    if as_json:
        console.document({"handoffs": [{"reference": reference, **said} for reference, said in answered.items()]})
        return
    if not answered:
        console.tell("nothing_to_answer")
        return
    rows = [
        (reference, said["refused"]["reason"] if "refused" in said else console.named("handoff_status", said["to"]))
        for reference, said in answered.items()
    ]
    console.table(console.heading("handoffs"), ("reference", "status"), rows, whole=("reference",))


def _said(outcome: "Outcome") -> dict[str, Any]:
    from core import faults
    from notifications.refusals import refusal

    if isinstance(outcome, Exception):
        error: ProductError = faults.known(outcome)
        return refusal(error)
    return {"to": str(outcome.after), "seq": outcome.seq}


def export(
    institute: OfInstitute,
    output: Output,
    day: Day = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.batches import packets
    from actions.exports import FORMATS, sheet
    from actions.people import receiver_id

    offered_on = moment(at).astimezone(BRUSSELS).date() if day is None else local_day(day)
    extension = output.suffix.lower().lstrip(".")
    if extension not in FORMATS:
        raise UsageError("bad_export", name=str(output), allowed=tuple(FORMATS))
    with reading(settings_of(directory)) as connection:
        found = packets(connection, receiver_id(connection, institute), offered_on)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(sheet(found, extension))
    if as_json:
        console.document({"file": str(output), "handoffs": len(found)})
    else:
        console.tell("exported", count=len(found), file=output)
