"""PyTorch Lightning and `transformers`, unmodified, in an environment of their own: `make test-torch` runs them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.torch
HERE = Path(__file__).parent


@pytest.fixture
def server(sqlite_server: RunningServer) -> RunningServer:
    """One database is enough: what the libraries send, the other tests of clients send to both."""
    return sqlite_server


def _trained(script: str, argument: str, server: RunningServer, experiment: str, **more: str) -> Any:
    """What a script prints last, run by the Python of that environment (TORCH_PYTHON); the seconds are printed."""
    python = Path(os.environ["TORCH_PYTHON"]).absolute()
    environment = {
        **{"MLFLOW_TRACKING_URI": server.url, "MLFLOW_EXPERIMENT_NAME": experiment},
        **{"MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1"},  # s; else it loads each model in a process of its own
        **{"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"},
    }
    done = subprocess.run(
        [python, HERE / script, argument],
        env={**os.environ, **environment, **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    without, logged = said["seconds"]
    print(f"{script}: {without:.1f} s without logging, {logged:.1f} s with it")
    return said


def test_lightning_is_logged_epoch_by_epoch_and_its_model_loads(
    client: MlflowClient, experiment_id: str, server: RunningServer
) -> None:
    name = f"line-{os.urandom(4).hex()}"
    said = _trained("lightning_training.py", name, server, client.get_experiment(experiment_id).name)
    (run,) = client.search_runs([experiment_id])
    assert run.info.status == "FINISHED"
    assert (run.data.params["epochs"], run.data.params["optimizer_name"]) == ("3", "SGD")
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [0, 1, 2]
    assert history[0].value > history[-1].value == pytest.approx(said["loss"])
    assert said["loaded"] == said["expected"]
    assert client.get_model_version(name, "1").run_id == run.info.run_id
    assert "model_summary.txt" in [entry.path for entry in client.list_artifacts(run.info.run_id)]


def test_the_trainer_of_transformers_logs_its_settings_losses_and_checkpoint(
    client: MlflowClient, experiment_id: str, server: RunningServer, tmp_path: Path
) -> None:
    name = client.get_experiment(experiment_id).name
    said = _trained("transformers_training.py", str(tmp_path), server, name, HF_MLFLOW_LOG_ARTIFACTS="1")
    (run,) = client.search_runs([experiment_id])
    assert (run.info.run_name, run.info.status) == ("tiny", "FINISHED")
    assert (run.data.params["hidden_size"], run.data.params["max_steps"]) == ("16", "6")
    assert len(run.data.params) > 100, "more than one batch takes"
    losses = {entry["step"]: entry["loss"] for entry in said["history"] if "loss" in entry}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert {point.step: point.value for point in history} == losses
    assert sorted(losses) == [2, 4, 6]
    files = [entry.path for entry in client.list_artifacts(run.info.run_id, "checkpoint-6/artifacts/checkpoint-6")]
    assert any(path.endswith("model.safetensors") for path in files)
