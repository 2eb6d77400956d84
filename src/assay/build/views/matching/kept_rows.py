"""Rows that count for some label row, kept by key until all have come; those beyond a bound of memory wait on disk.

A correction may come last, so no row is done before. Keys are in parts of the order of label rows, as many as make
the rows of one part small beside all of them. Each part is worked at by itself.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.matching.places import Places

__all__ = ["KeptRows", "Rows"]

IN_MEMORY = 1 << 30  # bytes of rows; some three times as many are needed to work at them
_PARTS = 32
TOGETHER = 1 << 17  # rows: so many are worked at faster at once, where they fit into the processor's cache
_LINES = 5


@dataclass(frozen=True)
class Rows:
    """Rows of a view. `numbers` are by line: code of the key, the place that first sees it, ts, created, arrival."""

    numbers: NDArray[np.int64]
    values: pa.Table

    @property
    def code(self) -> NDArray[np.int64]:
        """[rows] which key."""
        return np.asarray(self.numbers[0])

    @property
    def start(self) -> NDArray[np.int64]:
        """[rows] the first place in the order of label rows that sees it."""
        return np.asarray(self.numbers[1])

    @property
    def ts(self) -> NDArray[np.int64]:
        """[rows] microseconds."""
        return np.asarray(self.numbers[2])

    @property
    def created(self) -> NDArray[np.int64]:
        """[rows] microseconds, `NOTHING` where not known."""
        return np.asarray(self.numbers[3])

    @property
    def arrival(self) -> NDArray[np.int64]:
        """[rows] order of writing."""
        return np.asarray(self.numbers[4])

    def take(self, rows: NDArray[np.int64]) -> "Rows":
        """Some of them."""
        return Rows(np.take(self.numbers, rows, axis=1), self.values.take(pa.array(rows)))

    @staticmethod
    def all(parts: Sequence["Rows"]) -> "Rows":
        """The rows of all parts, of which there is at least one."""
        numbers = np.concatenate([one.numbers for one in parts], axis=1)
        return Rows(numbers, pa.concat_tables([one.values for one in parts], promote_options="default"))


class KeptRows:
    """Rows by part of the order of label rows. A context, as it may have a folder on disk."""

    def __init__(self, places: Places) -> None:
        self._bounds = places.cuts(_PARTS)
        begin = np.append(0, places.stop[:-1])
        self._part = (np.searchsorted(self._bounds[1:-1], begin, "right")).astype(np.uint8)  # of each key
        self._pieces: list[tuple[Rows, NDArray[np.int64]]] = []  # rows in order of part, and where each part begins
        self._size = 0
        self._folder: TemporaryDirectory[str] | None = None
        self._written = 0

    def __enter__(self) -> "KeptRows":
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def in_order(self, code: NDArray[np.int64]) -> NDArray[np.int64]:
        """In which order rows with these keys are added."""
        return np.argsort(self._part[code], kind="stable")

    def add(self, rows: Rows) -> None:
        """Keep rows, which are in order."""
        edges = np.searchsorted(self._part[rows.code], np.arange(len(self._bounds)))
        self._pieces.append((rows, edges))
        self._size += rows.numbers.nbytes + rows.values.nbytes
        if self._size > IN_MEMORY:
            self._write()

    def parts(self) -> list[tuple[range, Callable[[], Rows]]]:
        """Ranges of places that follow one another, and what gives all rows of their keys; after all were added."""
        if self._folder is not None:
            self._write()
            cuts = np.arange(len(self._bounds))
        else:
            counts = np.sum([np.diff(edges) for _, edges in self._pieces], axis=0)
            together = np.cumsum(counts) // TOGETHER
            cuts = np.append(np.append(0, np.flatnonzero(np.diff(together)) + 1), len(counts))
        load = self._held if self._folder is None else self._read
        return [
            (range(int(self._bounds[first]), int(self._bounds[end])), partial(load, first, end))
            for first, end in itertools.pairwise(cuts.tolist())
        ]

    def _held(self, first: int, end: int) -> Rows:
        cut = [(rows, slice(edges[first], edges[end])) for rows, edges in self._pieces]
        return Rows.all([Rows(rows.numbers[:, one], rows.values[one]) for rows, one in cut])

    def _read(self, part: int, _end: int) -> Rows:
        tables = [pa.ipc.open_file(self._path(number, part)).read_all() for number in range(self._written)]
        numbers = [np.stack([line.to_numpy() for line in one.columns[:_LINES]]) for one in tables]
        values = [one.select(one.column_names[_LINES:]) for one in tables]
        return Rows.all([Rows(*both) for both in zip(numbers, values, strict=True)])

    def _write(self) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="assay-")
        for part in range(len(self._bounds) - 1):
            rows = self._held(part, part + 1)
            names = [*(f"__{line}" for line in range(_LINES)), *rows.values.column_names]
            table = pa.table([*rows.numbers, *rows.values.columns], names)
            with pa.ipc.new_file(self._path(self._written, part), table.schema) as file:
                file.write_table(table)
        self._pieces = [(Rows(rows.numbers[:, :0], rows.values[:0]), edges * 0) for rows, edges in self._pieces[:1]]
        self._size, self._written = 0, self._written + 1

    def _path(self, number: int, part: int) -> str:
        assert self._folder is not None
        return str(Path(self._folder.name) / f"{number}-{part}.arrow")
