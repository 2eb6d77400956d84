"""Answers of a version's past whose labels are mature: what estimates of newer answers are learned from."""

from datetime import timedelta

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.operate.labels.recording import labels_known
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Window
from assay.operate.monitors.reading import LogWindows
from assay.operate.monitors.spans import Span, maturity_of
from assay.record.clock import iso, moment
from assay.record.store import Store

__all__ = ["MOST_ROWS", "Labelled", "labelled_before"]

MOST_ROWS = 5_000  # the newest: trees learn little more from more, and a look may take a second
_MOST_READ = 200_000
_WINDOWS = (64, 16, 4, 1)  # how many windows back, as far as that many rows allow


class Labelled(msgspec.Struct, frozen=True, eq=False):
    """Rows of the log with their labels [rows], in order of time."""

    rows: pa.Table
    labels: NDArray[np.float64]


def labelled_before(store: Store, monitor: Monitor, window: Window) -> Labelled:
    """The newest labelled answers of the version that is watched, at most 5,000, none of them of this window.

    Only what is as old as labels need to mature: those that come early may be of rows of another kind. Labels are those
    known when the window is looked at.
    """
    log = LogWindows(store, monitor.endpoint)
    log.refresh()
    ended = min(window.started, window.ended - maturity_of(monitor.definition))
    length = window.ended - window.started
    first = moment(monitor.since) if monitor.since is not None else None
    begin = ended
    for windows in _WINDOWS:
        begin = ended - windows * max(length, timedelta(seconds=1))
        begin = begin if first is None else max(begin, first)
        if log.rows_since(iso(begin)) <= _MOST_READ:
            break
    if begin >= ended:
        return Labelled(window.rows.slice(0, 0), np.empty(0))
    rows = log.read(Span(begin, ended))
    kept = rows["output"].is_valid()
    version = monitor.mv_id or monitor.version
    if version is not None:
        kept = pc.and_(kept, pc.equal(rows["mv_id"], version))
    rows = rows.filter(kept)
    ids = rows["id"].to_pylist()
    known = labels_known(store, ids, as_of=window.as_of)
    labels = np.array([known.get(id, np.nan) for id in ids], dtype=np.float64)
    there = np.flatnonzero(~np.isnan(labels))[-MOST_ROWS:]
    return Labelled(rows.take(pa.array(there)), labels[there])
