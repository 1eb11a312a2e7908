"""`tokens`: what lets an institute's program use the API, shown once when it is made."""

from typing import Annotated

import typer

from cli import console
from cli.opening import reading, settings_of, writing
from cli.options import AsJson, At, Directory, moment, told
from core.clock import iso
from notifications.words import say

Institute = Annotated[str, typer.Option("--institute", metavar="CODE", help=told("token_institute"))]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help=told("label"))]
Prefix = Annotated[str, typer.Argument(metavar="PREFIX", help=told("prefix"))]


def create(
    institute: Institute, label: Label, at: At = None, as_json: AsJson = False, directory: Directory = None
) -> None:
    from actions.tokens import create as make

    with writing(settings_of(directory)) as connection:
        text, kept = make(connection, institute, label, moment(at))
    if as_json:
        console.document({"token": text, **kept})
        return
    console.line(text)
    console.note(say("token_created", **kept))


def listing(as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.tokens import tokens

    with reading(settings_of(directory)) as connection:
        found = tokens(connection)
    if as_json:
        console.document({"tokens": found})
        return
    if not found:
        console.tell("no_tokens")
        return
    columns = ("prefix", "institute", "label", "created", "last_used", "revoked")
    moments = ("created_at", "last_used_at", "revoked_at")
    rows = [
        (each["prefix"], each["institute"], each["label"], *(console.when(each[name]) for name in moments))
        for each in found
    ]
    console.table(console.heading("tokens"), columns, rows, whole=("prefix", "created", "last_used", "revoked"))


def revoke(prefix: Prefix, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.tokens import revoke as take_back

    occasion_at = moment(at)
    with writing(settings_of(directory)) as connection:
        kept = take_back(connection, prefix, occasion_at)
    if as_json:
        console.document(kept)
    elif kept["revoked_at"] == iso(occasion_at):
        console.tell("token_revoked", prefix=kept["prefix"])
    else:
        console.tell("token_revoked_already", prefix=kept["prefix"], since=console.when(kept["revoked_at"]))
