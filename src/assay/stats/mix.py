"""A metric's change split into moved traffic and changed behaviour."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput

__all__ = ["Mix", "kitagawa"]


_ALONE = 5.0


@dataclass(frozen=True, slots=True)
class Mix:
    """delta = mix + rate, up to rounding.

    `delta` is the metric after minus before. `mix` is what the segments' shares of rows did to it, `rate` what
    the metric did within segments; `mix_by_segment` and `rate_by_segment` [segments] add up to them.
    """

    delta: float
    mix: float
    rate: float
    mix_by_segment: NDArray[np.float64]
    rate_by_segment: NDArray[np.float64]

    def words(self, metric: str) -> str:
        """For people: how much `metric` changed, and whether traffic or behaviour did it.

        Where one part is five times the other or more it is named alone.
        """
        if not self.delta and not self.mix:
            return f"{metric} is unchanged"
        parts = f"{self.mix:+.4f} because the traffic moved, {self.rate:+.4f} within segments"
        if abs(self.mix) >= _ALONE * abs(self.rate):
            verdict = "behaviour within segments is nearly unchanged, the traffic moved"
        elif abs(self.rate) >= _ALONE * abs(self.mix):
            verdict = "the traffic is nearly the same, behaviour within segments changed"
        elif self.mix * self.rate < 0.0:
            verdict = "both changed, against each other"
        else:
            verdict = "both changed"
        return f"{metric} changed by {self.delta:+.4f}: {parts}; {verdict}"


def kitagawa(rows_before: ArrayLike, sums_before: ArrayLike, rows_after: ArrayLike, sums_after: ArrayLike) -> Mix:
    """Kitagawa's decomposition of the change of a mean over segments that cover all rows once.

    [segments] each, one order: rows, and the metric's sum over them (for accuracy the right answers). With shares
    w and means m before, w′ and m′ after: mix = Σ(w′ − w)·((m + m′)/2 − M̄), rate = Σ(w + w′)/2·(m′ − m), M̄ the
    mean of both periods' overall metric; shares sum to 1, so M̄ changes no total, only lets a segment that grew
    count for or against by whether it is better than the rest (Kitagawa 1955, J Am Stat Assoc 50:1168). A segment
    without rows in one period has no mean there and takes that of the other: coming and going is mix.

    Arithmetic, not cause: it depends on the segments chosen, and has no standard error. InvalidInput for shapes
    that differ, numbers that are not finite, negative rows, a sum without rows, or a period without rows.
    """
    names = ("rows before", "sums before", "rows after", "sums after")
    n_0, s_0, n_1, s_1 = arrays = [
        np.asarray(values, dtype=np.float64) for values in (rows_before, sums_before, rows_after, sums_after)
    ]
    for name, array in zip(names, arrays, strict=True):
        if array.ndim != 1 or array.shape != n_0.shape:
            raise InvalidInput(f"{name} have shape {array.shape}", expected="one number per segment everywhere")
        if not np.isfinite(array).all():
            raise InvalidInput(f"{name} hold a number that is not finite", expected="finite numbers")
    for rows, sums, period in ((n_0, s_0, "before"), (n_1, s_1, "after")):
        if (rows < 0).any() or ((rows == 0) & (sums != 0)).any():
            raise InvalidInput(f"a segment has negative rows or a sum without rows {period}")
        if not rows.sum() > 0:
            raise InvalidInput(f"there are no rows {period}", expected="rows in both periods")
    share_0, share_1 = n_0 / n_0.sum(), n_1 / n_1.sum()
    mean_0 = np.divide(s_0, n_0, out=np.full_like(s_0, np.nan), where=n_0 > 0)
    mean_1 = np.divide(s_1, n_1, out=np.full_like(s_1, np.nan), where=n_1 > 0)
    mean_0, mean_1 = (
        np.nan_to_num(np.where(np.isnan(mean), other, mean)) for mean, other in ((mean_0, mean_1), (mean_1, mean_0))
    )
    overall_0, overall_1 = math.fsum(s_0) / math.fsum(n_0), math.fsum(s_1) / math.fsum(n_1)
    middle = (overall_0 + overall_1) / 2.0
    mix = (share_1 - share_0) * ((mean_0 + mean_1) / 2.0 - middle)
    rate = (share_0 + share_1) / 2.0 * (mean_1 - mean_0)
    return Mix(overall_1 - overall_0, math.fsum(mix), math.fsum(rate), mix, rate)
