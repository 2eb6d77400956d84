"""What scikit-learn, SciPy and statsmodels compute too, on random inputs: the numbers are theirs."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats as scipy_stats
from sklearn import metrics as sklearn
from statsmodels.regression.linear_model import OLS
from statsmodels.stats import proportion
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_sample_size_one_tail

from assay.stats import (
    OVERALL,
    Profile,
    Segment,
    benjamini_hochberg,
    benjamini_yekutieli,
    clustered_ratio,
    compare_all,
    estimate_all,
    holm,
    koopman_interval,
    mcnemar_p,
    miettinen_nurminen_z,
    newcombe_independent,
    normal,
    paired_t,
    rate_equivalence_power,
    rows_needed,
    tango_z,
    two_rates_p,
    wilson,
)
from assay.stats.histogram import bin_of

Floats = NDArray[np.float64]
NAN = math.nan

SIDES = st.integers(5, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@st.composite
def rows(draw: st.DrawFn) -> tuple[Floats, Floats, NDArray[np.object_], float]:
    """Labels with gaps, scores with ties, segments of which "p" is all positive and "u" unlabelled, a threshold."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 200))
    levels = draw(st.sampled_from([1, 4, 64, 0]))  # 0: all scores differ, and no bin holds them exactly
    score = generator.beta(0.7, 1.5, n)
    score = np.round(score * levels) / levels if levels else score
    label = (generator.random(n) < 0.1 + 0.8 * score).astype(np.float64)
    segment = generator.choice(list("abpu"), n, p=[0.5, 0.3, 0.15, 0.05]).astype(object)
    label[segment == "p"] = 1.0
    label[(segment == "u") | (generator.random(n) < draw(st.sampled_from([0.0, 0.3, 1.0])))] = NAN
    return label, score, segment, draw(st.sampled_from([0.0, 0.25, 0.5, 0.999]))


def expected(label: Floats, score: Floats, threshold: float) -> dict[str, float]:
    """Every metric from rows by scikit-learn; NaN where a denominator is 0.

    Average precision and the calibration error are those of the histogram: a bin's rows tie, and count as its middle.
    """
    label, score = label[~np.isnan(label)], score[~np.isnan(label)]
    if not len(label):
        return dict.fromkeys(ESTIMATED, NAN)
    says = (score >= threshold).astype(np.float64)
    both = 0.0 < label.mean() < 1.0
    undefined: dict[str, Any] = {"zero_division": NAN}
    edges = [(bin_of(score) + more << 14).astype(np.uint32).view(np.float32).astype(np.float64) for more in (0, 1)]
    middle = np.minimum((edges[0] + edges[1]) / 2.0, 1.0)
    tenth = np.minimum((middle * 10).astype(int), 9)
    gaps = [abs(middle[tenth == place].sum() - label[tenth == place].sum()) for place in range(10)]
    return {
        "accuracy": sklearn.accuracy_score(label, says),
        "recall": sklearn.recall_score(label, says, **undefined),
        "precision": sklearn.precision_score(label, says, **undefined),
        "f1": sklearn.f1_score(label, says, **undefined),
        "fpr": 1.0 - sklearn.recall_score(label, says, pos_label=0, **undefined),
        "fnr": 1.0 - sklearn.recall_score(label, says, **undefined),
        "specificity": sklearn.recall_score(label, says, pos_label=0, **undefined),
        "npv": sklearn.precision_score(label, says, pos_label=0, **undefined),
        "balanced_accuracy": sklearn.balanced_accuracy_score(label, says) if both else NAN,
        "selection_rate": says.mean(),
        "prevalence": label.mean(),
        "auc": sklearn.roc_auc_score(label, score) if both else NAN,
        "average_precision": sklearn.average_precision_score(label, bin_of(score)) if label.any() else NAN,
        "log_loss": sklearn.log_loss(label, np.clip(score, 1e-15, 1 - 1e-15), labels=[0, 1]),
        "brier": sklearn.brier_score_loss(label, score, labels=[0, 1], pos_label=1),
        "calibration_in_the_large": score.mean() - label.mean(),
        "ece": sum(gaps) / len(label),
    }


ESTIMATED = tuple(expected(np.array([0.0, 1.0]), np.array([0.2, 0.7]), 0.5))


def pairs_in_one_bin(label: Floats, score: Floats) -> float:
    """The share of the pairs of a positive and a negative that a bin makes a tie."""
    positive, negative = bin_of(score[label == 1.0])[:, None], bin_of(score[label == 0.0])[None, :]
    return float((positive == negative).mean()) if positive.size and negative.size else 0.0


@pytest.mark.slow
@given(rows())
@settings(deadline=None, max_examples=50)
def test_every_metric_of_every_segment_is_scikit_learns(
    table: tuple[Floats, Floats, NDArray[np.object_], float],
) -> None:
    label, score, segment, threshold = table
    profile = Profile.build(label, {"m": score}, {"s": segment}, None, {"m": threshold})
    assert profile.segments[0] == OVERALL
    found = {name: estimate_all(profile, "m", name) for name in ESTIMATED}
    for place, one in enumerate(profile.segments):
        inside = np.ones(len(label), dtype=bool) if one == OVERALL else segment == one.conditions[0][1]
        own, scores = label[inside], score[inside]
        for name, right in expected(own, scores, threshold).items():
            # losses are rounded to 2**-24 in each row
            tolerance = pairs_in_one_bin(own, scores) / 2.0 + 1e-12 if name == "auc" else 1e-7
            assert found[name].value[place] == pytest.approx(right, abs=tolerance, nan_ok=True), (name, one)


@given(rows(), CONFIDENCES)
@settings(deadline=None, max_examples=40)
def test_rates_of_every_segment_have_the_wilson_interval_of_statsmodels(
    table: tuple[Floats, Floats, NDArray[np.object_], float], confidence: float
) -> None:
    label, score, segment, threshold = table
    profile = Profile.build(label, {"m": score}, {"s": segment}, None, {"m": threshold})
    found = {name: estimate_all(profile, "m", name, confidence) for name in ("accuracy", "precision", "recall", "fpr")}
    for value in "abp":
        place = profile.position(Segment((("s", value),)))
        own = (segment == value) & ~np.isnan(label)
        if place is None:
            continue
        truth, says = label[own] == 1.0, score[own] >= threshold
        counts = {
            "accuracy": (truth == says, np.ones_like(truth)),
            "precision": (truth & says, says),
            "recall": (truth & says, truth),
            "fpr": (~truth & says, ~truth),
        }
        for name, (successes, of) in counts.items():
            if of.any():
                ends = proportion.proportion_confint(successes.sum(), of.sum(), 1.0 - confidence, method="wilson")
                assert (found[name].low[place], found[name].high[place]) == pytest.approx(ends, abs=1e-12), name
            else:
                assert math.isnan(found[name].low[place])


@given(rows(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_comparisons_of_every_segment_are_mcnemars_and_the_paired_t(
    table: tuple[Floats, Floats, NDArray[np.object_], float], seed: int
) -> None:
    label, score, segment, threshold = table
    other = np.clip(score + np.random.default_rng(seed).choice([-0.25, 0.0, 0.125], len(score)), 0.0, 1.0)
    scores = {"candidate": other, "baseline": score}
    profile = Profile.build(label, scores, {"s": segment}, None, dict.fromkeys(scores, threshold))
    accuracy = compare_all(profile, "candidate", "baseline", "accuracy", 0.02)
    brier = compare_all(profile, "candidate", "baseline", "brier", 0.02)
    for place, one in enumerate(profile.segments):
        own = ~np.isnan(label) & (one == OVERALL or segment == one.conditions[0][1])
        if own.sum() < 10:
            assert accuracy.method[place] == brier.method[place] == "too small"
            continue
        right = {name: (column[own] >= threshold) == (label[own] == 1.0) for name, column in scores.items()}
        b = int((right["candidate"] & ~right["baseline"]).sum())
        c = int((~right["candidate"] & right["baseline"]).sum())
        assert accuracy.delta[place] == pytest.approx((b - c) / own.sum(), abs=1e-12)
        if b + c:
            test = mcnemar([[0, b], [c, 0]], exact=False, correction=False)
            one_sided = accuracy.p_worse[place]
            assert 2.0 * min(one_sided, 1.0 - one_sided) == pytest.approx(test.pvalue, rel=1e-9)
        losses = {name: (column[own] - label[own]) ** 2 for name, column in scores.items()}
        gain = losses["baseline"] - losses["candidate"]
        assert brier.delta[place] == pytest.approx(gain.mean(), abs=1e-7)
        if np.ptp(gain) > 1e-3:  # scipy warns where all differences are equal
            worse = scipy_stats.ttest_rel(losses["baseline"], losses["candidate"], alternative="less")
            assert brier.p_worse[place] == pytest.approx(worse.pvalue, rel=1e-4, abs=1e-9)
            ends = scipy_stats.ttest_rel(losses["baseline"], losses["candidate"]).confidence_interval(brier.confidence)
            assert (brier.low[place], brier.high[place]) == pytest.approx((ends.low, ends.high), abs=1e-6)


@given(SIDES, CONFIDENCES)
def test_wilson_is_statsmodels(side: tuple[int, int], confidence: float) -> None:
    found = wilson(*side, confidence)
    ends = proportion.proportion_confint(*side, 1.0 - confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-12)


@given(SIDES, SIDES, CONFIDENCES)
def test_newcombe_of_two_groups_is_statsmodels(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    found = newcombe_independent(*first, *second, confidence)
    ends = proportion.confint_proportions_2indep(*first, *second, method="newcomb", alpha=1.0 - confidence)
    assert (found.low, found.high) == pytest.approx(ends, abs=1e-12)


@given(SIDES, SIDES, CONFIDENCES)
@settings(deadline=None, max_examples=50)
def test_koopmans_interval_is_the_score_interval_of_statsmodels(
    first: tuple[int, int], second: tuple[int, int], confidence: float
) -> None:
    assume(all(0 < successes < n for successes, n in (first, second)))
    found = koopman_interval(*first, *second, confidence)
    ends = proportion.confint_proportions_2indep(
        *first, *second, method="score", compare="ratio", alpha=1.0 - confidence, correction=False
    )
    assert (found.low, found.high) == pytest.approx(ends, rel=1e-5)


@given(SIDES, SIDES, st.booleans())
def test_the_score_test_of_equal_rates_is_statsmodels(
    first: tuple[int, int], second: tuple[int, int], corrected: bool
) -> None:
    # Only at a difference of 0: for others statsmodels 0.15 has x₂ where the cubic of Miettinen and Nurminen (1985) has
    # n₂ (its issue 10269), and misses the greatest likelihood, which test_unpaired.py finds by search.
    assume(all(0 < successes < n for successes, n in (first, second)))  # it divides by each
    test = proportion.test_proportions_2indep(
        *first, *second, value=0, method="score", compare="diff", correction=corrected
    )
    assert miettinen_nurminen_z(*first, *second, 0.0, corrected=corrected) == pytest.approx(
        test.statistic, rel=1e-6, abs=1e-7
    )
    if corrected:
        assert two_rates_p(*first, *second) == pytest.approx(test.pvalue, rel=1e-6)


@given(st.integers(0, 80), st.integers(0, 80), st.integers(0, 200))
def test_mcnemar_is_statsmodels(b: int, c: int, agreeing: int) -> None:
    table = [[agreeing, b], [c, 3]]
    if b + c >= 25:
        test = mcnemar(table, exact=False, correction=False)
        assert mcnemar_p(b, c) == pytest.approx(test.pvalue, rel=1e-10)
        assert tango_z(b, c, b + c + agreeing + 3, 0.0) ** 2 == pytest.approx(test.statistic, rel=1e-10)
    elif b != c:
        # the exact P-value has all of the probability of the observed split in each tail, mid-p half of it
        observed = float(scipy_stats.binom.pmf(min(b, c), b + c, 0.5))
        assert mcnemar_p(b, c) == pytest.approx(mcnemar(table, exact=True).pvalue - observed, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(deadline=None, max_examples=50)
def test_adjusted_p_values_are_those_of_statsmodels_and_scipy(p_values: list[float]) -> None:
    for ours, theirs in ((holm, "holm"), (benjamini_hochberg, "fdr_bh"), (benjamini_yekutieli, "fdr_by")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # Holm–Šidák's logarithm of 0 in the same function
            adjusted = multipletests(p_values, method=theirs)[1]
        assert ours(p_values) == pytest.approx(adjusted.tolist(), rel=1e-12, abs=1e-300)
    for ours, name in ((benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")):
        controlled = scipy_stats.false_discovery_control(p_values, method=name)
        assert ours(p_values) == pytest.approx(controlled.tolist(), rel=1e-12, abs=1e-300)


@given(st.integers(0, 2**32), st.integers(3, 200), CONFIDENCES)
def test_the_paired_t_is_scipys(seed: int, n: int, confidence: float) -> None:
    generator = np.random.default_rng(seed)
    baseline = generator.exponential(size=n)
    candidate = baseline + generator.normal(0.05, 0.2, n)
    d = baseline - candidate
    found = paired_t(n, float(d.sum()), float((d**2).sum()))
    worse = scipy_stats.ttest_rel(baseline, candidate, alternative="less")
    better = scipy_stats.ttest_rel(baseline, candidate, alternative="greater")
    assert found.p_worse() == pytest.approx(worse.pvalue, rel=1e-9)
    assert found.p_not_worse() == pytest.approx(better.pvalue, rel=1e-9)
    both = scipy_stats.ttest_rel(baseline, candidate).confidence_interval(confidence)
    ends = found.interval(confidence)
    assert (ends.low, ends.high) == pytest.approx((both.low, both.high), rel=1e-9, abs=1e-12)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 8))
@settings(deadline=None)
def test_the_error_of_a_clustered_mean_is_statsmodels(seed: int, clusters: int, most: int) -> None:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, most + 1, clusters)
    cluster = np.repeat(np.arange(clusters), sizes)
    y = generator.normal(size=clusters)[cluster] + generator.normal(size=len(cluster))
    assume(len(y) > 2)
    fitted = OLS(y, np.ones(len(y))).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    found = clustered_ratio(np.bincount(cluster, weights=y), sizes)
    assert found.value == pytest.approx(fitted.params[0], rel=1e-9, abs=1e-12)
    assert found.standard_error == pytest.approx(fitted.bse[0], rel=1e-9)


@given(st.floats(1e-12, 1.0 - 1e-12), st.integers(1, 500), st.floats(-8, 8))
def test_quantiles_and_tails_are_scipys(p: float, df: int, z: float) -> None:
    assert normal.quantile(p) == pytest.approx(float(scipy_stats.norm.ppf(p)), rel=1e-9, abs=1e-12)
    assert normal.upper_tail(z) == pytest.approx(float(scipy_stats.norm.sf(z)), rel=1e-10)
    assert normal.log_cdf(z) == pytest.approx(float(scipy_stats.norm.logcdf(z)), rel=1e-9, abs=1e-15)
    assert normal.t_quantile(p, df) == pytest.approx(float(scipy_stats.t.ppf(p, df)), rel=1e-6, abs=1e-9)
    assert normal.t_upper_tail(z, df) == pytest.approx(float(scipy_stats.t.sf(z, df)), rel=1e-9, abs=1e-15)


@given(st.integers(5, 400), st.integers(1, 18), st.integers(1, 10), st.floats(0, 1), st.sampled_from([0.01, 0.05, 0.1]))
def test_the_power_of_equivalence_is_statsmodels(n: int, low: int, width: int, rate: float, alpha: float) -> None:
    ends = low / 20, min(low + width, 19) / 20
    assume(ends[0] < ends[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        power = max(0.0, float(proportion.power_binom_tost(*ends, n, rate, alpha)))
    assert rate_equivalence_power(*ends, n, rate, alpha) == pytest.approx(power, abs=1e-10)


@given(st.floats(0.001, 1.0), st.floats(0.001, 0.2), st.sampled_from([0.01, 0.05, 0.1]), st.floats(0.5, 0.99))
def test_rows_needed_are_statsmodels(variance: float, margin: float, alpha: float, power: float) -> None:
    n = normal_sample_size_one_tail(margin, power, alpha, math.sqrt(variance))
    assume(abs(n - round(n)) > 1e-6)
    assert rows_needed(variance, margin, alpha=alpha, power=power) == math.ceil(n)
