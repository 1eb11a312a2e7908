"""`contacts`: who answers for each organisation; who is added, gone, at an address that bounces, back."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.acting import who
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Reason, local_day, moment, told
from core.clock import wall_now
from core.errors import UsageError
from states.names import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from actions.contacts import Whose
    from actions.occasion import Actor, Occasion

    Work = Callable[[Connection, Actor, Occasion], dict[str, Any]]

_ROLES = tuple(role for role in Role if role is not Role.SYSTEM)

OneOrganisation = Annotated[str, typer.Argument(metavar="ORGANISATION", help=told("contact_organisation"))]
Organisation = Annotated[str | None, typer.Option("--organisation", metavar="CODE", help=told("contact_organisation"))]
RoleName = Annotated[str, typer.Option("--role", metavar="ROLE", help=told("contact_role"))]
AnyRole = Annotated[str | None, typer.Option("--role", metavar="ROLE", help=told("contact_role"))]
Address = Annotated[str, typer.Argument(metavar="ADDRESS", help=told("contact_address"))]
Email = Annotated[str, typer.Option("--email", metavar="ADDRESS", help=told("contact_address"))]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help=told("contact_name"))]
Phone = Annotated[str, typer.Option("--phone", metavar="PHONE", help=told("contact_phone"))]
Rank = Annotated[int | None, typer.Option("--rank", metavar="N", help=told("contact_rank"))]
Starts = Annotated[str | None, typer.Option("--from", metavar="DAY", help=told("contact_from"))]
Until = Annotated[str | None, typer.Option("--until", metavar="DAY", help=told("contact_until"))]
Language = Annotated[str, typer.Option("--language", metavar="CODE", help=told("contact_language"))]
Since = Annotated[str | None, typer.Option("--since", metavar="DAY", help=told("gone_since"))]


def listing(
    context: typer.Context,
    organisation: Organisation = None,
    role: AnyRole = None,
    edition: EditionCode = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from actions.contacts import contacts

    known_role = None if role is None else _role(role)
    with reading(settings_of(directory)) as connection:
        found = contacts(connection, moment(at), organisation, known_role, edition)
    if as_json:
        console.document(found)
    elif not found["contacts"]:
        console.tell("no_contacts")
    else:
        _tell(found["contacts"])


def _tell(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["organisation"]["code"] if each["organisation"] else "",
            each["rank"],
            ", ".join(part for part in (each["name"] or console.heading("mailbox"), each["phone"]) if part),
            each["address"],
            _standing(each),
        )
        for each in found
    ]
    columns = ("code", "rank", "person", "email", "status")
    console.table(console.heading("contacts"), columns, rows, ("rank",), ("email",))


def _standing(contact: "Mapping[str, Any]") -> str:
    """Return whether a contact is written to, and between which days."""
    if contact["status"] != "ok":
        return console.named("contact_status", contact["status"])
    days = [
        f"{console.heading(code)} {console.when(contact[name])}"
        for code, name in (("from_day", "valid_from"), ("until_day", "valid_to"))
        if contact[name]
    ]
    return ", ".join(days) or console.named("contact_status", "ok")


# ------------------------------------------------------------------------------------------------------------ changing
def add(
    organisation: OneOrganisation,
    role: RoleName,
    email: Email,
    by: By,
    name: Name = "",
    phone: Phone = "",
    rank: Rank = None,
    starts: Starts = None,
    until: Until = None,
    language: Language = "fr",
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.contacts import NewContact
    from actions.contacts import add as keep

    first, last = (None if day is None else local_day(day) for day in (starts, until))
    new = NewContact(_role(role), email, name, phone, rank, first, last, language.strip().lower())
    found = _done(
        lambda connection, actor, occasion: keep(connection, organisation, new, actor, occasion, reason),
        by,
        at,
        directory,
    )
    _say("contact_added", found, as_json=as_json)


def gone(
    address: Address,
    by: By,
    organisation: Organisation = None,
    role: AnyRole = None,
    since: Since = None,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.contacts import gone as mark

    day, whose = None if since is None else local_day(since), _whose(address, organisation, role)
    found = _done(
        lambda connection, actor, occasion: mark(connection, whose, day, actor, occasion, reason), by, at, directory
    )
    _say("contact_gone" if found["status"] == "gone" else "contact_leaving", found, as_json=as_json)


def hold(
    address: Address,
    by: By,
    organisation: Organisation = None,
    role: AnyRole = None,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.contacts import hold as mark

    whose = _whose(address, organisation, role)
    found = _done(
        lambda connection, actor, occasion: mark(connection, whose, actor, occasion, reason), by, at, directory
    )
    _say("contact_held", found, as_json=as_json)


def back(
    address: Address,
    by: By,
    organisation: Organisation = None,
    role: AnyRole = None,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.contacts import back as mark

    whose = _whose(address, organisation, role)
    found = _done(
        lambda connection, actor, occasion: mark(connection, whose, actor, occasion, reason), by, at, directory
    )
    _say("contact_back", found, as_json=as_json)


def _role(text: str) -> Role:
    known = {str(role): role for role in _ROLES}
    if text.strip().lower() not in known:
        raise UsageError("bad_role", value=text, allowed=tuple(known))
    return known[text.strip().lower()]


def _whose(address: str, organisation: str | None, role: str | None) -> "Whose":
    from actions.contacts import Whose

    return Whose(address, organisation, None if role is None else _role(role))


def _done(work: "Work", by: str, at: str | None, directory: "Path | None") -> dict[str, Any]:
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    role, email = who(by)
    occasion = Occasion(moment(at), wall_now())
    with database(settings_of(directory)) as engine:
        return attempt(engine, lambda connection: work(connection, actor(connection, role, email, "cli"), occasion))


def _say(code: str, found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        console.document(found)
        return
    organisation = found["organisation"]["name"] if found["organisation"] else None
    person = found["name"] or found["address"]
    console.tell(
        code, person=person, organisation=organisation, rank=found["rank"], last=console.when(found["valid_to"])
    )
