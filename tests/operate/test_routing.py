import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.operate.serving_helpers import ENDPOINT, add_route, add_version

from assay.build.models import packaging
from assay.build.models.packaging import Column
from assay.errors import AssayError, InvalidInput, NotFound, StoreUnavailable, Tampered
from assay.operate.routing.table import object_rows
from assay.operate.routing.watching import Watcher
from assay.record.models.routes import Route, Variant, acknowledge, current_route, wait_acknowledged
from assay.record.sqlstore import SqlStore


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
    load = packaging.load_model

    def counted(*arguments: object) -> object:
        model = load(*arguments)  # type: ignore[arg-type] # passed on as they came
        loaded.append(model.version.version)
        return model

    monkeypatch.setattr("assay.operate.routing.watching.load_model", counted)
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
    assert capsys.readouterr().err.count("endpoint delays: revision 2 cannot be loaded: the content of blob") == 1
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
