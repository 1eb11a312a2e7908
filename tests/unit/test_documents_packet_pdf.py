import io
import re
from datetime import date, timedelta
from pathlib import Path

import pypdf
import pytest

from documents.packet import Day, Entry, Immersion, Note, Packet, canonical, fingerprint
from documents.packet_pdf import packet_pdf
from notifications.words import vocabulary
from states.names import Purpose, Role, Subject, Trigger
from tests.support.packets import FRENCH, OFFERED_AT, bare, company, handoff, packet, teacher

DOCUMENTS = Path(__file__).parents[2] / "documents"
ARCHIVAL = b"<pdfaid:part>2</pdfaid:part>"

# What would be markup, code, a file or a link in a template, if anything ever read it as one.
TRAPS = [
    '#import "x"',
    '#read("/etc/passwd")',
    "#panic()",
    "$x^2$",
    "*gras* _italique_ `code`",
    "= Titre",
    "- liste + 1. / terme: x",
    "\\ \\u{41} \\#",
    "@reference <label>",
    "// fin",
    "/* fin",
    "] } ) [ { (",
    "https://x.example",
    "guillemet \" et ' apostrophe",
    '"}, "title": "autre',
    "a--b ... ~",
]


def read(made: Packet) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(packet_pdf(made, FRENCH)))


def text(made: Packet) -> str:
    """Return the text of all pages, each run of blanks as one space."""
    return " ".join(" ".join(page.extract_text() for page in read(made).pages).split())


def test_the_page_says_what_the_packet_says() -> None:
    made = packet()
    foot = f"Empreinte SHA-256 : {fingerprint(canonical(made))}"

    assert text(made) == " ".join(
        [
            "Institut de la formation en cours de carrière Entr’apprendre 2018-2019 Relais pour le transfert",
            "Référence 2018-2019-0001 Proposé par Institut de la formation en cours de carrière Proposé à FCC",
            "Proposé le 29 janvier 2019, 08:00 Réponse au plus tard le mardi 12 février 2019",
            "La personne Nom Benoît Lambert Fonction enseignant ou enseignante",
            "Courriel benoit.lambert@ecole-quatre-vents.example Téléphone +32 4 000 00 00",
            "Réseau WBE (Wallonie-Bruxelles Enseignement) Enseignement ordinaire Bassin Liège",
            "Cours Usinage et commandes numériques",
            "L’établissement Nom Athénée royal des Quatre-Vents N° FASE 90020",
            "L’entreprise Nom SAFRAN Secteur Industrie",
            "Offre suivie Usinage de précision de pièces de moteurs d’avion Lieu Ateliers de Herstal, Herstal",
            "Contact Anouk Ransonnet anouk.ransonnet@safran.example",
            "La présence en entreprise Jour Matin Après-midi jeudi 24 janvier 2019 présence présence",
            "vendredi 25 janvier 2019 présence absence Demi-jours de présence 3 sur 4",
            "Notes 25 janvier 2019, 17:00, personne qui participe",
            "Le contrôle qualité occupe la moitié du temps d’usinage.",
            "Points ouverts 28 janvier 2019, 09:00 L’après-midi du 25 est à rattraper ou à justifier.",
            f"Documents Fichier Taille convention.pdf 49 ko 2018-2019-0001 Page 1 sur 2 {foot}",
            "Historique Quand Acte Résultat Par 17 septembre 2018, 08:00 inscrire inscription reçue système",
            "19 septembre 2018, 09:00 approuver l’inscription inscription approuvée direction de l’établissement",
            "5 novembre 2018, 08:00 confirmer la place confirmée système",
            "29 janvier 2019, 08:00 confirmer l’immersion immersion faite système",
            f"29 janvier 2019, 08:00 proposer le relais proposé système 2018-2019-0001 Page 2 sur 2 {foot}",
        ]
    )


def test_the_foot_of_each_page_has_reference_hash_and_number() -> None:
    made = packet(notes=tuple(Note(at=OFFERED_AT, role=Role.TEACHER, text=f"Note {n}.\n" * 9) for n in range(9)))
    pages = [" ".join(page.extract_text().split()) for page in read(made).pages]

    assert len(pages) == 3
    for number, page in enumerate(pages, start=1):
        assert page.endswith(f"2018-2019-0001 Page {number} sur 3 Empreinte SHA-256 : {fingerprint(canonical(made))}")


def test_what_is_not_known_is_said_or_left_out() -> None:
    assert text(bare()).partition(" Proposé le ")[2].partition(" 2018-2019-0001 ")[0] == (
        "29 janvier 2019, 08:00 Réponse au plus tard le aucune limite n’est fixée "
        "La personne Nom Benoît Lambert Fonction conseiller ou conseillère pédagogique Réseau aucun "
        "L’établissement Nom aucun établissement "
        "L’entreprise Nom SAFRAN Secteur Industrie "
        "Offre suivie Usinage de précision de pièces de moteurs d’avion Contact aucun contact "
        "La présence en entreprise Jour aucun jour n’est enregistré"
    )


def test_an_erased_person_has_no_name() -> None:
    assert "Nom données effacées Fonction" in text(packet(teacher=teacher(name="", email=None, phone=None)))


def test_a_usual_packet_stands_on_one_page() -> None:
    """Version 1 without what later issues fill."""
    assert len(read(packet(notes=(), open_points=(), documents=())).pages) == 1


@pytest.mark.parametrize("trap", TRAPS)
def test_what_somebody_typed_is_never_markup(trap: str) -> None:
    made = packet(
        teacher=teacher(name=trap, courses=trap),
        company=company(offer=trap),
        handoff=handoff(reference=trap),
        notes=(Note(at=OFFERED_AT, role=Role.TEACHER, text=f"avant\n{trap}\naprès"),),
    )
    found = text(made)

    assert f"Nom {trap} Fonction" in found
    assert f"Cours {trap} L’établissement" in found
    assert f"Offre suivie {trap} Lieu" in found
    assert f"avant {trap} après" in found
    assert f"{trap} Page 1 sur" in found


def test_marks_that_hide_or_turn_text_are_gone() -> None:
    assert "Nom AB C Fonction" in text(packet(teacher=teacher(name="A\u202eB\x00\n\u2028C\ufeff")))


def test_accents_ligatures_and_french_spaces_are_shown() -> None:
    name = "Œuf Ça «\u00a0été\u00a0»\u202f; Zoë Łódź Ğşț"

    assert f"Nom {' '.join(name.split())} Fonction" in text(packet(teacher=teacher(name=name)))


def test_a_word_longer_than_a_line_is_cut_and_an_address_is_not() -> None:
    address = "prenom.nom@un-nom-de-domaine-assez-long-mais-courant.example"
    made = packet(teacher=teacher(name="W" * 150, email=address))

    lines = read(made).pages[0].extract_text().replace("\u200b", "").splitlines()

    letters = [line.count("W") for line in lines if "WW" in line]

    assert sum(letters) == 150
    assert max(letters) < 40  # what a line holds
    assert f"Courriel {address} Téléphone" in text(made)


@pytest.mark.parametrize("made", [packet(), bare()], ids=("full", "bare"))
def test_the_same_packet_is_the_same_bytes(made: Packet) -> None:
    assert packet_pdf(made, FRENCH) == packet_pdf(made, FRENCH)


def test_another_packet_is_not() -> None:
    assert packet_pdf(packet(), FRENCH) != packet_pdf(packet(handoff=handoff(round=2)), FRENCH)


def test_the_document_is_dated_by_its_offer_and_titled() -> None:
    found = read(packet()).metadata

    assert found is not None
    assert found.title == "Relais pour le transfert"
    assert found.creation_date is not None
    assert abs(found.creation_date - OFFERED_AT) < timedelta(seconds=1)


def test_the_document_may_be_archived() -> None:
    assert ARCHIVAL in packet_pdf(packet(), FRENCH)
    assert ARCHIVAL in packet_pdf(bare(), FRENCH)


@pytest.mark.parametrize("name", ["山田 太郎", "Zoé 😀"])
def test_letters_that_no_font_has_cost_the_archival_form_only(name: str) -> None:
    made = packet(teacher=teacher(name=name))

    assert ARCHIVAL not in packet_pdf(made, FRENCH)
    assert "Fonction enseignant ou enseignante" in text(made)


def test_only_fonts_of_the_wheel_are_used() -> None:
    """A machine's own fonts would make other bytes."""
    fonts = {
        str(font.get_object()["/BaseFont"]).partition("+")[2].removesuffix("-Identity-H")
        for page in read(packet()).pages
        for font in page["/Resources"]["/Font"].values()  # type: ignore[index]  # pypdf's objects
    }

    assert fonts == {"LibertinusSerif-Regular", "LibertinusSerif-Bold", "DejaVuSansMono"}


def test_presence_is_told_by_half_day() -> None:
    days = (
        Day(date=date(2019, 3, 1), am="present", pm="absent"),
        Day(date=date(2019, 3, 8), am=None, pm="present"),
    )
    made = packet(immersion=Immersion(days=days, half_days_present=2, half_days_planned=4))

    assert (
        "Jour Matin Après-midi vendredi 1er mars 2019 présence absence vendredi 8 mars 2019 non encodé présence "
        "Demi-jours de présence 2 sur 4"
    ) in text(made)


def test_presence_attested_in_all_is_not_said_to_be_unrecorded_day_by_day() -> None:
    days = tuple(Day(date=date(2019, 3, day), am=None, pm=None) for day in (1, 8))
    attested, unknown = (
        text(packet(immersion=Immersion(days=days, half_days_present=present, half_days_planned=4)))
        for present in (4, 0)
    )

    when = "La présence en entreprise Jours vendredi 1er mars 2019, vendredi 8 mars 2019 Demi-jours de présence"
    assert f"{when} 4 sur 4, attestés ensemble, sans le détail par demi-jour" in attested
    assert f"{when} non encodé" in unknown


def test_history_tells_each_subject_in_its_own_words_and_skips_what_moved_nothing() -> None:
    moves = (
        (Subject.PARTICIPATION, Trigger.DECLINE, "registered", "declined"),
        (Subject.HANDOFF, Trigger.DECLINE, "offered", "declined"),
        (Subject.PLACEMENT, Trigger.OFFER, "proposed", "offered"),
        (Subject.PLACEMENT, Trigger.RELEASE, "offered", "released"),
        (Subject.PARTICIPATION, Trigger.RECORD_FACT, "prepared", "prepared"),
        (Subject.PARTICIPATION, Trigger.CORRECT, "prepared", "a_state_to_come"),
    )
    journal = tuple(
        Entry(seq=n, at=OFFERED_AT, subject=subject, trigger=trigger, from_state=a, to_state=b, role=Role.SYSTEM)
        for n, (subject, trigger, a, b) in enumerate(moves, start=1)
    )
    when = "29 janvier 2019, 08:00"

    assert (
        f"Historique Quand Acte Résultat Par {when} refuser l’inscription inscription refusée système "
        f"{when} refuser le relais refusé système {when} offrir la place offerte système "
        f"{when} libérer la place libérée système {when} corriger l’état a_state_to_come système"
    ) in text(packet(journal=journal))


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_has_its_title(purpose: Purpose) -> None:
    assert "Relais pour l" in text(packet(handoff=handoff(purpose=purpose)))


def test_no_label_of_the_packet_is_left_over() -> None:
    source = "".join((DOCUMENTS / name).read_text() for name in ("packet_pdf.py", "sheets.py"))
    labels = set(vocabulary("fr").labels["packet"])

    assert {code for code in labels if not re.search(rf"\b{code}\b", source)} == {
        f"title_{purpose}" for purpose in Purpose
    }
