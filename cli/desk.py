"""`desk`: what a person must see to, by age, with whom to call; taking an item, postponing it, closing it."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.acting import check_key, who
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, Key, Reason, local_day, moment, told
from core.clock import iso, wall_now
from core.errors import UsageError
from states.names import DESK_ROLES, Role

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from actions.apply import Applied
    from actions.occasion import Actor, Occasion

Told = Mapping[str, Any]
Work = Callable[["Connection", "Actor", "Occasion"], "Applied"]

Item = Annotated[int, typer.Argument(metavar="ITEM", help=told("item"))]
RoleName = Annotated[str | None, typer.Option("--role", metavar="ROLE", help=told("desk_role"))]
Organisation = Annotated[str | None, typer.Option("--organisation", metavar="CODE", help=told("desk_organisation"))]
Everything = Annotated[bool, typer.Option("--all", help=told("desk_all"))]
Edition = Annotated[str | None, typer.Option("--edition", metavar="CODE", help=told("desk_edition"))]
Until = Annotated[str, typer.Option("--until", metavar="DAY", help=told("until"))]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help=told("desk_note"))]


# ------------------------------------------------------------------------------------------------------------- looking
def desk(
    context: typer.Context,
    role: RoleName = None,
    organisation: Organisation = None,
    everything: Everything = False,
    edition: Edition = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from actions.desk import listing

    asked, occasion_at = _role(role), moment(at)
    with reading(settings_of(directory)) as connection:
        found = listing(connection, occasion_at, asked, organisation, edition, everything=everything)
    if as_json:
        console.document({"at": iso(occasion_at), **found})
    else:
        _tell(found)


def _role(name: str | None) -> Role | None:
    """Read a role that has a desk. Raises UsageError (`bad_desk_role`)."""
    if name is None:
        return None
    known = {str(role): role for role in DESK_ROLES}
    if name.strip().lower() not in known:
        raise UsageError("bad_desk_role", value=name, allowed=tuple(known))
    return known[name.strip().lower()]


def _tell(found: Mapping[str, Sequence[Told]]) -> None:
    if not any(found.values()):
        console.tell("empty_desk")
    for pile, items in found.items():
        desks: dict[tuple[str, str], list[Told]] = {}
        for each in items:
            desks.setdefault((each["role"], each["organisation_name"]), []).append(each)
        for (role, organisation), theirs in desks.items():
            title = f"{console.heading(f'desk_{pile}')}, {console.named('role', role)} ({organisation})"
            rows = [(each["item"], each["reference"], _age(each), _what(each), _call(each)) for each in theirs]
            columns = ("number", "reference", "age", "kind", "call")
            console.table(title, columns, rows, ("number", "age"), ("reference",), narrow=("kind",))


def _age(item: Told) -> str:
    return f"{item['age_days']} {console.heading('days_short')}"


def _what(item: Told) -> str:
    """Return what an item is about, for how many working days, where the participation is, where the item stands."""
    working = f"{item['age_working_days']} {console.heading('working_days')}"
    kind, state = console.named("kind", item["kind"]), console.named("state", item["state"])
    return f"{kind}, {working} ({state})\N{NO-BREAK SPACE}: {_where(item)}"


def _where(item: Told) -> str:
    """Return where an item stands: by whom it was taken, until when it waits, how often it came again."""
    said = [console.named("desk_status", item["status"])]
    if item["until"]:
        said.append(console.when(item["until"]))
    if item["taken_by"]:
        said.append(item["taken_by"])
    if item["bumps"]:
        said.append(f"{console.heading('bumps')} {item['bumps'] + 1}")
    return ", ".join(said)


def _call(item: Told) -> str:
    call = item["call"]
    if call is None:
        return ""
    parts = (call["name"] or console.named("role", call["who"]), call["organisation"], call["phone"], call["email"])
    return ", ".join(dict.fromkeys(part for part in parts if part))


def show_desk(items: Sequence[Told]) -> None:
    """Write what is, or was, on a desk because of one participation."""
    rows = [
        (
            each["item"],
            f"{console.named('role', each['role'])} ({each['organisation_name']})",
            console.named("kind", each["kind"]),
            console.when(each["since"]),
            _where(each),
            console.when(each["ended_at"]),
        )
        for each in items
    ]
    if rows:
        columns = ("number", "desk_of", "kind", "since", "status", "ended")
        console.table(console.heading("desk"), columns, rows, ("number",), ("since", "ended"))


# -------------------------------------------------------------------------------------------------------------- acting
def take(
    item: Item, by: By, key: Key = None, at: At = None, as_json: AsJson = False, directory: Directory = None
) -> None:
    from actions.desk import take_up

    def work(connection: "Connection", actor: "Actor", occasion: "Occasion") -> "Applied":
        return take_up(connection, item, actor, occasion, key)

    _do(item, work, by, key, at, "item_taken", as_json, directory)


def postpone(
    item: Item,
    until: Until,
    by: By,
    reason: Reason = "",
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.desk import postpone as put_aside

    day = local_day(until)

    def work(connection: "Connection", actor: "Actor", occasion: "Occasion") -> "Applied":
        return put_aside(connection, item, day, actor, occasion, reason, key)

    _do(item, work, by, key, at, "item_postponed", as_json, directory, until=day)


def done(
    item: Item,
    by: By,
    note: Note = "",
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.desk import settle

    def work(connection: "Connection", actor: "Actor", occasion: "Occasion") -> "Applied":
        return settle(connection, item, note, actor, occasion, key)

    _do(item, work, by, key, at, "item_done", as_json, directory)


def _do(
    item: int,
    work: Work,
    by: str,
    key: str | None,
    at: str | None,
    said: str,
    as_json: bool,
    directory: "Path | None",
    **params: object,
) -> None:
    """Do one act in a transaction of its own; a lost race is tried again before it is told."""
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    check_key(key)
    role, email = who(by)
    occasion = Occasion(moment(at), wall_now())

    def once(connection: "Connection") -> "Applied":
        return work(connection, actor(connection, role, email, "cli"), occasion)

    with database(settings_of(directory)) as engine:
        applied = attempt(engine, once)
    if as_json:
        outcome = {"act": applied.trigger, "seq": applied.seq, "at": iso(applied.at), "repeated": applied.repeated}
        console.document({"item": item, "reference": applied.reference, **outcome})
    else:
        console.tell("item_repeated" if applied.repeated else said, item=item, reference=applied.reference, **params)
