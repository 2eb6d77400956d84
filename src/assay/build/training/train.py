"""`train`: any estimator with fit and predict, on a table, to a model that answers for tables."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assay.build.data.columns import column, is_number
from assay.build.models.flavours import sklearn
from assay.build.models.flavours.flavour import Given, Kept, library_of
from assay.build.models.folder import columns_of, flavour_of
from assay.build.models.inputs import Column, signature_of
from assay.build.models.table_model import TableModel
from assay.build.training.labels import Labels, TrainingTask, labels_like, labels_of
from assay.build.training.preparation import Prepare, prepared
from assay.build.training.scores import scores_of
from assay.errors import InvalidInput
from assay.progress import tell
from assay.record import tables
from assay.record.live.live_run import LiveRun
from assay.record.tracking.runs import Run, current_run, innermost, show_run

__all__ = ["TrainedModel", "fit", "is_classifier", "run_of_block", "train"]


class TrainedModel(TableModel):
    """A fitted estimator with all that stands before it; `assay.package_model` and `run.model` take it as it is.

    `rows` it was fitted on, `left_out` for want of a label, `seconds` of fitting, `scores` on the rows it was fitted
    on, and `preparation`: what is done to the columns, in words.
    """

    def __init__(
        self, name: str, estimator: Any, columns: Sequence[Column], labels: Labels, preparation: str, seconds: float
    ) -> None:
        flavour = flavour_of(estimator)
        answering = None
        if flavour is not sklearn:  # what answers here is what will be served
            saved = flavour.save(Given(estimator, columns, labels.classes))
            answering = flavour.load(Kept(saved.content, columns, saved.classes))
        super().__init__(name, estimator, columns, labels.classes, answering)
        self.task: TrainingTask = labels.task
        self.rows = len(labels.values)
        self.left_out = labels.left_out
        self.preparation = preparation
        self.seconds = seconds
        self.scores: Mapping[str, float] = {}

    def answers_and_labels(
        self, table: pa.Table, label: str, positive: object = None
    ) -> tuple[NDArray[np.float64], Labels]:
        """What it says about the rows that have a label, and their labels in its classes.

        InvalidInput for a label that it does not know.
        """
        labels = labels_like(self.task, self.classes, table, label, positive)
        return self.answer_table(table)[labels.kept], labels


def train(
    estimator: Any,
    table: object,
    *,
    label: str,
    features: Sequence[str] | None = None,
    positive: object = None,
    prepare: Prepare = "auto",
    run: Run | LiveRun | None = None,
    name: str | None = None,
) -> TrainedModel:
    """Fit a copy of an estimator on the rows of a table (Arrow, pandas, Polars, DuckDB, or a path) that have a label.

    Without `features` all other columns are taken. `positive` is the value of the label that counts as 1, all others
    as 0. `prepare="auto"` puts a preparation of text and gaps before estimators that need one, as part of the model;
    `none` leaves columns as they are. `name` is for people, and stands before what a run keeps where it trains several.

    A run (without `run`, the one whose block this is) gets params, rows, seconds and scores. InvalidInput, naming the
    column, for what cannot be trained on; then the run gets nothing.
    """
    data = tables.as_table(table)
    fitted, labels, rows = fit(
        estimator, data, label=label, features=features, positive=positive, prepare=prepare, name=name
    )
    fitted.scores = scores_of(fitted.answer_table(rows), labels)
    _log(run if run is not None else run_of_block(), estimator, fitted, f"{name}/" if name else "")
    return fitted


def fit(
    estimator: Any,
    table: pa.Table,
    *,
    label: str,
    features: Sequence[str] | None,
    positive: object,
    prepare: Prepare = "auto",
    name: str | None = None,
) -> tuple[TrainedModel, Labels, pa.Table]:
    """`train` without scores and without a run; gives the labels and the features of the rows that have one as well."""
    if not hasattr(estimator, "fit") or not hasattr(estimator, "predict"):
        raise InvalidInput(f"a {type(estimator).__name__} cannot be trained", expected="an object with fit and predict")
    classes = is_classifier(estimator, table, label)
    if positive is not None and not classes:
        raise InvalidInput(
            f"positive={positive!r} is given, and the estimator predicts numbers", hint="give a classifier"
        )
    labels = labels_of(table, label, classes=classes, positive=positive)
    chosen = _features(table, label, features)
    columns = columns_of(signature_of(table, chosen))
    rows = _plain(table, chosen).filter(pa.array(labels.kept))
    for one in columns:
        _has_values(rows, one)
    ready = prepared(estimator, rows, columns, prepare)
    last = ready.estimator.steps[-1][1] if hasattr(ready.estimator, "steps") else ready.estimator
    wanted = labels.values if library_of(last) == "xgboost" else labels.named  # XGBoost knows classes by number only
    what = name or type(estimator).__name__
    tell("train", 0.0, what)
    begun = time.perf_counter()
    ready.estimator.fit(ready.rows, wanted)
    seconds = time.perf_counter() - begun
    tell("train", 1.0, f"{what}: {len(wanted):,} rows in {seconds:.1f} s")
    return TrainedModel(what, ready.estimator, columns, labels, ready.words, seconds), labels, rows


def is_classifier(estimator: Any, table: pa.Table, label: str) -> bool:
    """Whether classes are to be told apart: what the estimator says of itself, or else the kind of the label."""
    from sklearn import base

    if hasattr(estimator, "__sklearn_tags__"):
        if base.is_classifier(estimator):
            return True
        if base.is_regressor(estimator):
            return False
    if hasattr(estimator, "predict_proba"):
        return True
    return not is_number(column(table, label).type)


def _features(table: pa.Table, label: str, features: Sequence[str] | None) -> list[str]:
    chosen = [one for one in table.column_names if one != label] if features is None else list(features)
    if label in chosen:
        raise InvalidInput(
            f"the label column {label!r} is among the features", hint=f"leave {label!r} out: it is what is asked for"
        )
    twice = next((one for one in chosen if chosen.count(one) > 1), None)
    if twice is not None:
        raise InvalidInput(f"column {twice!r} is among the features twice", expected="each feature once")
    if not chosen:
        raise InvalidInput("there is no column to learn from", expected="features=[...], or columns beside the label")
    return chosen


def _plain(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The columns, without views of text, which Arrow does not filter yet."""
    columns = [column(table, name) for name in names]
    plain = [one.cast(pa.large_string()) if pa.types.is_string_view(one.type) else one for one in columns]
    return pa.table(plain, names=list(names))


def _has_values(rows: pa.Table, one: Column) -> None:
    values = column(rows, one.name)
    empty = values.null_count == len(values)
    if not empty and pa.types.is_floating(values.type):
        empty = not pc.any(pc.invert(pc.is_nan(values))).as_py()
    if empty:
        raise InvalidInput(
            f"column {one.name!r} has no value in the rows with a label", hint=f"leave {one.name!r} out of features"
        )


def run_of_block() -> Run | LiveRun | None:
    """The run whose block this is; the one of a step in another process is opened there."""
    found = innermost()
    return found if isinstance(found, LiveRun) else current_run()


def _log(run: Any, estimator: Any, fitted: TrainedModel, before: str) -> None:
    if run is None:
        return
    settings = estimator.get_params() if hasattr(estimator, "get_params") else {}
    plain = {key: value for key, value in settings.items() if isinstance(value, str | int | float | None)}
    params = {"estimator": type(estimator).__name__, "preparation": fitted.preparation, **plain}
    given = {f"{before}{key}": str(value) for key, value in params.items()}
    if isinstance(run, Run):
        given = _beside(show_run(run.store, run.run_id).params, given)
    run.params(given)
    measured = {
        "training_rows": float(fitted.rows),
        "training_rows_without_label": float(fitted.left_out),
        "training_seconds": fitted.seconds,
        **{f"training_{key}": value for key, value in fitted.scores.items()},
    }
    (run.metrics if isinstance(run, Run) else run.log)({f"{before}{key}": value for key, value in measured.items()})


def _beside(known: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """What the run was told under the same names stands; the estimator's own are then `estimator.NAME`."""
    return {f"estimator.{key}" if known.get(key, value) != value else key: value for key, value in given.items()}
