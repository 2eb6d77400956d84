"""Values that only a later row of their key has: what a join to the nearest or the next row leaves behind."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.views.audits.audit_cells import Recomputed, comparable
from assay.build.views.declared.history import TS, without_nan
from assay.build.views.matching.wanted import KeyCodes, whole

__all__ = ["only_later"]

_NEVER = int(np.iinfo(np.int64).max)


def only_later(cells: pa.ChunkedArray, found: Recomputed, feature: str, called: str) -> NDArray[np.bool_]:
    """[rows] whether a row of the key has the value that the cell has, and the first that has it is not yet visible.

    Cells without a value, and rows without a key or a time, have none. The history is looked at once, in batches.
    """
    asked, view, rows = found.asked, found.view, found.rows
    codes = KeyCodes(asked.keys)
    cells = without_nan(cells)
    values = pc.unique(cells.drop_null())
    own = whole(pc.index_in(cells, values).cast(pa.int64()), -1)
    is_asked = asked.known & (own >= 0)
    pairs = codes.codes * len(values) + own
    there = np.unique(pairs[is_asked])
    first = np.full(len(there), _NEVER)
    for batch in rows.batches(None) if len(there) else ():
        other = codes.of(batch, view.name)
        has = np.flatnonzero((other >= 0) & batch.column(feature).is_valid().to_numpy())
        if not len(has):
            continue
        mine, theirs = comparable(pa.chunked_array([values]), batch.column(feature).take(pa.array(has)), called)
        same = whole(pc.index_in(theirs, mine.combine_chunks()).cast(pa.int64()), -1)
        pair = other[has] * len(values) + same
        slots = np.minimum(np.searchsorted(there, pair), len(there) - 1)
        equal = (same >= 0) & (there[slots] == pair)
        np.minimum.at(first, slots[equal], whole(batch.column(TS))[has][equal])
    place = np.minimum(np.searchsorted(there, pairs), max(len(there) - 1, 0))
    result = np.zeros(len(asked.t), bool)
    begins = first[place[is_asked]]
    seen = np.minimum(begins, _NEVER - view.delay_us) + view.delay_us
    t = asked.t[is_asked]
    result[is_asked] = (begins != _NEVER) & ((seen >= t) if view.strict else (seen > t))
    return result
