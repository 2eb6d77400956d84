"""Months in UTC, by name such as 2026-01: the periods of KPIs and values."""

from datetime import UTC, datetime

from assay.errors import InvalidInput
from assay.record.clock import written_moment
from assay.steer.facts import MONTHS

__all__ = ["end_of", "month_after", "month_given", "month_of", "months_between", "start_of", "words_of"]


def month_of(moment: datetime) -> str:
    """The month of a moment."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def start_of(month: str) -> datetime:
    """Its first moment."""
    return datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)


def end_of(month: str) -> datetime:
    """The first moment after it."""
    return start_of(month_after(month))


def month_after(month: str, by: int = 1) -> str:
    """The month so many months later."""
    year, number = map(int, month.split("-"))
    places = year * 12 + number - 1 + by
    return f"{places // 12:04}-{places % 12 + 1:02}"


def months_between(first: str, last: str) -> list[str]:
    """All months from the first to the last, both of them too."""
    found = []
    while first <= last:
        found.append(first)
        first = month_after(first)
    return found


def words_of(month: str) -> str:
    """The month as people say it: January 2026."""
    year, number = month.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def month_given(text: str | None, what: str) -> str | None:
    """The month that a text such as 2026-01 or 2026-01-15 says; InvalidInput for others."""
    if text is None:
        return None
    found = written_moment(f"{text}-01" if len(text) == len("2026-01") else text)
    if found is None:
        raise InvalidInput(f"{what} is {text!r}", expected="a month such as 2026-01")
    return month_of(found)
