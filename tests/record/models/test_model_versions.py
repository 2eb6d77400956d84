import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.errors import AlreadyExists, Conflict, InvalidInput, NotFound, Tampered
from assay.record import soundness
from assay.record.artifacts import (
    artifact_file,
    delete_artifact,
    list_artifacts,
    model_root,
    put_artifact,
    read_pieces,
)
from assay.record.models.aliases import alias_history, set_alias
from assay.record.models.logged_models import create_logged_model, logged_model
from assay.record.models.registered_models import (
    create_registered_model,
    delete_registered_model,
    registered_model,
    rename_registered_model,
    restore_registered_model,
)
from assay.record.models.registry import find_version, model_folder
from assay.record.models.seals import download_uri
from assay.record.models.version_lineage import show_version, versions_from
from assay.record.models.versions import (
    create_version,
    delete_version,
    latest_versions,
    restore_version,
    set_stage,
    version_row,
)
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment
from assay.record.tracking.run_changes import create_run, delete_run, log


@pytest.fixture
def run(store: SqlStore) -> str:
    """A run with a model of two files, in an experiment of its own, and the model `churn`."""
    made = create_run(store, create_experiment(store, "delays").experiment_id, name="fit")
    root = _root(store, made)
    put_artifact(store, f"{root}/model/MLmodel", [b"flavors: {}\n"])
    put_artifact(store, f"{root}/model/data/weights", [b"12", b"34"])
    create_registered_model(store, "churn")
    return made


def _root(store: SqlStore, run: str) -> str:
    return f"{store.get('run', {'run_id': run})['experiment_id']}/{run}/artifacts"


def _version(store: SqlStore, run: str) -> int:
    return create_version(store, "churn", f"runs:/{run}/model", run_id=run).version


def test_a_version_keeps_its_files_whatever_happens_to_the_source(store: SqlStore, run: str) -> None:
    made = create_version(store, "churn", f"runs:/{run}/model", run_id=run)
    root = _root(store, run)
    assert (made.sealed, made.status) == ("sealed", "READY")
    assert download_uri(store, version_row(store, "churn", 1)) == f"mlflow-artifacts:/{root}/model"
    put_artifact(store, f"{root}/model/data/weights", [b"other"])
    moved = download_uri(store, version_row(store, "churn", 1))
    assert moved == f"mlflow-artifacts:/sealed/{made.hash}"
    delete_artifact(store, f"{root}/model")
    delete_run(store, run)
    assert download_uri(store, version_row(store, "churn", 1)) == moved
    assert [entry.name for entry in list_artifacts(store, f"sealed/{made.hash}")] == ["MLmodel", "data"]
    file = artifact_file(store, f"sealed/{made.hash}/data/weights")
    assert b"".join(read_pieces(store, file)) == b"1234"
    assert (model_folder(store, find_version(store, "churn", 1)) / "data" / "weights").read_bytes() == b"1234"


def test_one_altered_byte_is_found_at_the_next_load_and_the_file_named(store: SqlStore, run: str) -> None:
    made = create_version(store, "churn", f"runs:/{run}/model", run_id=run)
    download_uri(store, version_row(store, "churn", 1))
    blob = store.blobs.path(store.blobs.manifest(made.hash)["data/weights"])
    blob.chmod(0o600)
    blob.write_bytes(b"1235")
    with pytest.raises(Tampered, match="data/weights of churn/1"):
        download_uri(store, version_row(store, "churn", 1))
    blob.unlink()
    with pytest.raises(Tampered, match="data/weights of churn/1"):
        download_uri(store, version_row(store, "churn", 1))
    assert any("data/weights" in problem for problem in soundness.check(store).problems)


def test_versions_without_files_say_so_and_the_store_is_sound(store: SqlStore, run: str) -> None:
    assert create_version(store, "churn", f"runs:/{run}/nothing", run_id=run).sealed == "empty"
    assert create_version(store, "churn", "s3://bucket/model").sealed == "outside"
    assert download_uri(store, version_row(store, "churn", 2)) == "s3://bucket/model"
    assert soundness.check(store).problems == []


def test_a_copy_carries_the_same_seal(store: SqlStore, run: str) -> None:
    first = create_version(store, "churn", f"runs:/{run}/model", run_id=run)
    set_alias(store, "churn", "new", 1)
    create_registered_model(store, "leave")
    by_number = create_version(store, "leave", "models:/churn/1")
    by_alias = create_version(store, "leave", "models:/churn@new")
    assert first.hash == by_number.hash == by_alias.hash
    assert by_alias.run_id == run
    assert show_version(store, "churn", 1).copies == ["leave/1", "leave/2"]


def test_a_logged_model_is_told_of_its_versions(store: SqlStore, run: str) -> None:
    experiment_id = store.get("run", {"run_id": run})["experiment_id"]
    made = create_logged_model(store, experiment_id, name="net", source_run_id=run)
    put_artifact(store, f"{model_root(experiment_id, made.model_id)}/MLmodel", [b"x"])
    source = f"models:/{made.model_id}"
    version = create_version(store, "churn", source, logged_model_id=made.model_id)
    assert (version.run_id, version.sealed) == (run, "sealed")
    told = json.loads(logged_model(store, made.model_id).tags["mlflow.modelVersions"])
    assert told == [{"name": "churn", "version": 1}]


@pytest.mark.parametrize(
    "source",
    [
        "mlflow-artifacts:/{root}/../../other",
        "mlflow-artifacts:/{root}/%2e%2e/%2e%2e/other",
        "mlflow-artifacts:/{root}/%252e%252e/other",
        "mlflow-artifacts:/{root}/model%00",
        "mlflow-artifacts:/1/other/artifacts/model",
        "mlflow-artifacts://host:80/1/other/artifacts/model",
        "http://host/api/2.0/mlflow-artifacts/artifacts/1/other/artifacts/model",
        "s3://bucket/../key",
        "/etc",
        "file:///etc/passwd",
        "file:///etc/%2e%2e/etc",
        "runs:/other/model",
        "models:/m-1234",
        "dummy-source",
    ],
)
def test_a_source_outside_what_is_named_is_refused(store: SqlStore, run: str, source: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid model version source"):
        create_version(store, "churn", source.format(root=_root(store, run)), run_id=run)
    assert store.query("model_version") == store.query("counter", {"name": "version:churn"}) == []


def test_a_copy_of_what_is_not_there_is_not_found(store: SqlStore, run: str) -> None:
    for source in ("models:/churn/7", "models:/churn@none", "models:/other/1"):
        with pytest.raises(NotFound):
            create_version(store, "churn", source)
    with pytest.raises(NotFound):
        create_version(store, "other", f"runs:/{run}/model", run_id=run)


def test_numbers_are_never_given_out_twice(store: SqlStore, run: str) -> None:
    numbers = []
    for _ in range(20):
        numbers.append(_version(store, run))
        delete_version(store, "churn", numbers[-1])
        delete_registered_model(store, "churn")
        create_registered_model(store, "churn")
    assert numbers == list(range(1, 21))


def test_ten_who_register_at_once_get_ten_numbers(either_store: SqlStore) -> None:
    create_registered_model(either_store, "churn")
    with ThreadPoolExecutor(10) as pool:
        made = list(pool.map(lambda _: create_version(either_store, "churn", "s3://b/m").version, range(50)))
    assert sorted(made) == list(range(1, 51))


def test_a_name_whose_numbers_were_given_to_others_is_refused(store: SqlStore, run: str) -> None:
    _version(store, run)
    delete_registered_model(store, "churn")
    create_registered_model(store, "leave")
    create_version(store, "leave", "s3://b/m")
    with pytest.raises(Conflict, match="numbers"):
        rename_registered_model(store, "leave", "churn")
    rename_registered_model(store, "leave", "go")
    create_registered_model(store, "leave")
    assert create_version(store, "leave", "s3://b/m").version == 2
    assert rename_registered_model(store, "leave", "stay").name == "stay"
    with pytest.raises(Conflict, match="numbers"):  # both had that name
        rename_registered_model(store, "go", "leave")


def test_what_is_relied_on_is_not_deleted_and_says_by_whom(store: SqlStore, run: str) -> None:
    _version(store, run)
    set_alias(store, "churn", "champion", 1)
    set_alias(store, "churn", "prod", 1)
    with pytest.raises(Conflict, match="version 1 of churn is held by: alias champion, alias prod; move or release"):
        delete_version(store, "churn", 1)
    with pytest.raises(Conflict, match="held by"):
        delete_registered_model(store, "churn")
    assert registered_model(store, "churn").aliases == {"champion": 1, "prod": 1}
    delete_version(store, "churn", 1, held=False)
    assert registered_model(store, "churn").aliases == {}


def test_what_was_deleted_comes_back_with_its_aliases(store: SqlStore, run: str) -> None:
    _version(store, run)
    _version(store, run)
    set_alias(store, "churn", "new", 1)
    set_alias(store, "churn", "old", 1)
    delete_version(store, "churn", 1)
    with pytest.raises(NotFound):
        version_row(store, "churn", 1)
    set_alias(store, "churn", "old", 2)  # given away since
    assert restore_version(store, "churn", 1).aliases == ["new"]
    before = registered_model(store, "churn")
    delete_registered_model(store, "churn")
    with pytest.raises(NotFound):
        registered_model(store, "churn")
    create_registered_model(store, "churn")
    with pytest.raises(AlreadyExists):
        restore_registered_model(store, before.model_key)
    delete_registered_model(store, "churn")
    assert restore_registered_model(store, before.model_key).aliases == before.aliases == {"new": 1, "old": 2}
    assert len(alias_history(store, "churn")) == 6


def test_a_stage_is_left_when_another_version_takes_it(store: SqlStore, run: str) -> None:
    for _ in range(3):
        _version(store, run)
    set_stage(store, "churn", 1, "production")
    assert set_stage(store, "churn", 2, "PRODUCTION", archive_existing=True).stage == "Production"
    assert [(one.version, one.stage) for one in latest_versions(store, "churn")] == [
        (1, "Archived"),
        (2, "Production"),
        (3, "None"),
    ]
    with pytest.raises(InvalidInput, match="not an Active"):
        set_stage(store, "churn", 3, "Archived", archive_existing=True)
    with pytest.raises(InvalidInput, match="Invalid Model Version stage"):
        set_stage(store, "churn", 3, "Live")
    moves = [(one.before, one.after) for one in alias_history(store, "churn", "stage:Production")]
    assert moves == [(None, 1), (1, None), (None, 2)]


def test_a_version_knows_its_run_and_data_and_what_became_of_them(store: SqlStore, run: str) -> None:
    log(store, run, params={"lr": "1"})
    _version(store, run)
    set_alias(store, "churn", "new", 1)
    shown = show_version(store, "churn", 1)
    assert (shown.run, shown.experiment, shown.aliases, shown.run_changed) == ("fit", "delays", ["new"], False)
    assert shown.decisions == [alias_history(store, "churn")[0].decision]
    log(store, run, params={"depth": "2"})
    assert show_version(store, "churn", 1).run_changed
    assert versions_from(store, run_id=run) == ["churn/1"]
    assert versions_from(store, data="none") == []


def test_a_folder_of_this_machine_is_taken_only_below_the_artifact_root(
    store: SqlStore, run: str, tmp_path: Path
) -> None:
    experiment = create_experiment(store, "local", artifact_location=f"file://{tmp_path}/artifacts")
    made = create_run(store, experiment.experiment_id, name="fit")
    folder = tmp_path / "artifacts" / made / "artifacts" / "model"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"1")
    version = create_version(store, "churn", str(folder), run_id=made)
    assert (version.version, version.sealed) == (1, "sealed")
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput):
        create_version(store, "churn", str(folder / "link"), run_id=made)
    with pytest.raises(InvalidInput):
        create_version(store, "churn", str(folder), run_id=run)
