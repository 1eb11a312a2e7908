from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from core.clock import BRUSSELS
from documents.invitations import Event, Method, Person, invitation, is_link

STARTS = datetime(2019, 2, 14, 9, 30, tzinfo=BRUSSELS)
EVENT = Event(
    uid="session-12.2018-2019-0001@entrapprendre",
    sequence=0,
    summary="Transfert : usinage, commandes numériques; groupe A",
    description="Bonjour,\n\nApportez vos référentiels.\nChemin : C:\\notes",
    starts=STARTS,
    ends=STARTS + timedelta(hours=3),
    location="Rue de l’École 1, Namur",
    url="https://visio.example/salle?a=1&b=%20",
    organizer=Person("FCC", "transfert@fcc.example"),
    attendee=Person("Benoît Lambert", "benoit.lambert@ecole-quatre-vents.example"),
    stamp=datetime(2019, 2, 1, 7, 0, 0, 123_456, tzinfo=UTC),
)


def parsed(event: Event, method: Method = "REQUEST") -> tuple[Calendar, Any]:
    calendar = Calendar.from_ical(invitation(event, method))
    assert isinstance(calendar, Calendar)
    (session,) = calendar.walk("VEVENT")
    return calendar, session


def lines(event: Event, method: Method = "REQUEST") -> list[str]:
    """Return the content lines, unfolded."""
    return invitation(event, method).decode().replace("\r\n ", "").removesuffix("\r\n").split("\r\n")


def names(event: Event) -> list[str]:
    return [line.partition(":")[0].partition(";")[0] for line in lines(event)]


def test_an_invitation_as_it_is_written() -> None:
    assert lines(EVENT) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//IFC//Entr'apprendre//FR",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "SUMMARY:Transfert : usinage\\, commandes numériques\\; groupe A",
        "DTSTART:20190214T083000Z",
        "DTEND:20190214T113000Z",
        "DTSTAMP:20190201T070000Z",
        "UID:session-12.2018-2019-0001@entrapprendre",
        "SEQUENCE:0",
        (
            'ATTENDEE;CN="Benoît Lambert";PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT;RSVP=TRUE'
            ":mailto:benoit.lambert@ecole-quatre-vents.example"
        ),
        "DESCRIPTION:Bonjour\\,\\n\\nApportez vos référentiels.\\nChemin : C:\\\\notes",
        "LOCATION:Rue de l’École 1\\, Namur",
        "ORGANIZER;CN=FCC:mailto:transfert@fcc.example",
        "STATUS:CONFIRMED",
        "URL:https://visio.example/salle?a=1&b=%20",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_an_invitation_reads_as_it_was_meant() -> None:
    calendar, session = parsed(EVENT)

    assert calendar["METHOD"] == "REQUEST"
    assert (session.decoded("dtstart"), session.decoded("dtend")) == (EVENT.starts, EVENT.ends)
    assert session.decoded("dtstamp") == EVENT.stamp.replace(microsecond=0)
    assert [str(session[name]) for name in ("summary", "description", "location", "url", "uid")] == [
        EVENT.summary,
        EVENT.description,
        EVENT.location,
        EVENT.url,
        EVENT.uid,
    ]
    assert session["attendee"].params["CN"] == "Benoît Lambert"


def test_a_cancellation_names_the_same_session_with_a_higher_sequence() -> None:
    calendar, session = parsed(replace(EVENT, sequence=3), "CANCEL")

    assert calendar["METHOD"] == "CANCEL"
    assert (str(session["uid"]), session["sequence"], session["status"]) == (EVENT.uid, 3, "CANCELLED")


def test_no_line_is_longer_than_calendars_read() -> None:
    long = replace(EVENT, summary="é" * 300, description="œ’" * 500, attendee=Person("Ü" * 200, EVENT.attendee.address))

    assert max(map(len, invitation(long, "REQUEST").split(b"\r\n"))) <= 75
    assert str(parsed(long)[1]["summary"]) == "é" * 300
    assert parsed(long)[1]["attendee"].params["CN"] == "Ü" * 200


def test_what_is_not_known_is_left_out() -> None:
    bare = replace(EVENT, location="", url="", description="", organizer=Person("", EVENT.organizer.address))

    assert set(names(EVENT)) - set(names(bare)) == {"LOCATION", "URL", "DESCRIPTION"}
    assert "ORGANIZER:mailto:transfert@fcc.example" in lines(bare)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("A\r\nATTENDEE:mailto:x@y.example", "A ATTENDEE:mailto:x@y.example"),
        ("A\nEND:VEVENT", "A END:VEVENT"),
        ("A\u2028B\u0085C\x00D\u202eE\ufeffF", "A B C DEF"),
        ('A";ROLE=CHAIR;X="', "A';ROLE=CHAIR;X='"),
        ("A:mailto:x@y.example", "A:mailto:x@y.example"),
        ("A^nB", "A^nB"),
        ("A, B; C\\n", "A, B; C\\n"),
    ],
)
def test_a_name_stays_a_name(name: str, read: str) -> None:
    trapped = replace(EVENT, attendee=Person(name, EVENT.attendee.address), organizer=Person(name, "o@fcc.example"))
    _, session = parsed(trapped)

    assert names(trapped) == names(EVENT)
    assert [session[whom].params["CN"] for whom in ("attendee", "organizer")] == [read, read]
    assert session["attendee"] == f"mailto:{EVENT.attendee.address}"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_no_text_adds_a_property(text: str) -> None:
    trapped = replace(EVENT, summary=f"x{text}", location=f"x{text}", description=f"x{text}", uid=f"x{text}")
    whom = replace(trapped, attendee=Person(f"x{text}", EVENT.attendee.address))

    assert names(whom) == names(EVENT)
    assert parsed(whom)[1]["attendee"] == f"mailto:{EVENT.attendee.address}"


@pytest.mark.parametrize("address", ["", "a@b", "a@b.example\nX:1", "a@b.example, c@d.example", "a b@c.example"])
@pytest.mark.parametrize("whom", ["organizer", "attendee"])
def test_an_address_that_is_none_is_refused(whom: str, address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        replace(EVENT, **{whom: Person("A", address)})  # type: ignore[arg-type]  # the name of either person


def test_an_address_with_marks_of_links_is_written_for_a_link() -> None:
    assert parsed(replace(EVENT, attendee=Person("A", "a?b#c%d&e@x.example")))[1]["attendee"] == (
        "mailto:a%3Fb%23c%25d%26e@x.example"
    )


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert(1)",
        "https://",
        "https://a b",
        "https://a.example\nX:1",
        'https://a.example/"',
        "ftp://a.example",
    ],
)
def test_a_link_that_is_none_is_refused(text: str) -> None:
    assert not is_link(text)
    with pytest.raises(ValueError, match="link"):
        replace(EVENT, url=text)


@pytest.mark.parametrize(
    "text", ["https://a.example", "https://[::1]:8080/x?y=z&w=%20;(1)~'#a", "https://A.example/%C3%A9"]
)
def test_a_link_is_one(text: str) -> None:
    assert is_link(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"starts": datetime(2019, 2, 14, 9)},  # noqa: DTZ001 - the fault
        {"stamp": datetime(2019, 2, 14, 9)},  # noqa: DTZ001 - the fault
        {"ends": STARTS},
        {"sequence": -1},
    ],
)
def test_a_session_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"zone|ends|sequence"):
        replace(EVENT, **wrong)
