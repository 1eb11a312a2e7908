"""The evaluation: what a teacher answers, and what company and institute have to say.

Answers are a fact, recorded with an entry of their own; the act of evaluating follows in the same transaction, unless
somebody drawn into the sample has yet to be seen in person: then it follows the interview (`actions.sample`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from actions.change import Change
from actions.occasion import Actor, Occasion
from actions.reading import Seen, in_its_time, read
from actions.writing import write
from core.errors import InvalidAnswers, Refused
from models import Answer as AnswerRow
from models import table_of
from states.decide import Pulled, decide
from states.names import Anchor, FactKind, Guard, Kind, Role, State, Subject, Trigger
from states.questionnaire import Answer, Question, is_writable, read_answers
from states.snapshot import Command, Refusal

ANSWER = table_of(AnswerRow)
LONGEST_COMMENT = 2000
_ANSWERING = (Role.TEACHER, Role.COORDINATOR)  # IFC types in what came on paper
_COMMENTING = (Role.COMPANY, Role.INSTITUTE)


@dataclass(frozen=True, slots=True)
class Answered:
    """What answering did; `repeated` when the same was known already. Not evaluated: the interview is still due."""

    reference: str
    answers: int
    before: str
    after: str
    repeated: bool = False

    @property
    def waits_for_interview(self) -> bool:
        """Tell whether the evaluation only waits until somebody drawn was seen in person."""
        return self.after == State.TRANSFERRED


def answer(
    connection: Connection, reference: str, answers: Mapping[str, object], actor: Actor, occasion: Occasion
) -> Answered:
    """Keep somebody's answers, by question, and evaluate; IFC may type in what came on paper.

    The same answers again give the first result. Until the edition closes, other answers replace the first ones, all
    of them, and the journal says so. Raises NotFound, Refused (why the table forbids it; `no_questions`,
    `questionnaire_closed`), InvalidAnswers (every fault, by question), LostRace.
    """
    stands = read(connection, reference, actor)
    _may_answer(stands, actor, occasion)
    given, faults = read_answers(stands.rules.questions, answers)
    if faults:
        raise InvalidAnswers(reference, faults)
    known = answers_of(connection, stands.row.id)
    state = stands.row.state
    change = _answered(stands, given, known, actor, occasion)
    if _same(known, given) and FactKind.ANSWERS in stands.snapshot.facts and change.after.state == state:
        return Answered(reference, len(given), state, state, repeated=True)
    in_its_time(stands, occasion)
    write(connection, [change])
    connection.execute(delete(ANSWER).where(ANSWER.c.participation_id == stands.row.id))
    if given:
        connection.execute(insert(ANSWER), [_row(stands, each) for each in given])
    return Answered(reference, len(given), state, change.after.state)


def _may_answer(stands: Seen, actor: Actor, occasion: Occasion) -> None:
    """Refuse who may not answer, and when nobody may: before the transfer, or once the edition is closed."""
    state, role = stands.row.state, actor.role
    if role not in _ANSWERING and role in stands.snapshot.relations:
        raise Refused("wrong_role", state=state, role=role, roles=_ANSWERING, trigger=Trigger.EVALUATE)
    if role not in stands.snapshot.relations or state not in {State.TRANSFERRED, State.EVALUATED}:
        command = Command(Trigger.EVALUATE, role, occasion.at)
        refusal = decide(stands.process, stands.process, stands.rules, stands.snapshot, command)
        if isinstance(refusal, Refusal):
            raise _refused(refusal)
        raise Refused("wrong_role", state=state, role=role, roles=_ANSWERING, trigger=Trigger.EVALUATE)
    if not stands.rules.questions:
        raise Refused("no_questions", state=state)
    if stands.rules.calendar.local_day(occasion.at) > stands.rules.anchors[Anchor.CLOSING]:
        raise Refused("questionnaire_closed", state=state, closes=stands.rules.anchors[Anchor.CLOSING])


def _answered(
    stands: Seen, given: Sequence[Answer], known: Mapping[str, Answer], actor: Actor, occasion: Occasion
) -> Change:
    day = stands.snapshot.facts.get(FactKind.ANSWERS, stands.rules.calendar.local_day(occasion.at))
    after = replace(stands.snapshot, facts={**stands.snapshot.facts, FactKind.ANSWERS: day})
    data: dict[str, object] = {"fact": FactKind.ANSWERS.value, "answers": len(given)}
    if FactKind.ANSWERS in stands.snapshot.facts:
        data["changed"] = _changed(known, given)
    entry = unmoved(stands, Trigger.RECORD_FACT)
    change, refusal = then_evaluated(Change(stands, after, actor, occasion, (entry,), data=data))
    if refusal is not None and refusal.code != Guard.SEEN_IN_PERSON:
        raise _refused(refusal)
    return change


def then_evaluated(change: Change) -> tuple[Change, Refusal | None]:
    """Return the change with the act of evaluating after its own entry, where the answers are in; else why not."""
    after = change.after
    if after.state != State.TRANSFERRED or FactKind.ANSWERS not in after.facts:
        return change, None
    process, command = change.seen.process, Command(Trigger.EVALUATE, change.actor.role, change.occasion.at)
    decision = decide(process, process, change.seen.rules, after, command)
    if isinstance(decision, Refusal):
        return change, decision
    followed = replace(
        change,
        after=decision.after,
        pulled=(*change.pulled, *decision.pulled),
        effects=(*change.effects, *decision.effects),
        ended=decision.ended,
        opened=decision.opened,
    )
    return followed, None


def _refused(refusal: Refusal) -> Refused:
    params = {name: value for name, value in refusal.params.items() if name not in {"state", "allowed"}}
    return Refused(refusal.code, state=refusal.state, allowed=refusal.allowed, **params)


def unmoved(stands: Seen, trigger: Trigger, tells: tuple[Kind, ...] = ()) -> Pulled:
    """Return an entry that leaves the participation in its state."""
    return Pulled(Subject.PARTICIPATION, trigger, stands.row.state, stands.row.state, tells)


# ------------------------------------------------------------------------------------------------------------- answers
def answers_of(connection: Connection, participation_id: int) -> dict[str, Answer]:
    """Return what was answered, by question."""
    query = select(ANSWER).where(ANSWER.c.participation_id == participation_id).order_by(ANSWER.c.id)
    return {row.question: Answer(row.question, row.number, row.option, row.text) for row in connection.execute(query)}


def told(connection: Connection, row: Row[Any], questions: Sequence[Question]) -> dict[str, Any]:
    """Return what is known of one participation's evaluation; for IFC, since it holds the answers."""
    given = answers_of(connection, row.id)
    days = {name: getattr(row, name) for name in ("answers_on", "drawn_on", "interview_on")}
    return {
        **{name: day and day.isoformat() for name, day in days.items()},
        "answers": [_told(each, given[each.code]) for each in questions if each.code in given],
    }


def _told(question: Question, given: Answer) -> dict[str, Any]:
    values = (value for value in (given.number, given.option, given.text) if value is not None)
    return {
        "question": question.code,
        "text": question.text,
        "kind": question.kind.value,
        "answer": next(values, None),
        "label": next((option.text for option in question.options if option.code == given.option), None),
    }


def _same(known: Mapping[str, Answer], given: Sequence[Answer]) -> bool:
    return dict(known) == {each.question: each for each in given}


def _changed(known: Mapping[str, Answer], given: Sequence[Answer]) -> list[str]:
    """Return the questions whose answers changed: the journal holds no answer itself."""
    now = {each.question: each for each in given}
    return sorted(code for code in {*known, *now} if known.get(code) != now.get(code))


def _row(stands: Seen, given: Answer) -> dict[str, Any]:
    return {
        "participation_id": stands.row.id,
        "question": given.question,
        "number": given.number,
        "option": given.option,
        "text": given.text,
    }


# ------------------------------------------------------------------------------------------------------------ comments
def comment(connection: Connection, reference: str, text: str, actor: Actor, occasion: Occasion) -> int:
    """Keep what the company, or the institute, has to say of a participation; return its entry's number.

    Raises NotFound, Refused (`not_yours`, `wrong_role`, `bad_comment`, `before_last_entry`), LostRace.
    """
    stands = read(connection, reference, actor)
    state = stands.row.state
    if actor.role not in stands.snapshot.relations:
        raise Refused("not_yours", state=state, role=actor.role)
    if actor.role not in _COMMENTING:
        raise Refused("wrong_role", state=state, role=actor.role, roles=_COMMENTING, trigger=Trigger.RECORD_COMMENT)
    said = text.strip()
    if not said or len(said) > LONGEST_COMMENT or not is_writable(said):
        raise Refused("bad_comment", state=state, limit=LONGEST_COMMENT)
    in_its_time(stands, occasion)
    entry = unmoved(stands, Trigger.RECORD_COMMENT)
    change = Change(stands, stands.snapshot, actor, occasion, (entry,), reason=said)
    write(connection, [change])
    return change.seq
