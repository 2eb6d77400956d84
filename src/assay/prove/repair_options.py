"""The options of a repair: thresholds by group, training with weights, and collecting more rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.models.matrix_models import FrameModel, GroupThresholds, MatrixModel, group_key
from assay.build.models.packaging import matrix
from assay.build.models.reweighing import fit_reweighed
from assay.build.models.table_model import TableModel
from assay.errors import InvalidInput
from assay.prove.evaluation import CANDIDATE
from assay.prove.predictions import check_column
from assay.prove.repair_task import RATE_LABELS, RepairOption, RepairTask
from assay.record import tables
from assay.stats import metric_named, threshold_for

__all__ = ["collecting", "group_thresholds", "reweighed_training"]

_FEWEST = 10  # rows to choose a threshold on


def group_thresholds(task: RepairTask, problems: list[str]) -> list[RepairOption]:
    """The option of thresholds by group, none where nothing would change; adds to `problems` who had to be left out.

    InvalidInput where the model gives every row the same score.
    """
    scores = task.model(task.chosen)
    if len(scores) and scores.min() == scores.max():
        raise InvalidInput(
            f"{task.model.__name__} gives every row the score {scores[0]:g}", expected="scores that differ"
        )
    labels = task.chosen.column(task.evaluation.label).cast(pa.float64()).to_numpy()
    wanted = RATE_LABELS[task.rate]
    counted = ~np.isnan(labels) if wanted is None else labels == wanted
    names = _names(task.chosen, task.columns)
    if task.reference_name not in names:
        raise InvalidInput(
            f"no row of the data is in the group {task.reference_name}",
            expected="the rows of the evaluation, and groups that are values of a column",
            hint="are they bins of numbers? make a column of the bins",
        )
    target = scores[counted & (names == task.reference_name)]
    if len(target) < _FEWEST:
        problems.append(f"{task.reference_name} has {len(target)} rows to choose on.")
        return []
    share = float((target >= task.threshold).mean())
    rows = matrix(task.chosen, task.columns)
    said, thresholds = [], {}
    for name in sorted(set(names.tolist()) - {task.reference_name}):
        mine = scores[counted & (names == name)]
        if len(mine) < _FEWEST:
            problems.append(f"{name} has {len(mine)} rows to choose on, so its threshold stays.")
            continue
        own, reached = threshold_for(mine, share, task.threshold)
        if abs(reached - share) > 1.0 / len(mine):
            wanted_rate = _shown(task.rate, share)
            problems.append(
                f"The scores of {name} reach nothing nearer to {wanted_rate} than {_value(task.rate, reached):.3f}."
            )
        if own != task.threshold:
            thresholds[group_key(rows[int(np.flatnonzero(names == name)[0])])] = own
            said.append(f"{name} from {own:.4g} on ({_shown(task.rate, reached)} there)")
    if not thresholds:
        return []
    description = (
        f"Selects {', '.join(said)}; everybody else from {task.threshold:g} on, where {task.reference_name} has"
        f" {_shown(task.rate, share)} on the half it was chosen on. Scores are stretched so that"
        f" {task.threshold:g} stays the common threshold. It uses {' and '.join(task.columns)} when deciding, which"
        f" may be forbidden."
    )
    model = _with_thresholds(task, thresholds)
    return [task.option("thresholds", f"Thresholds by {task.group}", description, model)]


def _with_thresholds(task: RepairTask, thresholds: dict[tuple[str, ...], float]) -> MatrixModel:
    inputs = task.model.columns
    columns = [*inputs, *(name for name in task.columns if name not in inputs)]
    places = [columns.index(name) for name in task.columns]
    classifier = GroupThresholds(task.model.classifier, len(inputs), places, task.threshold, thresholds)
    return MatrixModel(classifier, columns, f"{task.model.__name__} with thresholds by {task.group}")


def reweighed_training(task: RepairTask, train: pa.Table, estimator: object) -> RepairOption:
    """The option of training again with weights; the group is used in training only.

    InvalidInput for columns that are not there, labels other than 0 and 1, rows that are those to measure on, and a
    model or an estimator that cannot be trained so.
    """
    if isinstance(task.given, str | MatrixModel):
        raise InvalidInput(
            f"{task.model.__name__} does not say what it was trained on",
            expected="a registered version or a classifier fitted on named columns",
        )
    columns, label = task.model.columns, task.evaluation.label
    for name in (label, *columns, *task.columns):
        check_column(train.schema, name)
    if tables.content_hash(train) == task.data_hash:
        raise InvalidInput("the rows to train on are the rows to measure on", expected="other rows")
    train = train.filter(pc.is_valid(train.column(label)))
    labels = train.column(label).cast(pa.float64()).to_numpy()
    if set(labels.tolist()) != {0.0, 1.0}:
        raise InvalidInput(f"the training rows have the labels {sorted(set(labels.tolist()))[:5]}", expected="0 and 1")
    groups = _names(train, task.columns).tolist()
    own = task.given.estimator if isinstance(task.given, TableModel) else task.given
    source = own if estimator is None else estimator
    if isinstance(task.given, TableModel) and not hasattr(own, "feature_names_in_"):
        classifier = fit_reweighed(source, matrix(train, columns), labels, groups)
    else:
        classifier = FrameModel(fit_reweighed(source, _frame(train, columns), labels, groups), columns)
    description = (
        f"{type(source).__name__}, trained on {train.num_rows:,} rows with weights under which every group of"
        f" {task.group} has the same share of positives. The group is used in training and not when deciding."
    )
    model = MatrixModel(classifier, columns, f"{task.model.__name__} trained with weights by {task.group}")
    return task.option("reweighed", f"Training with weights by {task.group}", description, model)


def _frame(table: pa.Table, columns: Sequence[str]) -> object:
    try:
        return table.select(columns).to_pandas()
    except ImportError:
        return matrix(table, columns)


def collecting(task: RepairTask, notes: list[str]) -> list[RepairOption]:
    """More rows, where the whole evaluation leaves it open whether a group is within the bound."""
    collect = {}
    for one in task.gaps(task.evaluation, CANDIDATE):
        if one.verdict != "inconclusive" or one.rows_needed is None:
            continue
        if one.rows_needed > one.n:
            collect[one.group.name] = one.rows_needed - one.n
        else:
            notes.append(f"{one.group.name} has as many rows as should have decided: it is close to the bound.")
    if not collect:
        return []
    kind = {None: "labelled rows", 1: "rows with label 1", 0: "rows with label 0"}[RATE_LABELS[task.rate]]
    said = "; ".join(f"{name}: about {rows:,} more {kind}" for name, rows in collect.items())
    title = "Collect " + ", ".join(f"{rows:,} more rows of {name}" for name, rows in collect.items())
    power = task.policy.power if task.policy else 0.8
    description = f"{said}, to decide with power {power:.0%} if the rates stay as they are; the reference grows along."
    return [RepairOption("collect", title, description, collect=collect)]


def _names(table: pa.Table, columns: Sequence[str]) -> NDArray[np.object_]:
    """[rows] the name of the segment of each row."""
    texts = [tables.column_texts(table, name) for name in columns]
    names = np.empty(table.num_rows, dtype=object)
    names[:] = [
        " & ".join(f"{column}={value}" for column, value in zip(columns, values, strict=True))
        for values in zip(*texts, strict=True)
    ]
    return names


def _shown(rate: str, share: float) -> str:
    """The rate in words, of the share that is selected."""
    return f"{metric_named(rate).title.lower()} {_value(rate, share):.3f}"


def _value(rate: str, share: float) -> float:
    return 1.0 - share if rate in ("fnr", "specificity") else share
