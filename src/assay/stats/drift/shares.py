"""Distances of two lists of counts by the same cells: the formulas, without a profile around them.

[cells] each, of the same cells in the same order, both with rows; a cell may be empty in one or both. NaN where one
side has no rows.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.stats.stability_index import stability_index

__all__ = ["chi_square", "hellinger", "jensen_shannon", "ks", "largest_share", "population_stability", "wasserstein"]

Floats = NDArray[np.float64]


def ks(before: ArrayLike, after: ArrayLike) -> float:
    """The largest distance of the two distribution functions over ordered cells (Kolmogorov 1933, Smirnov 1939)."""
    p, q = _shares(before, after)
    return float(np.abs(np.cumsum(p) - np.cumsum(q)).max(initial=0.0)) if len(p) else math.nan


def wasserstein(places: ArrayLike, before: ArrayLike, after: ArrayLike) -> float:
    """The mean distance that mass must move, ∫|F − G|, where the cells stand at increasing `places`, in their unit."""
    p, q = _shares(before, after)
    if not len(p):
        return math.nan
    gaps = np.diff(np.asarray(places, dtype=np.float64))
    return float(np.sum(np.abs(np.cumsum(p) - np.cumsum(q))[:-1] * gaps))


def jensen_shannon(before: ArrayLike, after: ArrayLike, base: float = 2.0) -> float:
    """√(½ KL(p‖m) + ½ KL(q‖m)) with m = (p + q)/2 (Endres & Schindelin 2003): 0 to 1 in base 2."""
    p, q = _shares(before, after)
    if not len(p):
        return math.nan
    middle = (p + q) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(p > 0, p * np.log(p / middle), 0.0) + np.where(q > 0, q * np.log(q / middle), 0.0)
    return math.sqrt(max(0.0, float(parts.sum())) / 2.0 / math.log(base))


def hellinger(before: ArrayLike, after: ArrayLike) -> float:
    """√(½ Σ(√p − √q)²), from 0 to 1."""
    p, q = _shares(before, after)
    return math.sqrt(float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)) / 2.0) if len(p) else math.nan


def population_stability(before: ArrayLike, after: ArrayLike) -> float:
    """PSI, as `stats.stability_index`."""
    p, _ = _shares(before, after)
    return stability_index(before, after) if len(p) else math.nan


def chi_square(before: ArrayLike, after: ArrayLike) -> float:
    """Pearson's X² of the table with two rows, without continuity correction; cells − 1 in the mean by chance."""
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    n, m, both = float(a.sum()), float(b.sum()), a + b
    if not n or not m:
        return math.nan
    a, b, both = a[both > 0], b[both > 0], both[both > 0]
    return float(np.sum((a * math.sqrt(m / n) - b * math.sqrt(n / m)) ** 2 / both))


def largest_share(before: ArrayLike, after: ArrayLike) -> float:
    """max |p − q|, the L∞ distance."""
    p, q = _shares(before, after)
    return float(np.abs(p - q).max(initial=0.0)) if len(p) else math.nan


def _shares(before: ArrayLike, after: ArrayLike) -> tuple[Floats, Floats]:
    """The shares of both; of no cells where one has no rows."""
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    n, m = float(a.sum()), float(b.sum())
    if not n or not m:
        return np.zeros(0), np.zeros(0)
    return a / n, b / m
