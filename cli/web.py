"""`web`: the web application and the API alone."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli import console, failures
from cli.opening import database, settings_of
from cli.options import Directory, told
from core.errors import ProductError
from notifications.words import say

if TYPE_CHECKING:
    import socket

    from sqlalchemy import Engine

    from core.settings import Settings

_LAST_PORT = 65_535

Port = Annotated[int, typer.Option("--port", metavar="N", min=0, max=_LAST_PORT, help=told("port"))]
Host = Annotated[str, typer.Option("--host", metavar="H", help=told("host"))]


def web(port: Port = 8000, host: Host = "127.0.0.1", directory: Directory = None) -> int:
    from web.serving import bind

    settings = settings_of(directory)
    with database(settings) as engine:
        _must_be_ready(engine)
        with bind(host, port) as listening:
            _must_be_safe(settings, listening)
            return _serve(settings, engine, listening)


def _must_be_ready(engine: "Engine") -> None:
    from wiring.database import is_at_head

    if not is_at_head(engine):
        raise ProductError("not_migrated")


def _must_be_safe(settings: "Settings", listening: "socket.socket") -> None:
    """Refuse to let others in without a secret key of one's own."""
    from web.serving import is_loopback

    if not settings.secret_key.get_secret_value() and not is_loopback(listening):
        raise ProductError("no_key_for_others")


def _serve(settings: "Settings", engine: "Engine", listening: "socket.socket") -> int:
    from core import logs
    from web.app import create_app
    from web.serving import address, serve
    from wiring.workshop import make_workshop

    logs.to_stderr("web")
    app = create_app(make_workshop(settings, engine), settings)
    try:
        serve(app, listening, lambda: console.note(say("web_started", address=address(listening))))
    except KeyboardInterrupt:
        console.note(say("web_stopped"))
    return failures.DONE
