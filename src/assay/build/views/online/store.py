"""The online store: what a request needs of each entity, kept by the rule of `rows.py` in one of several places.

* One table for each version of a view. A table is written with rows as they were logged (`views/log`) and read at a
  moment; the answer equals the knowledge-time join for a label row (key, now) over the rows that have arrived.
* `write` is idempotent: the same rows again change nothing. It is atomic for each key, not for all of them together.
  When it returns, the rows survive `kill -9` (Redis: as it is set up). A `mark` is kept after them, never before.
* A write at `now` forgets what no read from `now - clock_skew` on can give. So clocks of writers and readers may differ
  by that much; a read at an earlier moment than that may find less.
* Any number of processes and threads may write and read. The order in which rows come does not matter.
* `rebuilt` fills a new generation beside the one that is read, and swaps. What is written meanwhile goes to both.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.declared.spans import Length, microseconds
from assay.build.views.matching.wanted import KeyCodes
from assay.build.views.online.newest_rows import NewestRows
from assay.build.views.online.packing import KeyPacker, revision_of
from assay.build.views.online.rows import Answered, usable
from assay.build.views.online.shelf import Change, Generation, Shelf, Want
from assay.build.views.online.window_rows import Line, WindowRows
from assay.build.views.registry.registered import ViewVersion, view_of
from assay.errors import InvalidInput
from assay.record.location import stated
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

__all__ = ["OnlineStore", "OnlineTable", "Together", "Written", "open_online"]


class Written(msgspec.Struct, frozen=True):
    """What became of rows: `applied` are served from now on, `waiting` become visible later, `older` changed nothing.

    `older` are older than what was there or came with them, or were there already. `unusable` have no key, or no
    created where the view declares one.
    """

    rows: int = 0
    applied: int = 0
    waiting: int = 0
    older: int = 0
    unusable: int = 0


class OnlineStore:
    """Tables of view versions in one place. From `open_online`; may be used from many threads."""

    def __init__(self, shelf: Shelf, clock_skew_us: int) -> None:
        self.shelf = shelf
        self.clock_skew_us = clock_skew_us
        self._tables: dict[str, OnlineTable] = {}

    @property
    def location(self) -> str:
        """Where it is, without a password."""
        return self.shelf.location

    def table(self, version: ViewVersion) -> "OnlineTable":
        """The table of a version of a view; nothing is made before the first write."""
        found = self._tables.get(version.hash)
        if found is None:
            found = self._tables[version.hash] = OnlineTable(self, version)
        return found

    def read(
        self, wants: Sequence[tuple["Together", Sequence[bytes | None]]], now_us: int
    ) -> list[list[list[Answered]]]:
        """What tables give for packed keys at a moment, in one round trip, for all wants: by table, then by key.

        None is a key with a null in it.
        """
        known: list[int] = []
        held: dict[str, dict[bytes, Line]] = {}
        asked = []
        for together, keys in wants:
            several = keys if len(keys) == 1 and keys[0] is not None else list(dict.fromkeys(filter(None, keys)))
            asked.append(Want(together.names, cast("Sequence[bytes]", several)))
            for name, kept in together.windows:
                held[name] = lines = kept.held(asked[-1].keys, now_us)
                known += [line.revision for line in lines.values()]
        found = self.shelf.get(asked, known)
        return [
            [
                kept.answers(keys, found[name], now_us)
                if isinstance(kept, NewestRows)
                else kept.answers(keys, found[name], now_us, held[name])
                for name, kept in together.kept
            ]
            for together, keys in wants
        ]

    def close(self) -> None:
        """Release connections. Closing twice is harmless."""
        self.shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class OnlineTable:
    """What is kept of a version of a view; `generation` is one that is being built, None the current one."""

    def __init__(self, store: OnlineStore, version: ViewVersion, generation: int | None = None) -> None:
        self.store, self.version, self.generation = store, version, generation
        self.name = f"{version.reference}:{version.hash[:12]}"
        view, schema = view_of(version), version.declared.rows_schema
        self.keys = KeyPacker(view.entity, [schema.field(name).type for name in view.entity], version.name)
        values = pa.schema([field for field in schema if field.name not in view.entity])
        self.kept = WindowRows(view, values) if view.aggregates else NewestRows(view, values)
        self.features, self.types = self.kept.features, self.kept.types

    def read(self, keys: Sequence[Sequence[object]], now_us: int) -> list[Answered]:
        """What each key gives at a moment, in one round trip: values in the order of `features`.

        InvalidInput for a key of another length or type.
        """
        return self.store.read([(Together([self]), [self.keys.pack(key) for key in keys])], now_us)[0][0]

    def write(self, rows: pa.Table, now_us: int, mark: Mapping[str, object] | None = None) -> Written:
        """Take in rows as `append_rows` returns them; then note the mark."""
        few, codes, unusable = self._few(rows, now_us)
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        keys = self.keys.of_table(few.take(pa.array(first)))
        generations = self._generations()
        applied = waiting = 0
        for place, generation in enumerate(generations):
            counts = self._fold(generation.number, keys, few, codes, now_us)
            if not place:
                applied, waiting = counts
        if mark is not None:
            self.store.shelf.set_mark(generations[0].number, msgspec.json.encode(mark))
        return Written(rows.num_rows, applied, waiting, rows.num_rows - unusable - applied - waiting, unusable)

    def few(self, rows: pa.Table, now_us: int) -> tuple[pa.Table, int]:
        """The rows that a write of these rows at `now_us` or later can need, and how many are unusable.

        To write these has the effect of writing all: many rows shrink to few before the place is asked for their keys.
        """
        few, _, unusable = self._few(rows, now_us)
        return few, unusable

    def mark(self) -> dict[str, Any] | None:
        """What the last writer noted; None where none did."""
        found = next((one.mark for one in self._known() if (one.number == self.generation) or one.current), None)
        return None if found is None else msgspec.json.decode(found, type=dict[str, Any])

    def erase(self, keys: Sequence[Sequence[object]]) -> int:
        """Forget these entities; returns how many there were."""
        packed = [one for key in keys if (one := self.keys.pack(key)) is not None]
        erased = 0
        for place, generation in enumerate(self._known()):
            left = packed
            while left:
                found = self.store.shelf.rows(generation.number, left)
                gone = [Change(key, revision, 0, None) for key, (revision, _) in found.items()]
                done = self.store.shelf.put(generation.number, gone)
                erased += sum(done) if not place else 0
                left = [change.key for change, is_done in zip(gone, done, strict=True) if not is_done]
        return erased

    @contextmanager
    def rebuilt(self, goes_on: Callable[[Mapping[str, Any]], bool] = bool) -> Iterator["OnlineTable"]:
        """A table to be filled that takes the place of this one when the block ends.

        Where the block raises, or the process dies, it stays as it is, unseen, and the next one goes on with it: its
        mark says how far it came. Where `goes_on` says of this mark that it cannot, it begins anew.
        """
        known = next((one for one in self.store.shelf.generations(self.name) if not one.current), None)
        if known is not None and known.mark is not None and not goes_on(msgspec.json.decode(known.mark)):
            self.store.shelf.discard(self.name)
        number = self.store.shelf.begin(self.name)
        yield OnlineTable(self.store, self.version, number)
        self.store.shelf.install(self.name, number)

    def drop(self) -> None:
        """Forget all of it."""
        self.store.shelf.drop(self.name)

    def _few(self, rows: pa.Table, now_us: int) -> tuple[pa.Table, NDArray[np.int64], int]:
        codes = KeyCodes(rows.select(self.version.declared.entity)).codes
        unusable = rows.num_rows - int(np.count_nonzero(usable(rows, codes)))
        chosen = self.kept.few(rows, codes, now_us - self.store.clock_skew_us)
        return rows.take(pa.array(chosen)), codes[chosen], unusable

    def _fold(
        self, number: int, keys: list[bytes], rows: pa.Table, codes: NDArray[np.int64], now_us: int
    ) -> tuple[int, int]:
        """Merge rows by key into what a generation holds; returns how many are served now, and how many later."""
        shelf, horizon = self.store.shelf, now_us - self.store.clock_skew_us
        applied = waiting = 0
        while keys:
            found = shelf.rows(number, keys)
            before = [found.get(key, (0, None)) for key in keys]
            folded = self.kept.folded([data for _, data in before], rows, codes, now_us, horizon)
            changes = [
                Change(keys[one.place], before[one.place][0], revision_of(one.data) if one.data else 0, one.data)
                for one in folded
            ]
            done = shelf.put(number, changes)
            applied += sum(one.applied for one, is_done in zip(folded, done, strict=True) if is_done)
            waiting += sum(one.waiting for one, is_done in zip(folded, done, strict=True) if is_done)
            again = [one.place for one, is_done in zip(folded, done, strict=True) if not is_done]
            keys = [keys[place] for place in again]
            mine = np.flatnonzero(np.isin(codes, again))
            rows, codes = rows.take(pa.array(mine)), np.searchsorted(again, codes[mine])
        return applied, waiting

    def _known(self) -> list[Generation]:
        found = self.store.shelf.generations(self.name)
        return found if self.generation is None else [one for one in found if one.number == self.generation]

    def _generations(self) -> list[Generation]:
        """Those that a write goes to: this one, or the current one, made where there is none, and one being built."""
        known = self._known()
        if self.generation is None and not any(one.current for one in known):
            self.store.shelf.install(self.name, self.store.shelf.begin(self.name))
            known = self._known()
        return known


class Together:
    """Tables of one entity that are read together again and again: what a read needs of them, looked up once."""

    def __init__(self, tables: Sequence[OnlineTable]) -> None:
        self.names = tuple([table.name for table in tables])
        self.kept = [(table.name, table.kept) for table in tables]
        self.windows = [(name, kept) for name, kept in self.kept if isinstance(kept, WindowRows)]


def open_online(store: Store, address: str | None = None, *, clock_skew: Length | None = None) -> OnlineStore:
    """The online store at an address: the path of a file for SQLite, `redis://...` or `postgresql://...`.

    Without one it is what ASSAY_ONLINE says, else `online` of the nearest `assay.toml`, else beside the store: in its
    folder the file `online.db`, or tables in its PostgreSQL database. `clock_skew` is by how much clocks of writers and
    readers may differ, else what ASSAY_CLOCK_SKEW says, else 5 seconds.

    InvalidInput for an address of another kind; StoreUnavailable where nobody answers.
    """
    skew = microseconds(clock_skew or os.environ.get("ASSAY_CLOCK_SKEW", "5s"), "clock_skew")
    return OnlineStore(_shelf(address or stated("online") or _beside(store)), skew)


def _beside(store: Store) -> str:
    if isinstance(store, SqlStore) and store.backend == "postgresql":
        return store.engine.url.render_as_string(hide_password=False)
    return str(Path(store.location) / "online.db")


def _shelf(address: str) -> Shelf:
    kind, mark, _ = address.partition("://")
    if not mark:
        from assay.build.views.online.sqlite_shelf import SqliteShelf

        return SqliteShelf(Path(address))
    if kind in ("redis", "rediss"):
        from assay.build.views.online.redis_shelf import RedisShelf

        return RedisShelf(address)
    if kind in ("postgresql", "postgres", "postgresql+psycopg"):
        from assay.build.views.online.postgres_shelf import PostgresShelf

        return PostgresShelf(address)
    raise InvalidInput(
        f"no online store can be opened at {kind}://", expected="the path of a file, redis://... or postgresql://..."
    )
