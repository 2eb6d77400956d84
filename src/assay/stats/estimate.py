"""One model's metric on every segment, with an interval."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.areas import delong_variances
from assay.stats.bootstrap import average_precision_interval
from assay.stats.jackknife import MINIMUM_BUCKETS, Jackknife, jackknife, sum_of_segments
from assay.stats.metric import Metric
from assay.stats.metrics import metric_named
from assay.stats.profile import Profile
from assay.stats.score_arrays import wilson_ends
from assay.stats.segment import Segment
from assay.stats.sums import FRACTION_BITS

__all__ = ["Estimate", "Estimates", "bucket_influence", "estimate", "estimate_all"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its two-sided interval.

    `n` rows of the denominator; `value` is NaN where undefined; `low` and `high` are NaN and `method` is "too
    small" where the rows do not carry an interval. `standard_error` is None for Wilson's interval. `method`:
    "wilson", "t" (mean of independent rows), "delong", "obuchowski" (DeLong's for clusters), "jackknife",
    "calibration" (s.e. √Σp(1 − p)/n, which holds if the scores are right), "separated" (see `estimate_all`), "not kept"
    (a clustered area of profiles that were added up), "bootstrap" (average precision, from cells of the histogram),
    "value only" (a metric that is shown without an interval) or "too small". The last two and "not kept" have none.
    """

    value: float
    low: float
    high: float
    n: int
    standard_error: float | None
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """The estimates of all segments of a profile, each [segments]; the standard error is NaN where there is none."""

    segments: tuple[Segment, ...]
    value: Floats
    low: Floats
    high: Floats
    n: NDArray[np.int64]
    standard_error: Floats
    method: NDArray[np.str_]

    def at(self, place: int) -> Estimate:
        """The estimate of the segment at that place."""
        error = float(self.standard_error[place])
        return Estimate(
            float(self.value[place]),
            float(self.low[place]),
            float(self.high[place]),
            int(self.n[place]),
            None if math.isnan(error) else error,
            str(self.method[place]),
        )


def estimate(
    profile: Profile,
    segment: Segment,
    model: str,
    metric: str | Metric,
    confidence: float = 0.95,
    *,
    clustered: bool = False,
) -> Estimate:
    """The metric of a model on one segment, as `estimate_all` gives it; "too small" where no row is in it."""
    place = profile.position(segment)
    found = estimate_all(profile, model, metric, confidence, clustered=clustered)
    return found.at(place) if place is not None else Estimate(math.nan, math.nan, math.nan, 0, None, "too small")


def estimate_all(
    profile: Profile, model: str, metric: str | Metric, confidence: float = 0.95, *, clustered: bool = False
) -> Estimates:
    """The metric of a model on every segment of the profile, with an interval at `confidence`.

    Rates and ratios: Wilson. Means: t. Calibration in the large: normal with the s.e. √Σp(1 − p)/n. Areas: DeLong on
    the logit scale. Average precision: the cell bootstrap. Everything else: jackknife over occupied buckets with t. An
    area of exactly 0 or 1 has no s.e.; its interval is Wilson's for min(positives, negatives) disjoint pairs, which are
    independent ("separated"). A number between bounds that does not vary at all has Wilson's interval too.

    All but the jackknife assume independent rows that count alike. With `clustered` rows of one unit may hang together,
    and sample weights make rows count differently: then the error is the jackknife's, and the interval of a rate or
    ratio is Wilson's for the number of independent rows that would have that error (at most all), with t in place of z
    (Korn and Graubard 1998, Survey Methodology 24:193); areas take Obuchowski's variance over buckets, with t. Of
    weighted rows `n` is Kish's effective number, (Σw)²/Σw².
    """
    measure = metric_named(metric, profile.task)
    totals = profile.totals()
    clustered = clustered or profile.task.weighted
    z = normal.critical_value(confidence)
    value, alike = measure.value(totals, model), totals.rows_per_weight
    n = measure.denominator(totals, model) * alike
    size = len(value)
    nan = np.full(size, np.nan)
    low, high, error = nan, nan, nan
    method = np.full(size, "too small", dtype="<U12")
    enough = n >= measure.minimum
    if measure.kind == "area":
        smaller = np.minimum(totals.area(model).positives, totals.area(model).negatives).astype(np.float64)
        low, high, error, method = _area(profile, model, value, smaller, confidence, clustered=clustered)
        enough = smaller * alike >= measure.minimum
    elif measure.kind == "curve":
        method[:] = "value only"
        if measure.name == "average_precision" and not clustered:
            histogram = profile.histograms[model]
            low, high, error = average_precision_interval(histogram, size, confidence, seed=profile.seed)
            method[:] = "bootstrap"
    elif measure.kind in ("rate", "ratio") and measure.numerator is not None and not clustered:
        low, high = _score_ends(measure, measure.numerator(totals, model), n, z)
        method[:] = "wilson"
    elif measure.name == "calibration_in_the_large" and not clustered:
        error = _quotient(np.sqrt(totals.sum("spread", model)), n)
        low, high = value - z * error, value + z * error
        method[:] = "calibration"
    elif measure.squares is not None and not clustered:
        error = _error_of_mean(measure.squares(totals, model), value, n)
        half = normal.t_quantiles((1.0 + confidence) / 2.0, n - 1.0) * error
        low, high = _unless_still(measure, value, n, z, error, (value - half, value + half))
        method[:] = "t"
    else:
        low, high, error, buckets = _resampled(profile, model, measure, confidence, clustered=clustered)
        method[:] = "jackknife"
        enough &= ~np.isnan(error)
        if clustered:
            enough &= buckets >= MINIMUM_BUCKETS
    low, high = np.maximum(low, measure.bounds[0]), np.minimum(high, measure.bounds[1])
    method = np.where(enough, method, "too small")
    known = enough & ~np.isnan(low)
    return Estimates(
        profile.segments,
        value,
        np.where(known, low, np.nan),
        np.where(known, high, np.nan),
        n.astype(np.int64),
        np.where(known, error, np.nan),
        np.where(enough & np.isnan(low) & ~np.isin(method, ("not kept", "value only")), "too small", method),
    )


def _resampled(
    profile: Profile, model: str, measure: Metric, confidence: float, *, clustered: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Ends and standard errors by the jackknife, and the buckets they rest on."""
    totals = profile.totals()
    value, alike, z = measure.value(totals, model), totals.rows_per_weight, normal.critical_value(confidence)
    n = measure.denominator(totals, model) * alike
    spread = _jackknife(profile, model, measure, value)
    error = spread.standard_error
    t = normal.t_quantiles((1.0 + confidence) / 2.0, spread.df)
    if measure.kind in ("rate", "ratio") and measure.numerator is not None:
        worth = _worth(measure, value, n, error) * (z / t) ** 2
        ends = _score_ends(measure, measure.numerator(totals, model) * alike * worth, n * worth, z)
    else:
        count = np.minimum(n, spread.buckets) if clustered else n
        ends = _unless_still(measure, value, count, z, error, (value - t * error, value + t * error))
    return *ends, error, spread.buckets


def _error_of_mean(squares: Floats, mean: Floats, n: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        error: Floats = np.sqrt(np.maximum(squares - n * mean**2, 0.0) / (n - 1.0) / n)
    return error


def _unless_still(
    measure: Metric, value: Floats, n: Floats, z: float, error: Floats, ends: tuple[Floats, Floats]
) -> tuple[Floats, Floats]:
    """The ends; where nothing varied, and values have bounds, Wilson's of n rows: no variation seen is not certainty.

    A number between bounds varies at most as a rate between them does.
    """
    low, high = measure.bounds
    if not math.isfinite(high - low):
        return ends
    wide = wilson_ends((np.nan_to_num(value, nan=low) - low) / (high - low) * n, n, z)
    still = error == 0.0
    return (
        np.where(still, low + wide[0] * (high - low), ends[0]),
        np.where(still, low + wide[1] * (high - low), ends[1]),
    )


def bucket_influence(profile: Profile, smaller: Floats) -> Floats | None:
    """[rows, models] by how much each bucket moves the area of its segment; None after an addition.

    `smaller` [segments] is min(positives, negatives).
    """
    if profile.influence is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = 1.0 / (smaller * 2.0**FRACTION_BITS)
        moved: Floats = profile.influence.buckets * unit[profile.segment][:, None]
    return moved


def _area(
    profile: Profile, model: str, value: Floats, smaller: Floats, confidence: float, *, clustered: bool
) -> tuple[Floats, Floats, Floats, NDArray[np.str_]]:
    size = len(value)
    separated = (value == 0.0) | (value == 1.0)
    moved = bucket_influence(profile, smaller) if clustered else None
    if clustered and moved is None:
        half = error = np.full(size, np.nan)
        name = "not kept"
    elif moved is not None:
        starts, column = profile.starts(), profile.models.index(model)
        buckets = sum_of_segments((profile.by_bucket().labelled > 0).astype(np.float64), starts)
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = sum_of_segments(np.nan_to_num(moved[:, column]) ** 2, starts) * buckets / (buckets - 1.0)
            variance = np.where(buckets >= MINIMUM_BUCKETS, variance, np.nan)
        error = np.sqrt(variance)
        half = normal.t_quantiles((1.0 + confidence) / 2.0, buckets - 1.0) * error
        name = "obuchowski"
    else:
        error = np.sqrt(delong_variances(profile.histograms[model], size))
        half = normal.critical_value(confidence) * error
        name = "delong"
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # The interval logit(A) ± half·logit'(A), carried back: inside (0, 1) and wider away from 1.
        odds = value / (1.0 - value)
        factor = np.exp(np.minimum(half / (value * (1.0 - value)), 700.0))
        low, high = odds / (odds + factor), odds * factor / (1.0 + odds * factor)
    pairs = smaller * profile.totals().rows_per_weight
    ends = wilson_ends(np.nan_to_num(value) * pairs, pairs, normal.critical_value(confidence))
    low, high = np.where(separated, ends[0], low), np.where(separated, ends[1], high)
    method = np.where(separated, "separated", np.full(size, name, dtype="<U12"))
    return low, high, np.where(separated, np.nan, error), method


def _worth(measure: Metric, value: Floats, n: Floats, error: Floats) -> Floats:
    """How many independent rows, at most 1, a row is worth: those of a rate would give the jackknife's error."""
    alone = value * (1.0 - value) * ((2.0 - value) / 2.0 if measure.name.startswith("f1") else 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        worth: Floats = np.fmin(1.0, alone / (n * error**2))
    return worth


def _score_ends(measure: Metric, successes: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """Wilson's ends of a rate or ratio; of F1 those of tp/(tp + fp + fn), of which it is an increasing function."""
    if not measure.name.startswith("f1"):
        return wilson_ends(successes, n, z)
    low, high = wilson_ends(successes, 2.0 * n - successes, z)
    return 2.0 * low / (1.0 + low), 2.0 * high / (1.0 + high)


def _jackknife(profile: Profile, model: str, measure: Metric, value: Floats) -> Jackknife:
    without = measure.value(profile.without_each_bucket(), model)
    occupied = measure.denominator(profile.by_bucket(), model) > 0
    if measure.kind == "smooth":
        occupied = profile.by_bucket().labelled > 0
    return jackknife(value, without, occupied, profile.starts())


def _quotient(numerator: Floats, denominator: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = numerator / denominator
    return found
