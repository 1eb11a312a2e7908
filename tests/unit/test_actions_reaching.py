"""Which contact a message reaches: each level, with people and mailboxes that can be reached or not."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from actions.reaching import reach
from states.names import Level, StandIn

TODAY = date(2018, 10, 1)
FIRST, STAND_IN, RESPONSIBLE = Level
DEPUTY, MAILBOX, DESK = StandIn


@dataclass(frozen=True)
class Contact:
    id: int
    rank: int
    party_id: int | None
    status: str = "ok"
    valid_from: date | None = None
    valid_to: date | None = None


def listed(*marks: str) -> list[Any]:
    """People and mailboxes (`@`) in their order; `-` gone, `?` on hold, `>` still to come, `<` no longer."""
    return [
        Contact(
            number,
            number,
            None if "@" in mark else number,
            {"-": "gone", "?": "on_hold"}.get(mark[-1], "ok"),
            date(2018, 10, 2) if mark.endswith(">") else None,
            date(2018, 9, 30) if mark.endswith("<") else None,
        )
        for number, mark in enumerate(marks, start=1)
    ]


CASES: list[tuple[tuple[str, ...], Level, int | None, StandIn | None]] = [
    (("p", "p"), FIRST, 1, None),
    (("p-", "p"), FIRST, 2, DEPUTY),
    (("p?", "p"), FIRST, 2, DEPUTY),
    (("p>", "p"), FIRST, 2, DEPUTY),
    (("p<", "p"), FIRST, 2, DEPUTY),
    (("p-", "@"), FIRST, 2, MAILBOX),
    (("@?", "p"), FIRST, 2, DEPUTY),
    (("p", "p-"), FIRST, 1, None),
    (("p-", "@?"), FIRST, None, DESK),
    ((), FIRST, None, DESK),
    (("p", "p", "p"), STAND_IN, 2, None),
    (("p-", "p", "p"), STAND_IN, 3, None),  # the next after the one that is written to first
    (("p", "p-", "p"), STAND_IN, 3, None),
    (("p", "@"), STAND_IN, 2, None),
    (("p",), STAND_IN, None, DESK),
    (("p-",), STAND_IN, None, DESK),
    (("p", "p", "p"), RESPONSIBLE, 3, None),
    (("p", "p", "@"), RESPONSIBLE, 2, None),
    (("p", "@", "p-"), RESPONSIBLE, 2, None),
    (("p", "@"), RESPONSIBLE, 2, None),
    (("@", "p"), RESPONSIBLE, 2, None),
    (("p",), RESPONSIBLE, None, DESK),
    (("@",), RESPONSIBLE, None, DESK),
    (("p?", "p"), RESPONSIBLE, None, DESK),  # who stands in for the first is not asked twice
]


@pytest.mark.parametrize(("marks", "level", "reached", "stands_in"), CASES)
def test_contact_that_a_level_reaches(
    marks: tuple[str, ...], level: Level, reached: int | None, stands_in: StandIn | None
) -> None:
    found = reach(listed(*marks), level, TODAY)

    assert (found.contact and found.contact.id, found.stands_in) == (reached, stands_in)


def test_successor_of_the_same_rank_stands_in_for_nobody() -> None:
    contacts: list[Any] = [Contact(1, 1, 1, "gone"), Contact(2, 1, 2)]

    found = reach(contacts, FIRST, TODAY)

    assert (found.contact, found.stands_in, found.instead_of) == (contacts[1], None, ())


def test_stand_in_says_for_whom() -> None:
    contacts = listed("p-", "@?", "p", "p-")

    assert reach(contacts, FIRST, TODAY).instead_of == tuple(contacts[:2])


def test_last_day_is_included_and_so_is_the_first() -> None:
    day: Any = Contact(1, 1, 1, valid_from=TODAY, valid_to=TODAY)

    assert reach([day], FIRST, TODAY).contact == day
