"""A candidate against a baseline on one metric and every segment, on the same rows."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.metric import Metric
from assay.stats.metrics import metric_named, metrics_of
from assay.stats.paired_answers import Answers, Question, area_answers, jackknife_answers, mean_answers, rate_answers
from assay.stats.profile import Profile
from assay.stats.segment import Segment
from assay.stats.task import Task

__all__ = ["Comparison", "Comparisons", "compare", "compare_all"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better the candidate is, and the evidence.

    `value` of the candidate and `baseline_value` as the metric gives them; `delta` is the improvement, larger
    is better whatever the metric's direction; [`low`, `high`] its two-sided interval at `confidence`, whose ends
    agree with one-sided tests. `p_worse` is the P-value of delta >= −`harm_at` (small: harm), `p_not_worse`
    that of delta <= −`margin` (small: non-inferior). `n` rows of the denominator (of the smaller one where each
    model has its own). `variance_per_row` is for `power.rows_needed`. `method` is "tango", "paired t", "delong",
    "obuchowski", "jackknife", "not kept" or "too small"; in the last two cases the P-values are 1 and the interval NaN,
    and delta, standard error and variance are given where they exist.
    """

    segment: Segment
    metric: str
    value: float
    baseline_value: float
    delta: float
    low: float
    high: float
    confidence: float
    p_worse: float
    p_not_worse: float
    n: int
    standard_error: float
    variance_per_row: float
    method: str
    margin: float
    harm_at: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """The comparisons of one metric on all segments of a profile; fields as in `Comparison`, each [segments]."""

    segments: tuple[Segment, ...]
    metric: str
    value: Floats
    baseline_value: Floats
    delta: Floats
    low: Floats
    high: Floats
    confidence: float
    p_worse: Floats
    p_not_worse: Floats
    n: NDArray[np.int64]
    standard_error: Floats
    variance_per_row: Floats
    method: NDArray[np.str_]
    margin: float
    harm_at: float

    def at(self, place: int) -> Comparison:
        """The comparison on the segment at that place."""
        return Comparison(
            segment=self.segments[place],
            metric=self.metric,
            value=float(self.value[place]),
            baseline_value=float(self.baseline_value[place]),
            delta=float(self.delta[place]),
            low=float(self.low[place]),
            high=float(self.high[place]),
            confidence=self.confidence,
            p_worse=float(self.p_worse[place]),
            p_not_worse=float(self.p_not_worse[place]),
            n=int(self.n[place]),
            standard_error=float(self.standard_error[place]),
            variance_per_row=float(self.variance_per_row[place]),
            method=str(self.method[place]),
            margin=self.margin,
            harm_at=self.harm_at,
        )


def compare(
    profile: Profile,
    segment: Segment,
    candidate: str,
    baseline: str,
    metric: str | Metric,
    margin: float,
    alpha: float = 0.05,
    harm_at: float = 0.0,
    *,
    clustered: bool = False,
    minimum_n: int = 10,
) -> Comparison:
    """The comparison on one segment, as `compare_all` gives it; "too small" where no row is in it."""
    place = profile.position(segment)
    found = compare_all(
        profile, candidate, baseline, metric, margin, alpha, harm_at, clustered=clustered, minimum_n=minimum_n
    )
    if place is not None:
        return found.at(place)
    nan = math.nan
    return Comparison(
        segment,
        found.metric,
        nan,
        nan,
        nan,
        nan,
        nan,
        found.confidence,
        1.0,
        1.0,
        0,
        nan,
        nan,
        "too small",
        margin,
        harm_at,
    )


def compare_all(
    profile: Profile,
    candidate: str,
    baseline: str,
    metric: str | Metric,
    margin: float,
    alpha: float = 0.05,
    harm_at: float = 0.0,
    *,
    clustered: bool = False,
    minimum_n: int = 10,
) -> Comparisons:
    """Compare two models of a profile on every segment; the intervals have confidence 1 − 2·`alpha`.

    Independent rows: Tango's score test on the paired counts for rates, paired t for means, DeLong for areas, the delta
    method over the eight kinds of rows (label and both answers) for ratios such as precision and F1. `clustered`, where
    rows hang together within units: paired delete-a-bucket jackknife with t, for areas Obuchowski's variance over
    buckets. The s.e. of the jackknife and of the delta method collapses when few rows disagree; so for rates and ratios
    Tango's answer counts (for ratios on equivalent counts) where it is the weaker evidence.

    Means and areas rest on a normal or t distribution of the mean difference. Where few rows lose much (6 % of the
    candidate's answers reversed), a candidate exactly at the margin was certified in 7 to 9 % of runs instead of 5 % at
    250 rows, in 7 % at 1,000; with differences that are not skewed, in 5 to 6 %.

    "Too small": a denominator below `minimum_n`, fewer than 10 occupied buckets for the jackknife and Obuchowski, fewer
    than 10 positives or negatives for areas. InvalidInput for a metric without a better direction or one that is only
    shown, one model twice, alpha outside (0, 0.5), or a negative margin or harm_at.
    """
    measure = metric_named(metric, profile.task)
    question = Question(candidate, baseline, margin, harm_at, alpha, clustered or profile.task.weighted)
    _check(profile.task, measure, question)
    totals = profile.totals()
    value, baseline_value = (measure.value(totals, model) for model in (candidate, baseline))
    n = np.minimum(measure.denominator(totals, candidate), measure.denominator(totals, baseline))
    n = n * totals.rows_per_weight
    answers = _answers(profile, measure, question)
    answers = answers.without(n < max(minimum_n, 1))
    return Comparisons(
        segments=profile.segments,
        metric=measure.name,
        value=value,
        baseline_value=baseline_value,
        delta=answers.delta,
        low=answers.low,
        high=answers.high,
        confidence=1.0 - 2.0 * alpha,
        p_worse=answers.p_worse,
        p_not_worse=answers.p_not_worse,
        n=n.astype(np.int64),
        standard_error=answers.standard_error,
        variance_per_row=answers.variance_per_row,
        method=answers.method,
        margin=margin,
        harm_at=harm_at,
    )


def _answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    if measure.kind == "area":
        return area_answers(profile, measure, question)
    if measure.difference_squares is not None and not question.clustered:
        return mean_answers(profile, measure, question)
    if measure.kind in ("rate", "ratio"):
        return rate_answers(profile, measure, question)
    return jackknife_answers(profile, measure, question)


def _check(task: Task, measure: Metric, question: Question) -> None:
    if measure.larger_is_better is None or not measure.gated:
        known = [one.name for one in metrics_of(task).values() if one.larger_is_better is not None and one.gated]
        reason = "has no better direction, so no model can be worse in it"
        if measure.larger_is_better is not None:
            reason = "is shown, and nothing is decided by it"
        raise InvalidInput(f"{measure.name} {reason}", expected=", ".join(known))
    if question.candidate == question.baseline:
        raise InvalidInput(f"{question.candidate!r} cannot be compared with itself", expected="two different models")
    if not 0.0 < question.alpha < 0.5:
        raise InvalidInput(f"alpha is {question.alpha!r}", expected="inside (0, 0.5), such as 0.05")
    for name, bound in (("margin", question.margin), ("harm_at", question.harm_at)):
        if not 0.0 <= bound < math.inf or (measure.kind in ("rate", "ratio") and bound > 1.0):
            raise InvalidInput(f"{name} is {bound!r}", expected="0 or more, and for a rate at most 1")
