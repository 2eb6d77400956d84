"""Which segments an evaluation looks at: columns, their crosses, and slices that are searched for."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.stats import FoundSlice, bucket_of, code_columns, find_slices

__all__ = ["Segments", "found_slices", "segments_of"]

_BUCKETS = 50
_SMALLEST_PROBABILITY = 1e-15


class Segments(msgspec.Struct, frozen=True, kw_only=True):
    """The segments of an evaluation: the values of the columns `by`, crossed up to `cross`.

    `find` slices are searched for among these columns on half of the units, and tested on the other half.
    """

    by: Sequence[str] = ()
    cross: int = 2
    find: int = 0


def segments_of(segments: Segments | Sequence[str]) -> Segments:
    """The same in full, where only columns were named."""
    return segments if isinstance(segments, Segments) else Segments(by=list(segments))


def found_slices(
    columns: Mapping[str, Any], scores: Mapping[str, ArrayLike], candidate: str, baseline: str, find: int, seed: int
) -> dict[str, list[FoundSlice]]:
    """Where the candidate's log loss is highest ("loss") and where it is higher than the baseline's ("difference").

    `columns` are the labels, segments and units of the rows as `Profile.build` takes them; rows without a label are
    left out.
    """
    labels = np.asarray(columns["labels"], dtype=np.float64)
    labelled = ~np.isnan(labels)
    models = {model: np.asarray(values, dtype=np.float64) for model, values in scores.items()}
    coded = code_columns(columns["segments"], len(labels)).only(labelled)
    bucket = bucket_of(columns["units"], _BUCKETS, seed)
    losses = {model: _log_loss(labels[labelled], values[labelled]) for model, values in models.items()}
    found = {"loss": find_slices(coded, losses[candidate], bucket[labelled], find=find)}
    if baseline in losses:
        difference = losses[candidate] - losses[baseline]
        found["difference"] = find_slices(coded, difference, bucket[labelled], find=find, kind="difference")
    return found


def _log_loss(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped = np.clip(scores, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    return -np.log(np.where(labels == 1, clipped, 1.0 - clipped))
