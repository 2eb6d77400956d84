"""A release looked at again and again: what moves it on, what takes it back, and who may."""

from datetime import timedelta

import msgspec
import pytest
from tests.operate.releases.release_worlds import BROKEN, ENDPOINT, HEALTHY, SOON, Behaviour, World, versions, worse

from assay.operate.labels.recording import Label, record_labels
from assay.operate.online_tests.definition import find_test
from assay.operate.online_tests.metric import Metric
from assay.operate.predictions.prediction import Prediction
from assay.operate.releases.records import events_of, find_rollout
from assay.operate.releases.reporting import report_of
from assay.operate.releases.rules import Exposure, Rules, with_options
from assay.operate.releases.starting import start_release
from assay.operate.releases.ticking import EndpointTicker, Ticker
from assay.operate.routing.changing import end_split
from assay.record.clock import moment
from assay.record.models.registry import CHAMPION, alias
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore


def run(
    world: World, ticker: Ticker, rounds: int, n: int = 200, *, until: str = "", challenger: Behaviour = HEALTHY
) -> list[str]:
    """Rounds of traffic and a tick after each; the kinds of what happened."""
    kinds: list[str] = []
    for _ in range(rounds):
        world.request(n, challenger=challenger)
        event = ticker.tick(world.now)
        if event is not None:
            kinds.append(event.kind)
            if event.kind == until:
                break
    return kinds


def test_a_harmless_version_goes_through_all_steps_and_is_promoted(store: SqlStore) -> None:
    _, challenger = versions(store)
    world = World(store)
    world.request(500)
    rollout = start_release(store, ENDPOINT, 2, strategy="shadow,canary:10,50", rules=SOON)
    kinds = run(world, Ticker(store, rollout), 60, until="promote")
    assert kinds == ["advance", "advance", "promote"]
    champion = alias(store, "late", CHAMPION)
    assert champion is not None
    assert champion.mv_id == challenger.mv_id
    route = current_route(store, ENDPOINT)
    assert [one.mv_id for one in route.variants] == [challenger.mv_id]
    assert route.split is None
    assert find_rollout(store, ENDPOINT).status == "promoted"
    assert store.query("deployment", order_by=["decision"])[-1]["strategy"] == "shadow,canary:10,50"


@pytest.mark.parametrize(
    ("guardrail", "challenger"),
    [
        ("errors", BROKEN),
        ("slow", worse(mean_us=20_000.0)),
        ("invalid", worse(invalid=0.3)),
        ("schema", worse(flagged=0.3)),
        ("shift", worse(outputs=lambda generator: float(generator.beta(5, 2)))),
    ],
)
def test_proven_harm_of_each_kind_takes_it_back(store: SqlStore, guardrail: str, challenger: Behaviour) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:10,50", rules=SOON))
    assert run(world, ticker, 20, challenger=challenger, until="rollback") == ["rollback"]
    done = find_rollout(store, ENDPOINT)
    assert done.status == "rolled_back"
    assert done.ended is not None
    event = events_of(store, done.rollout_id)[-1]
    assert event.decision is not None
    assert [one.guardrail for one in event.decision.evidence if one.verdict == "fail"] == [guardrail]
    route = current_route(store, ENDPOINT)
    assert [one.name for one in route.variants] == [CHAMPION]
    entry = store.get("ledger", {"seq": event.ledger})
    assert entry["kind"] == "rollback"
    assert msgspec.json.decode(entry["body"])["detail"]["false_rollback_rate"] == SOON.alpha
    (incident,) = store.query("incident")
    assert (incident["opened_by"], incident["severity"], incident["decision"]) == ("rollback", "warning", event.ledger)
    assert incident["started"] <= incident["detected"] <= incident["restored"]
    assert ticker.tick(world.now) is None


def test_a_shadow_that_fails_where_the_champion_does_not_is_taken_away(store: SqlStore) -> None:
    versions(store, verdict=False)
    world = World(store)
    rollout = start_release(store, ENDPOINT, 2, strategy="shadow,canary:10", rules=SOON)
    assert run(world, Ticker(store, rollout), 5, n=20, challenger=worse(errors=0.8), until="rollback") == ["rollback"]
    assert current_route(store, ENDPOINT).shadows == ()


def test_one_client_whose_requests_all_fail_takes_nothing_back(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:50", rules=SOON))
    for _ in range(5):
        world.request(100, worse(errors=0.0), worse(errors=0.0))
        world.request(200, BROKEN, BROKEN, units=lambda _: "the one")
        event = ticker.tick(world.now)
        assert event is None or event.kind != "rollback"


def test_a_second_process_waits_for_the_lease_and_takes_over_after_a_crash(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    rollout = start_release(store, ENDPOINT, 2, strategy="canary:10,50", rules=SOON)
    first, second = Ticker(store, rollout), Ticker(store, rollout)
    world.request(100)
    first.tick(world.now)
    world.request(300, challenger=BROKEN)
    assert second.tick(world.now) is None
    assert find_rollout(store, ENDPOINT).status == "running"
    event = second.tick(world.now + timedelta(seconds=6))
    assert event is not None
    assert event.kind == "rollback"


def test_a_new_ticker_counts_what_the_one_before_it_did(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    rollout = start_release(store, ENDPOINT, 2, strategy="canary:10,50", rules=Rules(exposure=Exposure(units=10**6)))
    steady = Ticker(store, rollout)
    for _ in range(6):
        world.request(150, units=lambda number: f"unit {number % 200}")
        steady.tick(world.now)
    known = find_rollout(store, ENDPOINT)
    later = Ticker(store, known)
    later.tick(world.now + timedelta(seconds=10))
    now = find_rollout(store, ENDPOINT)
    assert later.inputs(now, world.now) == steady.inputs(now, world.now)


def test_who_changes_the_route_ends_the_release(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:10", rules=SOON))
    end_split(store, ENDPOINT, kind="route", reason="a person knows better")
    assert ticker.tick(world.now) is None
    assert find_rollout(store, ENDPOINT).status == "stopped"


def test_a_mismatch_holds_and_harm_is_rolled_back_all_the_same(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:50", rules=SOON))
    world.lose_challengers = 0.7
    assert run(world, ticker, 10, until="hold") == ["hold"]
    assert "sample ratio mismatch" in (find_rollout(store, ENDPOINT).reason or "")
    assert run(world, ticker, 3) == []
    assert run(world, ticker, 5, challenger=BROKEN, until="rollback") == ["rollback"]


def test_the_last_step_is_a_test_on_labels_and_its_success_promotes(store: SqlStore) -> None:
    _, challenger = versions(store)
    world = World(store)
    world.request(500)
    clicks = Metric(name="clicks", numerator="label", kind="mean", direction="up", maturity="0s", window="0s")
    rules = with_options(SOON, metrics=[clicks])
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="canary:50,ab", rules=rules))
    assert run(world, ticker, 10, until="advance") == ["advance"]
    test = find_test(store, find_rollout(store, ENDPOINT).detail.test_id)
    assert test.rollout == ticker.rollout_id
    kinds: list[str] = []
    for _ in range(8):
        told = world.request(400)
        record_labels(store, [_label(world, row, row.mv_id == challenger.mv_id) for row in told])
        world.now += timedelta(minutes=1)
        event = ticker.tick(world.now)
        kinds += [event.kind] if event else []
    assert kinds == ["promote"]
    assert find_test(store, test.test_id).status == "stopped"
    assert "clicks" in (find_rollout(store, ENDPOINT).reason or "")


def _label(world: World, row: Prediction, better: bool) -> Label:
    value = float(world.generator.random() < (0.8 if better else 0.2))
    return Label(row.id, value, event_ts=moment(row.ts))


def test_a_worse_model_fails_the_test_on_labels_and_is_taken_back(store: SqlStore) -> None:
    _, challenger = versions(store)
    world = World(store)
    world.request(500)
    clicks = Metric(name="clicks", numerator="label", kind="mean", direction="up", maturity="0s", window="0s")
    guard = msgspec.structs.replace(clicks, name="guard", role="guardrail", margin=0.1)
    ticker = Ticker(
        store, start_release(store, ENDPOINT, 2, strategy="ab", rules=with_options(SOON, metrics=[clicks, guard]))
    )
    kinds: list[str] = []
    for _ in range(8):
        told = world.request(400)
        record_labels(store, [_label(world, row, row.mv_id != challenger.mv_id) for row in told])
        world.now += timedelta(minutes=1)
        event = ticker.tick(world.now)
        kinds += [event.kind] if event else []
    assert kinds == ["rollback"]
    entry = store.get("ledger", {"seq": events_of(store, ticker.rollout_id)[-1].ledger})
    assert msgspec.json.decode(entry["body"])["detail"]["false_rollback_rate"] == pytest.approx(2 * 0.05)
    assert "by each test on labels in at most 10.00%" in report_of(find_rollout(store, ENDPOINT)).false_rollbacks


def test_a_server_looks_at_whatever_release_is_open(store: SqlStore) -> None:
    versions(store)
    world = World(store)
    server = EndpointTicker(store, ENDPOINT)
    assert server.tick() is None
    world.request(500)
    for _ in range(2):
        start_release(store, ENDPOINT, 2, strategy="canary:25", rules=SOON)
        assert server.tick() is None
        world.request(200, challenger=BROKEN)
        event = server.tick()
        assert event is not None
        assert event.kind == "rollback"


def test_a_shadow_is_also_compared_on_labels(store: SqlStore) -> None:
    versions(store, verdict=False)
    world = World(store)
    world.request(300)
    wrong = Metric(name="wrong", numerator="wrong", maturity="0s", window="0s", role="guardrail", margin=0.05)
    better = Metric(name="brier", numerator="brier", maturity="0s", window="0s")
    ticker = Ticker(
        store,
        start_release(store, ENDPOINT, 2, strategy="shadow:1h", rules=with_options(SOON, metrics=[wrong, better])),
    )
    told = world.request(300)
    record_labels(store, [_label(world, row, better=False) for row in told if row.role == "live"])
    assert ticker.tick(world.now + timedelta(minutes=1)) is None
    look = find_rollout(store, ENDPOINT).detail.look
    assert look is not None
    assert look.inputs.quality is not None
    assert look.inputs.quality.reading == 1


def test_proven_harm_does_not_wait_for_a_test_that_cannot_be_read(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(store)
    world = World(store)
    world.request(500)
    clicks = Metric(name="clicks", numerator="label", direction="up", maturity="0s", window="0s")
    ticker = Ticker(store, start_release(store, ENDPOINT, 2, strategy="ab", rules=with_options(SOON, metrics=[clicks])))

    def fail(*_: object) -> None:
        raise OSError("no label can be read")

    monkeypatch.setattr("assay.operate.releases.ticking.keep_quality", fail)
    world.request(100, challenger=BROKEN)
    event = ticker.tick(world.now)
    assert event is not None
    assert event.kind == "rollback"
