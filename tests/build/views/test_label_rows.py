"""Labels of any kind come back as that kind, whatever the history is read from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from assay.build.features.declared import Features
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.reading import Engine
from assay.build.views.joining.training_set import training_set
from assay.errors import InvalidInput, NotFound

_US = pa.timestamp("us", "UTC")
ROWS = pa.table({"k": [2, 1, 3], "t": pa.array([50, 40, 30], _US), "y": [0.5, 1.5, 2.5]})
HISTORY = pa.table(
    {
        "k": pa.array([1, 1, 2, 2], pa.int32()),
        "ts": pa.array([10, 45, 20, 30], _US),
        "v": [1, 2, 3, 4],
        "w": list("abcd"),
    }
)
EXPECTED = {"v": [4, 1, None], "w": ["d", "a", None]}


def _view(source: Any, **more: Any) -> FeatureView:
    view: FeatureView = feature_view("history", entity="k", time="ts", source=source, **more)
    return view


def test_a_pandas_frame_comes_back_with_its_index() -> None:
    labels = ROWS.to_pandas()
    labels.index = pd.Index(["a", "b", "c"])
    found = training_set(labels, [_view(HISTORY)])
    assert isinstance(found.data, pd.DataFrame)
    assert list(found.data.index) == ["a", "b", "c"]
    pd.testing.assert_frame_equal(found.data[["k", "t", "y"]], labels)
    assert found.data["w"].tolist()[:2] == ["d", "a"]
    assert found.table.select(["v", "w"]).to_pydict() == EXPECTED


def test_a_key_may_be_the_named_index_of_a_pandas_frame() -> None:
    labels = ROWS.to_pandas().set_index("k")
    found = training_set(labels, [_view(HISTORY)]).data
    assert found.index.equals(labels.index)
    assert found["w"].tolist()[:2] == ["d", "a"]


def test_a_polars_frame_comes_back_as_one_and_a_lazy_one_lazily() -> None:
    labels = pl.DataFrame(ROWS)
    found = training_set(labels, [_view(HISTORY)]).data
    assert isinstance(found, pl.DataFrame)
    assert found.select(labels.columns).equals(labels)
    assert found.select("v", "w").to_dict(as_series=False) == EXPECTED
    lazy = training_set(labels.lazy(), [_view(HISTORY)]).data
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(found)


def test_a_relation_of_duckdb_comes_back_as_one() -> None:
    found = training_set(duckdb.from_arrow(ROWS), [_view(HISTORY)]).data
    assert isinstance(found, duckdb.DuckDBPyRelation)
    assert found.fetchall()[0][2:] == (0.5, 4, "d")


def test_a_file_of_labels_comes_back_as_arrow(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "labels.parquet")
    found = training_set(str(tmp_path / "labels.parquet"), [_view(HISTORY)]).data
    assert found.select(["v", "w"]).to_pydict() == EXPECTED


@pytest.mark.parametrize("engine", ["arrow", "duckdb", "polars"])
@pytest.mark.parametrize(
    "kind", ["arrow", "pandas", "polars", "lazy", "relation", "parquet", "csv", "folder", "function", "expressions"]
)
def test_a_history_of_any_kind_gives_the_same(kind: str, engine: Engine, tmp_path: Path) -> None:
    found = training_set(ROWS, [_of_kind(kind, tmp_path)], engine=engine, status=True).table
    assert found.select(["v", "w"]).to_pydict() == EXPECTED
    assert found.column("history__ts").cast(pa.int64()).to_pylist() == [30, 10, None]


def _of_kind(kind: str, folder: Path) -> FeatureView:
    place = folder / "history"
    if kind in ("parquet", "expressions"):
        pq.write_table(HISTORY, f"{place}.parquet", row_group_size=2)
        features = {"half": "v * 1.0 / 2", "v": "cast(half * 2 as bigint)", "w": "lower(W)"}
        return _view(f"{place}.parquet", features=None if kind == "parquet" else features)
    if kind == "csv":
        HISTORY.to_pandas().to_csv(f"{place}.csv", index=False, date_format="%Y-%m-%d %H:%M:%S.%f")
        return _view(f"{place}.csv")
    if kind == "folder":  # the key is in the names of folders, and one file has a column less
        for key in (1, 2):
            (place / f"k={key}").mkdir(parents=True)
            part = HISTORY.filter(pc.equal(HISTORY["k"], key)).drop_columns(["k"])
            pq.write_table(part, place / f"k={key}" / "part.parquet")
        (place / "k=9").mkdir()
        pq.write_table(part.drop_columns(["w"]), place / "k=9" / "part.parquet")
        return _view(str(place))
    if kind == "function":
        return replace(_view(HISTORY), function=_same)
    sources = {
        "arrow": lambda: HISTORY,
        "pandas": HISTORY.to_pandas,
        "polars": lambda: pl.DataFrame(HISTORY),
        "lazy": lambda: pl.LazyFrame(pl.DataFrame(HISTORY)),
        "relation": lambda: duckdb.from_arrow(HISTORY),
    }
    return _view(sources[kind]())


def _same(rows: pa.Table) -> pa.Table:
    return rows


def test_features_that_are_computed_on_request_come_last_and_may_use_all_others() -> None:
    on_request = Features({"late": "t - history__v", "sum": "y + history__v"})
    with pytest.raises(InvalidInput, match="late"):
        training_set(ROWS, [on_request, _view(HISTORY)], prefix=True)
    found = training_set(ROWS, [Features({"sum": "y + history__v"}), _view(HISTORY)], prefix=True)
    assert found.table.column_names == ["k", "t", "y", "history__v", "history__w", "sum"]
    assert found.data.column("sum").to_pylist() == [4.5, 2.5, None]
    assert [use.column for use in found.used] == ["history__v", "history__w"]


def test_the_only_column_of_times_that_is_no_key_is_the_time() -> None:
    days = HISTORY.set_column(0, "k", pa.array([1, 1, 2, 2], pa.date32()))
    labels = ROWS.set_column(0, "k", pa.array([2, 1, 3], pa.date32()))
    assert training_set(labels, [_view(days)]).table.select(["v", "w"]).to_pydict() == EXPECTED
    with pytest.raises(InvalidInput, match="2 columns of times: t, u"):
        training_set(ROWS.append_column("u", ROWS["t"]), [_view(HISTORY)])
    found = training_set(ROWS.append_column("u", ROWS["t"]), [_view(HISTORY)], time="u")
    assert found.table.column("v").to_pylist() == EXPECTED["v"]
    with pytest.raises(InvalidInput, match="no columns of times"):
        training_set(ROWS.drop_columns(["t"]), [_view(HISTORY)])


def test_features_are_named_one_by_one_or_all_at_once() -> None:
    _view(HISTORY)
    assert training_set(ROWS, ["history:w"]).table.column_names == ["k", "t", "y", "w"]
    assert training_set(ROWS, ["history:*"]).table.column_names == ["k", "t", "y", "v", "w"]
    found = training_set(ROWS, ["history:w", "history:v", "history:w"]).table
    assert found.select(["w", "v"]).to_pydict() == {"w": EXPECTED["w"], "v": EXPECTED["v"]}


def test_a_name_that_is_taken_is_refused_unless_it_is_prefixed() -> None:
    labels = ROWS.append_column("v", ROWS["y"])
    with pytest.raises(InvalidInput, match=r"(?s)have a column 'v'.*history__v"):
        training_set(labels, [_view(HISTORY)])
    assert "history__v" in training_set(labels, [_view(HISTORY)], prefix=True).table.column_names
    other = feature_view("other", entity="k", time="ts", source=HISTORY)
    with pytest.raises(InvalidInput, match=r"(?s)two features would be called 'v'.*prefix=True"):
        training_set(ROWS, [_view(HISTORY), other])
    assert training_set(ROWS, [_view(HISTORY), other], prefix=True).table.num_columns == 7


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["histroy:v"], "did you mean 'history'"),
        (["history:x"], "no column 'x'"),
        (["history"], r"history:\* is all of it"),
        ([], "no feature of a view"),
        ([3], "a int names no feature"),
        (["history@2:v"], "there is no store"),
    ],
)
def test_what_names_no_feature_is_refused(asked: list[Any], said: str) -> None:
    _view(HISTORY)
    with pytest.raises((InvalidInput, NotFound), match=said):
        training_set(ROWS, asked)


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"(?s)as_of is 'now'.*\"event\" or \"known\""):
        training_set(ROWS, [_view(HISTORY)], as_of="now")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="did you mean 'polars'"):
        training_set(ROWS, [_view(HISTORY)], engine="polers")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="there is no store"):
        training_set(ROWS, [_view(HISTORY)], name="kept")
    with pytest.raises(InvalidInput, match=r"spark\.createDataFrame"):
        training_set(ROWS, [_view(HISTORY)], engine="spark")
    with pytest.raises(InvalidInput, match="no column 'k'"):
        training_set(ROWS.rename_columns(["key", "t", "y"]), [_view(HISTORY)])
