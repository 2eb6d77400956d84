"""Label rows in order of key and time, and where in that order a moment falls.

A row of a view that counts from one moment to another counts for the label rows of its key from one place to another.
There are few label rows and many rows of views: a place is found by a table of where to begin, which is some ten times
faster than a search through all places.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["Places", "later"]

_MOST = int(np.iinfo(np.int64).max)
_FITS = 2**62
_PART = 2**16  # asked at once, so that they stay in the processor's cache


class Places:
    """The order of label rows, all with a key (its code from 0 to `keys` - 1) and a time.

    `order` says which label row stands in a place; `code` and `t` are by place, `stop` by key: the place behind its
    last one.
    """

    def __init__(self, codes: NDArray[np.int64], t: NDArray[np.int64], keys: int) -> None:
        self.order = np.lexsort((t, codes))
        self.code, self.t = codes[self.order], t[self.order]
        self.stop = np.searchsorted(self.code, np.arange(keys), "right")
        if not len(t):
            return
        self._least, self._past = int(self.t.min()), int(self.t.max()) + 1
        self._times: _Numbers | None = None
        self._steps = self._past - self._least + 1
        numbers = self.t - self._least if self._steps < _FITS else self.t
        if self._steps * keys >= _FITS:  # key and time are one number only where times are counted
            own = np.unique(numbers)
            self._times, self._steps = _Numbers(own, self._steps), len(own) + 1
            numbers = np.searchsorted(own, numbers)
        self._numbers = _Numbers(self.code * self._steps + numbers, self._steps * keys)

    def __len__(self) -> int:
        return len(self.order)

    def cuts(self, parts: int) -> NDArray[np.int64]:
        """Places that cut the order into about as many parts, with no key in two of them; with both ends."""
        even = np.searchsorted(self.stop, np.linspace(0, len(self), parts + 1)[1:-1])
        return np.unique(np.concatenate(([0], self.stop[even] if len(self) else [], [len(self)]))).astype(np.int64)

    def first(self, codes: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the first label row of the key at or after the moment, else the place behind the key's last."""
        if not len(self):
            return np.zeros(len(codes), np.int64)
        parts = [slice(start, start + _PART) for start in range(0, len(codes), _PART)]
        return np.concatenate([np.empty(0, np.int64), *(self._first(codes[part], moments[part]) for part in parts)])

    def _first(self, codes: NDArray[np.int64], moments: NDArray[np.int64]) -> NDArray[np.int64]:
        steps = np.clip(moments, self._least, min(self._past, _MOST))
        if self._past - self._least + 1 < _FITS:
            steps -= self._least
        if self._times is not None:
            steps = self._times.below(steps)
        return self._numbers.below(codes * self._steps + steps)


def later(moments: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    """Moments moved on, as far as 64 bits go."""
    return moments if not by else np.minimum(moments, _MOST - by) + by


class _Numbers:
    """Sorted numbers in [0, size), where `size` is less than 2**62, or any sorted numbers."""

    def __init__(self, numbers: NDArray[np.int64], size: int) -> None:
        self._numbers = numbers
        self._shift = max(0, size.bit_length() - (4 * len(numbers)).bit_length())
        self._has_table = size < _FITS
        self._begin: NDArray[np.int64] | None = None

    def below(self, asked: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of the numbers are less than each number asked for."""
        if not self._has_table or (self._begin is None and 4 * len(asked) < len(self._numbers)):
            return np.asarray(np.searchsorted(self._numbers, asked), np.int64)
        if self._begin is None:
            so_far = np.cumsum(np.bincount(self._numbers >> self._shift))
            self._begin = np.concatenate(([0], so_far, so_far[-1:]))
        part = np.minimum(asked >> self._shift, len(self._begin) - 2)
        found, most = self._begin[part], self._begin[part + 1]
        unsure = np.flatnonzero(found < most)
        asked, low, high = asked[unsure], found[unsure], most[unsure]
        while len(unsure):
            middle = (low + high) >> 1
            is_below = self._numbers[middle] < asked
            low, high = np.where(is_below, middle + 1, low), np.where(is_below, high, middle)
            found[unsure] = low
            still = np.flatnonzero(low < high)
            unsure, asked, low, high = unsure[still], asked[still], low[still], high[still]
        return np.asarray(found, np.int64)
