"""Puts together what the jobs are given."""

import os
import secrets
import socket
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from core.clock import Clock, wall_now
from core.hosts import AllowList
from core.settings import Settings
from jobs.workshop import Workshop
from notifications.courier import Courier
from notifications.gateways import FileGateway, Mailbox


def make_workshop(
    settings: Settings,
    engine: Engine,
    *,
    wall: Clock = wall_now,
    recorded: Callable[[datetime], datetime] | None = None,
    salt: Callable[[], str] | None = None,
) -> Workshop:
    """Return the workshop of this process.

    `recorded` (when a thing is written down, given the moment it is said to happen) and `salt` are the machine's own
    unless a simulation gives others.
    """
    return Workshop(
        engine=engine,
        gateway=FileGateway(settings.var / "mail"),
        sender=Mailbox.parse(settings.mail_from),
        inbox=settings.var / "inbox",
        seals=settings.var / "seals",
        documents=settings.var / "documents",
        seal_key=settings.secret_key.get_secret_value().encode(),
        wall=wall,
        recorded=recorded or (lambda _at: wall()),
        salt=salt or (lambda: secrets.token_hex(16)),
        post=Courier(AllowList.parse(settings.webhook_allow)).post,
        public_url=settings.public_url,
        holder=f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}",
    )


def write_secret_key(env_file: Path) -> bool:
    """Write a fresh secret key to a `.env` file (mode 0600) that has none; False when it has one."""
    text = env_file.read_text() if env_file.exists() else ""
    if "ENTRAPPRENDRE_SECRET_KEY=" in text:
        return False
    env_file.touch(mode=0o600, exist_ok=True)
    env_file.chmod(0o600)
    separator = "" if not text or text.endswith("\n") else "\n"
    with env_file.open("a") as file:
        file.write(f"{separator}ENTRAPPRENDRE_SECRET_KEY={secrets.token_urlsafe(32)}\n")
    return True
