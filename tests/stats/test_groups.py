"""Groups against each other: three answers about a bound, never the point estimate's."""

import math
from typing import Any

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import GroupGap, Profile, equalised_odds, group_gaps, holm, judged_together

# Fairlearn's documented example: five rows of each group.
LABEL = [1, 1, 1, 1, 1, 0, 0, 1, 1, 0]
SAYS = [0, 1, 1, 1, 1, 0, 0, 0, 1, 1]
# ProPublica's counts for COMPAS, decile 5 and above: TN, FP, FN, TP.
COMPAS = {"African-American": (990, 805, 532, 1369), "Caucasian": (1139, 349, 461, 505)}


def of_counts(groups: dict[str, tuple[int, int, int, int]]) -> Profile:
    """A profile of rows with these counts (TN, FP, FN, TP) by group."""
    kinds = np.concatenate([np.repeat(np.arange(4), counts) for counts in groups.values()])
    names = np.repeat(list(groups), [sum(counts) for counts in groups.values()]).astype(object)
    return of_rows(np.isin(kinds, (2, 3)).astype(float), np.isin(kinds, (1, 3)), names)


def of_rows(label: Any, says: Any, names: Any, units: Any = None) -> Profile:
    score = np.where(np.asarray(says) == 1, 0.9, 0.1)
    return Profile.build(np.asarray(label, float), {"m": score}, {"group": names}, units, {"m": 0.5})


def drawn(seed: int, rates: tuple[float, float], sizes: tuple[int, int] = (400, 250), per_unit: int = 0) -> Profile:
    """Two groups with these selection rates; with `per_unit`, rows of a unit answer alike."""
    generator = np.random.default_rng(seed)
    n = sum(sizes)
    p = np.repeat(rates, sizes)
    if not per_unit:
        return of_rows(
            generator.integers(0, 2, n), generator.random(n) < p, np.repeat(["a", "b"], sizes).astype(object)
        )
    unit = np.arange(n) // per_unit
    says = generator.random(n // per_unit + 1)[unit] < p
    names = np.repeat(["a", "b"], sizes).astype(object)
    return of_rows(generator.integers(0, 2, n), says, names, [f"u{one}" for one in unit])


def only(profile: Profile, metric: str = "selection_rate", **bound: Any) -> GroupGap:
    (found,) = group_gaps(profile, "m", metric, "group", **bound)
    return found


def test_fairlearns_example() -> None:
    profile = of_rows(LABEL, SAYS, ["F"] * 5 + ["M"] * 5)
    gap = only(profile, gap=0.1)
    assert (gap.reference_value, gap.value, gap.gap) == (0.8, 0.4, -0.4)
    assert (gap.method, gap.verdict) == ("too small", "inconclusive")
    accuracy = only(profile, "accuracy", ratio=0.8)
    assert (accuracy.reference_value, accuracy.value) == (0.8, 0.6)
    assert accuracy.gap == pytest.approx(0.75)
    assert only(profile, "accuracy", gap=0.1).gap == pytest.approx(-0.2)
    assert only(profile, ratio=0.8).gap == pytest.approx(0.5)


def test_the_published_rates_of_compas() -> None:
    profile = of_counts(COMPAS)
    fpr, fnr = only(profile, "fpr", gap=0.05), only(profile, "fnr", gap=0.05)
    assert (round(100 * fpr.reference_value, 2), round(100 * fpr.value, 2)) == (44.85, 23.45)
    assert (round(100 * fnr.reference_value, 2), round(100 * fnr.value, 2)) == (27.99, 47.72)
    assert (fpr.verdict, fnr.verdict) == ("fail", "fail")
    assert fpr.affected == pytest.approx((0.4485 - 0.2345) * 1488, abs=1), "so many more would have been called a risk"
    assert fpr.low < fpr.gap < fpr.high < -0.05


@pytest.mark.parametrize(
    ("rates", "sizes", "bound", "verdict"),
    [
        ((0.5, 0.5), (5000, 3000), {"ratio": 0.8}, "pass"),
        ((0.5, 0.3), (5000, 3000), {"ratio": 0.8}, "fail"),
        ((0.3, 0.5), (5000, 3000), {"ratio": 0.8}, "fail"),
        ((0.5, 0.35), (500, 30), {"ratio": 0.8}, "inconclusive"),
        ((0.5, 0.5), (9000, 9000), {"gap": 0.05}, "pass"),
        ((0.5, 0.4), (9000, 9000), {"gap": 0.05}, "fail"),
        ((0.5, 0.5), (300, 200), {"gap": 0.05}, "inconclusive"),
    ],
)
def test_the_three_answers(
    rates: tuple[float, float], sizes: tuple[int, int], bound: dict[str, Any], verdict: str
) -> None:
    found = only(drawn(1, rates, sizes), **bound)
    assert found.verdict == verdict
    assert found.low <= found.gap <= found.high
    assert found.rows_needed is not None


@pytest.mark.no_cover
@pytest.mark.parametrize("bound", [{"ratio": 0.8}, {"gap": 0.1}])
@pytest.mark.parametrize("per_unit", [0, 5])
def test_at_the_bound_both_verdicts_err_no_oftener_than_alpha(bound: dict[str, Any], per_unit: int) -> None:
    """Rates of .5 and .4 are at a ratio of .8 and a gap of .1; the score tests are asymptotic, so .01 is allowed."""
    runs = 400
    verdicts = [
        only(drawn(seed, (0.5, 0.4), (500, 500), per_unit), clustered=bool(per_unit), **bound).verdict
        for seed in range(runs)
    ]
    for verdict in ("pass", "fail"):
        assert verdicts.count(verdict) / runs <= 0.06 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_units_make_the_evidence_weaker_and_more_rows_necessary() -> None:
    clustered, rows = (only(drawn(3, (0.5, 0.5), per_unit=5), gap=0.1, clustered=one) for one in (True, False))
    assert clustered.method == "jackknife"
    assert clustered.high - clustered.low > 1.5 * (rows.high - rows.low)
    assert (clustered.rows_needed or 0) > 1.5**2 * (rows.rows_needed or 0)
    ratios = [only(drawn(3, (0.5, 0.5), per_unit=5), ratio=0.8, clustered=one) for one in (True, False)]
    assert (ratios[0].rows_needed or 0) > 1.5**2 * (ratios[1].rows_needed or 0)


def test_the_largest_group_is_the_reference_unless_another_is_named() -> None:
    profile = of_counts({**COMPAS, "Other": (100, 30, 40, 60)})
    assert {one.reference.conditions[0][1] for one in group_gaps(profile, "m", "fpr", "group", gap=0.05)} == {
        "African-American"
    }
    named = group_gaps(profile, "m", "fpr", "group", gap=0.05, reference="Other")
    assert [one.group.conditions[0][1] for one in named] == ["African-American", "Caucasian"]
    assert all(one.p_holm >= one.p_beyond for one in named)


def test_a_group_without_the_class_is_undefined_and_inconclusive() -> None:
    found = only(of_counts({"a": (50, 50, 20, 80), "b": (30, 20, 0, 0)}), "recall", gap=0.05)
    assert math.isnan(found.value)
    assert (found.verdict, found.method, found.rows_needed) == ("inconclusive", "too small", None)


def scored(seed: int, shift: float, sizes: tuple[int, int] = (3000, 2000), per_unit: int = 0) -> Profile:
    """Two groups with right scores, those of the second too high by `shift`."""
    generator = np.random.default_rng(seed)
    n = sum(sizes)
    score = generator.beta(2, 6, n)
    unit = np.arange(n) // max(1, per_unit)
    label = (generator.random(n)[unit] if per_unit else generator.random(n)) < score
    second = np.arange(n) >= sizes[0]
    names = np.where(second, "b", "a").astype(object)
    units = [f"u{one}" for one in unit] if per_unit else None
    given = np.clip(score + shift * second, 0, 1)
    return Profile.build(label.astype(float), {"m": given}, {"group": names}, units, {"m": 0.5})


def test_calibration_is_welchs_t_on_score_minus_label() -> None:
    from scipy import stats

    generator = np.random.default_rng(3)
    n = 500
    label, score = (generator.random(n) < 0.4).astype(float), generator.random(n)
    names = np.repeat(["a", "b"], [300, 200]).astype(object)
    profile = Profile.build(label, {"m": score}, {"group": names}, None, {"m": 0.5})
    found = only(profile, "calibration_in_the_large", gap=0.3)
    error = score - label
    first, second = error[names == "b"], error[names == "a"]
    naive = stats.ttest_ind(first, second, equal_var=False)
    interval = naive.confidence_interval(0.9)
    assert found.gap == pytest.approx(first.mean() - second.mean(), abs=1e-6)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-5)
    within = max(
        stats.ttest_ind(first + 0.3, second, equal_var=False, alternative="greater").pvalue,
        stats.ttest_ind(first - 0.3, second, equal_var=False, alternative="less").pvalue,
    )
    assert found.p_within == pytest.approx(within, rel=1e-3)
    assert found.method == "t"


@pytest.mark.parametrize(("shift", "verdict"), [(0.0, "pass"), (0.2, "fail"), (0.05, "inconclusive"), (-0.005, "pass")])
def test_calibration_gaps_have_the_three_answers(shift: float, verdict: str) -> None:
    found = only(scored(1, shift), "calibration_in_the_large", gap=0.05)
    assert found.verdict == verdict
    assert found.low <= found.gap <= found.high
    clustered = only(scored(1, shift, per_unit=4), "calibration_in_the_large", gap=0.05, clustered=True)
    assert clustered.method == "jackknife"
    assert clustered.high - clustered.low > 1.1 * (found.high - found.low)


def test_few_rows_without_a_positive_accuse_nobody_of_wrong_scores() -> None:
    """Scores of .04 are right; in 30 rows there is mostly no positive, and the rows' own spread says nothing."""
    generator = np.random.default_rng(9)
    verdicts = []
    for _ in range(50):
        label = np.concatenate([generator.random(3000) < 0.04, generator.random(30) < 0.04]).astype(float)
        names = np.repeat(["a", "b"], [3000, 30]).astype(object)
        score = np.full(3030, 0.04) + generator.random(3030) * 1e-3
        profile = Profile.build(label, {"m": score}, {"group": names}, None, {"m": 0.5})
        verdicts.append(only(profile, "calibration_in_the_large", gap=0.01).verdict)
    assert verdicts.count("fail") <= 3


def test_equalised_odds_are_certified_only_where_both_rates_are() -> None:
    same = {"a": (4000, 1000, 600, 2400), "b": (3200, 800, 500, 2000)}
    (found,) = equalised_odds(of_counts(same), "m", "group", gap=0.1)
    assert found.verdict == "pass"
    assert found.decisive.p_within == max(part.p_within for part in found.parts)
    few = {"a": (4000, 1000, 600, 2400), "b": (3200, 800, 5, 20)}
    (found,) = equalised_odds(of_counts(few), "m", "group", gap=0.1)
    assert [part.verdict for part in found.parts] == ["inconclusive", "pass"]
    assert (found.verdict, found.decisive.metric) == ("inconclusive", "recall")


def test_equalised_odds_are_broken_where_either_rate_is_and_say_which() -> None:
    worse = {"a": (4000, 1000, 600, 2400), "b": (2200, 1800, 500, 2000), "c": (4000, 1000, 600, 2400)}
    found, other = equalised_odds(of_counts(worse), "m", "group", gap=0.1, reference="a")
    assert (found.verdict, found.decisive.metric, other.verdict) == ("fail", "fpr", "pass")
    adjusted = holm([part.p_beyond for one in (found, other) for part in one.parts])
    assert [part.p_holm for one in (found, other) for part in one.parts] == pytest.approx(adjusted)
    (black,) = equalised_odds(of_counts(COMPAS), "m", "group", gap=0.1)
    assert [part.verdict for part in black.parts] == ["fail", "fail"], "the published finding"


def test_crosses_are_groups_like_any_other() -> None:
    generator = np.random.default_rng(4)
    n = 4000
    race, sex = (generator.choice(np.array(names, dtype=object), n) for names in (["x", "y"], ["f", "m"]))
    label = (generator.random(n) < 0.5).astype(float)
    score = np.where(generator.random(n) < np.where((race == "y") & (sex == "f"), 0.2, 0.6), 0.9, 0.1)
    segments = {"race": race, "sex": sex}
    profile = Profile.build(label, {"m": score}, segments, None, {"m": 0.5})
    found = group_gaps(profile, "m", "selection_rate", "sex & race", ratio=0.8, reference="m & x")
    assert [one.group.name for one in found] == ["race=x & sex=f", "race=y & sex=f", "race=y & sex=m"]
    assert [one.verdict for one in found] == ["pass", "fail", "pass"]
    assert all(one.reference.name == "race=x & sex=m" for one in found)
    same = group_gaps(profile, "m", "selection_rate", ["race", "sex"], ratio=0.8, reference="x & m")
    assert same == found
    mine = (race == "y") & (sex == "f")
    assert found[1].value == pytest.approx((score[mine] > 0.5).mean())
    shallow = Profile.build(label, {"m": score}, segments, None, {"m": 0.5}, cross=1)
    with pytest.raises(InvalidInput, match="the profile keeps crosses of up to 1"):
        group_gaps(shallow, "m", "selection_rate", "race & sex", gap=0.1)


def test_a_gap_of_nothing_asks_whether_there_is_any_difference() -> None:
    different, same = (only(drawn(1, rates, (3000, 3000)), gap=0.0) for rates in ((0.5, 0.4), (0.5, 0.5)))
    assert (different.verdict, same.verdict) == ("fail", "inconclusive")
    ratio = only(drawn(1, (0.5, 0.4), (3000, 3000)), ratio=1.0)
    assert ratio.p_beyond == pytest.approx(different.p_beyond, rel=0.01)


def test_more_findings_together_are_judged_more_carefully() -> None:
    one = group_gaps(of_counts({"a": (500, 100, 60, 240), "b": (380, 120, 50, 200)}), "m", "fpr", "group", gap=0.01)
    assert [found.verdict for found in one] == ["fail"]
    many = judged_together(one * 20, 0.05)
    assert {found.verdict for found in many} == {"inconclusive"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "auc"}, "auc is no rate"),
        ({"metric": "calibration_in_the_large", "gap": None, "ratio": 0.8}, "has no ratio"),
        ({"column": "group & sex"}, "no segment column 'sex'"),
        ({"column": "group & group"}, "groups need columns"),
        ({"metric": "fprr"}, "there is no metric 'fprr'"),
        ({"column": "grup"}, "no segment column 'grup'"),
        ({"gap": 0.1, "ratio": 0.8}, "need one bound"),
        ({"gap": None}, "need one bound"),
        ({"gap": 1.5}, "the bound is 1.5"),
        ({"alpha": 0.5}, "alpha is 0.5"),
        ({"reference": "Caucasien"}, "no row has group=Caucasien"),
    ],
)
def test_what_cannot_be_asked_is_told(change: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {"metric": "fpr", "column": "group", "gap": 0.1, **change}
    with pytest.raises(InvalidInput, match=message):
        group_gaps(of_counts(COMPAS), "m", options.pop("metric"), options.pop("column"), **options)


@pytest.mark.no_cover
@pytest.mark.slow
def test_calibration_and_odds_err_no_oftener_than_alpha_at_the_bound() -> None:
    """Calibration off by exactly the gap; a false positive rate off by exactly the gap, beside an equal recall."""
    runs, calibration, odds = 400, [], []
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        n = 1200
        names = np.repeat(["a", "b"], [700, 500]).astype(object)
        second = names == "b"
        score = generator.beta(2, 4, n) * 0.8
        label = (generator.random(n) < score).astype(float)
        profile = Profile.build(label, {"m": score + 0.05 * second}, {"group": names}, None, {"m": 0.5})
        calibration.append(only(profile, "calibration_in_the_large", gap=0.05).verdict)
        label = np.tile([0.0, 1.0], n // 2)
        says = generator.random(n) < np.where(label == 1, 0.7, 0.2 + 0.1 * second)
        (found,) = equalised_odds(of_rows(label, says, names), "m", "group", gap=0.1)
        odds.append(found.verdict)
    most = 0.06 + 3 * math.sqrt(0.05 * 0.95 / runs)
    for verdicts in (calibration, odds):
        for verdict in ("pass", "fail"):
            assert verdicts.count(verdict) / runs <= most, (verdict, verdicts.count(verdict) / runs)
