"""Plays an institute from the offer to the transfer, with nothing but HTTP: what its own program could look like.

    python examples/institute.py --url http://127.0.0.1:8000 --token entr_…

It needs Python 3.11 and `jsonschema`, nothing of this repository: copy it, and take from it what serves you. It does in
one go what takes weeks: it fetches what was offered, checks and answers it, plans a session and invites; run again once
the session has begun, it says who was there and what the transfer was about. Running it twice does nothing twice.
"""

import argparse
import hashlib
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

Document = dict[str, Any]
_SECONDS = 30
_SESSION_LASTS = timedelta(hours=3)


@dataclass(frozen=True)
class Refused(Exception):
    """What the API answers when it does not do something: a stable code, and a sentence for people."""

    status: int
    code: str
    reason: str

    def __str__(self) -> str:
        """Say it as a person would read it."""
        return f"{self.status} {self.code}: {self.reason}"


@dataclass(frozen=True)
class Api:
    """The API as one institute sees it."""

    url: str
    token: str

    def fetch(self, path: str) -> bytes:
        """Return an answer byte for byte."""
        return self._ask("GET", path, None)

    def get(self, path: str) -> Document:
        return self._read(self.fetch(path))

    def send(self, method: str, path: str, body: Document | None = None) -> Document:
        return self._read(self._ask(method, path, body))

    def _ask(self, method: str, path: str, body: Document | None) -> bytes:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url.rstrip("/") + path, data, headers, method=method)  # noqa: S310 - `main` lets http and https through only
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - as above
                given: bytes = answer.read()
                return given
        except urllib.error.HTTPError as error:
            with error:
                told = json.loads(error.read())["refused"]
            raise Refused(error.code, told["code"], told["reason"]) from None

    @staticmethod
    def _read(answer: bytes) -> Document:
        document: Document = json.loads(answer)
        return document


def handoffs(api: Api, **filters: str) -> Iterator[Document]:
    """List the institute's handoffs, page after page."""
    cursor: str | None = None
    while True:
        query = urllib.parse.urlencode({**filters, "limit": "50", **({"cursor": cursor} if cursor else {})})
        page = api.get(f"/api/v1/handoffs?{query}")
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def packet_of(api: Api, handoff: Document, schema: Draft202012Validator) -> Document:
    """Fetch what an institute needs to know, and make sure that it is what was offered, in the form agreed upon."""
    text = api.fetch(handoff["links"]["packet"])
    if hashlib.sha256(text).hexdigest() != handoff["packet_sha256"]:
        raise SystemExit(f"{handoff['reference']}: the packet is not the one that was offered.")
    packet: Document = json.loads(text)
    if fault := next(schema.iter_errors(packet), None):
        raise SystemExit(f"{handoff['reference']}: the packet does not fit its schema: {fault.json_path}.")
    return packet


def answer_offers(api: Api, decline: int, say: "Account") -> None:
    """Accept whatever is offered, but decline the last few: there is no session for them."""
    schema = Draft202012Validator(api.get("/api/v1/schemas/packet-1.json"), format_checker=FormatChecker())
    offered = list(handoffs(api, status="offered", purpose="transfer"))
    packets = [packet_of(api, each, schema) for each in offered]
    say(f"{len(packets)} handoffs offered; every packet is valid, and as it was offered.")
    for number, handoff in enumerate(offered):
        if number >= len(offered) - decline:
            cause = {"cause": "no_session", "reason": "Aucune session possible avant la fin de l’année."}
            api.send("POST", handoff["links"]["decline"], cause)
            say(f"{handoff['reference']}: declined.")
        else:
            api.send("POST", handoff["links"]["accept"])
            say(f"{handoff['reference']}: accepted.")


def plan_session(api: Api, starts: datetime, people: Sequence[str], say: "Account") -> None:
    """Plan a session for them, and invite them."""
    session = api.send(
        "POST",
        "/api/v1/sessions",
        {
            "starts_at": starts.isoformat(timespec="seconds"),
            "ends_at": (starts + _SESSION_LASTS).isoformat(timespec="seconds"),
            "place": "Rue de la Station 1, 5000 Namur",
            "capacity": len(people),
        },
    )
    invited = api.send("POST", f"{_own(session)}/invitations", {"references": list(people)})
    say(f"{session['reference']}: planned, {_done(invited, say)} invited.")


def close_session(api: Api, session: Document, say: "Account") -> None:
    """Say what the transfer was about, then who was there, of those invited: presence is what confirms it."""
    invited = api.get(_own(session))["people"]
    people = [each["reference"] for each in invited if not each["attended"]]
    for reference in people:
        note = {"text": "Lien fait avec le référentiel du métier; séquence de cours préparée en atelier."}
        api.send("POST", f"/api/v1/handoffs/{urllib.parse.quote(reference, safe='')}/note", note)
    there = {"people": [{"reference": reference, "present": True} for reference in people]}
    seen = api.send("POST", f"{_own(session)}/attendance", there)
    say(f"{session['reference']}: over, {_done(seen, say)} transferred.")


def _own(session: Document) -> str:
    return f"/api/v1/sessions/{urllib.parse.quote(session['reference'], safe='')}"


def _done(answer: Document, say: "Account") -> int:
    """Count what was done, and tell what was refused."""
    for each in answer["outcomes"]:
        if each["refused"]:
            say(f"{each['reference']}: {each['refused']['code']}: {each['refused']['reason']}")
    return sum(each["done"] is not None for each in answer["outcomes"])


class Account:
    """What is told on standard output while it happens."""

    def __call__(self, line: str) -> None:
        print(line, flush=True)


def play(api: Api, decline: int, starts: datetime, say: Account) -> None:
    """Answer what is offered; then plan a session, or close the one that has begun."""
    answer_offers(api, decline, say)
    accepted = [each["reference"] for each in handoffs(api, status="accepted", purpose="transfer")]
    planned = [each for each in api.get("/api/v1/sessions")["items"] if each["status"] == "planned"]
    open_ones = [each for each in planned if each["attended"] < each["invited"]]
    if open_ones and datetime.fromisoformat(open_ones[0]["starts_at"]) > datetime.now(UTC):
        say(f"{open_ones[0]['reference']}: begins on {open_ones[0]['starts_at']}; run this again once it has.")
    elif open_ones:
        close_session(api, open_ones[0], say)
    elif accepted:
        plan_session(api, starts, accepted, say)
    else:
        say("Nobody waits for a session.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line; 0: all was done, 1: the API refused, 2: wrong usage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="where the application is")
    parser.add_argument("--token", required=True, help="the institute's token, from IFC")
    parser.add_argument("--decline", type=int, default=0, metavar="N", help="how many of those offered to decline")
    parser.add_argument("--session", type=datetime.fromisoformat, metavar="MOMENT", help="when the session begins")
    given = parser.parse_args(arguments)
    if not given.url.startswith(("http://", "https://")):
        parser.error("--url begins with http:// or https://")
    starts = (given.session or datetime.now(UTC) + timedelta(days=14)).astimezone(UTC)
    try:
        play(Api(given.url, given.token), given.decline, starts, Account())
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except urllib.error.URLError as error:
        print(f"{given.url} does not answer: {error.reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
