"""Tables as Parquet files among the blobs: encoded as their values deserve, hashed while they are written."""

import queue
import threading
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from assay.record.blobs import Blobs, BlobWriter

__all__ = ["put_table", "writing_options"]

_SAMPLE = 20_000
_FEW = 0.5  # of the sample's values differ at most: a dictionary of them is smaller and faster
_SHRINKS = 0.9  # of its size at most: otherwise compressing costs time for nothing, as of measured numbers
_WAITING = 16  # pieces between the encoder and the disk


def put_table(blobs: Blobs, table: pa.Table) -> str:
    """Keep a table as a Parquet file and return the hash of the file."""
    with blobs.writer() as writer:
        with _Behind(writer) as sink:
            pq.write_table(table, sink, **writing_options(table))
        return writer.keep()


def writing_options(table: pa.Table) -> dict[str, Any]:
    """What `pyarrow.parquet.write_table` is told of the columns, by a sample of each.

    No statistics: a quarter of its time goes into them, and a version is always read as a whole.
    """
    if (
        any(pa.types.is_nested(field.type) for field in table.schema)
        or len(set(table.column_names)) < table.num_columns
    ):
        return {"compression": "zstd", "write_statistics": False}
    repeating, compression = [], {}
    for field, column in zip(table.schema, table.columns, strict=True):
        sample = column[:_SAMPLE]
        if pa.types.is_dictionary(field.type) or len(sample.unique()) <= max(1, len(sample)) * _FEW:
            repeating.append(field.name)
            compression[field.name] = "zstd"
        else:
            compression[field.name] = "zstd" if _shrinks(sample) else "none"
    return {"use_dictionary": repeating, "compression": compression, "write_statistics": False}


def _shrinks(sample: pa.ChunkedArray) -> bool:
    if not pa.types.is_floating(sample.type):
        return True
    raw = np.ascontiguousarray(sample.drop_null().to_numpy()).tobytes()
    return len(pa.compress(raw, codec="zstd", asbytes=True)) < len(raw) * _SHRINKS


class _Behind:
    """A file whose content is hashed and written by another thread, while this one encodes what comes next."""

    closed = False

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> "_Behind":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pieces.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def write(self, piece: bytes) -> int:
        """Take the next piece; an error of the disk is raised at the next call, or at the end."""
        if self._error is not None:
            raise self._error
        self._pieces.put(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing: it is written when it is kept."""

    def close(self) -> None:
        """Nothing: the end of the block closes it."""

    def _write(self) -> None:
        while (piece := self._pieces.get()) is not None:
            if self._error is None:
                try:
                    self._writer.write(piece)
                except BaseException as error:  # noqa: BLE001 - raised in the thread that encodes
                    self._error = error
