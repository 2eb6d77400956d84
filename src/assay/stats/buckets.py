"""Units hashed into buckets, the groups of the jackknife."""

from collections.abc import Sequence

import mmh3
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.categories import Strings, not_text

__all__ = ["bucket_of"]


def bucket_of(units: Strings, buckets: int = 50, seed: int = 0) -> NDArray[np.int64]:
    """The bucket, 0 to `buckets` − 1, of each unit: murmur3_x86_32("{seed}:{unit}") · buckets >> 32.

    Whole-number arithmetic (as flagd's fractional evaluation, version 2), so it is the same on every machine,
    in every shard and order. Rows of one unit share a bucket, which is what makes the jackknife respect
    clusters. InvalidInput for units that are not strings or fewer than 1 bucket.
    """
    if not 1 <= buckets < 2**31:
        raise InvalidInput(f"{buckets!r} buckets", expected="1 to 2147483647, by default 50")
    rows: Sequence[str] = units.tolist() if isinstance(units, np.ndarray) else units
    prefix = f"{seed}:"
    # Hashing every row takes a third of the time of finding the distinct units first.
    # Encoded here, because mmh3 5.3 crashes the interpreter on a string with a lone surrogate.
    hashed = (mmh3.hash((prefix + unit).encode(), 0, False) for unit in rows)
    try:
        hashes = np.fromiter(hashed, np.uint64, len(rows))
    except (TypeError, UnicodeEncodeError):
        raise not_text(rows, "units") from None
    return (hashes * np.uint64(buckets) >> np.uint64(32)).astype(np.int64)
