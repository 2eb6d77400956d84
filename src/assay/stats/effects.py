"""The difference between two variants of an online test, from sums over units alone.

A unit is whoever was assigned: a user, a device, a session. All rows of a unit are added up first, so that rows which
hang together count once. The sums of workers, hours and days add up to the sums of all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval

__all__ = ["PRODUCTS", "Effect", "Sums", "difference"]

Floats = NDArray[np.float64]

PRODUCTS = ("yy", "xx", "xy", "dd", "yd", "xd", "ww", "yw", "dw", "xw")  # of two columns, as `Sums` spells them
_ROUNDING = 1e-14  # of a sum of squares: a spread below it is what cancellation leaves of equal values


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over `n` units of one variant.

    `y` is the metric, or the numerator of a `ratio` whose denominator is `d`; `x` what was known of the unit before it
    was assigned (a covariate: the same metric last week, the champion's own prediction); for a ratio `w` may be the
    denominator that belongs to `x`. Two letters are the sum of products of both. What a metric does not have stays 0.
    """

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    d: float = 0.0
    dd: float = 0.0
    yd: float = 0.0
    xd: float = 0.0
    w: float = 0.0
    ww: float = 0.0
    yw: float = 0.0
    dw: float = 0.0
    xw: float = 0.0
    ratio: bool = False

    @classmethod
    def of(
        cls,
        y: ArrayLike,
        x: ArrayLike | None = None,
        *,
        denominator: ArrayLike | None = None,
        covariate_denominator: ArrayLike | None = None,
    ) -> "Sums":
        """The sums of arrays with one number for each unit; each rounded once, so that the order does not matter.

        InvalidInput for arrays of different lengths, numbers that are not finite, and a `covariate_denominator`
        without a `denominator` and a covariate.
        """
        if covariate_denominator is not None and (denominator is None or x is None):
            raise InvalidInput(
                "a denominator of the covariate without a ratio to adjust", expected="x and denominator as well"
            )
        columns = {"y": y, "x": x, "d": denominator, "w": covariate_denominator}
        given = {name: _column(name, values) for name, values in columns.items() if values is not None}
        if len({len(values) for values in given.values()}) > 1:
            lengths = ", ".join(f"{name} {len(values)}" for name, values in given.items())
            raise InvalidInput(f"the arrays have different lengths: {lengths}", expected="one number for each unit")
        sums = {name: math.fsum(values) for name, values in given.items()}
        for pair in PRODUCTS:
            if pair[0] in given and pair[1] in given:
                sums[pair] = math.fsum(given[pair[0]] * given[pair[1]])
        return cls(n=len(given["y"]), ratio=denominator is not None, **sums)

    def __add__(self, other: "Sums") -> "Sums":
        """The sums of both; InvalidInput for a ratio and a mean."""
        if self.n and other.n and self.ratio != other.ratio:
            raise InvalidInput("the sums of a ratio and of a mean do not add up", expected="sums of one metric")
        added = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name != "ratio"
        }
        return Sums(ratio=self.ratio or other.ratio, **added)

    @property
    def mean(self) -> float:
        """The mean of the units, or the ratio of sums; NaN without units or with a denominator of 0."""
        below = self.d if self.ratio else float(self.n)
        return self.y / below if below else math.nan

    @property
    def variance(self) -> float:
        """The variance of a unit (of its linearised ratio); NaN for fewer than 2 units."""
        if self.n < 2 or math.isnan(self.mean):
            return math.nan
        return max(0.0, _Arm.of(self).own) / (self.n - 1)


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much the treatment is above the control: `estimate` with its standard error `se`.

    `control` and `treatment` are the two levels compared (adjusted where the effect is), `degrees` the freedom of a t
    distribution (Welch, Satterthwaite). All are NaN where they cannot be had.
    """

    estimate: float
    se: float
    n_control: int
    n_treatment: int
    degrees: float
    control: float = math.nan
    treatment: float = math.nan

    @property
    def n(self) -> int:
        """Units of both."""
        return self.n_control + self.n_treatment

    def interval(self, confidence: float = 0.95) -> Interval:
        """estimate ± t·se. Right for one look at the planned end only: see `anytime` for looking at will."""
        normal.critical_value(confidence)
        if not self.degrees > 0:
            return Interval(math.nan, math.nan)
        half = normal.t_quantile((1.0 + confidence) / 2.0, self.degrees) * self.se
        return Interval(self.estimate - half, self.estimate + half)

    def p_value(self) -> float:
        """Two-sided P-value of no effect, for one look at the planned end; 1 where the error is not known."""
        if not self.degrees > 0:
            return 1.0
        if self.se == 0.0:
            return float(self.estimate == 0.0)
        return min(1.0, 2.0 * normal.t_upper_tail(abs(self.estimate) / self.se, self.degrees))


def difference(
    control: Sums | Sequence[Sums],
    treatment: Sums | Sequence[Sums],
    *,
    relative: bool = False,
    adjusted: bool = True,
) -> Effect:
    """Treatment minus control, or as a share of the control with `relative`.

    Sequences are the sums by phase (a time of constant shares), in the same order: the effect is then the mean over
    phases, weighted by their units, so that a ramp cannot turn its sign (Simpson). Phases in which a variant has fewer
    than 2 units say nothing and are left out.

    `adjusted` takes out what the covariate explains: level − θ(x̄ − x̄ of both variants), with θ = cov(y, x)/var(x)
    pooled within variants and phases (CUPED, Deng et al. 2013); the variance falls by 1 − r². Without a covariate it
    changes nothing. Ratios and their covariates are linearised: y/d moves with (y − R·d)/d̄ (delta method with the unit
    as cluster, Deng, Knoblich & Lu 2018). The variance of the relative effect follows by the delta method, too.

    InvalidInput for sequences of different lengths and for a ratio against a mean.
    """
    phases = _phases(control, treatment)
    counts = [sum(phase[side].n for phase in phases) for side in (0, 1)]
    total = sum(counts)
    nothing = Effect(math.nan, math.nan, counts[0], counts[1], math.nan)
    arms = [[_Arm.of(sums) for sums in phase] for phase in phases]
    if not total or any(math.isnan(arm.level) for phase in arms for arm in phase):
        return nothing
    theta = _theta([arm for phase in arms for arm in phase]) if adjusted else 0.0
    weights = [(phase[0].n + phase[1].n) / total for phase in arms]
    middles = [(a.n * a.covariate + b.n * b.covariate) / (a.n + b.n) for a, b in arms]
    levels = [
        math.fsum(
            weight * (phase[side].level - theta * (phase[side].covariate - middle))
            for weight, phase, middle in zip(weights, arms, middles, strict=True)
        )
        for side in (0, 1)
    ]
    if relative and levels[0] == 0.0:
        return nothing
    # How the effect moves with either level, and through them with the middle of the covariate.
    slopes = (-levels[1] / levels[0] ** 2, 1.0 / levels[0]) if relative else (-1.0, 1.0)
    through = theta * sum(slopes)
    parts = []
    for weight, phase in zip(weights, arms, strict=True):
        for slope, arm in zip(slopes, phase, strict=True):
            own = weight * slope
            other = weight * through * arm.n / (phase[0].n + phase[1].n) - own * theta
            parts.append((arm.variance(own, other) / arm.n, arm.n - 1))
    variance = math.fsum(part for part, _ in parts)
    below = math.fsum(part * part / freedom for part, freedom in parts)
    return Effect(
        estimate=levels[1] / levels[0] - 1.0 if relative else levels[1] - levels[0],
        se=math.sqrt(variance),
        n_control=counts[0],
        n_treatment=counts[1],
        degrees=variance * variance / below if below > 0.0 else float(total - 2 * len(phases)),
        control=levels[0],
        treatment=levels[1],
    )


@dataclass(frozen=True, slots=True)
class _Arm:
    """A variant in a phase: its level and that of the covariate, and the sums of products of what moves both.

    A unit moves the level by n/d·(y − level·d)/n, and that of the covariate by n/w·(x − covariate·w)/n.
    """

    n: int
    level: float
    covariate: float
    own: float
    cross: float
    other: float

    @classmethod
    def of(cls, sums: Sums) -> "_Arm":
        n, y, x = float(sums.n), sums.y, sums.x
        # A mean is a ratio whose denominator is 1 for each unit.
        d, dd, yd, xd, dw = (sums.d, sums.dd, sums.yd, sums.xd, sums.dw) if sums.ratio else (n, n, y, x, sums.w)
        w, ww, yw, xw, dw = (sums.w, sums.ww, sums.yw, sums.xw, dw) if sums.w else (n, n, y, x, d)
        if d == 0.0:
            return cls(sums.n, math.nan, 0.0, 0.0, 0.0, 0.0)
        level, covariate = y / d, x / w
        a, b = n / d, n / w
        return cls(
            n=sums.n,
            level=level,
            covariate=covariate,
            own=a * a * _left(sums.yy, -2.0 * level * yd, level * level * dd),
            cross=a * b * math.fsum((sums.xy, -covariate * yw, -level * xd, level * covariate * dw)),
            other=b * b * _left(sums.xx, -2.0 * covariate * xw, covariate * covariate * ww),
        )

    def variance(self, own: float, other: float) -> float:
        """Of own·level + other·covariate, for one unit."""
        squares = own * own * self.own + 2.0 * own * other * self.cross + other * other * self.other
        return max(0.0, squares) / (self.n - 1)


def _left(squares: float, *less: float) -> float:
    """What is left of a sum of squares; 0 where that is what rounding leaves."""
    left = math.fsum((squares, *less))
    return left if left > _ROUNDING * squares else 0.0


def _theta(arms: Sequence[_Arm]) -> float:
    squares = math.fsum(arm.other for arm in arms)
    return math.fsum(arm.cross for arm in arms) / squares if squares > 0.0 else 0.0


def _phases(control: Sums | Sequence[Sums], treatment: Sums | Sequence[Sums]) -> list[tuple[Sums, Sums]]:
    sides = [[side] if isinstance(side, Sums) else list(side) for side in (control, treatment)]
    if len(sides[0]) != len(sides[1]):
        raise InvalidInput(
            f"{len(sides[0])} phases of the control and {len(sides[1])} of the treatment",
            expected="the same phases in the same order",
        )
    kept = [(a, b) for a, b in zip(*sides, strict=True) if min(a.n, b.n) >= 2]
    if len({sums.ratio for phase in kept for sums in phase}) > 1:
        raise InvalidInput("a ratio cannot be compared with a mean", expected="sums of one metric")
    return kept


def _column(name: str, values: ArrayLike) -> Floats:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1 or not np.isfinite(column).all():
        raise InvalidInput(f"{name} is not one finite number for each unit", expected="a list of finite numbers")
    return column
