import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import row_identities
from assay.stats.best_of import best_of, disagreement, expected_maximum, expected_optimism


def identities(n: int) -> NDArray[np.uint64]:
    return row_identities([np.arange(n, dtype=np.float64)])


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, 0.0), (10, 1.54), (20, 1.87), (30, 2.04), (50, 2.25), (100, 2.51), (300, 2.88), (1000, 3.24)],
)
def test_the_expected_maximum_of_standard_normals(count: int, expected: float) -> None:
    assert expected_maximum(count) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(
    ("n", "count", "psi", "expected"),
    [
        (1000, 100, 0.255, 0.0283),
        (1000, 100, 0.08, 0.0159),
        (1000, 20, 0.08, 0.0118),
        (300, 100, 0.08, 0.0290),
        (5000, 100, 0.08, 0.0071),
    ],
)
def test_the_formula_for_the_optimism_of_the_best(n: int, count: int, psi: float, expected: float) -> None:
    assert expected_optimism(count, n, psi) == pytest.approx(expected, abs=5e-5)


def test_disagreement_is_the_share_of_rows_on_which_two_differ() -> None:
    scores = (np.random.default_rng(1).random((6, 400)) < 0.8).astype(float)
    pairs = [np.mean(scores[a] != scores[b]) for a in range(6) for b in range(a)]
    assert disagreement(scores) == pytest.approx(np.mean(pairs))
    assert disagreement(scores[:1]) == 0.0


def equal_candidates(
    rng: np.random.Generator, n: int, count: int, psi: float
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Right on 85 % of the rows each; two of them differ on a share ψ: a row is common to all, or each one's own."""
    own = rng.random(n) < psi / (2 * 0.85 * 0.15)
    common = rng.random(n) < 0.85
    return np.where(own, rng.random((count, n)) < 0.85, common).astype(float)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("n", "count", "psi", "optimism", "repetitions"),
    [
        (1000, 100, 0.255, 0.0276, 60),
        (1000, 100, 0.08, 0.0169, 60),
        (1000, 20, 0.08, 0.0120, 150),
        (300, 100, 0.08, 0.0278, 100),
        (5000, 100, 0.08, 0.0072, 20),
    ],
)
def test_the_corrected_score_of_the_best_is_unbiased(
    n: int, count: int, psi: float, optimism: float, repetitions: int
) -> None:
    """The table of the specification: the optimism that a simulation gives, and that the bootstrap takes it away."""
    rng = np.random.default_rng(7)
    found = [
        best_of(equal_candidates(rng, n, count, psi), identities(n), minimize=False, replicates=100)
        for _ in range(repetitions)
    ]
    overstated = np.array([one.score for one in found]) - 0.85
    left = np.array([one.corrected for one in found]) - 0.85
    errors = [3 * values.std(ddof=1) / np.sqrt(repetitions) for values in (overstated, left)]
    assert overstated.mean() == pytest.approx(optimism, abs=errors[0] + 0.0005)
    assert abs(left.mean()) < errors[1] + 0.0005
    assert np.mean([one.expected for one in found]) == pytest.approx(overstated.mean(), abs=errors[0] + 0.001)


def test_a_clear_winner_needs_no_correction() -> None:
    rng = np.random.default_rng(3)
    losses = rng.random((5, 2000)) + np.array([[0.0], [0.5], [0.5], [0.5], [0.5]])
    found = best_of(losses, identities(2000), minimize=True)
    assert (found.candidates, found.rows) == (5, 2000)
    assert found.score == pytest.approx(losses[0].mean())
    assert found.corrected == pytest.approx(found.score, abs=0.002)


def test_rows_of_one_unit_stay_together() -> None:
    """Ten equal rows a unit say no more than one: the correction is that of the units."""
    rng = np.random.default_rng(5)
    scores = equal_candidates(rng, 200, 30, 0.2)
    repeated, units = np.repeat(scores, 10, axis=1), np.repeat(identities(200), 10)
    one, many = best_of(scores, identities(200), minimize=False), best_of(repeated, units, minimize=False)
    assert many.corrected == pytest.approx(one.corrected)
    apart = best_of(repeated, identities(2000), minimize=False)
    assert apart.corrected > one.corrected + 0.01


def test_neither_order_nor_number_of_rows_at_once_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    scores, units = equal_candidates(rng, 500, 10, 0.2), identities(500)
    found = best_of(scores, units, minimize=True)
    monkeypatch.setattr("assay.stats.best_of._CHUNK", 64)
    order = rng.permutation(500)
    again = best_of(scores[:, order], units[order], minimize=True)
    assert again.corrected == pytest.approx(found.corrected, rel=1e-12)


def test_what_says_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="1 units"):
        best_of(np.ones((2, 5)), np.zeros(5, np.uint64), minimize=True)
    with pytest.raises(InvalidInput, match="not finite"):
        best_of(np.full((2, 5), np.nan), identities(5), minimize=True)
    with pytest.raises(InvalidInput, match="the maximum of 0"):
        expected_maximum(0)
