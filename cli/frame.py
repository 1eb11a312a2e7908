"""Help pages in the reader's language: Typer's own words around ours are English."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

from notifications.words import vocabulary

_WORD = re.compile(
    r"^(?:Usage|Arguments|Options|Commands):|Show this message and exit\."
    r"|\[(?:required|default:)|COMMAND(?= \[ARGS\])",
    re.MULTILINE,
)


def _translated(page: str) -> str:
    words = vocabulary("fr").labels["help"]
    return _WORD.sub(lambda found: words[found.group()], page)


class Command(TyperCommand):
    """A command whose help page is framed in the catalogue's words."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - Typer keeps its context's type to itself
        return _translated(super().get_help(ctx))


class Group(TyperGroup):
    """A group of commands, likewise."""

    def get_help(self, ctx: Any) -> str:  # noqa: ANN401 - as above
        return _translated(super().get_help(ctx))
