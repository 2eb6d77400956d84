"""Which rows are versions of one event, and until when each of them counts. A correction replaces what it corrects."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.view import FeatureView
from assay.build.views.matching.wanted import KeyCodes

__all__ = ["counts_until", "events", "is_timed"]


def is_timed(view: FeatureView) -> bool:
    """Whether the rows of one key and time are the versions of one event, so that all of them are as old."""
    return not view.event or view.event == (view.time,)


def events(view: FeatureView, values: pa.Table, ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number for each row's event, the same for its versions and for no other rows of the key.

    Where an event column is null the row is an event of its own: nobody knows which other row it could correct.
    """
    if is_timed(view):
        return ts
    codes = KeyCodes(values.select(list(view.event))).codes
    return np.where(codes >= 0, codes, -1 - np.arange(len(codes)))


def counts_until(
    code: NDArray[np.int64],
    event: NDArray[np.int64],
    created: NDArray[np.int64],
    arrival: NDArray[np.int64],
    start: NDArray[np.int64],
    end: int,
) -> NDArray[np.int64] | None:
    """For each row the place from which on a greater version of its event is seen; `end` where none is.

    `start` is the place from which on each row is seen, before `end`. Versions are greater by (created, arrival). None
    where no two rows are of one event, which costs one sort of whole numbers to know.
    """
    mark = _mixed(code, event)
    ordered = np.sort(mark)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not len(twice):
        return None
    place = np.minimum(np.searchsorted(twice, mark), len(twice) - 1)
    some = np.flatnonzero(twice[place] == mark)
    some = some[np.lexsort((arrival[some], created[some], event[some], code[some]))]
    is_same = (code[some][1:] == code[some][:-1]) & (event[some][1:] == event[some][:-1])
    # Counted down from the end, the least start of all later versions; events further on only have greater numbers.
    group = np.append(0, np.cumsum(~is_same)) * (end + 1)
    soonest = np.minimum.accumulate((start[some] + group)[::-1])[::-1]
    found = np.full(len(code), end)
    found[some[:-1][is_same]] = (soonest[1:] - group[1:])[is_same]
    return found


def _mixed(code: NDArray[np.int64], event: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One number of both, seldom the same for different ones (splitmix64)."""
    mixed = code.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + event.astype(np.uint64)
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    return mixed
