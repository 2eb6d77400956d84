"""An entity that is erased: nothing is left of it in the log, its blobs, online or the ledger; nothing comes back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.views.arriving.applying import apply_log
from assay.build.views.arriving.erasing import erase
from assay.build.views.arriving.materialize import materialize
from assay.build.views.arriving.push import push
from assay.build.views.declared.view import feature_view
from assay.build.views.log.log import logged_rows
from assay.build.views.online.store import open_online
from assay.build.views.registry.registered import ViewVersion, register
from assay.errors import InvalidInput
from assay.record.clearing.reachable import all_blobs
from assay.record.sqlstore import SqlStore

START_US = 1_700_000_000_000_000
NAMES = ["ada", "grace", "edsger"]


def people(count: int, first: int = 0) -> pa.Table:
    numbers = np.arange(first, first + count)
    times = pa.array(START_US + numbers * 1_000_000, pa.timestamp("us", "UTC"))
    return pa.table({"person": [NAMES[number % 3] for number in numbers], "at": times, "score": numbers * 1.0})


def registered(store: SqlStore, tmp_path: Path, rows: pa.Table) -> ViewVersion:
    pq.write_table(rows, tmp_path / "people.parquet")
    return register(store, feature_view("people", entity="person", time="at", source=str(tmp_path / "people.parquet")))


def persons(store: SqlStore, version: ViewVersion) -> set[str]:
    return {name for rows in logged_rows(store, version) for name in rows["person"].to_pylist()}


def served(store: SqlStore, version: ViewVersion, name: str) -> Any:
    online = open_online(store)
    (found,) = online.table(version).read([(name,)], 2 * START_US)
    online.close()
    return None if found.row is None else found.row[3]


@pytest.mark.parametrize("count", [30, 30_000])
def test_rows_blobs_and_online_entries_of_the_entity_go(store: SqlStore, tmp_path: Path, count: int) -> None:
    version = registered(store, tmp_path, people(count))
    materialize(store)
    found = erase(store, "people", entity=["person=ada"])
    assert (found.rows, found.online, found.blobs) == (count // 3, 1, int(count > 1000))
    assert persons(store, version) == {"grace", "edsger"}
    assert (served(store, version, "ada"), served(store, version, "grace")) == (None, count - 2)
    content = b"".join(path.read_bytes() for path in all_blobs(store.blobs.root))
    kept = [row["data"] or b"" for row in store.query("feature_log")]
    assert b"ada" not in content + b"".join(kept)
    assert b"grace" in content + b"".join(kept)


def test_the_ledger_says_that_and_not_who(store: SqlStore, tmp_path: Path) -> None:
    registered(store, tmp_path, people(6))
    materialize(store)
    decision = erase(store, "people", entity=["person=ada"]).decision
    (entry,) = store.query("ledger", {"seq": decision})
    assert json.loads(entry["body"])["detail"] == {"entity": ["person"], "rows": 2, "versions": [1]}
    assert "ada" not in json.dumps(store.query("ledger")) + json.dumps(
        [row["detail"] for row in store.query("feature_log")]
    )


def test_what_the_source_still_holds_is_not_taken_in_again_but_what_happens_later_is(
    store: SqlStore, tmp_path: Path
) -> None:
    version = registered(store, tmp_path, people(6))
    materialize(store)
    erase(store, "people", entity=["person=ada"])
    rows = people(9)
    pq.write_table(rows.take(np.random.default_rng(0).permutation(9)), tmp_path / "people.parquet")
    assert materialize(store).views[0].source.logged == 2, "of the others"
    assert push(version, {"person": "ada", "at": "2024-01-01", "score": 1}, store=store).rows == 0
    assert persons(store, version) == {"grace", "edsger"}
    assert push(version, {"person": "ada", "at": "2090-01-01", "score": 1}, store=store).rows == 1
    assert materialize(store, rebuild=True).views[0].left_out == 0
    assert persons(store, version) == {"ada", "grace", "edsger"}


def test_who_wrote_online_meanwhile_leaves_nothing_of_it(store: SqlStore, tmp_path: Path) -> None:
    version = registered(store, tmp_path, people(6))
    materialize(store)
    before = pa.concat_tables(logged_rows(store, version))
    erase(store, "people", entity=["person=ada"])
    online = open_online(store)
    table = online.table(version)
    table.write(before, 2 * START_US, {"arrival": 5, "epoch": 0})  # read before, written after
    assert served(store, version, "ada") is not None
    apply_log(store, version, table, lambda: 2 * START_US)
    assert (served(store, version, "ada"), served(store, version, "grace")) == (None, 4)
    online.close()


def test_a_key_of_several_columns_and_types_is_named_column_by_column(store: SqlStore) -> None:
    day = pa.array([20_000, 20_001, 20_000], pa.int32()).cast(pa.date32())
    times = pa.array([START_US] * 3, pa.timestamp("us"))
    rows = pa.table({"shop": [1, 1, 2], "day": day, "open": [True] * 3, "at": times, "score": [1, 2, 3]})
    version = register(store, feature_view("shops", entity=["shop", "day", "open"], time="at", source=rows))
    materialize(store)
    assert erase(store, "shops", entity=["shop=1", "open=true", "day=2024-10-04"]).rows == 1
    assert [value for part in logged_rows(store, version) for value in part["score"].to_pylist()] == [2, 3]
    for wrong, message in (
        (["shop=1", "open=true"], "the key lacks 'day'"),
        (["shop=one", "open=true", "day=2024-10-04"], "'one' is no value of the key 'shop'"),
        (["shpo=1"], "'shpo' is no key of shops@1"),
    ):
        with pytest.raises(InvalidInput, match=message):
            erase(store, "shops", entity=wrong)


def test_every_version_of_the_view_forgets(store: SqlStore, tmp_path: Path) -> None:
    old = registered(store, tmp_path, people(6))
    materialize(store)
    view = feature_view("people", entity="person", time="at", source=str(tmp_path / "people.parquet"), ttl="9999d")
    new = register(store, view)
    materialize(store)
    assert erase(store, "people", entity=["person=ada"]).versions == [2, 1]
    assert persons(store, old) == persons(store, new) == {"grace", "edsger"}
