"""`evaluation`: the questionnaire and its answers, the sample seen in person, comments, and what it all says."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli import console
from cli.acting import who
from cli.console import heading
from cli.opening import database, reading, settings_of
from cli.options import AsJson, At, By, Directory, EditionCode, Reason, Reference, local_day, moment, told
from core.clock import wall_now
from core.errors import LostRace, UsageError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from actions.occasion import Actor, Occasion

_MOST_TRIES = 5
_Result = TypeVar("_Result")
Work = Callable[["Connection", "Actor", "Occasion"], _Result]

Answers = Annotated[str, typer.Option("--data", metavar="JSON", help=told("answers"))]
On = Annotated[str, typer.Option("--on", metavar="DATE", help=told("on"))]
Words = Annotated[str, typer.Option("--text", metavar="TEXT", help=told("comment"))]


# ------------------------------------------------------------------------------------------------------------- reading
def questions(edition: EditionCode = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.editions import current
    from actions.reading import rules_for

    with reading(settings_of(directory)) as connection:
        found = current(connection, edition)
        asked = rules_for(connection, found.revision_id).questions
    if as_json:
        console.document({"edition": found.code, "questions": [_question(each) for each in asked]})
    elif asked:
        rows = [(each.code, each.text, console.named("question_kind", each.kind), _allowed(each)) for each in asked]
        columns = ("code", "question", "kind_of_answer", "allowed")
        console.table(heading("questions"), columns, rows, whole=("code",))
    else:
        console.tell("nothing_asked", edition=found.code)


def _question(question: Any) -> dict[str, Any]:  # noqa: ANN401 - `states.questionnaire.Question`, imported late
    told: dict[str, Any] = {"code": question.code, "text": question.text, "kind": question.kind.value}
    told["required"] = question.required
    if question.most:
        told |= {"max": question.most, "lowest": question.lowest, "highest": question.highest}
    if question.options:
        told["options"] = [{"code": option.code, "text": option.text} for option in question.options]
    return told


def _allowed(question: Any) -> str:  # noqa: ANN401 - as above
    from states.questionnaire import allowed

    ends = f"{question.lowest} – {question.highest}".strip(" –")
    said = ", ".join(allowed(question)) + (f" ({ends})" if ends else "")
    return said if question.required else f"{said}, {heading('optional')}"


def sample(edition: EditionCode = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.sample import sample as drawn

    with reading(settings_of(directory)) as connection:
        found = drawn(connection, edition)
    if as_json:
        console.document(found)
    elif found["draw"] is None:
        console.tell("nobody_drawn", edition=found["edition"])
    else:
        _tell_sample(found)


def _tell_sample(found: Mapping[str, Any]) -> None:
    draw = found["draw"]
    strata = [console.named("stratum", each) for each in draw["strata"]]
    params = {"edition": found["edition"], "people": draw["people"], "seed": draw["seed"]}
    console.tell("sample_told", number=draw["number"], at=console.when(draw["at"]), strata=strata, **params)
    rows = [
        (
            each["reference"],
            each["teacher"],
            each["stratum"],
            heading("to_replace") if each["to_replace"] else console.named("drawn_status", each["status"]),
            console.when(each["interview_on"]),
            each["replaced_by"],
        )
        for each in found["drawn"]
    ]
    columns = ("reference", "person", "stratum", "status", "seen_on", "replaced_by")
    console.table("", columns, rows, whole=("reference", "seen_on", "replaced_by"))


def results(edition: EditionCode = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.figures import results as figures

    with reading(settings_of(directory)) as connection:
        found = figures(connection, edition)
    if as_json:
        console.document(found)
    else:
        console.line(f"{found['title']} ({found['edition']})")
        show_results(found)


def show_results(found: Mapping[str, Any]) -> None:
    """Write what the evaluation says, question by question, and how far the sample has come."""
    numbers = [(heading("answered"), found["answered"]), (heading("awaited"), found["missing"])]
    if found["sample"] is not None:
        numbers += [(heading(f"sample_{name}"), found["sample"][name]) for name in _PROGRESS]
    console.table(heading("evaluation"), ("subject", "count"), numbers, ("count",))
    rows = [(each["text"], each["answered"], _mean(each), _counts(each)) for each in found["questions"]]
    if rows:
        columns = ("question", "answers", "mean", "counts")
        console.table(heading("results"), columns, rows, ("answers", "mean"))


_PROGRESS = ("drawn", "interviewed", "replaced", "to_replace")


def _mean(question: Mapping[str, Any]) -> str:
    mean = question.get("mean")
    return "" if mean is None else f"{mean:.2f}".replace(".", ",")


def _counts(question: Mapping[str, Any]) -> str:
    counts = question.get("counts", {})
    if not question["answered"] or not counts:
        return ""
    if all(n is None for n in counts.values()):
        return heading("hidden")
    names = {cell: console.named("yes_no", cell) for cell in counts} | question.get("options", {})
    said = (f"{names[cell]}{_COLON}{'…' if n is None else n}" for cell, n in counts.items())
    return _SEMICOLON.join(said)


_COLON, _SEMICOLON = "\N{NO-BREAK SPACE}: ", "\N{NARROW NO-BREAK SPACE}; "


# -------------------------------------------------------------------------------------------------------------- acting
def answer(
    reference: Reference,
    by: By,
    data: Answers,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.evaluation import answer as keep

    given = _object(data)
    done = _do(directory, by, at, lambda db, actor, occasion: keep(db, reference.strip(), given, actor, occasion))
    if as_json:
        outcome = {"answers": done.answers, "from": done.before, "to": done.after, "repeated": done.repeated}
        waits = {"waits_for_interview": done.waits_for_interview}
        console.document({"reference": done.reference, **outcome, **waits})
    else:
        code = "answered_again" if done.repeated else "answers_wait" if done.waits_for_interview else "answered"
        console.tell(code, reference=done.reference, count=done.answers)


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object. Raises UsageError (`bad_answers_json`)."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError("bad_answers_json") from None
    if not isinstance(data, dict):
        raise UsageError("bad_answers_json")
    return data


def draw(
    by: By,
    edition: EditionCode = None,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.drawing import draw as make

    done = _do(directory, by, at, lambda db, actor, occasion: make(db, edition, actor, occasion, reason))
    if as_json:
        picks = [{"reference": each.reference, "stratum": each.stratum} for each in done.picks]
        console.document({"edition": done.edition, "draw": done.number, "people": done.people, "drawn": picks})
    else:
        console.tell("drawn", edition=done.edition, count=len(done.picks), people=done.people, new=done.new)


def replace(
    reference: Reference,
    by: By,
    reason: Reason = "",
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.sample import replace as make

    done = _do(directory, by, at, lambda db, actor, occasion: make(db, reference.strip(), reason, actor, occasion))
    if as_json:
        console.document({"reference": done.reference, "replaced_by": done.by, "stratum": done.stratum})
    else:
        code = "replaced" if done.by else "replaced_by_nobody"
        console.tell(code, reference=done.reference, by=done.by, stratum=done.stratum)


def interview(
    reference: Reference,
    by: By,
    on: On,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.sample import record_interview

    day = local_day(on)
    new = _do(
        directory, by, at, lambda db, actor, occasion: record_interview(db, reference.strip(), day, actor, occasion)
    )
    if as_json:
        console.document({"reference": reference.strip(), "on": day.isoformat(), "repeated": not new})
    else:
        console.tell("interviewed" if new else "interviewed_already", reference=reference.strip(), on=day)


def comment(
    reference: Reference,
    by: By,
    text: Words,
    at: At = None,
    as_json: AsJson = False,
    directory: Directory = None,
) -> None:
    from actions.evaluation import comment as keep

    seq = _do(directory, by, at, lambda db, actor, occasion: keep(db, reference.strip(), text, actor, occasion))
    if as_json:
        console.document({"reference": reference.strip(), "seq": seq})
    else:
        console.tell("commented", reference=reference.strip())


def _do(directory: "Path | None", by: str, at: str | None, work: Work[_Result]) -> _Result:
    """Do one thing in a transaction of its own, in somebody's name; a lost race is tried again before it is told."""
    from actions.occasion import Occasion
    from actions.people import actor

    role, email = who(by)
    occasion_at: datetime = moment(at)
    with database(settings_of(directory)) as engine:

        def once() -> _Result:
            with engine.begin() as connection:
                return work(connection, actor(connection, role, email, "cli"), Occasion(occasion_at, wall_now()))

        for _ in range(_MOST_TRIES - 1):
            with suppress(LostRace):
                return once()
        return once()
