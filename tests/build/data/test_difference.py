"""How tables differ, and what came of them."""

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.operate.serving_helpers import COLUMNS, Fixed

from assay.build.data.column_change import ColumnChange, column_change
from assay.build.data.dataset_lineage import dataset_lineage
from assay.build.data.difference import DatasetDifference, diff_datasets
from assay.build.models.packaging import package_model
from assay.build.steps.step import step
from assay.errors import InvalidInput, NotFound
from assay.record.datasets import snapshot
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

GENERATOR = np.random.default_rng(7)


def _diff(store: SqlStore, before: dict[str, Any], after: dict[str, Any], **options: Any) -> DatasetDifference:
    snapshot(store, "before", pa.table(before))
    snapshot(store, "after", pa.table(after))
    return diff_datasets(store, "before", "after", **options)


def _change(before: Any, after: Any) -> ColumnChange:
    return column_change("c", pa.chunked_array([before]), pa.chunked_array([after]))


def test_nothing_differs(store: SqlStore) -> None:
    found = _diff(store, {"n": [1, 2]}, {"n": [1, 2]})
    assert (found.same, found.words, found.columns) == (True, [], [])


def test_the_order_of_rows_alone(store: SqlStore) -> None:
    found = _diff(store, {"n": [1, 2]}, {"n": [2, 1]})
    assert not found.same
    assert found.words == ["rows differ, but nothing of note about their values: perhaps their order, or single values"]


def test_the_order_of_columns(store: SqlStore) -> None:
    assert _diff(store, {"a": [1], "b": [2]}, {"b": [2], "a": [1]}).words == ["columns stand in another order"]


def test_columns_and_rows(store: SqlStore) -> None:
    before = {"n": [1], "gone": [1], "kind": ["1"]}
    found = _diff(store, before, {"n": [1.0, 1.0], "new": [1, 1], "kind": [1, 1]})
    assert (found.added, found.removed) == (["new"], ["gone"])
    assert [(one.name, one.before, one.after) for one in found.retyped] == [
        ("n", "int64", "double"),
        ("kind", "string", "int64"),
    ]
    assert [one.name for one in found.columns] == ["n"], "numbers of another type are compared, text and numbers not"
    assert found.words == [
        "rows 1 -> 2 (+100.0%)",
        "column 'new' is new",
        "column 'gone' is gone",
        "column 'n' was int64 and is double",
        "column 'kind' was string and is int64",
    ]


def test_new_values_and_values_that_are_gone() -> None:
    before = pa.array(["AA"] * 600 + ["EV"] * 300 + ["UA"] * 100)
    found = _change(before, pa.array(["AA"] * 500 + ["UA"] * 100 + ["ZZ"] * 300 + ["YY"] * 100))
    assert found.words[:3] == [
        "2 new values (ZZ, YY), 40.0% of rows",
        "1 gone (EV), 30.0% of rows",
        "AA 60.0% -> 50.0%",
    ]
    assert found.words[3].startswith("the distribution moved far (stability index ")
    assert (found.new_count, found.new_values, found.gone_values) == (2, ["ZZ", "YY"], ["EV"])


def test_of_text_that_tells_people_apart_values_are_counted_and_not_told() -> None:
    people = [f"person {number}" for number in range(1_500)]
    found = _change(pa.array(people), pa.array([*people[:1_400], "somebody"]))
    assert found.words == ["1 new value, 0.1% of rows", "100 gone, 6.7% of rows"]
    assert (found.new_values, found.gone_values, found.stability) == ([], [], None)


def test_numbers_that_move() -> None:
    before = GENERATOR.normal(size=20_000)
    found = _change(pa.array(before), pa.array([*(before[:10_000] + 1), *[None] * 10_000]))
    assert found.words[0] == "missing 0.0% -> 50.0%"
    assert found.words[1].startswith("median ")
    assert found.words[2].startswith("nine tenths lie in ")
    assert found.words[-1].startswith("the distribution moved far (stability index 0.9")
    assert found.stability == pytest.approx(1, abs=0.15), "of normal numbers one standard deviation apart it is near 1"
    assert found.quantiles_before == pytest.approx(np.quantile(before, [0.05, 0.25, 0.5, 0.75, 0.95]), abs=0.01)


def test_times_that_move() -> None:
    days = [datetime.date(2013, 1, 1) + datetime.timedelta(number) for number in range(300)]
    found = _change(pa.array(days[:200]), pa.array(days[100:]))
    assert found.words[0] == "median 2013-04-10 -> 2013-07-19"
    assert "largest 2013-07-19 -> 2013-10-27" in found.words


@pytest.mark.parametrize("rows", [5, 50, 5_000])
def test_chance_is_not_called_a_move(rows: int) -> None:
    """Of 100 pairs of samples from one distribution, hardly any is said to have moved."""
    said = 0
    for _ in range(100):
        numbers, texts = GENERATOR.normal(size=(2, rows)), GENERATOR.integers(0, 12, (2, rows)).astype(str)
        for one, other in (numbers, texts):
            said += any("moved" in words for words in _change(pa.array(one), pa.array(other)).words)
    assert said <= 4


def test_columns_that_are_empty_or_without_order() -> None:
    assert _change(pa.array([1, 2]), pa.array([None, None], pa.int64())).words == ["missing 0.0% -> 100.0%"]
    assert _change(pa.array([[1], None]), pa.array([[2], [3]])).words == ["missing 50.0% -> 0.0%"]
    assert _change(pa.array([], pa.int64()), pa.array([1])).words == []


def test_files_are_compared_too_and_columns_can_be_chosen(store: SqlStore, tmp_path: Path) -> None:
    snapshot(store, "rows", pa.table({"n": [1, 2], "s": ["a", "b"]}))
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": [1, 3], "s": ["a", "c"]}), path)
    found = diff_datasets(store, "rows", str(path), columns="s")
    assert found.after.dataset == str(path)
    assert [one.name for one in found.columns] == ["s"]
    assert diff_datasets(store, str(path), str(path)).same
    with pytest.raises(InvalidInput, match="no column 'x' stands in both"):
        diff_datasets(store, "rows", str(path), columns="x")
    with pytest.raises(NotFound, match="there is no dataset 'rosw'"):
        diff_datasets(store, "rows", "rosw")
    with pytest.raises(InvalidInput, match="there is no file"):
        diff_datasets(store, "rows", str(tmp_path / "none.csv"))


@step
def doubled(table: pa.Table) -> pa.Table:
    return table.append_column("twice", pa.array([2 * number for number in table["n"].to_pylist()]))


def test_the_lineage_of_a_dataset(store: SqlStore) -> None:
    table = pa.table({"n": [1, 2]})
    unused = snapshot(store, "rows", pa.table({"n": [0]}))
    version = snapshot(store, "rows", table, source_system="crm", licence="CC0")
    snapshot(store, "same", table)
    with start_run(store, "delays", "train") as run:
        run.uses(version.artifact_id, "rows")
        made = snapshot(store, "twice", doubled(table))
        run.makes(made.artifact_id, "twice")
        example = pa.table({"distance": [1.5], "carrier": ["AA"]})
        package_model(store, "delays", Fixed(0.5), example, COLUMNS, run=run)
    found = dataset_lineage(store, "rows")
    used, other = found.versions
    assert (used.hash, used.origin, used.licence, used.same_content) == (version.hash, "crm", "CC0", ["same"])
    assert [(one.run_id, one.name, one.role, one.models) for one in used.runs] == [
        (run.run_id, "train", "input", ["delays/1"])
    ]
    assert [(one.run_id, one.name, one.role, one.state) for one in used.steps] == [
        (run.run_id, "doubled", "input", "done")
    ]
    assert (other.hash, other.runs, other.steps) == (unused.hash, [], [])
    (result,) = dataset_lineage(store, "twice").versions
    assert [(one.name, one.role) for one in result.runs] == [("train", "output")]
    assert [(one.name, one.role) for one in result.steps] == [("doubled", "output")]
    assert len(dataset_lineage(store, f"rows@{version.hash[:8]}").versions) == 1
