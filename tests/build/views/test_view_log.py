"""The log of a view's rows: numbered, whole, in order, and found by whoever clears away."""

import os
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from assay.build.views.declared.history import ARRIVAL, ARRIVED, CREATED, TS, as_rows
from assay.build.views.declared.view import feature_view
from assay.build.views.log.log import append_rows, log_end, log_parts, logged_rows
from assay.build.views.registry.registered import ViewVersion, register, view_of
from assay.errors import InvalidInput
from assay.record.clearing.gc import gc
from assay.record.clearing.reachable import all_blobs
from assay.record.sqlstore import SqlStore

START = datetime(2026, 1, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000


def table(count: int, first: int = 0, **more: Any) -> pa.Table:
    place = np.arange(first, first + count)
    times = pa.array(START_US + place * 1_000_000, pa.timestamp("us", "UTC"))
    return pa.table(
        {"customer": place % 7, "at": times, "spend": place * 0.5, "word": pa.array(map(str, place)), **more}
    )


def registered(store: SqlStore, **more: Any) -> ViewVersion:
    source = table(10) if not more.get("created") else table(10, seen=pa.nulls(10, pa.timestamp("us", "UTC")))
    return register(store, feature_view("spend", entity="customer", time="at", source=source, **more))


def appended(store: SqlStore, version: ViewVersion, rows: pa.Table, now_us: int = START_US) -> pa.Table:
    return append_rows(store, version, as_rows(view_of(version), rows, 0), "push", now_us)


def all_rows(store: SqlStore, version: ViewVersion, **more: Any) -> pa.Table:
    return pa.concat_tables(logged_rows(store, version, **more))


@pytest.mark.parametrize("count", [1, 20, 5_000])
def test_what_was_appended_is_read_as_it_was_returned(either_store: SqlStore, count: int) -> None:
    version = registered(either_store)
    first = appended(either_store, version, table(count), 5)
    second = appended(either_store, version, table(3, 90_000), 6)
    assert all_rows(either_store, version).equals(pa.concat_tables([first, second]))
    assert second[ARRIVAL].to_pylist() == [count, count + 1, count + 2]
    assert second[ARRIVED].to_pylist() == [6, 6, 6]
    assert log_end(either_store, version) == count + 2


def test_rows_became_known_when_they_arrived_where_no_created_column_is_declared(store: SqlStore) -> None:
    version = registered(store)
    assert appended(store, version, table(2), 77)[CREATED].to_pylist() == [77, 77]


def test_a_created_column_is_kept_as_it_is_with_its_gaps(store: SqlStore) -> None:
    version = registered(store, created="seen")
    seen = pa.array([START, None], pa.timestamp("us", "UTC"))
    assert appended(store, version, table(2, seen=seen), 77)[CREATED].to_pylist() == [START_US, None]
    assert all_rows(store, version)[CREATED].to_pylist() == [START_US, None]


def test_reading_after_a_number_gives_what_came_later_with_the_columns_that_are_asked_for(store: SqlStore) -> None:
    version = registered(store)
    appended(store, version, table(10))
    appended(store, version, table(10, 10))
    rows = all_rows(store, version, after=7, columns=["word"])
    assert rows[ARRIVAL].to_pylist() == list(range(8, 20))
    assert rows.column_names == ["customer", TS, CREATED, ARRIVAL, ARRIVED, "word"]


def test_rows_with_a_column_too_few_or_of_another_type_are_refused_and_none_is_logged(store: SqlStore) -> None:
    version = registered(store)
    rows = as_rows(view_of(version), table(2), 0)
    with pytest.raises(InvalidInput, match="no column 'word'"):
        append_rows(store, version, rows.drop_columns("word"), "push", 1)
    with pytest.raises(InvalidInput, match="'spend' of spend@1 is string"):
        append_rows(store, version, rows.set_column(4, "spend", [["a", "b"]]), "push", 1)
    assert log_parts(store, version) == []


def test_clearing_away_leaves_what_the_log_names(store: SqlStore) -> None:
    version = registered(store)
    kept = appended(store, version, table(5_000))
    nobody_names = store.blobs.put(b"nothing")
    for path in all_blobs(store.blobs.root):
        os.utime(path, (0, 0))
    assert gc(store, delete=True, older_than=0).blobs == 1
    assert not store.blobs.has(nobody_names)
    assert all_rows(store, version).equals(kept)
