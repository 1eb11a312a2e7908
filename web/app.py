"""`create_app`: puts the web application together."""

from pathlib import Path

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.staticfiles import StaticFiles

from core.clock import Clock
from core.settings import Settings
from jobs.workshop import Workshop
from web import errors, health, pages
from web.api import ROUTERS
from web.frame import Frame
from web.guard import Guard
from web.limiting import Limiter, Limits
from web.surroundings import Surroundings

_STATIC = Path(__file__).parent / "static"
_DESCRIPTION = """\
How an institute's program takes part in the relay of the programme Entr'apprendre: it lists the handoffs that its
institute received, fetches their packets, answers them, and tells of its transfer sessions.

Refusals have a stable `code` and a sentence in French. Times are ISO 8601 with an offset. A token may make 600 requests
a minute; `429` says in `Retry-After` when to come back.
"""


def create_app(
    workshop: Workshop, settings: Settings, *, now: Clock | None = None, limits: Limits | None = None
) -> FastAPI:
    """Return the application; `now` is the programme's moment of what is asked, the machine's clock by default."""
    limiter = Limiter(limits or Limits())
    app = FastAPI(
        title="Entr'apprendre",
        version="1",
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both load programs from another host
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(Frame, public_url=settings.public_url),
            Middleware(Guard, limiter=limiter, public_url=settings.public_url),
        ],
    )
    app.state.surroundings = Surroundings(workshop, settings, now or workshop.wall, limiter)
    errors.register(app)
    pages.register(app)
    health.register(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
