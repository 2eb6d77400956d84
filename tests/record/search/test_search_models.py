import pytest

from assay.errors import InvalidInput
from assay.record.clock import from_ms
from assay.record.search.finding import PROMPT_TAG, MetricOrder, search_logged_models, search_models, search_versions
from assay.record.sqlstore import SqlStore
from assay.record.store import Row

_MS = 1_760_000_000_000


@pytest.fixture
def registry(either_store: SqlStore) -> SqlStore:
    store = either_store
    for number, name in enumerate(["alpha", "beta", "prompt", "gone"]):
        at = from_ms(_MS + number)
        deleted = at if name == "gone" else None
        row = {"model_key": f"k-{name}", "name": name, "created": at, "updated": from_ms(_MS + 100 - number)}
        store.append("registered_model", {**row, "deleted": deleted})
        for version in (1, 2, 10):
            made: Row = {"mv_id": f"{name}-{version}", "model": name, "version": version, "hash": "", "created": at}
            made |= {"updated": from_ms(_MS + version), "origin": f"s3://{name}/{version}"}
            made |= {"deleted": at if (name, version) == ("beta", 2) else None}
            store.append("model_version", made)
    store.append_many("registered_model_tag", [{"model_key": "k-alpha", "key": "team", "value": "red"}])
    store.append_many("registered_model_tag", [{"model_key": "k-prompt", "key": PROMPT_TAG, "value": "true"}])
    store.append_many("model_version_tag", [{"mv_id": "prompt-1", "key": PROMPT_TAG, "value": "true"}])
    store.append_many("model_version_tag", [{"mv_id": "alpha-2", "key": "ok", "value": "yes"}])
    return store


@pytest.mark.parametrize("dialect", ["assay", "mlflow"])
def test_models_are_found_by_name_and_tag_without_prompts(registry: SqlStore, dialect: str) -> None:
    def found(text: str = "", **options: object) -> list[str]:
        return search_models(registry, text, dialect=dialect, **options).ids  # type: ignore[arg-type]

    assert found() == ["k-alpha", "k-beta"]
    assert found("name LIKE 'a%'") == found("tags.team = 'red'") == ["k-alpha"]
    assert found("tags.team != 'blue'") == ["k-alpha"]
    assert found("name IN ('beta', 'gone')") == ["k-beta"]
    assert found(order_by=["name DESC"]) == found(order_by=["timestamp"]) == ["k-beta", "k-alpha"]
    for text in ("= 'true'", "!= 'false'"):
        assert found(f"tags.`{PROMPT_TAG}` {text}") == ["k-prompt"]
    for text in ("!= 'true'", "= 'false'"):
        assert found(f"tags.`{PROMPT_TAG}` {text} AND name LIKE '%a'") == ["k-alpha", "k-beta"]


def test_a_prompt_is_found_where_its_tag_stands_within_an_or(registry: SqlStore) -> None:
    assert search_models(registry, f"tags.`{PROMPT_TAG}` = 'true' or name = 'beta'").ids == ["k-beta", "k-prompt"]


def test_versions_come_last_changed_first_and_not_those_of_what_is_deleted(registry: SqlStore) -> None:
    everything = ["alpha-10", "beta-10", "prompt-10", "alpha-2", "prompt-2", "alpha-1", "beta-1"]
    assert search_versions(registry).ids == everything
    assert search_versions(registry, "name = 'alpha' AND version_number > 2", dialect="mlflow").ids == ["alpha-10"]
    assert search_versions(registry, "version_number = '2'", dialect="mlflow").ids == ["alpha-2", "prompt-2"]
    by_number = search_versions(registry, "name = 'alpha'", order_by=["version_number ASC"], dialect="mlflow").ids
    assert by_number == ["alpha-1", "alpha-2", "alpha-10"]
    assert search_versions(registry, "source_path LIKE 's3://b%'", dialect="mlflow").ids == ["beta-10", "beta-1"]
    assert search_versions(registry, "tags.ok = 'yes' or version between 9 and 11 and name != 'beta'").ids == [
        "alpha-10",
        "prompt-10",
        "alpha-2",
    ]
    pages, token = [], None
    while True:
        page = search_versions(registry, limit=2, token=token)
        pages += page.ids
        token = page.next_token
        if token is None:
            break
    assert pages == everything


@pytest.fixture
def logged(either_store: SqlStore) -> SqlStore:
    store = either_store
    metrics = {"m-a": [("train", "1", 0.9), ("test", "1", 0.2)], "m-b": [("test", "2", 0.5)], "m-c": []}
    for number, (model_id, values) in enumerate(metrics.items()):
        at = from_ms(_MS + number)
        row = {"model_id": model_id, "experiment_id": "0", "name": f"name-{model_id}", "status": "READY"}
        store.append("logged_model", {**row, "created": at, "updated": at, "model_type": "sk", "source_run_id": "r"})
        for position, (dataset, digest, value) in enumerate(values):
            metric: Row = {"model_id": model_id, "key": "acc", "run_id": "r", "dataset_name": dataset}
            metric |= {"dataset_digest": digest, "step": 0, "ts_ms": position, "value": value}
            store.append("logged_model_metric", metric)
    store.append("logged_model_param", {"model_id": "m-a", "key": "depth", "value": "3"})
    return store


def test_logged_models_are_found_by_metrics_on_datasets(logged: SqlStore) -> None:
    assert search_logged_models(logged).ids == ["m-c", "m-b", "m-a"]
    assert search_logged_models(logged, "metrics.acc > .4", dialect="mlflow").ids == ["m-b", "m-a"]
    assert search_logged_models(logged, "metrics.acc > .4", datasets=[("test", None)]).ids == ["m-b"]
    assert search_logged_models(logged, "metrics.acc > .1", datasets=[("test", "1"), ("x", None)]).ids == ["m-a"]
    assert search_logged_models(logged, "params.depth = '3' and model_type = 'sk'").ids == ["m-a"]
    for status in ("READY", "LOGGED_MODEL_READY"):
        assert len(search_logged_models(logged, f"status = '{status}'", dialect="mlflow").ids) == 3
    assert search_logged_models(logged, experiment_ids=["9"]).ids == []


def test_logged_models_are_sorted_by_the_latest_value_or_by_that_on_a_dataset(logged: SqlStore) -> None:
    assert search_logged_models(logged, order_by=["metrics.acc"]).ids == ["m-a", "m-b", "m-c"]
    assert search_logged_models(logged, order_by=["metrics.acc DESC"]).ids == ["m-b", "m-a", "m-c"]
    on_train = MetricOrder("metrics.acc", ascending=False, dataset_name="train")
    first = search_logged_models(logged, order_by=[on_train], limit=1, dialect="mlflow")
    assert first.ids == ["m-a"]
    rest = search_logged_models(logged, order_by=[on_train], token=first.next_token, dialect="mlflow")
    assert rest.ids == ["m-c", "m-b"]
    on_test = MetricOrder("metrics.acc", ascending=False, dataset_name="test")
    with pytest.raises(InvalidInput, match="another search"):
        search_logged_models(logged, order_by=[on_test], token=first.next_token, dialect="mlflow")
