"""Evaluating a version beside a baseline on the same labelled rows, in one pass, by segment.

What is kept is a `Profile`: sums from which every number of the evaluation can be computed again, without the rows.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.packaging import LoadedModel
from assay.errors import InvalidInput, nearest
from assay.record import tables
from assay.record.canonical import canonical_json
from assay.record.datasets import DatasetVersion
from assay.record.identity import new_id
from assay.record.registry import ModelVersion, version_by_id
from assay.record.runs import current_run
from assay.record.store import Store
from assay.stats import Estimate, Profile, estimate

__all__ = [
    "BASELINE",
    "CANDIDATE",
    "Evaluation",
    "SegmentValue",
    "evaluate",
    "load_evaluation",
    "profile_table",
    "segment_values",
]

CANDIDATE = "candidate"
BASELINE = "baseline"


class Evaluation(msgspec.Struct, frozen=True):
    """An evaluation in the store. `profile` holds the models under the names `candidate` and `baseline`."""

    evaluation_id: str
    candidate: ModelVersion
    baseline: ModelVersion
    dataset_hash: str
    dataset_name: str
    label: str
    unit: list[str]
    segments: list[str]
    rows: int
    profile: Profile


class SegmentValue(msgspec.Struct, frozen=True):
    """A metric of one model on one segment with its interval; NaN where it is not defined there."""

    segment: str
    metric: str
    estimate: Estimate


def evaluate(
    store: Store,
    candidate: LoadedModel,
    baseline: LoadedModel,
    data: pa.Table,
    *,
    dataset: DatasetVersion,
    label: str,
    unit: Sequence[str],
    segments: Sequence[str],
    threshold: float = 0.5,
    seed: int = 0,
) -> Evaluation:
    """Score both models on `data` and keep the profile.

    `label` holds 0, 1 or null. `unit` names the columns that together say which rows belong together (they share
    chance: flights of one day, orders of one customer); intervals treat units, not rows, as independent. InvalidInput
    for a version beside itself, no rows, and columns that are missing or hold other values.
    """
    if candidate.version.mv_id == baseline.version.mv_id:
        raise InvalidInput(
            f"{candidate.version.model}/{candidate.version.version} cannot be compared with itself",
            expected="two versions",
        )
    if not data.num_rows:
        raise InvalidInput("there are no rows to evaluate on", where=dataset.name, expected="labelled rows")
    for name in (label, *unit, *segments):  # before the models take their time
        _check_column(data, name)
    profile = profile_table(
        data,
        {CANDIDATE: candidate.predict_table(data), BASELINE: baseline.predict_table(data)},
        label=label,
        unit=unit,
        segments=segments,
        threshold=threshold,
        seed=seed,
    )
    evaluation = Evaluation(
        evaluation_id=new_id(),
        candidate=candidate.version,
        baseline=baseline.version,
        dataset_hash=dataset.hash,
        dataset_name=dataset.name,
        label=label,
        unit=list(unit),
        segments=list(segments),
        rows=data.num_rows,
        profile=profile,
    )
    run = current_run()
    detail = {
        "dataset": dataset.name,
        "label": label,
        "unit": list(unit),
        "segments": list(segments),
        "rows": data.num_rows,
        "threshold": threshold,
        "seed": seed,
    }
    store.append(
        "evaluation",
        {
            "evaluation_id": evaluation.evaluation_id,
            "mv_id": candidate.version.mv_id,
            "baseline_mv_id": baseline.version.mv_id,
            "dataset_hash": dataset.hash,
            "profile_blob": store.blobs.put(profile.to_bytes()),
            "run_id": run.run_id if run else None,
            "detail": canonical_json(detail),
        },
    )
    if run:
        run.uses(dataset.artifact_id, dataset.name)
    return evaluation


def load_evaluation(store: Store, evaluation_id: str) -> Evaluation:
    """The evaluation with that id, with the very profile it was made with."""
    row = store.get("evaluation", {"evaluation_id": evaluation_id})
    detail = msgspec.json.decode(row["detail"])
    return Evaluation(
        evaluation_id=evaluation_id,
        candidate=version_by_id(store, row["mv_id"]),
        baseline=version_by_id(store, row["baseline_mv_id"]),
        dataset_hash=row["dataset_hash"],
        dataset_name=detail["dataset"],
        label=detail["label"],
        unit=detail["unit"],
        segments=detail["segments"],
        rows=detail["rows"],
        profile=Profile.from_bytes(store.blobs.get(row["profile_blob"])),
    )


def segment_values(profile: Profile, model: str, metrics: Sequence[str], cross: int) -> list[SegmentValue]:
    """Metrics of one model on every segment, clustered by unit."""
    return [
        SegmentValue(segment.name, metric, estimate(profile, segment, model, metric, clustered=True))
        for segment in profile.segments(cross)
        for metric in metrics
    ]


def profile_table(
    data: pa.Table,
    scores: Mapping[str, NDArray[np.float64]],
    *,
    label: str,
    unit: Sequence[str],
    segments: Sequence[str],
    threshold: float,
    seed: int = 0,
) -> Profile:
    """The profile of several models' scores on the rows of a table."""
    for name in (label, *unit, *segments):
        _check_column(data, name)
    try:
        labels = data.column(label).cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise InvalidInput(
            f"the label column {label!r} is of type {data.column(label).type}", expected="0, 1 or null"
        ) from error
    return Profile.build(
        labels,
        scores,
        {name: tables.column_texts(data, name) for name in segments},
        _units(data, unit),
        thresholds=dict.fromkeys(scores, threshold),
        seed=seed,
    )


def _check_column(data: pa.Table, name: str) -> None:
    if name not in data.column_names:
        close = nearest(name, data.column_names)
        raise InvalidInput(
            f"there is no column {name!r}",
            expected=", ".join(data.column_names),
            hint=f"did you mean {close!r}?" if close else None,
        )


def _units(data: pa.Table, columns: Sequence[str]) -> NDArray[np.object_]:
    if not columns:
        raise InvalidInput("no unit is given", expected="the columns that say which rows belong together")
    units = tables.column_texts(data, columns[0])
    for name in columns[1:]:
        units = units + "|" + tables.column_texts(data, name)
    return units
