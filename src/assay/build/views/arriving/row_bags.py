"""Two collections of rows compared by their hashes, equal ones counted; on disk, so that memory stays bounded."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.build.views.log.row_hashes import HASH

__all__ = ["RowBags"]

_BAGS = 64
_BITS = 6  # of a hash say in which bag a row is
_ROW = np.dtype([("hash", HASH), ("place", "<i8")])


class RowBags:
    """Rows that are known and rows that are seen, by hash into bags that are compared one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self, hashes: NDArray[np.void], arrivals: NDArray[np.int64]) -> None:
        """Take in rows that are known, with their arrival numbers."""
        self._add("known", hashes, arrivals)

    def seen(self, hashes: NDArray[np.void], places: NDArray[np.int64]) -> None:
        """Take in rows of the source, with their places in it."""
        self._add("seen", hashes, places)

    def compared(self, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """[rows] of the source, which are new; and the arrival numbers of those that have gone, in order.

        Of equal rows the first ones agree with each other: what is new or has gone are the last.
        """
        is_new = np.zeros(rows, np.bool_)
        gone = [np.empty(0, np.int64)]
        for bag in range(_BAGS):
            known, seen = self._read("known", bag), self._read("seen", bag)
            both = np.concatenate([known["hash"], seen["hash"]])
            group = np.cumsum(_begins(both, order := np.lexsort((both["low"], both["high"])))) - 1
            groups = np.empty(len(both), np.int64)
            groups[order] = group
            ours, theirs = groups[: len(known)], groups[len(known) :]
            count = int(group[-1]) + 1 if len(group) else 0
            many_known, many_seen = np.bincount(ours, minlength=count), np.bincount(theirs, minlength=count)
            is_new[seen["place"][_nth(theirs, seen["place"]) >= many_known[theirs]]] = True
            gone.append(known["place"][_nth(ours, known["place"]) >= many_seen[ours]])
        return is_new, np.sort(np.concatenate(gone))

    def _add(self, side: str, hashes: NDArray[np.void], places: NDArray[np.int64]) -> None:
        rows = np.empty(len(hashes), _ROW)
        rows["hash"], rows["place"] = hashes, places
        bags = (hashes["high"] >> np.uint64(64 - _BITS)).astype(np.int64)
        order = np.argsort(bags, kind="stable")
        ends = np.cumsum(np.bincount(bags, minlength=_BAGS))
        first = 0
        for bag, end in enumerate(ends):
            if end > first:
                with (self._folder / f"{side}-{bag}").open("ab") as file:
                    file.write(rows[order[first:end]].tobytes())
            first = end

    def _read(self, side: str, bag: int) -> NDArray[np.void]:
        path = self._folder / f"{side}-{bag}"
        return np.fromfile(path, _ROW) if path.exists() else np.empty(0, _ROW)


def _begins(hashes: NDArray[np.void], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where in the order another hash begins."""
    if not len(order):
        return np.empty(0, np.bool_)
    high, low = hashes["high"][order], hashes["low"][order]
    return np.append(True, (high[1:] != high[:-1]) | (low[1:] != low[:-1]))


def _nth(groups: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the same group have a smaller place."""
    order = np.lexsort((places, groups))
    sorted_groups = groups[order]
    begins = np.searchsorted(sorted_groups, sorted_groups)
    found = np.empty(len(groups), np.int64)
    found[order] = np.arange(len(groups)) - begins
    return found
