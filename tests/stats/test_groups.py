"""Groups against each other: three answers about a bound, never the point estimate's."""

import math
from typing import Any

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import GroupGap, Profile, group_gaps

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
    assert (found.rows_needed is not None) == (verdict == "inconclusive")


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


def test_units_make_the_evidence_weaker() -> None:
    clustered, rows = (only(drawn(3, (0.5, 0.5), per_unit=5), gap=0.1, clustered=one) for one in (True, False))
    assert clustered.method == "jackknife"
    assert clustered.high - clustered.low > 1.5 * (rows.high - rows.low)


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "auc"}, "auc is no rate"),
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
