"""Evaluating a model beside a baseline on the same labelled rows, in one pass, by segment.

What is kept is a `Profile`: sums from which every number of the evaluation can be computed again, without the rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from assay.build.packaging import LoadedModel
from assay.errors import InvalidInput
from assay.prove.costs import ModelCosts, measure
from assay.prove.predictions import Model, check_column, describe, predictions
from assay.prove.rows import EvaluationTable, evaluation_rows
from assay.prove.segments import Segments, found_slices, segments_of
from assay.prove.sources import Files, Source, source_of
from assay.record import tables
from assay.record.canonical import canonical_json
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.identity import new_id
from assay.record.registry import ModelVersion, version_by_id
from assay.record.runs import current_run
from assay.record.store import Store
from assay.stats import (
    METRICS,
    FoundSlice,
    Metric,
    ModelSums,
    Profile,
    metric,
    metric_named,
    row_identities,
    text_hashes,
)

if TYPE_CHECKING:
    from assay.prove.gate import GateResult
    from assay.prove.page import Plot

__all__ = ["BASELINE", "CANDIDATE", "Evaluation", "evaluate", "load_evaluation", "profile_table"]

CANDIDATE = "candidate"
BASELINE = "baseline"
_SHOWN = ("accuracy", "auc", "log_loss", "brier", "recall", "precision", "fpr")
_MOST_VALUES = 1000  # of a segment column: beyond it, segments are names and not parts of the population


class Evaluation(msgspec.Struct, frozen=True):
    """What a candidate does on labelled rows, beside a baseline or alone.

    `profile` holds the models under the names `candidate` and `baseline`; `others` are the same of further datasets, by
    name. `found` are slices of the first dataset: where the candidate's log loss is highest ("loss"), and where it is
    higher than the baseline's ("difference"). `candidate` and `baseline` are registered versions where they are, and
    `names` says what they are called. `costs` are there where they were measured. `unit` is empty where every row is a
    unit of its own.
    """

    evaluation_id: str
    candidate: ModelVersion | None
    baseline: ModelVersion | None
    names: dict[str, str]
    dataset_hash: str
    dataset_name: str
    label: str
    unit: list[str]
    segments: list[str]
    metrics: list[str]
    rows: int
    profile: Profile
    others: dict[str, Profile] = {}
    found: dict[str, list[FoundSlice]] = {}
    own: list[Metric] = []
    costs: ModelCosts | None = None

    def table(self, margins: Mapping[str, float] | None = None) -> EvaluationTable:
        """Every metric on every segment of every dataset: value, interval, rows, and how it differs from the baseline.

        `margins` by metric are losses agreed to be unimportant; only with one can a row pass (`EvaluationRow`).
        Prints as text, shows itself in a notebook, and gives an Arrow table by `to_frame`.
        """
        rows = []
        clustered = bool(self.unit)
        for name, profile in {self.dataset_name: self.profile, **self.others}.items():
            rows += evaluation_rows(
                profile, name, [*self.metrics, *self.own], CANDIDATE, BASELINE, clustered=clustered, margins=margins
            )
        return EvaluationTable(rows)

    def to_frame(self) -> pa.Table:
        """`table` as an Arrow table."""
        return self.table().to_frame()

    def plot(self) -> "Plot":
        """A forest of intervals for each metric and heatmaps of the crosses, for a notebook or a file."""
        from assay.prove.page import evaluation_plot

        return evaluation_plot(self)

    def to_html(self, result: "GateResult | None" = None) -> str:
        """One self-contained page: plots, all numbers and how to read them, and the verdict where one is given."""
        from assay.prove.page import evaluation_page

        return evaluation_page(self, result)

    def to_json(self) -> str:
        """`table` as JSON, with what was evaluated on which rows."""
        about = {
            "evaluation": self.evaluation_id,
            "models": self.names,
            "dataset": self.dataset_name,
            "dataset_hash": self.dataset_hash,
            "label": self.label,
            "unit": self.unit,
            "rows": self.rows,
        }
        return msgspec.json.encode({**about, "table": self.table().rows, "found": self.found}).decode()


def evaluate(
    model: Model,
    data: object,
    *,
    label: str,
    unit: str | Sequence[str] = (),
    segments: Segments | Sequence[str] = (),
    metrics: Sequence[str | Metric | Callable[[ModelSums], Any]] = _SHOWN,
    baseline: Model | None = None,
    name: str = "data",
    datasets: Mapping[str, object] | None = None,
    threshold: float = 0.5,
    seed: int = 0,
    store: Store | None = None,
    dataset: DatasetVersion | None = None,
    costs: bool = False,
) -> Evaluation:
    """Score a model, and a baseline, on `data` and profile the answers by segment.

    `model` and `baseline` are registered versions (`load_model`), scikit-learn classifiers fitted on named columns,
    functions of an Arrow table, names of columns of scores in `data`, or arrays of scores in [0, 1]. `data` is anything
    that offers Arrow's C stream (pandas, Polars, DuckDB), the path of a Parquet file, or a pattern such as
    `rows/*.parquet` or a list of paths, whose rows are read in batches and may be more than memory holds.

    `label` holds 0, 1 or null. `unit` names the columns that together say which rows belong together (they share
    chance: flights of one day, orders of one customer); intervals then treat units, not rows, as independent.
    `segments` are columns, or `Segments` that say how deep they are crossed and how many slices to search. `name` is
    what `data` is called, and `datasets` are further tables by name, such as other periods: they are shown beside it.
    `metrics` are names of Assay's metrics, or functions of a team's own (`assay.metric`), which are not recorded.

    With a `store`, the evaluation is recorded; the models are registered versions then. `dataset` is the version that
    `data` was read from; without it `data` is kept as one. `costs` measures the model's size and latency too, for a
    policy with a budget.

    Raises InvalidInput for a model beside itself, no rows, labels that are all the same, columns that are missing or
    hold other values, and a segment column of more than 1,000 values.
    """
    source = source_of(data)
    units = [unit] if isinstance(unit, str) else list(unit)
    name = dataset.name if dataset else name
    wanted = segments_of(segments)
    names, own = _metrics(metrics)
    models = {CANDIDATE: model} if baseline is None else {CANDIDATE: model, BASELINE: baseline}
    _check_models(models, recorded=store is not None)
    sources = {name: source, **{key: source_of(value) for key, value in (datasets or {}).items()}}
    if len(sources) == len(datasets or {}):
        raise InvalidInput(f"two datasets are called {name!r}", expected="a name of its own for each")
    for key, rows in sources.items():
        if not rows.num_rows:
            raise InvalidInput("there are no rows to evaluate on", where=key, expected="labelled rows")
        for column in (label, *units, *wanted.by):
            check_column(rows, column)
    asked = _Asked(models, label, units, wanted, threshold, seed)
    profiles = {key: asked.profile(rows, key) for key, rows in sources.items()}
    _check_labels(profiles[name], label, name)
    if store is not None and dataset is None:
        if isinstance(source, Files):
            raise InvalidInput("files that are read in batches are not kept in the store", hint="give their dataset=")
        dataset = snapshot(store, name, source)
    evaluation = Evaluation(
        evaluation_id=new_id(),
        candidate=model.version if isinstance(model, LoadedModel) else None,
        baseline=baseline.version if isinstance(baseline, LoadedModel) else None,
        names={role: describe(one) for role, one in models.items()},
        dataset_hash=dataset.hash if dataset else _hash_of(source),
        dataset_name=name,
        label=label,
        unit=units,
        segments=list(wanted.by),
        metrics=names,
        rows=source.num_rows,
        profile=profiles.pop(name),
        others=profiles,
        found=asked.found(source) if wanted.find else {},
        own=own,
        costs=measure(model, source, store=store) if costs else None,
    )
    if store is not None and dataset is not None:
        _record(store, evaluation, dataset, threshold=threshold, seed=seed)
    return evaluation


def load_evaluation(store: Store, evaluation_id: str) -> Evaluation:
    """The evaluation with that id, with the very profile it was made with."""
    row = store.get("evaluation", {"evaluation_id": evaluation_id})
    detail = msgspec.json.decode(row["detail"])
    kept = msgspec.msgpack.decode(store.blobs.get(row["profile_blob"]), type=_Kept)
    profiles = {name: Profile.from_bytes(content) for name, content in kept.profiles.items()}
    return Evaluation(
        evaluation_id=evaluation_id,
        candidate=version_by_id(store, row["mv_id"]),
        baseline=version_by_id(store, row["baseline_mv_id"]) if row["baseline_mv_id"] else None,
        names=detail["names"],
        dataset_hash=row["dataset_hash"],
        dataset_name=detail["dataset"],
        label=detail["label"],
        unit=detail["unit"],
        segments=detail["segments"],
        metrics=detail["metrics"],
        rows=detail["rows"],
        profile=profiles.pop(detail["dataset"]),
        others=profiles,
        found=kept.found,
        costs=msgspec.convert(detail.get("costs"), ModelCosts | None),
    )


def profile_table(
    data: pa.Table,
    scores: Mapping[str, ArrayLike],
    *,
    label: str,
    unit: Sequence[str],
    segments: Sequence[str],
    threshold: float,
    cross: int = 2,
    seed: int = 0,
) -> Profile:
    """The profile of several models' scores on the rows of a table; no `unit` makes every row one."""
    for name in (label, *unit, *segments):
        check_column(data, name)
    columns = _columns(data, label, unit, segments)
    return Profile.build(**columns, scores=scores, thresholds=dict.fromkeys(scores, threshold), seed=seed, cross=cross)


class _Kept(msgspec.Struct, frozen=True):
    """What the store keeps of an evaluation: the profiles by dataset, as bytes, and the found slices."""

    profiles: dict[str, bytes]
    found: dict[str, list[FoundSlice]]


class _Asked(msgspec.Struct, frozen=True):
    """What is asked of every dataset of an evaluation."""

    models: Mapping[str, Model]
    label: str
    unit: list[str]
    segments: Segments
    threshold: float
    seed: int

    def profile(self, source: Source, name: str) -> Profile:
        """The profile of all models on the rows, whole or in batches."""

        def batches() -> Iterator[dict[str, Any]]:
            for rows in source.batches() if isinstance(source, Files) else [source]:
                columns = _columns(rows, self.label, self.unit, self.segments.by)
                _check_values(columns["segments"], name)
                scores = {role: predictions(model, rows, f"{role} on {name}") for role, model in self.models.items()}
                yield {**columns, "scores": scores}

        thresholds = dict.fromkeys(self.models, self.threshold)
        if isinstance(source, Files):
            return Profile.stream(batches, thresholds, seed=self.seed, cross=self.segments.cross)
        (rows,) = batches()
        return Profile.build(**rows, thresholds=thresholds, seed=self.seed, cross=self.segments.cross)

    def found(self, source: Source) -> dict[str, list[FoundSlice]]:
        """The slices found among the segment columns; InvalidInput for files, which would have to be in memory."""
        if isinstance(source, Files):
            raise InvalidInput(
                "slices are searched for in memory, and these rows are read in batches",
                hint="search a table with a part of the rows",
            )
        scores = {role: predictions(model, source, role) for role, model in self.models.items()}
        columns = _columns(source, self.label, self.unit, self.segments.by)
        return found_slices(columns, scores, CANDIDATE, BASELINE, self.segments.find, self.seed)


def _columns(data: pa.Table, label: str, unit: Sequence[str], segments: Sequence[str]) -> dict[str, Any]:
    """The arguments of `Profile.build` that are columns of the table."""
    try:
        labels = data.column(label).cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise InvalidInput(
            f"the label column {label!r} is of type {data.column(label).type}", expected="0, 1 or null"
        ) from error
    return {
        "labels": labels,
        "segments": {name: tables.category_column(data, name) for name in segments},
        "units": _units(data, unit),
    }


def _units(data: pa.Table, columns: Sequence[str]) -> pa.ChunkedArray | NDArray[np.uint64]:
    if not columns:
        return row_identities([part for name in data.column_names for part in _numbers(data.column(name))])
    texts = [tables.category_column(data, name).cast(pa.string()) for name in columns]
    return texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, "|")


def _numbers(column: pa.ChunkedArray) -> list[NDArray[np.float64] | NDArray[np.uint64]]:
    """A column as numbers that tell its values apart, for identifying rows; nothing for lists and structs."""
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return [column.cast(pa.float64(), safe=False).to_numpy()]
    if pa.types.is_temporal(kind):
        whole = pa.int64() if kind.bit_width == 64 else pa.int32()
        return [column.cast(whole).cast(pa.float64(), safe=False).to_numpy()]
    if pa.types.is_nested(kind):
        return []
    return [text_hashes(pc.fill_null(column.cast(pa.string()), "missing"))]


def _record(store: Store, evaluation: Evaluation, dataset: DatasetVersion, *, threshold: float, seed: int) -> None:
    assert evaluation.candidate is not None
    run = current_run()
    detail = {
        "dataset": evaluation.dataset_name,
        "label": evaluation.label,
        "unit": evaluation.unit,
        "segments": evaluation.segments,
        "metrics": evaluation.metrics,
        "names": evaluation.names,
        "rows": evaluation.rows,
        "threshold": threshold,
        "seed": seed,
        **({"costs": msgspec.to_builtins(evaluation.costs)} if evaluation.costs else {}),
    }
    profiles = {evaluation.dataset_name: evaluation.profile, **evaluation.others}
    content = _Kept({name: profile.to_bytes() for name, profile in profiles.items()}, evaluation.found)
    store.append(
        "evaluation",
        {
            "evaluation_id": evaluation.evaluation_id,
            "mv_id": evaluation.candidate.mv_id,
            "baseline_mv_id": evaluation.baseline.mv_id if evaluation.baseline else None,
            "dataset_hash": evaluation.dataset_hash,
            "profile_blob": store.blobs.put(msgspec.msgpack.encode(content)),
            "run_id": run.run_id if run else None,
            "detail": canonical_json(detail),
        },
    )
    if run:
        run.uses(dataset.artifact_id, dataset.name)


def _metrics(metrics: Sequence[str | Metric | Callable[[ModelSums], Any]]) -> tuple[list[str], list[Metric]]:
    """The names of Assay's metrics, and the team's own."""
    names = [metric_named(one).name for one in metrics if isinstance(one, str)]
    own = [one if isinstance(one, Metric) else metric(one) for one in metrics if not isinstance(one, str)]
    every = [*METRICS["binary"], *(one.name for one in own)]
    for one in own:
        if every.count(one.name) > 1:
            raise InvalidInput(f"there are two metrics {one.name!r}", expected="a name of its own")
    return names, own


def _check_models(models: Mapping[str, Model], *, recorded: bool) -> None:
    versions = [model.version for model in models.values() if isinstance(model, LoadedModel)]
    if recorded and len(versions) < len(models):
        raise InvalidInput(
            "only evaluations of registered versions are recorded",
            expected="models from `load_model`",
            hint="register it with `package_model`, or evaluate without a store",
        )
    if len(versions) == 2 and versions[0].mv_id == versions[1].mv_id:
        raise InvalidInput(
            f"{versions[0].model}/{versions[0].version} cannot be compared with itself", expected="two versions"
        )


def _check_values(segments: Mapping[str, pa.ChunkedArray], name: str) -> None:
    """Before the models take their time."""
    for column, values in segments.items():
        count = len(values.chunk(0).dictionary) if values.num_chunks else 0
        if count > _MOST_VALUES:
            raise InvalidInput(
                f"the segment column {column!r} has {count:,} values",
                where=name,
                expected=f"at most {_MOST_VALUES:,}",
                hint="group its values into a column of fewer",
            )


def _check_labels(profile: Profile, label: str, name: str) -> None:
    labelled = profile.n_labelled
    positives = int(profile.totals().count("positive")[0]) if labelled else 0
    if labelled and positives in (0, labelled):
        raise InvalidInput(
            f"every label in {label!r} is {int(positives > 0)}",
            where=name,
            expected="rows of both classes",
            hint="is the right column named, and were the rows chosen by their outcome?",
        )


def _hash_of(source: Source) -> str:
    return source.content_hash() if isinstance(source, Files) else tables.content_hash(source)
