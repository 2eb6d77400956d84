"""The stored form of a table's profile: MessagePack, with each array of whole numbers in as few bytes as they need."""

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats.drift.category_column import BUCKETS, Categories
from assay.stats.drift.number_column import INFINITE, Numbers
from assay.stats.drift.table_profile import KINDS, ColumnProfile, TableProfile
from assay.stats.segment import OVERALL, Segment
from assay.stats.varint import pack, unpack

__all__ = ["FORMAT_VERSION", "decode", "encode"]

FORMAT_VERSION = 1


class _Column(msgspec.Struct, frozen=True, array_like=True):
    """One column in one segment: `names` and `cap` are of categories, `first`, `total` and `squares` of numbers."""

    rows: int
    missing: int
    keys: bytes  # differences of bins, buckets of categories without a name
    counts: bytes
    names: tuple[str, ...]
    cap: int
    first: int
    total: bytes
    squares: bytes


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    segment_columns: tuple[str, ...]
    cross: int
    segments: list[tuple[tuple[str, str], ...]]
    columns: list[tuple[str, str, list[tuple[int, _Column]]]]  # name, kind, and by the place of the segment


class _Format(msgspec.Struct):
    format: int


def encode(profile: TableProfile) -> bytes:
    """The bytes of a profile; equal for equal profiles."""
    segments = profile.segments
    place = {segment: number for number, segment in enumerate(segments)}
    columns: list[tuple[str, str, list[tuple[int, _Column]]]] = []
    for name, of in profile.columns.items():
        parts = sorted(((place[segment], _encoded(one)) for segment, one in of.items()), key=lambda part: part[0])
        columns.append((name, of[OVERALL].kind, parts))
    return msgspec.msgpack.encode(
        _Stored(
            format=FORMAT_VERSION,
            segment_columns=profile.segment_columns,
            cross=profile.cross,
            segments=[segment.conditions for segment in segments],
            columns=columns,
        )
    )


def decode(data: bytes) -> TableProfile:
    """The profile of `encode`d bytes, checked; InvalidInput where they are none of this format."""
    try:
        version = msgspec.msgpack.decode(data, type=_Format).format
        if version != FORMAT_VERSION:
            raise InvalidInput(
                f"the profile is in format {version}", expected=f"format {FORMAT_VERSION}", hint="profile again"
            )
        stored = msgspec.msgpack.decode(data, type=_Stored)
        segments = [Segment(conditions) for conditions in stored.segments]
        columns: dict[str, dict[Segment, ColumnProfile]] = {}
        for name, kind, parts in stored.columns:
            columns[name] = {segments[place]: _decoded(kind, part) for place, part in parts}
            if OVERALL not in columns[name]:
                raise ValueError(f"column {name!r} has no profile of all rows")  # noqa: TRY301 - becomes InvalidInput
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, IndexError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"these bytes are not a profile: {error}", hint="profile again") from error
    return TableProfile(columns, stored.segment_columns, stored.cross)


def _encoded(one: ColumnProfile) -> _Column:
    if isinstance(one, Numbers):
        first = int(one.bins[0]) if len(one.bins) else 0
        keys = pack(np.diff(one.bins, prepend=first))
        return _Column(
            one.rows, one.missing, keys, pack(one.counts), (), 0, first, _bytes_of(one.total), _bytes_of(one.squares)
        )
    return _Column(one.rows, one.missing, pack(one.other), pack(one.counts), one.values, one.cap, 0, b"", b"")


def _decoded(kind: str, part: _Column) -> ColumnProfile:
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}")
    keys, counts = unpack(part.keys), unpack(part.counts)
    counted = int(counts.sum())
    one: ColumnProfile
    if kind in ("number", "time"):
        bins = np.cumsum(keys) + part.first
        total, squares = (int.from_bytes(octets, "little", signed=True) for octets in (part.total, part.squares))
        one = Numbers("time" if kind == "time" else "number", part.rows, part.missing, bins, counts, total, squares)
        right = len(bins) == len(counts) and bool((keys[1:] > 0).all()) and not keys[:1].any()
        if kind == "number" and len(bins):
            right = right and bool(bins[0] >= -1 - INFINITE and bins[-1] <= INFINITE)
    else:
        own = "boolean" if kind == "boolean" else "category"
        one = Categories(own, part.rows, part.missing, part.names, counts, keys, part.cap)  # type: ignore[arg-type]
        counted += int(keys.sum())
        right = len(part.names) == len(counts) and list(part.names) == sorted(set(part.names))
        right = right and len(keys) in (0, BUCKETS) and len(part.names) <= part.cap
    if not right or part.missing < 0 or part.missing + counted != part.rows:
        raise ValueError("its counts do not add up")
    return one


def _bytes_of(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
