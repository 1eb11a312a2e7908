"""Who of a participation's people cannot be reached now, and who hears of it in their stead."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row

from actions.owed import Contacts, name_at
from actions.reaching import OK, ON_HOLD, Reached, contacts_of, reach
from states.names import HandoffStatus, Level, PlacementStatus, Role

Document = dict[str, Any]

_WITH_INSTITUTE = (HandoffStatus.OFFERED, HandoffStatus.ACCEPTED)


def unreachable(connection: Connection, row: Row[Any], contacts: Contacts) -> list[Document]:
    """Return whom messages miss: the teacher, then those of the school, the company and the institute concerned.

    Each with why (`on_hold`, `gone`, `not_yet`), since or until which local day where that is known, and who is written
    to in their stead. `row` is that of `actions.reports`.
    """
    own = contacts_of(connection, Role.TEACHER, row.party_id, None)
    concerned = [(Role.TEACHER, reach(own, Level.FIRST, contacts.today))]
    for role, organisation_id, is_concerned in (
        (Role.DIRECTOR, row.school_id, True),
        (Role.COMPANY, row.company_id, row.placement == PlacementStatus.CONFIRMED),
        (Role.INSTITUTE, row.receiver_id, row.handoff in _WITH_INSTITUTE),
    ):
        if is_concerned and (reached := contacts.reached.get((role, organisation_id))):
            concerned.append((role, reached))
    return [each for role, reached in concerned for each in _missed(role, reached, contacts)]


def _missed(role: Role, reached: Reached, contacts: Contacts) -> list[Document]:
    return [
        {
            "role": str(role),
            "name": name_at(each),
            "address": each.address,
            **absence(each, contacts.today),
            "to": name_at(reached.contact or contacts.desk),
            "stands_in": None if reached.stands_in is None else str(reached.stands_in),
        }
        for each in reached.instead_of
    ]


def absence(contact: Row[Any], today: date | None) -> Document:
    """Return why a contact cannot be reached: `gone` since a day, `on_hold` (it bounces), `not_yet` before a day."""
    if contact.status == ON_HOLD:
        return {"why": "on_hold", "since": None, "until": None}
    if contact.status == OK and today and contact.valid_from and today < contact.valid_from:
        return {"why": "not_yet", "since": None, "until": contact.valid_from.isoformat()}
    since = None if contact.valid_to is None else contact.valid_to + timedelta(days=1)
    return {"why": "gone", "since": None if since is None else since.isoformat(), "until": None}
