"""MLflow's own client against the server: experiments, runs, params, metrics, tags, datasets."""

import math
import time
from typing import Any

import mlflow
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException, RestException

pytestmark = pytest.mark.filterwarnings("ignore")
LARGEST = 1.7976931348623157e308


def test_an_experiment_is_made_read_renamed_deleted_and_restored(client: MlflowClient) -> None:
    name = f"an experiment {time.time_ns()}"
    made = client.create_experiment(name, tags={"team": "red"})
    assert client.get_experiment(made).tags == {"team": "red"}
    with pytest.raises(RestException, match="already exists") as refused:
        client.create_experiment(name)
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(made, f"{name} 2")
    found = client.get_experiment_by_name(f"{name} 2")
    assert found is not None
    assert (found.experiment_id, found.artifact_location) == (made, f"mlflow-artifacts:/{made}")
    client.set_experiment_tag(made, "team", "blue")
    client.set_experiment_tag(made, "empty", "")
    client.delete_experiment_tag(made, "empty")
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    with pytest.raises(MlflowException, match="deleted"):
        mlflow.set_experiment(f"{name} 2")
    client.restore_experiment(made)
    assert client.get_experiment(made).tags == {"team": "blue"}
    assert client.get_experiment_by_name("no such experiment") is None


def test_a_run_is_logged_to_with_the_fluent_interface(client: MlflowClient, experiment_id: str) -> None:
    with mlflow.start_run(run_name="outer", tags={"kind": "test"}, description="a run") as outer:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({f"p{n}": n for n in range(250)})
        mlflow.log_metric("loss", 1.5, step=-3)
        mlflow.log_metrics({"auc": 0.7, "acc": 0.8}, step=2)
        mlflow.set_tags({"a": "b", "c": "d"})
        mlflow.delete_tag("c")
        with mlflow.start_run(nested=True, run_name="inner") as inner:
            mlflow.log_metric("loss", 2.0)
    run = client.get_run(outer.info.run_id)
    assert (run.info.run_name, run.info.status, run.info.experiment_id) == ("outer", "FINISHED", experiment_id)
    assert run.info.end_time >= run.info.start_time
    assert run.data.params == {"lr": "0.1", **{f"p{n}": str(n) for n in range(250)}}
    assert run.data.metrics == {"loss": 1.5, "auc": 0.7, "acc": 0.8}
    assert {"kind": "test", "a": "b", "mlflow.runName": "outer", "mlflow.note.content": "a run"}.items() <= (
        run.data.tags.items()
    )
    assert "c" not in run.data.tags
    assert client.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id
    parent = client.get_parent_run(inner.info.run_id)
    assert parent is not None
    assert parent.info.run_id == outer.info.run_id


def test_a_run_without_a_name_is_given_one(client: MlflowClient, experiment_id: str) -> None:
    run = client.create_run(experiment_id)
    assert run.info.run_name
    assert run.data.tags["mlflow.runName"] == run.info.run_name
    client.update_run(run.info.run_id, name="named")
    client.set_tag(run.info.run_id, "mlflow.runName", "named again")
    assert client.get_run(run.info.run_id).info.run_name == "named again"


def test_odd_values_come_back_as_the_wire_says(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    for step, value in enumerate([math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0]):
        client.log_metric(run_id, "m", value, timestamp=step, step=step)
    values = [point.value for point in client.get_metric_history(run_id, "m")]
    assert math.isnan(values[0])
    assert values[1:] == [LARGEST, -LARGEST, 1e308, 5e-324, -0.0]
    client.log_metric(run_id, "m", math.nan, timestamp=99, step=99)
    assert math.isnan(client.get_run(run_id).data.metrics["m"])


def test_the_latest_point_is_that_of_the_greatest_step(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    for value, timestamp, step in [(1.5, 1, 3), (1.5, 1, 3), (9.0, 5, 1), (7.0, 1, 3)]:
        client.log_metric(run_id, "m", value, timestamp=timestamp, step=step)
    assert client.get_run(run_id).data.metrics == {"m": 7.0}
    history = client.get_metric_history(run_id, "m")
    assert [(point.value, point.timestamp, point.step) for point in history] == [(1.5, 1, 3), (7.0, 1, 3), (9.0, 5, 1)]


def test_a_batch_is_kept_wholly_or_not_at_all(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.log_batch(run_id, [Metric("m", 1.0, 1, 0)], [Param("p", "1")], [RunTag("t", "x")])
    with pytest.raises(RestException, match="Changing param values is not allowed"):
        client.log_batch(run_id, [Metric("n", 1.0, 1, 0)], [Param("p", "2")], [RunTag("u", "y")])
    data = client.get_run(run_id).data
    assert (data.metrics, data.params, "u" in data.tags) == ({"m": 1.0}, {"p": "1"}, False)


def test_many_points_are_cut_into_batches_and_read_in_pages(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    for start in range(0, 30_000, 1_000):
        client.log_batch(run_id, [Metric("m", float(n), n, n) for n in range(start, start + 1_000)])
    history = client.get_metric_history(run_id, "m")
    assert [point.step for point in history] == list(range(30_000))


def test_long_values_are_cut_on_the_wire_only(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.log_param(run_id, "long", "x" * 6_001)
    client.set_tag(run_id, "long", "y" * 8_001)
    client.log_param(run_id, "long", "x" * 6_001)
    data = client.get_run(run_id).data
    assert (len(data.params["long"]), len(data.tags["long"])) == (6_000, 8_000)


def test_names_are_those_that_mlflow_takes(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.log_metric(run_id, "größe/ü b:c-d.e_f", 1.0)
    client.log_param(run_id, "k" * 250, "1")
    for name in ("a//b", "../x", "/x", "a%b", "k" * 251):
        with pytest.raises(MlflowException) as refused:
            client.log_param(run_id, name, "1")
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_a_finished_run_takes_late_results_which_only_the_wire_shows(client: MlflowClient, experiment_id: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.7, step=1)
    run_id = run.info.run_id
    client.log_metric(run_id, "auc", 0.9, step=2)
    client.log_metric(run_id, "late", 1.0)
    client.log_param(run_id, "late", "1")
    assert client.get_run(run_id).data.metrics == {"auc": 0.9, "late": 1.0}
    assert [point.value for point in client.get_metric_history(run_id, "auc")] == [0.7, 0.9]


def test_a_run_is_opened_again(client: MlflowClient, experiment_id: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.7, step=1)
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.log_metric("auc", 0.8, step=2)
    found = client.get_run(run.info.run_id)
    assert (found.info.status, found.data.metrics) == ("FINISHED", {"auc": 0.8})


def test_what_is_logged_in_the_background_arrives(client: MlflowClient, experiment_id: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_params({"a": 1}, synchronous=False)
        pending = [mlflow.log_metric("m", n, step=n, synchronous=False) for n in range(200)]
        mlflow.set_tag("t", "x", synchronous=False)
    for operation in pending:
        assert operation is not None
        operation.wait()  # type: ignore[no-untyped-call]
    mlflow.flush_async_logging()
    found = client.get_run(run.info.run_id)
    assert (found.data.metrics, found.data.params, found.data.tags["t"]) == ({"m": 199.0}, {"a": "1"}, "x")
    assert len(client.get_metric_history(run.info.run_id, "m")) == 200


def test_a_deleted_run_takes_nothing_and_comes_back(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.delete_run(run_id)
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    for refused_call in (
        lambda: client.log_metric(run_id, "m", 1.0),
        lambda: client.set_tag(run_id, "t", "x"),
        lambda: client.set_terminated(run_id),
    ):
        with pytest.raises(RestException, match="must be in the 'active' state") as refused:
            refused_call()  # type: ignore[no-untyped-call]
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    client.restore_run(run_id)
    client.set_terminated(run_id, "FAILED")
    assert client.get_run(run_id).info.status == "FAILED"
    with pytest.raises(RestException, match="Run with id=nope not found") as missing:
        client.get_run("nope")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_datasets_are_inputs_of_runs(client: MlflowClient, experiment_id: str) -> None:
    dataset: Any = mlflow.data.from_pandas(pd.DataFrame({"x": [1, 2], "y": [0, 1]}), name="flights", targets="y")  # type: ignore[attr-defined]
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
        mlflow.log_input(dataset, context="training")
    inputs = client.get_run(run.info.run_id).inputs
    assert inputs is not None
    (used,) = inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("flights", dataset.digest)
    assert used.dataset.schema == '{"mlflow_colspec": [{"type": "long", "name": "x", "required": true}, ' + (
        '{"type": "long", "name": "y", "required": true}]}'
    )
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "training"}


def test_a_change_of_a_tag_is_the_last_one(client: MlflowClient, experiment_id: str) -> None:
    run_id = client.create_run(experiment_id).info.run_id
    client.set_tag(run_id, "t", "one")
    client.set_tag(run_id, "t", "two")
    assert client.get_run(run_id).data.tags["t"] == "two"
    client.delete_tag(run_id, "t")
    with pytest.raises(RestException, match="No tag with name: t") as missing:
        client.delete_tag(run_id, "t")
    assert missing.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_runs_are_found_by_filter_and_order_with_nan_last(client: MlflowClient, experiment_id: str) -> None:
    for name, value in (("one", 1.0), ("two", 2.0), ("inf", math.inf), ("nan", math.nan), ("none", None)):
        run = client.create_run(experiment_id, run_name=name, tags={"t": "Abc"})
        if value is not None:
            client.log_metric(run.info.run_id, "s", value)

    def names(filter_string: str = "", order_by: list[str] | None = None) -> list[str]:
        return [
            run.info.run_name or "" for run in client.search_runs([experiment_id], filter_string, order_by=order_by)
        ]

    assert names(order_by=["metrics.s ASC"]) == ["one", "two", "inf", "nan", "none"]
    assert names(order_by=["metrics.s DESC"]) == ["inf", "two", "one", "nan", "none"]
    assert sorted(names("metrics.s > 0")) == ["inf", "one", "two"]
    assert sorted(names("metrics.s != 1")) == ["inf", "nan", "two"]
    assert names("run_name ILIKE 'ON%' and tags.t LIKE 'A%'") == ["one"]
    assert len(names("tags.x IS NULL")) == 5
    with pytest.raises(RestException, match=r"Invalid clause\(s\) in filter string: 'OR'"):
        names("metrics.s > 1 OR metrics.s < 0")


def test_pages_hold_every_run_once_while_others_are_made_and_deleted(client: MlflowClient, experiment_id: str) -> None:
    made = [client.create_run(experiment_id).info.run_id for _ in range(12)]
    found: list[str] = []
    token = None
    while True:
        page = client.search_runs([experiment_id], max_results=5, page_token=token)
        found += [run.info.run_id for run in page]
        client.delete_run(client.create_run(experiment_id).info.run_id)
        client.create_run(experiment_id)
        token = page.token
        if not token:
            break
    assert [run_id for run_id in found if run_id in made] == made[::-1]
    assert len(set(found)) == len(found)
    assert len(mlflow.search_runs([experiment_id], output_format="list")) == 12 + 3


def test_experiments_are_found(client: MlflowClient) -> None:
    name = f"find me {time.time_ns()}"
    made = client.create_experiment(name, tags={"team": "red"})
    (found,) = client.search_experiments(filter_string=f"name = '{name}' and tags.team = 'red'")
    assert found.experiment_id == made
    client.delete_experiment(made)
    assert not client.search_experiments(filter_string=f"name = '{name}'")
    (deleted,) = client.search_experiments(ViewType.DELETED_ONLY, filter_string=f"name = '{name}'")
    assert deleted.experiment_id == made


def test_a_refusal_is_asked_for_once(client: MlflowClient, experiment_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    send = requests.Session.send

    def counting(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        sent.append(f"{request.method} {request.path_url.partition('?')[0].rpartition('mlflow/')[2]}")
        return send(session, request, **options)

    name = f"held {time.time_ns()}"
    client.create_registered_model(name)
    client.create_model_version(name, "s3://bucket/model")
    client.set_registered_model_alias(name, "champion", "1")
    run_id = client.create_run(experiment_id).info.run_id
    client.log_param(run_id, "p", "1")
    monkeypatch.setattr(requests.Session, "send", counting)
    for refused_call, code, verb in (
        (lambda: client.delete_model_version(name, "1"), "RESOURCE_CONFLICT", "DELETE model-versions/delete"),
        (lambda: client.delete_registered_model(name), "RESOURCE_CONFLICT", "DELETE registered-models/delete"),
        (lambda: client.log_param(run_id, "p", "2"), "INVALID_PARAMETER_VALUE", "POST runs/log-parameter"),
        (lambda: client.get_run("nope"), "RESOURCE_DOES_NOT_EXIST", "GET runs/get"),
        (lambda: client.get_webhook("nope"), "RESOURCE_DOES_NOT_EXIST", "GET webhooks/nope"),
    ):
        sent.clear()
        with pytest.raises(MlflowException) as refused:
            refused_call()
        assert refused.value.error_code == code
        assert sent.count(verb) == 1, sent
