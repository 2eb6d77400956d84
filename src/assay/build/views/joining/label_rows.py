"""Label rows of any kind as an Arrow table, and new columns put behind them in the kind in which they came."""

from collections.abc import Callable, Collection
from typing import Any, TypeAlias

import pyarrow as pa

from assay.build.data.sources import source
from assay.build.data.split_times import is_time
from assay.errors import InvalidInput

__all__ = ["Widen", "label_rows", "time_of"]

Widen: TypeAlias = Callable[[pa.Table], Any]


def label_rows(labels: Any) -> tuple[pa.Table, Widen]:
    """The rows, and a function that gives them with more columns behind: pandas, Polars, DuckDB or Arrow as they came.

    A pandas frame keeps its index, and its named index counts among the columns. What came as a place, or in another
    form, goes as Arrow.
    """
    kind = type(labels).__module__.partition(".")[0].lstrip("_")
    if kind == "pandas" and hasattr(labels, "columns"):
        if not labels.columns.is_unique:
            twice = labels.columns[labels.columns.duplicated()][0]
            raise InvalidInput(f"the labels have more than one column {twice!r}", expected="a name of its own for each")
        return source(labels).read(), lambda more: _pandas(labels, more)
    if kind == "polars" and hasattr(labels, "collect"):
        frame = labels.collect()
        return source(frame).read(), lambda more: _polars(frame, more).lazy()
    if kind == "polars" and hasattr(labels, "hstack"):
        return source(labels).read(), lambda more: _polars(labels, more)
    table = source(labels).read()
    if kind == "duckdb":
        return table, lambda more: _duckdb(with_columns(table, more))
    return table, lambda more: with_columns(table, more)


def time_of(table: pa.Table, time: str | None, keys: Collection[str]) -> str:
    """The column of times: `time`, or the only one that is no key. InvalidInput where there is none, or several."""
    if time is not None:
        return time
    names: list[str] = [field.name for field in table.schema if is_time(field.type) and field.name not in keys]
    if len(names) != 1:
        raise InvalidInput(
            f"the labels have {len(names) or 'no'} columns of times{': ' if names else ''}{', '.join(names)}",
            expected="one, or time= to say which counts",
            hint=None if names else "cast the column of times: texts are none",
        )
    return names[0]


def with_columns(table: pa.Table, more: pa.Table) -> pa.Table:
    """The table with the columns of another behind its own."""
    for field, values in zip(more.schema, more.columns, strict=True):
        table = table.append_column(field, values)
    return table


def _pandas(labels: Any, more: pa.Table) -> Any:
    import pandas as pd

    added = more.to_pandas()
    added.index = labels.index
    return pd.concat([labels, added], axis=1)


def _polars(labels: Any, more: pa.Table) -> Any:
    import polars as pl

    return labels.hstack(pl.DataFrame(more))


def _duckdb(table: pa.Table) -> Any:
    import duckdb

    return duckdb.from_arrow(table)
