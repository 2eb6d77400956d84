"""A few planned looks at an effect, with the error α spent over them: the most power where the length is planned.

Lan and DeMets 1983 (Biometrika 70:659): how much of α may be spent by each information fraction is fixed before, so
that the looks themselves need not be. An information fraction is the units (or 1/se²) of a look as a part of those
planned for the end. The score S(t) = z·√t walks as a Brownian motion with the drift "mean of z at the planned end".
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval

__all__ = [
    "Spending",
    "Stop",
    "at_stop",
    "boundaries",
    "crossing",
    "drift_for",
    "inflation",
    "repeated_interval",
    "spent",
]

Floats = NDArray[np.float64]
Spending = Literal["obrien-fleming", "pocock"]

_FEWEST_ALPHA = 1e-13  # an α below it cannot be told from rounding: nothing is spent at that look
_FAR = 8.5  # standard deviations beyond which a normal density is left out (2e-17)
_SMALLEST_STEP = 5e-4  # of information: what is nearer is the same look
_NODES = 16  # of Gauss-Legendre in a panel, which is at most _PANEL standard deviations of a step wide
_PANEL = 3.0
_HALVINGS = 80


@dataclass(frozen=True, slots=True)
class Stop:
    """What a group sequential test says when it stops: the P-value, the median-unbiased effect and its interval."""

    p_value: float
    estimate: float
    interval: Interval


def spent(fraction: float, alpha: float, spending: Spending, *, one_sided: bool = False) -> float:
    """The part of `alpha` that may be spent by that information fraction; all of it from 1 on.

    "obrien-fleming": 4(1 − Φ(z(1 − α/4)/√t)), one-sided 2(1 − Φ(z(1 − α/2)/√t)): hardly anything early, and nearly the
    fixed test at the end. "pocock": α·ln(1 + (e − 1)t): more chance to stop early, paid for at the end.
    """
    _check_alpha(alpha)
    if not fraction > 0.0:
        raise InvalidInput(f"the information fraction is {fraction!r}", expected="above 0, 1 at the planned end")
    t = min(1.0, fraction)
    if spending == "pocock":
        return alpha * math.log1p((math.e - 1.0) * t)
    if spending != "obrien-fleming":
        raise InvalidInput(f"spending is {spending!r}", expected="obrien-fleming or pocock")
    sides = 1 if one_sided else 2
    return 2.0 * sides * normal.upper_tail(-normal.quantile(alpha / (2.0 * sides)) / math.sqrt(t))


def boundaries(
    fractions: Sequence[float],
    alpha: float = 0.05,
    spending: Spending = "obrien-fleming",
    *,
    one_sided: bool = False,
    final: bool = False,
) -> list[float]:
    """The z at each look from which on (|z|, one-sided z) the effect is significant; infinite where nothing is spent.

    `fractions` are those of the looks that took place, increasing: the bound of a look depends on it and those before,
    never on later ones. `final`: the last look is the end whatever its fraction (fewer units came than planned), and
    all that is left of α is spent at it; the end must not have been chosen by the outcomes. Recursive numerical
    integration (Armitage, McPherson & Rowe 1969), to about 1e-9.

    InvalidInput for fractions that do not increase by 0.0005 or more, or alpha outside (0, 0.5).
    """
    looks = _checked(fractions)
    return list(_boundaries(looks, alpha, spending, one_sided, final))


def crossing(
    fractions: Sequence[float], bounds: Sequence[float], drift: float = 0.0, *, one_sided: bool = False
) -> tuple[list[float], list[float]]:
    """The chances to leave upwards and downwards at each look for the first time, at a true `drift`.

    Their sums are the power; at a drift of 0 the error.
    """
    looks = _checked(fractions)
    if len(bounds) != len(looks):
        raise InvalidInput(f"{len(bounds)} bounds of {len(looks)} looks", expected="one for each look")
    ups, downs = [], []
    walk = _Walk(drift)
    for t, bound in zip(looks, bounds, strict=True):
        high = bound * math.sqrt(t)
        low = -math.inf if one_sided else -high
        walk.to(t)
        ups.append(walk.above(high))
        downs.append(0.0 if one_sided else walk.below(low))
        walk.keep(low, high)
    return ups, downs


def drift_for(power: float, fractions: Sequence[float], bounds: Sequence[float], *, one_sided: bool = False) -> float:
    """The drift at which the effect is found, in its true direction, with chance `power`."""
    if not 0.0 < power < 1.0:
        raise InvalidInput(f"the power is {power!r}", expected="inside (0, 1), such as 0.8")
    return _root(lambda drift: sum(crossing(fractions, bounds, drift, one_sided=one_sided)[0]) < power, 0.0, 20.0)


def inflation(
    looks: int,
    alpha: float = 0.05,
    power: float = 0.8,
    spending: Spending = "obrien-fleming",
    *,
    one_sided: bool = False,
) -> float:
    """By how much more units at the end `looks` evenly spaced looks need than a single one, for the same power."""
    if looks < 1:
        raise InvalidInput(f"{looks!r} looks", expected="1 or more")
    fractions = [(look + 1) / looks for look in range(looks)]
    bounds = boundaries(fractions, alpha, spending, one_sided=one_sided)
    single = normal.quantile(power) - normal.quantile(alpha if one_sided else alpha / 2.0)
    return (drift_for(power, fractions, bounds, one_sided=one_sided) / single) ** 2


def repeated_interval(estimate: float, se: float, bound: float) -> Interval:
    """estimate ± bound·se: valid at every look, whether the test stops or goes on (Jennison & Turnbull 1989)."""
    if not math.isfinite(bound) or math.isnan(se):
        return Interval(-math.inf, math.inf)
    return Interval(estimate - bound * se, estimate + bound * se)


def at_stop(
    estimate: float, se: float, fractions: Sequence[float], bounds: Sequence[float], alpha: float = 0.05
) -> Stop:
    """The two-sided P-value, estimate and interval of a test that stopped at the last of `fractions`.

    By the stage-wise ordering (Tsiatis, Rosner & Mehta 1984): earlier crossings are more extreme than later ones. Sound
    only where the test did stop there, by its bound or because it was the last look: before, take `repeated_interval`.
    The plain estimate of a test that stopped early overstates the effect, the median-unbiased one does not.

    InvalidInput for an error that is not above 0.
    """
    _check_alpha(alpha)
    if not 0.0 < se < math.inf:
        raise InvalidInput(f"the standard error is {se!r}", expected="above 0 and finite")
    looks = _checked(fractions)
    z = estimate / se

    def more(drift: float) -> float:
        """The chance of an outcome at or above this one."""
        return math.fsum(crossing(looks, [*bounds[:-1], z], drift)[0])

    up = more(0.0)
    # A drift is an effect in standard errors of the planned end.
    scale = se * math.sqrt(looks[-1])
    centre, far = z / math.sqrt(looks[-1]), 12.0 / math.sqrt(looks[0])
    low, middle, high = (
        _root(lambda drift, at=at: more(drift) < at, centre - far, centre + far)  # type: ignore[misc]
        for at in (alpha / 2.0, 0.5, 1.0 - alpha / 2.0)
    )
    return Stop(min(1.0, 2.0 * min(up, 1.0 - up)), middle * scale, Interval(low * scale, high * scale))


@functools.lru_cache(maxsize=256)
def _boundaries(
    looks: tuple[float, ...], alpha: float, spending: Spending, one_sided: bool, final: bool
) -> tuple[float, ...]:
    walk, gone, bounds = _Walk(0.0), 0.0, list[float]()
    for position, t in enumerate(looks):
        last = final and position == len(looks) - 1
        share = (alpha if last else spent(t, alpha, spending, one_sided=one_sided)) - gone
        walk.to(t)
        if share < _FEWEST_ALPHA:
            bounds.append(math.inf)
        else:
            sides = 1.0 if one_sided else 2.0
            bounds.append(_root(lambda s: sides * walk.above(s) > share, 0.0, 40.0 * math.sqrt(t)) / math.sqrt(t))  # noqa: B023
            gone += share
        high = bounds[-1] * math.sqrt(t)
        walk.keep(-math.inf if one_sided else -high, high)
    return tuple(bounds)


class _Walk:
    """The density of the score of tests that have not stopped, on nodes `x` with weights `mass`."""

    def __init__(self, drift: float) -> None:
        self.drift, self.t, self.before = drift, 0.0, 0.0
        self.x, self.mass = np.zeros(1), np.ones(1)

    def to(self, t: float) -> None:
        """Go on to information t; the nodes stay those of the look before until `keep`."""
        self.before, self.t = self.t, t

    @property
    def _step(self) -> tuple[Floats, float]:
        """Where the nodes are expected now, and the standard deviation of the way there."""
        passed = self.t - self.before
        return self.x + self.drift * passed, math.sqrt(passed)

    def above(self, s: float) -> float:
        """The chance to be there, not stopped before, with a score above `s`."""
        centres, deviation = self._step
        return float(self.mass @ normal.upper_tails((s - centres) / deviation))

    def below(self, s: float) -> float:
        """The chance of a score below `s`."""
        centres, deviation = self._step
        return float(self.mass @ normal.upper_tails((centres - s) / deviation))

    def keep(self, low: float, high: float) -> None:
        """Go on with the scores between `low` and `high`."""
        centres, deviation = self._step
        middle, far = self.drift * self.t, _FAR * math.sqrt(self.t)
        low, high = max(low, middle - far), min(high, middle + far)
        x, weights = _nodes(low, max(low, high), deviation)
        density = np.exp(-0.5 * ((x[:, None] - centres) / deviation) ** 2) @ self.mass
        self.x, self.mass = x, weights * density / (deviation * math.sqrt(2.0 * math.pi))


def _nodes(low: float, high: float, deviation: float) -> tuple[Floats, Floats]:
    """Gauss-Legendre in equal panels."""
    panels = max(1, math.ceil((high - low) / (_PANEL * deviation)))
    x, weights = _legendre()
    edges = np.linspace(low, high, panels + 1)
    half = (high - low) / panels / 2.0
    middles = (edges[:-1] + edges[1:]) / 2.0
    return (middles[:, None] + half * x).ravel(), np.tile(half * weights, panels)


@functools.cache
def _legendre() -> tuple[Floats, Floats]:
    return np.polynomial.legendre.leggauss(_NODES)


def _root(below: Callable[[float], bool], first: float, last: float) -> float:
    """Where `below`, true at `first` and false at `last`, changes."""
    for _ in range(_HALVINGS):
        middle = (first + last) / 2.0
        if below(middle):
            first = middle
        else:
            last = middle
    return (first + last) / 2.0


def _checked(fractions: Sequence[float]) -> tuple[float, ...]:
    looks = tuple(float(fraction) for fraction in fractions)
    steps = [after - before for before, after in zip((0.0, *looks), looks, strict=False)]
    if not looks or not all(_SMALLEST_STEP * (1.0 - 1e-9) <= step < math.inf for step in steps):
        raise InvalidInput(
            f"the information fractions are {list(looks)!r}",
            expected="increasing by 0.0005 or more, 1 at the planned end",
            hint="leave out a look that adds next to nothing",
        )
    return looks


def _check_alpha(alpha: float) -> None:
    if not 0.0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 0.5), such as 0.05")
