import asyncio
import gc
import os
import shutil
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.operate.routing.routes_helpers import SPLIT, promoted, variant
from tests.operate.serving_helpers import ENDPOINT, add_route, add_version

from assay.build.models import packaging, served_model
from assay.build.models.inputs import object_rows
from assay.build.models.packaging import Column, package_model
from assay.errors import AssayError, InvalidInput, NotFound, StoreUnavailable, Tampered
from assay.operate.routing.assignment import assigner
from assay.operate.routing.changing import set_split
from assay.operate.routing.table import RoutingTable
from assay.operate.routing.watching import Watcher
from assay.operate.routing.workers import live_workers
from assay.prove.promotion import promote, rollback
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.models.routes import (
    Route,
    Split,
    Variant,
    acknowledge,
    append_route,
    current_route,
    wait_acknowledged,
)
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.record.tracking.runs import start_run


def _watch(watcher: Watcher, until: Callable[[], bool], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Run the watcher until the condition holds."""

    async def run() -> None:
        watching = asyncio.create_task(watcher.run())
        await asyncio.sleep(0)
        meanwhile()
        async with asyncio.timeout(10):
            while not until():
                await asyncio.sleep(0.005)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    asyncio.run(run())


# --- routes and acknowledgements --------------------------------------------------------------------------------------


def test_the_highest_revision_is_the_route(store: SqlStore) -> None:
    first, second = add_version(store), add_version(store)
    add_route(store, first)
    assert add_route(store, second) == 2
    assert current_route(store, ENDPOINT) == Route(ENDPOINT, 2, (Variant(second.mv_id, second.hash, 1),))


def test_an_unknown_endpoint_names_those_there_are(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="promote a version to make one"):
        current_route(store, ENDPOINT)
    version = add_version(store)
    add_route(store, version, endpoint="delays")
    add_route(store, version, endpoint="prices")
    with pytest.raises(NotFound, match="did you mean 'delays'"):
        current_route(store, "delay")
    with pytest.raises(NotFound, match="there are delays, prices"):
        current_route(store, "xyz")


def test_a_route_that_cannot_be_read_is_said(store: SqlStore) -> None:
    store.append("route", {"endpoint": ENDPOINT, "revision": 1, "detail": '{"variants": 3}', "decision": 0})
    with pytest.raises(InvalidInput, match="revision 1 of endpoint 'delays' cannot be read"):
        current_route(store, ENDPOINT)


def test_waiting_ends_when_any_worker_or_all_named_ones_have_taken_over(store: SqlStore) -> None:
    acknowledge(store, ENDPOINT, "one", 1)
    acknowledge(store, ENDPOINT, "one", 2)
    acknowledge(store, ENDPOINT, "one", 2)
    acknowledge(store, "another", "two", 2)
    assert wait_acknowledged(store, ENDPOINT, 2, timeout_s=0) < 1
    assert wait_acknowledged(store, ENDPOINT, 1, timeout_s=0, workers=["one"]) < 1, "a later revision counts"
    with pytest.raises(AssayError, match=r"not taken over in 0\.05 s by three, two\n"):
        wait_acknowledged(store, ENDPOINT, 2, timeout_s=0.05, workers=["one", "two", "three"])
    with pytest.raises(AssayError, match=r"by any server\n(.|\n)*is `assay serve delays` running"):
        wait_acknowledged(store, ENDPOINT, 3, timeout_s=0)


def test_rows_reach_a_model_as_text_or_none_and_floats_or_nan() -> None:
    columns = [Column("distance", "double"), Column("carrier", "string"), Column("day", "long")]
    values = object_rows(columns, [(1, "AA", None), (None, None, 2.0)])
    assert values.shape == (2, 3)
    assert values[:, 1].tolist() == ["AA", None]
    np.testing.assert_array_equal(values[:, [0, 2]].astype(float), [[1, np.nan], [np.nan, 2]])
    assert all(isinstance(value, float) for value in values[:, [0, 2]].ravel())
    assert object_rows(columns, []).shape == (0, 3)
    assert object_rows(columns[1:2], [("x",)]).tolist() == [["x"]]


# --- the watcher ------------------------------------------------------------------------------------------------------


def test_a_watcher_acknowledges_what_it_started_with_and_what_it_takes_over(store: SqlStore) -> None:
    first, second = add_version(store), add_version(store)
    add_route(store, first)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    assert watcher.table.champion.model.version == first
    assert store.query("route_ack") == []
    _watch(watcher, lambda: bool(store.query("route_ack")))
    _watch(watcher, lambda: watcher.table.revision == 2, lambda: add_route(store, second))
    assert watcher.table.champion.model.version == second
    assert wait_acknowledged(store, ENDPOINT, 2, workers=[watcher.worker], timeout_s=0) < 1
    assert watcher.problem is None


def test_a_rollback_loads_nothing_and_the_oldest_model_is_let_go(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [add_version(store) for _ in range(4)]
    loaded: list[int] = []
    load = served_model.load_to_serve

    def counted(*arguments: object) -> object:
        model = load(*arguments)  # type: ignore[arg-type] # passed on as they came
        loaded.append(model.version.version)
        return model

    monkeypatch.setattr("assay.operate.routing.watching.load_to_serve", counted)
    add_route(store, versions[0])
    watcher = Watcher(store, current_route(store, ENDPOINT))
    for position in (1, 0, 2, 0, 3, 0, 1):
        revision = add_route(store, versions[position])
        _watch(watcher, lambda revision=revision: watcher.table.revision == revision)  # type: ignore[misc] # bound
    assert loaded == [1, 2, 3, 4, 2]


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_and_is_said_once(
    store: SqlStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add_version(store), add_version(store)
    blob = store.blobs.path(store.blobs.manifest(second.hash)["model.pkl"])
    content = blob.read_bytes()
    blob.write_bytes(b"changed" + content)
    add_route(store, first)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    _watch(watcher, lambda: watcher.problem is not None, lambda: add_route(store, second))
    looks = [watcher._look() for _ in range(3)]
    assert looks == [watcher.problem] * 3
    assert watcher.table.revision == 1
    assert (
        capsys.readouterr().err.count("delays: revision 2 cannot be loaded: variant champion: the content of blob") == 1
    )
    blob.write_bytes(content)
    monkeypatch.setattr(watcher, "_retry_at", 0.0)
    _watch(watcher, lambda: watcher.table.revision == 2 and watcher.problem is None)


def test_a_newer_route_does_not_wait_for_a_failed_one(store: SqlStore) -> None:
    first = add_version(store)
    add_route(store, first)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    add_route(store, first, hash="1" * 64)
    assert "hash 111111111111" in str(watcher._look())
    add_route(store, first, hash="0" * 64)
    assert "hash 000000000000" in str(watcher._look())
    add_route(store, first)
    assert watcher._look() is None
    assert watcher.table.revision == 4


def test_a_watcher_that_cannot_load_its_first_model_does_not_start(store: SqlStore) -> None:
    version = add_version(store)
    add_route(store, version, hash="0" * 64)
    with pytest.raises(Tampered, match="is not what was routed"):
        Watcher(store, current_route(store, ENDPOINT))


def test_serving_goes_on_while_the_store_is_away(
    store: SqlStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_route(store, add_version(store))
    watcher = Watcher(store, current_route(store, ENDPOINT))

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(store, "append_many", away)
        assert watcher._look() == "revision 1 cannot be acknowledged: the disk is gone"
        patch.setattr(store, "query", away)
        _watch(watcher, lambda: watcher.problem is not None)
        assert watcher.problem == "new routes cannot be seen: the disk is gone"
    assert watcher.table.revision == 1
    _watch(watcher, lambda: watcher.problem is None)
    assert len(store.query("route_ack")) == 1
    assert capsys.readouterr().err == "endpoint delays: new routes cannot be seen: the disk is gone\n"


def test_a_model_that_is_in_memory_outlives_its_files(store: SqlStore, tmp_path: Path) -> None:
    first, second = add_version(store), add_version(store)
    add_route(store, first)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    add_route(store, second)
    assert watcher._look() is None
    shutil.rmtree(tmp_path / "store" / "models")
    shutil.rmtree(tmp_path / "store" / "blobs")
    add_route(store, first)
    assert watcher._look() is None
    assert watcher.table.champion.model.version == first


# --- many variants ----------------------------------------------------------------------------------------------------


@dataclass
class Numbers:
    """A regressor."""

    def predict(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        return np.zeros(len(X))


@dataclass
class Even:
    """A classifier of any columns."""

    def predict_proba(self, X: NDArray[np.object_]) -> NDArray[np.float64]:
        return np.full((len(X), 2), 0.5)


def _split(store: SqlStore, made: list[ModelVersion], shadows: list[ModelVersion]) -> Route:
    names = ["champion", "challenger", "third"]
    variants = [variant(version, 1, name) for version, name in zip(made, names, strict=False)]
    shaded = [variant(version, 0, f"shadow-{version.version}") for version in shadows]
    split = SPLIT if len(variants) > 1 else None
    return set_split(store, ENDPOINT, variants, shadows=shaded, split=split, kind="test", reason="")


def _counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions in the order in which they are loaded from now on."""
    loaded: list[int] = []
    load = served_model.load_to_serve

    def counted(store: Store, version: ModelVersion, counts: served_model.FormCounts) -> served_model.ServedModel:
        loaded.append(version.version)
        return load(store, version, counts)

    monkeypatch.setattr("assay.operate.routing.watching.load_to_serve", counted)
    return loaded


def test_all_variants_and_shadows_are_loaded_before_the_table_is_exchanged(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = promoted(store, 3)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    loaded, before = _counting(monkeypatch), watcher.table
    _split(store, made[:2], made[2:])
    _watch(watcher, lambda: watcher.table.revision == 2)
    assert loaded == [2, 3]
    assert [one.model.version.version for one in watcher.table.variants] == [1, 2]
    assert [one.variant.name for one in watcher.table.shadows] == ["shadow-3"]
    assert watcher.table.split == SPLIT
    assert watcher.table.champion.model is before.champion.model
    assert assigner(watcher.table).names == ("champion", "challenger")


def test_a_table_says_which_columns_which_variant_takes(store: SqlStore) -> None:
    made = promoted(store)
    with start_run(store, "other") as run:
        table = pa.table({"hour": [1, 2], "distance": [1.0, 2.0]})
        other = package_model(store, ENDPOINT, Even(), table, ["hour", "distance"], run=run)
    _split(store, [made[0], other], [])
    table_now = Watcher(store, current_route(store, ENDPOINT)).table
    assert [column.name for column in table_now.columns] == ["distance", "carrier", "hour"]
    assert table_now.kinds == {"distance": "number", "carrier": "text", "hour": "number"}


def test_a_variant_that_cannot_be_loaded_is_named_and_the_old_table_goes_on(store: SqlStore) -> None:
    made = promoted(store)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    blob = store.blobs.path(store.blobs.manifest(made[1].hash)["model.pkl"])
    blob.write_bytes(b"changed")
    _split(store, made, [])
    assert str(watcher._look()).startswith("revision 2 cannot be loaded: variant challenger: the content of blob")
    assert watcher.table.revision == 1


def test_variants_that_answer_with_another_kind_of_value_are_refused_at_loading_too(store: SqlStore) -> None:
    made = promoted(store)
    numbers = add_version(store, Numbers())  # type: ignore[arg-type] # a regressor on purpose
    watcher = Watcher(store, current_route(store, ENDPOINT))
    with store.transaction():
        append_route(store, ENDPOINT, [variant(made[0]), variant(numbers, 1, "challenger")], split=SPLIT, decision=1)
    said = str(watcher._look())
    assert "champion (delays/1) gives a probability, and challenger (delays/3) predicts numbers" in said
    assert watcher.table.revision == 1


def test_variants_that_take_a_column_as_another_kind_are_refused_at_loading_too(store: SqlStore) -> None:
    first = promoted(store)[0]
    with start_run(store, "other") as run:
        table = pa.table({"distance": ["far", "near"]})
        other = packaging.package_model(store, ENDPOINT, Even(), table, ["distance"], run=run)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    with store.transaction():
        append_route(store, ENDPOINT, [variant(first), variant(other, 1, "challenger")], split=SPLIT, decision=1)
    said = str(watcher._look())
    assert "column 'distance' is number for champion (delays/1) and text for challenger (delays/3)" in said


def test_a_segment_about_other_columns_is_refused_at_loading_too(store: SqlStore) -> None:
    version = promoted(store)[0]
    watcher = Watcher(store, current_route(store, ENDPOINT))
    split = Split("test", 1, "salt", segment="hour > 3")
    with store.transaction():
        append_route(store, ENDPOINT, [variant(version)], split=split, decision=1)
    assert "there is no column 'hour'" in str(watcher._look())


def test_a_model_that_is_let_go_is_freed_when_the_last_request_has_ended(store: SqlStore) -> None:
    made = promoted(store, 6)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    _split(store, made[:2], made[2:3])
    assert watcher._look() is None
    held: RoutingTable | None = watcher.table
    gone = weakref.ref(watcher.table.variants[1].model)
    gc.disable()  # what is freed is freed by counting references alone
    try:
        for version in made[3:6]:
            _split(store, [made[0], version], [])
            assert watcher._look() is None
        assert len(watcher._models) == 4, "two that are routed and two spare ones"
        assert gone() is not None, "a request holds it"
        held = None
        assert gone() is None
    finally:
        gc.enable()
    assert held is None


def test_what_a_rollback_would_put_back_is_loaded_before_anybody_asks(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(store, 5)
    promote(store, ENDPOINT, 2, override="a test")
    loaded = _counting(monkeypatch)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    assert loaded == [2]
    _watch(watcher, lambda: loaded == [2, 1])
    made = [version_by_id(store, row["mv_id"]) for row in store.query("model_version", order_by=["version"])]
    for others in (made[2:3], made[3:4], made[4:5]):
        _split(store, [made[1], *others], [])
        assert watcher._look() is None
        assert watcher._look() is None
    loaded.clear()
    rollback(store, ENDPOINT)
    assert watcher._look() is None
    assert watcher.table.champion.model.version.version == 1
    assert loaded == []


def test_a_version_to_roll_back_to_that_cannot_be_loaded_is_said_and_harms_nothing(
    store: SqlStore, capsys: pytest.CaptureFixture[str]
) -> None:
    made = promoted(store)
    promote(store, ENDPOINT, 2, override="a test")
    store.blobs.path(store.blobs.manifest(made[0].hash)["model.pkl"]).write_bytes(b"changed")
    watcher = Watcher(store, current_route(store, ENDPOINT))
    assert [watcher._look() for _ in range(4)] == [None] * 4
    said = capsys.readouterr().err
    assert said.count("the version that a rollback would put back cannot be loaded: the content of blob") == 1


# --- workers ----------------------------------------------------------------------------------------------------------


def test_a_watcher_is_registered_beats_and_says_its_end(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.operate.routing.watching.BEAT_S", 0.02)
    promoted(store)
    watcher = Watcher(store, current_route(store, ENDPOINT), "http://127.0.0.1:7")
    assert live_workers(store, ENDPOINT) == []
    _watch(watcher, lambda: live_workers(store, ENDPOINT) == [watcher.worker])
    (row,) = store.query("serving_worker")
    assert (row["url"], row["pid"], row["ended"]) == ("http://127.0.0.1:7", os.getpid(), None)
    _watch(watcher, lambda: store.query("serving_worker")[0]["seen"] > row["seen"])
    store.remove("serving_worker", {"endpoint": ENDPOINT})
    _watch(watcher, lambda: live_workers(store, ENDPOINT) == [watcher.worker])
    watcher.close()
    assert live_workers(store, ENDPOINT) == []


def test_a_model_that_loads_for_long_does_not_stop_the_beat(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay.operate.routing.watching.BEAT_S", 0.02)
    made = promoted(store)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    _watch(watcher, lambda: bool(store.query("route_ack")))
    beats: list[str] = []

    def slow(store: Store, version: ModelVersion, counts: served_model.FormCounts) -> served_model.ServedModel:
        first = store.query("serving_worker")[0]["seen"]
        while (now := store.query("serving_worker")[0]["seen"]) == first:
            time.sleep(0.01)
        beats.append(now)
        return served_model.load_to_serve(store, version, counts)

    monkeypatch.setattr("assay.operate.routing.watching.load_to_serve", slow)
    _watch(watcher, lambda: watcher.table.revision == 2, lambda: _split(store, made, []))
    assert len(beats) == 1


def test_the_problem_of_a_worker_stands_beside_it(store: SqlStore) -> None:
    made = promoted(store)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    watcher._look()
    store.blobs.path(store.blobs.manifest(made[1].hash)["model.pkl"]).write_bytes(b"changed")
    _split(store, made, [])
    watcher.problem = watcher._look()
    watcher._beat()
    assert store.query("serving_worker")[0]["detail"] == watcher.problem
    assert watcher.problem


def test_serving_ends_well_while_the_store_is_away(
    store: SqlStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    promoted(store)
    watcher = Watcher(store, current_route(store, ENDPOINT))
    watcher._look()

    def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(store, "amend", away)
    monkeypatch.setattr(store, "amend_all", away)
    watcher._beat()
    watcher.close()
    said = capsys.readouterr().err
    assert "it cannot be recorded that this worker serves: the disk is gone" in said
    assert "the end of this worker cannot be recorded: the disk is gone" in said
