"""The command `entrapprendre`: a table of the commands, and `run`, which calls one and turns errors into answers."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from cli import (
    acting,
    batches,
    console,
    contacts,
    demo,
    desk,
    evaluation,
    extending,
    failures,
    frame,
    handoffs,
    importing,
    journal,
    outbox,
    process,
    replanning,
    report,
    returns,
    routes,
    sessions,
    setting_up,
    show,
    simulating,
    status,
    ticking,
    tokens,
    upcoming,
    web,
    webhooks,
)
from cli.options import told
from core.errors import InvalidFile, ProductError, UsageError
from notifications import refusals
from notifications.words import label

_INTERRUPTED = 130
_HELP_WIDTH = 110

Command = Callable[..., Any]

COMMANDS: dict[str, Command] = {
    "init": setting_up.init,
    "act": acting.act,
    "retry": acting.retry,
    "extend": extending.extend,
    "tick": ticking.tick,
    "status": status.status,
    "report": report.report,
    "show": show.show,
    "upcoming": upcoming.upcoming,
    "simulate": simulating.simulate,
    "process": process.process,
    "migrate": replanning.migrate,
    "demo": demo.demo,
    "web": web.web,
}
# A group's own function, where it has one, runs when no command of the group is named.
GROUPS: dict[str, tuple[Command | None, dict[str, Command]]] = {
    "import": (
        None,
        {
            "offers": importing.offers,
            "registrations": importing.registrations,
            "preparations": importing.preparations,
        },
    ),
    "handoffs": (
        handoffs.handoffs,
        {
            "offer": handoffs.offer,
            "accept": handoffs.accept,
            "decline": handoffs.decline,
            "hold": handoffs.hold,
            "complete": handoffs.complete,
            "note": handoffs.note,
            "batches": batches.listing,
            "accept-all": batches.accept_all,
            "decline-all": batches.decline_all,
            "export": batches.export,
        },
    ),
    "returns": (None, {"accept": returns.accept, "decline": returns.decline, "offer": returns.offer}),
    "sessions": (
        sessions.listing,
        {
            "show": sessions.show,
            "plan": sessions.plan,
            "change": sessions.change,
            "cancel": sessions.cancel,
            "invite": sessions.invite,
            "attend": sessions.attend,
        },
    ),
    "evaluation": (
        None,
        {
            "questions": evaluation.questions,
            "answer": evaluation.answer,
            "draw": evaluation.draw,
            "sample": evaluation.sample,
            "replace": evaluation.replace,
            "interview": evaluation.interview,
            "comment": evaluation.comment,
            "results": evaluation.results,
        },
    ),
    "contacts": (
        contacts.listing,
        {"add": contacts.add, "gone": contacts.gone, "hold": contacts.hold, "back": contacts.back},
    ),
    "desk": (desk.desk, {"take": desk.take, "postpone": desk.postpone, "done": desk.done}),
    "outbox": (outbox.outbox, {"retry": outbox.retry}),
    "journal": (None, {"verify": journal.verify}),
    "routes": (None, {"check": routes.check, "preview": routes.preview, "apply": routes.change}),
    "tokens": (None, {"create": tokens.create, "list": tokens.listing, "revoke": tokens.revoke}),
    "webhooks": (
        None,
        {
            "add": webhooks.add,
            "list": webhooks.show,
            "deliveries": webhooks.deliveries,
            "replay": webhooks.replay,
            "disable": webhooks.disable,
            "enable": webhooks.enable,
            "rotate": webhooks.rotate,
            "test": webhooks.try_out,
        },
    ),
}


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        console.line(version("entrapprendre"))
        raise typer.Exit


def _top(
    _: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version, help=told("app_version"))] = False,
) -> None:
    pass


def build() -> typer.Typer:
    """Put the commands together, each with its words from the catalogue."""
    app = _group(no_args_is_help=True)
    app.callback(help=label("command", "entrapprendre"))(_top)
    for name, function in COMMANDS.items():
        app.command(name, cls=frame.Command, help=label("command", name))(function)
    for name, (own, commands) in GROUPS.items():
        group = _group(no_args_is_help=own is None)
        if own is not None:
            group.callback(invoke_without_command=True, help=label("command", name))(own)
        for command, function in commands.items():
            group.command(command, cls=frame.Command, help=label("command", f"{name}_{command}"))(function)
        app.add_typer(group, name=name, help=label("command", name))
    return app


def _group(*, no_args_is_help: bool) -> typer.Typer:
    return typer.Typer(
        cls=frame.Group,
        add_completion=False,
        rich_markup_mode=None,
        no_args_is_help=no_args_is_help,
        context_settings={"max_content_width": _HELP_WIDTH},
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status; whatever goes wrong is said, never thrown."""
    try:
        _check_text(arguments)
        result = build()(list(arguments), prog_name="entrapprendre", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit:  # Typer's own answer to a reader that had enough
        return failures.DONE
    except BrokenPipeError:  # the same, found out a moment later
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failures.DONE
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place where a fault can become a sentence
        return _refuse(error, as_json="--json" in arguments)
    return result if isinstance(result, int) else failures.DONE


def _check_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError("bad_text") from None


def _refuse(error: Exception, *, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        console.note(str(error))
        return failures.WRONG_USAGE
    told_error: ProductError = failures.known(error)
    console.note(refusals.sentence(told_error))
    if as_json:
        console.document(refusals.refusal(told_error))
    else:
        _explain(told_error)
    return failures.status(told_error)


def _explain(error: ProductError) -> None:
    """Say what would be possible, what changed, or each fault of a file."""
    for text in refusals.details(error):
        console.note(text)
    if isinstance(error, InvalidFile):
        importing.show_problems(refusals.problems(error.problems), err=True)


def main() -> None:
    """Be the console script."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # what a terminal cannot show
    sys.exit(run(sys.argv[1:]))
