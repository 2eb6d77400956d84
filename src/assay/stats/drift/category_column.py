"""What a column of categories looks like: how often each value occurs, exactly up to a cap of distinct values.

Beyond the cap only the values with the smallest hashes keep their name, and the others are counted by their hash. Which
those are depends on the values that occur and on nothing else, so profiles still add up bit for bit; a frequent
value may lose its name, but never its place among the buckets, so distances see it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from assay.stats.grouping import Integers
from assay.stats.murmur import murmur3_x86_32

__all__ = ["BUCKETS", "CAP", "Categories", "bucket_counts", "hashes_of"]

CAP = 10_000
BUCKETS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A column of `rows` categories (`kind` "category") or truth values ("boolean"), of which `missing` are null.

    `values` (sorted) with `counts`. Where more than `cap` values occur, those are the `cap` ones with the smallest
    hashes, and `other` [BUCKETS] counts the rows of all others by hash; else `other` is empty. Add with `+`.
    """

    kind: Literal["category", "boolean"]
    rows: int
    missing: int
    values: tuple[str, ...]
    counts: Integers
    other: Integers
    cap: int = CAP

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def is_exact(self) -> bool:
        """Whether every value has its name."""
        return not len(self.other)

    @classmethod
    def of_counts(
        cls,
        kind: Literal["category", "boolean"],
        rows: int,
        values: Sequence[str],
        counts: Integers,
        cap: int = CAP,
    ) -> "Categories":
        """From distinct values, in any order, with how many of `rows` have each; the rest is missing."""
        held = np.flatnonzero(counts)
        named = sorted((values[place], place) for place in held.tolist())
        order = np.asarray([place for _, place in named], dtype=np.int64)
        names = tuple(name for name, _ in named)
        missing = rows - int(counts.sum())
        return _capped(kind, rows, missing, names, counts[order].astype(np.int64), np.zeros(0, np.int64), cap)

    def top(self, most: int = 10) -> list[tuple[str, int]]:
        """The most frequent named values, falling, ties by name."""
        order = np.argsort(-self.counts, kind="stable")[:most].tolist()
        return [(self.values[place], int(self.counts[place])) for place in order]

    def __add__(self, other: "Categories") -> "Categories":
        return Categories.total_of([self, other])

    @staticmethod
    def total_of(parts: "Sequence[Categories]", weights: Sequence[int] | None = None) -> "Categories":
        """The sum of one or more profiles of one kind, each taken as often as `weights` says (once)."""
        if len(parts) == 1 and weights is None:
            return parts[0]
        times = [1] * len(parts) if weights is None else list(weights)
        taken = [(part, often) for part, often in zip(parts, times, strict=True) if often]
        first = parts[0]
        same = [part for part, _ in taken if part.values == first.values]
        if len(same) == len(taken):
            names = first.values
            counts = sum((part.counts * often for part, often in taken), np.zeros(len(names), np.int64))
        else:
            names = tuple(sorted(set().union(*(part.values for part, _ in taken))))
            place = {name: number for number, name in enumerate(names)}
            counts = np.zeros(len(names), np.int64)
            for part, often in taken:
                counts[[place[name] for name in part.values]] += part.counts * often
        other = [part.other * often for part, often in taken if len(part.other)]
        return _capped(
            first.kind,
            sum(part.rows * often for part, often in taken),
            sum(part.missing * often for part, often in taken),
            names if taken else (),
            counts if taken else np.zeros(0, np.int64),
            np.sum(other, axis=0) if other else np.zeros(0, np.int64),
            min(part.cap for part in parts),
        )


def hashes_of(values: Sequence[str]) -> Integers:
    """[values] 32 bits each, the same on every machine."""
    import pyarrow as pa

    return murmur3_x86_32(pa.array(values, pa.large_string())).astype(np.int64)


def bucket_counts(profile: Categories) -> Integers:
    """[BUCKETS] the rows of all values by their hash."""
    buckets = np.bincount(hashes_of(profile.values) % BUCKETS, weights=profile.counts, minlength=BUCKETS)
    counts = buckets.astype(np.int64)
    return counts if profile.is_exact else counts + profile.other


def _capped(
    kind: Literal["category", "boolean"],
    rows: int,
    missing: int,
    values: tuple[str, ...],
    counts: Integers,
    other: Integers,
    cap: int,
) -> Categories:
    if len(values) <= cap:
        return Categories(kind, rows, missing, values, counts, other, cap)
    hashes = hashes_of(values)
    order = np.argsort(hashes, kind="stable")  # values are sorted, so equal hashes go by name
    kept, dropped = np.sort(order[:cap]), order[cap:]
    buckets = np.bincount(hashes[dropped] % BUCKETS, weights=counts[dropped], minlength=BUCKETS).astype(np.int64)
    names = tuple(values[place] for place in kept.tolist())
    return Categories(kind, rows, missing, names, counts[kept], buckets + other if len(other) else buckets, cap)
