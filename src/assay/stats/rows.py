"""Columns of rows checked, brought to arrays, and put into segments, before anything is counted."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.areas import Placed
from assay.stats.binary import contributions
from assay.stats.buckets import bucket_of, row_identities
from assay.stats.categories import Strings
from assay.stats.counting import Counted, count_rows
from assay.stats.grouping import Integers
from assay.stats.histogram import Histogram
from assay.stats.segment import Segment
from assay.stats.segmentation import Grouping, code_columns, groupings

__all__ = ["Rows", "labels_of", "rows_of", "scores_of", "thresholds_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Checked rows: `positive` and `scores` of the labelled ones only, `groups` and `bucket` of all."""

    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    labelled: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]]
    groups: list[Grouping]
    bucket: Integers

    def count(self, buckets: int) -> Counted:
        """The sums by segment and bucket."""
        added = contributions(self.positive, self.scores, dict(zip(self.models, self.thresholds, strict=True)))
        return count_rows(self.groups, self.bucket, buckets, self.labelled, added)

    def histogram(self, model: str) -> Histogram:
        """A model's score histogram by segment."""
        made: dict[tuple[int, ...], Histogram] = {}
        for group in self.groups:
            if group.row is not None:
                row = self._labelled(group.row)
                made[group.columns] = Histogram.count(row, len(group.segments), self.scores[model], self.positive)
        for group in self.groups:
            if group.parent is not None and group.of_parent is not None:
                made[group.columns] = made[group.parent].regroup(group.of_parent)
        parts = [made[group.columns] for group in self.groups]
        starts = list(itertools.accumulate((len(group.segments) for group in self.groups), initial=0))
        return Histogram.joined(parts, starts[:-1])

    def placed(self, segments: Sequence[Segment], keys: Integers, buckets: int) -> list[Placed]:
        """The labelled rows in each segmentation of a profile of these rows and perhaps others.

        `keys` are segment·buckets + bucket of the rows of its table.
        """
        position = {segment: place for place, segment in enumerate(segments)}
        by_columns = {group.columns: group for group in self.groups}
        bucket = self._labelled(self.bucket)
        ranges = _ranges(segments)
        placed = []
        for group in self.groups:
            own = np.asarray([position[segment] for segment in group.segments], dtype=np.int64)
            local = group.row
            if group.parent is not None and group.of_parent is not None:
                parent = by_columns[group.parent].row
                assert parent is not None
                local = group.of_parent[parent]
            assert local is not None
            if not len(own):
                continue
            first, last = ranges[tuple(column for column, _ in group.segments[0].conditions)]
            segment = own[self._labelled(local)]
            wanted = segment * buckets + bucket
            start, end = np.searchsorted(keys, [first * buckets, last * buckets])
            row_of = np.zeros((last - first) * buckets, dtype=np.int64)
            row_of[keys[start:end] - first * buckets] = np.arange(start, end)
            placed.append(Placed(first, last, segment, row_of[wanted - first * buckets]))
        return placed

    def _labelled(self, values: Integers) -> Integers:
        return values if len(self.positive) == len(self.labelled) else values[self.labelled]


def rows_of(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    segments: Mapping[str, Strings],
    units: Strings | NDArray[np.uint64] | None,
    thresholds: Mapping[str, float],
    buckets: int,
    seed: int,
    cross: int,
) -> Rows:
    """The rows of `Profile.build`, checked; InvalidInput as there."""
    n = len(units) if units is not None else len(np.asarray(labels))
    label = labels_of(labels, n)
    models = tuple(sorted(scores))
    by_model = {model: scores_of(scores[model], model, n) for model in models}
    cutoffs = thresholds_of(models, thresholds)
    groups = groupings(code_columns(segments, n), cross)
    if units is None:
        bucket = bucket_of(row_identities([label, *by_model.values()]), buckets, seed)
    else:
        bucket = bucket_of(units, buckets, seed)
    labelled = ~np.isnan(label)
    if not labelled.all():
        label = label[labelled]
        by_model = {model: score[labelled] for model, score in by_model.items()}
    return Rows(models, cutoffs, tuple(segments), labelled, label == 1, by_model, groups, bucket)


def _ranges(segments: Sequence[Segment]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Where the segments by each choice of columns begin and end; they stand together."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for place, segment in enumerate(segments):
        names = tuple(column for column, _ in segment.conditions)
        found[names] = (found.get(names, (place, place))[0], place + 1)
    return found


def labels_of(values: ArrayLike, n: int) -> NDArray[np.float64]:
    """[n] labels 0, 1 or NaN; InvalidInput for others."""
    label = _floats(values, "labels", n)
    _refuse(~((label == 0) | (label == 1) | np.isnan(label)), label, "labels", "0, 1 or NaN (no label)")
    return label


def scores_of(values: ArrayLike, model: str, n: int) -> NDArray[np.float64]:
    """[n] scores of a model in [0, 1]; InvalidInput for others, NaN included."""
    name = f"scores of {model}"
    array = _floats(values, name, n)
    _refuse(~((array >= 0) & (array <= 1)), array, name, "probabilities, 0 to 1")
    return array


def thresholds_of(models: tuple[str, ...], thresholds: Mapping[str, float]) -> tuple[float, ...]:
    """The thresholds in the order of the models; InvalidInput unless each has one, finite, and none is over."""
    for name, names, others in (("score", models, thresholds), ("threshold", thresholds, models)):
        for model in names:
            if model not in others:
                raise InvalidInput(
                    f"model {model!r} has a {name} but no {'threshold' if name == 'score' else 'score'}",
                    expected="a threshold for each model",
                    hint=nearest(model, list(others)),
                )
    for model in models:
        if not math.isfinite(thresholds[model]):
            raise InvalidInput(f"the threshold of {model!r} is {thresholds[model]!r}", expected="a finite number")
    return tuple(float(thresholds[model]) for model in models)


def _floats(values: ArrayLike, name: str, n: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} are not numbers: {error}", expected="numbers") from error
    _same_length(name, array.shape, n)
    return array


def _same_length(name: str, shape: tuple[int, ...], n: int) -> None:
    if shape != (n,):
        raise InvalidInput(f"{name} has shape {shape}, but there are {n} units", expected="one value for each row")


def _refuse(wrong: NDArray[np.bool_], values: NDArray[np.float64], name: str, expected: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise InvalidInput(
            f"{name}: {len(rows)} of {len(values)} values are out of range;"
            f" the first is {values[rows[0]]} in row {rows[0]}",
            expected=expected,
        )
