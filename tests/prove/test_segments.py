"""Segments of an evaluation: how deep they are crossed, and slices that are found and confirmed."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.prove.worlds import Part, pair, world

from assay.errors import InvalidInput
from assay.prove.evaluation import evaluate, load_evaluation
from assay.prove.segments import Segments
from assay.record.sqlstore import SqlStore

PARTS = {"a": Part(2500), "b": Part(2000, -0.12, disagreement=0.14), "c": Part(2500)}


def rows() -> pa.Table:
    table = world(PARTS, seed=2)
    return table.append_column("day", pa.array(np.random.default_rng(1).choice(["x", "y"], table.num_rows)))


@pytest.mark.parametrize(("cross", "count"), [(0, 1), (1, 6), (2, 12), (3, 12)])
def test_crosses_are_as_deep_as_asked(cross: int, count: int) -> None:
    wanted = Segments(by=["segment", "day"], cross=cross)
    assert len(evaluate("new", rows(), label="late", segments=wanted).profile.segments) == count


def test_slices_are_found_where_the_candidate_is_worse(store: SqlStore) -> None:
    candidate, baseline = pair(store)
    found = evaluate(
        candidate,
        rows(),
        baseline=baseline,
        label="late",
        unit="unit",
        segments=Segments(by=["segment", "day"], find=3),
        store=store,
    )
    worst = found.found["difference"][0]
    assert worst.segment.name == "segment=b"
    assert worst.confirmed
    assert worst.low > 0
    assert len(found.found["loss"]) <= 3
    assert load_evaluation(store, found.evaluation_id).found == found.found
    assert json.loads(found.to_json())["found"]["difference"][0]["confirmed"] is True


def test_rows_without_a_label_are_left_out_of_the_search() -> None:
    table = rows()
    labels = [None] * 1000 + table["late"].to_pylist()[1000:]
    some = table.set_column(0, "late", pa.array(labels, pa.int8()))
    wanted = Segments(by=["segment"], find=2)
    options = {"baseline": "old", "label": "late", "unit": "unit", "segments": wanted}
    left_out = evaluate("new", some, **options).found  # type: ignore[arg-type] # chosen above
    assert left_out == evaluate("new", table.slice(1000), **options).found  # type: ignore[arg-type] # as above


def test_nothing_is_searched_unless_asked_nor_in_files(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    assert evaluate("new", rows(), label="late", segments=["day"]).found == {}
    pq.write_table(rows(), tmp_path / "rows.parquet")
    with pytest.raises(InvalidInput, match="slices are searched for in memory"):
        evaluate("new", [tmp_path / "rows.parquet"], label="late", segments=Segments(by=["day"], find=1))
