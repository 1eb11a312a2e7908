"""The packet: what an organisation hands over with a participation, as JSON that never changes once offered.

Need-to-know is held field by field: what the receiver needs to organise its part stands here, and nothing that only a
funder needs. The model is closed, so that the published JSON Schema (docs/schemas) says all there is; its descriptions
are the partners' documentation. One packet has one text (`canonical`), so one hash (`fingerprint`): whoever keeps the
text can prove later what was offered. Version 1 stays readable for ever; another field means another version.
"""

import hashlib
import json
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from core.clock import iso
from states.names import Education, Network, ParticipantKind, Purpose, Role, Subject, Trigger

SCHEMA_ID = "urn:entrapprendre:packet:1"


def _whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


Moment = Annotated[AwareDatetime, AfterValidator(_whole_seconds), PlainSerializer(iso, return_type=str)]
"""Whole seconds, so that what is read back equals what was written; written local to Brussels, with the offset."""

Presence = Literal["present", "absent"]
Count = Annotated[int, Field(ge=0)]

_OPEN: JsonSchemaValue = {"type": "string"}
"""Later lifecycles have more of these codes: a receiver that checks against the schema must let them in."""
OpenSubject = Annotated[Subject, WithJsonSchema(_OPEN)]
OpenTrigger = Annotated[Trigger, WithJsonSchema(_OPEN)]
OpenRole = Annotated[Role, WithJsonSchema(_OPEN)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Organisation(_Part):
    """An organisation: IFC, an institute, a school."""

    code: str = Field(description="Short stable name; for a school, its FASE number.", examples=["CECAFOC"])
    name: str = Field(description="Name in full, as people write it.")


class Handoff(_Part):
    """Which participation is handed over, by whom, to whom, why and until when the offer stands."""

    reference: str = Field(
        description="Reference of the participation: the same for all its packets.", examples=["2018-2019-0072"]
    )
    purpose: Purpose = Field(description="What the receiver is asked to organise.")
    round: int = Field(ge=1, description="Counts the offers made for this purpose; a new round has a new packet.")
    sender: Organisation = Field(description="Who hands over, and is in charge until the receiver accepts.")
    receiver: Organisation = Field(description="To whom the participation is offered.")
    offered_at: Moment = Field(description="When it was offered; this packet says what was known then.")
    answer_by: date | None = Field(description="Local day by which an answer is asked; null when there is no limit.")


class Edition(_Part):
    """The edition of the programme."""

    code: str = Field(description="School year of the edition.", examples=["2018-2019"])
    title: str = Field(description="Name in full.")


class Teacher(_Part):
    """The person who takes part."""

    name: str = Field(description="First name and last name; empty once the person's data were erased.")
    email: str | None = Field(description="Where to write to; null once the person's data were erased.")
    phone: str | None = Field(default=None, description="Where to call; null or left out when not known.")
    kind: ParticipantKind = Field(description="Function, as a stable code.")
    network: Network | None = Field(description="School network; null for people without one.")
    education: Education | None = Field(description="Ordinary or special education; null when neither applies.")
    basin: str = Field(description="Geographic basin, by its name; empty when not known.")
    courses: str = Field(description="Courses given, in the person's own words; may be empty.")


class CompanyContact(_Part):
    """Whom to ask in the company."""

    name: str = Field(description="First name and last name, or the mailbox's name.")
    email: str = Field(description="Where to write to.")


class Company(_Part):
    """Where the immersion took place."""

    name: str = Field(description="Name of the company.")
    sector: str = Field(description="Sector, as the programme groups companies.")
    offer: str = Field(description="Title of the offer that the person followed.")
    site: str = Field(description="Workshop, plant or office; may be empty.")
    municipality: str = Field(description="Municipality of the site; may be empty.")
    contact: CompanyContact | None = Field(description="Whom to ask there; null when nobody can be asked.")


class Day(_Part):
    """One day in the company, by half-day."""

    date: Annotated[date, Field(description="Local day.")]
    am: Presence | None = Field(description="Morning; null when nothing was recorded.")
    pm: Presence | None = Field(description="Afternoon; null when nothing was recorded.")


class Immersion(_Part):
    """Presence in the company."""

    days: tuple[Day, ...] = Field(description="Days of the immersion in order, perhaps not consecutive.")
    half_days_present: Count = Field(description="Half-days the person was present.")
    half_days_planned: Count = Field(description="Half-days the immersion was to have.")


class Note(_Part):
    """What the person noted."""

    at: Moment = Field(description="When it was noted.")
    role: OpenRole = Field(description="Relation of its author to this participation, as a code.")
    text: str = Field(description="The note itself: plain text, lines separated by \\n.")


class OpenPoint(_Part):
    """Something left to deal with."""

    at: Moment = Field(description="When it came up.")
    text: str = Field(description="What is left to deal with: plain text.")


class Document(_Part):
    """A file that goes with the participation; it is fetched apart."""

    name: str = Field(description="File name.")
    media_type: str = Field(description="Media type.", examples=["application/pdf"])
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of its bytes, in hexadecimal.")
    size: Count = Field(description="Size in bytes.")


class Entry(_Part):
    """One past fact of the journal, without names or reasons."""

    seq: int = Field(ge=1, description="Number in the journal of this participation; the extract may skip some.")
    at: Moment = Field(description="When it happened.")
    subject: OpenSubject = Field(description="What it is about: participation, placement, handoff; more may come.")
    trigger: OpenTrigger = Field(description="What was done, as a code; more may come.")
    from_state: str = Field(
        validation_alias="from", serialization_alias="from", description="State of the subject before; '-': none yet."
    )
    to_state: str = Field(
        validation_alias="to", serialization_alias="to", description="State after; the same when nothing moved."
    )
    role: OpenRole = Field(description="Who did it, as a relation to this participation.")


class Packet(_Part):
    """What the receiver of an Entr'apprendre participation needs to organise its part, as it was when offered.

    Codes are stable English words, except those of functions, networks and kinds of education, which are the
    programme's own. Moments are ISO 8601 with an offset, local to Brussels. The SHA-256 of the text exactly as it was
    fetched stands on the handoff.
    """

    model_config = ConfigDict(title="Entr'apprendre handoff packet, version 1")

    schema_version: Literal[1] = Field(description="Version of this schema.")
    handoff: Handoff = Field(description="What is handed over, by whom, to whom.")
    edition: Edition = Field(description="Edition of the programme.")
    teacher: Teacher = Field(description="Who takes part.")
    school: Organisation | None = Field(description="The person's school; null for people without one.")
    company: Company | None = Field(description="Where the immersion took place; null: known on paper only.")
    immersion: Immersion = Field(description="Days in the company and presence.")
    notes: tuple[Note, ...] = Field(default=(), description="What the person noted, oldest first.")
    open_points: tuple[OpenPoint, ...] = Field(default=(), description="What is left to deal with, oldest first.")
    documents: tuple[Document, ...] = Field(default=(), description="Files that go with the participation.")
    journal: tuple[Entry, ...] = Field(description="Extract of the journal, oldest first.")


def canonical(packet: Packet) -> str:
    """Return the one text of a packet: JSON with sorted keys, no spaces, letters as they are."""
    plain = packet.model_dump(mode="json")
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def fingerprint(text: str) -> str:
    """Return the SHA-256, in hexadecimal, of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_packet(text: str) -> Packet:
    """Read a packet, under the names of the schema only. Raises pydantic.ValidationError, a ValueError."""
    return Packet.model_validate_json(text, by_alias=True, by_name=False)


class _Schema(GenerateJsonSchema):
    """Titles that only repeat a field's name are left out."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - the base class's signature
        return False


def packet_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that is published for partners."""
    found = Packet.model_json_schema(schema_generator=_Schema)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": SCHEMA_ID, **found}
