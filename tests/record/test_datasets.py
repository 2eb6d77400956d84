from datetime import UTC, datetime

import numpy as np
import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import InvalidInput, NotFound, StoreUnavailable, Tampered
from assay.record.blobs import BlobWriter
from assay.record.contract import in_threads
from assay.record.datasets import dataset, dataset_versions, snapshot
from assay.record.sqlstore import SqlStore
from assay.record.tables import content_hash, schema_hash, to_parquet

TABLE = pa.table({"age": [30, None], "name": ["ann", "bob"], "since": pa.array([1, 2], pa.timestamp("s"))})


def test_a_table_comes_back_under_its_hash(store: SqlStore) -> None:
    version = snapshot(store, "people", TABLE, source_system="crm", licence="CC0")
    assert (version.name, version.rows, version.source_system, version.licence) == ("people", 2, "crm", "CC0")
    assert (version.hash, version.schema_hash) == (content_hash(TABLE), schema_hash(TABLE))
    again = dataset(store, version.hash)
    assert again.to_pylist() == [
        {"age": 30, "name": "ann", "since": datetime(1970, 1, 1, 0, 0, 1)},
        {"age": None, "name": "bob", "since": datetime(1970, 1, 1, 0, 0, 2)},
    ]
    assert content_hash(again) == version.hash


def test_the_same_content_is_the_same_version(store: SqlStore) -> None:
    first = snapshot(store, "people", TABLE)
    assert snapshot(store, "people", TABLE) == first
    assert snapshot(store, "people", TABLE.to_pandas(types_mapper=pandas.ArrowDtype)) == first
    assert len(store.query("artifact")) == 1


def test_other_content_or_another_name_is_another_version(store: SqlStore) -> None:
    first = snapshot(store, "people", TABLE)
    assert snapshot(store, "people", TABLE.slice(0, 1)).hash != first.hash
    named = snapshot(store, "persons", TABLE)
    assert (named.hash, named.artifact_id != first.artifact_id) == (first.hash, True)


def test_the_same_content_from_many_threads_is_one_version(either_store: SqlStore) -> None:
    versions = in_threads(lambda _: snapshot(either_store, "people", TABLE), 6)
    assert len({version.artifact_id for version in versions}) == 1
    assert len(either_store.query("artifact")) == 1


def test_a_snapshot_knows_its_event_time(store: SqlStore) -> None:
    store.clock.advance(datetime(2013, 4, 1, tzinfo=UTC))
    version = snapshot(store, "people", TABLE)
    assert store.get("artifact", {"artifact_id": version.artifact_id})["event_ts"].startswith("2013-04-01")
    assert version.created > "2013-04-02"


def test_what_was_kept_under_another_kind_of_hash_stays_readable(store: SqlStore) -> None:
    blob = store.blobs.put(to_parquet(TABLE))
    row = {"artifact_id": "old", "type": "dataset", "name": "people", "hash": "f" * 64, "schema_hash": "0" * 64}
    store.append("artifact", {**row, "format": "parquet", "rows": 2, "blob": blob, "created": "2025-01-01T00:00:00Z"})
    assert content_hash(dataset(store, "f" * 64)) == content_hash(TABLE)
    new = snapshot(store, "people", TABLE)
    assert new.artifact_id != "old"
    assert [version.hash for version in dataset_versions(store, "people")] == [new.hash, "f" * 64]


def test_a_large_table_is_encoded_as_its_values_deserve(store: SqlStore) -> None:
    generator = np.random.default_rng(0)
    table = pa.table({"measured": generator.normal(size=50_000), "code": generator.integers(0, 9, 50_000)})
    version = snapshot(store, "rows", table)
    with store.blobs.open(store.query("artifact")[0]["blob"]) as file:
        group = pq.ParquetFile(file).metadata.row_group(0)
        assert [group.column(place).compression for place in (0, 1)] == ["UNCOMPRESSED", "ZSTD"]
        assert [group.column(place).has_dictionary_page for place in (0, 1)] == [False, True]
    assert dataset(store, version.hash).equals(table)


def test_a_full_disk_leaves_no_version(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_writer: BlobWriter, _piece: bytes) -> None:
        raise StoreUnavailable("no space left on device")

    monkeypatch.setattr(BlobWriter, "write", full)
    with pytest.raises(StoreUnavailable, match="no space left"):
        snapshot(store, "people", TABLE)
    assert store.query("artifact") == []


def test_an_unknown_hash(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no dataset with hash 000000000000"):
        dataset(store, "0" * 64)


def test_changed_content_is_refused(store: SqlStore) -> None:
    version = snapshot(store, "people", TABLE)
    path = store.blobs.path(store.query("artifact")[0]["blob"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Tampered):
        dataset(store, version.hash)


def test_what_is_no_table_is_refused_and_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="not a table"):
        snapshot(store, "people", [1, 2])
    assert store.query("artifact") == []
