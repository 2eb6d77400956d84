"""What each method says about the improvement of a candidate over a baseline, for all segments at once."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.estimate import bucket_influence
from assay.stats.jackknife import MINIMUM_BUCKETS, jackknife, sum_of_segments
from assay.stats.metric import Metric, divide
from assay.stats.profile import Profile
from assay.stats.score_arrays import tango_ends, tango_zs
from assay.stats.sums import FRACTION_BITS, Sums

__all__ = ["Answers", "Question", "area_answers", "jackknife_answers", "mean_answers", "rate_answers"]

Floats = NDArray[np.float64]

_UNIT = 2.0**-FRACTION_BITS
_TOO_DIFFERENT = 0.999  # of the candidate's selected rows, in the size of their moves


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the evidence: the bounds on the improvement and the error allowed on each side."""

    candidate: str
    baseline: str
    margin: float
    harm_at: float
    alpha: float
    clustered: bool


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What one method says, each [segments]; P-values 1, ends NaN and "too small" where the rows carry no answer."""

    delta: Floats
    standard_error: Floats
    variance_per_row: Floats
    low: Floats
    high: Floats
    p_worse: Floats
    p_not_worse: Floats
    method: NDArray[np.str_]

    def without(self, unanswered: NDArray[np.bool_], method: str = "too small") -> "Answers":
        """The numbers without the evidence, where there is not enough of it."""
        return replace(
            self,
            low=np.where(unanswered, np.nan, self.low),
            high=np.where(unanswered, np.nan, self.high),
            p_worse=np.where(unanswered, 1.0, self.p_worse),
            p_not_worse=np.where(unanswered, 1.0, self.p_not_worse),
            method=np.where(unanswered, method, self.method),
        )

    def no_surer_than(self, other: "Answers", where: NDArray[np.bool_]) -> "Answers":
        """The weaker evidence of both: the wider interval and the larger P-values and variance."""

        def weaker(mine: Floats, theirs: Floats, smaller: bool) -> Floats:
            chosen: Floats = np.where(where, np.fmin(mine, theirs) if smaller else np.fmax(mine, theirs), mine)
            return chosen

        return replace(
            self,
            variance_per_row=weaker(self.variance_per_row, other.variance_per_row, False),
            low=weaker(self.low, other.low, True),
            high=weaker(self.high, other.high, False),
            p_worse=weaker(self.p_worse, other.p_worse, False),
            p_not_worse=weaker(self.p_not_worse, other.p_not_worse, False),
        )


def mean_answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    """Paired t on the differences of a number per row: mean ± t·s/√n; rows are independent."""
    assert measure.difference_squares is not None
    totals = profile.totals()
    n = measure.denominator(totals, question.candidate)
    delta = _improvement(measure, totals, question)
    squares = measure.difference_squares(totals, question.candidate, question.baseline)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(squares - n * delta**2, 0.0) / (n - 1.0)
        # Each number was rounded to the unit of the fixed point: a difference that small is no certain one.
        variance = np.where(delta == 0.0, variance, np.maximum(variance, (measure.unit * _UNIT) ** 2))
        error = np.sqrt(variance / n)
    answers = _t_answers(delta, error, n - 1.0, variance, question, "paired t")
    return answers.without(~(n >= 2))


def jackknife_answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    """Paired delete-a-bucket jackknife with t; holds for rows that hang together within units."""
    totals, by_bucket, rest = profile.totals(), profile.by_bucket(), profile.without_each_bucket()
    delta = _improvement(measure, totals, question) + 0.0  # not -0.0
    occupied = by_bucket.labelled > 0
    if measure.kind != "smooth":
        counts = [measure.denominator(by_bucket, model) for model in (question.candidate, question.baseline)]
        occupied = np.maximum(*counts) > 0
    spread = jackknife(delta, _improvement(measure, rest, question), occupied, profile.starts())
    error = spread.standard_error
    n = _rows(measure, totals, question)
    answers = _t_answers(delta, error, spread.df, error**2 * n, question, "jackknife")
    return answers.without(np.isnan(error) | (spread.buckets < MINIMUM_BUCKETS))


def area_answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    """The difference of two areas on the same rows: DeLong's variance, or Obuchowski's over buckets where clustered.

    With Student's t: DeLong's variance is Welch's of two samples, the rows of each class, with his degrees of freedom.
    """
    totals = profile.totals()
    counts = totals.area(question.candidate)
    smaller = np.minimum(counts.positives, counts.negatives).astype(np.float64)
    delta = _improvement(measure, totals, question) + 0.0
    moved, influence = bucket_influence(profile, smaller), profile.influence
    n = totals.labelled * totals.rows_per_weight
    if moved is None or influence is None:
        unknown = np.full(len(delta), np.nan)
        everywhere = np.ones(len(delta), dtype=bool)
        return _t_answers(delta, unknown, unknown, unknown, question, "not kept").without(everywhere, "not kept")
    first, second = sorted(profile.models.index(model) for model in (question.candidate, question.baseline))
    few = smaller * totals.rows_per_weight < measure.minimum
    with np.errstate(invalid="ignore", divide="ignore"):
        if question.clustered:
            starts = profile.starts()
            buckets = sum_of_segments((profile.by_bucket().labelled > 0).astype(np.float64), starts)
            squares = sum_of_segments(np.nan_to_num(moved[:, first] - moved[:, second]) ** 2, starts)
            error = np.sqrt(squares * buckets / (buckets - 1.0))
            few |= buckets < MINIMUM_BUCKETS
            df, name = buckets - 1.0, "obuchowski"
        else:
            pair = _pair(len(profile.models), first, second)
            by_class = influence.square_sums(pair) / smaller[:, None] ** 2
            n_pos, n_neg = counts.positives.astype(np.float64), counts.negatives.astype(np.float64)
            variances = np.stack([by_class[:, 1] * n_pos / (n_pos - 1.0), by_class[:, 0] * n_neg / (n_neg - 1.0)])
            error = np.sqrt(variances.sum(axis=0))
            # Among 30 segments of 30 positives the tail of a normal accused one in 7 % of runs instead of 5 %.
            df = variances.sum(axis=0) ** 2 / (variances[0] ** 2 / (n_pos - 1.0) + variances[1] ** 2 / (n_neg - 1.0))
            name = "delong"
    # Models that order the rows differently and yet show no spread (each separates the classes) say nothing.
    areas = measure.value(totals, question.candidate)
    few |= (error == 0.0) & (np.abs(delta) < 1.0) & ((areas == 0.0) | (areas == 1.0))
    return _t_answers(delta, error, df, error**2 * n, question, name).without(few | np.isnan(error))


def rate_answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    """Tango's score test for rates; for ratios and clustered units no surer than it."""
    totals = profile.totals()
    n = _rows(measure, totals, question)
    binary = "positive" in totals
    if measure.pairs is None and not binary:  # a ratio that no two counts stand for
        return jackknife_answers(profile, measure, question)
    counts = _paired_counts(totals, measure, question)
    scored = _tango(*counts[:3], n, question)
    usable = (n > 0) & counts[3]
    if measure.pairs is not None and not question.clustered:
        return scored.without(~usable)
    if question.clustered:
        answers = jackknife_answers(profile, measure, question)
    else:
        answers = _delta_answers(profile, measure, question)
    return answers.no_surer_than(scored, usable & (answers.method != "too small"))


def _delta_answers(profile: Profile, measure: Metric, question: Question) -> Answers:
    """The delta method: Σ over the eight kinds of rows of count·(influence of the kind)²; rows are independent.

    A ratio is numerator/denominator, both linear in the counts, so a row moves it by (numerator of the row − value·
    denominator of the row)/denominator.
    """
    assert measure.numerator is not None
    totals = profile.totals()
    kinds, counts = _kinds(totals, question)
    moves = np.zeros_like(counts)
    for model, sign in ((question.candidate, 1.0), (question.baseline, -1.0)):
        value = measure.value(totals, model)[:, None]
        denominator = measure.denominator(totals, model)[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            own = measure.numerator(kinds, model) - value * measure.denominator(kinds, model)
            moves = moves + sign * own / denominator
    n = _rows(measure, totals, question)
    error = np.sqrt((counts * moves**2).sum(axis=1))
    delta = _improvement(measure, totals, question) + 0.0
    answers = _t_answers(delta, error, np.full(len(delta), np.inf), error**2 * n, question, "delta")
    return answers.without(np.isnan(error))


def _kinds(totals: Sums, question: Question) -> tuple[Sums, Floats]:
    """One row of each kind (label, candidate, baseline), as sums, and how many rows of each there are [k, 8]."""
    kinds = np.arange(8)
    label, candidate, baseline = kinds >> 2 & 1, kinds >> 1 & 1, kinds & 1
    unit = np.zeros((8, totals.table.shape[1]), dtype=np.int64)
    unit[:, totals.columns["rows"]] = 1
    unit[:, totals.columns["positive"]] = label
    for model, says in ((question.candidate, candidate), (question.baseline, baseline)):
        unit[:, totals.columns[f"tp/{model}"]] = label * says
        unit[:, totals.columns[f"fp/{model}"]] = (1 - label) * says
    both = [totals.count(name, question.candidate, question.baseline) for name in ("fp", "tp")]
    columns = []
    for kind in kinds:
        name, all_rows = ("tp", totals.count("positive")) if label[kind] else ("fp", _negatives(totals))
        one, two = totals.count(name, question.candidate), totals.count(name, question.baseline)
        shared = both[label[kind]]
        rows = {(1, 1): shared, (1, 0): one - shared, (0, 1): two - shared, (0, 0): all_rows - one - two + shared}
        columns.append(rows[int(candidate[kind]), int(baseline[kind])])
    return Sums(totals.columns, unit), np.stack(columns, axis=1)


def _negatives(totals: Sums) -> Floats:
    return totals.labelled - totals.count("positive")


def _paired_counts(
    totals: Sums, measure: Metric, question: Question
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Tango's b, c and n, and where they are of use.

    A ratio is brought to that form. With the baseline's value P and the candidate's denominator D, the difference is
    Σ over rows of (numerator − P·denominator of the row)/D, in which only rows count that the models answer
    differently: moves of up to four sizes. Moves that differ in size act like b and c of one typical size w, which
    keeps their sum and their sum of squares, out of n = 1/w. One move of the largest size is added for w, so that few
    moves are not taken to be small ones.
    """
    alike = totals.rows_per_weight
    if measure.pairs is not None:
        b, c = measure.pairs(totals, question.candidate, question.baseline)
        n = measure.denominator(totals, question.candidate)
        return b * alike, c * alike, n * alike, np.ones(len(b), dtype=bool)
    _, counts = _kinds(totals, question)
    counts = counts * alike[:, None]
    assert measure.numerator is not None
    kinds, _ = _kinds(totals, question)
    value = measure.value(totals, question.baseline)
    denominator = measure.denominator(totals, question.candidate) * alike
    moves = []
    for label, columns in ((0, (2, 1)), (1, (6, 5))):
        with_candidate = measure.numerator(kinds, question.candidate), measure.denominator(kinds, question.candidate)
        says, silent = 4 * label + 2, 4 * label
        numerator, rows = (part[says] - part[silent] for part in with_candidate)
        size = divide(numerator - value * rows, denominator)
        moves += [(counts[:, columns[0]], size), (counts[:, columns[1]], -size)]
    sizes = np.stack([np.abs(size) for _, size in moves], axis=1)
    up = sum((count * np.maximum(size, 0.0) for count, size in moves), np.zeros(len(value)))
    down = sum((count * np.maximum(-size, 0.0) for count, size in moves), np.zeros(len(value)))
    squares = sum((count * size**2 for count, size in moves), np.zeros(len(value)))
    largest = sizes.max(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        typical = (squares + largest**2) / (up + down + largest)
        usable = np.isfinite(typical) & (typical > 0) & (up + down < _TOO_DIFFERENT)
        b, c, n = (np.where(usable, part / typical, 0.0) for part in (up, down, np.ones(len(value))))
    if measure.larger_is_better is False:
        b, c = c, b
    return b, c, n, usable


def _tango(b: Floats, c: Floats, size: Floats, n: Floats, question: Question) -> Answers:
    """Tango's answer for b and c out of `size`, to be reported for `n` rows."""
    low, high = tango_ends(b, c, size, normal.critical_value(1.0 - 2.0 * question.alpha))
    delta = divide(b - c, size) + 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.maximum(0.0, b + c - (b - c) ** 2 / size)) / size
        # No disagreement seen does not mean none: the rows still needed must not come out as 0.
        variance = np.maximum(b + c, 1.0) / size**2 * n
    ones = np.ones(len(b))
    return Answers(
        delta,
        error,
        variance,
        low,
        high,
        normal.upper_tails(-tango_zs(b, c, size, -question.harm_at * ones)),
        normal.upper_tails(tango_zs(b, c, size, -question.margin * ones)),
        np.full(len(b), "tango", dtype="<U10"),
    )


def _t_answers(delta: Floats, error: Floats, df: Floats, variance: Floats, question: Question, name: str) -> Answers:
    """delta ± t·s.e., and both one-sided tests; without any spread the difference is taken to be what was seen."""
    half = normal.t_quantiles(1.0 - question.alpha, df) * error
    with np.errstate(invalid="ignore", divide="ignore"):
        p_worse = normal.t_upper_tails(-(delta + question.harm_at) / error, df)
        p_not_worse = normal.t_upper_tails((delta + question.margin) / error, df)
    still = error == 0.0
    return Answers(
        delta,
        error,
        variance,
        np.where(still, delta, delta - half),
        np.where(still, delta, delta + half),
        np.where(still, (delta >= -question.harm_at).astype(np.float64), p_worse),
        np.where(still, (delta <= -question.margin).astype(np.float64), p_not_worse),
        np.full(len(delta), name, dtype="<U10"),
    )


def _rows(measure: Metric, totals: Sums, question: Question) -> Floats:
    """[segments] the rows of the denominator, of the smaller one where each model has its own."""
    counts = [measure.denominator(totals, model) for model in (question.candidate, question.baseline)]
    found: Floats = np.minimum(*counts) * totals.rows_per_weight
    return found


def _improvement(measure: Metric, sums: Sums, question: Question) -> Floats:
    difference = measure.value(sums, question.candidate) - measure.value(sums, question.baseline)
    return difference if measure.larger_is_better else -difference


def _pair(count: int, first: int, second: int) -> int:
    return first * (2 * count - first - 1) // 2 + second - first - 1
