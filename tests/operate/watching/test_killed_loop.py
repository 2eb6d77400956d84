"""`assay watch` as a process that is killed again and again: one firing, one story, one promotion all the same."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv

from assay.operate.project.candidate import read_data
from assay.operate.project.settings import load_project
from assay.operate.watching.commands import retrain
from assay.record.ledger import verify
from assay.record.location import open_store
from assay.record.models.registry import CHAMPION
from assay.record.store import Row, Store

FILE = """
name = "rates"
store = "store"

[data]
source = "rows.csv"
label = "y"

[model]
task = "regression"
estimator = "linear"

[split]
how = "time"
by = ["t"]
test = 0.2

[policy.metrics.mae]
margin = 0.2

[triggers.more]
new_data = { dataset = "rates", rows = 500 }
cooldown = "1s"

[release]
strategy = "direct"

[retraining]
estimate_gain = false

[staleness]
windows = 2
"""
# Forks a process of `assay watch` for each line that it reads: what takes long to import is there already. The lease of
# one that was killed holds nobody up here, as another one only begins once it is gone; all else is as people run it.
NURSERY = """
import os, sys
from datetime import timedelta
import duckdb, pyarrow.csv, sklearn.ensemble, sklearn.linear_model
from assay.cli.main import main
from assay.operate.watching import commands, story
story._LEASE, commands._LEASE = timedelta(0), timedelta(seconds=-9)
for _ in sys.stdin:
    pid = os.fork()
    if pid == 0:
        main(["watch", "--every", "1s"])
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""
KILLS, MOST_LOOKS = 10, 600


def write_rows(rows: int) -> None:
    chance = np.random.default_rng(7)
    day = np.arange(rows) / 30
    x = chance.normal(size=rows)
    times = [datetime(2026, 1, 1) + timedelta(days=float(one)) for one in day]
    csv.write_csv(pa.table({"t": times, "x": x, "y": x * (1 + 0.01 * day) + chance.normal(size=rows)}), "rows.csv")


def stories(store: Store) -> list[Row]:
    """Those that the trigger began."""
    fired = store.query("trigger_fire", {"outcome": "fired", "identity prefix": "data "})
    return store.query("retraining", {"fire_id in": [one["fire_id"] for one in fired]})


class Nursery:
    """Processes of `assay watch`, one at a time."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-c", NURSERY], stdin=pipe, stdout=pipe, text=True)

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def watched(self, seconds: float, enough: Callable[[], bool] = lambda: True) -> None:
        """Begin one, kill it after so long, or once it is enough, and wait until it is gone."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        pid = int(process.stdout.readline())
        try:
            for _ in range(MOST_LOOKS):
                time.sleep(seconds)
                if enough():
                    return
            raise AssertionError("the story did not end")
        finally:
            os.kill(pid, signal.SIGKILL)
            assert process.stdout.readline() == "gone\n"


@pytest.mark.slow
@pytest.mark.no_cover
def test_killed_ten_times_the_loop_fires_trains_and_promotes_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "OMP_WAIT_POLICY", "PASSIVE")
    Path("assay.toml").write_text(FILE)
    write_rows(1000)
    store = open_store("store", create=True)
    begun = time.monotonic()
    assert retrain(store, "rates").story.status == "promoted"
    took = time.monotonic() - begun  # what is killed takes about as long
    write_rows(1600)
    project = load_project()
    read_data(store, project)  # whoever brings the rows says so
    chance, stages = random.Random(11), set()
    with Nursery() as nursery:
        for _ in range(KILLS):
            nursery.watched(took * chance.uniform(0.02, 0.3))
            stages |= {one["stage"] for one in stories(store) if one["status"] == "open"}
        nursery.watched(0.1, lambda: [one["status"] for one in stories(store)] not in ([], ["open"]))
    (story,) = stories(store)
    assert story["status"] == "promoted", story["reason"]
    assert stages, "it was killed while the story went on"
    (fired,) = store.query("trigger_fire", {"identity prefix": "data ", "outcome": "fired"})
    assert (fired["linked_run"], story["mv_id"]) == (story["run_id"], champion(store))
    assert len(store.query("alias_move", {"alias": CHAMPION, "model": "rates"})) == 2, "one promotion after the first"
    assert len(store.query("deployment", {"mv_id": story["mv_id"]})) == 1
    assert store.query("gate", {"mv_id": story["mv_id"], "outcome": "pass"})
    tags = store.query("run_tag", {"key": "assay.story", "value": story["story_id"]})
    assert len(tags) == 1, "one run"
    events = store.query("retraining_event", {"story_id": story["story_id"]}, order_by=["seq"])
    names = [one["stage"] for one in events]
    assert names == ["begin", "check", "gain", "train", "release", "settle", "staleness"]
    told = [row for row in store.query("outbox", {"event": "retraining.ended"}) if story["story_id"] in row["payload"]]
    assert len(told) == 1
    assert verify(store).sound
    store.close()


def champion(store: Store) -> str:
    (last,) = store.query("alias_move", {"alias": CHAMPION, "model": "rates"}, order_by=["-seq"], limit=1)
    return str(last["mv_id"])
