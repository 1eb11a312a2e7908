"""What goes with a message: the calendar entry of a transfer session; with an offer, the packets that it is about."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from actions.exports import WORDS, sheet
from core.clock import BRUSSELS
from documents.invitations import Event, Method, Person, invitation
from documents.packet import Packet, read_packet
from documents.packet_pdf import packet_pdf
from notifications.envelope import Envelope, Item, Session
from notifications.facts import session_texts
from notifications.gateways import Attachment, Mailbox
from states.names import Kind

_METHODS: Mapping[Kind, Method] = {
    Kind.TRANSFER_INVITATION: "REQUEST",
    Kind.TRANSFER_MOVED: "REQUEST",
    Kind.TRANSFER_CALLED_OFF: "CANCEL",
}


_MOST_PAGES = 10  # packets as pages of their own; more of them are a table only
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def attachments(
    envelope: Envelope, packets: Sequence[str], address: str, sender: Mailbox, at: datetime
) -> tuple[Attachment, ...]:
    """Return the files that go with a message; `at` is when it leaves, `packets` are what it hands over."""
    if packets:
        return tuple(_papers([read_packet(content) for content in packets]))
    method = _METHODS.get(envelope.kind)
    if method is None:
        return ()
    attendee = Person(envelope.recipient_name, address)
    return tuple(
        _calendar(item, item.session, method, envelope, attendee, Person(sender.name, sender.address), at)
        for item in envelope.items
        if item.session is not None
    )


def _papers(packets: Sequence[Packet]) -> Iterator[Attachment]:
    """Yield a page for each person, and a table where there are several."""
    if len(packets) > 1:
        first = packets[0].handoff
        day = first.offered_at.astimezone(BRUSSELS).date()
        yield Attachment(
            name=f"{first.receiver.code}-{day.isoformat()}.xlsx", media_type=_SHEET, content=sheet(packets, "xlsx")
        )
    if len(packets) <= _MOST_PAGES:
        for packet in packets:
            content = packet_pdf(packet, WORDS)
            yield Attachment(name=f"{packet.handoff.reference}.pdf", media_type="application/pdf", content=content)


def _calendar(
    item: Item, session: Session, method: Method, envelope: Envelope, attendee: Person, organizer: Person, at: datetime
) -> Attachment:
    summary, description = session_texts(item, envelope.language)
    event = Event(
        uid=f"{session.reference}.{item.reference}@entrapprendre",
        sequence=session.sequence,
        summary=summary,
        description=description,
        starts=session.starts,
        ends=session.ends,
        location=session.place or session.url,
        url=session.url,
        organizer=organizer,
        attendee=attendee,
        stamp=at,
    )
    return Attachment(
        name=f"{session.reference}.ics",
        media_type="text/calendar",
        content=invitation(event, method),
        parameters=(("method", method), ("charset", "utf-8")),
    )
