"""`demo`: a whole edition, from registration to evaluation, and then what came of it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console
from cli.options import AsJson, told
from cli.show import why
from cli.status import show_status
from core.clock import iso
from notifications.words import label, say

if TYPE_CHECKING:
    from simulation.demo import Demo

Folder = Annotated[Path, typer.Option("--dir", metavar="DIR", help=told("demo_dir"))]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help=told("seed"), show_default=False)]
Edition = Annotated[str, typer.Option("--edition", metavar="CODE", help=told("demo_edition"))]

_BAR_STEP = 10


def demo(
    directory: Folder = Path("var/demo"), seed: Seed = None, edition: Edition = "2018-2019", as_json: AsJson = False
) -> int:
    from simulation.demo import play_demo

    console.note(say("demo_begins", edition=edition, directory=str(directory)))
    with _progress() as progress:
        played = play_demo(directory, edition, seed, progress)
    figures, stories, outage = _figures(played)
    if as_json:
        places = {"database_url": played.database_url, "mail_dir": str(played.directory / "mail")}
        console.document({**figures, "outage": outage, **places, "seconds": round(played.seconds, 1)})
    else:
        _tell(played, figures, stories, outage)
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[datetime, int], None]]:
    """Show where the simulated calendar is: a bar that moves on a terminal, a line now and then elsewhere."""
    if not sys.stderr.isatty():
        yield _line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[at]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label("demo", "playing"), total=None, at="")
        yield lambda at, ticks: bar.update(task, at=f"{console.when(iso(at))}, {say('ticks', count=ticks)}")


def _line(at: datetime, ticks: int) -> None:
    if ticks % _BAR_STEP == 0:
        console.note(f"  {console.when(iso(at))}  {say('ticks', count=ticks)}")


def _figures(played: "Demo") -> tuple[dict[str, Any], dict[str, dict[str, Any]], dict[str, Any] | None]:
    """Return the document of `status`, of `show` for each participation worth telling, and what an outage left."""
    from actions.figures import status
    from actions.reports import story
    from simulation.stories import outage_told, references_to_tell

    at = played.played.last
    with played.reading() as connection:
        references = references_to_tell(connection, played.cast)
        stories = {name: story(connection, reference, at) for name, reference in references.items()}
        return status(connection, played.cast.edition, at), stories, outage_told(connection, played.cast)


def _tell(
    played: "Demo",
    figures: Mapping[str, Any],
    stories: Mapping[str, Mapping[str, Any]],
    outage: Mapping[str, Any] | None,
) -> None:
    numbers = {"ticks": played.played.ticks, "acts": played.played.acts, "seconds": round(played.seconds)}
    console.line(say("demo_done", **numbers))
    console.line()
    show_status(figures)
    kinds = [(console.named("kind", kind), count) for kind, count in figures["notifications"].items()]
    console.table(console.heading("notifications"), ("kind", "count"), kinds, ("count",))
    if outage is not None:
        _outage(outage)
    for name, story in stories.items():
        _story(name, story)
    _where_to_look(played, next(iter(stories.values()), {}))


def _outage(outage: Mapping[str, Any]) -> None:
    """Tell an outage: what was due meanwhile and caught up, passed over, or done by people before the end of it."""
    steps = [(each, "fired") for each in outage["caught_up"]] + [(each, "missed") for each in outage["missed"]]
    rows = [
        (
            console.when(each["due_at"]),
            why(each["subject"], f"{each['rule']}:{each['step']}"),
            each["reference"],
            console.named("deadline_status", status),
            console.when(each["at"]),
        )
        for each, status in sorted(steps, key=lambda step: step[0]["due_at"])
    ]
    title = say("outage", begins=console.when(outage["from"]), ends=console.when(outage["until"]))
    console.table(title, ("due_at", "rule", "reference", "status", "at"), rows, whole=("due_at", "at"))
    console.line(say("outage_done", count=outage["done_meanwhile"]))


def _story(name: str, story: Mapping[str, Any]) -> None:
    """Tell one participation: what was done and what was said, as it happened."""
    teacher, school = story["teacher"], story["school"]
    console.line()
    console.line(f"{label('demo', name)} : {teacher['name']}{', ' + school['name'] if school else ''}")
    done = [(entry["at"], 0, entry["seq"], _act(entry), _who(entry)) for entry in story["journal"]]
    said = [
        (
            sent["settled_at"] or sent["at"],
            1,
            0,
            f"  → {sent['subject'] or console.named('kind', sent['kind'])}",
            _to(sent),
        )
        for sent in story["messages"]
    ]
    rows = [(console.when(at), what, who) for at, _, _, what, who in sorted(done + said)]
    console.table("", ("at", "act", "who"), rows, whole=("at",))


def _who(entry: Mapping[str, Any]) -> str:
    return str(entry["actor"]) if entry["actor"] != entry["role"] else console.named("role", entry["role"])


def _act(entry: Mapping[str, Any]) -> str:
    act = console.trigger_name(entry["subject"], entry["trigger"])
    reason = f" ({entry['reason']})" if entry["reason"] else ""
    after = console.state_name(entry["subject"], entry["to"])
    return f"{act}{reason} : {after}" if entry["from"] != entry["to"] else f"{act}{reason}"


def _to(sent: Mapping[str, Any]) -> str:
    return f"{sent['recipient']} [{why(sent['about'], sent['rule'])}]"


def _where_to_look(played: "Demo", story: Mapping[str, Any]) -> None:
    """Say where everything is, and what to type next."""
    folder = played.directory
    mails = sum(1 for _ in (folder / "mail").glob("*.eml"))
    lines = {
        "mails": f"{folder / 'mail'} ({mails} .eml)",
        "database": played.database_url,
        "seals": str(folder / "seals" / "seals.jsonl"),
        "look": f"entrapprendre show {story.get('reference', 'REF')} --dir {folder}",
        "report": f"entrapprendre report --dir {folder}",
        "verify": f"entrapprendre journal verify --seals {folder / 'seals' / 'seals.jsonl'} --dir {folder}",
        "runs": f"PREFECT_HOME={(folder / 'prefect').resolve()} prefect server start",
        "runs_page": "http://127.0.0.1:4200/runs",
    }
    console.line()
    console.line(label("demo", "where"))
    for name, value in lines.items():
        console.line(f"  {label('demo', name):<28} {value}")
