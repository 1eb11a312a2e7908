import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.clock import BRUSSELS
from documents.packet import Note, Packet, canonical, fingerprint, read_packet
from states.names import Role
from tests.support.packets import OFFERED_AT, bare, handoff, packet, teacher

# What any text of a person can hold; halves of characters cannot be stored, nor written in UTF-8.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def changed(path: str, value: Any) -> str:
    """Return the text of a packet with one value changed; `path` as in `teacher.name`."""
    document = json.loads(canonical(packet()))
    *outer, last = path.split(".")
    place = document
    for name in outer:
        place = place[int(name) if name.isdigit() else name]
    place[last] = value
    return json.dumps(document)


def faults(text: str) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        read_packet(text)
    return [(".".join(map(str, fault["loc"])), fault["type"]) for fault in caught.value.errors()]


def test_canonical_text_of_a_packet_never_changes() -> None:
    """Handoffs keep this hash: a packet offered under version 1 must have it for ever."""
    text = canonical(packet())

    assert text.startswith('{"company":{"contact":{"email":"anouk.ransonnet@safran.example","name":"Anouk Ransonnet"},')
    assert '"offered_at":"2019-01-29T08:00:00+01:00"' in text
    assert '"name":"Benoît Lambert","network":"WBE","phone":"+32 4 000 00 00"}' in text
    assert fingerprint(text) == "650f357524e63f2b7607ef39436bf204e714e0fa597b0efbb16a2f80485cd161"


def test_fingerprint_is_the_hash_of_the_bytes_in_utf8() -> None:
    assert fingerprint("é") == "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"


@pytest.mark.parametrize("made", [packet(), bare()], ids=("full", "bare"))
def test_what_is_read_is_what_was_written(made: Packet) -> None:
    text = canonical(made)

    assert read_packet(text) == made
    assert canonical(read_packet(text)) == text


@given(texts, texts, moments)
def test_any_text_and_any_moment_come_back_as_they_were(name: str, note: str, moment: datetime) -> None:
    made = packet(teacher=teacher(name=name), notes=(Note(at=moment, role=Role.TEACHER, text=note),))

    read = read_packet(canonical(made))

    assert read == made
    assert (read.teacher.name, read.notes[0].text) == (name, note)


def test_the_same_moment_has_one_text_whatever_its_zone_and_parts_of_a_second() -> None:
    moments = (
        OFFERED_AT,
        OFFERED_AT.astimezone(BRUSSELS),
        OFFERED_AT.astimezone(timezone(timedelta(hours=-5))),
        OFFERED_AT.replace(microsecond=999_999),
    )

    assert len({canonical(packet(handoff=handoff(offered_at=moment))) for moment in moments}) == 1


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        handoff(offered_at=datetime(2019, 1, 29))  # noqa: DTZ001 - the fault


def test_optional_parts_may_be_left_out() -> None:
    document = json.loads(canonical(packet()))
    for name in ("notes", "open_points", "documents"):
        del document[name]
    del document["teacher"]["phone"]

    read = read_packet(json.dumps(document))

    assert (read.notes, read.open_points, read.documents, read.teacher.phone) == ((), (), (), None)


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("schema_version", 2, "literal_error"),
        ("handoff.purpose", "audit", "enum"),
        ("handoff.round", "1", "int_type"),
        ("handoff.round", True, "int_type"),
        ("handoff.round", 0, "greater_than_equal"),
        ("handoff.offered_at", "2019-01-29T08:00:00", "timezone_aware"),
        ("handoff.answer_by", "12/02/2019", "date_parsing"),
        ("teacher.name", None, "string_type"),
        ("teacher.kind", "ministre", "enum"),
        ("immersion.half_days_present", -1, "greater_than_equal"),
        ("documents.0.sha256", "AB" * 32, "string_pattern_mismatch"),
        ("journal.0.trigger", "fly", "enum"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(path: str, value: Any, fault: str) -> None:
    assert faults(changed(path, value)) == [(path, fault)]


@pytest.mark.parametrize("path", ["birth_date", "teacher.national_number", "school.address", "journal.0.actor"])
def test_what_a_receiver_need_not_know_has_no_place(path: str) -> None:
    assert faults(changed(path, "x")) == [(path, "extra_forbidden")]


def test_fields_are_read_under_the_names_of_the_schema_only() -> None:
    assert faults(changed("journal.0.from_state", "-")) == [("journal.0.from_state", "extra_forbidden")]


def test_a_packet_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        packet().school = None


def test_days_are_days_not_moments() -> None:
    assert packet().handoff.answer_by == date(2019, 2, 12)
    assert faults(changed("handoff.answer_by", "2019-02-12T10:00:00")) == [("handoff.answer_by", "date_parsing")]
