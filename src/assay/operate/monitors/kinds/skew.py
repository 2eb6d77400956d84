"""Skew: does the model serve what it learned from, all windows since it is champion against its training table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.build.models.training_profile import training_profile_of
from assay.errors import AssayError
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.importance import bearing
from assay.operate.monitors.kind import Finding, FindingState, Outcome, Window
from assay.operate.monitors.kinds.drift import chosen_measures, outcome_of
from assay.operate.monitors.profiles import input_columns, loaded_profile, only, profile_of
from assay.operate.monitors.references import MOST, served_profiles
from assay.record.models.registry import version_by_id
from assay.record.store import Store
from assay.stats.drift import FLOORS, MINIMUM_WINDOWS, Baseline, TableProfile, Verdict, judge

__all__ = ["Skew"]

_TIMES_FLOOR = 2.0  # a window is never just like a training table of months: what matters is twice what drift finds


@dataclass(frozen=True, slots=True)
class Skew:
    """Raised where the effect, without what chance adds, is surely twice the floor or more.

    Judged from 6 windows on, of which the last 30 count together, so that a day's weather is not taken for skew.
    """

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window, and those before it."""
        current = profile_of(store, monitor, window)
        if current is None:
            return Outcome(status="no_data", value=None, words="nothing was answered")
        training = _training(store, monitor)
        if training is None:
            words = "no profile of the training table was kept with the version: it was registered before there was one"
            return Outcome(status="no_data", value=None, words=words)
        before = [row for row in served_profiles(store, monitor, window) if row["window"] != window.name]
        parts = [*(loaded_profile(store, row) for row in before[-MOST + 1 :]), current]
        served = TableProfile.total_of([only(one, list(training.columns)) for one in parts])
        measures = chosen_measures(training, monitor.definition.columns, answers=False)
        floor = monitor.definition.floor
        floors = {name: _TIMES_FLOOR * one if floor is None else floor for name, one in FLOORS.items()}
        verdicts = judge(Baseline.learn([training], measures=measures), served, floors=floors)
        weights = bearing(window.rows, input_columns(store, monitor, window.rows))
        found = [_finding(one, weights, len(parts) >= MINIMUM_WINDOWS) for one in verdicts]
        return outcome_of(store, monitor, found, len(parts), f"as in training, by {len(parts)} windows")


def _training(store: Store, monitor: Monitor) -> TableProfile | None:
    mv_id = monitor.mv_id or monitor.version
    if mv_id is None:
        return None
    try:
        kept = training_profile_of(store, version_by_id(store, mv_id))
    except AssayError:
        return None
    return None if kept is None else kept.whole


def _finding(one: Verdict, weights: dict[str, float], is_calibrated: bool) -> Finding:
    interval = one.interval
    sure = interval is not None and math.isfinite(interval.low) and interval.low >= one.floor
    raised = is_calibrated and sure
    state: FindingState = "no_data" if one.distance is None else "ok" if is_calibrated else "uncalibrated"
    effect = max(0.0, one.effect or 0.0)
    words = one.words.replace("; uncalibrated: what is usual is not known", "; against training")
    return Finding(
        subject=one.column,
        measure=one.measure,
        state=state,
        words=words,
        value=one.distance,
        expected=one.null,
        bound=one.floor,
        low=None if interval is None or not math.isfinite(interval.low) else interval.low,
        high=None if interval is None or not math.isfinite(interval.high) else interval.high,
        harm=effect / one.floor * weights.get(one.column, 1.0) if one.floor else None,
        rows=one.current_rows,
        raised=raised,
    )
