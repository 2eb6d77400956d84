"""A staleness curve finds the decay that a world has, and none where there is none."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.operate.loop_helpers import BEGIN

from assay.errors import InvalidInput, NotFound
from assay.operate.project.aging import AgePoint, Staleness, measure_staleness
from assay.operate.project.aging_picture import draw_staleness
from assay.operate.project.settings import load_project
from assay.operate.watching.commands import retrain, staleness
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
margin = 10.0

[release]
strategy = "direct"
"""
COSTS = """
[staleness]
windows = 4
training = 50.0
loss = 0.01
predictions = 1000
"""


def world(folder: Path, per_day: float, *, more: str = "", days: int = 60) -> None:
    """y is a slope times x that turns by `per_day`; 40 rows a day."""
    chance = np.random.default_rng(4)
    count = days * 40
    day = np.arange(count) / 40
    x = chance.normal(size=count)
    begin = BEGIN.replace(tzinfo=None)
    times = [begin + timedelta(days=float(one)) for one in day]
    y = (1.0 + per_day * day) * x + 0.3 * chance.normal(size=count)
    csv.write_csv(pa.table({"t": times, "x": x, "y": y}), folder / "rows.csv")
    (folder / "assay.toml").write_text(FILE + more)


def test_a_world_that_turns_shows_its_decay(store: SqlStore, tmp_path: Path) -> None:
    world(tmp_path, 0.03, more=COSTS)
    found = measure_staleness(store, load_project(tmp_path))
    assert found.low > 0
    assert len(found.points) == 4
    assert [one.age_s for one in found.points] == sorted(one.age_s for one in found.points)
    assert found.advised is not None
    assert found.advised.best_s is not None
    assert "train about every" in found.words


def test_a_world_that_stays_shows_none(store: SqlStore, tmp_path: Path) -> None:
    world(tmp_path, 0.0)
    found = measure_staleness(store, load_project(tmp_path))
    assert found.low < 0 < found.high or abs(found.per_second) * 86_400 < 1e-3


def test_the_curve_is_a_test_of_the_champion_and_part_of_its_story(store: SqlStore, tmp_path: Path) -> None:
    world(tmp_path, 0.03, more=COSTS)
    with pytest.raises(NotFound, match="no champion"):
        staleness(store, str(tmp_path))
    told = retrain(store, "rates", project=str(tmp_path))
    assert told.story.status == "promoted"
    assert told.events[-1].stage == "staleness"
    assert "a day of age" in told.events[-1].words
    (row,) = store.query("test_result", {"kind": "staleness"})
    assert row["subject_id"] == told.story.mv_id
    picture = tmp_path / "curve.svg"
    found = staleness(store, str(tmp_path), picture=str(picture))
    assert "What age costs rates" in picture.read_text()
    assert len(store.query("test_result", {"kind": "staleness"})) == 2
    assert found.per_second > 0


def test_rows_without_time_have_no_age(store: SqlStore, tmp_path: Path) -> None:
    world(tmp_path, 0.0)
    text = (tmp_path / "assay.toml").read_text()
    (tmp_path / "assay.toml").write_text(text.replace('how = "time"\nby = ["t"]', 'how = "random"'))
    with pytest.raises(InvalidInput, match="not split by it"):
        measure_staleness(store, load_project(tmp_path))
    with (tmp_path / "assay.toml").open("a") as file:
        file.write("\n[staleness]\nwindows = 3\n")
    with pytest.raises(InvalidInput, match="staleness is a matter of time"):
        load_project(tmp_path)


def test_a_picture_shows_each_point() -> None:
    points = [AgePoint(86_400.0 * day, 0.01 * day, 0.005, 100, f"2013-05-{day:02d}") for day in (1, 2, 4)]
    found = Staleness(per_second=1e-7, low=5e-8, high=2e-7, points=points, advised=None, words="it loses")
    svg = draw_staleness(found).svg
    assert svg.count("<circle") == 3
    assert "2013-05-04: 0.04 on 100 rows" in svg
