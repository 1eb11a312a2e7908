"""What goes wrong, as an answer: a document for programs, a page for people; one sentence on every way in."""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core import faults
from core.errors import NotFound, ProductError, Refused, UsageError
from notifications.refusals import refusal
from notifications.sentences import said
from web.barred import Barred
from web.pages import error_page

_LOG = logging.getLogger(__name__)
API = "/api/"

_STATUS: tuple[tuple[type[ProductError], HTTPStatus], ...] = (
    (NotFound, HTTPStatus.NOT_FOUND),
    (Refused, HTTPStatus.CONFLICT),
    (UsageError, HTTPStatus.UNPROCESSABLE_ENTITY),
)
# What a framework's refusal is called here; any other is a bad request.
_CODES = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
}
# What pydantic finds wrong, as the catalogue says it; codes of ours stand for themselves.
_VALUES = {
    "missing": "value_missing",
    "extra_forbidden": "value_extra",
    "enum": "value_choice",
    "literal_error": "value_choice",
    "string_too_long": "value_too_long",
    "greater_than_equal": "value_too_small",
    "less_than_equal": "value_too_large",
    "json_invalid": "bad_body",
    "bad_instant": "bad_instant",
    "bad_day": "bad_day",
    "too_long": "value_too_many",
    "too_short": "value_missing",
    "string_too_short": "value_missing",
    "bad_cursor": "bad_cursor",
    "reason_needed": "reason_needed",
    "bad_characters": "bad_characters",
    "told_twice": "told_twice",
}
_QUOTED = re.compile(r"'([^']+)'")
_LATER = {"Retry-After": "5"}


def register(app: FastAPI) -> None:
    """Have the application answer every expected error; what is not expected is the frame's to catch."""
    for kind in (ProductError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _answered)


async def _answered(request: Request, error: Exception) -> Response:
    return answer(request, error)  # at once: a plain function would be sent to another thread


def answer(request: Request, error: Exception) -> Response:
    """Return the answer to any error."""
    status, told, headers = _told(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("a request failed", exc_info=error)
    if request.url.path.startswith(API):
        return JSONResponse(told, status, headers)
    return error_page(request, status, told["refused"]["reason"], headers)


def refused(error: Exception) -> dict[str, Any]:
    """Return why one of several things that were asked together was not done, as a refusal of its own would say it."""
    status, told, _ = _told(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _LOG.error("one of several failed", exc_info=error)
    found: dict[str, Any] = told["refused"]
    return found


def _told(error: Exception) -> tuple[HTTPStatus, dict[str, Any], Mapping[str, str]]:
    if isinstance(error, RequestValidationError):
        return _of_values(error)
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        return status, refusal(ProductError(_CODES.get(status, "bad_request"))), error.headers or {}
    known = faults.known(error)
    if isinstance(known, Barred):
        return known.status, refusal(known), known.headers
    for kind, status in _STATUS:
        if isinstance(known, kind):
            return status, refusal(known), {}
    return _of_machine(known)


def _of_machine(known: ProductError) -> tuple[HTTPStatus, dict[str, Any], Mapping[str, str]]:
    """Answer what is no fault of the caller's; what exactly is for the log, not for them."""
    if known.code == "unexpected":
        return HTTPStatus.INTERNAL_SERVER_ERROR, refusal(ProductError("web_fault")), {}
    return HTTPStatus.SERVICE_UNAVAILABLE, refusal(ProductError("web_unavailable")), _LATER


def _of_values(error: RequestValidationError) -> tuple[HTTPStatus, dict[str, Any], Mapping[str, str]]:
    told = refusal(UsageError("bad_values"))
    told["refused"]["problems"] = [_problem(each) for each in error.errors()]
    return HTTPStatus.UNPROCESSABLE_ENTITY, told, {}


def _problem(fault: Mapping[str, Any]) -> dict[str, str]:
    code = _VALUES.get(fault["type"], "value_bad")
    given = dict(fault.get("ctx") or {})
    given["allowed"] = _QUOTED.findall(str(given.get("expected", ""))) or None
    return {"where": ".".join(map(str, fault["loc"])), "code": code, "reason": said(code, given)}
