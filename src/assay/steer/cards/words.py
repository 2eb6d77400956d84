"""How numbers, days and states are said in cards and dossiers."""

from datetime import date, datetime

from assay.steer.cards.document import Said, Section, has_expired
from assay.steer.facts import MONTHS

__all__ = ["coverage_words", "day", "estimate", "last_said", "said_by", "short"]

_SHORT = 12


def day(text: str | None) -> str:
    """The day of a time of the store in words; empty for none."""
    if not text:
        return ""
    found = date.fromisoformat(text[:10])
    return f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def coverage_words(section: Section, at: datetime) -> str:
    """How a section is covered: filled from records, filled by a person on a day, or empty."""
    said = last_said(section, at)
    person = f"by {said.owner} on {day(said.ts)}" if said else ""
    if section.has_records:
        return "filled from records" + (f", and {person}" if person else "")
    return f"filled {person}" if person else "empty"


def last_said(section: Section, at: datetime) -> Said | None:
    """What a person said last in a section, of what still counts."""
    said = [one.said for one in section.asked if one.said and not has_expired(one.said, at)]
    return max(said, key=lambda one: one.ts, default=None)


def said_by(said: Said) -> str:
    """Who said it, when, and until when it counts."""
    until = f", valid until {day(said.valid_until)}" if said.valid_until else ""
    return f"Said by {said.owner} on {day(said.ts)}{until}"


def estimate(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval, which few rows do not give; a dash where it is not defined."""
    if value is None:
        return "–"
    number = f"{value:.4f}"
    return f"{number} ({low:.4f} to {high:.4f})" if low is not None and high is not None else f"{number} (no interval)"


def short(digest: str) -> str:
    """The first characters of a hash."""
    return digest[:_SHORT]
