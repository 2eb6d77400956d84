"""Evaluating a registered version from the command line."""

from typing import Annotated

import msgspec

from assay.build.data.words import names_in
from assay.build.models.packaging import load_model
from assay.errors import InvalidInput
from assay.operation import operation
from assay.prove.evaluation import Evaluation, evaluate
from assay.prove.rows import EvaluationRow
from assay.prove.segments import Segments
from assay.record import tables
from assay.record.models.registry import CHAMPION, ModelVersion, alias, find_version
from assay.record.store import Store
from assay.stats import FoundSlice

__all__ = ["Measurement", "evaluate_version"]


class Measurement(msgspec.Struct, frozen=True):
    """A recorded evaluation: what was measured on which rows, and the table of it."""

    evaluation_id: str
    candidate: str
    baseline: str | None
    dataset: str
    dataset_hash: str
    rows: int
    unlabelled: int
    segments: int
    table: list[EvaluationRow]
    found: dict[str, list[FoundSlice]] = {}


@operation("evaluate", local=True)
def evaluate_version(
    store: Store,
    model: str,
    version: int,
    *,
    data: Annotated[str | None, "The Parquet file of labelled rows"] = None,
    label: Annotated[str | None, "The column with what came, null where that is not known"] = None,
    unit: Annotated[str | None, "Columns, with commas, that say which rows belong together"] = None,
    segments: Annotated[str | None, "Columns, with commas, whose values and pairs are segments"] = None,
    cross: Annotated[int, "How many columns a segment may cross"] = 2,
    find: Annotated[int, "How many slices to search for where the model is worst, or worse than the baseline"] = 0,
    bins: Annotated[str | None, "Edges of numeric segments, as distance=500:1000, with commas"] = None,
    where: Annotated[str | None, "Segments by SQL, as night=hour >= 22, with semicolons"] = None,
    task: Annotated[str, "binary, multiclass, regression, quantile or ranking"] = "binary",
    level: Annotated[float, "The level of a quantile"] = 0.5,
    query: Annotated[str | None, "Columns, with commas, that say which items a ranking orders together"] = None,
    weight: Annotated[str | None, "The column of sample weights"] = None,
    metrics: Annotated[str | None, "What the table shows, with commas; by default the task's main metrics"] = None,
    baseline: Annotated[str, "A version's number, `champion`, or `none`"] = CHAMPION,
    threshold: Annotated[float, "The score from which the answer is yes"] = 0.5,
    datasets: Annotated[str | None, "Further datasets, as july=july.parquet, with commas"] = None,
    costs: Annotated[bool, "Measure the model's size and latency too, for a policy with a budget"] = False,
) -> Measurement:
    """Score a version beside a baseline on labelled rows, by segment, and keep the evaluation.

    Without a champion there is no baseline. `assay gate EVALUATION --policy FILE` judges what was measured.

    Raises InvalidInput where the file or the label is not given, and as `assay.evaluate`.
    """
    if data is None or label is None:
        missing = "--data FILE" if data is None else "--label COLUMN"
        raise InvalidInput(
            f"{missing} is not given", hint=f"assay evaluate {model} {version} --data rows.parquet --label late"
        )
    candidate = find_version(store, model, version)
    beside = _baseline(store, model, baseline, candidate)
    found = evaluate(
        load_model(store, candidate),
        tables.as_table(data),
        label=label,
        unit=names_in(unit),
        task=task,
        level=level,
        query=names_in(query),
        weight=weight,
        segments=Segments(
            by=names_in(segments),
            cross=cross,
            find=find,
            bins=_bins(bins),
            where=_pairs(where, ";", "night=hour >= 22"),
        ),
        metrics=names_in(metrics) if metrics is not None else None,
        baseline=load_model(store, beside) if beside else None,
        threshold=threshold,
        store=store,
        name=f"{model}-evaluation",
        datasets={name: tables.as_table(file) for name, file in _pairs(datasets, ",", "july=july.parquet").items()},
        costs=costs,
    )
    return _measurement(found)


def _measurement(found: Evaluation) -> Measurement:
    return Measurement(
        evaluation_id=found.evaluation_id,
        candidate=found.names["candidate"],
        baseline=found.names.get("baseline"),
        dataset=found.dataset_name,
        dataset_hash=found.dataset_hash,
        rows=found.rows,
        unlabelled=found.profile.n_rows - found.profile.n_labelled,
        segments=len(found.profile.segments),
        table=found.table().rows,
        found=found.found,
    )


def _baseline(store: Store, model: str, name: str, candidate: ModelVersion) -> ModelVersion | None:
    if name == "none":
        return None
    if name == CHAMPION:
        champion = alias(store, model, CHAMPION)
        return champion if champion and champion.mv_id != candidate.mv_id else None
    if not name.isdecimal():
        raise InvalidInput(f"the baseline is {name!r}", expected="a version's number, `champion`, or `none`")
    return find_version(store, model, int(name))


def _pairs(text: str | None, separator: str, example: str) -> dict[str, str]:
    """Names and what they stand for, of text such as the example; InvalidInput where a part is none."""
    found = {}
    for part in (text or "").split(separator):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if part.strip() and not (name and equals and value):
            raise InvalidInput(f"{part.strip()!r} has no name or nothing after it", expected=f"such as {example}")
        if part.strip():
            found[name] = value
    return found


def _bins(text: str | None) -> dict[str, list[float]]:
    found = {}
    for name, edges in _pairs(text, ",", "distance=500:1000").items():
        try:
            found[name] = [float(edge) for edge in edges.split(":")]
        except ValueError as error:
            raise InvalidInput(f"the bins of {name!r} are {edges!r}", expected="such as distance=500:1000") from error
    return found
