"""Columns of rows checked, brought to arrays, and put into segments, before anything is counted."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.areas import Placed
from assay.stats.arrays import floats_of, refuse
from assay.stats.buckets import bucket_of, row_identities
from assay.stats.categories import Strings
from assay.stats.counting import Counted, count_rows
from assay.stats.families import answers_of, contributions_of, labels_of
from assay.stats.grouping import Integers
from assay.stats.histogram import Histogram
from assay.stats.segment import Segment
from assay.stats.segmentation import Grouping, code_columns, groupings
from assay.stats.task import BINARY, Quantity, Task, check_task, within_scale

__all__ = ["Columns", "Rows", "rows_of", "thresholds_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Rows as columns of equal length, as `Profile.build` describes them."""

    labels: ArrayLike
    scores: Mapping[str, ArrayLike]
    segments: Mapping[str, Strings]
    units: Strings | NDArray[np.uint64] | None
    weights: ArrayLike | None = None
    quantities: Mapping[str, Mapping[str, ArrayLike]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Checked rows: `label`, `scores`, `quantities` and `weight` of the labelled ones only, `groups` and `bucket` of
    all.
    """

    task: Task
    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    labelled: NDArray[np.bool_]
    label: Floats
    scores: dict[str, Floats]
    quantities: dict[str, dict[str, Floats]]
    weight: Floats | None
    groups: list[Grouping]
    bucket: Integers

    @property
    def positive(self) -> NDArray[np.bool_]:
        """[labelled rows] whether the label of a binary task is 1."""
        positive: NDArray[np.bool_] = self.label == 1
        return positive

    def count(self, buckets: int) -> Counted:
        """The sums by segment and bucket."""
        thresholds = dict(zip(self.models, self.thresholds, strict=False))
        added = contributions_of(self.task, self.label, self.scores, thresholds, self.quantities)
        return count_rows(self.groups, self.bucket, buckets, self.labelled, added, self.weight)

    def histogram(self, model: str) -> Histogram:
        """A model's score histogram by segment."""
        made: dict[tuple[int, ...], Histogram] = {}
        for group in self.groups:
            if group.row is not None:
                row = self._labelled(group.row)
                size, score = len(group.segments), self.scores[model]
                made[group.columns] = Histogram.count(row, size, score, self.positive, self.weight)
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
        return values if len(self.label) == len(self.labelled) else values[self.labelled]


def rows_of(
    given: Columns, thresholds: Mapping[str, float], buckets: int, seed: int, cross: int, task: Task = BINARY
) -> Rows:
    """The rows of `Profile.build`, checked; InvalidInput as there."""
    check_task(task)
    n = len(given.units) if given.units is not None else len(np.asarray(given.labels))
    label = labels_of(task, given.labels, n)
    answers = {model: answers_of(task, given.scores[model], model, n) for model in sorted(given.scores)}
    quantities = _quantities_of(task.quantities, given.quantities or {}, n)
    models = tuple(answers or next(iter(quantities.values()), {}))
    label = _missing(task, label, quantities, models)
    weight = _weights_of(given.weights, n, task)
    cutoffs = thresholds_of(models if task.has_scores else (), thresholds)
    groups = groupings(code_columns(given.segments, n), cross)
    if given.units is None:
        numbers = [label, *_flat(answers), *(one for own in quantities.values() for one in own.values())]
        bucket = bucket_of(row_identities(numbers), buckets, seed)
    else:
        bucket = bucket_of(given.units, buckets, seed)
    labelled = ~np.isnan(label)
    rows = Rows(
        task, models, cutoffs, tuple(given.segments), labelled, label, answers, quantities, weight, groups, bucket
    )
    return _only_labelled(_divided(rows))


def _divided(rows: Rows) -> Rows:
    """A row labelled f between 0 and 1 and weighted w as two: a positive of weight f·w, a negative of (1 − f)·w."""
    parts = np.flatnonzero((rows.label > 0) & (rows.label < 1))
    if rows.task.name != "binary" or rows.weight is None or not len(parts):
        return rows
    twice = np.concatenate([np.arange(len(rows.label)), parts])
    share = rows.label[twice]
    first, second = parts, np.arange(len(rows.label), len(twice))
    label, weight = share.copy(), rows.weight[twice]
    label[first], label[second] = 1.0, 0.0
    weight[first] *= share[first]
    weight[second] *= 1.0 - share[second]
    groups = [group if group.row is None else replace(group, row=group.row[twice]) for group in rows.groups]
    return replace(
        rows,
        labelled=rows.labelled[twice],
        label=label,
        scores={model: values[twice] for model, values in rows.scores.items()},
        quantities=_taken(rows.quantities, twice),
        weight=weight,
        groups=groups,
        bucket=rows.bucket[twice],
    )


def _only_labelled(rows: Rows) -> Rows:
    kept = rows.labelled
    if kept.all():
        return rows
    return replace(
        rows,
        label=rows.label[kept],
        scores={model: values[kept] for model, values in rows.scores.items()},
        quantities=_taken(rows.quantities, kept),
        weight=None if rows.weight is None else rows.weight[kept],
    )


def _taken(quantities: Mapping[str, Mapping[str, Floats]], chosen: NDArray[Any]) -> dict[str, dict[str, Floats]]:
    return {name: {model: values[chosen] for model, values in own.items()} for name, own in quantities.items()}


def _ranges(segments: Sequence[Segment]) -> dict[tuple[str, ...], tuple[int, int]]:
    """Where the segments by each choice of columns begin and end; they stand together."""
    found: dict[tuple[str, ...], tuple[int, int]] = {}
    for place, segment in enumerate(segments):
        names = tuple(column for column, _ in segment.conditions)
        found[names] = (found.get(names, (place, place))[0], place + 1)
    return found


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


def _quantities_of(
    wanted: Sequence[Quantity], given: Mapping[str, Mapping[str, ArrayLike]], n: int
) -> dict[str, dict[str, Floats]]:
    """The numbers of each row by quantity and model, in units of their scale; NaN where there is none."""
    found: dict[str, dict[str, Floats]] = {}
    for one in wanted:
        if one.name not in given:
            raise InvalidInput(f"the rows have no {one.name!r}", expected="numbers for each quantity of the task")
        found[one.name] = {}
        for model in sorted(given[one.name]):
            name = f"{one.name} of {model}"
            values = floats_of(given[one.name][model], name, n)
            low, high = (-math.inf if one.low is None else one.low), (math.inf if one.high is None else one.high)
            outside = np.isinf(values) | (values < low) | (values > high)
            refuse(outside, values, name, f"finite numbers from {low:g} to {high:g}")
            if not within_scale(float(np.nanmax(np.abs(values), initial=0.0)), one.scale):
                raise InvalidInput(
                    f"{name} goes up to {np.nanmax(np.abs(values)):.3g}, too large for sums in units of {one.scale:g}",
                    hint="give the quantity a larger scale",
                )
            found[one.name][model] = values / one.scale
    if len({tuple(own) for own in found.values()}) > 1:
        raise InvalidInput("the quantities are of different models", expected="each for every model")
    return found


def _missing(
    task: Task, label: Floats, quantities: Mapping[str, Mapping[str, Floats]], models: Sequence[str]
) -> Floats:
    """The labels, NaN where a scored text has no score; InvalidInput where a labelled row lacks a number."""
    for name, own in quantities.items():
        for model in models:
            if model not in own:
                raise InvalidInput(f"{name} is not given for {model!r}", expected="each quantity for every model")
            lacking = np.isnan(own[model]) & ~np.isnan(label)
            if task.name in ("ranking", "scores"):
                label = np.where(lacking, np.nan, label)
            else:
                refuse(lacking, own[model], f"{name} of {model}", "a number in each labelled row")
    return label


def _weights_of(values: ArrayLike | None, n: int, task: Task) -> Floats | None:
    if (values is not None) != task.weighted:
        raise InvalidInput(
            "the rows have weights and the task does not" if values is not None else "the rows have no weights",
            expected="weights exactly where the task is weighted",
        )
    if values is None:
        return None
    weight = floats_of(values, "weights", n)
    refuse(~(np.isfinite(weight) & (weight >= 0)), weight, "weights", "finite numbers of 0 or more")
    return weight


def _flat(answers: Mapping[str, Floats]) -> list[Floats]:
    """Answers as single columns."""
    return [column for one in answers.values() for column in (one.T if one.ndim > 1 else [one])]
