"""Libraries that log to MLflow by themselves, unmodified, with the server as the place: nothing they send is lost."""

import os
from collections.abc import Iterator
from typing import Any

import lightgbm
import mlflow
import numpy as np
import optuna
import pandas as pd
import pytest
import xgboost
from mlflow import MlflowClient
from mlflow.entities import Run
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore")
GENERATOR = np.random.default_rng(11)
FEATURES = pd.DataFrame({"a": GENERATOR.normal(size=200), "b": GENERATOR.normal(size=200)})
LABELS = (FEATURES["a"] + 0.3 * GENERATOR.normal(size=200) > 0).astype(int)
ROUNDS = 5


@pytest.fixture
def server(sqlite_server: RunningServer) -> RunningServer:
    """One database is enough: what these libraries send, the other tests of clients send to both."""
    return sqlite_server


@pytest.fixture(autouse=True)
def _short_and_without_autologging_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(
        "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT", "1"
    )  # s; else it loads each model in a process of its own
    yield
    mlflow.autolog(disable=True, silent=True)


def _only_run(client: MlflowClient, experiment_id: str) -> Run:
    (run,) = client.search_runs([experiment_id])
    assert run.info.status == "FINISHED"
    return run


def _steps(client: MlflowClient, run: Run, key: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run.info.run_id, key)]


def _predictions(uri: str) -> Any:
    return mlflow.pyfunc.load_model(uri).predict(FEATURES)


def _files(client: MlflowClient, run: Run) -> set[str]:
    return {entry.path for entry in client.list_artifacts(run.info.run_id)}


def test_lightgbm_is_logged_round_by_round_with_its_model(client: MlflowClient, experiment_id: str) -> None:
    name = f"lightgbm-{os.urandom(4).hex()}"
    mlflow.lightgbm.autolog(silent=True, registered_model_name=name)
    data = lightgbm.Dataset(FEATURES, label=LABELS)
    settings = {"objective": "binary", "metric": "auc", "verbosity": -1, "num_threads": 1, "seed": 1}
    model = lightgbm.train(settings, data, ROUNDS, valid_sets=[data], valid_names=["train"])
    run = _only_run(client, experiment_id)
    assert (run.data.params["objective"], run.data.params["num_boost_round"]) == ("binary", str(ROUNDS))
    assert _steps(client, run, "train-auc") == list(range(ROUNDS))
    assert run.data.metrics["train-auc"] == pytest.approx(model.best_score["train"]["auc"])
    assert "feature_importance_split.json" in _files(client, run)
    assert run.inputs is not None
    assert run.inputs.dataset_inputs
    assert _predictions(f"models:/{name}/1") == pytest.approx(model.predict(FEATURES))


def test_xgboost_is_logged_round_by_round_with_its_model(client: MlflowClient, experiment_id: str) -> None:
    name = f"xgboost-{os.urandom(4).hex()}"
    mlflow.xgboost.autolog(silent=True, registered_model_name=name)
    data = xgboost.DMatrix(FEATURES, label=LABELS)
    settings = {"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1, "seed": 1}
    found: dict[str, Any] = {}
    model = xgboost.train(settings, data, ROUNDS, evals=[(data, "train")], evals_result=found, verbose_eval=False)
    run = _only_run(client, experiment_id)
    assert (run.data.params["objective"], run.data.params["num_boost_round"]) == ("binary:logistic", str(ROUNDS))
    history = client.get_metric_history(run.info.run_id, "train-logloss")
    assert [point.value for point in history] == found["train"]["logloss"]
    assert "feature_importance_weight.json" in _files(client, run)
    assert _predictions(f"models:/{name}/1") == pytest.approx(model.predict(data))


def _objective(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -1, 1)
    if trial.number == 2:
        raise optuna.TrialPruned
    return x**2


def _study(**options: Any) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3), **options)


def test_trials_of_optuna_are_runs_through_its_callback(client: MlflowClient) -> None:
    from optuna_integration import MLflowCallback

    study = _study(study_name=f"study {os.urandom(4).hex()}")
    study.set_user_attr("team", "red")
    tell = MLflowCallback(mlflow.get_tracking_uri(), metric_name="square", tag_study_user_attrs=True)
    study.optimize(_objective, n_trials=4, callbacks=[tell])
    experiment = client.get_experiment_by_name(study.study_name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.team = 'red'", order_by=["attributes.run_name"])
    assert [run.info.run_name for run in runs] == ["0", "1", "2", "3"]
    assert [run.data.tags["state"] for run in runs] == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    for run, trial in zip(runs, study.trials, strict=True):
        assert run.data.params == {"x": str(trial.params["x"])}
        assert run.data.metrics == ({} if trial.value is None else {"square": trial.value})


def test_a_study_of_optuna_is_kept_on_the_server_and_read_back(client: MlflowClient, experiment_id: str) -> None:
    from mlflow.optuna.storage import MlflowStorage

    name = f"study {os.urandom(4).hex()}"
    storage = MlflowStorage(experiment_id)
    study = _study(study_name=name, storage=storage)
    study.optimize(_objective, n_trials=4)
    storage.flush_all_batches()  # type: ignore[no-untyped-call]
    again = optuna.load_study(study_name=name, storage=MlflowStorage(experiment_id))
    states = {trial.number: trial.state.name for trial in again.trials}  # this storage lists the newest first
    assert states == {0: "COMPLETE", 1: "COMPLETE", 2: "PRUNED", 3: "COMPLETE"}
    assert again.best_params == study.best_params
    assert again.best_value == study.best_value
