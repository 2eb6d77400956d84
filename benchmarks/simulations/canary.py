"""A canary that gets a tenth of the traffic: how often it is rolled back, and after how many requests.

The rule: its share of all errors is above its share of the traffic, and the Bayes factor says that this is no chance.
Beside it stands a test every 1,000 requests that knows nothing of having been asked before.
"""

import functools
import math

import numpy as np
from benchmarks.simulations.figures import Row, Share
from numpy.typing import NDArray

from assay.stats import normal
from assay.stats.proportions_test import error_share

__all__ = ["FACTORS", "rolled_back"]

ALPHA = 0.01
REQUESTS = 60_000
_SHARE = 0.1
_ERRORS = 0.005
_EVERY = 1000

FACTORS: dict[str, float] = {"healthy": 1.0, "×2": 2.0, "×4": 4.0, "×10": 10.0, "total outage": 1.0 / _ERRORS}


def rolled_back(
    seed: int, runs: int, concentrations: tuple[float, ...] = (2.0, 10.0, 100.0), factors: tuple[str, ...] = ()
) -> list[Row]:
    """P(rollback) within 60,000 requests and the median requests to it, by how many times the errors are too many."""
    rows = []
    for place, name in enumerate(FACTORS):
        if factors and name not in factors:
            continue
        generator = np.random.default_rng([seed, 25, place])
        chance = min(1.0, _ERRORS * FACTORS[name])
        moments, marks = _errors(generator, runs, chance)
        of: dict[str, str] = {"errors of the canary": name}
        shares: dict[str, Share | None] = {}
        for concentration in concentrations:
            first = _first_alarm(moments, marks, concentration)
            shares[f"k = {concentration:g}"] = Share(float(np.isfinite(first).mean()), runs)
            of[f"median, k = {concentration:g}"] = _median(first)
        naive = _naive(generator, runs, chance)
        shares["test every 1,000"] = Share(float(np.isfinite(naive).mean()), runs)
        rows.append(Row(of, shares))
    return rows


def _errors(generator: np.random.Generator, runs: int, chance: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """[runs, errors] at which request each error happens, and whether it is the canary's."""
    rate = _SHARE * chance + (1.0 - _SHARE) * _ERRORS
    most = math.ceil(REQUESTS * rate + 8.0 * math.sqrt(REQUESTS * rate))
    most = min(most, 800)  # an outage is over long before
    moments = np.cumsum(generator.geometric(rate, (runs, most)), axis=1)
    return moments, generator.random((runs, most)) < _SHARE * chance / rate


def _first_alarm(moments: NDArray[np.int64], marks: NDArray[np.bool_], concentration: float) -> NDArray[np.float64]:
    """[runs] the request after which the rule rolls back; infinite where it does not."""
    limits = np.array([_limit(total, concentration) for total in range(1, marks.shape[1] + 1)])
    alarm = (np.cumsum(marks, axis=1) >= limits) & (moments <= REQUESTS)
    first = moments[np.arange(len(moments)), alarm.argmax(axis=1)].astype(np.float64)
    return np.where(alarm.any(axis=1), first, np.inf)


@functools.cache
def _limit(total: int, concentration: float) -> int:
    """The fewest errors of the canary among `total` that are harm; one more than there are where none is."""
    low, high = math.floor(total * _SHARE), total + 1
    while high - low > 1:
        middle = (low + high) // 2
        harm = error_share([middle, total - middle], [_SHARE, 1.0 - _SHARE], 0, concentration).harmful(ALPHA)
        low, high = (low, middle) if harm else (middle, high)
    return high


def _naive(generator: np.random.Generator, runs: int, chance: float) -> NDArray[np.float64]:
    looks = REQUESTS // _EVERY
    canary = generator.binomial(_EVERY, _SHARE, (runs, looks))
    counts = [np.cumsum(canary, axis=1), np.cumsum(_EVERY - canary, axis=1)]
    errors = [
        np.cumsum(generator.binomial(canary, chance), axis=1),
        np.cumsum(generator.binomial(_EVERY - canary, _ERRORS), axis=1),
    ]
    both = (errors[0] + errors[1]) / (counts[0] + counts[1])
    spread = np.sqrt(np.maximum(both * (1.0 - both), 1e-12) * (1.0 / counts[0] + 1.0 / counts[1]))
    alarm = (errors[0] / counts[0] - errors[1] / counts[1]) / spread >= -normal.quantile(ALPHA)
    return np.where(alarm.any(axis=1), (alarm.argmax(axis=1) + 1.0) * _EVERY, np.inf)


def _median(first: NDArray[np.float64]) -> str:
    found = first[np.isfinite(first)]
    return f"{np.median(found):,.0f}" if len(found) else "–"
