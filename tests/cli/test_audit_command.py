"""`assay features audit`: what people and programs read of it."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.build.views.test_audit import one_customer, orders

from assay.build.views.registry.registered import register
from assay.cli.main import run
from assay.record import open_store
from assay.record.datasets import snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows, table = one_customer()
    store = open_store(tmp_path / "store")
    register(store, orders(rows, created="loaded"))
    snapshot(store, "brought", table)
    store.close()
    pq.write_table(table, tmp_path / "brought.parquet")
    return tmp_path


def asked(folder: Path, training_set: str, *more: str) -> list[str]:
    where = ["--store", str(folder / "store"), "--features", "orders:spent, orders:visits", "--time", "at"]
    return ["features", "audit", training_set, *where, *more]


@pytest.mark.parametrize("kind", ["file", "dataset"])
def test_it_prints_the_rows_the_counts_and_examples(
    folder: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = str(folder / "brought.parquet") if kind == "file" else "brought"
    assert run(asked(folder, named)) == 1
    printed = capsys.readouterr().out
    assert "fail: " in printed
    assert "2 of 5 rows used values not known then; nothing explains values of 1" in printed
    assert "rows, counted from 0: 1, 2" in printed
    assert "orders@1:spent" in printed
    assert "1 (20 %)" in printed


def test_as_json_it_says_all(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(folder, "brought", "--columns", "orders:visits=visits", "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["not_known"], found["unexplained"]) == ("fail", [1, 2], 1)
    assert [one["leak"] for one in found["features"]] == [1, 0]


def test_a_mapping_that_is_none_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(asked(folder, "brought", "--columns", "visits")) == 2
    assert "'visits' names no column" in capsys.readouterr().err


def test_what_is_in_it_must_be_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["features", "audit", "brought", "--store", str(folder / "store")]) == 2
    assert "--features VIEW:FEATURE" in capsys.readouterr().err
