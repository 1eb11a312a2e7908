"""What the routes of the API share: their refusals, the names in their addresses, what an act gives back."""

from typing import Annotated, Any

from fastapi import Header, Path, Response

from core.errors import NotFound
from web.api.shapes import Key, refusals
from web.errors import refused

PREFIX = "/api/v1"
_LONGEST_REFERENCE = 100
_REPEATED = "Idempotent-Replayed"

OPEN = refusals(
    _429="Too many requests; `Retry-After` says how many seconds to wait.",
    _503="The service is unavailable for a moment; `Retry-After` says how many seconds to wait.",
)
COMMON = OPEN | refusals(
    _401="No token, or one that is unknown or revoked.",
    _422="Something in the request does not fit; `problems` says what.",
)
ONE = COMMON | refusals(_404="Your institute has no handoff of this reference.")
BODY = refusals(_400="The request cannot be read.", _413="The body is too large.")
ACT = (
    ONE
    | BODY
    | refusals(
        _409="Not possible as things stand: `state` says where your round stands, `allowed` what is possible. "
        "`key_reused`: the key was used for something else. `lost_race`: somebody else changed it meanwhile; read "
        "again.",
    )
)

Reference = Annotated[str, Path(description="The participation's reference.", examples=["2018-2019-0042"])]
IdempotencyKey = Annotated[
    Key | None,
    Header(
        alias="Idempotency-Key",
        description="A key of your own, new for each act: repeat a call with the same key and content, and you get the "
        f"first result again, with the header `{_REPEATED}`.",
        examples=["a3f1c2"],
    ),
]


def known(reference: str, code: str = "unknown_handoff") -> str:
    """Return a reference that a database can look for. Raises NotFound (by default as for another's handoff)."""
    if len(reference) > _LONGEST_REFERENCE or not reference.isprintable():
        raise NotFound(code)
    return reference


def mark_repeated(response: Response, *, repeated: bool) -> None:
    """Say in a header that this is the result of an earlier call."""
    if repeated:
        response.headers[_REPEATED] = "true"


def outcome(reference: str, done: dict[str, Any] | None = None, refusal: Exception | None = None) -> dict[str, Any]:
    """Return what became of one of several things that were asked together."""
    return {"reference": reference, "done": done, "refused": None if refusal is None else refused(refusal)}
