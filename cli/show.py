"""`show REF`: one participation as a story: who and where, what is due from whom, what happened, what was said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli import console
from cli.desk import show_desk
from cli.opening import reading, settings_of
from cli.options import AsJson, At, Directory, Reference, moment
from cli.status import show_set_aside
from notifications.words import say

Told = Mapping[str, Any]


def show(reference: Reference, at: At = None, as_json: AsJson = False, directory: Directory = None) -> None:
    from actions.reports import story

    occasion_at = moment(at)
    with reading(settings_of(directory)) as connection:
        told = story(connection, reference.strip(), occasion_at)
    if as_json:
        console.document(told)
    else:
        _tell(told)


def _tell(told: Told) -> None:
    for label, value in _header(told):
        if value:
            console.line(f"{label:<16} {value}")
    _due(told["due"])
    _journal(told["journal"])
    _messages(told["messages"])
    _handoffs(told["handoffs"])
    show_desk(told["desk"])
    _answers(told["evaluation"]["answers"])
    _comments(told["comments"])
    show_set_aside([{"reference": told["reference"], **each} for each in told["set_aside"]])


def _header(told: Told) -> Iterator[tuple[str, str]]:
    heading, teacher, school = console.heading, told["teacher"], told["school"]
    kind = console.named("participant_kind", teacher["kind"])
    yield heading("reference"), f"{told['reference']}, {heading('edition').lower()} {told['edition']}"
    yield heading("person"), ", ".join(part for part in (teacher["name"], kind, teacher["email"]) if part)
    if school:
        yield (
            heading("school"),
            ", ".join(part for part in (school["name"], told["network"], told["basin_name"]) if part),
        )
    yield heading("state"), f"{console.named('state', told['state'])} ({console.when(told['since'])})"
    yield heading("owner"), told["owner_name"]
    yield heading("place"), _place(told["place"])
    yield heading("wishes"), ", ".join(f"{each['rank']}. {each['offer']}" for each in told["wishes"])
    yield heading("waiting"), ", ".join(each["offer"] for each in told["waiting"])
    yield heading("session"), _session(told["session"])
    yield heading("facts"), ", ".join(_fact(each) for each in told["facts"])
    yield heading("answers"), console.when(told["evaluation"]["answers_on"])
    yield heading("drawn_on"), _seen(told["evaluation"])
    for each in told["unreachable"]:
        yield heading("noteworthy"), _unreachable(each)


def _unreachable(each: Told) -> str:
    """Return who cannot be reached, why, and who is written to in their stead."""
    days = {name: console.when(each[name]) or None for name in ("since", "until")}
    about = {"person": each["name"], "role": each["role"], "to": each["to"], "how": each["stands_in"]}
    return say(f"unreachable_{each['why']}", **about, **days)


def stood_in(person: str, stands_in: str | None, whom: str | None = None) -> str:
    """Return who is written to and, where they stand in for somebody, as what and for whom."""
    if stands_in is None:
        return person
    for_whom = f" {console.heading('stands_in_for')} {whom}" if whom else ""
    return f"{person} ({console.named('stand_in', stands_in)}){for_whom}"


def _seen(evaluation: Told) -> str:
    """Return since when somebody is in the sample, and whether they were seen."""
    if evaluation["drawn_on"] is None:
        return ""
    seen = evaluation["interview_on"]
    return (
        f"{console.when(evaluation['drawn_on'])}, {console.named('drawn_status', 'interviewed' if seen else 'drawn')}"
    )


def _place(place: Told | None) -> str:
    if place is None:
        return ""
    days = ", ".join(console.when(day) for day in place["days"]) or console.heading("no_date")
    status = console.named("placement_status", place["status"])
    return f"{place['company_name']}, {place['title']} ({place['offer']}), {days}, {status}"


def _session(session: Told | None) -> str:
    if session is None:
        return ""
    return f"{session['reference']}, {console.when(session['starts_at'])}, {session['place'] or session['url']}"


def _fact(fact: Told) -> str:
    half_day = f" {fact['half_day']}" if fact["half_day"] else ""
    value = f" ({console.named('fact_value', fact['value'])})" if fact["half_day"] else ""
    group = "fact_absent" if fact["value"] == "absent" and not fact["half_day"] else "fact_kind"
    return f"{console.named(group, fact['kind'])} {console.when(fact['on'])}{half_day}{value}"


def _due(due: Sequence[Told]) -> None:
    if not due:
        console.line(f"\n{console.heading('due_nothing')}")
        return
    rows = [
        (
            console.named("role", each["who"]),
            ", ".join(part for part in (_answering(each), each["organisation"]) if part),
            console.trigger_name(each["subject"], each["act"]),
            _by(each),
        )
        for each in due
    ]
    console.table(console.heading("due"), ("owed_by", "person", "action", "by"), rows, whole=("by",))


def _answering(due: Told) -> str:
    return stood_in(due["name"], due["stands_in"]) if due["name"] else ""


def _by(due: Told) -> str:
    if due["by"] is None:
        return console.heading("no_date")
    late = f" ({console.heading('late')})" if due["late"] else ""
    return console.when(due["by"]) + late


def _journal(journal: Sequence[Told]) -> None:
    rows = [
        (
            entry["seq"],
            console.when(entry["at"]),
            _act(entry),
            console.state_name(entry["subject"], entry["to"]),
            entry["actor"] if entry["actor"] != entry["role"] else console.named("role", entry["role"]),
            entry["reason"],
        )
        for entry in journal
    ]
    console.table(
        console.heading("journal"), ("number", "at", "act", "after", "who", "reason"), rows, ("number",), ("at",)
    )


def _act(entry: Told) -> str:
    """Return what was done; of a fact, which."""
    name = console.trigger_name(entry["subject"], entry["trigger"])
    data = entry["data"]
    if "extension" in data:
        return f"{name} : {console.named('rule', data['rule'])}, {data['days']} {console.heading('working_days')}"
    return f"{name} : {console.named('fact_kind', data['fact'])}" if data.get("fact") else name


def _messages(messages: Sequence[Told]) -> None:
    rows = [
        (
            console.when(each["at"]),
            each["subject"] or console.named("kind", each["kind"]),
            stood_in(each["recipient"], each["stands_in"], each["stands_in_for"]),
            why(each["about"], each["rule"]),
            console.named("message_status", each["status"]),
        )
        for each in messages
    ]
    if rows:
        console.table(
            console.heading("messages"), ("at", "message", "recipient", "rule", "status"), rows, whole=("at",)
        )


def why(about: str, rule: str) -> str:
    """Return why something was said: an act, or a step of a deadline (counted from one)."""
    name, _, step = rule.partition(":")
    act = console.trigger_name(about, name)
    if act != name:
        return act
    return f"{console.named('rule', name)} ({int(step) + 1})" if step else console.named("rule", name)


def _handoffs(rounds: Sequence[Told]) -> None:
    rows = [
        (
            each["round"],
            console.named("purpose", each["purpose"]),
            each["from"],
            each["to"] or console.heading("unrouted"),
            console.round_status(each["purpose"], each["status"]),
            console.when(each["since"]),
        )
        for each in rounds
    ]
    if rows:
        columns = ("round", "purpose", "from_org", "to_org", "status", "since")
        console.table(console.heading("handoffs"), columns, rows, ("round",))


def _answers(answers: Sequence[Told]) -> None:
    rows = [(each["text"], each["label"] or console.named("yes_no", each["answer"])) for each in answers]
    if rows:
        console.table(console.heading("questionnaire"), ("question", "answer"), rows)


def _comments(comments: Sequence[Told]) -> None:
    rows = [(console.when(each["at"]), each["actor"], each["text"]) for each in comments]
    if rows:
        console.table(console.heading("comments"), ("at", "who", "comment"), rows, whole=("at",))
