"""How many requests a call of the client makes: no more than were counted against MLflow's own server, version 3.17.2.

Where a run is begun and ended around a call, a few more are allowed for that.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore")
FEATURES = pd.DataFrame({"a": np.linspace(-1, 1, 30), "b": np.linspace(0, 1, 30)})
LABELS = (FEATURES["a"] > 0).astype(int)


@pytest.fixture
def server(sqlite_server: RunningServer) -> RunningServer:
    """What is asked does not depend on the database."""
    return sqlite_server


class Counted:
    """What was sent since the last time it was asked."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def __call__(self, work: Callable[[], Any]) -> tuple[Any, int]:
        """(what the work returns, how many requests it made)."""
        self.sent.clear()
        return work(), len(self.sent)


@pytest.fixture
def counted(client: MlflowClient, experiment_id: str) -> Iterator[Counted]:
    """Counts from here on."""
    found = Counted()
    send = requests.Session.send

    def counting(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        found.sent.append(f"{request.method} {request.path_url}")
        return send(session, request, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", counting)
        yield found


def _name() -> str:
    return f"counted-{os.urandom(4).hex()}"


def test_calls_about_runs(client: MlflowClient, experiment_id: str, counted: Counted, tmp_path: Path) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    data: Any = mlflow.data.from_pandas(FEATURES, name="d")  # type: ignore[attr-defined]
    (tmp_path / "f.txt").write_text("x")

    def fluent(work: Callable[[], Any]) -> Callable[[], None]:
        def inside() -> None:
            with mlflow.start_run(run_id=run_id):
                work()

        return inside

    _, around = counted(fluent(lambda: None))
    assert around <= 5, counted.sent
    for most, work in (
        (1, lambda: client.log_param(run_id, "p", 1)),
        (1, lambda: client.log_metric(run_id, "m", 1.0)),
        (1, lambda: client.set_tag(run_id, "t", "1")),
        (1, lambda: client.delete_tag(run_id, "t")),
        (1, lambda: client.get_metric_history(run_id, "m")),
        (1, lambda: client.search_runs([experiment_id])),
        (1, client.search_experiments),
        (1, lambda: client.search_logged_models([experiment_id])),
        (2, lambda: client.list_artifacts(run_id)),
        (2, lambda: client.log_artifact(run_id, str(tmp_path / "f.txt"))),
        (2, lambda: client.log_text(run_id, "x", "g.txt")),
        (2, lambda: client.log_dict(run_id, {}, "d.json")),
        (6, lambda: client.download_artifacts(run_id, "f.txt", str(tmp_path))),
        (2, lambda: client.set_terminated(run_id)),
        (3 + around, fluent(lambda: mlflow.log_params({f"p{n}": n for n in range(250)}))),
        (1 + around, fluent(lambda: mlflow.log_metrics({f"m{n}": n for n in range(1000)}))),
        (1 + around, fluent(lambda: mlflow.log_input(data, "training"))),
    ):
        _, requests_sent = counted(work)
        assert requests_sent <= most, counted.sent


def test_calls_about_experiments(client: MlflowClient, counted: Counted) -> None:
    name = _name()
    assert counted(lambda: mlflow.set_experiment(name))[1] <= 3, counted.sent
    assert counted(lambda: mlflow.set_experiment(name))[1] <= 1, counted.sent


def test_calls_about_models(client: MlflowClient, experiment_id: str, counted: Counted) -> None:
    name = _name()
    model = LogisticRegression().fit(FEATURES, LABELS)

    def log() -> Any:
        with mlflow.start_run():
            return mlflow.sklearn.log_model(
                model, name="m", registered_model_name=name, pip_requirements=[], serialization_format="cloudpickle"
            )

    logged, around_and_log = counted(log)
    assert around_and_log <= 21 + 3, counted.sent
    for most, work in (
        (2, lambda: client.set_registered_model_alias(name, "challenger", "1")),
        (2, lambda: client.set_model_version_tag(name, "1", "k", "v")),
        (2, lambda: client.update_model_version(name, "1", "d")),
        (1, lambda: client.get_model_version_by_alias(name, "challenger")),
        (1, lambda: client.search_model_versions(f"name = '{name}'")),
        (1, client.search_registered_models),
        (3, lambda: client.copy_model_version(f"models:/{name}/1", f"{name}-copy")),
        (12, lambda: mlflow.pyfunc.load_model(f"models:/{name}@challenger")),
        (11, lambda: mlflow.pyfunc.load_model(f"models:/{name}/1")),
        (12, lambda: mlflow.pyfunc.load_model(f"models:/{name}/latest")),
        (10, lambda: mlflow.pyfunc.load_model(logged.model_uri)),
        (15, lambda: mlflow.pyfunc.load_model(f"runs:/{logged.run_id}/m")),
        (9, lambda: mlflow.register_model(f"runs:/{logged.run_id}/m", f"{name}-again")),
        (2, lambda: client.delete_registered_model_alias(name, "challenger")),
    ):
        _, requests_sent = counted(work)
        assert requests_sent <= most, (most, counted.sent)


def test_autologging_and_fit(client: MlflowClient, experiment_id: str, counted: Counted) -> None:
    mlflow.sklearn.autolog(silent=True)
    try:
        model = LogisticRegression()
        _, requests_sent = counted(lambda: model.fit(FEATURES, LABELS))
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert requests_sent <= 22 + 3, counted.sent
