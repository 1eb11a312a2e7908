"""What a webhook says and how it is signed, by the Standard Webhooks scheme: identifiers only, never personal data.

A receiver checks the signature, keeps the `webhook-id` (the same on every try) to know what it has already seen, and
the `sequence` to put events in order: they may arrive in any.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from standardwebhooks import Webhook as Signer

from core.clock import iso
from states.names import HandoffStatus, Purpose

PING = "ping"
TYPES: Mapping[tuple[Purpose, HandoffStatus], str] = MappingProxyType(
    {
        (Purpose.TRANSFER, status): f"handoff.{status}"
        for status in (
            HandoffStatus.OFFERED,
            HandoffStatus.ACCEPTED,
            HandoffStatus.DECLINED,
            HandoffStatus.TIMED_OUT,
            HandoffStatus.COMPLETED,
            HandoffStatus.CLOSED,
        )
    }
    | {
        (Purpose.EVALUATION, status): f"return.{status}"
        for status in (
            HandoffStatus.OFFERED,
            HandoffStatus.HELD,
            HandoffStatus.ACCEPTED,
            HandoffStatus.DECLINED,
            HandoffStatus.COMPLETED,
            HandoffStatus.CLOSED,
        )
    }
)
"""The type of the event by which an institute hears that a round reached a status; none: nothing to hear."""

GIVE_UP_AFTER = timedelta(days=3)
BOTH_SECRETS_FOR = timedelta(hours=24)
_DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
_JITTER = 0.2  # of the delay, on top of it
_LONGEST_PAUSE = timedelta(days=1)
_MAY_ASK_FOR_A_PAUSE = ("429", "503")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing to tell a receiver; all but a ping is about a round of a handoff. `sequence` is its journal entry's."""

    type: str
    at: datetime
    reference: str | None = None
    purpose: str | None = None
    round: int | None = None
    status: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: an HTTP status, or a short code of why there is none. What the receiver wrote is not kept."""

    code: str
    retry_after: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the receiver has it: any 2xx."""
        return len(self.code) == len("200") and self.code.startswith("2")

    @property
    def gone(self) -> bool:
        """Whether the receiver asks never to be called again."""
        return self.code == "410"


def body(event: Event, public_url: str) -> str:
    """Return what is sent: the same bytes on every try."""
    link = f"{public_url.rstrip('/')}/api/v1/handoffs/{event.reference}"
    data = {
        "reference": event.reference,
        "purpose": event.purpose,
        "round": event.round,
        "status": event.status,
        "sequence": event.sequence,
        "link": link,
    }
    content = {"type": event.type, "timestamp": iso(event.at), "data": data if event.reference else {}}
    return json.dumps(content, separators=(",", ":"))


# ------------------------------------------------------------------------------------------------------------- secrets
def secret(key: bytes, endpoint_id: int, url: str, generation: int) -> str:
    """Return the secret that a receiver checks signatures with, derived from ours: nothing of it is stored.

    The address is part of it: a database set up anew with the same key gives nobody the secret of another.
    """
    derived = hmac.digest(key, f"webhook\n{endpoint_id}\n{generation}\n{url}".encode(), "sha256")
    return f"whsec_{base64.b64encode(derived).decode()}"


def generations(generation: int, rotated_at: datetime | None, wall: datetime) -> Sequence[int]:
    """Return which generations of a secret sign now: for a day after a change, the one before too."""
    recent = rotated_at is not None and wall < rotated_at + BOTH_SECRETS_FOR
    return (generation, generation - 1) if recent else (generation,)


def signed(webhook_id: str, text: str, secrets: Sequence[str], wall: datetime) -> dict[str, str]:
    """Return the headers of one try; `wall` is its moment, which receivers compare with their own clock."""
    moment = wall.astimezone(UTC)
    signatures = (Signer(each).sign(webhook_id, moment, text) for each in secrets)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


# --------------------------------------------------------------------------------------------------------- trying again
def next_try(webhook_id: str, attempts: int, wall: datetime, failing_since: datetime) -> datetime:
    """Return when (wall) an event is tried again after so many attempts: ever later, at last when it is given up.

    The delay is lengthened by up to a fifth, by the event's id: what failed together does not come back together.
    """
    delay = _DELAYS[min(attempts, len(_DELAYS)) - 1]
    spread = hashlib.sha256(f"{webhook_id}/{attempts}".encode()).digest()[0] / 0xFF
    return min(wall + delay * (1 + _JITTER * spread), max(wall, failing_since + GIVE_UP_AFTER))


def pause_until(answer: Answer, wall: datetime) -> datetime | None:
    """Return until when (wall) a receiver asked to be left alone, a day at most."""
    if answer.code not in _MAY_ASK_FOR_A_PAUSE or not answer.retry_after:
        return None
    asked = answer.retry_after.strip()
    if asked.isascii() and asked.isdigit():
        return wall + min(timedelta(seconds=min(int(asked[:9]), 10**8)), _LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(asked)
    except (ValueError, OverflowError):
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until, wall), wall + _LONGEST_PAUSE)
