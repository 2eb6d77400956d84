"""Which segmentations a profile keeps, and which segment of each a row belongs to."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.stats.categories import Strings, categorise
from assay.stats.grouping import Integers, compress
from assay.stats.segment import Segment

__all__ = ["CodedColumns", "Grouping", "code_columns", "groupings", "segmentations_of"]

_KEY_LIMIT = 2**40  # of combinations numbered before those that occur are numbered anew


@dataclass(frozen=True, slots=True, eq=False)
class CodedColumns:
    """Segment columns as whole numbers: `codes[i]` [n] is the place of each row's value in the sorted `values[i]`."""

    names: tuple[str, ...]
    values: tuple[list[str], ...]
    codes: tuple[Integers, ...]
    rows: int

    def only(self, kept: NDArray[np.bool_]) -> "CodedColumns":
        """The rows that are `kept`, with the same values."""
        return CodedColumns(self.names, self.values, tuple(codes[kept] for codes in self.codes), int(kept.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """One segmentation of some rows: its `segments` that occur, in increasing order of their values.

    A maximal one (`parent` None) was counted from the rows: `row` [n] is the place of each row's segment. Another one
    follows from its parent: `of_parent` is the place here of each segment of the parent.
    """

    columns: tuple[int, ...]
    segments: tuple[Segment, ...]
    row: Integers | None
    parent: tuple[int, ...] | None
    of_parent: Integers | None


def segmentations_of(columns: int, cross: int) -> list[tuple[int, ...]]:
    """Overall, every column, every cross of up to `cross` columns; InvalidInput for a negative `cross`."""
    if cross < 0:
        raise InvalidInput(f"crosses of {cross!r} columns", expected="0 or more")
    sizes = range(min(cross, columns) + 1)
    return [chosen for size in sizes for chosen in itertools.combinations(range(columns), size)]


def code_columns(columns: Mapping[str, Strings], n: int) -> CodedColumns:
    """The columns of `n` rows as codes; InvalidInput for another length and for values that are not text."""
    found = []
    for name, values in columns.items():
        if len(values) != n:
            raise InvalidInput(
                f"{name} has {len(values)} values, but there are {n} rows", expected="one value for each row"
            )
        found.append(categorise(values, name))
    return CodedColumns(tuple(columns), tuple(c.values for c in found), tuple(c.codes for c in found), n)


def groupings(coded: CodedColumns, cross: int) -> list[Grouping]:
    """Every segmentation of the rows; only the maximal ones look at the rows."""
    wanted = segmentations_of(len(coded.names), cross)
    largest = len(wanted[-1])
    made: dict[tuple[int, ...], Grouping] = {}
    combinations: dict[tuple[int, ...], Integers] = {}  # [segments, columns] codes of a maximal segmentation
    for columns in (wanted_one for wanted_one in wanted if len(wanted_one) == largest):
        row, codes = _combine(coded, columns)
        combinations[columns] = codes
        made[columns] = Grouping(columns, _segments(coded, columns, codes), row, None, None)
    for columns in (wanted_one for wanted_one in wanted if len(wanted_one) < largest):
        parent = next(other for other in combinations if set(columns) <= set(other))
        places = [parent.index(column) for column in columns]
        codes, of_parent = _distinct(combinations[parent][:, places])
        made[columns] = Grouping(columns, _segments(coded, columns, codes), None, parent, of_parent)
    return [made[columns] for columns in wanted]


def _combine(coded: CodedColumns, columns: tuple[int, ...]) -> tuple[Integers, Integers]:
    """Each row's place among the combinations of codes that occur, and these ([combinations, columns], increasing)."""
    key, size = np.zeros(coded.rows, dtype=np.int64), 1
    for column in columns:
        count = max(1, len(coded.values[column]))
        if size * count > _KEY_LIMIT:
            distinct, key = compress(key, size)
            size = max(1, len(distinct))
        key, size = key * count + coded.codes[column], size * count
    distinct, row = compress(key, size)
    example = np.zeros(len(distinct), dtype=np.int64)
    example[row] = np.arange(coded.rows)
    chosen = [coded.codes[column][example] for column in columns]
    return row, np.stack(chosen, axis=1) if chosen else np.zeros((len(distinct), 0), dtype=np.int64)


def _distinct(codes: Integers) -> tuple[Integers, Integers]:
    if not codes.shape[1]:
        return codes[:1], np.zeros(len(codes), dtype=np.int64)
    distinct, place = np.unique(codes, axis=0, return_inverse=True)
    return distinct, place.astype(np.int64).reshape(-1)


def _segments(coded: CodedColumns, columns: tuple[int, ...], codes: Integers) -> tuple[Segment, ...]:
    names = [coded.names[column] for column in columns]
    texts = [[coded.values[column][code] for code in codes[:, i].tolist()] for i, column in enumerate(columns)]
    if not columns:
        return (Segment(),) * len(codes)
    return tuple(Segment(tuple(zip(names, values, strict=True))) for values in zip(*texts, strict=True))
