import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from scipy.spatial.distance import jensenshannon

from assay.errors import InvalidInput
from assay.stats.drift import (
    MEASURES,
    ColumnProfile,
    Kind,
    TableProfile,
    distance,
    shares,
)
from assay.stats.drift.distances import measures_of
from assay.stats.drift.effect_interval import effect_interval

ANY_NUMBER = st.one_of(st.none(), st.floats(), st.integers(-2, 2).map(float))


def numbers(values: object) -> ColumnProfile:
    return TableProfile.of(pa.table({"x": pa.array(values, pa.float64())})).column("x")


def words(values: object) -> ColumnProfile:
    return TableProfile.of(pa.table({"x": pa.array(values, pa.string())})).column("x")


def test_published_values() -> None:
    assert distance("wasserstein", numbers([0, 1, 3]), numbers([5, 6, 8])).value * math.sqrt(14 / 9) == pytest.approx(5)
    assert shares.wasserstein([0, 1, 3, 5, 6, 8], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]) == pytest.approx(5)
    assert shares.jensen_shannon([1, 0], [0.5, 0.5], math.e) == pytest.approx(0.46450140402245893)
    assert distance("js", words(["a"]), words(["a", "b"])).value == pytest.approx(
        0.46450140402245893 / math.log(2) ** 0.5
    )
    table = words(["a"] * 10 + ["b"] * 10 + ["c"] * 20), words(["a"] * 20 + ["b"] * 20 + ["c"] * 20)
    found = distance("chi2", *table)
    assert found.value == pytest.approx(2.7777778)
    assert found.cells - 1 == 2
    assert found.p_by_chance() == pytest.approx(0.24935220877729)
    assert shares.hellinger([1, 0], [0, 1]) == shares.largest_share([1, 0], [0, 1]) == 1


@pytest.mark.parametrize("seed", range(5))
def test_distances_of_random_numbers_are_those_of_scipy(seed: int) -> None:
    generator = np.random.default_rng(seed)
    whole = [
        generator.integers(-200, 200, 3000) / 4,
        generator.integers(-190, 200, 2000) / 4,
    ]  # each in a bin of its own
    found = distance("ks", *map(numbers, whole))
    assert found.value == pytest.approx(scipy_stats.ks_2samp(*whole).statistic, abs=1e-12)
    sigma = whole[0].std()
    expected = scipy_stats.wasserstein_distance(*whole)
    assert distance("wasserstein", *map(numbers, whole)).value * sigma == pytest.approx(expected)
    free = generator.normal(size=4000), generator.normal(0.1, 1.2, 3000)
    theirs = scipy_stats.ks_2samp(*free, method="asymp")
    ours = distance("ks", *map(numbers, free))
    assert ours.value == pytest.approx(theirs.statistic, abs=0.002)  # what a bin holds of a normal distribution
    a, b = distance("mean", *map(numbers, free)), free[1].mean() - free[0].mean()
    assert a.value == pytest.approx(abs(b) / free[0].std(), rel=1e-6)


def test_distances_of_random_categories_are_those_of_scipy() -> None:
    generator = np.random.default_rng(3)
    p, q = generator.dirichlet(np.ones(8), 2)
    before, after = generator.multinomial(5000, p), generator.multinomial(3000, q)
    profiles = [words(np.repeat(list("abcdefgh"), counts).tolist()) for counts in (before, after)]
    assert distance("js", *profiles).value == pytest.approx(jensenshannon(before, after, 2))
    chi = scipy_stats.chi2_contingency(np.stack([before, after]), correction=False)
    found = distance("chi2", *profiles)
    assert found.value == pytest.approx(chi.statistic)
    assert found.p_by_chance() == pytest.approx(chi.pvalue)
    assert distance("linf", *profiles).value == pytest.approx(np.abs(before / 5000 - after / 3000).max())


@pytest.mark.parametrize(("kind", "cells"), [("number", 0), ("category", 5), ("category", 40), ("boolean", 2)])
def test_by_chance_distances_are_as_large_as_they_say(kind: Kind, cells: int) -> None:
    """Two samples of one distribution: the null is the root mean square, and P-values are right or cautious."""
    generator = np.random.default_rng(4)
    n, m, runs = 900, 400, 250
    found: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(runs):
        pair = []
        for rows in (n, m):
            column = (
                pa.array(generator.gamma(2, 1, rows))
                if kind == "number"
                else pa.array(generator.random(rows) < 0.3)
                if kind == "boolean"
                else pa.array([f"{code}" for code in generator.integers(0, cells, rows)])
            )
            holes = pa.array(generator.random(rows) < 0.1)
            pair.append(TableProfile.of(pa.table({"x": pa.compute.if_else(holes, None, column)})).column("x"))
        for measure in measures_of(kind):
            one = distance(measure, *pair)
            found.setdefault(measure, []).append((one.value, one.null, one.p_by_chance()))
    for measure, values in found.items():
        value, null, p = np.array(values).T
        power = 1 if MEASURES[measure].is_square else 2
        assert np.mean(p <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs), measure
        if measure != "new":  # nothing is new here: every value is in the reference
            ratio = np.mean(value**power) / np.mean(null**power)
            assert 0.6 < ratio < 1.35, (measure, ratio)


@given(st.lists(ANY_NUMBER, max_size=8), st.lists(ANY_NUMBER, max_size=8))
def test_no_column_of_numbers_breaks_a_measure(before: list[float | None], after: list[float | None]) -> None:
    check("number", numbers(before), numbers(after))


WORDS = st.lists(st.one_of(st.none(), st.text("abc", max_size=1)), max_size=8)


@given(WORDS, WORDS)
def test_no_column_of_categories_breaks_a_measure(before: list[str | None], after: list[str | None]) -> None:
    check("category", words(before), words(after))


def check(kind: Kind, before: ColumnProfile, after: ColumnProfile) -> None:
    for measure in measures_of(kind):
        one = distance(measure, before, after)
        there = before.rows and after.rows if measure == "missing" else before.present and after.present
        if not there:
            assert math.isnan(one.value)
            assert one.p_by_chance() == 1.0
            continue
        assert math.isnan(one.value) or 0.0 <= one.effect <= one.value
        assert 0.0 <= one.p_by_chance() <= 1.0
        assert one.limit_by_chance(0.01) >= 0.0
        again = distance(measure, before, before)
        assert math.isnan(again.value) or again.value == pytest.approx(0.0, abs=1e-7)
        if measure in ("ks", "js", "hellinger", "linf", "missing", "new") and not math.isnan(one.value):
            assert one.value <= 1.0 + 1e-12


@pytest.mark.parametrize(
    ("before", "after", "ks", "mean"),
    [
        ([1.0] * 50, [1.0] * 50, 0.0, 0.0),  # a constant that stays
        ([1.0] * 50, [2.0] * 50, 1.0, math.nan),  # one that changes: no spread to measure the mean by
        ([1.0] * 50, [1.0, 2.0] * 25, 0.5, 1.0),
        ([0.0, math.inf], [0.0, -math.inf], 0.5, 0.0),
        ([1.0], [1.0], 0.0, 0.0),
    ],
)
def test_constants_infinities_and_single_rows_have_their_distances(
    before: list[float], after: list[float], ks: float, mean: float
) -> None:
    found = [distance(measure, numbers(before), numbers(after)).value for measure in ("ks", "mean")]
    assert found == pytest.approx([ks, mean], nan_ok=True)


def test_one_value_in_the_current_data_hides_no_shift() -> None:
    """Bins of pooled data do: .331 became .006 with one outlier (validation.md, section 12.2)."""
    generator = np.random.default_rng(5)
    before, after = generator.normal(0, 1, 10_000), generator.normal(1, 1, 10_000)
    outlier = np.append(after, 1e6)
    for measure in ("ks", "js", "psi", "hellinger"):
        plain, with_outlier = (distance(measure, numbers(before), numbers(one)).value for one in (after, outlier))
        assert with_outlier == pytest.approx(plain, rel=0.01)


def test_new_categories_are_counted_exactly_and_estimated_where_names_were_dropped() -> None:
    found = distance("new", words(["a", "b"] * 50), words(["a"] * 97 + ["c"] * 3))
    assert found.value == pytest.approx(0.03)
    generator = np.random.default_rng(6)
    old = [f"id{number}" for number in range(3000)]
    rows = [old[place] for place in generator.integers(0, 3000, 20_000)]
    fresh = [f"new{place}" for place in generator.integers(0, 3000, 5000)]
    both = [TableProfile.of(pa.table({"x": values}), cap=600).column("x") for values in (rows, rows[:15_000] + fresh)]
    assert distance("new", *both).value == pytest.approx(0.25, abs=0.05)
    assert distance("new", both[0], both[0]).value == 0.0
    heavy = TableProfile.of(pa.table({"x": rows[:15_000] + ["one new value"] * 5000}), cap=600).column("x")
    assert distance("js", both[0], heavy).effect > 0.2  # its name may be dropped, its rows are not


def test_an_interval_of_the_effect_holds_it() -> None:
    generator = np.random.default_rng(7)
    truth = {"ks": 0.0797, "mean": 0.2, "wasserstein": 0.2}  # of a shift by .2 standard deviations
    held = dict.fromkeys(truth, 0)
    runs = 40
    for _ in range(runs):
        pair = numbers(generator.normal(0, 1, 2000)), numbers(generator.normal(0.2, 1, 1500))
        for measure, value in truth.items():
            interval = effect_interval(measure, *pair)
            held[measure] += interval.low <= value <= interval.high
    assert min(held.values()) >= (0.95 - 3 * math.sqrt(0.95 * 0.05 / runs)) * runs
    nothing = effect_interval("js", words([]), words(["a"]))
    assert math.isnan(nothing.low)


def test_what_cannot_be_measured_is_named() -> None:
    with pytest.raises(InvalidInput, match="no measure 'kss'") as caught:
        distance("kss", numbers([1]), numbers([1]))
    assert "'ks'" in str(caught.value) or "ks" in str(caught.value)
    with pytest.raises(InvalidInput, match="reference is of number"):
        distance("js", numbers([1]), words(["a"]))
    with pytest.raises(InvalidInput, match="does not measure"):
        distance("ks", words(["a"]), words(["a"]))
