"""`assay repair`: the options for a recorded evaluation, and one of them as a version that the gate judges."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression

from assay.build.models.packaging import load_model, matrix, package_model
from assay.cli import render
from assay.errors import InvalidInput, NotFound
from assay.prove.evaluation import evaluate, load_evaluation
from assay.prove.gate import gate
from assay.prove.policy import Bound, Policy
from assay.prove.remedy import repair_evaluation
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run


def learned(seed: int, n: int = 4000) -> pa.Table:
    generator = np.random.default_rng(seed)
    race = generator.choice(["a", "b"], n, p=[0.6, 0.4])
    x = generator.normal(0, 1, n)
    proxy = (race == "a") + generator.normal(0, 0.4, n)
    label = generator.random(n) < 1 / (1 + np.exp(-(1.2 * x + np.where(race == "a", 0.7, -0.7))))
    return pa.table({"label": label.astype(int), "x": x, "proxy": proxy, "race": race})


@pytest.fixture
def recorded(store: SqlStore) -> str:
    train, table = learned(1), learned(2)
    estimator = LogisticRegression().fit(matrix(train, ["x", "proxy"]), train["label"].to_numpy())
    with start_run(store, "fair") as run:
        version = package_model(store, "fair", estimator, train, ["x", "proxy"], run=run)
    return evaluate(load_model(store, version), table, label="label", segments=["race"], store=store).evaluation_id


def test_the_rows_kept_with_the_evaluation_are_enough(store: SqlStore, recorded: str, tmp_path: Path) -> None:
    found = repair_evaluation(store, recorded[:8], group="race", rate="selection_rate")
    assert [option.kind for option in found.options] == ["thresholds"]
    assert found.registered is None
    pq.write_table(learned(1), tmp_path / "train.parquet")
    pq.write_table(learned(2), tmp_path / "rows.parquet")
    (tmp_path / "fair.toml").write_text('name = "fair"\n[fairness.race]\nselection_rate = {gap = 0.1}\n')
    more = repair_evaluation(
        store,
        recorded,
        group="race",
        rate="selection_rate",
        data=str(tmp_path / "rows.parquet"),
        train=str(tmp_path / "train.parquet"),
        policy=str(tmp_path / "fair.toml"),
    )
    assert [option.kind for option in more.options] == ["thresholds", "reweighed"]
    assert more.options[0].verdict == "pass"
    assert more.options[0].changes[0].group == found.options[0].changes[0].group
    assert len(store.query("evaluation")) == 1, "looking records nothing"


def test_an_option_becomes_a_version_that_the_gate_judges(
    store: SqlStore, recorded: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = repair_evaluation(store, recorded, group="race", rate="selection_rate", register=1)
    assert found.registered == "fair/2"
    evaluation = load_evaluation(store, found.evaluation or "")
    assert evaluation.names == {"candidate": "fair/2", "baseline": "fair/1"}
    assert evaluation.rows == found.measured_on
    policy = Policy(name="fair", fairness={"race": {"selection_rate": Bound(gap=0.1)}})
    assert gate(evaluation, policy, store=store).verdict == "pass"
    render.show(found, as_json=False)
    shown = capsys.readouterr().out
    assert "registered as fair/2" in shown
    assert "1. Thresholds by race" in shown


def test_what_cannot_be_asked_is_told_and_changes_nothing(store: SqlStore, recorded: str) -> None:
    with pytest.raises(InvalidInput, match="--group COLUMN is not given"):
        repair_evaluation(store, recorded)
    with pytest.raises(NotFound):
        repair_evaluation(store, "nothing", group="race")
    with pytest.raises(InvalidInput, match="there is no option 7"):
        repair_evaluation(store, recorded, group="race", rate="selection_rate", register=7)
    assert len(store.query("model_version")) == 1
