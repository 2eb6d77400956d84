"""How many units are missing until a metric is decided, if it stays as it is measured now."""

import math

from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.rare_events import exact_bounds, is_rare
from assay.stats.anytime import MINIMUM_UNITS
from assay.stats.effects import Effect
from assay.stats.sequential import normal_mixture_bound

__all__ = ["units_until"]

_MOST = 10**10


def units_until(design: Design, metric: Metric, effect: Effect, outcome: str) -> int | None:
    """Units of both variants that are missing; 0 where it is decided, None where no number decides.

    At planned looks and ends those to the planned number. Anytime: until the interval around the present estimate
    leaves out 0, or the margin of a guardrail; an even chance, not a promise.
    """
    if outcome != "inconclusive":
        return 0
    fewest = min(effect.n_control, effect.n_treatment)
    if design.kind != "anytime":
        return max(0, 2 * ((design.n or 0) - fewest))
    if metric.role == "guardrail" and fewest >= MINIMUM_UNITS and is_rare(metric, effect):
        return _of_rare_events(design, metric, effect)
    if fewest < MINIMUM_UNITS or not math.isfinite(effect.se) or effect.se == 0.0:
        return max(0, 2 * (MINIMUM_UNITS - fewest)) or None
    distance = abs(effect.estimate)
    one_sided = metric.role == "guardrail"
    if one_sided:
        signed = metric.sign * effect.estimate
        distance = (metric.margin or 0.0) + signed if signed > -(metric.margin or 0.0) else -signed
    deviation = effect.se * math.sqrt(effect.n)

    def decides(n: int) -> bool:
        return (
            normal_mixture_bound(float(n), design.tuning, design.alpha, one_sided=one_sided) / n * deviation < distance
        )

    if distance <= 0 or not decides(_MOST):
        return None
    low, high = effect.n, _MOST
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high - effect.n


def _of_rare_events(design: Design, metric: Metric, effect: Effect) -> int | None:
    """By exact bounds: so many times the units, in steps of a tenth."""
    times, margin = 1.0, metric.margin or 0.0
    while effect.n * times < _MOST:
        times *= 1.1
        bounds = exact_bounds(design, effect, times)
        low, high = (bounds.low, bounds.high) if metric.sign > 0 else (-bounds.high, -bounds.low)
        if low > -margin or high < 0.0:
            return round(effect.n * (times - 1.0))
    return None
