"""The sums of one segment: per bucket, in total, and without each bucket."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, nearest
from assay.stats.grouping import Integers
from assay.stats.histogram import AreaCounts, Histogram, bin_edges

__all__ = ["FRACTION_BITS", "Confusion", "Given", "Layout", "PairedCounts", "ScoreCounts", "State", "Sums"]

Given = Literal["all", "positive", "negative"]

FRACTION_BITS = 24  # of the fixed-point sums
_FIXED = 2  # columns before the models': rows, rows without a label
_PER_MODEL = 8
_PER_PAIR = 8


class Confusion(NamedTuple):
    """Labelled rows by prediction and label, each [leading axis] int64."""

    tp: Integers
    fp: Integers
    fn: Integers
    tn: Integers


class Sums(NamedTuple):
    """Sums over labelled rows, each [leading axis] float64.

    `log_loss` in nats with the score clipped to [1e-15, 1 − 1e-15], `squared_error` of the score, `score`, and
    `spread` = score·(1 − score), the variance of the label if the score is right.
    """

    log_loss: NDArray[np.float64]
    squared_error: NDArray[np.float64]
    score: NDArray[np.float64]
    spread: NDArray[np.float64]


class PairedCounts(NamedTuple):
    """Labelled rows by which of two models is right, each [leading axis] int64."""

    both: Integers
    only_first: Integers
    only_second: Integers
    neither: Integers


class ScoreCounts(NamedTuple):
    """A dense score histogram: `scores` [bins] increasing lower edges; counts [leading axis, bins] int64."""

    scores: NDArray[np.float64]
    positives: Integers
    negatives: Integers


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of the table of sums holds what; `models` are in increasing order."""

    models: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns of the table."""
        count = len(self.models)
        return _FIXED + _PER_MODEL * count + _PER_PAIR * (count * (count - 1) // 2)

    def model(self, model: str) -> int:
        """First column of a model: tp, fp, fn, tn and the four sums; InvalidInput for an unknown one."""
        if model not in self.models:
            raise InvalidInput(
                f"the profile has no model {model!r}",
                expected=f"one of {', '.join(self.models) or 'none'}",
                hint=nearest(model, list(self.models)),
            )
        return _FIXED + _PER_MODEL * self.models.index(model)

    def pair(self, first: int, second: int) -> int:
        """First column of a pair of positions, first < second: label·4 + first right·2 + second right."""
        count = len(self.models)
        before = first * (2 * count - first - 1) // 2 + second - first - 1
        return _FIXED + _PER_MODEL * count + _PER_PAIR * before


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Everything counted of one segment. The leading axis is the bucket, until `total` or `leave_one_out`.

    Counts are exact. "Labelled" rows have a label; all but `n_rows` and `n_missing_label` counts those only.
    """

    layout: Layout
    table: Integers
    fold: Literal["bucket", "total", "rest"]
    entries: Callable[[str], Histogram]

    @property
    def n_rows(self) -> Integers:
        """Rows, labelled or not."""
        return self.table[:, 0]

    @property
    def n_missing_label(self) -> Integers:
        """Rows without a label."""
        return self.table[:, 1]

    @property
    def n(self) -> Integers:
        """Labelled rows."""
        return self.table[:, 0] - self.table[:, 1]

    def confusion(self, model: str) -> Confusion:
        """A model's confusion counts at its threshold."""
        column = self.layout.model(model)
        return Confusion(*self.table[:, column : column + 4].T)

    def sums(self, model: str) -> Sums:
        """A model's sums of losses and scores."""
        column = self.layout.model(model) + 4
        return Sums(*(self.table[:, column : column + 4].T / 2.0**FRACTION_BITS))

    def paired(self, first: str, second: str, given: Given = "all") -> PairedCounts:
        """Which of two different models is right, on all rows or only those with that label."""
        for model in (first, second):
            self.layout.model(model)
        positions = self.layout.models.index
        low, high = sorted((positions(first), positions(second)))
        if low == high:
            raise InvalidInput(f"{first!r} cannot be compared with itself", expected="two different models")
        column = self.layout.pair(low, high)
        negative, positive = self.table[:, column : column + 4], self.table[:, column + 4 : column + 8]
        counts = {"all": negative + positive, "positive": positive, "negative": negative}[given]
        neither, only_high, only_low, both = counts.T
        if low == positions(first):
            return PairedCounts(both, only_low, only_high, neither)
        return PairedCounts(both, only_high, only_low, neither)

    def area(self, model: str) -> AreaCounts:
        """What the area under a model's ROC curve is made of."""
        self.layout.model(model)
        if self.fold == "total":
            return self.entries(model).area_total()
        if self.fold == "rest":
            return self.entries(model).area_without(len(self.table))
        return self.entries(model).area(len(self.table))

    def histogram(self, model: str) -> ScoreCounts:
        """A model's score histogram over the bins the segment occupies; made when asked for."""
        self.layout.model(model)
        groups = 1 if self.fold == "total" else len(self.table)
        entries = self.entries(model)
        if self.fold == "total":
            entries = entries.regroup(np.zeros(int(entries.group.max(initial=0)) + 1, dtype=np.int64))
        bins, positives, negatives = entries.dense(groups)
        if self.fold == "rest":
            positives, negatives = positives.sum(axis=0) - positives, negatives.sum(axis=0) - negatives
        return ScoreCounts(bin_edges(bins), positives, negatives)

    def total(self) -> "State":
        """All buckets together, leading axis 1; InvalidInput unless the leading axis is the bucket."""
        return self._folded("total", self.table.sum(axis=0, keepdims=True))

    def leave_one_out(self) -> "State":
        """All buckets but one, for each bucket; InvalidInput unless the leading axis is the bucket."""
        return self._folded("rest", self.table.sum(axis=0) - self.table)

    def _folded(self, fold: Literal["total", "rest"], table: Integers) -> "State":
        if self.fold != "bucket":
            raise InvalidInput("this state has already been summed over buckets", expected="one by bucket")
        return State(self.layout, table, fold, self.entries)
