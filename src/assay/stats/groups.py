"""One group of rows against another: is a rate of a model the same for both, within a bound?

The rows differ, so nothing is paired. As everywhere there are three answers: shown to be within the bound, shown to
be beyond it, or neither. A difference or a ratio of the rates seen is never compared with the bound itself.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import normal
from assay.stats.intervals import Interval, newcombe_independent
from assay.stats.metric import Metric
from assay.stats.metrics import metric_named, metrics_of
from assay.stats.multiplicity import holm
from assay.stats.power import rows_needed
from assay.stats.profile import Profile
from assay.stats.rate_ratio import koopman_interval, ratio_p_above, ratio_p_below
from assay.stats.segment import Segment
from assay.stats.unpaired import miettinen_nurminen_p_not_worse, miettinen_nurminen_p_worse

__all__ = ["GroupGap", "group_gaps"]

Floats = NDArray[np.float64]

_MINIMUM_N = 10
_MINIMUM_BUCKETS = 10


@dataclass(frozen=True, slots=True)
class GroupGap:
    """A group's rate beside the reference group's.

    `gap` is their difference (measure "gap") or their ratio ("ratio"), group over reference, with its two-sided
    interval at confidence 1 − 2 alpha. `p_beyond` is the P-value of "within the bound", `p_holm` the same after Holm
    over the groups, `p_within` that of "beyond it". `affected` rows of the group would have had another answer at the
    reference's rate: above 0 it would have counted more. `n` and `reference_n` are rows of the rate's denominator.
    `rows_needed` rows of the group would decide if the rates stay as they are. `method` is "score", "jackknife" or
    "too small".
    """

    group: Segment
    reference: Segment
    metric: str
    measure: Literal["gap", "ratio"]
    bound: float
    n: int
    reference_n: int
    value: float
    reference_value: float
    gap: float
    low: float
    high: float
    p_beyond: float
    p_holm: float
    p_within: float
    verdict: Literal["pass", "fail", "inconclusive"]
    affected: float
    rows_needed: int | None
    method: str


@dataclass(frozen=True, slots=True)
class _Evidence:
    low: float
    high: float
    p_beyond: float
    p_within: float
    method: str


def group_gaps(
    profile: Profile,
    model: str,
    metric: str,
    column: str,
    *,
    gap: float | None = None,
    ratio: float | None = None,
    reference: str | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
    clustered: bool = False,
) -> list[GroupGap]:
    """Every group of a segment column against the reference, by default the group with the most rows.

    `gap` bounds the difference on both sides: within it is shown by two one-sided tests of Miettinen and Nurminen,
    beyond it by one of them at twice its P-value; the interval is Newcombe's. `ratio`, such as 0.8, bounds the
    smaller rate over the larger one: Koopman's score test and interval. To call a group beyond the bound is an
    accusation, with Holm over the groups; to certify it takes alpha each. `clustered`: rows hang together within
    units, of which a bucket may hold rows of both groups; then the jackknife of the difference (of the log ratio)
    counts wherever it is the weaker evidence.

    "Too small": fewer than 10 rows in a denominator, or fewer than 10 occupied buckets where clustered. InvalidInput
    for a metric that is no rate, a column or reference that is not there, and bounds other than one of both inside
    (0, 1).
    """
    measure, bound, rate = _checked(profile, metric, column, gap, ratio, alpha)
    groups = [segment for segment in profile.segments if [name for name, _ in segment.conditions] == [column]]
    totals = profile.totals()
    places = {segment: profile.position(segment) for segment in groups}
    rows = totals.count("rows")
    base = _reference(groups, reference, column, [float(rows[places[segment] or 0]) for segment in groups])
    assert rate.numerator is not None
    successes, counts = rate.numerator(totals, model), rate.denominator(totals, model)
    b = places[base]
    found = []
    for segment in groups:
        a = places[segment]
        if segment == base or a is None or b is None:
            continue
        table = (float(successes[a]), float(counts[a]), float(successes[b]), float(counts[b]))
        evidence = _score(measure, bound, table, alpha)
        if clustered:
            evidence = _weaker(evidence, _jackknife(profile, model, rate, (a, b), measure, bound, alpha))
        if min(table[1], table[3]) < _MINIMUM_N:
            evidence = _TOO_SMALL
        found.append(_gap(segment, base, metric, measure, bound, table, evidence, alpha, power))
    adjusted = holm([one.p_beyond for one in found])
    return [_judged(one, p_holm, alpha) for one, p_holm in zip(found, adjusted, strict=True)]


_TOO_SMALL = _Evidence(math.nan, math.nan, 1.0, 1.0, "too small")


def _checked(
    profile: Profile, metric: str, column: str, gap: float | None, ratio: float | None, alpha: float
) -> tuple[Literal["gap", "ratio"], float, Metric]:
    rate = metric_named(metric, profile.task)
    rates = [name for name, one in metrics_of(profile.task).items() if one.kind in ("rate", "ratio") and name != "f1"]
    if metric not in rates:
        raise InvalidInput(f"{metric} is no rate, so groups cannot be compared in it", expected=", ".join(rates))
    if column not in profile.columns:
        raise InvalidInput(
            f"the profile has no segment column {column!r}",
            expected=f"one of {', '.join(profile.columns) or 'none'}",
            hint=nearest(column, list(profile.columns)),
        )
    if (gap is None) == (ratio is None):
        raise InvalidInput("groups need one bound", expected="either gap= or ratio=")
    bound = gap if gap is not None else ratio
    assert bound is not None
    if not 0.0 < bound < 1.0:
        raise InvalidInput(f"the bound is {bound!r}", expected="inside (0, 1), such as a gap of 0.05 or a ratio of 0.8")
    if not 0.0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 0.5), such as 0.05")
    return ("gap" if gap is not None else "ratio"), bound, rate


def _reference(groups: list[Segment], reference: str | None, column: str, rows: list[float]) -> Segment:
    if reference is None:
        return groups[rows.index(max(rows))]
    values = [segment.conditions[0][1] for segment in groups]
    if reference not in values:
        raise InvalidInput(
            f"no row has {column}={reference}", expected=", ".join(values), hint=nearest(reference, values)
        )
    return groups[values.index(reference)]


def _score(measure: str, bound: float, table: tuple[float, float, float, float], alpha: float) -> _Evidence:
    x_1, n_1, x_2, n_2 = table
    if measure == "gap":
        ends = newcombe_independent(*table, 1.0 - 2.0 * alpha)
        above, below = miettinen_nurminen_p_not_worse, miettinen_nurminen_p_worse
        within = max(above(*table, -bound), below(*table, bound))
        beyond = 2.0 * min(below(*table, -bound), above(*table, bound))
    else:
        ends = koopman_interval(*table, 1.0 - 2.0 * alpha)
        within = max(ratio_p_above(*table, bound), ratio_p_above(x_2, n_2, x_1, n_1, bound))
        beyond = 2.0 * min(ratio_p_below(*table, bound), ratio_p_below(x_2, n_2, x_1, n_1, bound))
    return _Evidence(ends.low, ends.high, min(1.0, beyond), within, "score")


def _jackknife(
    profile: Profile,
    model: str,
    rate: Metric,
    places: tuple[int, int],
    measure: str,
    bound: float,
    alpha: float,
) -> _Evidence:
    """Leaving out a bucket of both groups at once; for ratios on the log scale."""
    assert rate.numerator is not None
    sums = profile.by_bucket()
    parts = []
    for place in places:
        inside = profile.segment == place
        for values in (rate.numerator(sums, model), rate.denominator(sums, model)):
            by_bucket = np.zeros(profile.buckets)
            by_bucket[profile.bucket[inside]] = values[inside]
            parts.append(by_bucket)
    occupied = (parts[1] + parts[3]) > 0
    count = int(occupied.sum())

    def moved(*counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            first, second = counts[0] / counts[1], counts[2] / counts[3]
            found: Floats = first - second if measure == "gap" else np.log(first) - np.log(second)
        return found

    whole = float(moved(*(np.array([part.sum()]) for part in parts))[0])
    rest = moved(*((part.sum() - part)[occupied] for part in parts))
    if count < _MINIMUM_BUCKETS or not (math.isfinite(whole) and np.isfinite(rest).all()):
        return _TOO_SMALL
    pseudo = count * whole - (count - 1) * rest
    error = float(pseudo.std(ddof=1)) / math.sqrt(count)
    if error == 0.0:
        return _TOO_SMALL
    half, df = normal.t_quantile(1.0 - alpha, count - 1) * error, count - 1
    limit = bound if measure == "gap" else -math.log(bound)
    above, below = ((whole - sign * limit) / error for sign in (-1.0, 1.0))
    within = max(normal.t_upper_tail(above, df), normal.t_upper_tail(-below, df))
    beyond = min(1.0, 2.0 * min(normal.t_upper_tail(-above, df), normal.t_upper_tail(below, df)))
    ends = Interval(whole - half, whole + half)
    if measure == "ratio":
        ends = Interval(math.exp(ends.low), math.exp(ends.high))
    return _Evidence(ends.low, ends.high, beyond, within, "jackknife")


def _weaker(score: _Evidence, jackknife: _Evidence) -> _Evidence:
    if jackknife.method == "too small":
        return jackknife
    return _Evidence(
        min(score.low, jackknife.low),
        max(score.high, jackknife.high),
        max(score.p_beyond, jackknife.p_beyond),
        max(score.p_within, jackknife.p_within),
        "jackknife",
    )


def _gap(
    group: Segment,
    reference: Segment,
    metric: str,
    measure: Literal["gap", "ratio"],
    bound: float,
    table: tuple[float, float, float, float],
    evidence: _Evidence,
    alpha: float,
    power: float,
) -> GroupGap:
    x_1, n_1, x_2, n_2 = table
    value = x_1 / n_1 if n_1 else math.nan
    other = x_2 / n_2 if n_2 else math.nan
    seen = value - other
    if measure == "ratio":
        seen = value / other if other else math.nan
    return GroupGap(
        group=group,
        reference=reference,
        metric=metric,
        measure=measure,
        bound=bound,
        n=int(n_1),
        reference_n=int(n_2),
        value=value,
        reference_value=other,
        gap=seen,
        low=evidence.low,
        high=evidence.high,
        p_beyond=evidence.p_beyond,
        p_holm=1.0,
        p_within=evidence.p_within,
        verdict="inconclusive",
        affected=(other - value) * n_1,
        rows_needed=_rows(measure, bound, table, alpha, power),
        method=evidence.method,
    )


def _rows(
    measure: str, bound: float, table: tuple[float, float, float, float], alpha: float, power: float
) -> int | None:
    """Rows of the group that decide, if the rates are as seen and the reference grows along."""
    x_1, n_1, x_2, n_2 = table
    if not (n_1 and n_2):
        return None
    p_1, p_2 = x_1 / n_1, x_2 / n_2
    if measure == "gap":
        variance, away = p_1 * (1 - p_1) + p_2 * (1 - p_2) * n_1 / n_2, abs(bound - abs(p_1 - p_2))
    else:
        smaller, larger = (0, 1) if p_1 <= p_2 else (1, 0)
        rates, sizes = (p_1, p_2), (n_1, n_2)
        spread = [p * (1 - p) * n_1 / n for p, n in zip(rates, sizes, strict=True)]
        variance = spread[smaller] + bound**2 * spread[larger]
        away = abs(rates[smaller] - bound * rates[larger])
    return rows_needed(variance, away, alpha=alpha, power=power) if away > 0 else None


def _judged(found: GroupGap, p_holm: float, alpha: float) -> GroupGap:
    if p_holm <= alpha:
        return replace(found, p_holm=p_holm, verdict="fail", rows_needed=None)
    if found.p_within <= alpha:
        return replace(found, p_holm=p_holm, verdict="pass", rows_needed=None)
    return replace(found, p_holm=p_holm)
