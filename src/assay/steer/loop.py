"""One turn of the loop of a model, as the store tells it: from the data to the champion that replaced the first."""

import json

import msgspec

from assay.errors import NotFound
from assay.operate.monitor import load_monitor, monitor_state
from assay.operate.predictionlog import inspect
from assay.prove.gate import Check
from assay.record.registry import ModelVersion, version_by_id
from assay.record.runs import RunSummary, list_runs
from assay.record.store import Row, Store

__all__ = ["Champion", "Dataset", "Decay", "LoopSummary", "Promoted", "Refusal", "Retraining", "summarise"]

_MANY = 1000


class LoopSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a model: each part is None where it has not happened."""

    model: str
    seed: int
    dataset: Dataset
    runs: list[RunSummary]
    champion: Champion
    decay: Decay | None
    retrained: Retraining | None
    refused: Refusal | None
    promoted: Promoted | None
    rollback_seconds: float | None
    predictions_logged: int
    labels_joined: int
    decisions: int


def summarise(store: Store, model: str) -> LoopSummary:
    """Read one turn of the loop back from the records; NotFound where the model was never judged by a gate."""
    gates = store.query("gate", order_by=["ts"])
    gates = [gate for gate in gates if version_by_id(store, gate["mv_id"]).model == model]
    if not gates:
        raise NotFound(f"no verdict on a model {model!r}", where=store.location, hint="`assay models` lists models")
    monitors = store.query("monitor", {"model": model}, order_by=["ts"])
    moves = store.query("alias_move", {"model": model}, order_by=["seq"])
    later = gates[1:]
    refused = next((gate for gate in later if gate["outcome"] != "pass"), None)
    deployed = next((gate for gate in later if gate["mv_id"] in {move["mv_id"] for move in moves[1:]}), None)
    drills = store.query("drill", {"model": model}, order_by=["-ts"], limit=1)
    runs = list_runs(store, experiment=model, limit=_MANY)
    windows = store.query("serving_window", {"model": model})
    return LoopSummary(
        model=model,
        seed=store.query("run", {"experiment": model, "seed !=": None}, limit=1)[0]["seed"],
        dataset=_dataset(store, runs[-1]),
        runs=runs,
        champion=_champion(store, gates[0]),
        decay=_decay(store, monitors[0]) if monitors else None,
        retrained=_retraining(store, model),
        refused=_refusal(store, refused) if refused else None,
        promoted=_promoted(store, deployed, monitors) if deployed else None,
        rollback_seconds=drills[0]["seconds"] if drills else None,
        predictions_logged=inspect(store.blobs.root.parent / "predictions" / model).records,
        labels_joined=sum(window["labelled"] for window in windows),
        decisions=len(store.query("ledger")),
    )


def _dataset(store: Store, data_run: RunSummary) -> Dataset:
    links = store.query("run_io", {"run_id": data_run.run_id, "role": "input"})
    artifacts = {a["name"]: a for a in (store.get("artifact", {"artifact_id": x["artifact_id"]}) for x in links)}
    flights = artifacts["flights"]
    results = store.query(
        "test_result",
        {
            "subject_id in": [artifact["hash"] for artifact in artifacts.values()],
            "ts >=": data_run.started,
        },
    )
    outcomes = [result["result"] for result in results]
    return Dataset(
        name=flights["name"],
        hash=flights["hash"],
        rows=flights["rows"],
        origin=flights["source_system"],
        licence=flights["licence"],
        passed=outcomes.count("pass"),
        warned=outcomes.count("warn"),
        failed=outcomes.count("fail"),
    )


def checks_of(gate: Row) -> list[Check]:
    """The comparisons a verdict rests on."""
    return msgspec.convert(json.loads(gate["checks"]), list[Check])


def _overall(checks: list[Check]) -> Check:
    return next(check for check in checks if check.segment == "overall")


def _interval(check: Check) -> list[float]:
    return [check.low or 0.0, check.high or 0.0]


def _champion(store: Store, gate: Row) -> Champion:
    version, checks = version_by_id(store, gate["mv_id"]), checks_of(gate)
    overall = _overall(checks)
    return Champion(
        version=version.version,
        verdict=gate["outcome"],
        metric=overall.metric,
        value=overall.value or 0.0,
        baseline=overall.baseline_value or 0.0,
        delta=overall.delta or 0.0,
        interval=_interval(overall),
        segments=len({check.segment for check in checks}),
        description=version.description or "",
    )


def _decay(store: Store, monitor: Row) -> Decay:
    watched = load_monitor(store, monitor["monitor_id"])
    state = monitor_state(store, watched)
    return Decay(
        alarm_day=state.alarm_day,
        days=state.days,
        promised_auc=watched.reference.mean,
        limit_auc=watched.limit,
        observed_auc=state.mean or 0.0,
        e_value=state.e_value,
    )


def _retraining(store: Store, model: str) -> Retraining | None:
    triggers = {row["trigger_id"]: row for row in store.query("trigger_def", {"model": model})}
    fires = store.query("trigger_fire", {"trigger_id in": list(triggers)}, order_by=["-ts"], limit=1)
    if not fires or not fires[0]["linked_run"]:
        return None
    fired, trigger = fires[0], triggers[fires[0]["trigger_id"]]
    run = next(run for run in list_runs(store, experiment=model, limit=_MANY) if run.run_id == fired["linked_run"])
    children = [row["run_id"] for row in store.query("run", {"parent_run_id": run.run_id})]
    versions = store.query("model_version", {"run_id in": children}, order_by=["version"])
    return Retraining(
        trigger_type=trigger["type"],
        reason=fired["reason"],
        run_id=run.run_id,
        candidates=[row["version"] for row in versions],
        seconds=run.seconds or 0.0,
    )


def _refusal(store: Store, gate: Row) -> Refusal:
    version, checks = version_by_id(store, gate["mv_id"]), checks_of(gate)
    failed = sorted((c for c in checks if c.verdict == "fail"), key=lambda c: (c.p_worse, c.segment))
    worst = failed[0] if failed else _overall(checks)
    return Refusal(
        version=version.version,
        segment=worst.segment,
        metric=worst.metric,
        value=worst.value or 0.0,
        baseline=worst.baseline_value or 0.0,
        delta=worst.delta or 0.0,
        interval=_interval(worst),
        rows=worst.n,
        p_holm=worst.p_holm,
        verdict=gate["outcome"],
        overall_delta=_overall(checks).delta or 0.0,
        failed_segments=len(failed),
        change=_change(store, version),
        reasons=json.loads(gate["detail"])["reasons"],
    )


def _change(store: Store, version: ModelVersion) -> str:
    tags = store.query("run_tag", {"run_id": version.run_id, "key": "change"})
    return str(tags[0]["value"]) if tags else ""


def _metric(store: Store, model: str, key: str) -> float:
    """The last value of a metric over the runs of a model; 0 where it was never logged."""
    runs = [row["run_id"] for row in store.query("run", {"model": model})]
    found = store.query("run_metric", {"run_id in": runs, "key": key}, order_by=["-ts"], limit=1)
    return float(found[0]["value"]) if found else 0.0


def _promoted(store: Store, gate: Row, monitors: list[Row]) -> Promoted:
    version = version_by_id(store, gate["mv_id"])
    overall = _overall(checks_of(gate))
    state = monitor_state(store, load_monitor(store, monitors[-1]["monitor_id"]))
    windows = store.query("serving_window", {"model": version.model, "mv_id": version.mv_id})
    return Promoted(
        version=version.version,
        verdict=gate["outcome"],
        metric=overall.metric,
        delta=overall.delta or 0.0,
        interval=_interval(overall),
        answered_during=sum(window["predictions"] for window in windows),
        failed_requests=int(_metric(store, version.model, "failed_requests")),
        observed_auc=state.mean,
        days=state.days,
    )
