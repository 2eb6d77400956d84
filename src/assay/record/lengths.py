"""Lengths of time as people write them: "90s", "30m", "12h", "1d" or "2w"."""

from datetime import UTC, datetime, timedelta

from assay.errors import InvalidInput

__all__ = ["FORM", "GRID", "UNITS", "checked_length", "written_length"]

GRID = datetime(1970, 1, 5, tzinfo=UTC)
"""Windows of time begin here and at whole lengths from here: a Monday, so that weeks begin on one."""

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # in seconds
FORM = 'a timedelta, or a text such as "90s", "30m", "12h", "1d" or "2w"'
_MOST_DIGITS = 6


def written_length(text: str) -> timedelta | None:
    """The length that a text says, a whole number and the first letter of its unit; None for any other text."""
    amount, unit = text[:-1], text[-1:]
    if amount.isascii() and amount.isdecimal() and unit in UNITS and len(amount) <= _MOST_DIGITS:
        return timedelta(seconds=int(amount) * UNITS[unit])
    return None


def checked_length(text: str, what: str, *, where: str | None = None, zero: bool = True) -> timedelta:
    """The length that a text says; InvalidInput for any other text, called `what`, and for 0 without `zero`."""
    found = written_length(text)
    if found is None or not (found or zero):
        raise InvalidInput(f"{what} is {text!r}", where=where, expected=FORM)
    return found
