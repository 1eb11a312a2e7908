"""The figures of an edition by network, institute, education, sector and basin: counts of groups, never a person.

Each figure is counted once, for every mix of these five that occurs, and then added up along each of them: the number
of statements depends neither on the participations nor on the groups.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, text

from actions.figures import fired_steps
from states.names import HandoffStatus, Kind, MessageStatus, State, StepAction

DIMENSIONS = ("network", "institute", "education", "sector", "basin")
"""Institute: of the latest round of the transfer. Sector: of the place, while somebody has one. "": none of them."""

_OF_PLACES = ("sector", "basin")  # companies offer places in one of these
_MIX = ", ".join(f"who.{each}" for each in DIMENSIONS)
_WHO = """
    WITH who AS (
        SELECT participation.id, participation.state, participation.half_days, participation.basin,
               coalesce(participation.network, '') AS network, coalesce(participation.education, '') AS education,
               coalesce(organisation.code, '') AS institute, coalesce(offer.sector, '') AS sector,
               placement.id AS placement_id
        FROM participation
        LEFT JOIN handoff ON handoff.participation_id = participation.id AND handoff.purpose = 'transfer'
            AND handoff.round = participation.handoff_round
        LEFT JOIN organisation ON organisation.id = handoff.receiver_id
        LEFT JOIN placement ON placement.participation_id = participation.id AND placement.status = 'confirmed'
        LEFT JOIN seat ON seat.id = placement.seat_id
        LEFT JOIN session ON session.id = seat.session_id
        LEFT JOIN offer ON offer.id = session.offer_id
        WHERE participation.edition_id = :edition
    )
"""
# Made of the constants above only.
_PEOPLE = text(f"""{_WHO}
    SELECT {_MIX}, who.state, count(*) AS n, coalesce(sum(who.half_days), 0) AS half_days,
           count(*) FILTER (WHERE who.placement_id IS NOT NULL AND who.state <> 'absent') AS filled
    FROM who GROUP BY {_MIX}, who.state
""")  # noqa: S608 - see above
_FIRED = text(f"""{_WHO}
    SELECT {_MIX}, deadline.revision_id, deadline.subject, deadline.state, deadline.rule, deadline.step, count(*) AS n
    FROM who JOIN deadline ON deadline.participation_id = who.id
    WHERE deadline.status = 'fired'
    GROUP BY {_MIX}, deadline.revision_id, deadline.subject, deadline.state, deadline.rule, deadline.step
""")  # noqa: S608 - see above
_LATE = text(f"""{_WHO}
    SELECT {_MIX}, deadline.rule, count(DISTINCT who.id) AS n
    FROM who JOIN deadline ON deadline.participation_id = who.id
    WHERE deadline.status IN ('fired', 'missed')
    GROUP BY {_MIX}, deadline.rule
""")  # noqa: S608 - see above
_SAID = text(f"""{_WHO}
    SELECT {_MIX}, notification.kind, coalesce(message.status, 'queued') AS status, count(*) AS n
    FROM who JOIN notification ON notification.participation_id = who.id
    LEFT JOIN message ON message.id = notification.message_id
    GROUP BY {_MIX}, notification.kind, coalesce(message.status, 'queued')
""")  # noqa: S608 - see above
_ROUNDS = text(f"""{_WHO}
    SELECT {_MIX}, handoff.purpose, handoff.status, count(*) AS n
    FROM who JOIN handoff ON handoff.participation_id = who.id
    GROUP BY {_MIX}, handoff.purpose, handoff.status
""")  # noqa: S608 - see above
_PLACES = text("""
    SELECT offer.sector, offer.basin, count(*) AS n
    FROM seat JOIN session ON session.id = seat.session_id JOIN offer ON offer.id = session.offer_id
    WHERE offer.edition_id = :edition
    GROUP BY offer.sector, offer.basin
""")
_FILLED = text("""
    SELECT offer.sector, offer.basin, count(*) AS n
    FROM placement
    JOIN participation ON participation.id = placement.participation_id
    JOIN seat ON seat.id = placement.seat_id
    JOIN session ON session.id = seat.session_id
    JOIN offer ON offer.id = session.offer_id
    WHERE participation.edition_id = :edition AND participation.state <> 'absent' AND placement.status = 'confirmed'
    GROUP BY offer.sector, offer.basin
""")

Group = dict[str, Any]
Groups = Mapping[str, list[Group]]


def breakdown(connection: Connection, edition_id: int) -> Groups:
    """Return, along each dimension, its groups in the order of their codes, each with its figures.

    `participations` by state; `half_days` attested; `places` offered and `fill_rate` (of sectors and basins of the
    companies; None elsewhere) with `places_filled`; `reminders` and `escalations` that fired; `late`: participations
    for which a step fired or was missed, by rule; `messages` by kind and status of their envelope; `handoffs` and
    `returns`: rounds by status.
    """
    counted = _Counted(connection, edition_id)
    return {dimension: list(_groups(dimension, counted)) for dimension in DIMENSIONS}


class _Counted:
    """What was counted, each once."""

    def __init__(self, connection: Connection, edition_id: int) -> None:
        def ask(query: Any) -> list[Row[Any]]:  # noqa: ANN401 - a text clause
            return list(connection.execute(query, {"edition": edition_id}))

        self.people, self.late, self.said, self.rounds = ask(_PEOPLE), ask(_LATE), ask(_SAID), ask(_ROUNDS)
        self.places, self.filled = ask(_PLACES), ask(_FILLED)
        self.fired = list(fired_steps(connection, edition_id, ask(_FIRED)))


def _groups(dimension: str, counted: _Counted) -> Iterator[Group]:
    people, offered = _by(dimension, counted.people), dimension in _OF_PLACES
    late, said, rounds = (_by(dimension, rows) for rows in (counted.late, counted.said, counted.rounds))
    places, filled = (_by(dimension, rows) if offered else {} for rows in (counted.places, counted.filled))
    fired: dict[tuple[str, StepAction], int] = defaultdict(int)
    for row, action in counted.fired:
        fired[getattr(row, dimension), action] += row.n
    for code in sorted({*people, *places}):
        yield {
            "code": code,
            "participations": _counts(State, ((row.state, row.n) for row in people.get(code, ()))),
            "half_days": sum(int(row.half_days) for row in people.get(code, ())),
            **_use(
                sum(row.n for row in places.get(code, ())) if offered else None,
                sum(row.n for row in filled.get(code, ())) if offered else sum(r.filled for r in people[code]),
            ),
            "reminders": fired[code, StepAction.REMIND],
            "escalations": fired[code, StepAction.ESCALATE],
            "late": _added(("", row.rule, row.n) for row in late.get(code, ())).get("", {}),
            "messages": _in_order(_added((row.kind, row.status, row.n) for row in said.get(code, ()))),
            "handoffs": _of_purpose("transfer", rounds.get(code, ())),
            "returns": _of_purpose("evaluation", rounds.get(code, ())),
        }


def _use(places: int | None, filled: int) -> Group:
    return {"places": places, "places_filled": filled, "fill_rate": round(filled / places, 4) if places else None}


def _by(dimension: str, rows: Iterable[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[getattr(row, dimension)].append(row)
    return found


def _added(rows: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for outer, inner, n in rows:
        found[outer][inner] += n
    return {outer: dict(sorted(counts.items())) for outer, counts in found.items()}


def _counts(codes: Iterable[str], rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    added = _added(("", code, n) for code, n in rows).get("", {})
    return {str(code): added[code] for code in codes if code in added}


def _in_order(said: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {str(kind): _counts(MessageStatus, said[kind].items()) for kind in Kind if kind in said}


def _of_purpose(purpose: str, rows: Iterable[Row[Any]]) -> dict[str, int]:
    return _counts(HandoffStatus, ((row.status, row.n) for row in rows if row.purpose == purpose))
