import math

import numpy as np
import pytest
from scipy import stats

from assay.errors import InvalidInput
from assay.stats import normal


def test_the_familiar_quantiles_come_out() -> None:
    assert normal.quantile(0.975) == pytest.approx(1.959963984540054, abs=1e-14)
    assert normal.critical_value(0.95) == pytest.approx(1.959963984540054, abs=1e-14)
    assert normal.t_quantile(0.975, 49) == pytest.approx(2.009575, abs=1e-6)


@pytest.mark.parametrize("z", [-40.0, -30.5, -29.5, -8.0, -1.0, 0.0, 0.5, 6.0, 37.0])
def test_tails_agree_with_scipy_far_out(z: float) -> None:
    assert normal.upper_tail(z) == pytest.approx(float(stats.norm.sf(z)), rel=1e-12)
    assert normal.cdf(z) == pytest.approx(float(stats.norm.cdf(z)), rel=1e-12)
    assert normal.log_cdf(z) == pytest.approx(float(stats.norm.logcdf(z)), rel=1e-12, abs=1e-300)


def test_infinite_scores_have_tails() -> None:
    assert normal.upper_tail(math.inf) == 0.0
    assert normal.cdf(math.inf) == 1.0


@pytest.mark.parametrize("df", [1, 9, 49])
def test_t_agrees_with_scipy(df: int) -> None:
    assert normal.t_quantile(0.9, df) == pytest.approx(float(stats.t.ppf(0.9, df)), rel=1e-12)
    assert normal.t_upper_tail(12.0, df) == pytest.approx(float(stats.t.sf(12.0, df)), rel=1e-9)


def test_scores_have_as_much_above_them_as_t_has() -> None:
    t, df = np.array([-9.0, 0.0, 2.0, 30.0, 1e9, -1e9]), np.array([3.0, 1.0, 7.0, 40.0, 5000.0, 5000.0])
    found = normal.t_scores(t, df)
    assert found[:4] == pytest.approx(stats.norm.isf(stats.t.sf(t[:4], df[:4])), rel=1e-9)
    assert found[4:].tolist() == [37.0, -37.0], "no infinity, which no sum recovers from"


def test_a_two_sided_interval_and_a_one_sided_test_use_the_same_z() -> None:
    assert normal.critical_value(1 - 2 * 0.05) == pytest.approx(normal.quantile(0.95), abs=1e-14)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
def test_impossible_probabilities_are_refused(p: float) -> None:
    with pytest.raises(InvalidInput):
        normal.quantile(p)
    with pytest.raises(InvalidInput):
        normal.critical_value(p)
    with pytest.raises(InvalidInput):
        normal.t_quantile(p, 3)


def test_t_needs_degrees_of_freedom() -> None:
    with pytest.raises(InvalidInput):
        normal.t_upper_tail(1.0, 0)
