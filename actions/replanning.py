"""Changing the ladder, the calendar or the days of an edition that runs: what it would move, and moving it.

Open participations change over to the file's revision, and what hangs on them is planned anew: nothing is said twice,
nothing is said late. Those that run on another process definition keep it, and their revision, until they are migrated
to the edition's, with a mapping of their states. Both are shown first, and done in one transaction once confirmed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import ColumnElement, Connection, func, select

from actions.apply import not_too_long
from actions.change import Change
from actions.editions import (
    REVISION,
    Current,
    EditionEntry,
    append,
    check_messages,
    current,
    hold,
    keep_people_of,
    keep_revision,
)
from actions.occasion import Actor, Occasion, system
from actions.people import only_ifc
from actions.reading import Seen, in_its_time, read_rows, rules_for, seen
from actions.writing import DEADLINE, PARTICIPATION, write
from core.errors import Refused
from models import Answer, SampleDraw, table_of
from states.deadlines import alert_of
from states.decide import Pulled
from states.edition import EditionFile, content_hash, differences, rules_of
from states.guards import WAITING_STATES
from states.names import DeadlineStatus, Effect, State, Subject, Trigger
from states.replanning import Known, Moved, Replanned, Under, replanned
from states.rules import RuleKey, Rules
from states.tables import PARTICIPATION_PROCESSES

ANSWER, DRAW = table_of(Answer), table_of(SampleDraw)
_OPEN_STATES = sorted({str(state) for process in PARTICIPATION_PROCESSES.values() for state in process.open_states})
_AT_ONCE = 500
_IS_OPEN = PARTICIPATION.c.state.in_(_OPEN_STATES)
_IN_THE_COMPANY_AND_BEFORE = (State.REGISTERED, *WAITING_STATES)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a change would do; `count` is what is confirmed: the steps that move, come or go, of all participations.

    `ending`: references of those that an expiry which is past by then ends at the next tick. `kept`: open
    participations of another process definition, which nothing changes for.
    """

    edition: str
    number: int
    changes: tuple[str, ...]
    people: int
    rules: tuple[Moved, ...]
    ending: tuple[str, ...]
    kept: int

    @property
    def count(self) -> int:
        """The steps that move, come or go."""
        return sum(each.moved + each.added + each.dropped for each in self.rules)


def preview(connection: Connection, file: EditionFile, occasion: Occasion) -> Plan:
    """Return what an edition file would do to the running edition as it was loaded last.

    Raises NotFound (`unknown_edition`, `no_edition`), InvalidFile, Refused (`replan_routes`, `replan_questions`).
    """
    check_messages(file)
    edition = current(connection, file.code)
    changes = differences(edition.content, file.canonical())
    _only_what_may_change(connection, edition, changes)
    changing = _Changing(connection, edition, rules_of(file.canonical()), occasion, migrates=False)
    return changing.plan(tuple(changes))


def replan(
    connection: Connection, file: EditionFile, confirmed: int | None, reason: str, actor: Actor, occasion: Occasion
) -> Plan:
    """Make the file the edition's, and plan anew what hangs on its open participations.

    `confirmed` is the count that was shown; None on a copy, where nobody is asked. All in the caller's
    transaction: open participations are locked until its end, so that nobody acts under one ladder and is judged by
    another.

    Raises what `preview` raises; Refused (`wrong_role`, `reason_given`, `replan_stale`, `before_last_entry`).
    """
    edition = _begin(connection, file.code, reason, actor, Trigger.REPLAN)
    plan = preview(connection, file, occasion)
    _confirmed(plan, confirmed)
    if not plan.changes:
        return plan
    revision_id = keep_revision(connection, edition.id, plan.number, file, actor, occasion)
    keep_people_of(connection, edition, file)
    before, after = (content_hash(content)[:12] for content in (edition.content, file.canonical()))
    data = {"revision": plan.number, "deadlines": plan.count, "people": plan.people}
    entry = EditionEntry(revision_id, Trigger.REPLAN.value, before, after, data, reason.strip())
    append(connection, edition.id, entry, actor, occasion)
    changing = _Changing(connection, edition, rules_of(file.canonical()), occasion, migrates=False)
    changing.write(_Over(revision_id, plan.number, Trigger.REPLAN, ""), actor)
    return plan


def _begin(connection: Connection, code: str, reason: str, actor: Actor, trigger: Trigger) -> Current:
    """Have everybody who would act on this edition wait. Raises Refused (`wrong_role`, `reason_given`), NotFound."""
    only_ifc(connection, actor, trigger)
    if not reason.strip():
        raise Refused("reason_given", trigger=trigger)
    not_too_long(reason)
    edition = current(connection, code)
    hold(connection, edition.id)
    query = select(PARTICIPATION.c.id).where(PARTICIPATION.c.edition_id == edition.id, _IS_OPEN)
    connection.execute(query.order_by(PARTICIPATION.c.id).with_for_update(key_share=True)).all()
    # a job that is firing one of these is waited for: what it gave is then seen as given
    running = DEADLINE.c.status.in_((DeadlineStatus.OPEN.value, DeadlineStatus.WAITING.value))
    steps = select(DEADLINE.c.id).where(running, DEADLINE.c.participation_id.in_(query))
    connection.execute(steps.order_by(DEADLINE.c.id).with_for_update()).all()
    return current(connection, code)  # nobody revises it any more


def _confirmed(plan: Plan, confirmed: int | None) -> None:
    if confirmed is not None and plan.count != confirmed:
        raise Refused("replan_stale", value=confirmed, count=plan.count)


def _only_what_may_change(connection: Connection, edition: Current, changes: Sequence[str]) -> None:
    """Refuse what has a way of its own, or would change the meaning of what people have said already."""
    if routes := [change for change in changes if change.startswith("routes[")]:
        raise Refused("replan_routes", edition=edition.code, changes=routes)
    asked = [change for change in changes if change.startswith("evaluation")]
    mine = PARTICIPATION.c.edition_id == edition.id
    answers = select(ANSWER.c.id).join(PARTICIPATION, PARTICIPATION.c.id == ANSWER.c.participation_id).where(mine)
    draws = select(DRAW.c.id).where(DRAW.c.edition_id == edition.id)
    if asked and any(connection.execute(query.limit(1)).first() for query in (answers, draws)):
        raise Refused("replan_questions", edition=edition.code, changes=asked)


# ---------------------------------------------------------------------------------------- to another process definition
def preview_migration(connection: Connection, code: str | None, mapping: Mapping[str, str], occasion: Occasion) -> Plan:
    """Return what it would do to have everybody run on the process of the edition as it was loaded last.

    `mapping`: state there -> state here, for those that the edition's process does not have.
    Raises NotFound, Refused (`migrate_unmapped`, `migrate_bad_state`, `migrate_crosses`).
    """
    edition = current(connection, code)
    rules = rules_for(connection, edition.revision_id)
    _check(connection, edition, rules, mapping)
    return _Changing(connection, edition, rules, occasion, migrates=True, mapping=mapping).plan(())


def migrate(
    connection: Connection,
    code: str | None,
    mapping: Mapping[str, str],
    confirmed: int,
    reason: str,
    actor: Actor,
    occasion: Occasion,
) -> Plan:
    """Have everybody run on the process of the edition as it was loaded last, and plan anew what hangs on them.

    Raises what `preview_migration` raises; Refused (`wrong_role`, `reason_given`, `replan_stale`).
    """
    edition = _begin(connection, current(connection, code).code, reason, actor, Trigger.MIGRATE)
    plan = preview_migration(connection, code, mapping, occasion)
    _confirmed(plan, confirmed)
    rules = rules_for(connection, edition.revision_id)
    data: dict[str, object] = {"to": rules.process, "people": plan.people}
    entry = EditionEntry(edition.revision_id, Trigger.MIGRATE.value, "", "", data, reason.strip())
    append(connection, edition.id, entry, actor, occasion)
    changing = _Changing(connection, edition, rules, occasion, migrates=True, mapping=mapping)
    changing.write(_Over(edition.revision_id, plan.number, Trigger.MIGRATE, reason.strip()), actor)
    return plan


def _check(connection: Connection, edition: Current, rules: Rules, mapping: Mapping[str, str]) -> None:
    """Refuse a mapping that forgets a state in use, names one that is not there, or would skip what must be done."""
    here = PARTICIPATION_PROCESSES[rules.process]
    elsewhere = {each for version, process in PARTICIPATION_PROCESSES.items() for each in process.states if version}
    for there, state in mapping.items():
        if there in here.states or there not in elsewhere:
            lacking = sorted(str(each) for each in elsewhere - set(here.states))
            raise Refused("migrate_not_lacking", value=there, states=lacking)
        if state not in here.open_states:
            raise Refused("migrate_bad_state", value=state, states=here.open_states)
        if (there in _IN_THE_COMPANY_AND_BEFORE) != (state in _IN_THE_COMPANY_AND_BEFORE):
            raise Refused("migrate_crosses", value=there, to=state)
    mine = (PARTICIPATION.c.edition_id == edition.id, _IS_OPEN, PARTICIPATION.c.definition != rules.process)
    used = connection.execute(select(PARTICIPATION.c.state).where(*mine).distinct()).scalars()
    if forgotten := sorted(state for state in used if state not in {*here.open_states, *mapping}):
        raise Refused("migrate_unmapped", states=forgotten, version=rules.process)


# -------------------------------------------------------------------------------------------------------- one by one
@dataclass(frozen=True, slots=True)
class _Over:
    """How participations change over: to which revision, by which entry of their journals."""

    revision_id: int
    number: int
    trigger: Trigger
    reason: str


@dataclass(frozen=True, slots=True)
class _Changing:
    """The open participations that change over to these rules: those of their process, or (`migrates`) all others."""

    connection: Connection
    edition: Current
    rules: Rules
    occasion: Occasion
    migrates: bool
    mapping: Mapping[str, str] = field(default_factory=dict)

    def plan(self, changes: tuple[str, ...]) -> Plan:
        """Return what it would do."""
        tally: dict[RuleKey, Counter[str]] = defaultdict(Counter)
        people, ending = 0, []
        for stands, found in self._each(system()):
            people += 1
            for moved in found.moved:
                tally[moved.key].update(moved=moved.moved, added=moved.added, dropped=moved.dropped)
            if found.ends_at_once:
                ending.append(stands.row.reference)
        number = select(func.max(REVISION.c.number)).where(REVISION.c.edition_id == self.edition.id)
        latest: int = self.connection.execute(number).scalar_one()
        rules = tuple(Moved(key, n["moved"], n["added"], n["dropped"]) for key, n in sorted(tally.items()))
        return Plan(
            self.edition.code,
            latest + bool(changes),
            changes,
            people,
            rules,
            tuple(sorted(ending)),
            0 if self.migrates else self._count(PARTICIPATION.c.definition != self.rules.process),
        )

    def write(self, over: _Over, actor: Actor) -> None:
        """Have them all change over."""
        changes: list[Change] = []
        for stands, found in self._each(actor):
            in_its_time(stands, self.occasion)
            changes.append(self._change(stands, found, over, actor))
            if len(changes) == _AT_ONCE:
                write(self.connection, changes)
                changes = []
        if changes:
            write(self.connection, changes)

    def _change(self, stands: Seen, found: Replanned, over: _Over, actor: Actor) -> Change:
        after = self._after(stands)
        entry = Pulled(Subject.PARTICIPATION, over.trigger, stands.row.state, after.seen.state, ())
        # the rules are the file's: `rules_for` would keep them under an id that a rollback sets free again
        row = stands.row._replace(revision_id=over.revision_id, definition=after.process.version)
        return Change(
            replace(stands, row=row, rules=self.rules, process=after.process),
            after.seen,
            actor,
            self.occasion,
            (entry,),
            effects=(Effect.LOOK_AGAIN,),
            ended=tuple(found.ended),
            opened=tuple(found.opened),
            reason=over.reason,
            data={"revision": over.number},
        )

    def _each(self, actor: Actor) -> Iterator[tuple[Seen, Replanned]]:
        other = PARTICIPATION.c.definition != self.rules.process
        query = select(PARTICIPATION.c.id).where(
            PARTICIPATION.c.edition_id == self.edition.id, _IS_OPEN, other if self.migrates else ~other
        )
        ids = self.connection.execute(query.order_by(PARTICIPATION.c.id)).scalars().all()
        for first in range(0, len(ids), _AT_ONCE):
            some = ids[first : first + _AT_ONCE]
            known = self._known(some)
            for _, row in sorted(read_rows(self.connection, some).items()):
                stands = seen(self.connection, row, actor)
                before = Under(stands.process, stands.rules, stands.snapshot)
                yield stands, replanned(before, self._after(stands), self.occasion.at, known[row.id])

    def _after(self, stands: Seen) -> Under:
        state = self.mapping.get(stands.row.state, stands.row.state)
        process = PARTICIPATION_PROCESSES[self.rules.process]
        return Under(process, self.rules, replace(stands.snapshot, state=state))

    def _known(self, ids: Sequence[int]) -> dict[int, dict[tuple[Subject, str], Known]]:
        """Return what stands of each rule in its latest generation: what was granted, which alerts were given."""
        query = select(
            DEADLINE.c.participation_id,
            DEADLINE.c.revision_id,
            DEADLINE.c.subject,
            DEADLINE.c.state,
            DEADLINE.c.rule,
            DEADLINE.c.step,
            DEADLINE.c.generation,
            DEADLINE.c.status,
            DEADLINE.c.extension,
        ).where(DEADLINE.c.participation_id.in_(ids))
        found: dict[int, dict[tuple[Subject, str], Known]] = defaultdict(dict)
        generation: dict[tuple[int, str, str], int] = {}
        for row in self.connection.execute(query.order_by(DEADLINE.c.generation)):
            place, rule = (row.participation_id, row.subject, row.rule), (Subject(row.subject), row.rule)
            known = found[row.participation_id].get(rule, Known())
            if generation.get(place) != row.generation:  # what the former one said does not count for this one
                known = Known()
            generation[place] = row.generation
            given = known.given
            if row.status in {DeadlineStatus.FIRED, DeadlineStatus.MISSED}:  # missed: it had been given before
                ladder = rules_for(self.connection, row.revision_id).ladder
                step = ladder[RuleKey(Subject(row.subject), row.state, row.rule)][row.step]
                given |= {alert_of(step)}
            found[row.participation_id][rule] = Known(row.extension, given)
        return found

    def _count(self, condition: ColumnElement[bool]) -> int:
        mine = (PARTICIPATION.c.edition_id == self.edition.id, _IS_OPEN, condition)
        return int(self.connection.execute(select(func.count()).select_from(PARTICIPATION).where(*mine)).scalar_one())
