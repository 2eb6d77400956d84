"""A person says yes before a release where the project asks for it, however often the loop starts anew meanwhile."""

from pathlib import Path

import pytest
from tests.operate.loop_helpers import at

from assay.errors import Conflict, InvalidInput
from assay.operate.project.settings import ProjectFile, load_project
from assay.operate.watching.commands import approve_story, show_story, stop_story
from assay.operate.watching.story import Story
from assay.operate.watching.ticking import tick
from assay.record.models.registry import CHAMPION, alias
from assay.record.sqlstore import SqlStore


@pytest.fixture
def asking(project: ProjectFile) -> ProjectFile:
    text = Path("assay.toml").read_text()
    Path("assay.toml").write_text(text.replace("\n[release]\nstrategy", "\n[release]\napproval = true\nstrategy"))
    return load_project()


@pytest.fixture
def waiting(store: SqlStore, asking: ProjectFile) -> Story:
    at(store, 0.3)
    (told,) = tick(store, [asking]).stories
    return told


def test_it_waits_until_somebody_approves_and_says_so_once(
    store: SqlStore, asking: ProjectFile, waiting: Story
) -> None:
    assert (waiting.status, waiting.stage) == ("open", "approve")
    for hour in range(3):
        at(store, 0.4 + hour / 24)
        tick(store, [load_project()])
    events = show_story(store, waiting.story_id).events
    assert [one.outcome for one in events if one.stage == "approve"] == ["waiting"]
    assert alias(store, asking.model_name, CHAMPION) is None
    with pytest.raises(InvalidInput, match="no reason"):
        approve_story(store, waiting.story_id, " ")
    approve_story(store, waiting.story_id[:8], "looked at the segments")
    (done,) = tick(store, [asking]).stories
    assert done.status == "promoted"
    champion = alias(store, asking.model_name, CHAMPION)
    assert champion is not None
    assert champion.mv_id == waiting.mv_id
    (said,) = [one for one in show_story(store, waiting.story_id).events if one.stage == "approve" and one.decision]
    assert "looked at the segments" in said.words
    assert store.get("ledger", {"seq": said.decision})["kind"] == "approval"


def test_who_says_no_stops_it(store: SqlStore, asking: ProjectFile, waiting: Story) -> None:
    stop_story(store, waiting.story_id, reason="not this one")
    with pytest.raises(Conflict, match="does not wait for a person: stopped"):
        approve_story(store, waiting.story_id, "yes")
    at(store, 0.5)
    assert tick(store, [asking]).stories == []
