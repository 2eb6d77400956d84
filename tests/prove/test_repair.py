"""Repairs: what is chosen on one half closes the gap on the other, and every option is an ordinary candidate."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

import assay
import assay.prove.repair_task as repair_task
from assay.build.models.packaging import load_model, matrix, package_model
from assay.errors import InvalidInput
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.policy import Bound, Guard, Policy
from assay.prove.repair import Repair, RepairOption, repair
from assay.record.models.registry import model_folder
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run

POLICY = Policy(name="fair", metrics={"accuracy": Guard(margin=0.05)}, fairness={"race": {"recall": Bound(gap=0.1)}})


def world(seed: int, n: int = 8000, small: int = 0) -> pa.Table:
    """Scores of race b are too low, so its recall is; `small` rows more are of race c."""
    generator = np.random.default_rng(seed)
    race = np.concatenate([generator.choice(["a", "b"], n, p=[0.6, 0.4]), np.repeat("c", small)])
    n += small
    truth = generator.beta(2, 2, n)
    label = (generator.random(n) < truth).astype(int)
    score = np.where(race == "b", truth**1.8, truth)
    return pa.table(
        {
            "label": label,
            "score": score,
            "race": race,
            "sex": generator.choice(["f", "m"], n),
            "unit": [f"u{row // 2}" for row in range(n)],
            "champion": np.clip(score + generator.normal(0, 0.01, n), 0, 1),
        }
    )


def evaluated(table: pa.Table, **options: Any) -> Evaluation:
    return evaluate("score", table, label="label", segments=["race", "sex"], **options)


def repaired(table: pa.Table, rate: str = "recall", **options: Any) -> Repair:
    return repair(evaluated(table), options.pop("group", "race"), rate, data=table, model="score", **options)


def thresholds_of(found: Repair) -> RepairOption:
    (option,) = (one for one in found.options if one.kind == "thresholds")
    return option


@pytest.mark.parametrize("rate", ["tpr", "fpr", "selection_rate", "fnr", "specificity"])
def test_thresholds_by_group_close_the_gap_on_rows_they_were_not_chosen_on(rate: str) -> None:
    table = world(1)
    found = repaired(table, rate, gap=0.1)
    (change,) = thresholds_of(found).changes
    assert change.group == "race=b"
    assert change.verdict_before != "pass"
    assert change.verdict_after == "pass"
    assert abs(change.gap_after or 1) < 0.05 < abs(change.gap_before or 0)


def test_before_and_after_are_measured_on_the_other_half_only() -> None:
    table = world(2)
    found = repaired(table, gap=0.1)
    option = thresholds_of(found)
    assert found.chosen_on + found.held_out.num_rows == table.num_rows
    assert 0.4 < found.chosen_on / table.num_rows < 0.6
    held = found.held_out
    mine = pc.and_(pc.equal(held["race"], "b"), pc.equal(held["label"], 1))
    rows = held.filter(mine)
    (change,) = option.changes
    assert change.n == rows.num_rows
    assert change.before == (rows["score"].to_numpy() >= 0.5).mean()
    assert option.model is not None
    assert change.after == (option.model(rows) >= 0.5).mean()
    assert option.evaluation is not None
    assert option.evaluation.rows == held.num_rows
    assert option.evaluation.profile.n_rows == held.num_rows


def test_what_was_held_out_does_not_move_the_threshold() -> None:
    table = world(3)
    first = thresholds_of(repaired(table, gap=0.1))
    held = repair_task._halves(table, ["unit"]).to_numpy(zero_copy_only=False) == 0
    evaluation = evaluated(table, unit="unit")
    label = np.where(held, 1 - table["label"].to_numpy(), table["label"].to_numpy())
    changed = table.set_column(0, "label", pa.array(label))
    descriptions = [
        thresholds_of(repair(evaluation, "race", data=rows, model="score", gap=0.1)).description
        for rows in (table, changed)
    ]
    assert descriptions[0] == descriptions[1]
    assert first.description != descriptions[0], "with units other rows are held out"


def test_rows_of_a_unit_are_in_one_half_and_their_order_does_not_matter() -> None:
    table = world(4, 2000)
    half = repair_task._halves(table, ["unit"]).to_numpy(zero_copy_only=False)
    assert (half[::2] == half[1::2]).all()
    order = np.random.default_rng(0).permutation(table.num_rows)
    shuffled = repair_task._halves(table.take(pa.array(order)), []).to_numpy(zero_copy_only=False)
    assert (shuffled == repair_task._halves(table, []).to_numpy(zero_copy_only=False)[order]).all()


def test_the_gate_judges_every_option_and_one_that_does_not_pass_is_shown_as_such() -> None:
    table = world(5)
    found = repaired(table, policy=POLICY)
    option = thresholds_of(found)
    assert option.verdict is not None
    assert option.verdict.verdict == "pass"
    assert found.bound == "within a gap of 0.1"
    strict = Policy(name="strict", metrics={"brier": Guard(at_most=0.05)}, fairness=POLICY.fairness)
    refused = repaired(table, policy=strict)
    verdict = thresholds_of(refused).verdict
    assert verdict is not None
    assert verdict.verdict == "fail"
    assert "[gate: fail]" in str(refused)
    assert "is not at most 0.05" in str(refused)


def test_the_champion_is_the_baseline_where_it_is_given() -> None:
    table = world(6)
    found = repaired(table, policy=POLICY, baseline="champion")
    option = thresholds_of(found)
    assert option.evaluation is not None
    assert option.evaluation.names == {"candidate": "score with thresholds by race", "baseline": "champion"}
    alone = thresholds_of(repaired(table, policy=POLICY))
    assert alone.evaluation is not None
    assert alone.evaluation.names["baseline"] == "score"
    assert alone.costs == option.costs, "what a repair costs is held against the model as it was"
    assert [cost.metric for cost in option.costs] == ["accuracy", "auc", "brier"]


def test_a_group_that_is_too_small_is_left_as_it_is_and_told_how_many_rows_it_needs() -> None:
    table = world(7, small=20)
    found = repaired(table, gap=0.1)
    assert any("race=c has" in note and "so its threshold stays" in note for note in found.notes)
    (collect,) = (one for one in found.options if one.kind == "collect")
    assert list(collect.collect) == ["race=c"]
    assert collect.model is None
    assert collect.evaluation is None
    assert "more rows with label 1" in collect.description
    assert collect.title.startswith("Collect ")


def test_crosses_get_thresholds_too() -> None:
    found = repaired(world(8), group="sex & race", gap=0.1, reference="f & a")
    option = thresholds_of(found)
    assert [change.group for change in option.changes] == [
        "race=a & sex=m",
        "race=b & sex=f",
        "race=b & sex=m",
    ]
    assert {change.verdict_after for change in option.changes} <= {"pass", "inconclusive"}
    assert option.model is not None
    assert option.model.columns == ["score", "race", "sex"]


def learned(seed: int, n: int = 4000) -> pa.Table:
    generator = np.random.default_rng(seed)
    race = generator.choice(["a", "b"], n, p=[0.6, 0.4])
    x = generator.normal(0, 1, n)
    proxy = (race == "a") + generator.normal(0, 0.4, n)
    label = generator.random(n) < 1 / (1 + np.exp(-(1.2 * x + np.where(race == "a", 0.7, -0.7))))
    return pa.table({"label": label.astype(int), "x": x, "proxy": proxy, "race": race})


def test_training_with_weights_narrows_the_gap_and_uses_no_group_when_deciding() -> None:
    train, table = learned(1), learned(2)
    model = LogisticRegression().fit(train.select(["x", "proxy"]).to_pandas(), train["label"].to_numpy())
    evaluation = evaluate(model, table, label="label", segments=["race"])
    found = repair(evaluation, "race", "selection_rate", data=table, model=model, train=train, gap=0.1)
    kinds = {option.kind: option for option in found.options}
    (change,) = kinds["reweighed"].changes
    assert abs(change.gap_after or 1) < abs(change.gap_before or 0) / 2
    assert kinds["reweighed"].model is not None
    assert kinds["reweighed"].model.columns == ["x", "proxy"]
    assert found.summary().options[1].kind == "reweighed"
    with pytest.raises(InvalidInput, match="the rows to train on are the rows to measure on"):
        repair(evaluation, "race", data=table, model=model, train=table)
    with pytest.raises(InvalidInput, match="an estimator needs rows"):
        repair(evaluation, "race", data=table, model=model, estimator=LogisticRegression())


def test_a_registered_version_is_repaired_and_packaged_like_any_other(store: SqlStore) -> None:
    train, table = learned(3), learned(4)
    estimator = LogisticRegression().fit(matrix(train, ["x", "proxy"]), train["label"].to_numpy())
    with start_run(store, "fair") as run:
        version = package_model(store, "fair", estimator, train, ["x", "proxy"], run=run)
    model = load_model(store, version)
    evaluation = evaluate(model, table, label="label", segments=["race"])
    found = repair(evaluation, "race", "selection_rate", data=table, model=model, train=train, gap=0.1)
    for option in found.options[:2]:
        assert option.model is not None
        with start_run(store, "fair") as run:
            again = package_model(store, "fair", option.model.classifier, table, option.model.columns, run=run)
        loaded = load_model(store, again)
        assert loaded.predict_table(table).tolist() == option.model(table).tolist()


def test_a_version_in_a_librarys_own_form_is_repaired_and_its_thresholds_are_packaged(store: SqlStore) -> None:
    train, table = learned(3), learned(4)
    fitted = assay.train(LGBMClassifier(n_estimators=20, verbose=-1), train, label="label", features=["x", "proxy"])
    with start_run(store, "fair") as run:
        version = package_model(store, "fair", fitted, train, run=run)
    for model in (fitted, load_model(store, version)):
        evaluation = evaluate(model, table, label="label", segments=["race"])
        found = repair(evaluation, "race", "selection_rate", data=table, model=model, gap=0.1)
        option = thresholds_of(found)
        assert option.model is not None
        with start_run(store, "fair") as run:
            again = package_model(store, "fair", option.model.classifier, table, option.model.columns, run=run)
        assert load_model(store, again).predict_table(table).tolist() == option.model(table).tolist()
        required = (model_folder(store, again) / "requirements.txt").read_text()
        assert "lightgbm==" in required
        assert "assay-mlops==" in required


def test_the_report_prints_and_shows_itself() -> None:
    found = repaired(world(9, 4000))
    assert str(found) == repr(found)
    assert "Nothing is chosen for you" in str(found)
    assert "may be forbidden" in str(found)
    assert found._repr_html_().startswith("<pre>recall of race")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"group": "rase"}, "no segment column 'rase'"),
        ({"rate": "auc"}, "'auc' cannot be brought"),
        ({"rate": "precision"}, "'precision' cannot be brought"),
        ({"reference": "z"}, "no row has race=z"),
        ({"gap": 0.1, "ratio": 0.8}, "need one bound"),
        ({"model": "scor"}, "there is no column 'scor'"),
        ({"model": lambda table: table["score"]}, "cannot be repaired"),
        ({"model": "flat"}, "gives every row the score 0.7"),
        ({"train": world(1, 50)}, "a column of scores|does not say what it was trained on"),
        ({"data": world(1, 50).drop_columns(["race"])}, "there is no column 'race'"),
    ],
)
def test_what_cannot_be_repaired_is_told(change: dict[str, Any], message: str) -> None:
    table = world(10, 400).append_column("flat", pa.array(np.full(400, 0.7)))
    options: dict[str, Any] = {"group": "race", "rate": "recall", "data": table, "model": "score", **change}
    with pytest.raises(InvalidInput, match=message):
        repair(evaluated(table), options.pop("group"), options.pop("rate"), **options)


def test_a_group_without_positives_and_scores_that_reach_no_rate_make_no_repair() -> None:
    table = world(11, 1000)
    none = table.filter(pc.or_(pc.equal(table["race"], "a"), pc.equal(table["label"], 0)))
    with pytest.raises(InvalidInput, match="no repair can be made") as raised:
        repaired(none)
    assert "race=b has 0 rows to choose on" in (raised.value.where or "")


def test_scores_that_reach_no_such_rate_are_told_with_the_nearest_there_is() -> None:
    table = world(11, 1000)
    flat = table.set_column(1, "score", pc.if_else(pc.equal(table["race"], "b"), 0.2, table["score"]))
    found = repaired(flat, gap=0.1)
    (change,) = thresholds_of(found).changes
    assert (change.before, change.after) == (0.0, 1.0)
    assert "The scores of race=b reach nothing nearer to recall 0.7" in found.notes[0]
    assert found.notes[0].endswith("than 1.000.")
