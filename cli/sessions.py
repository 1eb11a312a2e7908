"""`sessions`: the transfer sessions of the institutes, whom they invite, who was there."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.acting import tell, who
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Reason, moment, told
from core.clock import iso, parse_moment, wall_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import TypeVar

    from sqlalchemy import Connection, Row

    from actions.occasion import Actor, Occasion
    from actions.sessions import Details

    Result = TypeVar("Result")

Institute = Annotated[str | None, typer.Option("--institute", metavar="CODE", help=told("session_institute"))]
OfInstitute = Annotated[str, typer.Option("--institute", metavar="CODE", help=told("session_institute"))]
Session = Annotated[str, typer.Argument(metavar="SESSION", help=told("session"))]
Person = Annotated[str, typer.Argument(metavar="REF", help=told("reference"))]
People = Annotated[list[str], typer.Argument(metavar="REF...", help=told("references"))]
Starts = Annotated[str, typer.Option("--starts", metavar="ISO", help=told("starts"))]
Ends = Annotated[str, typer.Option("--ends", metavar="ISO", help=told("ends"))]
Place = Annotated[str, typer.Option("--place", metavar="TEXT", help=told("place"))]
Url = Annotated[str, typer.Option("--url", metavar="URL", help=told("session_url"))]
Capacity = Annotated[int, typer.Option("--capacity", metavar="N", help=told("capacity"))]
NewStarts = Annotated[str | None, typer.Option("--starts", metavar="ISO", help=told("new_starts"))]
NewEnds = Annotated[str | None, typer.Option("--ends", metavar="ISO", help=told("new_ends"))]
NewPlace = Annotated[str | None, typer.Option("--place", metavar="TEXT", help=told("place"))]
NewUrl = Annotated[str | None, typer.Option("--url", metavar="URL", help=told("session_url"))]
NewCapacity = Annotated[int | None, typer.Option("--capacity", metavar="N", help=told("capacity"))]
Absent = Annotated[bool, typer.Option("--absent", help=told("absent"))]
_CAPACITY = 12


def listing(
    context: typer.Context,
    institute: Institute = None,
    edition: EditionCode = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from actions.editions import current
    from actions.people import receiver_id
    from actions.sessions import listing as found_in

    with reading(settings_of(directory)) as connection:
        whose = None if institute is None else receiver_id(connection, institute)
        found = [_document(row) for row in found_in(connection, current(connection, edition), whose)]
    if as_json:
        console.document({"sessions": found})
    elif found:
        _tell(found)
    else:
        console.tell("no_sessions")


def _document(row: "Row[Any]") -> dict[str, Any]:
    names = ("reference", "institute", "status", "place", "url", "capacity", "invited", "attended")
    return {
        **{name: getattr(row, name) for name in names},
        "starts_at": iso(row.starts_at),
        "ends_at": iso(row.ends_at),
    }


def _tell(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            each["reference"],
            console.when(each["starts_at"]),
            each["place"] or each["url"],
            console.named("session_status", each["status"]),
            f"{each['invited']}/{each['capacity']}",
            each["attended"],
        )
        for each in found
    ]
    columns = ("reference", "at", "venue", "status", "invited", "attended")
    console.table(console.heading("sessions"), columns, rows, ("attended",), ("reference", "at", "invited"))


def show(session: Session, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.sessions import one, people

    with reading(settings_of(directory)) as connection:
        row = one(connection, session)
        found = [{**each, "attended": bool(each["attended"])} for each in people(connection, row.id)]
    document = {**_document(row), "people": found}
    if as_json:
        console.document(document)
        return
    _tell([document])
    rows = [
        (
            each["reference"],
            f"{each['first_name'] or ''} {each['last_name'] or ''}".strip(),
            each["school"],
            console.named("state", each["state"]),
            console.named("yes_no", "yes") if each["attended"] else "",
        )
        for each in found
    ]
    console.table(
        console.heading("invited"), ("reference", "person", "school", "state", "was_there"), rows, whole=("reference",)
    )


def plan(
    institute: OfInstitute,
    starts: Starts,
    ends: Ends,
    by: By,
    place: Place = "",
    url: Url = "",
    capacity: Capacity = _CAPACITY,
    edition: EditionCode = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import sessions
    from actions.editions import current
    from actions.people import receiver_id

    details = _details(starts, ends, place, url, capacity)

    def work(connection: "Connection", acting: "Actor", occasion: "Occasion") -> str:
        whose = receiver_id(connection, institute)
        planned = sessions.plan(connection, current(connection, edition), whose, details, acting, occasion)
        return planned.reference

    reference = _do(work, by, at, directory)
    if as_json:
        console.document({"session": reference})
    else:
        console.tell("session_planned", session=reference)


def change(
    session: Session,
    by: By,
    starts: NewStarts = None,
    ends: NewEnds = None,
    place: NewPlace = None,
    url: NewUrl = None,
    capacity: NewCapacity = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import sessions

    def work(connection: "Connection", acting: "Actor", occasion: "Occasion") -> "Sequence[str]":
        now = sessions.one(connection, session)
        details = sessions.Details(
            now.starts_at if starts is None else parse_moment(starts),
            now.ends_at if ends is None else parse_moment(ends),
            now.place if place is None else place,
            now.url if url is None else url,
            now.capacity if capacity is None else capacity,
        )
        return sessions.change(connection, session, details, acting, occasion)

    told_of = _do(work, by, at, directory)
    _tell_of(session, told_of, as_json)


def cancel(
    session: Session, by: By, reason: Reason = "", at: At = None, as_json: AsJson = False, directory: Directory = None
) -> None:
    from actions import sessions

    told_of = _do(lambda c, who_, when: sessions.cancel(c, session, reason, who_, when), by, at, directory)
    _tell_of(session, told_of, as_json)


def invite(
    session: Session, people: People, by: By, at: At = None, as_json: AsJson = False, directory: Directory = None
) -> None:
    from actions import invitations

    told_of = _do(lambda c, who_, when: invitations.invite(c, session, people, who_, when), by, at, directory)
    _tell_of(session, told_of, as_json)


def attend(
    session: Session,
    person: Person,
    by: By,
    absent: Absent = False,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions import invitations

    applied = _do(
        lambda c, who_, when: invitations.attend(c, session, person, who_, when, present=not absent), by, at, directory
    )
    if applied is not None:
        tell(applied, as_json=as_json)
    else:
        _tell_of(session, [person], as_json)


def _details(starts: str, ends: str, place: str, url: str, capacity: int) -> "Details":
    from actions.sessions import Details

    return Details(parse_moment(starts), parse_moment(ends), place, url, capacity)


def _do(
    work: "Callable[[Connection, Actor, Occasion], Result]", by: str, at: str | None, directory: "Path | None"
) -> "Result":
    """Do something with a session in a transaction of its own; a lost race is tried again before it is told."""
    from actions.occasion import Occasion
    from actions.people import actor
    from jobs.attempts import attempt

    role, email = who(by)
    occasion = Occasion(moment(at), wall_now())
    with database(settings_of(directory)) as engine:
        return attempt(engine, lambda connection: work(connection, actor(connection, role, email, "cli"), occasion))


def _tell_of(session: str, references: "Sequence[str]", as_json: bool) -> None:
    if as_json:
        console.document({"session": session, "concerned": list(references)})
    else:
        console.tell("session_concerns", session=session, count=len(references))
