"""The Jinja environments of the mails: one per language, with and without HTML escaping, and their filters."""

import re
import textwrap
from collections.abc import Sequence
from datetime import date
from functools import cache, partial
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from notifications.facts import half_days
from notifications.plain import typography
from notifications.words import label, say, vocabulary

_WIDTH = 76
"""Columns of the text part."""

_NOT_PROSE = re.compile(r"({{.*?}}|{%.*?%}|{#.*?#}|<[^>]*>)", re.DOTALL)
_LINK = Markup('<a href="{href}" style="color:#0b4f6c">{text}</a>')
_VOWELS = frozenset("aàâäæeéèêëiîïoôöœuùûü")


@cache
def environment(language: str, *, html: bool) -> Environment:
    """Build the environment of one language, escaping or not. A name that is not defined is an error."""
    made = Environment(
        loader=PackageLoader("notifications", "templates"),
        autoescape=html,  # noqa: S701 - the text part and the subject are no HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        cache_size=-1,
        auto_reload=False,
        extensions=[_Typography],
    )
    calendar = vocabulary(language).calendar
    made.filters.update(
        date=calendar.plain,
        day=calendar.day,
        on=partial(_on, language),
        label=lambda code, group: label(group, code, language),
        half_days=partial(half_days, language=language),
        de=de,
        strong=_strong if html else str,
        link=_link if html else str,
        mailto=_mailto if html else str,
        paragraph=_paragraph,
        entry=_entry,
    )
    made.globals["say"] = lambda code, **params: say(code, language, **params)
    return made


class _Typography(Extension):
    """Sets the typography of a French template's own text as it is loaded, never of what is filled in."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Leave expressions and tags alone, set the rest."""
        del filename
        if name is None or not name.startswith("fr/"):
            return source
        parts = _NOT_PROSE.split(source)
        return "".join(part if index % 2 else typography(part) for index, part in enumerate(parts))


def de(name: str) -> str:
    """Put "de" before a person's name: "d'Alice", "de Bruno". An h is taken as mute, except in "Ha…"."""
    start = name[:2].casefold()
    mute_h = start.startswith("h") and start != "ha"
    vowel_y = start.startswith("y") and start[1:] not in _VOWELS  # Yves, Yvonne; but Yannick, Yasmine
    return f"d\u2019{name}" if start[:1] in _VOWELS or mute_h or vowel_y else f"de {name}"


def _on(language: str, days: Sequence[date]) -> str:
    """Write "le jeudi 14 mars 2019", "les jeudi 14 et vendredi 15 mars 2019"."""
    return say("on_day" if len(set(days)) == 1 else "on_days", language, days=vocabulary(language).calendar.days(days))


def _strong(text: str) -> Markup:
    return Markup("<strong>{}</strong>").format(text)


def _link(address: str) -> str | Markup:
    """Make a web address a link; anything else (a word typed by mistake, `javascript:`) stays text."""
    parts = urlsplit(address)
    is_web = parts.scheme in ("http", "https") and parts.netloc and " " not in address
    return _LINK.format(href=address, text=address) if is_web else address


def _mailto(address: str) -> Markup:
    return _LINK.format(href=f"mailto:{address}", text=address)


def _paragraph(text: str) -> str:
    """Wrap a paragraph of the text part."""
    return _fill(text, "")


def _entry(text: str) -> str:
    """Wrap a line of a list under its item."""
    return _fill(text, "  ")


def _fill(text: str, indent: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  " * bool(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )
