"""Shares of several groups: SciPy's figures, and the rate of false alarms."""

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats import shares_differ_p


def test_the_published_table_of_the_specification() -> None:
    """V15: chi2_contingency([[10, 10, 20], [20, 20, 20]]) is 2.7778 with p .24935."""
    assert shares_differ_p([10, 10, 20], [30, 30, 40]) == pytest.approx(0.24935, abs=1e-5)


def test_it_is_scipys_test_without_a_correction() -> None:
    from scipy.stats import chi2_contingency

    generator = np.random.default_rng(0)
    for _ in range(20):
        totals = generator.integers(20, 500, 6)
        counts = generator.binomial(totals, 0.2)
        expected = chi2_contingency([counts, totals - counts], correction=False).pvalue
        assert shares_differ_p(counts, totals) == pytest.approx(expected, rel=1e-9)


def test_groups_without_rows_say_nothing_and_one_group_does_not_differ() -> None:
    assert shares_differ_p([10, 0, 20], [30, 0, 40]) == shares_differ_p([10, 20], [30, 40])
    for counts, totals in (([], []), ([3], [9]), ([0, 0], [9, 9]), ([9, 9], [9, 9]), ([0, 0], [0, 0])):
        assert shares_differ_p(counts, totals) == 1.0


def test_equal_shares_are_called_different_no_oftener_than_alpha() -> None:
    generator = np.random.default_rng(1)
    totals = np.array([300, 500, 900, 80])
    found = [shares_differ_p(generator.binomial(totals, 0.1), totals) <= 0.05 for _ in range(2000)]
    assert np.mean(found) <= 0.05 + 3 * (0.05 * 0.95 / 2000) ** 0.5


@pytest.mark.parametrize(("counts", "totals"), [([2], [1]), ([-1, 2], [3, 3]), ([1, 2], [3]), ([[1]], [[2]])])
def test_counts_that_are_no_parts_are_refused(counts: list[int], totals: list[int]) -> None:
    with pytest.raises(InvalidInput, match="the counts are not parts of the totals"):
        shares_differ_p(counts, totals)
