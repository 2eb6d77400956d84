"""Values of small segments, drawn towards what their columns say together: for display and ranking, never for verdicts.

A segment of 12 rows has a value that is mostly chance. Segments of one kind (all origins, all pairs of origin and
carrier) are taken as draws around an additive model, and each is moved towards it by the part of its distance that
chance explains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats.segment import Segment

__all__ = ["Pooled", "pool"]

_SINGULAR = 1e-10  # a part of the largest pivot: below it an effect is not told from others
_FEWEST = 3  # segments beyond those the additive model uses up; with fewer there is nothing to learn from the others


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Pooled values [segments], their standard errors, and the weight (0 to 1) that each segment's own value kept."""

    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    weight: NDArray[np.float64]


def pool(segments: Sequence[Segment], values: ArrayLike, standard_errors: ArrayLike) -> Pooled:
    """Empirical-Bayes estimates of values [segments] with their standard errors, kind of segment by kind.

    Model, for the segments crossing the same columns: value = θ + error, θ = overall + one effect for each value of
    each column + u, with errors of the variance se² and u of the variance τ². τ² by moments (DerSimonian and Laird
    1986, with covariates), effects by weighted least squares with 1/(τ² + se²), θ by its posterior mean: own value · w
    + model · (1 − w), w = τ²/(τ² + se²) (Fay and Herriot 1979, JASA 74:269; Herlihy et al. 2024 on segments). The
    squared standard error is w·se² + (1 − w)²·(variance of the model's prediction); that of τ² itself is not in it.

    A standard error of infinity or NaN gives the segment the model's prediction. Where a value is NaN, or fewer than 3
    segments are left beyond the effects of the columns, nothing is pooled: the values come back as they are, with
    weight 1. Errors are taken as independent, which overlapping kinds of segments are not; they are never pooled
    together.

    InvalidInput for unequal lengths and standard errors of 0 or less.
    """
    value, error = np.asarray(values, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    if not len(segments) == len(value) == len(error):
        raise InvalidInput(
            f"{len(segments)} segments, {len(value)} values and {len(error)} standard errors",
            expected="as many of each",
        )
    if np.any(error <= 0):
        raise InvalidInput("a standard error is 0 or less", expected="more than 0; NaN where it is unknown")
    error = np.where(np.isnan(error), np.inf, error)
    pooled, spread, weight = value.copy(), error.copy(), np.ones(len(value))
    kinds: dict[tuple[str, ...], list[int]] = {}
    for place, segment in enumerate(segments):
        if np.isfinite(value[place]):
            kinds.setdefault(tuple(column for column, _ in segment.conditions), []).append(place)
    for places in kinds.values():
        at = np.asarray(places)
        found = _pooled(_design([segments[place] for place in places]), value[at], error[at])
        if found is not None:
            pooled[at], spread[at], weight[at] = found.value, found.standard_error, found.weight
    return Pooled(pooled, np.where(np.isfinite(spread), spread, np.nan), weight)


def _design(segments: Sequence[Segment]) -> NDArray[np.float64]:
    """[segments, effects]: 1 for all, and for each value of each column but the first value, which is the measure."""
    crossed = len(segments[0].conditions) > 1  # the only column's values are the segments themselves: no effects then
    values = [sorted(set(pairs)) for pairs in zip(*(segment.conditions for segment in segments), strict=True)]
    effects = [value for column in values for value in column[1:]] if crossed else []
    number = {value: place for place, value in enumerate(effects, 1)}
    design = np.zeros((len(segments), len(number) + 1))
    design[:, 0] = 1.0
    for row, segment in enumerate(segments):
        for condition in segment.conditions:
            if condition in number:
                design[row, number[condition]] = 1.0
    return design


def _pooled(design: NDArray[np.float64], value: NDArray[np.float64], error: NDArray[np.float64]) -> Pooled | None:
    """None where the model leaves too few segments to learn from."""
    measured = np.isfinite(error)
    x, y, variance = design[measured], value[measured], error[measured] ** 2
    if len(x) < _FEWEST + 1:
        return None
    inverse, rank = _inverse(x, 1.0 / variance)
    if len(x) - rank < _FEWEST:
        return None
    between = _between(x, y, variance, inverse, len(x) - rank)
    precision = 1.0 / (between + variance)
    if between > 0:
        inverse, _ = _inverse(x, precision)
    model = design @ (inverse @ (x.T @ (precision * y)))
    prediction = np.sum((design @ inverse) * design, axis=1)
    own = np.where(measured, error, 1.0) ** 2
    weight = np.where(measured, between / (between + own), 0.0)
    # An unmeasured segment is a new draw around the model: the whole of τ² is unknown of it.
    kept = np.where(measured, weight * own, between)
    return Pooled(
        np.where(measured, weight * value + (1.0 - weight) * model, model),
        np.sqrt(kept + (1.0 - weight) ** 2 * np.maximum(prediction, 0.0)),
        weight,
    )


def _between(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    variance: NDArray[np.float64],
    inverse: NDArray[np.float64],
    freedom: int,
) -> float:
    """τ² = max(0, (Q − freedom)/(Σw − tr((X'WX)⁻¹X'W²X))), w = 1/variance, Q the weighted squares around the model."""
    precision = 1.0 / variance
    rest = y - x @ (inverse @ (x.T @ (precision * y)))
    excess = float(np.sum(precision * rest**2)) - freedom
    scale = float(np.sum(precision) - np.sum(precision**2 * np.sum((x @ inverse) * x, axis=1)))
    return max(0.0, excess / scale) if scale > 0 else 0.0


def _inverse(x: NDArray[np.float64], precision: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
    """(X'WX)⁻¹ and its rank; the pseudo-inverse where values never occur together, or one column tells another's."""
    scale = float(np.mean(precision))
    squares = x.T @ (precision[:, None] / scale * x)
    try:
        pivots = np.diagonal(np.linalg.cholesky(squares)) ** 2
        if pivots.min() > _SINGULAR * pivots.max():
            return np.asarray(np.linalg.inv(squares) / scale, dtype=np.float64), len(squares)
    except np.linalg.LinAlgError:
        pass  # not positive definite: the effects are not told apart
    inverse = np.linalg.pinv(squares, rcond=_SINGULAR, hermitian=True)
    rank = int(np.linalg.matrix_rank(squares, tol=_SINGULAR * float(np.abs(squares).max()), hermitian=True))
    return np.asarray(inverse / scale, dtype=np.float64), rank
