"""The parts of an edition file: which keys it may have, and what each may hold on its own."""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from core.addresses import is_address
from states.names import (
    Anchor,
    Audience,
    Education,
    Kind,
    Network,
    ParticipantKind,
    QuestionKind,
    Role,
    State,
    StepAction,
    Stratum,
)
from states.rules import Route

_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
Code = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Text = Annotated[StrictStr, Field(min_length=1, max_length=400, pattern=_NO_CONTROL)]


def _not_a_number(value: object) -> object:
    if isinstance(value, int | float):
        message = "a day is written 2018-09-03, without quotes"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns it into a fault of the file
    return value


Day = Annotated[date, BeforeValidator(_not_a_number)]  # pydantic would read 0 as 1970-01-01


def _plain_address(value: str) -> str:
    if not is_address(value):
        message = "an address, as prenom.nom@ecole.example"
        raise ValueError(message)
    return value


Address = Annotated[StrictStr, AfterValidator(_plain_address)]
_MAX_OFFSET_DAYS = 400


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ContactPart(Part):
    """Somebody who answers for an organisation; the order of the list is the order in which they are asked."""

    first_name: Text
    last_name: Text
    email: Address
    role: Role
    phone: Annotated[StrictStr, Field(max_length=40, pattern=_NO_CONTROL)] = ""
    language: Literal["fr", "en"] = "fr"


class OrganisationPart(Part):
    """IFC, the committee or an institute."""

    code: Text
    name: Text
    contacts: tuple[ContactPart, ...] = Field(min_length=1)


class RoutePart(Part):
    """Which institute serves a network, for the kinds of education and of participant named, between two days."""

    network: Network
    education: tuple[Education, ...] = Field(min_length=1)
    institute: Text
    status: Literal["confirmed", "to_confirm"]
    kinds: tuple[ParticipantKind, ...] = Field(default=tuple(ParticipantKind), min_length=1)
    first: Day | None = None
    last: Day | None = None


class HolidayPart(Part):
    """A school holiday, first and last day included."""

    name: Text
    first: Day
    last: Day


Hour = Annotated[StrictStr, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class QuietPart(Part):
    """The local hours in which nothing is sent: from one (included) to the other (excluded), over midnight or not."""

    first: Hour
    last: Hour


class CalendarPart(Part):
    """The calendar; public holidays are known, school holidays are given."""

    hour: Hour = "08:00"
    school_holidays: tuple[HolidayPart, ...] = ()
    quiet: QuietPart | None = None


class BasinPart(Part):
    """A geographic basin with its collective training days; school holidays of its own replace the edition's."""

    code: Text
    name: Text
    collective_days: tuple[Day, ...] = ()
    school_holidays: tuple[HolidayPart, ...] | None = None


class StepPart(Part):
    """One rung of a ladder. `digest`: whether its message shares an envelope; its kind's habit, if not given."""

    offset: Annotated[StrictInt, Field(ge=-_MAX_OFFSET_DAYS, le=_MAX_OFFSET_DAYS)]
    unit: Literal["working_days", "days"]
    do: StepAction
    audience: Audience | None = None
    message: Kind | None = None
    anchor: Anchor | None = None
    digest: StrictBool | None = None


class LadderPart(Part):
    """The rungs of one rule, in order."""

    steps: tuple[StepPart, ...] = Field(min_length=1)


class ImmersionPart(Part):
    """How long an immersion is, and how much of it counts."""

    half_days: Annotated[StrictInt, Field(ge=1, le=20)]
    min_half_days: Annotated[StrictInt, Field(ge=1, le=20)]


class PreparationPart(Part):
    """Where the e-learning module is."""

    url: Annotated[StrictStr, Field(pattern=r"^https://\S+$")]


class CutoffsPart(Part):
    """From which day places are given, and the day on which whoever has none is cancelled."""

    allocation: Day
    placement: Day


class OptionPart(Part):
    """One of the answers that a choice offers."""

    code: Code
    text: Text


class QuestionPart(Part):
    """One question of the evaluation; `max` and the labels of both ends are a scale's, `options` a choice's."""

    code: Code
    text: Text
    kind: QuestionKind
    required: StrictBool = True
    max: Annotated[StrictInt, Field(ge=2, le=10)] | None = None
    lowest: Text | None = None
    highest: Text | None = None
    options: Annotated[tuple[OptionPart, ...], Field(max_length=20)] = ()


class SamplePart(Part):
    """Who is evaluated in person: a share or a number, stratified; the seed is the edition's code unless given."""

    share: Annotated[StrictFloat, Field(gt=0, le=1)] | None = None
    number: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = None
    strata: tuple[Stratum, ...] = ()
    at_least_per_stratum: Annotated[StrictInt, Field(ge=0, le=1000)] = 0
    seed: Text | None = None
    draw_from: State = State.IMMERSED


class EvaluationPart(Part):
    """What teachers are asked at the end, and who is also seen in person. Nothing asked: a bare act, nobody drawn."""

    questions: Annotated[tuple[QuestionPart, ...], Field(max_length=50)] = ()
    sample: SamplePart | None = None


class EditionFile(Part):
    """An edition file, valid."""

    code: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,30}$")]
    title: Text
    process: StrictStr
    opens: Day
    closes: Day
    immersion: ImmersionPart
    preparation: PreparationPart
    cutoffs: CutoffsPart
    calendar: CalendarPart
    basins: tuple[BasinPart, ...] = ()
    ifc: OrganisationPart
    committee: OrganisationPart
    institutes: tuple[OrganisationPart, ...] = Field(min_length=1)
    routes: tuple[RoutePart, ...] = ()
    deadlines: Mapping[str, Mapping[str, Mapping[str, LadderPart]]]
    evaluation: EvaluationPart | None = None

    def canonical(self) -> str:
        """Return the content as canonical JSON: the same for files that differ in layout only."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def routes_of_part(part: RoutePart) -> Iterator[Route]:
    """Yield the routes of one row of the file, one for each kind of education."""
    to_confirm = part.status == "to_confirm"
    for education in part.education:
        yield Route(part.network, education, part.institute, to_confirm, part.kinds, part.first, part.last)
