"""The lines under a message's text: what is known of one participation, as label and value."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from notifications.envelope import Item
from notifications.plain import NARROW
from notifications.words import label, say, vocabulary

Reader = Callable[[Item, str], str]


def facts(item: Item, names: Iterable[str], language: str) -> list[tuple[str, str]]:
    """Return the named facts that are known, in this order. Raises KeyError on a name that is not in `FACTS`."""
    values = ((name, FACTS[name](item, language)) for name in names)
    return [(label("field", name, language), value) for name, value in values if value]


def half_days(count: int, language: str) -> str:
    """Write "1 demi-jour", "3 demi-jours"."""
    return say("half_day" if count == 1 else "half_days", language, n=count)


def _as_is(name: str) -> Reader:
    def read(item: Item, _language: str) -> str:
        return getattr(item, name) or ""

    return read


def _labelled(name: str, group: str) -> Reader:
    def read(item: Item, language: str) -> str:
        code = getattr(item, name)
        return label(group, code, language) if code else ""

    return read


def _wishes(item: Item, _language: str) -> str:
    return f"{NARROW}; ".join(f"{rank}. {wish}" for rank, wish in enumerate(item.wishes, start=1))


def _days(item: Item, language: str) -> str:
    return vocabulary(language).calendar.days(item.days) if item.days else ""


def _due(item: Item, language: str) -> str:
    return vocabulary(language).calendar.day(item.due) if item.due else ""


def _presence(item: Item, language: str) -> str:
    if item.half_days is None:
        return ""
    if item.half_days_planned is None:
        return half_days(item.half_days, language)
    return say("half_days_of", language, present=half_days(item.half_days, language), planned=item.half_days_planned)


def _missing(item: Item, language: str) -> str:
    return ", ".join(label("missing", code, language) for code in item.missing)


def _session(item: Item, language: str) -> str:
    session = item.session
    return vocabulary(language).calendar.span(session.starts, session.ends) if session else ""


def session_texts(item: Item, language: str) -> tuple[str, str]:
    """Return the title and the text of a transfer session in a calendar."""
    url = item.session.url or None if item.session else None
    summary = say("session_summary", language, institute=item.institute)
    given = {"reference": item.reference, "institute": item.institute or None, "url": url}
    return summary, say("session_description", language, **given)


def _contact(item: Item, _language: str) -> str:
    contact = item.contact
    known = (contact.name, contact.email, contact.phone) if contact else ()
    return ", ".join(dict.fromkeys(filter(None, known)))  # a functional mailbox is its own name


FACTS: Mapping[str, Reader] = MappingProxyType(
    {
        "function": _labelled("function", "participant_kind"),
        "school": _as_is("school"),
        "network": _labelled("network", "network"),
        "education": _labelled("education", "education"),
        "wishes": _wishes,
        "company": _as_is("company"),
        "offer": _as_is("offer"),
        "site": _as_is("site"),
        "days": _days,
        "due": _due,
        "expected": _due,
        "institute": _as_is("institute"),
        "half_days": _presence,
        "cause": _labelled("cause", "cause"),
        "reason": _as_is("reason"),
        "state": _labelled("state", "state"),
        "missing": _missing,
        "session": _session,
        "session_place": lambda item, _: item.session.place if item.session else "",
        "session_url": lambda item, _: item.session.url if item.session else "",
        "contact": _contact,
        "teacher_email": _as_is("teacher_email"),
    },
)
