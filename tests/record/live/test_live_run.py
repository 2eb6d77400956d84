import json
import logging
import math
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import assay
from assay.errors import Conflict, InvalidInput, NotFound
from assay.record.artifacts import artifact_file, read_pieces, run_root
from assay.record.changes import changes
from assay.record.live import live_run
from assay.record.live.fold import apply_frames
from assay.record.live.journal import frame
from assay.record.live.leftover import sync
from assay.record.live.live_run import LiveRun
from assay.record.live.logged import Batch, Begin, encode
from assay.record.live.targets import spool_folder, target_of
from assay.record.location import open_store
from assay.record.sqlstore import SqlStore
from assay.record.tracking.metrics import history
from assay.record.tracking.projects import list_projects
from assay.record.tracking.run_changes import run_row
from assay.record.tracking.runs import current_run, show_run, start_run


@pytest.fixture(autouse=True)
def _no_logger_survives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("ASSAY_SPOOL", str(tmp_path / "spool-elsewhere"))
    monkeypatch.delenv("ASSAY_OFFLINE", raising=False)
    yield
    for logger in live_run._loggers.values():
        logger.close(1.0)
    live_run._loggers.clear()


def _begin(store: SqlStore, experiment: str = "flights", **options: object) -> live_run.LiveRun:
    return live_run.run(experiment, store=store.location, system_metrics=False, **options)  # type: ignore[arg-type]


def test_what_a_run_says_is_in_the_store_when_it_ends(store: SqlStore, tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "a.txt").write_text("a")
    with _begin(store, params={"lr": 0.1}, tags={"team": "red"}, model="late") as run:
        for step in range(10):
            run.log({"loss": 1 / (step + 1), "auc": 0.5}, step)
        run.log({"odd": math.nan})
        run.artifact(b"hello", "notes/x.txt")
        run.artifact(tmp_path / "out")
        content = run.dataset(pa.table({"a": [1, 2]}), "train", context="training")
    shown = show_run(store, run.run_id)
    assert (shown.run.status, shown.run.experiment, shown.params, shown.tags) == (
        *("finished", "flights"),
        {"lr": "0.1"},
        {"team": "red"},
    )
    assert shown.inputs == {"train": content}
    assert shown.packages > 10
    assert history(store, run.run_id, "loss").step.tolist() == list(range(10))
    assert history(store, run.run_id, "loss").value.tolist() == [1 / (step + 1) for step in range(10)]
    assert math.isnan(history(store, run.run_id, "odd").value[0])
    row = run_row(store, run.run_id)
    root = run_root(row)
    assert b"".join(read_pieces(store, artifact_file(store, f"{root}/notes/x.txt"))) == b"hello"
    assert artifact_file(store, f"{root}/out/deep/a.txt").size == 1
    assert row["cpu_s"] >= 0
    detail = json.loads(row["detail"])
    assert detail["folder"] == str(Path.cwd())
    assert detail["cpus"] == os.cpu_count()
    (used,) = store.query("run_dataset")
    assert (used["name"], used["context"]) == ("train", "training")
    assert next(spool_folder(target_of(store.location)).glob("*.journal")).stat().st_size == 0


def test_how_a_run_ends(store: SqlStore) -> None:
    with pytest.raises(ValueError, match="no rows"), _begin(store) as failed:
        raise ValueError("no rows\x00")
    with pytest.raises(KeyboardInterrupt), _begin(store) as killed:
        raise KeyboardInterrupt
    stopped = _begin(store)
    stopped.finish("stopped", "enough")
    states = {run.run_id: run_row(store, run.run_id) for run in (failed, killed, stopped)}
    assert [row["status"] for row in states.values()] == ["failed", "killed", "stopped"]
    assert [row["reason"] for row in states.values()] == ["ValueError: no rows?", "interrupted", "enough"]
    with pytest.raises(InvalidInput, match="cannot end as 'done'"):
        _begin(store).finish("done")


def test_a_run_that_has_ended_takes_nothing_until_it_is_opened_again(store: SqlStore) -> None:
    with _begin(store) as run:
        run.log({"loss": 1.0}, 0)
    late: list[Callable[[], None]] = [
        lambda: run.log({"loss": 0.5}, 1),
        lambda: run.params({"a": 1}),
        lambda: run.tags({"a": 1}),
        lambda: run.artifact(b"x", "x"),
        lambda: run.finish("failed"),
    ]
    for refused in late:
        with pytest.raises(Conflict, match="has ended"):
            refused()
    with _begin(store, resume=run.run_id) as again:
        again.log({"loss": 0.5}, 1)
    assert history(store, run.run_id, "loss").value.tolist() == [1.0, 0.5]
    assert [change["what"] for change in changes(store, "run", run.run_id)] == ["reopened"]
    assert len(store.query("run")) == 1


def test_mistakes_are_said_at_once_and_change_nothing(store: SqlStore, tmp_path: Path) -> None:
    with _begin(store, params={"a": 1}) as run:
        for given in ({"loss": "high"}, {"loss": None}, {"": 1.0}, {"a//b": 1.0}, {"x" * 251: 1.0}, {"v": [1, 2]}):
            with pytest.raises(InvalidInput):
                run.log(given)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="already and cannot become '2'"):
            run.params({"a": 2})
        with pytest.raises(NotFound, match="there is no file"):
            run.artifact(tmp_path / "nothing")
        with pytest.raises(InvalidInput, match="no name"):
            run.artifact(b"x")
        with pytest.raises(InvalidInput, match="Invalid path"):
            run.artifact(b"x", "../x")
        run.log({"array": np.float32(0.5), "whole": 3, "one": np.array([0.25])[0]})  # type: ignore[dict-item]
    assert show_run(store, run.run_id).run.metrics == {"array": 0.5, "whole": 3.0, "one": 0.25}
    for options in ({"durability": "cloud"}, {"seed": -1}, {"experiment": " "}):
        with pytest.raises(InvalidInput):
            _begin(store, **{"experiment": "e", **options})  # type: ignore[arg-type]


def test_a_run_inside_another_is_its_child_and_the_seed_is_set(store: SqlStore) -> None:
    with _begin(store, seed=7) as outer:
        drawn = random.random()
        with _begin(store) as inner:
            pass
    assert run_row(store, inner.run_id)["parent_run_id"] == outer.run_id
    assert run_row(store, outer.run_id)["seed"] == 7
    random.seed(7)
    assert random.random() == drawn


def test_nothing_is_lost_while_the_store_is_away(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = _begin(store)
    logger = run._logger
    assert logger.wait(10)
    send = logger.target.send
    monkeypatch.setattr(logger.target, "send", lambda frames: _away())
    with caplog.at_level(logging.WARNING, "assay"):
        for step in range(100):
            run.log({"loss": float(step)}, step)
            if step % 25 == 0:
                time.sleep(0.15)
        assert not logger.wait(0.3)
    assert len(caplog.records) == 1
    assert "what is logged waits in" in caplog.text
    assert len(history(store, run.run_id, "loss")) == 0
    monkeypatch.setattr(logger.target, "send", send)
    run.finish()
    assert history(store, run.run_id, "loss").step.tolist() == list(range(100))


def _away() -> None:
    raise OSError("the cable is cut")


def test_offline_runs_are_sent_later_once(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_OFFLINE", "1")
    with _begin(store, params={"a": 1}) as run:
        run.log({"loss": 0.5}, 1)
        run.artifact(b"x", "x.txt")
    assert store.query("run") == []
    monkeypatch.delenv("ASSAY_OFFLINE")
    assert sync(store, check=True).still_open == 1
    for logger in live_run._loggers.values():
        logger.close(0.1)
    assert sync(store, check=True).journals == 1
    done = sync(store)
    assert (done.journals, done.torn_bytes, done.still_open) == (1, 0, 0)
    assert done.batches >= 1
    assert show_run(store, run.run_id).run.metrics == {"loss": 0.5}
    assert sync(store).journals == 0
    with pytest.raises(InvalidInput, match="there is no folder"):
        sync(store, "/nowhere/at/all")


def test_a_journal_that_is_sent_twice_changes_nothing(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_OFFLINE", "1")
    with _begin(store, params={"a": 1}) as run:
        run.log({"loss": 0.5}, 1)
    for logger in live_run._loggers.values():
        logger.close(0.1)
    (path,) = spool_folder(target_of(store.location)).glob("*.journal")
    content = path.read_bytes()
    sync(store)
    before = {kind: store.query(kind) for kind in ("run", "run_param", "run_metric", "metric_chunk", "run_tag")}
    path.write_bytes(content)
    assert sync(store).journals == 1
    assert before == {kind: store.query(kind) for kind in before}
    assert history(store, run.run_id, "loss").value.tolist() == [0.5]


_VICTIM = """
    import sys, time
    from assay.record.live.live_run import run
    r = run("killed", store=sys.argv[1], system_metrics=False)
    step = 0
    while True:
        r.log({"loss": float(step)}, step)
        print(step, time.time(), flush=True)
        step += 1
        time.sleep(0.0005)
"""


@pytest.mark.slow
def test_a_killed_process_loses_at_most_the_last_tenth_of_a_second(store: SqlStore) -> None:
    command = [sys.executable, "-c", textwrap.dedent(_VICTIM), store.location]
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = [process.stdout.readline()]
            until = time.monotonic() + random.uniform(0.6, 1.2)
            while time.monotonic() < until:
                said.append(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            killed = time.time()
            said += process.stdout.read().splitlines(keepends=True)
        logged = {int(step): float(when) for step, when in (line.split() for line in said if line.endswith("\n"))}
        sync(store)
        row = store.query("run", order_by=["-started"], limit=1)[0]
        kept = history(store, row["run_id"], "loss").step.tolist()
        assert kept == list(range(len(kept)))
        lost = [step for step, when in logged.items() if step >= len(kept) and when < killed - 0.5]
        assert lost == [], "the machine may be busy: half a second instead of a tenth"
        assert row["status"] == "running"


def _child(location: str) -> None:
    with live_run.run("forked", store=location, system_metrics=False) as run:
        run.log({"loss": 2.0})
    live_run.flush()
    os._exit(0)


@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_has_a_logger_of_its_own(store: SqlStore, method: str) -> None:
    with _begin(store) as outer:
        outer.log({"loss": 1.0})
        process = multiprocessing.get_context(method).Process(  # type: ignore[attr-defined] # both have it
            target=_child, args=(store.location,)
        )
        process.start()
        process.join(60)
        assert process.exitcode == 0
    assert sorted(history(store, row["run_id"], "loss").value.tolist() for row in store.query("run")) == [[1.0], [2.0]]


def test_the_same_run_on_a_real_database(
    postgres_with_store: str, postgres_store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with live_run.run("flights", store=postgres_with_store, system_metrics=False) as run:
        run.log({"loss": 0.5}, 1)
        run.artifact(b"x", "x.txt")
    assert show_run(postgres_store, run.run_id).run.metrics == {"loss": 0.5}


def test_flush_waits_for_runs_that_did_not(store: SqlStore) -> None:
    for number in range(20):
        run = _begin(store, name=f"r{number}")
        run.log({"loss": float(number)})
        run.finish(wait=False)
    assert assay.flush()
    other = open_store(store.location)
    assert {row["status"] for row in other.query("run")} == {"finished"}
    assert len(other.query("run_metric")) == 20
    other.close()


def test_an_experiment_is_put_into_the_first_project_it_is_said_to_belong_to(either_store: SqlStore) -> None:
    frames = b""
    for seq, (run_id, project) in enumerate([("a" * 32, "churn"), ("b" * 32, "other")], 1):
        columns: dict[str, str | int | float | None] = {
            "kind": "train",
            "stage": "dev",
            "trigger_type": "manual",
            "env_hash": None,
        }
        begin = Begin(run_id, "flights", "r", "2026-01-01T00:00:00.000000Z", "ada", "person", columns, project=project)
        frames += frame(encode(Batch("w" * 32, seq, [begin])))
    assert apply_frames(either_store, frames) == 2
    assert apply_frames(either_store, frames) == 0
    found = {one.project: (one.owner, one.experiments) for one in list_projects(either_store)}
    assert found["churn"] == ("ada", 1)
    [experiment] = either_store.query("experiment", {"name": "flights"})
    assert experiment["project"] == "churn"


def test_a_run_names_its_project(store: SqlStore) -> None:
    with _begin(store, project="churn"):
        pass
    assert [(one.project, one.experiments) for one in list_projects(store)] == [("churn", 1)]
    with pytest.raises(InvalidInput):
        _begin(store, project=" ")


def test_who_asks_for_the_run_finds_it_in_the_store(tmp_path: Path) -> None:
    with assay.run("e", store=tmp_path / "s", params={"lr": 1}, system_metrics=False) as run:
        run.log({"loss": 0.5})
        kept = current_run()
        assert kept is not None
        assert kept.run_id == run.run_id
        assert kept.store.query("run_metric", {"run_id": run.run_id})[0]["value"] == 0.5
        assert kept.store.query("run_param", {"run_id": run.run_id})[0]["value"] == "1"
    assert current_run() is None


def test_a_run_of_another_store_is_not_the_current_one(tmp_path: Path, store: SqlStore) -> None:
    with assay.run("e", store=tmp_path / "other", system_metrics=False):
        assert current_run(store) is None
        with start_run(store, "inner") as inner:
            assert current_run(store) is inner
    assert store.get("run", {"run_id": inner.run_id})["parent_run_id"] is None


def test_a_run_inside_is_the_child_of_the_innermost_block(tmp_path: Path, store: SqlStore) -> None:
    def begun() -> LiveRun:
        return assay.run("e", store=store.location, system_metrics=False)

    with begun() as outer, start_run(store, "e") as middle, begun() as inner:
        pass
    parents = {row["run_id"]: row["parent_run_id"] for row in store.query("run")}
    assert parents == {outer.run_id: None, middle.run_id: outer.run_id, inner.run_id: middle.run_id}


def test_a_store_that_cannot_be_asked_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASSAY_OFFLINE", "1")
    with assay.run("e", store=tmp_path / "s", system_metrics=False):
        assert current_run() is None
        assert current_run() is None
    assert [record.message for record in caplog.records if "not remembered" in record.message] == [
        f"assay: steps are not remembered: {tmp_path / 's'} cannot be asked from here"
    ]
