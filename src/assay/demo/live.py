"""Second chapter: the champion serves, months pass as requests, labels arrive late, and monitors watch."""

import math
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.splits import split_by_time
from assay.build.models.packaging import load_model
from assay.demo.first import GO_LIVE, HOLD_OUT
from assay.demo.pipeline import LABEL
from assay.demo.replay import Replay, days_between, start_of
from assay.demo.turn import Turn
from assay.operate.monitors.checking import check_due
from assay.operate.monitors.definition import Definition, Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT
from assay.operate.monitors.kinds.promised import of_windows
from assay.operate.monitors.records import declare_monitors, find_monitor, reset_baseline
from assay.operate.monitors.versions import Standing, standing, watch_version
from assay.operate.windows import ServingDays
from assay.progress import tell
from assay.record.models.registry import ModelVersion
from assay.record.store import Store
from assay.stats import OVERALL, Profile, estimate

__all__ = ["ALPHA", "LAST_DAY", "TOLERANCE", "close_day", "watch", "watch_until_decay"]

LAST_DAY = date(2013, 12, 10)  # if nothing decays until here, retraining is due by schedule
TOLERANCE = 0.02  # a loss of two points of daily AUC is agreed to be unimportant
ALPHA = 0.05
MATURITY = timedelta(days=1)  # by the end of the next day the flights of a day have landed
WATCHED = Definition(kind="performance", metric="auc", window="1d", maturity="1d", tolerance=TOLERANCE, alpha=ALPHA)

# By week: a day's weather is not what moves a year.
MOVING = {
    "skew": Definition(kind="skew", window="7d"),
    "prediction_drift": Definition(kind="prediction_drift", window="7d"),
}
LOOKED_BACK = timedelta(weeks=9)


def watch(turn: Turn, champion: ModelVersion, hold_out: pa.Table, since: date) -> Monitor:
    """Watch a version for loss of daily AUC from a day on, against what it showed day by day on its hold-out."""
    loaded = load_model(turn.store, champion)
    values = []
    dates = pc.strftime(hold_out["departure"], format="%Y-%m-%d")  # in UTC, as the windows count days
    for day in pc.unique(dates).to_pylist():
        rows = hold_out.filter(pc.equal(dates, day))
        labels = rows[LABEL].cast(pa.float64()).to_numpy(zero_copy_only=False)
        values.append(_auc(labels, loaded.predict_table(rows)))
    shown = {OVERALL_SEGMENT: of_windows(values, True, alpha=ALPHA / 2, origin="the hold-out")}
    return watch_version(turn.store, champion, WATCHED, shown, endpoint=turn.model, since=start_of(since))


def _auc(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """AUC of the rows that have a label; NaN with fewer than 10 of a class."""
    profile = Profile.build(labels, {"model": scores}, {}, None, thresholds={"model": 0.5}, influence=False)
    found = estimate(profile, OVERALL, "model", "auc")
    return math.nan if found.method == "too small" else found.value


def watch_until_decay(
    turn: Turn, champion: ModelVersion, replay: Replay, days: ServingDays
) -> tuple[Monitor, Standing, date]:
    """Replay day after day until the monitor alarms; returns it, where it stands, and the first day not replayed."""
    past = turn.known_by(GO_LIVE)
    (hold_out,) = split_by_time(past, "departure", [start_of(HOLD_OUT), start_of(GO_LIVE)])
    declare_monitors(turn.store, turn.model, turn.model, MOVING)
    monitor = watch(turn, champion, hold_out, GO_LIVE)
    total = (LAST_DAY - GO_LIVE).days
    for number, day in enumerate(days_between(GO_LIVE, LAST_DAY)):
        state = standing(turn.store, monitor)
        shown = f", mean daily AUC {state.mean:.3f}, evidence {state.e_value:.1f}" if state.mean is not None else ""
        tell("serve", number / total, f"{day}: {replay.sent:,} predictions{shown}")
        replay.send_day(day)
        replay.end_day(day)
        close_day(turn.store, turn.model, monitor, days, day - MATURITY)
        if standing(turn.store, monitor).alarm:
            break
    _look_back(turn, champion, day)
    state = standing(turn.store, monitor)
    tell("serve", 1.0, f"{replay.sent:,} predictions, alarm for {state.alarm}")
    return monitor, state, day + timedelta(days=1)


def _look_back(turn: Turn, champion: ModelVersion, today: date) -> None:
    """What moved in the last weeks, looked at in one go now that the labels have spoken."""
    reset_baseline(turn.store, turn.model, champion.mv_id, since=start_of(max(GO_LIVE, today - LOOKED_BACK)))
    check_due(turn.store, [find_monitor(turn.store, name, turn.model) for name in MOVING])


def close_day(store: Store, model: str, monitor: Monitor, days: ServingDays, day: date) -> None:
    """A day whose labels are in: write its serving window, and let the monitor look at what is due."""
    if days.predictions(str(day)).num_rows:
        days.record(model, model, str(day))
    check_due(store, [find_monitor(store, monitor.monitor_id)])
