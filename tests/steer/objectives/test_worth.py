import numpy as np
import pytest
from numpy.typing import NDArray
from tests.steer.objectives.objective_world import terms_with

from assay.record.objective_terms import Cost
from assay.stats.estimation import Calibrator
from assay.stats.histogram import bin_edges, bin_of
from assay.steer.objectives.ranges import Ranges, interval_of
from assay.steer.objectives.worth import ExpectedSums, MonthSums, came_true, estimated_gain, observed_gain

TERMS = terms_with(cost=Cost())
Floats = NDArray[np.float64]


def drawn(chance: np.random.Generator, rows: int, shift: float = 0.0) -> tuple[Floats, NDArray[np.bool_]]:
    """Scores that are nearly probabilities, and outcomes; with a shift other outcomes than the scores promise."""
    x = chance.normal(size=rows)
    return 1 / (1 + np.exp(-1.9 * x)), chance.random(rows) < 1 / (1 + np.exp(-2 * x - shift))


def calibrated(chance: np.random.Generator, rows: int) -> Calibrator:
    scores, late = drawn(chance, rows)
    bins, place = np.unique(bin_of(scores), return_inverse=True)
    positives = np.bincount(place, weights=late)
    return Calibrator.of_counts(bin_edges(bins), positives, np.bincount(place) - positives)


def sums_of(calibrator: Calibrator, scores: Floats, late: NDArray[np.bool_], known: NDArray[np.bool_]) -> MonthSums:
    """What the log would give: a line for each step, action, and whether the outcome is known."""
    sums = MonthSums(decisions=len(scores), known=int(known.sum()))
    p, steps, warned = calibrator.probabilities(scores), calibrator.step_of(scores), scores >= 0.5
    for step in np.unique(steps):
        for taken in (True, False):
            for is_known in (True, False):
                rows = (steps == step) & (warned == taken) & (known == is_known)
                if rows.any():
                    q = p[rows]
                    products = (q * (1 - q)).sum()
                    values = np.array([q.sum(), (1 - q).sum(), *[products] * 3, rows.sum(), rows.sum()], dtype=float)
                    action, variance = "warn" if taken else "leave", float(calibrator.variances[step])
                    sums.expected.append(ExpectedSums(action, "leave", is_known, variance, ("v", int(step)), values))
    for taken, action in ((True, "warn"), (False, "leave")):
        for is_late, outcome in ((True, "late"), (False, "on time")):
            rows = known & (warned == taken) & (late == is_late)
            sums.by_outcome[action, "leave", outcome] = float(rows.sum())
    return sums


@pytest.mark.no_cover
def test_intervals_of_estimates_cover_and_true_estimates_are_believed() -> None:
    """Each time another hold-out and another month: the error of the calibration is part of it."""
    ranges, times = Ranges(0, 2000), 120
    covered = believed = 0
    for number in range(times):
        chance = np.random.default_rng(number)
        calibrator = calibrated(chance, 2000)
        scores, late = drawn(chance, 1000)
        sums = sums_of(calibrator, scores, late, chance.random(1000) < 0.5)
        low, high = interval_of(estimated_gain(TERMS, sums, ranges, str(number)).draws)
        warned = scores >= 0.5
        covered += low <= 4.0 * (warned & late).sum() - (warned & ~late).sum() <= high
        believed += came_true(TERMS, sums, ranges, str(number))
    least = 0.95 - 3 * (0.95 * 0.05 / times) ** 0.5
    assert covered / times >= least
    assert believed / times >= least


def test_an_estimate_under_other_outcomes_is_not_believed() -> None:
    chance = np.random.default_rng(1)
    calibrator = calibrated(chance, 2000)
    scores, late = drawn(chance, 1000, shift=-2.0)
    sums = sums_of(calibrator, scores, late, chance.random(1000) < 0.5)
    assert not came_true(TERMS, sums, Ranges(0, 2000), "x")


def test_where_the_model_does_what_would_be_done_anyway_it_gains_nothing() -> None:
    sums = MonthSums(decisions=10, known=10)
    sums.by_outcome["leave", "leave", "late"] = 10.0
    sums.expected.append(ExpectedSums("leave", "leave", True, 0.1, ("v", 0), np.full(7, 3.0)))
    ranges = Ranges(0, 100)
    assert observed_gain(TERMS, sums, ranges).mean == 0.0
    estimated = estimated_gain(TERMS, sums, ranges, "x")
    assert estimated.mean == 0.0
    assert (estimated.draws == 0.0).all()
