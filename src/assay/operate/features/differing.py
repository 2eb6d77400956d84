"""Where what was served is not what training would have computed, and of which kind each difference is.

Values are compared as the model gets them, floats bit by bit: there is no tolerance to argue about.
"""

import math
import struct
from typing import Literal, TypeAlias

import msgspec

from assay.operate.features.lookup import Value

__all__ = ["KINDS", "Kind", "Said", "kind_of", "same"]

Kind: TypeAlias = Literal[
    "value",
    "older row",
    "missing online",
    "missing offline",
    "expired on one side",
    "type or precision",
    "wrong version",
    "late write",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined] # of a Literal
_AS_FLOAT32 = 2.0**-23  # of a number, to which 32 bits know it


class Said(msgspec.Struct, frozen=True):
    """What one side says of a feature: the value as the model gets it, the status, and the time of the row used."""

    value: Value
    status: str
    ts: int | None


def same(first: Value, second: Value) -> bool:
    """Whether a model gets the same: texts are equal, floats have the same bits."""
    if first == second and first != 0.0:  # most by far; zeros have signs
        return type(first) is type(second)
    if isinstance(first, float) and isinstance(second, float):
        return struct.pack("<d", first) == struct.pack("<d", second)
    return type(first) is type(second) and first == second


def kind_of(served: Said, offline: Said) -> Kind:
    """The kind of a difference; `offline` is what was to be served, from the rows that had arrived."""
    if (served.status == "expired") != (offline.status == "expired"):
        return "expired on one side"
    if served.status != "present" and offline.status == "present":
        return "missing online"
    if served.status == "present" and offline.status != "present":
        return "missing offline"
    if _nearly(served.value, offline.value):
        return "type or precision"
    if served.ts is not None and offline.ts is not None and served.ts < offline.ts:
        return "older row"
    return "value"


def _nearly(served: Value, offline: Value) -> bool:
    """The same number in another type: as text, cut to a whole number, or with the digits of 32 bits."""
    try:
        one, two = float(served), float(offline)  # type: ignore[arg-type] # None raises too
    except (TypeError, ValueError):
        return False
    if not (math.isfinite(one) and math.isfinite(two)):
        return one == two
    return abs(one - two) <= _AS_FLOAT32 * max(abs(one), abs(two)) or one == math.trunc(two) != 0
