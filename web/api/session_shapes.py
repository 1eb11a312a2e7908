"""What the API takes and gives of transfer sessions."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from actions.sessions import LONGEST_PLACE, MOST_PLACES
from states.names import State
from web.api.shapes import Instant, OneOfMany, Said, Taken, readable

_MOST_AT_ONCE = 200

Place = Annotated[str, StringConstraints(max_length=LONGEST_PLACE), AfterValidator(readable)]


class SessionChange(Taken):
    """When and where a session takes place, and for how many."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "starts_at": "2019-03-22T13:30:00+01:00",
                    "ends_at": "2019-03-22T16:30:00+01:00",
                    "place": "Rue de la Station 1, Namur",
                    "capacity": 12,
                }
            ]
        }
    )

    starts_at: Instant
    ends_at: Instant
    place: Annotated[Place, Field(description="A room; may be empty with a `url`.")] = ""
    url: Annotated[Place, Field(description="Remote: where participants connect; begins with https://.")] = ""
    capacity: Annotated[int, Field(ge=1, le=MOST_PLACES)]


class SessionPlan(SessionChange):
    """A session to be planned."""

    edition: Annotated[
        str | None, Field(max_length=100, description="Its code; the latest one, without it.", examples=["2018-2019"])
    ] = None


class Why(Taken):
    """A reason in words."""

    reason: Annotated[Said, Field(description="Told to those invited.")]


class Invitations(Taken):
    """Whom to invite."""

    references: Annotated[list[OneOfMany], Field(min_length=1, max_length=_MOST_AT_ONCE)]


class Presence(Taken):
    """Whether somebody was there."""

    reference: OneOfMany
    present: bool


class Attendance(Taken):
    """Who was at a session."""

    people: Annotated[list[Presence], Field(min_length=1, max_length=_MOST_AT_ONCE)]

    @model_validator(mode="after")
    def _once(self) -> "Attendance":
        told = {(each.reference, each.present) for each in self.people}
        if len({reference for reference, _ in told}) < len(told):
            raise PydanticCustomError("told_twice", "somebody is said to have been there and not")
        return self


class Session(BaseModel):
    """A transfer session."""

    reference: Annotated[str, Field(examples=["FCC-2018-2019-01"])]
    edition: str
    status: Literal["planned", "cancelled"]
    starts_at: str
    ends_at: str
    place: str
    url: str
    capacity: int
    invited: Annotated[int, Field(description="How many are invited, of those still under way.")]
    attended: Annotated[int, Field(description="How many of them were there.")]


class Invited(BaseModel):
    """Somebody who is invited to a session."""

    reference: Annotated[str, Field(examples=["2018-2019-0042"])]
    teacher: Annotated[str, Field(description="First and last name.")]
    school: str | None
    state: State
    attended: bool


class SessionDetail(Session):
    """A transfer session with those it invites."""

    people: Annotated[list[Invited], Field(description="Those still under way, by reference.")]


class SessionList(BaseModel):
    """Your institute's sessions in an edition, by day."""

    items: list[Session]


class SessionTold(BaseModel):
    """A session after a change, and who is told of it."""

    session: Session
    told: Annotated[list[str], Field(description="References of those invited, who get a message.")]
