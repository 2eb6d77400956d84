import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.errors import InvalidInput
from assay.record.artifacts import artifact_file, files_below, read_pieces, run_root
from assay.record.exchange.mlflow_import import import_mlflow
from assay.record.models.aliases import alias_version
from assay.record.models.logged_models import logged_model
from assay.record.models.seals import download_uri
from assay.record.models.versions import version_row, versions_of
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import experiment_named
from assay.record.tracking.metrics import history
from assay.record.tracking.run_changes import run_row
from assay.record.tracking.runs import show_run


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A store that MLflow's own client wrote: a finished run with files, a deleted run, a version with an alias."""
    folder = tmp_path_factory.mktemp("mlflow")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(folder)
        import mlflow

        uri = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri, uri)
        number = client.create_experiment("churn", artifact_location=str(folder / "art"), tags={"team": "red"})
        run = client.create_run(number, run_name="first", tags={"note": "x"}).info.run_id
        for step in range(5):
            client.log_metric(run, "loss", 1 / (step + 1), timestamp=1000 + step, step=step)
        client.log_metric(run, "odd", float("nan"), timestamp=1, step=0)
        client.log_param(run, "lr", "0.1")
        (folder / "MLmodel").write_text("flavors: {}\n")
        client.log_artifact(run, str(folder / "MLmodel"), "model")
        client.set_terminated(run)
        gone = client.create_run(number, run_name="gone").info.run_id
        client.delete_run(gone)
        assert client.create_experiment("old", artifact_location=str(folder / "art2")) == "2"
        client.delete_experiment("2")
        model = client.create_logged_model(number, "net", source_run_id=run, params={"depth": "3"})
        client.finalize_logged_model(model.model_id, "READY")
        client.create_registered_model("churn", tags={"a": "b"}, description="who leaves")
        client.create_model_version("churn", f"runs:/{run}/model", run)
        client.delete_model_version("churn", "1")
        client.create_model_version("churn", f"{folder}/art/{run}/artifacts/model", run, description="second")
        client.set_registered_model_alias("churn", "best", "2")
        client.transition_model_version_stage("churn", "2", "Staging")
        client.set_model_version_tag("churn", "2", "k", "v")
        yield {"uri": uri, "run": run, "gone": gone, "model": model.model_id}


@pytest.mark.filterwarnings("ignore")
def test_everything_is_brought_over_once(either_store: SqlStore, theirs: dict[str, Any]) -> None:
    done = import_mlflow(either_store, theirs["uri"])
    assert done.problems == []
    assert (done.experiments, done.runs, done.points, done.logged_models) == (2, 2, 6, 1)
    assert (done.files, done.models, done.versions, done.aliases) == (1, 1, 1, 1)
    shown = show_run(either_store, theirs["run"])
    assert (shown.run.name, shown.run.status, shown.run.experiment) == ("first", "finished", "churn")
    assert (shown.params, shown.tags["note"]) == ({"lr": "0.1"}, "x")
    points = history(either_store, theirs["run"], "loss")
    assert (points.step.tolist(), points.ts_ms.tolist()) == ([0, 1, 2, 3, 4], [1000, 1001, 1002, 1003, 1004])
    assert run_row(either_store, theirs["run"])["source"] == "imported"
    assert run_row(either_store, theirs["gone"])["deleted"]
    root = run_root(run_row(either_store, theirs["run"]))
    assert [file.path for file in files_below(either_store, root)] == [f"{root}/model/MLmodel"]
    old = experiment_named(either_store, "old")
    assert old is not None
    assert old.deleted
    assert logged_model(either_store, theirs["model"]).params == {"depth": "3"}
    version = versions_of(either_store, [version_row(either_store, "churn", 2)])[0]
    assert (version.sealed, version.stage, version.tags, version.aliases) == ("sealed", "Staging", {"k": "v"}, ["best"])
    assert version.description == "second"
    assert alias_version(either_store, "churn", "best").version == 2
    uri = download_uri(either_store, version_row(either_store, "churn", 2))
    path = uri.removeprefix("mlflow-artifacts:/")
    assert b"".join(read_pieces(either_store, artifact_file(either_store, f"{path}/MLmodel"))) == b"flavors: {}\n"
    again = import_mlflow(either_store, theirs["uri"])
    assert (again.experiments, again.runs, again.versions, again.aliases, again.files) == (0, 0, 0, 0, 0)
    assert again.here_already == 6
    assert either_store.source == "native"


@pytest.mark.filterwarnings("ignore")
def test_without_files_a_version_is_not_sealed(store: SqlStore, theirs: dict[str, Any]) -> None:
    done = import_mlflow(store, theirs["uri"], without_files=True)
    assert (done.files, done.versions) == (0, 1)
    assert version_row(store, "churn", 2)["sealed"] == "empty"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "nonsense://x"])
def test_what_mlflow_cannot_read_is_said(store: SqlStore, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(InvalidInput, match="MLflow cannot read"):
        import_mlflow(store, uri)


@pytest.mark.filterwarnings("ignore")
def test_a_new_run_is_brought_over_by_the_next_import(store: SqlStore, theirs: dict[str, Any], tmp_path: Path) -> None:
    import mlflow

    import_mlflow(store, theirs["uri"])
    client = mlflow.MlflowClient(theirs["uri"], theirs["uri"])
    more = client.create_run("1", run_name="more").info.run_id
    try:
        assert import_mlflow(store, theirs["uri"]).runs == 1
        assert run_row(store, more)["status"] == "running"
    finally:
        client.delete_run(more)
