"""`assay features join`: labels from a file or a dataset, features behind them, a file or a dataset out."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.build.views.declared.view import DEFINED, feature_view
from assay.build.views.registry.registered import register
from assay.cli.main import run
from assay.record.datasets import dataset, snapshot
from assay.record.sqlstore import SqlStore

_US = pa.timestamp("us", "UTC")
LABELS = pa.table({"k": [2, 1, 3], "t": pa.array([50, 40, 30], _US)})
HISTORY = pa.table({"k": [1, 1, 2], "ts": pa.array([10, 45, 20], _US), "v": [1.0, 2.0, 3.0]})


@pytest.fixture
def folder(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_STORE", str(tmp_path / "store"))
    source = HISTORY.append_column("made", HISTORY["ts"])
    register(store, feature_view("sales", entity="k", time="ts", created="made", source=source))
    DEFINED.clear()
    pq.write_table(LABELS, "labels.parquet")
    return tmp_path


def _call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run(["features", "join", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_file_of_labels_becomes_a_file_with_features(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _call(capsys, "labels.parquet", "out.parquet", "--features", "sales:v", "--status")
    assert code == 0
    assert "out.parquet: 3 rows as of t in event time" in out
    assert "66.7 %" in out
    found = pq.read_table(folder / "out.parquet")
    assert found.column_names == ["k", "t", "v", "sales__status", "sales__ts"]
    assert found.column("v").to_pylist() == [3.0, 1.0, None]


def test_a_dataset_of_labels_becomes_a_dataset_that_says_how_it_was_made(
    store: SqlStore, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot(store, "labels", LABELS)
    how = ("--features", "sales:*", "--as-of", "known", "--prefix", "--engine", "duckdb", "--json")
    code, out, _ = _call(capsys, "labels", "january", *how)
    said = json.loads(out)
    assert (code, said["out"], said["report"]["as_of"]) == (0, "january", "known")
    assert said["used"] == [{"view": "sales", "version": 1, "feature": "v", "column": "sales__v", "entity": ["k"]}]
    assert dataset(store, said["hash"]).column("sales__v").to_pylist() == [3.0, 1.0, None]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["labels.parquet", "out.parquet"], "--features is not given"),
        (["labels.parquet", "out.csv", "--features", "sales:v"], "nothing is written to out.csv"),
        (["labels.parquet", "x/out", "--features", "sales:v"], "nothing is written to x/out"),
        (["labels.parquet", "out.parquet", "--features", "sale:v"], "did you mean 'sales'"),
        (["labels.parquet", "out.parquet", "--features", "sales:u"], "has no feature 'u'"),
        (["labels.parquet", "out.parquet", "--features", "sales:v", "--as-of", "then"], "as_of is 'then'"),
    ],
)
def test_what_cannot_be_joined_is_refused_and_nothing_is_written(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, _, err = _call(capsys, *arguments)
    assert code == 2
    assert said in err
    assert not (folder / "out.parquet").exists()
