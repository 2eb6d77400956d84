"""Pipelines whose processes are killed, and processes that run the same pipeline at once."""

import json
import os
import random
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import assay
from assay.build.steps import leases
from assay.build.steps.step_record import StepRecord
from assay.record import open_store
from assay.record.sqlstore import SqlStore

JOURNAL = "ASSAY_TEST_JOURNAL"


def note(what: str) -> None:
    """Say in a file what ran, at once."""
    with Path(os.environ[JOURNAL]).open("a") as file:
        file.write(f"{what}\n")


def noted() -> Counter[str]:
    path = Path(os.environ[JOURNAL])
    return Counter(path.read_text().split()) if path.exists() else Counter()


@pytest.fixture(autouse=True)
def _journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(JOURNAL, str(tmp_path / "journal"))


@assay.step
def part(number: int, seconds: float) -> list[int]:
    time.sleep(seconds)
    note(f"part{number}")
    return [number] * 3000  # long enough to become a blob


@assay.step
def joined(parts: list[list[int]]) -> int:
    note("joined")
    return sum(one[0] for one in parts)


@assay.pipeline(workers=2)
def work(count: int, seconds: float) -> int:
    return joined(list(part.map(range(count), seconds=seconds)))


def forked(call: Callable[[], object]) -> int:
    """Do it in a process of its own; its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads of this process only wait
        pid = os.fork()
    if pid:
        return pid
    try:
        call()
    except BaseException:  # noqa: BLE001 - it is told by the exit code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_in(location: str, seconds: float = 0.01, count: int = 6) -> int:
    return work.options(store=location)(count, seconds)


def kill_and_resume(folder: Path, seed: int) -> bool:
    """Kill a run after a random time and resume it; whether anything had been finished."""
    opened = open_store(folder / f"store{seed}")
    journal = Path(os.environ[JOURNAL])
    journal.unlink(missing_ok=True)
    pid = forked(lambda: run_in(opened.location))
    drawn = random.Random(seed)
    until = time.monotonic() + 20
    while seed % 4 and not opened.query("step") and time.monotonic() < until:  # most are past their first step
        time.sleep(0.005)
    time.sleep(drawn.uniform(0.0, 0.15))
    os.kill(pid, signal.SIGKILL)
    status_of(pid)
    runs = opened.query("run")
    if not runs:
        opened.close()
        return False
    done = opened.query("step", {"state": "done"})
    for row in done:
        output = json.loads(row["output"])
        assert output["as"] == "json" or all(opened.blobs.get(blob) for blob in blobs_in(output))
    finished = {json.loads(row["inputs"])["number"] for row in done if row["name"] == "part"}
    before = noted()
    if opened.query("run_tag", {"key": "assay.arguments"}):
        assert work.options(store=opened).resume(runs[0]["run_id"]) == 15
    else:
        assert work.options(store=opened, resume=runs[0]["run_id"])(6, 0.01) == 15
    (run,) = opened.query("run")
    assert run["status"] == "finished"
    again = noted() - before
    kept = opened.query("step", {"state": "done", "name": "part"})
    assert len(kept) == 6
    assert len({row["key"] for row in kept}) == 6, "nothing that was acknowledged runs twice"
    assert sum(count for name, count in again.items() if name.startswith("part")) == 6 - len(finished)
    opened.close()
    return bool(done)


def blobs_in(output: Any) -> list[str]:
    if isinstance(output, dict):
        return [output["blob"]] if "blob" in output else [b for one in output.values() for b in blobs_in(one)]
    return [blob for one in output for blob in blobs_in(one)] if isinstance(output, list) else []


def test_a_run_that_is_killed_at_any_moment_is_resumed(tmp_path: Path) -> None:
    finished = [kill_and_resume(tmp_path, seed) for seed in range(12)]
    assert any(finished)


@pytest.mark.slow
def test_many_runs_that_are_killed_are_resumed(tmp_path: Path) -> None:
    for seed in range(100, 130):
        kill_and_resume(tmp_path, seed)


def test_killed_between_blob_and_row_a_step_is_not_done(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settle = StepRecord.settle

    def dies(record: StepRecord, ends: Any, claims: Any) -> Any:
        if ends:
            os.kill(os.getpid(), signal.SIGKILL)
        return settle(record, ends, claims)

    def killed() -> None:
        monkeypatch.setattr(StepRecord, "settle", dies)
        run_in(store.location)

    assert status_of(forked(killed)) == -signal.SIGKILL
    assert list(store.blobs.root.rglob("*")), "the content is written first"
    assert store.query("step", {"state": "done"}) == []
    (run,) = store.query("run")
    assert work.options(store=store).resume(run["run_id"]) == 15
    lost = store.query("step", {"exit": "lost"})
    assert lost
    assert lost[0]["reason"].startswith("lost: process ")
    assert (lost[0]["state"], lost[0]["run_id"]) == ("failed", run["run_id"])


def test_two_processes_do_no_step_twice(either_store: SqlStore) -> None:
    if either_store.backend == "sqlite":
        place: Any = either_store.location
        both = [forked(lambda: run_in(place, 0.05)) for _ in range(2)]
    else:
        address = either_store.engine.url.render_as_string(hide_password=False)
        blobs = either_store.blobs.root

        def there() -> None:
            work.options(store=open_store(address, blobs=blobs))(6, 0.05)

        both = [forked(there) for _ in range(2)]
    assert [status_of(pid) for pid in both] == [0, 0]
    assert noted() == {**{f"part{number}": 1 for number in range(6)}, "joined": 1}
    rows = either_store.query("step")
    assert Counter(row["state"] for row in rows) == {"done": 7, "cached": 7}


@pytest.mark.parametrize("can_look", [True, False])
def test_whoever_waits_takes_over_from_the_dead(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, can_look: bool
) -> None:
    """At once where it can see that the process is gone, else when the lease has expired."""
    monkeypatch.setattr(leases, "LEASE_S", 600.0 if can_look else 1.0)
    if not can_look:
        monkeypatch.setattr(leases, "place", lambda: "")
    if can_look and not leases.place():
        pytest.skip("processes cannot be looked at here")
    pid = forked(lambda: run_in(store.location, 60.0, count=1))
    until = time.monotonic() + 20
    while not store.query("lease") and time.monotonic() < until:
        time.sleep(0.02)
    (lease,) = store.query("lease")
    assert lease["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    monkeypatch.setattr(time, "sleep", lambda seconds, sleep=time.sleep: sleep(min(seconds, 0.2)))
    assert work.options(store=store)(1, 60.0) == 0
    assert time.monotonic() - began < 15
    assert status_of(pid) == -signal.SIGKILL
    assert noted() == {"part0": 1, "joined": 1}


def test_a_lease_is_renewed_while_a_step_goes_on(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_S", 2.0)
    monkeypatch.setattr(leases, "place", lambda: "")
    both = [forked(lambda: run_in(store.location, 3.5, count=1)) for _ in range(2)]
    assert [status_of(pid) for pid in both] == [0, 0]
    assert noted() == {"part0": 1, "joined": 1}
