import math

import pytest

from assay.errors import InvalidInput, NotFound
from assay.record.models.logged_models import (
    ModelMetric,
    create_logged_model,
    delete_logged_model,
    delete_logged_model_tag,
    finish_logged_model,
    log_model_params,
    logged_model,
    put_model_metrics,
    set_logged_model_tags,
)
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment, delete_experiment


def _metric(value: float, step: int = 0, ts_ms: int = 0, **changes: str) -> ModelMetric:
    given = {"key": "auc", "run_id": "r", "dataset_name": "", "dataset_digest": ""} | changes
    return ModelMetric(value=value, step=step, ts_ms=ts_ms, **given)


def test_a_model_is_pending_until_its_files_are_there(either_store: SqlStore) -> None:
    made = create_logged_model(either_store, "0", "m", model_type="agent", source_run_id="r", params={"a": "1"})
    assert made.model_id.startswith("m-")
    assert len(made.model_id) == 34
    assert (made.status, made.root) == ("PENDING", f"0/models/{made.model_id}/artifacts")
    ready = finish_logged_model(either_store, made.model_id, "READY")
    assert (ready.status, ready.params, ready.model_type, ready.source_run_id) == ("READY", {"a": "1"}, "agent", "r")
    with pytest.raises(InvalidInput, match="cannot become 'DONE'"):
        finish_logged_model(either_store, made.model_id, "DONE")


def test_a_model_without_a_name_gets_one(store: SqlStore) -> None:
    assert create_logged_model(store, "0").name


@pytest.mark.parametrize("name", ["a/b", "a:b", "a.b", "50%", '"', "'", " ", "x" * 256])
def test_what_is_no_name_of_a_model_is_refused(store: SqlStore, name: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid model name"):
        create_logged_model(store, "0", name)
    assert store.query("logged_model") == []


def test_a_model_needs_an_experiment(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        create_logged_model(store, "9", "m")
    gone = create_experiment(store, "e")
    delete_experiment(store, gone.experiment_id)
    with pytest.raises(InvalidInput, match="'active' state"):
        create_logged_model(store, gone.experiment_id, "m")


def test_tags_and_params(either_store: SqlStore) -> None:
    made = create_logged_model(either_store, "0", "m", tags={"a": "1"}).model_id
    set_logged_model_tags(either_store, made, {"a": "2", "b": "3"})
    log_model_params(either_store, made, {"p": "1"})
    log_model_params(either_store, made, {"p": "2", "q": "3"})
    delete_logged_model_tag(either_store, made, "b")
    found = logged_model(either_store, made)
    assert (found.tags, found.params) == ({"a": "2"}, {"p": "1", "q": "3"})
    with pytest.raises(NotFound, match="No tag with key 'b'"):
        delete_logged_model_tag(either_store, made, "b")
    with pytest.raises(InvalidInput, match="no name"):
        set_logged_model_tags(either_store, made, {"": "x"})


def test_the_latest_value_for_each_run_and_dataset_stands(either_store: SqlStore) -> None:
    made = create_logged_model(either_store, "0", "m").model_id
    put_model_metrics(either_store, made, [_metric(0.5, 1), _metric(0.7, 2), _metric(0.6, 2)])
    put_model_metrics(either_store, made, [_metric(0.9, 0), _metric(0.8, dataset_name="d", dataset_digest="1")])
    put_model_metrics(either_store, made, [_metric(math.nan, key="f1")])
    found = logged_model(either_store, made).metrics
    assert [(m.key, m.dataset_name, m.step) for m in found] == [("auc", "", 2), ("auc", "d", 0), ("f1", "", 0)]
    assert [m.value for m in found[:2]] == [0.7, 0.8]
    assert math.isnan(found[2].value)


def test_a_deleted_model_is_not_found(either_store: SqlStore) -> None:
    made = create_logged_model(either_store, "0", "m").model_id
    delete_logged_model(either_store, made)
    for refused in (
        lambda: logged_model(either_store, made),
        lambda: delete_logged_model(either_store, made),
        lambda: set_logged_model_tags(either_store, made, {"a": "b"}),
        lambda: log_model_params(either_store, made, {"a": "b"}),
        lambda: put_model_metrics(either_store, made, [_metric(0.1)]),
        lambda: finish_logged_model(either_store, made, "READY"),
    ):
        with pytest.raises(NotFound, match=f"Logged model with ID '{made}' not found"):
            refused()
