"""`init`: the database, the secret key, an edition."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, replanning
from cli.opening import env_file, read_file, settings_of, sqlite_path, writing
from cli.options import AsJson, At, Directory, Reason, moment, told
from core.clock import wall_now
from core.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from core.settings import Settings
    from states.edition import EditionFile

_MOST_BYTES = 1_000_000

Apply = Annotated[bool, typer.Option("--apply", help=told("apply"))]
By = Annotated[str, typer.Option("--by", metavar="ROLE:EMAIL", help=told("by_apply"))]
File = Annotated[Path | None, typer.Argument(metavar="[EDITION.toml]", help=told("edition_file"), show_default=False)]


def init(
    edition: File = None,
    apply: Apply = False,
    by: By = "",
    reason: Reason = "",
    confirm: replanning.Confirm = None,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    occasion_at = moment(at)
    settings = settings_of(directory)
    if apply and edition is None:
        raise UsageError("apply_what")
    file = None if edition is None else _read(edition)  # a faulty file changes nothing at all
    done = _prepare(settings, directory)
    if file is not None and apply:
        plan = replanning.apply(settings, file, by, reason, confirm, occasion_at)
        if as_json:
            console.document(done | replanning.document(plan, done=confirm is not None))
        else:
            last = "replanned" if confirm is not None else "replan_confirm"
            replanning.tell(plan, last if plan.changes else "replan_nothing", edition)
        return
    if file is not None:
        done |= _load(settings, file, occasion_at)
    if as_json:
        console.document(done)
    else:
        _tell(done)


def _read(path: Path) -> "EditionFile":
    from states.edition import read_edition

    return read_edition(read_file(path, _MOST_BYTES), path.name)


def _prepare(settings: "Settings", directory: Path | None) -> dict[str, Any]:
    """Create the database or bring it up to date, and write a secret key where there is none."""
    import sqlalchemy

    from wiring.database import migrate
    from wiring.workshop import write_secret_key

    sqlite_path(settings.database_url)
    migrate(settings.database_url)
    key_file = env_file(directory)
    written = not settings.secret_key.get_secret_value() and write_secret_key(key_file)
    return {
        "database": sqlalchemy.make_url(settings.database_url).render_as_string(hide_password=True),
        "secret_key": str(key_file) if written else None,
    }


def _load(settings: "Settings", file: "EditionFile", at: "datetime") -> dict[str, Any]:
    from actions.editions import load
    from actions.occasion import Occasion, system

    with writing(settings) as connection:
        loaded = load(connection, file, system("cli"), Occasion(at, wall_now()))
    return {
        "edition": loaded.code,
        "outcome": loaded.outcome,
        "revision": loaded.number,
        "changes": list(loaded.changes),
    }


def _tell(done: dict[str, Any]) -> None:
    console.tell("database_ready", database=done["database"])
    if done["secret_key"]:
        console.tell("secret_key_written", file=done["secret_key"])
    if "edition" in done:
        console.tell(f"edition_{done['outcome']}", edition=done["edition"], number=done["revision"])
        for change in done["changes"]:
            console.line(f"  {change}")
