"""What was logged since the last look, wherever it stands by now."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from assay.operate.predictions.columns import Signatures, empty_table, prediction_table, predictions_of, put_together
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.parts import (
    POSITION,
    SEGMENT,
    Part,
    all_parts,
    compacted_in,
    part_path,
    read_part,
    reading,
)
from assay.operate.predictions.prediction import Prediction
from assay.operate.predictions.reading import segment_pieces
from assay.record.store import Store

__all__ = ["Tail"]


# The kernel notes the time of a file when a page of it is first written to after it went to disk, and not again.
_TIME_LAG_S = 60.0


class Tail:
    """Reads each row of an endpoint's log once, as it grows and while it is compacted; one thread reads.

    It remembers how far it has come in each segment, not what it read. Rows that were compacted before it read them
    come from their parts.
    """

    def __init__(self, store: Store, endpoint: str, *, since: datetime | None = None) -> None:
        """With `since`, files that have no row from then on are passed over; earlier rows of the others are not."""
        self.store, self.endpoint = store, endpoint
        self._since = since
        self._folder = log_folder(store, endpoint)
        self._signatures = Signatures(store)
        self._ends: dict[str, int] = {}

    def read_new(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows that are new, with these columns of `columns.SCHEMA`; where it raises they stay new.

        Without `columns` with all of them and `features`.
        """
        found = self._read(columns) or [empty_table() if columns is None else empty_table().select(columns)]
        return put_together(found)

    def predictions(self) -> list[Prediction]:
        """The same as records."""
        return [one for table in self._read() for one in predictions_of(table, self._signatures)]

    def _read(self, columns: Sequence[str] | None = None) -> list[pa.Table]:
        before = dict(self._ends)
        try:
            return [table if columns is None else table.select(columns) for table in self._tables()]
        except BaseException:
            self._ends = before
            raise

    def _tables(self) -> Iterator[pa.Table]:
        with reading(self._folder):
            there = segments(self._folder)  # before the parts: what is compacted in between is in one of them
            parts = all_parts(self.store, self.endpoint)
            compacted = compacted_in(parts)
            yield from self._of_parts(parts, compacted)
            for path in there:
                if path.name not in compacted and not self._is_older(path):
                    for piece in segment_pieces(path, self._ends.get(path.name, 0)):
                        yield prediction_table(piece.predictions, self._signatures)
                        self._ends[path.name] = piece.end

    def _is_older(self, path: Path) -> bool:
        """Whether a file was last written before `since`; one that is gone by now is in a part, or was deleted."""
        if self._since is None or not path.exists():
            return False
        return path.stat().st_mtime + _TIME_LAG_S < self._since.timestamp()

    def _of_parts(self, parts: list[Part], compacted: dict[str, int]) -> Iterator[pa.Table]:
        unread = {name for name, length in compacted.items() if self._ends.get(name, 0) < length}
        for part in parts:
            if part.deleted is not None or unread.isdisjoint(part.segments):
                continue
            if self._is_older(part_path(self.store, part)):
                continue
            for table in read_part(self.store, part):
                stood = table[SEGMENT].combine_chunks().dictionary_encode()
                read = pa.array([self._ends.get(name, 0) for name in stood.dictionary.to_pylist()], pa.int64())
                new = table.filter(pc.greater(table[POSITION], read.take(stood.indices)))
                if new.num_rows:
                    yield new.drop_columns([SEGMENT, POSITION])
        for name in unread:
            self._ends[name] = compacted[name]
