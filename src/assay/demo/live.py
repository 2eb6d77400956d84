"""Second chapter: the champion serves, months pass as requests, labels arrive late, and a monitor watches."""

from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.splits import split_by_time
from assay.build.models.packaging import load_model
from assay.demo.first import GO_LIVE, HOLD_OUT
from assay.demo.pipeline import LABEL
from assay.demo.replay import Replay, days_between, start_of
from assay.demo.turn import Turn
from assay.operate.monitor import Monitor, MonitorState, check_day, create_monitor, monitor_state, reference_of
from assay.operate.windows import ServingDays
from assay.progress import tell
from assay.record.models.registry import ModelVersion
from assay.record.store import Store

__all__ = ["ALPHA", "LAST_DAY", "TOLERANCE", "close_day", "watch", "watch_until_decay"]

LAST_DAY = date(2013, 12, 10)  # if nothing decays until here, retraining is due by schedule
TOLERANCE = 0.02  # a loss of two points of daily AUC is agreed to be unimportant
ALPHA = 0.05
MATURITY = timedelta(days=1)  # by the end of the next day the flights of a day have landed


def watch(turn: Turn, champion: ModelVersion, hold_out: pa.Table) -> Monitor:
    """Watch a version for loss of daily AUC, against what it showed day by day on its hold-out."""
    loaded = load_model(turn.store, champion)
    days = []
    dates = pc.strftime(hold_out["departure"], format="%Y-%m-%d")  # in UTC, as the serving windows count days
    for day in pc.unique(dates).to_pylist():
        rows = hold_out.filter(pc.equal(dates, day))
        labels = rows[LABEL].cast(pa.float64()).to_numpy(zero_copy_only=False)
        days.append((labels, loaded.predict_table(rows)))
    reference = reference_of(days, alpha=ALPHA)
    return create_monitor(
        turn.store, turn.model, turn.model, champion.mv_id, reference, tolerance=TOLERANCE, alpha=ALPHA
    )


def watch_until_decay(
    turn: Turn, champion: ModelVersion, replay: Replay, days: ServingDays
) -> tuple[Monitor, MonitorState, date]:
    """Replay day after day until the monitor alarms; returns it, where it stands, and the first day not replayed."""
    past = turn.known_by(GO_LIVE)
    (hold_out,) = split_by_time(past, "departure", [start_of(HOLD_OUT), start_of(GO_LIVE)])
    monitor = watch(turn, champion, hold_out)
    total = (LAST_DAY - GO_LIVE).days
    for number, day in enumerate(days_between(GO_LIVE, LAST_DAY)):
        state = monitor_state(turn.store, monitor)
        shown = f", mean daily AUC {state.mean:.3f}, evidence {state.e_value:.1f}" if state.mean is not None else ""
        tell("serve", number / total, f"{day}: {replay.sent:,} predictions{shown}")
        replay.send_day(day)
        replay.end_day(day)
        close_day(turn.store, turn.model, monitor, days, day - MATURITY)
        if monitor_state(turn.store, monitor).alarm_day:
            break
    state = monitor_state(turn.store, monitor)
    tell("serve", 1.0, f"{replay.sent:,} predictions, alarm for {state.alarm_day}")
    return monitor, state, day + timedelta(days=1)


def close_day(store: Store, model: str, monitor: Monitor, days: ServingDays, day: date) -> None:
    """A day whose labels are in: write its serving window and give it to the monitor."""
    if not days.predictions(str(day)).num_rows:
        return
    days.record(model, model, str(day))
    window = days.window(str(day), mv_id=monitor.mv_id)
    if window.labelled:
        check_day(store, monitor, str(day), window.labels, window.outputs)
