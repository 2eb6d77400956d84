"""Errors: the share of rows that no model could answer, with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, Outcome, Window
from assay.operate.monitors.persistence import settled, status_of
from assay.operate.monitors.references import clean_windows
from assay.operate.monitors.segments import by_segment
from assay.operate.predictions.columns import put_together
from assay.record.store import Store
from assay.stats.drift import ALPHA
from assay.stats.intervals import wilson

__all__ = ["Errors"]

_FLOOR = 0.01  # a point more than usual


@dataclass(frozen=True, slots=True)
class Errors:
    """Raised where the rate is surely a point or more above that of earlier clean windows, which may be 0."""

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window."""
        every = put_together([window.rows, window.failed])
        if not every.num_rows:
            return Outcome(status="no_data", value=None, words="nothing was asked")
        definition = monitor.definition
        floor = definition.floor if definition.floor is not None else _FLOOR
        checks = clean_windows(store, monitor, window, newest=True)
        usual = _usual(store, monitor, [row["window"] for row in checks])
        parts = by_segment(every, definition.segments)
        confidence = 1.0 - 2.0 * (definition.alpha or ALPHA) / len(parts)  # one side, in each segment
        found = []
        for segment, rows in parts.items():
            failed = rows.filter(pc.invert(rows["output"].is_valid()))
            rate, expected = failed.num_rows / rows.num_rows, usual.get(segment, usual.get(OVERALL_SEGMENT, 0.0))
            interval = wilson(failed.num_rows, rows.num_rows, confidence)
            where = "" if segment == OVERALL_SEGMENT else f"{segment}: "
            words = f"{where}{failed.num_rows:,} of {rows.num_rows:,} rows failed, {_share(rate)}"
            words += f" ({_share(interval.low)} to {_share(interval.high)}); usual is {_share(expected)}"
            reason = _reason(failed)
            found.append(
                Finding(
                    subject="errors",
                    measure="rate",
                    segment=segment,
                    state="ok",
                    words=words + (f"; most often: {reason}" if reason else ""),
                    value=rate,
                    expected=expected,
                    bound=expected + floor,
                    low=interval.low,
                    high=interval.high,
                    harm=max(0.0, rate - expected) / floor if floor else None,
                    rows=rows.num_rows,
                    raised=interval.low >= expected + floor,
                )
            )
        found = settled(store, monitor, found)
        found.sort(key=lambda one: (one.segment != OVERALL_SEGMENT, -(one.harm or 0.0)))
        worst = next((one for one in found if one.state in ("drift", "watch")), found[0])
        return Outcome(status=status_of(found), value=found[0].value, words=worst.words, findings=found)


def _usual(store: Store, monitor: Monitor, windows: Sequence[str]) -> dict[str, float]:
    """The rate of earlier windows by segment, their rows together."""
    if not windows:
        return {}
    failed: dict[str, float] = {}
    rows: dict[str, int] = {}
    where = {"monitor_id": monitor.monitor_id, "window in": list(windows), "subject": "errors"}
    for one in store.query("monitor_finding", where):
        segment = one["segment"]
        failed[segment] = failed.get(segment, 0.0) + one["value"] * one["rows"]
        rows[segment] = rows.get(segment, 0) + one["rows"]
    return {segment: failed[segment] / rows[segment] for segment in rows}


def _reason(failed: pa.Table) -> str | None:
    """What most of them say."""
    said = pc.value_counts(failed["error"].drop_null()).to_pylist()
    return max(said, key=lambda one: (one["counts"], one["values"]))["values"] if said else None


def _share(rate: float) -> str:
    return f"{rate:.1%}".replace("%", " %")
