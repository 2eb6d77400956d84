"""The rows of a view in the one form."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pytest

from assay.build.views.declared.aggregates import count, distinct, mean
from assay.build.views.declared.history import ARRIVAL, CREATED, TS, as_rows, source_rows, value_columns
from assay.build.views.declared.view import FeatureView, feature_view
from assay.errors import InvalidInput, NotFound
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore

TABLE = pa.table(
    {
        "id": pa.array([1, 2, None], pa.int32()),
        "at": [datetime(1970, 1, 1), datetime(1970, 1, 2), datetime(1970, 1, 3)],
        "known": [datetime(1970, 1, 4), None, datetime(1970, 1, 4)],
        "amount": [1.0, float("nan"), 3.0],
        "kind": ["a", None, "c"],
    }
)


def _view(**more: Any) -> FeatureView:
    return feature_view("spend", **{"entity": "id", "time": "at", "source": TABLE, **more})


def test_rows_have_keys_times_arrival_and_the_features() -> None:
    rows = source_rows(_view(created="known"))
    assert rows.column_names == ["id", TS, CREATED, ARRIVAL, "amount", "kind"]
    assert rows.schema.field("id").type == pa.int64()
    assert rows[TS].to_pylist() == [0, 86_400_000_000, 172_800_000_000]
    assert rows[CREATED].to_pylist() == [259_200_000_000, None, 259_200_000_000]
    assert rows[ARRIVAL].to_pylist() == [0, 1, 2]


def test_without_a_created_column_nothing_is_known_of_when_rows_became_known() -> None:
    rows = source_rows(_view(features=["amount"]))
    assert rows[CREATED].to_pylist() == [None, None, None]
    assert rows[CREATED].type == pa.int64()
    assert rows.column_names[-1] == "amount"


def test_a_key_that_an_aggregate_reads_keeps_the_form_in_which_it_is_matched() -> None:
    rows = source_rows(_view(features={"ids": count("id", over="7d"), "kinds": distinct("kind", over="7d")}))
    assert rows.schema.field("id").type == pa.int64()
    assert rows.column_names == ["id", TS, CREATED, ARRIVAL, "kind"]


def test_nan_is_null() -> None:
    assert source_rows(_view())["amount"].to_pylist() == [1.0, None, 3.0]


def test_arrival_goes_on_where_it_is_told_to() -> None:
    assert as_rows(_view(), TABLE, 7)[ARRIVAL].to_pylist() == [7, 8, 9]


def test_expressions_are_computed_of_each_row() -> None:
    rows = source_rows(_view(features={"double": "amount * 2", "four": "double * 2"}))
    assert rows["four"].to_pylist() == [4.0, None, 12.0]
    assert rows.column_names[-2:] == ["double", "four"]


def test_a_view_of_aggregates_keeps_the_columns_that_they_read() -> None:
    view = _view(features={"n": count(over="7d"), "m": mean("amount", over="7d")}, event="kind")
    assert value_columns(view, TABLE.column_names) == ["amount", "kind"]


def test_a_row_without_a_time_is_refused_with_its_place() -> None:
    table = TABLE.set_column(1, "at", pa.array([datetime(1970, 1, 1), None, None]))
    with pytest.raises(InvalidInput, match=r"2 rows of the feature view 'spend' have no time in 'at'") as refused:
        source_rows(_view(source=table))
    assert refused.value.where == "row 1"


def test_a_function_makes_the_rows_of_its_source_or_of_several() -> None:
    def doubled(orders: pa.Table) -> pa.Table:
        return orders.append_column("twice", pa.array([2, 4, 6]))

    def joined(orders: pa.Table, items: pa.Table) -> pa.Table:
        return orders.append_column("items", pa.array([items.num_rows] * 3))

    common: dict[str, Any] = {"entity": "id", "time": "at"}
    assert source_rows(feature_view(**common, source=TABLE)(doubled))["twice"].to_pylist() == [2, 4, 6]
    both = feature_view(**common, source={"items": TABLE.slice(0, 1), "orders": TABLE})(joined)
    assert source_rows(both)["items"].to_pylist() == [1, 1, 1]


def test_what_a_function_raises_names_the_view() -> None:
    def broken(orders: pa.Table) -> pa.Table:
        return orders.column("nothing")

    view = feature_view(entity="id", time="at", source=TABLE)(broken)
    with pytest.raises(InvalidInput, match="the feature view 'broken' cannot be computed: KeyError"):
        source_rows(view)


def test_a_source_is_a_file_a_dataset_or_a_table(store: SqlStore, tmp_path: Path) -> None:
    table = TABLE.select(["id", "at", "amount"]).slice(0, 1)
    csv.write_csv(table, tmp_path / "orders.csv")
    snapshot(store, "orders", table)
    for source in (str(tmp_path / "orders.csv"), tmp_path / "orders.csv", "orders", table):
        assert source_rows(_view(source=source), store)["amount"].to_pylist() == [1]
    with pytest.raises(InvalidInput, match="the source of 'spend' is the dataset 'orders', and there is no store"):
        source_rows(_view(source="orders"))
    with pytest.raises(NotFound, match="ordres"):
        source_rows(_view(source="ordres"), store)
