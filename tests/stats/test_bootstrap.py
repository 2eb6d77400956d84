import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from assay.errors import InvalidInput
from assay.stats import average_precision_interval, bootstrap, cell_bootstrap, delong_from_histogram
from assay.stats.areas import delong_variances
from assay.stats.bootstrap import _joined
from assay.stats.buckets import row_identities
from assay.stats.histogram import Histogram, bin_of
from assay.stats.poisson import unit_weights

Floats = NDArray[np.float64]


def area(histogram: Histogram, groups: int) -> Floats:
    counts = histogram.area(groups)
    pairs = 2.0 * counts.positives * counts.negatives
    found: Floats = np.divide(counts.twice, pairs, out=np.full(groups, np.nan), where=pairs > 0)
    return found


def rows(seed: int, n: int, share: float = 0.3, shift: float = 1.0) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores of two normal populations, and which are positive."""
    generator = np.random.default_rng(seed)
    positive = generator.random(n) < share
    return 1.0 / (1.0 + np.exp(-(generator.normal(size=n) + shift * positive - 1.0))), positive


def histogram_of(score: Floats, positive: NDArray[np.bool_], group: Any = None, groups: int = 1) -> Histogram:
    number = np.zeros(len(score), dtype=np.int64) if group is None else np.asarray(group)
    return Histogram.count(number, groups, score, positive)


@pytest.mark.slow
def test_cells_rows_and_delong_have_the_same_error() -> None:
    # validation.md V23: n = 200,000, within 3 % where enough replicates are drawn to know an error so well
    n = 200_000
    score, positive = rows(23, n, share=0.05)
    score = np.round(score, 2)  # a hundred levels, so that many replicates of rows can be counted
    histogram = histogram_of(score, positive)
    formula = math.sqrt(delong_variances(histogram, 1)[0])
    cells = cell_bootstrap(histogram, 1, area, replicates=5000)
    assert cells.standard_error[0] == pytest.approx(formula, rel=0.03)

    level = np.round(score * 100).astype(np.int64) * 2 + positive
    unit = row_identities([np.arange(n, dtype=np.float64)])
    replicates = 800  # these know an error to 2.5 %
    weights = (one for seed in range(replicates // 50) for one in unit_weights(unit, 50, seed))
    counts = np.array([np.bincount(level, weights=one, minlength=202) for one in weights])
    areas = delong_from_histogram(counts[:, 1::2], counts[:, ::2])[0]
    assert areas.std(ddof=1) == pytest.approx(formula, rel=3 / math.sqrt(2 * replicates))
    assert areas.mean() == pytest.approx(area(histogram, 1)[0], abs=4 * formula / math.sqrt(replicates))


@pytest.mark.parametrize(("share", "shift"), [(0.3, 1.0), (0.05, 2.0)])
def test_average_precision_varies_as_it_does_over_new_rows(share: float, shift: float) -> None:
    values = []
    for seed in range(200):
        score, positive = rows(seed, 2000, share, shift)
        values.append(average_precision_score(positive, bin_of(score)))
    errors = [
        average_precision_interval(histogram_of(*rows(seed, 2000, share, shift)), 1)[2][0] for seed in range(200, 210)
    ]
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


@pytest.mark.no_cover
@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "share", "shift"), [(40, 0.4, 1.0), (60, 0.5, 0.0), (100, 0.3, 2.5), (1000, 0.05, 2.0), (1000, 0.02, 1.0)]
)
def test_the_interval_covers_about_as_often_as_promised(n: int, share: float, shift: float) -> None:
    truth = average_precision_score(*reversed(rows(0, 1_000_000, share, shift)))
    runs = 400
    parts = [rows(seed, n, share, shift) for seed in range(1, runs + 1)]
    score, positive = (np.concatenate(column) for column in zip(*parts, strict=True))
    low, high, _ = average_precision_interval(histogram_of(score, positive, np.repeat(np.arange(runs), n), runs), runs)
    known = ~np.isnan(low)
    assert known.mean() > 0.95
    covered = ((low <= truth) & (truth <= high))[known].mean()
    assert covered >= 0.93 - 3 * math.sqrt(0.05 * 0.95 / runs)


def test_joining_entries_changes_nothing_with_few_positives_and_little_with_many() -> None:
    few = histogram_of(*rows(4, 150, 0.2))
    assert few.area(1).positives[0] <= 32
    assert _joined(few, 1).average_precision(1)[0] == pytest.approx(few.average_precision(1)[0], abs=1e-15)

    for share, shift in ((0.2, 1.0), (0.5, 4.5), (0.02, 2.0)):
        many = histogram_of(*rows(5, 10_000, share, shift))
        joined = _joined(many, 1)
        assert len(joined.bin) <= 65
        assert joined.area(1).positives == many.area(1).positives
        exact = cell_bootstrap(many, 1, Histogram.average_precision, replicates=1000).standard_error
        short = cell_bootstrap(joined, 1, Histogram.average_precision, replicates=1000).standard_error
        assert short == pytest.approx(exact, rel=0.05 + 3 / math.sqrt(1000))


def test_a_group_alone_has_the_numbers_it_has_among_others() -> None:
    score, positive = rows(6, 3000)
    group = np.random.default_rng(6).integers(0, 5, 3000)
    together = average_precision_interval(histogram_of(score, positive, group, 5), 5)
    for one in range(5):
        alone = average_precision_interval(histogram_of(score[group == one], positive[group == one]), 1)
        for found, expected in zip(together, alone, strict=True):
            assert found[one] == expected[0]


def test_neither_order_nor_shards_change_a_bit() -> None:
    score, positive = rows(7, 1000)
    order = np.random.default_rng(7).permutation(1000)
    parts = [histogram_of(score[part], positive[part]) for part in (order[:300], order[300:])]
    merged = Histogram.joined(parts, [0, 1]).regroup(np.array([0, 0]))
    whole = average_precision_interval(histogram_of(score, positive), 1)
    assert average_precision_interval(merged, 1) == whole
    assert average_precision_interval(histogram_of(score, positive), 1, seed=1) != whole


def test_pieces_that_fit_into_memory_change_nothing() -> None:
    score, positive = rows(8, 2000)
    histogram = histogram_of(score, positive, np.arange(2000) % 3, 3)
    whole = cell_bootstrap(histogram, 3, area, replicates=50)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "_CHUNK", 1000)
        pieces = cell_bootstrap(histogram, 3, area, replicates=50)
    np.testing.assert_array_equal(pieces.replicates, whole.replicates)


def test_groups_with_fewer_than_ten_of_a_class_are_left_out() -> None:
    score = np.linspace(0.01, 0.99, 100)
    group = np.repeat([0, 1, 2], [40, 30, 30])
    positive = np.zeros(100, dtype=bool)
    positive[:10] = positive[40:49] = positive[70:] = True
    histogram = histogram_of(score, positive, group, 4)  # and group 3 has no row
    low, high, error = average_precision_interval(histogram, 4)
    for ends in (low, high, error):
        assert np.isnan(ends).tolist() == [False, True, True, True]
    found = cell_bootstrap(histogram, 4, area)
    assert np.isnan(found.value).tolist() == np.isnan(found.percentiles()[0]).tolist() == [False, True, True, True]
    none = cell_bootstrap(histogram_of(np.zeros(0), np.zeros(0, dtype=bool)), 0, area)
    assert none.standard_error.shape == (0,)


def test_a_perfect_order_has_an_interval_of_some_width() -> None:
    score, positive = np.linspace(0, 1, 60), np.arange(60) >= 40
    low, high, error = average_precision_interval(histogram_of(score, positive), 1)
    assert round(float(low[0]), 3) == 0.839
    assert high[0] == 1.0
    assert math.isnan(error[0])


def test_percentiles_hold_the_middle_of_the_replicates() -> None:
    found = cell_bootstrap(histogram_of(*rows(9, 2000)), 1, area, replicates=2000)
    low, high = found.percentiles(0.9)
    inside = (found.replicates[0] >= low[0]) & (found.replicates[0] <= high[0])
    assert inside.mean() == pytest.approx(0.9, abs=0.002)
    assert low[0] < found.value[0] < high[0]
    assert high[0] - low[0] == pytest.approx(2 * 1.645 * found.standard_error[0], rel=0.1)


def test_bad_questions_are_refused() -> None:
    histogram = histogram_of(*rows(1, 100))
    with pytest.raises(InvalidInput, match="1 replicates"):
        cell_bootstrap(histogram, 1, area, replicates=1)
    with pytest.raises(InvalidInput, match="confidence"):
        average_precision_interval(histogram, 1, 1.0)
