"""Files of registered models: many bytes hold nobody up, and clients may keep them in a folder of this machine."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException
from sklearn.linear_model import LogisticRegression
from tests.server.conftest import RunningServer, start_server

pytestmark = pytest.mark.filterwarnings("ignore")
LARGE_BYTES = 600_000_000


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[RunningServer]:
    """A server whose clients write files into a folder of this machine themselves."""
    found = start_server(str(tmp_path / "store"), "--artifact-root", f"file://{tmp_path}/artifacts")
    yield found
    assert found.stop() == 0


def test_a_version_is_ready_at_once_because_its_hashes_are_known_since_the_upload(
    sqlite_server: RunningServer,
) -> None:
    client = MlflowClient(sqlite_server.url, sqlite_server.url)
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, os.urandom(8).hex(), "m/weights.txt")
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/m/weights.txt"
    digest = sqlite_server.call("GET", path).headers["etag"].strip('"')
    blob = Path(sqlite_server.store) / "blobs" / digest[:2] / digest
    kept = blob.rename(blob.with_name("away"))
    try:
        name = client.create_registered_model(f"large-{run_id}").name
        made = client.create_model_version(name, f"runs:/{run_id}/m", run_id=run_id)
        assert (made.status, made.status_message) == ("READY", None), "no byte of it was read"
        with pytest.raises(RestException, match=r"weights\.txt") as refused:
            client.get_model_version_download_uri(name, made.version)
        assert refused.value.error_code == "DATA_LOSS"
    finally:
        kept.rename(blob)
    assert client.get_model_version_download_uri(name, made.version).endswith(f"{run_id}/artifacts/m")


def test_a_model_in_a_folder_of_this_machine_is_sealed_and_loaded_by_its_alias(
    beside: RunningServer,
) -> None:
    mlflow.set_tracking_uri(beside.url)
    mlflow.set_registry_uri(beside.url)
    mlflow.set_experiment("local")
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model, name="m", registered_model_name="m", pip_requirements=[], serialization_format="cloudpickle"
        )
    client = MlflowClient(beside.url, beside.url)
    client.set_registered_model_alias("m", "champion", "1")
    folder = Path(client.get_logged_model(logged.model_id).artifact_location.removeprefix("file://"))
    (folder / "MLmodel").write_text("broken")
    assert client.get_model_version_download_uri("m", "1").startswith("mlflow-artifacts:/sealed/")
    assert mlflow.pyfunc.load_model("models:/m@champion").predict([[0.0], [1.0]]).tolist() == [0, 1]


@pytest.mark.slow
def test_others_log_on_while_a_large_folder_is_sealed(beside: RunningServer) -> None:
    client = MlflowClient(beside.url, beside.url)
    run = client.create_run(client.create_experiment("large")).info
    folder = Path(run.artifact_uri.removeprefix("file://")) / "m"
    folder.mkdir(parents=True)
    with (folder / "weights").open("wb") as file:
        file.truncate(LARGE_BYTES)
    name = client.create_registered_model("large").name
    took: list[float] = []

    def register() -> None:
        begun = time.monotonic()
        client.create_model_version(name, f"{run.artifact_uri}/m", run_id=run.run_id)
        took.append(time.monotonic() - begun)

    registering = threading.Thread(target=register)
    registering.start()
    slowest, calls = 0.0, 0
    while registering.is_alive():
        begun = time.monotonic()
        beside.post("runs/log-metric", {"run_id": run.run_id, "key": "m", "value": 1, "timestamp": 1})
        slowest, calls = max(slowest, time.monotonic() - begun), calls + 1
    registering.join()
    assert client.get_model_version(name, "1").status == "READY"
    assert calls > 3
    assert slowest < took[0] / 2, f"a log call waited {slowest:.2f} s of the {took[0]:.2f} s of the registration"
