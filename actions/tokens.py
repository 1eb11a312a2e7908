"""Tokens for the programs of institutes: made, found, revoked. The text itself is shown once and kept nowhere."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, or_, select, update

from actions.occasion import Actor
from actions.people import ORGANISATION, organisation_id
from core.clock import iso
from core.errors import NotFound, UsageError
from models import ApiToken, table_of
from notifications.plain import one_line
from states.names import OrganisationKind, Role

TOKEN = table_of(ApiToken)

_MARK = "entr_"  # tells what it is to whoever finds one, and to programs that look for secrets
_TEXT = re.compile(rf"{_MARK}[A-Za-z0-9_-]{{43}}")
_PREFIX = len(_MARK) + 8  # 48 bits to tell it by; the 208 that are left cannot be guessed
_LONGEST_LABEL = 80
_USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whoever holds a token that is good: one institute's program."""

    id: int
    prefix: str
    organisation_id: int
    institute: str
    last_used_at: datetime | None

    @property
    def actor(self) -> Actor:
        """Return the institute as who acts: no person is known behind a program."""
        return Actor(Role.INSTITUTE, None, frozenset({self.organisation_id}), "token")


def create(connection: Connection, institute: str, label: str, at: datetime) -> tuple[str, dict[str, Any]]:
    """Make a token for an institute; return its text, to be shown once, and what is kept of it.

    Raises NotFound (`unknown_organisation`), UsageError (`bad_label`).
    """
    label = one_line(label)
    if not label or len(label) > _LONGEST_LABEL:
        raise UsageError("bad_label", limit=_LONGEST_LABEL)
    text = _MARK + secrets.token_urlsafe(32)
    values = {
        "organisation_id": organisation_id(connection, OrganisationKind.INSTITUTE, institute),
        "hash": _hash(text),
        "prefix": text[:_PREFIX],
        "label": label,
        "created_at": at,
    }
    connection.execute(insert(TOKEN).values(values))
    return text, _document(_one(connection, text[:_PREFIX]))


def find(connection: Connection, text: str) -> Bearer | None:
    """Return whose token this is, None for one that is unknown or revoked.

    Looked up by its hash: how long that takes says nothing of a text that comes close.
    """
    if not _TEXT.fullmatch(text):
        return None
    row = connection.execute(_TOKENS.where(TOKEN.c.hash == _hash(text), TOKEN.c.revoked_at.is_(None))).first()
    return None if row is None else Bearer(row.id, row.prefix, row.organisation_id, row.institute, row.last_used_at)


def is_due(bearer: Bearer, at: datetime) -> bool:
    """Tell whether this use is worth a write: one a minute tells as much as one a request."""
    return bearer.last_used_at is None or at - bearer.last_used_at >= _USE_NOTED_EVERY


def note_use(connection: Connection, bearer: Bearer, at: datetime) -> None:
    """Write down that a token was used, unless somebody did within the minute."""
    due = or_(TOKEN.c.last_used_at.is_(None), TOKEN.c.last_used_at <= at - _USE_NOTED_EVERY)
    connection.execute(update(TOKEN).where(TOKEN.c.id == bearer.id, due).values(last_used_at=at))


def tokens(connection: Connection) -> list[dict[str, Any]]:
    """Return every token ever made, by institute, the latest first."""
    rows = connection.execute(_TOKENS.order_by(ORGANISATION.c.code, TOKEN.c.id.desc()))
    return [_document(row) for row in rows]


def revoke(connection: Connection, prefix: str, at: datetime) -> dict[str, Any]:
    """Make a token useless from now on; one that is stays as it was. Raises NotFound (`unknown_token`)."""
    given = prefix.strip()[:_PREFIX]  # whoever has the whole text may give it
    connection.execute(update(TOKEN).where(TOKEN.c.prefix == given, TOKEN.c.revoked_at.is_(None)).values(revoked_at=at))
    return _document(_one(connection, given))


_TOKENS: Select[Any] = select(TOKEN, ORGANISATION.c.code.label("institute")).join(
    ORGANISATION, ORGANISATION.c.id == TOKEN.c.organisation_id
)


def _one(connection: Connection, prefix: str) -> Row[Any]:
    row = connection.execute(_TOKENS.where(TOKEN.c.prefix == prefix)).first()
    if row is None:
        raise NotFound("unknown_token")
    return row


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _document(row: Row[Any]) -> dict[str, Any]:
    moments = {name: getattr(row, name) for name in ("created_at", "revoked_at", "last_used_at")}
    return {
        "prefix": row.prefix,
        "institute": row.institute,
        "label": row.label,
        **{name: None if moment is None else iso(moment) for name, moment in moments.items()},
    }
