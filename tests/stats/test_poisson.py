import math

import numpy as np
import pytest
from scipy.stats import chisquare, poisson

from assay.errors import InvalidInput
from assay.stats import poisson as poisson_module
from assay.stats.buckets import row_identities, text_hashes
from assay.stats.poisson import poisson_weights, unit_weights


def units(n: int) -> np.ndarray:
    return row_identities([np.arange(n, dtype=np.float64)])


@pytest.mark.parametrize("mean", [1, 2, 5, 32, 33, 100, 100_000])
def test_draws_have_the_mean_the_variance_and_the_shape_of_poissons_distribution(mean: int) -> None:
    n, replicates = 2000, 100
    drawn = poisson_weights(np.full(n, mean), units(n), replicates)
    total = n * replicates
    assert drawn.mean() == pytest.approx(mean, abs=4 * math.sqrt(mean / total))
    assert drawn.var() == pytest.approx(mean, rel=4 * math.sqrt((2 + 1 / mean) / total) + 1e-3)
    # twenty classes of about equal chance
    edges = np.unique(poisson.ppf(np.linspace(0.05, 0.95, 19), mean))
    chances = np.diff(np.concatenate([[0.0], poisson.cdf(edges, mean), [1.0]]))
    counts = np.bincount(np.searchsorted(edges, drawn.reshape(-1)), minlength=len(chances))
    assert chisquare(counts, chances * total).pvalue > 1e-3


@pytest.mark.parametrize("mean", [*range(1, 40), 100, 1000, 100_000])
def test_mean_variance_and_skewness_over_all_levels_are_those_of_poissons_distribution(mean: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poisson_module, "_levels", lambda *_: np.arange(2**16, dtype=np.uint16)[:, None])
        drawn = poisson_weights(np.array([mean]), units(1), 2**16)[:, 0]
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(mean, rel=2e-4)
    assert drawn.var() == pytest.approx(mean, rel=2e-4)
    assert ((drawn - drawn.mean()) ** 3).mean() == pytest.approx(mean, rel=0.01)


def test_replicates_and_cells_are_independent() -> None:
    drawn = poisson_weights(np.full(400, 3), units(400), 400).astype(np.float64)
    for table in (drawn, drawn.T):
        correlation = np.asarray(np.corrcoef(table))[~np.eye(400, dtype=bool)]
        assert correlation.std() == pytest.approx(1 / math.sqrt(400), rel=0.05)
        assert abs(correlation).max() < 6 / math.sqrt(400)
    assert (poisson_weights(np.full(400, 3), units(400), 400, seed=1) == drawn).mean() < 0.2


def test_nothing_weighs_nothing() -> None:
    assert poisson_weights(np.zeros(3, dtype=np.int64), units(3), 5).sum() == 0
    assert poisson_weights(np.zeros(0, dtype=np.int64), units(0), 5).shape == (5, 0)


def test_weights_of_units_depend_on_neither_order_nor_shards_nor_the_number_of_replicates() -> None:
    whole = unit_weights(units(500), 10, seed=3)
    order = np.random.default_rng(0).permutation(500)
    np.testing.assert_array_equal(unit_weights(units(500)[order], 10, seed=3), whole[:, order])
    parts = [unit_weights(part, 10, seed=3) for part in np.split(units(500), [120, 350])]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    np.testing.assert_array_equal(unit_weights(units(500), 3, seed=3), whole[:3])
    np.testing.assert_array_equal(poisson_weights(np.ones(500, dtype=np.int64), units(500), 10, seed=3), whole)


def test_the_numbers_are_the_same_on_every_machine() -> None:
    import pyarrow as pa

    hashes = text_hashes(pa.array(["ann", "ben", "cleo"]))
    assert unit_weights(hashes, 4, seed=7).tolist() == [[4, 0, 1], [0, 3, 0], [1, 0, 0], [0, 1, 2]]
    drawn = poisson_weights(np.array([4, 40, 4000]), hashes, 3, seed=7)
    assert drawn.tolist() == [[9, 30, 4017], [3, 51, 3901], [3, 35, 3923]]


def test_sums_of_weights_bootstrap_a_mean_with_the_error_of_its_units() -> None:
    # four rows a unit that are alike: the error is that of 500 units, not of 2,000 rows
    generator = np.random.default_rng(8)
    value = np.repeat(generator.normal(size=500), 4)
    weights = unit_weights(np.repeat(units(500), 4), 2000).astype(np.float64)
    means = weights @ value / weights.sum(axis=1)
    assert means.std() == pytest.approx(value.std() / math.sqrt(500), rel=0.06)


def test_weights_of_rows_add_up_to_the_number_of_their_cell() -> None:
    sums = unit_weights(units(3000), 40).reshape(40, 600, 5).sum(axis=2, dtype=np.int64).reshape(-1)
    counts = np.bincount(np.minimum(sums, 12), minlength=13)
    chances = [*poisson.pmf(np.arange(12), 5), poisson.sf(11, 5)]
    assert chisquare(counts, np.array(chances) * len(sums)).pvalue > 1e-3


def test_replicates_may_be_drawn_piece_by_piece() -> None:
    counts = np.arange(50)
    whole = poisson_weights(counts, units(50), 11)
    np.testing.assert_array_equal(poisson_weights(counts, units(50), 3, first=8), whole[8:])
    with pytest.raises(InvalidInput, match="number 3"):
        poisson_weights(counts, units(50), 3, first=3)


def test_no_replicates_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 replicates"):
        unit_weights(units(3), 0)
