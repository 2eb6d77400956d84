"""`assay release`: what begins one, what a person may do to it, and what is said of it."""

import io
import json
import threading
import time

import pytest
from rich.console import Console
from tests.operate.releases.release_worlds import BROKEN, ENDPOINT, HEALTHY, SOON, Behaviour, World, versions
from tests.prove.worlds import judged

from assay.cli.releases import release_report
from assay.errors import Conflict, InvalidInput, NotFound, Refused
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.starting import new_test
from assay.operate.releases.records import events_of, find_rollout
from assay.operate.releases.releasing import (
    abort_release,
    list_releases,
    pause_release,
    release,
    release_status,
    resume_release,
)
from assay.operate.releases.replaying import replay_release
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import Ticker
from assay.prove.promotion import promote
from assay.record.ledger import verify
from assay.record.models.registry import CHAMPION, alias
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore

KINDS = ("ledger", "route", "rollout", "rollout_event", "alias_move", "deployment")


def begin(store: SqlStore, strategy: str = "canary:10,50") -> str:
    return start_release(store, ENDPOINT, 2, strategy=strategy).rollout_id


@pytest.mark.parametrize(
    ("strategy", "error"),
    [("canary:10", Refused), ("direct", Refused), ("ab", InvalidInput), ("cnary:1", InvalidInput)],
)
def test_a_version_without_a_verdict_gets_no_traffic_and_nothing_changes(
    store: SqlStore, strategy: str, error: type[Exception]
) -> None:
    versions(store, verdict=False)
    before = [store.query(kind) for kind in KINDS]
    with pytest.raises(error):
        release(store, ENDPOINT, 2, strategy=strategy, detach=True)
    assert [store.query(kind) for kind in KINDS] == before


def test_an_override_stays_on_record(store: SqlStore) -> None:
    versions(store, verdict=False)
    report = release(store, ENDPOINT, 2, strategy="canary:10", override="the fire", detach=True)
    assert report.override == "the fire"
    assert report.verdict is None
    entry = store.query("ledger", order_by=["-seq"], limit=1)[0]
    assert "the fire" in json.loads(entry["body"])["detail"]["reason"]


def test_a_shadow_needs_no_verdict_but_what_comes_after_it_does(store: SqlStore) -> None:
    versions(store, verdict=False)
    world = World(store)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="shadow,canary:10"))
    event = None
    while event is None:
        world.request(500)
        event = ticker.tick(world.now)
    assert event.kind == "hold"
    assert "has no verdict" in event.reason
    route = current_route(store, ENDPOINT)
    assert len(route.variants) == 1
    assert len(route.shadows) == 1


def test_a_shadow_without_a_verdict_says_so_loudly_as_long_as_it_is_one(store: SqlStore) -> None:
    versions(store, verdict=False)
    report = release(store, ENDPOINT, 2, strategy="shadow,canary:10", detach=True)
    assert report.unproven is not None
    assert "late/2 has no verdict against the champion" in report.unproven
    assert "before canary 10 % the release is held" in report.unproven
    text = io.StringIO()
    Console(file=text, width=200).print(release_report(report))
    assert "WITHOUT A PASS: late/2 has no verdict" in text.getvalue()
    entry = store.query("ledger", order_by=["-seq"], limit=1)[0]
    assert "has no verdict" in json.loads(entry["body"])["detail"]["reason"]
    assert abort_release(store, ENDPOINT, "enough").unproven is None


def test_a_version_that_failed_its_gate_may_watch_and_no_more(store: SqlStore) -> None:
    champion, challenger = versions(store, verdict=False)
    judged(store, challenger, champion, -0.2)
    before = [store.query(kind) for kind in KINDS]
    with pytest.raises(Refused, match="the gate's verdict on late/2 is fail") as refused:
        release(store, ENDPOINT, 2, strategy="shadow,canary:10", detach=True)
    assert "--strategy shadow" in str(refused.value.hint)
    assert [store.query(kind) for kind in KINDS] == before
    watching = release(store, ENDPOINT, 2, strategy="shadow", detach=True)
    assert watching.unproven is not None
    assert "is fail: " in watching.unproven
    assert "before it is promoted" in watching.unproven
    abort_release(store, ENDPOINT, "seen")
    assert release(store, ENDPOINT, 2, strategy="shadow,canary:10", override="we know", detach=True).unproven is None


def test_a_version_that_passed_begins_as_a_shadow_without_a_word(store: SqlStore) -> None:
    versions(store)
    assert release(store, ENDPOINT, 2, strategy="shadow,canary:10", detach=True).unproven is None


def test_direct_promotes_at_once(store: SqlStore) -> None:
    _, challenger = versions(store)
    report = release(store, ENDPOINT, 2, strategy="direct")
    assert (report.status, report.verdict) == ("promoted", "pass")
    champion = alias(store, ENDPOINT, CHAMPION)
    assert champion is not None
    assert champion.mv_id == challenger.mv_id


def test_an_endpoint_has_one_release_at_a_time(store: SqlStore) -> None:
    versions(store)
    begin(store)
    with pytest.raises(Conflict, match="a release of version 2 is running"):
        begin(store)
    with pytest.raises(NotFound):
        release(store, "nowhere", 2, detach=True)


def test_a_test_whose_split_a_promotion_ended_has_to_be_stopped_before_a_release(store: SqlStore) -> None:
    versions(store)
    metric = Metric(name="brier", numerator="brier", maturity="1d", window="0s")
    new_test(store, ENDPOINT, ["2"], metrics=[metric], name="t1")
    promote(store, "late", 2)
    with pytest.raises(Conflict, match="test t1 is running") as refused:
        start_release(store, ENDPOINT, 1, strategy="shadow")
    assert refused.value.hint == "end it first: assay test stop t1"


def test_the_champion_is_not_released_again(store: SqlStore) -> None:
    versions(store)
    with pytest.raises(Conflict, match="is the champion"):
        release(store, ENDPOINT, 1, detach=True)


def test_a_paused_release_waits_and_goes_on_in_a_new_phase(store: SqlStore) -> None:
    versions(store)
    begin(store)
    assert pause_release(store, ENDPOINT, "lunch").status == "held"
    with pytest.raises(Conflict):
        pause_release(store, ENDPOINT, "lunch")
    report = resume_release(store, ENDPOINT, "back")
    assert (report.status, report.verdict) == ("running", None), "a verdict was not asked for"
    now = find_rollout(store, ENDPOINT)
    assert [(one.phase, one.step) for one in now.detail.phases] == [(1, 0), (2, 0)]
    split = current_route(store, ENDPOINT).split
    assert split is not None
    assert split.phase == 2
    assert split.salt == now.detail.salt, "nobody changes sides"


def test_an_aborted_release_leaves_the_champion_alone(store: SqlStore) -> None:
    champion, _ = versions(store)
    begin(store)
    assert abort_release(store, ENDPOINT, "no time").status == "stopped"
    assert [one.mv_id for one in current_route(store, ENDPOINT).variants] == [champion.mv_id]
    with pytest.raises(Conflict):
        abort_release(store, ENDPOINT, "again")
    with pytest.raises(InvalidInput):
        pause_release(store, ENDPOINT, " ")
    assert [one.status for one in list_releases(store)] == ["stopped"]
    assert verify(store).sound


def test_following_a_release_ends_with_its_outcome(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    world.request(500)

    def traffic() -> None:
        deadline = time.monotonic() + 20
        while not store.query("rollout") and time.monotonic() < deadline:
            time.sleep(0.01)
        world.request(300, challenger=BROKEN)

    thread = threading.Thread(target=traffic)
    thread.start()
    report = release(store, ENDPOINT, 2, strategy="canary:10,50", wait="20s")
    thread.join()
    assert (report.status, report.verdict) == ("rolled_back", "fail")
    assert [one.state for one in report.steps] == ["now", "open"]
    assert "at most 1.00% of releases" in report.false_rollbacks


def test_following_ends_when_the_patience_does_and_the_release_goes_on(store: SqlStore) -> None:
    versions(store)
    report = release(store, ENDPOINT, 2, strategy="canary:10,50", wait="1s")
    assert (report.status, report.verdict) == ("running", "inconclusive")
    assert report.needed[0] == "200 more units of the challenger in this step"
    assert release_status(store, report.rollout_id[:8]) == report


@pytest.mark.parametrize("challenger", [HEALTHY, BROKEN])
def test_every_decision_can_be_made_again_to_the_last_bit(store: SqlStore, challenger: Behaviour) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:25,50", rules=SOON))
    for _ in range(10):
        world.request(400, challenger=challenger)
        ticker.tick(world.now)
    replay = replay_release(store, ENDPOINT)
    assert replay.reproduced
    same = [one.same for one in replay.decisions]
    assert same[0] is None, "a person began it"
    assert len(same) > 1
    assert set(same[1:]) == {True}


def test_a_decision_whose_inputs_were_changed_is_found(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    rollout = start_release(store, ENDPOINT, 2, strategy="canary:25")
    world.request(200, challenger=BROKEN)
    Ticker(store, rollout).tick(world.now)
    event = events_of(store, rollout.rollout_id)[-1]
    row = store.get("rollout_event", {"rollout_id": rollout.rollout_id, "seq": event.seq})
    inputs = json.loads(row["inputs"])
    inputs["phases"][0]["counts"]["events"]["errors"][1] -= 1
    key = {"rollout_id": rollout.rollout_id, "seq": event.seq}
    store.amend("rollout_event", key, {"inputs": json.dumps(inputs)})
    replay = replay_release(store, ENDPOINT)
    assert not replay.reproduced
    assert replay.decisions[-1].differs
