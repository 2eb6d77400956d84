"""Poisson weights that are a function of what they weigh: no state of a generator, the same wherever they are drawn.

The bootstrap of rows gives each row a weight from a Poisson distribution of mean 1; the sum over `count` rows is
Poisson of mean `count`. Weights are the inverse of the distribution at a hash of (seed, what is weighed, replicate), so
they depend on neither the order of rows, nor the shards, nor the engine, and rows of one unit share them. A random
generator of NumPy would promise none of that, and its Poisson draws may change with its version.
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.buckets import mixed_bits
from assay.stats.grouping import Integers

__all__ = ["poisson_weights", "unit_weights"]

_LEVELS = 2**16  # of the uniform numbers: the tail that is cut off holds less than 1e-5
_TABULATED = 32  # means up to which the inverse is a table
_GAMMA = 0x9E3779B97F4A7C15


def unit_weights(units: NDArray[np.uint64], replicates: int, seed: int = 0) -> NDArray[np.uint8]:
    """[replicates, n] bootstrap weights of rows, Poisson of mean 1, from a 64-bit hash of each row's unit.

    `units` [n] as of `row_identities` or `text_hashes`. A unit has the same weights in every shard, order, segment and
    model, which keeps pairs paired and clusters together: weighted sums over shards add up to those of the whole
    (Hanley and MacGibbon 2006; Chamandy et al. 2012). Rows whose `row_identities` are equal count as one unit.
    InvalidInput for fewer than 1 replicate.
    """
    weights: NDArray[np.uint8] = _table()[1][_levels(units, replicates, seed)]
    return weights


def poisson_weights(
    counts: Integers, keys: NDArray[np.uint64], replicates: int, seed: int = 0, *, first: int = 0
) -> Integers:
    """[replicates, n] Poisson numbers of mean `counts` [n] (0 or more), each from a hash of (seed, key, replicate).

    By the inverse of the distribution at one of 65,536 levels: from a table up to a mean of 32, above by the quantile
    of the normal distribution with a term for the skewness (Cornish and Fisher 1937), rounded. Mean and variance are
    right to 0.02 %. Replicates are numbered from `first` on, a multiple of 4, so that many may be drawn piece by piece.
    InvalidInput for fewer than 1 replicate and another `first`.
    """
    level = _levels(keys, replicates, seed, first)
    drawn = _table().reshape(-1)[np.minimum(counts, _TABULATED) * _LEVELS + level].astype(np.int64)
    large = np.flatnonzero(counts > _TABULATED)
    if len(large):
        part, mean = level[:, large], counts[large].astype(np.float64)
        z, skew = _normal()
        # Rounding to whole numbers adds a variance of 1/12, the skewness one of 1/18.
        drawn[:, large] = np.rint(mean + np.sqrt(mean - 5.0 / 36.0) * z[part] + skew[part]).astype(np.int64)
    return drawn


def _levels(keys: NDArray[np.uint64], replicates: int, seed: int, first: int = 0) -> NDArray[np.uint16]:
    """[replicates, n] uniform whole numbers below 65,536: four from each number of the key's stream of splitmix64."""
    if replicates < 1:
        raise InvalidInput(f"{replicates!r} replicates", expected="1 or more, by default 200")
    if first < 0 or first % 4:
        raise InvalidInput(f"replicates from number {first!r} on", expected="a multiple of 4")
    start = mixed_bits(keys ^ np.uint64((seed + 1) * _GAMMA & 2**64 - 1))
    words = -(-replicates // 4)
    steps = np.arange(first // 4, first // 4 + words, dtype=np.uint64) * np.uint64(_GAMMA)
    numbers = mixed_bits(start[None, :] + steps[:, None]).astype("<u8", copy=False)
    quarters = numbers.view("<u2").reshape(words, len(keys), 4).transpose(0, 2, 1)
    return quarters.reshape(4 * words, len(keys))[:replicates].astype(np.uint16, copy=False)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    """[33, 65,536] the inverse of the Poisson distribution of each mean at the middle of each level."""
    middle = (np.arange(_LEVELS) + 0.5) / _LEVELS
    table = np.zeros((_TABULATED + 1, _LEVELS), dtype=np.uint8)
    for mean in range(1, _TABULATED + 1):
        chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(4 * mean + 20)]
        table[mean] = np.searchsorted(np.cumsum(chances), middle)
    return table


@lru_cache(maxsize=1)
def _normal() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[65,536] normal quantiles at the middle of each level, and what the skewness of a Poisson distribution adds."""
    inverse = NormalDist().inv_cdf
    upper = np.array([inverse((level + 0.5) / _LEVELS) for level in range(_LEVELS // 2, _LEVELS)])
    z = np.concatenate([-upper[::-1], upper])
    return z, (z * z - 1.0) / 6.0
