"""The rows of a view as its source holds them now, in batches: as often as they are asked for, with bounded memory.

Parquet files and datasets are read as the batches are taken. What a function makes, what a database gives and what is
in memory is one table.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from assay.build.data.sources import Source, is_place, source
from assay.build.views.declared.history import as_rows, made_of
from assay.build.views.declared.view import FeatureView
from assay.errors import Tampered
from assay.record.canonical import digest, digest_file
from assay.record.dataset_parts import PARTS, Manifest
from assay.record.datasets import DatasetVersion, find_dataset
from assay.record.store import Store

__all__ = ["BATCH_ROWS", "SourceRows"]

BATCH_ROWS = 131_072  # at most
_BATCH_BYTES = 1 << 25  # in memory, about
_UNKNOWN_BYTES = 32  # of a text, or what else has no fixed width


class SourceRows:
    """Iterable of the rows in the one form of `history`; ARRIVAL is the place in the source.

    Raises while it is iterated: InvalidInput and NotFound for a source that cannot be read, and as `as_rows`.
    """

    def __init__(self, view: FeatureView, store: Store, batch_rows: int = BATCH_ROWS) -> None:
        self.view, self.store, self.batch_rows = view, store, batch_rows

    def __iter__(self) -> Iterator[pa.Table]:
        first = 0
        for table in self._tables():
            yield as_rows(self.view, table, first)
            first += table.num_rows

    @cached_property
    def signature(self) -> str | None:
        """The same text only while the source holds the same; None where that cannot be told without reading it."""
        if self._dataset is not None:
            return self._dataset.hash
        files = self._place.files if self._place is not None else None
        if files is None:
            return None
        found = [files.signature(path) for path in files.paths]
        return None if None in found else digest(found)

    def _tables(self) -> Iterator[pa.Table]:
        if self._dataset is not None:
            yield from self._of_dataset(self._dataset)
        elif self._place is not None and self._place.files is not None:
            files = self._place.files
            rows = self._rows(files.schema()) if files.format == "parquet" else self.batch_rows
            yield from files.batches(rows)
        else:
            yield from self._slices(self._made)

    @cached_property
    def _made(self) -> pa.Table:
        return made_of(self.view, self.store)

    @cached_property
    def _dataset(self) -> DatasetVersion | None:
        given = self.view.source
        if self.view.function is not None or not isinstance(given, str) or is_place(given):
            return None
        return find_dataset(self.store, given)

    @cached_property
    def _place(self) -> Source | None:
        given = self.view.source
        if self.view.function is not None or isinstance(given, Mapping) or not isinstance(given, str | Path):
            return None
        return source(given)

    def _slices(self, table: pa.Table) -> Iterator[pa.Table]:
        rows = self._rows(table.schema)
        yield from (table.slice(first, rows) for first in range(0, table.num_rows, rows))

    def _rows(self, schema: pa.Schema) -> int:
        """How many rows of so many columns are a batch."""
        width = sum(field.type.byte_width if _is_fixed(field.type) else _UNKNOWN_BYTES for field in schema)
        return max(1, min(self.batch_rows, _BATCH_BYTES // max(1, width)))

    def _of_dataset(self, version: DatasetVersion) -> Iterator[pa.Table]:
        row = self.store.get("artifact", {"artifact_id": version.artifact_id})
        blobs = self.store.blobs
        if row["format"] == PARTS:
            for part in Manifest.read(blobs, row["blob"]).parts:
                yield from self._slices(part.read(blobs))
            return
        blobs.open(row["blob"]).close()  # NotFound where it is gone
        path = blobs.path(row["blob"])
        if digest_file(path) != row["blob"]:
            raise Tampered(f"the content of blob {row['blob'][:12]} does not match its hash", where=str(path))
        with pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as parquet:
            for batch in parquet.iter_batches(self._rows(parquet.schema_arrow)):
                yield pa.Table.from_batches([batch])


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) and not pa.types.is_boolean(kind))
