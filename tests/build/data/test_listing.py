"""Datasets from outside: kept, listed, shown."""

import datetime
import decimal
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.build.data.adding import add_dataset
from assay.build.data.column_summary import ColumnSummary, Values, summaries
from assay.build.data.listing import list_datasets, show_dataset
from assay.errors import InvalidInput, NotFound
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

ZONE = datetime.timezone(datetime.timedelta(hours=1))


def _one(column: pa.Array | pa.ChunkedArray) -> ColumnSummary:
    (found,) = summaries(pa.table({"c": column}))
    return found


def test_datasets_are_listed_with_their_newest_version(store: SqlStore) -> None:
    assert list_datasets(store).datasets == []
    snapshot(store, "b", pa.table({"n": [1]}), source_system="crm", licence="CC0")
    first = snapshot(store, "a", pa.table({"n": [1]}))
    second = snapshot(store, "a", pa.table({"n": [1, 2]}))
    listed = list_datasets(store).datasets
    assert [(one.name, one.rows, one.versions, one.origin, one.licence) for one in listed] == [
        ("a", 2, 2, None, None),
        ("b", 1, 1, "crm", "CC0"),
    ]
    assert [one.hash for one in list_datasets(store, "a").datasets] == [second.hash, first.hash]


def test_a_version_is_named_by_the_beginning_of_its_hash(store: SqlStore) -> None:
    first = snapshot(store, "flights", pa.table({"n": [1]}))
    snapshot(store, "flights", pa.table({"n": [1, 2]}))
    assert show_dataset(store, "flights").rows == 2
    assert show_dataset(store, f"flights@{first.hash[:6]}").rows == 1
    assert show_dataset(store, f"@{first.hash}").rows == 1
    with pytest.raises(NotFound, match="there is no dataset 'flihgts'") as caught:
        show_dataset(store, "flihgts")
    assert caught.value.hint == "did you mean 'flights'?"
    with pytest.raises(NotFound, match="no version of flights has a hash that begins with xyz"):
        show_dataset(store, "flights@xyz")
    for number in range(40):
        snapshot(store, "flights", pa.table({"n": [number, number]}))
    begins = [version.hash[0] for version in list_datasets(store, "flights").datasets]
    twice = next(one for one in begins if begins.count(one) > 1)
    with pytest.raises(InvalidInput, match=f"versions begin with {twice}"):
        show_dataset(store, f"flights@{twice}")


def test_rows_are_shown_only_where_they_are_asked_for(store: SqlStore) -> None:
    table = pa.table({"n": [1, 2], "day": [datetime.date(2013, 4, 1), None], "listed": [[1], None]})
    snapshot(store, "rows", table)
    assert show_dataset(store, "rows").first == []
    assert show_dataset(store, "rows", rows=1).first == [{"n": 1, "day": "2013-04-01", "listed": "[1]"}]
    with pytest.raises(InvalidInput, match="rows is -1"):
        show_dataset(store, "rows", rows=-1)


def test_numbers_have_a_middle_and_text_has_frequent_values() -> None:
    found = _one(pa.array([4, 1, 1, None, 3]))
    assert found == ColumnSummary("c", "int64", 1, 3, 1, 2.0, 4, [Values(1, 2), Values(3, 1), Values(4, 1)])
    assert _one(pa.array([1.5, math.nan, None])).missing == 2, "NaN is no number"
    named = _one(pa.array(["b", "a", None, "b"]).dictionary_encode())
    assert named == ColumnSummary("c", "string", 1, 2, most_frequent=[Values("b", 2), Values("a", 1)])
    assert _one(pa.array([True, True, False])).most_frequent == [Values(True, 2), Values(False, 1)]
    assert _one(pa.array([3, 4])).most_frequent == [], "no value occurs twice"


def test_text_that_tells_people_apart_is_not_told() -> None:
    found = _one(pa.array([f"person {number // 2}" for number in range(2_002)]))
    assert (found.distinct, found.most_frequent, found.min) == (1_001, [], None)


@pytest.mark.parametrize(
    ("column", "low", "high"),
    [
        (pa.array([datetime.date(2013, 4, 1), datetime.date(1960, 4, 2)]), "1960-04-02", "2013-04-01"),
        (pa.array([0, 86_400_000], pa.date64()), "1970-01-01", "1970-01-02"),
        (pa.array([0, 1], pa.timestamp("s")), "1970-01-01T00:00:00", "1970-01-01T00:00:01"),
        (
            pa.array([0, 1], pa.timestamp("us", "+01:00")),
            "1970-01-01T01:00:00+01:00",
            "1970-01-01T01:00:00.000001+01:00",
        ),
        (pa.array([0, 60], pa.time32("s")), "00:00:00", "00:01:00"),
        (pa.array([0, 60], pa.duration("s")), "0:00:00", "0:01:00"),
        (pa.array([decimal.Decimal("1.5"), decimal.Decimal("-2.0")]), -2.0, 1.5),
        (pa.array([0, 2**64 - 1], pa.uint64()), 0, 2**64 - 1),
        (pa.array([0.5, -1], pa.float16()), -1.0, 0.5),
    ],
)
def test_the_ends_of_what_has_an_order(column: pa.Array, low: object, high: object) -> None:
    found = _one(column)
    assert (found.min, found.max, found.distinct) == (low, high, 2)


@pytest.mark.parametrize("column", [pa.array([[1], None]), pa.nulls(2), pa.array([{"x": 1}, None])])
def test_what_has_no_order_has_only_missing_values(column: pa.Array) -> None:
    assert _one(column) == ColumnSummary("c", str(column.type), column.null_count)


def test_columns_without_values_and_tables_without_columns() -> None:
    assert _one(pa.array([], pa.int64())) == ColumnSummary("c", "int64", 0, 0)
    assert _one(pa.array([None, math.nan])) == ColumnSummary("c", "double", 2, 0)
    assert summaries(pa.table({})) == []


@given(st.lists(st.none() | st.integers(-(2**53), 2**53), min_size=1))
def test_a_summary_is_that_of_numpy(values: list[int | None]) -> None:
    found, present = _one(pa.array(values, pa.int64())), [value for value in values if value is not None]
    assert (found.missing, found.distinct) == (values.count(None), len(set(present)))
    if present:
        assert (found.min, found.median, found.max) == (min(present), np.median(present), max(present))


def test_a_table_is_added_by_its_place(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("zip;day\n1;31.12.2013\n")
    version = add_dataset(store, "rows", str(tmp_path / "rows.csv"), types="zip=text, day=%d.%m.%Y", licence="CC0")
    assert (version.rows, version.licence) == (1, "CC0")
    columns = show_dataset(store, "rows").columns
    assert [(one.name, one.type) for one in columns] == [("zip", "string"), ("day", "timestamp[us]")]
    with pytest.raises(InvalidInput, match="--types says 'zip'"):
        add_dataset(store, "rows", str(tmp_path / "rows.csv"), types="zip")
