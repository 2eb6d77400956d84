"""What goes for good, and what stays."""

import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from assay.errors import InvalidInput
from assay.record import dataset, ledger, snapshot, soundness, start_run
from assay.record.artifacts import put_artifact, run_root
from assay.record.clearing.gc import gc
from assay.record.clearing.reachable import all_blobs
from assay.record.clock import Clock, iso
from assay.record.live.targets import spool_folder, target_of
from assay.record.models.logged_models import create_logged_model, delete_logged_model
from assay.record.models.registered_models import create_registered_model, delete_registered_model
from assay.record.models.registry import move_alias, register
from assay.record.models.versions import create_version, delete_version
from assay.record.schema import TABLES
from assay.record.sqlstore import SqlStore
from assay.record.tracking.experiments import create_experiment, delete_experiment
from assay.record.tracking.metrics import points_of
from assay.record.tracking.run_changes import create_run, delete_run, log, restore_run, run_row

LONG = timedelta(days=40)


@dataclass
class _Ahead(Clock):
    """A clock that is ahead of the wall's."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return Clock.now(self) + self.ahead


def _later(store: SqlStore) -> None:
    """Forty days on; every blob that is there becomes old too."""
    gone = store.clock.ahead if isinstance(store.clock, _Ahead) else timedelta()
    store.clock = _Ahead(ahead=gone + LONG)
    for path in all_blobs(store.blobs.root):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - LONG.total_seconds()))


def _rows(store: SqlStore) -> dict[str, list[str]]:
    return {kind: sorted(map(str, store.query(kind))) for kind in TABLES}


def _blobs(store: SqlStore) -> set[str]:
    return {path.name for path in all_blobs(store.blobs.root)}


def _run(store: SqlStore, experiment: str = "0", file: bytes = b"file", **more: str) -> str:
    """A run with a param, a metric, a tag and a file."""
    run_id = create_run(store, experiment, name="r", tags={"t": "v"}, **more)
    log(store, run_id, metrics={"loss": points_of([(0, 0, 1.0)])}, params={"p": "1"})
    put_artifact(store, f"{run_root(run_row(store, run_id))}/a/file", [file])
    return run_id


def _full(store: SqlStore, folder: Path) -> None:
    """One of everything that names a blob and stays."""
    (folder / "in").mkdir()
    (folder / "in" / "weights").write_bytes(b"weights")
    with start_run(store, "churn") as run:
        version = register(store, "churn", folder / "in", run=run, signature={})
        data = snapshot(store, "people", pa.table({"a": [1, 2]}))
        profile = store.blobs.put(b"profile")
        evaluation = {"evaluation_id": "e", "mv_id": version.mv_id, "dataset_hash": data.hash}
        store.append("evaluation", evaluation | {"profile_blob": profile, "detail": "{}"})
        output = json.dumps({"as": "list", "items": [{"as": "array", "blob": store.blobs.put(b"array")}]})
        times = {"started": "s", "ended": "e", "seconds": 1.0, "output": output}
        step = {"step_id": "s", "run_id": run.run_id, "name": "train", "key": "k", "components": "{}", "state": "done"}
        store.append("step", step | times)
    seq = ledger.decide(store, "promote", "churn/1", {})
    move_alias(store, version, "champion", decision=seq, expect=None)
    own = _run(store, file=b"sealed")
    create_registered_model(store, "wire")
    create_version(store, "wire", f"runs:/{own}/a", run_id=own)
    assert dataset(store, data.hash).num_rows == 2


def test_a_dry_run_changes_nothing_and_a_deletion_takes_what_it_said(either_store: SqlStore, tmp_path: Path) -> None:
    store = either_store
    _full(store, tmp_path)
    kept_rows, kept_blobs = _rows(store), _blobs(store)
    experiment = create_experiment(store, "old", tags={"a": "b"}).experiment_id
    run_id = _run(store, experiment, b"gone")
    create_registered_model(store, "unused")
    for _ in range(2):
        create_version(store, "unused", f"runs:/{run_id}/a", run_id=run_id)
    delete_version(store, "unused", 1)
    delete_registered_model(store, "unused")
    model = create_logged_model(store, experiment, name="m").model_id
    delete_logged_model(store, model)
    delete_experiment(store, experiment)
    _later(store)
    before = _rows(store), _blobs(store)

    said = gc(store)

    assert (_rows(store), _blobs(store)) == before
    assert (said.runs, said.experiments, said.logged_models, said.registered_models) == (1, 1, 1, 1)
    assert (said.versions, said.files, said.blobs, said.deleted) == (2, 1, 2, False)
    done = gc(store, delete=True)
    assert (done.going, done.kept, done.blobs, done.bytes) == (said.going, said.kept, said.blobs, said.bytes)
    after = _rows(store)
    for kind in set(TABLES) - {"counter", "history", "outbox", "store_meta"}:
        assert after[kind] == kept_rows[kind], kind
    for kind in ("counter", "history", "outbox"):
        assert after[kind] == before[0][kind]
    assert kept_blobs <= _blobs(store)
    assert len(before[1]) - len(_blobs(store)) == done.blobs > 0
    assert soundness.check(store).problems == []
    assert gc(store, delete=True).going == []


def test_a_number_is_not_given_out_again(store: SqlStore) -> None:
    first = create_experiment(store, "a").experiment_id
    delete_experiment(store, first)
    create_registered_model(store, "m")
    run_id = _run(store)
    create_version(store, "m", f"runs:/{run_id}/a", run_id=run_id)
    delete_version(store, "m", 1)
    _later(store)
    assert gc(store, delete=True).versions == 1
    assert int(create_experiment(store, "a").experiment_id) > int(first)
    assert create_version(store, "m", f"runs:/{run_id}/a", run_id=run_id).version == 2


def test_what_was_restored_or_deleted_lately_stays(either_store: SqlStore) -> None:
    store = either_store
    restored, lately, old = _run(store), _run(store), _run(store)
    delete_run(store, restored)
    delete_run(store, old)
    _later(store)
    restore_run(store, restored)
    delete_run(store, lately)
    assert gc(store, delete=True).runs == 1
    assert {row["run_id"] for row in store.query("run")} == {restored, lately}


def test_a_run_stays_for_what_names_it_and_says_why(store: SqlStore) -> None:
    create_registered_model(store, "m")
    named, alarmed, parent, whose = (_run(store) for _ in range(4))
    create_version(store, "m", f"runs:/{named}/a", run_id=named)
    _run(store, parent_run_id=parent)
    create_logged_model(store, "0", name="l", source_run_id=whose)
    alert = {"alert_id": "a", "monitor_id": "m", "opened": iso(store.clock.now()), "message": "x"}
    store.append("alert", alert | {"linked_run": alarmed})
    for run_id in (named, alarmed, parent, whose):
        delete_run(store, run_id)
    _later(store)
    said = gc(store, delete=True)
    assert said.runs == 0
    text = "\n".join(said.kept)
    for reason in ("version m/1 names it", "an alert names it", "a child of it stays", "a logged model came from it"):
        assert reason in text


def test_a_version_of_history_is_kept_with_its_model_and_its_files(store: SqlStore, tmp_path: Path) -> None:
    _full(store, tmp_path)
    delete_version(store, "churn", 1, held=False)
    delete_registered_model(store, "churn", held=False)
    _later(store)
    blobs = _blobs(store)
    said = gc(store, delete=True)
    assert (said.versions, said.registered_models, said.blobs) == (0, 0, 0)
    assert any("is kept for ever" in line for line in said.kept)
    assert "model churn stays: versions of it stay" in said.kept
    assert _blobs(store) == blobs
    assert soundness.check(store).sound


def test_no_blob_goes_that_is_young_or_may_stand_in_a_journal(
    either_store: SqlStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = either_store
    monkeypatch.setenv("ASSAY_SPOOL", str(tmp_path / "spools"))
    lost = store.blobs.put(b"nobody's")
    assert gc(store, delete=True).blobs == 0
    _later(store)
    spool = spool_folder(target_of(store.location))
    spool.mkdir(parents=True, exist_ok=True)
    journal = spool / "a.journal"
    journal.write_bytes(b"content")
    said = gc(store, delete=True)
    assert said.blobs == 0
    assert "no blob goes" in said.kept[-1]
    journal.unlink()
    assert gc(store).blobs == 1
    assert store.blobs.put(b"nobody's") == lost  # kept once more: new again
    assert gc(store, delete=True).blobs == 0
    _later(store)
    assert gc(store, delete=True).blobs == 1
    assert not store.blobs.has(lost)


def test_a_period_below_zero_is_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput):
        gc(store, older_than=-1)
