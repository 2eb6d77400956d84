"""Numbers that are known only from the least to the most: drawn at random, the same draws for all that they touch.

Between the least and the most the PERT distribution: a beta with mean (least + 4 likeliest + most)/6 (Malcolm,
Roseboom, Clark & Fazar 1959; shape parameters 1 + 4(likeliest − least)/(most − least) and its mirror image). What a
person gives as one number has no spread. Different numbers are drawn independently of each other.
"""

import zlib

import numpy as np
from numpy.typing import NDArray

from assay.record.objective_terms import Span, span_of

__all__ = ["CONFIDENCE", "DRAWS", "Ranges", "interval_of", "mean_of"]

Floats = NDArray[np.float64]

DRAWS = 10_000
CONFIDENCE = 0.95


def mean_of(span: Span) -> float:
    """The mean of what it may be."""
    least, likely, most = span_of(span)
    return (least + 4.0 * likely + most) / 6.0


class Ranges:
    """Draws of numbers by name: the same name and seed give the same draws, whatever else is drawn."""

    def __init__(self, seed: int, draws: int = DRAWS) -> None:
        self.seed, self.draws = seed, draws
        self._drawn: dict[tuple[str, Span], Floats] = {}

    def of(self, name: str, span: Span) -> Floats:
        """[draws] of a number."""
        if (name, span) not in self._drawn:
            self._drawn[name, span] = self._draw(name, span)
        return self._drawn[name, span]

    def chance(self, name: str) -> Floats:
        """[draws] of a standard normal."""
        return self._generator(name).standard_normal(self.draws)

    def _draw(self, name: str, span: Span) -> Floats:
        least, likely, most = span_of(span)
        if least == most:
            return np.full(self.draws, least)
        rise = 4.0 * (likely - least) / (most - least)
        return least + (most - least) * self._generator(name).beta(1.0 + rise, 5.0 - rise, self.draws)

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def interval_of(draws: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The ends between which the middle share of draws lies."""
    low, high = np.quantile(draws, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)
