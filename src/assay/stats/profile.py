"""The profile: everything needed to judge models by segment, in sums that merge exactly.

Rows are counted by (segment, bucket), where a bucket is a hash of the unit. All sums are whole numbers (losses and
scores in fixed point), so any split of the rows, in any order, merges to the same profile, bit for bit.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assay.errors import InvalidInput, nearest
from assay.stats import profile_bytes
from assay.stats.areas import Influence, influence_of
from assay.stats.categories import Strings
from assay.stats.families import columns_of
from assay.stats.grouping import Integers, total
from assay.stats.histogram import WEIGHT_UNIT, Histogram
from assay.stats.rows import Columns, Rows, rows_of
from assay.stats.segment import Segment
from assay.stats.segmentation import segmentations_of
from assay.stats.sums import AreaCounts, Sums
from assay.stats.task import BINARY, Task

__all__ = ["Profile"]

_LARGEST_SUM = 2**62


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Mergeable sums of several models' answers on the same labelled rows; `build` makes one.

    `task` is the kind of answers; `models` in increasing order with their `thresholds` (binary only); segment
    `columns` in the order given, crossed up to `cross`.
    `segments` are those that occur: overall, single columns, crosses; row i of `table` ([rows, columns] int64) belongs
    to segments[segment[i]] and bucket[i], in increasing order of these. `influence` is what paired areas need; it is
    None after an addition, because it rests on the order of all rows by score. Equal content has equal bytes.
    Immutable: nothing may write to its arrays.
    """

    task: Task
    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    cross: int
    buckets: int
    seed: int
    segments: tuple[Segment, ...]
    segment: Integers
    bucket: Integers
    table: Integers
    histograms: dict[str, Histogram]
    influence: Influence | None = None
    _cache: dict[str, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def build(
        cls,
        labels: ArrayLike,
        scores: Mapping[str, ArrayLike],
        segments: Mapping[str, Strings],
        units: Strings | NDArray[np.uint64] | None,
        thresholds: Mapping[str, float] | None = None,
        buckets: int = 50,
        seed: int = 0,
        *,
        cross: int = 2,
        influence: bool = True,
        task: Task = BINARY,
        weights: ArrayLike | None = None,
        quantities: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    ) -> "Profile":
        """The profile of rows given as columns of equal length; no rows at all are allowed.

        `labels` and `scores` by model are what the task wants. Binary: 0, 1 or NaN (no label yet), and scores in
        [0, 1]; a model says 1 where score >= its threshold. Multiclass: names of classes (or None), and names or
        probabilities [rows, classes]. Regression and quantile: numbers. `quantities` are further numbers by name and
        model; "ranking" and "scores" have them only, and rows that lack one count as unlabelled.

        `segments` are strings by column, an Arrow array of text among them; rows of one unit share a bucket, and
        without `units` every row is one of its own (rows that are equal share theirs; `row_identities` of more columns
        tell them apart). `weights` of 0 or more, where the task is weighted.
        `influence` costs as much again as everything else, and only areas that are compared or clustered need it.
        InvalidInput, naming the column, the count and the first row, for other values, unequal lengths, and thresholds
        that are missing, not finite or of no model.
        """
        columns = Columns(labels, scores, segments, units, weights, quantities)
        rows = rows_of(columns, thresholds or {}, buckets, seed, cross, task)
        profile = cls._counted(rows, tuple(segments), cross, buckets, seed)
        return profile.with_influence([profile._moved_by(rows)]) if influence and task.has_scores else profile

    @classmethod
    def stream(
        cls,
        batches: Callable[[], Iterable[Columns]],
        thresholds: Mapping[str, float] | None = None,
        buckets: int = 50,
        seed: int = 0,
        *,
        cross: int = 2,
        influence: bool = True,
        task: Task = BINARY,
    ) -> "Profile":
        """The same profile from rows that do not fit into memory.

        `batches()` gives what differs from batch to batch. It is asked twice, and the second time only for
        `influence`. InvalidInput where it gives nothing.
        """

        profile: Profile | None = None
        for batch in batches():  # one after the other: merging several at once takes their memory at once
            rows = rows_of(batch, thresholds or {}, buckets, seed, cross, task)
            part = cls._counted(rows, rows.columns, cross, buckets, seed)
            profile = part if profile is None else profile + part
        if profile is None:
            raise InvalidInput("there are no rows to profile", expected="at least one batch")
        if not (influence and task.has_scores):
            return profile
        return profile.with_influence(map(profile.influence_of, batches()))

    @classmethod
    def _counted(cls, rows: Rows, columns: tuple[str, ...], cross: int, buckets: int, seed: int) -> "Profile":
        counted = rows.count(buckets)
        return cls(
            rows.task,
            rows.models,
            rows.thresholds,
            columns,
            cross,
            buckets,
            seed,
            tuple(itertools.chain.from_iterable(group.segments for group in rows.groups)),
            counted.segment,
            counted.bucket,
            counted.table,
            {model: rows.histogram(model) for model in rows.models} if rows.task.has_scores else {},
        )

    def influence_of(self, columns: Columns) -> Influence:
        """What some of the profile's rows move its areas by; the parts of all rows make `with_influence`."""
        thresholds = dict(zip(self.models, self.thresholds, strict=True))
        return self._moved_by(rows_of(columns, thresholds, self.buckets, self.seed, self.cross, self.task))

    def with_influence(self, parts: Iterable[Influence]) -> "Profile":
        """The profile with what its areas need to be compared, from the parts of all its rows, in any order."""
        total: Influence | None = None
        for part in parts:
            total = part if total is None else total + part
        return replace(self, influence=total)

    def _moved_by(self, rows: Rows) -> Influence:
        placed = rows.placed(self.segments, self.segment * self.buckets + self.bucket, self.buckets)
        scores = [rows.scores[model] for model in self.models]
        histograms = [self.histograms[model] for model in self.models]
        size = len(self.segments), len(self.table)
        return influence_of(histograms, *size, placed, scores, rows.positive, rows.weight)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Profile":
        """The profile `to_bytes` wrote; InvalidInput where the bytes are damaged or of another format."""
        stored = profile_bytes.decode(data)
        influence = None
        if stored.influence is not None and stored.squares is not None:
            influence = Influence(stored.influence, stored.squares)
        return cls(
            stored.task,
            stored.models,
            stored.thresholds,
            stored.columns,
            stored.cross,
            stored.buckets,
            stored.seed,
            stored.segments,
            stored.keys // stored.buckets,
            stored.keys % stored.buckets,
            stored.table,
            {
                model: Histogram.of_keys(*content, WEIGHT_UNIT if stored.task.weighted else 1.0)
                for model, content in zip(stored.models, stored.histograms, strict=stored.task.has_scores)
            },
            influence,
        )

    def to_bytes(self) -> bytes:
        """A compact form for storing; equal profiles give equal bytes on every machine."""
        return profile_bytes.encode(
            profile_bytes.Content(
                self.task,
                self.models,
                self.thresholds,
                self.columns,
                self.cross,
                self.buckets,
                self.seed,
                self.segments,
                self.segment * self.buckets + self.bucket,
                self.table,
                [histogram.to_keys() for histogram in self.histograms.values()],
                self.influence.buckets if self.influence else None,
                self.influence.squares if self.influence else None,
            )
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        return self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # equality by content of arrays: not for sets and keys

    def __add__(self, other: "Profile") -> "Profile":
        """The profile of both's rows, without the influence; exact, in any order and grouping.

        InvalidInput, naming the difference, unless both have the same task, models, thresholds, segment columns,
        crosses, buckets and seed.
        """
        return _merged([self, other])

    @classmethod
    def total(cls, profiles: "Iterable[Profile]") -> "Profile":
        """The sum of many at once, as `+`: faster than one after the other, with all of them in memory.

        InvalidInput for none, and as for two.
        """
        given = list(profiles)
        if not given:
            raise InvalidInput("there are no profiles to add", expected="at least one")
        return _merged(given) if len(given) > 1 else given[0].without_influence()

    def without_influence(self) -> "Profile":
        """The same profile as an addition would leave it."""
        return replace(self, influence=None)

    @property
    def n_rows(self) -> int:
        """Rows, labelled or not."""
        return self._overall(0)

    @property
    def n_labelled(self) -> int:
        """Rows with a label."""
        return self._overall(0) - self._overall(1)

    def _overall(self, column: int) -> int:
        return int(self.table[self.segment == 0, column].sum()) if self.segments else 0

    def position(self, segment: Segment) -> int | None:
        """The place of a segment in `segments`; None where none of its rows occurs.

        InvalidInput for a column the profile does not have, has twice in the segment, or does not cross so far.
        """
        names = [column for column, _ in segment.conditions]
        for column in names:
            if column not in self.columns:
                raise InvalidInput(
                    f"the profile has no segment column {column!r}",
                    expected=f"one of {', '.join(self.columns) or 'none'}",
                    hint=nearest(column, list(self.columns)),
                )
        if len(set(names)) < len(names):
            raise InvalidInput(f"{segment.name} names a column twice", expected="each column once")
        if len(names) > self.cross:
            raise InvalidInput(
                f"{segment.name} crosses {len(names)} columns; the profile keeps crosses of up to {self.cross}",
                hint=f"evaluate again with cross={len(names)}",
            )
        ordered = Segment(tuple(sorted(segment.conditions, key=lambda pair: self.columns.index(pair[0]))))
        return self._places().get(ordered)

    def up_to(self, cross: int) -> list[int]:
        """The places of the segments that cross at most `cross` columns; InvalidInput where fewer were kept."""
        if cross < 0:
            raise InvalidInput(f"crosses of {cross!r} columns", expected="0 or more")
        if self.cross < min(cross, len(self.columns)):
            raise InvalidInput(
                f"the profile keeps crosses of up to {self.cross} columns, not of {cross}",
                hint=f"evaluate again with cross={cross}",
            )
        return [place for place, segment in enumerate(self.segments) if len(segment.conditions) <= cross]

    def _places(self) -> dict[Segment, int]:
        found = self._cache.get("places")
        if not isinstance(found, dict):
            found = {segment: place for place, segment in enumerate(self.segments)}
            self._cache["places"] = found
        return found

    def segment_names(self) -> list[str]:
        """The name of each segment, in their order."""
        found = self._cache.get("names")
        if not isinstance(found, list):
            found = [segment.name for segment in self.segments]
            self._cache["names"] = found
        return found

    def column_names(self) -> dict[str, int]:
        """Which column of the table holds which sum."""
        before = ("rows", "unlabelled", *(("weight", "weight_squares") if self.task.weighted else ()))
        return {name: column for column, name in enumerate((*before, *columns_of(self.task, self.models)))}

    def starts(self) -> Integers:
        """[segments] the first row of the table of each segment."""
        return np.searchsorted(self.segment, np.arange(len(self.segments)))

    def totals(self) -> Sums:
        """The sums of each segment, areas included."""
        found = self._cache.get("totals")
        if not isinstance(found, Sums):
            found = replace(self._sums(self._table_of_segments()), areas=self.areas(), curves=self.histograms)
            self._cache["totals"] = found
        return found

    def by_bucket(self) -> Sums:
        """The sums of each row of the table: of a segment and a bucket."""
        return self._sums(self.table)

    def without_each_bucket(self) -> Sums:
        """For each row of the table, the sums of its segment without its bucket."""
        return self._sums(self._table_of_segments()[self.segment] - self.table)

    def areas(self) -> dict[str, AreaCounts]:
        """By model, what the area under the ROC curve of each segment is made of."""
        return {model: histogram.area(len(self.segments)) for model, histogram in self.histograms.items()}

    def _sums(self, table: Integers) -> Sums:
        return Sums(self.column_names(), table, weighted=self.task.weighted)

    def _table_of_segments(self) -> Integers:
        if not len(self.table):
            return np.zeros((len(self.segments), self.table.shape[1]), dtype=np.int64)
        table: Integers = np.add.reduceat(self.table, self.starts(), axis=0)
        return table


def _merged(profiles: Sequence[Profile]) -> Profile:
    """The profile of all rows of several."""
    first = profiles[0]
    for other in profiles[1:]:
        for name in ("task", "models", "thresholds", "columns", "cross", "buckets", "seed"):
            mine, theirs = getattr(first, name), getattr(other, name)
            if mine != theirs:
                raise InvalidInput(
                    f"profiles with different {name} cannot be added: {mine!r} and {theirs!r}",
                    expected="the same task, models, thresholds, segment columns, crosses, buckets and seed",
                )
    segments = first.segments
    if any(other.segments != segments for other in profiles[1:]):
        segments = _all_segments(profiles)
    position = {segment: place for place, segment in enumerate(segments)}
    places = [np.asarray([position[segment] for segment in one.segments], dtype=np.int64) for one in profiles]
    if sum(max(int(one.table.max(initial=0)), -int(one.table.min(initial=0))) for one in profiles) > _LARGEST_SUM:
        raise InvalidInput("the sums of these profiles do not fit into 64 bits", hint="keep them apart")
    tables = [
        (place[one.segment] * first.buckets + one.bucket, one.table)
        for place, one in zip(places, profiles, strict=True)
    ]
    keys, table = total(tables, len(segments) * first.buckets)
    return replace(
        first,
        segments=segments,
        segment=keys // first.buckets,
        bucket=keys % first.buckets,
        table=table,
        histograms={
            model: Histogram.total([one.histograms[model] for one in profiles], places, len(segments))
            for model in first.histograms
        },
        influence=None,
    )


def _all_segments(profiles: Sequence[Profile]) -> tuple[Segment, ...]:
    first = profiles[0]
    order = {chosen: place for place, chosen in enumerate(segmentations_of(len(first.columns), first.cross))}
    number = {name: place for place, name in enumerate(first.columns)}

    def place_of(segment: Segment) -> tuple[int, tuple[str, ...]]:
        chosen = tuple(number[column] for column, _ in segment.conditions)
        return order[chosen], tuple(value for _, value in segment.conditions)

    return tuple(sorted({segment for one in profiles for segment in one.segments}, key=place_of))
