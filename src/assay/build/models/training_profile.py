"""What a training table looked like, kept in the folder of the version: as a whole, and window by window.

Monitors compare what is served with it. Windows need a column of the time; they have no segments.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column
from assay.build.data.split_times import is_time
from assay.build.models.inputs import Column
from assay.errors import InvalidInput
from assay.record.clock import from_us, moment
from assay.record.lengths import GRID, written_length
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.stats.drift import Kind, TableProfile

__all__ = [
    "PROFILE_FILE",
    "TrainingProfile",
    "training_profile",
    "training_profile_of",
    "write_training_profile",
]

PROFILE_FILE = "profile.bin"
WINDOW = "1d"
_MOST_WINDOWS = 30  # the latest; more make bounds hardly any better
_FORMAT = 1
_ZSTD = "zstd"


class _Stored(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    whole: bytes
    window: str | None
    windows: list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingProfile:
    """The profile of all rows, and of each of the last `window`s that had rows, by their beginnings in UTC."""

    whole: TableProfile
    window: str | None = None
    windows: tuple[tuple[datetime, TableProfile], ...] = ()

    def to_bytes(self) -> bytes:
        """Packed; the inverse is `from_bytes`."""
        windows = [(started.isoformat(), one.to_bytes()) for started, one in self.windows]
        stored = _Stored(format=_FORMAT, whole=self.whole.to_bytes(), window=self.window, windows=windows)
        content = msgspec.msgpack.encode(stored)
        return len(content).to_bytes(8, "big") + bytes(pa.compress(content, codec=_ZSTD, asbytes=True))

    @classmethod
    def from_bytes(cls, data: bytes) -> "TrainingProfile":
        """The profile of bytes; InvalidInput for bytes that are none of this format."""
        try:
            size = int.from_bytes(data[:8], "big")
            content = pa.decompress(data[8:], decompressed_size=size, codec=_ZSTD, asbytes=True)
            stored = msgspec.msgpack.decode(content, type=_Stored)
        except (pa.ArrowException, OSError, MemoryError, OverflowError, msgspec.DecodeError) as error:
            raise InvalidInput(f"these bytes are not a training profile: {error}", hint="package it again") from error
        if stored.format != _FORMAT:
            raise InvalidInput(f"the training profile is in format {stored.format}", expected=f"format {_FORMAT}")
        windows = tuple((moment(started), TableProfile.from_bytes(one)) for started, one in stored.windows)
        return cls(TableProfile.from_bytes(stored.whole), stored.window, windows)


def training_profile(
    table: pa.Table, columns: Sequence[Column], *, time: str | None = None, window: str = WINDOW
) -> TrainingProfile:
    """Of the columns that a model takes. `time` is a column of dates or times (UTC where they have no zone).

    InvalidInput for a `time` that is none, and for no length as `1d`.
    """
    kinds: dict[str, Kind] = {one.name: "number" if one.is_number else "category" for one in columns}
    taken = pa.table([_taken(table, one) for one in columns], names=[one.name for one in columns])
    whole = TableProfile.of(taken, kinds=kinds)
    if time is None:
        return TrainingProfile(whole)
    length = written_length(window)
    if not length:
        raise InvalidInput(f"window is {window!r}", expected="a length of time such as 1d")
    starts = _starts(table, time, length)
    known = np.unique(starts[starts >= 0])[-_MOST_WINDOWS:]
    windows = tuple(
        (moment(from_us(int(start))), TableProfile.of(taken.filter(pa.array(starts == start)), like=whole))
        for start in known
    )
    return TrainingProfile(whole, window, windows)


def write_training_profile(folder: Path, made: TrainingProfile) -> None:
    """Put it beside the model."""
    (folder / PROFILE_FILE).write_bytes(made.to_bytes())


def training_profile_of(store: Store, version: ModelVersion) -> TrainingProfile | None:
    """What was kept with a version; None for one without, such as of before there was such a thing."""
    digest = store.blobs.manifest(version.hash).get(PROFILE_FILE)
    return None if digest is None else _read(store.blobs.get(digest))


@lru_cache(maxsize=4)  # reading one takes a tenth of a second, and each monitor of an endpoint asks for the same
def _read(data: bytes) -> TrainingProfile:
    return TrainingProfile.from_bytes(data)


def _window_starts(moment_us: np.ndarray[tuple[int], np.dtype[np.int64]], length: timedelta) -> np.ndarray:
    """The beginnings of the windows on the common grid, in microseconds after 1970."""
    long = length // timedelta(microseconds=1)
    origin = (GRID - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return moment_us - (moment_us - origin) % long


def _starts(table: pa.Table, name: str, length: timedelta) -> np.ndarray:
    """[rows] the beginning of each row's window; −1 where it has no time."""
    values = column(table, name)
    if not is_time(values.type):
        raise InvalidInput(f"column {name!r} is of type {values.type}", expected="dates or times")
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    whole = values.cast(pa.timestamp("us", zone)).cast(pa.int64())
    moments = np.asarray(pc.fill_null(whole, -1).to_numpy(zero_copy_only=False))
    known = np.asarray(whole.is_valid().to_numpy(zero_copy_only=False))
    return np.where(known & (moments >= 0), _window_starts(moments, length), -1)


def _taken(table: pa.Table, one: Column) -> pa.Array:
    values = column(table, one.name)
    if not one.is_number and pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.float64() if one.is_number else pa.string())
