"""A candidate against a baseline on one metric and one segment, on the same rows."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal, paired
from assay.stats.jackknife import jackknife
from assay.stats.metrics import Metric, metric_named
from assay.stats.profile import Profile
from assay.stats.segment import Segment
from assay.stats.state import State

__all__ = ["Comparison", "compare"]

_MINIMUM_BUCKETS = 10
_TOO_DIFFERENT = 0.999  # of the candidate's selected rows, in the size of their moves


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better the candidate is, and the evidence.

    `value` of the candidate and `baseline_value` as the metric gives them; `delta` is the improvement, larger
    is better whatever the metric's direction; [`low`, `high`] its two-sided interval at `confidence`, whose ends
    agree with one-sided tests. `p_worse` is the P-value of delta >= −`harm_at` (small: harm), `p_not_worse`
    that of delta <= −`margin` (small: non-inferior). `n` rows of the denominator (of the smaller one where each
    model has its own). `variance_per_row` is for `power.rows_needed`. `method` is "tango", "jackknife" or "too
    small"; in the last case the P-values are 1 and the interval NaN, and delta, standard error and variance are
    given where they exist.
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


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the evidence: the bounds on the improvement and the error allowed on each side."""

    margin: float
    harm_at: float
    alpha: float


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one method says; by default that the rows do not carry an answer."""

    delta: float
    standard_error: float = math.nan
    variance_per_row: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_worse: float = 1.0
    p_not_worse: float = 1.0
    method: str = "too small"

    def unanswered(self) -> "_Answer":
        """The numbers without the evidence."""
        return _Answer(self.delta, self.standard_error, self.variance_per_row)

    def no_surer_than(self, other: "_Answer") -> "_Answer":
        """The weaker evidence of both: the wider interval and the larger P-values and variance."""
        return replace(
            self,
            variance_per_row=max(self.variance_per_row, other.variance_per_row),
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            p_worse=max(self.p_worse, other.p_worse),
            p_not_worse=max(self.p_not_worse, other.p_not_worse),
        )


def compare(
    profile: Profile,
    segment: Segment,
    candidate: str,
    baseline: str,
    metric: str,
    margin: float,
    alpha: float = 0.05,
    harm_at: float = 0.0,
    *,
    clustered: bool = False,
    minimum_n: int = 10,
) -> Comparison:
    """Compare two models of a profile; the interval has confidence 1 − 2·`alpha`.

    Accuracy, recall and false positive rate: Tango's score test on the paired counts (independent rows
    assumed). Precision, AUC, log loss and Brier score: paired delete-a-bucket jackknife with t, which also holds
    for rows that hang together within units. With `clustered` the rates take the jackknife too. The jackknife's
    s.e. collapses when few rows disagree; so for rates and precision Tango's answer counts (for precision on
    equivalent counts) where it is the weaker evidence.

    "Too small": a denominator below `minimum_n`, fewer than 10 occupied buckets for the jackknife, fewer than
    10 positives or negatives for the AUC. InvalidInput for a metric without a better direction, one model twice,
    alpha outside (0, 0.5), or a negative margin or harm_at.
    """
    measure = metric_named(metric)
    question = _Question(margin, harm_at, alpha)
    _check(measure, candidate, baseline, question)
    state = profile.state(segment)
    total = state.total()
    n = min(int(measure.denominator(total, model)[0]) for model in (candidate, baseline))
    value, baseline_value = (float(measure.value(total, model)[0]) for model in (candidate, baseline))
    scored = None
    if n:
        counts = _paired_counts(total, candidate, baseline, measure)
        scored = _tango(*counts, n, question) if counts else None
    if scored is not None and measure.paired_rows is not None and not clustered:
        answer = scored
    else:
        answer = _jackknife(state, candidate, baseline, measure, question)
        if scored is not None and answer.method != "too small":
            answer = answer.no_surer_than(scored)
    if n < max(minimum_n, 1):
        answer = answer.unanswered()
    return Comparison(
        segment=segment,
        metric=metric,
        value=value,
        baseline_value=baseline_value,
        delta=answer.delta,
        low=answer.low,
        high=answer.high,
        confidence=1.0 - 2.0 * alpha,
        p_worse=answer.p_worse,
        p_not_worse=answer.p_not_worse,
        n=n,
        standard_error=answer.standard_error,
        variance_per_row=answer.variance_per_row,
        method=answer.method,
        margin=margin,
        harm_at=harm_at,
    )


def _check(measure: Metric, candidate: str, baseline: str, question: _Question) -> None:
    if measure.larger_is_better is None:
        raise InvalidInput(
            f"{measure.name} has no better direction, so no model can be worse in it",
            expected="accuracy, recall, precision, fpr, auc, log_loss or brier",
        )
    if candidate == baseline:
        raise InvalidInput(f"{candidate!r} cannot be compared with itself", expected="two different models")
    if not 0.0 < question.alpha < 0.5:
        raise InvalidInput(f"alpha is {question.alpha!r}", expected="inside (0, 0.5), such as 0.05")
    for name, bound in (("margin", question.margin), ("harm_at", question.harm_at)):
        if not 0.0 <= bound < math.inf or (measure.numerator is not None and bound > 1.0):
            raise InvalidInput(f"{name} is {bound!r}", expected="0 or more, and for a rate at most 1")


def _paired_counts(total: State, candidate: str, baseline: str, measure: Metric) -> tuple[float, float, float] | None:
    """Tango's b, c and n; None where the metric is not made of 0 and 1, or the models select too differently.

    Precision is brought to that form. With the baseline's precision P and the candidate's N selected rows, the
    difference is exactly the sum over rows that one model selects and the other does not: ±(1 − P)/N for a
    positive, ∓P/N for a negative. Moves that differ in size act like b and c of one typical size w, which keeps
    their sum and their sum of squares, out of n = 1/w. One move of the largest size is added for w, so that
    few moves are not taken to be small ones.
    """
    if measure.paired_rows is not None:
        counts = total.paired(candidate, baseline, measure.paired_rows)
        return float(counts.only_first[0]), float(counts.only_second[0]), float(sum(part[0] for part in counts))
    if measure.kind != "ratio":
        return None
    positive = total.paired(candidate, baseline, "positive")
    negative = total.paired(candidate, baseline, "negative")
    selected = total.confusion(candidate)
    n = float(selected.tp[0] + selected.fp[0])
    precision = float(measure.value(total, baseline)[0])
    sizes = ((1.0 - precision) / n, precision / n)
    better = (int(positive.only_first[0]), int(negative.only_first[0]))
    worse = (int(positive.only_second[0]), int(negative.only_second[0]))
    up, down = (sum(k * w for k, w in zip(moves, sizes, strict=True)) for moves in (better, worse))
    squares = sum((k + m) * w * w for k, m, w in zip(better, worse, sizes, strict=True))
    typical = (squares + max(sizes) ** 2) / (up + down + max(sizes))
    return (up / typical, down / typical, 1.0 / typical) if up + down < _TOO_DIFFERENT else None


def _tango(b: float, c: float, size: float, n: int, question: _Question) -> _Answer:
    """Tango's answer for b and c out of `size`, to be reported for `n` rows."""
    ends = paired.tango_interval(b, c, size, 1.0 - 2.0 * question.alpha)
    return _Answer(
        delta=(b - c) / size,
        standard_error=math.sqrt(max(0.0, b + c - (b - c) ** 2 / size)) / size,
        # No disagreement seen does not mean none: the rows still needed must not come out as 0.
        variance_per_row=max(b + c, 1.0) / size**2 * n,
        low=ends.low,
        high=ends.high,
        p_worse=paired.tango_p_worse(b, c, size, -question.harm_at),
        p_not_worse=paired.tango_p_not_worse(b, c, size, -question.margin),
        method="tango",
    )


def _jackknife(state: State, candidate: str, baseline: str, measure: Metric, question: _Question) -> _Answer:
    total = state.total()

    def improvement(part: State) -> NDArray[np.float64]:
        difference = measure.value(part, candidate) - measure.value(part, baseline)
        return difference if measure.larger_is_better else -difference

    denominators = [measure.denominator(state, model) for model in (candidate, baseline)]
    delta = float(improvement(total)[0]) + 0.0  # not -0.0
    spread = jackknife(delta, improvement(state.leave_one_out()), np.maximum(*denominators) > 0)
    error = spread.standard_error
    n = min(int(denominator.sum()) for denominator in denominators)
    answer = _Answer(delta, error, error**2 * n)
    if math.isnan(error) or spread.buckets < _MINIMUM_BUCKETS or _one_class_small(total, candidate, measure):
        return answer
    if error == 0.0:
        low = high = delta
        p_worse, p_not_worse = float(delta >= -question.harm_at), float(delta <= -question.margin)
    else:
        half = normal.t_quantile(1.0 - question.alpha, spread.df) * error
        low, high = delta - half, delta + half
        p_worse = normal.t_upper_tail(-(delta + question.harm_at) / error, spread.df)
        p_not_worse = normal.t_upper_tail((delta + question.margin) / error, spread.df)
    return replace(answer, low=low, high=high, p_worse=p_worse, p_not_worse=p_not_worse, method="jackknife")


def _one_class_small(total: State, model: str, measure: Metric) -> bool:
    if measure.kind != "area":
        return False
    counts = total.area(model)
    return min(int(counts.positives[0]), int(counts.negatives[0])) < measure.minimum
