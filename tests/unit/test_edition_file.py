"""The edition file: both shipped ones are valid; every fault is refused with its key, its value and what is allowed."""

import json
import re
import tomllib
from dataclasses import replace
from datetime import date, time
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidFile, Problem
from states.edition import EditionFile, content_hash, differences, read_edition, rules_of
from states.names import Anchor, Audience, Education, Kind, Network, StepAction, Subject
from states.rules import Route, RuleKey, Step
from states.tables import HANDOFF, PROCESS_2014, PROCESS_2018

SHIPPED = sorted((Path(__file__).parents[2] / "editions").glob("*.toml"))

# a whole edition on one page; each test changes one thing in it
PAGE = """
code = "2030-2031"
title = "Entr'apprendre 2030-2031"
process = "2018"
opens = 2030-09-02
closes = 2031-06-27
[immersion]
half_days = 4
min_half_days = 3
[preparation]
url = "https://apprendre.ifc.example/module"
[cutoffs]
allocation = 2030-11-04
placement = 2031-04-04
[calendar]
hour = "08:00"
school_holidays = [{ name = "Toussaint", first = 2030-10-28, last = 2030-11-01 }]
[[basins]]
code = "namur"
name = "Namur"
collective_days = [2031-02-13, 2031-02-14]
[ifc]
code = "IFC"
name = "IFC"
contacts = [{ first_name = "A", last_name = "B", email = "a.b@ifc.example", role = "coordinator" }]
[committee]
code = "COMITE"
name = "Comité"
contacts = [{ first_name = "C", last_name = "D", email = "c.d@comite.example", role = "committee" }]
[[institutes]]
code = "CECAFOC"
name = "Cecafoc"
contacts = [{ first_name = "E", last_name = "F", email = "e.f@cecafoc.example", role = "institute", phone = "+32 2" }]
[[institutes]]
code = "FCC"
name = "FCC"
contacts = [{ first_name = "G", last_name = "H", email = "g.h@fcc.example", role = "institute" }]
[[routes]]
network = "SeGEC"
education = ["ordinaire"]
institute = "CECAFOC"
status = "confirmed"
[[routes]]
network = "WBE"
education = ["ordinaire", "specialise"]
institute = "FCC"
status = "to_confirm"
[deadlines.participation.registered]
approval.steps = [
  { offset = 5, unit = "working_days", do = "remind", audience = "director", message = "approval_reminder" },
  { offset = 40, unit = "days", do = "lapse" },
]
closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]
[deadlines.participation.director_approved]
preparation.steps = [
  { offset = -7, unit = "working_days", do = "remind", audience = "teacher", message = "preparation_reminder" },
]
place.steps = [{ offset = 0, unit = "days", do = "cancel" }]
closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]
[deadlines.participation.prepared]
presence.steps = [
  { offset = 2, unit = "working_days", do = "remind", audience = "company", message = "presence_reminder" },
]
place.steps = [{ offset = 0, unit = "days", do = "cancel" }]
closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]
[deadlines.participation.immersed]
closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]
[deadlines.participation.transferred]
closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]
[deadlines.handoff]
to_route.routing.steps = [
  { offset = 3, unit = "working_days", do = "remind", audience = "coordinator", message = "handoff_to_route" },
]
held.completion.steps = [
  { offset = 5, unit = "working_days", do = "escalate", audience = "coordinator", message = "handoff_overdue" },
]
offered.acceptance.steps = [
  { offset = 5, unit = "working_days", do = "remind", audience = "institute", message = "handoff_reminder" },
]
accepted.transfer.steps = [
  { offset = 20, unit = "working_days", do = "remind", audience = "institute", message = "transfer_reminder" },
]
[deadlines.return]
offered.acceptance.steps = [
  { offset = 3, unit = "working_days", do = "escalate", audience = "coordinator", message = "return_overdue" },
]
held.acceptance.steps = [
  { offset = 10, unit = "working_days", do = "escalate", audience = "coordinator", message = "return_overdue" },
]
to_route.completion.steps = [
  { offset = 6, unit = "working_days", do = "remind", audience = "institute", message = "return_reminder" },
]
accepted.evaluation.steps = [
  { offset = 7, unit = "working_days", do = "remind", audience = "teacher", message = "evaluation_reminder" },
]
"""


def changed(old: str, new: str) -> str:
    """The page with one thing changed (the first, where it stands more than once)."""
    assert old in PAGE, f"not on the page: {old}"
    return PAGE.replace(old, new, 1)


def read(text: str) -> EditionFile:
    return read_edition(text.encode(), "edition.toml")


def problems(text: str | bytes) -> tuple[Problem, ...]:
    with pytest.raises(InvalidFile) as caught:
        read_edition(text if isinstance(text, bytes) else text.encode(), "edition.toml")
    assert caught.value.name == "edition.toml"
    return caught.value.problems


def faults(text: str) -> list[tuple[str, str, str]]:
    return [(problem.code, problem.column, problem.value) for problem in problems(text)]


# ---------------------------------------------------------------------------------------------------------------- valid
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_edition_is_valid(path: Path) -> None:
    edition = read_edition(path.read_bytes(), path.name)

    assert edition.code == path.stem


def test_editions_shipped_are_one_of_each_process() -> None:
    assert {path.stem: tomllib.loads(path.read_text(encoding="utf-8"))["process"] for path in SHIPPED} == {
        "2015-2016": "2014",
        "2018-2019": "2018",
    }


def test_page_is_valid() -> None:
    assert read(PAGE).code == "2030-2031"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('hour = "08:00"\n', ""),  # eight o'clock unless said
        ('school_holidays = [{ name = "Toussaint", first = 2030-10-28, last = 2030-11-01 }]', ""),
        ('[[basins]]\ncode = "namur"\nname = "Namur"\ncollective_days = [2031-02-13, 2031-02-14]\n', ""),
        (', phone = "+32 2"', ""),
        ("first = 2030-10-28, last = 2030-11-01", "first = 2030-10-28, last = 2030-10-28"),  # one day
        ("min_half_days = 3", "min_half_days = 4"),  # all of it
        ("allocation = 2030-11-04", "allocation = 2030-09-02"),  # the day it opens
        ("placement = 2031-04-04", "placement = 2031-06-27"),  # the day it closes
        ("offset = 40", "offset = 400"),
        ("offset = -7", "offset = -400"),
        ("title =", "# a comment\ntitle ="),
        ('network = "WBE"\neducation = ["ordinaire", "specialise"]', 'network = "SeGEC"\neducation = ["specialise"]'),
    ],
)
def test_what_may_be_left_out_or_stand_at_its_limit_is_allowed(old: str, new: str) -> None:
    assert read(changed(old, new)).code == "2030-2031"


# -------------------------------------------------------------------------------------------------------- one bad thing
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        # keys nobody knows
        ("title =", "colour = 1\ntitle =", ("edition_unknown_key", "colour", "")),
        ("[immersion]", "[immersion]\nhours = 8", ("edition_unknown_key", "immersion.hours", "")),
        ("[calendar]", "[calendar]\nzone = 1", ("edition_unknown_key", "calendar.zone", "")),
        (
            ', role = "institute" }',
            ', role = "institute", fax = "1" }',
            ("edition_unknown_key", "institutes[1].contacts[0].fax", ""),
        ),
        (
            "{ offset = 5,",
            "{ offset = 5, colour = 1,",
            ("edition_unknown_key", "deadlines.participation.registered.approval.steps[0].colour", ""),
        ),
        (
            "closing.steps = [",
            'closing.note = "x"\nclosing.steps = [',
            ("edition_unknown_key", "deadlines.participation.registered.closing.note", ""),
        ),
        # keys left out
        ("opens = 2030-09-02\n", "", ("edition_missing_key", "opens", "")),
        ("half_days = 4\n", "", ("edition_missing_key", "immersion.half_days", "")),
        ('status = "confirmed"\n', "", ("edition_missing_key", "routes[0].status", "")),
        (
            ', message = "approval_reminder"',
            "",
            ("edition_missing_key", "deadlines.participation.registered.approval.steps[0].message", ""),
        ),
        (
            ', audience = "director"',
            "",
            ("edition_missing_key", "deadlines.participation.registered.approval.steps[0].audience", ""),
        ),
        # wrong types and values
        ("opens = 2030-09-02", 'opens = "demain"', ("edition_bad_value", "opens", "demain")),
        ("opens = 2030-09-02", "opens = 2030-09-02T08:00:00", ("edition_bad_value", "opens", "2030-09-02 08:00:00")),
        ("opens = 2030-09-02", "opens = 0", ("edition_bad_value", "opens", "0")),  # not the first of January 1970
        ('title = "Entr\'apprendre 2030-2031"', "title = 7", ("edition_bad_value", "title", "7")),
        ('title = "Entr\'apprendre 2030-2031"', 'title = ""', ("edition_bad_value", "title", "")),
        ('code = "2030-2031"', 'code = "2030 2031"', ("edition_bad_value", "code", "2030 2031")),
        ('process = "2018"', 'process = "2021"', ("edition_bad_value", "process", "2021")),
        ('process = "2018"', "process = 2018", ("edition_bad_value", "process", "2018")),
        ("half_days = 4", "half_days = 4.0", ("edition_bad_value", "immersion.half_days", "4.0")),
        ("half_days = 4", 'half_days = "4"', ("edition_bad_value", "immersion.half_days", "4")),
        ("half_days = 4", "half_days = true", ("edition_bad_value", "immersion.half_days", "True")),
        ("half_days = 4", "half_days = 0", ("edition_bad_value", "immersion.half_days", "0")),
        (
            '"https://apprendre.ifc.example/module"',
            '"http://apprendre.ifc.example"',
            ("edition_bad_value", "preparation.url", "http://apprendre.ifc.example"),
        ),
        ('hour = "08:00"', 'hour = "8h"', ("edition_bad_value", "calendar.hour", "8h")),
        ('hour = "08:00"', 'hour = "24:00"', ("edition_bad_value", "calendar.hour", "24:00")),
        (
            '"a.b@ifc.example"',
            '"a.b at ifc.example"',
            ("edition_bad_value", "ifc.contacts[0].email", "a.b at ifc.example"),
        ),
        (
            'contacts = [{ first_name = "A", last_name = "B", email = "a.b@ifc.example", role = "coordinator" }]',
            "contacts = []",
            ("edition_bad_value", "ifc.contacts", "[]"),
        ),
        (
            "offset = 5,",
            "offset = 1.5,",
            ("edition_bad_value", "deadlines.participation.registered.approval.steps[0].offset", "1.5"),
        ),
        (
            "offset = 5,",
            "offset = 401,",
            ("edition_bad_value", "deadlines.participation.registered.approval.steps[0].offset", "401"),
        ),
        (
            'unit = "working_days"',
            'unit = "weeks"',
            ("edition_bad_value", "deadlines.participation.registered.approval.steps[0].unit", "weeks"),
        ),
        (
            'do = "remind"',
            'do = "shout"',
            ("edition_bad_value", "deadlines.participation.registered.approval.steps[0].do", "shout"),
        ),
        (
            'audience = "director"',
            'audience = "parents"',
            ("edition_unknown_audience", "deadlines.participation.registered.approval.steps[0].audience", "parents"),
        ),
        (
            'message = "approval_reminder"',
            'message = "hello"',
            ("edition_unknown_message", "deadlines.participation.registered.approval.steps[0].message", "hello"),
        ),
        ('network = "SeGEC"', 'network = "SEGEC"', ("edition_bad_value", "routes[0].network", "SEGEC")),
        (
            'education = ["ordinaire"]',
            'education = ["primaire"]',
            ("edition_bad_value", "routes[0].education[0]", "primaire"),
        ),
        ('education = ["ordinaire"]', "education = []", ("edition_bad_value", "routes[0].education", "[]")),
        ("[immersion]", "[colour]\nx = 1\n[immersion]", ("edition_unknown_key", "colour", "")),
        # names that do not exist
        (
            'institute = "CECAFOC"',
            'institute = "CECAFOX"',
            ("edition_unknown_institute", "routes[0].institute", "CECAFOX"),
        ),
        (
            "[deadlines.participation.immersed]",
            (
                "[deadlines.participation.waiting]\nclosing.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\n"
                "[deadlines.participation.immersed]"
            ),
            ("edition_unknown_state", "deadlines.participation.waiting", "waiting"),
        ),
        (
            "[deadlines.participation.immersed]",
            (
                "[deadlines.participation.evaluated]\nclosing.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\n"
                "[deadlines.participation.immersed]"
            ),
            ("edition_unknown_state", "deadlines.participation.evaluated", "evaluated"),  # final: nothing is due
        ),
        (
            "[deadlines.participation.immersed]",
            (
                "[deadlines.participation.observed]\nclosing.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\n"
                "[deadlines.participation.immersed]"
            ),
            ("edition_unknown_state", "deadlines.participation.observed", "observed"),  # of the other process
        ),
        (
            "presence.steps = [",
            "absence.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\npresence.steps = [",
            ("edition_unknown_rule", "deadlines.participation.prepared.absence", "absence"),
        ),
        (
            'closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]\n[deadlines.participation.director',
            "[deadlines.participation.director",
            ("edition_missing_deadline", "deadlines.participation.registered.closing", ""),
        ),
        (
            'unit = "days", do = "lapse" }',
            'unit = "days", do = "lapse", audience = "teacher" }',
            ("edition_unknown_key", "deadlines.participation.registered.approval.steps[1].audience", ""),
        ),
        (
            (
                '{ offset = 5, unit = "working_days", do = "escalate", audience = "coordinator",'
                ' message = "handoff_overdue" }'
            ),
            '{ offset = 5, unit = "working_days", do = "lapse" }',
            ("edition_bad_value", "deadlines.handoff.held.completion.steps[0].do", "lapse"),
        ),
        # routes that overlap
        (
            'network = "WBE"',
            'network = "SeGEC"',
            ("edition_route_overlap", "routes[1]", "SeGEC / ordinaire"),
        ),
        # dates and numbers out of order
        ("opens = 2030-09-02", "opens = 2030-11-05", ("edition_order", "cutoffs.allocation", "2030-11-04")),
        ("placement = 2031-04-04", "placement = 2030-11-01", ("edition_order", "cutoffs.placement", "2030-11-01")),
        ("closes = 2031-06-27", "closes = 2031-04-03", ("edition_order", "closes", "2031-04-03")),
        (
            "last = 2030-11-01",
            "last = 2030-10-27",
            ("edition_order", "calendar.school_holidays[0].last", "2030-10-27"),
        ),
        ("min_half_days = 3", "min_half_days = 5", ("edition_order", "immersion.min_half_days", "5")),
    ],
)
def test_fault_is_refused_with_its_key_and_value(old: str, new: str, fault: tuple[str, str, str]) -> None:
    assert faults(changed(old, new)) == [fault]


@pytest.mark.parametrize(
    "value", ["3", '"x"', "[]", "[1]", "{ a = 1 }", "{ a = { b = 2 } }", "{ a = { b = { c = 1 } } }"]
)
def test_deadlines_of_another_shape_are_refused_by_their_key(value: str) -> None:
    text = PAGE[: PAGE.index("[deadlines.")]

    found = problems(f"deadlines = {value}\n{text}")

    assert {problem.column.split(".")[0] for problem in found} == {"deadlines"}


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        (
            'code = "2030-2031"',
            'colour = 1\ncode = "2030-2031"',
            (
                *("code", "title", "process", "opens", "closes", "immersion", "preparation", "cutoffs", "calendar"),
                *("basins", "ifc", "committee", "institutes", "routes", "deadlines", "evaluation"),
            ),
        ),
        ("[immersion]", "[immersion]\nhours = 8", ("half_days", "min_half_days")),
        ("[cutoffs]", "[cutoffs]\nhours = 8", ("allocation", "placement")),
        ('name = "Toussaint",', 'name = "Toussaint", days = 5,', ("name", "first", "last")),
        ("[[basins]]", "[[basins]]\nzone = 1", ("code", "name", "collective_days", "school_holidays")),
        ("[ifc]", "[ifc]\nzone = 1", ("code", "name", "contacts")),
        (
            '{ first_name = "G",',
            '{ fax = 1, first_name = "G",',
            ("first_name", "last_name", "email", "role", "phone", "language"),
        ),
        (
            "[[routes]]",
            "[[routes]]\nzone = 1",
            ("network", "education", "institute", "status", "kinds", "first", "last"),
        ),
        (
            "{ offset = 5,",
            "{ zone = 1, offset = 5,",
            ("offset", "unit", "do", "audience", "message", "anchor", "digest"),
        ),
        ("closing.steps = [", "closing.zone = 1\nclosing.steps = [", ("steps",)),
        ('process = "2018"', 'process = "2021"', ("2018", "2014")),
        ('institute = "CECAFOC"', 'institute = "CECAFOX"', ("CECAFOC", "FCC")),
        ('network = "SeGEC"', 'network = "X"', tuple(Network)),
        ('education = ["ordinaire"]', 'education = ["X"]', tuple(Education)),
        ('do = "remind"', 'do = "X"', tuple(StepAction)),
        ('message = "approval_reminder"', 'message = "X"', tuple(Kind)),
        (
            "[deadlines.participation.immersed]",
            (
                "[deadlines.participation.evaluated]\nclosing.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\n"
                "[deadlines.participation.immersed]"
            ),
            PROCESS_2018.open_states,
        ),
        (
            "to_route.routing",
            "offer.routing.steps = [{ offset = 0, unit = 'days', do = 'escalate' }]\nto_route.routing",
            HANDOFF.open_states,
        ),
        (
            "presence.steps = [",
            "absence.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\npresence.steps = [",
            ("presence", "place", "closing"),
        ),
        (
            "[deadlines.handoff]",
            (
                "[deadlines.placement.offered]\nx.steps = [{ offset = 0, unit = 'days', do = 'lapse' }]\n"
                "[deadlines.handoff]"
            ),
            (Subject.PARTICIPATION, Subject.HANDOFF, Subject.RETURN),
        ),
    ],
)
def test_fault_says_what_is_allowed_there(old: str, new: str, allowed: tuple[str, ...]) -> None:
    problem = problems(changed(old, new))[0]

    assert problem.params["allowed"] == allowed


FIRST_STEP = "deadlines.participation.registered.approval.steps[0]"


def test_audience_that_nobody_writes_to_is_refused() -> None:
    """The system reads no mail."""
    found = faults(changed('audience = "director"', 'audience = "system"'))

    assert found == [("edition_unknown_audience", f"{FIRST_STEP}.audience", "system")]


def test_committee_reads_figures_and_nobody_else_does() -> None:
    named = faults(changed('audience = "director"', 'audience = "committee"'))
    in_figures = faults(changed('message = "approval_reminder"', 'message = "committee_delays"'))
    told = 'audience = "committee", message = "committee_delays"'
    one_by_one = faults(changed('audience = "director", message = "approval_reminder"', f"{told}, digest = false"))

    assert named == [("edition_figures", f"{FIRST_STEP}.message", "approval_reminder")]
    assert in_figures == [("edition_figures", f"{FIRST_STEP}.audience", "director")]
    assert one_by_one == [("edition_bad_value", f"{FIRST_STEP}.digest", "false")]
    assert read(changed('audience = "director", message = "approval_reminder"', told)).code == "2030-2031"


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("{A}, {A}", [("edition_step_twice", "steps[1]", "")]),
        ("{C}, {R}", [("edition_ladder_cycle", "steps[1].audience", "responsible")]),
        ("{R}, {S}", [("edition_ladder_cycle", "steps[1].audience", "stand_in")]),
        ("{A}, {S}, {R}, {C}, {M}", []),
        ("{C}, {L}", []),
        ('{ offset = -1, unit = "days", do = "lapse" }', [("edition_before_state", "steps[0].offset", "-1")]),
        ('{ offset = -1, unit = "days", do = "lapse", anchor = "allocation" }', []),
        ('{ offset = 1, unit = "days", do = "lapse", anchor = "first_day" }',
         [("edition_bad_value", "steps[0].anchor", "first_day")]),
        ('{ offset = 1, unit = "days", do = "lapse", anchor = "moon" }',
         [("edition_bad_value", "steps[0].anchor", "moon")]),
        ('{ offset = 1, unit = "days", do = "remind", digest = true, message = "approval_reminder" }',
         [("edition_missing_key", "steps[0].audience", "")]),
        ('{ offset = 1, unit = "days", do = "lapse", digest = true }',
         [("edition_missing_key", "steps[0].audience", ""), ("edition_unknown_key", "steps[0].digest", "")]),
        ('{ offset = 1, unit = "days", do = "remind", audience = "nobody", message = "approval_reminder" }',
         [("edition_unknown_audience", "steps[0].audience", "nobody")]),
        ('{ offset = 1, unit = "days", do = "cancel" }, { offset = 1, unit = "days", do = "cancel" }',
         [("edition_order", "steps[1]", "1 days, cancel"), ("edition_step_twice", "steps[1]", "")]),
        ('{ offset = 1, unit = "days", do = "remind", audience = "owner", message = "shout" }',
         [("edition_unknown_message", "steps[0].message", "shout")]),
    ],
)  # fmt: skip
def test_ladder_that_cannot_work_is_refused(steps: str, found: list[tuple[str, str, str]]) -> None:
    """A is a reminder; S, R, C and M are alerts to a stand-in, a responsible, IFC and the committee; L is an expiry."""
    kinds = {
        "A": ("remind", 1, "owner", "approval_reminder"),
        "S": ("escalate", 2, "stand_in", "approval_reminder"),
        "R": ("escalate", 2, "responsible", "approval_reminder"),
        "C": ("escalate", 2, "coordinator", "approval_overdue"),
        "M": ("escalate", 3, "committee", "committee_delays"),
    }
    for name, (do, offset, audience, message) in kinds.items():
        step = f'{{ offset = {offset}, unit = "days", do = "{do}", audience = "{audience}", message = "{message}" }}'
        steps = steps.replace(f"{{{name}}}", step)
    steps = steps.replace("{L}", '{ offset = 9, unit = "days", do = "lapse" }')
    start = PAGE.index("approval.steps = [")
    end = PAGE.index("]", start)

    text = f"{PAGE[:start]}approval.steps = [{steps}{PAGE[end:]}"

    before = "deadlines.participation.registered.approval."
    if found:
        assert faults(text) == [(code, before + key, value) for code, key, value in found]
    else:
        assert read(text).code == "2030-2031"


def test_route_that_overlaps_itself_is_refused() -> None:
    """Read twice, it would be no single answer, and everybody of that network would land on IFC's desk."""
    found = faults(changed('education = ["ordinaire"]', 'education = ["ordinaire", "ordinaire"]'))

    assert found == [("edition_route_overlap", "routes[0]", "SeGEC / ordinaire")]


def test_overlapping_route_names_the_other() -> None:
    problem = problems(changed('network = "WBE"', 'network = "SeGEC"'))[0]

    assert dict(problem.params) == {"other": "routes[0]"}


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('code = "FCC"\nname = "FCC"', 'code = "CECAFOC"\nname = "FCC"', "institutes[1].code"),
        ("[ifc]", '[[basins]]\ncode = "namur"\nname = "Namur-Dinant"\n[ifc]', "basins[1].code"),
    ],
    ids=["institute", "basin"],
)
def test_code_defined_twice_is_refused(old: str, new: str, column: str) -> None:
    """The second would silently be taken for the first."""
    assert column in {problem.column for problem in problems(changed(old, new))}


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('role = "institute" }', 'role = "coordinator" }', "institutes[1].contacts[0].role"),
        ('role = "coordinator"', 'role = "teacher"', "ifc.contacts[0].role"),
        ('role = "committee"', 'role = "coordinator"', "committee.contacts[0].role"),
    ],
)
def test_contact_in_a_role_that_its_organisation_does_not_play_is_refused(old: str, new: str, column: str) -> None:
    """An institute's officer who is a coordinator would correct any participation of any institute."""
    assert column in {problem.column for problem in problems(changed(old, new))}


def test_every_fault_is_reported_at_once() -> None:
    text = changed("half_days = 4", 'half_days = "4"').replace("title =", "titel =").replace('"08:00"', '"8h"')

    assert set(faults(text)) == {
        ("edition_bad_value", "immersion.half_days", "4"),
        ("edition_unknown_key", "titel", ""),
        ("edition_missing_key", "title", ""),
        ("edition_bad_value", "calendar.hour", "8h"),
    }


def test_every_inconsistency_is_reported_at_once() -> None:
    text = changed('network = "WBE"', 'network = "SeGEC"').replace("closes = 2031-06-27", "closes = 2031-04-03")

    assert [code for code, _, _ in faults(text)] == ["edition_order", "edition_route_overlap"]


@pytest.mark.parametrize(
    ("process", "missing"),
    [
        ("2018", {}),
        (
            "2014",
            {
                "deadlines.participation.prepared.observation",
                "deadlines.participation.observed.presence",
                "deadlines.participation.observed.place",
                "deadlines.participation.observed.closing",
            },
        ),
    ],
)
def test_ladder_is_missing_for_every_rule_of_the_process_without_one(process: str, missing: set[str]) -> None:
    text = changed('process = "2018"', f'process = "{process}"')

    found = {p.column for p in problems(text) if p.code == "edition_missing_deadline"} if missing else set()

    assert found == set(missing)
    assert {state for state in PROCESS_2014.states if state not in PROCESS_2018.states} == {"observed"}


# ------------------------------------------------------------------------------------------------------------- not TOML
@pytest.mark.parametrize(
    "data",
    [
        b"code = ",
        b"\x00\x01\x02\xff",
        b"\xff\xfe" + "code = 1".encode("utf-16-le"),
        PAGE.encode("cp1252"),
        b"code = 1\ncode = 2",
        b"[" * 100_000,
        b"a = " + b"[" * 100_000,
        b"reference;entreprise\nSAFRAN-01;SAFRAN\n",
    ],
    ids=["half", "binary", "utf-16", "cp1252", "twice", "brackets", "nested", "csv"],
)
def test_file_that_is_not_toml_is_refused_as_such(data: bytes) -> None:
    found = problems(data)

    assert [problem.code for problem in found] == ["edition_not_toml"]
    assert len(found[0].value) <= 200


@pytest.mark.parametrize("data", [b"", b"# nothing\n"])
def test_empty_file_is_refused_with_every_key_it_lacks(data: bytes) -> None:
    found = problems(data)

    assert {problem.code for problem in found} == {"edition_missing_key"}
    assert {problem.column for problem in found} == {
        *("code", "title", "process", "opens", "closes", "immersion", "preparation", "cutoffs", "calendar"),
        *("ifc", "committee", "institutes", "deadlines"),
    }


def test_toml_fault_names_its_line() -> None:
    problem = problems('code = "x"\ntitle = "y"\nopens = \n')[0]

    assert (problem.line, problem.params) == (3, {"row": "3", "position": "9"})


def test_fault_of_a_value_says_what_it_may_be_without_a_word_of_english() -> None:
    faults = {
        "half_days = 0\nmin_half_days = 3": ("≥ 1",),
        'half_days = "4"\nmin_half_days = 3': ("1, 2, 3…",),
    }

    for given, allowed in faults.items():
        text = SHIPPED[0].read_text(encoding="utf-8").replace("half_days = 4\nmin_half_days = 3", given)
        assert [each.params["allowed"] for each in problems(text)] == [allowed]


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("offset = 40,", "offset = 1,", "deadlines.participation.registered.approval.steps[3]"),
        ("last = 2019-01-04", "last = 2020-01-04", "calendar.school_holidays[2].last"),
        ("opens = 2018-09-03", "opens = 0001-01-01", "opens"),
    ],
)
def test_what_cannot_work_is_out_of_order(before: str, after: str, key: str) -> None:
    text = SHIPPED[-1].read_text(encoding="utf-8")
    assert before in text

    found = problems(text.replace(before, after))

    assert [(each.code, each.column) for each in found] == [("edition_order", key)]


def test_control_character_in_a_name_is_refused() -> None:
    text = SHIPPED[0].read_text(encoding="utf-8").replace('first_name = "Catherine"', 'first_name = "Cathe\\u0000rine"')

    assert [each.code for each in problems(text)] == ["edition_bad_value"]


# ------------------------------------------------------------------------------------------ content, rules, differences
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_rules_hold_what_the_file_says(path: Path) -> None:
    raw = tomllib.loads(path.read_text(encoding="utf-8"))

    rules = rules_of(read_edition(path.read_bytes(), path.name).canonical())

    assert (rules.edition, rules.process) == (raw["code"], raw["process"])
    assert (rules.half_days, rules.min_half_days) == (raw["immersion"]["half_days"], raw["immersion"]["min_half_days"])
    assert rules.anchors == {
        Anchor.ALLOCATION: raw["cutoffs"]["allocation"],
        Anchor.PLACEMENT_CUTOFF: raw["cutoffs"]["placement"],
        Anchor.CLOSING: raw["closes"],
    }
    assert rules.allocation == raw["cutoffs"]["allocation"]
    assert {(r.network, r.education): (r.institute, r.to_confirm) for r in rules.routes} == {
        (route["network"], education): (route["institute"], route["status"] == "to_confirm")
        for route in raw["routes"]
        for education in route["education"]
    }
    assert {key: [as_written(step) for step in steps] for key, steps in rules.ladder.items()} == {
        RuleKey(Subject(subject), state, rule): ladder["steps"]
        for subject, states in raw["deadlines"].items()
        for state, ladders in states.items()
        for rule, ladder in ladders.items()
    }


def as_written(step: Step) -> dict[str, Any]:
    written: dict[str, Any] = {
        "offset": step.offset,
        "unit": "working_days" if step.working_days else "days",
        "do": step.do,
    }
    optional = {"audience": step.audience, "message": step.message, "anchor": step.anchor}
    return written | {name: value for name, value in optional.items() if value is not None}


def test_rules_of_the_page_are_these() -> None:
    rules = rules_of(read(PAGE).canonical())

    assert rules.calendar.closures == {date(2030, 10, 28 + n) for n in range(4)} | {date(2030, 11, 1)}
    assert (str(rules.calendar.zone), rules.calendar.hour) == ("Europe/Brussels", time(8))
    assert rules.ladder[RuleKey(Subject.PARTICIPATION, "registered", "approval")] == (
        Step(5, working_days=True, do=StepAction.REMIND, audience=Audience.DIRECTOR, message=Kind.APPROVAL_REMINDER),
        Step(40, working_days=False, do=StepAction.LAPSE),
    )


@pytest.mark.parametrize(
    ("network", "education", "route"),
    [
        ("SeGEC", "ordinaire", Route(Network.SEGEC, Education.ORDINAIRE, "CECAFOC", to_confirm=False)),
        ("WBE", "specialise", Route(Network.WBE, Education.SPECIALISE, "FCC", to_confirm=True)),
        ("SeGEC", "specialise", None),  # no such route: never a guess
        ("FELSI", "ordinaire", None),
        (None, "ordinaire", None),
        ("WBE", None, None),
        (None, None, None),
    ],
)
def test_route_is_the_one_named_or_none(network: str | None, education: str | None, route: Route | None) -> None:
    found = rules_of(read(PAGE).canonical()).routes_for(network, education, "enseignant", date(2030, 11, 4))

    assert found == (() if route is None else (route,))


def test_route_named_twice_is_no_single_answer() -> None:
    rules = rules_of(read(PAGE).canonical())
    doubled = replace(rules, routes=(*rules.routes, *rules.routes))

    assert len(doubled.routes_for("SeGEC", "ordinaire", "enseignant", date(2030, 11, 4))) == 2


def test_route_is_that_of_the_day_and_of_the_kind() -> None:
    page = PAGE.replace(
        'status = "confirmed"', 'status = "confirmed"\nkinds = ["enseignant"]\nfirst = 2030-11-04\nlast = 2030-12-20', 1
    )
    rules = rules_of(read(page).canonical())

    def found(kind: str, day: date) -> int:
        return len(rules.routes_for("SeGEC", "ordinaire", kind, day))

    days = [date(2030, 11, 3), date(2030, 11, 4), date(2030, 12, 20), date(2030, 12, 21)]
    assert [found("enseignant", day) for day in days] == [0, 1, 1, 0]
    assert [found("formateur", day) for day in days] == [0, 0, 0, 0]


def test_routes_that_follow_each_other_do_not_overlap() -> None:
    """The same network twice in a year; one day in common is one too many."""
    first = 'network = "WBE"\nlast = 2030-12-31'
    again = '\n[[routes]]\nnetwork = "WBE"\neducation = ["ordinaire"]\ninstitute = "FCC"\nstatus = "confirmed"\n'
    start = PAGE.index("[deadlines")

    def page(day: str) -> str:
        return PAGE[:start].replace('network = "WBE"', first) + f"{again}first = {day}\n" + PAGE[start:]

    assert len(read(page("2031-01-01")).routes) == 3
    assert [code for code, _, _ in faults(page("2030-12-31"))] == ["edition_route_overlap"]


def test_content_is_the_same_whatever_the_order_of_the_ladders() -> None:
    start = PAGE.index("[deadlines.handoff]")
    elsewhere = PAGE.replace(
        "[deadlines.participation.registered]", PAGE[start:] + "[deadlines.participation.registered]"
    )

    assert read(elsewhere[: elsewhere.rindex("[deadlines.handoff]")]).canonical() == read(PAGE).canonical()


def test_content_is_the_same_for_files_that_differ_in_layout_only() -> None:
    moved = re.sub(r"(?m)^\[immersion\]\nhalf_days = 4\nmin_half_days = 3\n", "", PAGE)
    other = "# another hand\r\n" + moved.replace("\n", "\r\n") + "\r\n[immersion]\r\nmin_half_days=3\r\nhalf_days=4\r\n"

    contents = [read(text).canonical() for text in (PAGE, other)]

    assert contents[0] == contents[1]
    assert content_hash(contents[0]) == content_hash(contents[1])


def test_content_says_a_default_and_the_same_value_written_out_alike() -> None:
    assert read(changed('hour = "08:00"\n', "")).canonical() == read(PAGE).canonical()


def test_content_read_back_is_the_same_edition() -> None:
    edition = read(PAGE)

    assert EditionFile.model_validate_json(edition.canonical()) == edition


def test_content_keeps_accents_as_they_are() -> None:
    assert '"Comité"' in read(PAGE).canonical()


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("closes = 2031-06-27", "closes = 2031-06-30", ["closes: 2031-06-27 -> 2031-06-30"]),
        (
            "offset = 5,",
            "offset = 6,",
            ["deadlines.participation.registered.approval.steps[0].offset: 5 -> 6"],
        ),
        (
            "collective_days = [2031-02-13, 2031-02-14]",
            "collective_days = [2031-02-13]",
            ["basins[0].collective_days[1]: 2031-02-14 -> -"],
        ),
        (
            "collective_days = [2031-02-13, 2031-02-14]",
            "collective_days = [2031-02-13, 2031-02-14, 2031-02-20]",
            ["basins[0].collective_days[2]: - -> 2031-02-20"],
        ),
        (', phone = "+32 2"', "", ["institutes[0].contacts[0].phone: +32 2 -> "]),
        ("title =", "# only a comment\ntitle =", []),
    ],
)
def test_differences_are_one_line_a_key(old: str, new: str, lines: list[str]) -> None:
    assert differences(read(PAGE).canonical(), read(changed(old, new)).canonical()) == lines


def test_differences_are_in_the_order_of_their_keys() -> None:
    text = changed("closes = 2031-06-27", "closes = 2031-06-30").replace('code = "namur"', 'code = "liege"')

    assert differences(read(PAGE).canonical(), read(text).canonical()) == [
        "basins[0].code: namur -> liege",
        "closes: 2031-06-27 -> 2031-06-30",
    ]


def test_difference_is_never_empty_for_other_content() -> None:
    """Else `init` would call a changed file unchanged."""
    before = json.loads(read(PAGE).canonical())
    before["institutes"][0]["contacts"][0]["phone"] = "-"
    after = json.loads(json.dumps(before))
    after["institutes"][0]["contacts"].append(before["institutes"][0]["contacts"][0])

    assert "institutes[0].contacts[1].phone: - -> -" in differences(json.dumps(before), json.dumps(after))


def test_revision_stored_before_a_key_existed_does_not_differ_by_it() -> None:
    """Else every edition would be called changed after an upgrade."""
    stored = json.loads(read(PAGE).canonical())
    del stored["calendar"]["quiet"]
    del stored["basins"][0]["school_holidays"]

    assert differences(json.dumps(stored), read(PAGE).canonical()) == []


def test_address_with_two_names_is_refused_with_both_places() -> None:
    found = problems(PAGE.replace("e.f@cecafoc.example", "A.B@ifc.example"))

    assert [(each.code, each.column, each.params["other"]) for each in found] == [
        ("edition_other_name", "institutes[0].contacts[0].email", "ifc.contacts[0]")
    ]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]',
         'closing.steps = [{ offset = -400, unit = "days", do = "lapse" }]',
         ("edition_bad_value", "deadlines.participation.registered.closing.steps[0].offset", "-400")),
        ('closing.steps = [{ offset = 0, unit = "days", do = "lapse" }]',
         'closing.steps = [{ offset = 0, unit = "days", do = "cancel" }]',
         ("edition_bad_value", "deadlines.participation.registered.closing.steps[0].do", "cancel")),
        ('hour = "08:00"', 'hour = "08:00"\nquiet = { first = "07:00", last = "06:59" }',
         ("edition_order", "calendar.quiet.last", "06:59")),
        ('hour = "08:00"', 'hour = "08:00"\nquiet = { first = "07:00", last = "07:00" }',
         ("edition_order", "calendar.quiet.last", "07:00")),
        ("first = 2030-10-28", "first = 1030-10-28", ("edition_order", "calendar.school_holidays[0]", "1030-10-28")),
    ],
)  # fmt: skip
def test_calendar_or_closing_that_cannot_work_is_refused(old: str, new: str, found: tuple[str, str, str]) -> None:
    assert found in faults(changed(old, new))
