"""Sums that are exact: numbers are cut into digits of 32 bits, which are added as integers; the end is rounded once.

So neither order nor batches nor threads can change a sum of floats: it is the double nearest to the true sum, as
`math.fsum` gives it.
"""

from collections.abc import Iterator, Sequence
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["Digits", "float_digits", "nearest", "whole_digits", "whole_sums"]

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
# (exponent, rows, digits): the values of the rows are sums of digit * 2**exponent; rows is None where all have a digit.
Digits: TypeAlias = Iterator[tuple[int, Integers | None, Integers]]

_BITS = 32  # of a digit: 2**31 of them can be added in 64 bits
_LOW = 2**_BITS - 1
_SPARE = 11  # what 64 bits have more than the 53 of a double
_SCALES = 1000  # 2.0**exponent is a double for all exponents up to there


def whole_digits(values: Integers | NDArray[np.uint64]) -> Digits:
    """The one or two digits of whole numbers, greatest first."""
    if not len(values):
        return
    if values.min() >= -(2**31) and values.max() < 2**31:
        yield 0, None, values.astype(np.int64, copy=False)
        return
    bits, low = values.dtype.type(_BITS), values.dtype.type(_LOW)
    yield _BITS, None, (values >> bits).astype(np.int64, copy=False)
    yield 0, None, (values & low).astype(np.int64, copy=False)


def float_digits(values: Floats) -> Digits:
    """The digits of finite numbers, greatest first, exponents 32 apart and none left out.

    There are as many as lie between the largest number and the last bit of any: three or four for most columns.
    """
    rest, rows = values, None
    exponent = int(np.frexp(np.abs(rest).max(initial=0.0))[1]) - _BITS
    while len(rest):
        here = np.trunc(_scaled(rest, -exponent))
        yield exponent, rows, here.astype(np.int64)
        rest = rest - _scaled(here, exponent)
        left = rest != 0
        if np.count_nonzero(left) * 2 < len(rest):
            kept = np.flatnonzero(left)
            rest, rows = rest[kept], kept if rows is None else rows[kept]
        exponent -= _BITS


def nearest(sums: Sequence[Integers], lowest: int) -> Floats:
    """The doubles nearest to the sum of sums[i] · 2**exponent, ties to even; infinite where no double is as large.

    `sums` have falling exponents, 32 apart, the last one `lowest`. Above 2**-1022 any sum is rounded right, below
    it sums of doubles and of whole numbers, which need no rounding there.
    """
    rows = len(sums[0])
    signed = _carried([np.zeros(rows, np.int64), *sums])
    sign = np.where(signed[0] < 0, -1, 1)
    lines = np.stack(_carried([line * sign for line in signed]) + [np.zeros(rows, np.int64)] * 2)
    first = np.argmax(lines != 0, axis=0)
    first = np.minimum(first, len(lines) - 3)
    further = np.maximum.accumulate(lines[::-1], axis=0)[::-1]  # whether anything is in a line or below
    high, middle, low = (_line(lines, first + step).astype(np.uint64) for step in range(3))
    has_more = _line(np.vstack([further, np.zeros((1, rows), np.int64)]), first + 3) > 0
    # All 64 bits from the leading one on; whether anything stands below is kept in the last.
    up = (_BITS - np.frexp(high.astype(np.float64))[1]).astype(np.uint64)
    down = np.uint64(_BITS) - up
    bits = (high << np.uint64(_BITS) | middle) << up | low >> down
    bits |= (has_more | ((low & ((np.uint64(1) << down) - np.uint64(1))) != 0)).astype(np.uint64)
    kept, rest = bits >> np.uint64(_SPARE), bits & np.uint64(2**_SPARE - 1)
    half = np.uint64(2 ** (_SPARE - 1))
    kept += ((rest > half) | ((rest == half) & (kept & np.uint64(1) == 1))).astype(np.uint64)
    exponent = lowest + _BITS * (len(lines) - 4 - first) + _SPARE - up.astype(np.int64)
    with np.errstate(over="ignore"):
        return cast("Floats", sign * np.ldexp(kept.astype(np.float64), exponent))


def whole_sums(sums: Sequence[Integers]) -> tuple[Integers, NDArray[np.bool_]]:
    """Sums of whole numbers (one or two digits) as they are, and which of them do not fit into 64 bits."""
    if len(sums) == 1:
        return sums[0], np.zeros(len(sums[0]), bool)
    high, low = _carried(list(sums))
    return (high << _BITS) | low, (high < -(2**31)) | (high >= 2**31)


def _carried(lines: list[Integers]) -> list[Integers]:
    """The same sums with all lines but the first from 0 to 2**32 - 1."""
    carried = lines[:]
    for place in range(len(lines) - 1, 0, -1):
        carried[place - 1] = carried[place - 1] + (carried[place] >> _BITS)
        carried[place] = carried[place] & _LOW
    return carried


def _line(lines: Integers, places: Integers) -> Integers:
    return lines[places, np.arange(len(places))]


def _scaled(values: Floats, exponent: int) -> Floats:
    return values * 2.0**exponent if abs(exponent) <= _SCALES else np.ldexp(values, exponent)
