"""Who calls the API: the institute whose token the request carries."""

import logging
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import DBAPIError

from actions import tokens
from actions.tokens import Bearer
from web.barred import Barred
from web.surroundings import Here, Surroundings, address_of
from wiring.database import reading

_LOG = logging.getLogger(__name__)
_SCHEME = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token of your institute, from IFC (`entr_` and 43 characters). It is shown once; keep it secret.",
)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="entrapprendre"'}


def bearer(
    request: Request, here: Here, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_SCHEME)]
) -> Bearer:
    """Return whose token it is. Raises Barred (`token_missing`, `token_refused`, `too_many_requests`).

    A token that is unknown, and one that was revoked, are answered alike.
    """
    found = None if given is None else _find(here, given.credentials)
    if found is None:
        here.limiter.stranger_at(address_of(request))
        code = "token_missing" if given is None else "token_refused"
        raise Barred(code, HTTPStatus.UNAUTHORIZED, _CHALLENGE)
    here.limiter.bearer_of(found.id)
    request.state.token = found.prefix
    _note_use(here, found)
    return found


Caller = Annotated[Bearer, Depends(bearer)]


def _find(here: Surroundings, text: str) -> Bearer | None:
    with reading(here.workshop.engine) as connection:
        return tokens.find(connection, text)


def _note_use(here: Surroundings, found: Bearer) -> None:
    """Write down the use, apart from what was asked: neither waits for, nor fails with, the other."""
    at = here.workshop.wall()
    if not tokens.is_due(found, at):
        return
    try:
        with here.workshop.transaction() as connection:
            tokens.note_use(connection, found, at)
    except DBAPIError:  # a busy database: the next request notes it
        _LOG.warning("the use of a token could not be noted", extra={"data": {"token": found.prefix}})
