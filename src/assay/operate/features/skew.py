"""The verdict on feature skew, and its records: a result about each version of the model, a check, and an alert."""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from assay.build.views.log.results import SKEW
from assay.record.alerts.alert import open_alert
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id, ordered_id
from assay.record.store import Store
from assay.stats.intervals import wilson

__all__ = ["FeatureSkew", "Verdict", "judged", "overall", "record_skew", "rows_to_decide"]

Verdict = Literal["pass", "fail", "inconclusive"]
_TEST = "O3"  # ML Test Score: training and serving features compute the same values
_RESULTS = {"pass": "pass", "fail": "fail", "inconclusive": "warn"}
_STATUS = {"pass": "ok", "fail": "alarm", "inconclusive": "ok"}
_MOST_ROWS = 10**12
_DAY_S = 86_400


class FeatureSkew(msgspec.Struct, frozen=True):
    """How often a feature was served otherwise than training computes it, with Wilson's interval of that rate.

    `kinds` counts the differences by kind. A `late write`, a row that arrived after serving, is no mismatch unless that
    was asked for. `rows_needed` are further rows that would decide, if the rate stays as it is.
    """

    mv_id: str
    version: int
    feature: str
    input: str
    compared: int
    mismatches: int
    rate: float | None
    low: float
    high: float
    kinds: dict[str, int]
    verdict: Verdict
    rows_needed: int | None


def judged(mismatches: int, compared: int, tolerated: float, confidence: float) -> tuple[float, float, Verdict]:
    """The interval of the rate, and whether it lies below what is tolerated, above it, or on both sides."""
    found = wilson(mismatches, compared, confidence)
    if found.high <= tolerated:
        return found.low, found.high, "pass"
    return found.low, found.high, "fail" if found.low > tolerated else "inconclusive"


def rows_to_decide(mismatches: int, compared: int, tolerated: float, confidence: float) -> int | None:
    """Further rows with which `judged` decides, if the rate stays as it is; None where it never does."""
    rate = mismatches / compared if compared else 0.0

    def decides(n: int) -> bool:
        return judged(min(n, round(rate * n)), n, tolerated, confidence)[2] != "inconclusive"

    many = max(1, compared)
    while not decides(many):
        many *= 2
        if many > _MOST_ROWS:
            return None
    few = many // 2
    while few + 1 < many:
        middle = (few + many) // 2
        few, many = (few, middle) if decides(middle) else (middle, many)
    return max(0, many - compared)


def overall(features: Sequence[FeatureSkew]) -> Verdict:
    """One that fails is enough; it passes where all that were looked up pass, and there is one."""
    said = {one.verdict for one in features if one.compared}
    if "fail" in said:
        return "fail"
    return "pass" if said == {"pass"} else "inconclusive"


def record_skew(
    store: Store, endpoint: str, model: str, features: Sequence[FeatureSkew], detail: Mapping[str, object], every_s: int
) -> str | None:
    """Write the results, the check of the endpoint's monitor, and the alert where it fails; returns the alert's id.

    An endpoint has one monitor of this kind, with one open alert at most.
    """
    verdict = overall(features)
    with store.transaction():
        monitor_id = _monitor(store, endpoint, model, every_s, detail)
        for mv_id in dict.fromkeys(one.mv_id for one in features):
            own = [one for one in features if one.mv_id == mv_id]
            found = {"endpoint": endpoint, "verdict": overall(own), **detail, "features": [_plain(one) for one in own]}
            row = {"id": ordered_id(), "subject_kind": "model_version", "subject_id": mv_id, "tag": _TEST, "kind": SKEW}
            result = {"result": _RESULTS[overall(own)], "mode": "auto", "detail": canonical_json(found)}
            store.append("test_result", {**row, **result})
        worst = max(features, key=lambda one: one.low, default=None)
        checked = {"monitor_id": monitor_id, "window": f"{iso(store.clock.now())} {ordered_id()}"}
        counts = {"verdict": verdict, "compared": sum(one.compared for one in features), **detail}
        store.append(
            "monitor_check",
            {
                **checked,
                "status": _STATUS[verdict] if worst else "no_data",
                "value": worst.rate if worst else None,
                "detail": canonical_json(counts),
            },
        )
        if verdict != "fail" or worst is None:
            return None
        words = (
            f"{worst.feature} of {endpoint} was served otherwise than training computes it in "
            f"{worst.mismatches:,} of {worst.compared:,} rows"
        )
        key = f"monitor:{SKEW}:{endpoint}"
        return open_alert(store, key, words, model=model, endpoint=endpoint, monitor_id=monitor_id).alert_id


def _monitor(store: Store, endpoint: str, model: str, every_s: int, detail: Mapping[str, object]) -> str:
    rows = store.query("monitor", {"endpoint": endpoint, "kind": SKEW, "enabled": 1}, limit=1)
    if rows:
        return str(rows[0]["monitor_id"])
    monitor_id = new_id()
    row = {"monitor_id": monitor_id, "model": model, "endpoint": endpoint, "kind": SKEW, "enabled": 1}
    rest = {"every_s": every_s or _DAY_S, "owner": store.actor.name, "detail": canonical_json(dict(detail))}
    store.append("monitor", {**row, **rest})
    return monitor_id


def _plain(one: FeatureSkew) -> dict[str, object]:
    return {
        name: value for name, value in msgspec.structs.asdict(one).items() if name not in ("mv_id", "version", "low")
    }
