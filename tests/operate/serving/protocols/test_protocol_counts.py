"""What was counted, as Triton's statistics and as Prometheus reads it; and the configuration of a model."""

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sklearn.linear_model import LogisticRegression
from tests.build.models.test_compiling import packaged
from tests.operate.serving.protocols.protocol_helpers import (
    Running,
    Weighted,
    add_mixed,
    add_numbers,
    running,
    split_route,
)
from tests.operate.serving.protocols.test_oip import Failing
from tests.operate.serving_helpers import add_route
from tritonclient.http import InferenceServerClient

from assay.build.models.served_model import ServedModel
from assay.operate.serving.counting import Counted, Counting, summed
from assay.operate.serving.protocols.prometheus import metrics
from assay.record.sqlstore import SqlStore


@pytest.fixture
def server(store: SqlStore) -> Iterator[Running]:
    split_route(store, add_numbers(store), add_numbers(store, Failing()))
    with running(store) as started:
        yield started


def _ask(server: Running, variant: str, *rows: tuple[float, float], status: int = 200) -> None:
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(rows), 2], "data": rows}
    request = {"inputs": [tensor], "parameters": {"assay_variant": variant}}
    server.post("/v2/models/delays/infer", request, status)


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = list(text_string_to_metric_families(text))
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def _value(text: str, name: str, **labels: str) -> float:
    found = [
        value
        for (known, own), value in _samples(text).items()
        if known == name and {("endpoint", "delays"), *labels.items()} <= own
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


# --- statistics -------------------------------------------------------------------------------------------------------


def test_every_version_has_its_counts_and_durations(server: Running) -> None:
    _ask(server, "champion", (1, 2), (3, 4))
    _ask(server, "champion", (1, 2))
    _ask(server, "challenger", (20, 0), status=500)
    client = InferenceServerClient(server.address)
    first, second = client.get_inference_statistics()["model_stats"]
    assert (first["name"], first["version"], first["inference_count"], first["execution_count"]) == (
        "delays",
        "1",
        3,
        2,
    )
    assert first["last_inference"] > 1_600_000_000_000
    stats = first["inference_stats"]
    assert (stats["success"]["count"], stats["fail"]["count"]) == (2, 0)
    assert 0 < stats["compute_infer"]["ns"] <= stats["success"]["ns"]
    assert stats["compute_infer"]["ns"] + stats["compute_input"]["ns"] == stats["success"]["ns"]
    assert (second["inference_count"], second["inference_stats"]["fail"]["count"]) == (0, 1)
    assert client.get_inference_statistics("delays", "2")["model_stats"] == [second]
    assert len(client.get_inference_statistics("delays")["model_stats"]) == 2
    client.close()


def test_a_version_that_was_not_asked_yet_has_zeros(server: Running) -> None:
    said = server.get("/v2/models/delays/versions/1/stats")["model_stats"][0]
    assert (said["inference_count"], said["last_inference"]) == (0, 0)
    assert server.ask("GET", "/v2/models/delays/versions/7/stats")[0] == 404
    assert server.ask("GET", "/v2/models/other/stats")[0] == 404


# --- configuration ----------------------------------------------------------------------------------------------------


def test_the_configuration_says_inputs_and_outputs_of_a_row(server: Running) -> None:
    client = InferenceServerClient(server.address)
    said = client.get_model_config("delays")
    assert said["input"][0] == {"name": "distance", "data_type": "TYPE_FP64", "dims": [1]}
    assert said["output"][1] == {"name": "assay_id", "data_type": "TYPE_STRING", "dims": [1]}
    assert said["version_policy"] == {"specific": {"versions": [1, 2]}}
    assert client.get_model_config("delays", "2")["max_batch_size"] == 10_000
    client.close()


def test_the_configuration_of_text_and_classes(store: SqlStore) -> None:
    add_route(store, add_mixed(store, Weighted(0.1, classes_=["a", "b", "c"])))
    with running(store) as server:
        said = server.get("/v2/models/delays/config")
    assert [one["data_type"] for one in said["input"]] == ["TYPE_FP64", "TYPE_STRING"]
    assert said["output"][0]["dims"] == [3]


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_prometheus_reads_the_metrics(server: Running) -> None:
    _ask(server, "champion", (1, 2), (3, 4))
    _ask(server, "challenger", (20, 0), status=500)
    status, headers, content = server.ask("GET", "/metrics")
    text = content.decode()
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    champion = {"variant": "champion", "model": "delays", "version": "1", "role": "live", "status": "ok"}
    assert _value(text, "assay_requests_total", **champion) == 1
    assert _value(text, "assay_predictions_total", **champion) == 2
    assert _value(text, "assay_requests_total", variant="challenger", status="error") == 1
    assert _value(text, "assay_request_seconds_count", **champion) == 1
    assert _value(text, "assay_request_seconds_bucket", le="+Inf", **champion) == 1
    assert _value(text, "assay_request_seconds_sum", **champion) > 0
    assert _value(text, "assay_assigned_rows_total", reason="forced") == 3
    assert _value(text, "assay_log_rows_total", state="written") == 3
    assert _value(text, "assay_log_rows_total", state="lost") == 0
    assert _value(text, "assay_shadow_lost_rows_total") == 0
    assert _value(text, "assay_waiting_rows") == 0
    assert _value(text, "assay_route_revision") == 1
    assert _value(text, "assay_model_info", variant="challenger", role="live") == 1
    server.application.engine.is_ready = False
    assert _value(server.ask("GET", "/metrics")[2].decode(), "assay_ready") == 0


def test_what_compiled_forms_did_is_counted_also_after_their_models_are_gone(store: SqlStore) -> None:
    add_route(store, packaged(store, LogisticRegression()))
    with running(store) as server:
        before = _value(server.ask("GET", "/metrics")[2].decode(), "assay_form_calls_total", by="form")
        server.post("/predict", {"rows": [{"distance": 0.1, "wind": 0.2}]})
        watcher = server.application.engine.watcher
        model = watcher.table.champion.model
        assert isinstance(model, ServedModel)
        model.counts.fallbacks, model.counts.compared, model.counts.differences = 3, 32, 2
        watcher.fresh_model(model.version)  # as after a rollback, when it was let go
        text = server.ask("GET", "/metrics")[2].decode()
    version = {"model": "delays", "version": "1"}
    assert _value(text, "assay_form_calls_total", by="form", **version) >= before + 1
    assert _value(text, "assay_form_calls_total", by="model", **version) == 3
    assert _value(text, "assay_form_compared_rows_total", **version) == 32
    assert _value(text, "assay_form_different_rows_total", **version) == 2


def test_buckets_add_up(server: Running) -> None:
    for _ in range(5):
        _ask(server, "champion", (1, 2))
    samples = _samples(server.ask("GET", "/metrics")[2].decode())
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in samples.items()
        if name == "assay_request_seconds_bucket"
    )
    counts = [value for _, value in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == 5


def test_labels_may_hold_anything(server: Running) -> None:
    counting = Counting()
    counting.add(('a "quoted"\\name\n', "m", 1, "live", "ok"), 1, 5, 5)
    counting.signature('co"l', "range", "flag", 2)
    text = metrics(server.application.engine, counting.counted)[2].decode()
    assert _value(text, "assay_requests_total", variant='a "quoted"\\name\n') == 1
    assert _value(text, "assay_signature_values_total", column='co"l') == 2


def test_counts_of_several_workers_are_summed(server: Running) -> None:
    parts = []
    for number in (1, 2):
        counting = Counting()
        counting.add(("champion", "delays", 1, "live", "ok"), number, 5_000_000, 1_000)
        counting.answered(200)
        counting.counted.log_written = number
        parts.append(counting.counted)
    text = metrics(server.application.engine, summed(parts))[2].decode()
    assert _value(text, "assay_predictions_total") == 3
    assert _value(text, "assay_request_seconds_bucket", le="0.005") == 2
    assert _value(text, "assay_http_responses_total", code="200") == 2
    assert _value(text, "assay_log_rows_total", state="written") == 3
    assert summed(parts).series[0].last_ms == max(part.series[0].last_ms for part in parts)


def test_nothing_counted_is_text_too(server: Running) -> None:
    said: Any = list(text_string_to_metric_families(metrics(server.application.engine, Counted())[2].decode()))
    assert {one.name for one in said} >= {"assay_requests", "assay_request_seconds", "assay_model_info"}
