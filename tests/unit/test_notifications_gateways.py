import dataclasses
import email
import os
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifications.gateways import FileGateway, Gateway, Mail, Mailbox, NotSentError, Receipt, as_bytes

MESSAGE_ID = "6b7c1f0e-0000-5000-8000-000000000001"
MAIL = Mail(
    message_id=MESSAGE_ID,
    sender=Mailbox.parse("Entr’apprendre <programme@ifc.example>"),
    recipient=Mailbox("elodie@ecole.example", "Élodie Dardenne, direction"),
    reply_to=Mailbox("anne.dupont@ifc.example", "Anne Dupont"),
    subject="[Action requise] Entr’apprendre\u00a0: 3 inscriptions attendent votre accord",
    text="Bonjour,\n\nVœux\u00a0: préparation\u202f; réponse attendue.\n\n-- \n" + "long " * 60 + "\n",
    html="<!DOCTYPE html>\n<html lang='fr'><body><p>Vœux</p></body></html>\n",
    at=datetime(2018, 9, 10, 7, 0, tzinfo=UTC),
)


def changed(**changes: Any) -> Mail:
    return dataclasses.replace(MAIL, **changes)


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return FileGateway(tmp_path / "mail")


def test_file_is_named_by_message_id_and_nothing_else_is_left(gateway: Gateway, tmp_path: Path) -> None:
    receipt = gateway.send(MAIL)

    assert receipt == Receipt(accepted=True, provider_id=MESSAGE_ID)
    assert [path.name for path in (tmp_path / "mail").iterdir()] == [f"{MESSAGE_ID}.eml"]


def test_eml_parses_back_to_what_was_sent() -> None:
    message = parsed(as_bytes(MAIL))

    assert message["Subject"] == MAIL.subject
    assert [str(one.addr_spec) for one in message["To"].addresses] == ["elodie@ecole.example"]
    assert message["To"].addresses[0].display_name == "Élodie Dardenne, direction"
    assert message["From"].addresses[0].addr_spec == "programme@ifc.example"
    assert message["Reply-To"].addresses[0].addr_spec == "anne.dupont@ifc.example"
    assert message["Message-ID"] == f"<{MESSAGE_ID}@entrapprendre.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "X-Mailer" not in message
    assert (body(message, "plain"), body(message, "html")) == (MAIL.text, MAIL.html)


def test_parts_are_quoted_printable_utf_8_and_the_boundary_derives_from_the_id() -> None:
    message = parsed(as_bytes(MAIL))

    assert message.get_content_type() == "multipart/alternative"
    assert message.get_boundary() == f"=_{MESSAGE_ID}"
    for part in message.iter_parts():
        assert part["Content-Transfer-Encoding"] == "quoted-printable"
        assert part.get_content_charset() == "utf-8"


def test_date_is_the_moment_of_the_programme_in_brussels() -> None:
    summer, winter = datetime(2018, 9, 10, 7, 0, tzinfo=UTC), datetime(2019, 1, 10, 7, 0, tzinfo=UTC)

    assert parsed(as_bytes(changed(at=summer)))["Date"] == "Mon, 10 Sep 2018 09:00:00 +0200"
    assert parsed(as_bytes(changed(at=winter)))["Date"] == "Thu, 10 Jan 2019 08:00:00 +0100"


def test_same_mail_is_the_same_bytes_wherever_its_moment_was_written() -> None:
    elsewhere = changed(at=MAIL.at.astimezone(ZoneInfo("America/Montreal")))

    assert as_bytes(MAIL) == as_bytes(MAIL)
    assert as_bytes(elsewhere) == as_bytes(MAIL)


def test_sending_twice_leaves_one_file(gateway: Gateway, tmp_path: Path) -> None:
    gateway.send(MAIL)
    first = next((tmp_path / "mail").iterdir()).read_bytes()
    gateway.send(MAIL)

    assert gateway.idempotent
    assert [path.read_bytes() for path in (tmp_path / "mail").iterdir()] == [first]


@pytest.mark.parametrize(
    "name", ["Eve\r\nBcc: tous@ecole.example", "Eve\nBcc: x@y.example\n\nbody", "Eve\u2028Bcc: x@y.example"]
)
def test_line_end_in_a_name_or_subject_adds_no_header(name: str) -> None:
    mail = changed(recipient=Mailbox("a@ecole.example", name), reply_to=Mailbox("b@ifc.example", name), subject=name)
    message = parsed(as_bytes(mail))

    assert "Bcc" not in message
    assert [one.addr_spec for one in message["To"].addresses] == ["a@ecole.example"]
    assert body(message, "plain") == MAIL.text


@pytest.mark.parametrize(
    "name", ["x" * 10_000, "é" * 10_000, "😀 " * 5_000, "\u202egro.live", '"q" \\ <b@c.example>, d']
)
def test_odd_names_keep_lines_short_and_one_recipient(name: str) -> None:
    content = as_bytes(changed(recipient=Mailbox("a@ecole.example", name), subject=name))

    assert max(map(len, content.split(b"\r\n"))) < 998
    assert [one.addr_spec for one in parsed(content)["To"].addresses] == ["a@ecole.example"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "a@",
        "@b.example",
        "a@b.example\nc",
        "a b@c.example",
        "é@b.example",
        "a@b.example, c@d.example",
        "<a@b.example>",
    ],
)
def test_what_is_no_address_is_refused_for_good(gateway: Gateway, tmp_path: Path, address: str) -> None:
    receipt = gateway.send(changed(recipient=Mailbox(address)))

    assert receipt == Receipt(accepted=False, error="bad_address")
    assert not (tmp_path / "mail").exists()


def test_disk_that_refuses_means_not_sent_and_says_nothing_personal(tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("a file where the folder should be")

    with pytest.raises(NotSentError) as caught:
        FileGateway(tmp_path / "mail").send(MAIL)

    assert str(caught.value) == "file: FileExistsError"


def test_file_takes_its_name_only_when_it_is_whole(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(os, "replace", fail)

    with pytest.raises(NotSentError):
        gateway.send(MAIL)
    assert list((tmp_path / "mail").iterdir()) == []


@pytest.mark.parametrize("message_id", ["../escape", "a/b", "", "x\r\nBcc: y"])
def test_message_id_that_is_no_uuid_is_refused(gateway: Gateway, message_id: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        gateway.send(changed(message_id=message_id))


def test_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        changed(at=datetime(2018, 9, 10, 7, 0))  # noqa: DTZ001 - what is refused


def test_sender_or_reply_address_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="addresses"):
        changed(sender=Mailbox.parse("nobody"))
    with pytest.raises(ValueError, match="addresses"):
        changed(reply_to=Mailbox("a@b.example\r\nBcc: c@d.example"))


def test_mail_without_reply_address_has_no_such_header() -> None:
    assert "Reply-To" not in parsed(as_bytes(changed(reply_to=None)))
