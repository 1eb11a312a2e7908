"""What partner institutes read by: the published schema is the code's, and version 1 stays what it is."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from documents.packet import Packet, canonical, packet_schema, read_packet
from tests.support.packets import bare, packet

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
PUBLISHED = (SCHEMAS / "packet-1.json").read_text(encoding="utf-8")
EXAMPLE = (SCHEMAS / "packet-1.example.json").read_text(encoding="utf-8")
Schema = dict[str, Any]

VERSION_1 = {
    "schema_version": "integer 1",
    "handoff": "object closed",
    "handoff.reference": "string",
    "handoff.purpose": "string of transfer,evaluation",
    "handoff.round": "integer 1",
    "handoff.sender": "object closed",
    "handoff.sender.code": "string",
    "handoff.sender.name": "string",
    "handoff.receiver": "object closed",
    "handoff.receiver.code": "string",
    "handoff.receiver.name": "string",
    "handoff.offered_at": "string date-time",
    "handoff.answer_by": "string date or null",
    "edition": "object closed",
    "edition.code": "string",
    "edition.title": "string",
    "teacher": "object closed",
    "teacher.name": "string",
    "teacher.email": "string or null",
    "teacher.phone?": "string or null",
    "teacher.kind": (
        "string of enseignant,chef_atelier,formateur,formateur_cefa,formateur_cta,conseiller_pedagogique,inspecteur"
    ),
    "teacher.network": "string of WBE,CPEONS,CECP,FELSI,SeGEC or null",
    "teacher.education": "string of ordinaire,specialise or null",
    "teacher.basin": "string",
    "teacher.courses": "string",
    "school": "object closed or null",
    "school.code": "string",
    "school.name": "string",
    "company": "object closed or null",
    "company.name": "string",
    "company.sector": "string",
    "company.offer": "string",
    "company.site": "string",
    "company.municipality": "string",
    "company.contact": "object closed or null",
    "company.contact.name": "string",
    "company.contact.email": "string",
    "immersion": "object closed",
    "immersion.days": "array",
    "immersion.days[].date": "string date",
    "immersion.days[].am": "string of present,absent or null",
    "immersion.days[].pm": "string of present,absent or null",
    "immersion.half_days_present": "integer 0",
    "immersion.half_days_planned": "integer 0",
    "notes?": "array",
    "notes?[].at": "string date-time",
    "notes?[].role": "string",
    "notes?[].text": "string",
    "open_points?": "array",
    "open_points?[].at": "string date-time",
    "open_points?[].text": "string",
    "documents?": "array",
    "documents?[].name": "string",
    "documents?[].media_type": "string",
    "documents?[].sha256": "string ^[0-9a-f]{64}$",
    "documents?[].size": "integer 0",
    "journal": "array",
    "journal[].seq": "integer 1",
    "journal[].at": "string date-time",
    "journal[].subject": "string",
    "journal[].trigger": "string",
    "journal[].from": "string",
    "journal[].to": "string",
    "journal[].role": "string",
}
"""Every field of version 1 with its type; `?`: may be left out. This list and the file do not change: an institute has
a copy of them. Another field, or another meaning, is version 2 beside this one. It is also all that a receiver sees."""


def fields(schema: Schema, part: Schema | None = None, path: str = "") -> Iterator[tuple[str, str]]:
    """List the fields of a schema by their paths, with their types and bounds."""
    part = resolved(schema, schema if part is None else part)
    for name, field in part.get("properties", {}).items():
        place = f"{path}{name}" if name in part["required"] else f"{path}{name}?"
        yield place, type_of(schema, field)
        for option in options(schema, field):
            inner = option.get("items", option)
            yield from fields(schema, inner, place + ("[]." if "items" in option else "."))


def resolved(schema: Schema, part: Schema) -> Schema:
    reference = part.get("$ref")
    return part if reference is None else schema["$defs"][reference.rpartition("/")[2]]


def options(schema: Schema, field: Schema) -> list[Schema]:
    return [resolved(schema, option) for option in field.get("anyOf", [field])]


def type_of(schema: Schema, field: Schema) -> str:
    return " or ".join(map(_type, options(schema, field)))


def _type(option: Schema) -> str:
    closed = " closed" if option.get("additionalProperties") is False else ""
    values = f" of {','.join(option['enum'])}" if "enum" in option else ""
    details = [str(option[name]) for name in ("const", "format", "minimum", "pattern") if name in option]
    return " ".join([option["type"] + closed + values, *details])


def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(PUBLISHED), format_checker=FormatChecker())


def test_published_schema_is_the_one_of_the_code() -> None:
    assert json.dumps(packet_schema(), indent=2, ensure_ascii=False) + "\n" == PUBLISHED


def test_published_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(PUBLISHED))

    assert json.loads(PUBLISHED)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(PUBLISHED)["$id"] == "urn:entrapprendre:packet:1"


def test_published_example_is_a_packet() -> None:
    validator().validate(json.loads(EXAMPLE))

    assert read_packet(EXAMPLE) == packet()


@pytest.mark.parametrize("made", [packet(), bare()], ids=("full", "bare"))
def test_every_packet_is_valid_under_the_published_schema(made: Packet) -> None:
    validator().validate(json.loads(canonical(made)))


def test_every_field_is_described() -> None:
    schema = packet_schema()
    parts = [schema, *(part for part in schema["$defs"].values() if part["type"] == "object")]

    assert [part["title"] for part in parts if not part.get("description")] == []
    assert [
        f"{part['title']}.{name}"
        for part in parts
        for name, field in part["properties"].items()
        if not field.get("description", "").endswith(".")
    ] == []


def test_version_1_has_the_fields_it_was_published_with() -> None:
    assert dict(fields(packet_schema())) == VERSION_1


def rename(schema: Schema) -> None:
    schema["$defs"]["Teacher"]["properties"]["mail"] = schema["$defs"]["Teacher"]["properties"].pop("email")


def remove(schema: Schema) -> None:
    del schema["properties"]["open_points"]


def require(schema: Schema) -> None:
    schema["required"].append("notes")


def release(schema: Schema) -> None:
    schema["$defs"]["Handoff"]["required"].remove("answer_by")


def retype(schema: Schema) -> None:
    schema["$defs"]["Handoff"]["properties"]["round"]["type"] = "string"


def narrow(schema: Schema) -> None:
    schema["$defs"]["Network"]["enum"].remove("FELSI")


def refuse_null(schema: Schema) -> None:
    schema["properties"]["school"] = {"$ref": "#/$defs/Organisation"}


def add(schema: Schema) -> None:
    schema["$defs"]["Teacher"]["properties"]["birth_date"] = {"type": "string", "format": "date"}


@pytest.mark.parametrize("change", [rename, remove, require, release, retype, narrow, refuse_null, add])
def test_a_change_of_version_1_would_show(change: Callable[[Schema], None]) -> None:
    """The control of the test above."""
    schema = copy.deepcopy(packet_schema())
    change(schema)

    assert dict(fields(schema)) != VERSION_1


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ("teacher", "birth_date", "1970-01-01"),
        ("teacher", "network", "XYZ"),
        ("handoff", "round", "1"),
        ("handoff", "answer_by", "12/02/2019"),
        ("immersion", "half_days_present", -1),
    ],
)
def test_the_schema_refuses_what_the_model_refuses(place: str, name: str, value: object) -> None:
    document = json.loads(EXAMPLE)
    document[place][name] = value

    with pytest.raises(ValidationError):
        validator().validate(document)
    with pytest.raises(ValueError, match=name):
        read_packet(json.dumps(document))


def test_codes_that_later_lifecycles_may_add_are_open_to_partners() -> None:
    document = json.loads(EXAMPLE)
    document["journal"][0] |= {"subject": "agreement", "trigger": "sign", "role": "auditor"}

    validator().validate(document)
