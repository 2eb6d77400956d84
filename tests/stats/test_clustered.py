import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from assay.errors import InvalidInput
from assay.stats import clustered_ratio, paired_t


def sums(values: list[float]) -> tuple[int, float, float]:
    return len(values), math.fsum(values), math.fsum(x * x for x in values)


@given(
    st.lists(st.integers(-1000, 1000), min_size=2, max_size=50).filter(lambda xs: len(set(xs)) > 1), st.floats(-9, 9)
)
def test_the_paired_t_is_that_of_scipy(hundredths: list[int], d: float) -> None:
    values = [x / 100 for x in hundredths]
    found = paired_t(*sums(values))
    below, above = ttest_1samp(values, d, alternative="less"), ttest_1samp(values, d, alternative="greater")
    assert found.df == len(values) - 1
    assert found.p_worse(d) == pytest.approx(float(below.pvalue), rel=1e-6, abs=1e-12)
    assert found.p_not_worse(d) == pytest.approx(float(above.pvalue), rel=1e-6, abs=1e-12)
    expected, ends = ttest_1samp(values, 0.0).confidence_interval(0.9), found.interval(0.9)
    assert ends.low == pytest.approx(float(expected.low), rel=1e-7, abs=1e-9)
    assert ends.high == pytest.approx(float(expected.high), rel=1e-7, abs=1e-9)


def test_students_sleep_data_give_his_t() -> None:
    # Student 1908: additional hours of sleep, ten patients; t = 4.0621, interval 0.7001 to 2.4599 in R's t.test
    found = paired_t(*sums([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]))
    assert found.value == pytest.approx(1.58)
    assert found.value / found.standard_error == pytest.approx(4.0621, abs=5e-5)
    ends = found.interval()
    assert (round(ends.low, 4), round(ends.high, 4)) == (0.7001, 2.4599)
    assert 2 * found.p_not_worse() == pytest.approx(0.002833, abs=5e-7)


def test_equal_differences_have_no_spread_left_by_rounding() -> None:
    found = paired_t(*sums([0.1] * 7))
    assert found.standard_error == 0.0
    assert (found.p_worse(0.05), found.p_not_worse(0.05)) == (1.0, 0.0)
    assert (found.p_worse(0.2), found.p_not_worse(0.2)) == (0.0, 1.0)
    nothing = paired_t(5, 0.0, 0.0)
    assert nothing.p_worse() == nothing.p_not_worse() == 1.0


def test_too_few_rows_prove_nothing() -> None:
    assert math.isnan(paired_t(0, 0.0, 0.0).value)
    for found in (paired_t(1, 2.0, 4.0), clustered_ratio([3.0, 0.0], [2, 0])):
        assert found.value in (2.0, 1.5)
        assert math.isnan(found.standard_error)
        assert math.isnan(found.interval().low)
        assert found.p_worse(9.0) == found.p_not_worse(-9.0) == 1.0
    assert math.isnan(clustered_ratio([], []).value)


def test_clusters_of_one_row_give_the_unclustered_error_without_its_correction() -> None:
    values = np.random.default_rng(1).normal(size=40)
    alone, clustered = paired_t(*sums(values.tolist())), clustered_ratio(values, np.ones(40))
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.standard_error == pytest.approx(alone.standard_error * math.sqrt(39 / 40))
    assert clustered.df == alone.df


@given(st.integers(0, 2**32), st.integers(2, 12))
def test_the_sandwich_is_the_sum_of_squared_cluster_residuals(seed: int, clusters: int) -> None:
    rng = np.random.default_rng(seed)
    cluster = np.concatenate([np.arange(clusters), rng.integers(0, clusters, 30)])
    d = rng.normal(size=len(cluster)) + 0.5 * cluster
    found = clustered_ratio(np.bincount(cluster, d), np.bincount(cluster))
    residual = d - d.mean()
    expected = sum(residual[cluster == c].sum() ** 2 for c in range(clusters)) / len(d) ** 2
    assert found.value == pytest.approx(d.mean())
    assert found.standard_error == pytest.approx(math.sqrt(expected))
    assert found.df == clusters - 1


def test_copies_of_each_row_do_not_make_the_estimate_surer() -> None:
    d = np.random.default_rng(2).normal(size=50)
    once, tenfold = clustered_ratio(d, np.ones(50)), clustered_ratio(10 * d, np.full(50, 10))
    assert tenfold.standard_error == pytest.approx(once.standard_error)


def test_empty_clusters_do_not_count() -> None:
    assert clustered_ratio([1, 2, 0, 4], [1, 1, 0, 1]) == clustered_ratio([1, 2, 4], [1, 1, 1])


def test_a_ratio_that_is_the_same_everywhere_has_no_error() -> None:
    assert clustered_ratio([0.1, 0.2, 0.7], [1, 2, 7]).standard_error == 0.0


@pytest.mark.no_cover
def test_the_interval_of_a_clustered_mean_covers_where_the_plain_one_does_not() -> None:
    rng = np.random.default_rng(3)
    runs, clusters = 1500, 40
    covered = plain = below = 0
    for _ in range(runs):
        rows = rng.integers(1, 12, clusters)
        cluster = np.repeat(np.arange(clusters), rows)
        d = rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster))
        found = clustered_ratio(np.bincount(cluster, d), rows)
        ends, naive = found.interval(), paired_t(len(d), float(d.sum()), float((d * d).sum())).interval()
        covered += ends.low <= 0 <= ends.high
        plain += naive.low <= 0 <= naive.high
        below += found.p_worse(0.0) <= 0.05
    assert covered / runs >= 0.92  # CR0 with 40 unequal clusters is known to be a little short of 0.95
    assert plain / runs < 0.80
    assert below / runs <= 0.075


def test_wrong_sums_are_refused() -> None:
    for n, total, squares in ((-1, 0.0, 0.0), (0, 1.0, 1.0), (3, math.nan, 1.0), (3, 1.0, math.inf)):
        with pytest.raises(InvalidInput, match="not those of rows"):
            paired_t(n, total, squares)
    with pytest.raises(InvalidInput, match="too small"):
        paired_t(4, 10.0, 1.0)
    with pytest.raises(InvalidInput, match="shapes"):
        clustered_ratio([1, 2], [1])
    with pytest.raises(InvalidInput, match="negative"):
        clustered_ratio([1, 2], [1, -1])
    with pytest.raises(InvalidInput, match="finite"):
        clustered_ratio([1, math.nan], [1, 1])
    with pytest.raises(InvalidInput, match="confidence"):
        paired_t(3, 1.0, 1.0).interval(0.0)
