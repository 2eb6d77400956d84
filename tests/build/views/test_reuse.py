"""Who uses which feature, what is found by words, and what the records say about a view."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.operate.serving_helpers import add_route, add_version
from tests.server.feature_worlds import fill_features

from assay.build.data.checks import check_results, in_range, record_results
from assay.build.views.catalogue.finding import search_features
from assay.build.views.catalogue.reuse import feature_usage
from assay.build.views.catalogue.showing import list_views, show_view
from assay.build.views.declared.aggregates import mean
from assay.build.views.declared.history import source_rows
from assay.build.views.declared.view import feature_view
from assay.build.views.joining.training_set import training_set
from assay.build.views.log.log import append_rows
from assay.build.views.log.results import AUDIT, SKEW
from assay.build.views.registry.registered import ViewVersion, register
from assay.errors import InvalidInput, NotFound
from assay.record.canonical import canonical_json
from assay.record.identity import ordered_id
from assay.record.models.aliases import clear_alias, set_alias
from assay.record.models.registry import ModelVersion
from assay.record.sqlstore import SqlStore


def _now() -> datetime:
    return datetime.now(UTC)


def _view(store: SqlStore, name: str, age: timedelta = timedelta(hours=1), **more: Any) -> ViewVersion:
    table = pa.table({"id": [1, 2], "at": [_now() - age] * 2, "amount": [1.5, None], "items": [1, 2]})
    return register(store, feature_view(name, **{"entity": "id", "time": "at", "source": table, **more}))


def _takes(store: SqlStore, model: ModelVersion, view: ViewVersion, features: Sequence[str]) -> None:
    for one in features:
        row = {"mv_id": model.mv_id, "view": view.name, "version": view.version, "feature": one, "input": one}
        store.append("feature_use", row)


def _result(store: SqlStore, kind: str, subject_kind: str, subject: str, result: str, detail: dict[str, Any]) -> None:
    row = {"id": ordered_id(), "subject_kind": subject_kind, "subject_id": subject, "tag": "M3", "kind": kind}
    store.append("test_result", {**row, "result": result, "mode": "auto", "detail": canonical_json(detail)})


def test_a_feature_is_used_by_the_models_that_take_it_and_in_production_where_they_are(store: SqlStore) -> None:
    spend, other = _view(store, "spend"), _view(store, "other")
    late, price, idle = (add_version(store, model=name) for name in ("late", "price", "idle"))
    _takes(store, late, spend, ["amount", "items"])
    _takes(store, price, spend, ["amount"])
    _takes(store, idle, spend, ["items"])
    set_alias(store, "late", "champion", 1, override="first")
    set_alias(store, "idle", "mine", 1)
    add_route(store, price, endpoint="prices")
    found = feature_usage(store)
    assert {(one.view, one.feature): (one.models, one.production) for one in found.features} == {
        ("other", "amount"): ([], []),
        ("other", "items"): ([], []),
        ("spend", "amount"): (["late/1", "price/1"], ["late/1", "price/1"]),
        ("spend", "items"): (["late/1", "idle/1"], ["late/1"]),
    }
    assert (found.reused, found.unused) == (["spend:amount"], ["other"])
    assert [one.unused_features for one in found.views] == [["amount", "items"], []]
    spending = found.views[1]
    assert spending.breaks == [
        f"late/1 of {store.actor.name} (champion) takes amount@1, items@1",
        f"price/1 of {store.actor.name} (serves prices) takes amount@1",
    ]
    assert [(one.name, one.aliases, one.endpoints) for one in found.models][-1] == ("idle/1", ["mine"], [])
    assert other.reference == "other@1"


def test_what_was_taken_away_from_production_is_not_there_any_more(store: SqlStore) -> None:
    spend = _view(store, "spend")
    old, new = add_version(store), add_version(store)
    for model in (old, new):
        _takes(store, model, spend, ["amount"])
    add_route(store, old)
    add_route(store, new)
    assert feature_usage(store).features[0].production == ["delays/2"], "two versions of a model are no reuse"
    assert feature_usage(store).reused == []
    set_alias(store, "delays", "champion", 1, override="first")
    clear_alias(store, "delays", "champion", override="no more")
    assert feature_usage(store, "spend").views[0].production == ["delays/2"]


def test_versions_in_use_and_features_that_no_model_takes_are_named(store: SqlStore) -> None:
    first = _view(store, "spend")
    second = _view(store, "spend", features=["items"])
    model = add_version(store)
    _takes(store, model, first, ["amount"])
    add_route(store, model)
    (found,) = feature_usage(store).views
    assert (found.newest, found.in_use, found.unused_features) == (2, [1], ["items"])
    assert {one.feature: one.versions for one in feature_usage(store).features} == {"items": [], "amount": [1]}
    assert show_view(store, "spend").versions[1].models == ["delays/1"]
    assert second.version == 2


@pytest.mark.parametrize(
    ("age", "promise", "expected"),
    [
        (timedelta(hours=1), "1d", "kept"),
        (timedelta(days=2), "1d", "broken"),
        (timedelta(days=2), None, "not promised"),
    ],
)
def test_freshness_is_held_against_what_was_promised(
    store: SqlStore, age: timedelta, promise: str | None, expected: str
) -> None:
    version = _view(store, "spend", age, fresh=promise)
    (found,) = feature_usage(store).views
    assert found.fresh == expected
    assert found.age_s == pytest.approx(age.total_seconds(), abs=60)
    fresher = pa.table({"id": [1], "at": [_now()], "amount": [1.0], "items": [1]})
    rows = source_rows(feature_view("x", entity="id", time="at", source=fresher))
    append_rows(store, version, rows, "push", int(_now().timestamp() * 1e6))
    (found,) = feature_usage(store).views
    assert found.fresh == ("kept" if promise else "not promised"), "what was logged counts"
    assert (found.rows, found.bytes > 0) == (1, True)


def test_freshness_is_unknown_where_nothing_came(store: SqlStore) -> None:
    empty = pa.table(
        {"id": pa.array([], pa.int64()), "at": pa.array([], pa.timestamp("us")), "a": pa.array([], "int8")}
    )
    register(store, feature_view("none", entity="id", time="at", source=empty, fresh="1d"))
    (found,) = feature_usage(store).views
    assert (found.fresh, found.age_s) == ("unknown", None)


def test_a_view_shows_its_declaration_features_and_what_was_found(store: SqlStore) -> None:
    view = _view(store, "spend", owner="ana", tags=["money"], ttl="30d", delay="1h", fresh="1d", description="Money.")
    model = add_version(store)
    _takes(store, model, view, ["amount"])
    broken = check_results(pa.table({"amount": [-1.0]}), [in_range("amount", low=0)])
    record_results(store, "spend@1", broken, "feature_view")
    skew = {"feature": "spend@1:amount", "compared": 100, "mismatches": 3, "verdict": "fail"}
    _result(store, SKEW, "model_version", model.mv_id, "fail", {"endpoint": "delays", "features": [skew]})
    leak = {"feature": "spend@1:amount", "leak": 2, "clean": 8, "correction": 0, "unexplained": 0}
    elsewhere = {"feature": "other@1:amount", "leak": 0, "clean": 8}
    _result(store, AUDIT, "dataset", "ab" * 32, "fail", {"found": "2 leaks", "features": [leak, elsewhere]})
    _result(store, AUDIT, "dataset", "cd" * 32, "pass", {"found": "none", "features": [elsewhere]})
    _result(store, "online_agreement", "feature_view", "spend@1", "pass", {"compared": 50, "differing": 0})
    found = show_view(store, "spend")
    assert (found.name, found.version, found.owner, found.ttl, found.delay, found.fresh) == (
        "spend", 1, "ana", "30d", "1h", "1d"
    )  # fmt: skip
    assert found.entity == {"id": "whole numbers"}
    assert [(one.name, one.type, one.null_rate, one.models) for one in found.features] == [
        ("amount", "double", 0.5, ["delays/1"]),
        ("items", "int64", 0.0, []),
    ]
    said = {one.what: (one.about, one.result, one.said, one.features) for one in found.results}
    assert said["replay"] == ("delays/1", "fail", "endpoint delays", {"amount": "3 of 100 served otherwise, fail"})
    assert said["audit"] == (f"rows {'ab' * 6}", "fail", "2 leaks", {"amount": "2 leak, 8 clean"})
    assert said["online against offline"] == ("spend@1", "pass", "0 of 50 entities differ", {})
    assert [one.result for one in found.results if one.what.startswith("check: ")] == ["fail"]


def test_a_view_shows_how_its_training_sets_matched(store: SqlStore) -> None:
    view = _view(store, "spend", ttl="1h")
    labels = pa.table({"id": [1, 1, 3], "t": [_now() - timedelta(minutes=30), _now() + timedelta(days=1), _now()]})
    training_set(labels, ["spend:amount"], store=store, name="sets")
    (found,) = show_view(store, "spend").sets
    assert (found.name, found.version, found.as_of) == ("sets", view.version, "event")
    assert (found.rows, found.present, found.expired, found.later) == (3, 1, 1, None)
    assert found.rate == pytest.approx(1 / 3)


def test_what_a_replay_or_an_audit_found_of_one_view_is_no_fault_of_another(store: SqlStore) -> None:
    spend, other = _view(store, "spend"), _view(store, "other")
    model = add_version(store)
    _takes(store, model, spend, ["amount"])
    _takes(store, model, other, ["amount"])
    skewed = {"compared": 100, "mismatches": 3, "verdict": "fail"}
    served = [{"feature": "spend@1:amount", **skewed}, {"feature": "other@1:amount", **skewed, "verdict": "pass"}]
    _result(store, SKEW, "model_version", model.mv_id, "fail", {"endpoint": "delays", "features": served})
    audited = [{"feature": "spend@1:amount", "clean": 8}, {"feature": "other@1:amount", "clean": 7, "correction": 1}]
    _result(store, AUDIT, "dataset", "ab" * 32, "warn", {"found": "1", "features": audited})
    for view, expected in (
        ("spend", {"replay": "fail", "audit": "pass"}),
        ("other", {"replay": "pass", "audit": "warn"}),
    ):
        assert {one.what: one.result for one in show_view(store, view).results} == expected


def test_only_the_last_result_of_a_kind_is_shown(store: SqlStore) -> None:
    _view(store, "spend")
    for result in ("fail", "pass"):
        _result(store, "online_agreement", "feature_view", "spend@1", result, {"compared": 1, "differing": 0})
    assert [one.result for one in show_view(store, "spend").results] == ["pass"]


def test_views_are_listed_with_their_newest_version(store: SqlStore) -> None:
    _view(store, "spend")
    _view(store, "spend", ttl="1d")
    _view(store, "week", features={"m": mean("amount", over="7d")})
    assert [(one.name, one.version, one.features) for one in list_views(store).views] == [
        ("spend", 2, ["amount", "items"]),
        ("week", 1, ["m"]),
    ]
    with pytest.raises(NotFound, match="did you mean 'spend'"):
        show_view(store, "spendd")


def test_features_are_found_by_every_word_and_what_is_called_so_comes_first(store: SqlStore) -> None:
    _view(store, "spend", owner="ana", tags=["money"], description="What the amount of orders is.")
    _view(store, "week", owner="ben", features={"total": mean("amount", over="7d")})
    _view(store, "amounts", features={"share": "items / 2"})
    found = [f"{one.view}:{one.feature}" for one in search_features(store, "amount").found]
    assert found == ["spend@1:amount", "amounts@1:share", "spend@1:items", "week@1:total"]
    assert [one.matched for one in search_features(store, "AMOUNT").found][1] == ["view", "source"]
    assert [one.feature for one in search_features(store, "ben mean").found] == ["total"]
    assert {one.feature for one in search_features(store, "money").found} == {"amount", "items"}
    assert [one.feature for one in search_features(store, "int64 spend").found] == ["items"]
    assert search_features(store, "nothing").found == []
    limited = search_features(store, "amount", limit=1)
    assert (limited.total, len(limited.found)) == (4, 1)
    with pytest.raises(InvalidInput):
        search_features(store, "  ")


def test_the_same_is_said_on_postgresql(postgres_store: SqlStore) -> None:
    store = postgres_store
    fill_features(store)
    assert [(one.name, one.version, one.fresh, one.failed) for one in list_views(store).views] == [
        ("congestion", 2, "kept", ["replay", "check: delay in [5, inf]"]),
        ("late_airports", 1, "broken", []),
        ("odd.view-1", 1, "not promised", []),
    ]
    shown = show_view(store, "congestion")
    assert (shown.usage.rows, shown.usage.production, shown.sets[0].present) == (40, ["delays/1"], 1)
    assert [one.feature for one in search_features(store, "airports delay").found] == ["delay_7d", "delay"]
