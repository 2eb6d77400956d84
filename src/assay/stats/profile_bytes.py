"""The stored form of a profile: MessagePack, with each array of whole numbers in as few bytes as they need."""

from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats.families import columns_of
from assay.stats.grouping import Integers
from assay.stats.histogram import BIN_BITS, BINS
from assay.stats.segment import Segment
from assay.stats.task import Task, check_task
from assay.stats.varint import pack, unpack

__all__ = ["FORMAT_VERSION", "Content", "decode", "encode"]

FORMAT_VERSION = 3


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a profile holds. `keys` are segment·buckets + bucket; each histogram (keys, [keys, 2] counts)."""

    task: Task
    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    cross: int
    buckets: int
    seed: int
    segments: tuple[Segment, ...]
    keys: Integers
    table: Integers
    histograms: list[tuple[Integers, Integers]]
    influence: Integers | None
    squares: Integers | None


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    task: Task
    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    cross: int
    buckets: int
    seed: int
    segments: list[tuple[tuple[str, str], ...]]
    keys: bytes
    table: list[bytes]  # one for each column
    signed: list[int]  # columns with negative sums, folded
    histograms: list[tuple[bytes, bytes, bytes]]  # keys as differences, positives, negatives
    influence: list[bytes] | None  # one for each model, folded
    squares: list[bytes] | None  # one for each pair of models, class and part


class _Format(msgspec.Struct):
    format: int


def encode(content: Content) -> bytes:
    """The bytes of a profile; equal for equal content."""
    signed = np.flatnonzero((content.table < 0).any(axis=0)).tolist()
    return msgspec.msgpack.encode(
        _Stored(
            format=FORMAT_VERSION,
            task=content.task,
            models=content.models,
            thresholds=content.thresholds,
            columns=content.columns,
            cross=content.cross,
            buckets=content.buckets,
            seed=content.seed,
            segments=[segment.conditions for segment in content.segments],
            keys=pack(np.diff(content.keys, prepend=0)),
            table=[
                pack(_folded(column) if place in signed else column) for place, column in enumerate(content.table.T)
            ],
            signed=signed,
            histograms=[
                (pack(np.diff(keys, prepend=0)), pack(counts[:, 0]), pack(counts[:, 1]))
                for keys, counts in content.histograms
            ],
            influence=None if content.influence is None else [pack(_folded(one)) for one in content.influence.T],
            squares=None
            if content.squares is None
            else [pack(one) for one in content.squares.reshape(len(content.squares), 4 * content.squares.shape[1]).T],
        )
    )


def decode(data: bytes) -> Content:
    """The content of `encode`d bytes, checked; InvalidInput where they are not a profile of this format."""
    try:
        version = msgspec.msgpack.decode(data, type=_Format).format
        if version != FORMAT_VERSION:
            raise InvalidInput(
                f"the profile is in format {version}", expected=f"format {FORMAT_VERSION}", hint="evaluate again"
            )
        stored = msgspec.msgpack.decode(data, type=_Stored)
        content = _content(stored)
        _check(content)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"these bytes are not a profile: {error}", hint="evaluate again") from error
    return content


def _folded(values: Integers) -> Integers:
    """Whole numbers of either sign as ones that are not negative, small where they are small."""
    return np.where(values < 0, -2 * values - 1, 2 * values)


def _unfolded(values: Integers) -> Integers:
    return np.where(values & 1, -(values + 1) // 2, values // 2)


def _content(stored: _Stored) -> Content:
    keys = np.cumsum(unpack(stored.keys))
    check_task(stored.task)
    names = columns_of(stored.task, stored.models)
    if len(stored.table) != len(names) + (4 if stored.task.weighted else 2):
        raise ValueError(f"{len(stored.table)} columns of sums for {len(stored.models)} models")
    sums = [unpack(column) for column in stored.table]
    sums = [_unfolded(column) if place in stored.signed else column for place, column in enumerate(sums)]
    table = np.ascontiguousarray(np.stack(sums, axis=1))
    histograms = []
    for differences, positives, negatives in stored.histograms:
        counts = np.stack([unpack(positives), unpack(negatives)], axis=1)
        histograms.append((np.cumsum(unpack(differences)), counts))
    influence, squares = None, None
    segments = tuple(Segment(conditions) for conditions in stored.segments)
    if stored.influence is not None and stored.squares is not None:
        pairs = len(stored.models) * (len(stored.models) - 1) // 2
        if len(stored.influence) != len(stored.models) or len(stored.squares) != 4 * pairs:
            raise ValueError("the influence is not one of these models")
        influence = np.zeros((len(keys), len(stored.models)), dtype=np.int64)
        for model, column in enumerate(stored.influence):
            influence[:, model] = _unfolded(unpack(column))
        flat = np.zeros((len(segments), 4 * pairs), dtype=np.int64)
        for pair, column in enumerate(stored.squares):
            flat[:, pair] = unpack(column)
        squares = flat.reshape(len(segments), pairs, 2, 2)
    return Content(
        stored.task,
        stored.models,
        stored.thresholds,
        stored.columns,
        stored.cross,
        stored.buckets,
        stored.seed,
        segments,
        keys,
        table,
        histograms,
        influence,
        squares,
    )


def _check(content: Content) -> None:
    """What the arrays and names must satisfy for the profile to be one that `Profile.build` can make."""
    number = {name: place for place, name in enumerate(content.columns)}
    order = [
        (len(one.conditions), [number.get(column, -1) for column, _ in one.conditions], [v for _, v in one.conditions])
        for one in content.segments
    ]
    facts = {
        "models are sorted, with a threshold and a histogram each where they give scores": (
            list(content.models) == sorted(set(content.models))
            and len(content.thresholds) == len(content.histograms)
            and len(content.thresholds) == (len(content.models) if content.task.has_scores else 0)
        ),
        "segments are sorted and of the profile's columns": (
            all(-1 not in columns and size <= content.cross for size, columns, _ in order)
            and all(first < second for first, second in pairwise(order))
        ),
        "rows of sums are sorted and belong to a segment and a bucket": (
            content.buckets > 0
            and len(content.table) == len(content.keys)
            and bool(np.all(np.diff(content.keys) > 0))
            and int(content.keys.max(initial=-1)) < len(content.segments) * content.buckets
            and len(np.unique(content.keys // content.buckets)) == len(content.segments)
        ),
        "numbers of rows are not negative": bool((content.table[:, :2] >= 0).all()),
        "histograms are sorted and belong to a segment": all(
            len(keys) == len(counts)
            and bool(np.all(np.diff(keys) > 0))
            and int(keys.max(initial=-1)) < len(content.segments) << BIN_BITS
            and int((keys & ((1 << BIN_BITS) - 1)).max(initial=0)) < BINS
            for keys, counts in content.histograms
        ),
    }
    broken = [fact for fact, holds in facts.items() if not holds]
    if broken:
        raise ValueError(f"it does not hold that {broken[0]}")
