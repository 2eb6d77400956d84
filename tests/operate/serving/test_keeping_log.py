"""A server that keeps the log of its endpoint small; the process that does it is a real one."""

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.operate.serving_helpers import ENDPOINT, ROW, add_route, add_version, prediction, serve_command

from assay.errors import InvalidInput
from assay.operate.predictions.folder import log_folder, segments
from assay.operate.predictions.keeping import is_due
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.parts import all_parts, reading
from assay.operate.predictions.rows import rows
from assay.operate.serve_endpoint import serve
from assay.operate.serving.client import ServerProcess
from assay.operate.serving.counting import Counted, SharedCounts
from assay.operate.serving.keeping_log import KeptSmall, kept_small
from assay.record.clock import iso
from assay.record.sqlstore import SqlStore

SOON = KeptSmall(compact_s=0.0)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_S", "_PAUSE_S", "_POLL_S"):
        monkeypatch.setattr(f"assay.operate.serving.keeping_log.{name}", 0.02)


def _log(store: SqlStore, *ids: str, **changes: object) -> None:
    with LogWriter(log_folder(store, ENDPOINT), durability="process") as writer:
        writer.append([prediction(id, **changes) for id in ids])


def _ids(store: SqlStore) -> list[str]:
    return sorted(rows(store, ENDPOINT, columns=["id"]).read_all()["id"].to_pylist())


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120  # the process takes only what nobody else wants
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def _kept(store: SqlStore, folder: Path, how: KeptSmall = SOON) -> Iterator[Callable[[], Counted]]:
    folder.mkdir(exist_ok=True)
    with kept_small(store, ENDPOINT, how, folder):
        yield lambda: SharedCounts(folder, name="test").whole(Counted())


def test_what_ended_becomes_parts_beside_the_server(store: SqlStore, tmp_path: Path) -> None:
    with LogWriter(log_folder(store, ENDPOINT)) as writer, _kept(store, tmp_path / "counts") as counted:
        writer.append([prediction("open")])
        _log(store, "a", "b")
        _until(lambda: counted().log_compacted_rows == 2)
        assert len(segments(log_folder(store, ENDPOINT))) == 1
        assert _ids(store) == ["a", "b", "open"]
        _log(store, "c")
        _until(lambda: counted().log_compacted_rows == 3)
    assert counted().log_keeping_failures == 0
    assert _ids(store) == ["a", "b", "c", "open"]


def test_a_log_is_due_when_enough_ended_or_when_it_ended_long_ago(store: SqlStore, tmp_path: Path) -> None:
    folder = log_folder(store, ENDPOINT)
    assert not is_due(folder, 0.0)
    with LogWriter(folder) as writer:
        writer.append([prediction("a")])
        assert not is_due(folder, 0.0), "it is being written"
    assert is_due(folder, 0.0)
    assert not is_due(folder, 600.0)
    (path,) = segments(folder)
    assert not is_due(folder, 0.0, {path.name})
    os.utime(path, (time.time() - 700, time.time() - 700))
    assert is_due(folder, 600.0)
    os.utime(path)
    os.truncate(path, 32 << 20)
    assert is_due(folder, 600.0)


def test_several_servers_do_it_once(store: SqlStore, tmp_path: Path) -> None:
    _log(store, *map(str, range(50)))
    with _kept(store, tmp_path / "one") as one, _kept(store, tmp_path / "two") as two:
        _until(lambda: one().log_compacted_rows + two().log_compacted_rows)
        time.sleep(0.2)
        assert one().log_compacted_rows + two().log_compacted_rows == 50
        assert one().log_keeping_failures + two().log_keeping_failures == 0
    assert _ids(store) == sorted(map(str, range(50)))


def test_a_process_that_is_killed_is_counted_and_said_once_and_another_does_it(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    killed = [sys.executable, "-c", f"import os; os.kill(os.getpid(), {signal.SIGKILL})"]
    _log(store, "a")
    with _kept(store, tmp_path / "counts") as counted:
        with monkeypatch.context() as patch:
            patch.setattr("assay.operate.serving.keeping_log.COMMAND", killed)
            _until(lambda: counted().log_keeping_failures >= 2)
        _until(lambda: counted().log_compacted_rows == 1)
    assert capfd.readouterr().err.count("the process that does it ended with exit code -9") == 1
    assert _ids(store) == ["a"]


def test_a_store_that_is_away_is_said_and_kills_nobody(
    store: SqlStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _log(store, "a")
    place = tmp_path / "store" / "assay.db"
    place.rename(tmp_path / "away.db")
    with _kept(store, tmp_path / "counts") as counted:
        _until(lambda: counted().log_keeping_failures)
        assert any(thread.name == "log-keeper" for thread in threading.enumerate())
        (tmp_path / "away.db").rename(place)
        _until(lambda: counted().log_compacted_rows == 1)
    assert f"prediction log of endpoint {ENDPOINT}: it is not compacted" in capfd.readouterr().err


def test_a_damaged_segment_is_named_once(store: SqlStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _log(store, "a", "b")
    (path,) = segments(log_folder(store, ENDPOINT))
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    _log(store, "c")
    with _kept(store, tmp_path / "counts") as counted:
        _until(lambda: counted().log_compacted_rows == 1)
        _log(store, "d")
        _until(lambda: counted().log_compacted_rows == 2)
    said = capfd.readouterr().err
    assert said.count(f"{path.name}: a bad record stands before good ones") == 1


def test_what_is_older_than_it_is_kept_goes_on_a_decision(store: SqlStore, tmp_path: Path) -> None:
    now = store.clock.now()
    _log(store, "old", ts=iso(now - timedelta(days=9)), event_ts=None)
    _log(store, "new", ts=iso(now), event_ts=None)
    with _kept(store, tmp_path / "counts", KeptSmall(None, 7 * 86_400.0)) as counted:
        _until(lambda: counted().log_pruned_rows == 1)
    assert _ids(store) == ["new"]
    (entry,) = store.query("ledger", {"kind": "prune_predictions"})
    assert '"rows":1' in entry["body"]


def test_the_end_of_the_server_does_not_wait_for_it(store: SqlStore, tmp_path: Path) -> None:
    _log(store, "a")
    with reading(log_folder(store, ENDPOINT)):
        with _kept(store, tmp_path / "counts"):
            _until(lambda: segments(log_folder(store, ENDPOINT)))
            time.sleep(0.1)  # it has begun by now, or not: both end at once
            started = time.monotonic()
        assert time.monotonic() - started < 2
    assert _ids(store) == ["a"]


def test_a_length_that_cannot_be_is_refused(store: SqlStore) -> None:
    add_route(store, add_version(store))
    for option in ({"compact_after": "soon"}, {"keep": "0d"}, {"keep": "for ever"}):
        with pytest.raises(InvalidInput, match=f"{next(iter(option))} is"):
            serve(store, ENDPOINT, port=0, **option)  # type: ignore[arg-type] # one of them


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_compacts_while_it_answers_and_says_so(store: SqlStore, tmp_path: Path, workers: int) -> None:
    add_route(store, add_version(store))
    _log(store, "a", "b", "c")
    for path in segments(log_folder(store, ENDPOINT)):
        os.utime(path, (time.time() - 700, time.time() - 700))
    before = "from assay.operate.serving import keeping_log\nkeeping_log._LOOK_S = 0.05"
    command = serve_command(tmp_path / "store", before=before, workers=workers)
    with ServerProcess(store, ENDPOINT, command=command) as server:
        body = msgspec.json.encode({"rows": [ROW], "ids": ["d"]})
        request = urllib.request.Request(f"{server.url}/predict", body, {"content-type": "application/json"})
        urllib.request.urlopen(request).close()

        def metrics() -> str:
            with urllib.request.urlopen(f"{server.url}/metrics") as answer:
                return str(answer.read().decode())

        _until(lambda: f'assay_log_kept_rows_total{{endpoint="{ENDPOINT}",what="compacted"}} 3' in metrics())
        assert f'assay_log_keeping_failures_total{{endpoint="{ENDPOINT}"}} 0' in metrics()
        assert _ids(store) == ["a", "b", "c", "d"]
    assert sum(part.rows for part in all_parts(store, ENDPOINT)) == 3
