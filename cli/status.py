"""`status`: where an edition stands, in figures."""

from collections.abc import Mapping
from typing import Any

from cli import console
from cli.console import heading
from cli.evaluation import show_results
from cli.opening import reading, settings_of
from cli.options import AsJson, At, Directory, EditionCode, moment


def status(edition: EditionCode = None, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.figures import status as figures

    occasion_at = moment(at)
    with reading(settings_of(directory)) as connection:
        found = figures(connection, edition, occasion_at)
    if as_json:
        console.document(found)
    else:
        show_status(found)


def show_status(found: Mapping[str, Any]) -> None:
    """Write where an edition stands, and since when it is closed."""
    console.line(f"{found['title']} ({found['edition']}), {console.when(found['at'])}")
    if found["closed_at"]:
        console.tell("closed_on", at=console.when(found["closed_at"]))
    show_figures(found)
    show_set_aside(found["set_aside"])


def show_figures(found: Mapping[str, Any]) -> None:
    """Write the figures of an edition as tables."""
    _counts("participations", "state", "state", found["participations"])
    console.table(heading("key_figures"), ("subject", "count"), _key_figures(found), ("count",))
    _handoffs("handoffs", "handoff_status", found["handoffs"])
    _handoffs("returns", "return_status", found["returns"])
    _counts("deadlines", "status", "deadline_status", found["deadlines"])
    _counts("messages", "status", "message_status", found["messages"])
    if found["desk"]:
        _counts("desk", "role", "role", found["desk"])
    if found["evaluation"]["questions"] or found["evaluation"]["sample"]:
        show_results(found["evaluation"])


def _key_figures(found: Mapping[str, Any]) -> list[tuple[str, object]]:
    return [
        (heading("places"), found["places"]),
        (heading("cancelled_places"), found["places_cancelled"]),
        (heading("filled_places"), found["places_filled"]),
        (heading("fill_rate"), console.percent(found["fill_rate"])),
        (heading("overdue"), found["overdue"]),
        (heading("reminders"), found["reminders"]),
        (heading("escalations"), found["escalations"]),
    ]


def _counts(title: str, column: str, group: str, counts: Mapping[str, int]) -> None:
    rows: list[tuple[str, int]] = [(console.named(group, code), n) for code, n in counts.items() if n]
    rows.append((heading("total"), sum(counts.values())))
    console.table(heading(title), (column, "count"), rows, ("count",))


def _handoffs(title: str, group: str, handoffs: Mapping[str, Mapping[str, int]]) -> None:
    rows = [
        (institute_name(code), console.named(group, status), n)
        for code, statuses in handoffs.items()
        for status, n in statuses.items()
    ]
    if rows:
        console.table(heading(title), ("institute", "status", "count"), rows, ("count",))


def institute_name(code: str) -> str:
    """Return an institute's code, or what stands for none."""
    from actions.figures import TO_ROUTE

    return heading("unrouted") if code == TO_ROUTE else code


def show_set_aside(rows: list[Mapping[str, Any]]) -> None:
    """Write what the jobs could not handle, if anything."""
    if rows:
        told = [(row["reference"], console.named("job", row["job"]), row["error"], row["tries"]) for row in rows]
        console.table(heading("set_aside"), ("reference", "job", "error", "tries"), told, ("tries",), ("reference",))
