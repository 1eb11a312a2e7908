"""How a message leaves: the gateway protocol, and the gateway that writes one `.eml` file per message.

A gateway is called with no transaction open. It answers what it knows: a receipt (accepted, or refused and why), or one
of two errors when it could not ask: `NotSentError`, nothing left and the message may be tried again, or
`MaybeSentError`, nobody can tell (the message becomes `unknown`). Neither carries personal data.
"""

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import policy
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from core.addresses import is_address
from notifications.plain import one_line

MESSAGE_DOMAIN = "entrapprendre.example"
"""The right side of every Message-ID: fixed, so that a message keeps its id on whatever machine it is written."""

_ZONE = ZoneInfo("Europe/Brussels")
_HEADER_WIDTH = 250


class NotSentError(Exception):
    """Nothing left: the message may be sent again without being doubled."""


class MaybeSentError(Exception):
    """The message may have left or not, and nobody can tell yet."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with the name shown beside it."""

    address: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Mailbox":
        """Read `Name <address>` or an address alone, as settings write it."""
        name, address = parseaddr(text)
        return cls(address, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a message; `parameters` are of its media type, as the method of a calendar entry."""

    name: str
    media_type: str
    content: bytes
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One rendered message, ready to leave."""

    message_id: str
    """Ours, a UUID: names the file, and comes back in the provider's events."""
    sender: Mailbox
    recipient: Mailbox
    reply_to: Mailbox | None = None
    subject: str
    text: str
    html: str
    at: datetime
    """The moment of the programme at which it leaves, with an offset."""
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would make other bytes on another machine, or could not be answered."""
        if self.at.tzinfo is None:
            message = "the moment of a mail needs an offset"
            raise ValueError(message)
        if not is_address(self.sender.address) or not (self.reply_to is None or is_address(self.reply_to.address)):
            message = "the sender's and the reply address must be addresses"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the gateway answered. Not accepted and without `retry_after`: no use trying again."""

    accepted: bool
    provider_id: str | None = None
    retry_after: timedelta | None = None
    error: str | None = None
    """A stable code, such as `bad_address`."""


class Gateway(Protocol):
    """A way out for messages."""

    @property
    def name(self) -> str:
        """A short name, kept on the message."""
        ...

    @property
    def idempotent(self) -> bool:
        """Whether sending the same message id twice has the effect of sending it once."""
        ...

    def send(self, mail: Mail) -> Receipt:
        """Hand one message over. Raises NotSentError or MaybeSentError."""
        ...


class FileGateway:
    """Writes each message into a folder, as `<message id>.eml`: same mail, same bytes, and never half a file."""

    name = "file"
    idempotent = True

    def __init__(self, folder: Path) -> None:
        """Keep the folder; it is made when the first message leaves."""
        self._folder = folder

    def send(self, mail: Mail) -> Receipt:
        """Write the file, flushed to the disk before it takes its name. Raises NotSentError when the disk refuses."""
        if not is_address(mail.recipient.address):
            return Receipt(accepted=False, error="bad_address")
        try:
            _write(self._folder, f"{UUID(mail.message_id)}.eml", as_bytes(mail))
        except OSError as error:
            code = f"file: {type(error).__name__}"
            raise NotSentError(code) from error
        return Receipt(accepted=True, provider_id=mail.message_id)


class _Policy(policy.EmailPolicy):
    """Folds subjects with `email.header`: the newer folding loses the space between two encoded words (Python 3.11)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() != "subject" or str(value).isascii():
            return super().fold_binary(name, value)
        encoded = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{self.linesep}".encode("ascii")


_POLICY = _Policy(linesep="\r\n")


def as_bytes(mail: Mail) -> bytes:
    """Return the message as it stands in an `.eml` file; everything in it derives from the mail."""
    message_id = UUID(mail.message_id)
    message = EmailMessage(policy=_POLICY)
    message["Date"] = format_datetime(mail.at.astimezone(_ZONE))
    message["From"] = _address(mail.sender)
    if mail.reply_to is not None:
        message["Reply-To"] = _address(mail.reply_to)
    message["To"] = _address(mail.recipient)
    message["Subject"] = _header_text(mail.subject)
    message["Message-ID"] = f"<{message_id}@{MESSAGE_DOMAIN}>"
    message["Auto-Submitted"] = "auto-generated"  # keeps holiday answers from coming back
    message.set_content(mail.text, cte="quoted-printable")
    # "=_" cannot stand in a quoted-printable part: the boundary never meets the text it bounds.
    message.make_alternative(boundary=f"=_{message_id}")
    message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    if mail.attachments:
        message.make_mixed(boundary=f"=_mixed_{message_id}")  # begins no line like the boundary of the inner part
    for attachment in mail.attachments:
        _attach(message, attachment)
    return message.as_bytes()


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    main, _, sub = attachment.media_type.partition("/")
    message.add_attachment(
        attachment.content,
        maintype=main,
        subtype=sub,
        filename=attachment.name,
        params=dict(attachment.parameters),
    )


def _address(mailbox: Mailbox) -> Address:
    return Address(display_name=_header_text(mailbox.name), addr_spec=mailbox.address)


def _header_text(text: str) -> str:
    """Return text that ends no header line, short enough for a line of SMTP (998 octets) even in one word."""
    line = one_line(text)
    return line if len(line) <= _HEADER_WIDTH else f"{line[:_HEADER_WIDTH]}…"


def _write(folder: Path, name: str, content: bytes) -> None:
    """Put the file there in one step: a reader, or a process killed here, never sees a part of it."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / name)  # noqa: PTH105 - Path.replace says less
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
