"""`assay evaluate`: a version from the command line, with the champion beside it where there is one."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.prove.worlds import ACCURACY, Part, add_version, judged, world

from assay.errors import InvalidInput, NotFound
from assay.prove.evaluation import load_evaluation
from assay.prove.gate import gate
from assay.prove.measurement import evaluate_version
from assay.prove.promotion import promote
from assay.record.sqlstore import SqlStore


@pytest.fixture
def rows(tmp_path: Path) -> str:
    pq.write_table(world({"a": Part(2000), "b": Part(2500)}), tmp_path / "rows.parquet")
    return str(tmp_path / "rows.parquet")


def test_without_a_champion_there_is_no_baseline(store: SqlStore, rows: str) -> None:
    add_version(store, "new")
    found = evaluate_version(store, "late", 1, data=rows, label="late", segments="segment", metrics="auc, brier")
    assert (found.candidate, found.baseline, found.rows, found.segments) == ("late/1", None, 4500, 3)
    assert [row.metric for row in found.table[:3]] == ["auc", "brier", "auc"]


def test_the_champion_is_the_baseline_and_the_gate_judges_what_was_kept(store: SqlStore, rows: str) -> None:
    baseline, candidate = add_version(store, "old"), add_version(store, "new")
    promote(store, "late", baseline.version, override="the first one")
    found = evaluate_version(store, "late", 2, data=rows, label="late", unit="unit", segments="segment")
    assert found.baseline == "late/1"
    assert gate(load_evaluation(store, found.evaluation_id), ACCURACY, store=store).verdict == "pass"
    alone = evaluate_version(store, "late", 2, data=rows, label="late", baseline="none")
    assert alone.baseline is None
    named = evaluate_version(store, "late", 1, data=rows, label="late", baseline=str(candidate.version))
    assert named.baseline == "late/2"


def test_what_is_missing_is_told_with_the_command(store: SqlStore, rows: str) -> None:
    add_version(store, "new")
    with pytest.raises(InvalidInput, match="--data FILE is not given") as raised:
        evaluate_version(store, "late", 1, label="late")
    assert raised.value.hint == "assay evaluate late 1 --data rows.parquet --label late"
    with pytest.raises(InvalidInput, match="--label COLUMN is not given"):
        evaluate_version(store, "late", 1, data=rows)
    with pytest.raises(InvalidInput, match="the baseline is 'champoin'"):
        evaluate_version(store, "late", 1, data=rows, label="late", baseline="champoin")
    with pytest.raises(NotFound):
        evaluate_version(store, "late", 1, data=rows, label="late", baseline="7")
    with pytest.raises(InvalidInput, match="there is no column 'lates'"):
        evaluate_version(store, "late", 1, data=rows, label="lates")
    assert store.query("evaluation") == store.query("artifact", {"type": "dataset"}) == []


def test_a_champion_is_not_its_own_baseline(store: SqlStore, rows: str) -> None:
    first = add_version(store, "old")
    second = add_version(store, "new")
    judged(store, second, first)
    promote(store, "late", second.version)
    assert evaluate_version(store, "late", second.version, data=rows, label="late").baseline is None


def test_further_datasets_and_costs_come_from_the_command_line(store: SqlStore, rows: str, tmp_path: Path) -> None:
    add_version(store, "new")
    pq.write_table(world({"a": Part(500)}, seed=2), tmp_path / "july.parquet")
    july = f"july={tmp_path / 'july.parquet'}"
    found = evaluate_version(store, "late", 1, data=rows, label="late", datasets=july, costs=True)
    assert {row.dataset for row in found.table} == {"late-evaluation", "july"}
    kept = load_evaluation(store, found.evaluation_id)
    assert kept.others["july"].n_rows == 500
    assert kept.costs is not None
    assert kept.costs.size_bytes is not None
    with pytest.raises(InvalidInput, match=r"'july.parquet' has no name"):
        evaluate_version(store, "late", 1, data=rows, label="late", datasets="july.parquet")


def test_bins_expressions_and_weights_come_from_the_command_line(store: SqlStore, rows: str) -> None:
    add_version(store, "new")
    found = evaluate_version(
        store,
        "late",
        1,
        data=rows,
        label="late",
        segments="segment,old",
        bins="old=0.5",
        where="sure=new > 0.8; b only = segment = 'b'",
        weight="new",
        cross=1,
    )
    names = {row.segment for row in found.table}
    assert {"old=below 0.5", "old=0.5 or more", "sure=yes", "b only=no"} <= names
    for options, message in (
        ({"bins": "old=a:b"}, "the bins of 'old'"),
        ({"bins": "old"}, "has no name"),
        ({"where": "night="}, "has no name"),
        ({"where": "night=hours > 1"}, "the segment 'night'"),
        ({"task": "regresion"}, "there is no task"),
    ):
        with pytest.raises(InvalidInput, match=message):
            evaluate_version(store, "late", 1, data=rows, label="late", segments="old", **options)  # type: ignore[arg-type]
