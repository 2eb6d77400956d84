import math

import numpy as np
import pytest

from assay.errors import InvalidInput
from assay.stats.stability_index import stability_index


def test_a_value_by_hand() -> None:
    """Two bins of .5 and .5 that become .6 and .4: .1 ln 1.2 - .1 ln .8."""
    assert stability_index([50, 50], [60, 40]) == pytest.approx(0.1 * math.log(1.2) - 0.1 * math.log(0.8), rel=1e-3)


def test_it_is_nothing_for_equal_shares_symmetric_and_finite() -> None:
    assert stability_index([1, 2, 3], [10, 20, 30]) == pytest.approx(0, abs=1e-12)
    assert stability_index([1, 2], [5, 1]) == pytest.approx(stability_index([5, 1], [1, 2]))
    assert 0 < stability_index([10, 0], [0, 10]) < 20


def test_without_a_difference_it_is_chi_squared_over_the_rows() -> None:
    """So that an index means nothing where rows are few: of k bins it is (k - 1)(1/m + 1/n) by chance alone."""
    generator = np.random.default_rng(1)
    bins, rows = 10, 2_000
    found = [stability_index(*generator.multinomial(rows, [1 / bins] * bins, size=2)) for _ in range(500)]
    assert np.mean(found) == pytest.approx((bins - 1) * 2 / rows, rel=0.1)
    assert np.quantile(found, 0.997) < (bins - 1 + 3 * math.sqrt(2 * (bins - 1))) * 2 / rows * 1.2


@pytest.mark.parametrize(("before", "after"), [([1, 2], [1]), ([0, 0], [1, 2]), ([1, -1], [1, 1]), ([[1]], [[1]])])
def test_what_is_no_distribution_is_refused(before: list[float], after: list[float]) -> None:
    with pytest.raises(InvalidInput):
        stability_index(before, after)
