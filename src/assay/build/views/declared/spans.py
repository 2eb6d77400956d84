"""Lengths of time that people write, such as "30d", in whole microseconds."""

from datetime import timedelta
from typing import TypeAlias

from assay.errors import InvalidInput
from assay.record.lengths import FORM, UNITS, written_length

__all__ = ["Length", "microseconds", "span_text", "spoken"]

Length: TypeAlias = str | timedelta
_MICROSECOND = timedelta(microseconds=1)


def microseconds(given: object, what: str) -> int:
    """A length as microseconds; InvalidInput for what is no length, or a negative one."""
    found = given if isinstance(given, timedelta) else None
    if isinstance(given, str):
        found = written_length(given)
    if found is None or found < timedelta(0):
        raise InvalidInput(f"{what} is {given!r}", expected=FORM)
    return found // _MICROSECOND


def span_text(length_us: int) -> str:
    """The length as it is written, in the greatest unit that it is a whole number of."""
    for unit in ("d", "h", "m", "s"):
        whole, rest = divmod(length_us, UNITS[unit] * 1_000_000)
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{length_us / 1e6:g}s"


def spoken(length_us: int | None) -> str | None:
    """The same, and None for none."""
    return None if length_us is None else span_text(length_us)
