import numpy as np
import pytest
from scipy.stats import binom

from assay.errors import InvalidInput
from assay.stats import rate_equivalence_power


def test_the_power_is_the_published_row() -> None:
    # PASS manual, as quoted by statsmodels
    published = [0.9965, 0.9940, 0.9815, 0.9482, 0.8783, 0.7583, 0.5914, 0.4041, 0.2352, 0.1139]
    found = [rate_equivalence_power(0.5, 0.7, 500, 0.6 + step / 100) for step in range(10)]
    assert [round(power, 4) for power in found] == published


@pytest.mark.parametrize(("n", "alpha"), [(40, 0.05), (80, 0.1), (150, 0.025)])
def test_the_power_is_the_probability_of_the_counts_that_show_it(n: int, alpha: float) -> None:
    counts = np.arange(n + 1)
    shown = (binom.sf(counts - 1, n, 0.5) <= alpha) & (binom.cdf(counts, n, 0.8) <= alpha)
    for rate in (0.5, 0.66, 0.8):
        expected = float((binom.pmf(counts, n, rate) * shown).sum())
        assert rate_equivalence_power(0.5, 0.8, n, rate, alpha) == pytest.approx(expected, abs=1e-12)
    for bound in (0.5, 0.8):
        assert rate_equivalence_power(0.5, 0.8, n, bound, alpha) <= alpha


def test_few_rows_show_nothing_and_open_ends_are_no_bound() -> None:
    assert rate_equivalence_power(0.5, 0.6, 10, 0.55) == 0.0
    assert rate_equivalence_power(0.0, 1.0, 50, 0.5) == pytest.approx(1.0)


def test_impossible_questions_are_refused() -> None:
    for low, high, n, rate, alpha in (
        (0.7, 0.5, 10, 0.6, 0.05),
        (0.5, 0.7, 0, 0.6, 0.05),
        (0.5, 0.7, 10, 1.6, 0.05),
        (0.5, 0.7, 10, 0.6, 0.0),
    ):
        with pytest.raises(InvalidInput):
            rate_equivalence_power(low, high, n, rate, alpha)
