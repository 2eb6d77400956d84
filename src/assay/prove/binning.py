"""Numeric columns in a few bins with round edges, and their names."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.errors import InvalidInput

__all__ = ["BINS", "binned", "check_edges", "needs_bins", "round_edges"]

BINS = 5
_FEW_NUMBERS, _FEW_WHOLE = 10, 50  # distinct values up to which a column is taken as it is
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


def needs_bins(column: pa.ChunkedArray) -> bool:
    """Whether each value of a numeric column would be a segment of its own: more than 10 fractions, or 50 integers."""
    kind = column.type
    few = _FEW_NUMBERS if pa.types.is_floating(kind) or pa.types.is_decimal(kind) else _FEW_WHOLE
    return is_numeric(kind) and pc.count_distinct(column).as_py() > few


def is_numeric(kind: pa.DataType) -> bool:
    """Whether values of the type can be put into bins."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def round_edges(column: pa.ChunkedArray, count: int = BINS) -> list[float]:
    """At most count − 1 increasing edges near the quantiles, each as round as the distance to its neighbours allows."""
    values = column.cast(pa.float64()).drop_null().to_numpy()
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    exact = np.quantile(values, np.arange(1, count) / count, method="inverted_cdf")
    ends = [float(values.min()), *dict.fromkeys(exact.tolist()), float(values.max())]
    edges = []
    for before, edge, after in zip(ends, ends[1:-1], ends[2:], strict=False):
        near = min(edge - before, after - edge) or max(edge - before, after - edge)
        edges.append(_rounded(edge, near / 2.0))
    return sorted({edge for edge in edges if float(values.min()) < edge <= float(values.max())})


def binned(column: pa.ChunkedArray, edges: Sequence[float], name: str) -> pa.ChunkedArray:
    """The column as text: `below 500`, `500 to 1000` (1000 not included), `1000 or more`; null and NaN are null."""
    if not is_numeric(column.type):
        raise InvalidInput(f"the column {name!r} is of type {column.type}", expected="numbers, to put them into bins")
    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy()
    texts = [_text(edge) for edge in edges]
    labels = [f"below {texts[0]}"] if texts else ["all"]
    labels += [f"{low} to {high}" for low, high in pairwise(texts)]
    labels += [f"{texts[-1]} or more"] if texts else []
    place = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right").astype(np.int32)
    missing = np.isnan(values)
    indices = pa.array(np.where(missing, 0, place), mask=missing)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, pa.array(labels))]).cast(pa.string())


def check_edges(edges: Sequence[float], name: str) -> None:
    """InvalidInput unless the edges are finite and increase."""
    if not edges or not all(math.isfinite(edge) for edge in edges) or sorted(set(edges)) != list(edges):
        raise InvalidInput(f"the bins of {name!r} are {list(edges)}", expected="edges that increase, such as [0, 10]")


def _rounded(edge: float, tolerance: float) -> float:
    """The roundest number within the tolerance: a multiple of the largest 1, 2, 2.5 or 5 times a power of ten."""
    if tolerance <= 0.0:
        return edge
    power = 10.0 ** math.floor(math.log10(tolerance))
    step = max(factor * power for factor in _ROUND if factor * power <= tolerance * (1 + 1e-9))
    return float(f"{round(edge / step) * step:.12g}")


def _text(edge: float) -> str:
    return f"{edge:.12g}"
