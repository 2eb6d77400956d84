"""What leaked values cost: how good a model seemed that was trained on them, how good it is, and one without them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from assay.build.data.sources import rows_named
from assay.build.training.train import train
from assay.build.views.audits.audited_set import audited_set
from assay.build.views.joining.references import Asked
from assay.prove.evaluation import evaluate
from assay.record.store import Store

__all__ = ["LeakageCost", "leakage_cost"]


class LeakageCost(msgspec.Struct, frozen=True):
    """A metric on the evaluation rows, of which `rows` have a label.

    `seemed` is a model trained on the values as they are, judged on such values; `served` the same model judged on what
    was known at the time of each row, as it will be served; `clean` one that was trained on what was known, judged on
    the same rows. `gain` is by how much `clean` is better than `served`, whatever the metric, and `low` to `high` its
    90 % interval, row by row or by unit. None where a metric is undefined.
    """

    metric: str
    rows: int
    seemed: float | None
    served: float | None
    clean: float | None
    gain: float | None
    low: float | None
    high: float | None


def leakage_cost(
    estimator: Any,
    training_set: object,
    evaluation: object,
    features: Sequence[Asked] | None = None,
    *,
    label: str,
    time: str | None = None,
    inputs: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    prefix: bool = False,
    unit: str | Sequence[str] = (),
    store: Store | None = None,
) -> list[LeakageCost]:
    """Train an estimator on a training set as it is, and on what was known then, and compare the two on the same rows.

    `evaluation` are rows with the same columns, later ones as a rule. `inputs` are the columns that the model reads, by
    default the features that are audited. `unit` says which rows belong together, as in `assay.evaluate`; all else is
    as in `assay.features.audit`. A line for each metric of the task.

    InvalidInput as `assay.features.audit`, `assay.train` and `assay.evaluate`.
    """
    given = audited_set(training_set, features, time, columns, store, prefix=prefix)
    judged = replace(given, table=rows_named(evaluation, store))
    audited = [given.column_of(one, feature) for one in given.views for feature in one.features]
    read = list(inputs) if inputs is not None else audited
    leaky = train(estimator, given.table, label=label, features=read, name="as it is")
    clean = train(estimator, given.known_then(), label=label, features=read, name="known then")
    asked: dict[str, Any] = {"label": label, "task": leaky.task, "unit": unit}
    seemed = {row.metric: row for row in evaluate(leaky, judged.table, **asked).table().rows}
    together = evaluate(clean, judged.known_then(), baseline=leaky, **asked).table().rows
    return [
        LeakageCost(
            metric=row.metric,
            rows=row.n,
            seemed=seemed[row.metric].value,
            served=row.baseline_value,
            clean=row.value,
            gain=row.delta,
            low=row.delta_low,
            high=row.delta_high,
        )
        for row in together
    ]
