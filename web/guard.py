"""What no request gets past: the rate limits, too long a body, a form that another site has a reader send."""

import re
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.barred import Barred
from web.errors import answer
from web.limiting import Limiter
from web.surroundings import address_of

MOST_BYTES = 1_000_000
MOST_BYTES_OF_A_DOCUMENT = 5_000_000
_DOCUMENTS = re.compile(r"/api/v1/handoffs/[^/]+/documents")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ALWAYS = "/health/live"  # whoever watches the process must hear it, however busy it is


class Guard:
    """Stands inside the frame, so that its refusals are answers like any other."""

    def __init__(self, app: ASGIApp, limiter: Limiter, public_url: str) -> None:
        """Know the limits, and the name under which people reach this application."""
        self._app, self._limiter = app, limiter
        self._public = urlsplit(public_url).netloc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            if scope["path"] != _ALWAYS:
                self._limiter.request_from(address_of(request))
            _refuse_other_sites(request.method, request.headers, self._public)
            most = _most_bytes(scope)
            _refuse_long(request.headers, most)
        except Barred as barred:
            await answer(request, barred)(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, most), send)


def _refuse_other_sites(method: str, headers: Headers, public: str) -> None:
    """Refuse what another site has a browser send. Raises Barred (`other_site`).

    Browsers say where a request comes from: by Sec-Fetch-Site over https, by Origin everywhere. Who sends neither is no
    browser, hence has nobody's session; nor has a token, which no browser adds by itself.
    """
    if method in _SAFE or headers.get("authorization", "").lower().startswith("bearer "):
        return
    if site := headers.get("sec-fetch-site"):
        same = site in {"same-origin", "none"}
    else:
        origin = headers.get("origin")
        same = origin is None or _site_of(origin) in {public, headers.get("host", "")} - {""}
    if not same:
        raise Barred("other_site", HTTPStatus.FORBIDDEN)


def _site_of(origin: str) -> str:
    """Return the host and port of an Origin; nothing for what is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _most_bytes(scope: Scope) -> int:
    """Return how long a body may be: only the route that takes documents takes more."""
    takes_documents = scope["method"] == "POST" and _DOCUMENTS.fullmatch(scope["path"])
    return MOST_BYTES_OF_A_DOCUMENT if takes_documents else MOST_BYTES


def _refuse_long(headers: Headers, most: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise Barred("body_too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, limit=most)


def _bounded(receive: Receive, most: int) -> Receive:
    """Stop a body that does not say its length beforehand once it is too long."""
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)  # FastAPI lets its own kind through
        return message

    return bounded
