"""What a message is rendered from: plain data, read when the message is claimed, so that it speaks of today.

Every optional field may be absent: a template leaves out what it does not know and never prints a hole. Codes (state,
network…) are the strings of `states.names`; their labels come from the words at rendering.
"""

import dataclasses
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from notifications.plain import one_line
from states.names import Kind, Role
from states.questionnaire import Option, Question

_Block = TypeVar("_Block", "Contact", "Item", "Session", Question, Option)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Somebody to write to or to call."""

    name: str
    email: str
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transfer session as it stands: aware moments, a place or a link; `sequence` rises with each change."""

    reference: str
    sequence: int
    starts: datetime
    ends: datetime
    place: str = ""
    url: str = ""
    cancelled: bool = False
    """For everybody: whoever is only expected elsewhere is called off too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What a message says about one participation; a folded message has several."""

    reference: str
    teacher: str
    """Full name of the participant, whatever the function."""
    teacher_email: str | None = None
    function: str | None = None
    school: str | None = None
    network: str | None = None
    education: str | None = None
    wishes: tuple[str, ...] = ()
    """The offers asked for, in order, in words a director understands (company and title)."""
    company: str | None = None
    offer: str | None = None
    site: str | None = None
    days: tuple[date, ...] = ()
    """Local days in the company; empty while they are to be fixed."""
    due: date | None = None
    """Local day by which the act is owed; in a message to the coordinator about a delay, the day it was expected."""
    institute: str | None = None
    half_days: int | None = None
    """Half-days present."""
    half_days_planned: int | None = None
    contact: Contact | None = None
    """Whom the recipient reaches about this item: the company's contact, the officer, the director who is late…"""
    reason: str | None = None
    """Only given to those it is meant for: a teacher's reason for leaving never goes to the company."""
    state: str | None = None
    cause: str | None = None
    """Why a receiver declined: a code of the label group `cause`."""
    missing: tuple[str, ...] = ()
    """Codes of the label group `missing`."""
    session: Session | None = None
    """The transfer session that the message is about."""
    answered: bool = False
    """The questionnaire has been answered."""
    owing: str | None = None
    """The organisation that owes the act, in a message of figures."""
    days_late: int = 0
    """Days since the act was due, in a message of figures."""
    to_be_seen: bool = False
    """Drawn into the sample that is evaluated in person, and not seen yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message to one recipient about one or several participations."""

    message_id: str
    kind: Kind
    recipient_name: str
    recipient_role: Role
    edition_title: str
    items: tuple[Item, ...]
    coordinator: Contact
    """Whom to call at IFC."""
    sender: str
    """Who signs: the name of the organisation that sends."""
    language: str = "fr"
    unreached: bool = False
    """IFC reads it because whom it speaks to cannot be reached: it was delivered to nobody else."""
    preparation_url: str | None = None
    places_from: date | None = None
    """Places are given from this day on."""
    places_until: date | None = None
    """Whoever has no place on this day is cancelled."""
    questions: tuple[Question, ...] = ()
    """What the evaluation asks, in a message that asks for it."""

    def __post_init__(self) -> None:
        """Refuse an envelope about nothing."""
        if not self.items:
            message = "an envelope needs at least one item"
            raise ValueError(message)

    @property
    def has_school(self) -> bool:
        """Whether somebody in it has a school, hence a director."""
        return any(item.school for item in self.items)


def cleaned(envelope: Envelope) -> Envelope:
    """Return the envelope with every text on one safe line, and its items in the order of their references."""
    items = tuple(sorted((_clean(item) for item in envelope.items), key=lambda item: item.reference))
    return dataclasses.replace(
        envelope,
        items=items,
        coordinator=_clean(envelope.coordinator),
        recipient_name=one_line(envelope.recipient_name),
        edition_title=one_line(envelope.edition_title),
        sender=one_line(envelope.sender),
        questions=tuple(_clean(question) for question in envelope.questions),
    )


def _clean(value: _Block) -> _Block:
    changes: dict[str, Any] = {
        field.name: _clean_value(getattr(value, field.name)) for field in dataclasses.fields(value)
    }
    return dataclasses.replace(value, **changes)


def _clean_value(value: object) -> object:
    match value:
        case str():
            return one_line(value)
        case tuple():
            return tuple(_clean_value(part) for part in value)
        case Session():
            return _clean(value)
        case Contact():
            return _clean(value)
        case Option():
            return _clean(value)
        case _:
            return value
