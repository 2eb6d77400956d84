from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.operate.serving_helpers import ROW, add_version, serve_command

from assay.errors import AssayError, NotFound
from assay.operate import drills
from assay.operate.drills import rehearse_rollback
from assay.operate.routing.changing import end_split, set_split
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.prove.promotion import promote, rollback
from assay.record import ledger
from assay.record.models.registry import alias, find_version
from assay.record.models.routes import Route, Split, Variant, current_route
from assay.record.sqlstore import SqlStore


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    """A store whose model `delays` has the champion 2, after 1."""
    for _ in range(2):
        version = add_version(store)
        promote(store, "delays", version.version, override="a test")
    return store


@pytest.fixture
def client(store: SqlStore, tmp_path: Path) -> Iterator[PredictionClient]:
    command = serve_command(tmp_path / "store")
    with ServerProcess(store, "delays", command=command) as server, PredictionClient(server.url) as asking:
        yield asking


def _champion(store: SqlStore) -> int:
    version = alias(store, "delays", "champion")
    assert version is not None
    return version.version


def test_a_rehearsed_rollback_is_quick_and_leaves_the_champion_in_place(
    store: SqlStore, client: PredictionClient
) -> None:
    before = store.query("deployment")
    drill = rehearse_rollback(store, "delays", client)
    assert (drill.from_version, drill.to_version, drill.result) == (2, 1, "pass")
    assert 0 < drill.seconds < 1
    assert 0 < drill.restored_seconds < 1
    assert _champion(store) == 2
    assert client.version()["version"] == 2
    assert [probability for _, probability in client.predict([ROW])] == [0.02]

    (row,) = store.query("drill")
    assert (row["drill_id"], row["model"], row["kind"], row["result"]) == (drill.drill_id, "delays", "rollback", "pass")
    assert row["seconds"] == drill.seconds
    assert msgspec.json.decode(row["detail"]) == {"from": 2, "to": 1, "restored_seconds": drill.restored_seconds}
    rehearsed = store.query("deployment", order_by=["started"])[len(before) :]
    assert [deployment["cause"] for deployment in rehearsed] == ["drill", "drill"]
    assert all(deployment["full_at"] for deployment in rehearsed), "the server took both over"
    assert {deployment["outcome"] for deployment in store.query("deployment")} == {"ok"}, "no version failed"


def test_after_a_drill_a_rollback_still_goes_to_the_version_before(store: SqlStore, client: PredictionClient) -> None:
    rehearse_rollback(store, "delays", client)
    assert rollback(store, "delays").version == 1
    *_, failed, _ = store.query("deployment", order_by=["started"])
    assert (failed["cause"], failed["outcome"]) == ("drill", "rolled_back")


def test_a_server_that_answers_with_another_version_fails_the_drill(
    store: SqlStore, client: PredictionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "version", lambda: {"version": 2})
    assert rehearse_rollback(store, "delays", client).result == "fail"
    assert [row["result"] for row in store.query("drill")] == ["fail"]
    assert _champion(store) == 2


def test_without_a_server_the_champion_stays_and_the_drill_is_on_record_as_failed(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drills, "_PATIENCE_S", 0.05)
    with PredictionClient("http://127.0.0.1:9") as client, pytest.raises(AssayError, match="was not taken over"):
        rehearse_rollback(store, "delays", client)
    assert _champion(store) == 2
    (row,) = store.query("drill")
    assert row["result"] == "fail"
    assert "was not taken over in 0.05 s" in msgspec.json.decode(row["detail"])["fault"]


def test_a_server_that_dies_in_between_leaves_the_champion_too(
    store: SqlStore, client: PredictionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_answer() -> dict[str, object]:
        raise AssayError("no answer")

    monkeypatch.setattr(client, "version", no_answer)
    with pytest.raises(AssayError, match="no answer"):
        rehearse_rollback(store, "delays", client)
    assert _champion(store) == 2
    assert [row["result"] for row in store.query("drill")] == ["fail"]


def test_a_first_champion_cannot_be_rolled_back(store: SqlStore) -> None:
    version = add_version(store, model="prices")
    promote(store, "prices", version.version, override="a test")
    with PredictionClient("http://127.0.0.1:9") as client:
        with pytest.raises(NotFound, match="no champion before prices/1"):
            rehearse_rollback(store, "prices", client)
        with pytest.raises(NotFound, match="no endpoint 'unknown'"):
            rehearse_rollback(store, "unknown", client)
    assert store.query("drill") == []


def _split(store: SqlStore, *versions: int) -> Route:
    made = [find_version(store, "delays", version) for version in versions]
    variants = [Variant(one.mv_id, one.hash, 1, f"variant-{one.version}") for one in made]
    shadows = [Variant(made[-1].mv_id, made[-1].hash, 0, "shadow")]
    split = Split("test", 1, "salt")
    return set_split(store, "delays", variants, shadows=shadows, split=split, kind="test", reason="")


def test_a_drill_during_a_test_puts_its_split_back(store: SqlStore, client: PredictionClient) -> None:
    third = add_version(store)
    before = _split(store, 2, third.version)
    assert rehearse_rollback(store, "delays", client).result == "pass"
    assert current_route(store, "delays") == msgspec.structs.replace(before, revision=before.revision + 2)
    again, back = ledger.entries(store, kind="rollback", limit=2)
    assert again.detail["restored"] == before.revision
    assert back.detail["ended"]["experiment"] == "test"  # type: ignore[index] # a mapping
    assert ledger.verify(store).sound


def test_a_drill_does_not_undo_what_somebody_else_changed_meanwhile(
    store: SqlStore, client: PredictionClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = add_version(store)
    _split(store, 2, third.version)

    def meddle() -> dict[str, object]:
        end_split(store, "delays", kind="test", reason="enough")
        return {"version": 1}

    monkeypatch.setattr(client, "version", meddle)
    rehearse_rollback(store, "delays", client)
    route = current_route(store, "delays")
    assert (len(route.variants), route.shadows, route.split) == (1, (), None)
    assert _champion(store) == 2
