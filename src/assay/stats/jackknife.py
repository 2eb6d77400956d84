"""Delete-a-bucket jackknife: a standard error for any mergeable number."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Jackknife", "jackknife"]


@dataclass(frozen=True, slots=True)
class Jackknife:
    """A standard error and its degrees of freedom (buckets − 1); NaN where it cannot be had."""

    standard_error: float
    df: int

    @property
    def buckets(self) -> int:
        """Buckets that took part."""
        return self.df + 1


def jackknife(value: float, without: NDArray[np.float64], occupied: NDArray[np.bool_]) -> Jackknife:
    """The jackknife of a `value` whose value without bucket g is `without`[g]; unoccupied buckets are left out.

    Pseudo-values Gθ − (G − 1)θ₋g, s.e. = sd/√G, reference t with G − 1 degrees of freedom (validation.md,
    section 6). Buckets are independent if units are, however rows of one unit hang together. The s.e. is NaN
    for fewer than 2 occupied buckets or where a value without one of them is undefined.
    """
    rest = without[occupied]
    count = len(rest)
    if count < 2 or not (math.isfinite(value) and np.isfinite(rest).all()):
        return Jackknife(math.nan, count - 1)
    pseudo = count * value - (count - 1) * rest
    if (rest == rest[0]).all():
        return Jackknife(0.0, count - 1)  # without the rounding of sd
    return Jackknife(float(pseudo.std(ddof=1)) / math.sqrt(count), count - 1)
