"""`init --apply`: another ladder for a running edition; `migrate`: another process. Both are shown, then confirmed."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.acting import who
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Reason, moment, told
from core.clock import wall_now
from core.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from actions.replanning import Plan
    from core.settings import Settings
    from states.edition import EditionFile

Confirm = Annotated[int | None, typer.Option("--confirm", metavar="N", help=told("confirm_steps"))]
Mapped = Annotated[list[str] | None, typer.Option("--map", metavar="STATE=STATE", help=told("map"))]
_SHOWN = 10


def apply(
    settings: "Settings", file: "EditionFile", by: str, reason: str, confirm: int | None, at: "datetime"
) -> "Plan":
    """Return what a file would do to its running edition; do it once the count that was shown is confirmed."""
    from actions.occasion import Occasion
    from actions.people import actor
    from actions.replanning import preview, replan
    from jobs.attempts import attempt

    occasion = Occasion(at, wall_now())
    if confirm is None:
        with reading(settings) as connection:
            return preview(connection, file, occasion)
    role, email = who(by)

    def work(connection: "Connection") -> "Plan":
        return replan(connection, file, confirm, reason, actor(connection, role, email, "cli"), occasion)

    with database(settings) as engine:
        return attempt(engine, work)


def migrate(
    by: By = "",
    edition: EditionCode = None,
    mapped: Mapped = None,
    reason: Reason = "",
    confirm: Confirm = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import replanning
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    mapping = _mapping(mapped or [])
    settings, occasion = settings_of(directory), Occasion(moment(at), wall_now())
    if confirm is None:
        with reading(settings) as connection:
            plan = replanning.preview_migration(connection, edition, mapping, occasion)
    else:
        role, email = who(by)

        def work(connection: "Connection") -> "Plan":
            acting = actor(connection, role, email, "cli")
            return replanning.migrate(connection, edition, mapping, confirm, reason, acting, occasion)

        with database(settings) as engine:
            plan = attempt(engine, work)
    if as_json:
        console.document(document(plan, done=confirm is not None))
    else:
        tell(plan, "migrated" if confirm is not None else "migrate_confirm")


def _mapping(given: list[str]) -> Mapping[str, str]:
    """Read STATE=STATE. Raises UsageError (`bad_mapping`)."""
    pairs = [each.partition("=") for each in given]
    if bad := [f"{there}{equals}{here}" for there, equals, here in pairs if not (there.strip() and here.strip())]:
        raise UsageError("bad_mapping", value=bad[0])
    return {there.strip(): here.strip() for there, _, here in pairs}


def document(plan: "Plan", *, done: bool) -> dict[str, Any]:
    """Return a plan as data."""
    return {
        "edition": plan.edition,
        "revision": plan.number,
        "applied": done,
        "changes": list(plan.changes),
        "people": plan.people,
        "count": plan.count,
        "rules": [
            {
                "subject": str(each.key.subject),
                "state": str(each.key.state),
                "rule": each.key.rule,
                "moved": each.moved,
                "added": each.added,
                "dropped": each.dropped,
            }
            for each in plan.rules
        ],
        "ending_at_once": list(plan.ending),
        "other_definition": plan.kept,
    }


def tell(plan: "Plan", last: str, file: Path | None = None) -> None:
    """Say what changes, what that moves, and how it is confirmed (or that it is done)."""
    for change in plan.changes:
        console.line(f"  {change}")
    rows = [
        (
            console.named("subject", each.key.subject),
            console.state_name(each.key.subject, each.key.state),
            console.named("rule", each.key.rule),
            *(each.moved, each.added, each.dropped),
        )
        for each in plan.rules
    ]
    numbers = ("steps_moved", "steps_added", "steps_dropped")
    if rows:
        console.table(console.heading("steps_changing"), ("subject", "state", "rule", *numbers), rows, numbers)
    if plan.ending:
        some = ", ".join(plan.ending[:_SHOWN]) + (f" (+{len(plan.ending) - _SHOWN})" if plan.ending[_SHOWN:] else "")
        console.tell("ending_at_once", count=len(plan.ending), references=some)
    if plan.kept:
        console.tell("other_definition", count=plan.kept)
    params = {"people": plan.people, "count": plan.count, "edition": plan.edition, "number": plan.number}
    console.tell(last, file=file, **params)
