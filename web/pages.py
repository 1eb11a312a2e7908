"""Pages in French: the base template with its style sheet, the start page, the list of the API's routes, the errors."""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from notifications.words import label, say

_LANGUAGE = "fr"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(language=_LANGUAGE, say=say, word=lambda code: label("page", code))
    return made


def page(template: str, status: HTTPStatus = HTTPStatus.OK, **given: object) -> HTMLResponse:
    """Return a page."""
    return HTMLResponse(_environment().get_template(template).render(given), status)


def error_page(request: Request, status: HTTPStatus, reason: str, headers: Mapping[str, str]) -> Response:
    """Return the page of an error, with the number by which it is found in the logs."""
    code = str(int(status))
    title = label("error_page", code if code in _TITLED else "other")
    answer = page("error.html", status, title=title, code=code, reason=reason, request_id=request.state.request_id)
    answer.headers.update(headers)
    return answer


_TITLED = frozenset({"400", "401", "403", "404", "405", "409", "413", "422", "429", "500", "503"})


def start(_: Request) -> Response:
    """Say what this service is."""
    return page("start.html")


def api(request: Request) -> Response:
    """List the routes of the API, from the document that describes them."""
    described = request.app.openapi()
    return page("api.html", operations=list(_operations(described)))


def _operations(described: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield {"method": method.upper(), "path": path, **{name: operation[name] for name in _SHOWN}}


_SHOWN = ("summary", "description")


def register(app: FastAPI) -> None:
    """Add the pages; they answer HEAD too."""
    app.add_route("/", start, methods=["GET"], name="start")
    app.add_route("/api", api, methods=["GET"], name="api")
