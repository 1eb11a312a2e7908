"""From an act, or a deadline that fell due, to the rows of what is to be said and to whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actions.change import Change
from actions.reading import Stands
from notifications.catalogue import CATALOGUE
from states.names import Kind, Level, Role, Subject


@dataclass(frozen=True, slots=True)
class Tell:
    """Something to be said because of an entry of the journal, or of a deadline; `rule` says why.

    `level` says which contact of an organisation is meant; what is `alone` shares its envelope with nothing.
    """

    kind: Kind
    role: Role
    subject: Subject
    rule: str
    key: str
    seq: int | None = None
    level: Level = Level.FIRST
    alone: bool = False


def notifications(change: Change) -> Iterator[dict[str, Any]]:
    for number, step in enumerate(change.pulled):
        for kind in step.tells:
            role = CATALOGUE[kind].audience_for(has_school=change.seen.snapshot.has_school)
            key = f"{change.seen.row.id}/{change.seq + number}/{kind}"
            tell = Tell(kind, role, step.subject, str(step.trigger), key, change.seq + number)
            if row := notification_row(change.seen.row, tell, change.occasion.at, change.data.get("receiver")):
                yield row


def notification_row(row: Stands, tell: Tell, at: datetime, receiver: object = None) -> dict[str, Any] | None:
    """Return the row of one notification, or None when there is nobody to tell (no company yet, say)."""
    role, party_id, organisation_id = addressee(row, tell.role, receiver)
    if party_id is None and organisation_id is None:
        return None
    return {
        "key": tell.key,
        "kind": tell.kind.value,
        "participation_id": row.id,
        "subject": tell.subject.value,
        "role": role.value,
        "party_id": party_id,
        "organisation_id": organisation_id,
        "level": tell.level.value,
        "alone": tell.alone,
        "rule": tell.rule,
        "seq": tell.seq,
        "at": at,
    }


def nobody_there(row: Stands, role: Role) -> bool:
    """Tell whether nobody stands behind a role yet: no place was found, no institute has the relay."""
    return addressee(row, role)[1:] == (None, None)


def addressee(row: Stands, role: Role, receiver: object = None) -> tuple[Role, int | None, int | None]:
    """Return who stands behind a role for this participation: the role that answers, a party or an organisation.

    Where there is no school IFC approves, so it is IFC that is told; `receiver` is that of a handoff being offered, or
    the committee.
    """
    if role is Role.TEACHER:
        return role, row.party_id, None
    if role is Role.DIRECTOR and row.school_id is not None:
        return role, None, row.school_id
    if role is Role.COMPANY:
        return role, None, row.company_id
    if role is Role.INSTITUTE:
        return role, None, receiver if isinstance(receiver, int) else row.receiver_id
    if role is Role.COMMITTEE:
        return role, None, receiver if isinstance(receiver, int) else None
    return Role.COORDINATOR, None, row.ifc_id
