"""`extend`: more time for somebody, granted by IFC with a reason."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import console
from cli.acting import check_key, who
from cli.opening import database, settings_of
from cli.options import AsJson, At, By, Directory, Key, Reason, Reference, moment, told
from core.clock import iso, wall_now
from states.tables import HANDOFF, PARTICIPATION_PROCESSES, RETURN

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actions.extending import Extended

RuleName = Annotated[str, typer.Argument(metavar="RULE", help=told("rule"))]
Days = Annotated[int, typer.Option("--days", metavar="N", help=told("extension_days"))]


def extend(
    reference: Reference,
    rule: RuleName,
    days: Days,
    by: By,
    reason: Reason = "",
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import extending
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    check_key(key)
    role, email = who(by)
    occasion_at = moment(at)

    def work(connection: "Connection") -> "Extended":
        occasion = Occasion(occasion_at, wall_now())
        asked = extending.Extension(_code(rule.strip()), days, reason, key)
        return extending.extend(connection, reference.strip(), asked, actor(connection, role, email, "cli"), occasion)

    with database(settings_of(directory)) as engine:
        done = attempt(engine, work)
    if as_json:
        console.document(_document(done))
    else:
        _tell(done)


def _code(rule: str) -> str:
    """Return the code of a rule, which may be given by the name that screens show, as « accord »."""
    tables = (*PARTICIPATION_PROCESSES.values(), HANDOFF, RETURN)
    codes = {code for table in tables for spec in table.states.values() for code in spec.rules}
    names = {console.named("rule", code).casefold(): code for code in sorted(codes)}
    return rule if rule in codes else names.get(rule.casefold(), rule)


def _document(done: "Extended") -> dict[str, object]:
    return {
        "reference": done.done.reference,
        "subject": str(done.done.subject),
        "rule": done.rule,
        "extension": done.extension,
        "seq": done.done.seq,
        "repeated": done.done.repeated,
        "steps": [{"do": str(do), "due_at": iso(due_at)} for do, due_at in done.steps],
    }


def _tell(done: "Extended") -> None:
    code = "extended_already" if done.done.repeated else "extended"
    console.tell(code, reference=done.done.reference, rule=done.rule, days=done.extension)
    rows = [(console.when(iso(due_at)), console.named("step_action", do)) for do, due_at in done.steps]
    if rows:
        console.table(console.heading("to_come"), ("at", "act"), rows, whole=("at",))
