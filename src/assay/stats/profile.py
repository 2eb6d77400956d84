"""The profile: everything needed to compare binary classifiers by segment, in sums that merge exactly.

Rows are counted by (cell, bucket), where a cell is a combination of all segment columns' values and a bucket is
a hash of the unit. All sums are whole numbers (losses and scores in fixed point), so any split of the rows, in
any order, merges to the same profile, bit for bit.
"""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import profile_bytes
from assay.stats.buckets import bucket_of
from assay.stats.categories import Strings
from assay.stats.grouping import Integers, compress, fold, sum_by
from assay.stats.histogram import Histogram
from assay.stats.rows import cells_of, labels_of, scores_of, thresholds_of
from assay.stats.segment import OVERALL, Segment
from assay.stats.state import FRACTION_BITS, Layout, State

__all__ = ["Profile", "Segment", "State"]

_SMALLEST_PROBABILITY = 1e-15
_RECENT_STATES = 8  # kept, because callers ask for several metrics of one segment in a row


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Mergeable sums of several models' scores on the same labelled rows; `build` makes one.

    `models` in increasing order with their `thresholds`; segment `columns` in the order given. `cells` are the
    combinations of column values that occur, in increasing order; row i of `table` ([rows, Layout.width] int64)
    belongs to cells[cell[i]] and bucket[i], and rows are in increasing order of these. Equal content has equal
    bytes. Immutable: nothing may write to its arrays.
    """

    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    buckets: int
    seed: int
    cells: tuple[tuple[str, ...], ...]
    cell: Integers
    bucket: Integers
    table: Integers
    histograms: dict[str, Histogram]
    _recent: dict[Segment, State] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def build(
        cls,
        labels: ArrayLike,
        scores: Mapping[str, ArrayLike],
        segments: Mapping[str, Strings],
        units: Strings,
        thresholds: Mapping[str, float],
        buckets: int = 50,
        seed: int = 0,
    ) -> "Profile":
        """The profile of rows given as columns of equal length; no rows at all are allowed.

        `labels` are 0, 1 or NaN (no label yet); `scores` in [0, 1] by model; `segments` strings by column; rows
        of one unit share a bucket. A model says 1 where score >= its threshold. InvalidInput, naming the
        column, the count and the first row, for other values, unequal lengths, and thresholds that are missing,
        not finite or of no model.
        """
        n = len(units)
        label = labels_of(labels, n)
        models = tuple(sorted(scores))
        by_model = {model: scores_of(scores[model], model, n) for model in models}
        cutoffs = thresholds_of(models, thresholds)
        bucket = bucket_of(units, buckets, seed)
        cells, cell = cells_of(segments, n)

        keys, row = compress(cell * buckets + bucket, len(cells) * buckets)
        table = np.zeros((len(keys), Layout(models).width), dtype=np.int64)
        labelled = ~np.isnan(label)
        table[:, 0] = sum_by(row, len(keys))
        table[:, 1] = table[:, 0]
        if not labelled.all():
            row, label = row[labelled], label[labelled]
            by_model = {model: score[labelled] for model, score in by_model.items()}
        table[:, 1] -= sum_by(row, len(keys))
        positive = label == 1
        _count(table, row, positive, by_model, thresholds)
        return cls(
            models,
            cutoffs,
            tuple(segments),
            buckets,
            seed,
            cells,
            keys // buckets,
            keys % buckets,
            table,
            {model: Histogram.count(row, by_model[model], positive) for model in models},
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Profile":
        """The profile `to_bytes` wrote; InvalidInput where the bytes are damaged or of another format."""
        stored = profile_bytes.decode(data)
        histograms = {
            model: Histogram.of_keys(*content) for model, content in zip(stored.models, stored.histograms, strict=True)
        }
        return cls(
            stored.models,
            stored.thresholds,
            stored.columns,
            stored.buckets,
            stored.seed,
            stored.cells,
            stored.keys // stored.buckets,
            stored.keys % stored.buckets,
            stored.table,
            histograms,
        )

    def to_bytes(self) -> bytes:
        """A compact form for storing; equal profiles give equal bytes on every machine."""
        return profile_bytes.encode(
            profile_bytes.Content(
                self.models,
                self.thresholds,
                self.columns,
                self.buckets,
                self.seed,
                self.cells,
                self._keys(),
                self.table,
                [self.histograms[model].to_keys() for model in self.models],
            )
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # equality by content of arrays: not for sets and keys

    def __add__(self, other: "Profile") -> "Profile":
        """The profile of both's rows; exact, in any order and grouping.

        InvalidInput, naming the difference, unless both have the same models, thresholds, segment columns,
        buckets and seed.
        """
        for name in ("models", "thresholds", "columns", "buckets", "seed"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise InvalidInput(
                    f"profiles with different {name} cannot be added: {mine!r} and {theirs!r}",
                    expected="profiles of the same models, thresholds, segment columns, buckets and seed",
                )
        cells = tuple(sorted({*self.cells, *other.cells}))
        position = {cell: index for index, cell in enumerate(cells)}
        both = (self, other)
        keys = [np.asarray([position[cell] for cell in one.cells], dtype=np.int64)[one.cell] for one in both]
        keys = [key * self.buckets + one.bucket for key, one in zip(keys, both, strict=True)]
        merged, table = fold(np.concatenate(keys), np.concatenate([self.table, other.table]))
        rows = np.concatenate([np.searchsorted(merged, key) for key in keys])
        histograms = {}
        for model in self.models:
            both_rows = self.histograms[model].followed_by(other.histograms[model], len(self.table))
            histograms[model] = both_rows.regroup(rows)
        return Profile(
            self.models,
            self.thresholds,
            self.columns,
            self.buckets,
            self.seed,
            cells,
            merged // self.buckets,
            merged % self.buckets,
            table,
            histograms,
        )

    @property
    def n_rows(self) -> int:
        """Rows, labelled or not."""
        return int(self.table[:, 0].sum())

    def segments(self, cross: int = 2) -> list[Segment]:
        """The segments that occur: overall, then single attributes, then crosses of up to `cross` columns.

        Within a size in the order of the columns, then of the values. InvalidInput for a negative `cross`.
        """
        if cross < 0:
            raise InvalidInput(f"crosses of {cross!r} columns", expected="0 or more")
        found = [OVERALL]
        for size in range(1, min(cross, len(self.columns)) + 1):
            for chosen in itertools.combinations(range(len(self.columns)), size):
                for values in sorted({tuple(cell[index] for index in chosen) for cell in self.cells}):
                    names = (self.columns[index] for index in chosen)
                    found.append(Segment(tuple(zip(names, values, strict=True))))
        return found

    def state(self, segment: Segment) -> State:
        """The sums of one segment by bucket ([buckets, ...]); zeros where no row has its values.

        InvalidInput for a column the profile does not have, or has twice in the segment.
        """
        recent = self._recent.pop(segment, None) or self._roll_up(segment)
        self._recent[segment] = recent
        if len(self._recent) > _RECENT_STATES:
            self._recent.pop(next(iter(self._recent)), None)
        return recent

    def _roll_up(self, segment: Segment) -> State:
        wanted = dict(segment.conditions)
        for column in wanted:
            if column not in self.columns:
                raise InvalidInput(
                    f"the profile has no segment column {column!r}",
                    expected=f"one of {', '.join(self.columns) or 'none'}",
                    hint=nearest(column, list(self.columns)),
                )
        if len(wanted) < len(segment.conditions):
            raise InvalidInput(f"{segment.name} names a column twice", expected="each column once")
        places = [(self.columns.index(column), value) for column, value in wanted.items()]
        inside = [all(cell[index] == value for index, value in places) for cell in self.cells]
        keep = np.asarray(inside, dtype=bool)[self.cell]
        occupied, sums = fold(self.bucket[keep], self.table[keep])
        table = np.zeros((self.buckets, self.table.shape[1]), dtype=np.int64)
        table[occupied] = sums
        histograms, bucket = self.histograms, self.bucket
        entries = functools.cache(lambda model: histograms[model].regroup(bucket, keep))
        return State(Layout(self.models), table, "bucket", entries)

    def _keys(self) -> Integers:
        return self.cell * self.buckets + self.bucket


def _count(
    table: Integers,
    row: Integers,
    positive: NDArray[np.bool_],
    scores: Mapping[str, NDArray[np.float64]],
    thresholds: Mapping[str, float],
) -> None:
    """Fill the columns of the models and pairs from labelled rows; `scores` in increasing order of models."""
    rows, layout = len(table), Layout(tuple(scores))
    right: dict[str, NDArray[np.bool_]] = {}
    for model in layout.models:
        score, column = scores[model], layout.model(model)
        predicted = score >= thresholds[model]
        right[model] = predicted == positive
        # 0 to 3 for tp, fp, fn, tn
        kind = np.where(predicted, ~positive, 2 + ~positive)
        table[:, column : column + 4] = sum_by(row * 4 + kind, rows * 4).reshape(rows, 4)
        clipped = np.clip(score, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
        losses = (
            -np.log(np.where(positive, clipped, 1.0 - clipped)),
            (score - positive) ** 2,
            score,
            score * (1.0 - score),
        )
        for offset, values in enumerate(losses):
            fixed = np.rint(values * 2.0**FRACTION_BITS).astype(np.int64)
            table[:, column + 4 + offset] = sum_by(row, rows, fixed)
    for first, second in itertools.combinations(range(len(layout.models)), 2):
        a, b = right[layout.models[first]], right[layout.models[second]]
        kind = positive * 4 + a * 2 + b
        column = layout.pair(first, second)
        table[:, column : column + 8] = sum_by(row * 8 + kind, rows * 8).reshape(rows, 8)
