"""From a file to a judged candidate, as somebody would do it who has never seen Assay."""

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from assay.errors import AlreadyExists, Conflict, InvalidInput, Refused
from assay.operate.project.running import run_project
from assay.operate.project.scaffold import init
from assay.operate.project.tuning import search_project
from assay.prove.promotion import promote
from assay.record.models.registry import list_models
from assay.record.search.run_listing import list_runs
from assay.record.store import Store
from assay.record.tracking.runs import show_run


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder with a table; what a project imports is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    write_table()
    yield
    sys.modules.pop("pipeline", None)


def write_table(rows: int = 400, seed: int = 0) -> None:
    random = np.random.default_rng(seed)
    hour = random.integers(6, 23, rows)
    carrier = random.choice(["AA", "DL", "UA"], rows)
    late = random.random(rows) < 0.1 + 0.04 * (hour - 6) + 0.1 * (carrier == "UA")
    table = {"flight": np.arange(rows), "carrier": carrier, "hour": hour, "late": np.where(late, "yes", "no")}
    csv.write_csv(pa.table(table), "flights.csv")


def edit(old: str, new: str, file: str = "assay.toml") -> None:
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


def test_a_file_becomes_a_project_a_candidate_and_a_champion(store: Store) -> None:
    made = init(store, "flights.csv", label="late")
    assert (made.template, made.task) == ("classification", "binary")
    assert made.ignored == {"flight": "it counts the rows"}
    assert made.segments == ["carrier"]
    edit("max_iter = 200", "max_iter = 20")

    first = run_project(store)
    assert (first.version, first.is_new) == (2, True)
    assert first.features == ["carrier", "hour"]
    assert first.rows["train"] + first.rows["test"] == 400
    assert {step.name: step.state for step in first.steps} == {
        "prepare": "done",
        "train_baselines": "done",
        "train": "done",
    }
    assert set(first.beside) == {"majority", "logistic"}
    assert first.checks

    again = run_project(store)
    assert (again.version, again.is_new) == (2, False)
    assert {step.state for step in again.steps} == {"cached"}
    assert again.judgement.reproduced
    assert again.judgement.gate_id == first.judgement.gate_id

    promote(store, "flights", 2, override="a test")
    with pytest.raises(Conflict, match="version 2 is the champion already"):
        run_project(store)
    other = run_project(store, param=["max_iter=5", "learning_rate=0.3"])
    assert other.version == 3
    assert other.judgement.baseline_version == 2
    assert {step.name: step.state for step in other.steps}["train_baselines"] == "cached"
    assert len(list_models(store)) == 3


def test_the_same_on_processes_gives_the_same_figures(store: Store) -> None:
    init(store, "flights.csv", label="late")
    edit("max_iter = 200", "max_iter = 5")
    here = run_project(store)
    there = run_project(store, on="processes", no_cache=True)
    assert {step.state for step in there.steps} == {"done"}
    assert there.judgement.checks == here.judgement.checks
    assert there.beside == here.beside


def test_a_project_may_stand_wholly_in_its_file(store: Store) -> None:
    Path("assay.toml").write_text(
        """name = "sql"
[data]
source = "flights.csv"
label = "late"
positive = "yes"
ignore = ["flight"]
[[steps]]
name = "features"
sql = "select *, hour >= 17 as evening from data"
[model]
task = "binary"
estimator = "linear"
[params]
C = 0.5
[policy.metrics.brier]
margin = 0.05
"""
    )
    found = run_project(store)
    assert found.features == ["carrier", "hour", "evening"]
    assert {step.name for step in found.steps} == {"table_by_sql", "train_baselines", "train_estimator"}
    edit("C = 0.5", "c = 0.5")
    with pytest.raises(InvalidInput, match="LogisticRegression takes no param 'c'") as caught:
        run_project(store)
    assert caught.value.hint == "did you mean 'C'?"
    edit('estimator = "linear"', 'estimator = "liner"')
    with pytest.raises(InvalidInput, match="there is no estimator 'liner'"):
        run_project(store)


def test_the_last_days_judge_however_long_the_past_is(store: Store) -> None:
    Path("assay.toml").write_text(
        """name = "days"
[data]
source = "flights.csv"
label = "late"
positive = "yes"
ignore = ["flight"]
[split]
how = "time"
by = ["day"]
test = "3d"
[model]
task = "binary"
estimator = "linear"
[policy.metrics.brier]
margin = 0.05
"""
    )
    for days in (20, 40):
        write_table(rows=20 * days)
        table = csv.read_csv("flights.csv")
        day = [date(2026, 1, 1) + timedelta(days=place // 20) for place in range(table.num_rows)]
        csv.write_csv(table.append_column("day", pa.array(day)), "flights.csv")
        assert run_project(store).rows == {"train": 20 * (days - 4), "test": 80}  # from three days before the last one
    edit('by = ["day"]', 'by = ["flight"]')
    with pytest.raises(InvalidInput, match="'flight' holds numbers, and test is a length of time"):
        run_project(store)


def test_a_search_leaves_the_rows_that_judge_alone(store: Store) -> None:
    init(store, "flights.csv", label="late")
    edit("max_iter = 200", "max_iter = 5")
    found = search_project(store, trials=3)
    assert found.rows["learn"] + found.rows["score"] + found.rows["judge"] == 400
    assert len(found.search.trials) == 3
    assert found.search.best_of is not None
    assert found.next.startswith("assay run --param learning_rate=")
    again = search_project(store, trials=3)
    assert all(trial.same_as for trial in again.search.trials), "the same params of the same code were tried"
    with pytest.raises(InvalidInput, match="--trials is 0"):
        search_project(store, trials=0)
    edit("learning_rate = {", "learning_rat = {")
    with pytest.raises(InvalidInput, match="train takes no param 'learning_rat'") as caught:
        search_project(store, trials=1)
    assert "search.space.learning_rat" in str(caught.value.where)
    edit("learning_rat = {", "learning_rate = {")
    edit("return assay.train", 'raise ValueError("the boat sank")\n    return assay.train', "pipeline.py")
    sys.modules.pop("pipeline")
    with pytest.raises(InvalidInput, match=r"no trial has finished: .*the boat sank"):
        search_project(store, trials=1)
    edit("[search.space]", "[search.spaces]")
    with pytest.raises(InvalidInput, match="unknown key 'spaces'"):
        search_project(store)


def test_data_that_breaks_an_expectation_teaches_nothing(store: Store) -> None:
    init(store, "flights.csv", label="late")
    csv.write_csv(csv.read_csv("flights.csv").drop_columns(["hour"]), "flights.csv")
    with pytest.raises(Refused, match="the data does not meet 1 expectation") as caught:
        run_project(store)
    assert "hour" in str(caught.value.where)
    assert not list_models(store)


@pytest.mark.parametrize(
    ("file", "old", "new", "message", "where"),
    [
        ("assay.toml", '"flights.csv"', '"flihgts.csv"', "flihgts.csv", "assay.toml, line 8: data.source"),
        ("assay.toml", 'label = "late"', 'label = "lat"', "the label 'lat' is not there", "assay.toml, line 9"),
        ("assay.toml", 'positive = "yes"', 'positive = "maybe"', "no label is 'maybe'", "assay.toml, line 10"),
        ("assay.toml", "max_iter = 200", "max_itre = 200", "train takes no param 'max_itre'", ": params.max_itre"),
        ("pipeline.py", "return table", "return 7", "prepare returned a int", "model.code"),
        ("pipeline.py", "return assay.train", "return len", "train returned a", "model.code"),
        ("pipeline.py", "return table", "return table[:0]", "prepare leaves no rows", "model.code"),
        ("pipeline.py", "return table", 'return table["lte"]', "prepare raised KeyError", "pipeline.py, line 15"),
        ("pipeline.py", "features=features", 'features=["our"]', "no column 'our'", "pipeline.py, line "),
        ("assay.toml", "max_iter = 200", "max_iter = -2", "train raised InvalidParameterError", "pipeline.py, line"),
        ("assay.toml", 'ignore = ["flight"]', 'ignore = ["fligth"]', "no column 'fligth'", ": data.ignore"),
        ("assay.toml", 'segments = ["carrier"]', 'segments = ["carier"]', "no column 'carier'", ": policy.segments"),
    ],
)
def test_a_mistake_is_told_with_its_place(
    file: str, old: str, new: str, message: str, where: str, store: Store
) -> None:
    init(store, "flights.csv", label="late")
    edit(old, new, file)
    if new == "return len":
        edit("return len(model, table, label=label, features=features)", "return {}", file)
    edit('expectations = "expectations.toml"', "", "assay.toml")
    with pytest.raises(InvalidInput, match=message) as caught:
        run_project(store)
    assert where in str(caught.value.where)
    assert not list_models(store)


def test_what_train_raises_is_the_reason_of_the_run_wherever_it_ran(store: Store) -> None:
    init(store, "flights.csv", label="late")
    edit("return assay.train", 'raise ValueError("the boat sank")\n    return assay.train', "pipeline.py")
    for on in ("threads", "processes"):
        with pytest.raises(InvalidInput, match="train raised ValueError: the boat sank") as caught:
            run_project(store, on=on)
        assert str(caught.value.where).startswith("pipeline.py, line ")
        run = list_runs(store)[0]
        assert run.status == "failed"
        assert "the boat sank" in str(show_run(store, run.run_id).reason)


def test_code_may_use_another_value_than_a_param_says(store: Store) -> None:
    init(store, "flights.csv", label="late")
    edit("max_iter = 200", "max_iter = 20")
    edit("learning_rate=learning_rate", "learning_rate=learning_rate / 2", "pipeline.py")
    params = show_run(store, run_project(store).run_id).params
    assert (params["learning_rate"], params["estimator.learning_rate"]) == ("0.1", "0.05")


def test_a_project_is_not_written_over(store: Store) -> None:
    Path("README.md").write_text("mine")
    init(store, "flights.csv", label="late")
    assert Path("README.md").read_text() == "mine"
    with pytest.raises(AlreadyExists, match=r"assay\.toml, pipeline\.py, expectations\.toml are there already"):
        init(store, "flights.csv", label="late")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "which column is to be predicted"),
        ({"label": "lte"}, "no column 'lte'"),
        ({"label": "late", "template": "clasification"}, "there is no template 'clasification'"),
        ({"label": "late", "template": "regression"}, "the label 'late' is of type"),
        ({"label": "late", "template": "text"}, "no column holds text"),
        ({"label": "late", "template": "images"}, "no column holds images"),
        ({"label": "late", "name": "a/b"}, "Invalid model name"),
    ],
)
def test_what_cannot_be_a_project_writes_nothing(given: dict[str, str], message: str, store: Store) -> None:
    with pytest.raises(InvalidInput, match=message):
        init(store, "flights.csv", **given)
    assert sorted(one.name for one in Path.cwd().iterdir()) == ["flights.csv", "store"]
