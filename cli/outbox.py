"""`outbox`: what waits to leave, what left, and what did not."""

from typing import Annotated, Any

import typer

from cli import console
from cli.opening import reading, settings_of, writing
from cli.options import AsJson, Directory, told

MessageId = Annotated[str, typer.Argument(metavar="ID", help=told("message"))]


def outbox(context: typer.Context, as_json: AsJson = False, directory: Directory = None) -> None:
    if context.invoked_subcommand is not None:
        return
    from actions.outbox import outbox as messages

    with reading(settings_of(directory)) as connection:
        found = messages(connection)
    if as_json:
        console.document(found)
    else:
        _tell(found)


def _tell(found: dict[str, Any]) -> None:
    if not found["messages"]:
        console.tell("no_messages")
        return
    rows: list[tuple[str, int]] = [(console.named("message_status", code), n) for code, n in found["messages"].items()]
    rows.append((console.heading("total"), sum(found["messages"].values())))
    console.table(console.heading("messages"), ("status", "count"), rows, ("count",))
    troubles = [
        (
            each["id"],
            console.when(each["settled_at"] or each["at"]),
            console.named("message_status", each["status"]),
            console.named("kind", each["kind"]),
            ", ".join(each["references"]),
            each["error"],
        )
        for each in found["in_trouble"]
    ]
    if troubles:
        columns = ("message", "at", "status", "kind", "reference", "error")
        console.table(console.heading("messages_in_trouble"), columns, troubles, whole=("message",))


def retry(message_id: MessageId, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.retrying import send_again

    with writing(settings_of(directory)) as connection:
        send_again(connection, message_id.strip())
    if as_json:
        console.document({"id": message_id.strip(), "status": "queued"})
    else:
        console.tell("message_queued", id=message_id.strip())
