"""The scribe: what a message says when its turn comes, and the mail that carries it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, Row

from jobs.attachments import attachments
from jobs.envelopes import Letter, letters
from notifications.gateways import Mail, Mailbox
from notifications.rendering import Rendered, render


class Scribe(Protocol):
    """Writes letters. Whoever only counts them leaves them blank."""

    def letters(self, connection: Connection, messages: Sequence[Row[Any]], at: datetime) -> list[Letter]:
        """Return what each of these messages says at a moment, in the transaction that claims them."""
        ...

    def write(self, letter: Letter, sender: Mailbox, at: datetime) -> tuple[Mail, Rendered]:
        """Return the mail that leaves and what is kept of it; no transaction is open."""
        ...


class ByTheBook:
    """Writes each letter as its kind's template says."""

    def letters(self, connection: Connection, messages: Sequence[Row[Any]], at: datetime) -> list[Letter]:
        """Read all that the letters say."""
        return letters(connection, messages, at)

    def write(self, letter: Letter, sender: Mailbox, at: datetime) -> tuple[Mail, Rendered]:
        """Render a letter and put together the mail that carries it. Raises ValueError when it says nothing."""
        envelope, chosen = letter.envelope, letter.chosen
        if envelope is None or chosen is None:
            raise ValueError(letter.message_id)
        rendered = render(envelope)
        mail = Mail(
            message_id=letter.message_id,
            sender=sender,
            recipient=Mailbox(chosen.address, chosen.name),
            reply_to=Mailbox(envelope.coordinator.email, envelope.coordinator.name),
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            at=at,
            attachments=attachments(envelope, letter.packets, chosen.address, sender, at),
        )
        return mail, rendered
