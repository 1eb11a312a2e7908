"""`simulate`: what would happen under another ladder, beside what happens under the one that stands."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.opening import database, read_file, settings_of
from cli.options import AsJson, Directory, moment, told
from cli.show import why
from core.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from states.edition import EditionFile

_DAYS = 240
_SHOWN = 10  # endings; the document has them all
_MOST_BYTES = 1_000_000

File = Annotated[Path | None, typer.Option("--edition", metavar="FILE", help=told("simulated_edition"))]
From = Annotated[str | None, typer.Option("--from", metavar="ISO", help=told("simulated_from"))]
Days = Annotated[int, typer.Option("--days", metavar="N", help=told("days_ahead"))]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=told("simulated_set"))]
Share = Annotated[float, typer.Option("--acting", metavar="SHARE", help=told("simulated_acting"))]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help=told("simulated_seed"))]


def simulate(
    edition: File = None,
    begins: From = None,
    days: Days = _DAYS,
    settings: Settings = None,
    acting: Share = 0.0,
    seed: Seed = 0,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from simulation.foresight import MOST_DAYS
    from simulation.whatif import Asked, what_if
    from states.edition_settings import with_settings
    from wiring.workshop import make_workshop

    if not 0 <= days <= MOST_DAYS:
        raise UsageError("bad_days", value=days, most=MOST_DAYS)
    if not 0 <= acting <= 1:
        raise UsageError("bad_share", value=acting)
    at, own = moment(begins), settings_of(directory)
    with database(own) as engine:
        file = with_settings(_file(edition, engine), settings or (), edition.name if edition else "--set")
        found = what_if(make_workshop(own, engine), at, days, Asked(file, acting, seed))
    if as_json:
        console.document(found)
    else:
        _tell(found)


def _file(path: Path | None, engine: "Engine") -> "EditionFile":
    """Return the file that is named, or the edition as it was loaded last."""
    from actions.editions import current
    from states.edition import EditionFile, read_edition
    from wiring.database import reading

    if path is not None:
        return read_edition(read_file(path, _MOST_BYTES), path.name)
    with reading(engine) as connection:
        return EditionFile.model_validate_json(current(connection).content)


def _tell(found: Mapping[str, Any]) -> None:
    begins, until = (console.when(found[name]) for name in ("from", "until"))
    console.tell("simulated", edition=found["edition"], begins=begins, until=until)
    console.tell("simulated_acts", share=console.percent(found["acting"]))
    for change in found["changes"]:
        console.line(f"  {change}")
    _compare(found, "messages", "message", lambda side: side["mails"]["by_kind"], _kind)
    _compare(found, "recipients", "role", lambda side: side["mails"]["by_role"], _role)
    _compare(found, "weeks", "week", lambda side: side["mails"]["by_week"], console.when)
    _compare(found, "desk_alerts", "rule", lambda side: side["alerts"]["by_rule"], _rule)
    _compare(found, "expiries", "act", lambda side: side["endings"]["by_act"], _act)
    for side in ("before", "after") if found["changes"] else ("before",):
        _most_written_to(found, side)
        _endings(found, side)


def _compare(
    found: Mapping[str, Any],
    title: str,
    column: str,
    of: Callable[[Mapping[str, Any]], Mapping[str, int]],
    named: Callable[[str], str],
) -> None:
    """Show the same figures before and after, and their sum."""
    before, after = of(found["before"]), of(found["after"])
    rows = [(named(key), before.get(key, 0), after.get(key, 0)) for key in sorted({*before, *after})]
    if rows:
        total = (console.heading("total"), sum(before.values()), sum(after.values()))
        numbers = ("as_it_stands", "simulated")
        console.table(console.heading(title), (column, *numbers), [*rows, total], right=numbers)


def _most_written_to(found: Mapping[str, Any], side: str) -> None:
    rows = [(each["to"], _role(each["role"]), each["mails"]) for each in found[side]["mails"]["recipients"]]
    if rows:
        console.table(_side("most_written_to", side), ("recipient", "role", "messages"), rows, right=("messages",))


def _endings(found: Mapping[str, Any], side: str) -> None:
    rows = list(_together(found[side]["endings"]["list"]))
    if rows:
        more = [("…", "", f"(+{len(rows) - _SHOWN})")] if len(rows) > _SHOWN else []
        console.table(_side("expiries", side), ("at", "act", "reference"), [*rows[:_SHOWN], *more], whole=("at",))


def _together(endings: list[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield what ends at one moment in one way, with the first references and how many more there are."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in endings:
        groups.setdefault((each["at"], each["does"]), []).append(each["reference"])
    for (at, does), references in groups.items():
        yield console.when(at), _act(does), console.some(references)


def _side(title: str, side: str) -> str:
    return f"{console.heading(title)} ({console.heading({'before': 'as_it_stands', 'after': 'simulated'}[side])})"


def _kind(code: str) -> str:
    return console.named("kind", code)


def _role(code: str) -> str:
    return console.named("role", code)


def _act(code: str) -> str:
    return console.named("step_action", code)


def _rule(code: str) -> str:
    subject, _, rule = code.partition(".")
    return why(subject, rule)
