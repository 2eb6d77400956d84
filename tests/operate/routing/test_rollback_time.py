"""A rollback at a server with two workers under traffic: how long until the last answer of what was taken back."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path

from tests.operate.routing.routes_helpers import promoted
from tests.operate.serving_helpers import ENDPOINT, ROW, serve_command

from assay.errors import AssayError
from assay.operate.routing.workers import live_workers
from assay.operate.serving.client import PredictionClient, ServerProcess
from assay.prove.promotion import promote, rollback
from assay.record.models.routes import wait_acknowledged
from assay.record.sqlstore import SqlStore


class Asking:
    """A caller in a thread: when each answer of which version came."""

    def __init__(self, url: str) -> None:
        self.answers: list[tuple[float, float]] = []
        self.faults: list[AssayError] = []
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        with PredictionClient(self._url) as client:
            while not self._stop.is_set():
                try:
                    ((_, probability),) = client.predict([ROW])
                except AssayError as fault:
                    self.faults.append(fault)
                    return
                self.answers.append((time.monotonic(), probability))

    def end(self) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join()


def _server(tmp_path: Path) -> ServerProcess:
    command = serve_command(tmp_path / "store", workers=2)
    return ServerProcess(tmp_path / "store", ENDPOINT, command=command)


def _wait_for_two(store: SqlStore) -> list[str]:
    deadline = time.monotonic() + 30
    while len(found := live_workers(store, ENDPOINT)) != 2:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_after_a_second_no_worker_answers_with_what_was_rolled_back(store: SqlStore, tmp_path: Path) -> None:
    promoted(store)
    promote(store, ENDPOINT, 2, override="a test")
    with _server(tmp_path) as server:
        _wait_for_two(store)
        wait_acknowledged(store, ENDPOINT, 2)
        asking = [Asking(server.url) for _ in range(4)]
        with contextlib.ExitStack() as stack:
            for one in asking:
                stack.callback(one.end)
            while not all(one.answers for one in asking):
                time.sleep(0.01)
            begun = time.monotonic()
            done = rollback(store, ENDPOINT)
            wait_acknowledged(store, ENDPOINT, done.revision)
            acknowledged = time.monotonic() - begun
            known = [len(one.answers) for one in asking]
            while not all(len(one.answers) > n + 5 or one.faults for one, n in zip(asking, known, strict=True)):
                time.sleep(0.01)
    wrong = [max(at for at, probability in one.answers if probability == 0.02) - begun for one in asking]
    assert [one.faults for one in asking] == [[]] * 4
    assert all(one.answers[-1][1] == 0.01 for one in asking)
    assert max(wrong) < 1, f"{wrong} s until the last wrong answer"
    assert acknowledged < 1
    assert store.get("deployment", {"dep_id": done.deployment})["full_at"]


def test_a_worker_that_was_killed_keeps_no_promotion_waiting(store: SqlStore, tmp_path: Path) -> None:
    promoted(store)
    with _server(tmp_path):
        before = _wait_for_two(store)
        (pid,) = [row["pid"] for row in store.query("serving_worker", {"worker": before[0]})]
        os.kill(pid, signal.SIGKILL)
        done = promote(store, ENDPOINT, 2, override="a test")
        assert wait_acknowledged(store, ENDPOINT, done.revision, timeout_s=10) < 9
        after = _wait_for_two(store)
        assert before[0] not in after
    assert live_workers(store, ENDPOINT) == [], "the others have said their end"
