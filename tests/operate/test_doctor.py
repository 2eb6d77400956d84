import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.operate.serving_helpers import ENDPOINT, add_route, add_version, prediction

from assay.operate.doctor import examine
from assay.operate.predictions.compacting import compact_predictions
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.log import LogWriter
from assay.operate.predictions.parts import all_parts, part_path
from assay.record.sqlstore import SqlStore
from assay.record.tracking.runs import start_run


@pytest.fixture
def store(store: SqlStore) -> SqlStore:
    """A store with a version, a route to it and a log of five predictions."""
    add_route(store, add_version(store))
    with LogWriter(log_folder(store, ENDPOINT)) as writer:
        writer.append([prediction(str(number)) for number in range(5)])
    return store


def _segment(store: SqlStore) -> Path:
    (path,) = log_folder(store, ENDPOINT).glob("*.log")
    return path


def test_a_store_that_nothing_happened_to_is_sound(store: SqlStore, meddle: Callable[[SqlStore, str], None]) -> None:
    meddle(store, "DELETE FROM route")  # made without a decision by the helper
    found = examine(store)
    assert (found.sound, found.problems, found.notes, found.mended) == (True, [], [], [])
    assert (found.runs, found.ledger_entries, found.predictions) == (1, 0, 5)
    assert found.blobs > 4, "the manifest of the model and its files"


def test_an_empty_store_is_sound(tmp_path: Path) -> None:
    from assay.record.location import open_store

    empty = open_store(tmp_path / "empty")
    found = examine(empty)
    empty.close()
    assert found.sound
    assert (found.runs, found.blobs, found.ledger_entries, found.predictions) == (0, 0, 0, 0)


def test_a_damaged_blob_and_a_route_without_a_decision_are_problems(store: SqlStore) -> None:
    (version,) = store.query("model_version")
    digest = store.blobs.manifest(version["hash"])["model.pkl"]
    store.blobs.path(digest).write_bytes(b"something else")
    found = examine(store)
    assert not found.sound
    assert any("blob" in problem and "does not match its hash" in problem for problem in found.problems)
    assert any("a record of kind route names it" in problem for problem in found.problems)


def test_a_checkpoint_that_was_altered_is_a_problem(tmp_path: Path, meddle: Callable[[SqlStore, str], None]) -> None:
    from assay.record.audit.keys import new_key
    from assay.record.audit.signed_checkpoints import checkpoint
    from assay.record.location import open_store

    signed = open_store(tmp_path / "signed")
    new_key(signed, file=str(tmp_path / "k.pem"))
    checkpoint(signed, key=str(tmp_path / "k.pem"))
    assert examine(signed).sound
    meddle(signed, "UPDATE ledger_checkpoint SET count = 7")
    assert examine(signed).problems == ["ledger: checkpoint of entry 1 is not what was signed"]
    signed.close()


def test_a_bad_record_in_the_middle_of_a_log_is_a_problem_that_mending_leaves(store: SqlStore) -> None:
    path = _segment(store)
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    for _ in range(2):
        found = examine(store, mend=True)
        assert f"predictions of {ENDPOINT}: {path.name}" in found.problems
        assert found.mended == []
    assert path.read_bytes() == content


def test_a_torn_end_is_a_note_and_mending_cuts_it_off(store: SqlStore) -> None:
    path = _segment(store)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    found = examine(store)
    assert found.notes == [f"predictions of {ENDPOINT}: {path.name}"]
    assert found.predictions == 4
    mended = examine(store, mend=True)
    assert [line for line in mended.mended if path.name in line]
    assert mended.notes == []
    assert mended.predictions == 4
    assert examine(store, mend=True).mended == []


def test_a_part_that_is_missing_changed_or_unknown_is_a_problem(store: SqlStore) -> None:
    compact_predictions(store, ENDPOINT)
    (part,) = all_parts(store, ENDPOINT)
    path = part_path(store, part)
    content = path.read_bytes()
    whole = examine(store)
    assert (whole.predictions, [text for text in whole.problems if "predictions of" in text]) == (5, [])
    path.write_bytes(content + b" ")
    assert f"predictions of {ENDPOINT}: the part {part.path} does not match its hash" in examine(store).problems
    path.unlink()
    assert f"predictions of {ENDPOINT}: the part {part.path} is missing" in examine(store).problems
    path.write_bytes(content)
    store.remove("prediction_part", {"part_id": part.part_id})
    said = f"predictions of {ENDPOINT}: no record names {path.name}, which alone has its rows"
    assert said in examine(store, mend=True).problems


def test_what_was_dropped_is_a_note(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with LogWriter(log_folder(store, ENDPOINT), policy="shed") as writer:
        with monkeypatch.context() as patch:
            patch.setattr(os, "posix_fallocate", full)
            writer.append([prediction("lost")])
        writer.append([prediction("kept")])
    found = examine(store)
    assert (found.predictions, found.notes) == (6, [f"predictions of {ENDPOINT}: 1 were answered and not logged"])


def test_mending_ends_runs_whose_process_is_gone(store: SqlStore) -> None:
    with start_run(store, "going on") as run:
        store.append("run", {**store.get("run", {"run_id": run.run_id}), "run_id": "gone", "pid": 2**22 + 1})
        assert examine(store).notes == ["1 run was interrupted"]
        assert store.get("run", {"run_id": "gone"})["status"] == "running", "examining changes nothing"
        assert examine(store, mend=True).mended == ["1 interrupted run was marked as killed"]
    assert store.get("run", {"run_id": "gone"})["status"] == "killed"
    assert store.get("run", {"run_id": run.run_id})["status"] == "finished"
