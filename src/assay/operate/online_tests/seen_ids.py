"""Which of many texts were seen, and when, in 16 bytes each: one that was is always found, another hardly ever."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["SeenIds"]

Whole = NDArray[np.int64]


class SeenIds:
    """Hashes of texts with a number each, sorted, in a few arrays of which each is less than half of the one before."""

    def __init__(self) -> None:
        self._arrays: list[tuple[Whole, Whole]] = []

    def add(self, texts: Collection[str], numbers: Whole) -> None:
        """Take texts in; of what is there already, so much is sorted anew as came since it was sorted last."""
        if not texts:
            return
        self._arrays.append(_sorted(_hashed(texts), numbers))
        while len(self._arrays) > 1 and 2 * len(self._arrays[-1][0]) >= len(self._arrays[-2][0]):
            last, before = self._arrays.pop(), self._arrays.pop()
            hashes, both = (np.concatenate([before[place], last[place]]) for place in (0, 1))
            self._arrays.append(_sorted(hashes, both))

    def any_from(self, texts: Collection[str], least: Sequence[int]) -> bool:
        """Whether one of these texts was seen with a number that is not less than its own of `least`."""
        wanted, numbers = _hashed(texts), np.asarray(least, dtype=np.int64)
        for hashes, seen in self._arrays:
            places = np.searchsorted(hashes, wanted, side="right") - 1  # the largest number of a text stands last
            found = (places >= 0) & (hashes[places] == wanted)
            if (seen[places[found]] >= numbers[found]).any():
                return True
        return False


def _sorted(hashes: Whole, numbers: Whole) -> tuple[Whole, Whole]:
    order = np.lexsort([numbers, hashes])
    return hashes[order], numbers[order]


def _hashed(texts: Collection[str]) -> Whole:
    return np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
