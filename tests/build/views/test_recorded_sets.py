"""Training sets in a store: versions of views, what was known by the log, and sets that can be found again."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.views.declared.history import as_rows
from assay.build.views.declared.view import DEFINED, FeatureView, feature_view
from assay.build.views.joining.reading import Engine
from assay.build.views.joining.recorded_sets import recorded_set, recorded_sets
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.registry.registered import register
from assay.errors import InvalidInput, NotFound
from assay.record.datasets import dataset, snapshot
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

_US = pa.timestamp("us", "UTC")
LABELS = pa.table({"k": [2, 1, 3], "t": pa.array([50, 40, 30], _US)})
HISTORY = pa.table({"k": [1, 1, 2], "ts": pa.array([10, 45, 20], _US), "v": [1.0, 2.0, 3.0]})


def _view(source: Any = "history", **more: Any) -> FeatureView:
    view: FeatureView = feature_view("sales", entity="k", time="ts", source=source, **more)
    return view


def test_a_view_that_is_used_with_a_store_becomes_a_version(store: SqlStore, tmp_path: Path) -> None:
    pq.write_table(HISTORY, tmp_path / "history.parquet")
    for _ in range(2):
        found = training_set(LABELS, [_view(str(tmp_path / "history.parquet"))], store=store)
        assert [(use.view, use.version, use.feature, use.column) for use in found.used] == [("sales", 1, "v", "v")]
    changed = training_set(LABELS, [_view(str(tmp_path / "history.parquet"), ttl="1d")], store=store)
    assert changed.used[0].version == 2
    assert training_set(LABELS, ["sales@1:v"], store=store).used[0].version == 1
    DEFINED.clear()  # another process
    assert training_set(LABELS, ["sales:*"], store=store).used[0].version == 2


def test_labels_that_are_refused_register_nothing(store: SqlStore) -> None:
    with pytest.raises(InvalidInput):
        training_set(LABELS.drop_columns(["k"]), [_view(HISTORY)], store=store)
    assert store.query("feature_view") == []


@pytest.mark.parametrize("engine", ["arrow", "duckdb", "polars"])
def test_a_dataset_is_a_history(store: SqlStore, engine: Engine) -> None:
    snapshot(store, "history", HISTORY)
    found = training_set(LABELS, [_view()], store=store, engine=engine).table
    assert found.column("v").to_pylist() == [3.0, 1.0, None]
    with pytest.raises(InvalidInput, match="there is no store"):
        training_set(LABELS, [_view()])


def test_a_training_set_is_kept_with_how_it_was_made_and_found_again(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    made = training_set(LABELS, [_view(ttl="1d", strict=True, delay="0d")], store=store, name="january", status=True)
    assert made.dataset is not None
    assert dataset(store, made.dataset.hash).equals(made.table)
    found = recorded_set(store, "january")
    assert (found.name, found.hash, found.used, found.report) == (
        "january",
        made.dataset.hash,
        made.used,
        made.report,
    )
    match = found.report.views[0]
    assert (match.view, match.present, match.missing, match.strict, match.ttl_us) == (
        "sales@1",
        2,
        1,
        True,
        86_400_000_000,
    )
    assert found.report.as_of == "event"
    assert recorded_sets(store, "january") == [found]
    with pytest.raises(NotFound, match="no training set that was joined here"):
        recorded_set(store, "history")


def test_the_same_set_computed_once_more_is_the_same_to_the_bit(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    first = training_set(LABELS, [_view()], store=store, name="one").dataset
    kinds: list[Any] = [LABELS, pl.DataFrame(LABELS)]
    again = [training_set(kind, ["sales@1:v"], store=store, name="one", engine="duckdb").dataset for kind in kinds]
    assert [one and one.hash for one in again] == [first and first.hash] * 2


def test_the_share_of_rows_that_match_is_told_beside_the_one_of_the_last_set(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    assert "(66.7 %)" in str(training_set(LABELS, [_view()], store=store, name="one"))
    fewer = LABELS.filter(pa.array([False, True, True]))
    text = str(training_set(fewer, [_view()], store=store, name="two"))
    assert "sales@1: 1 present, 1 missing (50.0 %, 66.7 % last time)" in text


def test_a_set_that_is_made_in_a_run_is_an_output_of_it(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    with start_run(store, "training") as run:
        made = training_set(LABELS, [_view()], store=store, name="one").dataset
    assert made is not None
    links = store.query("run_io", {"run_id": run.run_id, "role": "output"})
    assert [link["artifact_id"] for link in links] == [made.artifact_id]


def test_what_was_known_of_a_view_without_created_is_told_by_its_log(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    view = _view()
    version = register(store, view)
    with pytest.raises(InvalidInput, match="no created column and no log"):
        training_set(LABELS, [view], as_of="known", store=store)
    append_rows(store, version, as_rows(view, HISTORY.slice(0, 2), 0), "source", 39)
    append_rows(store, version, as_rows(view, HISTORY.slice(2), 0), "source", 51)
    found = training_set(LABELS, [view], as_of="known", store=store, status=True).table
    assert found.column("v").to_pylist() == [None, 1.0, None]  # that of key 2 arrived a microsecond too late
    later = LABELS.set_column(1, "t", pa.array([51, 44, 30], _US))
    assert training_set(later, ["sales:v"], as_of="known", store=store).table.column("v").to_pylist() == [
        3.0,
        1.0,
        None,
    ]


def test_rows_that_were_pushed_count_behind_those_of_the_source(store: SqlStore) -> None:
    snapshot(store, "history", HISTORY)
    view = _view()
    version = register(store, view)
    pushed = pa.table({"k": [1, 3, 2], "ts": pa.array([10, 29, 60], _US), "v": [10.0, 30.0, 20.0]})
    append_rows(store, version, as_rows(view, pushed, 0), "push", 1)
    found = training_set(LABELS, [view], store=store)
    assert found.table.column("v").to_pylist() == [3.0, 10.0, 30.0]
