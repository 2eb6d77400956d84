import json
from collections.abc import Iterator

import numpy as np
import pytest
from tests.operate.serving.protocols.protocol_helpers import Running, Weighted, add_numbers, running, split_route
from tests.operate.serving_helpers import ENDPOINT, add_route
from tritonclient.http import InferenceServerClient, InferInput
from tritonclient.utils import InferenceServerException

from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.operate.serving.protocols.loaded import LoadedByHand
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore

VERSION_2 = json.dumps({"version_policy": {"specific": {"versions": [2]}}})


@pytest.fixture
def server(store: SqlStore) -> Iterator[Running]:
    """Version 1 has the traffic, 2 and 3 are registered."""
    add_route(store, add_numbers(store))
    add_numbers(store, Weighted(0.02))
    add_numbers(store, Weighted(0.03))
    with running(store) as started:
        yield started


@pytest.fixture
def triton(server: Running) -> Iterator[InferenceServerClient]:
    client = InferenceServerClient(server.address)
    yield client
    client.close()


def _ask(client: InferenceServerClient, version: str = "") -> float:
    matrix = InferInput("input", [1, 2], "FP64").set_data_from_numpy(np.array([[10.0, 0]]))
    return float(client.infer("delays", [matrix], model_version=version).as_numpy("probability")[0])


def test_the_index_says_which_versions_are_in_memory(triton: InferenceServerClient, server: Running) -> None:
    index = triton.get_model_repository_index()
    assert [(one["version"], one["state"]) for one in index] == [
        ("1", "READY"),
        ("2", "UNAVAILABLE"),
        ("3", "UNAVAILABLE"),
    ]
    ready = server.post("/v2/repository/index", {"ready": True})
    assert ready == [{"name": "delays", "version": "1", "state": "READY", "reason": ""}]


def test_a_version_that_was_loaded_answers_under_its_number_and_nowhere_else(
    triton: InferenceServerClient, server: Running, store: SqlStore
) -> None:
    before = current_route(store, ENDPOINT)
    with pytest.raises(InferenceServerException, match="version '2' of delays is not in memory, only 1"):
        _ask(triton, "2")
    triton.load_model("delays", config=VERSION_2)
    assert (_ask(triton, "2"), _ask(triton)) == (0.2, 0.1)
    assert triton.is_model_ready("delays", "2")
    assert triton.get_model_metadata("delays")["versions"] == ["1", "2"]
    triton.unload_model("delays")
    with pytest.raises(InferenceServerException, match="not in memory"):
        _ask(triton, "2")
    assert current_route(store, ENDPOINT) == before
    assert [(row.version, row.reason) for row in read_all(log_folder(store, ENDPOINT))] == [(2, "forced"), (1, "only")]


def test_without_a_version_the_newest_is_loaded(triton: InferenceServerClient) -> None:
    triton.load_model("delays")
    assert _ask(triton, "3") == 0.3


def test_a_version_is_named_by_a_parameter(server: Running) -> None:
    server.post("/v2/repository/models/delays/load", {"parameters": {"version": "2"}})
    server.post("/v2/repository/models/delays/load", {"parameters": {"version": 3}})
    assert server.get("/v2/models/delays")["versions"] == ["1", "2", "3"]
    server.post("/v2/repository/models/delays/unload", {"parameters": {"version": "2"}})
    assert server.get("/v2/models/delays")["versions"] == ["1", "3"]


def test_every_worker_knows_what_was_loaded_in_another(store: SqlStore, server: Running) -> None:
    request = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [10, 0]}]}
    with running(store) as other:
        server.post("/v2/repository/models/delays/load", {"parameters": {"version": "2"}})
        said = other.post("/v2/models/delays/versions/2/infer", request)
        assert (said["model_version"], said["outputs"][0]["data"]) == ("2", [0.2])
        other.post("/v2/repository/models/delays/unload", {})
    server.post("/v2/models/delays/versions/2/infer", request, 404)


@pytest.mark.parametrize(
    ("what", "body", "status", "why"),
    [
        ("load", {"parameters": {"version": "9"}}, 400, "no version 9"),
        ("load", {"parameters": {"version": "new"}}, 400, "'new' is no version"),
        ("load", {"parameters": {"config": "no"}}, 400, "the config cannot be read"),
        ("load", {"parameters": {"config": VERSION_2.replace("[2]", "[2,3]")}}, 400, "one at a time"),
        ("load", b"{", 400, "the request cannot be read"),
        ("unload", {"parameters": {"version": "1"}}, 400, "by the route"),
    ],
)
def test_what_cannot_be_loaded_or_unloaded_is_refused(
    server: Running, what: str, body: object, status: int, why: str
) -> None:
    assert why in server.post(f"/v2/repository/models/delays/{what}", body, status)["error"]
    assert server.get("/v2/models/delays")["versions"] == ["1"]


def test_who_unloads_what_another_has_just_unloaded_is_not_told_of_the_route(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none_left(*_: object) -> int:
        return 0

    server.post("/v2/repository/models/delays/load", {"parameters": {"version": 3}})
    monkeypatch.setattr(LoadedByHand, "unload", none_left)
    server.post("/v2/repository/models/delays/unload", {"parameters": {"version": 3}})


def test_another_model_is_not_found(server: Running) -> None:
    server.post("/v2/repository/models/other/load", {}, 404)
    server.post("/v2/repository/models/other/unload", {}, 404)


def test_only_so_many_are_loaded(store: SqlStore) -> None:
    add_route(store, add_numbers(store))
    for _ in range(9):
        add_numbers(store)
    with running(store) as server:
        for number in range(2, 10):
            server.post("/v2/repository/models/delays/load", {"parameters": {"version": number}})
        said = server.post("/v2/repository/models/delays/load", {"parameters": {"version": 10}}, 400)
        assert "8 versions are loaded by hand" in said["error"]


def test_a_version_that_gets_traffic_is_loaded_already(store: SqlStore) -> None:
    split_route(store, add_numbers(store), add_numbers(store, Weighted(0.02)))
    with running(store) as server:
        server.post("/v2/repository/models/delays/load", {"parameters": {"version": 2}})
    assert not (log_folder(store, ENDPOINT) / "loaded").exists()
