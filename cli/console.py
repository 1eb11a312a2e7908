"""How commands speak: data and JSON on standard output, messages on standard error, all of it safe for a terminal."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

import typer

from core.clock import BRUSSELS
from notifications.plain import one_line
from notifications.words import label, say
from states.names import Purpose

_WIDTH = 100
_WIDEST = 140
_NARROW = 24
_SHOWN = 3  # references in a line
_LABELS_OF_TRIGGERS = ("trigger", "entry")


def document(data: Mapping[str, Any]) -> None:
    """Write the one JSON document of a command."""
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    typer.echo(json.dumps(data, ensure_ascii=not readable, indent=2))


def line(text: str = "") -> None:
    """Write a line of a command's answer."""
    typer.echo(text)


def note(text: str) -> None:
    """Write a message to whoever looks on."""
    typer.echo(text, err=True)


def tell(code: str, **params: object) -> None:
    """Write a sentence of the catalogue as a command's answer."""
    line(say(code, **params))


def heading(code: str) -> str:
    """Return a title or the head of a column."""
    return label("heading", code)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    right: Collection[str] = (),
    whole: Collection[str] = (),
    *,
    narrow: Collection[str] = (),
    err: bool = False,
) -> None:
    """Write a table; columns are codes of headings.

    Those in `right` hold numbers, those in `whole` codes that are never broken, those in `narrow` leave room for the
    others; `err` makes the table a message.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        side: Literal["left", "right"] = "right" if column in right else "left"
        most, unbroken = _NARROW if column in narrow else None, column in whole or column in right
        drawn.add_column(heading(column), justify=side, overflow="fold", no_wrap=unbroken, max_width=most)
    for row in rows:
        drawn.add_row(*(Text(cell(value)) for value in row))
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False, width=_width())
    if title:
        typer.echo(f"\n{title}", err=err)
    for text in _lines(console, drawn):
        typer.echo(text, err=err)


def _width() -> int | None:
    """Return how wide tables are: the terminal's width within reason, a fixed one in files and pipes."""
    return None if sys.stdout.isatty() else _WIDTH


def _lines(console: Any, drawn: Any) -> Iterator[str]:  # noqa: ANN401 - Rich is imported late
    """Yield a table's lines without the blanks that fill them up."""
    options = console.options.update(max_width=min(console.width, _WIDEST))
    with console.capture() as captured:
        console.print(drawn, width=options.max_width)
    yield from (text.rstrip() for text in captured.get().rstrip("\n").split("\n"))


def cell(value: object) -> str:
    """Return a value as a person reads it, without anything that a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(BRUSSELS).strftime("%d/%m/%Y %H:%M")
    if isinstance(value, date):
        return value.strftime("%d/%m/%Y")
    return one_line(str(value))


def when(iso_text: str | None) -> str:
    """Return a moment or a day of a document (ISO 8601) as a person reads it."""
    if not iso_text:
        return ""
    return cell(datetime.fromisoformat(iso_text) if "T" in iso_text else date.fromisoformat(iso_text))


def named(group: str, code: object) -> str:
    """Return the label of a code, or the code itself where the catalogue has none."""
    try:
        return label(group, str(code))
    except KeyError:
        return str(code)


def state_name(subject: str, state: str) -> str:
    """Return the label of a state of a participation, a place or a handoff."""
    return named("state" if subject == "participation" else f"{subject}_status", state)


def round_status(purpose: str, status: str) -> str:
    """Return the label of a status of a round: a return says it in other words."""
    return named("return_status" if purpose == Purpose.EVALUATION else "handoff_status", status)


def trigger_name(subject: str, trigger: str) -> str:
    """Return the label of a trigger in its subject's sense, or of another entry of the journal."""
    for group in (f"{subject}_trigger", *_LABELS_OF_TRIGGERS):
        name = named(group, trigger)
        if name != trigger:
            return name
    return trigger


def some(references: Sequence[str]) -> str:
    """Return the first references, and how many more there are: the document has them all."""
    more = len(references) - _SHOWN
    return ", ".join(references[:_SHOWN]) + (f" (+{more})" if more > 0 else "")


def percent(share: float) -> str:
    """Return a share as a person writes it in French."""
    return f"{share * 100:.1f}".replace(".", ",") + "\N{NO-BREAK SPACE}%"
