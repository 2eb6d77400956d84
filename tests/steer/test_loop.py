"""The story of a model, read back from records that were written one by one."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score
from tests.operate.monitors.labelled_helpers import BEGIN, look, window_of
from tests.steer.summaries import checks

from assay.errors import NotFound
from assay.operate.monitors.definition import Definition
from assay.operate.monitors.kinds.performance import Performance
from assay.operate.monitors.kinds.promised import Reference
from assay.operate.monitors.versions import watch_version
from assay.operate.triggers.definition import TriggerDefinition
from assay.operate.triggers.firing import fire, link_run
from assay.operate.triggers.records import declare_triggers
from assay.operate.triggers.truth import Cause
from assay.prove.gate import Check
from assay.prove.policy import Guard, Policy
from assay.prove.promotion import promote
from assay.record.canonical import canonical_json
from assay.record.datasets import snapshot
from assay.record.identity import new_id
from assay.record.ledger import decide
from assay.record.models.registry import ModelVersion, register
from assay.record.sqlstore import SqlStore
from assay.record.store import Store
from assay.record.tracking.runs import Run, start_run
from assay.steer.loop import summarise

MODEL = "late-orders"
POLICY = Policy("orders", {"brier": Guard(0.005)}, segments=["region", "shop"], alpha=0.05)


def add_version(store: Store, run: Run, folder: Path) -> ModelVersion:
    folder = folder / run.run_id
    folder.mkdir()
    (folder / "model").write_text(run.run_id)
    return register(store, MODEL, folder, run=run, signature={}, description="a model")


def judge(store: Store, version: ModelVersion, baseline: ModelVersion, verdict: str, found: list[Check]) -> None:
    decision = decide(store, "gate", f"{version.model}/{version.version}", {"verdict": verdict})
    row = {"id": new_id(), "mv_id": version.mv_id, "baseline_mv_id": baseline.mv_id, "subject_hash": version.hash}
    row |= {"evaluation_id": "e", "policy_version": POLICY.version, "outcome": verdict, "mode": "auto"}
    detail = {"policy": msgspec.to_builtins(POLICY), "reasons": [f"because {verdict}"]}
    texts = {"checks": canonical_json(msgspec.to_builtins(found)), "detail": canonical_json(detail)}
    store.append("gate", {**row, **texts, "decision": decision})


def check(store: Store, table: str, *results: str) -> None:
    for result in results:
        row = {"id": new_id(), "subject_kind": "dataset", "subject_id": table, "tag": "t", "kind": "k"}
        store.append("test_result", {**row, "result": result, "mode": "auto"})


@pytest.fixture
def first(store: SqlStore, tmp_path: Path) -> ModelVersion:
    """A champion that beat a baseline on checked data; nothing more has happened."""
    store.clock.advance(datetime(2024, 1, 1, tzinfo=UTC))
    orders = snapshot(store, "orders", pa.table({"x": [1, 2, 3]}), source_system="register", licence="CC0-1.0")
    shops = snapshot(store, "shops", pa.table({"y": [1]}))
    with start_run(store, MODEL, "data", kind="data", model=MODEL) as run:
        for table in (orders, shops):
            run.uses(table.artifact_id, table.name)
        check(store, orders.hash, "pass", "pass", "warn")
        check(store, shops.hash, "pass")
    check(store, orders.hash, "fail")  # by somebody else, later
    with start_run(store, MODEL, "train", seed=7, model=MODEL) as run:
        baseline, champion = add_version(store, run, tmp_path), None
    with start_run(store, MODEL, "train again", seed=7, model=MODEL) as run:
        champion = add_version(store, run, tmp_path)
    judge(store, champion, baseline, "pass", checks(overall=0.012, worse={}, seed=1))
    promote(store, MODEL, champion.version)
    decide(store, "gate", "another/1", {})
    return champion


def watch(store: Store, version: ModelVersion, start: int, days: int) -> list[float]:
    definition = Definition(kind="performance", metric="auc", tolerance=0.01, alpha=0.05)
    shown = {"all rows": Reference(0.75, 0.72, 30)}
    monitor = watch_version(store, version, definition, shown, endpoint=MODEL, since=BEGIN)
    chance, values = np.random.default_rng(start), []
    for day in range(start, start + days):
        labels, scores = np.repeat([0.0, 1.0], 40), chance.normal(np.repeat([0.0, 0.6], 40))
        scores = 1 / (1 + np.exp(-scores))
        window = window_of(day - 1, scores, labels, mv_id=version.mv_id)
        value = look(store, Performance(), monitor, window).value
        assert value is not None
        assert value == pytest.approx(roc_auc_score(labels, scores), abs=2e-3)
        values.append(value)
    few = np.array([0.0, 1.0])
    look(store, Performance(), monitor, window_of(start + days - 1, few, few, mv_id=version.mv_id))
    return values


def test_a_model_that_was_only_judged_has_no_later_parts(store: SqlStore, first: ModelVersion) -> None:
    told = summarise(store, MODEL)
    assert told.champion.version == first.version == 2
    assert told.champion.checks == checks(overall=0.012, worse={}, seed=1)
    assert (told.decay, told.retrained, told.refused, told.promoted, told.rollback_seconds) == (None,) * 5
    assert (told.watches, told.predictions_logged, told.labels_joined, told.seed) == ([], 0, 0, 7)
    assert [(d.version, d.cause, d.outcome) for d in told.deployments] == [(2, "change", None)]


@pytest.mark.usefixtures("first")
def test_the_dataset_is_the_largest_input_with_the_checks_of_its_own_run(store: SqlStore) -> None:
    told = summarise(store, MODEL).dataset
    assert (told.name, told.rows, told.origin, told.licence) == ("orders", 3, "register", "CC0-1.0")
    assert (told.passed, told.warned, told.failed) == (3, 1, 0)


@pytest.mark.usefixtures("first")
def test_the_ledger_holds_the_decisions_about_this_model_in_order(store: SqlStore) -> None:
    told = summarise(store, MODEL)
    assert [(entry.seq, entry.kind, entry.subject) for entry in told.ledger] == [
        (1, "gate", f"{MODEL}/2"),
        (2, "promotion", f"{MODEL}/2"),
    ]
    assert {entry.at for entry in told.ledger} == {"2024-01-01T00:00:00.000000Z"}
    assert told.decisions == 3


def test_each_watched_version_has_its_days_and_the_mean_of_a_week(store: SqlStore, first: ModelVersion) -> None:
    values = watch(store, first, start=1, days=9)
    (told,) = summarise(store, MODEL).watches
    assert (told.version, told.promised_auc, told.limit_auc, told.alarm_day) == (2, 0.75, 0.71, None)
    assert [day.day for day in told.days] == [f"2024-01-0{day}" for day in range(1, 10)], "a day too small is left out"
    assert [day.auc for day in told.days] == values
    assert [day.week_mean for day in told.days[:6]] == [None] * 6
    assert told.days[8].week_mean == pytest.approx(np.mean(values[2:]))


def test_a_whole_turn_is_told(store: SqlStore, first: ModelVersion, tmp_path: Path) -> None:
    watch(store, first, start=1, days=3)
    (trigger,) = declare_triggers(store, MODEL, "orders", {"decay": TriggerDefinition(harm="quality")})
    fired = fire(store, trigger, Cause(kind="harm", identity="1", words="quality decayed")).fire_id
    bad, good = checks(overall=0.003, worse={"shop=MQ": -0.034}, seed=2), checks(overall=0.004, worse={}, seed=3)
    made = []
    with start_run(store, MODEL, "retrain", trigger_type="performance") as run:
        link_run(store, fired, run.run_id)
        for change in ("reports were lost", "none"):
            with start_run(store, MODEL, "candidate", model=MODEL) as child:
                child.tags({"change": change})
                made.append(add_version(store, child, tmp_path))
    judge(store, made[0], first, "fail", bad)
    judge(store, made[1], first, "pass", good)
    promote(store, MODEL, made[1].version)
    later = watch(store, made[1], start=11, days=2)
    row = {"drill_id": new_id(), "model": MODEL, "kind": "rollback", "result": "pass", "initiated": "scheduled"}
    store.append("drill", {**row, "seconds": 0.25})

    told = summarise(store, MODEL)
    assert told.retrained is not None
    assert (told.retrained.candidates, told.retrained.reason) == ([3, 4], "quality decayed")
    assert told.refused is not None
    losses = [check for check in bad if check.verdict == "fail"]
    worst = min(losses, key=lambda check: check.p_worse)
    assert (told.refused.version, told.refused.baseline_version, told.refused.verdict) == (3, 2, "fail")
    assert (told.refused.segment, told.refused.delta, told.refused.p_holm) == (worst.segment, worst.delta, worst.p_holm)
    assert (told.refused.failed_segments, told.refused.segments) == (len(losses), len(bad))
    assert (told.refused.change, told.refused.reasons) == ("reports were lost", ["because fail"])
    assert told.promoted is not None
    assert (told.promoted.version, told.promoted.baseline_version, told.promoted.checks) == (4, 2, good)
    assert told.promoted.days == 2
    assert told.promoted.observed_auc == pytest.approx(np.mean(later))
    assert [watched.version for watched in told.watches] == [2, 4]
    assert [(d.version, d.outcome) for d in told.deployments] == [(2, "ok"), (4, None)]
    assert told.rollback_seconds == 0.25
    assert (told.policy.name, told.policy.alpha) == ("orders", 0.05)
    assert told.policy.confidence == pytest.approx(0.9)


def test_a_promoted_version_nobody_watches_has_no_observed_auc(
    store: SqlStore, first: ModelVersion, tmp_path: Path
) -> None:
    watch(store, first, start=1, days=3)
    with start_run(store, MODEL, "candidate") as run:
        version = add_version(store, run, tmp_path)
    judge(store, version, first, "pass", checks(overall=0.004, worse={}, seed=3))
    promote(store, MODEL, version.version)
    told = summarise(store, MODEL).promoted
    assert told is not None
    assert (told.observed_auc, told.days) == (None, 0)


def test_a_model_nobody_judged_is_not_found(store: SqlStore) -> None:
    with pytest.raises(NotFound, match="no verdict on a model 'nobody'"):
        summarise(store, "nobody")
