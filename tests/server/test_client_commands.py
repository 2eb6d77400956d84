"""The commands of MLflow's client, unmodified, against the server."""

import csv
import json

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def run_id(client: MlflowClient, experiment_id: str) -> str:
    """A run with a param, a metric and a file."""
    made = client.create_run(experiment_id, run_name="first").info.run_id
    client.log_param(made, "lr", "0.1")
    client.log_metric(made, "auc", 0.7, step=1)
    client.log_text(made, "hello", "notes/a.txt")
    client.set_terminated(made)
    return str(made)


@pytest.fixture
def said(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> "Said":
    """A function that runs a command and gives what it printed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.url)
    return Said()


class Said:
    def __call__(self, *words: str) -> str:
        from mlflow.cli import cli  # it warns while it is imported

        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output
        return done.output


def test_runs_are_listed_described_deleted_and_restored(experiment_id: str, run_id: str, said: Said) -> None:
    listed = said("runs", "list", "--experiment-id", experiment_id)
    assert run_id in listed
    assert "first" in listed
    described = json.loads(said("runs", "describe", "--run-id", run_id))
    assert described["info"]["status"] == "FINISHED"
    assert (described["data"]["params"], described["data"]["metrics"]) == ({"lr": "0.1"}, {"auc": 0.7})
    said("runs", "delete", "--run-id", run_id)
    assert run_id not in said("runs", "list", "--experiment-id", experiment_id)
    assert run_id in said("runs", "list", "--experiment-id", experiment_id, "--view", "deleted_only")
    said("runs", "restore", "--run-id", run_id)
    assert run_id in said("runs", "list", "--experiment-id", experiment_id)


def test_a_run_is_made_by_a_command(client: MlflowClient, experiment_id: str, said: Said) -> None:
    printed = said("runs", "create", "--experiment-id", experiment_id, "--tags", "team=red", "--status", "FAILED")
    run = client.get_run(json.loads(printed[printed.index("{") :])["run_id"])
    assert (run.info.status, run.data.tags["team"]) == ("FAILED", "red")


def test_experiments_are_made_searched_shown_renamed_deleted_and_restored(run_id: str, said: Said) -> None:
    name = f"by command {run_id}"
    experiment_id = said("experiments", "create", "--experiment-name", name).split()[-1]
    assert name in said("experiments", "search")
    shown = json.loads(said("experiments", "get", "--experiment-id", experiment_id, "--output", "json"))
    assert shown["name"] == name
    said("experiments", "rename", "--experiment-id", experiment_id, "--new-name", f"{name} again")
    assert f"{name} again" in said("experiments", "search")
    said("experiments", "delete", "--experiment-id", experiment_id)
    assert name not in said("experiments", "search")
    assert name in said("experiments", "search", "--view", "deleted_only")
    said("experiments", "restore", "--experiment-id", experiment_id)
    assert name in said("experiments", "search")


def test_runs_of_an_experiment_are_written_as_csv(experiment_id: str, run_id: str, said: Said) -> None:
    printed = said("experiments", "csv", "--experiment-id", experiment_id)
    (row,) = csv.DictReader(printed.splitlines())
    assert (row["run_id"], row["params.lr"], row["metrics.auc"]) == (run_id, "0.1", "0.7")


def test_files_are_listed_and_downloaded(run_id: str, said: Said) -> None:
    listed = json.loads(said("artifacts", "list", "--run-id", run_id, "--artifact-path", "notes"))
    assert listed == [{"path": "notes/a.txt", "is_dir": False, "file_size": 5}]
    assert said("artifacts", "download", "--run-id", run_id, "--artifact-path", "notes/a.txt").strip().endswith("a.txt")
