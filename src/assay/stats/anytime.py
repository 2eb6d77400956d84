"""Intervals and P-values of an effect that stay valid however often one looks, and whenever one stops.

The asymptotic confidence sequence (Waudby-Smith et al. 2024, Annals of Statistics 52:2613): the normal mixture of
`sequential` with the units seen as time and the estimated variance in place of the true one. Right once the mean of the
units is nearly normal, so nothing is said before each variant has `MINIMUM_UNITS`.
"""

import math
from typing import Literal

import msgspec

from assay.errors import InvalidInput
from assay.stats.effects import Effect
from assay.stats.intervals import Interval
from assay.stats.sequential import normal_mixture_bound, normal_mixture_log

__all__ = ["MINIMUM_UNITS", "TUNING", "Looks", "Side", "asymptotic_interval", "asymptotic_p"]

MINIMUM_UNITS = 100
TUNING = 5000.0  # units of both variants at which the interval is tightest

Side = Literal["both", "above", "below"]


def asymptotic_interval(
    effect: Effect, alpha: float = 0.05, *, tuning: float = TUNING, side: Side = "both", minimum: int = MINIMUM_UNITS
) -> Interval:
    """The confidence sequence at this look: it holds the true effect at all looks together with chance 1 − `alpha`.

    `tuning`: the number of units of both variants at which it is tightest; it must not depend on the outcomes. `side`
    "above" gives a lower bound only (the high end is infinite), "below" an upper one. Infinite on both sides before
    `minimum` units in each variant or where the error is not known.
    """
    _check(alpha, side)
    if not _known(effect, minimum):
        return Interval(-math.inf, math.inf)
    half = normal_mixture_bound(float(effect.n), tuning, alpha, one_sided=side != "both") * _scale(effect)
    return Interval(
        -math.inf if side == "below" else effect.estimate - half,
        math.inf if side == "above" else effect.estimate + half,
    )


def asymptotic_p(
    effect: Effect,
    null: float = 0.0,
    alpha: float = 0.05,
    *,
    tuning: float = TUNING,
    side: Side = "both",
    minimum: int = MINIMUM_UNITS,
) -> float:
    """The P-value at this look of "the effect is `null`" ("is not above it", "is not below it" by `side`).

    At most `alpha` exactly where `asymptotic_interval` with the same settings leaves out `null`; `alpha` otherwise only
    tunes it. Before `minimum` units in each variant it is 1.
    """
    _check(alpha, side)
    if not _known(effect, minimum):
        return 1.0
    distance = effect.estimate - null
    distance = -distance if side == "below" else distance
    if effect.se == 0.0:
        return float(distance == 0.0 if side == "both" else distance <= 0.0)
    log = normal_mixture_log(distance / _scale(effect), float(effect.n), tuning, alpha, one_sided=side != "both")
    return math.exp(min(0.0, -log))


class Looks(msgspec.Struct):
    """What all looks so far say together: the intersection of their intervals and the smallest P-value.

    Valid while the true effect stays the same. Where it moves, the intervals may come to contradict each other: `empty`
    says so, and the latest interval is then the one to show.
    """

    low: float = -math.inf
    high: float = math.inf
    p_value: float = 1.0
    looks: int = 0

    def add(self, interval: Interval, p_value: float) -> None:
        """Take in another look; ends that are NaN say nothing."""
        self.low = max(self.low, -math.inf if math.isnan(interval.low) else interval.low)
        self.high = min(self.high, math.inf if math.isnan(interval.high) else interval.high)
        self.p_value = min(self.p_value, p_value)
        self.looks += 1

    @property
    def empty(self) -> bool:
        """Whether no effect is in all intervals."""
        return self.low > self.high

    @property
    def interval(self) -> Interval:
        """What is in all intervals; NaN where nothing is."""
        return Interval(math.nan, math.nan) if self.empty else Interval(self.low, self.high)


def _known(effect: Effect, minimum: int) -> bool:
    return min(effect.n_control, effect.n_treatment) >= max(2, minimum) and math.isfinite(effect.se)


def _scale(effect: Effect) -> float:
    """What turns the sum of the mixture, whose units have variance 1, into an effect."""
    return effect.se / math.sqrt(effect.n)


def _check(alpha: float, side: Side) -> None:
    if side not in ("both", "above", "below"):
        raise InvalidInput(f"side is {side!r}", expected="both, above or below")
    if not 0.0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 0.5), such as 0.05")
