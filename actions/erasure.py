"""Erasing a person: their data goes, the proof of what was done stays.

Names, addresses and free texts (with their salts) are emptied; the journal keeps its entries, whose hashes never held a
name. Rows of documents go at once; their bytes when `jobs.sweeping` next runs, within a day. The
erasure is itself an entry of each of the person's chains, which is what makes an emptied text right.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from actions.change import Change
from actions.journal import TEXTS
from actions.occasion import Actor, Occasion
from actions.packets import PACKET
from actions.people import CONTACT, PARTY
from actions.reading import in_its_time, read_id
from actions.writing import NOTIFICATION, PARTICIPATION, write
from core.errors import NotFound, Refused
from models import Answer, Document, MessageText, table_of
from states.decide import Pulled
from states.names import Role, Subject, Trigger

ANSWER, MESSAGE_TEXT, DOCUMENT = table_of(Answer), table_of(MessageText), table_of(Document)


def erase(connection: Connection, email: str, actor: Actor, occasion: Occasion) -> int:
    """Erase a person for good; return how many participations they had.

    Only IFC may, and only when none of the person's participations is still under way.
    Raises NotFound (`unknown_person`), Refused (`wrong_role`, `still_open`).
    """
    if actor.role is not Role.COORDINATOR:
        raise Refused("wrong_role", role=actor.role, roles=(Role.COORDINATOR,))
    party_id = connection.execute(select(PARTY.c.id).where(PARTY.c.email == email.strip().lower())).scalar()
    if party_id is None:
        raise NotFound("unknown_person", value=email)
    own = select(PARTICIPATION.c.id).where(PARTICIPATION.c.party_id == party_id)
    participations = connection.execute(own.order_by(PARTICIPATION.c.id)).scalars().all()
    for participation_id in participations:
        _journal(connection, participation_id, actor, occasion)
    _empty(connection, party_id, participations, occasion)
    return len(participations)


def _journal(connection: Connection, participation_id: int, actor: Actor, occasion: Occasion) -> None:
    seen = read_id(connection, participation_id, actor)
    in_its_time(seen, occasion)
    state = seen.row.state
    if state in seen.process.open_states:
        raise Refused("still_open", state=state, reference=seen.row.reference)
    entry = Pulled(Subject.PARTICIPATION, Trigger.ERASE, state, state, ())
    write(connection, [Change(seen, seen.snapshot, actor, occasion, (entry,))])


def _empty(connection: Connection, party_id: int, participations: Sequence[int], occasion: Occasion) -> None:
    """Empty all that could say who it was: texts and salts, what left by mail, the person and their addresses."""
    texts = (TEXTS.c.chain == "participation", TEXTS.c.chain_id.in_(participations))
    connection.execute(update(TEXTS).where(*texts).values(salt="", text=""))
    connection.execute(update(PACKET).where(PACKET.c.participation_id.in_(participations)).values(content=""))
    sent = select(NOTIFICATION.c.message_id).where(NOTIFICATION.c.participation_id.in_(participations))
    connection.execute(delete(MESSAGE_TEXT).where(MESSAGE_TEXT.c.message_id.in_(sent)))
    # their bytes go with the next sweep of the store (`jobs.sweeping`), unless somebody else has the same
    connection.execute(delete(DOCUMENT).where(DOCUMENT.c.participation_id.in_(participations)))
    words = (ANSWER.c.participation_id.in_(participations), ANSWER.c.text.is_not(None))
    connection.execute(update(ANSWER).where(*words).values(text=""))
    connection.execute(update(PARTICIPATION).where(PARTICIPATION.c.id.in_(participations)).values(courses=""))
    gone = {"email": None, "first_name": "", "last_name": "", "phone": "", "erased_at": occasion.at}
    connection.execute(update(PARTY).where(PARTY.c.id == party_id).values(gone))
    for contact_id in connection.execute(select(CONTACT.c.id).where(CONTACT.c.party_id == party_id)).scalars():
        values = {"address": f"erased-{contact_id}", "status": "gone"}
        connection.execute(update(CONTACT).where(CONTACT.c.id == contact_id).values(values))
