"""What the evaluation says, question by question: counts, never names; and how far the sample has come.

A count of fewer than `FEWEST` people is hidden, and so is what it could be worked out from: of a scale every count
(the mean stays), of a choice enough others that at least `FEWEST` people are hidden together. Words are only counted.
Written as SQL, without the models, as all of `status` is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, text

from states.guards import ON_THE_PATH
from states.names import QuestionKind
from states.questionnaire import DEFAULT_POINTS, NO, YES

FEWEST = 5

Document = dict[str, Any]
Counts = dict[str, int | None]


def evaluation(connection: Connection, edition_id: int, questions: Sequence[Mapping[str, Any]]) -> Document:
    """Return the results of an edition; `questions` are those of its latest revision, as the file has them."""
    who = connection.execute(_WHO, {"edition": edition_id}).one()
    counts = connection.execute(_COUNTS, {"edition": edition_id}).all()
    return {
        "expected": who.expected,
        "answered": who.answered,
        "missing": who.missing,
        "hidden_below": FEWEST,
        "questions": [_result(each, [row for row in counts if row.question == each["code"]]) for each in questions],
        "sample": _sample(connection, edition_id),
    }


_WHO = text("""
    SELECT count(*) AS expected, count(answers_on) AS answered,
           count(*) FILTER (WHERE state = 'transferred' AND answers_on IS NULL) AS missing
    FROM participation
    WHERE edition_id = :edition AND (state IN ('transferred', 'evaluated') OR answers_on IS NOT NULL)
""")
_COUNTS = text("""
    SELECT answer.question, answer.number, answer.option, count(*) AS n
    FROM answer JOIN participation ON participation.id = answer.participation_id
    WHERE participation.edition_id = :edition
    GROUP BY answer.question, answer.number, answer.option
""")


def _result(question: Mapping[str, Any], rows: Sequence[Row[Any]]) -> Document:
    kind = QuestionKind(question["kind"])
    answered = sum(row.n for row in rows)
    told: Document = {"code": question["code"], "text": question["text"], "kind": kind.value, "answered": answered}
    if kind is QuestionKind.TEXT:
        return told
    counts = {str(row.option if row.number is None else row.number): int(row.n) for row in rows}
    if kind is QuestionKind.SCALE:
        told["mean"] = _mean(counts, answered)
    if kind is QuestionKind.CHOICE:
        told["options"] = {option["code"]: option["text"] for option in question["options"]}
    return told | {"counts": hidden(kind, {cell: counts.get(cell, 0) for cell in _cells(kind, question, counts)})}


def _cells(kind: QuestionKind, question: Mapping[str, Any], counts: Mapping[str, int]) -> Sequence[str]:
    """Return what is counted, in order; also what an earlier revision of the question let people answer."""
    if kind is QuestionKind.SCALE:
        asked = [str(point) for point in range(1, (question["max"] or DEFAULT_POINTS) + 1)]
    elif kind is QuestionKind.YES_NO:
        asked = [YES, NO]
    else:
        asked = [option["code"] for option in question["options"]]
    return [*asked, *sorted(counts.keys() - set(asked))]


def _mean(counts: Mapping[str, int], answered: int) -> float | None:
    if answered < FEWEST:
        return None
    return round(sum(int(point) * n for point, n in counts.items()) / answered, 2)


def hidden(kind: QuestionKind, counts: Mapping[str, int]) -> Counts:
    """Return the counts that may be shown, None for those that may not."""
    few = {cell for cell, n in counts.items() if 0 < n < FEWEST}
    if few and kind is QuestionKind.SCALE:
        few = set(counts)
    while few and (len(few) < 2 or sum(counts[cell] for cell in few) < FEWEST):  # noqa: PLR2004 - one is total less rest
        others = [(n, cell) for cell, n in counts.items() if n and cell not in few]
        if not others:
            few = set(counts)
            break
        few.add(min(others)[1])
    return {cell: None if cell in few else n for cell, n in counts.items()}


_DRAW = text("SELECT id, number, people FROM sample_draw WHERE edition_id = :edition AND void_at IS NULL")
_DRAWN = text("""
    SELECT count(*) FILTER (WHERE drawn.status <> 'replaced') AS drawn,
           count(*) FILTER (WHERE drawn.status = 'interviewed') AS interviewed,
           count(*) FILTER (WHERE drawn.status = 'replaced') AS replaced,
           count(*) FILTER (WHERE drawn.status = 'drawn' AND participation.state NOT IN :path) AS to_replace
    FROM drawn JOIN participation ON participation.id = drawn.participation_id
    WHERE drawn.draw_id = :draw
""").bindparams(bindparam("path", expanding=True))


def _sample(connection: Connection, edition_id: int) -> Document | None:
    """Return how far the sample has come; None while nobody is drawn."""
    draw = connection.execute(_DRAW, {"edition": edition_id}).first()
    if draw is None:
        return None
    row = connection.execute(_DRAWN, {"draw": draw.id, "path": [str(state) for state in ON_THE_PATH]}).one()
    return {
        "draw": draw.number,
        "people": draw.people,
        "drawn": row.drawn,
        "interviewed": row.interviewed,
        "replaced": row.replaced,
        "to_replace": row.to_replace,
    }
