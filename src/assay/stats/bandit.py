"""Shares of the traffic that follow the evidence.

What may be concluded from data that were collected so `effects.difference` says, phase by phase: within a phase shares
are constant, and to weigh each unit by the inverse of its propensity is to weigh the phase by its units.

No random numbers: the chances that a variant is the best or the second best are integrals, and the same evidence gives
the same shares.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats import normal

__all__ = ["best_chances", "shares"]

Floats = NDArray[np.float64]

_NODES = 24
_REACH = (-8.5, -6.0, -4.0, -2.5, -1.0, 0.0, 1.0, 2.5, 4.0, 6.0, 8.5)  # standard deviations at which panels meet


def best_chances(
    means: Sequence[float], errors: Sequence[float], *, larger_is_better: bool = True
) -> tuple[list[float], list[float]]:
    """The chances of each variant to be the best, and to be the second best.

    Each true level is taken as normal around `means` with the standard `errors`, independently. Exact to about 1e-9.
    InvalidInput for fewer than 2 variants or an error that is not above 0.
    """
    count = len(means)
    if count < 2 or len(errors) != count:
        raise InvalidInput(f"{count} means and {len(errors)} errors", expected="2 variants or more, as many of each")
    if not all(math.isfinite(mean) and 0.0 < error < math.inf for mean, error in zip(means, errors, strict=True)):
        raise InvalidInput("a mean or an error is not known", expected="finite means, errors above 0")
    centre = np.array(means) * (1.0 if larger_is_better else -1.0)
    spread = np.array(errors, dtype=np.float64)
    edges = np.unique((centre[:, None] + spread[:, None] * np.array(_REACH)).ravel())
    x, weights = _nodes(edges)
    z = (x - centre[:, None]) / spread[:, None]
    density = np.exp(-0.5 * z * z) / (spread[:, None] * math.sqrt(2.0 * math.pi)) * weights
    above = normal.upper_tails(z)
    below = normal.upper_tails(-z)
    first, second = [], []
    for own in range(count):
        others = [place for place in range(count) if place != own]
        first.append(float(density[own] @ np.prod(below[others], axis=0)))
        one_above = [
            above[other] * np.prod(below[[place for place in others if place != other]], axis=0) for other in others
        ]
        second.append(float(density[own] @ np.sum(one_above, axis=0)))
    return _normed(first), _normed(second)


def shares(
    means: Sequence[float],
    errors: Sequence[float],
    *,
    floor: float = 0.05,
    larger_is_better: bool = True,
    top_two: bool | None = None,
) -> list[float]:
    """Shares of the traffic for the next phase: floor + (1 − variants·floor)·w.

    w of plain Thompson sampling is the chance to be the best. Of `top_two` (Russo 2020) half of it goes to the best and
    half to the second best, which tells the best apart sooner; that is the default from three variants on, while the
    top two of two would always be half and half. The `floor` keeps every variant measurable: log the share as the
    propensity of each prediction. InvalidInput unless 0 <= floor <= 1/variants.
    """
    first, second = best_chances(means, errors, larger_is_better=larger_is_better)
    count = len(first)
    if not 0.0 <= floor <= 1.0 / count:
        raise InvalidInput(f"a floor of {floor!r} for {count} variants", expected=f"0 to {1.0 / count:.3g}")
    both = count > 2 if top_two is None else top_two
    weights = [(a + b) / 2.0 for a, b in zip(first, second, strict=True)] if both else first
    return [floor + (1.0 - count * floor) * weight for weight in weights]


def _nodes(edges: Floats) -> tuple[Floats, Floats]:
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges) / 2.0
    return ((edges[:-1] + half)[:, None] + half[:, None] * x).ravel(), (half[:, None] * weights).ravel()


def _normed(chances: list[float]) -> list[float]:
    total = math.fsum(chances)
    return [chance / total for chance in chances]
