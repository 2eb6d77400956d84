"""The table of an evaluation: what it holds, and how it prints."""

import json
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.prove.worlds import Part, pair, world

from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation, evaluate, load_evaluation
from assay.record.sqlstore import SqlStore
from assay.stats import ModelSums, metric

PARTS = {"a": Part(400), "b": Part(300)}


def evaluated(table: object = None, **options: object) -> Evaluation:
    table = world(PARTS) if table is None else table
    given: dict[str, object] = {"baseline": "old", "segments": ["segment"], "unit": "unit", **options}
    return evaluate("new", table, label="late", **given)  # type: ignore[arg-type] # chosen above


def test_a_row_for_each_segment_and_metric_in_the_order_asked_for() -> None:
    rows = evaluated(metrics=["recall", "auc"]).table().rows
    assert [(row.segment, row.metric) for row in rows] == [
        (segment, metric) for segment in ("overall", "segment=a", "segment=b") for metric in ("recall", "auc")
    ]
    for row in rows:
        assert row.value is not None
        assert row.baseline_value is not None
        assert row.delta == pytest.approx(row.value - row.baseline_value)
        assert row.delta is not None
        assert row.delta_low is not None
        assert row.delta_high is not None
        assert row.delta_low <= row.delta <= row.delta_high
        assert row.p_adjusted is not None
        assert row.p_worse is not None
        assert row.p_adjusted >= row.p_worse


def test_a_model_alone_has_values_and_no_differences() -> None:
    (row,) = evaluated(baseline=None, segments=[], metrics=["brier"]).table().rows
    assert row.value is not None
    assert (row.baseline_value, row.delta, row.p_worse, row.comparison_method) == (None, None, None, None)


def test_other_datasets_stand_beside_the_first() -> None:
    other = world({"a": Part(100)}, seed=3)
    found = evaluated(segments=[], metrics=["accuracy"], datasets={"july": other})
    assert [(row.dataset, row.n) for row in found.table().rows] == [("data", 700), ("july", 100)]


def test_the_arrow_table_and_the_json_hold_the_same() -> None:
    found = evaluated(metrics=["accuracy", "selection_rate"])
    frame, content = found.to_frame(), json.loads(found.to_json())
    assert frame.to_pylist() == content["table"]
    assert frame.schema.field("n").type == pa.int64()
    assert content["models"] == {"candidate": "new", "baseline": "old"}
    assert frame["delta"].null_count == 3, "a selection rate has no better direction"


def test_it_prints_as_text_and_shows_itself_in_a_notebook() -> None:
    table = world(PARTS)
    names = ["<script>" if name == "a" else name for name in table["segment"].to_pylist()]
    found = evaluated(table.set_column(1, "segment", pa.array(names)), metrics=["accuracy"]).table()
    text = str(found)
    assert len({len(line.rstrip()) for line in text.splitlines()} | {0}) > 1
    assert "segment=<script>" in text
    assert "nan" not in text
    html = found._repr_html_()
    assert "<script>" not in html
    assert "segment=&lt;script&gt;" in html


def test_models_are_given_in_any_way() -> None:
    table = world(PARTS)
    answers = [
        evaluate(model, table, label="late", metrics=["brier"]).table().rows[0].value
        for model in (
            "new",
            table["new"],
            table["new"].to_numpy(),
            table["new"].to_pylist(),
            lambda rows: rows["new"],
            lambda rows: np.stack([1 - rows["new"].to_numpy(), rows["new"].to_numpy()], axis=1),
        )
    ]
    assert len(set(answers)) == 1


def test_a_scikit_learn_model_takes_the_columns_it_was_fitted_on() -> None:
    from sklearn.linear_model import LogisticRegression

    table = world(PARTS)
    frame = table.select(["new", "old"]).to_pandas()
    model = LogisticRegression().fit(frame, table["late"].to_numpy())
    found = evaluate(model, table, label="late", metrics=["brier"])
    expected = np.mean((model.predict_proba(frame)[:, 1] - table["late"].to_numpy()) ** 2)
    assert found.table().rows[0].value == pytest.approx(expected)
    assert found.names == {"candidate": "LogisticRegression"}
    with pytest.raises(InvalidInput, match="there is no column 'old'"):
        evaluate(model, table.drop_columns(["old"]), label="late")


def test_pandas_polars_and_duckdb_tables_give_the_same_evaluation() -> None:
    table = world(PARTS)
    expected = evaluated(table).profile
    for rows in (table.to_pandas(), pl.from_arrow(table), duckdb.from_arrow(table)):
        assert evaluated(rows).profile == expected


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (0.5, "a single value for 700 rows"),
        ([0.5] * 3, r"values of shape \(3,\) for 700 rows"),
        ("nwe", "there is no column 'nwe'"),
        (np.full(700, np.nan), "700 of 700 values are out of range"),
        (np.full(700, 1.5), "700 of 700 values are out of range; the first is 1.5 in row 0"),
    ],
)
def test_predictions_that_are_none_are_refused(model: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        evaluate(model, world(PARTS), label="late")  # type: ignore[arg-type] # a mistake


def test_labels_that_are_all_the_same_are_refused() -> None:
    table = world(PARTS)
    with pytest.raises(InvalidInput, match="every label in 'late' is 1"):
        evaluate("new", table.set_column(0, "late", pa.array([1] * 700)), label="late")


def test_a_segment_column_of_names_is_refused_before_anything_is_counted() -> None:
    table = world({"a": Part(1500)})
    with pytest.raises(InvalidInput, match="the segment column 'unit' has 1,500 values"):
        evaluate("new", table, label="late", segments=["unit"])


def test_only_registered_versions_are_recorded(store: object) -> None:
    with pytest.raises(InvalidInput, match="only evaluations of registered versions are recorded"):
        evaluate("new", world(PARTS), label="late", store=store)  # type: ignore[arg-type] # a fixture


def test_a_metric_of_the_teams_own_is_a_row_like_any_other(store: SqlStore) -> None:
    def cost(sums: ModelSums) -> Any:
        return (5 * sums.fn + sums.fp) / sums.n

    mine = metric(cost, larger_is_better=False)
    _, own = evaluated(segments=[], metrics=["accuracy", mine]).table().rows
    assert (own.metric, own.comparison_method, own.method) == ("cost", "jackknife", "jackknife")
    assert own.delta == pytest.approx((own.baseline_value or 0) - (own.value or 0))
    assert "Cost" in evaluated(metrics=[mine]).to_html()
    candidate, baseline = pair(store)
    kept = evaluate(candidate, world(PARTS), baseline=baseline, label="late", metrics=["auc", cost], store=store)
    assert load_evaluation(store, kept.evaluation_id).metrics == ["auc"]
    with pytest.raises(InvalidInput, match="there are two metrics 'accuracy'"):
        evaluated(metrics=[metric(cost, name="accuracy")])


def test_only_a_margin_makes_a_row_pass_and_harm_needs_none() -> None:
    table = world({"a": Part(4000), "b": Part(2000, -0.1, disagreement=0.15), "c": Part(60, 0, 0.3)})
    found = evaluated(table, metrics=["accuracy", "selection_rate"])

    def verdicts(metric: str, margins: dict[str, float] | None = None) -> list[str | None]:
        return [row.verdict for row in found.table(margins).rows if row.metric == metric]

    assert verdicts("accuracy") == ["fail", None, "fail", None]
    assert verdicts("accuracy", {"accuracy": 0.02}) == ["fail", "pass", "fail", "inconclusive"]
    assert verdicts("selection_rate", {"accuracy": 0.02}) == [None] * 4


def test_the_rows_needed_are_those_for_the_margin_or_for_the_difference_seen() -> None:
    found = evaluated(world({"a": Part(4000), "c": Part(100, 0.03, 0.1)}), metrics=["accuracy"])
    row = found.table({"accuracy": 0.02}).rows[-1]
    assert row.verdict == "inconclusive"
    without = found.table().rows[-1]
    assert row.rows_needed is not None
    assert without.rows_needed is not None
    assert without.delta is not None
    assert row.rows_needed / without.rows_needed == pytest.approx((without.delta / 0.02) ** 2, rel=0.02)
    assert found.table({"accuracy": 0.02}).rows[0].rows_needed is None, "it has passed"
    assert "rows needed" in str(found.table())


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        ({"acuracy": 0.1}, "a margin for 'acuracy', which is not compared here"),
        ({"selection_rate": 0.1}, "a margin for 'selection_rate', which is not compared here"),
        ({"accuracy": -0.1}, "the margin of accuracy is -0.1"),
        ({"accuracy": 0.0}, r"the margin of accuracy is 0\.0"),
    ],
)
def test_a_margin_that_means_nothing_is_refused(margins: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        evaluated(metrics=["accuracy", "selection_rate"]).table(margins)


def test_small_segments_are_drawn_to_the_others_and_large_ones_are_not() -> None:
    parts = {f"s{i}": Part(3000 if i else 30, right=0.8 + i / 100) for i in range(8)}
    rows = evaluated(world(parts, seed=2), metrics=["accuracy"], unit=[]).table().rows[1:]
    moved = [abs((row.pooled_value or 0) - (row.value or 0)) for row in rows]
    assert moved[0] > 5 * max(moved[1:])
    assert all(row.pooled_delta is not None for row in rows)
    assert len({row.verdict for row in rows} - {None, "fail"}) == 0
