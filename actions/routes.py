"""Changing the routes of an edition that runs: whom it would move, and moving them once somebody has confirmed it.

The routes alone may change: both revisions have the same ladders, and every deadline that hangs means what it meant. A
round that its receiver has accepted stays there.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, func, select

from actions.apply import Request, decided
from actions.change import Change
from actions.editions import REVISION, Current, EditionEntry, append, current, hold, keep_revision
from actions.evaluation import unmoved
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION, only_ifc
from actions.reading import Seen, in_its_time, read_rows, rules_for, seen
from actions.writing import HANDOFF, PARTICIPATION, write
from core.errors import Refused
from states.decide import OPEN_HANDOFF
from states.edition import EditionFile, content_hash, differences, normal, rules_of
from states.guards import WAITING_STATES
from states.names import Effect, HandoffStatus, Purpose, State, Subject, Trigger
from states.routing import Whom, differ, named
from states.rules import Rules
from states.tables import PARTICIPATION_PROCESSES

_OPEN_STATES = {str(state) for process in PARTICIPATION_PROCESSES.values() for state in process.open_states}
_NOT_IMMERSED = tuple(str(state) for state in (State.REGISTERED, *WAITING_STATES))
_REFUSED = (HandoffStatus.DECLINED.value, HandoffStatus.TIMED_OUT.value)
_WAITING = (HandoffStatus.TO_ROUTE, HandoffStatus.HELD)
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an open round of a transfer goes: now, and by the new routes. None: to IFC's desk."""

    participation_id: int
    reference: str
    round: int
    status: str
    now: str | None
    then: str | None

    @property
    def accepted(self) -> bool:
        """Tell whether the receiver has accepted: it then keeps the round, whatever the routes say."""
        return self.status == HandoffStatus.ACCEPTED


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change of routes would do. `later` counts people not immersed yet, `later_elsewhere` those it concerns.

    `other_rules` counts open participations that run on a revision with other rules besides: they keep their routes.
    """

    edition: str
    number: int
    changes: tuple[str, ...]
    rounds: tuple[Destination, ...]
    later: int
    later_elsewhere: int
    other_rules: int

    @property
    def moving(self) -> tuple[Destination, ...]:
        """The rounds that would go elsewhere."""
        return tuple(each for each in self.rounds if each.now != each.then and not each.accepted)

    @property
    def kept(self) -> tuple[Destination, ...]:
        """The rounds that would go elsewhere, had their receiver not accepted them."""
        return tuple(each for each in self.rounds if each.now != each.then and each.accepted)


@dataclass(frozen=True, slots=True)
class Rerouted:
    """What a change of routes did: the revision that holds now, the rounds moved, the participations that follow."""

    edition: str
    number: int
    moved: tuple[Destination, ...]
    following: int


# ------------------------------------------------------------------------------------------------------------- looking
def preview(connection: Connection, file: EditionFile, occasion: Occasion) -> Preview:
    """Return what an edition file with other routes would do to the edition as it was loaded last.

    Raises NotFound (`unknown_edition`, `no_edition`), Refused (`routes_only`, with what else differs).
    """
    edition = current(connection, file.code)
    changes = _only_routes(edition, file)
    new = rules_of(file.canonical())
    kin = _kin(connection, edition)
    rounds = tuple(_destinations(connection, edition, kin, new, occasion))
    today = new.calendar.local_day(occasion.at)
    later, elsewhere = _later(connection, edition, kin, new, today)
    return Preview(
        edition.code,
        _number(connection, edition.revision_id),
        changes,
        rounds,
        later,
        elsewhere,
        _count(connection, edition, PARTICIPATION.c.revision_id.not_in(kin)),
    )


def _only_routes(edition: Current, file: EditionFile) -> tuple[str, ...]:
    """Return what changes in the routes. Raises Refused (`routes_only`)."""
    changes = differences(edition.content, file.canonical())
    if others := [change for change in changes if not change.startswith("routes[")]:
        raise Refused("routes_only", edition=edition.code, changes=others)
    return tuple(changes)


def _number(connection: Connection, revision_id: int) -> int:
    return int(connection.execute(select(REVISION.c.number).where(REVISION.c.id == revision_id)).scalar_one())


def _kin(connection: Connection, edition: Current) -> dict[int, Rules]:
    """Return the edition's revisions that differ from the latest in nothing but routes: their people may change over.

    Who began under other rules keeps them: a deadline never changes its meaning.
    """
    rows = connection.execute(select(REVISION.c.id, REVISION.c.content).where(REVISION.c.edition_id == edition.id))
    same = _without_routes(edition.content)
    return {row.id: rules_for(connection, row.id) for row in rows if _without_routes(row.content) == same}


def _without_routes(content: str) -> dict[str, object]:
    return {name: value for name, value in json.loads(normal(content)).items() if name != "routes"}


def _count(connection: Connection, edition: Current, *conditions: Any) -> int:  # noqa: ANN401 - SQL conditions
    mine = (PARTICIPATION.c.edition_id == edition.id, PARTICIPATION.c.state.in_(_OPEN_STATES))
    query = select(func.count()).select_from(PARTICIPATION).where(*mine, *conditions)
    return int(connection.execute(query).scalar_one())


def _later(
    connection: Connection, edition: Current, kin: Mapping[int, Rules], new: Rules, today: date
) -> tuple[int, int]:
    """Count those who are not immersed yet, and those whom the new routes send elsewhere on some day still to come."""
    mine = (PARTICIPATION.c.edition_id == edition.id, PARTICIPATION.c.state.in_(_NOT_IMMERSED))
    whom = (PARTICIPATION.c.network, PARTICIPATION.c.education, PARTICIPATION.c.kind)
    query = (
        select(PARTICIPATION.c.revision_id, *whom, func.count().label("n"))
        .where(*mine, PARTICIPATION.c.revision_id.in_(kin))
        .group_by(PARTICIPATION.c.revision_id, *whom)
    )
    rows = connection.execute(query).all()
    concerned = [row for row in rows if differ(kin[row.revision_id], new, _whom(row), today, edition.closes)]
    return sum(row.n for row in rows), sum(row.n for row in concerned)


def _whom(row: Row[Any]) -> Whom:
    return row.network, row.education, row.kind


_OURS = (HANDOFF.c.participation_id == PARTICIPATION.c.id) & (HANDOFF.c.purpose == Purpose.TRANSFER.value)
_ROUNDS = (
    select(
        PARTICIPATION.c.id,
        PARTICIPATION.c.reference,
        PARTICIPATION.c.revision_id,
        PARTICIPATION.c.network,
        PARTICIPATION.c.education,
        PARTICIPATION.c.kind,
        HANDOFF.c.round,
        HANDOFF.c.status,
        HANDOFF.c.offered_at,
        ORGANISATION.c.code.label("receiver"),
    )
    .join(HANDOFF, _OURS)
    .outerjoin(ORGANISATION, ORGANISATION.c.id == HANDOFF.c.receiver_id)
    .where(PARTICIPATION.c.state == State.IMMERSED.value)
    .order_by(PARTICIPATION.c.id)
)


def _destinations(
    connection: Connection, edition: Current, kin: Mapping[int, Rules], new: Rules, occasion: Occasion
) -> Iterator[Destination]:
    mine = (PARTICIPATION.c.edition_id == edition.id, PARTICIPATION.c.revision_id.in_(kin))
    refused: dict[int, set[str | None]] = {}
    for row in connection.execute(_ROUNDS.where(*mine, HANDOFF.c.status.in_(_REFUSED))):
        refused.setdefault(row.id, set()).add(row.receiver)
    today = new.calendar.local_day(occasion.at)
    for row in connection.execute(_ROUNDS.where(*mine, HANDOFF.c.status.in_([str(each) for each in OPEN_HANDOFF]))):
        old, no = kin[row.revision_id], refused.get(row.id, set())
        now, then = (_offered_to(rules, row, today, no) for rules in (old, new))
        if row.status not in _WAITING:
            now, then = row.receiver, then if _leaves(row, old, new, today) else row.receiver
        yield Destination(row.id, row.reference, row.round, row.status, now, then)


def _offered_to(rules: Rules, row: Row[Any], day: date, refused: set[str | None]) -> str | None:
    """Return to whom the handoffs job would offer a round: never to somebody who has said no, or nothing."""
    found = named(rules, _whom(row), day)
    return None if found in refused else found


def _leaves(row: Row[Any], old: Rules, new: Rules, today: date) -> bool:
    """Tell whether a receiver has a round by a route that is no longer so, neither on the day of the offer nor today.

    What IFC offered by hand, to somebody whom no route names, is not for the routes to take back.
    """
    offered_on = old.calendar.local_day(row.offered_at)
    by_route = named(old, _whom(row), offered_on) == row.receiver
    return by_route and row.receiver not in {named(new, _whom(row), day) for day in (offered_on, today)}


# -------------------------------------------------------------------------------------------------------------- moving
def apply(
    connection: Connection, file: EditionFile, confirmed: int, reason: str, actor: Actor, occasion: Occasion
) -> Rerouted:
    """Make the file's routes those of the edition, and move the rounds that they send elsewhere.

    `confirmed` is how many rounds were said to move. Rounds offered are taken back from their receiver, who is told,
    and a new one is requested; those that wait are looked at again by the next run of the handoffs job. All in the
    caller's transaction: open participations are locked until its end, so that nobody accepts in between.

    Raises NotFound (`unknown_edition`, `no_edition`), Refused (`wrong_role`, `reason_given`, `routes_only`,
    `routes_stale`, `before_last_entry`).
    """
    only_ifc(connection, actor, Trigger.REROUTE)
    if not reason.strip():
        raise Refused("reason_given")
    edition = current(connection, file.code)
    hold(connection, edition.id)
    _lock(connection, edition.id)
    seen_now = preview(connection, file, occasion)
    if len(seen_now.moving) != confirmed:
        raise Refused("routes_stale", value=confirmed, count=len(seen_now.moving))
    edition = current(connection, file.code)  # nobody revises it any more
    kin = set(_kin(connection, edition))
    number, revision_id = seen_now.number, edition.revision_id
    if seen_now.changes:
        number += 1
        revision_id = _revise(connection, edition, file, number, (confirmed, reason.strip()), actor, occasion)
    change = _Changing(revision_id, rules_of(file.canonical()), number, reason.strip(), actor, occasion)
    moving = frozenset(each.participation_id for each in seen_now.moving if each.status == HandoffStatus.OFFERED)
    following = _followers(connection, edition.id, kin - {revision_id})
    for first in range(0, len(following), _AT_ONCE):
        rows = read_rows(connection, following[first : first + _AT_ONCE])
        stands = (seen(connection, row, actor) for _, row in sorted(rows.items()))
        write(connection, [change.leaving(each) if each.row.id in moving else change.staying(each) for each in stands])
    return Rerouted(edition.code, number, seen_now.moving, len(following))


def _lock(connection: Connection, edition_id: int) -> None:
    """Have whoever would act on an open participation wait; in one order, so that writers cannot deadlock."""
    mine = (PARTICIPATION.c.edition_id == edition_id, PARTICIPATION.c.state.in_(_OPEN_STATES))
    query = select(PARTICIPATION.c.id).where(*mine).order_by(PARTICIPATION.c.id)
    connection.execute(query.with_for_update(key_share=True)).all()


def _revise(
    connection: Connection,
    edition: Current,
    file: EditionFile,
    number: int,
    why: tuple[int, str],
    actor: Actor,
    occasion: Occasion,
) -> int:
    revision_id = keep_revision(connection, edition.id, number, file, actor, occasion)
    before, after = (content_hash(content)[:12] for content in (edition.content, file.canonical()))
    data = {"revision": number, "moved": why[0]}
    entry = EditionEntry(revision_id, Trigger.REROUTE.value, before, after, data, why[1])
    append(connection, edition.id, entry, actor, occasion)
    return revision_id


def _followers(connection: Connection, edition_id: int, revisions: Collection[int]) -> list[int]:
    """Return the open participations that these revisions give their rules: they change over."""
    mine = (PARTICIPATION.c.edition_id == edition_id, PARTICIPATION.c.state.in_(_OPEN_STATES))
    query = select(PARTICIPATION.c.id).where(*mine, PARTICIPATION.c.revision_id.in_(revisions))
    return list(connection.execute(query.order_by(PARTICIPATION.c.id)).scalars())


@dataclass(frozen=True, slots=True)
class _Changing:
    """How one participation changes over: its entries name the new revision, by whose routes it goes from then on."""

    revision_id: int
    rules: Rules
    number: int
    reason: str
    actor: Actor
    occasion: Occasion

    def leaving(self, stands: Seen) -> Change:
        """Take an offered round back from its receiver, and request a new one."""
        asked = Request(Subject.HANDOFF, Trigger.REROUTE, self.reason, {"revision": self.number})
        return decided(self._over(stands), asked, self.actor, self.occasion)

    def staying(self, stands: Seen) -> Change:
        """Leave everything as it is; a round that waits is looked at again."""
        in_its_time(stands, self.occasion)
        over = self._over(stands)
        entry, data = unmoved(over, Trigger.REROUTE), {"revision": self.number}
        effects = (Effect.ROUTE_AGAIN,) if over.snapshot.handoff in _WAITING else ()
        return Change(over, over.snapshot, self.actor, self.occasion, (entry,), effects=effects, data=data)

    def _over(self, stands: Seen) -> Seen:
        """Its rules are read from the file: `rules_for` would keep them under an id that a rollback sets free again."""
        return replace(stands, row=stands.row._replace(revision_id=self.revision_id), rules=self.rules)
