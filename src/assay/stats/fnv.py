"""FNV-1a of many texts at once, without a loop over them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["fnv1a32", "fnv1a32_of_digits"]

Words = NDArray[np.uint32]

_START, _PRIME = np.uint32(0x811C9DC5), np.uint32(0x01000193)


def fnv1a32(texts: "pa.StringArray | pa.LargeStringArray", prefix: str = "", suffix: str = "") -> Words:
    """[n] the hashes of prefix + text + suffix over code points (Fowler, Noll and Vo), as GrowthBook's clients do.

    NumPy works on the first code points of all texts together, then on the second ones. `texts` without nulls.
    """
    import pyarrow.compute as pc

    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    starts = np.cumsum(lengths) - lengths
    order = np.argsort(-lengths, kind="stable")  # so that the texts that go on are the first ones
    longest_first, starts = lengths[order], starts[order]
    state = np.full(len(lengths), _START, dtype=np.uint32)
    state = _followed_by(state, prefix)
    for place in range(int(longest_first[0]) if len(lengths) else 0):
        going_on = int(np.searchsorted(-longest_first, -place, side="left"))
        state[:going_on] = (state[:going_on] ^ points[starts[:going_on] + place]) * _PRIME
    hashes = np.empty_like(state)
    hashes[order] = _followed_by(state, suffix)
    return hashes


def fnv1a32_of_digits(values: Words) -> Words:
    """[n] the hashes of the numbers written in decimal."""
    state = np.full(len(values), _START, dtype=np.uint32)
    for place in range(9, -1, -1):
        power = np.uint32(10**place)
        digits = values // power % np.uint32(10) + np.uint32(ord("0"))
        is_written = (values >= power) if place else np.ones(len(values), dtype=bool)
        state = np.where(is_written, (state ^ digits) * _PRIME, state)
    return state


def _followed_by(state: Words, text: str) -> Words:
    for character in text:
        state = (state ^ np.uint32(ord(character))) * _PRIME
    return state
