"""Tests and intervals that stay valid however often one looks, and whenever one stops.

Uniform boundaries of Howard, Ramdas, McAuliffe & Sekhon 2021 (Annals of Statistics 49:1055), an interval for a
running mean, and a test by betting. α is the probability of being wrong at any time, not at each look.
"""

import math
from collections.abc import Callable

import msgspec

from assay.errors import InvalidInput
from assay.stats import normal
from assay.stats.intervals import Interval

__all__ = [
    "BettingTest",
    "MeanSequence",
    "bernoulli_interval",
    "beta_binomial_bound",
    "beta_binomial_log",
    "normal_mixture_bound",
    "normal_mixture_log",
    "stitched_bound",
]

_BISECTIONS = 100
_TUNING_ALPHA = 0.05  # at which the Bernoulli interval is tuned to be tight; valid at every α


def normal_mixture_log(s: float, v: float, v_opt: float, alpha: float, *, one_sided: bool = False) -> float:
    """ln of the normal mixture at sum `s` and intrinsic time `v` >= 0, a supermartingale starting at 0.

    Tightest for `v` near `v_opt` > 0 at level `alpha`. Reject where it reaches ln(1/α). For sums with
    sub-Gaussian increments; one-sided looks for large positive s only.
    """
    return _normal_log(s, v, _normal_rho(v, v_opt, alpha, one_sided), one_sided)


def normal_mixture_bound(v: float, v_opt: float, alpha: float, *, one_sided: bool = False) -> float:
    """The sum that `normal_mixture_log` rejects from at intrinsic time `v`: |S| (one-sided: S) stays below."""
    rho = _normal_rho(v, v_opt, alpha, one_sided)
    level = math.log(1.0 / alpha)
    if not one_sided:
        return math.sqrt((v + rho) * (2.0 * level + math.log((v + rho) / rho)))
    high = math.sqrt(v + rho)
    while _normal_log(high, v, rho, one_sided) < level:
        high *= 2.0
    return _root(lambda s: _normal_log(s, v, rho, one_sided) < level, 0.0, high)


def beta_binomial_log(
    s: float, v: float, v_opt: float, g: float, h: float, alpha: float, *, one_sided: bool = False
) -> float:
    """ln of the beta-binomial mixture at sum `s`, for increments of mean 0 in [−`g`, `h`], g, h > 0.

    `v` is gh times the number of increments for a Bernoulli; s must lie in [−v/h, v/g]. Formula in online.md,
    section 4.4; otherwise as `normal_mixture_log`.
    """
    _positive(g=g, h=h)
    rho = _normal_rho(v, v_opt, alpha, one_sided)
    slack = 1e-9 * (1.0 + v)
    if not -v / h - slack <= s <= v / g + slack:
        raise InvalidInput(f"a sum of {s!r} cannot arise at intrinsic time {v!r}", expected="between -v/h and v/g")
    return _beta_log(s, v, rho, (g, h), one_sided)


def beta_binomial_bound(v: float, v_opt: float, g: float, h: float, alpha: float, *, one_sided: bool = False) -> float:
    """The sum that `beta_binomial_log` rejects from at intrinsic time `v`; v/g where it never does."""
    _positive(g=g, h=h)
    rho = _normal_rho(v, v_opt, alpha, one_sided)
    level, high = math.log(1.0 / alpha), v / g
    if _beta_log(high, v, rho, (g, h), one_sided) < level:
        return high
    return _root(lambda s: _beta_log(s, v, rho, (g, h), one_sided) < level, 0.0, high)


def stitched_bound(v: float, v_min: float, alpha: float, *, c: float = 0.0) -> float:
    """The sum that is ever exceeded with chance <= `alpha`, one-sided, without a time to be tuned to.

    Polynomial stitching with η = 2 and s = 1.4 (Howard et al. 2021, theorem 1): √(v·ln ln v) in the long run, where
    mixtures grow as √(v·ln v); a mixture is tighter near its `v_opt`. For sums that are sub-gamma with scale `c` (0:
    sub-Gaussian); before `v_min` > 0 it stays what it is there.
    """
    from scipy.special import zeta

    _alpha(alpha)
    _positive(v_min=v_min)
    if not 0.0 <= v < math.inf or not math.isfinite(c):
        raise InvalidInput(f"the intrinsic time is {v!r} and the scale {c!r}", expected="0 or more, finite")
    eta, s = 2.0, 1.4
    k_1 = (eta**0.25 + eta**-0.25) / math.sqrt(2.0)
    k_2 = (math.sqrt(eta) + 1.0) / 2.0
    u = max(v, v_min)
    level = s * math.log(math.log(eta * u / v_min)) + math.log(zeta(s) / math.log(eta) ** s) + math.log(1.0 / alpha)
    return math.sqrt(k_1 * k_1 * u * level + (k_2 * c * level) ** 2) + k_2 * c * level


def bernoulli_interval(k: int, n: int, t_opt: float, alpha: float) -> Interval:
    """Confidence sequence for a probability after `k` of `n` trials, tightest near `t_opt` trials.

    The p whose two-sided beta-binomial mixture stays below 1/α, by bisection on both sides of k/n (online.md,
    section 4.4). Trials must have the same probability given the past. (0, 1) where n is 0.
    """
    _alpha(alpha)
    _positive(t_opt=t_opt)
    if not 0 <= k <= n:
        raise InvalidInput(f"{k!r} of {n!r} trials", expected="0 <= k <= n")
    if n == 0:
        return Interval(0.0, 1.0)
    centre, level = k / n, math.log(1.0 / alpha)

    def rejected(p: float) -> bool:
        variance = p * (1.0 - p)
        rho = _rho(variance * t_opt, _TUNING_ALPHA)
        return _beta_log((centre - p) * n, variance * n, rho, (p, 1.0 - p), False) > level

    low = 0.0 if k == 0 else _root(rejected, 0.0, centre)
    high = 1.0 if k == n else _root(rejected, 1.0, centre)
    return Interval(low, high)


class MeanSequence(msgspec.Struct):
    """Confidence sequence for the running mean (1/n)Σ E[Xᵢ | past] of observations in [0, 1].

    The means may change in any way, also in answer to the past, and the observations need not be independent;
    a bound covers the mean of the n conditional means up to now, at all n at once. Empirical Bernstein: with
    Vₙ = Σ(Xᵢ − X̂ᵢ)² around the mean X̂ᵢ of the observations before, exp(λS − (−ln(1 − λ) − λ)V) is a
    supermartingale for S = Σ(Xᵢ − E[Xᵢ | past]) and fixed λ in [0, 1) (Howard et al. 2021, theorem 4), and so is
    its average over a fixed set of λ. (The plug-in sequence of Waudby-Smith & Ramdas 2023, theorem 2, chooses
    λ by the past and therefore covers a λ-weighted mean: not this one, once means change.)

    The state is three numbers, whatever the confidence asked for later; order matters.
    """

    n: int = 0
    total: float = 0.0
    variation: float = 0.0

    def update(self, x: float) -> None:
        """Add an observation; InvalidInput, and nothing changed, unless it lies in [0, 1]."""
        _bounded(x)
        predicted = (0.5 + self.total) / (self.n + 1)
        self.n += 1
        self.total += x
        self.variation += (x - predicted) ** 2

    @property
    def mean(self) -> float:
        """The mean of the observations; NaN before the first."""
        return self.total / self.n if self.n else math.nan

    def lower(self, alpha: float) -> float:
        """One-sided lower bound: the running mean is below it at any time with probability <= `alpha`."""
        return max(0.0, self.mean - self._margin(alpha)) if self.n else 0.0

    def upper(self, alpha: float) -> float:
        """One-sided upper bound; with `lower` at the same `alpha` a two-sided interval at 2·`alpha`."""
        return min(1.0, self.mean + self._margin(alpha)) if self.n else 1.0

    def _margin(self, alpha: float) -> float:
        _alpha(alpha)
        level = math.log(1.0 / alpha)
        # Beyond what a single λ of the mixture needs, the mixture has rejected.
        high = min((level + math.log(len(_RATES)) + cost * self.variation) / rate for rate, cost in _RATES)
        return _root(lambda s: _mixture(s, self.variation) < level, 0.0, high) / self.n


class BettingTest(msgspec.Struct):
    """E-process against H0: E[Xₜ | past] <= `limit` at every t, for observations in [0, 1].

    Capital Π(1 + λ(Xₜ − limit)), averaged over 10 fixed λ, log-spaced from 0.045/limit to 0.9/limit: under H0
    a supermartingale starting at 1 (Waudby-Smith & Ramdas 2023), so it ever exceeds 1/α with probability <= α
    (Ville). Deterministic; averaging needs no tuning to the size of the harm.
    """

    limit: float
    n: int = 0
    log_capitals: list[float] = []
    log_largest: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.limit < 1.0:
            raise InvalidInput(f"the limit on the mean is {self.limit!r}", expected="inside (0, 1)")
        if not self.log_capitals:
            self.log_capitals = [0.0] * len(_BETS)

    def update(self, x: float) -> None:
        """Add an observation; InvalidInput, and nothing changed, unless it lies in [0, 1]."""
        _bounded(x)
        gain = (x - self.limit) / self.limit
        self.log_capitals = [log + math.log1p(bet * gain) for log, bet in zip(self.log_capitals, _BETS, strict=True)]
        self.n += 1
        self.log_largest = max(self.log_largest, self.log_e)

    @property
    def log_e(self) -> float:
        """ln of the e-value now; 0 before the first observation."""
        return _log_sum(self.log_capitals) - math.log(len(_BETS))

    @property
    def p_value(self) -> float:
        """min(1, 1/largest e-value so far), valid at every time; never increases."""
        return math.exp(-self.log_largest)

    def rejects(self, alpha: float) -> bool:
        """Whether H0 has been rejected at `alpha` by now, at this observation or before."""
        _alpha(alpha)
        return self.p_value <= alpha


def _cost(rate: float) -> float:
    return -math.log1p(-rate) - rate


# λ halving from 0.9 on: the best λ for variation V is near √(2 ln(1/α)/V), so these serve V from 1 to 1e7.
_RATES = [(rate, _cost(rate)) for rate in (0.9 * 0.5**step for step in range(12))]
_BETS = [0.9 * 0.05 ** (step / 9) for step in range(10)]


def _log_sum(logs: list[float]) -> float:
    largest = max(logs)
    return largest + math.log(sum(math.exp(log - largest) for log in logs))


def _mixture(s: float, v: float) -> float:
    return _log_sum([rate * s - cost * v for rate, cost in _RATES]) - math.log(len(_RATES))


def _root(below: Callable[[float], bool], first: float, last: float) -> float:
    """Where `below`, true at `first` and false at `last`, changes."""
    for _ in range(_BISECTIONS):
        middle = (first + last) / 2.0
        if middle in (first, last):
            break
        if below(middle):
            first = middle
        else:
            last = middle
    return (first + last) / 2.0


def _alpha(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise InvalidInput(f"alpha is {alpha!r}", expected="inside (0, 1), such as 0.05")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0.0 < value < math.inf:
            raise InvalidInput(f"{name} is {value!r}", expected="above 0 and finite")


def _bounded(x: float) -> None:
    if not 0.0 <= x <= 1.0:
        raise InvalidInput(f"the observation is {x!r}", expected="a number in [0, 1]")


def _rho(v_opt: float, alpha: float) -> float:
    twice = 2.0 * math.log(1.0 / alpha)
    return v_opt / (twice + math.log1p(twice))


def _normal_rho(v: float, v_opt: float, alpha: float, one_sided: bool) -> float:
    _alpha(alpha)
    _positive(v_opt=v_opt)
    if not 0.0 <= v < math.inf:
        raise InvalidInput(f"the intrinsic time is {v!r}", expected="0 or more and finite")
    if one_sided and alpha >= 0.5:
        raise InvalidInput(f"alpha is {alpha!r}", expected="below 0.5 for a one-sided bound")
    return _rho(v_opt, 2.0 * alpha if one_sided else alpha)


def _normal_log(s: float, v: float, rho: float, one_sided: bool) -> float:
    size = s * s / (2.0 * (v + rho))
    if not one_sided:
        return 0.5 * math.log(rho / (v + rho)) + size
    return 0.5 * math.log(4.0 * rho / (v + rho)) + size + normal.log_cdf(s / math.sqrt(v + rho))


def _beta_log(s: float, v: float, rho: float, ends: tuple[float, float], one_sided: bool) -> float:
    g, h = ends
    r = max(rho - g * h, 1e-3 * g * h)
    span = g + h
    against, towards = g * span, h * span
    share = h / span if one_sided else 1.0
    return (
        v / (g * h) * math.log(span)
        - (v + h * s) / towards * math.log(g)
        - (v - g * s) / against * math.log(h)
        + _log_beta((r + v - g * s) / against, (r + v + h * s) / towards, share)
        - _log_beta(r / against, r / towards, share)
    )


def _log_beta(a: float, b: float, x: float) -> float:
    """ln of the incomplete beta function B(x; a, b); of the complete one at x = 1. −infinity on underflow."""
    complete = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    if x == 1.0:
        return complete
    from scipy.special import betainc

    share = float(betainc(a, b, x))
    return complete + math.log(share) if share > 0.0 else -math.inf
