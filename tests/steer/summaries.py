"""Summaries as a store would tell them, made by hand: a model with 60 segments, watched for 75 days and replaced."""

import hashlib
import math
import random
from datetime import date, timedelta
from statistics import fmean

from assay.prove.gate import Check, Verdict
from assay.record.tracking.runs import RunSummary
from assay.stats import holm
from assay.steer.chapters import (
    Beside,
    Champion,
    DailyAuc,
    Dataset,
    Decay,
    Decision,
    Deployment,
    Promoted,
    Refusal,
    Retraining,
    Rules,
    Watch,
)
from assay.steer.loop import LoopSummary

__all__ = ["checks", "full_turn", "only_champion"]

_MODEL = "late-orders"
_REGIONS = {"north": 0.5, "south": 0.3, "west": 0.2}
_SHOPS = {"A1": 0.2, "B6": 0.18, "C3": 0.15, "DL": 0.12, "EV": 0.1, "F9": 0.08, "HA": 0.06, "MQ": 0.05, "OO": 0.004}
_SHOPS |= {"UA": 0.02, "US": 0.015, "VX": 0.012, "WN": 0.01, "YV": 0.008}
_ROWS = 37_000
_MARGIN = 0.005


def checks(*, overall: float, worse: dict[str, float], seed: int) -> list[Check]:
    """Comparisons of the Brier score on all rows and 60 segments; `worse` shifts those whose name holds a key."""
    chance = random.Random(seed)
    sizes = {"overall": 1.0}
    sizes |= {f"region={region}": share for region, share in _REGIONS.items()}
    sizes |= {f"shop={shop}": share for shop, share in _SHOPS.items()}
    pairs = [(region, shop) for region in _REGIONS for shop in _SHOPS]
    sizes |= {f"region={r} & shop={s}": _REGIONS[r] * _SHOPS[s] for r, s in pairs}
    found = [_compared(name, share, overall, worse, chance) for name, share in sizes.items()]
    adjusted = holm([1.0 if p is None else p for _, _, _, p in found])
    return [
        _check(name, n, delta, error, p, p_holm)
        for name, (n, delta, error, p), p_holm in zip(sizes, found, adjusted, strict=True)
    ]


def _compared(
    name: str, share: float, overall: float, worse: dict[str, float], chance: random.Random
) -> tuple[int, float | None, float, float | None]:
    n = round(_ROWS * share)
    if n < 40:
        return n, None, 0.0, None
    error = 0.16 / math.sqrt(n)
    delta = overall + chance.gauss(0, error) + sum(shift for key, shift in worse.items() if key in name)
    return n, delta, error, _below(delta / error)


def _check(name: str, n: int, delta: float | None, error: float, p: float | None, p_holm: float) -> Check:
    not_worse = 1.0 if delta is None else _below(-(delta + _MARGIN) / error)
    verdict: Verdict = "fail" if p_holm <= 0.05 else ("pass" if not_worse <= 0.05 else "inconclusive")
    baseline = None if delta is None else 0.1412 + 0.01 * math.sin(n)
    return Check(
        kind="champion_compare" if name == "overall" else "slice",
        segment=name,
        required=False,
        metric="brier",
        n=n,
        value=None if delta is None or baseline is None else baseline - delta,
        baseline_value=baseline,
        delta=delta,
        low=None if delta is None else delta - 1.645 * error,
        high=None if delta is None else delta + 1.645 * error,
        p_worse=1.0 if p is None else p,
        p_holm=p_holm,
        p_not_worse=not_worse,
        margin=_MARGIN,
        verdict=verdict,
        rows_needed=12_345 if verdict == "inconclusive" and delta is not None else None,
        method="too small" if delta is None else "jackknife",
    )


def _below(z: float) -> float:
    return math.erfc(-z / math.sqrt(2)) / 2


def _interval(check: Check) -> list[float]:
    return [check.low or 0.0, check.high or 0.0]


def _hash(text: object) -> str:
    return hashlib.sha256(str(text).encode()).hexdigest()


def _watch(version: int, first: date, days: int, start: float, drop: float, alarm: bool) -> Watch:
    chance = random.Random(version)
    values = [start - drop * day / days + chance.gauss(0, 0.032) for day in range(days)]
    dates = [str(first + timedelta(days=day)) for day in range(days)]
    weeks = [fmean(values[end - 7 : end]) if end >= 7 else None for end in range(1, days + 1)]
    return Watch(
        version=version,
        promised_auc=start,
        limit_auc=start - 0.0214,
        alarm_day=dates[-1] if alarm else None,
        days=[DailyAuc(day, value, week) for day, value, week in zip(dates, values, weeks, strict=True)],
    )


def _runs() -> list[RunSummary]:
    names = ["data", "try small", "try medium", "try large", "baseline", "train medium", "evaluate version 2"]
    names += ["replay", "retrain", "candidate 1", "candidate 2", "evaluate version 3", "evaluate version 4"]
    kinds = {"data": "data", "replay": "batch"}
    metrics = {"auc": 0.70412345, "log_loss": 0.4523456, "brier": 0.14123456, "accuracy": 0.8123}
    counts = {"rows": 336776.0, "checks": 11.0, "rows/second.p95": 123456.789}
    runs = [
        RunSummary(
            run_id=_hash(name)[:32],
            experiment=_MODEL,
            name=name,
            kind="eval" if name.startswith("evaluate") else kinds.get(name, "train"),
            status="running" if name == "replay" else "finished",
            trigger_type="performance" if "candidate" in name or name == "retrain" else "manual",
            started=f"2026-11-02T10:00:{number:02}.123456Z",
            event_ts=None,
            seconds=None if name == "replay" else 0.321654 + 1.7 * number,
            metrics=counts if name == "data" else ({} if name in ("baseline", "replay", "retrain") else metrics),
        )
        for number, name in enumerate(names)
    ]
    return runs[::-1]


def _decisions() -> list[Decision]:
    kinds = ["gate", "promotion", "gate", "gate", "promotion", "rollback", "rollback"]
    return [
        Decision(
            seq=number,
            kind=kind,
            subject=f"{_MODEL}/{version}",
            at=f"2013-{4 if number < 3 else 6:02}-15T00:00:00.000000Z",
            ts=f"2026-11-02T10:01:{number:02}.000000Z",
            actor="demo",
            hash=_hash(number),
        )
        for number, (kind, version) in enumerate(zip(kinds, (2, 2, 3, 4, 4, 2, 4), strict=True), start=1)
    ]


def only_champion() -> LoopSummary:
    """A model that was judged and promoted, and nothing more: every later part is None or empty."""
    first = checks(overall=0.0123, worse={}, seed=1)
    return LoopSummary(
        model=_MODEL,
        seed=None,
        dataset=Dataset("orders", _hash("orders"), 336_776, "", "", 9, 2, 0),
        policy=Rules("orders", _hash("policy"), 0.05, 0.9),
        runs=_runs()[-7:],
        champion=Champion(
            version=2,
            verdict="pass",
            metric="brier",
            value=first[0].value or 0.0,
            baseline=first[0].baseline_value or 0.0,
            delta=first[0].delta or 0.0,
            interval=_interval(first[0]),
            segments=len(first),
            description="medium, trained on orders before 2013-03-01",
            checks=first,
        ),
        decay=None,
        watches=[],
        retrained=None,
        refused=None,
        beside=None,
        promoted=None,
        rollback_seconds=None,
        deployments=[],
        predictions_logged=0,
        labels_joined=0,
        decisions=2,
        ledger=_decisions()[:2],
    )


def full_turn() -> LoopSummary:
    """A whole turn: 60 segments, 75 days until the alarm, one candidate refused, one promoted, a drill."""
    bad = checks(overall=0.0031, worse={"shop=MQ": -0.034}, seed=2)
    good = checks(overall=0.0042, worse={}, seed=3)
    losses = sorted((check for check in bad if check.verdict == "fail"), key=lambda check: check.p_worse)
    worst = losses[0]
    watched = _watch(2, date(2013, 4, 1), 75, 0.7123, 0.06, alarm=True)
    later = _watch(4, date(2013, 6, 16), 13, 0.7187, 0.0, alarm=False)
    start = only_champion()
    parts = {name: getattr(start, name) for name in LoopSummary.__struct_fields__}
    return LoopSummary(
        **parts
        | {
            "seed": 0,
            "dataset": Dataset("orders", _hash("orders"), 336_776, "Shop register, 2013", "CC0-1.0", 9, 2, 0),
            "runs": _runs(),
            "decay": Decay(
                alarm_day=watched.alarm_day,
                days=len(watched.days),
                promised_auc=watched.promised_auc,
                limit_auc=watched.limit_auc,
                observed_auc=fmean(day.auc for day in watched.days),
                e_value=43.27,
            ),
            "watches": [watched, later],
            "retrained": Retraining("performance", "quality decayed", _hash("retrain")[:32], [3, 4], 21.4567),
            "refused": Refusal(
                version=3,
                segment=worst.segment,
                metric="brier",
                value=worst.value or 0.0,
                baseline=worst.baseline_value or 0.0,
                delta=worst.delta or 0.0,
                interval=_interval(worst),
                rows=worst.n,
                p_holm=worst.p_holm,
                verdict="fail",
                overall_delta=bad[0].delta or 0.0,
                failed_segments=len(losses),
                change="the reports of shop MQ were lost, and a missing report was counted as punctual",
                reasons=[
                    f"{check.segment}: Brier score is proven worse by {-(check.delta or 0):.4f} (interval "
                    f"{check.low:+.4f} to {check.high:+.4f}; {check.n:,} rows, p {check.p_holm:.1e} after Holm). More "
                    "rows will not help; a candidate that does not lose here will."
                    for check in losses
                ],
                baseline_version=2,
                segments=len(bad),
                checks=bad,
            ),
            "beside": Beside(4, ["shadow", "canary 20 %", "canary 50 %"], "promoted", "all guardrails are safe"),
            "promoted": Promoted(
                version=4,
                verdict="pass",
                metric="brier",
                delta=good[0].delta or 0.0,
                interval=_interval(good[0]),
                answered_during=11_873,
                failed_requests=0,
                observed_auc=fmean(day.auc for day in later.days),
                days=len(later.days),
                baseline_version=2,
                segments=len(good),
                reasons=["overall: Brier score changes by +0.0042: not worse by more than 0.005."],
                checks=good,
            ),
            "rollback_seconds": 0.0934561,
            "deployments": [
                Deployment(2, "2013-04-01T00:00:00.000000Z", "change", "ok", 2),
                Deployment(4, "2013-06-16T00:00:00.000000Z", "change", "ok", 5),
                Deployment(2, "2013-06-16T00:00:00.000000Z", "drill", "ok", 6),
                Deployment(4, "2013-06-16T00:00:00.000000Z", "drill", None, 7),
            ],
            "predictions_logged": 68_412,
            "labels_joined": 67_103,
            "decisions": 7,
            "ledger": _decisions(),
        }
    )
