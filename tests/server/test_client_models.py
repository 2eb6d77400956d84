"""MLflow's own client against the server: logged models, registered models, versions, aliases, prompts, traces."""

import os
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException, RestException
from sklearn.linear_model import LogisticRegression
from tests.server.conftest import RunningServer

pytestmark = pytest.mark.filterwarnings("ignore")
GENERATOR = np.random.default_rng(7)
FEATURES = pd.DataFrame({"a": GENERATOR.normal(size=60), "b": GENERATOR.normal(size=60)})
LABELS = (FEATURES["a"] > 0).astype(int)


def _name() -> str:
    return f"model-{os.urandom(4).hex()}"


def _fitted() -> LogisticRegression:
    return LogisticRegression().fit(FEATURES, LABELS)


def _logged(name: str) -> Any:
    with mlflow.start_run():
        return mlflow.sklearn.log_model(
            _fitted(),
            name="clf",
            registered_model_name=name,
            input_example=FEATURES.head(2),
            pip_requirements=[],
            serialization_format="cloudpickle",
        )


def _predictions(uri: str) -> list[int]:
    return list(mlflow.pyfunc.load_model(uri).predict(FEATURES))


def test_a_model_is_logged_registered_and_loaded_by_every_name(client: MlflowClient, experiment_id: str) -> None:
    name = _name()
    logged = _logged(name)
    expected = list(_fitted().predict(FEATURES))
    client.set_registered_model_alias(name, "champion", "1")
    for uri in (f"models:/{name}@champion", f"models:/{name}/1", f"models:/{name}/latest", logged.model_uri):
        assert _predictions(uri) == expected
    assert _predictions(f"runs:/{logged.run_id}/clf") == expected
    assert mlflow.sklearn.load_model(f"models:/{name}/1").predict(FEATURES).tolist() == expected


def test_a_logged_model_knows_its_run_params_tags_and_versions(client: MlflowClient, experiment_id: str) -> None:
    name = _name()
    logged = _logged(name)
    model = client.get_logged_model(logged.model_id)
    assert (model.name, str(model.status), model.source_run_id) == ("clf", "READY", logged.run_id)
    assert f'"name": "{name}"' in model.tags["mlflow.modelVersions"]
    client.set_logged_model_tags(logged.model_id, {"team": "red"})
    client.delete_logged_model_tag(logged.model_id, "team")
    client.log_model_params(logged.model_id, {"depth": "3"})
    assert client.get_logged_model(logged.model_id).params["depth"] == "3"
    run = client.get_run(logged.run_id)
    assert run.outputs is not None
    assert [output.model_id for output in run.outputs.model_outputs] == [logged.model_id]
    found = client.search_logged_models([experiment_id], "name = 'clf'")
    assert [entry.model_id for entry in found] == [logged.model_id]
    listed = client.list_logged_model_artifacts(logged.model_id)
    assert "MLmodel" in [entry.path for entry in listed]
    client.delete_logged_model(logged.model_id)
    with pytest.raises(MlflowException, match="not found"):
        client.get_logged_model(logged.model_id)


def test_a_metric_of_a_model_is_found_at_the_model(client: MlflowClient, experiment_id: str) -> None:
    logged = _logged(_name())
    data: Any = mlflow.data.from_pandas(FEATURES, name="test set")  # type: ignore[attr-defined]
    with mlflow.start_run():
        mlflow.log_metric("auc", 0.9, model_id=logged.model_id, dataset=data)
    metrics = client.get_logged_model(logged.model_id).metrics
    assert metrics is not None
    (metric,) = metrics
    assert (metric.key, metric.value, metric.dataset_name) == ("auc", 0.9, "test set")
    found = client.search_logged_models(
        [experiment_id], "metrics.auc > 0.5", order_by=[{"field_name": "metrics.auc", "ascending": False}]
    )
    assert [entry.model_id for entry in found] == [logged.model_id]


def test_autologging_loses_nothing_after_the_end_of_the_run(client: MlflowClient, experiment_id: str) -> None:
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        model = LogisticRegression(C=0.5).fit(FEATURES, LABELS)
        predicted = model.predict(FEATURES)
        sklearn.metrics.accuracy_score(LABELS, predicted)  # by its module: autologging replaced it there
    finally:
        mlflow.sklearn.autolog(disable=True)
    (run,) = client.search_runs([experiment_id])
    assert run.data.params["C"] == "0.5"
    assert {"training_accuracy_score", "training_roc_auc"} <= run.data.metrics.keys()
    assert any(key.startswith("accuracy_score") for key in run.data.metrics)
    assert run.inputs is not None
    assert run.inputs.dataset_inputs
    assert run.info.status == "FINISHED"


def test_a_registered_model_is_made_changed_and_deleted(client: MlflowClient) -> None:
    name = _name()
    client.create_registered_model(name, tags={"team": "red"}, description="first")
    with pytest.raises(RestException, match="already exists") as taken:
        client.create_registered_model(name)
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.update_registered_model(name, "second")
    client.set_registered_model_tag(name, "k", "v")
    client.delete_registered_model_tag(name, "k")
    client.delete_registered_model_tag(name, "k")
    found = client.get_registered_model(name)
    assert (found.description, found.tags) == ("second", {"team": "red"})
    renamed = f"{name}-renamed"
    client.rename_registered_model(name, renamed)
    assert [model.name for model in client.search_registered_models(f"name = '{renamed}'")] == [renamed]
    client.delete_registered_model(renamed)
    with pytest.raises(RestException, match="not found"):
        client.get_registered_model(renamed)


def test_versions_are_made_described_staged_and_deleted(client: MlflowClient) -> None:
    name = _name()
    client.create_registered_model(name)
    for _ in range(3):
        client.create_model_version(name, "s3://bucket/model", tags={"a": "b"})
    client.update_model_version(name, "1", "a description")
    client.set_model_version_tag(name, "1", "k", "v")
    client.delete_model_version_tag(name, "1", "a")
    found = client.get_model_version(name, "1")
    assert (found.description, found.tags, found.status) == ("a description", {"k": "v"}, "READY")
    assert client.get_model_version_download_uri(name, "1") == "s3://bucket/model"
    client.transition_model_version_stage(name, "1", "Production")
    client.transition_model_version_stage(name, "2", "production", archive_existing_versions=True)
    stages = {version.version: version.current_stage for version in client.search_model_versions(f"name='{name}'")}
    assert stages == {"1": "Archived", "2": "Production", "3": "None"}
    assert [version.version for version in client.get_latest_versions(name, ["Production"])] == ["2"]
    client.delete_model_version(name, "3")
    assert client.create_model_version(name, "s3://bucket/model").version == "4"
    with pytest.raises(RestException, match=r"version=3\) not found"):
        client.get_model_version(name, "3")


def test_a_version_is_copied(client: MlflowClient, experiment_id: str) -> None:
    name = _name()
    _logged(name)
    copied = client.copy_model_version(f"models:/{name}/1", f"{name}-copy")
    assert _predictions(f"models:/{name}-copy/{copied.version}") == _predictions(f"models:/{name}/1")


def test_aliases_move_and_what_they_hold_is_not_deleted(client: MlflowClient) -> None:
    name = _name()
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, "s3://bucket/model")
    client.set_registered_model_alias(name, "challenger", "1")
    client.set_registered_model_alias(name, "challenger", "2")
    client.set_registered_model_alias(name, "prod", "1")
    assert client.get_model_version_by_alias(name, "challenger").version == "2"
    assert client.get_registered_model(name).aliases == {"challenger": "2", "prod": "1"}
    with pytest.raises(RestException, match="is held by: alias prod") as held:
        client.delete_model_version(name, "1")
    assert held.value.error_code == "RESOURCE_CONFLICT"
    with pytest.raises(RestException, match="is held by"):
        client.delete_registered_model(name)
    client.delete_registered_model_alias(name, "prod")
    client.delete_model_version(name, "1")
    with pytest.raises(RestException, match="alias prod not found") as missing:
        client.get_model_version_by_alias(name, "prod")
    assert missing.value.error_code == "INVALID_PARAMETER_VALUE"
    for alias in ("latest", "v3", "a b"):
        with pytest.raises(MlflowException):
            client.set_registered_model_alias(name, alias, "2")


def test_an_alias_moves_only_from_where_the_caller_expects(client: MlflowClient, server: RunningServer) -> None:
    name = _name()
    client.create_registered_model(name)
    for _ in range(2):
        client.create_model_version(name, "s3://bucket/model")
    client.set_registered_model_alias(name, "a", "1")
    path = "/api/2.0/mlflow/registered-models/alias"
    wrong = server.call("POST", path, {"name": name, "alias": "a", "version": "2"}, headers={"If-Match": '"2"'})
    assert (wrong.status, wrong.json["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert "points to version 1" in wrong.json["message"]
    right = server.call("POST", path, {"name": name, "alias": "a", "version": "2", "expected_version": "1"})
    assert right.status == 200


def test_the_sealed_files_load_whatever_happens_to_the_path(
    client: MlflowClient, experiment_id: str, server: RunningServer
) -> None:
    name = _name()
    logged = _logged(name)
    expected = _predictions(f"models:/{name}/1")
    root = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/models/{logged.model_id}/artifacts"
    assert server.call("PUT", f"{root}/MLmodel", b"broken").status == 200
    assert server.call("DELETE", f"{root}/model.pkl").status in (200, 404)
    assert client.get_model_version_download_uri(name, "1").startswith("mlflow-artifacts:/sealed/")
    assert _predictions(f"models:/{name}/1") == expected


def test_a_flipped_byte_of_a_sealed_file_refuses_the_load(
    client: MlflowClient, experiment_id: str, sqlite_server: RunningServer, server: RunningServer
) -> None:
    if server is not sqlite_server:
        pytest.skip("the blobs of the other server are somewhere else")
    name = _name()
    with mlflow.start_run():
        mlflow.log_text(os.urandom(8).hex(), "m/weights.txt")
        run = mlflow.active_run()
        assert run is not None
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{run.info.run_id}/m", run_id=run.info.run_id)
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment_id}/{run.info.run_id}/artifacts/m/weights.txt"
    digest = server.call("GET", path).headers["etag"].strip('"')
    blob = Path(server.store) / "blobs" / digest[:2] / digest
    blob.chmod(0o600)
    blob.write_bytes(b"X" + blob.read_bytes()[1:])
    with pytest.raises(RestException, match=r"weights\.txt") as refused:
        client.get_model_version_download_uri(name, "1")
    assert refused.value.error_code == "DATA_LOSS"


@pytest.mark.parametrize(
    "source", ["mlflow-artifacts:/1/../2/x", "mlflow-artifacts:/1/%2e%2e/x", "runs:/other/model", "/etc", "file:///etc"]
)
def test_a_source_outside_the_run_is_refused(client: MlflowClient, experiment_id: str, source: str) -> None:
    name = _name()
    client.create_registered_model(name)
    run_id = client.create_run(experiment_id).info.run_id
    with pytest.raises(MlflowException, match="Invalid") as refused:
        client.create_model_version(name, source, run_id=run_id)
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_prompts_are_registered_loaded_and_not_among_models(client: MlflowClient) -> None:
    name = _name()
    mlflow.genai.register_prompt(name, "Say {{word}}", tags={"team": "red"})
    mlflow.genai.register_prompt(name, "Say {{word}} twice")
    mlflow.genai.set_prompt_alias(name, "live", 1)
    assert mlflow.genai.load_prompt(f"prompts:/{name}@live").format(word="no") == "Say no"
    assert mlflow.genai.load_prompt(name, version=2).template == "Say {{word}} twice"
    assert name not in [model.name for model in client.search_registered_models()]
    assert name in [prompt.name for prompt in mlflow.genai.search_prompts()]
    assert mlflow.genai.load_prompt("no-such-prompt", version=1, allow_missing=True) is None


def test_a_traced_function_returns(client: MlflowClient, experiment_id: str) -> None:
    @mlflow.trace
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8
    mlflow.flush_trace_async_logging()
    with pytest.raises(RestException) as refused:
        client.search_traces(locations=[experiment_id])
    assert refused.value.error_code == "NOT_IMPLEMENTED"


def test_evaluation_datasets_are_said_not_to_be_served(client: MlflowClient, experiment_id: str) -> None:
    with pytest.raises(RestException, match="assay does not serve evaluation datasets") as refused:
        client.create_dataset(_name(), experiment_id)
    assert refused.value.error_code == "NOT_IMPLEMENTED"


def test_files_are_logged_listed_and_downloaded(client: MlflowClient, experiment_id: str, tmp_path: Path) -> None:
    (tmp_path / "f.txt").write_text("hello")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "f.txt"), "sub")
        mlflow.log_dict({"a": 1}, "d.json")
        mlflow.log_text("text", "größe.txt")
        mlflow.log_table({"a": [1, 2]}, "t.json")
    run_id = run.info.run_id
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["d.json", "größe.txt", "sub", "t.json"]
    assert [(e.path, e.file_size) for e in client.list_artifacts(run_id, "sub")] == [("sub/f.txt", 5)]
    assert mlflow.artifacts.load_dict(f"runs:/{run_id}/d.json") == {"a": 1}
    folder = Path(client.download_artifacts(run_id, "", str(tmp_path)))
    assert (folder / "sub/f.txt").read_text() == "hello"
    with pytest.raises(MlflowException, match=r"Failed to download|No such artifact"):
        client.download_artifacts(run_id, "none", str(tmp_path))
    client.log_artifacts(run_id, str(tmp_path / "sub"), "again")
    assert [entry.path for entry in client.list_artifacts(run_id, "again")] == ["again/f.txt"]


def test_webhooks_are_made_listed_changed_and_deleted(client: MlflowClient) -> None:
    url = "https://93.184.216.34/hook"  # a public address, which needs no look-up
    made = client.create_webhook(_name(), url, ["model_version.created"], description="d", secret="s")
    found = client.get_webhook(made.webhook_id)
    assert (found.url, [str(event) for event in found.events]) == (url, ["model_version.created"])
    assert (str(found.status), found.description) == ("ACTIVE", "d")
    changed = client.update_webhook(made.webhook_id, status="DISABLED", events=["registered_model.created"])
    assert (str(changed.status), [str(event) for event in changed.events]) == ("DISABLED", ["registered_model.created"])
    assert made.webhook_id in [hook.webhook_id for hook in client.list_webhooks()]
    page = client.list_webhooks(max_results=1)
    assert len(page) == 1
    client.delete_webhook(made.webhook_id)
    with pytest.raises(RestException, match="not found"):
        client.get_webhook(made.webhook_id)
    for private in ("https://127.0.0.1/hook", "https://10.0.0.1/hook", "http://93.184.216.34/hook"):
        with pytest.raises(MlflowException) as refused:
            client.create_webhook(_name(), private, ["model_version.created"])
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
