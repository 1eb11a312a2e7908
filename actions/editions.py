"""Loading an edition: its file becomes an immutable revision; organisations and contacts are kept up to date."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, and_, func, insert, select, true, update

from actions.journal import JOURNAL, TEXTS, entry_hash, text_hash
from actions.occasion import Actor, Occasion
from actions.people import CONTACT, ORGANISATION, Person, keep_contact, keep_organisation
from core.errors import InvalidFile, LostRace, NotFound, Problem, Refused
from models import Deadline, Edition, EditionRevision, Participation, table_of
from notifications.catalogue import CATALOGUE, KindSpec
from states.edition import EditionFile, OrganisationPart, content_hash, differences
from states.edition_parts import ContactPart
from states.names import DeadlineStatus, Kind, OrganisationKind, Role

EDITION, REVISION, PARTICIPATION = table_of(Edition), table_of(EditionRevision), table_of(Participation)
DEADLINE = table_of(Deadline)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: `created`, `unchanged` or `revised`, with what changed, key by key."""

    code: str
    outcome: str
    number: int
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Current:
    """An edition and its latest revision."""

    id: int
    code: str
    title: str
    revision_id: int
    content: str
    opens: date
    closes: date


def current(connection: Connection, code: str | None = None) -> Current:
    """Return an edition (by default the one loaded last) with its latest revision.

    Raises NotFound (`unknown_edition`, with those known; `no_edition`).
    """
    query = (
        select(EDITION.c.id, EDITION.c.code, EDITION.c.title, REVISION.c.id.label("revision_id"), REVISION.c.content)
        .join(REVISION, REVISION.c.edition_id == EDITION.c.id)
        .order_by(REVISION.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query if code is None else query.where(EDITION.c.code == code)).first()
    if row is None:
        known = sorted(connection.execute(select(EDITION.c.code)).scalars())
        raise NotFound("unknown_edition", value=code, allowed=known) if known else NotFound("no_edition")
    known = json.loads(row.content)
    opens, closes = date.fromisoformat(known["opens"]), date.fromisoformat(known["closes"])
    return Current(row.id, row.code, row.title, row.revision_id, row.content, opens, closes)


def must_be_open(connection: Connection, edition_id: int) -> None:
    """Refuse what would be to no purpose once the figures are frozen. Raises Refused (`edition_closed`)."""
    row = connection.execute(select(EDITION.c.code, EDITION.c.closed_at).where(EDITION.c.id == edition_id)).one()
    if row.closed_at is not None:
        raise Refused("edition_closed", edition=row.code, at=row.closed_at)


def load(connection: Connection, file: EditionFile, actor: Actor, occasion: Occasion) -> Loaded:
    """Store the file as a revision if it says something new.

    Raises InvalidFile (`edition_idle_message`, `edition_no_digest`); Refused (`edition_running`, with what changed, or
    `only_routes_change`) when deadlines of the edition are running: they are not touched by loading a file. A closed
    edition that is revised is open again, until the next closing.
    """
    check_messages(file)
    content = file.canonical()
    edition = connection.execute(select(EDITION).where(EDITION.c.code == file.code)).first()
    if edition is None:
        values = {"code": file.code, "title": file.title}
        edition_id = connection.execute(insert(EDITION).values(values).returning(EDITION.c.id)).scalar_one()
        return _stored(connection, file, Loaded(file.code, "created", 1), edition_id, actor, occasion)
    latest = connection.execute(
        select(REVISION).where(REVISION.c.edition_id == edition.id).order_by(REVISION.c.number.desc()).limit(1)
    ).one()
    changes = tuple(differences(latest.content, content))
    if not changes:
        return Loaded(file.code, "unchanged", latest.number)
    if running := _running(connection, edition.id):
        code = "only_routes_change" if all(each.startswith("routes[") for each in changes) else "edition_running"
        raise Refused(code, edition=file.code, count=running, changes=changes)
    _retire_contacts(connection, EditionFile.model_validate_json(latest.content), file)
    loaded = Loaded(file.code, "revised", latest.number + 1, changes)
    return _stored(connection, file, loaded, edition.id, actor, occasion)


def check_messages(file: EditionFile) -> None:
    """Refuse a file whose ladders say what cannot be said there. Raises InvalidFile."""
    if idle := list(_idle_messages(file)):
        raise InvalidFile(f"{file.code}.toml", idle)


def _idle_messages(file: EditionFile) -> Iterator[Problem]:
    """Yield steps whose message would be called off each time, or can share no envelope.

    The first: it is not true in the state that they stand in.
    """
    for subject, states in file.deadlines.items():
        for state, rules in states.items():
            said = (kind for kind, spec in CATALOGUE.items() if _is_said(spec, subject, state))
            allowed = tuple(kind for kind in said if kind not in _OF_AN_ENTRY)  # they tell what an act has just done
            for rule, ladder in rules.items():
                for number, step in enumerate(ladder.steps):
                    if step.message is not None and step.message not in allowed:
                        column = f"deadlines.{subject}.{state}.{rule}.steps[{number}].message"
                        yield Problem("edition_idle_message", None, column, step.message, {"allowed": allowed})
                    elif step.digest and step.message is not None and not CATALOGUE[step.message].may_fold:
                        column = f"deadlines.{subject}.{state}.{rule}.steps[{number}].digest"
                        yield Problem("edition_no_digest", None, column, "true", {"message": step.message})


_OF_AN_ENTRY = (Kind.TRANSFER_INVITATION, Kind.TRANSFER_MOVED, Kind.TRANSFER_CALLED_OFF, Kind.WEBHOOK_DISABLED)


def _is_said(spec: KindSpec, subject: str, state: str) -> bool:
    """Tell whether a kind can be said of a subject in a state: it speaks of the past, or is true there."""
    return spec.about is None or (spec.about == subject and spec.is_true_in(state))


def _running(connection: Connection, edition_id: int) -> int:
    query = (
        select(func.count())
        .select_from(DEADLINE.join(PARTICIPATION, PARTICIPATION.c.id == DEADLINE.c.participation_id))
        .where(
            PARTICIPATION.c.edition_id == edition_id,
            DEADLINE.c.status.in_((DeadlineStatus.OPEN.value, DeadlineStatus.WAITING.value)),
        )
    )
    return int(connection.execute(query).scalar_one())


def _stored(
    connection: Connection, file: EditionFile, loaded: Loaded, edition_id: int, actor: Actor, occasion: Occasion
) -> Loaded:
    said_before = _said_before(connection, edition_id)
    revision_id = keep_revision(connection, edition_id, loaded.number, file, actor, occasion)
    connection.execute(update(EDITION).where(EDITION.c.id == edition_id).values(title=file.title, closed_at=None))
    _keep_organisations(connection, file, said_before)
    _keep_one_coordinator(connection)
    before = connection.execute(select(EDITION.c.journal_head).where(EDITION.c.id == edition_id)).scalar_one()
    after = content_hash(file.canonical())
    append(connection, edition_id, EditionEntry(revision_id, "load", before[:12], after[:12]), actor, occasion)
    return loaded


def keep_revision(
    connection: Connection, edition_id: int, number: int, file: EditionFile, actor: Actor, occasion: Occasion
) -> int:
    """Store a file's content as an edition's revision of that number, and return its id; the entry is the caller's."""
    content = file.canonical()
    values: dict[str, Any] = {
        "edition_id": edition_id,
        "number": number,
        "hash": content_hash(content),
        "content": content,
        "loaded_at": occasion.at,
        "loaded_by": actor.party_id,
    }
    return int(connection.execute(insert(REVISION).values(values).returning(REVISION.c.id)).scalar_one())


def _keep_one_coordinator(connection: Connection) -> None:
    """Refuse a file that leaves IFC without anybody to write to: nobody could mend it then. Raises Refused."""
    ours = (
        CONTACT.c.role == Role.COORDINATOR.value,
        CONTACT.c.status == "ok",
        CONTACT.c.address != "",
        CONTACT.c.valid_to.is_(None),
    )
    if connection.execute(select(CONTACT.c.id).where(*ours).limit(1)).first() is None:
        raise Refused("nobody_at_ifc")


def keep_people_of(connection: Connection, edition: Current, file: EditionFile) -> None:
    """Bring title, organisations and contacts up to date with a new file of an edition."""
    _retire_contacts(connection, EditionFile.model_validate_json(edition.content), file)
    connection.execute(update(EDITION).where(EDITION.c.id == edition.id).values(title=file.title, closed_at=None))
    _keep_organisations(connection, file, _named(edition.content))
    _keep_one_coordinator(connection)


_Named = tuple[OrganisationKind, str, ContactPart]


def _said_before(connection: Connection, edition_id: int) -> frozenset[_Named]:
    """Return whom the file named before, as it named them: the edition's last one, else the one loaded last of all."""
    query = select(REVISION.c.content).order_by((REVISION.c.edition_id == edition_id).desc(), REVISION.c.id.desc())
    content = connection.execute(query.limit(1)).scalar()
    return frozenset() if content is None else _named(content)


def _named(content: str) -> frozenset[_Named]:
    file = EditionFile.model_validate_json(content)
    return frozenset((kind, part.code, contact) for kind, part in _parts(file) for contact in part.contacts)


def _keep_organisations(connection: Connection, file: EditionFile, said_before: Collection[_Named]) -> None:
    """Bring organisations and contacts up to date with the file.

    Whoever was marked by hand as gone or as bouncing stays so, unless the file names them anew or otherwise than
    before: a file that says again what it said has not heard of it.
    """
    for kind, part in _parts(file):
        organisation_id = keep_organisation(connection, kind, part.code, part.name)
        renamed = ORGANISATION.c.id == organisation_id
        connection.execute(update(ORGANISATION).where(renamed).values(name=part.name))
        for rank, contact in enumerate(part.contacts, start=1):
            person = Person(
                contact.email.lower(), contact.first_name, contact.last_name, contact.phone, contact.language
            )
            contact_id = keep_contact(connection, person, contact.role, organisation_id, rank=rank)
            says_something = (kind, part.code, contact) not in said_before
            marked = (CONTACT.c.id == contact_id, CONTACT.c.status != "ok")
            # gone without a day: by a file that named them no more (`_retire_contacts`), never by hand
            by_a_file = and_(CONTACT.c.status == "gone", CONTACT.c.valid_to.is_(None))
            undone = true() if says_something else by_a_file
            connection.execute(update(CONTACT).where(*marked, undone).values(status="ok", valid_to=None))


def _parts(file: EditionFile) -> list[tuple[OrganisationKind, OrganisationPart]]:
    return [
        (OrganisationKind.IFC, file.ifc),
        (OrganisationKind.COMMITTEE, file.committee),
        *((OrganisationKind.INSTITUTE, part) for part in file.institutes),
    ]


def _retire_contacts(connection: Connection, before: EditionFile, after: EditionFile) -> None:
    """Mark as gone whoever this edition's file named and names no more: they are not written to and may not act."""
    staying = {(part.code, contact.email.lower()) for _, part in _parts(after) for contact in part.contacts}
    for kind, part in _parts(before):
        left = [c.email.lower() for c in part.contacts if (part.code, c.email.lower()) not in staying]
        own = select(ORGANISATION.c.id).where(ORGANISATION.c.kind == kind.value, ORGANISATION.c.code == part.code)
        gone = (CONTACT.c.organisation_id.in_(own), CONTACT.c.address.in_(left))
        connection.execute(update(CONTACT).where(*gone).values(status="gone"))


@dataclass(frozen=True, slots=True)
class EditionEntry:
    """An entry of an edition's own chain; `before` and `after` say in a few characters what stood and what stands."""

    revision_id: int
    trigger: str
    before: str
    after: str
    data: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""


def hold(connection: Connection, edition_id: int) -> None:
    """Have others who would add to this edition's chain wait, so that what is read from here on still stands then.

    On SQLite there is one writer anyway. Whoever only refers to the edition does not wait.
    """
    mine = select(EDITION.c.id).where(EDITION.c.id == edition_id)
    connection.execute(mine.with_for_update(key_share=True))


def append(connection: Connection, edition_id: int, entry: EditionEntry, actor: Actor, occasion: Occasion) -> int:
    """Append to an edition's own chain; return the entry's number. Raises LostRace when somebody else just did."""
    head = connection.execute(select(EDITION).where(EDITION.c.id == edition_id)).one()
    row = _entry(head, entry, actor, occasion)
    ours = (EDITION.c.id == edition_id, EDITION.c.journal_seq == head.journal_seq)
    moved = update(EDITION).where(*ours).values(journal_seq=row["seq"], journal_head=row["hash"])
    if connection.execute(moved).rowcount != 1:
        raise LostRace
    text = row.pop("_text")
    connection.execute(insert(JOURNAL).values(row))
    if entry.reason:
        connection.execute(insert(TEXTS).values(text))
    return int(row["seq"])


def _entry(head: Row[Any], entry: EditionEntry, actor: Actor, occasion: Occasion) -> dict[str, Any]:
    salt = occasion.salt() if entry.reason else ""
    place = {"chain": "edition", "chain_id": head.id, "seq": head.journal_seq + 1}
    row: dict[str, Any] = {
        **place,
        "at": occasion.at,
        "recorded_at": occasion.recorded_at,
        "subject": "edition",
        "trigger": entry.trigger,
        "from_state": entry.before,
        "to_state": entry.after,
        "actor_id": actor.party_id,
        "role": actor.role.value,
        "via": actor.via,
        "data": json.dumps(entry.data, sort_keys=True, separators=(",", ":")) if entry.data else "",
        "text_hash": text_hash(salt, entry.reason) if entry.reason else "",
        "revision_id": entry.revision_id,
        "previous": head.journal_head,
        "flow_run_id": occasion.flow_run_id,
    }
    row["hash"] = entry_hash(row)
    row["_text"] = {**place, "salt": salt, "text": entry.reason}
    return row
