"""One turn of the loop of a model, as the store tells it: from the data to the champion that replaced the first."""

import json
from statistics import fmean

import msgspec

from assay.errors import NotFound
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.monitors.records import find_monitor
from assay.operate.monitors.versions import standing
from assay.operate.predictions.checking import count_answered
from assay.operate.releases.records import rollout_of
from assay.operate.triggers.firing import firings
from assay.prove.checks import COMPARISONS, Check
from assay.prove.policy import Policy
from assay.record.ledger import entries
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.search.run_listing import list_runs
from assay.record.store import Row, Store
from assay.record.tracking.experiments import experiment_named
from assay.record.tracking.runs import RunSummary
from assay.steer.chapters import (
    Beside,
    Champion,
    DailyAuc,
    Dataset,
    Decay,
    Decision,
    Deployment,
    Moved,
    Promoted,
    Refusal,
    Retraining,
    Rules,
    Watch,
)

__all__ = ["LoopSummary", "summarise"]

_MANY = 1000
_WEEK = 7


class LoopSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a model: each part is None where it has not happened.

    `watches`, `deployments` and `ledger` are in order of time; `ledger` holds the decisions about this model,
    `decisions` counts those of the whole store. `runs` are newest first.
    """

    model: str
    seed: int | None
    dataset: Dataset
    policy: Rules
    runs: list[RunSummary]
    champion: Champion
    decay: Decay | None
    watches: list[Watch]
    moved: Moved | None = None
    retrained: Retraining | None
    refused: Refusal | None
    beside: Beside | None
    promoted: Promoted | None
    rollback_seconds: float | None
    deployments: list[Deployment]
    predictions_logged: int
    labels_joined: int
    decisions: int
    ledger: list[Decision]


def summarise(store: Store, model: str) -> LoopSummary:
    """Read one turn of the loop back from the records; NotFound where the model was never judged by a gate."""
    gates = store.query("gate", {"mode": "auto"}, order_by=["ts"])
    gates = [gate for gate in gates if version_by_id(store, gate["mv_id"]).model == model]
    if not gates:
        raise NotFound(f"no verdict on a model {model!r}", where=store.location, hint="`assay models` lists models")
    where: dict[str, object] = {"model": model, "kind": "performance", "reference !=": None}
    monitors = store.query("monitor", where, order_by=["ts"])
    moves = store.query("alias_move", {"model": model}, order_by=["seq"])
    later = gates[1:]
    refused = next((gate for gate in later if gate["outcome"] != "pass"), None)
    deployed = next((gate for gate in later if gate["mv_id"] in {move["mv_id"] for move in moves[1:]}), None)
    drills = store.query("drill", {"model": model, "kind": "rollback", "result": "pass"}, order_by=["-ts"], limit=1)
    named = experiment_named(store, model)
    experiment = named.experiment_id if named else ""
    seeded = store.query("run", {"experiment_id": experiment, "seed !=": None}, order_by=["started"], limit=1)
    windows = store.query("serving_window", {"model": model})
    return LoopSummary(
        model=model,
        seed=seeded[0]["seed"] if seeded else None,
        dataset=_dataset(store, model, experiment),
        policy=_rules(gates[-1]),
        runs=list_runs(store, experiment=model, limit=_MANY),
        champion=_champion(store, gates[0]),
        decay=_decay(store, monitors[0]) if monitors else None,
        watches=[_watch(store, monitor) for monitor in monitors],
        moved=_moved(store, model, _decay(store, monitors[0]) if monitors else None),
        retrained=_retraining(store, model),
        refused=_refusal(store, refused) if refused else None,
        beside=_beside(store, model),
        promoted=_promoted(store, deployed, monitors) if deployed else None,
        rollback_seconds=drills[0]["seconds"] if drills else None,
        deployments=_deployments(store, model),
        predictions_logged=count_answered(store, model),
        labels_joined=sum(window["labelled"] for window in windows),
        decisions=len(store.query("ledger")),
        ledger=_decisions(store, model),
    )


def _dataset(store: Store, model: str, experiment_id: str) -> Dataset:
    """The largest input of the first run of the model that read anything."""
    for run in store.query("run", {"experiment_id": experiment_id}, order_by=["started"]):
        links = store.query("run_io", {"run_id": run["run_id"], "role": "input"})
        inputs = [store.get("artifact", {"artifact_id": link["artifact_id"]}) for link in links]
        tables = [artifact for artifact in inputs if artifact["type"] == "dataset"]
        if tables:
            break
    else:
        raise NotFound(f"no run of {model!r} read a dataset", where=store.location, hint="`assay runs` lists runs")
    largest = max(tables, key=lambda artifact: artifact["rows"])
    checked: dict[str, object] = {"subject_id in": [table["hash"] for table in tables], "ts >=": run["started"]}
    if run["ended"]:  # the same tables may have been checked again by a later turn
        checked["ts <="] = run["ended"]
    outcomes = [result["result"] for result in store.query("test_result", checked)]
    return Dataset(
        name=largest["name"],
        hash=largest["hash"],
        rows=largest["rows"],
        origin=largest["source_system"] or "",
        licence=largest["licence"] or "",
        passed=outcomes.count("pass"),
        warned=outcomes.count("warn"),
        failed=outcomes.count("fail"),
    )


def _rules(gate: Row) -> Rules:
    policy = msgspec.convert(json.loads(gate["detail"])["policy"], Policy)
    return Rules(policy.name, gate["policy_version"], policy.alpha, 1 - 2 * policy.alpha)


def _checks(gate: Row) -> list[Check]:
    """The comparisons a verdict rests on."""
    checks = msgspec.convert(json.loads(gate["checks"]), list[Check])
    return [check for check in checks if check.kind in COMPARISONS]


def _overall(checks: list[Check]) -> Check:
    return next(check for check in checks if check.segment == "overall")


def _interval(check: Check) -> list[float]:
    return [check.low or 0.0, check.high or 0.0]


def _segments(checks: list[Check]) -> int:
    return len({check.segment for check in checks})


def _champion(store: Store, gate: Row) -> Champion:
    version, checks = version_by_id(store, gate["mv_id"]), _checks(gate)
    overall = _overall(checks)
    return Champion(
        version=version.version,
        verdict=gate["outcome"],
        metric=overall.metric,
        value=overall.value or 0.0,
        baseline=overall.baseline_value or 0.0,
        delta=overall.delta or 0.0,
        interval=_interval(overall),
        segments=_segments(checks),
        description=version.description or "",
        checks=checks,
    )


def _decay(store: Store, monitor: Row) -> Decay:
    state = standing(store, find_monitor(store, monitor["monitor_id"]))
    return Decay(
        alarm_day=state.alarm,
        days=state.windows,
        promised_auc=state.promised,
        limit_auc=state.limit,
        observed_auc=state.mean or 0.0,
        e_value=state.e_value,
    )


def _moved(store: Store, model: str, decay: Decay | None) -> Moved | None:
    """The first window in which inputs were unlike training, with the answers of that week, and what labels say of it.

    None where no monitor of skew looks.
    """
    watching = {row["kind"]: row["monitor_id"] for row in store.query("monitor", {"model": model}, order_by=["ts"])}
    alarms = {"monitor_id": watching.get("skew", ""), "status": "alarm"}
    rows = store.query("monitor_check", alarms, order_by=["ended"], limit=1)
    if not rows:
        return None
    window = rows[0]["window"]
    found = {"window": window, "state": "drift", "segment": OVERALL_SEGMENT}
    inputs = store.query("monitor_finding", {**found, "monitor_id": watching["skew"]}, order_by=["-harm", "subject"])
    answers = store.query("monitor_finding", {**found, "monitor_id": watching.get("prediction_drift", "")})
    columns = list(dict.fromkeys(row["subject"] for row in inputs))
    said = inputs[0]["words"] if inputs else "its inputs moved"
    said += f"; also {', '.join(columns[1:])}" if columns[1:] else ""
    said += "; the answers moved with it" if answers else "; the answers are as the weeks before"
    if decay is not None:
        limit = f"{decay.limit_auc:.3f}"
        said += f"; it harms: labels prove a daily AUC below {limit}" if decay.alarm_day else "; labels prove no harm"
    return Moved(window, columns, bool(answers), said)


def _watch(store: Store, monitor: Row) -> Watch:
    watched = find_monitor(store, monitor["monitor_id"])
    state = standing(store, watched)
    where: dict[str, object] = {"monitor_id": watched.monitor_id, "status !=": "no_data"}
    checks = store.query("monitor_check", where, order_by=["window"])
    values = [check["value"] for check in checks]
    return Watch(
        version=version_by_id(store, monitor["mv_id"]).version,
        promised_auc=state.promised,
        limit_auc=state.limit,
        alarm_day=next((check["window"] for check in checks if check["status"] == "alarm"), None),
        days=[
            DailyAuc(check["window"], check["value"], fmean(values[end - _WEEK : end]) if end >= _WEEK else None)
            for end, check in enumerate(checks, start=1)
        ],
    )


def _retraining(store: Store, model: str) -> Retraining | None:
    fired = next((one for one in firings(store, model=model) if one.run_id is not None), None)
    if fired is None:
        return None
    run = next(run for run in list_runs(store, experiment=model, limit=_MANY) if run.run_id == fired.run_id)
    children = [row["run_id"] for row in store.query("run", {"parent_run_id": run.run_id})]
    versions = store.query("model_version", {"run_id in": children}, order_by=["version"])
    return Retraining(
        trigger_type=fired.run_type,
        reason=fired.reason,
        run_id=run.run_id,
        candidates=[row["version"] for row in versions],
        seconds=run.seconds or 0.0,
    )


def _refusal(store: Store, gate: Row) -> Refusal:
    version, checks = version_by_id(store, gate["mv_id"]), _checks(gate)
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
        failed_segments=_segments(failed),
        change=_change(store, version),
        reasons=json.loads(gate["detail"])["reasons"],
        baseline_version=version_by_id(store, gate["baseline_mv_id"]).version,
        segments=_segments(checks),
        checks=checks,
    )


def _change(store: Store, version: ModelVersion) -> str:
    tags = store.query("run_tag", {"run_id": version.run_id, "key": "change"})
    return str(tags[0]["value"]) if tags else ""


def _metric(store: Store, model: str, key: str) -> float:
    """The last value of a metric over the runs of a model; 0 where it was never logged."""
    runs = [row["run_id"] for row in store.query("run", {"model": model})]
    found = store.query("run_metric", {"run_id in": runs, "key": key, "layer": 0}, order_by=["-ts_ms"], limit=1)
    return float(found[0]["value"]) if found else 0.0


def _beside(store: Store, model: str) -> Beside | None:
    """The last release of a version of the model."""
    rows = store.query("rollout", {"model": model}, order_by=["-started"], limit=1)
    if not rows:
        return None
    rollout = rollout_of(rows[0])
    gone = rollout.detail.steps[: rollout.step + 1]
    return Beside(rollout.detail.version, [step.name for step in gone], rollout.status, rollout.reason or "")


def _promoted(store: Store, gate: Row, monitors: list[Row]) -> Promoted:
    version, checks = version_by_id(store, gate["mv_id"]), _checks(gate)
    overall = _overall(checks)
    watches = [find_monitor(store, row["monitor_id"]) for row in monitors if row["mv_id"] == version.mv_id]
    states = [standing(store, watch) for watch in watches]
    windows = store.query("serving_window", {"model": version.model, "mv_id": version.mv_id})
    return Promoted(
        version=version.version,
        verdict=gate["outcome"],
        metric=overall.metric,
        delta=overall.delta or 0.0,
        interval=_interval(overall),
        answered_during=sum(window["predictions"] for window in windows),
        failed_requests=int(_metric(store, version.model, "failed_requests")),
        observed_auc=states[-1].mean if states else None,
        days=states[-1].windows if states else 0,
        baseline_version=version_by_id(store, gate["baseline_mv_id"]).version,
        segments=_segments(checks),
        reasons=json.loads(gate["detail"])["reasons"],
        checks=checks,
    )


def _deployments(store: Store, model: str) -> list[Deployment]:
    rows = store.query("deployment", {"model": model}, order_by=["started"])
    return [
        Deployment(
            version=version_by_id(store, row["mv_id"]).version,
            started=row["event_ts"] or row["started"],
            cause=row["cause"],
            outcome=row["outcome"],
            decision=row["decision"],
        )
        for row in rows
    ]


def _decisions(store: Store, model: str) -> list[Decision]:
    about = [entry for entry in entries(store, limit=_MANY) if entry.subject.rpartition("/")[0] == model]
    return [
        Decision(
            seq=entry.seq,
            kind=entry.kind,
            subject=entry.subject,
            at=entry.event_ts or entry.ts,
            ts=entry.ts,
            actor=entry.actor,
            hash=entry.hash,
        )
        for entry in reversed(about)
    ]
