"""A store that is a server: the same commands and the same runs, from another process."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.conftest import RunningServer, start_server

from assay.cli.main import run as command
from assay.errors import InvalidInput, NotFound, StoreUnavailable
from assay.record.live import live_run
from assay.record.live.server_calls import ServerConnection, call_operation
from assay.record.location import open_store
from assay.record.tracking.metrics import history


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    monkeypatch.setenv("ASSAY_SPOOL", str(tmp_path / "spool"))
    server = start_server(str(tmp_path / "store"))
    yield server
    server.stop()
    for logger in live_run._loggers.values():
        logger.close(0.1)
    live_run._loggers.clear()


def test_runs_are_logged_to_a_server_and_asked_for_there(
    remote: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with live_run.run("far", store=remote.url, params={"lr": 0.1}, system_metrics=False) as run:
        for step in range(50):
            run.log({"loss": 1 / (step + 1)}, step)
        run.artifact(b"hello", "x.txt")
    assert command(["--store", remote.url, "runs", "metrics.loss < 0.1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["run_id"], found["status"]) == (run.run_id, "finished")
    assert command(["--store", remote.url, "show", run.run_id[:8], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["params"] == {"lr": "0.1"}
    store = open_store(remote.store)
    assert history(store, run.run_id, "loss").step.tolist() == list(range(50))
    assert [row["path"].rsplit("/", 1)[-1] for row in store.query("artifact_file")] == ["x.txt"]
    store.close()


def test_what_the_server_refuses_is_said_as_it_would_be_here(
    remote: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NotFound, match="no run whose id begins with 'zz'"):
        call_operation(remote.url, "show", {"run": "zz"})
    with pytest.raises(InvalidInput):
        call_operation(remote.url, "runs", {"limit": 0})
    assert command(["--store", remote.url, "show", "zz"]) == 2
    assert "no run whose id begins with 'zz'" in capsys.readouterr().err
    connection = ServerConnection(remote.url)
    with pytest.raises(InvalidInput, match="torn or damaged"):
        connection.request("POST", "batches", b"nonsense")
    connection.close()


def test_a_server_that_is_away_is_said_and_its_runs_wait(
    remote: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    run = live_run.run("far", store=remote.url, system_metrics=False)
    assert run._logger.wait(20)
    remote.stop()
    run.log({"loss": 0.5})
    run.finish(wait=False)
    assert not run._logger.wait(0.5)
    run._logger.close(0.1)
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        call_operation(remote.url, "runs", {})
    port = remote.url.rpartition(":")[2]
    again = start_server(remote.store, "--port", port)
    try:
        assert command(["--store", again.url, "sync", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["journals"] == 1
        store = open_store(remote.store)
        assert history(store, run.run_id, "loss").value.tolist() == [0.5]
        store.close()
    finally:
        again.stop()
