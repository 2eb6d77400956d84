"""The stored form of a profile: MessagePack, with each array in the narrowest type that holds it."""

from dataclasses import dataclass
from itertools import pairwise

import msgspec
import numpy as np

from assay.errors import InvalidInput
from assay.stats.grouping import Integers
from assay.stats.histogram import BIN_BITS, BINS
from assay.stats.state import Layout

__all__ = ["FORMAT_VERSION", "Content", "decode", "encode"]

FORMAT_VERSION = 1
_WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a profile holds. `keys` are cell·buckets + bucket; each histogram (keys, [keys, 2] counts)."""

    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    buckets: int
    seed: int
    cells: tuple[tuple[str, ...], ...]
    keys: Integers
    table: Integers
    histograms: list[tuple[Integers, Integers]]


class _Array(msgspec.Struct, frozen=True, array_like=True):
    """Non-negative whole numbers, little-endian, `width` bytes each."""

    width: int
    data: bytes


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    models: tuple[str, ...]
    thresholds: tuple[float, ...]
    columns: tuple[str, ...]
    buckets: int
    seed: int
    cells: tuple[tuple[str, ...], ...]
    keys: _Array
    table: list[_Array]  # one for each column
    histograms: list[tuple[_Array, _Array, _Array]]  # keys as differences, positives, negatives


class _Format(msgspec.Struct):
    format: int


def encode(content: Content) -> bytes:
    """The bytes of a profile; equal for equal content."""
    return msgspec.msgpack.encode(
        _Stored(
            format=FORMAT_VERSION,
            models=content.models,
            thresholds=content.thresholds,
            columns=content.columns,
            buckets=content.buckets,
            seed=content.seed,
            cells=content.cells,
            keys=_pack(content.keys),
            table=[_pack(column) for column in content.table.T],
            histograms=[
                (_pack(np.diff(keys, prepend=0)), _pack(counts[:, 0]), _pack(counts[:, 1]))
                for keys, counts in content.histograms
            ],
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


def _pack(values: Integers) -> _Array:
    largest = int(values.max(initial=0))
    width = next(width for width in _WIDTHS if largest < 1 << 8 * width)
    return _Array(width, values.astype(f"<u{width}").tobytes())


def _unpack(array: _Array) -> Integers:
    if array.width not in _WIDTHS:
        raise ValueError(f"numbers of {array.width} bytes")
    return np.frombuffer(array.data, dtype=f"<u{array.width}").astype(np.int64)


def _content(stored: _Stored) -> Content:
    keys = _unpack(stored.keys)
    if len(stored.table) != Layout(stored.models).width:
        raise ValueError(f"{len(stored.table)} columns of sums for {len(stored.models)} models")
    table = np.ascontiguousarray(np.stack([_unpack(column) for column in stored.table], axis=1))
    histograms = []
    for differences, positives, negatives in stored.histograms:
        counts = np.stack([_unpack(positives), _unpack(negatives)], axis=1)
        histograms.append((np.cumsum(_unpack(differences)), counts))
    return Content(
        stored.models,
        stored.thresholds,
        stored.columns,
        stored.buckets,
        stored.seed,
        stored.cells,
        keys,
        table,
        histograms,
    )


def _check(content: Content) -> None:
    """What the arrays and names must satisfy for the profile to be one that `Profile.build` can make."""
    rows = len(content.keys)
    facts = {
        "models are sorted, with a threshold and a histogram each": (
            list(content.models) == sorted(set(content.models))
            and len(content.models) == len(content.thresholds) == len(content.histograms)
        ),
        "cells are sorted and have a value for each column": (
            all(len(cell) == len(content.columns) for cell in content.cells)
            and all(first < second for first, second in pairwise(content.cells))
        ),
        "rows of sums are sorted and belong to a cell and a bucket": (
            content.buckets > 0
            and len(content.table) == rows
            and bool(np.all(np.diff(content.keys) > 0))
            and int(content.keys.max(initial=-1)) < len(content.cells) * content.buckets
        ),
        "sums are not negative": bool((content.table >= 0).all()),
        "histograms are sorted and belong to a row of sums": all(
            len(keys) == len(counts)
            and bool(np.all(np.diff(keys) > 0))
            and int(keys.max(initial=-1)) < rows << BIN_BITS
            and int((keys & ((1 << BIN_BITS) - 1)).max(initial=0)) < BINS
            for keys, counts in content.histograms
        ),
    }
    broken = [fact for fact, holds in facts.items() if not holds]
    if broken:
        raise ValueError(f"it does not hold that {broken[0]}")
