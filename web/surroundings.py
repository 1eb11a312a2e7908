"""What every request may need: the workshop, the clock, the limiter. Built once, by `create_app`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from actions.occasion import Occasion
from core.clock import Clock
from core.settings import Settings
from jobs.workshop import Workshop
from web.limiting import Limiter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What this application works with.

    `now` is the programme's moment of whatever is asked: the machine's clock, unless a demonstration gives another.
    """

    workshop: Workshop
    settings: Settings
    now: Clock
    limiter: Limiter

    def occasion(self) -> Occasion:
        """Return the moment of an act that is asked now."""
        return self.workshop.occasion(self.now())


def surroundings(request: Request) -> Surroundings:
    """Return what this application works with."""
    here: Surroundings = request.app.state.surroundings
    return here


Here = Annotated[Surroundings, Depends(surroundings)]


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""
