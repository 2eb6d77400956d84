"""One model's metric on one segment, with an interval."""

import math
from dataclasses import dataclass

from assay.stats import intervals, normal
from assay.stats.intervals import Interval
from assay.stats.jackknife import Jackknife, jackknife
from assay.stats.metrics import Metric, metric_named
from assay.stats.profile import Profile
from assay.stats.segment import Segment
from assay.stats.state import State

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two-sided interval.

    `n` rows of the denominator; `value` is NaN where undefined; `low` and `high` are NaN and `method` is "too
    small" where the rows do not carry an interval. `standard_error` is None for Wilson's interval. `method`:
    "wilson", "jackknife", "calibration" (s.e. √Σp(1 − p)/n, which holds if the scores are right),
    "separated" (see `estimate`) or "too small".
    """

    value: float
    low: float
    high: float
    n: int
    standard_error: float | None
    method: str


def estimate(
    profile: Profile,
    segment: Segment,
    model: str,
    metric: str,
    confidence: float = 0.95,
    *,
    clustered: bool = False,
) -> Estimate:
    """The metric of a model on a segment with an interval at `confidence`.

    Rates and precision: Wilson. Calibration in the large: normal with the s.e. √Σp(1 − p)/n. Everything else:
    jackknife over occupied buckets with t, for the AUC on the logit scale. An AUC of exactly 0 or 1 has no s.e.;
    its interval is Wilson's for min(positives, negatives) disjoint pairs, which are independent ("separated").

    Wilson and calibration assume independent rows. With `clustered`, rows of one unit may hang together: the
    interval is the jackknife's, for rates and precision widened to Wilson's where that reaches further, because
    the jackknife's collapses when few rows differ.
    """
    measure = metric_named(metric)
    state = profile.state(segment)
    total = state.total()
    z = normal.critical_value(confidence)
    n = int(measure.denominator(total, model)[0])
    value = float(measure.value(total, model)[0])
    nothing = Estimate(value, math.nan, math.nan, n, None, "too small")
    smaller_class = 0
    if measure.kind == "area":
        counts = total.area(model)
        smaller_class = min(int(counts.positives[0]), int(counts.negatives[0]))
    if (smaller_class if measure.kind == "area" else n) < measure.minimum:
        return nothing
    score = None
    if measure.numerator is not None:
        score = intervals.wilson(int(measure.numerator(total, model)[0]), n, confidence)
        if not clustered:
            return Estimate(value, score.low, score.high, n, None, "wilson")
    if measure.name == "calibration_in_the_large" and not clustered:
        error = math.sqrt(float(total.sums(model).spread[0])) / n
        return _clipped(Estimate(value, value - z * error, value + z * error, n, error, "calibration"), measure)
    if measure.kind == "area" and value in (0.0, 1.0):
        ends = intervals.wilson(value * smaller_class, smaller_class, confidence)
        return Estimate(value, ends.low, ends.high, n, None, "separated")
    spread = _jackknife(state, total, model, measure)
    if math.isnan(spread.standard_error):
        return nothing
    error = spread.standard_error
    half = normal.t_quantile((1.0 + confidence) / 2.0, spread.df) * error
    ends = _on_logit_scale(value, half) if measure.kind == "area" else Interval(value - half, value + half)
    if score is not None:
        ends = Interval(min(ends.low, score.low), max(ends.high, score.high))
    return _clipped(Estimate(value, ends.low, ends.high, n, error, "jackknife"), measure)


def _jackknife(state: State, total: State, model: str, measure: Metric) -> Jackknife:
    without = measure.value(state.leave_one_out(), model)
    return jackknife(float(measure.value(total, model)[0]), without, measure.denominator(state, model) > 0)


def _on_logit_scale(value: float, half: float) -> Interval:
    """The interval logit(value) ± half·logit'(value), carried back: inside (0, 1) and wider away from 1."""
    odds = value / (1.0 - value)
    factor = math.exp(min(half / (value * (1.0 - value)), 700.0))
    return Interval(odds / (odds + factor), odds * factor / (1.0 + odds * factor))


def _clipped(found: Estimate, measure: Metric) -> Estimate:
    low, high = max(found.low, measure.bounds[0]), min(found.high, measure.bounds[1])
    return Estimate(found.value, low, high, found.n, found.standard_error, found.method)
