"""How many units and how many days an online test takes: before it starts, and with all that makes it longer.

Units are those of each variant unless said otherwise. Two-sided tests; halve `alpha` for a one-sided one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assay.errors import InvalidInput
from assay.stats import group_sequential, normal, power
from assay.stats.anytime import TUNING
from assay.stats.sequential import normal_mixture_bound

__all__ = [
    "Engine",
    "Plan",
    "days",
    "design_effect",
    "mean_units",
    "noninferiority_units",
    "paired_units",
    "plan",
    "power_of_each",
    "proportion_units",
    "sequence_inflation",
    "sequence_width",
    "unpaired_units",
]

Engine = Literal["fixed", "at will", "obrien-fleming", "pocock"]

_MOST = 1e12  # units nobody has


@dataclass(frozen=True, slots=True)
class Plan:
    """`units` of the smaller variant and `total` of both; `days` until the last of them is ripe.

    `fixed_units` is what a single look at the end would take; `design_effect` and `inflation` are what rows that hang
    together and looks on the way cost; `power` is that of each metric.
    """

    units: int
    total: int
    days: float
    fixed_units: int
    design_effect: float
    inflation: float
    power: float


def proportion_units(control: float, treatment: float, alpha: float = 0.05, power: float = 0.8) -> float:
    """Units to tell two proportions apart, as R's `power.prop.test`, not rounded.

    (z(α/2)·√(2p̄q̄) + z(β)·√(p₁q₁ + p₂q₂))²/(p₁ − p₂)². InvalidInput for proportions outside [0, 1] or equal.
    """
    own = _spread_of_two(control, treatment)
    middle = (control + treatment) / 2.0
    z_alpha, z_power = _quantiles(alpha, power)
    root = z_alpha * math.sqrt(2.0 * middle * (1.0 - middle)) + z_power * math.sqrt(own)
    return (root / (control - treatment)) ** 2


def mean_units(difference: float, deviation: float = 1.0, alpha: float = 0.05, power: float = 0.8) -> float:
    """Units to find a `difference` of means of values with that standard `deviation`, as R's `power.t.test`.

    By the noncentral t distribution with 2(n − 1) degrees of freedom; not rounded.
    """
    from scipy.special import nctdtr

    _quantiles(alpha, power)
    if not (deviation > 0.0 and math.isfinite(deviation) and difference and math.isfinite(difference)):
        raise InvalidInput(
            f"a difference of {difference!r} with a deviation of {deviation!r}", expected="both other than 0, finite"
        )
    effect = abs(difference) / deviation

    def found(n: float) -> float:
        freedom = 2.0 * (n - 1.0)
        return 1.0 - float(nctdtr(freedom, math.sqrt(n / 2.0) * effect, normal.t_quantile(1.0 - alpha / 2.0, freedom)))

    # Far out the distribution is normal, and the noncentral t no longer accurate.
    rough = 2.0 * (sum(_quantiles(alpha, power)) / effect) ** 2
    return rough if rough > 1e5 else _solve(lambda n: found(n) >= power, 2.0, 2.0 * rough + 10.0)


def paired_units(disagreement: float, difference: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Labelled requests a shadow needs: z²(ψ − δ²)/δ² with ψ the share of requests on which just one is right.

    InvalidInput where the difference is 0 or larger than the disagreement.
    """
    if not 0.0 < abs(difference) <= disagreement <= 1.0:
        raise InvalidInput(
            f"a difference of {difference!r} with a disagreement of {disagreement!r}",
            expected="0 < difference <= disagreement <= 1",
        )
    return _rows(disagreement - difference**2, abs(difference), alpha, power)


def unpaired_units(control: float, treatment: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Labelled requests a split needs, of both variants: 2z²(p₁q₁ + p₂q₂)/δ²."""
    own = _spread_of_two(control, treatment)
    return _rows(2.0 * own, abs(treatment - control), alpha, power)


def noninferiority_units(
    variance: float, margin: float, expected: float = 0.0, alpha: float = 0.05, power: float = 0.8
) -> int:
    """Units to show "not worse by `margin`" with a one-sided test at `alpha`; `variance` is that of a unit.

    `expected` is the true effect assumed, larger being better. InvalidInput where no number of units shows it.
    """
    return _rows(2.0 * variance, margin, 2.0 * alpha, power, expected)


def design_effect(rows_per_unit: float, correlation: float) -> float:
    """1 + (m − 1)·ICC: by how much more rows are needed where m rows of a unit hang together."""
    if not (rows_per_unit >= 1.0 and 0.0 <= correlation <= 1.0):
        raise InvalidInput(
            f"{rows_per_unit!r} rows of a unit with a correlation of {correlation!r}",
            expected="1 or more rows, and a correlation in [0, 1]",
        )
    return 1.0 + (rows_per_unit - 1.0) * correlation


def power_of_each(power: float, guardrails: int, *, success: bool = True) -> float:
    """The power each metric needs so that all of them come out well with chance `power`: 1 − (1 − power)/number.

    Guardrails share out β, not α (Schultzberg, Ankargren & Frånberg 2024, arXiv 2402.11609): all have to pass.
    """
    _quantiles(0.05, power)
    if guardrails < 0 or not guardrails + success:
        raise InvalidInput(f"{guardrails!r} guardrails", expected="one metric or more")
    return 1.0 - (1.0 - power) / (guardrails + success)


def sequence_width(ratio: float, alpha: float = 0.05) -> float:
    """By how much wider the confidence sequence is than the interval of a single look, at `ratio` times its tuning."""
    return _width(ratio, alpha) / -normal.quantile(alpha / 2.0)


def sequence_inflation(alpha: float = 0.05, power: float = 0.8, *, tuned_at: float = 1.0) -> float:
    """By how much more units a test looked at at will needs, for that power at the last look.

    `tuned_at`: the tuning as a part of the units at the end (1: tightest there). An upper bound, as looks before count
    as well; on average a test looked at at will stops earlier than that.
    """
    z_alpha, z_power = _quantiles(alpha, power)
    if not tuned_at > 0.0:
        raise InvalidInput(f"tuned at {tuned_at!r} of the end", expected="above 0")
    return ((_width(1.0 / tuned_at, alpha) + z_power) / (z_alpha + z_power)) ** 2


def days(total_units: float, units_per_day: float, maturity_days: float = 0.0) -> float:
    """n/traffic + the time until the last unit is ripe (its outcome window closes)."""
    if not (units_per_day > 0.0 and maturity_days >= 0.0 and total_units >= 0.0):
        raise InvalidInput(
            f"{total_units!r} units at {units_per_day!r} a day, ripe after {maturity_days!r} days",
            expected="traffic above 0, the others 0 or more",
        )
    return total_units / units_per_day + maturity_days


def plan(
    fixed_units: float,
    units_per_day: float,
    *,
    engine: Engine = "at will",
    share: float | None = 0.5,
    looks: int = 5,
    maturity_days: float = 0.0,
    rows_per_unit: float = 1.0,
    correlation: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    tuning: float = TUNING,
) -> Plan:
    """What a test of two variants takes, from the units of each that a single look at equal shares would need.

    `share` is the treatment's part of the units of the test; unequal shares need 1/(4·share·(1 − share)) times as many
    in all. None is a shadow, where every unit is answered by both.

    `units_per_day` is what enters the test, both variants together. Where the sizes above count rows and not units,
    give the `rows_per_unit` and their `correlation`: the rows are multiplied by the design effect and divided by the
    rows of a unit. `looks` are those of a group sequential engine; `tuning` is that of the sequence looked at at will.
    """
    if not 0.0 < fixed_units < _MOST:
        raise InvalidInput(f"{fixed_units!r} units", expected="above 0")
    effect = design_effect(rows_per_unit, correlation)
    independent = fixed_units * effect / rows_per_unit
    if engine == "fixed":
        factor = 1.0
    elif engine == "at will":
        factor = _fixed_tuning(2.0 * independent, tuning, alpha, power)
    else:
        factor = group_sequential.inflation(looks, alpha, power, engine)
    if share is not None and not 0.0 < share < 1.0:
        raise InvalidInput(f"a share of {share!r}", expected="inside (0, 1), None for a shadow")
    units = math.ceil(independent * factor - 1e-9)
    total = units
    if share is not None:
        smaller = min(share, 1.0 - share)
        units = math.ceil(units / (2.0 * (1.0 - smaller)) - 1e-9)
        total = math.ceil(units / smaller - 1e-9)
    return Plan(
        units=units,
        total=total,
        days=days(total, units_per_day, maturity_days),
        fixed_units=math.ceil(independent - 1e-9),
        design_effect=effect,
        inflation=factor,
        power=power,
    )


def _fixed_tuning(total: float, tuning: float, alpha: float, power: float) -> float:
    """The inflation where the sequence is tuned at a number of units, whatever the end."""
    z_alpha, z_power = _quantiles(alpha, power)

    def enough(factor: float) -> bool:
        return math.sqrt(factor) * (z_alpha + z_power) >= _width(factor * total / tuning, alpha) + z_power

    high = 2.0
    while not enough(high):
        high *= 2.0
    return _solve(enough, 1.0, high)


def _width(ratio: float, alpha: float) -> float:
    """The half-width of the sequence in standard errors, at `ratio` times its tuning."""
    if not 0.0 < ratio < math.inf:
        raise InvalidInput(f"{ratio!r} times the tuning", expected="above 0")
    return normal_mixture_bound(ratio, 1.0, alpha) / math.sqrt(ratio)


def _spread_of_two(control: float, treatment: float) -> float:
    if not (0.0 <= control <= 1.0 and 0.0 <= treatment <= 1.0 and control != treatment):
        raise InvalidInput(f"proportions of {control!r} and {treatment!r}", expected="two different ones in [0, 1]")
    return control * (1.0 - control) + treatment * (1.0 - treatment)


def _rows(variance: float, margin: float, alpha: float, power_: float, expected: float = 0.0) -> int:
    needed = power.rows_needed(variance, margin, expected, alpha / 2.0, power_)
    if needed is None:
        raise InvalidInput(
            f"no number of units shows a difference of {expected + margin!r} with a variance of {variance!r}",
            expected="a margin above the loss assumed",
        )
    return needed


def _quantiles(alpha: float, power_: float) -> tuple[float, float]:
    if not 0.0 < alpha < 1.0 or not 0.0 < power_ < 1.0:
        raise InvalidInput(f"alpha is {alpha!r} and the power {power_!r}", expected="both inside (0, 1)")
    return -normal.quantile(alpha / 2.0), normal.quantile(power_)


def _solve(enough: Callable[[float], bool], low: float, high: float) -> float:
    """The smallest number between that is enough."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
