"""What the API takes and gives, as its document says it. Values are taken as they are: `"5"` is no number."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from actions.apply import LONGEST_TEXT
from core.clock import parse_moment
from core.errors import UsageError
from notifications.plain import squeeze
from states.names import Cause, HandoffStatus, Purpose, Trigger
from web.api.cursors import Cursor, read_cursor

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_SAFE_CONTROLS = frozenset("\n\r\t")
_LONGEST_KEY = 200
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _instant(given: object) -> datetime:
    """Read a moment that says its offset: a program of another country has other hours."""
    text = str(given)
    fault = PydanticCustomError("bad_instant", "an ISO 8601 moment with an offset is expected")
    if "T" not in text or not (text.endswith("Z") or set(text[-6:]) & {"+", "-"}):
        raise fault
    try:
        moment = parse_moment(text)
    except UsageError:
        raise fault from None
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise fault
    return moment


def _cursor(given: object) -> Cursor:
    found = read_cursor(str(given))
    if found is None:
        raise PydanticCustomError("bad_cursor", "a cursor of an earlier page is expected")
    return found


def readable(text: str) -> str:
    """Refuse what is no text: a database would."""
    if any(character < " " and character not in _SAFE_CONTROLS for character in text) or "\x7f" in text:
        raise PydanticCustomError("bad_characters", "control characters are not allowed")
    return squeeze(text)


def _said(text: str) -> str:
    if not text:  # nothing was left of it
        raise PydanticCustomError("missing", "a text is expected")
    return text


def _day(given: object) -> date:
    """Read a day as it is written: neither a moment nor a number."""
    text = str(given)
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year < _LAST_YEAR:
        raise PydanticCustomError("bad_day", "a day is expected")
    return day


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"}, mode="validation")]
Instant = Annotated[
    datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"}, mode="validation")
]
Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT), AfterValidator(readable)]
Said = Annotated[Text, StringConstraints(min_length=1), AfterValidator(_said)]
OneOfMany = Annotated[str, StringConstraints(max_length=100)]
Key = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", min_length=1, max_length=_LONGEST_KEY)]


class Taken(BaseModel):
    """Something a caller gives: nothing that we would not look at."""

    model_config = ConfigDict(strict=True, extra="forbid")


class ListQuery(Taken):
    """Which handoffs to list."""

    status: Annotated[
        list[Annotated[HandoffStatus, Field(strict=False)]],
        Field(max_length=len(HandoffStatus), description="Only these statuses; repeat the name for several."),
    ] = []
    purpose: Annotated[
        Purpose | None,
        Field(
            strict=False,
            description="`transfer`: what was offered to your institute; `evaluation`: what it handed back to IFC.",
        ),
    ] = None
    edition: Annotated[
        str | None, Field(max_length=100, description="Only this edition, by its code.", examples=["2018-2019"])
    ] = None
    changed_since: Annotated[
        Instant | None,
        Field(
            description="Only what was written down at or after this moment, ISO 8601 with an offset. Give the "
            "`next_changed_since` of your last listing to miss nothing.",
            examples=["2019-01-28T08:00:00Z"],
        ),
    ] = None
    limit: Annotated[int, Field(strict=False, ge=1, le=200, description="At most so many on a page.")] = 50
    cursor: Annotated[
        Annotated[Cursor, BeforeValidator(_cursor), WithJsonSchema({"type": "string"})] | None,
        Field(description="The `next_cursor` of the page before, with the same filters."),
    ] = None


class Decline(Taken):
    """Why a handoff is declined."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"cause": "no_session", "reason": "Aucune session avant juin."}]}
    )

    cause: Annotated[Cause, Field(strict=False, description="`other` needs a `reason`.")]
    reason: Annotated[Text, Field(description="In words, kept in the journal and told to IFC.")] = ""

    @model_validator(mode="after")
    def _explained(self) -> "Decline":
        if self.cause is Cause.OTHER and not self.reason:
            raise PydanticCustomError("reason_needed", "the cause `other` needs a reason")
        return self


class Links(BaseModel):
    """Where to go from a handoff: what is not possible now is null."""

    self: str
    accept: str | None = None
    decline: str | None = None
    complete: str | None = None
    return_: Annotated[str | None, Field(alias="return")] = None
    packet: Annotated[str | None, Field(description="Of this round, as it was offered.")] = None


class Handoff(BaseModel):
    """One round of the relay of one participation."""

    reference: Annotated[str, Field(description="The participation's.", examples=["2018-2019-0042"])]
    edition: Annotated[str, Field(examples=["2018-2019"])]
    round: Annotated[int, Field(description="1, 2, …: a round that is declined or times out is followed by another.")]
    purpose: Purpose
    status: HandoffStatus
    from_: Annotated[str, Field(alias="from", description="The organisation that hands over.", examples=["IFC"])]
    to: Annotated[str | None, Field(description="The organisation that receives.", examples=["FCC"])]
    since: Annotated[str, Field(description="Since when it has this status.", examples=["2019-01-29T08:00:00+01:00"])]
    changed_at: Annotated[str, Field(description="When that was written down: what `changed_since` looks at.")]
    offered_at: str | None
    answer_by: Annotated[str | None, Field(description="By when to accept or decline, while it is `offered`.")]
    because: Annotated[list[str], Field(description="Codes: why it was declined.", examples=[["no_session"]])]
    packet_sha256: Annotated[
        str | None,
        Field(description="SHA-256, in hexadecimal, of the packet; null when there is none."),
    ]
    links: Links


class HandoffPage(BaseModel):
    """A page of the list."""

    items: list[Handoff]
    next_cursor: Annotated[str | None, Field(description="Give it as `cursor` for the next page; null on the last.")]
    next_changed_since: Annotated[
        str,
        Field(
            description="Give it as `changed_since` the next time you list. It lies a while before this listing began, "
            "so that nothing still being written is missed; you may see the same change twice, never none.",
            examples=["2019-01-29T07:50:00Z"],
        ),
    ]


class HandoffRounds(BaseModel):
    """All that an institute sees of one participation's relay."""

    reference: str
    edition: str
    allowed: Annotated[
        list[str], Field(description="What your institute may do now.", examples=[["accept", "decline"]])
    ]
    rounds: list[Handoff]
    links: Links


class Done(BaseModel):
    """What an act did, as the journal has it: the same however often it is asked for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "reference": "2018-2019-0042",
                    "subject": "handoff",
                    "trigger": "accept",
                    "from": "offered",
                    "to": "accepted",
                    "seq": 9,
                    "at": "2019-01-30T09:12:00+01:00",
                }
            ]
        }
    )

    reference: str
    subject: Literal["handoff", "participation", "return"]
    trigger: Trigger
    from_: Annotated[str, Field(alias="from")]
    to: str
    seq: Annotated[int, Field(description="Its number in the participation's journal.")]
    at: str


class Problem(BaseModel):
    """One value that does not fit."""

    where: Annotated[str, Field(examples=["body.cause"])]
    code: Annotated[str, Field(examples=["value_choice"])]
    reason: str


class Refusal(BaseModel):
    """Why not."""

    code: Annotated[str, Field(description="Stable, in English.", examples=["wrong_state"])]
    reason: Annotated[str, Field(description="A sentence in French, for people.")]
    state: Annotated[str | None, Field(description="Where your round stands.", examples=["timed_out"])] = None
    allowed: Annotated[list[str], Field(description="What would be possible instead.")] = []
    problems: Annotated[list[Problem], Field(description="Only with `bad_values`.")] = []


class Refused(BaseModel):
    """The one form of everything that is not done."""

    refused: Refusal


class Outcome(BaseModel):
    """What became of one of several things asked together: `done`, `refused`, or neither: it was so before."""

    reference: str
    done: Done | None
    refused: Refusal | None


class Outcomes(BaseModel):
    """What became of each; nobody's refusal stops another."""

    outcomes: list[Outcome]


# -------------------------------------------------------------------------------------------------------------- batches
class BatchDay(BaseModel):
    """A day on which something was offered."""

    day: Annotated[str, Field(examples=["2019-01-29"])]
    handoffs: Annotated[
        dict[str, int], Field(description="How many stand where now.", examples=[{"offered": 2, "accepted": 7}])
    ]


class BatchDays(BaseModel):
    """All such days, the latest first."""

    items: list[BatchDay]


class BatchMember(BaseModel):
    """One round that was offered on a day."""

    reference: Annotated[str, Field(examples=["2018-2019-0042"])]
    round: int
    status: HandoffStatus
    packet_sha256: str | None


class Batch(BaseModel):
    """What was offered on one day."""

    day: str
    items: list[BatchMember]


class PaperLinks(BaseModel):
    """Where a document is fetched."""

    self: str


class Paper(BaseModel):
    """A document that your institute added."""

    sha256: str
    name: Annotated[str, Field(description="A name of ours; the one it had is not kept.")]
    media_type: Literal["application/pdf", "image/png", "image/jpeg"]
    size: Annotated[int, Field(description="In bytes.")]
    added_at: str
    links: PaperLinks


class Papers(BaseModel):
    """All of a transfer."""

    items: list[Paper]


class NoteText(Taken):
    """What your institute notes on a transfer."""

    text: Annotated[Said, Field(examples=["Lien avec le référentiel : usinage à commande numérique."])]


def refusals(**why: str) -> dict[int | str, dict[str, Any]]:
    """Return the documented refusals of a route, by status: `_409="…"`."""
    return {int(status[1:]): {"model": Refused, "description": text} for status, text in why.items()}
