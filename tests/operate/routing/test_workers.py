import os
import subprocess
import sys
from datetime import timedelta

import pytest
from tests.operate.routing.routes_helpers import promoted
from tests.operate.serving_helpers import ENDPOINT

from assay.errors import AssayError, NotFound
from assay.operate.routing.workers import beat, end_worker, live_workers, register_worker
from assay.record.clock import iso
from assay.record.models.routes import LIVE_S, acknowledge, wait_acknowledged
from assay.record.sqlstore import SqlStore

PID = os.getpid()


def _ago(store: SqlStore, worker: str, seconds: float, **changes: object) -> None:
    seen = {"seen": iso(store.clock.now() - timedelta(seconds=seconds)), **changes}
    store.amend("serving_worker", {"endpoint": ENDPOINT, "worker": worker}, seen)


def test_workers_live_while_they_are_seen_and_have_not_ended(either_store: SqlStore) -> None:
    for worker in ("one", "two", "three"):
        register_worker(either_store, ENDPOINT, worker, "http://127.0.0.1:1", PID)
    register_worker(either_store, "another", "four", "http://127.0.0.1:1", PID)
    assert live_workers(either_store, ENDPOINT) == ["one", "three", "two"]
    end_worker(either_store, ENDPOINT, "one")
    end_worker(either_store, ENDPOINT, "unknown")
    _ago(either_store, "two", LIVE_S + 1)
    assert live_workers(either_store, ENDPOINT) == ["three"]
    beat(either_store, ENDPOINT, "two", "it is slow")
    assert live_workers(either_store, ENDPOINT) == ["three", "two"]
    (row,) = either_store.query("serving_worker", {"worker": "two"})
    assert row["detail"] == "it is slow"
    register_worker(either_store, ENDPOINT, "one", "http://127.0.0.1:2", PID)
    assert live_workers(either_store, ENDPOINT) == ["one", "three", "two"], "a name that serves again"


def test_a_beat_of_nobody_is_refused(store: SqlStore) -> None:
    with pytest.raises(NotFound):
        beat(store, ENDPOINT, "nobody")


def test_a_process_of_this_machine_that_is_gone_is_not_live_at_once(store: SqlStore) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        register_worker(store, ENDPOINT, "child", "", process.pid)
        assert live_workers(store, ENDPOINT) == ["child"]
        process.kill()
    assert live_workers(store, ENDPOINT) == []
    _ago(store, "child", 0, host="another-machine")
    assert live_workers(store, ENDPOINT) == ["child"], "of another machine only the clock tells"


def test_waiting_goes_on_until_all_live_workers_answer_with_the_route(store: SqlStore) -> None:
    promoted(store)
    for worker in ("one", "two"):
        register_worker(store, ENDPOINT, worker, "", PID)
    acknowledge(store, ENDPOINT, "one", 1)
    with pytest.raises(AssayError, match=r"not taken over in 0\.05 s by two\n"):
        wait_acknowledged(store, ENDPOINT, 1, timeout_s=0.05)
    assert [row["full_at"] for row in store.query("deployment")] == [None]
    acknowledge(store, ENDPOINT, "two", 1)
    assert wait_acknowledged(store, ENDPOINT, 1, timeout_s=0) < 1
    (deployment,) = store.query("deployment")
    assert deployment["full_at"]
    assert deployment["outcome"] == "ok"


def test_a_killed_worker_blocks_nobody_for_ever(store: SqlStore) -> None:
    promoted(store)
    for worker in ("one", "two"):
        register_worker(store, ENDPOINT, worker, "", PID)
    acknowledge(store, ENDPOINT, "one", 1)
    _ago(store, "two", LIVE_S - 0.2, host="another-machine")
    assert 0.05 < wait_acknowledged(store, ENDPOINT, 1, timeout_s=5) < 2
    assert store.query("deployment")[0]["full_at"], "complete, since all who live have taken it over"


def test_without_registered_workers_any_acknowledgement_counts(store: SqlStore) -> None:
    promoted(store)
    with pytest.raises(AssayError, match="by any server"):
        wait_acknowledged(store, ENDPOINT, 1, timeout_s=0)
    acknowledge(store, ENDPOINT, "embedded", 1)
    assert wait_acknowledged(store, ENDPOINT, 1, timeout_s=0) < 1
