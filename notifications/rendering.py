"""From an envelope to a subject, a text and an HTML page: pure, and the same bytes for the same envelope.

A kind has one short template, `templates/<language>/<kind>.j2`, with the blocks of `BLOCKS`. It is rendered twice, with
and without HTML escaping, and set into the two layouts `_mail.txt.j2` and `_mail.html.j2`, which hold no sentence.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from jinja2 import Template
from markupsafe import Markup

from notifications.catalogue import CATALOGUE
from notifications.envelope import Envelope, Item, cleaned
from notifications.facts import facts
from notifications.plain import NARROW, one_line, squeeze
from notifications.templating import environment
from notifications.words import label, say
from states.names import Kind, QuestionKind, Role
from states.questionnaire import Question

BLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "subject": "the matter, without the programme's name and without a capital",
        "lead": "what it is about",
        "ask": "what is asked, and by when",
        "answer": "how to answer, in words, until links come",
        "after": "what happens next",
        "facts": "which facts of an item are listed, by name (`facts.FACTS`)",
    },
)
"""Blocks of a kind's template. `subject`, `lead` and `facts` are always there, `ask` when an act is owed."""


_Blocks = Mapping[str, Sequence[str]]
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What the recipient reads."""

    subject: str
    text: str
    html: str


def render(envelope: Envelope) -> Rendered:
    """Render one message. Raises KeyError on an unknown language or code."""
    envelope = cleaned(envelope)
    text, html = (_blocks(envelope, escaped=escaped) for escaped in (False, True))
    subject = _subject(envelope, text["subject"][0])
    return Rendered(
        subject=subject,
        text=_page(envelope, text, subject, layout="_mail.txt.j2"),
        html=_page(envelope, html, subject, layout="_mail.html.j2"),
    )


def is_copy(envelope: Envelope) -> bool:
    """Whether the recipient is not the one this kind speaks to: a step of a ladder may choose anybody.

    A copy asks nothing: it says to whom the message speaks, and why it is read here is in the edition file.
    """
    return envelope.recipient_role != CATALOGUE[envelope.kind].audience_for(has_school=envelope.has_school)


def kind_template(kind: Kind, language: str, *, escaped: bool) -> Template:
    """Return the template with this kind's words."""
    return environment(language, html=escaped).get_template(f"{language}/{kind}.j2")


def _blocks(envelope: Envelope, *, escaped: bool) -> _Blocks:
    """Render each block of the kind's template by itself, and cut it into paragraphs at empty lines."""
    template = kind_template(envelope.kind, envelope.language, escaped=escaped)
    scope = template.new_context(_speaks_of(envelope))
    wrap = Markup if escaped else str
    texts = {name: "".join(block(scope)) for name, block in template.blocks.items()}
    return {name: [wrap(paragraph) for paragraph in _paragraphs(text)] for name, text in texts.items()}


def _paragraphs(text: str) -> list[str]:
    return [squeezed for part in _EMPTY_LINE.split(text) if (squeezed := squeeze(part))]


def _speaks_of(envelope: Envelope) -> dict[str, object]:
    """Return what a kind's template may speak of."""
    return {
        "item": envelope.items[0],
        "who": envelope.items[0].teacher,
        "institute": _institute(envelope),
        "n": len(envelope.items),
        "many": len(envelope.items) > 1,
        "due": _earliest_due(envelope),
        "by": _by(envelope),
        "has_school": envelope.has_school,
        "preparation_url": envelope.preparation_url,
        "places_from": envelope.places_from,
        "places_until": envelope.places_until,
        "questions": len(envelope.questions),
    }


def _institute(envelope: Envelope) -> str | None:
    """Return who is in charge of the transfer, as a sentence begins with it: IFC's own name would want an article."""
    name = envelope.items[0].institute
    return say("ifc_itself", envelope.language) if name == envelope.sender else name


def _earliest_due(envelope: Envelope) -> date | None:
    return min((item.due for item in envelope.items if item.due), default=None)


def _by(envelope: Envelope) -> str:
    """Return "by when" as the end of a sentence: one day, the first of several, or as soon as possible."""
    days = {item.due for item in envelope.items}
    if days == {None}:
        return say("by_none", envelope.language)
    return say("by" if len(days) == 1 else "by_each", envelope.language, due=_earliest_due(envelope))


def _subject(envelope: Envelope, matter: str) -> str:
    return one_line(say(_subject_code(envelope), envelope.language, matter=matter))


def _subject_code(envelope: Envelope) -> str:
    if is_copy(envelope):
        return "subject_unreached" if envelope.unreached else "subject_copy"
    return "subject_action" if CATALOGUE[envelope.kind].act_owed else "subject"


def _page(envelope: Envelope, blocks: _Blocks, subject: str, *, layout: str) -> str:
    matter = blocks["subject"][0]
    listed = _listed(envelope, " ".join(blocks["facts"]))
    return (
        environment(envelope.language, html=layout.endswith(".html.j2"))
        .get_template(layout)
        .render(
            envelope=envelope,
            subject=subject,
            greeting=_greeting(envelope),
            matter=matter[:1].upper() + matter[1:],
            copy=_copy(envelope),
            lead=blocks["lead"],
            ask=blocks.get("ask", ()),
            answer=_answer(envelope, blocks),
            questions=_questions(envelope),
            after=blocks.get("after", ()),
            entries=_entries(envelope, listed),
            references=[] if _in_figures(envelope) else [item.reference for item in envelope.items],
            because=envelope.recipient_role,
            to_coordinator=envelope.recipient_role == Role.COORDINATOR,
        )
    )


def _copy(envelope: Envelope) -> str | None:
    """Say to whom the message speaks, to somebody else who reads it; and, to IFC, that they did not get it."""
    if not is_copy(envelope):
        return None
    code = "unreached" if envelope.unreached else "copy"
    return say(code, envelope.language, audience=CATALOGUE[envelope.kind].audience)


def _in_figures(envelope: Envelope) -> bool:
    return CATALOGUE[envelope.kind].figures


def _entries(envelope: Envelope, listed: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what is listed: each item with its facts; of figures, how many are late for how long, by organisation."""
    if not _in_figures(envelope):
        return [(_title(envelope, item), facts(item, listed, envelope.language)) for item in envelope.items]
    counts: Counter[tuple[str, str]] = Counter(
        (item.owing or envelope.sender, _late_for(item.days_late)) for item in envelope.items
    )
    organisations = sorted({organisation for organisation, _ in counts})
    return [
        (
            organisation,
            [
                (label("late_for", age, envelope.language), str(counts[organisation, age]))
                for age in _AGES
                if counts[organisation, age]
            ],
        )
        for organisation in organisations
    ]


_AGES: Mapping[str, int] = MappingProxyType({"week": 7, "month": 28, "longer": 100_000})


def _late_for(days: int) -> str:
    return next(age for age, limit in _AGES.items() if days < limit)


def _greeting(envelope: Envelope) -> str:
    """Greet a person by name, and whoever reads a functional mailbox politely."""
    name = envelope.recipient_name
    return say("greeting", envelope.language, name=None if not name or "@" in name else name)


def _listed(envelope: Envelope, names: str) -> list[str]:
    """Return the facts to list; one deadline for all is said once, in the sentence that asks."""
    same_due = len({item.due for item in envelope.items}) == 1
    return [name for name in names.split() if not (name == "due" and same_due)]


def _title(envelope: Envelope, item: Item) -> str:
    """Name the item: by its teacher, except to the teacher."""
    code = "item_own" if envelope.recipient_role == Role.TEACHER else "item"
    return say(code, envelope.language, teacher=item.teacher, reference=item.reference)


def _questions(envelope: Envelope) -> list[str]:
    """Return what is asked, with what may be answered, to whoever is asked."""
    if is_copy(envelope):
        return []
    return [_question(question, envelope.language) for question in envelope.questions]


def _question(question: Question, language: str) -> str:
    """Write a question with what may be answered to it."""
    ends = {"lowest": question.lowest or None, "highest": question.highest or None, "most": question.most}
    options = f"{NARROW}; ".join(option.text for option in question.options)
    line = say(_ASKED[question.kind], language, text=question.text, options=options, **ends)
    return line if question.required else say("question_optional", language, question=line)


_ASKED: Mapping[QuestionKind, str] = {
    QuestionKind.SCALE: "question_scale",
    QuestionKind.CHOICE: "question_choice",
    QuestionKind.YES_NO: "question_yes_no",
    QuestionKind.TEXT: "question_text",
}


def _answer(envelope: Envelope, blocks: _Blocks) -> Sequence[str]:
    """Return how to answer: coordinators have the application, the others write back to them."""
    if not CATALOGUE[envelope.kind].act_owed or is_copy(envelope):
        return ()
    if envelope.recipient_role == Role.COORDINATOR:
        code = "answer_coordinator" if len(envelope.items) == 1 else "answer_coordinator_many"
        return (say(code, envelope.language),)
    return blocks["answer"]
