"""Bounds of the difference of two shares that hold however rare the event is: exact, at any time, and wider than usual.

Means of few events are not nearly normal, and an error that is estimated without any event is 0. A guardrail that took
this for certainty would call safe what nobody has seen enough of.
"""

import math

from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.metric import Metric
from assay.stats.effects import Effect
from assay.stats.intervals import Interval
from assay.stats.sequential import bernoulli_interval

__all__ = ["exact_bounds", "is_rare"]

_FEW = 20  # units with the event, or without it


def is_rare(metric: Metric, effect: Effect) -> bool:
    """Whether the values of units lie between 0 and 1, and an arm has few that are not 0, or few that are not 1."""
    levels = ((effect.control, effect.n_control), (effect.treatment, effect.n_treatment))
    if not metric.within_one or not min(n for _, n in levels) or any(math.isnan(level) for level, _ in levels):
        return False
    return not all(_FEW <= level * n <= n - _FEW for level, n in levels)


def exact_bounds(design: Design, effect: Effect, times: float = 1.0) -> Interval:
    """Challenger minus champion; each end is wrong at any look with the chance alpha of the design.

    `times`: as if there were so many times the units, with the same shares.
    """
    champion, challenger = (
        bernoulli_interval(round(min(max(level, 0.0), 1.0) * n), n, design.tuning / 2, design.alpha / 2)
        for level, n in (
            (effect.control, round(effect.n_control * times)),
            (effect.treatment, round(effect.n_treatment * times)),
        )
    )
    return Interval(challenger.low - champion.high, challenger.high - champion.low)
