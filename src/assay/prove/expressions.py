"""Segments by an expression of a user: SQL, an Arrow expression, or a function of the table."""

from collections.abc import Callable
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import ArrayLike

from assay.errors import InvalidInput

__all__ = ["Expression", "evaluated"]

Expression: TypeAlias = str | pc.Expression | Callable[[pa.Table], ArrayLike]


def evaluated(expression: Expression, table: pa.Table, name: str) -> pa.ChunkedArray:
    """A value for each row, as text: `yes` or `no` where the expression is true or false, else what it gives.

    Text is an SQL expression in DuckDB's dialect, such as `hour >= 22 and carrier = 'UA'`, which sees nothing but the
    columns. InvalidInput, naming the segment, for one that fails or gives another number of values.
    """
    try:
        if isinstance(expression, str):
            found = _sql(expression, table)
        elif isinstance(expression, pc.Expression):
            found = ds.dataset(table).to_table(columns={"value": expression}).column("value")
        else:
            given = expression(table)
            is_arrow = isinstance(given, pa.Array | pa.ChunkedArray)
            found = pa.chunked_array([given]) if not isinstance(given, pa.ChunkedArray) and is_arrow else given
            found = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([pa.array(given)])
    except InvalidInput:
        raise
    except Exception as error:
        raise InvalidInput(
            f"the segment {name!r} cannot be computed: {str(error).splitlines()[0] if str(error) else error!r}",
            expected="an expression of the columns",
        ) from error
    if len(found) != table.num_rows:
        raise InvalidInput(
            f"the segment {name!r} gives {len(found)} values for {table.num_rows:,} rows", expected="one for each row"
        )
    if pa.types.is_boolean(found.type):
        return pc.if_else(found, "yes", "no").cast(pa.string())
    return found.cast(pa.string())


def _sql(expression: str, table: pa.Table) -> pa.ChunkedArray:
    import duckdb

    connection = duckdb.connect(config={"enable_external_access": "false", "threads": "1"})
    try:
        connection.register("rows_of_the_evaluation", table)
        return connection.sql(f"select ({expression}) as value from rows_of_the_evaluation").to_arrow_table()["value"]  # noqa: S608 - in a database of its own without files or network
    finally:
        connection.close()
