"""Baselines: what any model must beat to be worth its trouble, trained and packaged like one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data.columns import column, is_number
from assay.build.training.last_value import LastClass, LastNumber
from assay.build.training.preparation import Prepare
from assay.build.training.scores import scores_of
from assay.build.training.train import TrainedModel, fit, is_classifier, run_of_block, train
from assay.errors import InvalidInput
from assay.record import tables
from assay.record.live.live_run import LiveRun
from assay.record.tracking.runs import Run

__all__ = ["Trained", "baselines_for", "train_with_baselines"]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A model with its baselines. `scores` by name, the model's under `model`: on the held-out rows where there are
    some, otherwise on the rows of the training, which flatter whatever learns by heart.
    """

    model: TrainedModel
    baselines: Mapping[str, TrainedModel]
    scores: Mapping[str, Mapping[str, float]]

    @property
    def not_beaten(self) -> list[str]:
        """The baselines that are as good as the model or better: by log loss, or by RMSE for numbers."""
        measure = "rmse" if self.model.task == "regression" else "log_loss"
        limit = self.scores["model"][measure]
        return [name for name in self.baselines if self.scores[name][measure] <= limit]


def baselines_for(
    table: object,
    *,
    label: str,
    classes: bool | None = None,
    features: Sequence[str] | None = None,
    positive: object = None,
    time: str | None = None,
    entity: str | Sequence[str] = (),
) -> dict[str, TrainedModel]:
    """Models that need no thought, by name, trained on a table.

    For classes: `majority`, which gives the shares of the classes, and `logistic`, a regression on prepared columns.
    For numbers: `mean` and `ridge`. With the column of the `time` also `last`: the label that came last, of rows with
    the same `entity` where that is given. Without `features` all columns are taken but label, time and entity. Whether
    there are `classes` follows from the label unless it is said: whole numbers are numbers, except 0 and 1.
    """
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    data = tables.as_table(table)
    entities = [entity] if isinstance(entity, str) else list(entity)
    if entities and time is None:
        raise InvalidInput("entity= is given and time= is not", expected="the column that says which label came last")
    apart = _apart(classes, data, label) if positive is None else True
    chosen = _columns(data, label, features, time, entities)
    wanted: dict[str, Any] = (
        {"majority": DummyClassifier(strategy="prior"), "logistic": LogisticRegression(max_iter=1000)}
        if apart
        else {"mean": DummyRegressor(), "ridge": Ridge()}
    )
    found = {
        name: fit(
            estimator,
            data,
            label=label,
            features=chosen,
            positive=positive,
            prepare="none" if name in ("majority", "mean") else "auto",
            name=name,
        )[0]
        for name, estimator in wanted.items()
    }
    if time is not None:
        both = [*chosen, *(one for one in entities if one not in chosen)]
        last = (LastClass if apart else LastNumber)([both.index(one) for one in entities])
        ordered = _in_time(data, time)
        found["last"] = fit(last, ordered, label=label, features=both, positive=positive, prepare="none", name="last")[
            0
        ]
    return found


def train_with_baselines(
    estimator: Any,
    table: object,
    *,
    label: str,
    features: Sequence[str] | None = None,
    positive: object = None,
    prepare: Prepare = "auto",
    time: str | None = None,
    entity: str | Sequence[str] = (),
    hold_out: object = None,
    run: Run | LiveRun | None = None,
    name: str | None = None,
) -> Trained:
    """`train`, with the baselines beside it on the same rows, and the scores of all on the `hold_out` table.

    A run keeps the scores as `holdout_...` (`training_...` without held-out rows), those of baselines after
    `baseline/<name>/`. InvalidInput as for `train` and `baselines_for`.
    """
    data = tables.as_table(table)
    entities = [entity] if isinstance(entity, str) else list(entity)
    chosen = _columns(data, label, features, time, entities)
    classes = is_classifier(estimator, data, label)
    model = train(estimator, data, label=label, features=chosen, positive=positive, prepare=prepare, run=run, name=name)
    baselines = baselines_for(
        data, label=label, classes=classes, features=chosen, positive=positive, time=time, entity=entity
    )
    rows = data if hold_out is None else tables.as_table(hold_out)
    scores = {
        one: scores_of(*which.answers_and_labels(rows, label, positive))
        for one, which in {"model": model, **baselines}.items()
    }
    _log(run if run is not None else run_of_block(), scores, "training" if hold_out is None else "holdout", name)
    return Trained(model, baselines, scores)


def _log(run: Any, scores: Mapping[str, Mapping[str, float]], rows: str, name: str | None) -> None:
    if run is None:
        return
    before = f"{name}/" if name else ""
    measured = {
        f"{before}{'' if who == 'model' else f'baseline/{who}/'}{rows}_{measure}": value
        for who, found in scores.items()
        for measure, value in found.items()
        if not (who == "model" and rows == "training")  # `train` has logged these
    }
    (run.metrics if isinstance(run, Run) else run.log)(measured)


def _apart(classes: bool | None, table: pa.Table, label: str) -> bool:
    if classes is not None:
        return classes
    values = column(table, label)
    return not is_number(values.type) or set(pc.unique(values.drop_null()).to_pylist()) == {0, 1}


def _columns(
    table: pa.Table, label: str, features: Sequence[str] | None, time: str | None, entities: Sequence[str]
) -> list[str]:
    for one in [*([time] if time else []), *entities]:
        column(table, one)  # told with the nearest name where it is not there
    if features is not None:
        return list(features)
    return [one for one in table.column_names if one not in (label, time, *entities)]


def _in_time(table: pa.Table, time: str) -> pa.Table:
    values = column(table, time)
    if values.null_count:
        raise InvalidInput(
            f"column {time!r} has no time in {values.null_count:,} rows", hint="leave these rows out, or fill them"
        )
    return table.take(pc.sort_indices(pa.table({"time": values}), sort_keys=[("time", "ascending")]))
