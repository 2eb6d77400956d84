"""Evaluations of every task, from tables, files and registered versions."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

import assay
from assay.build.models.packaging import load_model, package_model
from assay.errors import InvalidInput
from assay.prove.evaluation import load_evaluation
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run
from assay.stats import Segment, Task

N = 900


def table() -> pa.Table:
    rng = np.random.default_rng(4)
    x = rng.normal(size=N)
    return pa.table(
        {
            "x": x,
            "z": rng.normal(size=N),
            "kind": np.array(["cat", "dog", "eel"])[np.digitize(x + rng.normal(0, 0.3, N), [-0.5, 0.5])],
            "delay": 100 * x + rng.normal(0, 20, N),
            "distance": rng.gamma(2, 300, N),
            "origin": rng.choice(["EWR", "JFK"], N),
            "weight": rng.gamma(2, 1, N),
            "day": [f"d{i // 6}" for i in range(N)],
        }
    )


ROWS = table()
FRAME = ROWS.select(["x", "z"]).to_pandas()


def test_a_classifier_of_three_classes_is_evaluated_by_segment_and_judged() -> None:
    good = RandomForestClassifier(20, random_state=0).fit(FRAME, ROWS["kind"].to_pylist())
    poor = RandomForestClassifier(5, max_depth=1, random_state=0).fit(FRAME, ROWS["kind"].to_pylist())
    evaluation = assay.evaluate(good, ROWS, label="kind", task="multiclass", baseline=poor, segments=["origin"])
    assert evaluation.profile.task.classes == ("cat", "dog", "eel")
    assert {row.metric for row in evaluation.table().rows} == {
        "accuracy",
        "macro_f1",
        "weighted_f1",
        "kappa",
        "log_loss",
        "brier",
    }
    policy = assay.parse_policy(
        'name = "kinds"\nsegments = ["origin"]\n[metrics.accuracy]\nmargin = 0.01\n'
        '[metrics."recall:cat"]\nmargin = 0.05',
        "kinds.toml",
    )
    assert assay.gate(evaluation, policy).verdict == "pass"
    assert "Macro" not in evaluation.to_html()


def test_probabilities_are_put_into_the_order_of_the_classes() -> None:
    names = np.array(["eel", "cat", "dog"])

    class Model:
        feature_names_in_ = np.array(["x"], dtype=object)
        classes_ = names

        def predict(self, X: object) -> NDArray[np.str_]:
            raise NotImplementedError

        def predict_proba(self, X: object) -> NDArray[np.float64]:
            sure: NDArray[np.float64] = (np.asarray(ROWS["kind"])[:, None] == names) * 0.9 + 0.1 / 3
            return sure

    found = assay.evaluate(Model(), ROWS, label="kind", task="multiclass", metrics=["accuracy", "log_loss"])
    assert found.table().rows[0].value == 1.0


def test_classes_or_probabilities_of_two_models_are_compared_as_classes() -> None:
    forest = RandomForestClassifier(20, random_state=0).fit(FRAME, ROWS["kind"].to_pylist())
    said = pa.array(forest.predict(FRAME))
    found = assay.evaluate(forest, ROWS, label="kind", task="multiclass", baseline=said, metrics=["accuracy"])
    row = found.table().rows[0]
    assert not found.profile.task.probabilities
    assert row.value == row.baseline_value


def test_numbers_are_summed_in_a_unit_that_the_rows_choose() -> None:
    found = assay.evaluate(
        "delay", ROWS, label="delay", task="regression", baseline="x", segments=["origin", "distance"], unit="day"
    )
    largest = float(np.abs(np.asarray(ROWS["delay"])).max())
    assert largest <= found.profile.task.scale < 2 * largest
    assert found.table().rows[0].value == 0.0
    assert any(segment.name.startswith("distance=below") for segment in found.profile.segments)


def test_a_registered_regression_is_recorded_and_read_back(store: SqlStore) -> None:
    fitted = LinearRegression().fit(FRAME.to_numpy(dtype=object).astype(float), ROWS["delay"].to_numpy())
    with start_run(store, "e", "r", model="delay") as run:
        version = package_model(store, "delay", fitted, ROWS, ["x", "z"], run=run)
    found = assay.evaluate(
        load_model(store, version),
        ROWS,
        label="delay",
        task="quantile",
        level=0.5,
        store=store,
        weight="weight",
        segments=["origin"],
    )
    again = load_evaluation(store, found.evaluation_id)
    assert again.profile == found.profile
    assert again.table().rows == found.table().rows
    assert again.profile.task.weighted


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression", "quantile", "scores"])
def test_files_in_batches_give_the_same_profile_as_the_table(task: str, tmp_path: Path) -> None:
    rows = ROWS.append_column("late", pa.array((np.asarray(ROWS["x"]) > 0).astype(int)))
    rows = rows.append_column("score", pa.array(1 / (1 + np.exp(-np.asarray(ROWS["z"])))))
    pq.write_table(rows.slice(0, 300), tmp_path / "1.parquet")
    pq.write_table(rows.slice(300), tmp_path / "2.parquet")
    label, model = {
        "binary": ("late", "score"),
        "multiclass": ("kind", "kind"),
        "regression": ("delay", "x"),
        "quantile": ("delay", "x"),
        "scores": (None, "delay"),
    }[task]
    segments = assay.Segments(by=["origin", "distance"], bins={"distance": [300, 900]}, where={"early": "day < 'd5'"})
    cost = assay.contribution(lambda table, answers: np.asarray(table["weight"]), name="cost")
    whole, streamed = (
        assay.evaluate(
            model,
            data,
            label=label,
            task=task,
            segments=segments,
            weight="weight",
            metrics=[cost],
        )
        for data in (rows, str(tmp_path / "*.parquet"))
    )
    assert whole.profile == streamed.profile
    assert whole.profile.position(Segment((("early", "yes"),))) is not None


def test_a_ranking_has_a_row_for_each_query() -> None:
    rng = np.random.default_rng(2)
    rows = pa.table(
        {
            "query": np.repeat([f"q{i}" for i in range(60)], 10),
            "topic": np.repeat(rng.choice(["law", "code"], 60), 10),
            "gain": rng.integers(0, 3, 600),
        }
    )
    noisy = np.asarray(rows["gain"]) + rng.normal(0, 1, 600)
    given: dict[str, Any] = {"label": "gain", "task": "ranking", "query": "query", "baseline": rng.normal(size=600)}
    found = assay.evaluate(noisy, rows, segments=["topic"], **given)
    assert (found.profile.n_rows, found.unit) == (60, ["query"])
    assert [row.metric for row in found.table().rows[:3]] == ["ndcg", "mrr", "map"]
    assert (found.table().rows[0].delta_low or 0) > 0
    mixed = rows.set_column(1, "topic", pa.array(["law", "code"] * 300))
    with pytest.raises(InvalidInput, match="several values within a query"):
        assay.evaluate(noisy, mixed, segments=["topic"], **given)
    with pytest.raises(InvalidInput, match="query= is not given"):
        assay.evaluate(noisy, rows, label="gain", task="ranking")
    with pytest.raises(InvalidInput, match="has no query"):
        assay.evaluate("gain", rows, label="gain", task="regression", query="query")


def test_marks_of_texts_are_compared_by_prompt() -> None:
    rng = np.random.default_rng(3)
    prompt = np.repeat(np.arange(80), 4)
    quality = rng.normal(3, 1, 80)[prompt]
    rows = pa.table(
        {
            "prompt": prompt,
            "new": quality + rng.normal(0.4, 0.5, 320),
            "old": pa.array(quality + rng.normal(0, 0.5, 320), mask=np.arange(320) < 3),
        }
    )
    found = assay.evaluate("new", rows, task="scores", baseline="old", unit="prompt")
    row = found.table().rows[0]
    assert (row.metric, row.n, row.n_unlabelled) == ("score", 317, 3)
    policy = assay.parse_policy('name = "judge"\n[metrics.score]\nmargin = 0.1', "judge.toml")
    assert assay.gate(found, policy).verdict == "pass"
    with pytest.raises(InvalidInput, match="scored texts have no label"):
        assay.evaluate("new", rows, label="old", task="scores")


def test_a_contribution_of_rows_has_an_interval_and_may_be_searched_and_compared() -> None:
    late = (np.asarray(ROWS["x"]) > 0.5).astype(int)
    rows = ROWS.append_column("late", pa.array(late))
    money = assay.contribution(
        lambda table, answers: np.where(
            (np.asarray(answers, dtype=float) >= 0.5) != np.asarray(table["late"]), 30.0, 0.0
        ),
        name="money",
        larger_is_better=False,
    )
    good, poor = np.where(late == 1, 0.8, 0.2), np.full(N, 0.4)
    found = assay.evaluate(good, rows, label="late", baseline=poor, metrics=["accuracy", money], unit="day")
    row = found.table().rows[1]
    assert (row.metric, row.value) == ("money", 0.0)
    assert row.baseline_value == pytest.approx(30 * late.mean())
    assert row.comparison_method == "jackknife"
    policy = assay.parse_policy('name = "money"\n[metrics.money]\nown = true\nmargin = 0.5', "money.toml")
    assert assay.gate(found, policy).verdict == "pass"
    bad = assay.contribution(lambda table, answers: [1.0], name="bad")
    with pytest.raises(InvalidInput, match="gives shape"):
        assay.evaluate(good, rows, label="late", metrics=[bad])
    with pytest.raises(InvalidInput, match="no name"):
        assay.contribution(lambda table, answers: answers)


def test_slices_are_found_for_numbers_too() -> None:
    rng = np.random.default_rng(1)
    size = 6000
    rows = pa.table({"y": rng.normal(size=size), "g": rng.choice(list("abc"), size), "h": rng.choice(list("xy"), size)})
    bad = np.asarray(rows["g"]) == "b"
    answers = np.asarray(rows["y"]) + rng.normal(0, np.where(bad, 1.0, 0.3))
    found = assay.evaluate(
        answers, rows, label="y", task="regression", segments=assay.Segments(by=["g", "h"], find=2)
    ).found
    assert found["loss"][0].segment == Segment((("g", "b"),))
    assert found["loss"][0].confirmed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "regresion"}, "try: regression"),
        ({"task": "regression", "label": None}, "label= is not given"),
        ({"task": "regression", "label": "kind"}, "is of type string"),
        ({"task": "regression", "weight": "wait"}, "did you mean 'weight'"),
        ({"task": "regression", "weight": "x"}, "weights"),
        ({"task": "quantile", "level": 2.0}, "quantile level"),
        ({"task": "regression", "metrics": ["auc"]}, "no metric 'auc' for the task regression"),
        ({"task": "regression", "segments": assay.Segments(by=["kind"], bins={"x": [1]})}, "no segment column"),
        ({"task": "regression", "segments": assay.Segments(by=["kind"], where={"kind": "x > 1"})}, "same name"),
        ({"task": "binary", "label": "x"}, "0, 1 or NaN"),
        ({"task": Task("multiclass", classes=("cat", "dog")), "label": "kind", "model": "kind"}, "none of the classes"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(changes: dict[str, object], message: str) -> None:
    given: dict[str, Any] = {"model": "x", "label": "delay", **changes}
    with pytest.raises(InvalidInput, match=message):
        assay.evaluate(given.pop("model"), ROWS, **given)


def test_labels_that_are_all_missing_are_shown_as_such_and_those_all_the_same_are_refused() -> None:
    rows = pa.table({"y": pa.array([None, None], pa.float64()), "k": ["a", "a"], "s": [0.5, 0.5]})
    row = assay.evaluate("s", rows, label="y", task="regression").table().rows[0]
    assert (row.value, row.n, row.n_unlabelled, row.method) == (None, 0, 2, "too small")
    with pytest.raises(InvalidInput, match="every label in 'k' is a"):
        assay.evaluate("k", rows, label="k", task=Task("multiclass", classes=("a", "b")))
    assert msgspec.json.encode(Task("binary"))
