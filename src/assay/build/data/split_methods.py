"""The ways to split: a part's number for each row, or -1 where it is in none."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.data.split_hashes import codes_of, joined, numbers_of
from assay.build.data.split_times import Moment, Moments, Span
from assay.errors import InvalidInput

__all__ = ["LEFT_OUT", "grouped", "random", "ranks_within", "stratified", "timed"]

LEFT_OUT = -1

Codes = NDArray[np.int64]


def random(table: pa.Table, shares: Mapping[str, float], key: Sequence[str], seed: int) -> Codes:
    """Each row by the hash of its key, or of its place."""
    return _by_share(numbers_of(table, key, "split", seed), shares)


def stratified(
    table: pa.Table, shares: Mapping[str, float], key: Sequence[str], strata: Sequence[str], seed: int
) -> Codes:
    """As many rows of each stratum as its share says, within one: rows of a stratum in the order of their hashes."""
    ranks, sizes = ranks_within(table, strata, numbers_of(table, key, "split", seed), seed)
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for place, bound in _bounds(shares):
        codes[ranks <= bound * sizes] = place
    return codes


def ranks_within(
    table: pa.Table, strata: Sequence[str], numbers: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """[rows] the rank of each row's number in its stratum, 1 and on, less a start in [0, 1); and the stratum's rows.

    The start is drawn for the stratum: shares are then right on average in strata of a few rows, where rounding would
    always go one way. Rows of one number share a rank.
    """
    codes, values = codes_of(table, strata)
    order = np.lexsort((numbers, codes))
    codes_, numbers_ = codes[order], numbers[order]
    places = np.arange(len(order))
    tied = np.zeros(len(order), dtype=bool)
    tied[1:] = (np.diff(numbers_) == 0) & (np.diff(codes_) == 0)
    sizes = np.bincount(codes, minlength=values.num_rows)
    before = np.cumsum(sizes) - sizes
    starts = numbers_of(values, values.column_names, "stratum", seed)
    ranks = np.empty(len(order))
    ranks[order] = np.maximum.accumulate(np.where(tied, 0, places)) - before[codes_] + 1 - starts[codes_]
    return ranks, sizes[codes]


def grouped(table: pa.Table, shares: Mapping[str, float], group: Sequence[str], seed: int) -> Codes:
    """All rows of a group by the hash of its name. InvalidInput for fewer groups than parts."""
    texts = joined(table, group)
    distinct = len(texts.unique())
    if distinct < len(shares):
        raise InvalidInput(
            f"{' + '.join(group)} has {distinct} {'groups' if distinct != 1 else 'group'}",
            expected=f"at least {len(shares)}, one for each part",
        )
    return _by_share(numbers_of(table, group, "split", seed), shares)


def timed(moments: Moments, shares: Mapping[str, float], cuts: Sequence[Moment], gap: Span | None) -> Codes:
    """Earlier parts before later ones; rows without a time, or in the gap before a later part, are left out."""
    if cuts:
        bounds = [moments.at(cut) for cut in cuts]
        if len(bounds) != len(shares) - 1 or any(later <= earlier for earlier, later in pairwise(bounds)):
            raise InvalidInput(
                f"cuts are {[str(cut) for cut in cuts]}",
                expected=f"{len(shares) - 1} ascending moments between the parts",
            )
    else:
        bounds = moments.cuts(np.cumsum(list(shares.values()))[:-1].tolist())
    codes = np.searchsorted(bounds, moments.values, side="right").astype(np.int64)
    if gap is not None:
        length = moments.span(gap, "the gap")
        for bound in bounds:
            codes[(moments.values < bound) & (moments.values >= bound - length)] = LEFT_OUT
    codes[~moments.known] = LEFT_OUT
    return codes


def _by_share(numbers: NDArray[np.float64], shares: Mapping[str, float]) -> Codes:
    codes = np.zeros(len(numbers), dtype=np.int64)
    for place, bound in _bounds(shares):
        codes[numbers < bound] = place
    return codes


def _bounds(shares: Mapping[str, float]) -> list[tuple[int, float]]:
    """Each part's number and where it ends, the largest first.

    The last part begins at 0: a test set stays the same when others are cut out of what is left.
    """
    total, found = 0.0, []
    for place, share in reversed(list(enumerate(shares.values()))):
        total += share
        found.append((place, total))
    return list(reversed(found))[1:]
