"""What was acknowledged survives `kill -9`."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay.record import ledger, open_store, soundness
from assay.record.sqlstore import SqlStore

# Writes what it has to the store, and only then, outside of it, that it did.
WRITER = """
import os, sys
from assay.record import ledger, open_store, start_run
from assay.record.models import registry
store = open_store(sys.argv[1], blobs=sys.argv[2])
acknowledge = open(sys.argv[3], "ab", buffering=0)
from pathlib import Path
model = Path(sys.argv[4])
model.mkdir(exist_ok=True)
for number in range(1_000_000):
    with start_run(store, "crash", f"run {number}") as run:
        run.params({"number": number})
        run.metrics({"loss": 0.5, "auc": 0.75})
    acknowledge.write(f"run {run.run_id}\\n".encode())
    (model / "weights").write_bytes(os.urandom(50_000))
    with store.transaction():
        seq = ledger.decide(store, "promote", "m", {"number": number})
        store.append("store_meta", {"key": f"decision {seq}", "value": "x" * 2000})
    acknowledge.write(f"entry {seq}\\n".encode())
    version = registry.register(store, "m", model, run=run, signature={})
    acknowledge.write(f"version {version.mv_id}\\n".encode())
"""


def _kill_a_writer(location: str, blobs: Path, folder: Path, chance: random.Random) -> None:
    acknowledged = folder / "acknowledged"
    before = acknowledged.stat().st_size if acknowledged.exists() else 0
    command = [sys.executable, "-c", WRITER, location, str(blobs), str(acknowledged), str(folder / "model")]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 30
        while not acknowledged.exists() or acknowledged.stat().st_size == before:
            assert process.poll() is None, "the writer ended by itself"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        assert process.poll() is None, "the writer ended by itself"
    finally:
        process.kill()
        process.wait()


def _check(store: SqlStore, folder: Path, rounds: int) -> None:
    lines = (folder / "acknowledged").read_text().splitlines()
    acknowledged = {
        kind: {line.split()[1] for line in lines if line.startswith(kind)} for kind in ("run", "entry", "version")
    }
    assert len(acknowledged["run"]) >= rounds
    ended = {row["run_id"] for row in store.query("run", {"status": "finished"})}
    assert acknowledged["run"] <= ended
    assert acknowledged["run"] <= {row["run_id"] for row in store.query("run_param")}
    assert {str(row["seq"]) for row in store.query("ledger")} >= acknowledged["entry"]
    assert {row["mv_id"] for row in store.query("model_version")} >= acknowledged["version"]
    # A transaction is there wholly or not at all.
    decided = {f"decision {row['seq']}" for row in store.query("ledger")}
    assert {row["key"] for row in store.query("store_meta")} == decided
    assert {row["mv_id"] for row in store.query("model_version")} == {
        row["artifact_id"] for row in store.query("artifact", {"type": "model"})
    }
    assert ledger.verify(store).sound
    found = soundness.check(store)
    assert found.problems == []
    interrupted = store.query("run", {"status": "running"})
    assert any("interrupted" in note for note in found.notes) == bool(interrupted)
    soundness.mend(store)
    assert store.query("run", {"status": "running"}) == []


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_a_writer_is_killed(tmp_path: Path) -> None:
    chance = random.Random(20130401)
    location = tmp_path / "store"
    for rounds in range(1, 6):
        _kill_a_writer(str(location), location / "blobs", tmp_path, chance)
        store = open_store(location)
        _check(store, tmp_path, rounds)
        store.close()


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_a_client_of_postgres_is_killed(postgres: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    for rounds in range(1, 3):
        _kill_a_writer(postgres, tmp_path / "blobs", tmp_path, chance)
        store = open_store(postgres, blobs=tmp_path / "blobs")
        _check(store, tmp_path, rounds)
        store.close()
