"""Desks follow the deadlines: an alert to an organisation is an item on its desk, until the delay is over.

Two statements, each for a whole batch. They cannot miss each other: an act first ends the deadlines of a rule, and so
waits for a job that is firing one of them; only then does it settle what is on a desk. Do not change that order.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Update, and_, bindparam, case, null, or_, update
from sqlalchemy.dialects import postgresql, sqlite

from models import DeskItem, table_of
from states.names import DESK_ROLES, DeskStatus

DESK = table_of(DeskItem)
OVER = (DeskStatus.DONE.value, DeskStatus.SETTLED.value)

Said = dict[str, Any]  # the row of a notification


def raise_items(connection: Connection, alerts: Sequence[tuple[Row[Any], Said]], at: datetime) -> None:
    """Put alerts on the desks of those told: a deadline that fired, and what it says. To a person: on no desk.

    A delay that is on that desk already is bumped; one that was done comes back as open. In one order, so that two
    jobs cannot deadlock.
    """
    items = [_item(deadline, said, at) for deadline, said in alerts if _has_desk(said)]
    items.sort(key=lambda item: tuple(item[name] for name in _DELAY))
    if items:
        connection.execute(_raising(connection.dialect.name), items)


def _has_desk(said: Said) -> bool:
    return said["organisation_id"] is not None and said["role"] in DESK_ROLES


_DELAY = ("participation_id", "subject", "rule", "generation", "organisation_id", "role")


def _item(deadline: Row[Any], said: Said, at: datetime) -> dict[str, Any]:
    return {
        **{name: getattr(deadline, name) for name in ("participation_id", "subject", "rule", "step", "generation")},
        **{name: said[name] for name in ("organisation_id", "role", "kind")},
        "status": DeskStatus.OPEN.value,
        "since": at,
        "bumps": 0,
        "bumped_at": at,
    }


@lru_cache
def _raising(dialect: str) -> Any:  # noqa: ANN401 - each engine has its own class, with the same methods
    statement: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect](DESK)
    new, over = statement.excluded, or_(*(DESK.c.status == status for status in OVER))  # IN takes one row at a time
    return statement.on_conflict_do_update(
        index_elements=_DELAY,
        set_={
            "bumps": DESK.c.bumps + 1,
            "bumped_at": new.bumped_at,
            "kind": new.kind,
            "step": new.step,
            "status": case((over, DeskStatus.OPEN.value), else_=DESK.c.status),
            "taken_by": case((over, null()), else_=DESK.c.taken_by),
            "ended_at": null(),
        },
    )


def settle_ended(connection: Connection, ended: Iterable[tuple[int, str, str]], at: datetime) -> None:
    """Settle what is on any desk because of rules that ended: of which participation, on which subject, which rule."""
    together: dict[tuple[str, str], list[int]] = {}
    for participation_id, subject, rule in ended:
        together.setdefault((subject, rule), []).append(participation_id)
    if together:
        rules = tuple(sorted(together))
        ids = {f"b_ids_{number}": together[each] for number, each in enumerate(rules)}
        connection.execute(_settling(rules), {"v_at": at, **ids})


def carry_on(connection: Connection, replanned: Iterable[tuple[int, str, str, int]]) -> None:
    """Have items follow their rule into a new generation, where a ladder changed: of whom, which rule, which one."""
    rows = [dict(zip(("b_id", "b_subject", "b_rule", "v_generation"), each, strict=True)) for each in replanned]
    if rows:
        connection.execute(_CARRY_ON, rows)


_CARRY_ON = (
    update(DESK)
    .where(
        DESK.c.participation_id == bindparam("b_id"),
        DESK.c.subject == bindparam("b_subject"),
        DESK.c.rule == bindparam("b_rule"),
        DESK.c.status != DeskStatus.SETTLED.value,  # what was done comes back, as the same item, if alerted to again
    )
    .values(generation=bindparam("v_generation"))
)


@lru_cache(maxsize=256)
def _settling(rules: tuple[tuple[str, str], ...]) -> Update:
    """Return the statement that settles these rules' items; the same one whenever the rules are the same."""
    ended = (
        and_(
            DESK.c.participation_id.in_(bindparam(f"b_ids_{number}", expanding=True)),
            DESK.c.subject == subject,
            DESK.c.rule == rule,
        )
        for number, (subject, rule) in enumerate(rules)
    )
    return (
        update(DESK)
        .where(or_(*ended), DESK.c.status.not_in(OVER))
        .values(status=DeskStatus.SETTLED.value, until=null(), ended_at=bindparam("v_at"))
    )
