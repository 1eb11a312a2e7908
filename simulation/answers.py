"""What the scripted people answer to the questionnaire: content on the whole, never all alike."""

from collections.abc import Sequence
from random import Random

from states.names import QuestionKind
from states.questionnaire import Question

_MOODS = (0.35, 0.6, 0.75, 0.9, 1.0)  # where on a scale somebody finds most things
_SAYS_YES = 0.9
_WRITES = 0.4
_WORDS = (
    "Prévoir une demi-journée de plus avec les ouvriers : c'est là que j'ai le plus appris.",
    "Recevoir les dates plus tôt, pour m'arranger avec mes collègues.",
    "Très bel accueil. Un contact dans l'entreprise pour la suite serait utile.",
    "Une liste des machines vues, à garder pour préparer mes leçons.",
    "Le transfert gagnerait à réunir des professeurs du même secteur.",
)


def answers(questions: Sequence[Question], seed: str) -> dict[str, object]:
    """Return somebody's answers, by question; the same seed gives the same ones."""
    chance = Random(f"answers/{seed}")
    mood = chance.choice(_MOODS)
    given = {question.code: _answer(question, mood, chance) for question in questions}
    return {code: value for code, value in given.items() if value is not None}


def _answer(question: Question, mood: float, chance: Random) -> object:
    if question.kind is QuestionKind.SCALE:
        point = round(1 + mood * (question.most - 1) + chance.uniform(-0.8, 0.8))
        return min(max(point, 1), question.most)
    if question.kind is QuestionKind.YES_NO:
        return chance.random() < _SAYS_YES
    if question.kind is QuestionKind.CHOICE:
        weights = range(len(question.options), 0, -1)
        return chance.choices([option.code for option in question.options], weights)[0]
    return chance.choice(_WORDS) if question.required or chance.random() < _WRITES else None
