"""Newcombe's closed-form interval for the difference of two proportions on the same rows."""

import math

from assay.errors import InvalidInput
from assay.stats.intervals import Interval, wilson

__all__ = ["newcombe_paired"]


def newcombe_paired(both_right: float, b: float, c: float, both_wrong: float, confidence: float = 0.95) -> Interval:
    """Newcombe's square-and-add interval for Δ = (b − c)/n on a paired table; (−1, 1) where it is empty.

    `b` = candidate right and baseline wrong, `c` = the reverse. With the Wilson limits (l₁, u₁) and (l₂, u₂) of
    the two accuracies p₁, p₂ and the correlation φ of being right:
    L = Δ − √((p₁−l₁)² − 2φ(p₁−l₁)(u₂−p₂) + (u₂−p₂)²), U = Δ + √((u₁−p₁)² − 2φ(u₁−p₁)(p₂−l₂) + (p₂−l₂)²).
    φ is continuity-corrected where positive (Newcombe 1998, Stat Med 17:2635, method 10).

    Assumes independent rows. For display, because it is closed and needs no iteration: it is not the inversion of
    a test, so its ends need not agree with the P-values of `paired`; verdicts take `paired.tango_interval`.
    InvalidInput for a negative or infinite count.
    """
    table = (both_right, b, c, both_wrong)
    if not all(count >= 0 and math.isfinite(count) for count in table):
        raise InvalidInput(f"{table!r} is not a paired table", expected="four counts, 0 or more")
    n = both_right + b + c + both_wrong
    first, second = wilson(both_right + b, n, confidence), wilson(both_right + c, n, confidence)
    if n == 0:
        return Interval(-1.0, 1.0)
    p_1, p_2 = (both_right + b) / n, (both_right + c) / n
    phi = _correlation(both_right, b, c, both_wrong)
    difference = (b - c) / n
    return Interval(
        max(-1.0, difference - _add(p_1 - first.low, second.high - p_2, phi)),
        min(1.0, difference + _add(first.high - p_1, p_2 - second.low, phi)),
    )


def _correlation(both_right: float, b: float, c: float, both_wrong: float) -> float:
    n = both_right + b + c + both_wrong
    margins = (both_right + b) * (c + both_wrong) * (both_right + c) * (b + both_wrong)
    if margins == 0:
        return 0.0
    determinant = both_right * both_wrong - b * c
    corrected = max(0.0, determinant - n / 2.0) if determinant > 0 else determinant
    return corrected / math.sqrt(margins)


def _add(first: float, second: float, phi: float) -> float:
    return math.sqrt(max(0.0, first * first - 2.0 * phi * first * second + second * second))
