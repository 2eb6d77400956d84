"""The best of many noisy scores overstates itself: by how much, and what it is worth without that."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.poisson import unit_weights

__all__ = ["BestOf", "best_of", "disagreement", "expected_maximum", "expected_optimism"]

_REPLICATES = 200
_CHUNK = 1 << 16  # rows at once: their weights take 13 MB for 200 replicates


@dataclass(frozen=True, slots=True)
class BestOf:
    """The best of `candidates` scored on the same `rows`.

    `score` is its mean over the rows, `corrected` what it is worth on rows that it was not chosen on. `disagreement` is
    ψ, `expected` the optimism that the formula gives for candidates of equal quality: unequal ones have less.
    """

    candidates: int
    rows: int
    score: float
    corrected: float
    disagreement: float
    expected: float


def best_of(
    scores: NDArray[np.float64],
    units: NDArray[np.uint64],
    *,
    minimize: bool,
    replicates: int = _REPLICATES,
    seed: int = 0,
) -> BestOf:
    """Correct the best of candidates for having been chosen on the rows that it is scored on.

    `scores` [candidates, rows] is what each candidate scored on each row; `units` [rows] are as of `row_identities`,
    and rows of one unit stay together. In each replicate of the bootstrap of units the best candidate is chosen by the
    weighted rows, and scored on the rows left out; the mean over replicates is the corrected score (bootstrap bias
    corrected cross-validation: Tsamardinos, Greasidou and Borboudakis 2018). It says what the procedure of choosing is
    worth, and so is slightly pessimistic where choosing on all rows is better than on those of a replicate.

    InvalidInput for fewer than 2 units, and for scores that are not finite.
    """
    count, n = scores.shape
    if n != len(units) or len(np.unique(units)) < 2:
        raise InvalidInput(f"{n} rows of {len(np.unique(units))} units", expected="rows of at least 2 units")
    if not np.isfinite(scores).all():
        raise InvalidInput("a score is not finite", expected="a finite number for every candidate and row")
    sign = 1.0 if minimize else -1.0
    inside = np.zeros((replicates, count))
    weight = np.zeros((replicates, 1))
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        weights = unit_weights(units[part], replicates, seed).astype(np.float64)
        inside += weights @ scores[:, part].T
        weight += weights.sum(axis=1, keepdims=True)
    chosen = np.argmin(sign * inside / np.maximum(weight, 1.0), axis=1)
    outside, left = np.zeros(replicates), np.zeros(replicates)
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        left_out = unit_weights(units[part], replicates, seed) == 0
        for replicate in range(replicates):
            outside[replicate] += scores[chosen[replicate], part] @ left_out[replicate]
        left += left_out.sum(axis=1)
    usable = (left > 0) & (weight[:, 0] > 0)
    means = scores.mean(axis=1)
    psi = disagreement(scores)
    return BestOf(
        candidates=count,
        rows=n,
        score=float(means.min() if minimize else means.max()),
        corrected=float((outside[usable] / left[usable]).mean()),
        disagreement=psi,
        expected=expected_optimism(count, n, psi),
    )


def disagreement(scores: NDArray[np.float64]) -> float:
    """ψ: the mean over pairs of candidates of their mean squared difference on the same rows; 0 for one candidate.

    For scores of 0 and 1 it is the share of rows on which two candidates differ in being right.
    """
    if len(scores) < 2:
        return 0.0
    return float(2.0 * scores.var(axis=0, ddof=1).mean())


def expected_optimism(candidates: int, rows: int, psi: float) -> float:
    """How much the best of candidates of equal quality overstates itself: E_max(candidates) · √(ψ / (2 · rows))."""
    return expected_maximum(candidates) * math.sqrt(psi / (2 * rows))


def expected_maximum(count: int) -> float:
    """The expected maximum of `count` independent standard normals, by the trapezoid rule; InvalidInput below 1."""
    if count < 1:
        raise InvalidInput(f"the maximum of {count} numbers", expected="at least 1")
    from scipy.special import log_ndtr

    x = np.linspace(-12.0, 12.0, 24_001)
    density = count * np.exp((count - 1) * log_ndtr(x) - x * x / 2) / math.sqrt(2 * math.pi)
    return float(np.trapezoid(x * density, x))
