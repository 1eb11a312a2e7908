"""For whoever watches the process: whether it lives, and whether it is ready to work."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from core import faults
from wiring.database import is_at_head


def live(_: Request) -> Response:
    """Answer: nothing else is asked."""
    return JSONResponse({"status": "live"})


def ready(request: Request) -> Response:
    """Tell whether the database answers and is the one that this code is written for."""
    try:
        code = "" if is_at_head(request.app.state.surroundings.workshop.engine) else "not_migrated"
    except Exception as error:  # noqa: BLE001 - whatever is wrong, it is not ready
        code = faults.known(error).code
    if code:
        return JSONResponse({"status": "not_ready", "code": code}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ready"})


def register(app: FastAPI) -> None:
    """Add both."""
    app.add_route("/health/live", live, methods=["GET"], name="live")
    app.add_route("/health/ready", ready, methods=["GET"], name="ready")
