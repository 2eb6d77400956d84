"""Releases of a model that asks for approvals: none begins without, none ends on one that does not count any more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.operate.releases.release_worlds import ENDPOINT, SOON, World, versions

from assay.errors import InvalidInput, Refused
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.starting import new_test
from assay.operate.online_tests.stopping import stop_test
from assay.operate.project.asking import request_approval
from assay.operate.releases.approved import plan_of
from assay.operate.releases.records import Rollout, events_of, find_rollout
from assay.operate.releases.releasing import release, resume_release
from assay.operate.releases.replaying import replay_release
from assay.operate.releases.rules import Rules
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import Ticker
from assay.operate.routing.endpoint_commands import split_endpoint
from assay.prove.alias_commands import point_alias
from assay.prove.approvals.answering import give_approval, withdraw_approval
from assay.prove.approvals.policy import declare_policy
from assay.prove.approvals.requesting import ask_for_approval
from assay.prove.approvals.showing import verify_approval
from assay.prove.promotion import go_live
from assay.record.clock import Clock
from assay.record.identity import Actor
from assay.record.ledger import entries, verify
from assay.record.models.registry import CHAMPION, ModelVersion, alias
from assay.record.people import grant_role
from assay.record.sqlstore import SqlStore

STRATEGY = "canary:25,50"


class Following(Clock):
    """The time of the traffic is that of the store, too."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def now(self) -> datetime:
        return self._world.now


@pytest.fixture
def challenger(store: SqlStore) -> ModelVersion:
    """Version 2, which the gate let pass; from now on somebody has to agree, and peter may."""
    _, found = versions(store)
    grant_role(store, "peter", "data-scientist")
    declare_policy(store, "late", tier="medium")
    return found


def agreed(store: SqlStore, version: ModelVersion, strategy: str = STRATEGY, rules: Rules = SOON, *ifs: str) -> None:
    ask_for_approval(store, version, plan=plan_of(strategy, rules))
    _as_peter(store, lambda: give_approval(store, "late", version.version, if_=list(ifs)))


def _as_peter(store: SqlStore, do: Callable[[], object]) -> None:
    before, store.actor = store.actor, Actor("peter")
    try:
        do()
    finally:
        store.actor = before


def looked(store: SqlStore, world: World, ticker: Ticker, times: int = 12, hours: float = 0.0) -> Rollout:
    """Traffic and looks until the release is no longer running, or that many times."""
    for _ in range(times):
        world.request(400)
        world.now += timedelta(hours=hours)
        ticker.tick(world.now)
        if find_rollout(store, ENDPOINT).status != "running":
            break
    return find_rollout(store, ENDPOINT)


@pytest.mark.parametrize("strategy", ["canary:25,50", "shadow,canary:10", "direct"])
def test_no_release_begins_without_an_approval_and_nothing_changes(
    store: SqlStore, challenger: ModelVersion, strategy: str
) -> None:
    kinds = ("ledger", "route", "rollout", "rollout_event", "alias_move", "deployment", "approval_request")
    before = [store.query(kind) for kind in kinds]
    with pytest.raises(Refused, match="late/2 is not approved") as refused:
        release(store, ENDPOINT, 2, strategy=strategy, detach=True)
    assert str(refused.value.hint).startswith("assay approve request late 2")
    assert [store.query(kind) for kind in kinds] == before


def test_a_release_goes_by_the_plan_and_the_rules_that_were_approved(store: SqlStore, challenger: ModelVersion) -> None:
    agreed(store, challenger)
    with pytest.raises(Refused, match="rollout plan changed from canary:25,50, rules"):
        start_release(store, ENDPOINT, 2, strategy="canary:50", rules=SOON)
    with pytest.raises(Refused, match="rollout plan changed"):
        start_release(store, ENDPOINT, 2, strategy=STRATEGY, rules=Rules())  # other guardrails than agreed
    with pytest.raises(Refused, match=r"rollout plan changed from .* to direct"):
        go_live(store, "late", 2)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy=STRATEGY, rules=SOON))
    assert looked(store, world, ticker).status == "promoted"
    (said,) = [entry.detail["approval"] for entry in entries(store, kind="promotion") if entry.subject == "late/2"]
    assert isinstance(said, dict)
    assert (said["state"], said["by"]) == ("approved", ["peter (data-scientist)"])
    assert store.query("deployment", {"mv_id": challenger.mv_id})[0]["subject_hash"] == said["subject_hash"]
    assert verify(store).sound


def test_an_approval_is_looked_at_once_more_when_the_version_goes_fully_live(
    store: SqlStore, challenger: ModelVersion
) -> None:
    agreed(store, challenger)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy=STRATEGY, rules=SOON))
    _as_peter(store, lambda: withdraw_approval(store, "late", 2, comment="the segments are wrong"))
    held = looked(store, world, ticker)
    assert held.status == "held"
    assert "late/2 is not approved: late/2 waits for one peer" in (held.reason or "")
    assert "assay approve give late 2" in (held.reason or "")
    champion = alias(store, "late", CHAMPION)
    assert champion is not None
    assert champion.version == 1
    _as_peter(store, lambda: give_approval(store, "late", 2))
    resume_release(store, ENDPOINT, "peter agrees after all")
    assert looked(store, world, ticker).status == "promoted"


def test_a_condition_on_a_stage_holds_the_release_there_until_it_is_met(
    store: SqlStore, challenger: ModelVersion
) -> None:
    agreed(store, challenger, STRATEGY, SOON, "canary >= 48h")
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy=STRATEGY, rules=SOON))
    waiting = looked(store, world, ticker, times=6, hours=4)
    assert (waiting.status, waiting.step) == ("running", 1), "of the canary's steps only the last one waits"
    assert waiting.detail.look is not None
    assert any(
        one.startswith("approved if canary >= 48h: canary ran for") for one in waiting.detail.look.decision.needed
    )
    done = looked(store, world, ticker, times=12, hours=8)
    assert done.status == "promoted"
    assert events_of(store, done.rollout_id)[-1].kind == "promote"
    assert replay_release(store, ENDPOINT).reproduced
    said = entries(store, kind="promotion")[0].detail["approval"]
    assert isinstance(said, dict)
    assert [(one["condition"], one["verdict"]) for one in said["conditions"]] == [("canary >= 48h", "pass")]
    assert verify_approval(store, "late", 2).now.state == "conditions", "what ran is known to the release alone"


def test_a_stage_that_ends_with_the_step_is_waited_for_before_the_next_one(
    store: SqlStore, challenger: ModelVersion
) -> None:
    strategy = "shadow,canary:50"
    agreed(store, challenger, strategy, SOON, "shadow >= 12h")
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy=strategy, rules=SOON))
    store.clock = Following(world)
    assert looked(store, world, ticker, times=3, hours=3).step == 0
    done = looked(store, world, ticker, times=12, hours=3)
    assert (done.status, done.step) == ("promoted", 1)


def test_an_override_of_a_release_breaks_glass_once(store: SqlStore, challenger: ModelVersion) -> None:
    world = World(store)
    world.request(500)
    begun = start_release(store, ENDPOINT, 2, strategy=STRATEGY, rules=SOON, override="the old one is on fire")
    assert looked(store, world, Ticker(store, begun)).status == "promoted"
    (row,) = store.query("approval_exception")
    assert (row["kind"], row["reason"]) == ("break_glass", "the old one is on fire")


def test_nothing_answers_people_by_other_ways_either(store: SqlStore, challenger: ModelVersion) -> None:
    metric = Metric(name="brier", numerator="brier", maturity="1d", window="0s")
    ways: list[Callable[[], object]] = [
        lambda: split_endpoint(store, ENDPOINT, variant=["champion=late@1:1", "other=late@2:99"]),
        lambda: new_test(store, ENDPOINT, ["2"], metrics=[metric]),
        lambda: point_alias(store, "late", CHAMPION, 2),
        lambda: go_live(store, "late", 2, proof="a test passed"),
    ]
    for way in ways:
        with pytest.raises(Refused, match="late/2 is not approved"):
            way()
    agreed(store, challenger, "test", Rules())
    test = new_test(store, ENDPOINT, ["2"], metrics=[metric], name="t1")
    assert stop_test(store, test, reason="enough").promotion is None
    with pytest.raises(Refused, match="rollout plan changed from test to direct"):
        ways[2]()


def test_an_approval_is_asked_for_by_the_plan_of_the_project_here(
    store: SqlStore, challenger: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="rules without a plan"):
        request_approval(store, "late", 2, rules="rules.toml")
    with pytest.raises(InvalidInput, match="unknown step 'cnary:5'"):
        request_approval(store, "late", 2, plan="cnary:5")
    text = '[data]\nsource = "x.csv"\nlabel = "y"\n[model]\ntask = "binary"\nestimator = "linear"\nname = "MODEL"\n'
    text += '[policy]\nalpha = 0.05\n[policy.metrics.accuracy]\nmargin = 0.02\n[release]\nstrategy = "canary: 5, 50"\n'
    Path("assay.toml").write_text(f'name = "flights"\n{text}')
    found = request_approval(store, "late", 2)
    assert found.request is not None
    assert found.request.plan.strategy == "direct", "this project trains another model"
    Path("assay.toml").write_text(f'name = "flights"\n{text.replace("MODEL", "late")}')
    found = request_approval(store, "late", 2, comment="as the project goes")
    assert found.request is not None
    assert found.request.plan == plan_of("canary:5,50", Rules())
    Path("rules.toml").write_text('guardrails = ["errors"]\n')
    found = request_approval(store, "late", 2, plan="canary:5,50", rules="rules.toml")
    assert found.request is not None
    assert found.request.plan == plan_of("canary:5,50", Rules(guardrails=("errors",)))
