"""Quality: values that are missing, of the wrong type, out of range or never seen, and columns that are broken.

A rate alarms where it is surely a point or more above that of training, if it comes again; of missing values, above
that of every day of training. A broken column alarms at once: it is missing altogether, constant, of another type, or
in another unit, and no day of training was like that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.models.learned import LearnedColumn
from assay.build.models.packaging import opened_model
from assay.build.models.stored_features import StoredFeature
from assay.build.models.training_profile import TrainingProfile, training_profile_of
from assay.build.views.registry.registered import find_view
from assay.errors import AssayError, InvalidInput, nearest
from assay.operate.monitors.breakage import broken
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.importance import bearing
from assay.operate.monitors.kind import OVERALL_SEGMENT, Finding, Outcome, Window
from assay.operate.monitors.persistence import settled, status_of, told
from assay.operate.monitors.profiles import input_columns, loaded_profile, profile_of, window_table
from assay.operate.monitors.references import served_profiles
from assay.operate.monitors.segments import by_segment, feature
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.store import Store
from assay.stats.drift import ALPHA, ColumnProfile, Numbers
from assay.stats.drift.number_column import starts_of
from assay.stats.intervals import wilson

__all__ = ["Quality"]

_FLOOR = 0.01  # a point more than in training
_LEAST_ROWS = 30  # of a segment
_NEW = ("out_of_range", "unseen")  # values that a model learns when it is trained again; all else is a defect
_WORDS = {
    "missing": "has no value in",
    "mistyped": "is of another type in",
    "out_of_range": "is out of the range of training in",
    "unseen": "has values that training never had in",
}


@dataclass(frozen=True, slots=True)
class _Opened:
    """What is kept with a version."""

    learned: dict[str, LearnedColumn]
    features: Sequence[StoredFeature]
    profile: TrainingProfile | None


_OPENED: dict[tuple[str, str], _Opened] = {}
_MOST_OPENED = 16


@dataclass(frozen=True, slots=True)
class _Learned:
    """What training had, by column, and the profile where one was kept."""

    columns: dict[str, LearnedColumn]
    profile: TrainingProfile | None
    owners: dict[str, str]  # of the views that columns come from


@dataclass(frozen=True, slots=True)
class Quality:
    """Compares inputs with what training had; it needs no other windows."""

    matures: bool = False

    def check(self, store: Store, monitor: Monitor, window: Window, earlier: Sequence[str]) -> Outcome:  # noqa: ARG002
        """Look at one window."""
        if not window.rows.num_rows:
            return Outcome(status="no_data", value=None, words="nothing was answered")
        learned = _learned(store, monitor)
        if learned is None:
            return Outcome(status="no_data", value=None, words="what training had in its columns was not kept")
        inputs = {one.name: one for one in input_columns(store, monitor, window.rows)}
        names = monitor.definition.columns or list(inputs)
        for name in names:
            if name not in inputs:
                raise InvalidInput(
                    f"there is no input {name!r}", expected=", ".join(inputs), hint=nearest(name, list(inputs))
                )
        profile_of(store, monitor, window)  # kept: later windows are compared with it
        weights = bearing(window.rows, list(inputs.values()))
        chosen = [inputs[name] for name in names if name in learned.columns]
        parts = by_segment(window.rows, monitor.definition.segments)
        tests = max(1, len(chosen) * 3 * len(parts))
        confidence = 1.0 - 2.0 * (monitor.definition.alpha or ALPHA) / tests
        found: list[Finding] = []
        for segment, rows in parts.items():
            table = window_table(rows, list(inputs.values()))
            if segment != OVERALL_SEGMENT and rows.num_rows < _LEAST_ROWS:
                continue
            for one in chosen:
                if segment.startswith(f"{one.name}="):  # the segment says already what the value is
                    continue
                given = feature(rows, one.name) if _has(rows, one.name) else pa.nulls(rows.num_rows)
                read = table[one.name].combine_chunks()
                rates = _rates(learned.columns[one.name], given, read, is_number=one.is_number)
                for measure, (count, of, expected) in rates.items():
                    harm = weights.get(one.name, 1.0)
                    most = max(expected, _most_missing(learned, one.name) if measure == "missing" else 0.0)
                    rate = _rate(monitor, one.name, segment, measure, count, of, expected, most, confidence, harm)
                    found.append(rate)
        table = window_table(window.rows, list(inputs.values()))
        breaks = {}
        for one in chosen:
            whole = None if learned.profile is None else learned.profile.whole
            before = whole.column(one.name) if whole is not None and one.name in whole.columns else None
            given = feature(window.rows, one.name) if _has(window.rows, one.name) else pa.nulls(window.rows.num_rows)
            read = table[one.name].combine_chunks()
            words = broken(one.name, learned.columns[one.name], before, given, read)
            if words is None or _is_usual(learned, one.name, before, read):
                continue
            last = _last_whole(store, monitor, window, learned, one.name)
            if not last or any(broken(one.name, learned.columns[one.name], was, given, read) for was in last):
                breaks[one.name] = words
        return _outcome(store, monitor, found, breaks, weights, learned.owners, window)


def _learned(store: Store, monitor: Monitor) -> _Learned | None:
    mv_id = monitor.mv_id or monitor.version
    if mv_id is None:
        return None
    try:
        version = version_by_id(store, mv_id)
        opened = _opened(store, version)
    except AssayError:  # it was made elsewhere, or removed
        return None
    if not opened.learned:
        return None
    owners = {}
    for one in opened.features:
        try:
            owner = find_view(store, one.reference).declared.owner
        except AssayError:
            continue
        if owner:
            owners[one.input] = owner
    return _Learned(opened.learned, opened.profile, owners)


def _opened(store: Store, version: ModelVersion) -> _Opened:
    """What a version says of its columns; read once a process, since a version never changes."""
    key = (store.location, version.hash)
    if key not in _OPENED:
        model = opened_model(store, version)
        learned = {one.name: one for one in model.learned}
        if len(_OPENED) >= _MOST_OPENED:
            _OPENED.pop(next(iter(_OPENED)))
        _OPENED[key] = _Opened(learned, model.features, training_profile_of(store, version))
    return _OPENED[key]


def _is_usual(learned: _Learned, name: str, before: ColumnProfile | None, read: pa.Array) -> bool:
    """Whether the same would be said of a window of training: no rain all day is weather, and no broken column."""
    now = pc.unique(read.drop_null()).to_numpy(zero_copy_only=False)
    for one in _windows(learned, name):
        if not isinstance(one, Numbers):
            continue
        values = np.repeat(starts_of(one.kind, one.bins), one.counts)
        if len(one.bins) == 1:
            if len(now) == 1 and np.isclose(now[0], values[0], rtol=2.0**-8):
                return True
            continue
        rows = pa.array(np.concatenate([values, np.full(one.missing, np.nan)]), pa.float64(), from_pandas=True)
        if len(now) != 1 and broken(name, learned.columns[name], before, rows, rows) is not None:
            return True
    return False


def _last_whole(store: Store, monitor: Monitor, window: Window, learned: _Learned, name: str) -> list[ColumnProfile]:
    """The column in the last windows in which it was whole, else on the last day of training.

    A unit changes from one window to the next; within one by count, which is then neither. What moves with the seasons
    was nearly as it is now shortly before.
    """
    where = {"monitor_id": monitor.monitor_id, "subject": name, "measure": "broken"}
    spoilt = {row["window"] for row in store.query("monitor_finding", where)}
    rows = [row for row in served_profiles(store, monitor, window) if row["window"] not in spoilt]
    rows = rows[-2:] if monitor.definition.rows is not None else rows[-1:]  # one by count holds days before and after
    profiles = [loaded_profile(store, row) for row in rows]
    found = [profile.column(name) for profile in profiles if name in profile.columns]
    return found or _windows(learned, name)[-1:]


def _most_missing(learned: _Learned, name: str) -> float:
    """The largest rate of missing values that a window of training had: they come in bursts where a sensor fails."""
    return max((one.missing / one.rows for one in _windows(learned, name) if one.rows >= _LEAST_ROWS), default=0.0)


def _windows(learned: _Learned, name: str) -> list[ColumnProfile]:
    """The column in each of the windows of training that were kept."""
    windows = learned.profile.windows if learned.profile is not None else ()
    return [table.column(name) for _, table in windows if name in table.columns]


def _has(rows: pa.Table, name: str) -> bool:
    return "features" in rows.column_names and name in {one.name for one in rows["features"].type}


def _rates(
    learned: LearnedColumn, given: pa.Array, read: pa.Array, *, is_number: bool
) -> dict[str, tuple[int, int, float]]:
    """By measure: in how many rows, of how many, and the rate in training."""
    rows = len(given)
    there = rows - given.null_count
    rates = {"missing": (given.null_count, rows, learned.missing / max(1, learned.rows))}
    if is_number:
        rates["mistyped"] = (there - (rows - read.null_count), rows, 0.0)
        values = read.drop_null().to_numpy(zero_copy_only=False)
        if learned.low is not None and learned.high is not None and len(values):
            outside = int(np.count_nonzero((values < learned.low) | (values > learned.high)))
            rates["out_of_range"] = (outside, len(values), 2.0 / (learned.rows + 1))
    elif learned.categories is not None and there:
        known = pc.is_in(given.cast(pa.string()), pa.array(list(learned.categories), pa.string()))
        unseen = there - int(pc.sum(pc.and_(known, given.is_valid())).as_py() or 0)
        once = sum(count == 1 for count in learned.categories.values())
        rates["unseen"] = (unseen, there, once / max(1, learned.rows))  # Good and Turing: what was seen once tells
    return rates


def _rate(
    monitor: Monitor,
    name: str,
    segment: str,
    measure: str,
    count: int,
    of: int,
    expected: float,
    most: float,
    confidence: float,
    weight: float,
) -> Finding:
    floor = monitor.definition.floor if monitor.definition.floor is not None else _FLOOR
    interval = wilson(count, of, confidence)
    rate = count / of if of else 0.0
    where = "" if segment == OVERALL_SEGMENT else f" ({segment})"
    words = f"{name}{where} {_WORDS[measure]} {_share(rate)} of rows"
    words += f" ({_share(interval.low)} to {_share(interval.high)}), in training {_share(expected)}"
    return Finding(
        subject=name,
        measure=measure,
        segment=segment,
        state="ok",
        words=words,
        value=rate,
        expected=expected,
        bound=most + floor,
        low=interval.low,
        high=interval.high,
        harm=max(0.0, rate - expected) / floor * weight if floor else None,
        rows=of,
        raised=interval.low >= most + floor,
    )


def _outcome(
    store: Store,
    monitor: Monitor,
    rates: Sequence[Finding],
    breaks: dict[str, str],
    weights: dict[str, float],
    owners: dict[str, str],
    window: Window,
) -> Outcome:
    """Broken columns first, then rates; whose data it is stands with it."""
    found = settled(store, monitor, rates)
    floor = monitor.definition.floor or _FLOOR
    for name, words in breaks.items():
        broken_one = Finding(
            subject=name,
            measure="broken",
            state="drift",
            words=words,
            harm=weights.get(name, 1.0) / floor,  # as a rate of 1
            rows=window.rows.num_rows,
            raised=True,
        )
        found.append(broken_one)
    found.sort(key=lambda one: (-(one.state == "drift"), -(one.measure == "broken"), -(one.state == "watch"),
                                -(one.harm or 0.0)))  # fmt: skip
    moved = told(found)
    status = status_of(found)
    largest = max((one.harm or 0.0 for one in found), default=0.0)
    if not moved:
        words = f"{len({one.subject for one in found})} inputs as in training"
        return Outcome(status=status, value=largest, words=words, findings=_kept(found))
    worst = [one for one in moved if one.state == "drift"] or moved
    subjects = list(dict.fromkeys(one.subject for one in worst))
    words = worst[0].words
    if subjects[1:]:
        words += f", and {len(subjects) - 1} more inputs: {', '.join(subjects[1:4])}"
    whose = list(dict.fromkeys(owners[one] for one in subjects if one in owners))
    defects = {one.subject for one in worst if one.measure not in _NEW}
    detail: dict[str, object] = {"columns": subjects, "broken": sorted(breaks), "defects": sorted(defects)}
    if whose:
        words += f"; the data are those of {', '.join(whose)}"
        detail["owner"] = whose[0]
    return Outcome(status=status, value=largest, words=words, findings=_kept(found), detail=detail)


def _kept(found: Sequence[Finding]) -> list[Finding]:
    """Segments only where something is odd."""
    return [one for one in found if one.segment == OVERALL_SEGMENT or one.raised or one.state != "ok"]


def _share(rate: float) -> str:
    return f"{rate:.1%}".replace("%", " %")
