"""`handoffs`: where each relay between organisations stands, and the acts that move one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.acting import RequestOf, check_key, perform, tell, who
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Key, Reason, Reference, moment, told
from core.clock import wall_now
from core.errors import UsageError
from states.names import Cause, Subject, Trigger

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from actions.apply import Request

Institute = Annotated[str | None, typer.Option("--institute", metavar="CODE", help=told("institute"))]
CauseName = Annotated[str, typer.Option("--cause", metavar="CAUSE", help=told("cause"))]
Text = Annotated[str, typer.Option("--text", metavar="TEXT", help=told("text"))]
To = Annotated[str, typer.Option("--to", metavar="CODE", help=told("to"))]


def handoffs(
    context: typer.Context,
    institute: Institute = None,
    edition: EditionCode = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from actions.rounds import handoffs as rounds

    with reading(settings_of(directory)) as connection:
        found = rounds(connection, edition, institute)
    if as_json:
        console.document({"handoffs": found})
    elif found:
        _tell(found)
    else:
        console.tell("no_handoffs")


def _tell(rounds: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["reference"],
            each["teacher"],
            console.named("purpose", each["purpose"]),
            each["to"] or console.heading("unrouted"),
            console.round_status(each["purpose"], each["status"]),
            ", ".join(_why(code) for code in each["because"]),
            console.when(each["since"]),
            console.when(each["by"]),
        )
        for each in rounds
    ]
    columns = ("reference", "person", "purpose", "institute", "status", "because", "since", "by")
    console.table(console.heading("handoffs"), columns, rows, whole=("reference", "institute", "since", "by"))


def _why(code: str) -> str:
    """Say why a round stands where it does: the cause of a refusal, or what it lacks."""
    return console.named("cause" if code in tuple(Cause) else "missing", code)


def offer(
    reference: Reference,
    by: By,
    to: To,
    reason: Reason = "",
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    def request(connection: "Connection") -> "Request":
        from actions.people import receiver_id

        return _request(Subject.HANDOFF, Trigger.OFFER, reason, key, {"receiver": receiver_id(connection, to)})

    _act(reference, request, by, key, at, as_json, directory)


def decline(
    reference: Reference,
    by: By,
    cause: CauseName = Cause.OTHER.value,
    reason: Reason = "",
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    check_cause(cause)

    def request(_: "Connection") -> "Request":
        return _request(Subject.HANDOFF, Trigger.DECLINE, reason, key, {"cause": cause})

    _act(reference, request, by, key, at, as_json, directory)


def check_cause(cause: str) -> None:
    """Refuse a cause that is none. Raises UsageError (`bad_cause`)."""
    if cause not in tuple(Cause):
        raise UsageError("bad_cause", value=cause, allowed=tuple(Cause))


def plain_act(subject: Subject, trigger: Trigger) -> Callable[..., None]:
    """Return the command of an act that asks for nothing but who, why and when."""

    def command(
        reference: Reference,
        by: By,
        reason: Reason = "",
        key: Key = None,
        at: At = None,
        as_json: AsJson = False,
        directory: Directory = None,
    ) -> None:
        def request(_: "Connection") -> "Request":
            return _request(subject, trigger, reason, key)

        _act(reference, request, by, key, at, as_json, directory)

    return command


def note(
    reference: Reference,
    by: By,
    text: Text = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.facts import record_note
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    role, email = who(by)
    occasion = Occasion(moment(at), wall_now())

    def work(connection: "Connection") -> None:
        record_note(connection, reference.strip(), text, actor(connection, role, email, "cli"), occasion)

    with database(settings_of(directory)) as engine:
        attempt(engine, work)
    if as_json:
        console.document({"reference": reference.strip(), "noted": True})
    else:
        console.tell("noted", reference=reference.strip())


accept = plain_act(Subject.HANDOFF, Trigger.ACCEPT)
hold = plain_act(Subject.HANDOFF, Trigger.HOLD)
complete = plain_act(
    Subject.PARTICIPATION, Trigger.CONFIRM_TRANSFER
)  # a handoff is completed by the participation's act


def _request(
    subject: Subject, trigger: Trigger, reason: str, key: str | None, data: dict[str, object] | None = None
) -> "Request":
    from actions.apply import Request

    return Request(subject, trigger, reason, data or {}, key)


def _act(
    reference: str,
    request: RequestOf,
    by: str,
    key: str | None,
    at: str | None,
    as_json: bool,
    directory: "Path | None",
) -> None:
    check_key(key)
    role, email = who(by)
    occasion_at = moment(at)
    applied = perform(settings_of(directory), reference, request, role, email, occasion_at)
    tell(applied, as_json=as_json)
