import dataclasses
import html as html_library
import re
from datetime import date
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise
from typing import Any

import pytest

from notifications.catalogue import CATALOGUE
from notifications.envelope import Contact, Envelope, Item
from notifications.facts import FACTS
from notifications.rendering import BLOCKS, kind_template, render
from notifications.templating import de
from states.names import Kind, Role, State

URL = "https://apprendre.ifc.example/entrapprendre/2018-2019"
NAMES = ("Camille Lambert", "Alice Ngoma", "Hélène Dardenne")
VOID_TAGS = {"meta", "br"}


def item(number: int, **changes: Any) -> Item:
    known = Item(
        reference=f"EA-2018-2019-004{number}",
        teacher=NAMES[number],
        teacher_email=f"prof{number}@ecole.example",
        function="enseignant",
        school="Institut technique Saint-Roch, Namur",
        network="SeGEC",
        education="ordinaire",
        wishes=("SAFRAN – Usinage de précision", "SONACA – Aérostructures"),
        company="SAFRAN",
        offer="Usinage de précision",
        site="Herstal",
        days=(date(2019, 3, 14), date(2019, 3, 15)),
        due=date(2019, 2, 14 + number),
        institute="Cecafoc",
        half_days=3,
        half_days_planned=4,
        contact=Contact(name="Luc Petit", email="luc.petit@safran.example", phone="04 278 81 11"),
        reason="Chantier reporté",
        state="prepared",
        missing=("network",),
    )
    return dataclasses.replace(known, **changes)


def bare(number: int) -> Item:
    """What is known of a participation about which nearly nothing is."""
    return Item(reference=f"EA-2018-2019-004{number}", teacher=NAMES[number])


def envelope(kind: Kind, *items: Item, **changes: Any) -> Envelope:
    has_school = any(one.school for one in items)
    made = Envelope(
        message_id="6b7c1f0e-0000-5000-8000-000000000001",
        kind=kind,
        recipient_name="Dominique Renard",
        recipient_role=CATALOGUE[kind].audience_for(has_school=has_school),
        edition_title="Entr’apprendre 2018-2019",
        items=items,
        coordinator=Contact(name="Anne Dupont", email="anne.dupont@ifc.example", phone="081 83 03 10"),
        sender="Institut de la formation en cours de carrière",
        preparation_url=URL,
        places_from=date(2018, 11, 5),
        places_until=date(2019, 4, 5),
    )
    return dataclasses.replace(made, **changes)


def some(kind: Kind, case: str) -> Envelope:
    return {
        "one": lambda: envelope(kind, item(0)),
        "three": lambda: envelope(kind, item(0), item(1), item(2)),
        "same day": lambda: envelope(kind, *(item(number, due=date(2019, 2, 14)) for number in range(3))),
        "bare": lambda: envelope(kind, bare(0), preparation_url=None, places_from=None, places_until=None),
        "three bare": lambda: envelope(kind, bare(0), bare(1), bare(2)),
    }[case]()


CASES = ("one", "three", "same day", "bare", "three bare")
every_message = pytest.mark.parametrize(("kind", "case"), [(kind, case) for kind in Kind for case in CASES])
every_kind = pytest.mark.parametrize("kind", Kind)


def paragraphs(text: str) -> str:
    """The text with its wrapping undone, without the line that sets the footer apart."""
    return re.sub(r"(?<!\n)\n *(?![\n-])", " ", text.replace("\n-- \n", "\n"))


def visible(page: str) -> str:
    return html_library.unescape(re.sub(r"<[^>]*>", "", page.replace("<br>", "\n")))


def ends_in_tag(line: str) -> bool:
    return line.endswith("%}") and bool(re.sub(r"{%.*?%}", "", line).strip())


def goes_on(line: str) -> bool:
    return bool(line) and not line.startswith("{%")


class Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_kind_has_one_template_and_every_template_a_kind() -> None:
    names = {path.name for path in (files("notifications") / "templates" / "fr").iterdir()}

    assert names == {f"{kind}.j2" for kind in Kind}


@every_kind
def test_template_has_the_blocks_of_its_kind_and_lists_known_facts(kind: Kind) -> None:
    template = kind_template(kind, "fr", escaped=False)
    needed = {"subject", "lead", "facts"} | ({"ask"} if CATALOGUE[kind].act_owed else set())
    asks_others = CATALOGUE[kind].act_owed and CATALOGUE[kind].audience is not Role.COORDINATOR

    assert needed <= set(template.blocks) <= set(BLOCKS)
    assert ("ask" in template.blocks) == CATALOGUE[kind].act_owed
    assert ("answer" in template.blocks) == asks_others
    facts = "".join(template.blocks["facts"](template.new_context({}))).split()
    assert set(facts) <= set(FACTS)


@every_kind
def test_no_line_of_a_template_loses_the_space_after_it(kind: Kind) -> None:
    """The line end after a tag is dropped: text that goes on must begin on the tag's own line."""
    source = (files("notifications") / "templates" / "fr" / f"{kind}.j2").read_text(encoding="utf-8")
    broken = [line for line, following in pairwise(source.splitlines()) if ends_in_tag(line) and goes_on(following)]

    assert broken == []


@every_message
def test_subject_says_action_required_exactly_when_an_act_is_owed(kind: Kind, case: str) -> None:
    subject = render(some(kind, case)).subject

    assert subject.startswith("[Action requise] Entr’apprendre\u00a0: ") == CATALOGUE[kind].act_owed
    assert "Entr’apprendre\u00a0: " in subject
    assert len(subject) < 130


@every_message
def test_nothing_shows_that_something_is_unknown(kind: Kind, case: str) -> None:
    mail = render(some(kind, case))

    for read in (mail.subject, paragraphs(mail.text), visible(mail.html)):
        assert not re.search(r"None|Undefined|\{|\}|\(\)|\[\]|<", read)
        assert not re.search(r"\S  +\S| [,.)]|\( |,,|,\.|\.\.|::", read)


@every_message
def test_typography_is_french(kind: Kind, case: str) -> None:
    mail = render(some(kind, case))

    for read in (mail.subject, paragraphs(mail.text), visible(mail.html).replace(mail.subject, "")):
        assert "'" not in read
        assert not re.search(r"[ \w][;!?»]|[ \w\)]:(?!//)|« |«\w", read)


@every_message
def test_page_is_well_formed_and_loads_nothing(kind: Kind, case: str) -> None:
    page = render(some(kind, case)).html
    balance = Balance()
    balance.feed(page)

    assert balance.open == []
    assert not balance.tags & {"img", "link", "script", "style", "iframe", "form"}
    assert page.startswith('<!DOCTYPE html>\n<html lang="fr">')
    assert page.count("<h1") == 1
    assert set(re.findall(r'href="([^"]+)"', page)) <= {URL, "mailto:anne.dupont@ifc.example"}


@every_message
def test_same_envelope_renders_to_the_same_bytes(kind: Kind, case: str) -> None:
    assert render(some(kind, case)) == render(some(kind, case))


@every_kind
def test_order_in_which_items_were_read_does_not_show(kind: Kind) -> None:
    assert render(envelope(kind, item(2), item(0), item(1))) == render(envelope(kind, item(0), item(1), item(2)))


@every_kind
def test_every_mail_greets_says_why_it_came_and_names_its_references(kind: Kind) -> None:
    mail = render(some(kind, "three"))

    for read in (paragraphs(mail.text), visible(mail.html)):
        assert "Bonjour Dominique Renard," in read
        assert "Vous recevez ce courriel car " in read
        named = "Références\u00a0: EA-2018-2019-0040, EA-2018-2019-0041 et EA-2018-2019-0042." in read
        assert named != CATALOGUE[kind].figures
        assert "Entr’apprendre 2018-2019." in read


@every_kind
def test_everybody_but_the_coordinator_reads_whom_to_call(kind: Kind) -> None:
    mail = render(some(kind, "one"))
    coordinator = CATALOGUE[kind].audience is Role.COORDINATOR

    assert ("anne.dupont@ifc.example, 081 83 03 10" in mail.text) != coordinator
    assert ('<a href="mailto:anne.dupont@ifc.example"' in mail.html) != coordinator


@every_kind
def test_text_and_page_say_the_same(kind: Kind) -> None:
    mail = render(some(kind, "one"))
    page = " ".join(visible(mail.html).split())
    said = [part for part in paragraphs(mail.text).split("\n\n") if not part.startswith("- ")]

    assert said
    for part in said:
        assert " ".join(part.split()) in page


def test_approval_of_three_is_counted_in_words_of_the_plural() -> None:
    assert render(some(Kind.APPROVAL_REQUESTED, "three")).subject == (
        "[Action requise] Entr’apprendre\u00a0: 3 inscriptions attendent votre accord"
    )


def test_approval_of_one_names_the_person() -> None:
    mail = render(some(Kind.APPROVAL_REQUESTED, "one"))

    assert mail.subject == "[Action requise] Entr’apprendre\u00a0: l’inscription de Camille Lambert attend votre accord"
    assert "Merci de nous faire savoir si vous marquez votre accord, au plus tard le jeudi 14 février 2019." in (
        paragraphs(mail.text)
    )
    assert "<strong>au plus tard le jeudi 14 février 2019</strong>" in mail.html


def test_different_deadlines_are_listed_and_the_first_is_said() -> None:
    text = paragraphs(render(some(Kind.APPROVAL_REQUESTED, "three")).text)

    assert "aux dates indiquées ci-dessous, la première étant le jeudi 14 février 2019." in text
    assert text.count("À faire au plus tard\u00a0: ") == 3


def test_one_deadline_for_all_is_said_once() -> None:
    text = paragraphs(render(some(Kind.APPROVAL_REQUESTED, "same day")).text)

    assert "sur chacune de ces inscriptions, au plus tard le jeudi 14 février 2019." in text
    assert "À faire" not in text


def test_no_deadline_known_asks_for_an_answer_soon() -> None:
    assert "votre accord, dès que possible." in paragraphs(render(some(Kind.APPROVAL_REQUESTED, "bare")).text)


def test_without_a_school_the_coordinator_is_asked_and_no_director_is_mentioned() -> None:
    mail = render(some(Kind.APPROVAL_REQUESTED, "bare"))

    assert "sans relever d’un établissement scolaire\u00a0: l’accord vous revient." in paragraphs(mail.text)
    assert "direction" not in mail.text
    assert "est à encoder dans Entr’apprendre" in paragraphs(mail.text)


def test_somebody_who_owes_nothing_reads_a_copy() -> None:
    mail = render(envelope(Kind.PREPARATION_REMINDER, item(0), recipient_role=Role.COORDINATOR))

    assert mail.subject == "[Copie] Entr’apprendre\u00a0: le module de préparation reste à suivre"
    assert "Copie pour suivi. Ce message s’adresse à\u00a0: personne qui participe." in mail.text
    assert "répondez simplement" not in mail.text


@pytest.mark.parametrize("name", ["", "direction@ecole.example"])
def test_a_functional_mailbox_is_greeted_without_a_name(name: str) -> None:
    assert render(envelope(Kind.APPROVAL_REQUESTED, item(0), recipient_name=name)).text.startswith(
        "Madame, Monsieur,\n"
    )


def test_a_mailbox_without_a_person_is_not_named_twice() -> None:
    contact = Contact(name="stages@safran.example", email="stages@safran.example")

    assert (
        "Contact\u00a0: stages@safran.example\n"
        in render(envelope(Kind.PLACE_CONFIRMED, item(0, contact=contact))).text
    )


def test_the_company_never_reads_why_a_teacher_withdrew() -> None:
    mail = render(envelope(Kind.TRAINEE_WITHDRAWN, item(0, reason="Hospitalisation")))

    assert "Hospitalisation" not in mail.text + mail.html + mail.subject


def test_the_committee_reads_figures_and_never_of_a_person() -> None:
    late = [
        item(0, owing="Institut Saint-Roch", days_late=3),
        item(1, owing="Institut Saint-Roch", days_late=6),
        item(2, owing="SAFRAN", days_late=40),
    ]

    mail = render(envelope(Kind.COMMITTEE_DELAYS, *late))

    assert "- Institut Saint-Roch\n  depuis moins d’une semaine\u00a0: 2\n" in mail.text
    assert "- SAFRAN\n  depuis plus de quatre semaines\u00a0: 1\n" in mail.text
    told = mail.text + mail.html
    known = [each for one in late for each in (one.reference, one.teacher, one.teacher_email, "Luc Petit")]
    assert not [each for each in known if str(each) in told]


def test_dates_to_be_fixed_are_said_to_be() -> None:
    assert "Les dates restent à convenir" in render(envelope(Kind.PLACE_CONFIRMED, item(0, days=()))).text


def test_days_share_their_month_and_the_first_is_1er() -> None:
    days = (date(2019, 3, 1), date(2019, 2, 28))
    text = paragraphs(render(envelope(Kind.PLACE_CONFIRMED, item(0, days=days))).text)

    assert "chez SAFRAN, les jeudi 28 février et vendredi 1er mars 2019." in text
    assert "Dates\u00a0: jeudi 28 février et vendredi 1er mars 2019" in text


def test_state_is_said_by_its_label() -> None:
    text = render(envelope(Kind.PARTICIPATION_CORRECTED, item(0, state=State.IMMERSED))).text

    assert "« immersion faite »" in text.replace("\u00a0", " ")


def test_line_end_in_a_name_starts_no_header_and_no_line() -> None:
    name = "Eve\r\nBcc: tous@ecole.example\u2028\u202egro.live"
    mail = render(envelope(Kind.APPROVAL_REQUESTED, item(0, teacher=name), recipient_name=name))

    assert "l’inscription d’Eve Bcc: tous@ecole.example gro.live attend" in mail.subject
    assert mail.subject.isprintable() or not re.search(r"[\r\n\u2028\u202e]", mail.subject)
    assert not re.search(r"(?m)^Bcc|[\r\u2028\u202e]", mail.text + mail.html)


@every_kind
def test_markup_in_every_field_is_only_text(kind: Kind) -> None:
    evil = "<script>alert('x')</script> & \"y\""
    contact = Contact(name=evil, email=evil, phone=evil)
    texts = ("teacher", "teacher_email", "school", "company", "offer", "site", "institute", "reason")
    one = item(0, **dict.fromkeys(texts, evil), reference=evil, wishes=(evil,), contact=contact)
    made = envelope(kind, one, recipient_name=evil, edition_title=evil, sender=evil, preparation_url=evil)
    mail = render(dataclasses.replace(made, coordinator=contact))

    balance = Balance()
    balance.feed(mail.html)
    assert "script" not in balance.tags
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;y&#34;" in mail.html
    assert "&amp;lt;" not in mail.html
    assert evil in paragraphs(mail.text)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "http:", "ftp://x.example", "//x.example", "pas une adresse"]
)
def test_what_is_no_web_address_is_no_link(address: str) -> None:
    page = render(envelope(Kind.PREPARATION_REMINDER, item(0), preparation_url=address)).html

    assert set(re.findall(r'href="([^"]+)"', page)) == {"mailto:anne.dupont@ifc.example"}


def test_expressions_in_data_are_not_evaluated() -> None:
    assert "{{ 7 * 7 }} {n}" in render(envelope(Kind.PLACE_LOST, item(0, reason="{{ 7 * 7 }} {n}"))).text


def test_typography_leaves_what_people_wrote_alone() -> None:
    text = render(envelope(Kind.PLACE_LOST, item(0, company="D'IETEREN", reason="l'atelier : fermé !"))).text

    assert "chez D'IETEREN" in paragraphs(text)
    assert "l'atelier : fermé !" in text


def test_envelope_about_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one item"):
        envelope(Kind.PATH_COMPLETED)


def test_language_without_words_is_refused() -> None:
    with pytest.raises(KeyError):
        render(envelope(Kind.PATH_COMPLETED, item(0), language="nl"))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Bruno", "de Bruno"),
        ("Alice", "d’Alice"),
        ("Élodie", "d’Élodie"),
        ("Hélène", "d’Hélène"),
        ("Hassan", "de Hassan"),
        ("Yves", "d’Yves"),
        ("Yasmine", "de Yasmine"),
        ("Œdipe", "d’Œdipe"),
        ("", "de "),
    ],
)
def test_de_is_elided_before_a_vowel(name: str, written: str) -> None:
    assert de(name) == written
