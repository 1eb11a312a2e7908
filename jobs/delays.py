"""The delay that a step of a ladder speaks of: whether it still is one, and which organisation owes the act.

`row` is one of `jobs.envelopes`: a participation with its school, its place, its rounds and IFC.
"""

from typing import Any

from sqlalchemy import Row

from states.deadlines import PLACE_RULE
from states.names import PlacementStatus, Role, Subject
from states.process import Process
from states.tables import process_for


def chased(row: Row[Any], notification: Row[Any]) -> tuple[Process, str, str]:
    """Return the table, the state and the rule of the delay that a step of a ladder speaks of."""
    subject = Subject(notification.subject)
    state = {Subject.HANDOFF: row.handoff, Subject.RETURN: row.returned}.get(subject, row.state)
    return process_for(subject, row.definition), str(state), notification.rule.partition(":")[0]


def hangs(row: Row[Any], notification: Row[Any]) -> bool:
    """Tell whether the delay is still one: its rule hangs where the subject stands, and no place was found."""
    table, state, rule = chased(row, notification)
    spec = table.states.get(state)
    found = rule == PLACE_RULE and row.placement == PlacementStatus.CONFIRMED
    return spec is not None and rule in spec.rules and not found


def owing(row: Row[Any], notification: Row[Any]) -> str:
    """Return the organisation that owes the act: the school for its teacher, IFC where there is none."""
    table, state, rule = chased(row, notification)
    role = table.states[state].owed_by if rule != PLACE_RULE else None
    named = {
        Role.TEACHER: row.school,
        Role.DIRECTOR: row.school,
        Role.COMPANY: row.company,
        Role.INSTITUTE: row.institute,
    }
    return (named.get(role) if role else None) or str(row.ifc)
