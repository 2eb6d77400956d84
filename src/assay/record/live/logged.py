"""What a run says while it goes on, as records of a journal: small, and the same on disk and over the network."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput
from assay.record.tracking.points import Points

__all__ = ["Batch", "Begin", "End", "Entry", "File", "Params", "Seen", "Tags", "Used", "Values", "decode", "encode"]


class Begin(msgspec.Struct, tag="begin", array_like=True):
    """A run begins, or is opened again. `columns` are further ones of `run`; `environment` is JSON under its hash."""

    run_id: str
    experiment: str
    name: str
    started: str
    actor: str
    actor_kind: str
    columns: dict[str, str | int | float | None]
    environment: str | None = None
    resumed: bool = False
    project: str | None = None


class Params(msgspec.Struct, tag="params", array_like=True):
    """Settings of a run."""

    run_id: str
    values: dict[str, str]


class Tags(msgspec.Struct, tag="tags", array_like=True):
    """Labels of a run."""

    run_id: str
    values: dict[str, str]


class Values(msgspec.Struct, tag="values", array_like=True):
    """Points of a run: `key` [n] int32 names the entry of `keys`, steps and times int64, values float64, as bytes."""

    run_id: str
    keys: list[str]
    key: bytes
    step: bytes
    ts_ms: bytes
    value: bytes

    @classmethod
    def of(cls, run_id: str, keys: list[str], key: NDArray[np.int32], points: Points) -> "Values":
        """The points as they are sent."""
        columns = (key.astype("<i4"), points.step.astype("<i8"), points.ts_ms.astype("<i8"), points.value.astype("<f8"))
        return cls(run_id, keys, *[column.tobytes() for column in columns])

    def points(self) -> tuple[NDArray[np.int32], Points]:
        """Which key, and the points."""
        key = np.frombuffer(self.key, "<i4")
        points = Points(
            np.frombuffer(self.step, "<i8"), np.frombuffer(self.ts_ms, "<i8"), np.frombuffer(self.value, "<f8")
        )
        if not len(key) == len(points.step) == len(points.ts_ms) == len(points.value):
            raise InvalidInput("the columns of logged values differ in length")
        if len(key) and not 0 <= int(key.min()) <= int(key.max()) < len(self.keys):
            raise InvalidInput("a logged value names a key that is not there")
        return key, points


class File(msgspec.Struct, tag="file", array_like=True):
    """A file of a run: its path below the run's root, and the blob."""

    run_id: str
    path: str
    blob: str
    size: int


class Used(msgspec.Struct, tag="used", array_like=True):
    """A dataset that a run used. `artifact` is a row of `artifact` where its content was kept."""

    run_id: str
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    context: str | None
    artifact: dict[str, str | int | None] | None = None


class Seen(msgspec.Struct, tag="seen", array_like=True):
    """A sign of life."""

    run_id: str
    ts: str


class End(msgspec.Struct, tag="end", array_like=True):
    """A run ends."""

    run_id: str
    status: str
    ended: str
    reason: str | None
    cpu_s: float | None


Entry = Begin | Params | Tags | Values | File | Used | Seen | End


class Batch(msgspec.Struct, array_like=True):
    """Entries of one writer under the next number."""

    writer: str
    seq: int
    entries: list[Entry]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def encode(batch: Batch) -> bytes:
    """The batch as bytes."""
    return _encoder.encode(batch)


def decode(content: bytes) -> Batch:
    """The batch of bytes that `encode` wrote; InvalidInput for others."""
    try:
        return _decoder.decode(content)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"this is no batch of a run's journal: {error}") from error
