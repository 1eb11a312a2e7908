"""Serving the application: a socket of our own, so that a port that is taken is told before anything starts."""

import errno
import ipaddress
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from core.errors import ProductError, UsageError

_SECONDS_TO_FINISH = 10


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any that is free.

    Raises UsageError (`bad_host`), ProductError (`port_taken`, `port_forbidden`).
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except (socket.gaierror, UnicodeError) as error:
        raise UsageError("bad_host", value=host) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ProductError("port_taken", port=port) from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise ProductError("port_forbidden", port=port) from error
        raise UsageError("bad_host", value=host) from error


def is_loopback(listening: socket.socket) -> bool:
    """Tell whether only this machine can reach a socket."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def address(listening: socket.socket) -> str:
    """Return where a browser finds a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def serve(app: FastAPI, listening: socket.socket, started: Callable[[], None]) -> None:
    """Serve until a signal comes; what is being answered is answered first, within ten seconds."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # it would keep addresses; the frame logs each request without
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=_SECONDS_TO_FINISH,
    )
    started()
    uvicorn.Server(config).run(sockets=[listening])
