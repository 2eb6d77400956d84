import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import Conflict
from assay.record import dataset, ledger, snapshot, soundness, start_run
from assay.record.canonical import digest_bytes
from assay.record.clock import iso
from assay.record.contract import run_row, version_row
from assay.record.migrations import HEAD
from assay.record.models.registry import move_alias, register
from assay.record.sqlstore import SqlStore

Meddle = Callable[[SqlStore, str], None]
TABLE = pa.table({"a": [1, 2]})


def _fill(store: SqlStore, folder: Path) -> dict[str, str]:
    """One of everything that names a blob; returns what the blobs are, by hash."""
    folder.mkdir()
    (folder / "weights").write_bytes(b"weights")
    with start_run(store, "churn") as run:
        version = register(store, "churn", folder, run=run, signature={})
        data = snapshot(store, "people", TABLE)
        output = {
            "as": "list",
            "items": [
                {"as": "array", "blob": store.blobs.put(b"array")},
                {
                    "as": "dict",
                    "pairs": [[{"as": "json", "value": "k"}, {"as": "pickle", "blob": store.blobs.put(b"p")}]],
                },
                {"as": "json", "value": {"blob": "content, not a name"}},
            ],
        }
        times = {"started": "s", "ended": "e", "seconds": 1.0}
        step = {"step_id": "s", "run_id": run.run_id, "name": "train", "key": "k", "components": "{}", "state": "done"}
        store.append("step", step | times | {"output": json.dumps(output)})
    profile = store.blobs.put(b"profile")
    evaluation = {"evaluation_id": "e", "mv_id": version.mv_id, "dataset_hash": data.hash, "profile_blob": profile}
    store.append("evaluation", evaluation | {"detail": "{}"})
    seq = ledger.decide(store, "promote", "churn/1", {})
    move_alias(store, version, "champion", decision=seq, expect=None)
    return {
        version.hash: "model churn/1",
        digest_bytes(b"weights"): "weights of model churn/1",
        digest_bytes(b"array"): "step train",
        digest_bytes(b"p"): "step train",
        profile: "evaluation e",
        store.query("artifact", {"type": "dataset"})[0]["blob"]: "dataset people",
    }


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def _running(run_id: str, **changes: Any) -> dict[str, Any]:
    now = {"host": platform.node(), "pid": os.getpid(), "started": iso(datetime.now(UTC))}
    return run_row(run_id) | now | changes


def test_a_fresh_store_is_sound(either_store: SqlStore) -> None:
    found = soundness.check(either_store)
    assert found == soundness.Soundness(sound=True, problems=[], notes=[], runs=0, blobs=0, ledger_entries=0)
    assert soundness.mend(either_store) == []


def test_a_used_store_is_sound_and_counted(either_store: SqlStore, tmp_path: Path) -> None:
    blobs = _fill(either_store, tmp_path / "model")
    found = soundness.check(either_store)
    assert (found.problems, found.notes, found.sound) == ([], [], True)
    assert (found.runs, found.blobs, found.ledger_entries) == (1, len(blobs), 1)


def test_every_missing_blob_is_found_with_who_needs_it(store: SqlStore, tmp_path: Path) -> None:
    for digest, whose in _fill(store, tmp_path / "model").items():
        path = store.blobs.path(digest)
        content = path.read_bytes()
        path.unlink()
        for deep in (True, False):
            found = soundness.check(store, deep=deep)
            assert not found.sound
            assert f"blob {digest[:12]} is missing: {whose} needs it" in found.problems
            assert all(digest[:12] in problem for problem in found.problems)
        path.write_bytes(content)
    assert soundness.check(store).sound


def test_every_changed_blob_is_found(store: SqlStore, tmp_path: Path) -> None:
    for digest, whose in _fill(store, tmp_path / "model").items():
        path = store.blobs.path(digest)
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        found = soundness.check(store)
        assert f"blob {digest[:12]} does not match its hash: {whose} needs it" in found.problems
        assert all(digest[:12] in problem for problem in found.problems)
        path.write_bytes(content)
    assert soundness.check(store).sound


def test_a_shallow_check_does_not_read_what_is_large(store: SqlStore, tmp_path: Path) -> None:
    _fill(store, tmp_path / "model")
    store.blobs.path(digest_bytes(b"weights")).write_bytes(b"changed")
    assert soundness.check(store, deep=False).sound
    assert not soundness.check(store).sound


def test_a_blob_that_cannot_be_read_is_found(store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(store, tmp_path / "model")

    def fail(_: Path) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(soundness, "digest_file", fail)
    assert "cannot be read (Input/output error)" in soundness.check(store).problems[0]


def test_a_damaged_ledger_is_found(either_store: SqlStore, tmp_path: Path, meddle: Meddle) -> None:
    _fill(either_store, tmp_path / "model")
    meddle(either_store, "UPDATE ledger_head SET seq = 7")
    found = soundness.check(either_store)
    assert found.problems == ["ledger: the chain ends at entry 1, it was last known to end at entry 7"]


def test_records_about_nothing_are_found(either_store: SqlStore, tmp_path: Path) -> None:
    _fill(either_store, tmp_path / "model")
    decision = ledger.decide(either_store, "promote", "x", {})
    gate = dict.fromkeys(("id", "subject_hash", "policy_version", "checks", "outcome", "mode"), "x")
    gate |= {"mv_id": "no-version", "evaluation_id": "no-evaluation", "baseline_mv_id": "no-baseline"}
    either_store.append("gate", {**gate, "decision": decision})
    deployment = dict.fromkeys(("dep_id", "model", "endpoint", "env", "strategy", "started", "cause"), "x")
    either_store.append("deployment", {**deployment, "mv_id": "no-deployed", "decision": decision})
    found = soundness.check(either_store)
    assert sorted(found.problems) == [
        "a record of kind deployment names the model version no-deployed, which is not there",
        "a record of kind gate names the evaluation no-evaluatio, which is not there",
        "a record of kind gate names the model version no-baseline, which is not there",
        "a record of kind gate names the model version no-version, which is not there",
    ]


def test_a_row_without_its_parent_is_found(store: SqlStore, tmp_path: Path) -> None:
    _fill(store, tmp_path / "model")
    with store.engine.connect() as connection:
        connection.connection.execute("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("DELETE FROM run")
        connection.commit()
    problems = soundness.check(store).problems
    assert "a record of kind step names a run that is not there" in problems


def test_a_damaged_database_file_is_found(store: SqlStore, tmp_path: Path) -> None:
    store.append_many("run", [run_row(str(number), name="x" * 500) for number in range(500)])
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    path = tmp_path / "store" / "assay.db"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 8 * 4096] = os.urandom(8 * 4096)
    path.write_bytes(content)
    found = soundness.check(store)
    assert not found.sound
    assert any("damaged" in problem for problem in found.problems)
    assert len(found.problems) == len(set(found.problems))


def test_another_schema_version_is_found(either_store: SqlStore, meddle: Meddle) -> None:
    meddle(either_store, "UPDATE alembic_version SET version_num = '9999'")
    assert soundness.check(either_store).problems == [f"the store has schema version 9999, expected {HEAD}"]


def test_an_interrupted_run_is_a_note_and_is_mended(either_store: SqlStore) -> None:
    either_store.append("run", _running("gone", pid=_dead_process()))
    found = soundness.check(either_store)
    assert (found.sound, found.notes) == (True, ["1 run was interrupted"])
    either_store.append("run", _running("gone too", pid=_dead_process()))
    assert soundness.check(either_store).notes == ["2 runs were interrupted"]
    assert soundness.mend(either_store) == ["2 interrupted runs were marked as killed"]
    row = either_store.get("run", {"run_id": "gone"})
    assert (row["status"], row["reason"]) == ("killed", "its process ended without a word")
    assert row["ended"] >= row["started"]
    assert soundness.check(either_store).notes == []
    assert soundness.mend(either_store) == []


def test_a_run_that_goes_on_is_left_alone(store: SqlStore) -> None:
    dead = _dead_process()
    store.append("run", _running("here"))
    store.append("run", _running("elsewhere", host="another host", pid=dead))
    store.append("run", _running("imported") | {"pid": None})
    store.append("run", _running("over", status="finished", pid=dead))
    assert soundness.check(store).notes == []
    assert soundness.mend(store) == []
    assert len(store.query("run", {"status": "running"})) == 3


def test_another_process_with_the_same_number_is_not_the_runs(store: SqlStore) -> None:
    store.append("run", _running("gone", started=iso(datetime.now(UTC) - timedelta(days=1))))
    assert soundness.check(store).notes == ["1 run was interrupted"]


def test_a_process_of_another_user_goes_on(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    store.append("run", _running("theirs"))
    assert soundness.check(store).notes == []


def test_a_system_that_does_not_tell_when_a_process_began(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", fail)
    store.append("run", _running("old", started=iso(datetime.now(UTC) - timedelta(days=1))))
    assert soundness.check(store).notes == []


def test_a_run_that_ends_while_mending_keeps_its_end(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append("run", _running("gone", pid=_dead_process()))

    def late(*_: object, **__: object) -> None:
        raise Conflict("somebody was first")

    monkeypatch.setattr(store, "amend", late)
    assert soundness.mend(store) == []


def test_left_over_files_are_a_note_and_old_ones_are_removed(store: SqlStore, tmp_path: Path) -> None:
    _fill(store, tmp_path / "model")
    first = store.blobs.path("ab" * 32).parent
    first.mkdir(exist_ok=True)
    folder = tmp_path / "store" / "models" / ".new-folder"
    (folder / "inner").mkdir(parents=True)
    for path in (first / ".new-old", first / ".new-fresh"):
        path.write_bytes(b"half")
    hour_ago = time.time() - 3700
    os.utime(first / ".new-old", (hour_ago, hour_ago))
    os.utime(folder, (hour_ago, hour_ago))
    found = soundness.check(store)
    assert (found.sound, found.notes) == (True, ["3 temporary files were left behind"])
    assert soundness.mend(store) == ["2 temporary files were removed"]
    assert (first / ".new-fresh").exists()
    assert not folder.exists()
    assert soundness.check(store).notes == ["1 temporary file was left behind"]


def test_mending_touches_nothing_that_was_acknowledged(store: SqlStore, tmp_path: Path) -> None:
    _fill(store, tmp_path / "model")
    before = {kind: store.query(kind) for kind in ("run", "artifact", "step", "model_version", "ledger")}
    soundness.mend(store)
    assert {kind: store.query(kind) for kind in before} == before
    assert dataset(store, store.query("artifact", {"type": "dataset"})[0]["hash"]).equals(TABLE)


def test_a_version_without_a_decision_is_no_problem(store: SqlStore) -> None:
    digest = store.blobs.put(b"{}")
    store.append("model_version", version_row("v", 1) | {"hash": digest})
    assert soundness.check(store).sound
