import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from enum import Enum
from pathlib import Path

import pytest

from notifications import words as words_module
from notifications.words import fields, label, say, vocabulary
from states import names
from states.names import Education, Guard, HandoffStatus, Role, State, Subject, Trigger

ROOT = Path(__file__).parents[2]
PACKAGES = ("actions", "core", "documents", "jobs", "models", "states")
REFUSALS = {"Refused", "NotFound", "UsageError", "Refusal", "Problem", "BadRow"}
ENUMS = [thing for _, thing in inspect.getmembers(names, inspect.isclass) if issubclass(thing, Enum) and list(thing)]


def codes_in_source() -> Iterator[str]:
    """Codes of refusals and problems written out in the code of the other packages."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield from code_of(node)


def code_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        position = {"_refused": 1}.get(node.func.id, 0 if node.func.id in REFUSALS else None)
        if position is not None and len(node.args) > position:
            argument = node.args[position]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def mail_codes() -> set[str]:
    source = ROOT / "notifications" / "words" / "fr.toml"
    return set(tomllib.loads(source.read_text(encoding="utf-8"))["say"]["mail"])


def refusal_codes() -> list[str]:
    return sorted(vocabulary("fr").sentences.keys() - mail_codes())


@pytest.mark.parametrize("group", ENUMS)
def test_every_member_of_every_enum_has_a_label(group: type[Enum]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", group.__name__).lower()

    assert all(label(name, str(member)) for member in group)


@pytest.mark.parametrize("group", ENUMS)
def test_labels_of_one_enum_differ(group: type[Enum]) -> None:
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", group.__name__).lower()
    labels = [label(name, str(member)) for member in group]

    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("guard", Guard)
def test_every_guard_says_what_is_wrong_and_what_would_be_possible(guard: Guard) -> None:
    sentence = say(guard, subject=Subject.PARTICIPATION, trigger=Trigger.APPROVE, role=Role.DIRECTOR, allowed=())

    assert sentence.endswith(".")
    assert len(sentence) > 30
    assert ";" in sentence or ":" in sentence


@pytest.mark.parametrize("code", refusal_codes())
def test_every_refusal_can_be_said_without_knowing_more(code: str) -> None:
    sentence = say(code)

    assert sentence[0].isupper()
    assert sentence.endswith(".")


@pytest.mark.parametrize("code", sorted(vocabulary("fr").sentences))
def test_variants_go_from_the_richest_to_the_poorest(code: str) -> None:
    counts = [len(fields(variant)) for variant in vocabulary("fr").sentences[code]]

    assert counts == sorted(counts, reverse=True)
    assert len(set(counts)) == len(counts)


def test_every_code_raised_in_the_code_has_a_sentence() -> None:
    raised = set(codes_in_source())

    assert {"key_reused", "wrong_state", "too_large", "edition_unknown_key"} <= raised  # the search does find codes
    assert raised - set(vocabulary("fr").sentences) == set()


def test_every_sentence_for_mails_is_used_by_them() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "notifications").rglob("*")
        if path.suffix in {".py", ".j2"}
    )

    assert {code for code in mail_codes() if f'"{code}"' not in sources} == set()


def test_every_word_is_set_in_french_typography() -> None:
    words = vocabulary("fr")
    texts = [text for group in words.labels.values() for text in group.values()]
    texts += [variant for variants in words.sentences.values() for variant in variants]

    assert not [text for text in texts if re.search(r"'| [;!?:»]|« |\s\s", text)]


def test_wrong_state_says_state_action_and_what_is_possible() -> None:
    sentence = say(
        "wrong_state",
        state=State.PREPARED,
        trigger=Trigger.APPROVE,
        allowed=(Trigger.CONFIRM_IMMERSION, Trigger.WITHDRAW),
    )

    assert sentence == (
        "À l’étape «\u00a0préparation faite\u00a0», l’action «\u00a0approuver l’inscription\u00a0» n’est pas possible"
        "\u202f; actions possibles\u00a0: confirmer l’immersion ou retirer la participation."
    )


def test_the_same_code_reads_by_its_subject() -> None:
    about_handoff = say("wrong_state", subject=Subject.HANDOFF, state="declined", trigger="decline", allowed=["offer"])
    about_participation = say("wrong_state", state="declined", trigger="decline", allowed=["reinstate"])

    assert "«\u00a0refusé\u00a0», l’action «\u00a0refuser le relais\u00a0»" in about_handoff
    assert "possibles\u00a0: proposer le relais." in about_handoff
    assert "«\u00a0inscription refusée\u00a0», l’action «\u00a0refuser l’inscription\u00a0»" in about_participation


def test_an_enum_member_knows_its_own_group() -> None:
    assert "«\u00a0resté sans réponse\u00a0»" in say(
        "wrong_state", state=HandoffStatus.TIMED_OUT, trigger=Trigger.ACCEPT
    )


def test_nothing_possible_is_said_so() -> None:
    assert say("wrong_state", state="evaluated", trigger="approve", allowed=()).endswith("possibles\u00a0: néant.")


def test_a_code_without_label_is_said_as_it_is() -> None:
    assert "«\u00a0fly\u00a0»" in say("unknown_trigger", trigger="fly", allowed=("approve",))


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (["a"], "Colonnes absentes\u00a0: a."),
        (["a", "b"], "Colonnes absentes\u00a0: a et b."),
        (["a", "b", "c"], "Colonnes absentes\u00a0: a, b et c."),
        ({"c", "a", "b"}, "Colonnes absentes\u00a0: a, b et c."),
    ],
)
def test_lists_read_naturally(parts: object, said: str) -> None:
    assert say("missing_columns", columns=parts) == said


def test_alternatives_are_joined_by_or_and_stay_what_must_be_typed() -> None:
    assert say("unknown_choice", allowed=tuple(Education)) == (
        "Valeur inconnue\u202f; valeurs admises\u00a0: ordinaire ou specialise."
    )


def test_dates_read_as_a_person_writes_them() -> None:
    assert "est le vendredi 1er mars 2019" in say(Guard.LAST_DAY_OVER, last_day=date(2019, 3, 1))
    assert "(14 mars 2019)" in say("dates_reversed", other=date(2019, 3, 14))


def test_braces_in_a_parameter_are_only_text() -> None:
    assert "«\u00a0{role} {0}\u00a0»" in say("unknown_reference", reference="{role} {0}")


def test_none_counts_as_not_given_and_what_is_too_much_is_ignored() -> None:
    assert say("places_below_taken", taken=None, other=1) == say("places_below_taken")


@pytest.mark.parametrize("language", ["en", "FR", "../fr", "xx", ""])
def test_unknown_language_is_a_key_error(language: str) -> None:
    with pytest.raises(KeyError):
        say("lost_race", language)


def test_unknown_code_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        say("no_such_code")
    with pytest.raises(KeyError):
        label("state", "no_such_state")
    with pytest.raises(KeyError):
        label("no_such_group", "registered")


def test_a_mail_phrase_without_its_parameter_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="item_own"):
        say("item_own")


def test_a_code_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        list(words_module._sentences({"one": {"code": "a"}, "two": {"code": "b"}}))
