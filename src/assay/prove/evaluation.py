"""Evaluating a model beside a baseline on the same labelled rows, in one pass, by segment.

What is kept is a `Profile`: sums from which every number of the evaluation can be computed again, without the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from assay.build.models.packaging import LoadedModel
from assay.errors import InvalidInput
from assay.prove.asked import Asked
from assay.prove.contribution import Contribution
from assay.prove.costs import ModelCosts, measure
from assay.prove.found import found_slices
from assay.prove.predictions import Model, describe
from assay.prove.rows import EvaluationTable, evaluation_rows
from assay.prove.segments import Segments, segments_of
from assay.prove.sources import hash_of, source_of
from assay.prove.tasks import completed, default_metrics
from assay.record.canonical import canonical_json
from assay.record.datasets import DatasetVersion, snapshot
from assay.record.identity import new_id
from assay.record.models.registry import ModelVersion, version_by_id
from assay.record.store import Store
from assay.record.tracking.runs import current_run
from assay.stats import BINARY, FoundSlice, Metric, ModelSums, Profile, Task, metric, metric_named, metrics_of

if TYPE_CHECKING:
    from assay.prove.gate import GateResult
    from assay.prove.page import Plot

__all__ = ["BASELINE", "CANDIDATE", "Evaluation", "evaluate", "load_evaluation"]

CANDIDATE = "candidate"
BASELINE = "baseline"


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
    label: str | None = None,
    task: str | Task = "binary",
    unit: str | Sequence[str] = (),
    segments: Segments | Sequence[str] = (),
    metrics: Sequence[str | Metric | Contribution | Callable[[ModelSums], Any]] | None = None,
    baseline: Model | None = None,
    weight: str | None = None,
    name: str = "data",
    datasets: Mapping[str, object] | None = None,
    query: str | Sequence[str] = (),
    top: int | None = None,
    level: float = 0.5,
    threshold: float = 0.5,
    seed: int = 0,
    store: Store | None = None,
    dataset: DatasetVersion | None = None,
    costs: bool = False,
) -> Evaluation:
    """Score a model, and a baseline, on `data` and profile the answers by segment.

    `model` and `baseline` are registered versions (`load_model`), scikit-learn estimators fitted on named columns,
    functions of an Arrow table, names of columns of answers in `data`, or arrays of answers. `data` is anything
    that offers Arrow's C stream (pandas, Polars, DuckDB), the path of a Parquet file, or a pattern such as
    `rows/*.parquet` or a list of paths, whose rows are read in batches and may be more than memory holds.

    `task` says what is answered, and with it what `label` holds (null where it is not known yet):

    * "binary": scores in [0, 1] of the label 1; the answer is yes from `threshold` on;
    * "multiclass": classes or probabilities of them;
    * "regression" and "quantile" (of that `level`): numbers;
    * "ranking": scores that order the items of each `query`; the label is a gain of 0 or more, NDCG counts the first
      `top` places;
    * "scores": no label; models are columns of marks that texts were given, larger being better.

    `unit` names the columns that together say which rows belong together (they share chance: flights of one day,
    answers to one prompt); intervals then treat units, not rows, as independent. `weight` is a column of sample
    weights. `segments` are columns, or `Segments` with bins, expressions, how deep they are crossed and how many slices
    to search. `name` is what `data` is called, and `datasets` are further tables by name, such as other periods: they
    are shown beside it. `metrics` are names of Assay's metrics, functions of sums of the team's own (`assay.metric`),
    which are not recorded, and contributions of rows (`assay.contribution`).

    With a `store`, the evaluation is recorded; the models are registered versions then. `dataset` is the version that
    `data` was read from; without it `data` is kept as one. `costs` measures the model's size and latency too, for a
    policy with a budget.

    Raises InvalidInput for a model beside itself, no rows, labels that are all the same, columns that are
    missing or hold other values, and a segment column of more than 1,000 values.
    """
    source = source_of(data)
    name = dataset.name if dataset else name
    models = {CANDIDATE: model} if baseline is None else {CANDIDATE: model, BASELINE: baseline}
    _check_models(models, recorded=store is not None)
    sources = {name: source, **{key: source_of(value) for key, value in (datasets or {}).items()}}
    if len(sources) == len(datasets or {}):
        raise InvalidInput(f"two datasets are called {name!r}", expected="a name of its own for each")
    contributions = [one for one in metrics or () if isinstance(one, Contribution)]
    asked = Asked(
        models=models,
        task=task if isinstance(task, Task) else BINARY,
        label=label,
        unit=_names(unit),
        query=_names(query),
        weight=weight,
        segments=segments_of(segments),
        contributions=contributions,
        top=top,
        threshold=threshold,
        seed=seed,
    )
    asked, known = completed(asked, task, sources, level=level)
    names, own = _metrics(metrics, asked.task)
    profiles = {key: asked.profile(rows, key, known if key == name else None) for key, rows in sources.items()}
    _check_labels(profiles[name], label, name)
    if store is not None and dataset is None:
        if not isinstance(source, pa.Table):
            raise InvalidInput("rows that are read in parts are not kept in the store", hint="give their dataset=")
        dataset = snapshot(store, name, source)
    evaluation = Evaluation(
        evaluation_id=new_id(),
        candidate=model.version if isinstance(model, LoadedModel) else None,
        baseline=baseline.version if isinstance(baseline, LoadedModel) else None,
        names={role: describe(one) for role, one in models.items()},
        dataset_hash=dataset.hash if dataset else hash_of(source),
        dataset_name=name,
        label=label or "",
        unit=[*asked.unit, *asked.query],
        segments=asked.segments.names,
        metrics=names,
        rows=source.num_rows,
        profile=profiles.pop(name),
        others=profiles,
        found=found_slices(asked, source, known, CANDIDATE, BASELINE) if asked.segments.find else {},
        own=own,
        costs=measure(model, source, store=store) if costs else None,
    )
    if store is not None and dataset is not None:
        _record(store, evaluation, dataset, asked)
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


class _Kept(msgspec.Struct, frozen=True):
    """What the store keeps of an evaluation: the profiles by dataset, as bytes, and the found slices."""

    profiles: dict[str, bytes]
    found: dict[str, list[FoundSlice]]


def _record(store: Store, evaluation: Evaluation, dataset: DatasetVersion, asked: Asked) -> None:
    assert evaluation.candidate is not None
    run = current_run(store)
    detail = {
        "dataset": evaluation.dataset_name,
        "label": evaluation.label,
        "unit": evaluation.unit,
        "segments": evaluation.segments,
        "metrics": evaluation.metrics,
        "names": evaluation.names,
        "rows": evaluation.rows,
        "threshold": asked.threshold,
        "seed": asked.seed,
        "asked": {  # what else the same question needs, for another candidate
            "unit": list(asked.unit),
            "query": list(asked.query),
            "weight": asked.weight,
            "top": asked.top,
            "by": list(asked.segments.by),
            "cross": asked.segments.cross,
            "bins": {name: [float(edge) for edge in edges] for name, edges in asked.segments.bins.items()},
            "where": {name: text for name, text in asked.segments.where.items() if isinstance(text, str)},
        },
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


def _metrics(
    metrics: Sequence[str | Metric | Contribution | Callable[[ModelSums], Any]] | None, task: Task
) -> tuple[list[str], list[Metric]]:
    """The names of the metrics that the profile has, and the team's own functions of its sums."""
    asked = default_metrics(task) if metrics is None else metrics
    names = [metric_named(one, task).name for one in asked if isinstance(one, str)]
    names += [one.quantity.name for one in asked if isinstance(one, Contribution)]
    own = [one if isinstance(one, Metric) else metric(one) for one in asked if not isinstance(one, str | Contribution)]
    every = [*metrics_of(task), *(one.name for one in own)]
    for one in own:
        if every.count(one.name) > 1:
            raise InvalidInput(f"there are two metrics {one.name!r}", expected="a name of its own")
    return names, own


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


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


def _check_labels(profile: Profile, label: str | None, name: str) -> None:
    if profile.task.name not in ("binary", "multiclass") or profile.task.weighted or not profile.n_labelled:
        return
    totals = profile.totals()
    classes = profile.task.classes or ("0", "1")
    columns = [f"label:{one}" for one in profile.task.classes] or ["positive"]
    counts = [int(totals.count(column)[0]) for column in columns]
    counts = counts if profile.task.classes else [profile.n_labelled - counts[0], counts[0]]
    if profile.n_labelled in counts:
        raise InvalidInput(
            f"every label in {label!r} is {classes[counts.index(profile.n_labelled)]}",
            where=name,
            expected="rows of both classes" if len(classes) == 2 else "rows of several classes",
            hint="is the right column named, and were the rows chosen by their outcome?",
        )
