"""A monitor of quality on labels that arrive late: has the model become worse than it was shown to be?

One observation a day: 1 - AUC of that day's predictions once their labels are in. Rows of one day share weather and
luck, so rows are not independent; days are far more so. The AUC inside a day does not move with the share of late
flights, only with the model's power to rank them.

The test is sequential: an e-process by betting against "the mean is at most the limit" (Waudby-Smith and Ramdas 2023),
after Podkopaev and Ramdas (2022): alarm when the target is proven above the upper bound of the source plus a
tolerance. It may be looked at every day; the probability that it ever alarms without cause is at most alpha, half of
it spent on the source's bound, half on the test.
"""

import math
import sys
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from assay.errors import InvalidInput, NotFound
from assay.record.canonical import canonical_json
from assay.record.clock import iso
from assay.record.identity import new_id
from assay.record.store import Row, Store
from assay.stats import OVERALL, BettingTest, Profile, estimate
from assay.stats.normal import t_quantile

__all__ = [
    "Monitor",
    "MonitorState",
    "Reference",
    "check_day",
    "create_monitor",
    "load_monitor",
    "monitor_state",
    "reference_of",
]

_MODEL = "model"
_DAY_S = 86_400
_MINIMUM_DAYS = 10
_LARGEST_LOG = math.log(sys.float_info.max)


class Reference(msgspec.Struct, frozen=True):
    """What the hold-out showed: mean daily AUC, and the lowest it may truly be at the confidence asked for."""

    days: int
    mean: float
    lower: float


class Monitor(msgspec.Struct, frozen=True):
    """A performance monitor of one version behind an endpoint. Alarms at `alpha` below reference.lower - tolerance."""

    monitor_id: str
    model: str
    endpoint: str
    mv_id: str
    reference: Reference
    tolerance: float
    alpha: float

    @property
    def limit(self) -> float:
        """The lowest mean daily AUC that is no alarm."""
        return self.reference.lower - self.tolerance


class MonitorState(msgspec.Struct, frozen=True):
    """Where the test stands after the days so far.

    `e_value` is the largest evidence against "not worse" that there was; 2/alpha alarms. `alarm_day` is the day that
    first did.
    """

    days: int
    mean: float | None
    e_value: float
    alarm_day: str | None
    alert_id: str | None


def daily_auc(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """AUC of the rows that have a label; NaN with fewer than 10 of a class."""
    profile = Profile.build(labels, {_MODEL: scores}, {}, None, thresholds={_MODEL: 0.5}, influence=False)
    found = estimate(profile, OVERALL, _MODEL, "auc")
    return math.nan if found.method == "too small" else found.value


def reference_of(days: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], *, alpha: float) -> Reference:
    """The reference from the hold-out's days, each as (labels, scores); the bound is a one-sided t at `alpha` / 2."""
    _check_alpha(alpha)
    values = [value for value in (daily_auc(labels, scores) for labels, scores in days) if not math.isnan(value)]
    if len(values) < _MINIMUM_DAYS:
        raise InvalidInput(f"the hold-out has {len(values)} days with labels", expected=f"{_MINIMUM_DAYS} or more")
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    reach = t_quantile(1 - alpha / 2, len(values) - 1) * spread / math.sqrt(len(values))
    return Reference(days=len(values), mean=mean, lower=mean - reach)


def create_monitor(
    store: Store, endpoint: str, model: str, mv_id: str, reference: Reference, *, tolerance: float, alpha: float = 0.05
) -> Monitor:
    """Start to watch a version; earlier performance monitors of the endpoint are switched off."""
    _check_alpha(alpha)
    if not tolerance >= 0:
        raise InvalidInput(f"tolerance is {tolerance}", expected="0 or more")
    monitor = Monitor(new_id(), model, endpoint, mv_id, reference, tolerance, alpha)
    if not 0 < monitor.limit < 1:  # nothing is ever proven below 0, and nothing stays at 1
        raise InvalidInput(
            f"the limit on the mean daily AUC would be {monitor.limit:g}",
            where=f"lower bound of the reference {reference.lower:g}, tolerance {tolerance:g}",
            expected="inside (0, 1)",
        )
    detail = {"mv_id": mv_id, "metric": "auc", "tolerance": tolerance, "alpha": alpha}
    with store.transaction():
        for earlier in store.query("monitor", {"endpoint": endpoint, "kind": "performance", "enabled": 1}):
            store.amend("monitor", {"monitor_id": earlier["monitor_id"]}, {"enabled": 0})
        store.append(
            "monitor",
            {
                "monitor_id": monitor.monitor_id,
                "model": model,
                "endpoint": endpoint,
                "kind": "performance",
                "enabled": 1,
                "every_s": _DAY_S,
                "owner": store.actor.name,
                "detail": canonical_json({**detail, "reference": msgspec.to_builtins(reference)}),
            },
        )
    return monitor


def check_day(
    store: Store, monitor: Monitor, day: str, labels: NDArray[np.float64], scores: NDArray[np.float64]
) -> MonitorState:
    """Add a day whose labels are in, record the check, and open an alert the first time the test rejects.

    A day is checked once; AlreadyExists otherwise. One with fewer than 10 labels of a class is recorded as `no_data`.
    """
    value = daily_auc(labels, scores)
    row: Row = {"monitor_id": monitor.monitor_id, "window": day}
    if math.isnan(value):
        store.append("monitor_check", {**row, "status": "no_data"})
        return monitor_state(store, monitor)
    with store.transaction():  # nobody adds a day between what is read and what is written
        test = _test(monitor, _checks(store, monitor))
        rejected_before = test.rejects(monitor.alpha / 2)
        test.update(1 - value)
        rejects = test.rejects(monitor.alpha / 2)
        detail = canonical_json({"log_e": test.log_e, "n": int(np.count_nonzero(~np.isnan(labels)))})
        status = "alarm" if rejects else "ok"
        store.append("monitor_check", {**row, "status": status, "value": value, "detail": detail})
        if rejects and not rejected_before:
            message = (
                f"daily AUC of {monitor.endpoint} is proven below {monitor.limit:.3f} "
                f"(promoted with {monitor.reference.mean:.3f}), seen after {test.n} days"
            )
            opened = iso(store.clock.latest())
            store.append(
                "alert",
                {"alert_id": new_id(), "monitor_id": monitor.monitor_id, "opened": opened, "message": message},
            )
    return monitor_state(store, monitor)


def monitor_state(store: Store, monitor: Monitor) -> MonitorState:
    """Where the test stands, computed again from the recorded checks."""
    checks = _checks(store, monitor)
    test = _test(monitor, checks)
    alarms = [check["window"] for check in checks if check["status"] == "alarm"]
    alerts = store.query("alert", {"monitor_id": monitor.monitor_id}, limit=1)
    return MonitorState(
        days=len(checks),
        mean=float(np.mean([check["value"] for check in checks])) if checks else None,
        e_value=math.exp(min(test.log_largest, _LARGEST_LOG)),
        alarm_day=alarms[0] if alarms else None,
        alert_id=alerts[0]["alert_id"] if alerts else None,
    )


def load_monitor(store: Store, monitor_id: str) -> Monitor:
    """The monitor with that id."""
    rows = store.query("monitor", {"monitor_id": monitor_id})
    if not rows:
        raise NotFound(f"no monitor {monitor_id!r}", where=store.location)
    detail = msgspec.json.decode(rows[0]["detail"])
    return Monitor(
        monitor_id=monitor_id,
        model=rows[0]["model"],
        endpoint=rows[0]["endpoint"],
        mv_id=detail["mv_id"],
        reference=Reference(**detail["reference"]),
        tolerance=detail["tolerance"],
        alpha=detail["alpha"],
    )


def _checks(store: Store, monitor: Monitor) -> list[Row]:
    where: dict[str, object] = {"monitor_id": monitor.monitor_id, "status !=": "no_data"}
    return store.query("monitor_check", where, order_by=["ts", "window"])  # as the test saw them


def _test(monitor: Monitor, checks: Sequence[Row]) -> BettingTest:
    test = BettingTest(1 - monitor.limit)
    for check in checks:
        test.update(1 - check["value"])
    return test


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise InvalidInput(f"alpha is {alpha}", expected="inside (0, 0.5), such as 0.05")
