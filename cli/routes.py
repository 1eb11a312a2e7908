"""`routes check`: whom no route serves, and which routes nobody has confirmed yet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, failures
from cli.opening import read_file, reading, settings_of
from cli.options import AsJson, Directory, EditionCode, told
from states.names import ParticipantKind

if TYPE_CHECKING:
    from states.edition import EditionFile

EditionPath = Annotated[Path | None, typer.Argument(metavar="EDITION.toml", help=told("routes_file"))]


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
