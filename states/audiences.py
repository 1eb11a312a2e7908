"""Whom a step of a ladder speaks to: from the chain of an edition file to a role and one of its contacts, purely."""

from collections.abc import Mapping

from states.names import Audience, Level, Role

_BY_NAME: Mapping[Audience, Role] = {
    Audience.TEACHER: Role.TEACHER,
    Audience.DIRECTOR: Role.DIRECTOR,
    Audience.COMPANY: Role.COMPANY,
    Audience.INSTITUTE: Role.INSTITUTE,
    Audience.COORDINATOR: Role.COORDINATOR,
    Audience.COMMITTEE: Role.COMMITTEE,
}
_LEVELS: Mapping[Audience, Level] = {
    Audience.STAND_IN: Level.STAND_IN,
    Audience.RESPONSIBLE: Level.RESPONSIBLE,
}


def addressed(audience: Audience, owed_by: Role | None) -> tuple[Role, Level]:
    """Return the role and the contact that an audience means, where `owed_by` owes the act (nobody: IFC's to see to).

    A teacher has no stand-in: their organisation is the school, and its director answers for it.
    """
    if audience in _BY_NAME:
        return _BY_NAME[audience], Level.FIRST
    owner = owed_by or Role.COORDINATOR
    if audience is not Audience.OWNER and owner is Role.TEACHER:
        return Role.DIRECTOR, Level.FIRST
    return owner, _LEVELS.get(audience, Level.FIRST)
