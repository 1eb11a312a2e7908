"""Packets to try documents on: a usual one, the barest one, and the words that a caller gives with them."""

from datetime import UTC, date, datetime
from typing import Any

from core.clock import BRUSSELS
from documents.packet import (
    Company,
    CompanyContact,
    Day,
    Document,
    Edition,
    Entry,
    Handoff,
    Immersion,
    Note,
    OpenPoint,
    Organisation,
    Packet,
    Teacher,
)
from notifications.words import label, vocabulary
from states.names import Education, Network, ParticipantKind, Purpose, Role, Subject, Trigger

OFFERED_AT = datetime(2019, 1, 29, 7, tzinfo=UTC)
IFC = Organisation(code="IFC", name="Institut de la formation en cours de carrière")
FCC = Organisation(code="FCC", name="FCC")


class French:
    """The words of the catalogue, as callers give them to documents."""

    def label(self, group: str, code: str) -> str:
        return label(group, code)

    def day(self, day: date) -> str:
        return vocabulary("fr").calendar.day(day)

    def moment(self, at: datetime) -> str:
        local = at.astimezone(BRUSSELS)
        return f"{vocabulary('fr').calendar.plain(local.date())}, {local:%H:%M}"


FRENCH = French()


def handoff(**changed: Any) -> Handoff:
    given: dict[str, Any] = {
        "reference": "2018-2019-0001",
        "purpose": Purpose.TRANSFER,
        "round": 1,
        "sender": IFC,
        "receiver": FCC,
        "offered_at": OFFERED_AT,
        "answer_by": date(2019, 2, 12),
    }
    return Handoff(**given | changed)


def teacher(**changed: Any) -> Teacher:
    given: dict[str, Any] = {
        "name": "Benoît Lambert",
        "email": "benoit.lambert@ecole-quatre-vents.example",
        "phone": "+32 4 000 00 00",
        "kind": ParticipantKind.ENSEIGNANT,
        "network": Network.WBE,
        "education": Education.ORDINAIRE,
        "basin": "Liège",
        "courses": "Usinage et commandes numériques",
    }
    return Teacher(**given | changed)


def company(**changed: Any) -> Company:
    given: dict[str, Any] = {
        "name": "SAFRAN",
        "sector": "Industrie",
        "offer": "Usinage de précision de pièces de moteurs d’avion",
        "site": "Ateliers de Herstal",
        "municipality": "Herstal",
        "contact": CompanyContact(name="Anouk Ransonnet", email="anouk.ransonnet@safran.example"),
    }
    return Company(**given | changed)


def entry(seq: int, at: datetime, subject: Subject, trigger: Trigger, states: tuple[str, str], role: Role) -> Entry:
    return Entry(seq=seq, at=at, subject=subject, trigger=trigger, from_state=states[0], to_state=states[1], role=role)


def at(month: int, day: int, hour: int = 8, year: int = 2019) -> datetime:
    return datetime(year, month, day, hour, tzinfo=BRUSSELS)


JOURNAL = (
    entry(1, at(9, 17, year=2018), Subject.PARTICIPATION, Trigger.REGISTER, ("-", "registered"), Role.SYSTEM),
    entry(
        2,
        at(9, 19, 9, 2018),
        Subject.PARTICIPATION,
        Trigger.APPROVE,
        ("registered", "director_approved"),
        Role.DIRECTOR,
    ),
    entry(4, at(11, 5, year=2018), Subject.PLACEMENT, Trigger.CONFIRM, ("proposed", "confirmed"), Role.SYSTEM),
    entry(7, at(1, 28, 9), Subject.PARTICIPATION, Trigger.RECORD_FACT, ("prepared", "prepared"), Role.COMPANY),
    entry(8, at(1, 29), Subject.PARTICIPATION, Trigger.CONFIRM_IMMERSION, ("prepared", "immersed"), Role.SYSTEM),
    entry(10, at(1, 29), Subject.HANDOFF, Trigger.OFFER, ("to_route", "offered"), Role.SYSTEM),
)


def packet(**changed: Any) -> Packet:
    """Return a packet with all its parts, some of them changed."""
    given: dict[str, Any] = {
        "schema_version": 1,
        "handoff": handoff(),
        "edition": Edition(code="2018-2019", title="Entr’apprendre 2018-2019"),
        "teacher": teacher(),
        "school": Organisation(code="90020", name="Athénée royal des Quatre-Vents"),
        "company": company(),
        "immersion": Immersion(
            days=(
                Day(date=date(2019, 1, 24), am="present", pm="present"),
                Day(date=date(2019, 1, 25), am="present", pm="absent"),
            ),
            half_days_present=3,
            half_days_planned=4,
        ),
        "notes": (
            Note(at=at(1, 25, 17), role=Role.TEACHER, text="Le contrôle qualité occupe la moitié du temps d’usinage."),
        ),
        "open_points": (OpenPoint(at=at(1, 28, 9), text="L’après-midi du 25 est à rattraper ou à justifier."),),
        "documents": (Document(name="convention.pdf", media_type="application/pdf", sha256="ab" * 32, size=48_213),),
        "journal": JOURNAL,
    }
    return Packet(**given | changed)


def bare() -> Packet:
    """Return the packet of an adviser about whom little is known: no school, no network, no presence, no limit."""
    return packet(
        handoff=handoff(answer_by=None),
        teacher=teacher(
            email=None,
            phone=None,
            kind=ParticipantKind.CONSEILLER_PEDAGOGIQUE,
            network=None,
            education=None,
            basin="",
            courses="",
        ),
        school=None,
        company=company(site="", municipality="", contact=None),
        immersion=Immersion(days=(), half_days_present=0, half_days_planned=0),
        notes=(),
        open_points=(),
        documents=(),
        journal=(),
    )
