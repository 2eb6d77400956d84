"""Windows over files: what has left all of them is not read, and nothing else changes."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.views.declared.aggregates import count, distinct, last, sum_of
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import FeatureView, feature_view
from assay.build.views.joining.reading import Engine, history
from assay.build.views.matching.aggregating import windowed
from assay.build.views.matching.matching import Mode
from assay.build.views.matching.wanted import wanted

_HOUR = 3_600_000_000
_ROWS, _GROUP = 4000, 500


def view_of(path: Path, event: str | None) -> FeatureView:
    chance = np.random.default_rng(4)
    hours = np.sort(chance.integers(0, 1000, _ROWS))
    table = pa.table(
        {
            "k": chance.integers(0, 20, _ROWS),
            "at": pa.array(hours * _HOUR, pa.timestamp("us", "UTC")),
            "loaded": pa.array((hours + chance.integers(0, 99, _ROWS)) * _HOUR, pa.timestamp("us", "UTC")),
            "order": chance.integers(0, 10, _ROWS),
            "x": chance.normal(size=_ROWS),
        }
    )
    pq.write_table(table, path, row_group_size=_GROUP)
    features = {
        "n": count(over="30h"), "s": sum_of("x", over="20h"), "d": distinct("order", over="9h"),
        "l": last("x", over="24h"),
    }  # fmt: skip
    view: FeatureView = feature_view(
        "orders", entity="k", time="at", created="loaded", source=str(path), features=features, event=event or ()
    )
    return view


@pytest.mark.parametrize("mode", ["event", "known"])
@pytest.mark.parametrize("event", [None, "order"])
@pytest.mark.parametrize("engine", ["arrow", "duckdb", "polars"])
def test_every_engine_gives_windows_what_all_rows_give_them(
    tmp_path: Path, engine: Engine, event: str | None, mode: Mode
) -> None:
    view = view_of(tmp_path / "orders.parquet", event)
    hours = np.random.default_rng(1).integers(900, 960, 300)
    labels = pa.table({"k": np.arange(300) % 25, "t": pa.array(hours * _HOUR, pa.timestamp("us", "UTC"))})
    asked = wanted(labels, ["k"], None, "t")
    read = list(history(view, None, engine).batches(asked))
    found = windowed(asked, read, view, mode)
    expected = windowed(asked, [source_rows(view)], view, mode)
    assert found.values.equals(expected.values)
    assert found.arrival.tolist() == expected.arrival.tolist()
    assert (found.later, found.ties) == (expected.later, expected.ties)
    assert found.ties > 0
    rows = sum(batch.num_rows for batch in read)
    assert rows < _ROWS // 2 if event is None else rows > _ROWS // 2


def test_a_row_that_only_just_counts_is_read(tmp_path: Path) -> None:
    at = pa.array([0, 1, 30 * _HOUR], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"k": [1, 1, 1], "at": at, "x": [1, 2, 4]}), tmp_path / "rows.parquet", row_group_size=1)
    view = feature_view(
        "edge", entity="k", time="at", source=str(tmp_path / "rows.parquet"), features={"s": sum_of("x", over="30h")}
    )
    asked = wanted(pa.table({"k": [1], "t": at[2:]}), ["k"], None, "t")
    for engine in ("arrow", "duckdb", "polars"):
        found = windowed(asked, history(view, None, engine).batches(asked), view, "event")
        assert found.values.column("s").to_pylist() == [6]
