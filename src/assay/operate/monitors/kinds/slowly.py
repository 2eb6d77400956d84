"""Slow drift: many windows each a little further, none of them far enough to alarm by itself.

What is kept from window to window stands in the details of the monitor's checks, by column.
"""

from collections.abc import Mapping, Sequence

import msgspec

from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import Finding, Window
from assay.record.store import Store
from assay.stats.drift import SLOW_ALPHA, Numbers, SlowDrift, TableProfile, distance

__all__ = ["SLOW", "slowly"]

SLOW = "slow"  # the measure of such findings, and the key of what is kept
_MEASURES = ("mean", "js", "linf")  # the first that is measured of a column
_LOOKED_BACK = 30  # checks, for the last one that kept something

Kept = dict[str, SlowDrift]


def slowly(
    store: Store,
    monitor: Monitor,
    window: Window,
    reference: TableProfile,
    current: TableProfile,
    measures: Mapping[str, Sequence[str]],
    harms: Mapping[tuple[str, str], float | None],
    *,
    is_calibrated: bool,
) -> tuple[list[Finding], dict[str, object]]:
    """A finding for each column, over all rows, and what the check has to keep.

    By chance a monitor calls once in 1,000 windows in the mean, whatever its number of columns. `harms` are those of
    this window's findings by column and measure.
    """
    before = _kept(store, monitor, window)
    chosen = {
        name: next(one for one in _MEASURES if one in several)
        for name, several in measures.items()
        if set(several) & set(_MEASURES)
    }
    findings, after = [], {}
    for name, measure in chosen.items():
        moved = distance(measure, reference.column(name), current.column(name))
        kept = before.get(name, SlowDrift()).after(moved)
        after[name] = kept
        is_slow = kept.is_drift(SLOW_ALPHA / len(chosen))
        said = "goes on moving" if is_slow else "does not go on moving"
        words = f"{name} {said} window by window, evidence {kept.evidence:,.3g} to 1"
        findings.append(
            Finding(
                subject=name,
                measure=SLOW,
                state="ok" if is_calibrated else "uncalibrated",
                words=words + _middles(name, reference, current),
                value=kept.evidence,
                bound=len(chosen) / SLOW_ALPHA,
                harm=harms.get((name, measure)) if is_slow else None,
                rows=current.rows,
                raised=is_slow and is_calibrated,
            )
        )
    return findings, {SLOW: msgspec.to_builtins(after)}


def _kept(store: Store, monitor: Monitor, window: Window) -> Kept:
    """What the last check of the present champion kept that had something to compare."""
    where: dict[str, object] = {"monitor_id": monitor.monitor_id, "window !=": window.name}
    if monitor.since is not None:
        where["started >="] = monitor.since
    for row in store.query("monitor_check", where, order_by=["-ended", "-window"], limit=_LOOKED_BACK):
        detail = msgspec.json.decode(row["detail"]) if row["detail"] else {}
        if SLOW in detail:
            return msgspec.convert(detail[SLOW], Kept)
    return {}


def _middles(name: str, reference: TableProfile, current: TableProfile) -> str:
    before, now = reference.column(name), current.column(name)
    if not isinstance(before, Numbers) or not isinstance(now, Numbers) or not before.present or not now.present:
        return ""
    return f"; its mean was {before.mean:.4g} and is {now.mean:.4g}"
