from datetime import timedelta
from pathlib import Path

import pytest
from tests.operate.online_tests.online_world import ACCURACY, BEGIN, coin, endpoint, names, serve
from tests.operate.serving_helpers import ENDPOINT

from assay.cli.main import run
from assay.errors import AlreadyExists, Conflict, InvalidInput, Refused
from assay.operate.online_tests.definition import Design, find_test
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.reallocating import reallocate
from assay.operate.online_tests.starting import coverage_of, new_test
from assay.operate.online_tests.status import look_at_test
from assay.operate.online_tests.stopping import end_test, ramp_test
from assay.record.identity import new_id
from assay.record.ledger import entries
from assay.record.models.registry import CHAMPION, alias, find_version
from assay.record.models.routes import current_route
from assay.record.sqlstore import SqlStore
from assay.record.store import Store

_DAY = timedelta(days=1)
WHY = "no gate in this test"


def _pass_gate(store: Store, version: int, outcome: str = "pass", decision: int = 1) -> None:
    target, champion = (find_version(store, "delays", number) for number in (version, 1))
    row = {"id": new_id(), "mv_id": target.mv_id, "subject_hash": target.hash, "baseline_mv_id": champion.mv_id}
    rest = {
        "evaluation_id": "e",
        "policy_version": "p",
        "checks": "[]",
        "outcome": outcome,
        "mode": "auto",
        "decision": decision,
    }
    store.append("gate", {**row, **rest, "detail": '{"reasons": []}'})


def test_a_test_needs_a_verdict_of_the_gate_or_a_reason(store: SqlStore) -> None:
    endpoint(store)
    with pytest.raises(Refused, match="has no verdict"):
        new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY])
    _pass_gate(store, 2, "fail")
    with pytest.raises(Refused, match="is fail"):
        new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY])
    assert current_route(store, ENDPOINT).split is None
    _pass_gate(store, 2, decision=2)
    new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY])
    assert not [entry for entry in entries(store) if entry.kind == "override"]


def test_the_traffic_begins_with_the_test_and_ends_with_it(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], coverage=2000, override=WHY)
    route = current_route(store, ENDPOINT)
    assert route.split is not None
    assert (route.split.experiment, route.split.phase, route.split.coverage) == (test.test_id, 1, 2000)
    assert {entry.kind for entry in entries(store)} >= {"test", "override"}
    with pytest.raises(Conflict, match="splits its traffic"):
        new_test(store, ENDPOINT, ["2"], name="other", metrics=[ACCURACY], override=WHY)
    with pytest.raises(AlreadyExists):
        new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], override=WHY)
    end = end_test(store, test.name, reason="enough")
    assert end.outcome == "inconclusive"
    after = current_route(store, ENDPOINT)
    assert (after.split, [one.name for one in after.variants]) == (None, ["champion"])
    assert find_test(store, None).status == "stopped"
    with pytest.raises(Conflict, match="ended at"):
        ramp_test(store, test.name, coverage=1.0)


def test_a_ramp_is_a_new_phase_and_moves_nobody(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], coverage=1000, override=WHY)
    units = names(2000)
    before = serve(store, units, at=BEGIN)
    ramped = ramp_test(store, test.name, share=0.25)
    assert [(one.phase, one.coverage) for one in ramped.phases] == [(1, 1000), (2, 5000)]
    after = serve(store, units, at=BEGIN + _DAY)
    had = {row.unit: row.variant for row in before if row.reason == "hash"}
    has = {row.unit: row.variant for row in after if row.reason == "hash"}
    assert len(has) > 4 * len(had) > 0
    assert {unit: has[unit] for unit in had} == had
    counts = look_at_test(store, test.name, as_of="2026-01-05").counts
    assert sum(own.exposed for own in counts.values()) == len(has)


def test_a_version_that_passed_is_promoted_with_the_end(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], override=WHY)
    serve(store, names(100), at=BEGIN)
    with pytest.raises(Refused, match="0 versions passed"):
        end_test(store, test.name, promote=True)
    assert find_test(store, None).status == "running"
    serve(store, names(3000, "x"), at=BEGIN, label=coin(1, lambda variant: 0.5 if variant == "champion" else 0.9))
    store.clock.advance(BEGIN + _DAY)
    end = end_test(store, test.name, promote=True)
    assert end.promotion is not None
    champion = alias(store, "delays", CHAMPION)
    assert champion is not None
    assert champion.version == 2


def test_a_look_can_be_repeated_as_of_its_moment(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], override=WHY)
    serve(store, names(1000), at=BEGIN, label=coin(1, lambda _: 0.6))
    store.clock.advance(BEGIN + _DAY)
    first = look_at_test(store, test.name)
    serve(store, names(1000, "y"), at=BEGIN + _DAY + timedelta(seconds=1), label=coin(2, lambda _: 0.7))
    store.clock.advance(BEGIN + 2 * _DAY)
    second = look_at_test(store, test.name)
    assert second.arms[0].metrics[0].units != first.arms[0].metrics[0].units
    again = look_at_test(store, test.name, as_of=first.as_of)
    assert again.arms == first.arms
    assert again.seen == first.seen
    assert [row["seq"] for row in store.query("test_reading", order_by=["seq"])] == [1, 2]


def test_a_bandit_gives_more_to_what_is_better_and_the_floor_to_the_rest(store: SqlStore) -> None:
    endpoint(store, challengers=2)
    gain = Metric(name="gain", direction="up", maturity="1h", window="0s")
    test = new_test(store, ENDPOINT, ["2", "3"], metrics=[gain], kind="bandit", floor=0.1, override=WHY)
    with pytest.raises(Refused, match="closed units"):
        reallocate(store, test.name)
    rates = {"champion": 0.3, "v2": 0.3, "v3": 0.6}
    serve(store, names(3000), at=BEGIN, label=coin(1, lambda variant: rates[variant]))
    store.clock.advance(BEGIN + _DAY)
    found = reallocate(store, test.name)
    assert found.phase == 2
    assert found.best["v3"] > 0.99
    assert found.now["v3"] > 0.4
    assert min(found.now.values()) >= 0.099
    rows = serve(store, names(3000, "z"), at=BEGIN + _DAY, label=coin(2, lambda variant: rates[variant]))
    assert {row.propensity for row in rows} == set(found.now.values())
    store.clock.advance(BEGIN + 2 * _DAY)
    effects = {arm.arm: arm.metrics[0].effect for arm in look_at_test(store, test.name).arms}
    assert effects["v3"] == pytest.approx(0.3, abs=0.06)


def test_effects_by_a_column_claim_nothing_where_there_is_nothing(store: SqlStore) -> None:
    endpoint(store)
    test = new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], override=WHY)
    serve(store, names(800), at=BEGIN, label=coin(1, lambda _: 0.6))
    store.clock.advance(BEGIN + _DAY)
    parts = look_at_test(store, test.name, by="carrier").parts
    assert parts is not None
    assert [one.part for one in parts] == ["AA", "UA"]
    assert sum(sum(one.units) for one in parts) == 800
    assert not any(one.differs for one in parts)
    with pytest.raises(InvalidInput, match="did you mean 'carrier'"):
        look_at_test(store, test.name, by="carier")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"design": Design("fixed")}, "needs a planned end"),
        ({"design": Design(alpha=0.7)}, "alpha is 0.7"),
        ({"kind": "bandit", "floor": 0.6}, "a floor of 0.6"),
        ({"weights": (1, 1, 1)}, "3 weights"),
        ({"override": " "}, "gives no reason"),
    ],
)
def test_what_cannot_be_a_test_is_refused_and_changes_nothing(
    store: SqlStore, changes: dict[str, object], says: str
) -> None:
    endpoint(store)
    with pytest.raises(InvalidInput, match=says):
        new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], **{"override": WHY, **changes})  # type: ignore[arg-type]
    assert current_route(store, ENDPOINT).revision == 1
    assert store.query("online_test") == []


def test_a_share_of_each_version_says_how_many_take_part() -> None:
    assert coverage_of(None, 0.01, (1, 1)) == 200
    assert coverage_of(None, 0.01, (2, 1, 1)) == 400
    assert coverage_of(0.5, None, (1, 1)) == 5000
    with pytest.raises(InvalidInput, match="more than 0"):
        coverage_of(None, 0.7, (1, 1))


def test_the_commands_go_through_a_test_from_plan_to_end(
    store: SqlStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint(store)
    serve(store, names(500, "before"), at=BEGIN, label=coin(3, lambda _: 0.7))
    metrics = tmp_path / "metrics.toml"
    metrics.write_text("[metrics.wrong]\nnumerator = 'wrong'\nmaturity = '1h'\nwindow = '0s'\n")
    place, file = f"--store={store.location}", f"--metrics={metrics}"

    def said(*words: str) -> str:
        assert run([*words, place]) == 0
        return capsys.readouterr().out

    assert "units of each variant" in said("test", "plan", ENDPOINT, file, "--effect=0.1", "--days=400")
    assert "false positives" in said("test", "self-check", ENDPOINT, file, "--rounds=20", "--looks=3", "--days=400")
    assert "v2" in said("test", "new", ENDPOINT, "2", file, "--share=0.1", f"--override={WHY}", "--name=t")
    assert "20%" in said("test", "show", "t")
    assert "40%" in said("test", "ramp", "t", "--share=0.2")
    assert "t" in said("test", "ls")
    assert "inconclusive" in said("test", "status", "t")
    assert '"outcome": "inconclusive"' in said("test", "status", "t", "--json")
    assert "ended" in said("test", "stop", "t", "--reason=enough")


def test_a_shadow_test_of_a_version_without_a_pass_says_so_on_record(store: Store) -> None:
    endpoint(store)
    new_test(store, ENDPOINT, ["2"], metrics=[ACCURACY], kind="shadow", name="beside")
    entry = store.query("ledger", order_by=["-seq"], limit=1)[0]
    assert "delays/2 has no verdict" in entry["body"]
    assert "the gate let it pass" not in entry["body"]
