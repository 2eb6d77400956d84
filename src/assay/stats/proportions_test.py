"""Are counts shared out as they should be? A test that may be looked at after every count.

The Dirichlet-multinomial Bayes factor (Lindon & Malek 2020, arXiv 2011.03567). It serves the units of each variant
against the split (a sample-ratio mismatch), and the errors of each variant against its traffic.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput

__all__ = [
    "ERROR_CONCENTRATION",
    "SRM_CONCENTRATION",
    "ErrorShare",
    "error_share",
    "log_bayes_factor",
    "sample_ratio_chi_square_p",
    "share_p",
]

Floats = NDArray[np.float64]

SRM_CONCENTRATION = 100.0  # looks for small departures of large numbers of units
ERROR_CONCENTRATION = 10.0  # looks for large departures of few errors: a canary that fails


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """A variant's part of all errors against its part of the traffic, and the anytime-valid P-value of "the same"."""

    share: float
    expected: float
    p_value: float

    def harmful(self, alpha: float) -> bool:
        """Whether the variant is proven to have more than its part; fewer errors are no reason to act."""
        return self.share > self.expected and self.p_value <= alpha


def log_bayes_factor(counts: ArrayLike, shares: ArrayLike, concentration: float) -> float:
    """ln of the evidence against "each count falls to a variant with the chance `shares`".

    `counts` and `shares` are [variants], or [phases, variants] with the phases in the order of time; the shares of a
    phase need not add up to 1, only their proportions count. ln B(kθ + x) − ln B(kθ) − Σ x·ln θ with k the
    `concentration`: large k looks for small departures. From phase to phase what was learnt is carried on as a tilt of
    the shares, chosen before the phase begins; with equal shares in all phases this is the formula of their sums. Under
    the hypothesis exp of it is a martingale that starts at 1, so it ever reaches 1/α with chance α at most.

    Infinite where a count fell to a variant with a share of 0. InvalidInput for negative counts or shares, other
    shapes, fewer than 2 variants or a concentration that is not above 0.
    """
    x, theta = _checked(counts, shares)
    if not 0.0 < concentration < math.inf:
        raise InvalidInput(f"the concentration is {concentration!r}", expected="above 0, such as 10 or 100")
    if np.any((theta == 0.0) & (x > 0.0)):
        return math.inf
    log = 0.0
    seen, expected = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for found, chance in zip(x, theta, strict=True):
        open_ = chance > 0.0
        if open_.sum() < 2:  # all counts can fall to one variant only, and say nothing
            continue
        tilt = (concentration * chance + seen)[open_] / (concentration * chance + expected)[open_]
        prior = chance[open_] * tilt
        prior *= (concentration + seen.sum()) / prior.sum()
        log += _log_beta(prior + found[open_]) - _log_beta(prior) - float(found[open_] @ np.log(chance[open_]))
        seen += found
        expected += found.sum() * chance
    return log


def share_p(counts: ArrayLike, shares: ArrayLike, concentration: float = SRM_CONCENTRATION) -> float:
    """min(1, 1/Bayes factor): the P-value at this look; over all looks keep the smallest (`anytime.Looks`)."""
    return math.exp(min(0.0, -log_bayes_factor(counts, shares, concentration)))


def error_share(
    errors: ArrayLike,
    shares: ArrayLike,
    variant: int,
    concentration: float = ERROR_CONCENTRATION,
    *,
    factor: float | None = None,
) -> ErrorShare:
    """The errors of the variant at that place against all others together; arguments as of `log_bayes_factor`.

    For two variants and for more; what the others do among themselves does not count. Without errors the P-value is 1.

    With `factor` it is Wald's sequential probability ratio test against that many times the errors of the others: as
    valid at any time, quicker where the harm is about as large as stated, and slower or blind elsewhere.
    InvalidInput for a factor that is not above 1.
    """
    if factor is not None and not 1.0 < factor < math.inf:
        raise InvalidInput(f"a factor of {factor!r}", expected="above 1, such as 2: twice the errors")
    x, theta = _checked(errors, shares)
    if not 0 <= variant < x.shape[1]:
        raise InvalidInput(f"there is no variant {variant!r}", expected=f"a place from 0 to {x.shape[1] - 1}")
    own = np.stack([x[:, variant], x.sum(axis=1) - x[:, variant]], axis=1)
    split = np.stack([theta[:, variant], 1.0 - theta[:, variant]], axis=1)
    total = float(own.sum())
    if total == 0.0:
        return ErrorShare(math.nan, math.nan, 1.0)
    return ErrorShare(
        share=float(own[:, 0].sum()) / total,
        expected=float((own.sum(axis=1) * split[:, 0]).sum()) / total,
        p_value=share_p(own, split, concentration) if factor is None else _ratio_p(own, split, factor),
    )


def sample_ratio_chi_square_p(counts: ArrayLike, shares: ArrayLike) -> float:
    """Pearson's chi-square P-value of the split, for one look at the end (below 0.0005 is the usual alarm).

    Arguments as of `log_bayes_factor`; expected counts are added up over phases. Rough where one is below 5. 1 without
    counts.
    """
    x, theta = _checked(counts, shares)
    found, expected = x.sum(axis=0), (x.sum(axis=1, keepdims=True) * theta).sum(axis=0)
    if np.any((expected == 0.0) & (found > 0.0)):
        return 0.0
    kept = expected > 0.0
    if kept.sum() < 2:
        return 1.0
    from scipy.special import chdtrc  # not needed to import the room

    return float(chdtrc(int(kept.sum()) - 1, float(np.sum((found - expected)[kept] ** 2 / expected[kept]))))


def _ratio_p(own: Floats, split: Floats, factor: float) -> float:
    """min(1, 1/likelihood ratio): of a variant with `factor` times the errors against one like the others."""
    share = split[:, 0]
    more = 1.0 + share * (factor - 1.0)  # all errors together, in those of a variant like the others
    return math.exp(min(0.0, float(own.sum(axis=1) @ np.log(more)) - float(own[:, 0].sum()) * math.log(factor)))


def _checked(counts: ArrayLike, shares: ArrayLike) -> tuple[Floats, Floats]:
    x, theta = (np.atleast_2d(np.asarray(values, dtype=np.float64)) for values in (counts, shares))
    if x.shape != theta.shape or x.ndim != 2 or x.shape[1] < 2:
        raise InvalidInput(
            f"counts of shape {x.shape} and shares of shape {theta.shape}",
            expected="one share for each count, 2 or more",
        )
    if not (np.isfinite(x).all() and np.isfinite(theta).all() and (x >= 0).all() and (theta >= 0).all()):
        raise InvalidInput("a count or a share is negative or not finite", expected="0 or more")
    totals = theta.sum(axis=1, keepdims=True)
    if not (totals > 0).all():
        raise InvalidInput("the shares of a phase are all 0", expected="a share above 0 in each phase")
    return x, theta / totals


def _log_beta(values: Floats) -> float:
    """ln of the multivariate beta function."""
    return math.fsum(math.lgamma(value) for value in values.tolist()) - math.lgamma(math.fsum(values.tolist()))
