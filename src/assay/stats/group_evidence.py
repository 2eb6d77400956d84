"""What the rows of two groups say about a bound on the difference, or the ratio, of a rate or a mean.

Rates of independent rows: score tests. Means of independent rows: Welch's t. Rows that hang together: the jackknife of
the difference, wherever it is the weaker evidence.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.intervals import Interval, newcombe_independent
from assay.stats.jackknife import MINIMUM_BUCKETS
from assay.stats.metric import Metric
from assay.stats.power import rows_needed
from assay.stats.profile import Profile
from assay.stats.rate_ratio import koopman_interval, ratio_p_above, ratio_p_below
from assay.stats.unpaired import miettinen_nurminen_p_not_worse, miettinen_nurminen_p_worse

__all__ = ["CALIBRATION", "TOO_SMALL", "Bounded", "Evidence", "Sample", "evidence_of", "rows_that_decide", "samples_of"]

Floats = NDArray[np.float64]

CALIBRATION = "calibration_in_the_large"
_MINIMUM_N = 10


@dataclass(frozen=True, slots=True)
class Bounded:
    """The question: is the difference ("gap"), or the ratio of the smaller to the larger ("ratio"), within `bound`?"""

    measure: Literal["gap", "ratio"]
    bound: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One group: `total` over `n` rows of the denominator, and the `variance` of what a row adds.

    Of weighted rows `n` is the number of rows that carry the same information, and `weight` what they weigh.
    """

    total: float
    n: float
    variance: float
    weight: float

    @property
    def value(self) -> float:
        """The rate or mean; NaN without rows."""
        return self.total / self.n if self.n else math.nan

    def mean_interval(self, confidence: float = 0.95) -> Interval:
        """Student's t interval of the mean of independent rows; NaN on fewer than 2."""
        if self.n < 2:
            return Interval(math.nan, math.nan)
        half = normal.t_quantile((1.0 + confidence) / 2.0, self.n - 1.0) * math.sqrt(self.variance / self.n)
        return Interval(self.value - half, self.value + half)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The interval of the difference or ratio at confidence 1 − 2 alpha, and the P-values of "within" (small: proven
    `p_beyond`) and of "beyond" (small: shown to be `p_within`). `method` is "score", "t", "jackknife" or "too small".
    `inflation` is by how much the variance exceeds that of independent rows.
    """

    low: float
    high: float
    p_beyond: float
    p_within: float
    method: str
    inflation: float = 1.0


TOO_SMALL = Evidence(math.nan, math.nan, 1.0, 1.0, "too small")


def samples_of(profile: Profile, model: str, measure: Metric) -> list[Sample]:
    """[segments] a rate, a ratio, or the calibration in the large.

    Of calibration a row adds score − label. Its variance is the larger of the rows' own and of the mean p(1 − p): with
    few positives the rows' own is far too small, because none of the rare surprises has happened yet.
    """
    totals = profile.totals()
    assert measure.numerator is not None
    total, n = measure.numerator(totals, model), measure.denominator(totals, model)
    alike = n * totals.rows_per_weight
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        if measure.name == CALIBRATION:
            own = (totals.sum("squared_error", model) / n - mean**2) * alike / (alike - 1.0)
            variance = np.fmax(own, totals.sum("spread", model) / n)
        else:
            variance = mean * (1.0 - mean)
    found = zip(total * totals.rows_per_weight, alike, variance, n, strict=True)
    return [Sample(*map(float, one)) for one in found]


def evidence_of(
    profile: Profile,
    model: str,
    measure: Metric,
    places: tuple[int, int],
    samples: tuple[Sample, Sample],
    question: Bounded,
    alpha: float,
    *,
    clustered: bool,
) -> Evidence:
    """The evidence of the segments at these places with these samples, the group's first; "too small" for none."""
    group, reference = samples
    if min(group.n, reference.n) < _MINIMUM_N:
        return TOO_SMALL
    score = (_welch if measure.name == CALIBRATION else _score)(question, group, reference, alpha)
    if not (clustered or profile.task.weighted):
        return score
    jackknife = _jackknife(profile, model, measure, places, question, alpha)
    return _weaker(score, jackknife, _inflation(question, score, jackknife))


def rows_that_decide(
    question: Bounded, group: Sample, reference: Sample, inflation: float, alpha: float, power: float
) -> int | None:
    """Rows of the group that decide, if both are as seen and the reference grows along; None where none would.

    `inflation` is that of the evidence: rows that hang together say less than as many independent ones.
    """
    if not (group.n and reference.n):
        return None
    grown = reference.variance * group.n / reference.n  # of the reference, as if it had as many rows as the group
    first, second = group.value, reference.value
    if question.measure == "gap":
        variance, away = group.variance + grown, abs(question.bound - abs(first - second))
    else:
        (smaller, small), (larger, large) = sorted([(first, group.variance), (second, grown)], key=lambda one: one[0])
        variance, away = small + question.bound**2 * large, abs(smaller - question.bound * larger)
    return rows_needed(variance * inflation, away, alpha=alpha, power=power) if away > 0 else None


def _score(question: Bounded, group: Sample, reference: Sample, alpha: float) -> Evidence:
    bound, table = question.bound, (group.total, group.n, reference.total, reference.n)
    if question.measure == "gap":
        ends = newcombe_independent(*table, 1.0 - 2.0 * alpha)
        above, below = miettinen_nurminen_p_not_worse, miettinen_nurminen_p_worse
        within = max(above(*table, -bound), below(*table, bound))
        beyond = 2.0 * min(below(*table, -bound), above(*table, bound))
    else:
        turned = (reference.total, reference.n, group.total, group.n)
        ends = koopman_interval(*table, 1.0 - 2.0 * alpha)
        within = max(ratio_p_above(*table, bound), ratio_p_above(*turned, bound))
        beyond = 2.0 * min(ratio_p_below(*table, bound), ratio_p_below(*turned, bound))
    return Evidence(ends.low, ends.high, min(1.0, beyond), within, "score")


def _welch(question: Bounded, group: Sample, reference: Sample, alpha: float) -> Evidence:
    """Welch 1947: the difference of two means with unequal variances, with Satterthwaite's degrees of freedom."""
    parts = [one.variance / one.n for one in (group, reference)]
    if not sum(parts) > 0:
        return TOO_SMALL
    df = sum(parts) ** 2 / sum(part**2 / (one.n - 1.0) for part, one in zip(parts, (group, reference), strict=True))
    return _of_error(question, group.value - reference.value, math.sqrt(sum(parts)), df, alpha, "t")


def _of_error(question: Bounded, difference: float, error: float, df: float, alpha: float, method: str) -> Evidence:
    """Two one-sided t tests on a scale where the bound lies at ± `limit`: that of the ratio is logarithmic."""
    half = normal.t_quantile(1.0 - alpha, df) * error
    limit = question.bound if question.measure == "gap" else -math.log(question.bound)
    above, below = ((difference + sign * limit) / error for sign in (1.0, -1.0))
    within = max(normal.t_upper_tail(above, df), normal.t_upper_tail(-below, df))
    beyond = min(1.0, 2.0 * min(normal.t_upper_tail(-above, df), normal.t_upper_tail(below, df)))
    ends = Interval(difference - half, difference + half)
    if question.measure == "ratio":
        ends = Interval(math.exp(ends.low), math.exp(ends.high))
    return Evidence(ends.low, ends.high, beyond, within, method)


def _jackknife(
    profile: Profile, model: str, measure: Metric, places: tuple[int, int], question: Bounded, alpha: float
) -> Evidence:
    """Leaving out a bucket of both groups at once; for ratios on the log scale."""
    assert measure.numerator is not None
    sums = profile.by_bucket()
    parts = []
    for place in places:
        inside = profile.segment == place
        for values in (measure.numerator(sums, model), measure.denominator(sums, model)):
            by_bucket = np.zeros(profile.buckets)
            by_bucket[profile.bucket[inside]] = values[inside]
            parts.append(by_bucket)
    occupied = (parts[1] + parts[3]) > 0
    count = int(occupied.sum())

    def moved(*counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            first, second = counts[0] / counts[1], counts[2] / counts[3]
            found: Floats = first - second if question.measure == "gap" else np.log(first) - np.log(second)
        return found

    whole = float(moved(*(np.array([part.sum()]) for part in parts))[0])
    rest = moved(*((part.sum() - part)[occupied] for part in parts))
    if count < MINIMUM_BUCKETS or not (math.isfinite(whole) and np.isfinite(rest).all()):
        return TOO_SMALL
    pseudo = count * whole - (count - 1) * rest
    error = float(pseudo.std(ddof=1)) / math.sqrt(count)
    return _of_error(question, whole, error, count - 1, alpha, "jackknife") if error > 0 else TOO_SMALL


def _weaker(independent: Evidence, jackknife: Evidence, inflation: float) -> Evidence:
    if "too small" in (independent.method, jackknife.method):
        return TOO_SMALL
    return Evidence(
        min(independent.low, jackknife.low),
        max(independent.high, jackknife.high),
        max(independent.p_beyond, jackknife.p_beyond),
        max(independent.p_within, jackknife.p_within),
        "jackknife",
        inflation,
    )


def _inflation(question: Bounded, independent: Evidence, jackknife: Evidence) -> float:
    """How much larger the jackknife's variance is, by the squares of widths; 1 at least, and if unknown."""
    widths = []
    for one in (independent, jackknife):
        low, high = (one.low, one.high) if question.measure == "gap" else (_log(one.low), _log(one.high))
        widths.append(high - low)
    ratio = (widths[1] / widths[0]) ** 2 if widths[0] > 0 and math.isfinite(widths[0]) else math.nan
    return ratio if math.isfinite(ratio) and ratio > 1.0 else 1.0


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
