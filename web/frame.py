"""The outermost layer: every answer has its request id and its security headers, and every fault becomes an answer."""

import logging
import re
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import logs
from web.errors import answer

_LOG = logging.getLogger(__name__)
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STATIC, _KEPT = "/static/", "public, max-age=3600"
_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ONLY_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}


class Frame:
    """Stands around everything else, the framework's own errors included."""

    def __init__(self, app: ASGIApp, public_url: str) -> None:
        """Know which headers to send."""
        self._app = app
        self._headers = {**_HEADERS, **(_ONLY_HTTPS if urlsplit(public_url).scheme == "https" else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = number
        current = logs.request_id.set(number)
        began, status = perf_counter(), 0

        async def framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                is_asset = scope["path"].startswith(_STATIC) and status < HTTPStatus.BAD_REQUEST
                headers = {**self._headers, "X-Request-ID": number, "Cache-Control": _KEPT if is_asset else "no-store"}
                MutableHeaders(scope=message).update(headers)
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception as error:
            if status:  # the answer has begun: all that is left is to break it off
                _LOG.exception("an answer broke off")
                raise
            await answer(Request(scope), error)(scope, receive, framed)
        finally:
            _note(scope, status, perf_counter() - began)
            logs.request_id.reset(current)


def _request_id(headers: Headers) -> str:
    """Return the caller's number of a request, if it is one that logs can hold; else one of ours."""
    given = headers.get("x-request-id", "")
    return given if _SAFE_ID.fullmatch(given) else secrets.token_hex(8)


def _note(scope: Scope, status: int, seconds: float) -> None:
    """Note a request: what it asked for by name, never its path or its address, in which people may stand."""
    asked = getattr(scope.get("endpoint"), "__name__", None)
    data = {"method": scope["method"], "asked": asked, "status": status, "ms": round(seconds * 1000, 1)}
    if token := scope["state"].get("token"):
        data["token"] = token
    _LOG.info("request", extra={"data": data})
