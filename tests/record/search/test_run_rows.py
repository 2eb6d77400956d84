import math
from collections.abc import Callable

from assay.record.models.logged_models import create_logged_model
from assay.record.search.run_rows import MetricValue, load_runs
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import DatasetUse, create_run, log, log_datasets, update_run


def _filled(store: SqlStore) -> tuple[str, str]:
    experiment_id = create_experiment(store, "e").experiment_id
    first, second = (create_run(store, experiment_id, name=name, tags={"team": name}) for name in ("one", "two"))
    log(store, first, params={"lr": "0.1", "text": 'it\'s\n"é" \\ \t'}, metrics={"auc": points_of([(0, 5, 0.5)])})
    log(store, first, metrics={"loss": points_of([(1, 2, math.nan)]), "big": points_of([(-3, 4, math.inf)])})
    log_datasets(store, first, [DatasetUse("d", "1", "local", "{}", tags={"mlflow.data.context": "training"})])
    update_run(store, first, status="finished")
    late = {"metrics": {"auc": points_of([(9, 9, 0.25)])}, "params": {"after": "x"}}
    log(store, first, late="mark", **late)  # type: ignore[arg-type]
    return first, second


def test_runs_come_whole_in_the_order_asked_for(either_store: SqlStore) -> None:
    first, second = _filled(either_store)
    two, one = load_runs(either_store, [second, "gone", first])
    assert (two.run_id, one.run_id) == (second, first)
    assert one.params == {"lr": "0.1", "text": 'it\'s\n"é" \\ \t'}
    assert one.tags == {"team": "one", "mlflow.runName": "one"}
    assert one.metrics["auc"] == MetricValue(0.5, 0, 5)
    assert one.metrics["big"] == MetricValue(math.inf, -3, 4)
    assert math.isnan(one.metrics["loss"].value)
    (used,) = one.datasets
    assert (used.name, used.context, used.tags) == ("d", "training", {"mlflow.data.context": "training"})
    assert (two.params, two.metrics, two.datasets, two.models) == ({}, {}, [], [])
    assert one.experiment == "e"
    assert one.artifact_uri.endswith(f"/{first}/artifacts")
    assert load_runs(either_store, []) == []


def test_what_came_late_is_shown_to_those_who_ask(either_store: SqlStore) -> None:
    first, _ = _filled(either_store)
    (run,) = load_runs(either_store, [first], late=True)
    assert run.params["after"] == "x"
    assert run.metrics["auc"] == MetricValue(0.25, 9, 9)


def test_only_some_parts_and_keys_are_loaded_on_request(either_store: SqlStore) -> None:
    first, second = _filled(either_store)
    one, two = load_runs(either_store, [first, second], parts=("params", "metrics"), keys=["lr", "auc"])
    assert (one.params, list(one.metrics), one.tags, one.datasets) == ({"lr": "0.1"}, ["auc"], {}, [])
    assert (two.params, two.metrics) == ({}, {})


def test_models_of_a_run_come_with_it(either_store: SqlStore) -> None:
    first, second = _filled(either_store)
    model = create_logged_model(either_store, "0", name="m", source_run_id=second)
    row = {"run_id": second, "role": "output", "model_id": model.model_id, "step": 3, "layer": 0}
    either_store.append("run_model", row)
    one, two = load_runs(either_store, [first, second], parts=("models",))
    assert one.models == []
    assert [(used.role, used.model_id, used.step) for used in two.models] == [("output", model.model_id, 3)]


def test_the_number_of_questions_does_not_grow_with_the_runs(
    either_store: SqlStore, asked_of: Callable[[SqlStore], list[str]]
) -> None:
    experiment_id = create_experiment(either_store, "many").experiment_id
    ids = [create_run(either_store, experiment_id, name=f"r{number}") for number in range(30)]
    asked = asked_of(either_store)
    counts = []
    for some in (ids[:1], ids):
        asked.clear()
        load_runs(either_store, some)
        counts.append(len([text for text in asked if text.startswith(("SELECT", "WITH"))]))
    assert 5 <= counts[0] == counts[1]
