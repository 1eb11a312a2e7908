"""`routes`: whom no route serves and which nobody has confirmed; what other routes would move, and moving it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.acting import who
from cli.opening import database, read_file, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Reason, moment, told
from core.clock import wall_now
from states.names import ParticipantKind

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from actions.routes import Destination, Preview, Rerouted
    from states.edition import EditionFile

EditionPath = Annotated[Path | None, typer.Argument(metavar="EDITION.toml", help=told("routes_file"))]
NewRoutes = Annotated[Path, typer.Argument(metavar="EDITION.toml", help=told("new_routes"))]
Confirm = Annotated[int | None, typer.Option("--confirm", metavar="N", help=told("confirm"))]


def check(
    file: EditionPath = None, edition: EditionCode = None, as_json: AsJson = False, directory: Directory = None
) -> int:
    found = _document(_edition(file, edition, directory))
    if as_json:
        console.document(found)
    else:
        _tell(found)
    return failures.REFUSED if found["gaps"] else failures.DONE


def _edition(file: Path | None, code: str | None, directory: Path | None) -> "EditionFile":
    """Return an edition from a file (refused where two routes overlap), or as it was loaded last."""
    from states.edition import MOST_BYTES, EditionFile, read_edition

    if file is not None:
        return read_edition(read_file(file, MOST_BYTES), file.name)
    from actions.editions import current

    with reading(settings_of(directory)) as connection:
        return EditionFile.model_validate_json(current(connection, code).content)


def _document(edition: "EditionFile") -> dict[str, Any]:
    from states.edition import routes_of
    from states.routing import gaps

    routes = list(routes_of(edition))
    return {
        "edition": edition.code,
        "gaps": [
            {
                "network": str(gap.network),
                "education": str(gap.education),
                "kinds": [str(kind) for kind in gap.kinds],
                "first": gap.first.isoformat(),
                "last": gap.last.isoformat(),
            }
            for gap in gaps(routes, edition.opens, edition.closes)
        ],
        "to_confirm": [
            {"network": str(route.network), "education": str(route.education), "institute": route.institute}
            for route in routes
            if route.to_confirm
        ],
    }


def _tell(found: dict[str, Any]) -> None:
    gaps = [
        (
            each["network"],
            console.named("education", each["education"]),
            console.heading("every_kind") if len(each["kinds"]) == len(ParticipantKind) else ", ".join(each["kinds"]),
            console.when(each["first"]),
            console.when(each["last"]),
        )
        for each in found["gaps"]
    ]
    if gaps:
        console.table(console.heading("route_gaps"), ("network", "education", "kinds", "first", "last"), gaps)
    else:
        console.tell("no_route_gaps", edition=found["edition"])
    unconfirmed = [
        (each["network"], console.named("education", each["education"]), each["institute"])
        for each in found["to_confirm"]
    ]
    if unconfirmed:
        console.table(console.heading("routes_to_confirm"), ("network", "education", "institute"), unconfirmed)


# ------------------------------------------------------------------------------------------------------ changing routes
def preview(file: NewRoutes, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    found = _previewed(file, at, directory)
    if as_json:
        console.document(_preview_document(found))
    else:
        _tell_preview(found)


def change(
    file: NewRoutes,
    by: By,
    reason: Reason = "",
    confirm: Confirm = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    if confirm is None:
        found = _previewed(file, at, directory)
        if as_json:
            console.document(_preview_document(found))
        else:
            _tell_preview(found)
            console.tell("routes_confirm", count=len(found.moving), file=file)
        return
    done = _applied(file, by, reason, confirm, at, directory)
    if as_json:
        moved = [_destination(each) for each in done.moved]
        console.document(
            {"edition": done.edition, "revision": done.number, "moved": moved, "following": done.following}
        )
    else:
        told = {"edition": done.edition, "number": done.number}
        console.tell("routes_applied", moved=len(done.moved), following=done.following, **told)


def _previewed(file: Path, at: str | None, directory: Path | None) -> "Preview":
    from actions.occasion import Occasion
    from actions.routes import preview as look

    occasion = Occasion(moment(at), wall_now())
    edition = _edition(file, None, directory)
    with reading(settings_of(directory)) as connection:
        return look(connection, edition, occasion)


def _applied(file: Path, by: str, reason: str, confirm: int, at: str | None, directory: Path | None) -> "Rerouted":
    from actions.occasion import Occasion
    from actions.people import actor
    from actions.routes import apply
    from jobs.attempts import attempt

    role, email = who(by)
    occasion = Occasion(moment(at), wall_now())
    edition = _edition(file, None, directory)

    def work(connection: "Connection") -> "Rerouted":
        return apply(connection, edition, confirm, reason, actor(connection, role, email, "cli"), occasion)

    with database(settings_of(directory)) as engine:
        return attempt(engine, work)


def _preview_document(found: "Preview") -> dict[str, Any]:
    return {
        "edition": found.edition,
        "revision": found.number,
        "changes": list(found.changes),
        "moves": [_destination(each) for each in found.moving],
        "kept": [_destination(each) for each in found.kept],
        "unaffected": _unaffected(found),
        "not_immersed": {"total": found.later, "elsewhere": found.later_elsewhere},
        "other_rules": found.other_rules,
    }


def _unaffected(found: "Preview") -> int:
    return len(found.rounds) - len(found.moving) - len(found.kept)


def _destination(each: "Destination") -> dict[str, Any]:
    return {
        "reference": each.reference,
        "round": each.round,
        "status": each.status,
        "before": each.now,
        "after": each.then,
    }


def _tell_preview(found: "Preview") -> None:
    for title, rounds in (("routes_moving", found.moving), ("routes_kept", found.kept)):
        rows = [
            (
                each.reference,
                console.named("handoff_status", each.status),
                each.now or console.heading("unrouted"),
                each.then or console.heading("unrouted"),
            )
            for each in rounds
        ]
        if rows:
            console.table(
                console.heading(title), ("reference", "status", "now", "then"), rows, whole=("reference", "now", "then")
            )
    unaffected = _unaffected(found)
    people = {"later": found.later, "elsewhere": found.later_elsewhere}
    console.tell("routes_previewed", edition=found.edition, number=found.number, unaffected=unaffected, **people)
    if found.other_rules:
        console.tell("routes_other_rules", count=found.other_rules)
