"""What a plan says of a metric whose past does not vary: why there is no number, and what decides it all the same.

An error that never happened has no variance to plan with. That it did not happen in so many units says how often it can
at most, and units of a test in which it does not happen either prove the margin of a guardrail.
"""

import math

import msgspec

from assay.operate.online_tests.definition import Design
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.rare_events import exact_bounds
from assay.stats.effects import Effect

__all__ = ["Unplanned", "unplanned"]

_SURE = 0.95
_MOST = 10**10


class Unplanned(msgspec.Struct, frozen=True):
    """A metric without a variance: `closed` units of the past have a value, and all have the `level`, None without any.

    `most` is the share of units that may have another value all the same, at 95 percent; None where values are not
    between 0 and 1. `units` of each variant prove the margin of a guardrail if no unit has another value in the test
    either; None where no number is known.
    """

    metric: str
    role: str
    closed: int
    level: float | None
    most: float | None
    units: int | None
    words: str


def unplanned(metric: Metric, closed: int, level: float, design: Design, units: int) -> Unplanned:
    """What is known of it where all `closed` units have the `level`; other metrics need so many `units` of each."""
    if not closed:
        waits = f"; the value of a unit is known {_days(metric.window_us + metric.maturity_us)} after its first row"
        said = f"{metric.name} is not planned: no closed unit has a value yet{waits}"
        return Unplanned(metric.name, metric.role, 0, None, None, None, f"{said}, or say --level and --deviation")
    said = f"{metric.name} is not planned: all {closed:,} closed units have the value {level:g}"
    if not metric.within_one:
        words = f"{said}; say --level and --deviation"
        return Unplanned(metric.name, metric.role, closed, level, None, None, words)
    most = 1.0 - (1.0 - _SURE) ** (1.0 / closed)  # the rule of three: nearly 3 / closed
    said += f", so at most {most:.2%} of units have another ({_SURE:.0%} sure)"
    needed = _holding(metric, level, design, units) if metric.role == "guardrail" else None
    if needed is None:
        said += "; say --level and --deviation to plan for one that does"
    else:
        said += (
            f"; if none has in the test either, {needed:,} units of each variant prove the margin of {metric.margin:g}"
        )
    return Unplanned(metric.name, metric.role, closed, level, most, needed, said)


def _holding(metric: Metric, level: float, design: Design, units: int) -> int | None:
    """Units of each variant after which a look proves the margin, where all of them have the level."""

    def proves(n: int) -> bool:
        planned = design if design.kind == "anytime" else msgspec.structs.replace(design, n=max(n, units))
        bounds = exact_bounds(planned, Effect(0.0, 0.0, n, n, math.nan, level, level))
        return max(bounds.high, -bounds.low) < (metric.margin or 0.0)

    high = 1
    while not proves(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proves(middle) else (middle, high)
    return high


def _days(length_us: int) -> str:
    return f"{length_us / 86_400_000_000:.3g} days"
