"""`act`, `retry`: one act on one participation, in somebody's name; taking up again what was set aside."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.opening import database, settings_of, writing
from cli.options import AsJson, At, By, Directory, Key, Reason, Reference, moment, told
from core.clock import iso, wall_now
from core.errors import UsageError
from states.names import Role, Trigger
from states.tables import PARTICIPATION_PROCESSES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actions.apply import Applied, Request
    from core.settings import Settings

_LONGEST_KEY = 200
_HALF_DAYS = range(21)
_PEOPLE = tuple(role for role in Role if role is not Role.SYSTEM)

RequestOf = Callable[["Connection"], "Request"]

TriggerName = Annotated[str, typer.Argument(metavar="TRIGGER", help=told("trigger"))]
Data = Annotated[str | None, typer.Option("--data", metavar="JSON", help=told("data"))]


def act(
    reference: Reference,
    trigger: TriggerName,
    by: By,
    reason: Reason = "",
    data: Data = None,
    key: Key = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    asked = _trigger(trigger)
    given = _data(asked, data)
    check_key(key)
    role, email = who(by)

    def request(_: "Connection") -> "Request":
        from actions.apply import Request
        from states.names import Subject

        return Request(Subject.PARTICIPATION, asked, reason, given, key)

    occasion_at = moment(at)
    applied = perform(settings_of(directory), reference, request, role, email, occasion_at)
    tell(applied, as_json=as_json)


def perform(
    settings: "Settings", reference: str, request: RequestOf, role: Role, email: str, at: datetime
) -> "Applied":
    """Do one act in a transaction of its own; a lost race is tried again before it is told."""
    from actions.apply import apply
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    def once(connection: "Connection") -> "Applied":
        who_acts = actor(connection, role, email, "cli")
        return apply(connection, reference.strip(), request(connection), who_acts, Occasion(at, wall_now()))

    with database(settings) as engine:
        return attempt(engine, once)


def tell(applied: "Applied", *, as_json: bool) -> None:
    """Say what an act did."""
    if as_json:
        console.document(
            {
                "reference": applied.reference,
                "subject": str(applied.subject),
                "trigger": applied.trigger,
                "from": str(applied.before),
                "to": str(applied.after),
                "seq": applied.seq,
                "at": iso(applied.at),
                "repeated": applied.repeated,
            }
        )
        return
    console.tell(
        "acted_already" if applied.repeated else "acted",
        act=console.trigger_name(applied.subject, applied.trigger),
        reference=applied.reference,
        before=console.state_name(applied.subject, applied.before),
        after=console.state_name(applied.subject, applied.after),
    )


def who(by: str) -> tuple[Role, str]:
    """Read ROLE:EMAIL. Raises UsageError (`bad_actor`)."""
    role, _, email = by.partition(":")
    known = {str(known): known for known in _PEOPLE}
    if role.strip().lower() not in known or "@" not in email:
        raise UsageError("bad_actor", value=by, allowed=tuple(known))
    return known[role.strip().lower()], email.strip()


def check_key(key: str | None) -> None:
    """Refuse an empty key: a script whose variable is empty would think itself safe; and an endless one.

    Raises UsageError (`empty_key`, `long_key`).
    """
    if key is not None and not key.strip():
        raise UsageError("empty_key")
    if key is not None and len(key) > _LONGEST_KEY:
        raise UsageError("long_key", limit=_LONGEST_KEY)


def _trigger(name: str) -> Trigger:
    triggers = {str(row.trigger): row.trigger for table in PARTICIPATION_PROCESSES.values() for row in table.rows}
    if name not in triggers:
        raise UsageError("unknown_trigger", trigger=name, allowed=tuple(triggers))
    return triggers[name]


# --------------------------------------------------------------------------------------------------------------- --data
def _is_state(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_half_days(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in _HALF_DAYS


# What each act may be given, how it is checked, and an example of it.
_GIVEN: Mapping[Trigger, tuple[str, Callable[[object], bool], str]] = {
    Trigger.CORRECT: ("to", _is_state, '{"to": "prepared"}'),
    Trigger.CONFIRM_IMMERSION: ("half_days", _is_half_days, '{"half_days": 3}'),
}


def _data(trigger: Trigger, text: str | None) -> dict[str, Any]:
    """Read `--data`. Raises UsageError (`bad_json`, `bad_data` with what is allowed)."""
    if text is None:
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("bad_json") from None
    if not isinstance(data, dict):
        raise UsageError("bad_json")
    name, fits, example = _GIVEN.get(trigger, ("", _is_state, "{}"))
    if any(key != name or not fits(value) for key, value in data.items()):
        raise UsageError("bad_data", trigger=trigger, allowed=(example,))
    return data


# --------------------------------------------------------------------------------------------------------------- retry
def retry(reference: Reference, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.retrying import take_up_again

    with writing(settings_of(directory)) as connection:
        count = take_up_again(connection, reference.strip())
    if as_json:
        console.document({"reference": reference.strip(), "taken_up": count})
    else:
        console.tell("taken_up" if count else "nothing_set_aside", reference=reference.strip())
