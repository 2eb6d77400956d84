"""Rankings: how well each query's items are ordered, one number a query."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput
from assay.stats.arrays import floats_of, refuse
from assay.stats.grouping import Integers

__all__ = ["query_values"]

Floats = NDArray[np.float64]


def query_values(
    query: Integers, relevance: ArrayLike, scores: Mapping[str, ArrayLike], top: int | None = None
) -> dict[str, dict[str, Floats]]:
    """[queries] by quantity ("ndcg", "mrr", "map") and model; queries are numbered from 0 to the largest.

    `relevance` is a gain of 0 or more; what is above 0 is relevant. Items are ordered by descending score; those of
    equal score share their places: in NDCG their gain is averaged over them, for the reciprocal rank and the average
    precision each stands on the last of them, so that a model gains nothing by ties (as in scikit-learn's `ndcg_score`
    and `average_precision_score`). `top` counts only the first places of NDCG.
    NDCG = Σ gain/log2(place + 1) over that of the best order (Järvelin and Kekäläinen 2002). NaN for a query without a
    relevant item: nothing is right or wrong about its order. InvalidInput for negative or infinite gains, scores that
    are not finite, and a `top` below 1.
    """
    n = len(query)
    gain = floats_of(relevance, "relevance", n)
    refuse(~(np.isfinite(gain) & (gain >= 0)), gain, "relevance", "finite numbers of 0 or more")
    if top is not None and top < 1:
        raise InvalidInput(f"the first {top} places", expected="1 or more")
    size = int(query.max(initial=-1)) + 1
    found: dict[str, dict[str, Floats]] = {"ndcg": {}, "mrr": {}, "map": {}}
    for model, given in scores.items():
        score = floats_of(given, f"scores of {model}", n)
        refuse(~np.isfinite(score), score, f"scores of {model}", "finite numbers")
        values = _values(query, gain, score, size, top)
        for name, own in zip(found, values, strict=True):
            found[name][model] = own
    return found


def _values(query: Integers, gain: Floats, score: Floats, size: int, top: int | None) -> tuple[Floats, Floats, Floats]:
    order = np.lexsort((-score, query))
    q, s, g = query[order], score[order], gain[order]
    n = len(q)
    first = np.flatnonzero(np.diff(q, prepend=-1))
    start = np.repeat(first, np.diff(np.append(first, n)))
    place = np.arange(n) - start
    of_tie = np.cumsum((np.diff(q, prepend=-1) != 0) | (np.diff(s, prepend=np.inf) != 0)) - 1
    count = np.bincount(of_tie)
    discount = _discounts(place, top)
    shared = (np.bincount(of_tie, discount) / count)[of_tie] if n else discount
    best = gain[np.lexsort((-gain, query))]
    relevant = (g > 0).astype(np.float64)
    total = np.bincount(q, relevant, size)
    last = (np.cumsum(count) - 1)[of_tie] if n else place  # of the tie, among all rows
    seen = np.cumsum(relevant)
    before = np.where(start > 0, seen[start - 1], 0.0)
    rank = last - start + 1
    with np.errstate(invalid="ignore", divide="ignore"):
        ndcg = np.bincount(q, shared * g, size) / np.bincount(q, discount * best, size)
        precision = np.bincount(q, relevant * (seen[last] - before) / rank, size) / total
    reciprocal = np.full(size, 0.0)
    np.maximum.at(reciprocal, q, relevant / rank)
    return ndcg, np.where(total > 0, reciprocal, np.nan), precision


def _discounts(place: Integers, top: int | None) -> Floats:
    discount: Floats = 1.0 / np.log2(place + 2.0)
    return discount if top is None else np.where(place < top, discount, 0.0)
