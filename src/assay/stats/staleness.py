"""How a model's loss grows with its age, and how often a new one pays.

The gap to a fresh model on the same rows is taken to grow in proportion to age; the value lost since the last training
then grows with the square of time, and a new model pays when that equals what it costs (economics.md, section 8; the
idea of the cumulative threshold of Mahadevan & Mathioudakis 2024, Knowledge-Based Systems 293).
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats.normal import t_quantile

__all__ = ["Decay", "RetrainingInterval", "decay_of", "retraining_interval"]

_LEAST = 2  # ages that a slope with an error is taken from


class Decay(msgspec.Struct, frozen=True):
    """Loss that is added per second of age, with an interval; `points` ages went into it."""

    per_second: float
    low: float
    high: float
    points: int


class RetrainingInterval(msgspec.Struct, frozen=True):
    """Seconds between trainings at which cost and loss together are least, with those of the decay's interval.

    None where a decay is not above 0: then no age pays for a training. `cost_per_second` is what both cost in the
    best case, on average; None without a best age.
    """

    best_s: float | None
    shortest_s: float | None
    longest_s: float | None
    cost_per_second: float | None


def decay_of(
    ages_s: Sequence[float], gaps: Sequence[float], errors: Sequence[float], *, confidence: float = 0.95
) -> Decay:
    """The slope of gaps [ages] in loss over ages in seconds, through nothing at age 0, by weighted least squares.

    `errors` are the standard errors of the gaps. Where the gaps scatter more than those allow, the slope's error is
    widened by as much (the scale factor of the Particle Data Group), and its interval is Student's with ages - 1.
    InvalidInput for fewer than 2 ages, ages or errors that are not above 0, or numbers that are not finite.
    """
    age, gap, error = (np.asarray(values, dtype=np.float64) for values in (ages_s, gaps, errors))
    if not len(age) == len(gap) == len(error) or len(age) < _LEAST:
        raise InvalidInput(
            f"{len(age)} ages, {len(gap)} gaps and {len(error)} errors",
            expected=f"as many of each, {_LEAST} or more",
        )
    if not (np.isfinite(gap).all() and np.isfinite(age).all() and np.isfinite(error).all()):
        raise InvalidInput("an age, a gap or an error is not finite", expected="finite numbers")
    if not ((age > 0).all() and (error > 0).all()):
        raise InvalidInput("an age or an error is not above 0", expected="numbers above 0")
    if not 0 < confidence < 1:
        raise InvalidInput(f"confidence is {confidence}", expected="inside (0, 1)")
    weight = 1.0 / error**2
    information = math.fsum(weight * age * age)
    slope = math.fsum(weight * age * gap) / information
    freedom = len(age) - 1
    scatter = math.fsum(weight * (gap - slope * age) ** 2) / freedom
    reach = t_quantile(0.5 + confidence / 2, freedom) * math.sqrt(max(1.0, scatter) / information)
    return Decay(slope, slope - reach, slope + reach, len(age))


def retraining_interval(decay: Decay, cost: float, value: float, *, success: float = 1.0) -> RetrainingInterval:
    """T* = √(2C/s): the best time between trainings where one costs `cost` and the model decays by `decay`.

    `value` is what a loss of 1 costs per second, volume and all, in the money of `cost`. `success` is the chance that a
    candidate is let through by the gate: a refused one costs the same and brings nothing. InvalidInput for a cost or a
    value that is not above 0, or a chance outside (0, 1].
    """
    if not (0 < cost < math.inf and 0 < value < math.inf):
        raise InvalidInput(f"a training costs {cost}, a loss of 1 costs {value} a second", expected="numbers above 0")
    if not 0 < success <= 1:
        raise InvalidInput(f"the chance of success is {success}", expected="inside (0, 1]")

    def best(slope: float) -> float | None:
        return math.sqrt(2.0 * cost / success / (slope * value)) if slope > 0 else None

    found = best(decay.per_second)
    return RetrainingInterval(
        best_s=found,
        shortest_s=best(decay.high),
        longest_s=best(decay.low),
        cost_per_second=None if found is None else 2.0 * cost / success / found,
    )
