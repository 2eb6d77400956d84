"""Found slices: where a model is worst, or worse than another, searched on one half of the rows and tested on the
other.

A search among thousands of slices finds a bad one by chance. Rows are therefore split by the bucket of their unit: even
buckets discover, odd ones confirm. What is found in the first half is tested once on the second, with Holm over what
was found; both figures are reported. The search is that of SliceLine (Sagadeeva and Boehm, SIGMOD 2021) in two
points: it goes level by level, and a slice must be larger than a minimum and worse than the rows it was made from.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.grouping import Integers, compress, sum_by
from assay.stats.jackknife import MINIMUM_BUCKETS
from assay.stats.multiplicity import holm
from assay.stats.segment import Segment
from assay.stats.segmentation import CodedColumns
from assay.stats.sums import FRACTION_BITS

__all__ = ["FoundSlice", "find_slices"]

Floats = NDArray[np.float64]

_MOST_VALUES = 1000
_MOST_PARENTS = 50  # of a level, that are crossed further
_LEAST_T = 2.0  # on the discovery half; with less there is nothing to confirm
_NOT_SKEWED = 1e-6  # below it the correction is smaller than its rounding
_SAME = 0.9  # of the rows of both: then the worse slice says nothing new


@dataclass(frozen=True, slots=True)
class FoundSlice:
    """A slice of the rows, worse on the discovery half, and what the other half says.

    `effect` is the mean loss of the slice minus that of all other rows (kind "loss"), or the mean loss of the candidate
    minus the baseline's in the slice (kind "difference"); above 0 it is worse. [`low`, `high`] is its two-sided
    interval at confidence 1 − 2 alpha on the confirmation half, `p` the one-sided P-value of "not worse", `p_holm`
    after Holm over the found slices; `confirmed` where that is at most alpha.
    """

    segment: Segment
    n_discovery: int
    effect_discovery: float
    n: int
    effect: float
    low: float
    high: float
    p: float
    p_holm: float
    confirmed: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Half:
    """One half of the rows: codes by column, losses in fixed point, buckets renumbered from 0."""

    codes: tuple[Integers, ...]
    loss: Integers
    bucket: Integers
    buckets: int


@dataclass(frozen=True, slots=True)
class _Candidate:
    conditions: tuple[tuple[int, int], ...]  # (column, code), columns increasing
    n: int
    effect: float
    t: float


def find_slices(
    coded: CodedColumns,
    loss: Floats,
    bucket: Integers,
    *,
    find: int = 8,
    level: int = 3,
    kind: Literal["loss", "difference"] = "loss",
    minimum_rows: int | None = None,
    alpha: float = 0.05,
) -> list[FoundSlice]:
    """At most `find` slices of up to `level` columns, the surest on the discovery half first.

    `loss` [n] is a finite number per row, larger is worse: a loss, or for kind "difference" the candidate's minus the
    baseline's. `bucket` [n] is a hash of each row's unit. Slices are ranked by t, their effect over its standard error
    from the discovery buckets, so that neither a tiny slice with a large effect nor a large one with none comes first.
    Slices of fewer than `minimum_rows` (by default 30 or 1 in 200) are not looked at, nor those that share nine tenths
    of their rows with a better one.

    The test is Student's t over buckets, corrected for skewed losses (Hall 1992) where that is the weaker evidence: of
    a candidate that is mostly a little worse and seldom much better, t alone confirms a slice in 15 % of runs where
    there is nothing.

    InvalidInput for numbers that are not finite, other lengths, a column of more than 1,000 values, `find` below 1
    and a `level` other than 1 to 3.
    """
    _check(coded, loss, bucket, find, level)
    fixed = np.rint(loss * 2.0**FRACTION_BITS).astype(np.int64)
    halves = [_half(coded, fixed, bucket, parity) for parity in (0, 1)]
    discovery, confirmation = halves
    least = minimum_rows if minimum_rows is not None else max(30, len(discovery.loss) // 200)
    chosen = _search(discovery, find, level, kind, least)
    found = [_tested(coded, one, confirmation, kind, alpha) for one in chosen]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_holm=p, confirmed=p <= alpha) for one, p in zip(found, adjusted, strict=True)]


def _check(coded: CodedColumns, loss: Floats, bucket: Integers, find: int, level: int) -> None:
    if find < 1:
        raise InvalidInput(f"{find!r} slices to find", expected="1 or more")
    if level not in (1, 2, 3):
        raise InvalidInput(f"slices of {level!r} columns", expected="1, 2 or 3")
    if loss.shape != (coded.rows,) or bucket.shape != (coded.rows,):
        raise InvalidInput(
            f"{len(loss)} losses and {len(bucket)} buckets for {coded.rows} rows", expected="one of each for each row"
        )
    wrong = np.flatnonzero(~np.isfinite(loss))
    if len(wrong):
        raise InvalidInput(f"{len(wrong)} losses are not finite; the first is in row {wrong[0]}", expected="numbers")
    for name, values in zip(coded.names, coded.values, strict=True):
        if len(values) > _MOST_VALUES:
            raise InvalidInput(
                f"{name} has {len(values):,} values", expected=f"at most {_MOST_VALUES:,}", hint="leave it out"
            )


def _half(coded: CodedColumns, loss: Integers, bucket: Integers, parity: int) -> _Half:
    inside = bucket % 2 == parity
    distinct, renumbered = np.unique(bucket[inside], return_inverse=True)
    codes = tuple(column[inside] for column in coded.codes)
    return _Half(codes, loss[inside], renumbered.astype(np.int64).reshape(-1), len(distinct))


def _search(half: _Half, find: int, level: int, kind: str, least: int) -> list[_Candidate]:
    if not len(half.loss) or half.buckets < MINIMUM_BUCKETS:
        return []
    columns = range(len(half.codes))
    singles = [one for column in columns for one in _scored(half, (column,), kind, least)]
    found, parents = list(singles), singles
    for size in range(2, level + 1):
        parents = sorted(parents, key=_order)[:_MOST_PARENTS]
        wanted = {tuple(column for column, _ in parent.conditions) for parent in parents}
        crosses = sorted(
            {
                tuple(sorted({*some, column}))
                for some, column in itertools.product(wanted, columns)
                if column not in some
            }
        )
        better = {parent.conditions: parent.effect for parent in parents}
        grown = []
        for cross in crosses:
            for one in _scored(half, cross, kind, least):
                below = [better.get(some) for some in itertools.combinations(one.conditions, size - 1)]
                above = [effect for effect in below if effect is not None]
                if above and one.effect > max(above):  # worse than what it was made from, or it says nothing new
                    grown.append(one)
        found, parents = found + grown, grown
    ranked = sorted((one for one in found if one.t > _LEAST_T), key=_order)
    chosen: list[_Candidate] = []
    masks: list[NDArray[np.bool_]] = []
    for one in ranked:
        mask = _rows(half, one)
        if all((mask & other).sum() < _SAME * max(mask.sum(), other.sum()) for other in masks):
            chosen.append(one)
            masks.append(mask)
        if len(chosen) == find:
            break
    return chosen


def _order(one: _Candidate) -> tuple[float, int, tuple[tuple[int, int], ...]]:
    return (-one.t, len(one.conditions), one.conditions)


def _rows(half: _Half, one: _Candidate) -> NDArray[np.bool_]:
    mask = np.ones(len(half.loss), dtype=bool)
    for column, code in one.conditions:
        mask &= half.codes[column] == code
    return mask


def _scored(half: _Half, columns: tuple[int, ...], kind: str, least: int) -> list[_Candidate]:
    """Every slice of these columns that has enough rows, with its effect and how sure that is."""
    key = np.zeros(len(half.loss), dtype=np.int64)
    sizes = [int(half.codes[column].max(initial=0)) + 1 for column in columns]
    for column, size in zip(columns, sizes, strict=True):
        key = key * size + half.codes[column]
    total = int(np.prod(sizes))
    distinct, place = compress(key, total)
    n = sum_by(place, len(distinct))
    kept = np.flatnonzero((n >= least) & (n < len(half.loss)))
    if not len(kept):
        return []
    cell = place * half.buckets + half.bucket
    shape = (len(distinct), half.buckets)
    counts = sum_by(cell, shape[0] * shape[1]).reshape(shape)[kept]
    sums = sum_by(cell, shape[0] * shape[1], half.loss).reshape(shape)[kept]
    effect, error, _, _ = _effects(half, counts, sums, kind)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = effect / error
    found = []
    for index, slice_key in enumerate(distinct[kept].tolist()):
        codes, rest = [], slice_key
        for size in reversed(sizes):
            rest, code = divmod(rest, size)
            codes.append(code)
        conditions = tuple(zip(columns, reversed(codes), strict=True))
        if np.isfinite(t[index]):
            found.append(_Candidate(conditions, int(n[kept[index]]), float(effect[index]), float(t[index])))
    return found


def _effects(half: _Half, counts: Integers, sums: Integers, kind: str) -> tuple[Floats, Floats, Floats, Floats]:
    """Effect, standard error, degrees of freedom and skewness of slices, from counts and sums by bucket.

    A mean over buckets is a ratio of sums: its error is that of the sums of (loss − mean) by bucket, over n. The
    skewness is that of the effect, not of a row: Σ move³/(Σ move²)^1.5 over what the buckets ([slices, buckets]) move.
    """
    own, rest = _mean(counts, sums), None
    if kind == "loss":
        all_counts = sum_by(half.bucket, half.buckets)
        all_sums = sum_by(half.bucket, half.buckets, half.loss)
        rest = _mean(all_counts[None, :] - counts, all_sums[None, :] - sums)
    moves = own[1] if rest is None else own[1] - rest[1]
    effect = own[0] if rest is None else own[0] - rest[0]
    occupied = ((counts > 0).sum(axis=1) if rest is None else np.full(len(counts), half.buckets)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt((moves**2).sum(axis=1) * occupied / (occupied - 1.0))
        skewness = (moves**3).sum(axis=1) / (moves**2).sum(axis=1) ** 1.5
    error[occupied < MINIMUM_BUCKETS] = np.nan
    return effect, error, occupied - 1.0, skewness


def _mean(counts: Integers, sums: Integers) -> tuple[Floats, Floats]:
    """[slices] the mean, and [slices, buckets] by how much each bucket moves it."""
    n = counts.sum(axis=1, keepdims=True).astype(np.float64)
    mean = sums.sum(axis=1, keepdims=True) / n
    moves: Floats = (sums - mean * counts) / n / 2.0**FRACTION_BITS
    return mean[:, 0] / 2.0**FRACTION_BITS, moves


def _tested(coded: CodedColumns, one: _Candidate, half: _Half, kind: str, alpha: float) -> FoundSlice:
    names = [(coded.names[column], coded.values[column][code]) for column, code in one.conditions]
    mask = _rows(half, one)
    nothing = FoundSlice(
        Segment(tuple(names)), one.n, one.effect, int(mask.sum()), np.nan, np.nan, np.nan, 1.0, 1.0, False
    )
    if not mask.any() or mask.all():
        return nothing
    counts = sum_by(half.bucket[mask], half.buckets)[None, :]
    sums = sum_by(half.bucket[mask], half.buckets, half.loss[mask])[None, :]
    effects, errors, df, skewness = _effects(half, counts, sums, kind)
    effect, error, skew = float(effects[0]), float(errors[0]), float(skewness[0])
    if not math.isfinite(error) or error == 0.0:
        return replace(nothing, effect=effect)
    quantile = float(normal.t_quantiles(1.0 - alpha, df)[0])
    t = effect / error
    return replace(
        nothing,
        effect=effect,
        low=effect - error * max(quantile, _unskewed_inverse(quantile, skew)),
        high=effect + error * max(quantile, -_unskewed_inverse(-quantile, skew)),
        p=normal.t_upper_tail(min(t, _unskewed(t, skew)), float(df[0])),
    )


def _unskewed(t: float, skewness: float) -> float:
    """Hall's transformation of t, whose distribution is skewed where that of the losses is (Hall 1992, JRSS B 54:221).

    t + k(t²/3 + 1/6) + k²t³/27, with k the skewness of the mean: increasing in t.
    """
    return t + skewness * (t * t / 3.0 + 1.0 / 6.0) + skewness**2 * t**3 / 27.0


def _unskewed_inverse(value: float, skewness: float) -> float:
    """The t that `_unskewed` brings to `value`; it is a cube up to a constant."""
    if abs(skewness) < _NOT_SKEWED:
        return value
    return 3.0 / skewness * (math.cbrt(1.0 + skewness * (value - skewness / 6.0)) - 1.0)
