"""Delete-a-bucket jackknife: a standard error for any mergeable number, of many segments at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.stats.grouping import Integers

__all__ = ["MINIMUM_BUCKETS", "Jackknife", "jackknife", "sum_of_segments"]

MINIMUM_BUCKETS = 10  # occupied, below which rows that hang together carry no interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Jackknife:
    """[segments] standard errors, NaN where they cannot be had, and the `buckets` that took part."""

    standard_error: Floats
    buckets: Floats

    @property
    def df(self) -> Floats:
        """Degrees of freedom: buckets − 1."""
        return self.buckets - 1.0


def jackknife(value: Floats, without: Floats, occupied: NDArray[np.bool_], starts: Integers) -> Jackknife:
    """The jackknife of values [segments] from their values without a bucket ([rows], one for each bucket).

    The rows of segment s begin at starts[s]; rows of buckets that are not `occupied` do not count. Pseudo-values
    Gθ − (G − 1)θ₋g, s.e. = sd/√G, reference t with G − 1 degrees of freedom (validation.md, section 6). Buckets are
    independent if units are, however rows of one unit hang together. The s.e. is NaN for fewer than 2 occupied
    buckets or where a value without one of them is undefined.
    """
    if not len(starts):
        return Jackknife(np.zeros(0), np.zeros(0))
    lengths = np.diff(np.append(starts, len(without)))
    count = sum_of_segments(occupied.astype(np.float64), starts)
    counts, values = np.repeat(count, lengths), np.repeat(value, lengths)
    with np.errstate(invalid="ignore", divide="ignore"):
        pseudo = np.where(occupied, counts * values - (counts - 1.0) * without, 0.0)
        mean = sum_of_segments(pseudo, starts) / count
        deviations = np.where(occupied, pseudo - np.repeat(mean, lengths), 0.0)
        error = np.sqrt(sum_of_segments(deviations**2, starts) / (count - 1.0)) / np.sqrt(count)
    smallest = np.minimum.reduceat(np.where(occupied, without, np.inf), starts)
    largest = np.maximum.reduceat(np.where(occupied, without, -np.inf), starts)
    error = np.where(smallest == largest, 0.0, error)  # without the rounding of sd
    return Jackknife(np.where((count >= 2) & np.isfinite(value), error, np.nan), count)


def sum_of_segments(values: Floats, starts: Integers) -> Floats:
    """[segments] sums of consecutive rows; each in the same way whatever the other segments are."""
    total: Floats = np.add.reduceat(values, starts) if len(starts) else np.zeros(0)
    return total
