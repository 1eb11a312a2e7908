"""Who plays what: the sample files of an edition and the parts that its cast names."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from importlib.resources import files
from pathlib import Path

from core.clock import BRUSSELS


class Part(StrEnum):
    """What somebody does; who is not named in the cast plays `SMOOTH`."""

    SMOOTH = "smooth"
    LATE_DIRECTOR = "late_director"
    SILENT_DIRECTOR = "silent_director"
    DECLINED = "declined"
    WITHDRAWS_EARLY = "withdraws_early"
    WITHDRAWS_DAY_BEFORE = "withdraws_day_before"
    ABSENT = "absent"
    PARTLY_PRESENT = "partly_present"
    TOO_LITTLE = "too_little"
    FORGETS_PREPARATION = "forgets_preparation"
    SLOW_COMPANY = "slow_company"
    SLOW_INSTITUTE = "slow_institute"
    DECLINING_INSTITUTE = "declining_institute"
    SILENT_INSTITUTE = "silent_institute"
    NEVER_EVALUATES = "never_evaluates"
    CORRECTED = "corrected"
    REINSTATED = "reinstated"
    MISSES_SESSION = "misses_session"
    LATE_NOTE = "late_note"
    SENT_BACK = "sent_back"
    CANNOT_MEET = "cannot_meet"


@dataclass(frozen=True, slots=True)
class OfferPart:
    """What happens to an offer on a day: its dates are fixed, or the company cancels it."""

    reference: str
    plays: str
    on: date
    days: tuple[date, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """The cast of one edition: its file, what people send and when, and who plays what."""

    edition: str
    seed: int
    edition_file: Path
    offers_file: Path
    registrations: tuple[tuple[date, Path], ...]
    people: Mapping[str, Part]
    offers: tuple[OfferPart, ...]
    draws: date | None = None  # the day on which IFC draws the sample
    outage: tuple[datetime, datetime] | None = None  # no tick runs between these two moments

    def part(self, email: str) -> Part:
        """Return what this person plays."""
        return self.people.get(email, Part.SMOOTH)


def read_cast(edition: str) -> Cast:
    """Read the cast of an edition that ships with sample data."""
    editions = Path(str(files("editions")))
    folder = editions / "samples" / edition
    raw = tomllib.loads((folder / "cast.toml").read_text(encoding="utf-8"))
    registrations = sorted(folder.glob("registrations-*.csv"))
    return Cast(
        edition=edition,
        seed=raw["seed"],
        edition_file=editions / f"{edition}.toml",
        offers_file=folder / "offers.csv",
        registrations=tuple(
            (date.fromisoformat(path.stem.removeprefix("registrations-")), path) for path in registrations
        ),
        people={person["email"].lower(): Part(person["plays"]) for person in raw.get("people", ())},
        offers=tuple(_offer(part) for part in raw.get("offers", ())),
        draws=raw.get("draws"),
        outage=_outage(raw["outage"]) if "outage" in raw else None,
    )


def _outage(part: Mapping[str, datetime]) -> tuple[datetime, datetime]:
    """Read the local moments at which an outage begins and ends."""
    begins, ends = (part[name].replace(tzinfo=BRUSSELS).astimezone(UTC) for name in ("begins", "ends"))
    return begins, ends


def _offer(part: Mapping[str, object]) -> OfferPart:
    days = part.get("days", ())
    if not isinstance(days, list | tuple) or not isinstance(part["on"], date):
        raise TypeError(part["reference"])
    return OfferPart(
        reference=str(part["reference"]),
        plays=str(part["plays"]),
        on=part["on"],
        days=tuple(days),
        reason=str(part.get("reason", "")),
    )


def sample_editions() -> tuple[str, ...]:
    """Return the editions that have sample data, the newest first."""
    samples = Path(str(files("editions"))) / "samples"
    return tuple(sorted((path.name for path in samples.iterdir() if path.is_dir()), reverse=True))
