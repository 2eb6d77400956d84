"""Which windows a new one is compared with: the first clean ones since the champion came, of the same season."""

from collections.abc import Sequence
from datetime import datetime

from assay.build.models.training_profile import training_profile_of
from assay.errors import AssayError
from assay.operate.monitors.definition import Monitor, Season
from assay.operate.monitors.kind import Window
from assay.operate.monitors.profiles import segments_key
from assay.record.clock import iso, moment
from assay.record.lengths import written_length
from assay.record.models.registry import version_by_id
from assay.record.store import Row, Store
from assay.stats.drift import MINIMUM_WINDOWS, TableProfile, same_season

__all__ = ["MOST", "clean_windows", "reference_profiles", "served_profiles", "training_windows"]

MOST = 30  # windows to learn from: more make the bound hardly any better
_SEASONS = {"none": 1, "hour": 24, "weekday": 7}


def clean_windows(store: Store, monitor: Monitor, window: Window, *, newest: bool, anew: bool = True) -> list[Row]:
    """Checks of earlier windows in which nothing was found, of the same season, at most `MOST`, in order of time.

    The first ones of the present champion, or with `newest` the last ones; not `anew`: also those of champions before.
    """
    where: dict[str, object] = {
        "monitor_id": monitor.monitor_id,
        "status in": ["ok", "uncalibrated"],
        "started <": iso(window.started),
        "rows >": 0,
    }
    if anew and monitor.since is not None:
        where["started >="] = monitor.since
    most = MOST * _SEASONS[monitor.definition.season] * (7 if monitor.definition.season == "weekday" else 1)
    order = ["-started"] if newest else ["started"]
    rows = sorted(store.query("monitor_check", where, order_by=order, limit=most), key=lambda row: str(row["started"]))
    alike = _alike(monitor.definition.season, [moment(row["started"]) for row in rows], window.started)
    chosen = [rows[place] for place in alike]
    return chosen[-MOST:] if newest else chosen[:MOST]


def reference_profiles(store: Store, monitor: Monitor, window: Window) -> list[Row]:
    """The profiles on record of the windows to compare with, in order of time."""
    names = [row["window"] for row in clean_windows(store, monitor, window, newest=False)]
    if not names:
        return []
    where = {"endpoint": monitor.endpoint, "role": "window", "window in": names, "segments": segments_key(monitor)}
    rows = store.query("window_profile", {**where, "mv_id": monitor.version}, order_by=["started", "profile_id"])
    length = window.ended - window.started
    if monitor.definition.rows is not None:
        return rows
    return [row for row in rows if moment(row["ended"]) - moment(row["started"]) == length]


def served_profiles(store: Store, monitor: Monitor, window: Window) -> list[Row]:
    """The profiles of all windows since the champion came, before this one, of the same length, in order of time."""
    where: dict[str, object] = {
        "endpoint": monitor.endpoint,
        "role": "window",
        "segments": segments_key(monitor),
        "mv_id": monitor.version,
        "ended <=": iso(window.started),
        "started >=": monitor.since or "",
    }
    rows = store.query("window_profile", where, order_by=["-started", "profile_id"], limit=2 * MOST)
    length = window.ended - window.started
    by_count = monitor.definition.rows is not None
    return [row for row in reversed(rows) if by_count or moment(row["ended"]) - moment(row["started"]) == length]


def training_windows(store: Store, monitor: Monitor, window: Window) -> list[tuple[str, TableProfile]]:
    """The windows of the training table, of the same length and season, each under a name that no other has.

    None where there are too few, and none for monitors by segment: what was kept of the training has no segments.
    """
    mv_id = monitor.mv_id or monitor.version
    if mv_id is None or monitor.definition.segments or monitor.definition.rows is not None:
        return []
    try:
        version = version_by_id(store, mv_id)
        kept = training_profile_of(store, version)
    except AssayError:  # it was made elsewhere, or removed
        return []
    if kept is None or kept.window is None or written_length(kept.window) != window.ended - window.started:
        return []
    alike = _alike(monitor.definition.season, [started for started, _ in kept.windows], window.started)
    chosen = [kept.windows[place] for place in alike]
    if len(chosen) < MINIMUM_WINDOWS:
        return []
    return [(f"{version.hash} {started:%Y-%m-%dT%H:%M}", one) for started, one in chosen]


def _alike(season: Season, starts: Sequence[datetime], start: datetime) -> Sequence[int]:
    if season == "none" or not starts:
        return range(len(starts))
    if season == "hour":
        return [place for place, one in enumerate(starts) if one.hour == start.hour]
    return same_season(starts, start).places
