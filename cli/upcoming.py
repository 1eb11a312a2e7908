"""`upcoming`: what will be sent, escalated or ended by itself in the next days."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli import console
from cli.opening import database, settings_of
from cli.options import AsJson, At, Directory, moment, told
from cli.show import stood_in, why
from core.errors import UsageError

Days = Annotated[int, typer.Option("--days", metavar="N", help=told("days_ahead"))]
_DAYS = 7


def upcoming(days: Days = _DAYS, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from simulation.foresight import MOST_DAYS, foresee
    from wiring.workshop import make_workshop

    if not 0 <= days <= MOST_DAYS:
        raise UsageError("bad_days", value=days, most=MOST_DAYS)
    settings = settings_of(directory)
    with database(settings) as engine:
        found = foresee(make_workshop(settings, engine), moment(at), days)
    if as_json:
        console.document(found)
    else:
        _tell(found)


def _tell(found: Mapping[str, Any]) -> None:
    if not found["messages"] and not found["expiries"] and not found["overtaken"]:
        console.tell("nothing_upcoming", until=console.when(found["until"]))
        return
    console.tell("upcoming_until", until=console.when(found["until"]))
    messages = [
        (
            console.when(each["at"]),
            console.named("kind", each["kind"]),
            stood_in(each["to"], each["stands_in"]),
            console.some(each["references"]),
            ", ".join(why(subject, rule) for subject, rule in each["about"]),
        )
        for each in found["messages"]
    ]
    _table("messages", ("at", "message", "recipient", "reference", "rule"), messages)
    for heading in ("expiries", "overtaken"):
        together: dict[tuple[str, str, str], list[str]] = {}
        for each in found[heading]:
            rule = why(each["subject"], f"{each['rule']}:{each['step']}")
            together.setdefault((each["at"], each["does"], rule), []).append(each["reference"])
        rows = [
            (console.when(at), console.named("step_action", does), console.some(references), rule)
            for (at, does, rule), references in together.items()
        ]
        _table(heading, ("at", "act", "reference", "rule"), rows)


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        console.table(console.heading(heading), columns, rows, whole=("at",))
