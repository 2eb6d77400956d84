"""Evaluations: what is kept gives the same numbers again, and nothing about the order of rows shows."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from tests.prove.worlds import ACCURACY, Part, evaluated, keep, pair, world

from assay.errors import InvalidInput, NotFound
from assay.prove.evaluation import (
    BASELINE,
    CANDIDATE,
    evaluate,
    load_evaluation,
)
from assay.prove.gate import judge
from assay.prove.profiles import profile
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import show_run, start_run
from assay.stats import OVERALL, Segment, estimate, estimate_all

PARTS = {"a": Part(400), "b": Part(300, -0.05)}
METRICS = ["accuracy", "auc", "brier", "log_loss", "recall", "precision", "fpr"]


def test_a_kept_evaluation_gives_identical_numbers(either_store: SqlStore) -> None:
    made = evaluated(either_store, world(PARTS))
    found = load_evaluation(either_store, made.evaluation_id)
    assert found.profile.to_bytes() == made.profile.to_bytes()
    for name in made.__struct_fields__:
        assert name == "profile" or getattr(found, name) == getattr(made, name)
    assert found.table().rows == made.table().rows
    assert judge(found, ACCURACY) == judge(made, ACCURACY)


def test_the_numbers_are_those_of_the_rows(store: SqlStore) -> None:
    table = world(PARTS)
    profile = evaluated(store, table).profile
    label = table["late"].to_numpy()
    for model, column in ((CANDIDATE, "new"), (BASELINE, "old")):
        score = table[column].to_numpy()
        right = (score >= 0.5) == (label == 1)
        assert estimate(profile, OVERALL, model, "accuracy").value == pytest.approx(right.mean())
        assert estimate(profile, OVERALL, model, "brier").value == pytest.approx(((score - label) ** 2).mean())
        assert [segment.name for segment in profile.segments] == ["overall", "segment=a", "segment=b"]
        values = estimate_all(profile, model, "accuracy").value
        for value, name in zip(values[1:], "ab", strict=True):
            inside = table["segment"].to_numpy() == name
            assert value == pytest.approx(right[inside].mean())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_rows_changes_neither_bytes_nor_verdict(store: SqlStore, seed: int) -> None:
    table = world(PARTS, rows_per_unit=3)
    shuffled = table.take(np.random.default_rng(seed).permutation(table.num_rows))
    models = pair(store)
    first, second = evaluated(store, table, models), evaluated(store, shuffled, models)
    assert first.profile.to_bytes() == second.profile.to_bytes()
    assert judge(first, ACCURACY) == judge(second, ACCURACY)
    assert first.dataset_hash != second.dataset_hash


def test_the_row_says_what_was_evaluated_on_what(store: SqlStore) -> None:
    table = world(PARTS)
    candidate, baseline = pair(store)
    dataset = keep(store, table)
    with start_run(store, "evaluate") as run:
        made = evaluate(
            candidate,
            table,
            baseline=baseline,
            store=store,
            dataset=dataset,
            label="late",
            unit=["unit"],
            segments=["segment"],
            threshold=0.25,
            seed=7,
        )
    row = store.get("evaluation", {"evaluation_id": made.evaluation_id})
    assert (row["mv_id"], row["baseline_mv_id"]) == (candidate.version.mv_id, baseline.version.mv_id)
    assert (row["dataset_hash"], row["run_id"]) == (dataset.hash, run.run_id)
    assert json.loads(row["detail"]) == {
        "dataset": "hold-out",
        "label": "late",
        "unit": ["unit"],
        "segments": ["segment"],
        "metrics": ["accuracy", "auc", "log_loss", "brier", "recall", "precision", "fpr"],
        "names": {"candidate": "late/2", "baseline": "late/1"},
        "rows": 700,
        "threshold": 0.25,
        "seed": 7,
        "asked": {
            "unit": ["unit"],
            "query": [],
            "weight": None,
            "top": None,
            "by": ["segment"],
            "cross": 2,
            "bins": {},
            "where": {},
        },
    }
    assert show_run(store, run.run_id).inputs == {"hold-out": dataset.hash}
    assert (made.profile.thresholds, made.profile.seed) == ((0.25, 0.25), 7)


def test_rows_without_a_label_are_counted_and_not_judged(store: SqlStore) -> None:
    table = world(PARTS)
    models = pair(store)
    labels = table["late"].to_pylist()
    some = table.set_column(0, "late", pa.array([None, None, *labels[2:]], pa.int8()))
    profile = evaluated(store, some, models).profile
    assert (profile.n_rows, profile.n_labelled) == (700, 698)
    rest = evaluated(store, table.slice(2), models).profile
    for metric in METRICS:
        assert estimate(profile, OVERALL, CANDIDATE, metric).value == estimate(rest, OVERALL, CANDIDATE, metric).value


def test_a_segment_without_labels_has_no_value(store: SqlStore) -> None:
    table = world(PARTS)
    labels = [None] * 400 + table["late"].to_pylist()[400:]
    profile = evaluated(store, table.set_column(0, "late", pa.array(labels, pa.int8()))).profile
    overall, a, b = estimate_all(profile, CANDIDATE, "accuracy").value.tolist()
    assert math.isnan(a)
    assert b == overall


def test_a_missing_attribute_is_a_segment_of_its_own(store: SqlStore) -> None:
    table = world({"a": Part(20), "b": Part(20)})
    names = pa.array([None if name == "b" else name for name in table["segment"].to_pylist()])
    profile = evaluated(store, table.set_column(1, "segment", names)).profile
    assert profile.segments[1:] == (Segment((("segment", "a"),)), Segment((("segment", "missing"),)))


def test_units_are_told_apart_by_all_their_columns() -> None:
    table = world({"a": Part(600)}).append_column("day", pa.array([f"day {row % 5}" for row in range(600)]))
    scores = {"model": table["new"].to_numpy()}

    def occupied(unit: list[str]) -> int:
        found = profile(scores, table, label="late", unit=unit)
        return len(set(found.bucket.tolist()))

    assert occupied(["day"]) <= 5
    assert occupied(["unit"]) == occupied(["day", "unit"]) == 50


@pytest.mark.parametrize(
    ("change", "name", "hint"),
    [
        ({"label": "lat"}, "lat", "did you mean 'late'?"),
        ({"segments": ["segmnet"]}, "segmnet", "did you mean 'segment'?"),
        ({"unit": ["unti"]}, "unti", "did you mean 'unit'?"),
        ({"unit": ["unit", "zzzzzz"]}, "zzzzzz", None),
    ],
)
def test_an_unknown_column_is_told_before_anything_is_scored(
    store: SqlStore, change: dict[str, object], name: str, hint: str | None
) -> None:
    table = world({"a": Part(20)})
    candidate, baseline = pair(store)
    options: dict[str, object] = {"label": "late", "unit": ["unit"], "segments": ["segment"], **change}
    dataset = keep(store, table)
    for attempt in (
        lambda: evaluate(candidate, table, baseline=baseline, store=store, dataset=dataset, **options),  # type: ignore[arg-type] # chosen above
        lambda: profile({"model": np.full(20, 0.5)}, table, **options),  # type: ignore[arg-type] # as above
    ):
        with pytest.raises(InvalidInput, match=f"there is no column '{name}'") as raised:
            attempt()
        assert raised.value.hint == hint
        assert raised.value.expected == "late, segment, unit, old, new"
    assert store.query("evaluation") == []


def test_a_label_is_0_1_or_null(store: SqlStore) -> None:
    table = world({"a": Part(20)})
    models = pair(store)
    with pytest.raises(InvalidInput, match="labels: 20 of 20 values are out of range"):
        evaluated(store, table.set_column(0, "late", pa.array([2] * 20)), models)
    with pytest.raises(InvalidInput, match="the label column 'late' is of type string"):
        evaluated(store, table.set_column(0, "late", pa.array(["yes"] * 20)), models)
    assert store.query("evaluation") == []


def test_a_version_beside_itself_or_on_no_rows_is_no_evidence(store: SqlStore) -> None:
    table = world({"a": Part(20)})
    candidate, baseline = pair(store)
    with pytest.raises(InvalidInput, match="late/2 cannot be compared with itself"):
        evaluated(store, table, (candidate, candidate))
    with pytest.raises(InvalidInput, match="there are no rows to evaluate on"):
        evaluated(store, table.slice(0, 0), (candidate, baseline))


def test_an_unknown_evaluation_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no evaluation with"):
        load_evaluation(store, "nothing")
