"""A window's answers with their labels, as the statistics want them: the task, numbers, and what they add up to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from assay.errors import NotFound
from assay.operate.monitors.definition import Monitor
from assay.operate.monitors.kind import OVERALL_SEGMENT, Window
from assay.operate.predictions.columns import FEATURES
from assay.prove.evaluation import CANDIDATE, load_evaluation
from assay.record.store import Store
from assay.stats import BINARY, Profile, Segment, Task

__all__ = ["MODEL", "Answers", "HoldOut", "answers_of", "hold_out_of", "newest_hold_out", "segment_name"]

MODEL = "model"
_DEFAULT_THRESHOLD = 0.5
_DAY_US = 86_400_000_000
_MISSING = "missing"


@dataclass(frozen=True, slots=True, eq=False)
class HoldOut:
    """What the version in service showed before it was promoted: the profile in which it is called `model`."""

    profile: Profile
    model: str
    evaluation_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """`outputs` [n] and `labels` [n], NaN where none is known; `segments` [n] text by column; `place` [n] the place of
    each row among the parts in time of its window: days where `has_days`, eighths where it is short. `table` holds the
    rows as they were logged.
    """

    table: pa.Table
    task: Task
    threshold: float
    outputs: NDArray[np.float64]
    labels: NDArray[np.float64]
    segments: dict[str, pa.Array]
    place: NDArray[np.int64]
    has_days: bool

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows have a label."""
        return ~np.isnan(self.labels)

    @property
    def rows(self) -> int:
        """All answers."""
        return len(self.outputs)

    def profile(self) -> Profile:
        """The sums by segment of the rows that have a label."""
        kept = self.known
        return Profile.build(
            self._said(self.labels[kept]),
            {MODEL: self._said(self.outputs[kept])},
            {name: values.filter(pa.array(kept)) for name, values in self.segments.items()},
            None,
            {MODEL: self.threshold} if self.task.has_scores else None,
            cross=1,
            influence=False,
            task=self.task,
        )

    def _said(self, values: NDArray[np.float64]) -> ArrayLike:
        """Classes by name: the log has their places."""
        if self.task.name != "multiclass":
            return values
        classes = dict(enumerate(self.task.classes))
        return np.array([classes.get(int(value)) for value in values], dtype=object)

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """By name of a segment, all rows first, which rows are in it."""
        found = {OVERALL_SEGMENT: np.ones(self.rows, dtype=bool)}
        for name, values in self.segments.items():
            codes = values.dictionary_encode()
            for code, value in enumerate(codes.dictionary.to_pylist()):
                mask = codes.indices.to_numpy(zero_copy_only=False) == code
                found[f"{name}={value}"] = mask
        return found


def answers_of(monitor: Monitor, window: Window, hold_out: HoldOut | None) -> Answers:
    """The window's answers of the version that is watched, all of them where any is."""
    rows, labels = window.rows, window.labels
    kept = rows["output"].is_valid()
    if monitor.mv_id is not None:
        kept = pc.and_(kept, pc.equal(rows["mv_id"], monitor.mv_id))
    rows, labels = rows.filter(kept), labels.filter(kept.combine_chunks())
    outputs = rows["output"].to_numpy().astype(np.float64)
    known = labels.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return Answers(
        table=rows,
        task=_task(hold_out, outputs, known),
        threshold=_threshold(hold_out),
        outputs=outputs,
        labels=known,
        segments={name: _text(rows, name) for name in monitor.definition.segments},
        place=_places(rows, window),
        has_days=_has_days(window),
    )


def hold_out_of(store: Store, monitor: Monitor, window: Window) -> HoldOut | None:
    """The newest evaluation of the version that answered; None where several did, or it was never evaluated."""
    versions: Sequence[str] = [monitor.mv_id] if monitor.mv_id else window.rows["mv_id"].unique().to_pylist()
    return newest_hold_out(store, versions[0]) if len(versions) == 1 else None


def newest_hold_out(store: Store, mv_id: str) -> HoldOut | None:
    """The newest evaluation of a version; None where it was never evaluated."""
    kept = store.query("evaluation", {"mv_id": mv_id}, order_by=["-ts"], limit=1)
    if not kept:
        return None
    try:
        evaluation = load_evaluation(store, kept[0]["evaluation_id"])
    except NotFound:  # its profile was removed to save room
        return None
    return HoldOut(evaluation.profile, CANDIDATE, evaluation.evaluation_id)


def segment_name(segment: Segment) -> str:
    """The segment as findings name it."""
    return segment.name if segment.conditions else OVERALL_SEGMENT


def _task(hold_out: HoldOut | None, outputs: NDArray[np.float64], labels: NDArray[np.float64]) -> Task:
    """The task that the version was evaluated for, else what its answers and labels look like."""
    named = hold_out.profile.task if hold_out else None
    known = labels[~np.isnan(labels)]
    looks_binary = np.isin(known, (0.0, 1.0)).all() and ((outputs >= 0.0) & (outputs <= 1.0)).all()
    if (named is not None and named.has_scores) or (named is None and looks_binary):
        return BINARY
    if named is not None and named.name == "multiclass":
        return Task("multiclass", classes=named.classes)
    if named is not None and named.name == "quantile":
        return named
    return Task("regression", scale=named.scale if named else _scale(known))


def _scale(labels: NDArray[np.float64]) -> float:
    largest = float(np.abs(labels).max()) if len(labels) else 0.0
    return 2.0 ** math.ceil(math.log2(largest)) if largest > 0.0 else 1.0


def _threshold(hold_out: HoldOut | None) -> float:
    if hold_out is None or not hold_out.profile.thresholds:
        return _DEFAULT_THRESHOLD
    return hold_out.profile.thresholds[hold_out.profile.models.index(hold_out.model)]


def _text(rows: pa.Table, name: str) -> pa.Array:
    """An input as text, "missing" where there is none."""
    features = rows[FEATURES].combine_chunks() if FEATURES in rows.column_names else None
    if features is None or features.type.get_field_index(name) < 0:
        return pa.array([_MISSING] * rows.num_rows, pa.string())
    if isinstance(features, pa.ChunkedArray):
        features = pa.concat_arrays(features.chunks)
    return pc.fill_null(pc.struct_field(features, name).cast(pa.string()), _MISSING)


def _has_days(window: Window) -> bool:
    return window.ended - window.started >= timedelta(days=4)


def _places(rows: pa.Table, window: Window) -> NDArray[np.int64]:
    """Days of a window that has several, else eighths of it."""
    moments = rows["moment"].cast(pa.int64()).to_numpy()
    begin, end = (int(at.timestamp() * 1e6) for at in (window.started, window.ended))
    length = _DAY_US if _has_days(window) else max(1, (end - begin) // 8)
    places: NDArray[np.int64] = (moments - begin) // length
    return places
