"""Versions of datasets in parts: what is read, what is hashed, what is kept."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import Tampered
from assay.record import part_snapshots
from assay.record.clearing.gc import gc
from assay.record.clearing.reachable import all_blobs
from assay.record.contract import in_threads
from assay.record.dataset_parts import Manifest
from assay.record.datasets import dataset, snapshot
from assay.record.part_snapshots import snapshot_parts
from assay.record.soundness import check
from assay.record.sqlstore import SqlStore
from assay.record.table_hash import BLOCK_ROWS, ContentHash, content_hash


@dataclass
class Shelf:
    """Tables by name, each with a number that changes with it; notes which of them were read."""

    tables: dict[str, pa.Table]
    numbers: dict[str, int | None] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    @property
    def paths(self) -> Sequence[str]:
        return sorted(self.tables)

    def signature(self, path: str) -> str | None:
        number = self.numbers.get(path, 0)
        return None if number is None else f"{path} {number}"

    def read_some(self, paths: Sequence[str], known: pa.Schema | None = None) -> list[pa.Table]:
        self.read += paths
        schemas = [self.tables[path].schema for path in paths] + ([known] if known else [])
        common = pa.unify_schemas(schemas, promote_options="permissive")
        return [self.tables[path].cast(common) for path in paths]

    def whole(self) -> pa.Table:
        return pa.concat_tables([self.tables[path] for path in self.paths], promote_options="permissive")


def _rows(start: int, count: int) -> pa.Table:
    return pa.table({"n": range(start, start + count), "s": [str(number % 7) for number in range(count)]})


def test_parts_have_the_hash_of_the_whole_table_and_come_back_as_it(store: SqlStore) -> None:
    shelf = Shelf({"a": _rows(0, 3), "b": _rows(3, BLOCK_ROWS), "c": _rows(9, 0), "d": _rows(50, 5)})
    version = snapshot_parts(store, "shelf", shelf, source_system="here", licence="CC0")
    assert version.hash == content_hash(shelf.whole())
    assert (version.rows, version.source_system, version.licence) == (BLOCK_ROWS + 8, "here", "CC0")
    assert dataset(store, version.hash).equals(shelf.whole())
    assert snapshot(store, "shelf", shelf.whole()) == version, "the same rows in one piece are the same version"
    assert snapshot(store, "other", shelf.whole()).hash == version.hash


def test_what_did_not_change_is_not_read_again(store: SqlStore) -> None:
    shelf = Shelf({"a": _rows(0, BLOCK_ROWS + 10), "b": _rows(3, 50)})
    first = snapshot_parts(store, "shelf", shelf)
    shelf.read.clear()
    assert snapshot_parts(store, "shelf", shelf) == first
    assert shelf.read == []
    shelf.tables["c"] = _rows(7, 20)
    second = snapshot_parts(store, "shelf", shelf)
    assert shelf.read == ["c"]
    assert second.hash == content_hash(shelf.whole())
    shelf.tables["a"], shelf.numbers["a"] = _rows(1, 4), 1
    third = snapshot_parts(store, "shelf", shelf)
    assert shelf.read == ["c", "a"]
    assert third.hash == content_hash(shelf.whole())
    del shelf.tables["b"]
    fourth = snapshot_parts(store, "shelf", shelf)
    assert shelf.read == ["c", "a"]
    assert fourth.hash == content_hash(shelf.whole())
    assert dataset(store, fourth.hash).equals(shelf.whole())
    assert len({one.hash for one in (first, second, third, fourth)}) == 4


def test_rows_before_the_first_change_are_not_hashed_again(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []

    class Counting(ContentHash):
        def add(self, table: pa.Table) -> None:
            hashed.append(table.num_rows)
            super().add(table)

    monkeypatch.setattr(part_snapshots, "ContentHash", Counting)
    shelf = Shelf({"a": _rows(0, BLOCK_ROWS), "b": _rows(0, BLOCK_ROWS + 10)})
    snapshot_parts(store, "shelf", shelf)
    assert hashed == [BLOCK_ROWS, BLOCK_ROWS + 10]
    hashed.clear()
    shelf.tables["c"] = _rows(7, 20)
    assert snapshot_parts(store, "shelf", shelf).hash == content_hash(shelf.whole())
    assert hashed == [10, 20], "only what was no whole block, and what is new"


def test_a_file_that_had_just_been_changed_is_read_until_it_has_settled(store: SqlStore) -> None:
    shelf = Shelf({"a": _rows(0, 3), "b": _rows(3, 2)}, {"a": None})
    first = snapshot_parts(store, "shelf", shelf)
    assert snapshot_parts(store, "shelf", shelf) == first
    assert shelf.read == ["a", "b", "a"]
    shelf.numbers["a"] = 7
    assert snapshot_parts(store, "shelf", shelf) == first
    assert snapshot_parts(store, "shelf", shelf) == first
    assert shelf.read == ["a", "b", "a", "a"], "its signature is remembered although its content was known"


def test_other_types_make_all_of_it_read_again(store: SqlStore) -> None:
    shelf = Shelf({"a": pa.table({"n": [1, 2]})})
    snapshot_parts(store, "shelf", shelf)
    shelf.tables["b"] = pa.table({"n": [0.5]})
    version = snapshot_parts(store, "shelf", shelf)
    assert shelf.read == ["a", "b", "a", "b"]
    assert dataset(store, version.hash).to_pydict() == {"n": [1.0, 2.0, 0.5]}
    assert version.hash == content_hash(pa.table({"n": [1.0, 2.0, 0.5]}))


def test_the_same_parts_from_many_threads_are_one_version(either_store: SqlStore) -> None:
    tables = {"a": _rows(0, 3), "b": _rows(3, 2)}
    versions = in_threads(lambda _: snapshot_parts(either_store, "shelf", Shelf(tables)), 6)
    assert len({version.artifact_id for version in versions}) == 1


def test_parts_are_checked_when_they_are_read_and_stay_when_others_are_cleared_away(store: SqlStore) -> None:
    version = snapshot_parts(store, "shelf", Shelf({"a": _rows(0, 3), "b": _rows(3, 2)}))
    unused = store.blobs.put(b"nobody points to it")
    for path in all_blobs(store.blobs.root):
        os.utime(path, (0, 0))
    gc(store, older_than=0, delete=True)
    assert not store.blobs.has(unused)
    assert dataset(store, version.hash).num_rows == 5
    assert check(store).sound
    (row,) = store.query("artifact")
    part = Manifest.read(store.blobs, row["blob"]).parts[1]
    store.blobs.path(part.blob).write_bytes(b"something else")
    assert [f"blob {part.blob[:12]} does not match its hash: a part of dataset shelf needs it"] == check(store).problems
    with pytest.raises(Tampered):
        dataset(store, version.hash)


@given(st.lists(st.integers(0, 3 * BLOCK_ROWS // 2), max_size=5), st.integers(0, 4))
@settings(max_examples=15, deadline=None)
def test_a_hash_goes_on_from_its_blocks_wherever_the_rows_are_cut(counts: list[int], known: int) -> None:
    whole = pa.table({"n": pa.array(range(sum(counts)), pa.int32())})
    state, place = ContentHash(whole.schema), 0
    for count in counts:
        state.add(whole.slice(place, count))
        place += count
    assert state.rows == place
    assert state.hexdigest() == content_hash(whole)
    again = ContentHash(whole.schema, state.blocks[: 32 * known])
    again.add(whole.slice(again.rows))
    assert again.hexdigest() == content_hash(whole)
