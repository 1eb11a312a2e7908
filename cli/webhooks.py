"""`webhooks`: the institutes' receivers, what each was told, and sending it again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.opening import database, reading, settings_of, writing
from cli.options import AsJson, At, Directory, moment, told
from core.clock import iso, wall_now
from core.errors import Refused, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from core.settings import Settings

Number = Annotated[int, typer.Argument(metavar="ID", help=told("webhook"))]
EventKey = Annotated[str | None, typer.Argument(metavar="ID", help=told("event"))]
Whose = Annotated[str, typer.Option("--institute", metavar="CODE", help=told("webhook_institute"))]
OnlyOf = Annotated[str | None, typer.Option("--institute", metavar="CODE", help=told("webhook_institute"))]
Url = Annotated[str, typer.Option("--url", metavar="URL", help=told("webhook_url"))]
Since = Annotated[str | None, typer.Option("--since", metavar="ISO", help=told("since"))]


def add(institute: Whose, url: Url, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions import webhooks as receivers
    from core.hosts import AllowList

    settings = settings_of(directory)
    _key(settings)
    created_at = moment(at)
    with writing(settings) as connection:
        allow = AllowList.parse(settings.webhook_allow)
        number = receivers.add(connection, institute, url.strip(), allow, created_at)
        row = receivers.receiver(connection, number)
    _tell_secret("webhook_added", settings, row, as_json=as_json)


def rotate(number: Number, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions import webhooks as receivers

    settings = settings_of(directory)
    _key(settings)
    moment(at)  # both secrets sign for a day by the machine's clock: the moment asked for only has to be one
    with writing(settings) as connection:
        row = receivers.rotate(connection, number, wall_now())
    _tell_secret("webhook_rotated", settings, row, as_json=as_json)


def _key(settings: "Settings") -> bytes:
    """Return the key that secrets derive from. Raises Refused (`webhook_needs_key`)."""
    key = settings.secret_key.get_secret_value()
    if not key:
        raise Refused("webhook_needs_key")
    return key.encode()


def _tell_secret(code: str, settings: "Settings", row: "Row[Any]", *, as_json: bool) -> None:
    from notifications.webhooks import secret

    shown = secret(_key(settings), row.id, row.url, row.generation)
    if as_json:
        console.document({"id": row.id, "url": row.url, "status": row.status, "secret": shown})
    else:
        console.tell(code, id=row.id, secret=shown)


def show(institute: OnlyOf = None, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.webhooks import receivers

    moment(at)
    with reading(settings_of(directory)) as connection:
        found = [_receiver(row) for row in receivers(connection, institute)]
    if as_json:
        console.document({"webhooks": found})
    elif found:
        _tell_receivers(found)
    else:
        console.tell("no_webhooks")


def _receiver(row: "Row[Any]") -> dict[str, Any]:
    return {
        "id": row.id,
        "institute": row.institute,
        "url": row.url,
        "status": row.status,
        "disabled_because": row.disabled_because,
        "disabled_at": _iso(row.disabled_at),
        "failing_since": _iso(row.failing_since),
        "waiting": row.queued,
        "failed": row.failed,
        "dropped": row.dropped,
        "answer": row.answer,
        "answered_at": _iso(row.answered_at),
    }


def _iso(at: "datetime | None") -> str | None:
    return None if at is None else iso(at)


def _tell_receivers(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["id"],
            each["institute"],
            each["url"],
            _status(each),
            each["waiting"],
            each["failed"],
            _answer(each["answer"]),
        )
        for each in found
    ]
    columns = ("webhook", "institute", "url", "status", "waiting_events", "failed_events", "answer")
    right = ("webhook", "waiting_events", "failed_events")
    console.table(console.heading("webhooks"), columns, rows, right, whole=("institute",))


def _status(each: dict[str, Any]) -> str:
    status = console.named("webhook_status", each["status"])
    if each["disabled_because"]:
        return f"{status} : {console.named('disabled_because', each['disabled_because'])}"
    return f"{status}, {console.heading('failing')}" if each["failing_since"] else status


def _answer(code: str | None) -> str:
    return console.named("answer", code) if code else ""


def deliveries(institute: OnlyOf = None, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.webhooks import deliveries as newest

    moment(at)
    with reading(settings_of(directory)) as connection:
        found = [_event(row) for row in newest(connection, institute)]
    if as_json:
        console.document({"deliveries": found})
    elif found:
        _tell_events(found)
    else:
        console.tell("no_events")


def _event(row: "Row[Any]") -> dict[str, Any]:
    return {
        "id": row.key,
        "webhook": row.webhook_id,
        "institute": row.institute,
        "type": row.type,
        "reference": row.reference,
        "purpose": row.purpose,
        "round": row.round,
        "sequence": row.seq,
        "at": iso(row.at),
        "status": row.status,
        "attempts": row.attempts,
        "next_at": _iso(row.not_before),
        "answer": row.answer,
        "settled_at": _iso(row.settled_at),
    }


def _tell_events(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["id"],
            each["type"],
            each["reference"],
            console.named("event_status", each["status"]),
            _answer(each["answer"]),
        )
        for each in found
    ]
    columns = ("event", "kind", "reference", "status", "answer")
    console.table(console.heading("events"), columns, rows, whole=("event", "kind", "reference"))


def replay(
    key: EventKey = None,
    since: Since = None,
    institute: OnlyOf = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import webhooks as receivers

    moment(at)
    if (key is None) == (since is None) or (since is None) != (institute is None):
        raise UsageError("replay_what")
    with writing(settings_of(directory)) as connection:
        if key is not None:
            count = receivers.replay(connection, key.strip())
        else:
            count = receivers.replay_since(connection, str(institute), moment(since))
    if as_json:
        console.document({"queued": count})
    else:
        console.tell("events_queued", count=count)


def disable(number: Number, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions import webhooks as receivers

    disabled_at = moment(at)
    with writing(settings_of(directory)) as connection:
        receivers.disable(connection, number, receivers.BY_HAND, disabled_at, wall_now())
        _tell_status("webhook_off", connection, number, as_json=as_json)


def enable(number: Number, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions import webhooks as receivers

    moment(at)
    with writing(settings_of(directory)) as connection:
        receivers.enable(connection, number)
        _tell_status("webhook_enabled", connection, number, as_json=as_json)


def _tell_status(code: str, connection: "Connection", number: int, *, as_json: bool) -> None:
    from actions.webhooks import receiver

    if as_json:
        console.document({"id": number, "status": receiver(connection, number).status})
    else:
        console.tell(code, id=number)


def try_out(number: Number, at: At = None, as_json: AsJson = False, directory: Directory = None) -> int:
    settings, sent_at = settings_of(directory), moment(at)
    _key(settings)
    status, answer = _ping(settings, number, sent_at)
    if as_json:
        console.document({"id": number, "status": status, "answer": answer})
    else:
        code = {"accepted": "test_accepted", "queued": "test_waiting"}.get(status, "test_failed")
        console.tell(code, id=number, answer=_answer(answer))
    return failures.DONE if status == "accepted" else failures.REFUSED


def _ping(settings: "Settings", number: int, at: "datetime") -> tuple[str, str | None]:
    """Send an event of its own the way all take, and return what became of it."""
    from actions import webhooks as receivers
    from jobs.webhooks import send_one
    from wiring.workshop import make_workshop

    with database(settings) as engine:
        workshop = make_workshop(settings, engine)
        with workshop.transaction() as connection:
            key = receivers.ping(connection, number, at)
        send_one(workshop, at, key)
        with workshop.transaction() as connection:
            row = receivers.event(connection, key)
    return row.status, row.answer
