"""What an institute's program tells of the transfers in its charge: who is invited, who was there, what it notes.

Each thing is told of one participation, found through the institute's own round: another's is as unknown as one that
does not exist. Whoever tells the same again is answered with the first result, or with none where nothing was written.
"""

from sqlalchemy import Connection

from actions import invitations
from actions.answering import Answered, about, last_entry, noted_before, result_of, scoped
from actions.facts import record_note
from actions.occasion import Actor, Occasion
from actions.receiving import Document
from states.names import Trigger


def note(
    connection: Connection, reference: str, text: str, actor: Actor, occasion: Occasion, key: str | None = None
) -> Answered:
    """Note something on a transfer. Raises NotFound (`unknown_handoff`), Refused as `record_note`, LostRace."""
    (organisation_id,) = actor.organisations
    with about(connection, reference, Trigger.RECORD_FACT, actor, key) as own:
        if key is None and (before := noted_before(connection, own, text)):
            return Answered(before, repeated=True)
        noted = record_note(connection, reference, text, actor, occasion, scoped(organisation_id, key))
        return Answered(result_of(connection, own, noted.seq), noted.repeated)


def invite(connection: Connection, session: str, reference: str, actor: Actor, occasion: Occasion) -> Document | None:
    """Invite one participation to a session; None if it was invited already.

    Raises NotFound (`unknown_session`, `unknown_handoff`), Refused as `invitations.invite`, LostRace.
    """
    with about(connection, reference, Trigger.INVITE, actor) as own:
        invited = invitations.invite(connection, session, [reference], actor, occasion)
        return result_of(connection, own, last_entry(connection, own)) if invited else None


def attend(
    connection: Connection, session: str, reference: str, actor: Actor, occasion: Occasion, *, present: bool
) -> Document | None:
    """Record whether somebody was at a session; presence confirms the transfer. None if that was known already.

    Raises NotFound (`unknown_session`, `unknown_handoff`), Refused as `invitations.attend`, LostRace.
    """
    with about(connection, reference, Trigger.RECORD_FACT, actor) as own:
        before = last_entry(connection, own)
        applied = invitations.attend(connection, session, reference, actor, occasion, present=present)
        last = last_entry(connection, own)
        return None if last == before else result_of(connection, own, applied.seq if applied else last)
