"""The log of an endpoint before a test, as metrics would have seen it: values of units, in the order they closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.errors import NotFound
from assay.operate.online_tests.aggregating import columns_of
from assay.operate.online_tests.gathering import labels_of
from assay.operate.online_tests.measures import row_value
from assay.operate.online_tests.metric import Metric
from assay.operate.online_tests.units import (
    Windowed,
    label_joins,
    label_value,
    make_all_parts,
    make_labels,
    make_values,
    windows_of,
)
from assay.operate.predictions.rows import predictions_database
from assay.record.clock import to_us
from assay.record.models.routes import current_route
from assay.record.store import Store

if TYPE_CHECKING:
    import duckdb

__all__ = ["History", "MetricHistory", "read_history"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class MetricHistory:
    """A metric of the past. `columns`: y, d, x and w of each closed unit that has a value, in the order of closing.

    `closed_us` are the moments; `closed` counts the units with and without a value. `rows` are the values of single
    rows in the order of time, `row_us` when they were, `row_unit` numbers of their units: what an analysis would take
    that knows no units.
    """

    metric: Metric
    columns: dict[str, Floats]
    closed_us: Integers
    units: NDArray[np.object_]
    closed: int
    rows: Floats
    row_us: Integers
    row_unit: Integers


@dataclass(frozen=True, slots=True)
class History:
    """What was read: the metrics, and how units came. `first_us` are the moments of the first row of each, in order."""

    metrics: list[MetricHistory]
    first_us: Integers
    rows: int
    since_us: int
    as_of_us: int


def read_history(store: Store, endpoint: str, metrics: Sequence[Metric], as_of: datetime, days: float) -> History:
    """The last `days` of an endpoint's log; NotFound where nothing was logged in them."""
    champion = current_route(store, endpoint).variants[0].mv_id
    since_us, as_of_us = to_us(as_of - timedelta(days=days)), to_us(as_of)
    labels = labels_of(store, endpoint, metrics, as_of)
    with predictions_database(store, endpoint) as connection:
        make_all_parts(connection, "predictions", since_us=since_us, as_of_us=as_of_us)
        made = make_labels(connection, labels)
        first = connection.execute("select begun from first order by begun").fetchnumpy()["begun"]
        rows = connection.execute("select count(*) from part").fetchone()
        if not len(first) or rows is None:
            raise NotFound(
                f"nothing was logged at endpoint {endpoint!r} in the last {days:g} days",
                where=store.location,
                hint="--days for more of the past",
            )
        found = []
        for windowed in windows_of(metrics):
            make_values(
                connection, "unit_values", windowed, made, as_of_us=as_of_us, log="predictions", champion=champion
            )
            found += [_metric(connection, windowed, number, made) for number in range(len(windowed.metrics))]
    order = [metric.name for metric in metrics]
    found.sort(key=lambda one: order.index(one.metric.name))
    return History(found, np.asarray(first, np.int64), rows[0], since_us, as_of_us)


def _metric(
    connection: "duckdb.DuckDBPyConnection", windowed: Windowed, number: int, labels: dict[str, str]
) -> MetricHistory:
    metric = windowed.metrics[number]
    letters = columns_of(metric)
    closes = f"v.begun + case when f.single then {windowed.maturity_us} else {windowed.closes_us} end"
    listed = ", ".join(f"{letter}{number} as {letter}" for letter in letters)
    values = connection.execute(
        f"select v.unit, {closes} as closed_us, {listed} from unit_values v join first f on f.unit = v.unit "
        f"where y{number} is not null order by closed_us, v.unit"
    ).fetchnumpy()
    closed = connection.execute("select count(*) from unit_values").fetchone()
    joined = " ".join(["", *label_joins([metric], labels, windowed.maturity_us)])
    value = row_value(metric, metric.numerator, label_value(metric, labels), "p")
    rows = connection.execute(
        f"select {value} as value, p.t, dense_rank() over (order by p.unit) - 1 as unit from part p{joined} "
        f"where ({value}) is not null order by p.t, p.id"
    ).fetchnumpy()
    return MetricHistory(
        metric=metric,
        columns={letter: np.asarray(values[letter], np.float64) for letter in letters},
        closed_us=np.asarray(values["closed_us"], np.int64),
        units=np.asarray(values["unit"], object),
        closed=closed[0] if closed else 0,
        rows=np.asarray(rows["value"], np.float64),
        row_us=np.asarray(rows["t"], np.int64),
        row_unit=np.asarray(rows["unit"], np.int64),
    )
