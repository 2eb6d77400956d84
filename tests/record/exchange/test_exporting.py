import json
import math
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from assay.errors import InvalidInput
from assay.record.exchange.exporting import export_runs, runs_table
from assay.record.sqlstore import SqlStore
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import create_run, log, update_run
from assay.record.tracking.runs import start_run


def _runs(store: SqlStore, count: int = 3) -> None:
    for number in range(count):
        run_id = create_run(store, "0", name=f"r{number}", started=f"2026-01-01T00:00:0{number}.000000Z")
        log(store, run_id, params={"lr": str(number)}, metrics={"auc": points_of([(0, 1, number / 10)])})
        if number:
            log(store, run_id, metrics={"odd": points_of([(0, 1, math.nan)])}, tags={"note": "ü"})
        update_run(store, run_id, status="finished", ended="2026-01-01T00:01:00.000000Z")


def test_a_row_a_run_newest_first(either_store: SqlStore) -> None:
    _runs(either_store)
    table = runs_table(either_store)
    assert table["name"].to_pylist() == ["r2", "r1", "r0"]
    assert table["metrics.auc"].to_pylist() == [0.2, 0.1, 0.0]
    assert table["params.lr"].to_pylist() == ["2", "1", "0"]
    assert table["tags.note"].to_pylist() == ["ü", "ü", None]
    assert math.isnan(table["metrics.odd"][0].as_py())
    assert table["metrics.odd"][2].as_py() is None
    assert table["started"][0].as_py().second == 2
    chosen = runs_table(either_store, "metrics.auc < 0.15 order by metrics.auc desc limit 1")
    assert chosen["name"].to_pylist() == ["r1"]


def test_more_runs_than_a_page(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.record.exchange.exporting._PAGE", 2)
    _runs(store, 5)
    assert runs_table(store)["name"].to_pylist() == ["r4", "r3", "r2", "r1", "r0"]
    assert runs_table(store, "order by start_time limit 3")["name"].to_pylist() == ["r0", "r1", "r2"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "json"])
def test_the_ending_says_the_form(store: SqlStore, tmp_path: Path, ending: str) -> None:
    _runs(store)
    path = tmp_path / f"runs.{ending}"
    done = export_runs(store, str(path))
    assert (done.runs, done.size_bytes) == (3, path.stat().st_size)
    if ending == "parquet":
        assert pq.read_table(path)["metrics.auc"].to_pylist() == [0.2, 0.1, 0.0]
    elif ending == "csv":
        assert pc.read_csv(path)["metrics.auc"].to_pylist() == [0.2, 0.1, 0.0]
    else:
        text = path.read_text()
        rows = json.loads(text) if ending == "json" else [json.loads(line) for line in text.splitlines()]
        assert [row["metrics.auc"] for row in rows] == [0.2, 0.1, 0.0]
        assert "tags.note" not in rows[2]


def test_an_empty_store_gives_an_empty_table(store: SqlStore, tmp_path: Path) -> None:
    assert export_runs(store, str(tmp_path / "runs.json")).runs == 0
    assert json.loads((tmp_path / "runs.json").read_text()) == []


def test_nothing_is_overwritten_or_guessed(store: SqlStore, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match="is there already"):
        export_runs(store, str(path))
    assert path.read_text() == "mine"
    export_runs(store, str(path), overwrite=True)
    assert path.read_text() != "mine"
    for bad, said in (("runs.xls", "ends with"), ("runs", "ends with")):
        with pytest.raises(InvalidInput, match=said):
            export_runs(store, str(tmp_path / bad))
    with pytest.raises(InvalidInput, match="no folder"):
        export_runs(store, str(tmp_path / "nowhere" / "runs.csv"))


def test_no_cell_of_a_csv_file_is_a_formula(store: SqlStore, tmp_path: Path) -> None:
    with start_run(store, "=cmd()", "@SUM(A1)") as run:
        run.params({"lr": "-0.1", "note": "=1+1"})
    export_runs(store, str(tmp_path / "runs.csv"))
    text = (tmp_path / "runs.csv").read_text()
    assert '"\'=1+1"' in text
    assert '"\'@SUM(A1)"' in text
    assert '"-0.1"' in text, "a number stays one"
    assert '"=' not in text
