"""Inputs together: each may look as it did while they no longer go together.

A classifier is asked to tell the rows of a window from those of the reference windows. It always can, a little: real
windows differ. So it alarms only where it does so surely and beyond what it did of windows in which nothing was wrong.
"""

import pyarrow as pa

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, Window
from assay.operate.monitors.kinds.past import past_of
from assay.operate.monitors.profiles import input_columns, window_table
from assay.operate.monitors.reading import LogWindows
from assay.operate.monitors.references import clean_windows
from assay.operate.monitors.spans import Span
from assay.operate.monitors.usual import usual_of
from assay.operate.predictions.columns import put_together
from assay.record.clock import moment
from assay.record.store import Store
from assay.stats.drift import ALPHA, two_sample_test

__all__ = ["TOGETHER", "together"]

TOGETHER = "(together)"  # the subject of such findings
_MEASURE = "classifier"
_FLOOR = 0.05  # of the area above a half
_SHIFT = 0.02  # added before the logarithm: an area may be a half
_MOST_ROWS = 3_000  # of either side
_FEWEST = 50


def together(store: Store, monitor: Monitor, window: Window) -> Finding | None:
    """The finding of a window; None for a single input, and where too few rows stand on either side."""
    columns = input_columns(store, monitor, window.rows)
    names = [one.name for one in columns if not monitor.definition.columns or one.name in monitor.definition.columns]
    rows = _reference(store, monitor, window)
    if len(names) < 2 or rows is None or min(rows.num_rows, window.rows.num_rows) < _FEWEST:
        return None
    tables = [window_table(one, columns) for one in (rows, window.rows)]
    found = two_sample_test(*tables, columns=names, most_rows=_MOST_ROWS)
    above = max(0.0, found.auc - 0.5)
    earlier = [
        seen.value - 0.5
        for past in past_of(store, monitor, window)
        if (seen := past.found.get((TOGETHER, "all rows", _MEASURE))) is not None
        and seen.value is not None
        and not seen.raised
    ]
    usual = usual_of([max(0.0, one) for one in earlier], alpha=monitor.definition.alpha or ALPHA, shift=_SHIFT)
    is_known = usual is not None and usual.high is not None
    bound = max(_FLOOR, usual.high) if usual is not None and usual.high is not None else _FLOOR
    words = found.words + ("" if is_known else f"; uncalibrated, {len(earlier)} windows before")
    return Finding(
        subject=TOGETHER,
        measure=_MEASURE,
        state="ok" if is_known else "uncalibrated",
        words=words,
        value=found.auc,
        expected=0.5,
        bound=0.5 + bound,
        low=found.interval.low,
        high=found.interval.high,
        harm=above / _FLOOR,
        rows=window.rows.num_rows,
        raised=is_known and above > bound and found.interval.low >= 0.5 + _FLOOR,
    )


def _reference(store: Store, monitor: Monitor, window: Window) -> pa.Table | None:
    """The rows of the windows that the window is compared with, as they stand in the log."""
    clean = clean_windows(store, monitor, window, newest=False)
    if not clean:
        return None
    log = LogWindows(store, monitor.endpoint)
    log.refresh()
    spans = [Span(moment(row["started"]), moment(row["ended"])) for row in clean]
    tables = [log.read(span) for span in spans]
    rows = put_together([one for one in tables if one.num_rows] or tables[:1])
    return rows.filter(rows["output"].is_valid())
