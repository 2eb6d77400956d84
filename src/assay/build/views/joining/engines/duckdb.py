"""Rows of Parquet files by DuckDB: it leaves out what no label row can use, and gives the rest in batches."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from assay.build.views.joining.engines.parquet import BATCH_ROWS, POSITION, Bounds, ParquetPart

if TYPE_CHECKING:
    import duckdb

__all__ = ["relation_rows", "rows"]

_KEYS = "asked_keys_"


def rows(
    part: ParquetPart, columns: Sequence[str], heads: Sequence[str], wanted: Bounds
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    """Batches with the positions of their rows in the file; of rows that have expired for all only `heads`."""
    import duckdb

    asked = {f"{_KEYS}{place}": name for place, name in enumerate(part.columns(list(wanted.keys)))}
    conditions = [f"{_quoted(name)} in (from {table})" for table, name in asked.items()]
    old = None
    if part.has_all(wanted.time) and part.is_exact_time(wanted.time):
        made = "make_timestamp" if part.schema.field(wanted.time).type.tz is None else "make_timestamptz"
        time = _quoted(wanted.time)
        conditions.append(f"{time} <= {made}({wanted.latest})")
        if wanted.oldest is not None:
            old = [*conditions, f"{time} < {made}({wanted.oldest})"]
            conditions.append(f"{time} >= {made}({wanted.oldest})")
    with duckdb.connect(config={"preserve_insertion_order": "false"}) as connection:  # positions say where rows stood
        connection.execute("set TimeZone = 'UTC'")
        for table, name in asked.items():
            connection.register(table, pa.table({"key": wanted.keys[name]}))
        yield from _selected(connection, part, columns, conditions)
        if old is not None:
            yield from _selected(connection, part, heads, old)


def relation_rows(relation: "duckdb.DuckDBPyRelation", columns: Sequence[str]) -> Iterator[pa.Table]:
    """The rows of a relation in batches, in its order."""
    listed = ", ".join(map(_quoted, columns))
    for batch in relation.project(listed).to_arrow_reader(BATCH_ROWS):
        yield pa.table(batch)


def _selected(
    connection: "duckdb.DuckDBPyConnection", part: ParquetPart, columns: Sequence[str], conditions: Sequence[str]
) -> Iterator[tuple[NDArray[np.int64], pa.Table]]:
    names = part.columns(columns)
    listed = ", ".join([*map(_quoted, names), f"file_row_number as {_quoted(POSITION)}"])
    path = str(part.local).replace("'", "''")
    where = f" where {' and '.join(conditions)}" if conditions else ""
    query = f"select {listed} from read_parquet('{path}', file_row_number = true, hive_partitioning = false){where}"  # noqa: S608 - names are quoted
    for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
        table = pa.table(batch)
        yield table.column(POSITION).to_numpy(), table.drop_columns([POSITION])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
