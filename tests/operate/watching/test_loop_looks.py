"""The loop on a real project: what fires becomes a candidate, a verdict, and a champion or a refusal."""

from datetime import timedelta
from pathlib import Path

import pytest
from tests.operate.loop_helpers import at

from assay.errors import Conflict, InvalidInput
from assay.operate.project.settings import ProjectFile
from assay.operate.watching import commands, story, ticking
from assay.operate.watching.commands import list_stories, retrain, show_story, stop_story, watch
from assay.operate.watching.ticking import tick
from assay.record.models.registry import CHAMPION, alias
from assay.record.sqlstore import SqlStore


def test_what_is_planned_becomes_a_champion_and_is_told(store: SqlStore, project: ProjectFile) -> None:
    at(store, 0.2)
    assert tick(store, [project]).fired == []
    at(store, 0.3)
    done = tick(store, [project])
    assert [one.trigger for one in done.fired] == ["daily"]
    (told,) = done.stories
    champion = alias(store, project.model_name, CHAMPION)
    assert champion is not None
    assert (told.status, told.mv_id) == ("promoted", champion.mv_id)
    shown = show_story(store, told.story_id)
    assert [event.stage for event in shown.events] == ["begin", "check", "gain", "train", "release", "settle"]
    assert "it was planned for 2013-05-01 06:00 UTC" in shown.fired
    run = store.get("run", {"run_id": told.run_id})
    assert (run["trigger_type"], run["status"]) == ("schedule", "finished")
    assert tick(store, [project]).fired == []


def test_a_training_on_the_same_data_is_not_worth_it(store: SqlStore, project: ProjectFile) -> None:
    at(store, 0.3)
    tick(store, [project])
    at(store, 1.3)
    (told,) = tick(store, [project]).stories
    assert told.status == "not_worth"
    assert told.reason is not None
    assert "nothing has changed since it was trained" in told.reason


def test_a_fault_in_a_users_code_ends_the_story_and_not_the_loop(store: SqlStore, project: ProjectFile) -> None:
    text = Path("pipeline.py").read_text()
    Path("pipeline.py").write_text(
        text.replace("def train(", "def train(*_, **__):\n    raise ZeroDivisionError\n\n\ndef other(")
    )
    at(store, 0.3)
    (told,) = tick(store, [project]).stories
    assert told.status == "failed"


def test_by_hand_a_story_is_carried_to_its_end(store: SqlStore, project: ProjectFile) -> None:
    told = retrain(store, project.model_name, reason="a new law")
    assert (told.fired, told.story.status) == ("a new law", "promoted")
    with pytest.raises(InvalidInput, match="the project trains"):
        retrain(store, "other", reason="why")
    assert [one.story_id for one in list_stories(store)] == [told.story.story_id]


def test_a_story_that_was_stopped_is_not_carried_on(store: SqlStore, project: ProjectFile) -> None:
    told = retrain(store, project.model_name, reason="a new law", detach=True)
    assert told.story.status == "open"
    stopped = stop_story(store, told.story.story_id[:6], reason="a mistake")
    assert (stopped.story.status, stopped.story.reason) == ("stopped", "a mistake")
    with pytest.raises(Conflict, match="has ended"):
        stop_story(store, told.story.story_id, reason="again")
    assert tick(store, [project]).stories == []


def test_a_look_of_the_command_declares_what_the_file_says(store: SqlStore, project: ProjectFile) -> None:
    at(store, 0.3)
    done = watch(store, once=True)
    assert [one.model for one in done.fired] == [project.model_name]
    with pytest.raises(InvalidInput, match="two projects train"):
        watch(store, project=[".", "."], once=True)


def test_while_another_process_is_at_a_story_nobody_else_is(store: SqlStore, project: ProjectFile) -> None:
    told = retrain(store, project.model_name, reason="a new law", detach=True)
    with story.held(store, told.story) as ours:
        assert ours
        (said,) = tick(store, [project]).waiting
        assert "another process is at it" in said
    assert [one.status for one in tick(store, [project]).stories] == ["promoted"]


def test_a_story_that_cannot_go_on_now_says_why_and_holds_up_nothing(
    store: SqlStore, project: ProjectFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = retrain(store, project.model_name, reason="a new law", detach=True)

    def away(work: object) -> story.StageResult:
        raise InvalidInput("the folder is away")

    with monkeypatch.context() as patch:
        patch.setattr(ticking, "_done", away)
        done = tick(store, [project])
    assert done.waiting == [f"story {told.story.story_id[:8]} of {project.model_name}: the folder is away"]
    assert [one.status for one in tick(store, [project]).stories] == ["promoted"]


def test_of_two_that_run_without_end_one_leads_until_it_has_gone(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    length, now = timedelta(seconds=180), store.clock.now()

    def after(seconds: float) -> None:
        monkeypatch.setattr(type(store.clock), "now", lambda _: now + timedelta(seconds=seconds))

    after(0)
    assert commands._leads(store, "one", length)
    for seconds in range(0, 600, 60):
        after(seconds)
        assert commands._leads(store, "one", length)
        assert not commands._leads(store, "two", length)
    after(540 + 181)
    assert commands._leads(store, "two", length)
    assert not commands._leads(store, "one", length)
