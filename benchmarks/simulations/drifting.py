"""Windows in which nothing is wrong, and windows that are shifted: how often each rule calls drift.

The columns are normal with a standard deviation of 1; "wander" is that of the windows' own means, which is what real
columns do. Everything goes through profiles, as in a monitor.
"""

import math

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray

from assay.stats import OVERALL, BettingTest, rise_evidence
from assay.stats.drift import Baseline, Distance, Numbers, SlowDrift, TableProfile, distance, judge, learn_bounds
from assay.stats.drift.number_column import count_numbers

__all__ = ["SHIFTS", "SPECIFIED", "bound_rates", "fall_rates", "slow_rates", "table_rates"]

Floats = NDArray[np.float64]

SHIFTS = (0.0, 0.1, 0.2, 0.3)
ALPHA = 0.01
# False alarms, and how often a shift by .1, .2 and .3 is seen, by windows and wander (log-t as specified, K = 10, 30).
SPECIFIED = {
    (10, 0.0): (0.009, 0.35, 0.93, 1.0),
    (30, 0.0): (0.004, 0.40, 0.98, 1.0),
    (10, 0.05): (0.013, 0.08, 0.44, 0.77),
    (30, 0.05): (0.013, 0.12, 0.61, 0.96),
}
PROMISED, LIMIT, SPREAD = 0.76, 0.73, 0.02  # daily AUC: in the mean, where harm begins, and from day to day
_COLUMNS = ["false alarms", "shift .1 σ", "shift .2 σ", "shift .3 σ"]
_RULES = ("log-t of scores, α = .01", "3 standard deviations, in sample", "chance alone (KS P < .05)")


def _window(generator: np.random.Generator, rows: int, wander: float, shift: float = 0.0) -> Numbers:
    return count_numbers(generator.normal(shift + wander * generator.normal(), 1.0, rows))[0]


def bound_rates(
    seed: int, runs: int, cases: list[tuple[int, float]] | None = None, *, rows: int = 1000, others: bool = True
) -> list[Row]:
    """P(a window is called) by KS, clean and shifted: the bound, and where `others` two rules in use elsewhere."""
    found = []
    for windows, wander in cases or list(SPECIFIED):
        generator = np.random.default_rng([seed, 31, windows, round(1000 * wander)])
        called = {rule: np.zeros(len(SHIFTS)) for rule in _RULES}
        for _ in range(runs):
            reference = [_window(generator, rows, wander) for _ in range(windows)]
            total = Numbers.total_of(reference)
            bound = learn_bounds(["ks"], reference, alpha=ALPHA)["ks"]
            inside = [distance("ks", total, one).value for one in reference] if others else [0.0]
            three = float(np.mean(inside) + 3.0 * np.std(inside))
            for place, shift in enumerate(SHIFTS):
                one = distance("ks", total, _window(generator, rows, wander, shift))
                limit = bound.limit(one)
                assert limit is not None
                called[_RULES[0]][place] += one.value > limit
                called[_RULES[1]][place] += one.value > three
                called[_RULES[2]][place] += one.p_by_chance() < 0.05
        for rule in _RULES if others else _RULES[:1]:
            rates: dict[str, Share | None] = {
                name: Share(float(share), runs) for name, share in zip(_COLUMNS, called[rule] / runs, strict=True)
            }
            found.append(Row({"windows": f"{windows}", "wander": f"{wander:g} σ", "rule": rule}, rates))
    return found


def table_rates(seed: int, runs: int, *, columns: int = 20, windows: int = 10, rows: int = 1000) -> list[Row]:
    """P(anything is raised in a window of a table, and is drift with two of three windows), clean and shifted."""
    found = []
    for wander in (0.0, 0.05):
        for shift in (0.0, 0.3):
            generator = np.random.default_rng([seed, 32, round(1000 * wander), round(10 * shift)])
            once = twice = right = 0
            for _ in range(runs):
                means = [_profile(generator, columns, rows, wander) for _ in range(windows)]
                baseline = Baseline.learn(means)
                earlier = [judge(baseline, _profile(generator, columns, rows, wander, shift)) for _ in range(2)]
                now = judge(baseline, _profile(generator, columns, rows, wander, shift), earlier=earlier)
                once += any(one.is_raised and (one.column != "c0" or not shift) for one in now)
                twice += any(one.state == "drift" and (one.column != "c0" or not shift) for one in now)
                right += any(one.state == "drift" and one.column == "c0" for one in now)
            shares: dict[str, Share | None] = {
                "any clean column raised": Share(once / runs, runs),
                "any clean column drift": Share(twice / runs, runs),
                "the shifted column drift": Share(right / runs, runs) if shift else None,
            }
            found.append(Row({"wander": f"{wander:g} σ", "one column shifted by": f"{shift:g} σ"}, shares))
    return found


def _profile(
    generator: np.random.Generator, columns: int, rows: int, wander: float, shift: float = 0.0
) -> TableProfile:
    """A table of normal columns; the first one is shifted."""
    return TableProfile(
        {
            f"c{place}": {OVERALL: _window(generator, rows, wander, shift if place == 0 else 0.0)}
            for place in range(columns)
        }
    )


def slow_rates(seed: int, runs: int, *, windows: int = 200, rows: int = 1000) -> list[Row]:
    """P(slow drift is called within some windows), where a column goes nowhere and where it creeps."""
    found = []
    for wander in (0.0, 0.05):
        for creep in (0.0, 0.005):
            generator = np.random.default_rng([seed, 33, round(1000 * wander), round(1000 * creep)])
            scale = math.sqrt(1.0 / rows + 1.0 / (20 * rows))
            first = []
            for _ in range(runs):
                means = wander * generator.normal(size=windows) + generator.normal(0.0, scale, windows)
                means += creep * np.maximum(0.0, np.arange(windows) - 50.0)
                kept, at = SlowDrift(), math.inf
                for place, mean in enumerate(np.abs(means).tolist()):
                    kept = kept.after(Distance("mean", mean, scale, scale, 1, 20 * rows, rows))
                    if kept.is_drift():
                        at = place
                        break
                first.append(at)
            calls = np.asarray(first)
            median = float(np.median(calls)) - 50.0 if creep else math.nan
            of = {"wander": f"{wander:g} σ", "creep": f"{creep:g} σ a window"}
            of["median, windows after it begins"] = "–" if math.isnan(median) else f"{median:.0f}"
            found.append(Row(of, {f"called within {windows} windows": Share(float(np.isfinite(calls).mean()), runs)}))
    return found


def fall_rates(seed: int, runs: int, cases: list[tuple[int, float]] | None = None, *, windows: int = 60) -> list[Row]:
    """P(a fall of daily AUC is called within some windows), by when it began, beside a bet from the first window on."""
    found = []
    for good, after in cases or [(0, 0.73), *((good, auc) for good in (0, 10, 60) for auc in (0.71, 0.69, 0.65))]:
        generator = np.random.default_rng([seed, 34, good, round(100 * after)])
        first: dict[str, list[float]] = {"any beginning": [], "from the first window": []}
        for _ in range(runs):
            middle = np.repeat([PROMISED, after], [good, windows])
            losses = np.clip(1.0 - generator.normal(middle, SPREAD), 0.0, 1.0)
            late = rise_evidence(losses, np.zeros(len(losses)), 1.0 - LIMIT)
            test, logs = BettingTest(1.0 - LIMIT), []
            for loss in losses.tolist():
                test.update(loss)
                logs.append(test.log_e)
            both = np.logaddexp(logs, late) - math.log(2.0)  # as the monitor does: half of the capital each
            e_values = {"any beginning": both, "from the first window": np.asarray(logs)}
            for rule, evidence in e_values.items():
                called = np.flatnonzero(evidence >= math.log(2.0 / 0.05))
                first[rule].append(float(called[0]) - good + 1.0 if len(called) else math.inf)
        of = {"good windows before": f"{good}", "daily AUC since": f"{after:.2f}"}
        for rule, calls in first.items():
            median = float(np.median(calls))
            of[f"median, {rule}"] = f"{median:.0f}" if median < math.inf else "–"
        shares = {
            f"called, {rule}": Share(float(np.isfinite(np.asarray(calls)).mean()), runs)
            for rule, calls in first.items()
        }
        found.append(Row(of, dict(shares)))
    return found
