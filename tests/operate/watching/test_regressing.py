"""A candidate that passed the gate and does harm in service is taken back, and its story says so."""

from pathlib import Path

import pytest
from tests.operate.releases.release_worlds import BROKEN, ENDPOINT, World
from tests.operate.watching.test_promoting import FILE, write_rows

from assay.operate.project.settings import load_project
from assay.operate.watching.commands import retrain, show_story
from assay.operate.watching.story import open_stories
from assay.operate.watching.ticking import tick
from assay.record.clock import Clock
from assay.record.models.registry import CHAMPION, alias
from assay.record.sqlstore import SqlStore

RULES = "[exposure]\nunits = 100\n"


def test_a_regression_in_service_is_rolled_back_and_the_champion_stays(
    store: SqlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    steps = FILE.replace('name = "rates"', f'name = "{ENDPOINT}"').replace("margin = 1e-12", "margin = 0.5")
    Path("assay.toml").write_text(steps.replace('"direct"', '"canary:10,50"\nrules = "rules.toml"'))
    Path("rules.toml").write_text(RULES)
    write_rows(0)
    assert retrain(store, ENDPOINT).story.status == "promoted", "where nothing serves"
    champion = alias(store, ENDPOINT, CHAMPION)
    world = World(store)
    monkeypatch.setattr(Clock, "now", lambda _clock: world.now)
    world.request(500)
    write_rows(1)
    assert retrain(store, ENDPOINT).story.status == "open", "its canary has begun"
    (waiting,) = open_stories(store)
    for _ in range(20):
        world.request(200, challenger=BROKEN)
        if not open_stories(store):
            break
        tick(store, [load_project()], world.now)
    told = show_story(store, waiting.story_id)
    assert told.story.status == "rolled_back"
    assert alias(store, ENDPOINT, CHAMPION) == champion
    assert len(store.query("incident")) == 1, "opened once, by the release"
