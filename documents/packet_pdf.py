"""The packet as a page for people. The layout is a template; what it says comes in as data, never as markup.

A packet always gives the same bytes, so that nothing has to be kept: the PDF is made when somebody fetches it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Literal

import typst

from documents.packet import (
    Company,
    Document,
    Entry,
    Immersion,
    Organisation,
    Packet,
    Presence,
    Teacher,
    canonical,
    fingerprint,
)
from documents.visible import one_line, paragraph
from documents.wording import Words
from states.names import Subject

_TEMPLATE = files("documents") / "templates" / "packet.typ"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page under its title: a table, then pairs of a label and a value, then notes."""

    title: str
    pairs: Sequence[tuple[str, str]] = ()
    head: Sequence[dict[str, object]] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[dict[str, str]] = ()


def packet_pdf(packet: Packet, words: Words) -> bytes:
    """Return the packet as a PDF of a page or two, with its reference and the hash of its text at the foot.

    It is PDF/A-2b, unless somebody's name has letters that no font here has, which that standard forbids.
    """
    given = {"data": json.dumps(_page(packet, words))}
    try:
        return _compiled(given, standard="a-2b")
    except typst.TypstError:
        return _compiled(given, standard="1.7")


def _compiled(given: dict[str, str], standard: Literal["a-2b", "1.7"]) -> bytes:
    # Fonts of the wheel only: those of a machine would make other bytes, and other ends of lines, on each.
    source = _TEMPLATE.read_bytes()
    return typst.compile(source, ignore_system_fonts=True, sys_inputs=given, pdf_standards=standard)


def _page(packet: Packet, words: Words) -> dict[str, object]:
    handoff, say = packet.handoff, _Say(words)
    return {
        "language": say("language"),
        "title": say(f"title_{handoff.purpose}"),
        "moment": _moment(handoff.offered_at),
        "edition": one_line(packet.edition.title),
        "sender": one_line(handoff.sender.name),
        "reference": one_line(handoff.reference),
        "hash": fingerprint(canonical(packet)),
        **{word: say(word) for word in ("page", "of", "hash_label")},
        "frame": _frame(packet, say),
        "sections": [asdict(section) for section in _sections(packet, say)],
    }


def _moment(at: datetime) -> dict[str, int]:
    utc = at.astimezone(UTC)
    return {part: getattr(utc, part) for part in ("year", "month", "day", "hour", "minute", "second")}


class _Say:
    """The words of the page, and of the codes on it."""

    def __init__(self, words: Words) -> None:
        self.words = words

    def __call__(self, code: str) -> str:
        return self.words.label("packet", code)

    def pairs(self, **values: str | None) -> list[tuple[str, str]]:
        """Put its label before each value that is known."""
        shown = ((code, paragraph(value or "")) for code, value in values.items())
        return [(self(code), value) for code, value in shown if value]

    def head(self, *codes: str, wide: str) -> list[dict[str, object]]:
        return [{"label": self(code), "wide": code == wide} for code in codes]

    def first(self, groups: Sequence[str], code: str) -> str:
        """Return the label of the first group that has this code; a code that no group has is shown as it is."""
        for group in groups:
            try:
                return self.words.label(group, code)
            except KeyError:
                continue
        return code


def _frame(packet: Packet, say: _Say) -> list[tuple[str, str]]:
    handoff, words = packet.handoff, say.words
    return say.pairs(
        reference=handoff.reference,
        sender=handoff.sender.name,
        receiver=handoff.receiver.name,
        offered_at=words.moment(handoff.offered_at),
        answer_by=words.day(handoff.answer_by) if handoff.answer_by else say("no_limit"),
        round=str(handoff.round) if handoff.round > 1 else None,
    )


def _sections(packet: Packet, say: _Say) -> list[Section]:
    return [
        _teacher(packet.teacher, say),
        _school(packet.school, say),
        _company(packet.company, say),
        _immersion(packet.immersion, say),
        *(section for section in (_notes(packet, say), _open_points(packet, say)) if section.notes),
        *(section for section in (_documents(packet.documents, say), _history(packet.journal, say)) if section.rows),
    ]


def _teacher(teacher: Teacher, say: _Say) -> Section:
    label = say.words.label
    return Section(
        say("teacher"),
        say.pairs(
            name=teacher.name or say("erased"),
            kind=label("participant_kind", teacher.kind),
            email=teacher.email,
            phone=teacher.phone,
            network=label("network", teacher.network) if teacher.network else say("no_network"),
            education=label("education", teacher.education) if teacher.education else None,
            basin=teacher.basin,
            courses=teacher.courses,
        ),
    )


def _school(school: Organisation | None, say: _Say) -> Section:
    if school is None:
        return Section(say("school"), say.pairs(name=say("no_school")))
    return Section(say("school"), say.pairs(name=school.name, school_code=school.code))


def _company(company: Company | None, say: _Say) -> Section:
    if company is None:
        return Section(say("company"), say.pairs(name=say("no_company")))
    contact = company.contact
    return Section(
        say("company"),
        say.pairs(
            name=company.name,
            sector=company.sector,
            offer=company.offer,
            site=", ".join(filter(None, (company.site, company.municipality))),
            contact=f"{contact.name}\n{contact.email}" if contact else say("no_contact"),
        ),
    )


def _immersion(immersion: Immersion, say: _Say) -> Section:
    if not immersion.days:
        return Section(say("immersion"), say.pairs(day=say("no_day")))
    half_days = f"{immersion.half_days_present} {say('of')} {immersion.half_days_planned}"
    if not any(day.am or day.pm for day in immersion.days):  # attested in all, or not at all: a grid would say neither
        known = f"{half_days}, {say('attested_in_all')}" if immersion.half_days_present else say("unrecorded")
        days = ", ".join(say.words.day(day.date) for day in immersion.days)
        return Section(say("immersion"), say.pairs(days=days, half_days=known))
    return Section(
        say("immersion"),
        say.pairs(half_days=half_days),
        say.head("day", "morning", "afternoon", wide="day"),
        [(say.words.day(day.date), _presence(day.am, say), _presence(day.pm, say)) for day in immersion.days],
    )


def _presence(value: Presence | None, say: _Say) -> str:
    return say("unrecorded") if value is None else say.words.label("fact_value", value)


def _notes(packet: Packet, say: _Say) -> Section:
    words = say.words
    return Section(
        say("notes"),
        notes=[
            {"by": f"{words.moment(note.at)}, {words.label('role', note.role)}", "text": paragraph(note.text)}
            for note in packet.notes
        ],
    )


def _open_points(packet: Packet, say: _Say) -> Section:
    return Section(
        say("open_points"),
        notes=[{"by": say.words.moment(point.at), "text": paragraph(point.text)} for point in packet.open_points],
    )


def _documents(documents: Sequence[Document], say: _Say) -> Section:
    return Section(
        say("documents"),
        head=say.head("document", "size", wide="document"),
        rows=[(one_line(each.name), f"{-(-each.size // 1000)} {say('kilobytes')}") for each in documents],
    )


# The same code reads otherwise on another subject: a director declines a registration, an institute a handoff.
_TRIGGERS = {Subject.PLACEMENT: ("placement_trigger", "trigger"), Subject.HANDOFF: ("handoff_trigger", "trigger")}
_STATES = {Subject.PLACEMENT: ("placement_status",), Subject.HANDOFF: ("handoff_status",)}


def _history(journal: Sequence[Entry], say: _Say) -> Section:
    """Tell what moved something; what was only noted stands elsewhere on the page."""
    return Section(
        say("history"),
        head=say.head("at", "act", "result", "role", wide="act"),
        rows=[
            (
                say.words.moment(entry.at),
                say.first(_TRIGGERS.get(entry.subject, ("trigger",)), entry.trigger),
                say.first(_STATES.get(entry.subject, ("state",)), entry.to_state),
                say.words.label("role", entry.role),
            )
            for entry in journal
            if entry.from_state != entry.to_state
        ],
    )
