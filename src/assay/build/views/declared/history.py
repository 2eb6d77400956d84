"""The rows of a feature view in the one form that everything below works on.

Key columns in one width each, `TS` and `CREATED` as microseconds (null where nothing is known), `ARRIVAL` the order of
writing, and behind them the features, or for a view of aggregates the columns that these read.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assay.build.data import sql
from assay.build.data.columns import column
from assay.build.data.sources import is_place, source
from assay.build.views.declared.keys import normalised_key
from assay.build.views.declared.moments import as_microseconds
from assay.build.views.declared.view import FeatureView
from assay.errors import InvalidInput
from assay.record import tables
from assay.record.datasets import dataset, find_dataset
from assay.record.store import Store

__all__ = [
    "ARRIVAL",
    "ARRIVED",
    "CREATED",
    "TS",
    "VISIBLE",
    "as_rows",
    "source_rows",
    "value_columns",
    "without_nan",
]

TS, CREATED, ARRIVAL, ARRIVED = "__ts", "__created", "__arrival", "__arrived"
VISIBLE = "__visible"  # where rows have it, none counts before it, whatever else holds: a replay sets it


def source_rows(view: FeatureView, store: Store | None = None) -> pa.Table:
    """All rows of the view's source as they are now; arrival is their position.

    InvalidInput and NotFound for a source that cannot be read, and as `as_rows`.
    """
    return as_rows(view, made_of(view, store), 0)


def made_of(view: FeatureView, store: Store | None) -> pa.Table:
    """The table that the view's function makes of its sources, or the source itself."""
    if isinstance(view.source, Mapping):
        return _called(view, {name: _read(one, store, view.name) for name, one in view.source.items()})
    table = _read(view.source, store, view.name)
    return table if view.function is None else _called(view, table)


def as_rows(view: FeatureView, table: pa.Table, first_arrival: int) -> pa.Table:
    """A table with the view's columns as rows in the one form. NaN in a value is null.

    InvalidInput for a column that is missing, a key or a time of another kind, and a row without a time.
    """
    of = f"the feature view {view.name!r}"
    rows = {name: normalised_key(table, name, of) for name in view.entity}
    rows[TS] = as_microseconds(table, view.time, of)
    if rows[TS].null_count:
        first = pc.index(rows[TS].is_null(), True).as_py()
        raise InvalidInput(
            f"{rows[TS].null_count:,} rows of {of} have no time in {view.time!r}",
            where=f"row {first}",
            expected="a time in every row",
            hint="leave these rows out in the view's function",
        )
    rows[CREATED] = (
        as_microseconds(table, view.created, of)
        if view.created
        else pa.chunked_array([pa.nulls(table.num_rows, pa.int64())])
    )
    rows[ARRIVAL] = pa.chunked_array([np.arange(first_arrival, first_arrival + table.num_rows)])
    # an aggregate may read a key: that stays in the form in which it is matched
    rows.update({name: values for name, values in _values(view, table).items() if name not in view.entity})
    return pa.table(rows)


def value_columns(view: FeatureView, names: list[str]) -> list[str]:
    """Which columns of its table the view needs beside key and time, `names` being all of them."""
    if view.aggregates:
        read = [one.column for one in view.aggregates.values() if one.column is not None]
        return list(dict.fromkeys([*read, *view.event]))
    if view.features is not None:
        return list(view.features)
    return [name for name in names if name not in (*view.entity, view.time, view.created)]


def _values(view: FeatureView, table: pa.Table) -> dict[str, pa.ChunkedArray]:
    if view.expressions:
        table = sql.computed(view.expressions, table)
    return {name: without_nan(column(table, name)) for name in value_columns(view, table.column_names)}


def without_nan(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values with null for NaN."""
    if not pa.types.is_floating(values.type):
        return values
    is_nan = pc.is_nan(values)
    return pc.if_else(is_nan, pa.scalar(None, values.type), values) if pc.any(is_nan).as_py() else values


def _read(given: Any, store: Store | None, called: str) -> pa.Table:
    if isinstance(given, str) and not is_place(given):
        if store is None:
            raise InvalidInput(
                f"the source of {called!r} is the dataset {given!r}, and there is no store",
                hint="pass store=assay.open_store(), or name a file",
            )
        return dataset(store, find_dataset(store, given).hash)
    return tables.as_table(given) if isinstance(given, pa.Table) else source(given).read()


def _called(view: FeatureView, given: pa.Table | dict[str, pa.Table]) -> pa.Table:
    try:
        found = view(**given) if isinstance(given, dict) else view(given)
    except InvalidInput:
        raise
    except Exception as error:  # whatever their code raises
        raise InvalidInput(
            f"the feature view {view.name!r} cannot be computed: {type(error).__name__}: {error}"
        ) from error
    return tables.as_table(found)
