"""What goes with a message: the calendar entry of a transfer session."""

from collections.abc import Mapping
from datetime import datetime

from documents.invitations import Event, Method, Person, invitation
from notifications.envelope import Envelope, Item, Session
from notifications.facts import session_texts
from notifications.gateways import Attachment, Mailbox
from states.names import Kind

_METHODS: Mapping[Kind, Method] = {
    Kind.TRANSFER_INVITATION: "REQUEST",
    Kind.TRANSFER_MOVED: "REQUEST",
    Kind.TRANSFER_CALLED_OFF: "CANCEL",
}


def attachments(envelope: Envelope, address: str, sender: Mailbox, at: datetime) -> tuple[Attachment, ...]:
    """Return the files that go with a message; `at` is when it leaves."""
    method = _METHODS.get(envelope.kind)
    if method is None:
        return ()
    attendee = Person(envelope.recipient_name, address)
    return tuple(
        _calendar(item, item.session, method, envelope, attendee, Person(sender.name, sender.address), at)
        for item in envelope.items
        if item.session is not None
    )


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
