"""How a fact of the summary stands on the page: shortened for people, and in full with its place in the JSON.

Every number of the report goes through `Facts.show`, so that what is shown cannot differ from what was recorded.
"""

import math
from collections.abc import Callable
from datetime import date

import msgspec
from markupsafe import Markup

__all__ = ["FORMATS", "MONTHS", "Facts"]

_MINUS = "−"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_LARGE = 1e7
_SMALL = 1e-3
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class Facts:
    """The summary as plain values, found by a path such as `refused.delta` or `runs.3.seconds`.

    A key that itself holds a dot is written with ~1 for the dot and ~0 for the tilde.
    """

    def __init__(self, summary: msgspec.Struct) -> None:
        self._content = msgspec.to_builtins(summary)

    def value(self, path: str) -> object:
        """The value at a path; KeyError or IndexError where there is none."""
        found = self._content
        for part in path.split("."):
            key = part.replace("~1", ".").replace("~0", "~")
            found = found[int(key)] if isinstance(found, list) else found[key]
        return found

    def show(self, path: str, form: str) -> Markup:
        """A `<data>` element with the value in the given form; a dash in words where it is null."""
        value = self.value(path)
        if value is None or (isinstance(value, float) and not math.isfinite(value)):  # as in the JSON
            return Markup('<span class="none">none</span>')
        full = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return Markup('<data value="{}" data-path="{}">{}</data>').format(full, path, FORMATS[form](value))

    @staticmethod
    def key(name: str) -> str:
        """A key of a mapping as part of a path."""
        return name.replace("~", "~0").replace(".", "~1")


def _count(value: float) -> str:
    return f"{value:,.0f}".replace("-", _MINUS)


def _decimals(places: int, *, signed: bool = False) -> Callable[[float], str]:
    return lambda value: f"{value:{'+' if signed else ''},.{places}f}".replace("-", _MINUS)


def _scientific(value: float) -> str:
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa.replace('-', _MINUS)} × 10{str(int(power)).translate(_SUPERSCRIPT)}"


def _probability(value: float) -> str:
    if value == 0:
        return "0"
    return _scientific(value) if value < _SMALL else f"{value:.3f}"


def _measured(value: float) -> str:
    """A number of which only the size is known: whole ones as counts, others with four digits that mean something."""
    if value == 0 or (float(value).is_integer() and abs(value) < _LARGE):
        return _count(value)
    if abs(value) >= _LARGE or abs(value) < _SMALL:
        return _scientific(value)
    places = max(0, 3 - math.floor(math.log10(abs(value))) - (abs(value) < 1))
    return _decimals(places)(value)


def _evidence(value: float) -> str:
    return _count(value) if value < _LARGE else _scientific(value)


def _seconds(value: float) -> str:
    return _decimals(3 if value < 10 else 1)(value)


def _day(value: str) -> str:
    day = date.fromisoformat(value[:10])
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


FORMATS: dict[str, Callable[..., str]] = {
    "count": _count,
    "day": _day,
    "evidence": _evidence,
    "hash": lambda value: value[:12],
    "id": lambda value: value[:8],
    "measured": _measured,
    "moment": lambda value: value[:16].replace("T", " "),
    "percent": lambda value: f"{100 * value:g}",
    "probability": _probability,
    "plain": lambda value: f"{value:g}",
    "score": _decimals(3),
    "seconds": _seconds,
    "signed": _decimals(4, signed=True),
    "text": str,
    "value": _decimals(4),
}
