"""The greatest number among intervals of places, for each place."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["greatest"]


def greatest(
    start: NDArray[np.int64], end: NDArray[np.int64], numbers: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """[size] the greatest of the numbers, all above 0, whose [start, end) covers the place; 0 where none does.

    An interval is two of the length of a power of two, which may overlap; lines of such intervals are halved from the
    longest down. Cost: numbers + size · log2(longest interval).
    """
    level = np.frexp((end - start).astype(np.float64))[1].astype(np.int64) - 1
    line = np.zeros(size, np.int64)
    for one in range(int(level.max(initial=0)), -1, -1):
        half = 1 << one
        if half < size:  # of a line twice as long: its second half
            line[half:] = np.maximum(line[half:], line[:-half])
        own = np.flatnonzero(level == one)
        np.maximum.at(line, start[own], numbers[own])
        np.maximum.at(line, end[own] - half, numbers[own])
    return line
