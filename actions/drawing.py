"""Drawing the sample that is evaluated in person, by IFC, from the edition's rule; what comes later: `actions.sample`.

A draw is an entry of the edition's own chain (seed, strata, hash of the list, references) and one of each participation
that is drawn or left out, whose version it bumps: an evaluation decided meanwhile loses the race.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, insert, select, update

from actions.change import Change
from actions.editions import Current, EditionEntry, append, current, hold, must_be_open
from actions.evaluation import then_evaluated, unmoved
from actions.occasion import Actor, Occasion
from actions.people import ORGANISATION, PARTY, only_ifc
from actions.reading import Seen, in_its_time, read_rows, rules_for, seen
from actions.writing import PARTICIPATION, PLACEMENT, write
from core.errors import Refused
from models import Drawn, Offer, OfferSession, SampleDraw, Seat, table_of
from states import sampling
from states.names import (
    DrawnStatus,
    FactKind,
    Kind,
    PlacementStatus,
    State,
    Stratum,
    Trigger,
)
from states.sampling import Pick, SampleRule
from states.tables import PARTICIPATION_PROCESSES

DRAW, DRAWN = table_of(SampleDraw), table_of(Drawn)
OFFER, SESSION, SEAT = table_of(Offer), table_of(OfferSession), table_of(Seat)
NOTHING = "-"  # stands for what somebody does not have (a network, a place), and for the stratum of everybody


@dataclass(frozen=True, slots=True)
class Drew:
    """A draw that was made: its number, from how many people, whom, and how many are in it for the first time."""

    edition: str
    number: int
    people: int
    picks: tuple[Pick, ...]
    new: int


def draw(connection: Connection, code: str | None, actor: Actor, occasion: Occasion, reason: str = "") -> Drew:
    """Draw an edition's sample (by its code; by default the one loaded last).

    Where a draw stands, it takes a reason to make it void and draw anew: with the same seed, those who were drawn and
    are still there come out again. Raises NotFound (`unknown_edition`, `no_edition`), Refused (`wrong_role`,
    `edition_closed`, `no_sample`, `already_drawn`, `nobody_to_draw_from`, `before_last_entry`), LostRace.
    """
    edition = current(connection, code)
    only_ifc(connection, actor, Trigger.DRAW)
    must_be_open(connection, edition.id)
    rule = rules_for(connection, edition.revision_id).sample
    if rule is None:
        raise Refused("no_sample", edition=edition.code)
    hold(connection, edition.id)
    standing = standing_draw(connection, edition.id)
    if standing is not None and not reason.strip():
        raise Refused("already_drawn", edition=edition.code, at=standing.drawn_at)
    people = people_of(connection, edition.id, rule.since, rule.strata)
    picks = sampling.draw(rule, people)
    if not picks:
        raise Refused("nobody_to_draw_from", edition=edition.code, since=rule.since)
    number = _last_number(connection, edition.id) + 1
    changes = _in_and_out(connection, edition.id, number, {each.reference for each in picks}, actor, occasion)
    entry = _entry(edition, number, rule, people, picks, reason)
    seq = append(connection, edition.id, entry, actor, occasion)
    write(connection, changes)
    _keep(connection, edition.id, number, rule, people, picks, (actor, occasion, seq))
    return Drew(edition.code, number, len(people), picks, sum(_is_new(each) for each in changes))


def _is_new(change: Change) -> bool:
    return change.seen.row.drawn_on is None and change.after.drawn_on is not None


def standing_draw(connection: Connection, edition_id: int) -> Row[Any] | None:
    """Return the draw of an edition that is not void."""
    return connection.execute(select(DRAW).where(DRAW.c.edition_id == edition_id, DRAW.c.void_at.is_(None))).first()


def _last_number(connection: Connection, edition_id: int) -> int:
    numbers = select(DRAW.c.number).where(DRAW.c.edition_id == edition_id).order_by(DRAW.c.number.desc()).limit(1)
    return connection.execute(numbers).scalar() or 0


_COLUMNS = {
    Stratum.NETWORK: PARTICIPATION.c.network,
    Stratum.EDUCATION: PARTICIPATION.c.education,
    Stratum.KIND: PARTICIPATION.c.kind,
    Stratum.BASIN: PARTICIPATION.c.basin,
    Stratum.SECTOR: OFFER.c.sector,
    Stratum.COMPANY: ORGANISATION.c.code,
}
_HELD = and_(PLACEMENT.c.participation_id == PARTICIPATION.c.id, PLACEMENT.c.status == PlacementStatus.CONFIRMED.value)
_REPLACED = select(DRAWN.c.participation_id).where(DRAWN.c.status == DrawnStatus.REPLACED.value)


def people_of(connection: Connection, edition_id: int, since: State, strata: Sequence[Stratum]) -> dict[str, str]:
    """Return whom to draw from: those who have come so far and are still with us, each with their stratum.

    Whoever has already evaluated may be seen in person all the same; who was once replaced, or is erased, is not there.
    """
    query: Select[Any] = (
        select(PARTICIPATION.c.reference, *(_COLUMNS[each].label(each.value) for each in strata))
        .select_from(
            PARTICIPATION.join(PARTY, PARTY.c.id == PARTICIPATION.c.party_id)
            .outerjoin(PLACEMENT, _HELD)
            .outerjoin(SEAT, SEAT.c.id == PLACEMENT.c.seat_id)
            .outerjoin(SESSION, SESSION.c.id == SEAT.c.session_id)
            .outerjoin(OFFER, OFFER.c.id == SESSION.c.offer_id)
            .outerjoin(ORGANISATION, ORGANISATION.c.id == OFFER.c.company_id)
        )
        .where(
            PARTICIPATION.c.edition_id == edition_id,
            PARTICIPATION.c.state.in_(_reached(since)),
            PARTY.c.erased_at.is_(None),
            PARTICIPATION.c.id.not_in(_REPLACED),
        )
    )
    return {row[0]: " / ".join(value or NOTHING for value in row[1:]) or NOTHING for row in connection.execute(query)}


def _reached(since: State) -> set[str]:
    """Return the states of those who have come as far as a state, on any process that has it."""
    paths = (process.path for process in PARTICIPATION_PROCESSES.values() if since in process.path)
    return {str(state) for path in paths for state in path[path.index(since) :]}


def _in_and_out(
    connection: Connection, edition_id: int, number: int, picked: set[str], actor: Actor, occasion: Occasion
) -> list[Change]:
    """Return the changes of those who are drawn, and of those who leave the sample with the draw before.

    Who stays in has an entry too: whatever IFC does about them meanwhile, from what stood before, loses the race.
    """
    inside = (PARTICIPATION.c.edition_id == edition_id, PARTICIPATION.c.drawn_on.is_not(None))
    before = set(connection.execute(select(PARTICIPATION.c.reference).where(*inside)).scalars())
    moved = select(PARTICIPATION.c.id).where(PARTICIPATION.c.reference.in_(picked | before))
    rows = read_rows(connection, connection.execute(moved).scalars())
    return [
        (drawn if row.reference in picked else _left_out)(seen(connection, row, actor), number, actor, occasion)
        for _, row in sorted(rows.items())
    ]


def drawn(stands: Seen, number: int, actor: Actor, occasion: Occasion) -> Change:
    """Somebody is drawn; who comes into the sample, and has not been seen yet, is told."""
    in_its_time(stands, occasion)
    since = stands.snapshot.drawn_on
    after = changed(stands.snapshot, drawn_on=since or stands.rules.calendar.local_day(occasion.at))
    told = since is not None or FactKind.INTERVIEW in after.facts
    tells = () if told else (Kind.SAMPLE_DRAWN,)
    return Change(stands, after, actor, occasion, (unmoved(stands, Trigger.DRAW, tells),), data={"draw": number})


def _left_out(stands: Seen, number: int, actor: Actor, occasion: Occasion) -> Change:
    """Somebody leaves the sample: nothing stands in the way any more of an evaluation that waited for the interview."""
    in_its_time(stands, occasion)
    after, data = changed(stands.snapshot, drawn_on=None), {"draw": number, "left_out": True}
    return then_evaluated(Change(stands, after, actor, occasion, (unmoved(stands, Trigger.DRAW),), data=data))[0]


def _entry(
    edition: Current,
    number: int,
    rule: SampleRule,
    people: Mapping[str, str],
    picks: Sequence[Pick],
    reason: str,
) -> EditionEntry:
    data = {
        "draw": number,
        "seed": rule.seed,
        "since": rule.since.value,
        "strata": [each.value for each in rule.strata],
        "people": len(people),
        "fingerprint": sampling.fingerprint(people),
        "drawn": [each.reference for each in picks],
    }
    before = str(number - 1) if number > 1 else NOTHING
    return EditionEntry(edition.revision_id, Trigger.DRAW.value, before, str(number), data, reason.strip())


def _keep(
    connection: Connection,
    edition_id: int,
    number: int,
    rule: SampleRule,
    people: Mapping[str, str],
    picks: Sequence[Pick],
    by: tuple[Actor, Occasion, int],
) -> None:
    actor, occasion, seq = by
    standing = (DRAW.c.edition_id == edition_id, DRAW.c.void_at.is_(None))
    connection.execute(update(DRAW).where(*standing).values(void_at=occasion.at))
    values = {
        "edition_id": edition_id,
        "number": number,
        "seed": rule.seed,
        "since": rule.since.value,
        "strata": " ".join(rule.strata),
        "people": len(people),
        "fingerprint": sampling.fingerprint(people),
        "drawn_at": occasion.at,
        "drawn_by": actor.party_id,
        "journal_seq": seq,
    }
    draw_id = connection.execute(insert(DRAW).values(values).returning(DRAW.c.id)).scalar_one()
    known = by_reference(connection, [each.reference for each in picks])
    connection.execute(insert(DRAWN), [drawn_row(draw_id, each, known[each.reference]) for each in picks])


def by_reference(connection: Connection, references: Iterable[str]) -> dict[str, Row[Any]]:
    columns = (PARTICIPATION.c.id, PARTICIPATION.c.reference, PARTICIPATION.c.interview_on)
    query = select(*columns).where(PARTICIPATION.c.reference.in_(list(references)))
    return {row.reference: row for row in connection.execute(query)}


def drawn_row(draw_id: int, pick: Pick, participation: Row[Any]) -> dict[str, Any]:
    status = DrawnStatus.DRAWN if participation.interview_on is None else DrawnStatus.INTERVIEWED
    return {
        "draw_id": draw_id,
        "participation_id": participation.id,
        "stratum": pick.stratum,
        "position": pick.position,
        "status": status.value,
    }
