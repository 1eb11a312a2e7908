"""A transfer session as a file that calendars take (.ics): an invitation, its change, its cancellation.

Moments are written in UTC, so that no zone has to travel along. What people typed stays the text of its own property:
marks that end a line, hide, or turn the reading direction are gone, and an address or a link that could be anything
else is refused.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from icalendar import Calendar, vCalAddress
from icalendar import Event as Component

from core.addresses import is_address
from documents.visible import one_line, paragraph

Method = Literal["REQUEST", "CANCEL"]

_PRODUCT = "-//IFC//Entr'apprendre//FR"
_LINK = re.compile(r"https://[A-Za-z0-9\[][!#-;=?-\[\]_a-z~]{0,2000}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who invites, or is invited."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Event:
    """One session for one participant.

    `uid` stays the same for ever; every later file about the session has a higher `sequence`, else calendars ignore it.
    `stamp` is when the file is made. `url` may be empty, and is a web link otherwise.
    """

    uid: str
    sequence: int
    summary: str
    description: str
    starts: datetime
    ends: datetime
    location: str
    url: str
    organizer: Person
    attendee: Person
    stamp: datetime

    def __post_init__(self) -> None:
        """Refuse what no calendar would take as it is meant: ValueError."""
        if any(moment.tzinfo is None for moment in (self.starts, self.ends, self.stamp)):
            raise ValueError("a moment without a zone")
        if self.ends <= self.starts:
            raise ValueError("it ends before it begins")
        if self.sequence < 0:
            raise ValueError("a sequence counts from 0")
        if not all(is_address(person.address) for person in (self.organizer, self.attendee)):
            raise ValueError("no address that mail can be sent to")
        if self.url and not is_link(self.url):
            raise ValueError("no web link")


def is_link(text: str) -> bool:
    """Tell whether a text is a web address (https), in ASCII, and nothing else."""
    return _LINK.fullmatch(text) is not None


def invitation(event: Event, method: Method) -> bytes:
    """Return the file: `REQUEST` invites or changes, `CANCEL` calls the session off."""
    calendar = Calendar()
    for name, value in (("prodid", _PRODUCT), ("version", "2.0"), ("method", method)):
        calendar.add(name, value)
    calendar.add_component(_component(event, method))
    data: bytes = calendar.to_ical()
    return data


def _component(event: Event, method: Method) -> Component:
    made = Component()
    made.add("uid", one_line(event.uid))
    made.add("sequence", event.sequence)
    made.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    for name, moment in (("dtstamp", event.stamp), ("dtstart", event.starts), ("dtend", event.ends)):
        made.add(name, moment.astimezone(UTC).replace(microsecond=0))
    texts = {"summary": one_line(event.summary), "location": one_line(event.location), "url": event.url}
    for name, text in (texts | {"description": paragraph(event.description)}).items():
        if text:
            made.add(name, text)
    made.add("organizer", _whom(event.organizer))
    made.add("attendee", _whom(event.attendee, role="REQ-PARTICIPANT", partstat="NEEDS-ACTION", rsvp="TRUE"))
    return made


def _whom(person: Person, **params: str) -> vCalAddress:
    # A quotation mark is the one letter that many calendars cannot read in a name.
    name = one_line(person.name).replace('"', "'")
    whom = vCalAddress("mailto:" + quote(person.address, safe="@!$'*+-/=_~"))
    whom.params.update(params | ({"cn": name} if name else {}))
    return whom
