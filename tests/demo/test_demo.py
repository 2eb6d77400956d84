"""`assay demo --fast` as a user runs it: two turns in one store, and the commands that look closer afterwards."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from assay.cli.main import run
from assay.operate.predictions.folder import log_folder
from assay.operate.predictions.reading import read_all
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
KEYS = {
    *("dataset", "runs", "champion", "refused", "promoted", "decay", "moved", "retrained"),
    *("rollback_seconds", "predictions_logged", "report"),
}


@dataclass
class Done:
    """What a finished demo left: exit code, both outputs, and the folder of its store."""

    code: int
    out: str
    err: str
    place: Path

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    def copy(self, folder: Path) -> Path:
        """A store of a test's own, to change."""
        return Path(shutil.copytree(self.place, folder / "copy"))


def _demo(folder: Path, name: str) -> Done:
    """Run the demo in the folder's store, once for all worker processes of a test session."""
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / f"{name}.json"
        if not kept.exists():
            folder.mkdir(exist_ok=True)
            done = subprocess.run(
                [sys.executable, "-m", "assay", "demo", "--fast", "--json", "--report", f"{name}.html"],
                capture_output=True,
                text=True,
                check=False,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "ASSAY_STORE": str(folder / "store")},
            )
            kept.write_text(json.dumps([done.returncode, done.stdout, done.stderr]))
        code, out, err = json.loads(kept.read_text())
    return Done(code, out, err, folder / "store")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    base = tmp_path_factory.getbasetemp()
    session = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    first = _demo(session / "one-turn", "first")
    again = _demo_again(session / "one-turn", session / "two-turns")
    assert again.code == 0, again.err
    return first


@pytest.fixture(scope="module")
def again(done: Done) -> Done:
    return _demo(done.place.parents[1] / "two-turns", "second")


def _demo_again(first: Path, second: Path) -> Done:
    """The second turn, in a copy of the store of the first."""
    with second.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not second.exists():
            shutil.copytree(first / "store", second / "store")
    return _demo(second, "second")


@pytest.fixture
def store(done: Done) -> SqlStore:
    return open_store(done.place, create=False)


def _assay(capsys: pytest.CaptureFixture[str], place: Path, *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert run(["--store", str(place), *arguments]) == code
    shown = capsys.readouterr()
    return shown.err if code else shown.out


def test_it_prints_one_document_and_nothing_else(done: Done) -> None:
    assert (done.code, done.err) == (0, "")
    assert done.said.keys() >= KEYS
    assert Path(done.said["report"]) == done.place.parent / "first.html"
    assert Path(done.said["report"]).stat().st_size > 10_000


def test_the_mixed_up_candidate_is_refused_where_it_is_worse(done: Done) -> None:
    refused = done.said["refused"]
    assert "carrier=MQ" in refused["segment"]
    assert refused["verdict"] == "fail"
    assert refused["metric"] == "brier"
    low, high = refused["interval"]
    assert low < refused["delta"] < high < 0
    assert "MQ" in refused["change"]


def test_the_other_candidate_replaces_the_champion(done: Done) -> None:
    said = done.said
    assert said["promoted"]["verdict"] == "pass"
    assert said["promoted"]["failed_requests"] == 0
    assert said["promoted"]["answered_during"] > 0
    assert {said["promoted"]["version"], said["refused"]["version"]} == set(said["retrained"]["candidates"])
    assert said["retrained"]["trigger_type"] == "performance"
    assert said["decay"]["alarm_day"] is not None
    assert said["decay"]["observed_auc"] < said["decay"]["limit_auc"] < said["decay"]["promised_auc"]
    assert 0 < said["rollback_seconds"] < 1


def test_drift_is_told_with_its_harm(done: Done) -> None:
    """Autumn is unlike the months before summer; whether that harms is for labels to say."""
    told = done.said["moved"]
    assert told["columns"][0] in {"temp", "dewp"}
    assert told["words"].startswith(f"{told['columns'][0]}: the ")
    assert "against training" in told["words"]
    assert "; it harms: labels prove a daily AUC below 0." in told["words"]


def test_every_number_is_that_of_the_store(done: Done, store: SqlStore) -> None:
    said = done.said
    model = said["model"]
    data = store.get(
        "artifact", {"artifact_id": store.query("artifact", {"hash": said["dataset"]["hash"]})[0]["artifact_id"]}
    )
    assert (data["name"], data["rows"]) == (said["dataset"]["name"], said["dataset"]["rows"]) == ("flights", 336_776)
    assert {one["run_id"] for one in said["runs"]} == {row["run_id"] for row in store.query("run")}
    for one in said["runs"]:
        logged = {m["key"]: m["value"] for m in store.query("run_metric", {"run_id": one["run_id"]})}
        assert one["metrics"] == logged
    logged_predictions = [one for one in read_all(log_folder(store, model)) if one.role == "live"]
    assert said["predictions_logged"] == len(logged_predictions) > 20_000
    labelled = {row["prediction_id"] for row in store.query("label")}
    joined = sum(row["labelled"] for row in store.query("serving_window"))
    assert said["labels_joined"] == joined <= len(labelled & {one.id for one in logged_predictions})
    (drill,) = store.query("drill")
    assert (said["rollback_seconds"], drill["result"]) == (drill["seconds"], "pass")
    assert said["decisions"] == len(store.query("ledger"))
    versions = {row["version"]: row["mv_id"] for row in store.query("model_version")}
    for part in ("champion", "refused", "promoted"):
        (gate,) = store.query("gate", {"mv_id": versions[said[part]["version"]], "mode": "auto"})
        assert gate["outcome"] == said[part]["verdict"]
        checks = {(check["segment"], check["metric"]): check for check in json.loads(gate["checks"])}
        check = checks[said[part].get("segment", "overall"), said[part]["metric"]]
        assert check["delta"] == said[part]["delta"]
        assert [check["low"], check["high"]] == said[part]["interval"]
    monitor = store.query("monitor", {"model": model, "kind": "performance"}, order_by=["ts"])[0]
    values = store.query("monitor_check", {"monitor_id": monitor["monitor_id"], "status !=": "no_data"})
    assert said["decay"]["days"] == len(values)
    assert said["decay"]["observed_auc"] == pytest.approx(sum(row["value"] for row in values) / len(values))
    store.close()


def test_no_run_was_left_open_and_one_is_a_trigger_of_the_other(done: Done, store: SqlStore) -> None:
    runs = {row["run_id"]: row for row in store.query("run")}
    assert {row["status"] for row in runs.values()} == {"finished"}
    retrained = runs[done.said["retrained"]["run_id"]]
    candidates = [
        row for row in runs.values() if row["parent_run_id"] == retrained["run_id"] and row["kind"] == "train"
    ]
    assert len(candidates) == 2
    assert {row["trigger_type"] for row in candidates} == {"performance"}
    store.close()


def test_commands_that_look_closer_print_what_happened(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    said, place = done.said, done.place
    model = said["model"]
    runs = _assay(capsys, place, "runs", "--experiment", model)
    for one in said["runs"]:
        assert one["run_id"][:8] in runs
        assert one["name"] in runs
    shown = _assay(capsys, place, "show", said["retrained"]["run_id"][:12])
    assert "performance" in shown
    assert "candidate 1" in shown
    trained = next(one for one in said["runs"] if one["name"].startswith("train "))
    assert f"{trained['metrics']['auc']:.6g}" in _assay(capsys, place, "show", trained["run_id"])
    models = {one["version"]: one for one in json.loads(_assay(capsys, place, "models", "--json"))}
    assert models[said["promoted"]["version"]]["aliases"] == ["champion"]
    assert models[said["refused"]["version"]]["verdict"] == "fail"
    ledger = _assay(capsys, place, "ledger", "list")
    assert re.search(rf"fail \([0-9a-f]{{8}}\): {re.escape(said['refused']['reasons'][0])}", ledger)
    assert _assay(capsys, place, "ledger", "verify").startswith(f"sound: {said['decisions']} decisions")
    doctor = json.loads(_assay(capsys, place, "doctor", "--json"))
    assert (doctor["sound"], doctor["problems"], doctor["notes"]) == (True, [], [])
    assert doctor["predictions"] > said["predictions_logged"], "what a shadow said is in the log too"


def test_the_refused_version_cannot_be_promoted_and_the_champion_can_be_rolled_back(
    done: Done, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said, place = done.said, done.copy(tmp_path)
    model, refused, promoted = said["model"], said["refused"]["version"], said["promoted"]["version"]
    message = _assay(capsys, place, "promote", model, str(refused), code=1)
    # The verdict was against the champion of then, which the other candidate has replaced since.
    assert f"{model}/{refused} has no verdict against the champion, version {promoted}" in message
    back = _assay(capsys, place, "rollback", model)
    assert f"{model}/{said['champion']['version']} is the champion instead of version {promoted}" in back
    message = _assay(capsys, place, "promote", model, str(refused), code=1)
    assert f"the gate's verdict on {model}/{refused} is fail" in message
    assert said["refused"]["reasons"][0] in message
    assert _assay(capsys, place, "ledger", "verify").startswith(f"sound: {said['decisions'] + 1} decisions")


def test_a_report_can_be_written_again(done: Done, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "again.html"
    _assay(capsys, done.place, "report", done.said["model"], "--output", str(target))
    assert target.stat().st_size == pytest.approx(Path(done.said["report"]).stat().st_size, rel=0.05)


def test_a_second_turn_in_the_same_store_remembers_the_steps(done: Done, again: Done) -> None:
    assert (again.code, again.err) == (0, "")
    first, second = done.said, again.said
    assert (first["model"], second["model"]) == ("flights-late", "flights-late-2")
    assert second["dataset"]["hash"] == first["dataset"]["hash"]
    assert second["decisions"] == 2 * first["decisions"]
    for part in ("champion", "refused"):
        assert second[part]["delta"] == first[part]["delta"], "the same data and seed, the same verdict"
    store = open_store(again.place, create=False)
    runs = {row["run_id"] for row in store.query("run", {"model": second["model"]})}
    steps = [row for row in store.query("step") if row["run_id"] in runs]
    assert {row["state"] for row in steps} == {"cached"}
    assert {"clean_weather", "derive_features", "sample_rows", "train", "mix_up_units"} <= {
        row["name"] for row in steps
    }
    store.close()


def test_people_read_the_same_facts_in_the_table(done: Done, capsys: pytest.CaptureFixture[str]) -> None:
    import msgspec

    from assay.cli.render import show
    from assay.demo.operation import DemoResult

    show(msgspec.convert(done.said, DemoResult), as_json=False)
    out, said = capsys.readouterr().out, done.said
    facts = [
        f"{said['dataset']['rows']:,} flights",
        said["dataset"]["hash"][:12],
        f"{said['champion']['value']:.4f}",
        said["decay"]["alarm_day"],
        said["refused"]["segment"],
        f"{said['refused']['delta']:+.4f}",
        said["refused"]["change"],
        f"version {said['promoted']['version']}, pass",
        f"{said['rollback_seconds']:.3f} s",
        f"{said['predictions_logged']:,} predictions",
        f"{said['decisions']} decisions",
        said["report"],
        "assay ledger verify",
    ]
    assert [fact for fact in facts if fact not in out] == []
