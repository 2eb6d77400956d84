"""A champion that does harm soon after its promotion is taken back, once; where the world changed nothing is."""

from contextlib import suppress
from datetime import timedelta

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from tests.operate.watching.regression_world import (
    LOOP,
    champion_of,
    looked,
    mornings,
    project_of,
    promoted,
    serve,
    write_flights,
)

from assay.operate.project.settings import ProjectFile
from assay.operate.watching import story, ticking
from assay.operate.watching.commands import retrain, show_story
from assay.operate.watching.stages import STAGES
from assay.operate.watching.story import StageResult, events_of
from assay.operate.watching.work import Work
from assay.record.alerts.alert import alert_of
from assay.record.alerts.incident import incident_of
from assay.record.models.registry import CHAMPION, ModelVersion
from assay.record.sqlstore import SqlStore
from assay.server.pages import routes


@pytest.fixture
def served(project: ProjectFile, store: SqlStore) -> ProjectFile:
    """A project whose first champion has served for a week."""
    write_flights(2000)
    found = project_of()
    promoted(store, found, 0.1)
    for day in range(1, 8):
        serve(store, found, day)
    assert not looked(store, found, 8.02).doubted
    return found


def leaking(store: SqlStore, project: ProjectFile, day: float) -> ModelVersion:
    """A version that looks better by a column that knows what will happen, and does not in service."""
    write_flights(2000, leaks=True, seed=1)
    return promoted(store, project, day)


def test_a_regression_after_a_promotion_is_rolled_back_once_and_told(store: SqlStore, served: ProjectFile) -> None:
    first = champion_of(store, served)
    bad = leaking(store, served, 8.5)
    stories = []
    for day in range(9, 30):
        serve(store, served, day)
        done = looked(store, served, day + 1.02)
        stories += done.stories
        if done.stories:
            break
    assert champion_of(store, served) == first
    (ended,) = stories
    assert (ended.status, ended.mv_id) == ("rolled_back", bad.mv_id)
    told = show_story(store, ended.story_id)
    assert [event.stage for event in told.events] == ["begin", "rollback", "restore"]
    assert f"version {bad.version} loses" in told.fired
    (incident,) = [incident_of(row) for row in store.query("incident")]
    assert (incident.found_by, incident.opened_by) == ("monitor performance", "rollback")
    assert incident.restored is not None
    assert incident.decision == told.events[1].decision
    (alert,) = [alert_of(row) for row in store.query("alert", {"key": f"monitor:performance:{served.model_name}"})]
    assert alert.action == "rolled back"
    (result,) = store.query("test_result", {"kind": "regression", "result": "fail"})
    assert result["subject_id"] == bad.mv_id
    events = [row["event"] for row in store.query("outbox")]
    assert {"incident.opened", "retraining.ended"} <= set(events)
    page = TestClient(Starlette(routes=routes(store))).get(f"/stories/{ended.story_id}").text
    assert f"Rollback of {served.model_name}" in page
    assert "the version before serves" in page
    assert "training and verdict" not in page


def test_where_the_world_changed_for_both_nothing_is_rolled_back_and_it_is_trained_anew(
    store: SqlStore, served: ProjectFile
) -> None:
    write_flights(3000, seed=2)
    later = promoted(store, served, 8.5)
    fired = []
    for day in range(9, 30):
        serve(store, served, day, chances=mornings)
        done = looked(store, served, day + 1.02)
        fired += done.fired
        if done.fired:
            break
    assert [one.trigger for one in fired] == ["harm"], "it is left to retraining"
    assert {row["result"] for row in store.query("test_result", {"kind": "regression"})} <= {"inconclusive", "pass"}
    assert not store.query("deployment", {"outcome": "rolled_back"})
    assert champion_of(store, served).version >= later.version


@pytest.mark.parametrize(("failed", "slower"), [(20, 1.0), (0, 3.0)])
def test_errors_and_slowness_that_came_with_a_version_are_proof_without_labels(
    store: SqlStore, served: ProjectFile, failed: int, slower: float
) -> None:
    first = champion_of(store, served)
    write_flights(3000, seed=2)
    promoted(store, served, 8.5)
    ended = []
    for day in range(9, 13):
        serve(store, served, day, failed=failed, slower=slower, labelled=False)
        ended += looked(store, served, day + 1.02).stories
    assert [one.status for one in ended] == ["rolled_back"]
    assert champion_of(store, served) == first


def test_a_version_that_was_well_at_first_is_not_taken_back_for_later_errors(
    store: SqlStore, served: ProjectFile
) -> None:
    write_flights(3000, seed=2)
    later = promoted(store, served, 8.5)
    for day in range(9, 30):
        serve(store, served, day, failed=20 if day > 11 else 0, labelled=False)
        assert not looked(store, served, day + 1.02).stories
    assert champion_of(store, served) == later


def test_what_was_taken_back_is_not_promoted_again_and_what_was_put_back_stays(
    store: SqlStore, served: ProjectFile
) -> None:
    first = champion_of(store, served)
    bad = leaking(store, served, 8.5)
    for day in range(9, 12):
        serve(store, served, day, failed=50, labelled=False)
        looked(store, served, day + 1.02)
    assert champion_of(store, served) == first
    for day in range(12, 20):  # the world turns: labels say that the first one is wrong now, and errors go on
        serve(store, served, day, chances=mornings, failed=50)
        looked(store, served, day + 1.02)
    stories = {row["status"]: row for row in store.query("retraining", order_by=["started"])}
    assert champion_of(store, served) == first
    assert len(store.query("deployment", {"outcome": "rolled_back"})) == 1
    assert "it was rolled back once" in stories["refused"]["reason"]
    assert stories["refused"]["mv_id"] == bad.mv_id


class Died(BaseException):
    """The process is gone."""


@pytest.mark.no_cover
def test_a_process_that_dies_at_any_write_rolls_back_once_all_the_same(
    store: SqlStore, served: ProjectFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = champion_of(store, served)
    leaking(store, served, 8.5)
    monkeypatch.setattr(story, "_LEASE", timedelta(0))  # a process that died holds nothing up
    for day in range(9, 11):
        serve(store, served, day, failed=50, labelled=False)
    died: set[str] = set()

    def maybe_die(where: str) -> None:
        if where not in died:
            died.add(where)
            raise Died

    def dying(work: Work) -> StageResult:
        maybe_die(f"before {work.story.stage}")
        found = STAGES[work.story.stage](work)
        maybe_die(f"after {work.story.stage}")
        return found

    store.observer = lambda kind, _: maybe_die(f"after writing {kind}")
    monkeypatch.setattr(ticking, "_done", dying)
    attempts = 0
    while attempts <= len(died):
        attempts += 1
        with suppress(Died):
            looked(store, served, 11.02)
            break
    store.observer = None
    looked(store, served, 11.03)
    assert died >= {f"{when} {stage}" for when in ("before", "after") for stage in ("begin", "rollback", "restore")}
    assert died >= {f"after writing {kind}" for kind in ("monitor_check", "trigger_def", "ledger", "retraining_event")}
    assert champion_of(store, served) == first
    (taken,) = store.query("deployment", {"outcome": "rolled_back"})
    assert len(store.query("deployment", {"rollback_of": taken["dep_id"]})) == 1
    assert [one.stage for one in events_of(store, *fired_for_regression(store))] == ["begin", "rollback", "restore"]
    assert len(store.query("incident")) == 1
    assert len(store.query("alias_move", {"alias": CHAMPION})) == 3


def fired_for_regression(store: SqlStore) -> list[str]:
    return [row["fire_id"] for row in store.query("trigger_fire", {"identity prefix": "regression "})]


def test_a_promotion_longer_ago_than_the_file_says_is_not_taken_back(store: SqlStore, served: ProjectFile) -> None:
    off = project_of(LOOP.replace('strategy = "direct"', 'strategy = "direct"\nrollback_within = "0d"'))
    assert off.release.rollback_within == "0d"
    bad = leaking(store, off, 8.5)
    for day in range(9, 12):
        serve(store, off, day, failed=50, labelled=False)
        assert not looked(store, off, day + 1.02).doubted
    assert champion_of(store, off) == bad


def test_a_retraining_that_is_under_way_ends_and_the_harm_goes_first(store: SqlStore, served: ProjectFile) -> None:
    first = champion_of(store, served)
    bad = leaking(store, served, 8.5)
    write_flights(2500, leaks=True, seed=4)
    begun = retrain(store, served.model_name, reason="it waits", detach=True)
    waits = project_of(LOOP.replace('strategy = "direct"', 'strategy = "direct"\napproval = true'))
    for day in range(9, 12):
        serve(store, waits, day, failed=50, labelled=False)
        looked(store, waits, day + 1.02)
    assert champion_of(store, served) == first
    story = show_story(store, begun.story.story_id).story
    assert (story.status, story.reason) == ("stopped", f"version {bad.version} is taken back first")
