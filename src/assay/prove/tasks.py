"""The task of an evaluation, completed from its rows: the classes that occur, the unit numbers are summed in."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from assay.errors import InvalidInput, nearest
from assay.prove.asked import Asked
from assay.prove.contribution import Contribution
from assay.prove.predictions import Said, class_names
from assay.prove.sources import Source, first_rows
from assay.stats import RANKING, SCORES, TASKS, Task
from assay.stats.task import TaskName

__all__ = ["completed", "default_metrics", "task_for"]

_SHOWN: dict[TaskName, tuple[str, ...]] = {
    "binary": ("accuracy", "auc", "log_loss", "brier", "recall", "precision", "fpr"),
    "multiclass": ("accuracy", "macro_f1", "weighted_f1", "kappa"),
    "regression": ("mae", "rmse", "r2", "bias"),
    "quantile": ("pinball", "coverage", "mae"),
    "ranking": ("ndcg", "mrr", "map"),
    "scores": ("score",),
}


def completed(
    asked: Asked, wanted: str | Task, sources: Mapping[str, Source], *, level: float = 0.5
) -> tuple[Asked, dict[str, Said] | None]:
    """The question in full, for the first of the sources above all; with what the models said, where it is a table.

    Raises InvalidInput for sources without rows or without the columns asked for, and as `task_for`.
    """
    kind = wanted.name if isinstance(wanted, Task) else wanted
    if (kind == "ranking") != bool(asked.query):
        raise InvalidInput(
            "query= is not given" if kind == "ranking" else f"the task {kind} has no query",
            expected="the columns that say which items belong to one query" if kind == "ranking" else "no query=",
        )
    for name, rows in sources.items():
        if not rows.num_rows:
            raise InvalidInput("there are no rows to evaluate on", where=name, expected="labelled rows")
        asked.check(rows.schema)
    name, source = next(iter(sources.items()))
    first = first_rows(source)
    segments = asked.segments.with_bins_of(first, all_rows=first is source)
    segments.columns(first, name)  # refused before the models take their time
    said = asked.said(first, name)
    weighted = asked.weight is not None
    task = task_for(
        wanted, list(sources.values()), asked.label, said, asked.contributions, weighted=weighted, level=level
    )
    return replace(asked, task=task, segments=segments), said if first is source else None


def task_for(
    wanted: str | Task,
    sources: Iterable[Source],
    label: str | None,
    said: Mapping[str, Said],
    contributions: Sequence[Contribution],
    *,
    weighted: bool,
    level: float,
) -> Task:
    """The task in full. `said` is what the models say about some rows.

    Classes are those of the labels in all datasets and of the models; numbers are summed in a power of two near the
    largest label, so that the same rows give the same sums. InvalidInput for an unknown task, a missing or needless
    label, and what the task cannot be completed from.
    """
    own = tuple(one.quantity for one in contributions)
    if isinstance(wanted, Task):
        return msgspec.structs.replace(wanted, weighted=weighted, quantities=(*wanted.quantities, *own))
    if wanted not in TASKS:
        hint = nearest(wanted, list(TASKS))
        raise InvalidInput(f"there is no task {wanted!r}", expected=f"one of {', '.join(TASKS)}", hint=hint)
    name: TaskName = wanted
    if (label is None) != (name == "scores"):
        raise InvalidInput(
            "scored texts have no label" if label is not None else "label= is not given",
            expected="the column with what came" if label is None else "models that are columns of scores",
        )
    if name == "ranking":
        if own:
            raise InvalidInput("rows of a ranking contribute by query", hint="leave the team's own metrics out")
        return msgspec.structs.replace(RANKING, weighted=weighted)
    if name == "scores":
        return msgspec.structs.replace(SCORES, weighted=weighted, quantities=(*SCORES.quantities, *own))
    assert label is not None
    if name == "multiclass":
        classes = _classes(sources, label, said)
        likely = all(one.values.ndim == 2 for one in said.values())
        return Task(name, classes=classes, probabilities=likely, weighted=weighted, quantities=own)
    if name in ("regression", "quantile"):
        scale = _scale(sources, label)
        return Task(name, level=level, scale=scale, weighted=weighted, quantities=own)
    return Task(name, weighted=weighted, quantities=own)


def default_metrics(task: Task) -> list[str]:
    """What a table shows where nothing else is asked for: the task's main ones, and the team's own."""
    shown = list(_SHOWN[task.name])
    if task.probabilities:
        shown += ["log_loss", "brier"]
    return shown


def _columns(sources: Iterable[Source], name: str) -> Iterable[pa.ChunkedArray]:
    for source in sources:
        for column in [source.column(name)] if isinstance(source, pa.Table) else source.values(name):
            yield column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _classes(sources: Iterable[Source], label: str, said: Mapping[str, Said]) -> tuple[str, ...]:
    found = {name for one in said.values() for name in one.classes}
    for column in _columns(sources, label):
        found.update(class_names(pc.unique(column.drop_null()).to_pylist()))
    for one in said.values():
        if one.values.ndim == 1:
            found.update(class_names(sorted(set(one.values.tolist()), key=str)))
        elif not one.classes and one.values.shape[1] != len(found):
            raise InvalidInput(
                f"the probabilities are of {one.values.shape[1]} classes, and {len(found)} occur",
                expected="a probability for each class",
                hint="say which with task=Task('multiclass', classes=(...), probabilities=True)",
            )
    return tuple(sorted(found, key=_by_number))


def _by_number(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def _scale(sources: Iterable[Source], label: str) -> float:
    largest = 0.0
    for column in _columns(sources, label):
        try:
            numbers = pc.abs(column.cast(pa.float64()))
        except pa.ArrowException as error:
            raise InvalidInput(f"the label column {label!r} is of type {column.type}", expected="numbers") from error
        finite = pc.filter(numbers, pc.is_finite(numbers))
        largest = max(largest, pc.max(finite).as_py() or 0.0)
    return 2.0 ** math.ceil(math.log2(largest)) if largest else 1.0
