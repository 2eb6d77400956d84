import pytest

from assay.errors import InvalidInput, NotFound
from assay.record import list_models, model_folder
from assay.record.artifacts import point_to, run_root
from assay.record.models.logged_models import create_logged_model
from assay.record.models.registering import register_model
from assay.record.models.registry import find_version
from assay.record.sqlstore import SqlStore
from assay.record.tracking.run_changes import create_run, run_row


@pytest.fixture
def run_id(either_store: SqlStore) -> str:
    """A run that kept a file below `model`."""
    made = create_run(either_store, "0", name="r")
    content = b"weights"
    point_to(either_store, f"{run_root(run_row(either_store, made))}/model/weights", either_store.blobs.put(content), 7)
    return made


def test_what_a_run_kept_becomes_the_next_version(either_store: SqlStore, run_id: str) -> None:
    first = register_model(either_store, "churn", f"runs:/{run_id[:8]}/model", description="one")
    second = register_model(either_store, "churn", f"runs:/{run_id}/model")
    assert (first.version, second.version) == (1, 2)
    assert first.run_id == run_id
    assert first.hash == second.hash
    version = find_version(either_store, "churn", 1)
    assert (version.run_id, version.description) == (run_id, "one")
    assert (model_folder(either_store, version) / "weights").read_bytes() == b"weights"


def test_a_version_is_copied_into_another_model(either_store: SqlStore, run_id: str) -> None:
    register_model(either_store, "churn", f"runs:/{run_id}/model")
    copied = register_model(either_store, "churn-eu", "models:/churn/1")
    assert copied.run_id == run_id
    assert copied.hash == find_version(either_store, "churn", 1).hash


def test_a_logged_model_is_registered_by_its_id(either_store: SqlStore, run_id: str) -> None:
    model = create_logged_model(either_store, "0", name="m", source_run_id=run_id)
    point_to(either_store, f"{model.root}/weights", either_store.blobs.put(b"w"), 1)
    assert register_model(either_store, "churn", f"models:/{model.model_id}").run_id == run_id


@pytest.mark.parametrize(
    ("source", "error", "said"),
    [
        ("here/model", InvalidInput, "names no model that is kept here"),
        ("s3://bucket/model", InvalidInput, "names no model that is kept here"),
        ("runs:/none/model", NotFound, "no run whose id begins with 'none'"),
        ("runs:/{run}/other", NotFound, "there are no files at"),
        ("runs:/{run}/../secret", InvalidInput, "secret"),
        ("models:/none/3", NotFound, "not found"),
    ],
)
def test_an_address_without_files_changes_nothing(
    either_store: SqlStore, run_id: str, source: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        register_model(either_store, "churn", source.format(run=run_id))
    assert list_models(either_store) == []
    assert either_store.query("registered_model") == []
