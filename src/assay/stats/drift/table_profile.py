"""The profile of a table: what each column looks like, over all rows and in each segment, from one pass."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

import numpy as np

from assay.errors import InvalidInput, nearest
from assay.stats.drift.category_column import CAP, Categories
from assay.stats.drift.number_column import Numbers, count_days, count_numbers
from assay.stats.grouping import Integers
from assay.stats.segment import OVERALL, Segment
from assay.stats.segmentation import Grouping, code_columns, groupings

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["KINDS", "ColumnProfile", "Kind", "TableProfile"]

Kind = Literal["number", "category", "boolean", "time"]
KINDS: tuple[Kind, ...] = ("number", "category", "boolean", "time")
ColumnProfile = Numbers | Categories

MISSING = "(missing)"
_BATCH = 2**19
_DENSE = 2**24
_DAYS = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


class ProfileOptions(TypedDict, total=False):
    """How a table is profiled.

    `columns` (all) by their Arrow type: numbers, booleans, text (plain or dictionary) as categories, dates and
    timestamps by day in UTC; `kinds` says otherwise, such as {"zip": "category"} for a column of numbers. `segments`
    are columns whose values, as text, part the rows, crossed up to `cross` of them; null is "(missing)". Categories are
    counted by name up to a `cap`. `like` takes all of it from a profile that this one is to be compared with.
    """

    columns: Sequence[str] | None
    segments: Sequence[str]
    cross: int
    kinds: Mapping[str, Kind] | None
    cap: int
    like: "TableProfile | None"


@dataclass(frozen=True, slots=True, eq=False)
class TableProfile:
    """Columns by name, and the profile of each in every segment that has rows, `OVERALL` first.

    `segment_columns` and `cross` say which segments: every value of each column, and crosses of up to `cross` of them.
    Profiles of the same columns add up with `+`, bit for bit whatever the order or split of the rows.
    """

    columns: dict[str, dict[Segment, ColumnProfile]]
    segment_columns: tuple[str, ...] = ()
    cross: int = 1

    @property
    def kinds(self) -> dict[str, Kind]:
        """The kind of each column."""
        return {name: of[OVERALL].kind for name, of in self.columns.items()}

    @property
    def segments(self) -> list[Segment]:
        """All that have rows, sorted; `OVERALL` is the first."""
        return sorted(set().union(*self.columns.values()), key=lambda one: (len(one.conditions), one))

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return next(iter(self.columns.values()))[OVERALL].rows

    def column(self, name: str, segment: Segment = OVERALL) -> ColumnProfile:
        """One column in one segment; without rows where the segment has none. InvalidInput for another column."""
        if name not in self.columns:
            raise InvalidInput(
                f"there is no column {name!r} in the profile",
                expected=", ".join(self.columns),
                hint=nearest(name, list(self.columns)),
            )
        found = self.columns[name].get(segment)
        return empty_like(self.columns[name][OVERALL]) if found is None else found

    @classmethod
    def of(cls, table: "pa.Table | pa.RecordBatch", **options: Unpack[ProfileOptions]) -> "TableProfile":
        """The profile of an Arrow table, all columns by their Arrow type, where no options say otherwise.

        InvalidInput for a column that is not there, or that cannot be read as the kind.
        """
        like = options.get("like")
        if like is not None:
            options = {"columns": list(like.columns), "kinds": like.kinds, "segments": like.segment_columns}
            options |= {"cross": like.cross, "cap": _cap_of(like)}
        columns, kinds = options.get("columns"), options.get("kinds") or {}
        segments, cross, cap = options.get("segments", ()), options.get("cross", 1), options.get("cap", CAP)
        names = list(table.column_names if columns is None else columns)
        for name in (*names, *segments, *kinds):
            if name not in table.column_names:
                raise InvalidInput(
                    f"the table has no column {name!r}",
                    expected=", ".join(table.column_names),
                    hint=nearest(name, list(table.column_names)),
                )
        if not names:
            raise InvalidInput("no column is to be profiled", expected="one column or more")
        made: list[Grouping] = []
        if segments:
            made = groupings(code_columns({name: _as_text(table, name) for name in segments}, table.num_rows), cross)
        found: dict[str, dict[Segment, ColumnProfile]] = {}
        for name in names:
            kind = kinds.get(name) or _kind_of(table.schema.field(name).type, name)
            found[name] = _by_segment(_Column(table, name, kind, cap), made)
        return cls(found, tuple(segments), cross)

    @classmethod
    def stream(cls, batches: "Iterable[pa.RecordBatch]", **options: Unpack[ProfileOptions]) -> "TableProfile":
        """As `of`, of batches that come one after the other; they are gathered to half a million rows, not kept.

        InvalidInput where there is no batch.
        """
        import pyarrow as pa

        found: TableProfile | None = None
        held: list[pa.RecordBatch] = []

        def profiled() -> TableProfile:
            one = cls.of(pa.Table.from_batches(held), **options)
            held.clear()
            return one if found is None else found + one

        for batch in batches:
            held.append(batch)
            if sum(one.num_rows for one in held) >= _BATCH:
                found = profiled()
        if held:
            found = profiled()
        if found is None:
            raise InvalidInput("there is no batch", expected="one batch or more, which may have no rows")
        return found

    def __add__(self, other: "TableProfile") -> "TableProfile":
        return TableProfile.total_of([self, other])

    @staticmethod
    def total_of(parts: "Sequence[TableProfile]", weights: Sequence[int] | None = None) -> "TableProfile":
        """The sum of one or more profiles, each taken as often as `weights` says (once).

        InvalidInput for none, and for profiles of other columns, kinds or segments.
        """
        if not parts:
            raise InvalidInput("there is no profile to add", expected="one or more")
        first = parts[0]
        for part in parts[1:]:
            if (part.kinds, part.segment_columns, part.cross) != (first.kinds, first.segment_columns, first.cross):
                raise InvalidInput(
                    "the profiles are not of the same columns",
                    expected=_said(first),
                    hint=f"profile with like= the first; this one has {_said(part)}",
                )
        found: dict[str, dict[Segment, ColumnProfile]] = {}
        for name in first.columns:
            segments = sorted(set().union(*(part.columns[name] for part in parts)), key=_order)
            found[name] = {}
            for segment in segments:
                held = [(place, one) for place, part in enumerate(parts) if (one := part.columns[name].get(segment))]
                own = None if weights is None else [weights[place] for place, _ in held]
                found[name][segment] = total_of([one for _, one in held], own)
        return TableProfile(found, first.segment_columns, first.cross)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableProfile) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Compact, and equal for equal profiles."""
        from assay.stats.drift.profile_codec import encode

        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> "TableProfile":
        """The inverse of `to_bytes`; InvalidInput for bytes that are none of this format."""
        from assay.stats.drift.profile_codec import decode

        return decode(data)


def total_of(parts: Sequence[ColumnProfile], weights: Sequence[int] | None = None) -> ColumnProfile:
    """The sum of profiles of one column; InvalidInput where they are of two kinds."""
    numbers = [part for part in parts if isinstance(part, Numbers)]
    categories = [part for part in parts if isinstance(part, Categories)]
    if len({part.kind for part in parts}) != 1:
        raise InvalidInput("the profiles are not of one kind", expected=parts[0].kind if parts else "one or more")
    return Numbers.total_of(numbers, weights) if numbers else Categories.total_of(categories, weights)


def empty_like(profile: ColumnProfile) -> ColumnProfile:
    """A column of that kind without rows."""
    none = np.zeros(0, np.int64)
    if isinstance(profile, Numbers):
        return Numbers(profile.kind, 0, 0, none, none, 0, 0)
    return Categories(profile.kind, 0, 0, (), none, none, profile.cap)


def _order(segment: Segment) -> tuple[int, Segment]:
    return len(segment.conditions), segment


def _said(profile: TableProfile) -> str:
    columns = ", ".join(f"{name} ({kind})" for name, kind in profile.kinds.items())
    return columns + (f" by {', '.join(profile.segment_columns)}" if profile.segment_columns else "")


def _cap_of(profile: TableProfile) -> int:
    caps = [one.cap for of in profile.columns.values() for one in of.values() if isinstance(one, Categories)]
    return min(caps, default=CAP)


def _by_segment(column: "_Column", made: Sequence[Grouping]) -> dict[Segment, ColumnProfile]:
    """The profile of the column in every segment: counted by the largest groupings, the others are their sums."""
    if not made:
        return {OVERALL: column.counted(None, 1)[0]}
    by_grouping: dict[tuple[int, ...], list[ColumnProfile]] = {}
    for group in made:
        if group.row is not None:
            by_grouping[group.columns] = column.counted(group.row, len(group.segments))
    for group in made:
        if group.parent is not None and group.of_parent is not None:
            parts: list[list[ColumnProfile]] = [[] for _ in group.segments]
            for place, one in zip(group.of_parent.tolist(), by_grouping[group.parent], strict=True):
                parts[place].append(one)
            by_grouping[group.columns] = [total_of(own) for own in parts]
    found: dict[Segment, ColumnProfile] = {}
    for group in made:
        found |= zip(group.segments, by_grouping[group.columns], strict=True)
    if OVERALL not in found:  # no rows at all
        found = {OVERALL: column.counted(None, 1)[0]}
    return found


class _Column:
    """A column of a table as what is counted; it is read once, however many groupings count it."""

    def __init__(self, table: "pa.Table | pa.RecordBatch", name: str, kind: Kind, cap: int) -> None:
        self.kind, self.cap = kind, cap
        self._known = None
        column = _plain(table.column(name))
        if kind == "number":
            self._values = _numbers_of(column, name)
        elif kind == "time":
            self._days, self._known = _days_of(column, name)
        else:
            self._names, self._codes = _codes_of(column, name, kind)

    def counted(self, groups: Integers | None, size: int) -> list[ColumnProfile]:
        """[size] the profiles of the rows of each group."""
        if self.kind == "number":
            return list(count_numbers(self._values, groups, size))
        if self.kind == "time":
            return list(count_days(self._days, self._known, groups, size))
        width = len(self._names) + 1  # the last one is null
        cells = self._codes if groups is None else groups * width + self._codes
        if size * width <= _DENSE:
            table = np.bincount(cells, minlength=size * width)
            found = np.flatnonzero(table)
            counts = table[found]
        else:
            found, counts = np.unique(cells, return_counts=True)
        ends = np.searchsorted(found, np.arange(size + 1) * width).tolist()
        made: list[ColumnProfile] = []
        for group in range(size):
            part = slice(ends[group], ends[group + 1])
            codes, own = found[part] - group * width, counts[part].astype(np.int64)
            rows, named = int(own.sum()), codes < width - 1
            names = [self._names[code] for code in codes[named].tolist()]
            kind: Literal["category", "boolean"] = "boolean" if self.kind == "boolean" else "category"
            made.append(Categories.of_counts(kind, rows, names, own[named], self.cap))
        return made


def _plain(column: "pa.Array | pa.ChunkedArray") -> "pa.Array":
    """One array of the column."""
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        if pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries()
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # more text than one array holds
            column = column.cast(pa.large_string()).combine_chunks()
    return column


def _kind_of(kind: "pa.DataType", name: str) -> Kind:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return _kind_of(kind.value_type, name)
    if types.is_boolean(kind):
        return "boolean"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "category"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "time"
    numeric = (types.is_integer, types.is_floating, types.is_decimal, types.is_duration, types.is_time, types.is_null)
    if any(is_one(kind) for is_one in numeric):
        return "number"
    raise InvalidInput(
        f"column {name!r} is of type {kind}, which has no profile",
        expected="numbers, text, booleans or times",
        hint="choose other columns with columns=",
    )


def _numbers_of(column: "pa.Array", name: str) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        if _kind_of(column.type, name) not in ("number", "boolean"):
            raise _unreadable(column, name, "number")
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64())
        column = column.cast(pa.float64())
    if column.null_count:
        if pa.types.is_integer(column.type):
            column = column.cast(pa.float64(), safe=False)
        column = pc.fill_null(column, float("nan"))
    return np.asarray(column.to_numpy(zero_copy_only=False))


def _days_of(column: "pa.Array", name: str) -> "tuple[Integers, np.ndarray[tuple[int], np.dtype[np.bool_]] | None]":
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    per_day = 1
    if pa.types.is_timestamp(column.type):
        per_day = _DAYS[column.type.unit]
    elif pa.types.is_date64(column.type):
        per_day = _DAYS["ms"]
    elif not (pa.types.is_date32(column.type) or pa.types.is_null(column.type)):
        raise _unreadable(column, name, "time")
    whole = column.cast(pa.int32()) if pa.types.is_date32(column.type) else column.cast(pa.int64())
    known = None
    if column.null_count:
        known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
        whole = pc.fill_null(whole, 0)
    days = np.asarray(whole.to_numpy(zero_copy_only=False)).astype(np.int64)
    return np.floor_divide(days, per_day), known


def _codes_of(column: "pa.Array", name: str, kind: Kind) -> tuple[list[str], Integers]:
    """Distinct values as text, and the place of each row's in them; null has the place after the last."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "boolean" and not pa.types.is_boolean(column.type) and not pa.types.is_null(column.type):
        raise _unreadable(column, name, "boolean")
    if pa.types.is_null(column.type):
        return [], np.zeros(len(column), np.int64)
    if pa.types.is_boolean(column.type):
        whole = pc.fill_null(column.cast(pa.int8()), 2)
        return ["false", "true"], np.asarray(whole.to_numpy(zero_copy_only=False)).astype(np.int64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.cast(pa.large_string()).to_pylist()
    indices = column.indices
    place = {word: number for number, word in enumerate(dict.fromkeys(word for word in words if word is not None))}
    if indices.null_count:
        indices = pc.fill_null(indices.cast(pa.int64()), len(words))
    codes = np.asarray(indices.to_numpy(zero_copy_only=False)).astype(np.int64)
    if len(place) < len(words) or indices.null_count:  # a dictionary may hold a value twice, and null
        own = np.asarray([len(place) if word is None else place[word] for word in [*words, None]], np.int64)
        codes = own[codes]
    return list(place), codes


def _as_text(table: "pa.Table | pa.RecordBatch", name: str) -> "pa.Array":
    """A segment column as text; null is a value of its own."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = _plain(table.column(name))
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return pc.fill_null(column.cast(pa.string()), MISSING) if column.null_count else column.cast(pa.string())


def _unreadable(column: "pa.Array", name: str, kind: Kind) -> InvalidInput:
    return InvalidInput(
        f"column {name!r} is of type {column.type}",
        expected=f"what can be read as {kind}",
        hint="a column that changed its type is to be repaired where it comes from",
    )
