"""What the loop promotes: where the policy asks for a proof hardly any candidate that is no better, and real gains."""

import math
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from tests.operate.loop_helpers import BEGIN

from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.releases.records import open_rollout
from assay.operate.watching.story import open_stories
from assay.operate.watching.ticking import declare, tick
from assay.record.models.registry import CHAMPION, alias
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
how = "random"
test = 0.1

[policy]
alpha = 0.05

[policy.metrics.mae]
margin = 1e-12            # a candidate must be proven better

[triggers.hourly]
schedule = "0 * * * *"
cooldown = "1m"

[release]
strategy = "direct"

[retraining]
estimate_gain = false     # the gate alone is looked at here
"""
STORIES = 200


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: SqlStore) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "assay.toml").write_text(FILE)
    store.clock.advance(BEGIN)
    yield tmp_path
    sys.modules.pop("pipeline", None)


def write_rows(seed: int, slope: float = 1.0, rows: int = 600) -> None:
    chance = np.random.default_rng(seed)
    x = chance.normal(size=rows)
    csv.write_csv(pa.table({"x": x, "y": slope * x + chance.normal(size=rows)}), "rows.csv")


def promoted_in(store: SqlStore, project: ProjectFile, hour: float) -> str:
    store.clock.advance(BEGIN + timedelta(hours=hour))
    (told,) = tick(store, [project]).stories
    return told.status


@pytest.mark.slow
@pytest.mark.no_cover
def test_without_an_improvement_hardly_any_retraining_promotes(store: SqlStore, folder: Path) -> None:
    """200 trainings on new rows of a world that stays: at most alpha of them promote, and what chance adds."""
    project = load_project()
    declare(store, project)
    write_rows(0, rows=4000)
    assert promoted_in(store, project, 1.1) == "promoted", "beside the baseline"
    passed = 0
    for number in range(STORIES):
        write_rows(number + 1)
        # a candidate in vain doubles the rest of its trigger, up to 64 minutes
        passed += promoted_in(store, project, 1.1 + 2 * (number + 1)) == "promoted"
    alpha = project.policy.alpha
    assert passed / STORIES <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / STORIES), passed


def test_a_real_improvement_is_promoted(store: SqlStore, folder: Path) -> None:
    project = load_project()
    declare(store, project)
    write_rows(0)
    assert promoted_in(store, project, 1.1) == "promoted"
    first = alias(store, project.model_name, CHAMPION)
    write_rows(1, slope=-1.0)
    assert promoted_in(store, project, 3.1) == "promoted"
    assert alias(store, project.model_name, CHAMPION) != first


def test_the_second_candidate_in_vain_doubles_the_rest(store: SqlStore, folder: Path) -> None:
    text = FILE.replace('cooldown = "1m"', 'cooldown = "2h"')
    (folder / "assay.toml").write_text(text)
    project = load_project()
    declare(store, project)
    write_rows(0)
    promoted_in(store, project, 1.1)
    (folder / "assay.toml").write_text(text.replace("margin = 1e-12", "margin = 1e-12\nat_most = 0.01"))
    project = load_project()
    hours = []
    for hour in range(2, 26):
        write_rows(hour)
        store.clock.advance(BEGIN + timedelta(hours=hour + 0.1))
        done = tick(store, [project])
        assert all(one.status == "refused" for one in done.stories)
        hours += [hour] * len(done.fired)
    assert hours == [3, 5, 9, 17], "after two hours, two, four and eight"


def test_a_release_by_steps_is_followed_until_somebody_ends_it(store: SqlStore, folder: Path) -> None:
    """A rollback ends the story as rolled back, and leaves the champion; what opened it is not told twice."""
    from assay.operate.releases.releasing import abort_release

    project = load_project()
    declare(store, project)
    write_rows(0)
    assert promoted_in(store, project, 1.1) == "promoted"
    champion = alias(store, project.model_name, CHAMPION)
    (folder / "assay.toml").write_text(FILE.replace('"direct"', '"shadow,canary:10"'))
    steps = load_project()
    write_rows(1, slope=-1.0)
    assert promoted_in(store, steps, 3.1) == "open"
    (story,) = open_stories(store)
    assert story.stage == "release"
    begun = open_rollout(store, project.model_name)
    assert begun is not None
    assert begun.detail.look is not None
    assert begun.detail.look.inputs.elapsed_s >= 0, "also where the clock of the loop is that of a replay"
    abort_release(store, project.model_name, reason="errors")
    store.clock.advance(BEGIN + timedelta(hours=3.2))
    (told,) = tick(store, [steps]).stories
    assert told.status in {"rolled_back", "stopped"}
    assert alias(store, project.model_name, CHAMPION) == champion
