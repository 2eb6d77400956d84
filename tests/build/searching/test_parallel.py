"""Searches on the executors of this machine: the same trials as one after the other."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.build.searching.objectives import bowl, deadly_once

import assay
from assay.build import Float, Searched
from assay.build.searching.searched import searched
from assay.errors import InvalidInput
from assay.record import open_store
from assay.record.artifacts import artifact_file, run_root
from assay.record.sqlstore import SqlStore

SPACE = {"x": Float(-5, 5)}
OPTIONS: dict[str, Any] = {"sampler": "tpe", "pruner": "asha", "seed": 2, "n_trials": 16, "in_flight": 3}


def told(found: Searched) -> list[tuple[int, dict[str, Any], str, dict[str, float]]]:
    return sorted((t.number, t.params, t.state, t.values) for t in found.trials)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_trials_are_the_same_on_every_executor(store: SqlStore, executor: str) -> None:
    alone = assay.search(bowl, SPACE, store=store, **OPTIONS)
    several = assay.search(bowl, SPACE, store=store, executor=executor, workers=2, **OPTIONS)
    assert told(several) == told(alone)
    assert {t.state for t in several.trials} == {"finished", "pruned"}
    last = next(t for t in several.trials if t.number == 15)
    file = artifact_file(store, f"{run_root(store.get('run', {'run_id': last.run_id}))}/log.txt")
    assert store.blobs.get(file.blob) == b"trial 15\n"


def test_a_killed_worker_costs_one_attempt(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEADLY", str(tmp_path / "deadly"))
    found = assay.search(deadly_once, SPACE, store=store, executor="processes", workers=2, **OPTIONS)
    assert told(found) == told(assay.search(bowl, SPACE, store=store, **OPTIONS))
    (killed,) = store.query("run", {"parent_run_id": found.run_id, "status": "killed"})
    assert "trial 4" in killed["reason"]
    again = next(t for t in found.trials if t.number == 4)
    assert store.get("run_tag", {"run_id": again.run_id, "key": "trial.attempt"})["value"] == "2"


def test_what_cannot_be_sent_is_said_and_the_search_has_failed(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="a function at the top of a module"):
        assay.search(lambda p, t: 1.0, SPACE, store=store, executor="processes", workers=2, **OPTIONS)
    (row,) = store.query("run", {"kind": "search"})
    assert row["status"] == "failed"


def test_an_unknown_executor_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="unknown executor 'thread'"):
        assay.search(bowl, SPACE, store=store, executor="thread", **OPTIONS)
    assert store.query("run") == []


SCRIPT = """
import sys
import assay
from assay.build import Float
from tests.build.searching.objectives import bowl
from tests.build.searching.test_parallel import OPTIONS, SPACE

resume = sys.argv[2] if len(sys.argv) > 2 else None
assay.search(bowl, SPACE, store=sys.argv[1], executor="processes", workers=2, resume=resume, **OPTIONS)
"""


def test_a_search_over_processes_that_was_killed_is_taken_up(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "store")]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(store.query("run", {"kind": "trial", "status": "finished"})) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    (run,) = store.query("run", {"kind": "search"})
    assert run["status"] == "running"
    subprocess.run([*command, run["run_id"]], check=True, timeout=60)
    found = searched(store, store.get("run", {"run_id": run["run_id"]}))
    assert told(found) == told(assay.search(bowl, SPACE, store=store, **OPTIONS))
    store.close()
