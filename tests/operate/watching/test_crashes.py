"""Thirty simulated days in which the process dies at every point: nothing is lost, and nothing is done twice."""

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.operate.loop_helpers import BEGIN, at

from assay.operate.project.settings import load_project
from assay.operate.watching import stages, story, ticking
from assay.operate.watching.commands import approve_story, list_stories
from assay.operate.watching.story import open_stories
from assay.operate.watching.ticking import declare, tick
from assay.operate.watching.work import Work
from assay.record.models.registry import CHAMPION
from assay.record.sqlstore import SqlStore

FILE = """
name = "rates"

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

[triggers.daily]
schedule = "0 6 * * *"
zone = "Europe/Vienna"
cooldown = "1h"

[release]
strategy = "direct"
approval = true

[staleness]
windows = 2
"""
DAYS = 30
WRITES = {"retraining_event", "trigger_fire", "alias_move", "test_result", "outbox"}  # after which a process may die


class Died(BaseException):
    """The process is gone."""


def write_rows(days: int) -> None:
    """Thirty rows a day up to today, of a world that turns slowly."""
    chance = np.random.default_rng(7)
    count = (days + 20) * 30
    day = np.arange(count) / 30
    x = chance.normal(size=count)
    begin = BEGIN.replace(tzinfo=None) - timedelta(days=20)
    times = [begin + timedelta(days=float(one)) for one in day]
    y = (1 + 0.02 * day) * x + chance.normal(size=count)
    csv.write_csv(pa.table({"t": times, "x": x, "y": y}), "rows.csv")


@pytest.mark.slow
@pytest.mark.no_cover
def test_thirty_days_with_deaths_everywhere_train_and_promote_each_once(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("assay.toml").write_text(FILE)
    store.clock.advance(BEGIN)
    project = load_project()
    declare(store, project)
    chance = random.Random(3)
    died: Counter[str] = Counter()

    def maybe_die(where: str, likely: float) -> None:
        if chance.random() < likely:
            died[where] += 1
            raise Died

    def dying(work: Work) -> story.StageResult:
        maybe_die(f"before {work.story.stage}", 0.15)
        found = stages.STAGES[work.story.stage](work)
        maybe_die(f"after {work.story.stage}", 0.15)
        return found

    monkeypatch.setattr(ticking, "_done", dying)
    monkeypatch.setattr(story, "_LEASE", timedelta(0))  # a process that died holds nothing up
    store.observer = lambda kind, _: maybe_die(f"after writing {kind}", 0.02) if kind in WRITES else None
    for hour in range(DAYS * 24):
        if hour % 24 == 0:
            write_rows(hour // 24)
        at(store, hour / 24)
        try:
            tick(store, [project])
        except Died:
            continue
        for waiting in open_stories(store):
            if waiting.stage == "approve" and hour % 3 == 0 and "approved" not in waiting.detail:
                observer, store.observer = store.observer, None
                approve_story(store, waiting.story_id, "looked at it")
                store.observer = observer
    store.observer = None
    monkeypatch.setattr(ticking, "_done", lambda work: stages.STAGES[work.story.stage](work))
    for _ in range(2):  # what is under way comes to its end once nobody dies any more
        tick(store, [project])
        for waiting in open_stories(store):
            approve_story(store, waiting.story_id, "looked at it")
    told = list_stories(store)
    assert len(told) == DAYS, "a planned time fires once, and none is lost"
    assert {one.status for one in told} <= {"promoted", "refused", "not_worth"}, Counter(one.reason for one in told)
    assert {where.split()[-1] for where in died} >= {"check", "gain", "train", "approve", "release", "settle"}, died
    assert any(where.startswith("after writing") for where in died)
    moves = store.query("alias_move", {"alias": CHAMPION})
    assert len(moves) == sum(one.status == "promoted" for one in told) > 0
    passed = {row["mv_id"] for row in store.query("gate", {"outcome": "pass"})}
    assert {row["mv_id"] for row in moves} <= passed, "nobody is promoted without a verdict that passed"
    approved = {row["seq"] for row in store.query("ledger", {"kind": "approval"})}
    assert len(approved) >= len(moves), "nor without a person"
    tags = store.query("run_tag", {"key": "assay.story"})
    assert len({row["value"] for row in tags}) == len(tags), "one run a story"
