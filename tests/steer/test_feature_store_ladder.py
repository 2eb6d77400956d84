"""How much of a feature store is worth it, from facts whose answer is known, and from a store."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from tests.operate.serving_helpers import add_route, add_version

from assay.build.views.declared.view import feature_view
from assay.build.views.log.results import AUDIT, SKEW
from assay.build.views.registry.registered import register
from assay.errors import InvalidInput
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import ordered_id
from assay.record.models.aliases import set_alias
from assay.record.sqlstore import SqlStore
from assay.steer.feature_store_ladder import LadderFacts, feature_store_worth, judge_ladder
from assay.steer.ladder_money import Range, Terms, money_of

BATCH = LadderFacts(  # two views for batch scoring, each by a model of its own
    views=2,
    features=9,
    online_models=0,
    online_with_features=0,
    owners=0,
    reused=[],
    nearly_reused=[],
    reuses=0,
    copies=0,
    copies_unknown=[],
    replayed=0,
    skewed=0,
    audited=3,
    leaking=0,
    lookups=0,
    fresh_us=None,
    days=100.0,
)
ONLINE = msgspec.structs.replace(BATCH, online_models=1, online_with_features=1, owners=1, replayed=4, lookups=1_000)


def _with(facts: LadderFacts, **changes: Any) -> LadderFacts:
    return msgspec.structs.replace(facts, **changes)


def test_no_reuse_no_skew_and_batch_only_is_rung_0() -> None:
    found = judge_ladder(BATCH)
    assert (found.rung, found.verdict) == (0, "pass")
    assert "no feature is taken by two models in production" in found.why
    assert any("a second model in production" in said for said in found.triggers)


@pytest.mark.parametrize(
    ("changes", "rung", "why"),
    [
        ({"reused": ["spend:amount"]}, 1, "1 feature taken by several models in production: spend:amount"),
        ({"copies": 2}, 1, "2 pairs of features that are copies"),
        ({"fresh_us": 3_600_000_000}, 2, "promises to be never older than 1h"),
        ({"online_models": 1, "online_with_features": 1, "replayed": 3, "skewed": 1}, 2, "1 of 3 replays"),
        (
            {"online_models": 1, "online_with_features": 1, "replayed": 3, "lookups": 5},
            2,
            "5 answers looked features up",
        ),
    ],
)
def test_what_costs_something_now_needs_its_rung(changes: dict[str, Any], rung: int, why: str) -> None:
    found = judge_ladder(_with(BATCH, **changes))
    assert (found.rung, found.verdict) == (rung, "pass")
    assert any(why in said for said in found.why)


def test_a_daily_promise_needs_no_online_store() -> None:
    assert judge_ladder(_with(BATCH, fresh_us=86_400_000_000)).rung == 0


def test_a_platform_needs_many_models_many_owners_and_shared_features() -> None:
    many = _with(ONLINE, online_models=12, online_with_features=12, owners=4, reused=["a:b"])
    assert judge_ladder(many).rung == 3
    assert judge_ladder(many).triggers == []
    assert judge_ladder(_with(many, online_with_features=9)).rung == 2
    assert judge_ladder(_with(many, owners=2)).rung == 2
    assert judge_ladder(_with(many, reused=[])).rung == 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"online_models": 1, "online_with_features": 1, "lookups": 0}, "nothing was replayed"),
        ({"online_models": 2}, "2 models online take them from callers"),
        ({"online_models": 1, "online_with_features": 1, "replayed": 1, "lookups": None}, "no window was read"),
        ({"copies_unknown": ["spend@1: the time was over"]}, "whether features are copies: spend@1"),
    ],
)
def test_what_nobody_measured_decides_nothing_and_is_said(changes: dict[str, Any], said: str) -> None:
    found = judge_ladder(_with(BATCH, **changes))
    assert (found.rung, found.verdict) == (0, "inconclusive")
    assert any(said in one for one in found.not_measured)


def test_what_is_unknown_below_the_rung_that_is_needed_anyway_does_not_matter() -> None:
    found = judge_ladder(_with(ONLINE, copies_unknown=["spend@1: the time was over"]))
    assert (found.rung, found.verdict) == (2, "pass")


def test_leaks_are_what_rung_0_prevents_and_a_set_nobody_audited_is_told() -> None:
    found = judge_ladder(_with(BATCH, leaking=1))
    assert found.rung == 0
    assert any("1 of 3 audits found values that were not known" in said for said in found.why)
    assert any("no training set was audited" in said for said in judge_ladder(_with(BATCH, audited=0)).not_measured)
    measures = {one.name: one.value for one in judge_ladder(_with(BATCH, audited=0)).measures}
    assert (measures["leaks"], measures["skew"], measures["features"]) == (None, None, 9)


def test_money_is_counted_only_from_what_a_person_says() -> None:
    assert judge_ladder(BATCH).money is None
    terms = Terms.given(hours="4-16", rate="60..100", loss="1000", prevented="0.5 to 0.8", yearly="3652.5")
    found = money_of(10, 2, 100.0, terms)
    assert found is not None
    assert found.net == Range(4 * 60 * 10 + 1000 * 0.5 * 2 - 1000, 16 * 100 * 10 + 1000 * 0.8 * 2 - 1000)
    assert len(found.lines) == 3
    partly = money_of(10, 2, 100.0, Terms.given(hours="4", rate="60"))
    assert partly is not None
    assert (partly.net, len(partly.lines)) == (Range(2_400, 2_400), 1)
    assert any("2 incidents" in said for said in partly.left_out)
    assert any("--yearly" in said for said in partly.left_out)


@pytest.mark.parametrize(
    "given", [{"hours": "x"}, {"hours": ""}, {"rate": "9-5"}, {"loss": "-3"}, {"prevented": "2"}, {"yearly": "1e9"}]
)
def test_what_is_no_range_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match=f"--{next(iter(given))} is"):
        Terms.given(**given)


def test_an_empty_store_needs_nothing(store: SqlStore) -> None:
    found = feature_store_worth(store)
    assert (found.rung, found.verdict) == (0, "pass")


def test_the_facts_come_from_the_records(store: SqlStore) -> None:
    times = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 31)]
    amounts = [float(day * day % 31) for day in range(30)]
    table = pa.table({"id": [1] * 30, "at": times, "amount": amounts})
    view = register(store, feature_view("spend", entity="id", time="at", source=table))
    late, price, idle = (add_version(store, model=name) for name in ("late", "price", "idle"))
    for model in (late, price, idle):
        taken = {"view": view.name, "version": view.version, "feature": "amount", "input": "amount"}
        store.append("feature_use", {"mv_id": model.mv_id, **taken})
    set_alias(store, "price", "champion", 1, override="first")
    found = feature_store_worth(store)
    assert (found.rung, found.verdict) == (0, "pass")
    assert any("as soon spend:amount" in said for said in found.triggers)
    add_route(store, late, endpoint="delays")
    register(store, feature_view("spend", entity="id", time="at", source=table, fresh="2h"))
    found = feature_store_worth(store)
    assert (found.rung, found.verdict) == (2, "pass")
    assert "a view in production promises to be never older than 2h" in found.why
    assert any("nothing was replayed" in said for said in found.not_measured)
    for kind, subject_kind, subject in ((SKEW, "model_version", late.mv_id), (AUDIT, "dataset", "ab" * 32)):
        row = {"id": ordered_id(), "subject_kind": subject_kind, "subject_id": subject, "tag": "M3", "kind": kind}
        store.append("test_result", {**row, "result": "fail", "mode": "auto", "detail": canonical_json({})})
    window = {
        "endpoint": "delays",
        "mv_id": late.mv_id,
        "day": iso(store.clock.now())[:10],
        "model": "late",
        "predictions": 70,
    }
    store.append("serving_window", {**window, "logged": 70, "labelled": 0, "known": 0, "errors": 0})
    before = {**window, "day": "2024-01-02", "logged": 9, "labelled": 0, "known": 0, "errors": 0}
    store.append("serving_window", {**before, "predictions": 9})  # too long ago to cost anything now
    register(store, feature_view("twin", entity="id", time="at", source=table.rename_columns(["id", "at", "sum"])))
    measures = {one.name: one.value for one in feature_store_worth(store, hours="4", rate="50").measures}
    assert measures == {
        "feature views": 2,
        "features": 2,
        "models online": 1,
        "models online with features of views": 1,
        "features reused": 1,
        "reuses": 2,
        "copies": 1,
        "skew": 1,
        "leaks": 1,
        "lookups": 70,
        "freshness in days": pytest.approx(1 / 12),
    }
